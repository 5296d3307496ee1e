//! Counts and gauges, read on request.

use crate::broker::BrokerStats;
use crate::discovery::MulticastStats;

/// What a node counts and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The embedded broker's.
    pub broker: BrokerStats,
    /// What discovery heard and did not listen to.
    pub discovery: MulticastStats,
    /// Services that discovery knows of.
    pub services: usize,
    /// Links that are up, used or not.
    pub links: usize,
    /// Peers that demand is exchanged with.
    pub peers: usize,
    /// Clients that are served.
    pub clients: usize,
    /// Brokers that are fanned out to.
    pub targets: usize,
    /// Bytes of messages that not enough brokers have accepted yet.
    pub unsettled_bytes: u64,
    /// Encoded bytes that some broker fanned out to has not taken yet.
    pub lagging_bytes: u64,
    /// Bytes that wait for the network.
    pub waiting_bytes: u64,
}
