//! Several destinations at once: a consumer of them has one prefetch, and a message to them is taken by all or by none.

use alloc::sync::Arc;

use super::parking::{Parked, Taken};
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

    /// Refuses an application's message to several destinations if any of them can't take it, or has no room for it and
    /// may not have it wait.
    pub(crate) fn check_sends(
        &mut self,
        now: Instant,
        from: Origin,
        messages: &[Arc<Message>],
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        self.catch_up(now, out);
        self.check_all(messages.iter().map(|message| &message.destination))?;
        let (mut size, mut waits) = (0, false);
        for message in messages {
            self.check_size(&message.body)?;
            size = message.size() as u64;
            if let Some(slot) = self.registry.find(&message.destination).filter(|slot| self.is_congested(*slot)) {
                self.check_wait(slot, from)?;
                waits = true;
            }
        }
        if waits { self.check_parking(from, messages.len() as u64, size) } else { Ok(()) }
    }

    /// Takes a message for one of the destinations that [`check_sends`](Self::check_sends) was asked about, or keeps it
    /// until there is room.
    pub(crate) fn send_checked(
        &mut self,
        now: Instant,
        from: Origin,
        ticket: Ticket,
        message: Arc<Message>,
        out: &mut Outbox<Output>,
    ) -> Result<Taken, Refusal> {
        let slot = self.resolve(now, &message.destination, out)?;
        if self.is_congested(slot) {
            self.park(slot, Parked { from, ticket, redeliveries: 0, arrived_at: now, message }, out);
            return Ok(Taken::Parked);
        }
        self.accept(now, slot, from, 0, message, out);
        Ok(Taken::Accepted)
    }

    /// Refuses a message that is too large.
    pub(super) fn check_size(&self, body: &Body) -> Result<(), Refusal> {
        let (size, max) = (body.size() as u64, u64::from(self.config.message_max));
        if size > max { Err(Refusal::TooLarge { size, max }) } else { Ok(()) }
    }

    fn check_all<'a>(&self, mut destinations: impl Iterator<Item = &'a Destination> + Clone) -> Result<(), Refusal> {
        self.registry.check_room(destinations.clone(), &self.config)?;
        destinations.try_for_each(|destination| self.check_alive(destination))
    }
}
