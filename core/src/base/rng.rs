//! Chance, drawn from a seed. The algorithm is ours (`SplitMix64` feeding xoshiro256**), so that an old seed
//! keeps its meaning whatever crates do.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// What all of a node's chance comes from; printed and parsed as hexadecimal.
///
/// ```
/// use flockmq_core::Seed;
///
/// let seed = Seed::from(42);
/// assert_eq!(seed.to_string().parse(), Ok(seed));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed(pub u128);

impl From<u64> for Seed {
    fn from(number: u64) -> Self {
        Self(u128::from(number))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl FromStr for Seed {
    type Err = core::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

/// A deterministic generator: equal seeds give equal draws, on every platform.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// A generator that starts from `seed`.
    #[expect(clippy::cast_possible_truncation, reason = "the seed's two halves are taken one by one")]
    pub fn new(seed: Seed) -> Self {
        let mut low = seed.0 as u64;
        let mut high = (seed.0 >> 64) as u64 ^ 0x6a09_e667_f3bc_c909;
        let state = [split_mix(&mut low), split_mix(&mut high), split_mix(&mut low), split_mix(&mut high)];
        let mut rng = Self { state };
        rng.next_u64(); // The first draw shows one half of the seed only.
        rng
    }

    #[must_use = "a fork that is dropped changes what this one draws next"]
    /// A generator of its own, whose draws do not disturb this one's.
    pub fn fork(&mut self) -> Self {
        Self::new(Seed(self.next_u128()))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let drawn = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        drawn
    }

    /// The next 128 bits.
    pub fn next_u128(&mut self) -> u128 {
        u128::from(self.next_u64()) << 64 | u128::from(self.next_u64())
    }

    /// A number below `bound`, each equally likely; 0 if `bound` is 0.
    #[expect(clippy::cast_possible_truncation, reason = "the upper half of the product is the draw")]
    pub fn below(&mut self, bound: u64) -> u64 {
        // Lemire's multiply-and-reject: unbiased, and one multiplication nearly always.
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let threshold = bound.wrapping_neg() % bound;
            while (product as u64) < threshold {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// True with probability `numerator / denominator`.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// An element of `items`, each equally likely; none if there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = self.below(items.len() as u64);
        items.get(usize::try_from(index).ok()?)
    }

    /// Puts `items` into an order that is each equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(last);
            items.swap(last, other);
        }
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    #[test]
    fn a_seed_keeps_its_meaning() {
        let mut rng = Rng::new(Seed::from(1));
        let drawn: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(drawn, [1_441_186_005_378_208_814, 6_332_918_523_165_341_691, 8_256_156_857_727_852_324]);
        assert_eq!(rng.next_u128(), 112_216_706_814_480_169_643_200_351_978_581_432_184);
        assert_eq!(rng.fork().next_u64(), 1_073_981_857_089_576_988);
        assert_eq!([6, 1000, u64::MAX].map(|bound| rng.below(bound)), [4, 465, 1_190_856_259_497_269_736]);
        let mut items = [1, 2, 3, 4, 5, 6];
        rng.shuffle(&mut items);
        assert_eq!((items, rng.pick(&items)), ([3, 2, 4, 1, 5, 6], Some(&1)));
    }

    #[test]
    fn a_seed_is_written_in_hexadecimal() {
        assert_eq!(Seed::from(0xfeed).to_string(), "feed");
        assert_eq!("feed".parse(), Ok(Seed(0xfeed)));
        assert!("seed".parse::<Seed>().is_err());
    }

    #[test]
    fn every_bit_of_a_seed_counts_from_the_first_draw_on() {
        let first = |seed: u128| Rng::new(Seed(seed)).next_u64();
        for bit in 0..128 {
            assert_ne!(first(0), first(1 << bit), "bit {bit}");
        }
    }

    #[test]
    fn draws_stay_below_their_bound_and_reach_every_number() {
        let mut rng = Rng::new(Seed::from(7));
        let mut counts = [0_u32; 6];
        for _ in 0..6000 {
            counts[usize::try_from(rng.below(6)).expect("below six")] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
        assert_eq!(rng.below(0), 0);
    }

    /// The greatest bound for which a draw is often rejected: 3/4 of all 64-bit numbers, so that one in four is.
    #[test]
    fn draws_below_a_huge_bound_are_equally_likely_too() {
        let mut rng = Rng::new(Seed::from(7));
        let mut counts = [0_u32; 3];
        for _ in 0..6000 {
            counts[usize::try_from(rng.below(3 << 62) % 3).expect("below three")] += 1;
        }
        assert!(counts.iter().all(|count| (1800..2200).contains(count)), "{counts:?}");
    }

    #[test]
    fn no_draw_below_a_power_of_two_is_rejected() {
        let mut rng = Rng::new(Seed::from(7));
        let mut untouched = rng.clone();
        for _ in 0..10 {
            assert_eq!(rng.below(1 << 63), untouched.next_u64() >> 1);
        }
    }

    #[test]
    fn chances_come_true_as_often_as_they_say() {
        let mut rng = Rng::new(Seed::from(7));
        let mut count = |numerator, denominator| (0..4000).filter(|_| rng.chance(numerator, denominator)).count();
        assert_eq!((count(0, 4), count(4, 4)), (0, 4000));
        assert!((900..1100).contains(&count(1, 4)));
    }

    #[test]
    fn every_element_is_picked_and_every_order_reached() {
        let mut rng = Rng::new(Seed::from(7));
        let mut picked = [0_u32; 3];
        let mut orders = BTreeMap::<_, u32>::new();
        for _ in 0..6000 {
            picked[*rng.pick(&[0_usize, 1, 2]).expect("three to pick from")] += 1;
            let mut order = [1, 2, 3];
            rng.shuffle(&mut order);
            *orders.entry(order).or_default() += 1;
        }
        assert!(picked.iter().all(|count| (1800..2200).contains(count)), "{picked:?}");
        assert_eq!(orders.len(), 6);
        assert!(orders.values().all(|count| (800..1200).contains(count)), "{orders:?}");
        assert_eq!(rng.pick::<u8>(&[]), None);
    }

    #[test]
    fn a_fork_draws_apart_from_its_parent() {
        let mut parent = Rng::new(Seed::from(3));
        let mut untouched = parent.clone();
        let mut fork = parent.fork();
        let _ = untouched.fork();
        for _ in 0..10 {
            fork.next_u64();
        }
        assert_eq!(parent.next_u64(), untouched.next_u64());
    }
}
