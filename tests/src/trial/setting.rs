//! How the broker is set up.

use std::collections::BTreeSet;
use std::time::Duration;

use flockmq_core::{
    BrokerConfig, Config, DeadLetterPolicy, DeadLetterQueue, DestinationPolicy, History, LinkConfig, NonPersistent,
    PolicyEntry, RedeliveryPolicy, RemoteConfig,
};

use super::feature::Feature;
use crate::choice::Choice;

/// What is made use of, a broker's limits, and a remote client's.
#[derive(Clone)]
pub(super) struct Setting {
    pub(super) features: BTreeSet<Feature>,
    pub(super) destinations: &'static [&'static str], // That operations are about.
    pub(super) broker: BrokerConfig,
    pub(super) remote: RemoteConfig,
}

impl Setting {
    pub(super) fn draw(choice: &mut Choice<'_>) -> Self {
        let features = Feature::draw(choice);
        let destinations = choice.pick(&[&DESTINATIONS, &QUEUES[..1], &QUEUES, &TOPICS[..1], &TOPICS]);
        let mut broker = BrokerConfig {
            destinations_max: usual(100, &[4, 2], choice),
            connections_max: usual(100, &[3, 2], choice),
            consumers_max: usual(100, &[3, 1], choice),
            producers_max: usual(100, &[3, 1], choice),
            producer_window: usual(100, &[4, 1], choice),
            queue_prefetch: 3,
            browser_prefetch: 2,
            topic_prefetch: 2,
            durable_prefetch: 2,
            prefetch_max: 5,
            queue_bytes_max: choice.pick(&[2_000, 500, 1]),
            topic_bytes_max: choice.pick(&[1_000, 500, 1]),
            stalled_after: Duration::from_millis(100),
            message_max: 300,
            checks_duplicates: choice.pick(&[true, false]),
            audit_producers_max: 100,
            temporaries_kept: Duration::from_millis(100),
            ..BrokerConfig::default()
        };
        let is_shared = features.contains(&Feature::ConsumerPriority);
        let remote = RemoteConfig {
            parked_bytes_max: usual(10_000, &[500], choice),
            window: if is_shared { choice.pick(&[500, 10_000]) } else { usual(10_000, &[500, 1], choice) },
            ..RemoteConfig::default()
        };
        if features.contains(&Feature::Durables) {
            broker.durables_max = usual(1_000, &[1], choice);
            broker.durable_bytes_max = choice.pick(&[1_000, 500, 1]);
        }
        if features.contains(&Feature::Groups) {
            broker.groups_max = choice.pick(&[1_024, 1, 0]);
        }
        if features.contains(&Feature::History) {
            broker.history_bytes_max = choice.pick(&[10_000, 1_000, 300]);
        }
        if features.contains(&Feature::Transactions) {
            broker.transactions_max = usual(100, &[1], choice);
            broker.transaction_messages_max = usual(100, &[2], choice);
            broker.transaction_bytes_max = usual(10_000, &[500], choice);
        }
        broker.policies.default = policy(&features, choice);
        if !features.is_disjoint(&[Feature::DeadLetters, Feature::Redelivery].into()) {
            let destination = "queue://a".parse().expect("a destination");
            broker.policies.entries = vec![PolicyEntry { destination, policy: policy(&features, choice) }];
        }
        Self { features, destinations, broker, remote }
    }

    pub(super) fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    pub(super) fn config(&self) -> Config {
        // Links bear any silence.
        let silence_max = Duration::from_secs(1 << 20);
        Config {
            multicast: None,
            link: LinkConfig { silence_max, slots: 1, ..LinkConfig::default() },
            broker: self.broker.clone(),
            remote: self.remote.clone(),
            ..Config::broker("g", "b")
        }
    }
}

/// A limit that is seldom met, or one of those that are.
fn usual<T: Copy>(usual: T, low: &[T], choice: &mut Choice<'_>) -> T {
    if choice.chance(1, 4) { choice.pick(low) } else { usual }
}

/// Without a wish, what is given back is handed out again at once, and what is dead is gone.
fn policy(features: &BTreeSet<Feature>, choice: &mut Choice<'_>) -> DestinationPolicy {
    let mut redelivery = RedeliveryPolicy {
        redeliveries_max: None,
        first_delay: Duration::ZERO,
        delay: Duration::ZERO,
        ..RedeliveryPolicy::default()
    };
    let mut dead_letters = DeadLetterPolicy { queue: DeadLetterQueue::None, ..DeadLetterPolicy::default() };
    if features.contains(&Feature::Redelivery) {
        redelivery = RedeliveryPolicy {
            redeliveries_max: choice.pick(&[None, Some(0), Some(1), Some(3)]),
            first_delay: Duration::from_millis(choice.pick(&[10, 0, 30])),
            delay: Duration::from_millis(choice.pick(&[20, 0, 50])),
            factor: choice.pick(&[1, 2]),
            delay_max: Duration::from_millis(70),
            keeps_order: choice.chance(1, 2),
        };
    }
    if features.contains(&Feature::DeadLetters) {
        let shared = |name: &str| DeadLetterQueue::Shared(name.parse().expect("a destination"));
        dead_letters = DeadLetterPolicy {
            queue: match choice.below(4) {
                0 => shared("queue://ActiveMQ.DLQ"),
                1 => DeadLetterQueue::Individual,
                2 => shared("queue://b.c"),
                _ => shared("queue://b.*"), // No place, so that nothing is kept.
            },
            keeps_expired: choice.chance(2, 3),
            non_persistent: choice.pick(&[NonPersistent::KeptOfQueues, NonPersistent::Kept, NonPersistent::Discarded]),
        };
    }
    let mut history = History::None;
    if features.contains(&Feature::History) {
        history = match choice.below(5) {
            0 => History::Count(3),
            1 => History::LastImage,
            2 => History::Bytes(700),
            3 => History::Age(Duration::from_millis(100)),
            _ => History::None,
        };
    }
    DestinationPolicy { redelivery, dead_letters, history, ..DestinationPolicy::default() }
}

const DESTINATIONS: [&str; 10] = [
    "queue://a",
    "topic://t",
    "queue://b.c",
    "topic://u.v",
    "queue://b.d",
    "topic://u.w",
    "queue://b.*",
    "topic://u.>",
    "queue://>",
    "topic://>",
];
const QUEUES: [&str; 3] = ["queue://a", "queue://b.c", "queue://>"];
const TOPICS: [&str; 3] = ["topic://t", "topic://u.v", "topic://>"];
