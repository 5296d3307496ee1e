//! What a broker may hold, and how it treats whoever is slow.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::policy::{DestinationPolicy, Policies};
use super::slow::SlowConsumers;
use super::subscription::Allowance;
use super::virtual_topic::VirtualTopics;
use crate::model::{Destination, DestinationKind, Destinations, Refusal, Subscription};

/// Limits of the embedded broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerConfig {
    /// How many destinations there may be.
    pub destinations_max: usize,
    /// How many connections may be attached.
    pub connections_max: usize,
    /// How many consumers one connection may have; peers have as many demands as their bridges take
    /// ([`BridgeConfig::demands_max`](crate::BridgeConfig::demands_max)).
    pub consumers_max: usize,
    /// How many producers one connection may have.
    pub producers_max: usize,
    /// How many destinations one consumer or producer may name at once.
    pub composite_max: usize,
    /// How many messages a producer may have sent and not yet seen accepted.
    pub producer_window: u64,
    /// The default prefetch of a queue's consumer.
    pub queue_prefetch: u32,
    /// The default prefetch of whoever looks at a queue.
    pub browser_prefetch: u32,
    /// The default prefetch of a topic's subscriber.
    pub topic_prefetch: u32,
    /// The greatest prefetch that may be asked for.
    pub prefetch_max: u32,
    /// How many bytes may wait in all queues, for all topic subscribers and for all durable subscriptions together
    /// (ActiveMQ's `memoryUsage`). While there are more, what would have to wait is not accepted; what goes straight to a
    /// consumer is. For subscribers that count as stalled, and for durable subscriptions without a consumer, as much is
    /// dropped as comes.
    pub memory_max: u64,
    /// How many bytes of one connection's messages may wait for room; further ones are refused. Applications' only: a
    /// client's link is closed for it ([`RemoteConfig::parked_bytes_max`]), and peers hand over no more than their window.
    ///
    /// [`RemoteConfig::parked_bytes_max`]: crate::RemoteConfig::parked_bytes_max
    pub parked_bytes_max: u64,
    /// How many bytes may wait in one queue, if no policy says; its producers wait while there are more.
    pub queue_bytes_max: u64,
    /// How many message groups of one queue are remembered while there is no message of theirs: each goes on with the
    /// consumer that had it. Beyond that, the one without messages for longest is forgotten, and its next message goes to
    /// whoever's turn it is.
    pub groups_max: usize,
    /// How many bytes may wait for one topic subscriber, if no policy says; publishers wait while there are more.
    pub topic_bytes_max: u64,
    /// The default prefetch of a durable subscription's consumer.
    pub durable_prefetch: u32,
    /// How many durable subscriptions there may be.
    pub durables_max: usize,
    /// How many bytes may wait for one durable subscription, if no policy says. With a consumer, publishers wait while there are more, as
    /// for any topic subscriber; without one, messages are dropped and counted: the oldest, or by its policy the newest.
    pub durable_bytes_max: u64,
    /// How many bytes all topics together may remember for those who subscribe late; beyond it the topic that has
    /// something new to remember forgets its oldest.
    pub history_bytes_max: u64,
    /// How long a topic subscriber may take nothing while publishers wait for it; after that they wait no more, and what
    /// becomes of it is in its policy ([`SlowConsumers`](super::SlowConsumers)).
    pub stalled_after: Duration,
    /// How many advisories wait for an application that does not take them; beyond it the oldest are missed, and counted.
    pub advisories_max: usize,
    /// The largest message, in bytes; no larger than half of what may wait for a link ([`LinkConfig::backlog_max`]).
    ///
    /// [`LinkConfig::backlog_max`]: crate::LinkConfig::backlog_max
    pub message_max: u32,
    /// True if a message that came before is recognised, whichever bridge or client it comes from
    /// (`checkForDuplicates`). False hands out every copy.
    pub checks_duplicates: bool,
    /// For how many producers duplicates are recognised.
    pub audit_producers_max: usize,
    /// How many transactions one connection may have open.
    pub transactions_max: usize,
    /// How many messages one transaction may send and acknowledge.
    pub transaction_messages_max: usize,
    /// How many bytes one transaction may send.
    pub transaction_bytes_max: u64,
    /// How long another broker's temporary destination is held that nobody consumes from; then it goes, with whatever
    /// waits there (ActiveMQ's `timeBeforePurgeTempDestinations`).
    pub temporaries_kept: Duration,
    /// Which topics' messages also go to queues; none if `None`.
    pub virtual_topics: Option<VirtualTopics>,
    /// How destinations are treated, by their names.
    pub policies: Policies,
}

impl Default for BrokerConfig {
    /// ActiveMQ's prefetch of 1000 for queues, 500 for who looks at one and 32767 for topics, and its virtual topics;
    /// 10 000 destinations, 1000 connections with 1000 consumers and producers each, 64 destinations at once, 8192 messages
    /// unaccepted and 256 MiB of a connection's waiting for room; 1 GiB in all, 64 MiB in a queue and 1024 idle groups, 1 MiB
    /// for a subscriber, 1 s until one counts as stalled; 1024 advisories; 8 MiB a message; duplicates of
    /// 1024 producers. 100 transactions a connection, of 10 000 messages and 16 MiB each. 1000 durable subscriptions with a
    /// prefetch of 100 and 16 MiB each; 64 MiB remembered. Others' temporary destinations for a minute.
    fn default() -> Self {
        Self {
            destinations_max: 10_000,
            connections_max: 1_000,
            consumers_max: 1_000,
            producers_max: 1_000,
            composite_max: 64,
            producer_window: 8_192,
            queue_prefetch: 1_000,
            browser_prefetch: 500,
            topic_prefetch: 32_767,
            prefetch_max: 65_535,
            memory_max: 1024 * 1024 * 1024,
            parked_bytes_max: 256 * 1024 * 1024,
            queue_bytes_max: 64 * 1024 * 1024,
            groups_max: 1_024,
            topic_bytes_max: 1024 * 1024,
            durable_prefetch: 100,
            durables_max: 1_000,
            durable_bytes_max: 16 * 1024 * 1024,
            history_bytes_max: 64 * 1024 * 1024,
            stalled_after: Duration::from_secs(1),
            advisories_max: 1_024,
            message_max: 8 * 1024 * 1024,
            checks_duplicates: true,
            audit_producers_max: 1_024,
            transactions_max: 100,
            transaction_messages_max: 10_000,
            transaction_bytes_max: 16 * 1024 * 1024,
            temporaries_kept: Duration::from_mins(1),
            virtual_topics: Some(VirtualTopics::default()),
            policies: Policies::default(),
        }
    }
}

impl BrokerConfig {
    /// How much a consumer may be handed and have waiting for it. Of several topics' policies the least that may wait
    /// counts, and what the first says of slow consumers.
    pub(super) fn allowance(&self, subscription: &Subscription) -> Result<Allowance, Refusal> {
        let prefetch = self.prefetch(subscription)?;
        let when_slow =
            self.topics(subscription).next().map_or_else(SlowConsumers::default, |first| first.slow_consumers);
        Ok(Allowance { prefetch, bytes_max: self.bytes_max(subscription), when_slow })
    }

    /// How many bytes may wait for a topic's subscriber.
    pub(super) fn bytes_max(&self, subscription: &Subscription) -> u64 {
        let usual = if subscription.durable.is_some() { self.durable_bytes_max } else { self.topic_bytes_max };
        self.topics(subscription).map(|policy| policy.bytes_max.unwrap_or(usual)).min().unwrap_or(usual)
    }

    /// The policies of the topics among a subscription's destinations.
    fn topics(&self, subscription: &Subscription) -> impl Iterator<Item = &DestinationPolicy> {
        let topics = subscription.destination.iter().filter(|part| part.kind() == DestinationKind::Topic);
        topics.map(|topic| self.policies.resolve(topic))
    }

    /// How many deliveries a subscriber may have outstanding unless it says so itself: of all its destinations together,
    /// and the least that is usual for any of them.
    pub fn usual_prefetch(&self, subscription: &Subscription) -> u32 {
        let usual = |destination: &Destination| match destination.kind() {
            DestinationKind::Queue if subscription.browses => self.browser_prefetch,
            DestinationKind::Queue => self.queue_prefetch,
            DestinationKind::Topic if subscription.durable.is_some() => self.durable_prefetch,
            DestinationKind::Topic => self.topic_prefetch,
        };
        let others = subscription.destination.others().iter().map(usual);
        others.fold(usual(subscription.destination.first()), u32::min)
    }

    /// Refuses more destinations at once than are allowed.
    pub(crate) fn check_composite(&self, destinations: &Destinations) -> Result<(), Refusal> {
        let (found, max) = (destinations.len() as u64, self.composite_max as u64);
        if found > max && destinations.is_composite() {
            return Err(Refusal::TooManyDestinations { found, max });
        }
        Ok(())
    }

    /// How many deliveries a subscriber may have outstanding.
    pub(super) fn prefetch(&self, subscription: &Subscription) -> Result<u32, Refusal> {
        match subscription.prefetch.unwrap_or_else(|| self.usual_prefetch(subscription)) {
            found if found == 0 || found > self.prefetch_max => {
                Err(Refusal::PrefetchOutOfRange { found, max: self.prefetch_max })
            }
            prefetch => Ok(prefetch),
        }
    }
}
