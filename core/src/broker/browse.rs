//! Consumers that look at what waits in a queue and take nothing.

use alloc::sync::Arc;

use super::place::Place;
use super::queue::{Entry, Queue};
use super::registry::{Room, Slot};
use super::subscription::{Allowance, Pending, Subscriber, SubscriptionId};
use super::{Broker, Output};
use crate::base::{Instant, Outbox};
use crate::model::{ConsumerId, DestinationKind, Origin, Refusal};

/// How far a browser has looked. What it is shown is looked up as it goes on, so it costs no memory, and what has gone
/// meanwhile is not shown.
#[derive(Debug)]
pub(super) struct Browse {
    slot: Option<Slot>, // Its queue; there was none if there is none here.
    next: Place,
    last: u64, // The last message that had come when it began.
    has_ended: bool,
}

impl Browse {
    /// True if there may be more to show of this queue.
    pub(super) fn looks_at(&self, slot: Slot) -> bool {
        self.slot == Some(slot) && !self.has_ended
    }
}

impl Broker {
    /// Creates a consumer that looks at what waits in a queue now. It is no demand, and makes no queue.
    pub(super) fn browse(
        &mut self,
        now: Instant,
        origin: Origin,
        consumer: ConsumerId,
        subscriber: Subscriber,
        allowance: Allowance,
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        let asked = &subscriber.subscription.destination;
        let destination = asked.first();
        if destination.kind() != DestinationKind::Queue || destination.is_pattern() || asked.is_composite() {
            return Err(Refusal::NotBrowsable(destination.clone()));
        }
        self.catch_up(now, out);
        let slot = self.registry.find(destination);
        let last = slot.map_or(0, |slot| self.queue(slot).last());
        let connection = self.connections.get_mut(&origin).ok_or(Refusal::unknown_consumer(consumer))?;
        let id = self.subscriptions.insert(now, origin, consumer, subscriber, allowance, &connection.limits);
        connection.consumers.insert(consumer, id);
        let subscription = self.subscriptions.get_mut(id).expect("just subscribed");
        subscription.browse = Some(Browse { slot, next: Place::FIRST, last, has_ended: false });
        self.look_on(now, id, out);
        Ok(())
    }

    /// Shows a browser what comes next, as far as its credit goes, and tells the end.
    pub(super) fn look_on(&mut self, now: Instant, id: SubscriptionId, out: &mut Outbox<Output>) {
        while let Some(subscription) = self.subscriptions.get_mut(id)
            && let Some(browse) = &mut subscription.browse
            && !browse.has_ended
        {
            let room = browse.slot.and_then(|slot| self.registry.known(slot)).map(|queue| &queue.room);
            let next = match room {
                Some(Room::Queue(queue)) => queue.next_of_first(browse.next, browse.last),
                Some(Room::Topic) | None => None,
            };
            let Some(entry) = next else {
                browse.has_ended = true;
                return out.push(Output::Browsed { to: subscription.origin, consumer: subscription.consumer });
            };
            let place = entry.place;
            if subscription.fits(&entry.message) && self.selection.wants_waiting(subscription, entry) {
                let (redeliveries, arrived_at) = (entry.redeliveries.0, entry.arrived_at);
                let pending = Pending { message: Arc::clone(&entry.message), arrived_at };
                if !self.has_credit(id) {
                    return;
                }
                self.deliver(now, id, pending, redeliveries, None, out);
            }
            self.move_on(id, place.next());
        }
    }

    fn move_on(&mut self, id: SubscriptionId, place: Place) {
        if let Some(browse) = self.subscriptions.get_mut(id).and_then(|found| found.browse.as_mut()) {
            browse.next = place;
        }
    }
}

impl Queue {
    /// The first from `place` on of those that were among the `last` first to come.
    fn next_of_first(&self, mut place: Place, last: u64) -> Option<&Entry> {
        loop {
            let entry = self.first_from(place)?;
            if entry.place.number() <= last {
                return Some(entry);
            }
            place = entry.place.next_level(); // All that follow on this one are as new.
        }
    }
}
