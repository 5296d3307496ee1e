//! Destinations that have the life of a connection.
//!
//! One exists at the broker that its connection is attached to for as long as the connection is. Other brokers hold it
//! like any other destination, so that a reply which comes before word of who wants it waits; but not for ever, since
//! nobody tells them of the connection's end.

use alloc::vec::Vec;

use super::due::Due;
use super::registry::{Registry, Room, Slot};
use super::{Broker, Output, Subscriber};
use crate::base::{Instant, Outbox};
use crate::model::{Advisory, BrokerId, ConnectionId, Destination, DestinationKind, Origin, Refusal, Temporary};

impl Broker {
    /// The slot of a destination, which is created if there is none. A temporary one that a connection of ours has ended
    /// is not created again.
    #[inline]
    pub(super) fn resolve(
        &mut self,
        now: Instant,
        name: &Destination,
        out: &mut Outbox<Output>,
    ) -> Result<Slot, Refusal> {
        if name.is_temporary() {
            return self.resolve_temporary(now, name, out);
        }
        self.resolve_lasting(now, name, out)
    }

    /// Refuses whoever is attached as `origin` the temporary destination of another. That peers ask for one of those
    /// behind them is theirs to check, and that a client asks for its own is known where its link is.
    pub(super) fn check_owner(&self, origin: Origin, subscriber: &Subscriber) -> Result<(), Refusal> {
        let is_refused = |destination: &&Destination| match origin {
            Origin::Application(connection) => !destination.is_open_to(self.local, connection),
            Origin::Bridge(_) | Origin::Remote(_) => {
                destination.as_temporary().is_some_and(|temporary| temporary.broker == self.local)
            }
        };
        match subscriber.subscription.destination.iter().find(is_refused) {
            Some(destination) => Err(Refusal::NotOwner(destination.clone())),
            None => Ok(()),
        }
    }

    /// Takes note that a destination has got or lost consumers, or a message: another broker's temporary one is kept for
    /// so long without any, and others as long as their policy says.
    pub(super) fn tend(&mut self, now: Instant, slot: Slot) {
        let entry = self.registry.get(slot);
        let Some(Temporary { broker, .. }) = entry.name.as_temporary() else {
            return self.watch(now, slot);
        };
        let is_kept = broker == self.local || !entry.consumers.is_empty();
        self.due.set(Due::Forsaken(slot), (!is_kept).then(|| now + self.config.temporaries_kept));
    }

    /// Ends what belonged to a connection.
    pub(super) fn end_temporaries(&mut self, connection: ConnectionId, out: &mut Outbox<Output>) {
        for slot in self.registry.owned(self.local, connection) {
            self.forget(slot, out);
        }
    }

    /// A peer hands over a message for a destination that has ended while it was on its way: it is let go.
    pub(super) fn let_go_late(&mut self, destination: &Destination) {
        self.stats.accepted += 1;
        if destination.kind() == DestinationKind::Queue {
            self.stats.accepted_queued += 1;
            self.stats.orphaned += 1;
        }
    }

    /// Refuses a temporary destination whose connection was ours and has ended.
    pub(super) fn check_alive(&self, name: &Destination) -> Result<(), Refusal> {
        match name.as_temporary() {
            Some(Temporary { broker, connection, .. })
                if broker == self.local && !self.connections.contains_key(&Origin::Application(connection)) =>
            {
                Err(Refusal::Deleted(name.clone()))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn resolve_temporary(
        &mut self,
        now: Instant,
        name: &Destination,
        out: &mut Outbox<Output>,
    ) -> Result<Slot, Refusal> {
        self.check_alive(name)?;
        let slot = self.resolve_lasting(now, name, out)?;
        self.tend(now, slot);
        Ok(slot)
    }

    /// Removes a destination that has no consumers. What waits there or for room there is let go: whoever sent it is told
    /// that it was taken, since there is nobody else it could go to.
    pub(super) fn forget(&mut self, slot: Slot, out: &mut Outbox<Output>) {
        let entry = self.registry.remove(slot);
        self.advise(out, |_| Advisory::DestinationRemoved { destination: entry.name.clone() });
        self.forget_past(&entry);
        self.congested.remove(&slot);
        for due in [Due::Forsaken(slot), Due::Idle(slot), Due::Parked(slot), Due::Queue(slot)] {
            self.due.set(due, None);
        }
        for parked in entry.parked {
            self.leave_parking(&parked);
            self.let_go_late(&entry.name);
            out.push(parked.into_accepted());
        }
        if let Room::Queue(queue) = &entry.room {
            self.memory.free(queue.bytes());
            self.stats.orphaned += (queue.len() + queue.delayed()) as u64;
        }
    }
}

impl Registry {
    /// The temporary destinations of a connection.
    fn owned(&self, broker: BrokerId, connection: ConnectionId) -> Vec<Slot> {
        let kinds = [DestinationKind::Queue, DestinationKind::Topic];
        let first = kinds.map(|kind| Destination::temporary(kind, Temporary { broker, connection, number: 0 }));
        // Names that begin alike stand together, and "0" is the first of the numbers that follow.
        let of_kind = first.iter().flat_map(|first| {
            let is_owned = move |found: &Destination| {
                let name = found.as_temporary();
                found.kind() == first.kind()
                    && name.is_some_and(|name| (name.broker, name.connection) == (broker, connection))
            };
            self.range_from(first).take_while(move |(name, _)| is_owned(name)).map(|(_, slot)| slot)
        });
        of_kind.collect()
    }
}
