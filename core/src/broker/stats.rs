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
    /// Messages dropped because their topic subscriber was stalled, or durable, without a consumer, and full; and
    /// those kept for a durable one that nobody can be handed any more.
    pub dropped: u64,
    /// Queues' messages accepted, duplicates not included. Each waits, is outstanding, was acknowledged, purged, let go or
    /// orphaned, has expired or failed.
    pub accepted_queued: u64,
    /// Deliveries of queues' messages acknowledged, those to peers included: from then on the peer's.
    pub acknowledged_queued: u64,
    /// Queues' messages that came back from a peer when another copy had come meanwhile, and were let go.
    pub let_go: u64,
    /// Messages whose time was up: on arrival, in their queue, or, once for each of them, while they waited for a
    /// topic's subscriber.
    pub expired: u64,
    /// As many of them as queues had accepted.
    pub expired_queued: u64,
    /// Queues' messages that a consumer rejected, or that were given back more often than allowed.
    pub failed_queued: u64,
    /// Dead messages that were kept: their copies in dead-letter queues, where they count as accepted too.
    pub dead_lettered: u64,
    /// Dead messages that were not kept, by their destination's policy or because there was no room.
    pub discarded: u64,
    /// Destinations forgotten because nobody used them.
    pub forgotten: u64,
    /// Topics' consumers that the broker ended because they were slow.
    pub ended_slow: u64,
    /// Messages of temporary queues that were dropped because the queue's connection had ended, or was not heard of.
    pub orphaned: u64,
    /// Queues' messages that an administrator removed.
    pub purged: u64,
    /// How often a consumer was not handed a message because its selector took too many steps over it
    /// ([`Selector::STEPS_MAX`]); it may be asked about one message more than once.
    ///
    /// [`Selector::STEPS_MAX`]: crate::Selector::STEPS_MAX
    pub selectors_too_costly: u64,
    /// Bytes that wait in queues now.
    pub queued_bytes: u64,
    /// Messages that wait in queues now.
    pub queued: u64,
    /// Messages that were given back to their queues and wait now until they are handed out again.
    pub delayed: u64,
    /// Messages that wait for room now, not accepted yet.
    pub parked: u64,
    /// Deliveries that are not acknowledged now, those to peers included.
    pub outstanding: u64,
    /// As many of them as are queues' messages, which go back to their queue if they are not accepted.
    pub outstanding_queued: u64,
    /// Durable subscriptions there are now, with or without a consumer.
    pub durables: u64,
    /// Messages kept for durable subscriptions now, those handed out and not acknowledged among them.
    pub kept: u64,
    /// Bytes of those that are not handed out.
    pub kept_bytes: u64,
    /// Bytes that wait now for topics' subscribers that are not durable, counted for each of them.
    pub pending_bytes: u64,
    /// Bytes of all messages that wait now: in queues, for topics' subscribers and for durable subscriptions; the sum of
    /// `queued_bytes`, `pending_bytes` and `kept_bytes`.
    pub waiting_bytes: u64,
    /// Bytes that topics remember now for those who subscribe late.
    pub remembered_bytes: u64,
}

impl Broker {
    /// Counts and gauges.
    pub(crate) fn stats(&self) -> BrokerStats {
        let mut stats = self.stats;
        for room in self.registry.iter() {
            if let Room::Queue(queue) = &room.room {
                stats.queued += queue.len() as u64;
                stats.queued_bytes += queue.bytes();
                stats.delayed += queue.delayed() as u64;
            }
        }
        stats.selectors_too_costly = self.selection.too_costly();
        stats.remembered_bytes = self.remembered_bytes;
        stats.durables = self.durables.len() as u64;
        (stats.kept, stats.kept_bytes) = self.kept();
        stats.waiting_bytes = self.memory.bytes();
        for (_, subscription) in self.subscriptions.iter() {
            stats.pending_bytes += subscription.pending.bytes();
            stats.outstanding += subscription.outstanding.count() as u64;
            stats.outstanding_queued += subscription.outstanding.held() as u64;
        }
        stats
    }
}
