//! Peers' messages that a full queue takes nevertheless, since they would not wait there.
//!
//! What fills a queue may be for a peer whose own queue is full of what is for us: messages of a group that one of our
//! consumers has, or that only one here selects. If each waited for the other's room, neither would ever have any.

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::num::Saturating;

use super::Broker;
use super::parking::Parked;
use super::place::Place;
use super::queue::Entry;
use super::registry::{Room, Slot};
use crate::base::{Instant, Situation};
use crate::model::{Message, Origin};

impl Broker {
    /// True if a message need not wait for a queue's room: it comes from a peer, nothing of that peer's waits for room, and
    /// somebody is handed it at once.
    pub(super) fn passes(
        &self,
        now: Instant,
        slot: Slot,
        from: Origin,
        redeliveries: u32,
        message: &Arc<Message>,
    ) -> bool {
        matches!(from, Origin::Bridge(_))
            && self.start(slot, Place::FIRST).is_some()
            && self.registry.get(slot).parked.iter().all(|parked| parked.from != from)
            && self.would_go(now, slot, redeliveries, message)
    }

    /// Takes a message that waits for a queue's room and need not.
    pub(super) fn take_passing(&mut self, now: Instant, slot: Slot) -> Option<Parked> {
        self.start(slot, Place::FIRST)?;
        let mut peers = BTreeSet::new();
        let index = self.registry.get(slot).parked.iter().position(|parked| {
            matches!(parked.from, Origin::Bridge(_))
                && peers.insert(parked.from)
                && self.would_go(now, slot, parked.redeliveries, &parked.message)
        })?;
        self.registry.get_mut(slot).parked.remove(index)
    }

    /// True if a queue would hand a message to somebody at once.
    fn would_go(&self, now: Instant, slot: Slot, redeliveries: u32, message: &Arc<Message>) -> bool {
        let Room::Queue(queue) = &self.registry.get(slot).room else {
            return false;
        };
        let entry = Entry {
            place: Place::new(message.body.priority, queue.last() + 1),
            redeliveries: Saturating(redeliveries),
            arrived_at: now,
            group: queue.groups.find(message),
            message: Arc::clone(message),
        };
        let goes = entry.place < queue.end() && self.turn(slot, &entry).is_some();
        if goes {
            Situation::FullQueuePassed.met();
        }
        goes
    }
}
