//! How a client fans out.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// How a client sends to many brokers at once, and what it holds meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanoutConfig {
    /// How many brokers must be up before anything is sent, and how many must accept a message that all are sent
    /// (`minAckCount`).
    pub acks_min: u32,
    /// True if queues' messages go to every broker too, instead of to one (`fanOutQueues`).
    pub replicates_queues: bool,
    /// How long a send may take in all, waiting for brokers included (`sendTimeout`).
    pub send_timeout: Duration,
    /// How many bytes of messages may wait to be accepted by enough brokers, and how many encoded bytes may wait for
    /// slow ones: two bounds of this size (`memoryLimit`). A send beyond the first is refused, a broker that is
    /// further behind than the second is parted from and dialled again.
    pub memory_max: u64,
    /// How many bytes one broker may have been sent and not accepted.
    pub window: u64,
    /// How many consumers there may be.
    pub consumers_max: usize,
    /// How many questions of administrators may be open.
    pub questions_max: usize,
    /// True if consumers recognise what another broker has handed them before (`checkForDuplicates`).
    pub checks_duplicates: bool,
    /// For how many producers a consumer recognises what it was handed before.
    pub audit_producers_max: usize,
}

impl Default for FanoutConfig {
    /// Two brokers, queues' messages to one of them, 30 s a send, 64 MiB, 1 MiB on its way to each broker, 1000
    /// consumers, 64 questions, duplicates of 1024 producers.
    fn default() -> Self {
        Self {
            acks_min: 2,
            replicates_queues: false,
            send_timeout: Duration::from_secs(30),
            memory_max: 64 * 1024 * 1024,
            window: 1024 * 1024,
            consumers_max: 1_000,
            questions_max: 64,
            checks_duplicates: true,
            audit_producers_max: 1_024,
        }
    }
}
