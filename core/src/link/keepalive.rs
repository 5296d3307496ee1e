//! Silence in, silence out.

use core::time::Duration;

use crate::base::Instant;

/// When the link was last alive in either direction.
#[derive(Debug)]
pub(super) struct Keepalive {
    silence_max: Duration,
    heard_at: Instant,
    said_at: Instant,
}

impl Keepalive {
    pub(super) fn new(now: Instant, silence_max: Duration) -> Self {
        Self { silence_max: silence_max.max(FLOOR), heard_at: now, said_at: now }
    }

    /// Takes the other end's limit if it is the smaller.
    pub(super) fn agree(&mut self, silence_max: Duration) {
        self.silence_max = self.silence_max.min(silence_max).max(FLOOR);
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    pub(super) fn said(&mut self, now: Instant) {
        self.said_at = now;
    }

    /// True if the other end has been silent for too long.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.heard_at + self.silence_max <= now
    }

    /// True if a sign of life is due.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.said_at + self.silence_max / 3 <= now;
        if is_due {
            self.said_at = now; // Also where the network takes nothing: another sign would not help.
        }
        is_due
    }

    pub(super) fn poll_timeout(&self) -> Instant {
        (self.said_at + self.silence_max / 3).min(self.heard_at + self.silence_max)
    }
}

/// No agreement makes links busier than this.
const FLOOR: Duration = Duration::from_millis(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn silence_is_counted_in_either_direction_on_its_own() {
        let mut keepalive = Keepalive::new(at(0), millis(90));
        assert_eq!(keepalive.poll_timeout(), at(30));
        assert_eq!([29, 30, 59, 60].map(|now| keepalive.is_due(at(now))), [false, true, false, true]);
        keepalive.said(at(80));
        assert_eq!(keepalive.poll_timeout(), at(90));
        assert_eq!([89, 90].map(|now| keepalive.is_silent(at(now))), [false, true]);
        keepalive.heard(at(85));
        assert_eq!(keepalive.poll_timeout(), at(110));
        assert_eq!([174, 175].map(|now| keepalive.is_silent(at(now))), [false, true]);
    }

    #[test]
    fn the_smaller_limit_holds_and_none_below_the_floor() {
        let mut keepalive = Keepalive::new(at(0), millis(90));
        for (told, held) in [(300, 90), (60, 60), (90, 60), (1, 30)] {
            keepalive.agree(millis(told));
            assert_eq!([held - 1, held].map(|now| keepalive.is_silent(at(now))), [false, true], "told {told} ms");
        }
        assert!(!Keepalive::new(at(0), Duration::ZERO).is_silent(at(29)));
    }
}
