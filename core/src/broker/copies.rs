//! Which copies of messages came before.

use alloc::string::String;

use super::dead_letter::origin;
use super::registry::Slot;
use crate::base::Audit;
use crate::model::{Message, ProducerId};

/// Bounded memory of what came to each destination.
#[derive(Debug)]
pub(super) struct Copies(Audit<Sequence>);

/// What copies of a message share with those that its producer sent before and after it: one message may be at several
/// destinations, and be a dead letter of several at one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sequence {
    producer: ProducerId,
    slot: Slot,
    origin: Option<String>,
}

impl Sequence {
    #[inline]
    fn of(message: &Message, slot: Slot) -> Self {
        let is_plain = message.body.headers.properties.is_empty();
        let origin = if is_plain { None } else { origin(message).map(Into::into) };
        Self { producer: message.id.producer, slot, origin }
    }
}

impl Copies {
    /// A memory of so many producers' messages to a destination each.
    pub(super) fn new(producers_max: usize) -> Self {
        Self(Audit::new(producers_max))
    }

    /// Notes that a message is at a destination; true if another copy of it came before.
    #[inline]
    pub(super) fn note(&mut self, slot: Slot, message: &Message) -> bool {
        self.0.note(Sequence::of(message, slot), message.id.sequence)
    }

    /// Forgets that a message came, since it is a peer's from now on. If two hand each other their copies, neither may take
    /// the other's for one it still has.
    pub(super) fn forget(&mut self, slot: Slot, message: &Message) {
        self.0.forget(&Sequence::of(message, slot), message.id.sequence);
    }
}
