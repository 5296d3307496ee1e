//! Topics' subscribers that take nothing.

use flockmq_core::{Instant, Refusal, SlowConsumers, Tag};

use super::Model;
use super::consumer::{Consumer, Id};
use super::place::Waiting;

impl Model {
    /// Publishers wait for a full subscriber, but not for ever: those are given up on that have taken nothing for too
    /// long.
    pub(super) fn give_up_on_slow(&mut self) {
        loop {
            let due: Vec<Id> = self.slow().filter(|(at, _)| *at <= self.now).map(|(_, id)| id).collect();
            if due.is_empty() {
                return;
            }
            for id in due {
                // The end of one may have made room for another, or let in all that waited for it.
                if self.slow().any(|(at, found)| found == id && at <= self.now) {
                    self.give_up(id);
                }
            }
            self.unpark_all(); // Which fills others, that may have taken nothing for as long.
        }
    }

    /// When each is given up on that publishers wait for, if any do.
    pub(super) fn slow(&self) -> impl Iterator<Item = (Instant, Id)> {
        let is_awaited = self.places.iter().any(|place| !place.parked.is_empty());
        let holders = self.consumers.values().filter(move |found| is_awaited && self.holds_up(found));
        holders.map(|found| (found.progressed_at + self.config.stalled_after, found.id))
    }

    /// Publishers have to wait for a subscriber: it is full, or all is and something waits for it.
    pub(super) fn holds_up(&self, found: &Consumer) -> bool {
        !found.is_stalled && (found.is_full() || self.is_memory_full() && found.pending_bytes() > 0)
    }

    /// A slow one ends, or messages are dropped for it until it takes something again.
    fn give_up(&mut self, id: Id) {
        let after = self.config.stalled_after;
        let found = self.consumer(id);
        if found.when_slow != SlowConsumers::Disconnect {
            found.is_stalled = true;
            return;
        }
        let refusal = Refusal::TooSlow { bytes: found.pending_bytes(), max: found.bytes_max, after };
        let (connection, number) = (found.connection, found.number);
        self.unsubscribe(connection, number, Tag::MAX).expect("whoever is slow is attached");
        self.counts.ended_slow += 1;
        self.said.ended.insert(number, refusal);
    }

    /// Something has to be dropped for one that was given up on, so that a message of this size has room.
    pub(super) fn is_dropping(&self, id: Id, size: u64) -> bool {
        let found = &self.consumers[&id];
        let is_beyond = self.is_memory_full() || found.pending_bytes() + size > found.bytes_max;
        found.is_stalled && found.asked.durable.is_none() && is_beyond && !found.pending.is_empty()
    }

    /// A subscriber goes without a message.
    pub(super) fn drop_copy(&mut self, waiting: &Waiting) {
        self.counts.dropped += 1;
        let place = self.known(&waiting.message.destination).expect("what was published has a place");
        self.places[place].counts.dropped += 1;
    }
}

impl Consumer {
    /// As much waits for it as may.
    pub(super) fn is_full(&self) -> bool {
        self.pending_bytes() >= self.bytes_max
    }
}
