//! Several destinations at once.

use std::sync::Arc;

use flockmq_core::{Destinations, Message, Refusal, Subscription};

use super::Model;
use super::place::{Parked, Waiting};

impl Model {
    /// So many may be named at once.
    pub(super) fn check_composite(&self, named: &Destinations) -> Result<(), Refusal> {
        let (found, max) = (named.len() as u64, self.config.composite_max as u64);
        if named.is_composite() && found > max { Err(Refusal::TooManyDestinations { found, max }) } else { Ok(()) }
    }

    /// Places that a consumer takes from, the oldest first.
    pub(super) fn places_of(&self, asked: &Subscription) -> Vec<usize> {
        let mut places: Vec<usize> = asked.destination.iter().flat_map(|part| self.covered(part)).collect();
        places.sort_unstable();
        places.dedup(); // Several parts may cover one.
        places
    }

    /// Makes what a consumer names and is not there: all of it, or nothing.
    pub(super) fn make_places(&mut self, named: &Destinations) -> Result<(), Refusal> {
        self.check_composite(named)?;
        if named.is_composite() {
            self.check_places(named.iter())?;
        }
        named.iter().filter(|part| !part.is_pattern()).try_for_each(|part| self.place(part).map(drop))
    }

    /// Takes a message for each of its destinations, or keeps it there until there is room; refuses it for all of them if
    /// one can't have it, or would have it wait where that may not be.
    pub(super) fn take_each(
        &mut self,
        connection: u64,
        stream: u64,
        number: u64,
        message: &Message,
        named: &Destinations,
    ) -> Result<(), Refusal> {
        self.catch_up();
        self.check_places(named.iter())?;
        self.check_size(message)?;
        let copy = |part: &_| Arc::new(Message { destination: Clone::clone(part), ..message.clone() });
        let waiting = |message| Waiting { order: 0, redeliveries: 0, arrived_at: self.now, message };
        let copies: Vec<Waiting> = named.iter().map(copy).map(waiting).collect();
        let places: Vec<usize> = named.iter().map(|part| self.place(part).expect("there is room for it")).collect();
        let all = || places.iter().copied().zip(&copies);
        let waiting: Vec<_> = all().filter(|(place, copy)| self.is_congested(*place, connection, copy)).collect();
        if let Some((_, first)) = waiting.first() {
            self.check_parking(connection, copies.len() as u64, first.size())?;
        }
        waiting.into_iter().try_for_each(|(place, copy)| self.check_wait(connection, place, copy))?;
        for (place, waiting) in places.into_iter().zip(copies) {
            self.places[place].parked.push_back(Parked { connection, stream, number, waiting });
            self.unpark_all();
        }
        Ok(())
    }
}
