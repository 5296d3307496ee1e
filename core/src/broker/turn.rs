//! Whose turn is next among a queue's consumers of one priority: each comes as often as it counts for, evenly spread.
//!
//! Time passes with the turns that are taken. After each of its own a consumer comes again in a [`ROUND`] divided by its
//! weight, and they stand in the order in which they come. So those of one weight take turns one after the other. Who can't
//! take its turn loses it, but comes before others at the next.

use core::num::NonZeroU32;

use super::registry::{Consumer, Entry};

/// When a consumer comes, and comes again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    at: u32, // Wraps. No two of one priority are further apart than a round.
    stride: u32,
}

/// How long a consumer of weight 1 waits. All numbers up to 20 divide it, so that small weights are kept to exactly.
const ROUND: u32 = 232_792_560;

impl Turn {
    /// The turn of a consumer of this weight, which comes at once.
    pub(super) fn new(weight: NonZeroU32) -> Self {
        Self { at: 0, stride: stride(weight) }
    }

    /// Its consumer has this weight after its next turn.
    pub(super) fn weigh(&mut self, weight: NonZeroU32) {
        self.stride = stride(weight);
    }

    /// What so many of something are for a consumer, in proportion to its weight.
    pub(super) fn load(self, count: usize) -> u64 {
        count as u64 * u64::from(self.stride)
    }

    /// How long after this one another comes, which comes no sooner.
    fn until(self, later: Self) -> u32 {
        later.at.wrapping_sub(self.at)
    }
}

impl Entry {
    /// Adds a consumer, as if it had just had its turn.
    pub(super) fn line_up(&mut self, mut consumer: Consumer) {
        let begin = self.consumers.partition_point(|known| known.priority > consumer.priority);
        let end = self.consumers.partition_point(|known| known.priority >= consumer.priority);
        let (equals, stride) = (&self.consumers[begin..end], consumer.turn.stride);
        let mut place = end;
        if let Some(next) = equals.first().map(|next| next.turn) {
            consumer.turn.at = next.at.wrapping_add(stride);
            place = begin + equals.partition_point(|known| next.until(known.turn) <= stride);
        }
        self.consumers.insert(place, consumer);
    }

    /// The consumer at this place has its turn; those before it could not take theirs.
    pub(super) fn take_turn(&mut self, index: usize) {
        let Consumer { priority, turn, .. } = self.consumers[index];
        let passed_over = self.consumers[..index].iter_mut().rev().take_while(|known| known.priority == priority);
        passed_over.for_each(|known| known.turn.at = turn.at);
        self.consumers[index].turn.at = turn.at.wrapping_add(turn.stride);
        let rest = self.consumers[index + 1..].iter().take_while(|known| known.priority == priority);
        let sooner = rest.take_while(|known| turn.until(known.turn) <= turn.stride).count();
        self.consumers[index..=index + sooner].rotate_left(1);
    }
}

fn stride(weight: NonZeroU32) -> u32 {
    (ROUND / weight).max(1)
}
