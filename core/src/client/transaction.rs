//! What a connection does all at once or not at all: messages and acknowledgements that are held until their
//! transaction is committed.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::base::{Instant, Timestamp};
use crate::model::{
    Body, BrokerId, ConnectionId, ConsumerId, Destinations, Message, MessageId, Path, ProducerId, Refusal, Tag, What,
};

/// What the transactions of one connection may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransactionLimits {
    /// How many may be open.
    pub transactions_max: usize,
    /// How many messages one may send and acknowledge.
    pub messages_max: usize,
    /// How many bytes one may send.
    pub bytes_max: u64,
    /// The largest message, in bytes.
    pub message_max: u32,
}

/// The open transactions of one connection.
#[derive(Debug)]
pub(crate) struct Transactions {
    producer: ProducerId,
    limits: TransactionLimits,
    open: BTreeMap<u64, Transaction>,
    acknowledged: BTreeSet<(ConsumerId, Tag)>, // In any of them.
    sent: u64,                                 // With those that were committed.
}

/// What one transaction holds.
#[derive(Debug, Default)]
pub(crate) struct Transaction {
    sends: Vec<Held>,
    acknowledged: Vec<(ConsumerId, Tag)>,
    lost: Option<(ConsumerId, Tag)>, // The first that can't be acknowledged any more, since its consumer was closed.
    messages: usize,                 // At each destination of each send.
    bytes: u64,
}

/// What a transaction that is committed does.
#[derive(Debug, PartialEq)]
pub(crate) struct Batch {
    /// What it sends.
    pub messages: Vec<Arc<Message>>,
    /// The deliveries that it acknowledges.
    pub acknowledged: Vec<(ConsumerId, Tag)>,
}

#[derive(Debug)]
struct Held {
    destination: Destinations,
    timestamp: Timestamp,
    held_at: Instant,
    body: Body,
}

impl Transactions {
    /// No transactions of a connection to `broker` yet. All that they send comes from one producer of their own.
    pub(super) fn new(broker: BrokerId, connection: ConnectionId, limits: TransactionLimits) -> Self {
        let producer = ProducerId { broker, number: OWN | connection.0 };
        Self { producer, limits, open: BTreeMap::new(), acknowledged: BTreeSet::new(), sent: 0 }
    }

    /// Begins a transaction.
    pub(crate) fn begin(&mut self, number: u64) -> Result<(), Refusal> {
        if self.open.contains_key(&number) {
            return Err(Refusal::AlreadyExists { what: What::Transaction, number });
        }
        let max = self.limits.transactions_max;
        if self.open.len() >= max {
            return Err(Refusal::LimitReached { what: What::Transaction, max: max as u64 });
        }
        self.open.insert(number, Transaction::default());
        Ok(())
    }

    /// Holds a message until its transaction is committed.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        wall: Timestamp,
        number: u64,
        destination: Destinations,
        body: Body,
    ) -> Result<(), Refusal> {
        let limits = self.limits;
        let (size, max) = (body.size() as u64, u64::from(limits.message_max));
        let transaction = self.find(number)?;
        if let Some(pattern) = destination.iter().find(|part| part.is_pattern()) {
            return Err(Refusal::IsPattern(pattern.clone()));
        }
        if size > max {
            return Err(Refusal::TooLarge { size, max });
        }
        let parts = destination.len();
        let bytes = transaction.bytes + parts as u64 * (size + size_of::<Message>() as u64);
        if transaction.count() + parts > limits.messages_max || bytes > limits.bytes_max {
            return Err(limits.full(number));
        }
        (transaction.bytes, transaction.messages) = (bytes, transaction.messages + parts);
        transaction.sends.push(Held { destination, timestamp: wall, held_at: now, body });
        Ok(())
    }

    /// Holds an acknowledgement, of a delivery that is outstanding, until its transaction is committed.
    pub(crate) fn acknowledge(&mut self, number: u64, consumer: ConsumerId, tag: Tag) -> Result<(), Refusal> {
        let limits = self.limits;
        if self.find(number)?.count() >= limits.messages_max {
            return Err(limits.full(number));
        }
        if !self.acknowledged.insert((consumer, tag)) {
            return Err(Refusal::NotOutstanding { consumer, tag });
        }
        self.find(number)?.acknowledged.push((consumer, tag));
        Ok(())
    }

    /// What a transaction holds.
    pub(crate) fn find(&mut self, number: u64) -> Result<&mut Transaction, Refusal> {
        self.open.get_mut(&number).ok_or(Refusal::Unknown { what: What::Transaction, number })
    }

    /// A consumer was closed. What it was handed can't be acknowledged any more, and its name may soon be another's.
    pub(crate) fn close_consumer(&mut self, consumer: ConsumerId) {
        self.acknowledged.retain(|(found, _)| *found != consumer);
        for transaction in self.open.values_mut() {
            let mut lost = transaction.acknowledged.extract_if(.., |(found, _)| *found == consumer);
            transaction.lost = transaction.lost.or(lost.next());
            lost.for_each(drop);
        }
    }

    /// What a transaction would do if it were committed now; refused if it certainly can't be.
    pub(crate) fn batch(&self, now: Instant, number: u64) -> Result<Batch, Refusal> {
        let transaction = self.open.get(&number).ok_or(Refusal::Unknown { what: What::Transaction, number })?;
        if let Some((consumer, tag)) = transaction.lost {
            return Err(Refusal::NotOutstanding { consumer, tag });
        }
        let messages = (self.sent + 1..)
            .zip(&transaction.sends)
            .flat_map(|(sequence, held)| held.messages(now, MessageId { producer: self.producer, sequence }));
        Ok(Batch { messages: messages.collect(), acknowledged: transaction.acknowledged.clone() })
    }

    /// Ends a transaction that was committed.
    pub(crate) fn commit(&mut self, number: u64) -> Result<(), Refusal> {
        self.sent += self.end(number)?.sends.len() as u64;
        Ok(())
    }

    /// Ends a transaction that is rolled back: what it would have acknowledged.
    pub(crate) fn roll_back(&mut self, number: u64) -> Result<Vec<(ConsumerId, Tag)>, Refusal> {
        Ok(self.end(number)?.acknowledged)
    }

    fn end(&mut self, number: u64) -> Result<Transaction, Refusal> {
        let gone = self.open.remove(&number).ok_or(Refusal::Unknown { what: What::Transaction, number })?;
        for answered in &gone.acknowledged {
            self.acknowledged.remove(answered);
        }
        Ok(gone)
    }
}

impl Transaction {
    fn count(&self) -> usize {
        self.messages + self.acknowledged.len()
    }
}

impl Held {
    /// The message, for each of its destinations.
    fn messages(&self, now: Instant, id: MessageId) -> impl Iterator<Item = Arc<Message>> {
        let Self { destination, timestamp, held_at, body } = self;
        let mut body = body.clone();
        // What is sent in a transaction grows old like what is sent without.
        if let Some(left) = body.headers.time_to_live {
            body.headers.time_to_live = Some(left.saturating_sub(now - *held_at));
        }
        destination.iter().map(move |destination| {
            let (destination, path) = (destination.clone(), Path::default());
            Arc::new(Message { id, destination, path, timestamp: *timestamp, body: body.clone() })
        })
    }
}

impl TransactionLimits {
    fn full(&self, transaction: u64) -> Refusal {
        Refusal::TransactionFull { transaction, messages_max: self.messages_max as u64, bytes_max: self.bytes_max }
    }
}

/// Producers' numbers from here on are not for applications to choose.
const OWN: u64 = 1 << 63;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Destination;
    use core::time::Duration;

    const ONE: ConsumerId = ConsumerId(1);

    fn transactions() -> Transactions {
        let bytes_max = 2 * (10 + size_of::<Message>() as u64);
        let limits = TransactionLimits { transactions_max: 2, messages_max: 3, bytes_max, message_max: 20 };
        Transactions::new(BrokerId(7), ConnectionId(5), limits)
    }

    fn send(transactions: &mut Transactions, number: u64, size: usize) -> Result<(), Refusal> {
        let queue = Destination::queue("q").expect("valid");
        let body = Body::bytes(alloc::vec![0; size]).expiring(Duration::from_secs(9));
        transactions.send(Instant::ZERO, Timestamp::from_millis(3), number, queue.into(), body)
    }

    #[test]
    fn what_is_committed_is_numbered_in_order_and_has_aged() {
        let mut transactions = transactions();
        let mut sequences = Vec::new();
        for number in [1, 2] {
            assert_eq!(transactions.begin(number), Ok(()));
            assert_eq!((send(&mut transactions, number, 1), send(&mut transactions, number, 2)), (Ok(()), Ok(())));
            assert_eq!(transactions.acknowledge(number, ONE, number), Ok(()));
        }
        for number in [2, 1] {
            let batch = transactions.batch(Instant::from_millis(4_000), number);
            assert_eq!(batch, transactions.batch(Instant::from_millis(4_000), number), "as often as it is asked");
            let Batch { messages, acknowledged } = batch.expect("open");
            assert_eq!(transactions.commit(number), Ok(()));
            assert_eq!(acknowledged, [(ONE, number)]);
            for message in messages {
                assert_eq!(message.body.headers.time_to_live, Some(Duration::from_secs(5)));
                assert_eq!(message.timestamp, Timestamp::from_millis(3));
                assert_eq!(message.id.producer, ProducerId { broker: BrokerId(7), number: (1 << 63) | 5 });
                sequences.push((message.body.data.len(), message.id.sequence));
            }
        }
        assert_eq!(sequences, [(1, 1), (2, 2), (1, 3), (2, 4)]);
    }

    #[test]
    fn transactions_are_bounded_in_number_messages_and_bytes() {
        let mut transactions = transactions();
        assert_eq!((transactions.begin(1), transactions.begin(2)), (Ok(()), Ok(())));
        assert_eq!(transactions.begin(2), Err(Refusal::AlreadyExists { what: What::Transaction, number: 2 }));
        assert_eq!(transactions.begin(3), Err(Refusal::LimitReached { what: What::Transaction, max: 2 }));
        assert_eq!(send(&mut transactions, 1, 21), Err(Refusal::TooLarge { size: 21, max: 20 }));
        let bytes_max = transactions.limits.bytes_max;
        let full = Err(Refusal::TransactionFull { transaction: 1, messages_max: 3, bytes_max });
        assert_eq!((send(&mut transactions, 1, 10), send(&mut transactions, 1, 11)), (Ok(()), full.clone()));
        assert_eq!((send(&mut transactions, 1, 10), transactions.acknowledge(1, ONE, 1)), (Ok(()), Ok(())));
        assert_eq!(transactions.acknowledge(1, ONE, 2), full);
        let pattern = Destination::queue("a.*").expect("valid");
        let sent = transactions.send(Instant::ZERO, Timestamp::default(), 2, pattern.clone().into(), Body::default());
        assert_eq!(sent, Err(Refusal::IsPattern(pattern)));
    }

    #[test]
    fn what_a_closed_consumer_was_handed_is_acknowledged_by_no_transaction() {
        let mut transactions = transactions();
        assert_eq!(transactions.begin(1), Ok(()));
        for (consumer, tag) in [(ConsumerId(2), 1), (ONE, 2), (ONE, 3)] {
            assert_eq!(transactions.acknowledge(1, consumer, tag), Ok(()));
        }
        transactions.close_consumer(ONE);
        assert_eq!(transactions.acknowledge(1, ONE, 2), Ok(()), "of another consumer that has its name now");
        let refused = Err(Refusal::NotOutstanding { consumer: ONE, tag: 2 });
        assert_eq!(transactions.batch(Instant::ZERO, 1), refused);
        assert_eq!(transactions.roll_back(1), Ok(alloc::vec![(ConsumerId(2), 1), (ONE, 2)]));
    }

    #[test]
    fn a_message_to_several_destinations_counts_at_each_and_is_one() {
        let mut transactions = transactions();
        transactions.begin(1).expect("room");
        let send = |transactions: &mut Transactions, destinations: &str| {
            let destinations = destinations.parse().expect("valid");
            transactions.send(Instant::ZERO, Timestamp::default(), 1, destinations, Body::default())
        };
        assert_eq!(send(&mut transactions, "a,b,topic://c"), Err(transactions.limits.full(1)));
        assert_eq!(send(&mut transactions, "a,topic://b"), Ok(()));
        assert_eq!(send(&mut transactions, "a"), Err(transactions.limits.full(1)));
        let messages = transactions.batch(Instant::ZERO, 1).expect("open").messages;
        let copies: Vec<_> = messages.iter().map(|copy| (copy.id.sequence, copy.destination.name())).collect();
        assert_eq!(copies, [(1, "a"), (1, "b")]);
    }

    #[test]
    fn a_transaction_ends_once_and_a_delivery_is_acknowledged_in_one() {
        let mut transactions = transactions();
        let unknown = |number| Refusal::Unknown { what: What::Transaction, number };
        assert_eq!(send(&mut transactions, 1, 1), Err(unknown(1)));
        assert_eq!((transactions.begin(1), transactions.begin(2)), (Ok(()), Ok(())));
        assert_eq!(transactions.acknowledge(1, ONE, 1), Ok(()));
        for number in [1, 2] {
            let twice = Err(Refusal::NotOutstanding { consumer: ONE, tag: 1 });
            assert_eq!(transactions.acknowledge(number, ONE, 1), twice);
        }
        assert_eq!(transactions.roll_back(1), Ok(alloc::vec![(ONE, 1)]));
        assert_eq!(transactions.roll_back(1), Err(unknown(1)));
        assert_eq!(transactions.batch(Instant::ZERO, 1), Err(unknown(1)));
        assert_eq!(transactions.commit(1), Err(unknown(1)));
        assert_eq!(transactions.acknowledge(2, ONE, 1), Ok(()), "it came back and may be handed out again");
    }
}
