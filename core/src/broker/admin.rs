//! What administrators ask of a broker: how its destinations fare, and to pause, resume and purge them.

use alloc::vec::Vec;

use super::registry::{self, Room, Slot};
use super::{Broker, Output};
use crate::base::{Instant, Outbox};
use crate::model::{AdminReply, AdminRequest, Destination, DestinationKind, DestinationStatus, Inventory, Refusal};

/// What has become of one destination's messages since it came to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) enqueued: u64,
    pub(super) dispatched: u64,
    pub(super) outstanding: u64,
    pub(super) dequeued: u64,
    pub(super) expired: u64,
    pub(super) failed: u64,
    pub(super) dead_lettered: u64,
    pub(super) purged: u64,
    pub(super) let_go: u64,
    pub(super) dropped: u64,
}

impl Counts {
    /// A queue's message was handed out.
    pub(super) fn hand_out(&mut self) {
        self.dispatched += 1;
        self.outstanding += 1;
    }

    /// A queue's message that was handed out is its queue's again, or nobody's.
    pub(super) fn take_back(&mut self) {
        self.outstanding -= 1;
    }

    /// A number that grows with whatever happens.
    pub(super) fn told(&self) -> u64 {
        let Self { enqueued, dispatched, outstanding: _, dequeued, expired, failed, dead_lettered, .. } = self;
        let Self { purged, let_go, dropped, .. } = self;
        [enqueued, dispatched, dequeued, expired, failed, dead_lettered, purged, let_go, dropped].into_iter().sum()
    }

    /// A queue's message was acknowledged.
    pub(super) fn dequeue(&mut self) {
        self.outstanding -= 1;
        self.dequeued += 1;
    }
}

impl Broker {
    /// Does what an administrator asks, in an answer of about `bytes_max` bytes at most.
    pub(crate) fn administer(
        &mut self,
        now: Instant,
        asked: &AdminRequest,
        bytes_max: u64,
        out: &mut Outbox<Output>,
    ) -> Result<AdminReply, Refusal> {
        match asked {
            AdminRequest::Destinations { within, after } => {
                Ok(AdminReply::Destinations(self.inventory(within.as_ref(), after.as_ref(), bytes_max)))
            }
            AdminRequest::Pause(queues) => self.pause(queues),
            AdminRequest::Purge(queues) => self.purge(now, queues, out),
            AdminRequest::RemoveDurable(durable) => {
                self.remove_durable(now, durable, out).map(|()| AdminReply::DurableRemoved)
            }
            AdminRequest::Resume(queues) => self.resume(now, queues, out),
        }
    }

    /// How all destinations fare.
    pub(crate) fn destinations(&self) -> Vec<DestinationStatus> {
        self.registry.after(None).map(registry::Entry::status).collect()
    }

    fn inventory(&self, within: Option<&Destination>, after: Option<&Destination>, bytes_max: u64) -> Inventory {
        let (mut inventory, mut bytes) = (Inventory::default(), 0);
        let found = self.registry.after(after).filter(|entry| within.is_none_or(|within| within.matches(&entry.name)));
        for entry in found {
            let count = inventory.destinations.len();
            bytes += STATUS_BYTES + entry.name.name().len() as u64;
            let has_room = count == 0 || (count < PAGE_MAX && bytes <= bytes_max);
            if has_room && inventory.left_out == 0 {
                inventory.destinations.push(entry.status());
            } else {
                inventory.left_out += 1;
            }
        }
        inventory
    }

    fn pause(&mut self, queues: &Destination) -> Result<AdminReply, Refusal> {
        let mut changed = 0;
        for slot in self.queues(queues)? {
            let was_paused = core::mem::replace(&mut self.registry.get_mut(slot).is_paused, true);
            changed += u64::from(!was_paused);
        }
        Ok(AdminReply::Changed { queues: changed })
    }

    fn resume(&mut self, now: Instant, queues: &Destination, out: &mut Outbox<Output>) -> Result<AdminReply, Refusal> {
        let mut changed = 0;
        for slot in self.queues(queues)? {
            if core::mem::take(&mut self.registry.get_mut(slot).is_paused) {
                changed += 1;
                self.dispatch(now, slot, out);
            }
        }
        self.unpark_all(now, out);
        Ok(AdminReply::Changed { queues: changed })
    }

    fn purge(&mut self, now: Instant, queues: &Destination, out: &mut Outbox<Output>) -> Result<AdminReply, Refusal> {
        let slots = self.queues(queues)?;
        let (mut messages, queues) = (0, slots.len() as u64);
        for slot in slots {
            let mut removed = 0;
            for entry in self.registry.queue(slot).take_all(&mut self.memory) {
                self.let_go(slot, &entry);
                removed += 1;
            }
            self.registry.get_mut(slot).counts.purged += removed;
            self.schedule(slot);
            messages += removed;
        }
        self.unpark_all(now, out);
        self.stats.purged += messages;
        Ok(AdminReply::Purged { messages, queues })
    }

    /// The queue of this name, which there must be; or all that a pattern covers, if any.
    fn queues(&self, named: &Destination) -> Result<Vec<Slot>, Refusal> {
        if named.kind() != DestinationKind::Queue {
            return Err(Refusal::NotAQueue(named.clone()));
        }
        let slots = self.registry.covered(named);
        if slots.is_empty() && !named.is_pattern() {
            return Err(Refusal::NoDestination(named.clone()));
        }
        Ok(slots)
    }
}

impl registry::Entry {
    /// How it fares, as far as a broker knows.
    fn status(&self) -> DestinationStatus {
        let (depth, delayed, bytes) = match &self.room {
            Room::Queue(queue) => (queue.len() as u64, queue.delayed() as u64, queue.bytes()),
            Room::Topic => (0, 0, 0),
        };
        let Counts { enqueued, dispatched, outstanding, dequeued, .. } = self.counts;
        let Counts { expired, failed, dead_lettered, purged, let_go, dropped, .. } = self.counts;
        DestinationStatus {
            name: self.name.clone(),
            is_paused: self.is_paused,
            depth,
            delayed,
            bytes,
            parked: self.parked.len() as u64,
            consumers: self.consumers.len() as u64,
            producers: 0, // A broker does not know them; its node does.
            enqueued,
            dispatched,
            outstanding,
            dequeued,
            expired,
            failed,
            dead_lettered,
            purged,
            let_go,
            dropped,
        }
    }
}

/// How many destinations are told of in one answer.
const PAGE_MAX: usize = 1_000;
/// How many bytes the status of a destination takes beside its name, at most.
const STATUS_BYTES: u64 = 128;
