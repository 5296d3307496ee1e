//! One stream of decisions: from a seed, so that a run can be had again, or from bytes, so that a fuzzer can steer it.

use flockmq_core::{Rng, Seed};

/// Where a scenario's decisions come from.
#[derive(Clone, Debug)]
pub struct Choice<'a>(Source<'a>);

#[derive(Clone, Debug)]
enum Source<'a> {
    Bytes(&'a [u8]),
    Seed(Rng),
}

impl<'a> Choice<'a> {
    /// Decisions that follow from a seed, without end.
    pub fn from_seed(seed: u64) -> Self {
        Self(Source::Seed(Rng::new(widen(seed))))
    }

    /// Decisions that are read from bytes; when they run out, every further one is the first of its possibilities.
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        Self(Source::Bytes(bytes))
    }

    /// True if all further decisions are the first of their possibilities.
    pub fn is_exhausted(&self) -> bool {
        matches!(self.0, Source::Bytes([]))
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        match &mut self.0 {
            Source::Seed(rng) => rng.below(bound),
            Source::Bytes(bytes) => {
                // As few bytes as can tell all possibilities apart: a fuzzer changes decisions by changing bytes.
                let width = (u64::BITS - bound.saturating_sub(1).leading_zeros()).div_ceil(8) as usize;
                let (taken, rest) = bytes.split_at(width.min(bytes.len()));
                *bytes = rest;
                let number = taken.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
                number.checked_rem(bound).unwrap_or(0)
            }
        }
    }

    /// True in `numerator` of `denominator` cases; false when the bytes have run out.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) >= denominator - numerator
    }

    /// One of several things.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        let index = self.below(items.len() as u64);
        items[usize::try_from(index).expect("an index into a slice")]
    }

    /// A number below `bound`, for places in short lists.
    pub fn place(&mut self, bound: usize) -> u8 {
        u8::try_from(self.below(bound.min(256) as u64)).expect("at most 255")
    }
}

/// A seed that differs from its neighbours in both halves: those that differ in one only begin alike.
pub(crate) fn widen(seed: u64) -> Seed {
    Seed(u128::from(seed) << 64 | u128::from(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_ran_out_choose_the_first_possibility() {
        let mut choice = Choice::from_bytes(&[7, 1, 2]);
        assert_eq!(choice.below(5), 2);
        assert_eq!(choice.below(70_000), 0x0102, "three bytes are wanted, two are there");
        assert!(choice.is_exhausted());
        assert_eq!((choice.below(5), choice.chance(1, 2), choice.pick(&["a", "b"])), (0, false, "a"));
    }

    #[test]
    fn a_seed_chooses_the_same_again() {
        let draw = || {
            let mut choice = Choice::from_seed(3);
            (0..10).map(|_| choice.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
        assert!(draw().iter().all(|number| *number < 1_000));
    }

    #[test]
    fn a_choice_of_nothing_is_nothing() {
        assert_eq!(Choice::from_bytes(&[1]).below(0), 0);
        assert_eq!(Choice::from_bytes(&[1]).below(1), 0);
    }
}
