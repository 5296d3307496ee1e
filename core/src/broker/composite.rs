//! Several destinations at once: a consumer of them has one prefetch, and a message to them is taken by all or by none.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::parking::{Parked, Taken};
use super::registry::Slot;
use super::{Broker, Output};
use crate::base::{Instant, Outbox};
use crate::model::{Body, Destination, Destinations, Message, Origin, Refusal, Ticket};

impl Broker {
    /// Finds what a consumer names, creating what is not there; patterns stand for what comes. If anything can't be had
    /// nothing is created.
    pub(super) fn resolve_all(
        &mut self,
        now: Instant,
        destinations: &Destinations,
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        self.config.check_composite(destinations)?;
        if destinations.is_composite() {
            self.check_all(destinations.iter())?;
        }
        for destination in destinations.iter().filter(|destination| !destination.is_pattern()) {
            self.resolve(now, destination, out)?;
        }
        Ok(())
    }

    /// Takes an application's message for each of its destinations, or keeps it there until there is room; refuses it if
    /// any of them can't take it, or has no room for it and may not have it wait. Tells how many have taken it already.
    pub(crate) fn send_all(
        &mut self,
        now: Instant,
        from: Origin,
        ticket: Ticket,
        messages: Vec<Arc<Message>>,
        out: &mut Outbox<Output>,
    ) -> Result<usize, Refusal> {
        self.catch_up(now, out);
        self.check_all(messages.iter().map(|message| &message.destination))?;
        messages.iter().try_for_each(|message| self.check_size(&message.body))?;
        let slots = self.resolve_each(now, &messages, out)?;
        let mut waiting =
            slots.iter().zip(&messages).filter(|(slot, found)| self.is_congested(now, **slot, from, found));
        if let Some((slot, message)) = waiting.next() {
            self.check_parking(from, messages.len() as u64, message.size() as u64)?;
            self.check_wait(now, *slot, from, message)?;
            waiting.try_for_each(|(slot, message)| self.check_wait(now, *slot, from, message))?;
        }
        let mut accepted = 0;
        for (slot, message) in slots.into_iter().zip(messages) {
            let coming = Parked { from, ticket, redeliveries: 0, arrived_at: now, message };
            accepted += usize::from(self.take(slot, coming, |_, _, _| Ok(()), out)? == Taken::Accepted);
        }
        Ok(accepted)
    }

    /// The slot of each message's destination, which is created if there is none.
    pub(super) fn resolve_each(
        &mut self,
        now: Instant,
        messages: &[Arc<Message>],
        out: &mut Outbox<Output>,
    ) -> Result<Vec<Slot>, Refusal> {
        messages.iter().map(|message| self.resolve(now, &message.destination, out)).collect()
    }

    /// Refuses a message that is too large.
    pub(super) fn check_size(&self, body: &Body) -> Result<(), Refusal> {
        let (size, max) = (body.size() as u64, u64::from(self.config.message_max));
        if size > max { Err(Refusal::TooLarge { size, max }) } else { Ok(()) }
    }

    /// Refuses destinations of which one can't be had.
    pub(super) fn check_all<'a>(
        &self,
        mut destinations: impl Iterator<Item = &'a Destination> + Clone,
    ) -> Result<(), Refusal> {
        self.registry.check_room(destinations.clone(), &self.config)?;
        destinations.try_for_each(|destination| self.check_alive(destination))
    }
}
