//! Destinations that nobody uses any more.

use flockmq_core::Instant;

use super::Model;
use super::place::Place;

impl Model {
    /// A destination is made, or gets or loses a consumer: it is looked at when it may have been idle for long enough.
    pub(super) fn watch(&mut self, at: usize) {
        let now = self.now;
        let place = &mut self.places[at];
        place.idle_at = place.policy.forgotten_after.map(|after| now + after);
        place.happened_before = place.happened();
    }

    /// When each is looked at.
    pub(super) fn looks_at(&self) -> impl Iterator<Item = (Instant, usize)> {
        self.places.iter().enumerate().filter_map(|(at, place)| Some((place.idle_at?, at)))
    }

    /// Forgets a destination where nothing has happened since it was looked at last, and of which nothing would be missed.
    pub(super) fn forget_idle(&mut self, at: usize) {
        if self.places[at].is_gone {
            return;
        }
        if self.places[at].happened() > self.places[at].happened_before || self.is_needed(at) {
            return self.watch(at);
        }
        self.counts.forgotten += 1;
        self.forget(at);
    }

    fn is_needed(&self, at: usize) -> bool {
        let place = &self.places[at];
        let remembers = place.retained.is_some() || !place.past.is_empty();
        !place.turns.is_empty()
            || !place.parked.is_empty()
            || place.counts.is_paused
            || place.all().next().is_some()
            || remembers
            || self.is_of_virtual_topic(at)
            || self.consumers.values().any(|found| found.looks_at(at))
    }
}

impl Place {
    /// How much has happened here.
    fn happened(&self) -> u64 {
        let counts = &self.counts;
        let handed = counts.enqueued + counts.dispatched + counts.dequeued;
        handed + counts.expired + counts.failed + counts.dead_lettered + counts.purged + counts.dropped
    }
}
