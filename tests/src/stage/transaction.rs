//! Transactions of applications: what they hold, and what comes of it.

use flockmq_core::sim::HostId;
use flockmq_core::{
    Ack, AckExtent, AckKind, Body, Command, ConsumerId, Destination, Instant, MessageId, ProducerId, Refusal, Tag,
};

use super::{CONNECTION, Stage};

use crate::application::{Asked, Transaction};

impl Stage {
    /// Begins a transaction, unless one of that number is open.
    pub fn begin_transaction(&mut self, host: HostId, number: u64) {
        if !self.applications[&host].transactions.contains_key(&number) {
            let request = self.application(host).ask(Asked::Begin(number));
            self.command(host, Command::Begin { request, connection: CONNECTION, transaction: number });
        }
    }

    /// Sends a message in a transaction, if it is open.
    pub fn send_in(&mut self, host: HostId, number: u64, destination: &Destination, message: Body) {
        if self.applications[&host].transactions.contains_key(&number) {
            let asked = Asked::TransactedSend(number, destination.clone(), Box::new(message.clone()));
            let request = self.application(host).ask(asked);
            let (connection, destination) = (CONNECTION, destination.clone());
            self.command(
                host,
                Command::TransactedSend {
                    request,
                    connection,
                    transaction: number,
                    destination: destination.into(),
                    message,
                },
            );
        }
    }

    /// Acknowledges a delivery in a transaction, if it is open.
    pub fn ack_in(&mut self, host: HostId, number: u64, consumer: ConsumerId, tag: Tag) {
        if self.applications[&host].transactions.contains_key(&number) {
            let request = self.application(host).ask(Asked::TransactedAck(number, consumer, tag));
            let command =
                Command::TransactedAck { request, connection: CONNECTION, transaction: number, consumer, tag };
            self.command(host, command);
        }
    }

    /// True if a transaction is to acknowledge a delivery.
    pub(crate) fn is_in_transaction(&self, host: HostId, consumer: ConsumerId, tag: Tag) -> bool {
        let mut open = self.applications[&host].transactions.values();
        open.any(|transaction| transaction.acknowledged.contains(&(consumer, tag)))
    }

    /// Commits a transaction, if it is open; it stays so if that is refused.
    pub fn commit(&mut self, host: HostId, number: u64) {
        if self.applications[&host].transactions.contains_key(&number) {
            let request = self.application(host).ask(Asked::Commit(number));
            self.command(host, Command::Commit { request, connection: CONNECTION, transaction: number });
        }
    }

    /// Rolls a transaction back, if it is open.
    pub fn roll_back(&mut self, host: HostId, number: u64) {
        if self.applications[&host].transactions.contains_key(&number) {
            let request = self.application(host).ask(Asked::Rollback(number));
            self.command(host, Command::Rollback { request, connection: CONNECTION, transaction: number });
        }
    }

    /// Ends all transactions, every second one by a commit.
    pub(crate) fn end_transactions(&mut self, host: HostId) {
        for number in self.applications[&host].transactions.keys().copied().collect::<Vec<_>>() {
            if number % 2 == 0 {
                self.commit(host, number);
            }
            self.roll_back(host, number);
        }
    }

    /// A transaction was committed: all of it is done, and was before anything else is told.
    pub(super) fn committed(&mut self, at: Instant, host: HostId, number: u64) {
        let Transaction { sends, acknowledged } = self.end_transaction(host, number);
        for (consumer, tag) in acknowledged {
            self.oracle.answered(at, Ack { consumer, tag, extent: AckExtent::Individual, kind: AckKind::Accepted });
        }
        let producer = ProducerId { broker: self.id(host), number: OWN | CONNECTION.0 };
        let process = self.process(host);
        for (destination, body) in sends {
            let application = self.application(host);
            application.committed += 1;
            let id = MessageId { producer, sequence: application.committed };
            self.oracle.sent(at, host, id, &destination, &body);
            self.oracle.accepted(at, process, producer.number, id.sequence, &[]);
        }
    }

    /// A transaction was rolled back: what it sent was never sent, and what it acknowledged is given back.
    pub(super) fn rolled_back(&mut self, at: Instant, host: HostId, number: u64) {
        for (consumer, tag) in self.end_transaction(host, number).acknowledged {
            if self.consumers[&consumer].1.is_open && self.outstanding(consumer).contains(&tag) {
                self.oracle.answered(at, Ack { consumer, tag, extent: AckExtent::Individual, kind: AckKind::Released });
            }
        }
    }

    /// A commit is refused only if what is acknowledged has gone back, or if there is no room.
    pub(super) fn commit_refused(&self, host: HostId, number: u64, refusal: &Refusal) {
        let acknowledged = &self.applications[&host].transactions[&number].acknowledged;
        let is_gone = |(consumer, tag): &(ConsumerId, Tag)| {
            !self.consumers[consumer].1.is_open || !self.outstanding(*consumer).contains(tag)
        };
        let is_fair = match refusal {
            Refusal::NotOutstanding { .. } | Refusal::Unknown { .. } => acknowledged.iter().any(is_gone),
            Refusal::NoRoom { .. } => true,
            _ => false,
        };
        assert!(is_fair, "{host} refuses to commit {:?}: {refusal}", self.applications[&host].transactions[&number]);
    }

    fn end_transaction(&mut self, host: HostId, number: u64) -> Transaction {
        self.application(host).transactions.remove(&number).expect("it was open")
    }
}

/// Transactions send by producers from here on.
const OWN: u64 = 1 << 63;
