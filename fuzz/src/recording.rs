//! Files that are recordings, or nearly: as they are, and with the first line, every length and every check put right, so
//! that what stands in the entries is met and not only what tells that it was altered, or is of another age.

use std::fmt::Write;

use flockmq_core::recording::{Digest, Ending, Entry, Reader, Recorder, Recording, RecordingError, Replay};
use flockmq_core::{Config, Input, Instant, Node, Seed};

use crate::is_same;

/// A file: the same is read of it in any chunking, is still the same when it was written and read again, and a life that
/// is lived by it can be recorded and lived again.
///
/// # Panics
///
/// If it is not, or can't.
pub fn recording(data: &[u8]) {
    check(data);
    check(&mended(data));
}

fn check(file: &[u8]) {
    let (entries, ending) = read(file, file.len().max(1));
    let (bytewise, same_ending) = read(file, 1);
    match (&ending, &same_ending) {
        // It quotes as much as had come.
        (Err(RecordingError::NoRecording { found }), Err(RecordingError::NoRecording { found: begun })) => {
            assert!(found.starts_with(begun), "{begun} is how {found} begins");
        }
        _ => assert_eq!(ending, same_ending, "the end does not depend on the chunks"),
    }
    assert!(is_same(&entries, &bytewise), "the entries do not depend on the chunks");
    let times = entries.iter().filter_map(|entry| match entry {
        Entry::Input { at, .. } | Entry::Started { at, .. } => Some(at),
        Entry::Ended | Entry::GivenUp { .. } | Entry::Said { .. } => None,
    });
    assert!(times.is_sorted(), "time does not go back");
    let Some((Entry::Started { at, config, seed }, told)) = entries.split_first() else {
        assert!(ending.is_err(), "what has no start is no recording");
        return;
    };
    // What was said is for a node to say.
    let heard: Vec<Entry> = entries.iter().filter(|entry| !matches!(entry, Entry::Said { .. })).cloned().collect();
    let (again, _) = read(&written(*at, config, *seed, told), usize::MAX);
    assert!(is_same(&heard, &again), "{heard:?} was written and is read as {again:?}");
    if is_modest(config) {
        check_claims(&entries);
        let inputs = told.iter().filter_map(|entry| match entry {
            Entry::Input { at, input } => Some((*at, input)),
            _ => None,
        });
        check_life(&lived(config, *seed, *at, inputs));
    }
}

/// Reads a file that comes in chunks, up to the first error.
fn read(file: &[u8], chunk: usize) -> (Vec<Entry>, Result<Ending, RecordingError>) {
    let (mut reader, mut entries) = (Reader::default(), Vec::new());
    for chunk in file.chunks(chunk) {
        reader.push(chunk);
        loop {
            match reader.poll_entry() {
                Ok(None) => break,
                Ok(Some(entry)) => entries.push(entry),
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    assert_eq!(reader.finish().as_ref(), Err(&error), "an error stays");
                    return (entries, Err(error));
                }
            }
        }
        assert!(reader.offset() <= file.len() as u64);
    }
    (entries, reader.finish())
}

/// The file of a process that was told all this and answered nothing.
fn written(at: Instant, config: &Config, seed: Seed, told: &[Entry]) -> Vec<u8> {
    let mut recorder = Recorder::new(config, seed, at);
    for entry in told {
        match entry {
            Entry::Ended => recorder.end(),
            Entry::GivenUp { reason } => recorder.give_up(reason),
            Entry::Input { at, input } => recorder.input(*at, input),
            Entry::Said { .. } | Entry::Started { .. } => (),
        }
    }
    recorder.take()
}

/// The file of a process that is told this.
fn lived<'a>(config: &Config, seed: Seed, at: Instant, inputs: impl Iterator<Item = (Instant, &'a Input)>) -> Vec<u8> {
    let mut recorder = Recorder::new(config, seed, at);
    let mut node = Node::new(config.clone(), seed, at);
    let drain = |node: &mut Node, recorder: &mut Recorder| {
        while let Some(output) = node.poll_output() {
            recorder.output(&output);
        }
    };
    drain(&mut node, &mut recorder);
    for (at, input) in inputs {
        recorder.input(at, input);
        node.handle_input(at, input.clone());
        drain(&mut node, &mut recorder);
    }
    recorder.end();
    recorder.take()
}

/// What the file claims was said is compared with what is said, up to where it differs.
fn check_claims(entries: &[Entry]) {
    let mut replay = Replay::default();
    let difference = entries.iter().find_map(|entry| replay.handle_entry(entry.clone(), |_, _| ()).err());
    if let Some(difference) = difference {
        assert_eq!((difference.at, difference.input), (replay.now(), replay.inputs()), "{difference} comes first");
    }
}

/// It is lived again, and says the same.
fn check_life(file: &[u8]) {
    let (entries, ending) = read(file, usize::MAX);
    assert_eq!(ending, Ok(Ending::Complete));
    let (mut replay, mut moments) = (Replay::default(), String::new());
    for entry in entries {
        let lived = replay.handle_entry(entry, |at, moment| {
            moments.clear();
            write!(moments, "{at} {moment}").expect("memory takes all text");
        });
        assert_eq!(lived, Ok(()));
    }
    let recording = Recording::read(file).expect("it was read before");
    assert_eq!(replay.inputs(), recording.inputs.len() as u64);
    assert_eq!(replay.fingerprint(), recording.outputs);
}

/// True if a node with this config does not have leave to take more memory and time than one input is worth.
fn is_modest(config: &Config) -> bool {
    config.link.slots.min(config.link.links_max) <= SLOTS_MAX
}

/// The file with the first line of today, and with the lengths and checks that its entries should have, as far as they
/// go.
fn mended(file: &[u8]) -> Vec<u8> {
    let Some(end) = end_of_head(file) else { return file.to_vec() };
    let mut mended = written(Instant::ZERO, &Config::alone(""), Seed::from(0), &[]);
    let head = end_of_head(&mended).expect("a file begins with a line");
    mended.truncate(head);
    mended.extend_from_slice(&file[end..]);
    let mut rest = &mut mended[head..];
    while let Some((prefix, after)) = rest.split_first_chunk_mut::<8>() {
        let [a, b, c, d, ..] = *prefix;
        let length = u32::from_le_bytes([a, b, c, d]) & LENGTH_MAX;
        let length = length.min(u32::try_from(after.len()).unwrap_or(LENGTH_MAX));
        let (entry, next) = after.split_at_mut(length as usize);
        prefix[..4].copy_from_slice(&sealed(length).to_le_bytes());
        prefix[4..].copy_from_slice(&digest(entry));
        rest = next;
    }
    mended
}

/// Where the entries begin.
fn end_of_head(file: &[u8]) -> Option<usize> {
    Some(file.iter().position(|byte| *byte == b'\n')? + 1)
}

/// A length with its check above it: the exclusive or of its parts of six bits.
fn sealed(length: u32) -> u32 {
    let parts = [0, 6, 12, 18, 24].map(|bits| length >> bits & 0b11_1111);
    length | parts.into_iter().fold(0b10_1101, |folded, part| folded ^ part) << LENGTH_MAX.count_ones()
}

/// The lower half of an entry's digest.
fn digest(entry: &[u8]) -> [u8; 4] {
    let mut digest = Digest::default();
    for byte in entry {
        digest.feed(byte);
    }
    let [a, b, c, d, ..] = digest.value().to_le_bytes();
    [a, b, c, d]
}

const LENGTH_MAX: u32 = (1 << 26) - 1;
const SLOTS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_altered_is_mended() {
        let config = Config::peer("g", "a");
        let file =
            lived(&config, Seed::from(1), Instant::ZERO, [(Instant::from_millis(5), &Input::Timeout)].into_iter());
        assert_eq!(mended(&file), file, "what is right stays as it is");
        let mut altered = file.clone();
        let name = file.windows(2).position(|two| two == [1, b'a']).expect("a name") + 1;
        altered[name] = b'b';
        assert!(matches!(Recording::read(&altered), Err(RecordingError::Altered { .. })));
        assert_eq!(Recording::read(&mended(&altered)).expect("it was mended").config.name, "b");
        altered[b"flockmq recording ".len()] += 1; // The format.
        assert!(matches!(Recording::read(&altered), Err(RecordingError::OtherFormat { .. })));
        assert_eq!(Recording::read(&mended(&altered)).expect("it was mended").config.name, "b");
    }
}
