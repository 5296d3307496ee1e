//! What a broker says.

use std::collections::BTreeMap;

use flockmq_core::{AdminReply, ConsumerId, Delivery, Refusal};

/// What was said during one operation. Of a sender and of a consumer the order counts, between them it does not.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) replies: Vec<Result<(), Refusal>>,
    pub(crate) answers: Vec<Result<AdminReply, Refusal>>,
    /// By producer, or by stream of the remote client: the last message accepted.
    pub(crate) accepted: BTreeMap<(Sender, u64), u64>,
    pub(crate) refused: BTreeMap<(Sender, u64, u64), Vec<Refusal>>,
    pub(crate) delivered: BTreeMap<ConsumerId, Vec<Delivery>>,
    /// Who was looking at a queue and has been shown everything.
    pub(crate) browsed: Vec<ConsumerId>,
    /// Consumers that the broker has ended.
    pub(crate) ended: BTreeMap<ConsumerId, Refusal>,
    /// The remote client's link was closed.
    pub(crate) has_parted: bool,
}

/// Whose messages are spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sender {
    Application,
    Remote,
}
