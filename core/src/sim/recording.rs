//! One process's life, to be lived again: its seed and everything it was told.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::trace::Digest;
use crate::{Config, Input, Instant, Node, Output, Seed};

/// What one process was told, and a fingerprint of what it said. With the same config, the same is said again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// What its chance came from.
    pub seed: Seed,
    /// What its clock read at the start.
    pub start: Instant,
    /// Every input, and what its clock read then.
    pub inputs: Vec<(Instant, Input)>,
    /// The fingerprint of all outputs, in order.
    pub outputs: u64,
}

impl Recording {
    /// Lives it again, and gives the fingerprint of what was said this time.
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

/// A recording in the making.
#[derive(Debug)]
pub(super) struct Recorder {
    recording: Recording,
    outputs: Digest,
}

impl Recorder {
    pub(super) fn new(seed: Seed, start: Instant) -> Self {
        let recording = Recording { seed, start, inputs: Vec::new(), outputs: 0 };
        Self { recording, outputs: Digest::default() }
    }

    pub(super) fn input(&mut self, now: Instant, input: &Input) {
        self.recording.inputs.push((now, input.clone()));
    }

    pub(super) fn output(&mut self, output: &Output) {
        self.outputs.feed(output);
    }

    /// The recording so far.
    pub(super) fn recording(&self) -> Recording {
        Recording { outputs: self.outputs.value(), ..self.recording.clone() }
    }
}
