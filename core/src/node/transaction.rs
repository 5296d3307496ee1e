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
        let Batch { messages, acknowledged } = client.transactions().batch(now, transaction)?;
        let origin = Origin::Application(connection);
        self.broker.commit(now, origin, messages, acknowledged, &mut self.lanes.broker)?;
        client.transactions().commit(transaction)
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

#[cfg(test)]
mod tests {
    use super::super::{Command, Config, Event, Input, Output};
    use super::*;
    use crate::base::Seed;
    use crate::broker::SlowConsumers;
    use crate::model::{Destination, RequestId, Subscription};
    use alloc::vec::Vec;

    /// Tells a node something, and gives what it answers or says of a consumer's end.
    fn tell(node: &mut Node, now: Instant, input: Input) -> Vec<Event> {
        node.handle_input(now, input);
        let events = core::iter::from_fn(|| node.poll_output()).filter_map(|output| match output {
            Output::Event(event @ (Event::ConsumerEnded { .. } | Event::Replied { .. })) => Some(event),
            _ => None,
        });
        events.collect()
    }

    #[test]
    fn what_a_consumer_was_handed_that_the_broker_has_ended_is_acknowledged_by_no_transaction() {
        let mut config = Config::alone("here");
        config.broker.topic_bytes_max = 1;
        config.broker.policies.default.slow_consumers = SlowConsumers::Disconnect;
        let after = config.broker.stalled_after;
        let mut node = Node::new(config, Seed::from(1), Instant::ZERO);
        let (connection, consumer, request) = (ConnectionId(1), ConsumerId(1), RequestId(1));
        let topic = Destination::topic("t").expect("valid");
        let subscription = Subscription { prefetch: Some(1), ..Subscription::new(topic.clone()) };
        let subscribe = Command::Subscribe { request, connection, consumer, subscription };
        let send = Command::Send { connection, producer: 1, messages: alloc::vec![Body::text("news"); 3] };
        let done = Event::Replied { request, result: Ok(()) };
        for command in [
            Command::Attach { request, connection },
            Command::Produce { request, connection, producer: 1, destination: topic.into() },
            Command::Begin { request, connection, transaction: 1 },
            subscribe.clone(),
        ] {
            assert_eq!(tell(&mut node, Instant::ZERO, Input::Command(command)), core::slice::from_ref(&done));
        }
        assert_eq!(tell(&mut node, Instant::ZERO, Input::Command(send.clone())), []);
        let ack = Command::TransactedAck { request, connection, transaction: 1, consumer, tag: 1 };
        assert_eq!(tell(&mut node, Instant::ZERO, Input::Command(ack)), core::slice::from_ref(&done));
        let ended = tell(&mut node, Instant::ZERO + after, Input::Timeout);
        assert!(matches!(ended[..], [Event::ConsumerEnded { refusal: Refusal::TooSlow { .. }, .. }]), "{ended:?}");
        // Another has its name, and a delivery of the same number.
        assert_eq!(tell(&mut node, Instant::ZERO + after, Input::Command(subscribe)), [done]);
        tell(&mut node, Instant::ZERO + after, Input::Command(send));
        let commit = Command::Commit { request, connection, transaction: 1 };
        let result = Err(Refusal::NotOutstanding { consumer, tag: 1 });
        assert_eq!(
            tell(&mut node, Instant::ZERO + after, Input::Command(commit)),
            [Event::Replied { request, result }]
        );
    }
}
