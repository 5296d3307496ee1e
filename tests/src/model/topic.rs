//! What a topic's subscribers are handed, and what waits for their credit.

use flockmq_core::{BrokerConfig, Instant};

use super::consumer::{Consumer, Id};
use super::place::Waiting;
use super::{CLIENT, Model, REMOTE};

impl Model {
    /// Hands a message to every subscriber that wants it, or lets it wait for those without credit.
    pub(super) fn publish(&mut self, connection: u64, place: usize, waiting: &Waiting) {
        for id in self.places[place].turns.clone() {
            self.publish_to(id, connection, place, waiting);
        }
    }

    /// Hands a message to a subscriber that wants it. To those of a topic no message comes again.
    pub(super) fn publish_to(&mut self, id: Id, connection: u64, place: usize, waiting: &Waiting) {
        let waiting = Waiting { redeliveries: 0, ..waiting.clone() };
        if self.consumers[&id].is_for(connection, &waiting) {
            self.places[place].counts.dispatched += 1;
            self.keep_pending(id, &waiting);
            self.drain(id);
        }
    }

    /// Hands a subscriber what waits for it, as far as its credit goes.
    pub(super) fn drain(&mut self, id: Id) {
        while self.has_credit(id) && self.consumers[&id].may_go_on() {
            let waiting = self.consumer(id).pending.remove(0);
            let place = self.known(&waiting.message.destination).expect("what was published has a place");
            self.hand(id, place, waiting);
        }
    }

    /// Publishers wait for a full subscriber, but not for ever: those are given up on that have taken nothing for too
    /// long. From then on their oldest messages are dropped, until they take something again.
    pub(super) fn give_up_on_stalled(&mut self) {
        let (now, after) = (self.now, self.config.stalled_after);
        let mut is_due = self.stalls_at().is_some();
        while std::mem::take(&mut is_due) {
            for found in self.consumers.values_mut().filter(|found| found.is_full(&self.config)) {
                found.is_stalled = found.progressed_at + after <= now;
                is_due |= found.is_stalled;
            }
            self.unpark_all(); // Which fills others, that may have taken nothing for as long.
        }
    }

    /// When somebody is given up on, if senders wait.
    pub(super) fn stalls_at(&self) -> Option<Instant> {
        let full = self.consumers.values().filter(|found| found.is_full(&self.config));
        let first = full.map(|found| found.progressed_at + self.config.stalled_after).min();
        first.filter(|_| self.places.iter().any(|place| !place.parked.is_empty()))
    }

    fn keep_pending(&mut self, id: Id, waiting: &Waiting) {
        let (now, max) = (self.now, self.config.topic_bytes_max);
        let found = self.consumer(id);
        if found.pending.is_empty() {
            found.progressed_at = now; // It had taken everything until now.
        }
        let mut dropped = Vec::new();
        while found.is_stalled
            && found.asked.durable.is_none()
            && found.pending_bytes() + waiting.size() > max
            && !found.pending.is_empty()
        {
            dropped.push(found.pending.remove(0));
        }
        found.born += 1;
        found.pending.push(Waiting { order: found.born, ..waiting.clone() });
        for waiting in dropped {
            self.counts.dropped += 1;
            let place = self.known(&waiting.message.destination).expect("what was published has a place");
            self.places[place].counts.dropped += 1;
        }
        self.trim_durable(id);
    }
}

impl Consumer {
    /// True if publishers have to wait for this subscriber.
    pub(super) fn is_full(&self, config: &BrokerConfig) -> bool {
        let max = if self.asked.durable.is_some() { config.durable_bytes_max } else { config.topic_bytes_max };
        !self.is_stalled && self.pending_bytes() >= max
    }

    pub(super) fn pending_bytes(&self) -> u64 {
        self.all_pending().map(Waiting::size).sum()
    }

    /// All that waits for it, delayed or not.
    pub(super) fn all_pending(&self) -> impl Iterator<Item = &Waiting> {
        self.pending.iter().chain(self.delayed.iter().map(|delayed| &delayed.waiting))
    }

    /// Something waits that no message before it holds up for the sake of their order.
    fn may_go_on(&self) -> bool {
        let mut before = self.delayed.iter().filter(|delayed| delayed.keeps_order).map(|delayed| delayed.waiting.order);
        self.pending.first().is_some_and(|first| before.all(|order| order > first.order))
    }

    /// A message is for it.
    pub(super) fn is_for(&self, connection: u64, waiting: &Waiting) -> bool {
        self.wants(waiting) && !self.declines(connection, waiting)
    }

    /// With no-local, a consumer is not handed what its own connection sent, or its own client.
    fn declines(&self, connection: u64, waiting: &Waiting) -> bool {
        self.asked.no_local
            && match self.connection {
                REMOTE => waiting.message.id.producer.broker == CLIENT,
                _ => self.connection == connection,
            }
    }
}
