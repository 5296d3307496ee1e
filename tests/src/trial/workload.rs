//! What happens, by choice.

use flockmq_core::{Ack, AckExtent, AckKind, Body, ConsumerId, Destination, Subscription, Tag};

use super::operation::{Operation, Parcel, Waking};
use super::setting::Setting;
use crate::choice::Choice;
use crate::model::{Model, REMOTE};

/// A source of operations.
pub(super) struct Workload {
    setting: Setting,
    bodies: u64, // So far: no two are the same.
}

impl Workload {
    pub(super) fn new(setting: Setting) -> Self {
        Self { setting, bodies: 0 }
    }

    /// Everybody attaches and may send to what comes first, or nobody.
    pub(super) fn opening(choice: &mut Choice<'_>) -> Vec<Operation> {
        let mut operations = Vec::new();
        if choice.below(2) == 0 {
            for connection in 0..CONNECTIONS {
                operations.push(Operation::Attach(connection));
                for (producer, text) in (1..).zip(DESTINATIONS).filter(|(producer, _)| producer % 3 == connection) {
                    let destination = text.parse().expect("a destination");
                    operations.push(Operation::Produce { connection, producer, destination });
                }
            }
        }
        operations
    }

    pub(super) fn draw(&mut self, model: &Model, choice: &mut Choice<'_>) -> Operation {
        let connection = choice.below(CONNECTIONS);
        match choice.below(16) {
            0..4 if connection == REMOTE => self.forward(choice),
            0..4 => {
                let (producer, count) = (1 + choice.below(PRODUCERS), 1 + choice.below(4));
                let bodies = (0..count).map(|_| self.body(choice)).collect();
                Operation::Send { connection, producer, bodies }
            }
            4..6 => {
                let (consumer, destination) = (consumer(connection, choice), destination(choice));
                let prefetch = choice.pick(&[Some(1), None, Some(2), Some(5), Some(0), Some(6)]);
                let subscription = Subscription { prefetch, ..Subscription::new(destination) };
                Operation::Subscribe { connection, consumer, subscription }
            }
            6..10 => {
                let owner = if choice.chance(1, 8) { choice.below(CONNECTIONS) } else { connection };
                let consumer = consumer(owner, choice);
                let tag = tag(model.last(consumer), choice);
                let extent = choice.pick(&[AckExtent::UpTo, AckExtent::Individual]);
                let kind = choice.pick(&[AckKind::Accepted, AckKind::Accepted, AckKind::Released, AckKind::Rejected]);
                Operation::Acknowledge { connection, ack: Ack { consumer, tag, extent, kind } }
            }
            10 => {
                let consumer = consumer(connection, choice);
                let seen = tag(model.last(consumer), choice);
                Operation::Unsubscribe { connection, consumer, seen }
            }
            11 => {
                let (producer, destination) = (1 + choice.below(PRODUCERS), destination(choice));
                Operation::Produce { connection, producer, destination }
            }
            12 => Operation::CloseProducer { connection, producer: 1 + choice.below(PRODUCERS) },
            13 => Operation::Attach(connection),
            14 => Operation::Detach(connection),
            _ => {
                let millis = choice.pick(&[1, 10, 99, 100, 1000]);
                let waking = if choice.chance(1, 4) { Waking::Late } else { Waking::InTime };
                Operation::Wait { millis, waking }
            }
        }
    }

    /// The remote client sends, or sends again.
    fn forward(&mut self, choice: &mut Choice<'_>) -> Operation {
        let (stream, count, redeliveries) = (1 + choice.below(3), 1 + choice.below(3), choice.pick(&[0, 1, u32::MAX]));
        let messages = (0..count).map(|_| {
            let (destination, body) = (destination(choice), self.body(choice));
            let again = if choice.chance(1, 4) { choice.below(4) } else { 0 };
            Parcel { again, destination, body }
        });
        Operation::Forward { stream, redeliveries, messages: messages.collect() }
    }

    fn body(&mut self, choice: &mut Choice<'_>) -> Body {
        self.bodies += 1;
        let message_max = self.setting.broker.message_max as usize;
        let size = choice.pick(&[8, 100, 0, message_max, message_max + 1]);
        let mut data = self.bodies.to_be_bytes().to_vec();
        data.resize(size, b'.');
        Body::bytes(data)
    }
}

/// One of a connection's own consumers.
fn consumer(connection: u64, choice: &mut Choice<'_>) -> ConsumerId {
    ConsumerId(connection * CONSUMERS + choice.below(CONSUMERS))
}

/// A delivery counted from the last one, or none that there ever was.
fn tag(last: Tag, choice: &mut Choice<'_>) -> Tag {
    match choice.below(8) {
        6 => last + 1,
        7 => Tag::MAX,
        before => last.saturating_sub(before),
    }
}

fn destination(choice: &mut Choice<'_>) -> Destination {
    choice.pick(&DESTINATIONS).parse().expect("a destination")
}

const DESTINATIONS: [&str; 10] = [
    "queue://a",
    "topic://t",
    "queue://b.c",
    "topic://u.v",
    "queue://b.d",
    "topic://u.w",
    "queue://b.*",
    "topic://u.>",
    "queue://>",
    "topic://>",
];
const CONNECTIONS: u64 = 4;
/// How many names of consumers each connection has; the remote client's are the first.
pub(super) const CONSUMERS: u64 = 4;
const PRODUCERS: u64 = 6;
