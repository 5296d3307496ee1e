//! What consumers with selectors are still to be asked about, although they have looked further.

use alloc::collections::BTreeSet;

use super::place::Place;
use super::subscription::SubscriptionId;

/// Places before their cursors to which messages have come, or come back, by consumer. So whoever refuses all of a long
/// queue is not asked about it again for each of them.
#[derive(Debug, Default)]
pub(super) struct Missed(BTreeSet<(SubscriptionId, Place)>);

impl Missed {
    /// A message is at a place that the consumer is beyond.
    pub(super) fn note(&mut self, id: SubscriptionId, place: Place) {
        self.0.insert((id, place));
    }

    /// The first place of all, if there are as many as may be.
    pub(super) fn overflow(&self) -> Option<Place> {
        if self.0.len() < PLACES_MAX { None } else { self.0.iter().map(|(_, place)| *place).min() }
    }

    /// The first place from `from` on that a consumer is still to be asked about.
    #[inline]
    pub(super) fn first(&self, id: SubscriptionId, from: Place) -> Option<Place> {
        self.range(id, from, Place::LAST).next()
    }

    /// The places from `from` on and before `end` that a consumer is still to be asked about.
    #[inline]
    pub(super) fn range(&self, id: SubscriptionId, from: Place, end: Place) -> impl Iterator<Item = Place> {
        self.0.range((id, from)..(id, end.max(from))).map(|(_, place)| *place)
    }

    /// A consumer has been asked about all before `end`.
    #[inline]
    pub(super) fn ask(&mut self, id: SubscriptionId, end: Place) {
        while let Some(place) = self.first(id, Place::FIRST)
            && place < end
        {
            self.0.remove(&(id, place));
        }
    }

    /// No cursor is beyond `place` any more.
    pub(super) fn forget_from(&mut self, place: Place) {
        self.0.retain(|(_, found)| *found < place);
    }

    /// A consumer has left.
    pub(super) fn release(&mut self, id: SubscriptionId) {
        self.ask(id, Place::LAST);
    }
}

/// How many places a queue remembers; beyond it consumers look at everything again from the first of them on.
pub(super) const PLACES_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Key;
    use crate::model::Priority;
    use alloc::vec::Vec;

    #[test]
    fn each_consumer_has_places_of_its_own() {
        let [one, two] = [1, 2].map(SubscriptionId::from_number);
        let place = |number| Place::new(Priority::default(), number);
        let places = |missed: &Missed, id| missed.range(id, Place::FIRST, Place::LAST).collect::<Vec<_>>();
        let mut missed = Missed::default();
        for (id, number) in [(one, 5), (two, 5), (one, 3), (one, 9), (one, 3)] {
            missed.note(id, place(number));
        }
        assert_eq!(missed.range(one, place(3), place(9)).collect::<Vec<_>>(), [3, 5].map(place));
        assert_eq!(missed.range(one, place(5), place(3)).next(), None);
        assert_eq!((missed.first(one, place(4)), missed.first(two, place(6))), (Some(place(5)), None));
        missed.ask(one, place(5));
        assert_eq!((places(&missed, one), places(&missed, two)), ([5, 9].map(place).into(), [place(5)].into()));
        missed.forget_from(place(6));
        assert_eq!(places(&missed, one), [place(5)]);
        missed.release(one);
        assert_eq!((places(&missed, one), places(&missed, two)), (Vec::new(), [place(5)].into()));
    }

    #[test]
    fn as_many_as_may_be_are_one_place_to_begin_at_again() {
        let mut missed = Missed::default();
        for number in (2..).take(PLACES_MAX - 1) {
            missed.note(SubscriptionId::from_number(7), Place::new(Priority::default(), number));
        }
        assert_eq!(missed.overflow(), None);
        missed.note(SubscriptionId::from_number(9), Place::new(Priority::default(), 1));
        assert_eq!(missed.overflow(), Some(Place::new(Priority::default(), 1)));
    }
}
