//! Messages handed out, and what becomes of them.

use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use super::id::{ConsumerId, Tag};
use super::message::Message;

/// A message handed to a consumer and not yet acknowledged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its place among this consumer's deliveries.
    pub tag: Tag,
    /// How often the message was handed out before to somebody who may have seen it.
    pub redeliveries: u32,
    /// The message.
    pub message: Arc<Message>,
}

/// What an acknowledgement says of the deliveries it covers. Links carry it, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AckKind {
    /// They are done with.
    Accepted,
    /// They go back to their queue, to be handed out again after a while, as its redelivery policy has it.
    Released,
    /// They can't be dealt with by anybody (ActiveMQ's poison acknowledgement): they are dead letters of their queue. A
    /// topic keeps nothing of what it has handed out, so that this only says that they were seen.
    Rejected,
}

/// Which deliveries an acknowledgement covers. Links carry it, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AckExtent {
    /// The named delivery alone.
    Individual,
    /// The named delivery and all before it.
    UpTo,
}

/// An answer to deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Whose deliveries.
    pub consumer: ConsumerId,
    /// The delivery, or the last of several.
    pub tag: Tag,
    /// How many it covers.
    pub extent: AckExtent,
    /// What is said of them.
    pub kind: AckKind,
}
