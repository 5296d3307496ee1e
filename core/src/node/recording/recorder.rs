//! A recording in the making.

use alloc::format;
use alloc::vec::Vec;
use core::mem;

use super::digest::Digest;
use super::entry::Written;
use super::{ENTRY_MAX, FORMAT, MAGIC, PREFIX, VERSION, check, seal};
use crate::base::{Instant, Seed};
use crate::node::{Config, Input, Output};

/// Is told what a node is told and says, and gives bytes to append to a file.
///
/// An input is told before the node takes it, so that a recording holds the input that a process died of.
#[derive(Clone, Debug)]
pub struct Recorder {
    bytes: Vec<u8>,
    outputs: Digest,
    said: u32, // Outputs since the last entry.
    is_over: bool,
}

impl Recorder {
    /// The recording of a node that is started with this.
    pub fn new(config: &Config, seed: Seed, at: Instant) -> Self {
        let bytes = format!("{MAGIC}{FORMAT} {VERSION}\n").into_bytes();
        let mut recorder = Self { bytes, outputs: Digest::default(), said: 0, is_over: false };
        recorder.append(&Written::Started { at, config, seed });
        recorder
    }

    /// The node is about to be told something.
    pub fn input(&mut self, at: Instant, input: &Input) {
        self.settle();
        self.append(&Written::Input { at, input });
    }

    /// The node says something.
    pub fn output(&mut self, output: &Output) {
        if !self.is_over {
            self.said += 1;
            self.outputs.feed(output);
        }
    }

    /// The process ends in order; nothing can follow.
    pub fn end(&mut self) {
        self.settle();
        self.append(&Written::Ended);
        self.is_over = true;
    }

    /// The recording ends, though the process does not; nothing can follow.
    pub fn give_up(&mut self, reason: &str) {
        self.settle();
        self.append(&Written::GivenUp { reason });
        self.is_over = true;
    }

    /// The process ends out of order: what the node said to its last input is not known whole. Nothing can follow.
    pub fn break_off(&mut self) {
        self.said = 0;
        self.is_over = true;
    }

    /// True once nothing can follow.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// How many bytes there are to take, at least.
    pub fn waiting(&self) -> usize {
        self.bytes.len()
    }

    /// What there is to append to the file. Taken between two inputs, when the node has said all it had to say.
    pub fn take(&mut self) -> Vec<u8> {
        self.settle();
        mem::take(&mut self.bytes)
    }

    fn settle(&mut self) {
        let count = mem::take(&mut self.said);
        if count > 0 {
            self.append(&Written::Said { count, outputs: self.outputs.value() });
        }
    }

    fn append(&mut self, entry: &Written<'_>) {
        if self.is_over {
            return;
        }
        let start = self.bytes.len();
        let mut bytes = mem::take(&mut self.bytes);
        bytes.extend_from_slice(&[0; PREFIX]);
        self.bytes = postcard::to_extend(entry, bytes).expect("memory has room, and our words all encode");
        let (prefix, entry) = self.bytes[start..].split_at_mut(PREFIX);
        match u32::try_from(entry.len()) {
            Ok(length) if length <= ENTRY_MAX => {
                prefix[..4].copy_from_slice(&seal(length).to_le_bytes());
                prefix[4..].copy_from_slice(&check(entry).to_le_bytes());
            }
            _ => {
                let reason = format!("an input of {} bytes; expected {ENTRY_MAX} at most", entry.len());
                self.bytes.truncate(start);
                self.give_up(&reason);
            }
        }
    }
}
