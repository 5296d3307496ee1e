//! Consumers that look at a queue and take nothing.

use std::cmp::Reverse;

use flockmq_core::{Priority, Refusal, Subscription};

use super::consumer::{Consumer, Id};
use super::{Model, is_queue};

/// How far one has looked.
pub(super) struct Browse {
    place: Option<usize>,                   // There was none when it began.
    seen: Option<(Reverse<Priority>, u64)>, // The rank of the last that it was shown, or did not want.
    last: u64,                              // Of what had come when it began.
    has_ended: bool,
}

impl Consumer {
    /// It is shown what waits at a place.
    pub(super) fn looks_at(&self, place: usize) -> bool {
        self.browse.as_ref().is_some_and(|browse| browse.place == Some(place) && !browse.has_ended)
    }
}

impl Model {
    pub(super) fn browse(&self, asked: &Subscription) -> Result<Browse, Refusal> {
        let queue = asked.destination.first();
        if !is_queue(queue) || queue.is_pattern() || asked.destination.is_composite() {
            return Err(Refusal::NotBrowsable(queue.clone()));
        }
        let place = self.known(queue);
        let last = place.map_or(0, |place| self.places[place].born);
        Ok(Browse { place, seen: None, last, has_ended: false })
    }

    /// Shows what waits, of what had come at the beginning, as far as there is credit; then tells the end. What comes back
    /// to a place that was looked at already is not shown.
    pub(super) fn look_on(&mut self, id: Id) {
        while let Some(browse) = &self.consumers[&id].browse
            && !browse.has_ended
        {
            let waiting = browse.place.into_iter().flat_map(|place| &self.places[place].waiting);
            let mut unseen = waiting.filter(|found| found.order <= browse.last && browse.seen < Some(found.rank()));
            let next = unseen.next().cloned();
            let is_wanted = next.as_ref().is_some_and(|next| self.consumers[&id].wants(next));
            if is_wanted && !self.has_credit(id) {
                return;
            }
            let consumer = self.consumer(id);
            let browse = consumer.browse.as_mut().expect("just seen");
            if let (Some(place), Some(waiting)) = (browse.place, next) {
                browse.seen = Some(waiting.rank());
                if is_wanted {
                    self.hand(id, place, waiting);
                }
            } else {
                browse.has_ended = true;
                let number = consumer.number;
                self.said.browsed.push(number);
            }
        }
    }
}
