//! What an administrator asks of a broker, and what it answers. Links carry both: the order of the variants and of the
//! fields is part of the protocol.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::destination::Destination;
use super::durable::Durable;

/// Something to be done to a broker, or asked of it, from outside its messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminRequest {
    /// How the destinations fare, in order of kind and name. Answered by [`AdminReply::Destinations`].
    Destinations {
        /// Only those that this covers, a destination or a pattern; all if `None`.
        within: Option<Destination>,
        /// Only those after this one: the last one of the page before.
        after: Option<Destination>,
    },
    /// Hands out nothing from a queue, or from all that a pattern covers now, until told otherwise. What is sent there
    /// is accepted as before. Answered by [`AdminReply::Changed`].
    Pause(Destination),
    /// Removes what waits in a queue, or in all that a pattern covers. What was handed out stays with whoever has it,
    /// and what waits for room follows. Answered by [`AdminReply::Purged`].
    Purge(Destination),
    /// Deletes a durable subscription that has no consumer, with all that is kept for it. Answered by
    /// [`AdminReply::DurableRemoved`].
    RemoveDurable(Durable),
    /// Ends [`AdminRequest::Pause`]. Answered by [`AdminReply::Changed`].
    Resume(Destination),
}

impl AdminRequest {
    /// True if `reply` is of the kind that answers this.
    pub(crate) fn is_answered_by(&self, reply: &AdminReply) -> bool {
        matches!(
            (self, reply),
            (Self::Destinations { .. }, AdminReply::Destinations(_))
                | (Self::Pause(_) | Self::Resume(_), AdminReply::Changed { .. })
                | (Self::Purge(_), AdminReply::Purged { .. })
                | (Self::RemoveDurable(_), AdminReply::DurableRemoved)
        )
    }
}

/// What came of an [`AdminRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminReply {
    /// Queues were paused or resumed.
    Changed {
        /// How many are now otherwise than they were.
        queues: u64,
    },
    /// The destinations there are.
    Destinations(Inventory),
    /// The durable subscription is deleted.
    DurableRemoved,
    /// Queues were purged.
    Purged {
        /// How many messages were removed.
        messages: u64,
        /// From how many queues.
        queues: u64,
    },
}

/// Destinations of one broker, as many as fit into an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// In order of kind and name.
    pub destinations: Vec<DestinationStatus>,
    /// How many follow that this answer has no room for.
    pub left_out: u64,
}

/// How one destination of a broker fares. Counts are since it came to be there.
///
/// Of a queue, what was `enqueued` waits, is delayed or outstanding, was dequeued or purged, has expired or failed, or was
/// let go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationStatus {
    /// The destination.
    pub name: Destination,
    /// True if it is paused: it takes messages and hands out none.
    pub is_paused: bool,
    /// Queues: messages that wait.
    pub depth: u64,
    /// Queues: messages that were given back and wait until they are handed out again.
    pub delayed: u64,
    /// Queues: how many bytes both take.
    pub bytes: u64,
    /// Messages that were sent and wait for room: not accepted yet.
    pub parked: u64,
    /// Consumers, each peer that wants its messages among them.
    pub consumers: u64,
    /// Producers of this broker's own application, and streams that its clients have sent on.
    pub producers: u64,
    /// Messages accepted; what was recognised as a duplicate does not count.
    pub enqueued: u64,
    /// Messages handed out, each time counted. Topics: a copy for each subscriber, handed out or waiting for its credit.
    pub dispatched: u64,
    /// Queues: messages handed out and not answered.
    pub outstanding: u64,
    /// Queues: messages acknowledged, by peers too.
    pub dequeued: u64,
    /// Messages whose time was up, once for each subscriber of a topic that they waited for.
    pub expired: u64,
    /// Queues: messages that a consumer rejected, or that were given back more often than allowed.
    pub failed: u64,
    /// As many of those that expired or failed as were kept in dead-letter queues.
    pub dead_lettered: u64,
    /// Queues: messages that an administrator removed.
    pub purged: u64,
    /// Queues: messages that came back from a peer when another copy had come meanwhile, and were let go.
    pub let_go: u64,
    /// Topics: copies dropped because their subscriber was stalled, or its connection can't carry them.
    /// Those of durable subscriptions are counted by the broker only.
    pub dropped: u64,
}
