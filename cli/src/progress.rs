//! How far a command has come, on terminals only.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// A count that is shown on standard error while it grows.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    count: u64,
    started_at: Instant,
    shown_at: Option<Instant>,
    is_on: bool,
}

impl Progress {
    /// Starts at nothing.
    pub(crate) fn new(what: &'static str) -> Self {
        let is_on = std::io::stderr().is_terminal() && crate::paint::is_wanted();
        Self { what, count: 0, started_at: Instant::now(), shown_at: None, is_on }
    }

    /// One more.
    pub(crate) fn count_one(&mut self) {
        self.count += 1;
        if self.is_on && self.count.is_multiple_of(EVERY) && self.started_at.elapsed() > PATIENCE {
            let now = Instant::now();
            if self.shown_at.is_none_or(|shown_at| now - shown_at >= PERIOD) {
                self.shown_at = Some(now);
                self.show("\r\x1b[K");
            }
        }
    }

    /// How many there were.
    pub(crate) fn counted(&self) -> u64 {
        self.count
    }

    /// Says the last word, if anything was said before.
    pub(crate) fn finish(&mut self) {
        if self.shown_at.take().is_some() {
            self.show("\r\x1b[K");
            eprintln!();
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn show(&self, before: &str) {
        let seconds = self.started_at.elapsed().as_secs_f64();
        let (what, count) = (self.what, self.count);
        let mut stderr = std::io::stderr();
        // Nothing depends on what is shown.
        _ = write!(stderr, "{before}{what} {count} in {seconds:.1} s, {:.0} a second", count as f64 / seconds);
        _ = stderr.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// How many come between two looks at the clock.
const EVERY: u64 = 256;

/// How long something may take without being talked about.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the count is shown.
const PERIOD: Duration = Duration::from_millis(100);
