//! Messages that come: taken, or kept until their destination has room for them.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::expiry::age;
use super::registry::Slot;
use super::{Broker, Output};
use crate::base::{Instant, Outbox, Situation};
use crate::model::{Advisory, Message, Origin, Refusal, Ticket};

/// What became of a message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It has its place in its queue, or is on its way to every subscriber there was.
    Accepted,
    /// It waits for room; [`Output::Accepted`] follows when there is some.
    Parked,
}

/// A message that waits for room at its destination.
#[derive(Debug)]
pub(super) struct Parked {
    pub(super) from: Origin,
    pub(super) ticket: Ticket,
    pub(super) redeliveries: u32,
    pub(super) arrived_at: Instant,
    pub(super) message: Arc<Message>,
}

impl Parked {
    /// What its sender is told once it is taken.
    pub(super) fn into_accepted(self) -> Output {
        Output::Accepted { to: self.from, ticket: self.ticket }
    }

    /// What its sender is told if it is not.
    pub(super) fn into_refused(self, refusal: Refusal) -> Output {
        Output::Refused { to: self.from, ticket: self.ticket, refusal: Box::new(refusal) }
    }

    /// True if its sender can be told that it is not taken.
    pub(super) fn is_refusable(&self) -> bool {
        !matches!(self.from, Origin::Bridge(_))
    }

    fn size(&self) -> u64 {
        self.message.size() as u64
    }
}

impl Broker {
    /// Takes a message that others have handed out so often before, or keeps it until its destination has room.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        from: Origin,
        ticket: Ticket,
        redeliveries: u32,
        message: Arc<Message>,
        out: &mut Outbox<Output>,
    ) -> Result<Taken, Refusal> {
        self.catch_up(now, out);
        self.check_size(&message.body)?;
        let slot = match self.resolve(now, &message.destination, out) {
            Err(Refusal::Deleted(destination)) if matches!(from, Origin::Bridge(_)) => {
                self.let_go_late(&destination);
                return Ok(Taken::Accepted);
            }
            slot => slot?,
        };
        let coming = Parked { from, ticket, redeliveries, arrived_at: now, message };
        self.take(slot, coming, Self::check_park, out)
    }

    /// Takes a message, or has it wait for room unless `check` refuses that.
    pub(super) fn take(
        &mut self,
        slot: Slot,
        coming: Parked,
        check: impl FnOnce(&Self, Slot, &Parked) -> Result<(), Refusal>,
        out: &mut Outbox<Output>,
    ) -> Result<Taken, Refusal> {
        let Parked { arrived_at: now, from, .. } = coming;
        if self.is_congested(now, slot, from, &coming.message)
            && !self.passes(now, slot, from, coming.redeliveries, &coming.message)
        {
            check(self, slot, &coming)?;
            self.park(slot, coming, out);
            return Ok(Taken::Parked);
        }
        let dropped = self.stats.dropped;
        self.accept(now, slot, from, coming.redeliveries, coming.message, out);
        if self.stats.dropped > dropped && !self.congested.is_empty() {
            self.unpark_all(now, out);
        }
        Ok(Taken::Accepted)
    }

    fn check_park(&self, slot: Slot, coming: &Parked) -> Result<(), Refusal> {
        self.check_wait(coming.arrived_at, slot, coming.from, &coming.message)?;
        self.check_parking(coming.from, 1, coming.size())
    }

    /// Has a message wait for room.
    fn park(&mut self, slot: Slot, parked: Parked, out: &mut Outbox<Output>) {
        Situation::Parked.met();
        self.stats.parked += 1;
        if let Some(connection) = self.connections.get_mut(&parked.from) {
            connection.parked_bytes += parked.size();
        }
        if self.congested.insert(slot) {
            self.advise(out, |broker| {
                let destination = broker.registry.get(slot).name.clone();
                Advisory::DestinationFull { destination, by: broker.party(parked.from) }
            });
        }
        self.registry.get_mut(slot).parked.push_back(parked);
        self.schedule_parked(slot);
    }

    /// Forgets what was sent on a stream and not accepted yet; but what is `taken`, up to that number, is accepted at
    /// once, whether or not there is room.
    pub(crate) fn cancel(&mut self, now: Instant, origin: Origin, stream: u64, taken: u64, out: &mut Outbox<Output>) {
        self.catch_up(now, out);
        for slot in self.congested.iter().copied().collect::<Vec<_>>() {
            let parked = &mut self.registry.get_mut(slot).parked;
            let (mine, others) = core::mem::take(parked).into_iter().partition::<Vec<_>, _>(|found| {
                found.from == origin && found.ticket.stream == stream && found.ticket.number <= taken
            });
            parked.extend(others);
            for parked in mine {
                self.leave_parking(&parked);
                Situation::ParkedForced.met();
                self.accept_parked(now, slot, parked, out);
            }
        }
        self.forget_parked(|parked| parked.from == origin && parked.ticket.stream == stream);
        self.unpark_all(now, out);
    }

    fn accept_parked(&mut self, now: Instant, slot: Slot, parked: Parked, out: &mut Outbox<Output>) {
        let Parked { from, ticket, redeliveries, arrived_at, mut message } = parked;
        age(&mut message, now - arrived_at);
        out.push(Output::Accepted { to: from, ticket });
        self.accept(now, slot, from, redeliveries, message, out);
    }

    /// True if a message for `slot` has to wait: others wait already, or there is no room.
    pub(super) fn is_congested(&self, now: Instant, slot: Slot, from: Origin, message: &Message) -> bool {
        let destination = self.registry.get(slot);
        !destination.parked.is_empty() || self.is_full(now, slot, from, message)
    }

    /// Takes parked messages as far as there is room again.
    pub(super) fn unpark(&mut self, now: Instant, slot: Slot, out: &mut Outbox<Output>) {
        let has_room = |broker: &Self, first: &Parked| {
            let Parked { arrived_at, from, message, .. } = first;
            !broker.is_full(*arrived_at, slot, *from, message)
        };
        while self.registry.get(slot).parked.front().is_some_and(|first| has_room(self, first)) {
            let parked = self.registry.get_mut(slot).parked.pop_front().expect("not empty");
            Situation::Unparked.met();
            self.leave_parking(&parked);
            self.accept_parked(now, slot, parked, out);
        }
        while let Some(parked) = self.take_passing(now, slot) {
            self.leave_parking(&parked);
            self.accept_parked(now, slot, parked, out);
        }
        if self.registry.get(slot).parked.is_empty() {
            self.congested.remove(&slot);
        }
    }

    pub(super) fn unpark_all(&mut self, now: Instant, out: &mut Outbox<Output>) {
        let mut makes_room = true;
        while makes_room {
            let dropped = self.stats.dropped;
            for slot in self.congested.iter().copied().collect::<Vec<_>>() {
                self.unpark(now, slot, out);
            }
            makes_room = self.stats.dropped > dropped; // For a slow subscriber, as something came in for it.
        }
    }

    pub(super) fn forget_parked(&mut self, is_gone: impl Fn(&Parked) -> bool) {
        for slot in self.congested.iter().copied().collect::<Vec<_>>() {
            let parked = core::mem::take(&mut self.registry.get_mut(slot).parked);
            let (gone, left) = parked.into_iter().partition::<Vec<_>, _>(&is_gone);
            self.registry.get_mut(slot).parked = left.into();
            for parked in gone {
                Situation::ParkedForgotten.met();
                self.leave_parking(&parked);
            }
        }
    }

    /// Refuses so many messages of a size that would wait for room, if their connection may not have them wait; one alone
    /// it may.
    pub(super) fn check_parking(&self, from: Origin, count: u64, size: u64) -> Result<(), Refusal> {
        let max = self.config.parked_bytes_max;
        let bytes = self.connections.get(&from).map_or(0, |connection| connection.parked_bytes);
        let before_last = bytes + count.saturating_sub(1) * size;
        if matches!(from, Origin::Application(_)) && before_last > 0 && before_last + size > max {
            return Err(Refusal::ParkedFull { bytes, max });
        }
        Ok(())
    }

    /// A message waits for room no more.
    pub(super) fn leave_parking(&mut self, parked: &Parked) {
        self.stats.parked -= 1;
        if let Some(connection) = self.connections.get_mut(&parked.from) {
            connection.parked_bytes -= parked.size();
        }
    }
}
