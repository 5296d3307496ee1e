//! A broker that leaves, and hands what waits in its queues to peers that want it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::consumer::Gone;
use super::place::Place;
use super::registry::Room;
use super::{Broker, Output};
use crate::base::{Instant, Outbox};
use crate::model::{ConsumerId, Origin, Refusal, Tag};

impl Broker {
    /// Ends all consumers that are not peers', so that queues' messages go to peers that want them.
    pub(crate) fn drain(&mut self, now: Instant, out: &mut Outbox<Output>) {
        self.catch_up(now, out);
        let own = self.connections.iter().filter(|(origin, _)| !matches!(origin, Origin::Bridge(_)));
        let own = own.flat_map(|(origin, connection)| connection.consumers.keys().map(|consumer| (*origin, *consumer)));
        let own: Vec<(Origin, ConsumerId)> = own.collect();
        // All of them end before anything is handed out again.
        let end = |(origin, consumer)| {
            let gone = self.take_consumer(origin, consumer, Tag::MAX, out).expect("a connection's consumer is known");
            out.push(Output::Ended { to: origin, consumer, refusal: Box::new(Refusal::Stopping) });
            (origin, gone)
        };
        let gone: Vec<(Origin, Gone)> = own.into_iter().map(end).collect();
        let mut changed = Vec::new();
        for (origin, gone) in gone {
            changed.extend(self.settle_gone(now, origin, gone, out));
        }
        self.tell_demand(changed, out);
    }

    /// True if no message of a queue is on its way to anybody or will be: whatever waits is wanted by nobody.
    pub(crate) fn is_drained(&self) -> bool {
        let stats = self.stats();
        (stats.outstanding_queued, stats.delayed, stats.parked) == (0, 0, 0) && !self.is_held_up()
    }

    /// True if a queue's message waits for a peer that has no credit: topics' messages may have taken its window.
    fn is_held_up(&self) -> bool {
        self.registry.iter().any(|destination| {
            let Room::Queue(queue) = &destination.room else { return false };
            let takers = self.takers(&destination.consumers);
            let without = destination.consumers.iter().filter(|consumer| !self.has_credit(consumer.id));
            let without = without.filter(|consumer| destination.is_open_to(consumer.id));
            let mut without = without.filter_map(|consumer| self.subscriptions.get(consumer.id));
            queue.len() > 0
                && without.any(|found| queue.waiting.starting_at(Place::FIRST).any(|entry| takers.takes(found, entry)))
        })
    }
}
