//! How far a command has come, on terminals only.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// A count that is shown on standard error while it grows, with a bar if it is known where it ends.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    count: u64,
    total: Option<u64>,
    started_at: Instant,
    shown_at: Option<Instant>,
    is_on: bool,
}

impl Progress {
    /// Starts at nothing.
    pub(crate) fn new(what: &'static str, total: Option<u64>) -> Self {
        Self { what, count: 0, total, started_at: Instant::now(), shown_at: None, is_on: is_wanted() }
    }

    /// One more.
    pub(crate) fn count_one(&mut self) {
        self.count += 1;
        let is_slow = self.count < EVERY; // Then the clock may be asked each time.
        if self.is_on && (is_slow || self.count.is_multiple_of(EVERY)) && self.started_at.elapsed() > PATIENCE {
            let now = Instant::now();
            if self.shown_at.is_none_or(|shown_at| now - shown_at >= PERIOD) {
                self.shown_at = Some(now);
                self.show();
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
            self.show();
            eprintln!();
        }
    }

    fn show(&self) {
        let mut stderr = std::io::stderr();
        // Nothing depends on what is shown.
        _ = write!(stderr, "{CLEAR}{}", self.line(self.started_at.elapsed()));
        _ = stderr.flush();
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    fn line(&self, elapsed: Duration) -> String {
        let (what, count, seconds) = (self.what, self.count, elapsed.as_secs_f64());
        let rate = count as f64 / seconds;
        let mut line = String::new();
        // Writing to a string can't fail.
        _ = match self.total {
            Some(total) => write!(line, "{} {what} {count} of {total}, {rate:.0} a second", bar(count, total)),
            None => write!(line, "{what} {count} in {seconds:.1} s, {rate:.0} a second"),
        };
        line
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Says something on standard error, in the place of a count that may stand there: it comes back below.
pub(crate) fn say(text: &str) {
    eprintln!("{}{text}", if is_wanted() { CLEAR } else { "" });
}

/// True if standard error is looked at by somebody, on a terminal that can rewrite a line.
fn is_wanted() -> bool {
    std::io::stderr().is_terminal() && crate::paint::is_wanted()
}

fn bar(count: u64, total: u64) -> String {
    let share = u128::from(count.min(total)) * WIDTH as u128 / u128::from(total.max(1));
    let filled = usize::try_from(share).expect("a part of the width");
    format!("[{}{}]", "#".repeat(filled), "-".repeat(WIDTH - filled))
}

/// What empties the line that the cursor is in.
const CLEAR: &str = "\r\x1b[K";

/// How wide a bar is.
const WIDTH: usize = 30;

/// How many come between two looks at the clock.
const EVERY: u64 = 256;

/// How long something may take without being talked about.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often the count is shown.
const PERIOD: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_whose_end_is_known_has_a_bar() {
        let progress = |count, total| Progress { count, ..Progress::new("accepted", total) };
        let shown = progress(500, Some(1000)).line(Duration::from_secs(2));
        assert_eq!(shown, "[###############---------------] accepted 500 of 1000, 250 a second");
        let shown = progress(500, None).line(Duration::from_secs(2));
        assert_eq!(shown, "accepted 500 in 2.0 s, 250 a second");
    }

    #[test]
    fn a_bar_is_full_at_the_end_and_not_before() {
        let filled = |count, total| bar(count, total).matches('#').count();
        let found = [filled(0, 3), filled(1, 3), filled(2, 3), filled(3, 3), filled(4, 3), filled(0, 0)];
        assert_eq!(found, [0, 10, 20, 30, 30, 0]);
        assert_eq!(filled(u64::MAX / 2 + 1, u64::MAX), 15);
    }
}
