//! Two clocks that never mix: the monotonic [`Instant`] that machines wait by, and the wall-clock
//! [`Timestamp`] that messages carry.

use core::fmt;
use core::ops::{Add, Sub};
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Nanoseconds since an origin of the driver's choosing; never goes back.
///
/// Arithmetic saturates, so a deadline too far away is the last instant rather than a panic.
///
/// ```
/// use core::time::Duration;
/// use flockmq_core::Instant;
///
/// let start = Instant::from_nanos(5);
/// assert_eq!(start + Duration::from_nanos(2), Instant::from_nanos(7));
/// assert_eq!(start - Instant::from_nanos(9), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instant(u64);

impl Instant {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// The instant this many nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant this many milliseconds after the origin.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time since the origin.
    pub const fn since_origin(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// Milliseconds since 1970-01-01 UTC, as message headers carry them (JMS `JMSTimestamp`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment this many milliseconds after 1970-01-01 UTC.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_instant_is_read_as_it_was_made() {
        let instant = Instant::from_millis(2);
        assert_eq!(instant, Instant::from_nanos(2_000_000));
        assert_eq!((instant.as_nanos(), instant.since_origin()), (2_000_000, Duration::from_millis(2)));
        assert_eq!(Timestamp::from_millis(7).as_millis(), 7);
    }

    #[test]
    fn an_instant_prints_as_seconds_to_the_nanosecond() {
        for (nanos, printed) in [(0, "0.000000000s"), (26_625_000_001, "26.625000001s")] {
            assert_eq!(Instant::from_nanos(nanos).to_string(), printed);
        }
    }

    #[test]
    fn time_adds_up_and_ends_rather_than_overflow() {
        let millis = Duration::from_millis;
        assert_eq!(Instant::from_millis(5) + millis(2), Instant::from_millis(7));
        assert_eq!(Instant::from_millis(5) - Instant::from_millis(2), millis(3));
        assert_eq!(Instant::from_millis(2) - Instant::from_millis(5), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(5) + millis(2), Timestamp::from_millis(7));
        assert_eq!(Timestamp::from_millis(5) + Duration::from_nanos(1), Timestamp::from_millis(5));
        let (last_instant, last_timestamp) = (Instant::from_nanos(u64::MAX), Timestamp::from_millis(u64::MAX));
        for long in [millis(1), Duration::MAX] {
            assert_eq!((last_instant + long, last_timestamp + long), (last_instant, last_timestamp));
        }
        assert_eq!(Instant::from_millis(u64::MAX), last_instant);
    }
}
