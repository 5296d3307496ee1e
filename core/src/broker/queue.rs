//! Messages that wait in order for one consumer each.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::num::Saturating;

use bytes::Bytes;

use super::delayed::Delayed;
use super::group::{GroupSlot, Groups};
use super::memory::Memory;
use super::missed::Missed;
use super::place::Place;
use super::waiting::Waiting;
use crate::base::Instant;
use crate::model::{Message, Priority};

/// A queue's message with its place, which it is known by: there is one at each.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) redeliveries: Saturating<u32>, // Whatever count a link began with.
    pub(super) arrived_at: Instant,
    pub(super) group: Option<GroupSlot>, // Until the message has left, which its group has to be told.
    pub(super) message: Arc<Message>,
}

impl Entry {
    /// About how many bytes of memory its message takes.
    fn size(&self) -> u64 {
        self.message.size() as u64
    }
}

/// What waits at one queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    born: u64,
    pub(super) waiting: Waiting,
    delayed: Delayed,
    expiring: BTreeSet<(Instant, Place)>, // Those that wait and whose life has an end.
    bytes: u64,
    pub(super) reached: Place,      // No consumer's cursor is beyond.
    pub(super) missed: Missed,      // All of it before its consumers' cursors.
    pub(super) groups: Box<Groups>, // Of most queues there are none.
}

impl Queue {
    /// Gives a message the next place.
    pub(super) fn entry(&mut self, now: Instant, message: Arc<Message>, redeliveries: u32) -> Entry {
        let (place, group) = (self.next_place(message.body.priority), self.groups.enter(&message));
        Entry { place, redeliveries: Saturating(redeliveries), arrived_at: now, group, message }
    }

    /// A new place, behind all of its priority.
    pub(super) fn next_place(&mut self, priority: Priority) -> Place {
        self.born += 1;
        Place::new(priority, self.born)
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many messages were given back and wait until they are handed out again.
    pub(super) fn delayed(&self) -> usize {
        self.delayed.len()
    }

    /// When something is due next.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let expires_at = self.expiring.first().map(|(at, _)| *at);
        [expires_at, self.delayed.due_at()].into_iter().flatten().min()
    }

    /// Takes a message that waits and whose time is up.
    pub(super) fn pop_expired(&mut self, now: Instant, memory: &mut Memory) -> Option<Entry> {
        let (_, place) = *self.expiring.first().filter(|(at, _)| *at <= now)?;
        let entry = self.waiting.take(place).or_else(|| self.delayed.take(place)).expect("what expires waits");
        Some(self.forget(entry, memory))
    }

    /// Takes a message that has waited long enough since it was given back.
    pub(super) fn pop_delayed(&mut self, now: Instant, memory: &mut Memory) -> Option<Entry> {
        let entry = self.delayed.pop(now)?;
        Some(self.forget(entry, memory))
    }

    /// Keeps a message that was given back until it is handed out again.
    pub(super) fn delay(&mut self, until: Instant, entry: Entry, keeps_order: bool, memory: &mut Memory) {
        self.note(&entry, memory);
        self.delayed.insert(until, entry, keeps_order);
    }

    /// Takes everything that waits, delayed or not.
    pub(super) fn take_all(&mut self, memory: &mut Memory) -> impl Iterator<Item = Entry> + use<> {
        memory.free(core::mem::take(&mut self.bytes));
        self.expiring.clear();
        core::mem::take(&mut self.waiting).into_entries().chain(core::mem::take(&mut self.delayed).into_entries())
    }

    pub(super) fn keep(&mut self, mut entry: Entry, memory: &mut Memory) {
        unpin(&mut entry.message);
        self.note(&entry, memory);
        self.waiting.insert(entry);
    }

    pub(super) fn take(&mut self, place: Place, memory: &mut Memory) -> Option<Entry> {
        let entry = self.waiting.take(place)?;
        Some(self.forget(entry, memory))
    }

    fn note(&mut self, entry: &Entry, memory: &mut Memory) {
        self.bytes += entry.size();
        memory.take(entry.size());
        if let Some(at) = entry.expires_at() {
            self.expiring.insert((at, entry.place));
        }
    }

    fn forget(&mut self, entry: Entry, memory: &mut Memory) -> Entry {
        self.bytes -= entry.size();
        memory.free(entry.size());
        if let Some(at) = entry.expires_at() {
            self.expiring.remove(&(at, entry.place));
        }
        entry
    }

    /// How many messages have come: the number of the last.
    pub(super) fn last(&self) -> u64 {
        self.born
    }

    /// The first that waits at `place` or after it.
    pub(super) fn first_from(&self, place: Place) -> Option<&Entry> {
        self.waiting.starting_at(place).next()
    }

    /// Where those begin that wait with one that was given back, for the sake of their order.
    #[inline]
    pub(super) fn end(&self) -> Place {
        self.delayed.first_in_order().unwrap_or(Place::LAST)
    }

    /// The place after all that wait and may be handed out.
    pub(super) fn end_of_waiting(&self) -> Place {
        self.waiting.last().map_or(Place::FIRST, |last| last.place.next()).min(self.end())
    }
}

/// Copies a small body out of the read buffer that it is a slice of, so that what waits long pins little.
pub(super) fn unpin(message: &mut Arc<Message>) {
    if !message.path.is_empty()
        && message.body.data.len() < PINNED_MIN
        && let Some(message) = Arc::get_mut(message)
    {
        message.body.data = Bytes::copy_from_slice(&message.body.data);
    }
}

/// Bodies from this length on are worth the buffer they pin.
const PINNED_MIN: usize = 16 * 1024;

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::model::{Body, BrokerId, Destination, MessageId, Path, ProducerId};

    /// Any message, at this place.
    pub(in super::super) fn entry_at(place: Place) -> Entry {
        let message = Message {
            id: MessageId { producer: ProducerId { broker: BrokerId(1), number: 1 }, sequence: place.number() },
            destination: Destination::queue("q").expect("valid"),
            path: Path::default(),
            timestamp: Timestamp::default(),
            body: Body::default(),
        };
        Entry { place, redeliveries: Saturating(0), arrived_at: Instant::ZERO, group: None, message: Arc::new(message) }
    }
}
