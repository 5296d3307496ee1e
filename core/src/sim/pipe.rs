//! One direction of a stream: bytes that wait to leave, and segments that are on their way.

use alloc::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::Instant;

/// What travels on a pipe, always in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Bytes.
    Data(Bytes),
    /// The writer has closed its end; nothing follows.
    Fin,
    /// The reader's end is up; comes first.
    Opened,
    /// The stream was torn down; nothing follows.
    Reset,
}

/// Bytes from one end of a stream to the other.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// Given to the driver, without room yet in the system's buffer.
    waiting: VecDeque<Bytes>,
    waiting_bytes: u64,
    /// Left for the network, oldest first.
    segments: VecDeque<Segment>,
    /// Bytes for which the writer's system keeps room: those in `segments` and those in `unheard`.
    in_flight: u64,
    /// Bytes that were read, but the word of it can't get back to the writer.
    unheard: u64,
    /// Arrivals that came to nothing because of a cut, or because nobody had taken the stream yet.
    stalled: u32,
    /// True once nothing can follow what is in `segments`.
    is_ended: bool,
    /// When the last segment arrives.
    pub(super) arrives_at: Instant,
}

impl Pipe {
    /// Takes bytes from the writer; they are lost if the pipe has ended.
    pub(super) fn write(&mut self, data: Bytes) {
        if !self.is_ended && !data.is_empty() {
            self.waiting_bytes += data.len() as u64;
            self.waiting.push_back(data);
        }
    }

    /// How many bytes could leave now.
    pub(super) fn ready(&self, buffer: u64) -> u64 {
        self.waiting_bytes.min(buffer.saturating_sub(self.in_flight))
    }

    pub(super) fn has_waiting(&self) -> bool {
        self.waiting_bytes > 0
    }

    /// Sends off the next `bytes` of those that wait.
    pub(super) fn depart(&mut self, bytes: u64) {
        self.waiting_bytes -= bytes;
        self.in_flight += bytes;
        let count = usize::try_from(bytes).expect("a chunk fits into memory");
        let first = self.take(count);
        let chunk = if first.len() == count {
            first
        } else {
            let mut joined = BytesMut::with_capacity(count);
            joined.extend_from_slice(&first);
            while joined.len() < count {
                let part = self.take(count - joined.len());
                joined.extend_from_slice(&part);
            }
            joined.freeze()
        };
        self.segments.push_back(Segment::Data(chunk));
    }

    /// What was sent off last.
    pub(super) fn departed(&self) -> Bytes {
        match self.segments.back() {
            Some(Segment::Data(data)) => data.clone(),
            _ => Bytes::new(),
        }
    }

    /// Puts the word that the reader's end is up before everything else, and says how many arrivals are owed.
    pub(super) fn open(&mut self) -> u32 {
        self.segments.push_front(Segment::Opened);
        1 + self.take_stalled()
    }

    /// Ends the pipe after what is on its way; what waits is lost. False if it had ended before.
    pub(super) fn finish(&mut self) -> bool {
        self.end(Segment::Fin)
    }

    /// Ends the pipe after the first `keep` bytes of what is on its way; all else is lost. False if it had ended
    /// before.
    pub(super) fn reset(&mut self, keep: u64) -> bool {
        if self.is_ended {
            return false;
        }
        let mut left = usize::try_from(keep).unwrap_or(usize::MAX);
        self.segments.retain_mut(|segment| match segment {
            Segment::Data(data) => {
                data.truncate(left);
                left -= data.len();
                !data.is_empty()
            }
            Segment::Fin | Segment::Opened | Segment::Reset => true,
        });
        self.end(Segment::Reset)
    }

    /// Throws away everything that has left or waits to, as if it had never been written.
    pub(super) fn lose(&mut self) {
        self.forget_waiting();
        self.segments.retain(|segment| !matches!(segment, Segment::Data(_)));
        self.in_flight = self.unheard;
    }

    /// Bytes on their way.
    pub(super) fn travelling(&self) -> u64 {
        self.in_flight - self.unheard
    }

    pub(super) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Remembers that something arrived and could not be read.
    pub(super) fn stall(&mut self) {
        self.stalled += 1;
    }

    /// How many arrivals are owed for those that stalled.
    pub(super) fn take_stalled(&mut self) -> u32 {
        core::mem::take(&mut self.stalled)
    }

    /// Takes what arrives next.
    pub(super) fn arrive(&mut self) -> Option<Segment> {
        let segment = self.segments.pop_front()?;
        if let Segment::Data(data) = &segment {
            self.unheard += data.len() as u64;
        }
        Some(segment)
    }

    /// The writer's system hears how much was read and makes room.
    pub(super) fn hear(&mut self) {
        // What a reset threw away is never read: its room is gone with the stream.
        self.in_flight = self.in_flight.saturating_sub(core::mem::take(&mut self.unheard));
    }

    /// Throws away what has not left yet.
    pub(super) fn forget_waiting(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
    }

    /// Takes up to `count` bytes of the write that waits longest.
    fn take(&mut self, count: usize) -> Bytes {
        let mut front = self.waiting.pop_front().expect("bytes that depart were waiting");
        if front.len() > count {
            self.waiting.push_front(front.split_off(count));
        }
        front
    }

    fn end(&mut self, last: Segment) -> bool {
        if self.is_ended {
            return false;
        }
        self.forget_waiting();
        self.is_ended = true;
        self.segments.push_back(last);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn pipe(writes: &[&'static [u8]]) -> Pipe {
        let mut pipe = Pipe::default();
        for data in writes {
            pipe.write(Bytes::from_static(data));
        }
        pipe
    }

    fn data(text: &'static str) -> Segment {
        Segment::Data(Bytes::from_static(text.as_bytes()))
    }

    fn arrivals(pipe: &mut Pipe) -> Vec<Segment> {
        core::iter::from_fn(|| pipe.arrive()).collect()
    }

    #[test]
    fn bytes_leave_in_order_however_they_are_cut() {
        let mut pipe = pipe(&[b"abc", b"de", b"fghi"]);
        for bytes in [1, 4, 2, 2] {
            pipe.depart(bytes);
        }
        assert_eq!(arrivals(&mut pipe), [data("a"), data("bcde"), data("fg"), data("hi")]);
        assert!(!pipe.has_waiting());
    }

    #[test]
    fn no_more_leaves_than_the_buffer_holds_until_the_writer_hears_of_reading() {
        let mut pipe = pipe(&[b"abcdef"]);
        assert_eq!(pipe.ready(4), 4);
        pipe.depart(4);
        assert_eq!(pipe.ready(4), 0);
        assert_eq!(pipe.arrive(), Some(data("abcd")));
        assert_eq!(pipe.ready(4), 0);
        pipe.hear();
        assert_eq!(pipe.ready(4), 2);
    }

    #[test]
    fn a_reset_keeps_a_prefix_and_nothing_after_it() {
        let mut pipe = pipe(&[b"abcdefgh"]);
        pipe.depart(3);
        pipe.depart(3);
        assert!(pipe.reset(4));
        assert!(!pipe.reset(0));
        assert!(!pipe.finish());
        pipe.write(Bytes::from_static(b"late"));
        assert!(!pipe.has_waiting());
        assert_eq!(arrivals(&mut pipe), [data("abc"), data("d"), Segment::Reset]);
    }

    #[test]
    fn opening_comes_before_what_came_too_early() {
        let mut pipe = pipe(&[b"ab"]);
        pipe.depart(2);
        pipe.stall();
        assert_eq!(pipe.open(), 2);
        assert_eq!(arrivals(&mut pipe), [Segment::Opened, data("ab")]);
    }
}
