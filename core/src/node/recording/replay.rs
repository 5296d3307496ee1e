//! A recorded life, lived again.

use alloc::boxed::Box;
use core::fmt;
use core::mem;

use super::digest::Digest;
use super::entry::Entry;
use crate::base::Instant;
use crate::node::{Input, Node, Output};

/// Starts the node of a recording again, tells it what it was told, and compares what it says.
#[derive(Debug, Default)]
pub struct Replay {
    node: Option<Box<Node>>,
    now: Instant,
    outputs: Digest,
    said: u32, // Outputs that no entry has spoken of yet.
    inputs: u64,
    outputs_count: u64,
}

/// One thing that happens in a replay.
#[derive(Clone, Copy, Debug)]
pub enum Moment<'a> {
    /// The node is about to be told this.
    Told(&'a Input),
    /// The node says this.
    Said(&'a Output),
}

impl fmt::Display for Moment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(input) => input.brief().fmt(f),
            Self::Said(output) => output.brief().fmt(f),
        }
    }
}

/// Where a replay first says something else than what was recorded. Nothing after it can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What the process's clock read.
    pub at: Instant,
    /// The input it answered, counted from 1; 0 at its start.
    pub input: u64,
    /// How many outputs there were then.
    pub recorded: u32,
    /// How many there are now.
    pub replayed: u32,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, input, recorded, replayed } = self;
        match input {
            0 => write!(f, "at its start")?,
            input => write!(f, "at input {input}, at {at}")?,
        }
        if recorded == replayed {
            write!(f, ": as many outputs as recorded, {recorded}, but not the same ones")
        } else {
            write!(f, ": {replayed} outputs; {recorded} were recorded")
        }
    }
}

impl core::error::Error for Difference {}

impl Replay {
    /// Lives through an entry, and tells everything that happens by that.
    pub fn handle_entry(&mut self, entry: Entry, mut tell: impl FnMut(Instant, Moment<'_>)) -> Result<(), Difference> {
        match entry {
            Entry::Ended | Entry::GivenUp { .. } => self.expect_silence(),
            Entry::Input { at, input } => {
                self.expect_silence()?;
                self.now = at;
                self.inputs += 1;
                tell(at, Moment::Told(&input));
                self.node.as_mut().expect("a reader gives the start first").handle_input(at, input);
                self.drain(tell);
                Ok(())
            }
            Entry::Said { count, outputs } => {
                let replayed = mem::take(&mut self.said);
                let is_same = count == replayed && outputs == self.outputs.value();
                if is_same { Ok(()) } else { Err(self.difference(count, replayed)) }
            }
            Entry::Started { at, config, seed } => {
                *self = Self { now: at, node: Some(Box::new(Node::new(*config, seed, at))), ..Self::default() };
                self.drain(tell);
                Ok(())
            }
        }
    }

    /// The node; none before its start.
    pub fn node(&self) -> Option<&Node> {
        self.node.as_deref()
    }

    /// What the process's clock reads.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// How many inputs there were so far.
    pub fn inputs(&self) -> u64 {
        self.inputs
    }

    /// How many outputs there were so far.
    pub fn outputs(&self) -> u64 {
        self.outputs_count
    }

    /// The fingerprint of all outputs so far.
    pub fn fingerprint(&self) -> u64 {
        self.outputs.value()
    }

    fn drain(&mut self, mut tell: impl FnMut(Instant, Moment<'_>)) {
        let node = self.node.as_mut().expect("it was started");
        while let Some(output) = node.poll_output() {
            self.said += 1;
            self.outputs_count += 1;
            self.outputs.feed(&output);
            tell(self.now, Moment::Said(&output));
        }
    }

    /// No entry has said what was answered to the last input: nothing was.
    fn expect_silence(&self) -> Result<(), Difference> {
        if self.said == 0 { Ok(()) } else { Err(self.difference(0, self.said)) }
    }

    fn difference(&self, recorded: u32, replayed: u32) -> Difference {
        Difference { at: self.now, input: self.inputs, recorded, replayed }
    }
}
