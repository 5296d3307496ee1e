//! A queue or a topic.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use flockmq_core::{Destination, Message};

use super::consumer::Id;

/// What there is of one destination.
pub(super) struct Place {
    pub(super) name: Destination,
    pub(super) born: u64,             // Messages that have come.
    pub(super) waiting: Vec<Waiting>, // In order; a topic's wait with its consumers.
    pub(super) turns: Vec<Id>,        // Who takes the next message: the first that may.
    pub(super) parked: VecDeque<Parked>,
}

/// A message that waits for a consumer.
#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) order: u64,
    pub(super) redeliveries: u32,
    pub(super) message: Arc<Message>,
}

/// A message that waits for room.
pub(super) struct Parked {
    pub(super) connection: u64,
    pub(super) stream: u64,
    pub(super) number: u64,
    pub(super) waiting: Waiting,
}

impl Place {
    pub(super) fn new(name: Destination) -> Self {
        Self { name, born: 0, waiting: Vec::new(), turns: Vec::new(), parked: VecDeque::new() }
    }

    /// Adds a message where it belongs: the most urgent first, of equally urgent ones the one that came first.
    pub(super) fn insert(&mut self, waiting: Waiting) {
        self.waiting.push(waiting);
        self.waiting.sort_by_key(|waiting| (Reverse(waiting.message.body.priority), waiting.order));
    }
}

impl Waiting {
    pub(super) fn size(&self) -> u64 {
        self.message.size() as u64
    }
}
