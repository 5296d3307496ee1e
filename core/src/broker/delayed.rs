//! Messages of a queue that were given back and wait until they are handed out again.

use alloc::collections::{BTreeMap, BTreeSet};

use super::place::Place;
use super::queue::Entry;
use crate::base::Instant;

/// Messages by their place in the queue, and by when they are due.
#[derive(Debug, Default)]
pub(super) struct Delayed {
    entries: BTreeMap<Place, (Instant, Entry)>,
    due: BTreeSet<(Instant, Place)>,
    in_order: BTreeSet<Place>, // Those that hold up what is behind them.
}

impl Delayed {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All messages.
    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.entries.into_values().map(|(_, entry)| entry)
    }

    /// Adds a message that is due `at`; those behind it wait for it if it `keeps_order`.
    pub(super) fn insert(&mut self, at: Instant, entry: Entry, keeps_order: bool) {
        self.due.insert((at, entry.place));
        if keeps_order {
            self.in_order.insert(entry.place);
        }
        self.entries.insert(entry.place, (at, entry));
    }

    /// Takes the message at this place.
    pub(super) fn take(&mut self, place: Place) -> Option<Entry> {
        let (at, entry) = self.entries.remove(&place)?;
        self.due.remove(&(at, place));
        self.in_order.remove(&place);
        Some(entry)
    }

    /// Takes a message that is due.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Entry> {
        let (_, place) = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.take(place)
    }

    /// When the next message is due.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The first place that holds up those behind it.
    #[inline]
    pub(super) fn first_in_order(&self) -> Option<Place> {
        self.in_order.first().copied()
    }
}
