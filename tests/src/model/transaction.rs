//! What a connection does all at once or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use flockmq_core::{
    Ack, AckExtent, AckKind, Body, ConsumerId, Destinations, Message, MessageId, Path, ProducerId, Refusal, Tag,
    Timestamp, What,
};

use super::Model;
use super::place::Waiting;

/// The open transactions of a connection.
#[derive(Default)]
pub(super) struct Transactions {
    open: BTreeMap<u64, Transaction>,
    sent: u64, // With those that were committed.
}

/// What one holds.
#[derive(Default)]
struct Transaction {
    sends: Vec<Vec<Waiting>>, // Each for each of its destinations; numbered when it is committed.
    acknowledged: Vec<(ConsumerId, Tag)>,
    lost: Option<(ConsumerId, Tag)>, // The first that can't be acknowledged any more, since its consumer was closed.
}

impl Model {
    pub(crate) fn begin(&mut self, connection: u64, number: u64) -> Result<(), Refusal> {
        let max = self.config.transactions_max;
        let open = &mut self.attached(connection)?.transactions.open;
        if open.contains_key(&number) {
            return Err(Refusal::AlreadyExists { what: What::Transaction, number });
        }
        if open.len() >= max {
            return Err(Refusal::LimitReached { what: What::Transaction, max: max as u64 });
        }
        open.insert(number, Transaction::default());
        Ok(())
    }

    pub(crate) fn is_in_transaction(&self, connection: u64, number: u64) -> bool {
        self.connections.get(&connection).is_some_and(|found| found.transactions.open.contains_key(&number))
    }

    /// Holds a message until its transaction is committed.
    pub(crate) fn send_in(
        &mut self,
        connection: u64,
        number: u64,
        named: &Destinations,
        body: &Body,
    ) -> Result<(), Refusal> {
        self.check_composite(named)?;
        let (now, max) = (self.now, u64::from(self.config.message_max));
        let id = MessageId { producer: ProducerId { broker: self.broker, number: connection | 1 << 63 }, sequence: 0 };
        let timestamp = Timestamp::default() + now.since_origin();
        let copies = named.iter().map(|part| {
            let (destination, path, body) = (part.clone(), Path::default(), body.clone());
            let message = Arc::new(Message { id, destination, path, timestamp, body });
            Waiting { order: 0, redeliveries: 0, arrived_at: now, message }
        });
        let copies: Vec<Waiting> = copies.collect();
        let full = self.transaction_full(number);
        let (messages_max, bytes_max) = (self.config.transaction_messages_max, self.config.transaction_bytes_max);
        let transaction = self.transaction(connection, number)?;
        if let Some(pattern) = named.iter().find(|part| part.is_pattern()) {
            return Err(Refusal::IsPattern(pattern.clone()));
        }
        let size = body.size() as u64;
        if size > max {
            return Err(Refusal::TooLarge { size, max });
        }
        let bytes: u64 = transaction.sends.iter().flatten().chain(&copies).map(Waiting::size).sum();
        if transaction.count() + copies.len() > messages_max || bytes > bytes_max {
            return Err(full);
        }
        transaction.sends.push(copies);
        Ok(())
    }

    /// Holds an acknowledgement until its transaction is committed; of one delivery in one transaction.
    pub(crate) fn acknowledge_in(
        &mut self,
        connection: u64,
        number: u64,
        consumer: ConsumerId,
        tag: Tag,
    ) -> Result<(), Refusal> {
        let full = self.transaction_full(number);
        let max = self.config.transaction_messages_max;
        self.transaction(connection, number)?;
        self.check_outstanding(connection, consumer, tag)?;
        if self.transaction(connection, number)?.count() >= max {
            return Err(full);
        }
        let mut others = self.attached(connection)?.transactions.open.values();
        if others.any(|other| other.acknowledged.contains(&(consumer, tag))) {
            return Err(Refusal::NotOutstanding { consumer, tag });
        }
        self.transaction(connection, number)?.acknowledged.push((consumer, tag));
        Ok(())
    }

    /// Does all of a transaction, or refuses it and has done nothing. Nobody waits for room by then: what has no room for
    /// the first of its messages is refused, and what is done may exceed it.
    pub(crate) fn commit(&mut self, connection: u64, number: u64) -> Result<(), Refusal> {
        if let Some((consumer, tag)) = self.transaction(connection, number)?.lost {
            return Err(Refusal::NotOutstanding { consumer, tag });
        }
        self.catch_up();
        let transaction = self.transaction(connection, number)?;
        let acknowledged = transaction.acknowledged.clone();
        let sends = transaction.sends.clone();
        for (consumer, tag) in &acknowledged {
            self.check_outstanding(connection, *consumer, *tag)?;
        }
        self.check_places(sends.iter().flatten().map(|held| &held.message.destination))?;
        if let Some(held) = sends.iter().flatten().find(|held| self.would_wait(connection, held)) {
            return Err(Refusal::NoRoom { destination: held.message.destination.clone() });
        }
        for held in sends.iter().flatten() {
            self.place(&held.message.destination).expect("there is room for it");
        }
        let transaction = self.end_transaction(connection, number)?;
        for (consumer, tag) in acknowledged {
            self.acknowledge(connection, answer(consumer, tag, AckKind::Accepted)).expect("it was outstanding");
        }
        for copies in transaction.sends {
            let transactions = &mut self.attached(connection)?.transactions;
            transactions.sent += 1;
            let sequence = transactions.sent;
            for mut held in copies {
                Arc::make_mut(&mut held.message).id.sequence = sequence;
                let place = self.place(&held.message.destination).expect("it was there");
                self.accept(connection, place, &held);
            }
        }
        self.unpark_all();
        Ok(())
    }

    /// A consumer was closed: what it was handed has gone back, and can't be acknowledged any more.
    pub(super) fn lose_acknowledgements(&mut self, connection: u64, consumer: ConsumerId) {
        let Ok(found) = self.attached(connection) else { return };
        for transaction in found.transactions.open.values_mut() {
            let lost = transaction.acknowledged.extract_if(.., |(found, _)| *found == consumer).next();
            transaction.lost = transaction.lost.or(lost);
            transaction.acknowledged.retain(|(found, _)| *found != consumer);
        }
    }

    /// Forgets what a transaction would have sent, and gives back what it would have acknowledged.
    pub(crate) fn roll_back(&mut self, connection: u64, number: u64) -> Result<(), Refusal> {
        for (consumer, tag) in self.end_transaction(connection, number)?.acknowledged {
            // What its consumer has left has gone back already.
            _ = self.acknowledge(connection, answer(consumer, tag, AckKind::Released));
        }
        Ok(())
    }

    fn end_transaction(&mut self, connection: u64, number: u64) -> Result<Transaction, Refusal> {
        let unknown = Refusal::Unknown { what: What::Transaction, number };
        self.attached(connection)?.transactions.open.remove(&number).ok_or(unknown)
    }

    fn transaction(&mut self, connection: u64, number: u64) -> Result<&mut Transaction, Refusal> {
        let unknown = Refusal::Unknown { what: What::Transaction, number };
        self.attached(connection)?.transactions.open.get_mut(&number).ok_or(unknown)
    }

    fn check_outstanding(&self, connection: u64, consumer: ConsumerId, tag: Tag) -> Result<(), Refusal> {
        let id = self.find(connection, consumer)?;
        let is_held = self.consumers[&id].held.contains_key(&tag);
        if is_held { Ok(()) } else { Err(Refusal::NotOutstanding { consumer, tag }) }
    }

    fn transaction_full(&self, transaction: u64) -> Refusal {
        Refusal::TransactionFull {
            transaction,
            messages_max: self.config.transaction_messages_max as u64,
            bytes_max: self.config.transaction_bytes_max,
        }
    }
}

impl Transaction {
    fn count(&self) -> usize {
        self.sends.iter().flatten().count() + self.acknowledged.len()
    }
}

fn answer(consumer: ConsumerId, tag: Tag, kind: AckKind) -> Ack {
    Ack { consumer, tag, extent: AckExtent::Individual, kind }
}
