//! A queue or a topic.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use flockmq_core::{Destination, DestinationPolicy, DestinationStatus, Instant, Message, Priority};

use super::consumer::Id;
use super::group::Groups;
use super::history::Remembered;

/// What there is of one destination.
pub(super) struct Place {
    pub(super) name: Destination,
    pub(super) policy: DestinationPolicy,
    pub(super) born: u64,             // Messages that have come.
    pub(super) waiting: Vec<Waiting>, // In order; a topic's wait with its consumers.
    pub(super) delayed: Vec<Delayed>, // Likewise.
    pub(super) turns: Vec<Id>,        // Who takes the next message: the first that may.
    pub(super) holder: Option<Id>,    // Who has the queue alone.
    pub(super) groups: Groups,
    pub(super) retained: Option<Remembered>, // What topics remember.
    pub(super) past: Vec<Remembered>,        // The oldest first.
    pub(super) parked: VecDeque<Parked>,
    pub(super) forsaken_at: Option<Instant>, // When it is forgotten.
    pub(super) idle_at: Option<Instant>,     // When it is looked at, whether it is.
    pub(super) happened_before: u64,         // When it was looked at last.
    pub(super) is_gone: bool,
    pub(super) counts: DestinationStatus, // What is counted of it; the rest can be seen.
}

/// A message that waits for a consumer.
#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) order: u64,
    pub(super) redeliveries: u32,
    pub(super) arrived_at: Instant,
    pub(super) message: Arc<Message>,
}

/// A message that was given back, until it is handed out again.
pub(super) struct Delayed {
    pub(super) until: Instant,
    pub(super) keeps_order: bool,
    pub(super) waiting: Waiting,
}

/// A message that waits for room.
pub(super) struct Parked {
    pub(super) connection: u64,
    pub(super) stream: u64,
    pub(super) number: u64,
    pub(super) waiting: Waiting,
}

impl Place {
    pub(super) fn new(name: Destination, policy: DestinationPolicy) -> Self {
        Self {
            counts: nothing(name.clone()),
            name,
            policy,
            born: 0,
            waiting: Vec::new(),
            delayed: Vec::new(),
            turns: Vec::new(),
            holder: None,
            groups: Groups::default(),
            retained: None,
            past: Vec::new(),
            parked: VecDeque::new(),
            forsaken_at: None,
            idle_at: None,
            happened_before: 0,
            is_gone: false,
        }
    }

    /// Adds a message where it belongs.
    pub(super) fn insert(&mut self, waiting: Waiting) {
        self.waiting.push(waiting);
        self.waiting.sort_by_key(Waiting::rank);
    }
}

impl Waiting {
    /// The most urgent come first, and of equally urgent ones the one that came first.
    pub(super) fn rank(&self) -> (Reverse<Priority>, u64) {
        (Reverse(self.message.body.priority), self.order)
    }

    pub(super) fn size(&self) -> u64 {
        self.message.size() as u64
    }
}

fn nothing(name: Destination) -> DestinationStatus {
    DestinationStatus {
        name,
        is_paused: false,
        depth: 0,
        delayed: 0,
        bytes: 0,
        parked: 0,
        consumers: 0,
        producers: 0,
        enqueued: 0,
        dispatched: 0,
        outstanding: 0,
        dequeued: 0,
        expired: 0,
        failed: 0,
        dead_lettered: 0,
        purged: 0,
        let_go: 0,
        dropped: 0,
    }
}
