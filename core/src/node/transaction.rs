//! Transactions of the application: held by its connection, done by the embedded broker.

use super::Node;
use crate::base::Instant;
use crate::client::Batch;
use crate::model::{Body, ConnectionId, ConsumerId, Destinations, Origin, Refusal, Tag, What};

impl Node {
    pub(super) fn begin(&mut self, connection: ConnectionId, transaction: u64) -> Result<(), Refusal> {
        if self.fanout.is_some() {
            return Err(Refusal::NotThroughFanout { what: What::Transaction });
        }
        self.client(connection)?.transactions().begin(transaction)
    }

    pub(super) fn commit(&mut self, now: Instant, connection: ConnectionId, transaction: u64) -> Result<(), Refusal> {
        let client = self.clients.get_mut(&connection).ok_or(Refusal::unknown_connection(connection))?;
        let (origin, out) = (Origin::Application(connection), &mut self.lanes.broker);
        let held = client.transactions().find(transaction)?;
        held.check()?;
        self.broker.check_commit(now, origin, held.destinations(), held.acknowledged(), out)?;
        let Batch { messages, acknowledged } = client.transactions().commit(now, transaction)?;
        self.broker.commit(now, origin, messages, acknowledged, out);
        Ok(())
    }

    pub(super) fn roll_back(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        transaction: u64,
    ) -> Result<(), Refusal> {
        let acknowledged = self.client(connection)?.transactions().roll_back(transaction)?;
        let origin = Origin::Application(connection);
        self.broker.roll_back(now, origin, acknowledged, &mut self.lanes.broker);
        Ok(())
    }

    pub(super) fn transacted_ack(
        &mut self,
        connection: ConnectionId,
        transaction: u64,
        consumer: ConsumerId,
        tag: Tag,
    ) -> Result<(), Refusal> {
        self.client(connection)?.transactions().find(transaction)?;
        self.broker.check_outstanding(Origin::Application(connection), consumer, tag)?;
        self.client(connection)?.transactions().acknowledge(transaction, consumer, tag)
    }

    pub(super) fn transacted_send(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        transaction: u64,
        destination: Destinations,
        message: Body,
    ) -> Result<(), Refusal> {
        let wall = self.wall_at(now);
        self.config.broker.check_composite(&destination)?;
        self.client(connection)?.transactions().send(now, wall, transaction, destination, message)
    }
}
