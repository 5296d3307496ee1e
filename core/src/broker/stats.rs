//! What a broker counts.

use super::Broker;
use super::registry::Room;

/// Counts since the broker's start, and how much it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BrokerStats {
    /// Messages accepted, duplicates included.
    pub accepted: u64,
    /// Messages handed out.
    pub delivered: u64,
    /// Deliveries acknowledged.
    pub acknowledged: u64,
    /// Messages that came over a bridge a second time and were not taken again.
    pub duplicates: u64,
    /// Messages dropped because their topic subscriber was stalled.
    pub dropped: u64,
    /// Queues' messages accepted, duplicates not included. Each waits, is outstanding, was acknowledged or let go.
    pub accepted_queued: u64,
    /// Deliveries of queues' messages acknowledged, those to peers included: from then on the peer's.
    pub acknowledged_queued: u64,
    /// Queues' messages that came back from a peer when another copy had come meanwhile, and were let go.
    pub let_go: u64,
    /// Bytes that wait in queues now.
    pub queued_bytes: u64,
    /// Messages that wait in queues now.
    pub queued: u64,
    /// Messages that wait for room now, not accepted yet.
    pub parked: u64,
    /// Deliveries that are not acknowledged now, those to peers included.
    pub outstanding: u64,
    /// As many of them as are queues' messages, which go back to their queue if they are not accepted.
    pub outstanding_queued: u64,
}

impl Broker {
    /// Counts and gauges.
    pub(crate) fn stats(&self) -> BrokerStats {
        let mut stats = self.stats;
        for room in self.registry.iter() {
            if let Room::Queue(queue) = &room.room {
                stats.queued += queue.len() as u64;
                stats.queued_bytes += queue.bytes();
            }
        }
        for subscription in self.subscriptions.iter() {
            stats.outstanding += subscription.outstanding.count() as u64;
            stats.outstanding_queued += subscription.outstanding.held() as u64;
        }
        stats
    }
}
