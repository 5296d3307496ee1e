//! Consumers that want a queue alone.

use std::cmp::Reverse;

use super::Model;
use super::consumer::Id;

impl Model {
    /// A consumer stands behind all that come before it or alike. A queue is its alone if it asks so and nobody has it
    /// alone, or somebody of a lower priority has, or it has the highest there is.
    pub(super) fn join(&mut self, place: usize, id: Id) {
        self.queue_up(place, id);
        if !self.consumers[&id].asked.exclusive || !self.is_queue(place) {
            return;
        }
        let priority = self.priority(id);
        let holder = self.places[place].holder.map(|holder| self.priority(holder));
        if holder.is_none_or(|holder| priority > holder || priority == 127) {
            self.places[place].holder = Some(id);
        }
    }

    /// A consumer leaves. If it had the queue alone, of all others who want that the one with the highest priority has it
    /// now, and of equals the first that came.
    pub(super) fn leave(&mut self, place: usize, id: Id) {
        self.places[place].turns.retain(|found| *found != id);
        self.release_groups(place, id);
        if self.places[place].holder == Some(id) {
            let heirs = self.places[place].turns.iter().copied().filter(|heir| self.consumers[heir].asked.exclusive);
            self.places[place].holder = heirs.max_by_key(|heir| (self.priority(*heir), Reverse(*heir)));
        }
    }

    /// Nobody else has the queue alone.
    pub(super) fn is_open_to(&self, place: usize, id: Id) -> bool {
        self.places[place].holder.is_none_or(|holder| holder == id)
    }

    pub(super) fn priority(&self, id: Id) -> u8 {
        self.consumers[&id].asked.priority.level()
    }
}
