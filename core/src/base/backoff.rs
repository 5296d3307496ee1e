//! How long to wait before trying again.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::rng::Rng;

/// Shape of a sequence of waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackoffConfig {
    /// The first wait.
    pub first: Duration,
    /// The longest wait, jitter included.
    pub max: Duration,
    /// What each wait is multiplied by to give the next; 1 keeps them equal.
    pub factor: u32,
    /// How far a wait may be drawn below its nominal length, in percent of it.
    pub jitter_percent: u32,
    /// How many attempts in a row may fail before giving up; `None` never gives up.
    pub attempts_max: Option<u32>,
}

impl Default for BackoffConfig {
    /// 100 ms, doubling, at most 30 s, up to 20 % shorter by chance, never giving up.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(100),
            max: Duration::from_secs(30),
            factor: 2,
            jitter_percent: 20,
            attempts_max: None,
        }
    }
}

/// Failures in a row and what they lead to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
    waits: u32,
}

impl Backoff {
    /// Counts a failure and tells how long to wait, as [`Backoff::pause`] does, or `None` when the attempts are used
    /// up.
    pub fn fail(&mut self, config: &BackoffConfig, rng: &mut Rng) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        if config.attempts_max.is_some_and(|max| self.failures >= max) {
            return None;
        }
        Some(self.pause(config, rng))
    }

    /// How long to wait although nothing has failed, as before the first attempt to come back to what was lost.
    ///
    /// The nominal wait is `min(first × factor^n, max)` after n earlier waits; the drawn one lies within
    /// `jitter_percent` below it and is never shorter than [`Backoff::FLOOR`].
    pub fn pause(&mut self, config: &BackoffConfig, rng: &mut Rng) -> Duration {
        let nominal = grown(config.first, config.factor, config.max, self.waits);
        self.waits = self.waits.saturating_add(1);
        let spread = nominal.as_nanos() * u128::from(config.jitter_percent.min(100)) / 100;
        let shorter = rng.below(u64::try_from(spread).unwrap_or(u64::MAX).saturating_add(1));
        nominal.saturating_sub(Duration::from_nanos(shorter)).max(Self::FLOOR)
    }

    /// Forgets all failures, but not how long the next wait is: something worked, for however short.
    pub fn forget_failures(&mut self) {
        self.failures = 0;
    }

    /// Forgets all failures and waits: something worked for long enough.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// True if nothing has gone wrong since the last reset: neither a failure nor a wait.
    pub fn is_fresh(&self) -> bool {
        *self == Self::default()
    }

    /// Failures since the last reset.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// No wait is shorter, whatever the configuration, so that no failure can spin.
    pub const FLOOR: Duration = Duration::from_millis(1);
}

/// `min(first × factor^times, max)`.
pub(crate) fn grown(first: Duration, factor: u32, max: Duration, times: u32) -> Duration {
    let mut wait = first.min(max);
    if factor < 2 || wait.is_zero() {
        return wait;
    }
    for _ in 0..times {
        if wait >= max {
            break; // At most 64 doublings reach any cap, however many times there were.
        }
        wait = wait.saturating_mul(factor).min(max);
    }
    wait
}

#[cfg(test)]
mod tests {
    use super::super::rng::{Rng, Seed};
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn waits_double_up_to_the_cap() {
        let config = BackoffConfig { jitter_percent: 0, max: Duration::from_millis(500), ..BackoffConfig::default() };
        let (mut backoff, mut rng) = (Backoff::default(), Rng::new(Seed::from(1)));
        let waits: Vec<_> = (0..5).map(|_| backoff.fail(&config, &mut rng).expect("no limit").as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 500, 500]);
        backoff.reset();
        assert_eq!(backoff.fail(&config, &mut rng), Some(Duration::from_millis(100)));
    }

    #[test]
    fn attempts_end_exactly_at_their_limit() {
        let config = BackoffConfig { attempts_max: Some(3), ..BackoffConfig::default() };
        let (mut backoff, mut rng) = (Backoff::default(), Rng::new(Seed::from(1)));
        assert!(backoff.fail(&config, &mut rng).is_some());
        assert!(backoff.fail(&config, &mut rng).is_some());
        assert_eq!(backoff.fail(&config, &mut rng), None);
    }

    #[test]
    fn failures_may_be_forgotten_before_waits_are() {
        let config = BackoffConfig { jitter_percent: 0, ..BackoffConfig::default() };
        let (mut backoff, mut rng) = (Backoff::default(), Rng::new(Seed::from(1)));
        assert!(backoff.is_fresh());
        backoff.fail(&config, &mut rng);
        backoff.fail(&config, &mut rng);
        assert_eq!((backoff.failures(), backoff.is_fresh()), (2, false));
        backoff.forget_failures();
        assert_eq!((backoff.failures(), backoff.is_fresh()), (0, false));
        assert_eq!(backoff.pause(&config, &mut rng), Duration::from_millis(400));
        backoff.reset();
        assert!(backoff.is_fresh());
        assert_eq!(backoff.pause(&config, &mut rng), Duration::from_millis(100));
    }

    #[test]
    fn waits_are_drawn_from_all_that_jitter_allows() {
        let (config, mut rng) = (BackoffConfig::default(), Rng::new(Seed::from(1)));
        let waits: Vec<_> = (0..1000).map(|_| Backoff::default().pause(&config, &mut rng).as_millis()).collect();
        assert!(waits.iter().all(|wait| (80..=100).contains(wait)), "{waits:?}");
        assert!(waits.contains(&80) && waits.contains(&99), "{waits:?}");
    }

    /// They are told at once, not after as many steps as there were waits.
    #[test]
    fn waits_that_do_not_grow_stay_as_they_are_forever() {
        let mut rng = Rng::new(Seed::from(1));
        for (first, factor, expected) in [(0, 2, 1), (5, 1, 5), (5, 0, 5)] {
            let first = Duration::from_millis(first);
            let config = BackoffConfig { first, factor, jitter_percent: 0, ..BackoffConfig::default() };
            let mut backoff = Backoff { failures: 0, waits: u32::MAX };
            assert_eq!(backoff.pause(&config, &mut rng), Duration::from_millis(expected));
        }
    }

    proptest! {
        /// Invariant R1: every wait lies within the jitter range of its nominal length, for all n.
        #[test]
        fn a_wait_is_never_outside_its_range(failures: u32, first in 0_u64..1 << 40, max in 0_u64..1 << 44, factor: u32, jitter in 0_u32..=100, seed: u64) {
            let config = BackoffConfig {
                first: Duration::from_nanos(first), max: Duration::from_nanos(max), factor, jitter_percent: jitter, attempts_max: None,
            };
            let mut backoff = Backoff { failures, waits: failures };
            let wait = backoff.fail(&config, &mut Rng::new(Seed::from(seed))).expect("no limit");
            let nominal = grown(config.first, factor, config.max, failures);
            let shortest = nominal.as_nanos() * u128::from(100 - jitter) / 100;
            prop_assert!(wait >= Backoff::FLOOR);
            prop_assert!(wait <= nominal.max(Backoff::FLOOR));
            prop_assert!(wait.as_nanos() >= shortest.min(nominal.as_nanos()));
            prop_assert!(nominal <= config.max);
        }
    }
}
