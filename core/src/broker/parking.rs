//! Messages that come: taken, or kept until their destination has room for them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::expiry::age;
use super::registry::{Consumer, Room, Slot};
use super::{Broker, Output};
use crate::base::{Instant, Outbox, Situation};
use crate::model::{Message, Origin, Refusal, Ticket};

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
    ticket: Ticket,
    redeliveries: u32,
    arrived_at: Instant,
    message: Arc<Message>,
}

impl Parked {
    /// What its sender is told once it is taken.
    pub(super) fn into_accepted(self) -> Output {
        Output::Accepted { to: self.from, ticket: self.ticket }
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
        let size = message.body.size() as u64;
        if size > u64::from(self.config.message_max) {
            return Err(Refusal::TooLarge { size, max: self.config.message_max.into() });
        }
        let slot = match self.resolve(now, &message.destination) {
            Err(Refusal::Deleted(destination)) if matches!(from, Origin::Bridge(_)) => {
                self.let_go_late(&destination);
                return Ok(Taken::Accepted);
            }
            slot => slot?,
        };
        if self.is_congested(slot) {
            Situation::Parked.met();
            self.stats.parked += 1;
            self.congested.insert(slot);
            let parked = Parked { from, ticket, redeliveries, arrived_at: now, message };
            self.registry.get_mut(slot).parked.push_back(parked);
            return Ok(Taken::Parked);
        }
        self.accept(now, slot, from, redeliveries, message, out);
        Ok(Taken::Accepted)
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
            self.stats.parked -= mine.len() as u64;
            for parked in mine {
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
    pub(super) fn is_congested(&self, slot: Slot) -> bool {
        let destination = self.registry.get(slot);
        !destination.parked.is_empty() || self.is_full(slot)
    }

    pub(super) fn is_full(&self, slot: Slot) -> bool {
        let destination = self.registry.get(slot);
        match &destination.room {
            Room::Queue(queue) => queue.bytes() >= self.config.queue_bytes_max,
            Room::Topic => {
                let is_full = |consumer: &Consumer| {
                    let found = self.subscriptions.get(consumer.id);
                    found.is_some_and(|found| found.is_full(self.config.topic_bytes_max))
                };
                destination.consumers.iter().any(is_full) || destination.queues.iter().any(|queue| self.is_full(*queue))
            }
        }
    }

    /// Takes parked messages as far as there is room again.
    pub(super) fn unpark(&mut self, now: Instant, slot: Slot, out: &mut Outbox<Output>) {
        while !self.registry.get(slot).parked.is_empty() && !self.is_full(slot) {
            let parked = self.registry.get_mut(slot).parked.pop_front().expect("not empty");
            Situation::Unparked.met();
            self.stats.parked -= 1;
            self.accept_parked(now, slot, parked, out);
        }
        if self.registry.get(slot).parked.is_empty() {
            self.congested.remove(&slot);
        }
    }

    pub(super) fn unpark_all(&mut self, now: Instant, out: &mut Outbox<Output>) {
        for slot in self.congested.iter().copied().collect::<Vec<_>>() {
            self.unpark(now, slot, out);
        }
    }

    pub(super) fn forget_parked(&mut self, is_gone: impl Fn(&Parked) -> bool) {
        for slot in &self.congested {
            let parked = &mut self.registry.get_mut(*slot).parked;
            let before = parked.len();
            parked.retain(|parked| !is_gone(parked));
            if parked.len() < before {
                Situation::ParkedForgotten.met();
            }
            self.stats.parked -= (before - parked.len()) as u64;
        }
    }
}
