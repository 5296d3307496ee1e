//! What stands in a recording.

use alloc::boxed::Box;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::base::{Instant, Seed};
use crate::node::{Config, Input};

/// One thing that a recording says, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub enum Entry {
    /// The process ended in order; nothing follows.
    Ended,
    /// The process went on and was not recorded any more; nothing follows.
    GivenUp {
        /// Why.
        reason: String,
    },
    /// The node was told something. It answered nothing if no [`Entry::Said`] follows.
    Input {
        /// What its clock read.
        at: Instant,
        /// What it was told.
        input: Input,
    },
    /// What the node said to that.
    Said {
        /// How many outputs.
        count: u32,
        /// The fingerprint of all outputs since the start.
        outputs: u64,
    },
    /// The node was started; comes first, and once.
    Started {
        /// What its clock read.
        at: Instant,
        /// What it was told.
        config: Box<Config>,
        /// What its chance came from.
        seed: Seed,
    },
}

/// An [`Entry`] to be written: the same variants in the same order, which is what tells them apart in a file.
#[derive(Serialize)]
pub(super) enum Written<'a> {
    Ended,
    GivenUp { reason: &'a str },
    Input { at: Instant, input: &'a Input },
    Said { count: u32, outputs: u64 },
    Started { at: Instant, config: &'a Config, seed: Seed },
}
