//! One process's life as bytes, to be lived again: the config and seed of its node, everything it was told and when, and
//! fingerprints of what it said.
//!
//! A [`Recorder`] gives bytes to append to a file while the process lives, a [`Reader`] reads them in any chunking, and
//! a [`Replay`] lives through what was read and compares. A file begins with a line of text, `flockmq recording FORMAT
//! VERSION`; then each entry has its length and its check in front, 32 bits each, of which the length has a check too. Only a process that ends in order
//! writes an end, so the file of one that was killed can be read as far as it goes.
//!
//! ```
//! use flockmq_core::recording::{Reader, Recorder, Replay};
//! use flockmq_core::{Config, Input, Instant, Node, Seed};
//!
//! let (config, seed, start) = (Config::peer("group", "a"), Seed::from(1), Instant::ZERO);
//! let mut recorder = Recorder::new(&config, seed, start);
//! let mut node = Node::new(config, seed, start);
//! while let Some(output) = node.poll_output() {
//!     recorder.output(&output);
//! }
//! recorder.input(Instant::from_millis(5), &Input::Timeout);
//! node.handle_input(Instant::from_millis(5), Input::Timeout);
//! while let Some(output) = node.poll_output() {
//!     recorder.output(&output);
//! }
//! recorder.end();
//!
//! let (mut reader, mut replay) = (Reader::default(), Replay::default());
//! reader.push(&recorder.take());
//! while let Some(entry) = reader.poll_entry()? {
//!     replay.handle_entry(entry, |_, _| ())?; // An error is the first place where something else was said.
//! }
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod digest;
mod entry;
mod reader;
mod recorder;
mod replay;

#[cfg(test)]
mod tests;

use alloc::vec::Vec;

pub use digest::Digest;
pub use entry::Entry;
pub use reader::{Ending, Reader, RecordingError};
pub use recorder::Recorder;
pub use replay::{Difference, Moment, Replay};

use super::{Config, Input, Node};
use crate::base::{Instant, Seed};

/// A whole life in memory: what one process was told, and a fingerprint of what it said.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// What its node was started with.
    pub config: Config,
    /// What its chance came from.
    pub seed: Seed,
    /// What its clock read at the start.
    pub start: Instant,
    /// Every input, and what its clock read then.
    pub inputs: Vec<(Instant, Input)>,
    /// The fingerprint of all outputs, in order.
    pub outputs: u64,
    /// How it ends.
    pub ending: Ending,
}

impl Recording {
    /// Reads a file.
    pub fn read(file: &[u8]) -> Result<Self, RecordingError> {
        let mut reader = Reader::default();
        reader.push(file);
        let (mut started, mut inputs, mut said) = (None, Vec::new(), Digest::default().value());
        while let Some(entry) = reader.poll_entry()? {
            match entry {
                Entry::Ended | Entry::GivenUp { .. } => (),
                Entry::Input { at, input } => inputs.push((at, input)),
                Entry::Said { outputs, .. } => said = outputs,
                Entry::Started { at, config, seed } => started = Some((at, config, seed)),
            }
        }
        let ending = reader.finish()?;
        let (start, config, seed) = started.expect("a file without a start is refused");
        Ok(Self { config: *config, seed, start, inputs, outputs: said, ending })
    }

    /// Lives it again with this config, which may be another one, and gives the fingerprint of what was said.
    pub fn replay(&self, config: Config) -> u64 {
        let mut digest = Digest::default();
        let mut node = Node::new(config, self.seed, self.start);
        drain(&mut node, &mut digest);
        for (now, input) in &self.inputs {
            node.handle_input(*now, input.clone());
            drain(&mut node, &mut digest);
        }
        digest.value()
    }
}

fn drain(node: &mut Node, digest: &mut Digest) {
    while let Some(output) = node.poll_output() {
        digest.feed(&output);
    }
}

/// What a file begins with, before the format's number.
const MAGIC: &str = "flockmq recording ";

/// The format's number: another one for every change to the entries or to anything in them, such as a new input.
const FORMAT: u32 = 2;

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The longest first line.
const HEAD_MAX: usize = 64;

/// How many bytes stand in front of an entry.
const PREFIX: usize = 8;

/// The longest entry, in bytes: as many bits as its length has in front of it.
const ENTRY_MAX: u32 = (1 << LENGTH_BITS) - 1;

/// How many bits a length has; those above are its check.
const LENGTH_BITS: u32 = 26;

/// A length with its check, so that one that was altered is not waited for.
fn seal(length: u32) -> u32 {
    let folded = (0..LENGTH_BITS).step_by(6).fold(SEAL, |folded, bits| folded ^ length >> bits);
    length | folded << LENGTH_BITS
}

/// Makes a file of zeros no file of empty entries.
const SEAL: u32 = 0b10_1101;

/// What tells an entry from one that was altered.
fn check(entry: &[u8]) -> u32 {
    let mut digest = Digest::default();
    digest.bytes(entry);
    let [.., a, b, c, d] = digest.value().to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
