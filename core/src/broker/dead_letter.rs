//! Messages that can't be delivered, and where they are kept.

use serde::{Deserialize, Serialize};

use crate::model::Destination;

/// What becomes of messages that can't be delivered (ActiveMQ's `deadLetterStrategy`): because a consumer rejected them,
/// because they were given back more often than allowed, or because their time was up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterPolicy {
    /// Where they go.
    pub queue: DeadLetterQueue,
    /// True if messages whose time was up are kept too (`processExpired`).
    pub keeps_expired: bool,
    /// Which messages that need not survive their broker are kept (`processNonPersistent`).
    pub non_persistent: NonPersistent,
}

/// Where dead letters go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeadLetterQueue {
    /// A queue for each destination: `ActiveMQ.DLQ.Queue.<name>` or `ActiveMQ.DLQ.Topic.<name>`.
    Individual,
    /// Nowhere: they are discarded, and counted.
    None,
    /// One queue for all.
    Shared(Destination),
}

/// Which dead messages that need not survive their broker are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NonPersistent {
    /// None.
    Discarded,
    /// All.
    Kept,
    /// Those of queues.
    KeptOfQueues,
}

impl Default for DeadLetterPolicy {
    /// As ActiveMQ's, one queue `ActiveMQ.DLQ` for all, for expired messages too. Unlike there, queues' messages that
    /// are not persistent are kept as well: brokers keep their messages in memory, so few are marked persistent, and to
    /// lose the others without a trace would surprise.
    fn default() -> Self {
        Self {
            queue: DeadLetterQueue::Shared(Destination::queue(SHARED).expect("a queue's name")),
            keeps_expired: true,
            non_persistent: NonPersistent::KeptOfQueues,
        }
    }
}

/// The queue of all dead letters; those of single destinations are below it.
const SHARED: &str = "ActiveMQ.DLQ";
