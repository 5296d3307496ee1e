//! Bounded memory of which numbers of a sequence were seen.

use alloc::boxed::Box;

/// What a [`Window`] knows of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Not seen before; it is remembered from now on.
    First,
    /// Seen before.
    Again,
    /// Too far behind the newest to be remembered either way.
    Forgotten,
}

/// Remembers the newest [`Window::SPAN`] numbers of one sequence.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    newest: u64,
    bits: Box<[u64; WORDS]>, // The bit of number n is n modulo the span.
}

impl Default for Window {
    fn default() -> Self {
        Self { newest: 0, bits: Box::new([0; WORDS]) }
    }
}

impl Window {
    /// How many numbers below the newest are remembered.
    pub(crate) const SPAN: u64 = (WORDS * 64) as u64;

    /// Notes `number` (1 or above) and tells whether it was noted before.
    pub(crate) fn note(&mut self, number: u64) -> Seen {
        if number > self.newest {
            self.advance_to(number);
        } else if self.newest - number >= Self::SPAN {
            return Seen::Forgotten;
        }
        let (word, bit) = place(number);
        let seen = self.bits[word] & bit != 0;
        self.bits[word] |= bit;
        if seen { Seen::Again } else { Seen::First }
    }

    /// True if `number` was noted before and is remembered.
    pub(crate) fn knows(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        number <= self.newest && self.newest - number < Self::SPAN && self.bits[word] & bit != 0
    }

    /// Forgets `number`, if it is remembered.
    pub(crate) fn forget(&mut self, number: u64) {
        if self.knows(number) {
            let (word, bit) = place(number);
            self.bits[word] &= !bit;
        }
    }

    fn advance_to(&mut self, number: u64) {
        if number - self.newest >= Self::SPAN {
            self.bits.fill(0);
        } else {
            for skipped in self.newest + 1..=number {
                let (word, bit) = place(skipped);
                self.bits[word] &= !bit;
            }
        }
        self.newest = number;
    }
}

const WORDS: usize = 64;

fn place(number: u64) -> (usize, u64) {
    let index = number % Window::SPAN;
    (usize::try_from(index / 64).unwrap_or(0), 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn the_last_number_there_is_comes_twice_like_any_other() {
        let mut window = Window::default();
        assert_eq!(
            [u64::MAX, u64::MAX, 1].map(|number| window.note(number)),
            [Seen::First, Seen::Again, Seen::Forgotten]
        );
        assert!(window.knows(u64::MAX) && !window.knows(1));
    }

    #[test]
    fn four_thousand_and_some_numbers_are_remembered() {
        let mut window = Window::default();
        window.note(1);
        window.note(4096);
        assert!(window.knows(1));
        window.note(4097);
        assert!(!window.knows(1) && window.knows(4096));
        assert_eq!(window.note(1), Seen::Forgotten);
    }

    proptest! {
        /// A window agrees with a set of all that was seen, as far back as it remembers.
        #[test]
        fn a_window_is_a_set_that_forgets_the_old(
            steps in vec((prop_oneof![0_u64..4, 0_u64..6000], any::<bool>(), any::<bool>()), 1..200),
        ) {
            let (mut window, mut set, mut newest) = (Window::default(), BTreeSet::new(), 0_u64);
            for (step, is_forward, is_taken_back) in steps {
                let number = if is_forward { newest + step } else { newest.saturating_sub(step) }.max(1);
                newest = newest.max(number);
                let expected = if number + Window::SPAN <= newest {
                    Seen::Forgotten
                } else if set.contains(&number) {
                    Seen::Again
                } else {
                    Seen::First
                };
                set.insert(number);
                prop_assert_eq!(window.note(number), expected);
                if is_taken_back {
                    window.forget(number);
                    set.remove(&number);
                }
                let oldest = (newest + 1).saturating_sub(Window::SPAN);
                for number in [number, number + 1, newest, newest + 1, oldest, oldest.saturating_sub(1)] {
                    prop_assert_eq!(window.knows(number), number >= oldest && set.contains(&number), "{}", number);
                }
            }
        }
    }
}
