//! What happens, by choice.

use std::time::Duration;

use flockmq_core::{
    Ack, AckExtent, AckKind, AdminRequest, Body, BrokerId, ConnectionId, ConsumerId, ConsumerPriority, Destination,
    DestinationKind, Destinations, Durable, Priority, Subscription, Tag, Temporary,
};

use super::feature::Feature;
use super::operation::{Operation, Parcel, Waking};
use super::setting::Setting;
use crate::choice::Choice;
use crate::model::{CLIENT, Model, REMOTE};

/// A source of operations.
pub(super) struct Workload {
    broker: BrokerId,
    setting: Setting,
    bodies: u64, // So far: no two are the same.
}

impl Workload {
    pub(super) fn new(broker: BrokerId, setting: Setting) -> Self {
        Self { broker, setting, bodies: 0 }
    }

    /// Everybody attaches and may send somewhere, or nobody.
    pub(super) fn opening(&self, choice: &mut Choice<'_>) -> Vec<Operation> {
        if choice.chance(1, 4) {
            return Vec::new();
        }
        let attach = (0..CONNECTIONS).map(Operation::Attach);
        let destinations = self.setting.destinations.iter().cycle();
        let produce = (1..=PRODUCERS).zip(destinations).map(|(producer, text)| {
            let connection = 1 + producer % (CONNECTIONS - 1);
            let destination = if self.setting.has(Feature::Composites) {
                self.addresses(choice)
            } else {
                text.parse().expect("a destination")
            };
            Operation::Produce { connection, producer, destination }
        });
        attach.chain(produce.collect::<Vec<_>>()).collect()
    }

    pub(super) fn draw(&mut self, model: &Model, choice: &mut Choice<'_>) -> Operation {
        let connection = choice.below(CONNECTIONS);
        let special: Vec<Feature> = SPECIAL.into_iter().filter(|feature| self.setting.has(*feature)).collect();
        match choice.below(16 + special.len() as u64) {
            0..4 if connection == REMOTE => self.forward(choice),
            0..4 => {
                let producer = known(&model.producers(connection), choice).unwrap_or(1 + choice.below(PRODUCERS));
                let bodies = (0..=choice.below(4)).map(|_| self.body(choice)).collect();
                Operation::Send { connection, producer, bodies }
            }
            4..6 => {
                let consumer = ConsumerId(connection * CONSUMERS + choice.below(CONSUMERS));
                Operation::Subscribe { connection, consumer, subscription: self.subscription(choice) }
            }
            6..10 => {
                let connection = known(&model.holders(), choice).unwrap_or(connection);
                let (consumer, tag) = delivery(connection, model, choice);
                let extent = choice.pick(&[AckExtent::UpTo, AckExtent::Individual]);
                let usual = if self.setting.has(Feature::Redelivery) { AckKind::Released } else { AckKind::Accepted };
                let kind = choice.pick(&[AckKind::Accepted, usual, AckKind::Released, AckKind::Rejected]);
                Operation::Acknowledge { connection, ack: Ack { consumer, tag, extent, kind } }
            }
            10 => {
                let (consumer, seen) = delivery(connection, model, choice);
                Operation::Unsubscribe { connection, consumer, seen }
            }
            11 => {
                let (producer, destination) = (1 + choice.below(PRODUCERS), self.addresses(choice));
                Operation::Produce { connection, producer, destination }
            }
            12 => Operation::CloseProducer { connection, producer: 1 + choice.below(PRODUCERS) },
            13 => Operation::Attach(connection),
            14 if choice.chance(1, 2) => Operation::Detach(connection),
            14..16 => {
                let millis = choice.pick(&[1, 10, 30, 99, 100, 1000]);
                let waking = if choice.chance(1, 4) { Waking::Late } else { Waking::InTime };
                Operation::Wait { millis, waking }
            }
            other => match special[usize::try_from(other - 16).expect("a small number")] {
                Feature::Administration => Operation::Ask { connection, asked: self.question(choice) },
                Feature::Durables => Operation::Ask { connection, asked: AdminRequest::RemoveDurable(durable(choice)) },
                _ => self.transact(connection, model, choice),
            },
        }
    }

    /// The remote client sends, or sends again.
    fn forward(&mut self, choice: &mut Choice<'_>) -> Operation {
        let (stream, count, redeliveries) = (1 + choice.below(3), 1 + choice.below(3), choice.pick(&[0, 1, u32::MAX]));
        let messages = (0..count).map(|_| {
            let (destination, body) = (self.destination(choice), self.body(choice));
            let again = if choice.chance(1, 4) { choice.below(4) } else { 0 };
            Parcel { again, destination, body }
        });
        Operation::Forward { stream, redeliveries, messages: messages.collect() }
    }

    /// Something in one of two transactions.
    fn transact(&mut self, connection: u64, model: &Model, choice: &mut Choice<'_>) -> Operation {
        let holders: Vec<u64> = model.holders().into_iter().filter(|holder| *holder != REMOTE).collect();
        let connection = known(&holders, choice).unwrap_or(connection);
        let transaction = 1 + choice.below(2);
        match choice.below(8) {
            _ if !model.is_in_transaction(connection, transaction) && !choice.chance(1, 16) => {
                Operation::Begin { connection, transaction }
            }
            0..3 => Operation::Commit { connection, transaction },
            3 => Operation::RollBack { connection, transaction },
            4..6 => {
                let (destination, body) = (self.addresses(choice), self.body(choice));
                Operation::TransactedSend { connection, transaction, destination, body }
            }
            _ => {
                let (consumer, tag) = delivery(connection, model, choice);
                Operation::TransactedAck { connection, transaction, consumer, tag }
            }
        }
    }

    fn question(&self, choice: &mut Choice<'_>) -> AdminRequest {
        let destination = self.destination(choice);
        match choice.below(8) {
            0..2 => AdminRequest::Pause(destination),
            2..4 => AdminRequest::Resume(destination),
            4 => AdminRequest::Resume("queue://>".parse().expect("a destination")),
            5..7 => AdminRequest::Purge(destination),
            _ => AdminRequest::Destinations { within: Some(destination), after: Some(self.destination(choice)) },
        }
    }

    fn subscription(&self, choice: &mut Choice<'_>) -> Subscription {
        let destination = self.destinations(choice);
        let prefetch = choice.pick(&[Some(1), None, Some(2), Some(5), Some(1), Some(3), Some(0), Some(6)]);
        // What is asked of the wrong kind is refused, so seldom.
        let is_strange = choice.chance(1, 16);
        let queue = !destination.has(DestinationKind::Topic) || is_strange;
        let topic = !destination.has(DestinationKind::Queue) || is_strange;
        let mut wishes = |feature, is_of_its_kind| is_of_its_kind && self.setting.has(feature) && choice.chance(1, 2);
        let (browses, exclusive) = (wishes(Feature::Browsing, queue), wishes(Feature::Exclusive, queue));
        let (no_local, is_durable) = (wishes(Feature::NoLocal, topic), wishes(Feature::Durables, topic));
        let (retroactive, is_choosy) = (wishes(Feature::History, topic), wishes(Feature::Selectors, true));
        let level = if wishes(Feature::ConsumerPriority, true) { choice.pick(&[1, 7, 127]) } else { 0 };
        Subscription {
            destination,
            prefetch,
            priority: ConsumerPriority::try_from(level).expect("a priority"),
            exclusive,
            browses,
            no_local,
            retroactive,
            selector: is_choosy.then(|| choice.pick(&SELECTORS).parse().expect("a selector")),
            durable: is_durable.then(|| durable(choice)),
        }
    }

    fn body(&mut self, choice: &mut Choice<'_>) -> Body {
        self.bodies += 1;
        let message_max = self.setting.broker.message_max as usize;
        let size = choice.pick(&[8, 100, 0, message_max, message_max + 1]);
        let mut data = self.bodies.to_be_bytes().to_vec();
        data.resize(size, b'.');
        let mut body = Body::bytes(data);
        if self.setting.has(Feature::Priority) {
            body.priority = Priority::try_from(choice.pick(&[4, 9, 0])).expect("a priority");
        }
        if self.setting.has(Feature::Expiry) {
            body.headers.time_to_live = choice.pick(&[None, Some(10), Some(50), Some(0)]).map(Duration::from_millis);
        }
        if self.setting.has(Feature::DeadLetters) {
            body.persistent = choice.chance(1, 2);
        }
        if self.setting.has(Feature::Groups) && choice.chance(3, 4) {
            body.headers.properties.set("JMSXGroupID", choice.pick(&["a", "b", "c", ""])).expect("room");
            body.headers.properties.set("JMSXGroupSeq", choice.pick(&[0_i64, 1, -1, 7])).expect("room");
        }
        if self.setting.has(Feature::Selectors) {
            body.headers.properties.set("n", choice.pick(&[1_i64, 2, 3])).expect("room");
        }
        if self.setting.has(Feature::History) && choice.chance(1, 4) {
            body.headers.properties.set("ActiveMQ.Retain", choice.pick(&[true, true, false])).expect("room");
        }
        body
    }

    /// One of a connection's, or of the remote client's.
    fn temporary(&self, choice: &mut Choice<'_>) -> Destination {
        let kind = choice.pick(&[DestinationKind::Queue, DestinationKind::Topic]);
        let connection = choice.below(CONNECTIONS);
        let broker = if connection == REMOTE { CLIENT } else { self.broker };
        Destination::temporary(kind, Temporary { broker, connection: ConnectionId(connection), number: 1 })
    }

    /// What is consumed from: one destination, or several at once.
    fn destinations(&self, choice: &mut Choice<'_>) -> Destinations {
        let parts = if self.setting.has(Feature::Composites) { choice.pick(&[1, 2, 3]) } else { 1 };
        let parts: Vec<Destination> = (0..parts).map(|_| self.destination(choice)).collect();
        parts.try_into().expect("one at least")
    }

    /// What is sent to. No message can go to a pattern, so among several there is seldom one.
    fn addresses(&self, choice: &mut Choice<'_>) -> Destinations {
        let all = self.destinations(choice);
        if !all.is_composite() || choice.chance(1, 8) {
            return all;
        }
        let names: Vec<Destination> = all.iter().filter(|part| !part.is_pattern()).cloned().collect();
        names.try_into().unwrap_or(all)
    }

    fn destination(&self, choice: &mut Choice<'_>) -> Destination {
        let text = if self.setting.has(Feature::DeadLetters) && choice.chance(1, 8) {
            choice.pick(&["queue://ActiveMQ.DLQ", "queue://ActiveMQ.DLQ.>"])
        } else if self.setting.has(Feature::Temporaries) && choice.chance(1, 3) {
            return self.temporary(choice);
        } else if self.setting.has(Feature::VirtualTopics) && choice.chance(1, 3) {
            choice.pick(&VIRTUAL)
        } else {
            choice.pick(self.setting.destinations)
        };
        text.parse().expect("a destination")
    }
}

/// One of those there are; or seldom any, so that what is not there is asked for too.
fn known<T: Copy>(all: &[T], choice: &mut Choice<'_>) -> Option<T> {
    if all.is_empty() || choice.chance(1, 16) { None } else { Some(choice.pick(all)) }
}

/// A delivery to one of a connection's own consumers, or seldom to another's.
fn delivery(connection: u64, model: &Model, choice: &mut Choice<'_>) -> (ConsumerId, Tag) {
    let known = known(&model.consumers(connection), choice);
    let consumer = known.unwrap_or(ConsumerId(choice.below(CONNECTIONS * CONSUMERS)));
    let held = model.held(consumer);
    let tag =
        if choice.chance(1, 2) { tag(model.last(consumer), choice) } else { choice.pick(&[&held[..], &[0]].concat()) };
    (consumer, tag)
}

/// A delivery counted from the last one, or none that there ever was.
fn tag(last: Tag, choice: &mut Choice<'_>) -> Tag {
    match choice.below(8) {
        6 => last + 1,
        7 => Tag::MAX,
        before => last.saturating_sub(before),
    }
}

fn durable(choice: &mut Choice<'_>) -> Durable {
    Durable::new("client", choice.pick(&["a", "b"])).expect("a name")
}

/// A virtual topic, and its queues.
const VIRTUAL: [&str; 4] = [
    "topic://VirtualTopic.t",
    "queue://Consumer.a.VirtualTopic.t",
    "queue://Consumer.b.VirtualTopic.t",
    "queue://Consumer.*.VirtualTopic.t",
];
/// What consumers may want; of some messages nobody does.
const SELECTORS: [&str; 5] = ["n = 1", "n > 1", "n = 2", "JMSRedelivered", "n = 3 AND JMSXDeliveryCount < 3"];
/// What has operations of its own, as often as they are drawn beside the sixteen of all.
const SPECIAL: [Feature; 8] = [
    Feature::Administration,
    Feature::Administration,
    Feature::Durables,
    Feature::Transactions,
    Feature::Transactions,
    Feature::Transactions,
    Feature::Transactions,
    Feature::Transactions,
];
const CONNECTIONS: u64 = 4;
/// How many names of consumers each connection has; the remote client's are the first.
pub(super) const CONSUMERS: u64 = 4;
const PRODUCERS: u64 = 6;
