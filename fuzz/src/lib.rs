//! Bodies of the fuzz targets: each takes any bytes at all and panics if a promise is broken.
//!
//! libFuzzer calls them through `fuzz_targets/`, `cargo test` with every file of `corpus/`: small inputs that reach far,
//! most of them written by `examples/seeds.rs`, and those that once failed.

mod recording;
mod rude;
mod script;
mod selector;

use std::alloc::System;
use std::fmt::Debug;

use bytes::Bytes;
use cap::Cap;
use flockmq_core::uri::Location;
use flockmq_core::wire::{Advert, DecodeError, Decoder, Deframer, Encoder, Frame, FrameBuffer};
use flockmq_core::{Path, Properties};

pub use flockmq_tests::{fuzz_broker as broker_ops, fuzz_world as world};
pub use recording::recording;
pub use rude::node_inputs;
pub use script::script;
pub use selector::selector;

/// All the memory there is: who wants more is a finding.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, MEMORY_MAX);

/// A group's name, a line feed, and a datagram that a member of the group hears: what is an advert is still the same
/// when it was written and read again.
///
/// # Panics
///
/// If it is not.
pub fn advert(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (group, datagram) = (&data[..end], &data[end + 1..]);
    let Ok(group) = std::str::from_utf8(group) else { return };
    let Ok(advert) = Advert::decode(group, datagram) else { return };
    let written = advert.encode(group);
    if written.len() <= Advert::LENGTH_MAX {
        assert_eq!(Advert::decode(group, &written), Ok(advert), "from {group:?} and {datagram:?}");
    }
}

/// A count of cuts, their distances, and a stream of native frames: however it is cut, the same frames come out, and
/// the same error.
///
/// # Panics
///
/// If others do.
pub fn chunking(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else { return };
    let (cuts, stream) = rest.split_at(usize::from(*count).min(rest.len()));
    let mut pieces = Vec::new();
    let mut uncut = stream;
    for distance in cuts {
        let (piece, rest) = uncut.split_at(usize::from(*distance).min(uncut.len()));
        pieces.push(piece);
        uncut = rest;
    }
    pieces.push(uncut);
    let (whole, cut) = (read(&[stream], FRAME_MAX), read(&pieces, FRAME_MAX));
    assert_eq!(whole.1, cut.1, "the error does not depend on the cuts");
    assert!(is_same(&whole.0, &cut.0), "the frames do not depend on the cuts: {:?} and {:?}", whole.0, cut.0);
}

/// A stream of native frames: what was read keeps the limits, and is still the same when it was written and read again.
///
/// # Panics
///
/// If it does not, or is not.
pub fn native(data: &[u8]) {
    let (frames, _) = read(&[data], FRAME_MAX);
    assert!(frames.iter().all(is_within_limits), "{frames:?}");
    let (mut encoder, mut out) = (Encoder::new(), FrameBuffer::default());
    for frame in &frames {
        encoder.encode(frame, &mut out);
    }
    let announced = out.len();
    let written: Vec<Bytes> = std::iter::from_fn(|| out.pop()).collect();
    assert_eq!(announced, written.iter().map(|piece| piece.len() as u64).sum::<u64>(), "bytes are counted");
    let pieces: Vec<&[u8]> = written.iter().map(AsRef::as_ref).collect();
    let (again, error) = read(&pieces, u32::MAX);
    assert_eq!(error, None, "what was written can be read: {frames:?}");
    assert!(is_same(&frames, &again), "{frames:?} were written, {again:?} were read");
}

/// Text: what it means as a URI is still the same when it was printed and read again, and what is wrong with it stands
/// where the error says.
///
/// # Panics
///
/// If it is not, or does not.
pub fn uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<Location>() {
        Ok(location) => {
            let printed = location.to_string();
            assert_eq!(printed.parse().as_ref(), Ok(&location), "{text:?} prints as {printed:?}");
            assert!(!location.explain().levels.is_empty(), "{text:?} can be explained");
        }
        Err(error) => {
            assert!(text.get(error.span()).is_some(), "'{error}' at {:?} of {text:?}", error.span());
            assert!(!error.to_string().is_empty(), "{text:?} is told what is wrong");
        }
    }
}

/// Reads a stream that comes in pieces, up to the first error.
fn read(pieces: &[&[u8]], frame_max: u32) -> (Vec<Frame>, Option<DecodeError>) {
    let (mut deframer, mut decoder, mut frames) = (Deframer::new(frame_max), Decoder::new(), Vec::new());
    for piece in pieces {
        deframer.push(Bytes::copy_from_slice(piece));
        loop {
            let frame = match deframer.poll_frame() {
                Ok(None) => break,
                Ok(Some(bytes)) => decoder.decode(bytes),
                Err(error) => return (frames, Some(error)),
            };
            match frame {
                Ok(frame) => frames.extend(frame),
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

fn is_within_limits(frame: &Frame) -> bool {
    match frame {
        Frame::Demand { demand, .. } => demand.path.len() <= Path::HOPS_MAX,
        Frame::Forward { message, .. } => {
            message.path.len() <= Path::HOPS_MAX
                && message.body.headers.properties.iter().count() <= Properties::COUNT_MAX
        }
        _ => true,
    }
}

fn is_same<T: Debug + PartialEq>(one: &[T], other: &[T]) -> bool {
    // Else as text, because a property may hold a number that does not equal itself.
    one == other || format!("{one:?}") == format!("{other:?}")
}

/// Longer frames than libFuzzer's inputs hold, short enough for a limit to be met.
const FRAME_MAX: u32 = 2048;
const MEMORY_MAX: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::{fs, panic};

    /// Gives a target each file of its corpus, and names the one that fails.
    fn replay(target: &str, body: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let mut files: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("a readable folder").path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{} is empty", folder.display());
        for file in files {
            let data = fs::read(&file).expect("a readable file");
            assert!(panic::catch_unwind(|| body(&data)).is_ok(), "{} fails", file.display());
        }
    }

    #[test]
    fn adverts_of_the_corpus_hold() {
        replay("advert", super::advert);
    }

    #[test]
    fn broker_operations_of_the_corpus_hold() {
        replay("broker_ops", super::broker_ops);
    }

    #[test]
    fn cut_streams_of_the_corpus_hold() {
        replay("chunking", super::chunking);
    }

    #[test]
    fn native_streams_of_the_corpus_hold() {
        replay("native", super::native);
    }

    /// If not, `examples/seeds.rs` wants running again.
    #[test]
    fn seeds_are_frames_of_today() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/native");
        for entry in fs::read_dir(&folder).expect("a folder") {
            let file = entry.expect("a readable folder").path();
            let name = file.file_name().expect("a file has a name").to_string_lossy();
            if name.starts_with("seed-") {
                let (frames, error) = super::read(&[&fs::read(&file).expect("a readable file")], super::FRAME_MAX);
                assert_eq!(error.is_some(), name.starts_with("seed-beyond-"), "{name}: {error:?}");
                assert_eq!(frames.is_empty(), error.is_some(), "{name}");
            }
        }
    }

    #[test]
    fn node_inputs_of_the_corpus_hold() {
        replay("node_inputs", super::node_inputs);
    }

    #[test]
    fn recordings_of_the_corpus_hold() {
        replay("recording", super::recording);
    }

    #[test]
    fn scripts_of_the_corpus_hold() {
        replay("script", super::script);
    }

    #[test]
    fn selectors_of_the_corpus_hold() {
        replay("selector", super::selector);
    }

    #[test]
    fn uris_of_the_corpus_hold() {
        replay("uri", super::uri);
    }

    #[test]
    fn worlds_of_the_corpus_hold() {
        replay("world", super::world);
    }
}
