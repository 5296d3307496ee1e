//! Rank 3: one application's attachment to a broker. Knows its producers and what it is owed; is told commands and what
//! the broker answers; answers with messages for the broker (inward) and news for the application (outward).

mod composite;
mod transaction;

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use composite::Composite;
use transaction::Transactions;

pub(crate) use composite::Complete;
pub(crate) use transaction::{Batch, TransactionLimits};

use crate::base::{Outbox, Situation, Timestamp};
use crate::model::{
    Body, BrokerId, ConnectionId, ConsumerId, Delivery, Destination, Destinations, Message, MessageId, Path,
    ProducerId, Refusal, Ticket, What,
};

/// What a client has for the broker.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Inward {
    /// What the message is called when it is accepted.
    pub ticket: Ticket,
    /// The message.
    pub message: Arc<Message>,
    /// The same for further destinations.
    pub others: Box<[Arc<Message>]>,
}

/// What a client has for its application.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outward {
    /// Messages of a producer were accepted up to this one.
    Accepted {
        /// The producer's number.
        producer: u64,
        /// The last message accepted.
        up_to: u64,
    },
    /// A consumer that only looks has been shown everything.
    Browsed {
        /// The consumer.
        consumer: ConsumerId,
    },
    /// Messages for a consumer.
    Delivered {
        /// The consumer.
        consumer: ConsumerId,
        /// The messages, in order.
        deliveries: Vec<Delivery>,
    },
    /// A message was refused.
    Refused {
        /// The producer's number.
        producer: u64,
        /// The message's number.
        sequence: u64,
        /// Why.
        refusal: Refusal,
    },
}

/// An application's connection.
#[derive(Debug)]
pub(crate) struct Client {
    broker: BrokerId,
    producers_max: usize,
    window: u64,
    producers: BTreeMap<u64, Producer>,
    transactions: Transactions,
    accepted: Vec<(u64, u64)>, // Producers with news in this pass, and how far.
    delivered: Vec<(ConsumerId, Vec<Delivery>)>, // Consumers with news in this pass.
    browsed: Vec<ConsumerId>,  // Those that were shown the last in this pass.
}

#[derive(Debug)]
struct Producer {
    destination: Destinations,
    composite: Option<Box<Composite>>,
    sent: u64,
    answered: u64, // Accepted or refused.
}

impl Client {
    /// A connection to `broker` with no producers; `window` messages of each may be unanswered.
    pub(crate) fn new(
        broker: BrokerId,
        connection: ConnectionId,
        producers_max: usize,
        window: u64,
        transactions: TransactionLimits,
    ) -> Self {
        Self {
            broker,
            producers_max,
            window,
            producers: BTreeMap::new(),
            transactions: Transactions::new(broker, connection, transactions),
            accepted: Vec::new(),
            delivered: Vec::new(),
            browsed: Vec::new(),
        }
    }

    /// Its transactions.
    pub(crate) fn transactions(&mut self) -> &mut Transactions {
        &mut self.transactions
    }

    /// Creates a producer.
    pub(crate) fn produce(&mut self, producer: u64, destination: Destinations) -> Result<(), Refusal> {
        if let Some(pattern) = destination.iter().find(|part| part.is_pattern()) {
            return Err(Refusal::IsPattern(pattern.clone()));
        }
        if self.producers.contains_key(&producer) {
            return Err(Refusal::AlreadyExists { what: What::Producer, number: producer });
        }
        if self.producers.len() >= self.producers_max {
            return Err(Refusal::LimitReached { what: What::Producer, max: self.producers_max as u64 });
        }
        let composite = destination.is_composite().then(|| Box::new(Composite::new(destination.len())));
        self.producers.insert(producer, Producer { destination, composite, sent: 0, answered: 0 });
        Ok(())
    }

    /// Ends a producer; tells where it sent.
    pub(crate) fn close_producer(&mut self, producer: u64) -> Result<Destinations, Refusal> {
        let gone = self.producers.remove(&producer);
        gone.map(|gone| gone.destination).ok_or(Refusal::Unknown { what: What::Producer, number: producer })
    }

    /// Makes messages of what a producer sends.
    pub(crate) fn handle_send(
        &mut self,
        wall: Timestamp,
        number: u64,
        bodies: Vec<Body>,
        inward: &mut Outbox<Inward>,
        outward: &mut Outbox<Outward>,
    ) {
        let Some(producer) = self.producers.get_mut(&number) else {
            let refusal = Refusal::Unknown { what: What::Producer, number };
            for _ in bodies {
                outward.push(Outward::Refused { producer: number, sequence: 0, refusal: refusal.clone() });
            }
            return;
        };
        for body in bodies {
            producer.sent += 1;
            let sequence = producer.sent;
            if sequence - producer.answered > self.window {
                producer.answered += 1;
                Situation::ProducerOverWindow.met();
                let refusal = Refusal::WindowFull { producer: number, max: self.window };
                outward.push(Outward::Refused { producer: number, sequence, refusal });
                continue;
            }
            let message = Message {
                id: MessageId { producer: ProducerId { broker: self.broker, number }, sequence },
                destination: producer.destination.first().clone(),
                path: Path::default(),
                timestamp: wall,
                body,
            };
            let others = producer.copies(&message);
            let ticket = Ticket { stream: number, number: sequence };
            inward.push(Inward { ticket, message: Arc::new(message), others });
        }
    }

    /// The broker has accepted a message.
    pub(crate) fn handle_accepted(&mut self, ticket: Ticket) {
        let Some(producer) = self.producers.get_mut(&ticket.stream) else {
            return; // Its producer was closed meanwhile.
        };
        if producer.composite.as_mut().is_some_and(|composite| !composite.accept(ticket.number)) {
            return;
        }
        producer.answered += 1;
        match self.accepted.iter_mut().find(|(producer, _)| *producer == ticket.stream) {
            Some((_, up_to)) => *up_to = ticket.number,
            None => self.accepted.push((ticket.stream, ticket.number)),
        }
    }

    /// Enough brokers have accepted so many messages of a producer at one of its destinations; tells which are accepted by
    /// that, of which the application is to be told.
    pub(crate) fn handle_settled(
        &mut self,
        producer: u64,
        part: usize,
        count: u64,
        settled: Complete,
    ) -> Vec<Complete> {
        let Some(producer) = self.producers.get_mut(&producer) else {
            return Vec::from([settled]);
        };
        let Some(composite) = &mut producer.composite else {
            producer.answered += count;
            return Vec::from([settled]);
        };
        let complete = composite.accept_up_to(part, settled.up_to, &settled.by);
        producer.answered += complete.len() as u64;
        complete
    }

    /// Too few brokers have accepted a message at one of its destinations; true if the application is to be told.
    pub(crate) fn handle_unsettled(&mut self, producer: u64, sequence: u64) -> bool {
        let Some(producer) = self.producers.get_mut(&producer) else {
            return true;
        };
        let is_news = producer.composite.as_mut().is_none_or(|composite| composite.refuse(sequence));
        producer.answered += u64::from(is_news);
        is_news
    }

    /// The broker has refused a message.
    pub(crate) fn handle_refused(&mut self, ticket: Ticket, refusal: Refusal, outward: &mut Outbox<Outward>) {
        if self.producers.contains_key(&ticket.stream) && self.handle_unsettled(ticket.stream, ticket.number) {
            outward.push(Outward::Refused { producer: ticket.stream, sequence: ticket.number, refusal });
        }
    }

    /// The broker has a message for a consumer.
    pub(crate) fn handle_delivery(&mut self, consumer: ConsumerId, delivery: Delivery) {
        match self.delivered.iter_mut().find(|(found, _)| *found == consumer) {
            Some((_, deliveries)) => deliveries.push(delivery),
            None => self.delivered.push((consumer, alloc::vec![delivery])),
        }
    }

    /// The broker has shown a consumer everything.
    pub(crate) fn handle_browsed(&mut self, consumer: ConsumerId) {
        self.browsed.push(consumer);
    }

    /// Tells what was gathered, once for each producer and consumer.
    pub(crate) fn flush(&mut self, outward: &mut Outbox<Outward>) {
        for (producer, up_to) in self.accepted.drain(..) {
            outward.push(Outward::Accepted { producer, up_to });
        }
        for (consumer, deliveries) in self.delivered.drain(..) {
            outward.push(Outward::Delivered { consumer, deliveries });
        }
        for consumer in self.browsed.drain(..) {
            outward.push(Outward::Browsed { consumer });
        }
    }

    /// Where it sends: a destination for each producer.
    pub(crate) fn producing(&self) -> impl Iterator<Item = &Destination> {
        self.producers.values().flat_map(|producer| producer.destination.iter())
    }

    /// Its producers, and where each sends.
    pub(crate) fn producers(&self) -> impl Iterator<Item = (u64, &Destinations)> {
        self.producers.iter().map(|(number, producer)| (*number, &producer.destination))
    }

    /// The streams under which the broker knows this connection's producers.
    pub(crate) fn is_producing(&self, producer: u64) -> bool {
        self.producers.contains_key(&producer)
    }
}

impl Producer {
    /// The same message for the further destinations, if there are any.
    #[inline]
    fn copies(&mut self, message: &Message) -> Box<[Arc<Message>]> {
        let Some(composite) = &mut self.composite else {
            return Box::default();
        };
        composite.send(message.id.sequence);
        let copy = |destination: &Destination| Message { destination: destination.clone(), ..message.clone() };
        self.destination.others().iter().map(|destination| Arc::new(copy(destination))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: TransactionLimits =
        TransactionLimits { transactions_max: 1, messages_max: 1, bytes_max: 1, message_max: 1 };

    fn client() -> Client {
        let mut client = Client::new(BrokerId(7), ConnectionId(1), 2, 2, LIMITS);
        client.produce(1, "q".parse().expect("valid")).expect("room");
        client
    }

    #[test]
    fn messages_are_numbered_and_accepted_in_one_word() {
        let (mut client, mut inward, mut outward) = (client(), Outbox::new(), Outbox::new());
        client.handle_send(
            Timestamp::from_millis(5),
            1,
            alloc::vec![Body::text("a"), Body::text("b")],
            &mut inward,
            &mut outward,
        );
        let tickets: Vec<_> = inward.drain().map(|sent| sent.ticket).collect();
        assert_eq!(tickets, [Ticket { stream: 1, number: 1 }, Ticket { stream: 1, number: 2 }]);
        for ticket in tickets {
            client.handle_accepted(ticket);
        }
        client.flush(&mut outward);
        assert_eq!(outward.drain().collect::<Vec<_>>(), [Outward::Accepted { producer: 1, up_to: 2 }]);
    }

    #[test]
    fn a_producer_may_fill_its_window_and_no_more() {
        let (mut client, mut inward, mut outward) = (client(), Outbox::new(), Outbox::new());
        client.handle_send(Timestamp::default(), 1, alloc::vec![Body::default(); 3], &mut inward, &mut outward);
        assert_eq!(inward.drain().count(), 2);
        let refusal = Refusal::WindowFull { producer: 1, max: 2 };
        assert_eq!(outward.drain().collect::<Vec<_>>(), [Outward::Refused { producer: 1, sequence: 3, refusal }]);
        client.handle_accepted(Ticket { stream: 1, number: 1 });
        client.handle_send(Timestamp::default(), 1, alloc::vec![Body::default()], &mut inward, &mut outward);
        assert_eq!(inward.drain().count(), 1);
    }

    #[test]
    fn a_message_to_several_destinations_is_one_and_is_answered_once() {
        let (mut client, mut inward, mut outward) = (client(), Outbox::new(), Outbox::new());
        client.produce(2, "a,topic://b".parse().expect("valid")).expect("room");
        client.handle_send(
            Timestamp::default(),
            2,
            alloc::vec![Body::text("x"), Body::text("y")],
            &mut inward,
            &mut outward,
        );
        let sent: Vec<Inward> = inward.drain().collect();
        for Inward { message, others, .. } in &sent {
            assert_eq!(alloc::format!("{} {}", message.destination, others[0].destination), "queue://a topic://b");
            assert_eq!((message.id, &message.body, others.len()), (others[0].id, &others[0].body, 1));
        }
        client.handle_accepted(sent[0].ticket);
        client.flush(&mut outward);
        assert_eq!(outward.drain().count(), 0);
        client.handle_accepted(sent[0].ticket);
        client.flush(&mut outward);
        assert_eq!(outward.drain().collect::<Vec<_>>(), [Outward::Accepted { producer: 2, up_to: 1 }]);
        client.handle_accepted(sent[1].ticket);
        for _ in 0..2 {
            client.handle_refused(sent[1].ticket, Refusal::Stopping, &mut outward);
        }
        client.flush(&mut outward);
        let refused = Outward::Refused { producer: 2, sequence: 2, refusal: Refusal::Stopping };
        assert_eq!(outward.drain().collect::<Vec<_>>(), [refused], "and its window has room again");
        client.handle_send(Timestamp::default(), 2, alloc::vec![Body::default(); 3], &mut inward, &mut outward);
        assert_eq!((inward.drain().count(), outward.drain().count()), (2, 1));
    }

    #[test]
    fn producers_are_bounded_and_send_to_one_destination() {
        let mut client = client();
        let pattern = Destination::topic("a.*").expect("valid");
        assert_eq!(client.produce(2, pattern.clone().into()), Err(Refusal::IsPattern(pattern)));
        let queue = Destination::queue("q").expect("valid");
        assert_eq!(
            client.produce(1, queue.clone().into()),
            Err(Refusal::AlreadyExists { what: What::Producer, number: 1 })
        );
        assert_eq!(client.produce(2, queue.clone().into()), Ok(()));
        assert_eq!(client.produce(3, queue.into()), Err(Refusal::LimitReached { what: What::Producer, max: 2 }));
        assert_eq!(client.close_producer(2), Ok(Destination::queue("q").expect("valid").into()));
        assert_eq!(client.close_producer(2), Err(Refusal::Unknown { what: What::Producer, number: 2 }));
    }
}
