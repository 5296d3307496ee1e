//! One stream of decisions: from a seed, so that a run can be had again, or from bytes, so that a fuzzer can steer it or
//! a file can hold it.

use flockmq_core::{Rng, Seed};

/// Where a scenario's decisions come from.
#[derive(Clone, Debug)]
pub struct Choice<'a> {
    source: Source<'a>,
    record: Option<Vec<u8>>,
}

#[derive(Clone, Debug)]
enum Source<'a> {
    Bytes(&'a [u8]),
    Seed(Rng),
}

impl<'a> Choice<'a> {
    /// Decisions that follow from a seed, without end.
    pub fn from_seed(seed: u64) -> Self {
        Self { source: Source::Seed(Rng::new(widen(seed))), record: None }
    }

    /// Decisions that are read from bytes; when they run out, every further one is the first of its possibilities.
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        Self { source: Source::Bytes(bytes), record: None }
    }

    /// Keeps all further decisions, for [`Choice::take_record`].
    pub fn record(&mut self) {
        self.record = Some(Vec::new());
    }

    /// The bytes from which the decisions since [`Choice::record`] are read again.
    pub fn take_record(&mut self) -> Vec<u8> {
        self.record.take().unwrap_or_default()
    }

    /// True if all further decisions are the first of their possibilities.
    pub fn is_exhausted(&self) -> bool {
        matches!(self.source, Source::Bytes([]))
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // As few bytes as can tell all possibilities apart: a fuzzer changes decisions by changing bytes.
        let width = (u64::BITS - bound.saturating_sub(1).leading_zeros()).div_ceil(8) as usize;
        let number = match &mut self.source {
            Source::Seed(rng) => rng.below(bound),
            Source::Bytes(bytes) => {
                let (taken, rest) = bytes.split_at(width.min(bytes.len()));
                *bytes = rest;
                let number = taken.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
                number.checked_rem(bound).unwrap_or(0)
            }
        };
        if let Some(record) = &mut self.record {
            record.extend_from_slice(&number.to_be_bytes()[8 - width..]);
        }
        number
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
    use crate::Scenario;

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
    fn decisions_that_were_recorded_are_made_again() {
        for seed in 0..50 {
            let mut choice = Choice::from_seed(seed);
            choice.record();
            let scenario = Scenario::draw(&mut choice, 40);
            let bytes = choice.take_record();
            let mut again = Choice::from_bytes(&bytes);
            assert_eq!(Scenario::draw(&mut again, 40), scenario, "seed {seed}");
            assert!(again.is_exhausted(), "seed {seed}");
        }
    }

    #[test]
    fn a_choice_of_nothing_is_nothing() {
        assert_eq!(Choice::from_bytes(&[1]).below(0), 0);
        assert_eq!(Choice::from_bytes(&[1]).below(1), 0);
    }
}
