//! Interest told to a peer.

use super::destination::Destination;
use super::path::Path;
use super::selector::Selector;

/// A destination that somebody wants messages of, which of them, and the brokers that the word has crossed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Demand {
    /// What is wanted: a destination or a pattern.
    pub destination: Destination,
    /// What its messages have to be like; `None` if any are wanted.
    pub selector: Option<Selector>,
    /// The brokers between the consumer and here; empty for a consumer of this broker's own.
    pub path: Path,
    /// True if nobody takes the messages at present: those who want them are durable subscriptions without a consumer.
    pub is_dormant: bool,
}
