//! Where messages stand in their queue.

use crate::model::Priority;

/// A message's place in its queue: more urgent ones come first, and of equally urgent ones those that came first. One
/// number, so that keeping many messages in order costs no more than if there were no priorities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u64);

impl Place {
    /// No place is before this one.
    pub(super) const FIRST: Self = Self(0);

    /// No message is at this place, and none after it.
    pub(super) const LAST: Self = Self(u64::MAX);

    /// The place of the `number`th message of a queue.
    #[inline]
    pub(super) fn new(priority: Priority, number: u64) -> Self {
        Self(Self::level(priority) | number)
    }

    /// The first place after this one.
    #[inline]
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Which message of its queue it is.
    pub(super) fn number(self) -> u64 {
        self.0 & ((1 << NUMBER_BITS) - 1)
    }

    /// Which priority's it is: 0 for the most urgent.
    #[inline]
    pub(super) fn row(self) -> usize {
        (self.0 >> NUMBER_BITS) as usize
    }

    /// The first place of what is less urgent.
    pub(super) fn next_level(self) -> Self {
        Self(((self.0 >> NUMBER_BITS) + 1) << NUMBER_BITS)
    }

    fn level(priority: Priority) -> u64 {
        u64::from(Priority::MAX.level() - priority.level()) << NUMBER_BITS
    }
}

/// More messages than a queue can see; what is left holds the level.
const NUMBER_BITS: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_urgent_come_first_and_of_equals_the_older() {
        let place = |level, number| Place::new(Priority::try_from(level).expect("a priority"), number);
        assert!(place(9, 1_000_000_000_000) < place(8, 1));
        assert!(place(1, 7) < place(0, 1));
        assert!(place(4, 7) < place(4, 8));
        assert_eq!(place(4, 7).next(), place(4, 8));
        assert!(Place::FIRST < place(9, 1));
        assert!(place(0, 1_000_000_000_000) < Place::LAST);
    }

    #[test]
    fn a_place_is_a_number_on_a_level() {
        let place = |level, number| Place::new(Priority::try_from(level).expect("a priority"), number);
        for level in 1..10 {
            assert_eq!(place(level, 1_000_000_000_000).number(), 1_000_000_000_000);
            assert_eq!(place(level, 7).next_level(), place(level - 1, 0));
        }
        assert!(place(0, 7).next_level() > place(0, 1_000_000_000_000));
    }
}
