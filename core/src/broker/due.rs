//! What comes about by itself, because its time has come: lives end, what was given back is handed out again, and what
//! nobody wants any more goes.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::queue::Entry;
use super::registry::Slot;
use super::subscription::{Pending, Subscription, SubscriptionId};
use super::{Broker, Output};
use crate::base::{Instant, Outbox};

/// Where something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A temporary destination that nobody consumes from.
    Forsaken(Slot),
    /// A destination that may have been idle for long enough.
    Idle(Slot),
    /// Among what waits for room at a destination.
    Parked(Slot),
    /// At a queue.
    Queue(Slot),
    /// Among what waits for a topic's subscriber.
    Subscriber(SubscriptionId),
}

impl Broker {
    /// Does what is due. Whoever hands out messages does this first, so that no message is handed out after its end.
    #[inline]
    pub(super) fn catch_up(&mut self, now: Instant, out: &mut Outbox<Output>) {
        if self.due.first().is_some_and(|at| at <= now) {
            self.do_due(now, out);
        }
    }

    /// Notes when something is due next at a queue.
    pub(super) fn schedule(&mut self, slot: Slot) {
        let at = self.queue(slot).due_at();
        self.due.set(Due::Queue(slot), at);
    }

    /// Notes when something is due next among what waits for a subscriber.
    pub(super) fn schedule_subscriber(&mut self, id: SubscriptionId) {
        let at = self.subscriptions.get(id).and_then(Subscription::due_at);
        self.due.set(Due::Subscriber(id), at);
    }

    fn do_due(&mut self, now: Instant, out: &mut Outbox<Output>) {
        let mut slots = BTreeSet::new();
        let (mut over, mut over_waiting, mut subscribers) = (Vec::new(), Vec::new(), Vec::new());
        let (mut forsaken, mut idle, mut parked) = (Vec::new(), Vec::new(), Vec::new());
        for due in self.due.due(now).collect::<Vec<_>>() {
            if let Due::Forsaken(_) | Due::Idle(_) | Due::Parked(_) = due {
                self.due.set(due, None); // Whoever dispatches below would find it due again.
            }
            match due {
                Due::Forsaken(slot) => forsaken.push(slot),
                Due::Idle(slot) => idle.push(slot),
                Due::Parked(slot) => parked.push(slot),
                Due::Queue(slot) => {
                    self.take_due(now, slot, &mut over);
                    slots.insert(slot);
                }
                Due::Subscriber(id) => {
                    self.take_due_of(now, id, &mut over_waiting);
                    subscribers.push(id);
                }
            }
        }
        for slot in slots {
            self.dispatch(now, slot, out);
        }
        for id in subscribers {
            self.drain_pending(now, id, out);
        }
        // Last, since they may be dead letters by that: older ones have been handed out again.
        for (slot, entry) in over {
            self.expire_queued(now, slot, &entry, out);
        }
        for pending in over_waiting {
            self.expire_waiting(now, &pending, out);
        }
        self.unpark_all(now, out);
        for slot in forsaken {
            self.forget(slot, out);
        }
        self.unpark_all(now, out); // What has gone took room from others too.
        for slot in parked {
            self.refuse_parked(now, slot, out);
        }
        for slot in idle {
            self.forget_idle(now, slot, out);
        }
    }

    /// Takes what is worth nothing any more out of a queue, and puts back what has waited long enough.
    fn take_due(&mut self, now: Instant, slot: Slot, over: &mut Vec<(Slot, Entry)>) {
        while let Some(entry) = self.registry.queue(slot).pop_expired(now, &mut self.memory) {
            over.push((slot, entry));
        }
        while let Some(entry) = self.registry.queue(slot).pop_delayed(now, &mut self.memory) {
            self.keep(slot, entry);
        }
        self.schedule(slot);
    }

    /// Likewise of what waits for a subscriber.
    fn take_due_of(&mut self, now: Instant, id: SubscriptionId, over: &mut Vec<Pending>) {
        if let Some(subscription) = self.subscriptions.get_mut(id) {
            let (pending, memory) = (&mut subscription.pending, &mut self.memory);
            over.extend(core::iter::from_fn(|| pending.pop_expired(now, memory)));
            if let Some(archive) = &mut subscription.archive {
                archive.take_due(now, over, &mut self.memory);
            }
        }
        self.schedule_subscriber(id);
    }
}
