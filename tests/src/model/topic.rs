//! What a topic's subscribers are handed, and what waits for their credit.

use flockmq_core::SlowConsumers;

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

    fn keep_pending(&mut self, id: Id, waiting: &Waiting) {
        let now = self.now;
        let found = self.consumer(id);
        if found.pending.is_empty() {
            found.progressed_at = now; // It had taken everything until now.
        }
        while self.is_dropping(id, waiting.size()) {
            if self.consumers[&id].when_slow == SlowConsumers::DropNewest {
                return self.drop_copy(waiting);
            }
            let oldest = self.consumer(id).pending.remove(0);
            self.drop_copy(&oldest);
        }
        let found = self.consumer(id);
        found.born += 1;
        found.pending.push(Waiting { order: found.born, ..waiting.clone() });
        self.trim_durable(id);
    }
}

impl Consumer {
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
