//! What happened, as a number that equal runs share, and as lines to read.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use core::fmt;

use postcard::ser_flavors::Flavor;
use serde::Serialize;

use super::host::HostId;
use crate::{Command, Event, Input, Instant, Output};

/// A fingerprint of everything it was fed, the same on every platform: like FNV-1a, but eight bytes at a time.
#[derive(Clone, Debug)]
pub(super) struct Digest {
    state: u64,
    word: u64,
    filled: u32, // Bits of `word`.
}

impl Default for Digest {
    fn default() -> Self {
        Self { state: 0xcbf2_9ce4_8422_2325, word: 0, filled: 0 }
    }
}

impl Digest {
    /// Feeds a value, encoded as postcard does, where the size of a machine word makes no difference.
    pub(super) fn feed(&mut self, value: &impl Serialize) {
        postcard::serialize_with_flavor(value, Feed(self)).expect("a digest has room, and our words all encode");
    }

    /// The fingerprint so far.
    pub(super) fn value(&self) -> u64 {
        let mut last = self.clone();
        last.mix(self.word);
        last.mix(self.filled.into()); // Tells trailing zeros from nothing.
        last.state
    }

    fn mix(&mut self, word: u64) {
        let mixed = (self.state ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.state = mixed ^ mixed >> 29; // Words are longer than FNV's bytes, so high bits must come down again.
    }

    fn byte(&mut self, byte: u8) {
        self.word |= u64::from(byte) << self.filled;
        self.filled += 8;
        if self.filled == 64 {
            self.mix(self.word);
            (self.word, self.filled) = (0, 0);
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let (chunks, rest) = bytes.as_chunks::<8>();
        for chunk in chunks {
            let word = u64::from_le_bytes(*chunk);
            self.mix(self.word | word << self.filled);
            self.word = word.checked_shr(64 - self.filled).unwrap_or(0);
        }
        for byte in rest {
            self.byte(*byte);
        }
    }
}

struct Feed<'a>(&'a mut Digest);

impl Flavor for Feed<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.bytes(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.byte(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

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
            self.line(now, host, describe_input(input));
        }
    }

    /// A process says something.
    #[inline]
    pub(super) fn output(&mut self, now: Instant, host: HostId, output: &Output) {
        self.digest.feed(output);
        if self.lines_max > 0 {
            self.line(now, host, describe_output(output));
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

fn describe_input(input: &Input) -> String {
    match input {
        Input::Bytes { link, data } => format!("< Bytes link {link}, {} B", data.len()),
        Input::Command(Command::Send { producer, messages, .. }) => {
            format!("< Command Send producer {producer}, {} messages", messages.len())
        }
        Input::Datagram { group, from, data } => format!("< Datagram group {group} from {from}, {} B", data.len()),
        other => format!("< {other:?}"),
    }
}

fn describe_output(output: &Output) -> String {
    match output {
        Output::Announce { group, via: None, data } => format!("> Announce group {group}, {} B", data.len()),
        Output::Announce { group, via: Some(via), data } => {
            format!("> Announce group {group} via {via}, {} B", data.len())
        }
        Output::Event(Event::Delivered { consumer, deliveries }) => {
            let (first, last) = (deliveries.first().map(|d| d.tag), deliveries.last().map(|d| d.tag));
            format!("> Event Delivered consumer {consumer}, tags {first:?} to {last:?}")
        }
        Output::Send { link, data } => format!("> Send link {link}, {} B", data.len()),
        other => format!("> {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LinkId;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn hash(bytes: &[u8]) -> u64 {
        let mut digest = Digest::default();
        digest.bytes(bytes);
        digest.value()
    }

    proptest! {
        #[test]
        fn a_digest_does_not_see_how_bytes_were_cut(bytes: Vec<u8>, cut: usize) {
            let cut = cut % (bytes.len() + 1);
            let mut digest = Digest::default();
            digest.bytes(&bytes[..cut]);
            for byte in &bytes[cut..] {
                digest.byte(*byte);
            }
            prop_assert_eq!(digest.value(), hash(&bytes));
        }

        #[test]
        fn a_digest_sees_every_bit_and_every_byte(bytes in proptest::collection::vec(any::<u8>(), 1..40), bit: usize) {
            let mut changed = bytes.clone();
            changed[bit / 8 % bytes.len()] ^= 1 << (bit % 8);
            prop_assert_ne!(hash(&changed), hash(&bytes));
            changed = bytes.clone();
            changed.push(0);
            prop_assert_ne!(hash(&changed), hash(&bytes));
        }
    }

    #[test]
    fn a_digest_keeps_its_meaning() {
        let mut digest = Digest::default();
        digest.feed(&(Instant::from_millis(5), -3_i32, "text", 7_usize, [1.5_f64; 3]));
        assert_eq!(digest.value(), 8_040_843_289_115_469_641);
    }

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
