//! A stream of length-prefixed frames, however its bytes are cut.

use alloc::string::String;

use bytes::{Buf, Bytes, BytesMut};

/// Why bytes are no frames; the link they came by is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A frame longer than the limit was announced.
    #[error("a frame of {length} bytes was announced; the limit is {max}")]
    FrameTooLong {
        /// Its length in bytes.
        length: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// A frame that is not what it says it is.
    #[error("{0}")]
    Malformed(String),
}

/// Cuts a stream into frames: a length of four bytes, most significant first, and as many bytes.
///
/// A frame that lies within one chunk is a slice of it; one that straddles chunks is copied once. Nothing is
/// allocated for bytes that have not come.
#[derive(Debug)]
pub struct Deframer {
    frame_max: u32,
    chunk: Bytes,      // What came last and was not taken yet.
    partial: BytesMut, // The beginning of a frame that goes on in chunks to come; then `chunk` is empty.
}

impl Deframer {
    /// A deframer that refuses frames longer than `frame_max` bytes, prefix not counted.
    pub fn new(frame_max: u32) -> Self {
        Self { frame_max, chunk: Bytes::new(), partial: BytesMut::new() }
    }

    /// Changes the limit from the next frame on.
    pub fn set_frame_max(&mut self, frame_max: u32) {
        self.frame_max = frame_max;
    }

    /// Takes more of the stream; everything before must have been taken out by [`Deframer::poll_frame`].
    pub fn push(&mut self, data: Bytes) {
        debug_assert!(self.chunk.is_empty(), "frames are taken out before more is pushed");
        self.chunk = data;
    }

    /// The next whole frame without its prefix; `None` until more has come.
    pub fn poll_frame(&mut self) -> Result<Option<Bytes>, DecodeError> {
        if !self.partial.is_empty() {
            return self.poll_straddling();
        }
        let Some(length) = self.length(&self.chunk)? else {
            return Ok(self.keep_rest());
        };
        if self.chunk.len() < PREFIX + length {
            return Ok(self.keep_rest());
        }
        self.chunk.advance(PREFIX);
        Ok(Some(self.chunk.split_to(length)))
    }

    fn poll_straddling(&mut self) -> Result<Option<Bytes>, DecodeError> {
        if !self.fill_to(PREFIX) {
            return Ok(None);
        }
        let length = self.length(&self.partial)?.expect("the prefix is there");
        if !self.fill_to(PREFIX + length) {
            return Ok(None);
        }
        let mut frame = core::mem::take(&mut self.partial).freeze();
        frame.advance(PREFIX);
        Ok(Some(frame))
    }

    /// Moves bytes from the chunk to the partial frame until that has `length`; true if it has.
    fn fill_to(&mut self, length: usize) -> bool {
        let missing = length.saturating_sub(self.partial.len());
        let taken = missing.min(self.chunk.len());
        // No room is made ahead for the length that was claimed: memory grows with what has come.
        self.partial.extend_from_slice(&self.chunk.split_to(taken));
        taken == missing
    }

    fn keep_rest(&mut self) -> Option<Bytes> {
        self.partial.extend_from_slice(&self.chunk);
        self.chunk.clear();
        None
    }

    fn length(&self, bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
        let Some(prefix) = bytes.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*prefix);
        if length > self.frame_max {
            return Err(DecodeError::FrameTooLong { length: length.into(), max: self.frame_max.into() });
        }
        Ok(Some(length as usize))
    }
}

const PREFIX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn stream(frames: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in frames {
            bytes.extend_from_slice(&u32::try_from(frame.len()).expect("short").to_be_bytes());
            bytes.extend_from_slice(frame);
        }
        bytes
    }

    #[test]
    fn a_frame_may_be_as_long_as_the_limit_and_no_longer() {
        let mut deframer = Deframer::new(3);
        deframer.push(Bytes::from_static(b"\0\0\0\x03abc\0\0\0\x04"));
        assert_eq!(deframer.poll_frame(), Ok(Some(Bytes::from_static(b"abc"))));
        assert_eq!(deframer.poll_frame(), Err(DecodeError::FrameTooLong { length: 4, max: 3 }));
    }

    #[test]
    fn a_claimed_length_takes_no_memory() {
        let mut deframer = Deframer::new(u32::MAX);
        deframer.push(Bytes::from_static(b"\xff\xff\xff\xffabc"));
        assert_eq!(deframer.poll_frame(), Ok(None));
        deframer.push(Bytes::from_static(b"def"));
        assert_eq!(deframer.poll_frame(), Ok(None));
        assert!(deframer.partial.capacity() < 100, "{}", deframer.partial.capacity());
    }

    #[test]
    fn a_limit_that_is_changed_holds_from_the_next_frame_on() {
        let mut deframer = Deframer::new(1);
        deframer.set_frame_max(2);
        deframer.push(Bytes::from_static(b"\0\0\0\x02ab\0\0\0\x03abc"));
        assert_eq!(deframer.poll_frame(), Ok(Some(Bytes::from_static(b"ab"))));
        assert_eq!(deframer.poll_frame(), Err(DecodeError::FrameTooLong { length: 3, max: 2 }));
    }

    #[test]
    fn a_frame_within_a_chunk_is_not_copied() {
        let mut deframer = Deframer::new(100);
        let chunk = Bytes::from_static(b"\0\0\0\x02ab\0\0\0\x03abc");
        deframer.push(chunk.clone());
        for at in [4, 10] {
            let frame = deframer.poll_frame().expect("short").expect("whole");
            assert_eq!(frame.as_ptr(), chunk[at..].as_ptr());
        }
    }

    proptest! {
        /// Invariant C3: however the stream is cut, the same frames come out.
        #[test]
        fn frames_do_not_depend_on_how_the_stream_is_cut(
            frames in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
            cuts in proptest::collection::vec(1_usize..50, 1..30),
        ) {
            let bytes = Bytes::from(stream(&frames));
            let (mut deframer, mut found, mut rest) = (Deframer::new(100), Vec::new(), bytes);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                deframer.push(rest.split_to((*cut).min(rest.len())));
                while let Some(frame) = deframer.poll_frame().expect("short frames") {
                    found.push(frame.to_vec());
                }
            }
            prop_assert_eq!(found, frames);
        }
    }
}
