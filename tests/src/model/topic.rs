//! What a topic's subscribers are handed, and what waits for their credit.

use std::sync::Arc;

use flockmq_core::Instant;

use super::Model;
use super::consumer::{Consumer, Id};
use super::place::Waiting;

impl Model {
    /// Hands a message to every subscriber, or lets it wait for those without credit.
    pub(super) fn publish(&mut self, place: usize, waiting: &Waiting) {
        for id in self.places[place].turns.clone() {
            self.keep_pending(id, waiting);
            self.drain(id);
        }
    }

    /// Hands a subscriber what waits for it, as far as its credit goes.
    pub(super) fn drain(&mut self, id: Id) {
        while self.has_credit(id)
            && let Some(message) = self.consumer(id).pending.pop_front()
        {
            self.hand(id, 0, Waiting { order: 0, redeliveries: 0, message });
        }
    }

    /// Publishers wait for a full subscriber, but not for ever: those are given up on that have taken nothing for too
    /// long. From then on their oldest messages are dropped, until they take something again.
    pub(super) fn give_up_on_stalled(&mut self) {
        let (now, after, max) = (self.now, self.config.stalled_after, self.config.topic_bytes_max);
        let mut is_due = self.stalls_at().is_some();
        while std::mem::take(&mut is_due) {
            for found in self.consumers.values_mut().filter(|found| found.is_full(max)) {
                found.is_stalled = found.progressed_at + after <= now;
                is_due |= found.is_stalled;
            }
            self.unpark_all(); // Which fills others, that may have taken nothing for as long.
        }
    }

    /// When somebody is given up on, if senders wait.
    pub(super) fn stalls_at(&self) -> Option<Instant> {
        let full = self.consumers.values().filter(|found| found.is_full(self.config.topic_bytes_max));
        let first = full.map(|found| found.progressed_at + self.config.stalled_after).min();
        first.filter(|_| self.places.iter().any(|place| !place.parked.is_empty()))
    }

    fn keep_pending(&mut self, id: Id, waiting: &Waiting) {
        let (now, max) = (self.now, self.config.topic_bytes_max);
        let found = self.consumer(id);
        if found.pending.is_empty() {
            found.progressed_at = now; // It had taken everything until now.
        }
        let mut dropped = 0;
        while found.is_stalled && found.pending_bytes() + waiting.size() > max && found.pending.pop_front().is_some() {
            dropped += 1;
        }
        found.pending.push_back(Arc::clone(&waiting.message));
        self.counts.dropped += dropped;
    }
}

impl Consumer {
    /// True if publishers have to wait for this subscriber.
    pub(super) fn is_full(&self, bytes_max: u64) -> bool {
        !self.is_stalled && self.pending_bytes() >= bytes_max
    }

    pub(super) fn pending_bytes(&self) -> u64 {
        self.pending.iter().map(|message| message.size() as u64).sum()
    }
}
