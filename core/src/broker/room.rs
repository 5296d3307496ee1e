//! Where there is room for messages, and what becomes of those that come when there is none.

use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::due::Due;
use super::parking::Parked;
use super::place::Place;
use super::registry::{self, Room, Slot};
use super::subscription::{Subscription, SubscriptionId};
use super::{Broker, BrokerConfig, Output};
use crate::base::{Instant, Outbox, Situation};
use crate::model::{DestinationKind, Message, Origin, Refusal};

/// What becomes of a message that its destination has no room for (ActiveMQ's `producerFlowControl`). What comes over a
/// bridge always waits: it is this broker's to have, and nobody is there to be told otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhenFull {
    /// It is refused (`sendFailIfNoSpace`).
    Refuse,
    /// It waits, and with it whoever sent it.
    #[default]
    Wait,
    /// It waits for so long, and is refused then (`sendFailIfNoSpaceAfterTimeout`).
    WaitFor(Duration),
}

impl Broker {
    /// True if there is no room for a message that comes now. A topic's subscriber that is full stands in the way only of
    /// what is for it.
    pub(super) fn is_full(&self, now: Instant, slot: Slot, from: Origin, message: &Message) -> bool {
        let destination = self.registry.get(slot);
        match &destination.room {
            Room::Queue(queue) => {
                let would_wait = || queue.len() > 0 || self.start(slot, Place::FIRST).is_none();
                let is_everywhere = self.memory.is_full() && would_wait();
                if is_everywhere {
                    Situation::BrokerFull.met();
                }
                queue.bytes() >= destination.bytes_max(&self.config) || is_everywhere
            }
            Room::Topic => {
                let ids = destination.consumers.iter().map(|consumer| consumer.id);
                self.hold_up(now, ids, from, message).next().is_some()
                    || destination.queues.iter().any(|queue| self.is_full(now, *queue, from, message))
            }
        }
    }

    /// True if a message would have to wait where it goes, also if there is no such destination yet.
    pub(super) fn would_wait(&self, now: Instant, from: Origin, message: &Message) -> bool {
        if let Some(slot) = self.registry.find(&message.destination) {
            return self.is_congested(now, slot, from, message);
        }
        let ids = self.registry.covering(&message.destination);
        match message.destination.kind() {
            DestinationKind::Queue => self.memory.is_full() && !ids.into_iter().any(|id| self.has_credit(id)),
            DestinationKind::Topic => {
                let virtual_topics = self.config.virtual_topics.as_ref();
                let pattern = virtual_topics.and_then(|config| config.queues_of(&message.destination));
                let queues = pattern.map(|pattern| self.registry.covered(&pattern)).unwrap_or_default();
                self.hold_up(now, ids.into_iter(), from, message).next().is_some()
                    || queues.into_iter().any(|queue| self.is_full(now, queue, from, message))
            }
        }
    }

    /// Those of a topic's subscribers that publishers have to wait for with this message.
    fn hold_up(
        &self,
        now: Instant,
        subscribers: impl Iterator<Item = SubscriptionId>,
        from: Origin,
        message: &Message,
    ) -> impl Iterator<Item = &Subscription> {
        let found = subscribers.filter_map(|id| self.subscriptions.get(id));
        found.filter(move |found| {
            found.holds_up(&self.memory)
                && found.fits(message)
                && found.is_for(Some(from), message)
                && self.selection.wants(found, message, 0, now)
        })
    }

    /// True if as much waits in a queue as may.
    pub(super) fn is_queue_full(&self, slot: Slot) -> bool {
        let destination = self.registry.get(slot);
        matches!(&destination.room, Room::Queue(queue) if queue.bytes() >= destination.bytes_max(&self.config))
    }

    /// Refuses a message that would have to wait, if it may not.
    pub(super) fn check_wait(&self, now: Instant, slot: Slot, from: Origin, message: &Message) -> Result<(), Refusal> {
        let destination = self.registry.get(slot);
        match (from, destination.policy.when_full) {
            (Origin::Application(_) | Origin::Remote(_), WhenFull::Refuse) => {
                // It would stand behind those that wait already.
                let first = destination.parked.front();
                let shortage = match first {
                    Some(first) => self.shortage(slot, first),
                    None => self.shortage_for(now, slot, from, message),
                };
                shortage.map_or(Ok(()), |shortage| {
                    Situation::RefusedForRoom.met();
                    Err(shortage)
                })
            }
            (Origin::Application(_) | Origin::Remote(_), WhenFull::Wait | WhenFull::WaitFor(_))
            | (Origin::Bridge(_), _) => Ok(()),
        }
    }

    /// Notes when the first message that waits for room has done so for long enough.
    pub(super) fn schedule_parked(&mut self, slot: Slot) {
        let destination = self.registry.get(slot);
        if let WhenFull::WaitFor(wait) = destination.policy.when_full {
            let first = destination.parked.iter().find(|parked| parked.is_refusable());
            let at = first.map(|parked| parked.arrived_at + wait);
            self.due.set(Due::Parked(slot), at);
        }
    }

    /// Refuses what has waited for room for too long.
    pub(super) fn refuse_parked(&mut self, now: Instant, slot: Slot, out: &mut Outbox<Output>) {
        let Some(destination) = self.registry.known(slot) else {
            return; // It has gone, with all that waited there.
        };
        if let WhenFull::WaitFor(wait) = destination.policy.when_full
            && let Some(refusal) = destination.parked.front().and_then(|first| self.shortage(slot, first))
        {
            let is_over = |parked: &Parked| parked.is_refusable() && parked.arrived_at + wait <= now;
            let parked = core::mem::take(&mut self.registry.get_mut(slot).parked);
            let (over, left) = parked.into_iter().partition::<Vec<_>, _>(is_over);
            self.registry.get_mut(slot).parked = left.into();
            for parked in over {
                Situation::WaitedInVain.met();
                self.leave_parking(&parked);
                out.push(parked.into_refused(refusal.clone()));
            }
        }
        self.unpark_all(now, out); // What stood behind it may have room.
        self.schedule_parked(slot);
    }

    /// What there is too much of for a message that waits; none if there is room.
    fn shortage(&self, slot: Slot, parked: &Parked) -> Option<Refusal> {
        self.shortage_for(parked.arrived_at, slot, parked.from, &parked.message)
    }

    fn shortage_for(&self, now: Instant, slot: Slot, from: Origin, message: &Message) -> Option<Refusal> {
        let destination = self.registry.get(slot);
        let full = |bytes, max| Refusal::DestinationFull { destination: destination.name.clone(), bytes, max };
        match &destination.room {
            Room::Queue(queue) if self.is_queue_full(slot) => {
                return Some(full(queue.bytes(), destination.bytes_max(&self.config)));
            }
            Room::Queue(_) => (),
            Room::Topic => {
                let ids = destination.consumers.iter().map(|consumer| consumer.id);
                let mut subscribers = self.hold_up(now, ids, from, message);
                let of_subscriber = subscribers.find(|found| found.is_full()).map(Subscription::waiting);
                let of_queue =
                    || destination.queues.iter().find_map(|queue| self.shortage_for(now, *queue, from, message));
                if let Some(refusal) = of_subscriber.map(|(bytes, max)| full(bytes, max)).or_else(of_queue) {
                    return Some(refusal);
                }
            }
        }
        self.is_full(now, slot, from, message)
            .then(|| Refusal::BrokerFull { bytes: self.memory.bytes(), max: self.memory.max() })
    }
}

impl registry::Entry {
    /// How many bytes may wait in a queue.
    #[inline]
    fn bytes_max(&self, config: &BrokerConfig) -> u64 {
        self.policy.bytes_max.unwrap_or(config.queue_bytes_max)
    }
}
