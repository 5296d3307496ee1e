//! What happened, as a number that equal runs share, and as lines to read.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::host::HostId;
use crate::recording::Digest;
use crate::{Input, Instant, Output};

/// One line of a world's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it happened.
    pub at: Instant,
    /// On which host.
    pub host: HostId,
    /// What happened, in one line; payloads are left out.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.at, self.host, self.text)
    }
}

/// All that was told and said in a world.
#[derive(Debug, Default)]
pub(super) struct Trace {
    digest: Digest,
    lines: VecDeque<Line>,
    lines_max: usize,
}

impl Trace {
    pub(super) fn hash(&self) -> u64 {
        self.digest.value()
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    pub(super) fn take_lines(&mut self) -> Vec<Line> {
        self.lines.drain(..).collect()
    }

    /// Keeps the last so many lines from now on.
    pub(super) fn keep_lines(&mut self, lines_max: usize) {
        self.lines_max = lines_max;
        self.lines.drain(..self.lines.len().saturating_sub(lines_max));
    }

    /// A process is told something when its own clock reads `reading`.
    #[inline]
    pub(super) fn input(&mut self, now: Instant, host: HostId, reading: Instant, input: &Input) {
        self.digest.feed(&(host.0, reading, input));
        if self.lines_max > 0 {
            self.line(now, host, input.brief().to_string());
        }
    }

    /// A process says something.
    #[inline]
    pub(super) fn output(&mut self, now: Instant, host: HostId, output: &Output) {
        self.digest.feed(output);
        if self.lines_max > 0 {
            self.line(now, host, output.brief().to_string());
        }
    }

    /// A verb is carried out on a host.
    pub(super) fn verb(&mut self, now: Instant, host: HostId, verb: impl fmt::Display) {
        if self.lines_max > 0 {
            self.line(now, host, format!("is {verb}"));
        }
    }

    fn line(&mut self, at: Instant, host: HostId, text: String) {
        if self.lines.len() == self.lines_max {
            self.lines.pop_front();
        }
        self.lines.push_back(Line { at, host, text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LinkId;

    #[test]
    fn the_log_is_off_until_wanted_and_keeps_the_last_lines() {
        let mut trace = Trace::default();
        let close = |link| Output::Close { link: LinkId(link) };
        trace.output(Instant::ZERO, HostId(0), &close(1));
        assert_eq!(trace.lines().count(), 0);
        trace.keep_lines(2);
        for link in 2..5 {
            trace.output(Instant::from_millis(1), HostId(7), &close(link));
        }
        let lines: Vec<_> = trace.lines().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            ["0.001000000s h7 > Close { link: LinkId(3) }", "0.001000000s h7 > Close { link: LinkId(4) }"]
        );
    }

    #[test]
    fn the_log_changes_nothing_about_the_hash() {
        let (mut silent, mut loud) = (Trace::default(), Trace::default());
        loud.keep_lines(10);
        for trace in [&mut silent, &mut loud] {
            trace.input(Instant::ZERO, HostId(0), Instant::ZERO, &Input::Timeout);
            trace.verb(Instant::ZERO, HostId(0), "paused");
        }
        assert_eq!(silent.hash(), loud.hash());
    }
}
