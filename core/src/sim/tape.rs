//! A node's recording: whole in memory, for who plays the world, and on its way to a file of its host's disk, for what
//! a crash leaves of it. Told what the node is told and says, and how each request to the disk went.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use super::disk::{DiskError, DiskRequest};
use crate::recording::Recorder;
use crate::{Config, Input, Instant, Output, Seed};

/// One process's recording.
#[derive(Debug)]
pub(super) struct Tape {
    recorder: Recorder,
    recorded: Vec<u8>,
    file: String,
    asked: usize, // Bytes that the disk was asked to write.
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The disk has nothing to do.
    Idle,
    /// The disk has failed: the file ends, and the node goes on.
    Over,
    /// The disk makes sure of what was written.
    Syncing,
    /// The disk writes.
    Writing,
}

impl Tape {
    /// The recording of a node that is started with this, the host's `number`th from 1.
    pub(super) fn new(number: u32, config: &Config, seed: Seed, now: Instant) -> Self {
        let recorder = Recorder::new(config, seed, now);
        let file = format!("recording-{number}.flock");
        Self { recorder, recorded: Vec::new(), file, asked: 0, state: State::Idle }
    }

    /// The node is about to be told something.
    pub(super) fn input(&mut self, reading: Instant, input: &Input) {
        self.recorder.input(reading, input);
    }

    /// The node says something.
    pub(super) fn output(&mut self, output: &Output) {
        self.recorder.output(output);
    }

    /// The node has said all it had to say: what the disk is to do, if it has nothing to do.
    pub(super) fn settle(&mut self) -> Option<DiskRequest> {
        self.recorded.append(&mut self.recorder.take());
        if self.state != State::Idle || self.asked == self.recorded.len() {
            return None;
        }
        let data = Bytes::copy_from_slice(&self.recorded[self.asked..]);
        self.asked = self.recorded.len();
        self.state = State::Writing;
        Some(DiskRequest::Append { file: self.file.clone(), data })
    }

    /// The disk has done what it was to do, or has not; what it is to do next.
    pub(super) fn handle_answer(&mut self, result: Result<Bytes, DiskError>) -> Option<DiskRequest> {
        match (self.state, result) {
            (_, Err(_)) => {
                self.state = State::Over;
                None
            }
            (State::Writing, Ok(_)) => {
                self.state = State::Syncing;
                Some(DiskRequest::Sync { file: self.file.clone() })
            }
            (State::Syncing, Ok(_)) => {
                self.state = State::Idle;
                self.settle()
            }
            (State::Idle | State::Over, Ok(_)) => unreachable!("nothing was asked of the disk"),
        }
    }

    /// The node has stopped; nothing follows.
    pub(super) fn end(&mut self) {
        self.recorder.end();
    }

    /// Its name on the disk.
    pub(super) fn file(&self) -> &str {
        &self.file
    }

    /// Everything recorded so far.
    pub(super) fn recorded(&self) -> Vec<u8> {
        let mut recorded = self.recorded.clone();
        recorded.append(&mut self.recorder.clone().take());
        recorded
    }
}
