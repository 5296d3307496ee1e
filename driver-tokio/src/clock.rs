//! The system's clocks as the core counts them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flockmq_core::{Instant, Timestamp};

/// Counts from the moment it was made, and notices when the wall clock jumps.
#[derive(Debug)]
pub(crate) struct Clock {
    origin: std::time::Instant,
    told: Option<(Instant, Timestamp)>,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: std::time::Instant::now(), told: None }
    }

    /// The monotonic clock.
    pub(crate) fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// The system's name for an instant of ours.
    pub(crate) fn to_std(&self, instant: Instant) -> std::time::Instant {
        // The clamp keeps a deadline that means "never" within what the system can count.
        self.origin + instant.since_origin().min(FAR)
    }

    /// The wall clock, if the node should hear it again: at first, when it was long ago, and after a jump.
    pub(crate) fn wall_news(&mut self, now: Instant) -> Option<Timestamp> {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = Timestamp::from_millis(u64::try_from(wall.as_millis()).unwrap_or(u64::MAX));
        self.note(now, wall)
    }

    /// When to look at the wall clock again.
    pub(crate) fn wall_deadline(&self) -> Instant {
        self.told.map_or(Instant::ZERO, |(at, _)| at + WALL_PERIOD)
    }

    fn note(&mut self, now: Instant, wall: Timestamp) -> Option<Timestamp> {
        if let Some((told_at, told)) = self.told {
            let expected = told + (now - told_at);
            let is_steady = expected.as_millis().abs_diff(wall.as_millis()) < JUMP_MIN_MS;
            if is_steady && now < told_at + WALL_PERIOD {
                return None;
            }
        }
        self.told = Some((now, wall));
        Some(wall)
    }
}

const FAR: Duration = Duration::from_hours(30 * 365 * 24);
const WALL_PERIOD: Duration = Duration::from_mins(1);
const JUMP_MIN_MS: u64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_told_at_first_when_it_jumps_and_every_minute() {
        let mut clock = Clock::start();
        let wall = Timestamp::from_millis;
        assert_eq!(clock.note(Instant::from_millis(0), wall(1_000_000)), Some(wall(1_000_000)));
        assert_eq!(clock.note(Instant::from_millis(3_000), wall(1_003_499)), None);
        assert_eq!(clock.note(Instant::from_millis(3_000), wall(1_003_500)), Some(wall(1_003_500)));
        assert_eq!(clock.note(Instant::from_millis(62_999), wall(1_063_499)), None);
        assert_eq!(clock.note(Instant::from_millis(63_000), wall(1_063_500)), Some(wall(1_063_500)));
        assert_eq!(clock.wall_deadline(), Instant::from_millis(123_000));
    }

    #[test]
    fn an_instant_without_end_has_a_name_too() {
        let clock = Clock::start();
        assert!(clock.to_std(Instant::from_nanos(u64::MAX)) > std::time::Instant::now());
    }
}
