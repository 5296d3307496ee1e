//! Destinations that have the life of a connection.

use flockmq_core::{ConnectionId, Destination, Instant, Refusal, Subscription, Temporary};

use super::place::Parked;
use super::{CLIENT, Model, REMOTE};

impl Model {
    /// Only the connection that a temporary destination belongs to consumes from it; of a client's, any that the client
    /// has.
    pub(super) fn check_owner(&self, connection: u64, asked: &Subscription) -> Result<(), Refusal> {
        let is_others = |part: &&Destination| {
            part.as_temporary().is_some_and(|name| match connection {
                REMOTE => name.broker != CLIENT,
                _ => (name.broker, name.connection) != (self.broker, ConnectionId(connection)),
            })
        };
        asked.destination.iter().find(is_others).map_or(Ok(()), |part| Err(Refusal::NotOwner(part.clone())))
    }

    /// A temporary destination of this broker is there while its connection is.
    pub(super) fn check_alive(&self, name: &Destination) -> Result<(), Refusal> {
        let is_over =
            |name: Temporary| name.broker == self.broker && !self.connections.contains_key(&name.connection.0);
        if name.as_temporary().is_some_and(is_over) { Err(Refusal::Deleted(name.clone())) } else { Ok(()) }
    }

    /// One of another broker is kept for so long after it was last named, while nobody consumes from it. Others are looked
    /// at, whether they are idle.
    pub(super) fn tend(&mut self, at: usize) -> usize {
        let until = self.now + self.config.temporaries_kept;
        let place = &mut self.places[at];
        match place.name.as_temporary() {
            Some(name) => {
                place.forsaken_at = Some(until).filter(|_| name.broker != self.broker && place.turns.is_empty());
            }
            None => self.watch(at),
        }
        at
    }

    /// A connection has ended, and what belongs to it ends.
    pub(super) fn end_temporaries(&mut self, connection: u64) {
        let owner = (self.broker, ConnectionId(connection));
        for at in 0..self.places.len() {
            if self.places[at].name.as_temporary().is_some_and(|name| (name.broker, name.connection) == owner) {
                self.forget(at);
            }
        }
    }

    /// What waits at a destination that ends is dropped. Who waits for room there is told that it was accepted: it could
    /// go nowhere else.
    pub(super) fn forget(&mut self, at: usize) {
        let is_queue = self.is_queue(at);
        let place = &mut self.places[at];
        assert!(place.turns.is_empty(), "what is consumed from stays");
        (place.is_gone, place.forsaken_at, place.idle_at, place.retained) = (true, None, None, None);
        place.past.clear();
        self.counts.orphaned += place.all().count() as u64;
        place.waiting.clear();
        place.delayed.clear();
        for Parked { connection, stream, number, .. } in std::mem::take(&mut place.parked) {
            self.counts.accepted += 1;
            self.counts.accepted_queued += u64::from(is_queue);
            self.counts.orphaned += u64::from(is_queue);
            self.tell_accepted(connection, stream, number);
        }
    }

    /// When the others' are forgotten.
    pub(super) fn forsaken(&self) -> impl Iterator<Item = (Instant, usize)> {
        self.places.iter().enumerate().filter_map(|(at, place)| Some((place.forsaken_at?, at)))
    }
}
