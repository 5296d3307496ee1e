//! How the broker is set up.

use std::collections::BTreeSet;
use std::time::Duration;

use flockmq_core::{
    BrokerConfig, Config, DeadLetterPolicy, DeadLetterQueue, DestinationPolicy, History, LinkConfig, NonPersistent,
    PolicyEntry, RedeliveryPolicy, RemoteConfig, SlowConsumers, WhenFull,
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
        if features.contains(&Feature::Composites) {
            broker.composite_max = usual(64, &[2], choice);
        }
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
        if features.contains(&Feature::Memory) {
            broker.memory_max = choice.pick(&[2_000, 100_000, 1_000, 1]);
            broker.parked_bytes_max = choice.pick(&[100_000, 600, 1]);
        }
        if features.contains(&Feature::SlowConsumers) {
            broker.stalled_after = Duration::from_millis(choice.pick(&[30, 10, 100]));
            broker.topic_bytes_max = choice.pick(&[500, 1]);
        }
        if features.contains(&Feature::Transactions) {
            broker.transactions_max = usual(100, &[1], choice);
            broker.transaction_messages_max = usual(100, &[2], choice);
            broker.transaction_bytes_max = usual(10_000, &[500], choice);
        }
        broker.policies.default = policy(&features, choice);
        let is_by_name = [Feature::DeadLetters, Feature::Memory, Feature::Redelivery, Feature::SlowConsumers];
        if !features.is_disjoint(&is_by_name.into()) {
            let entries = ["queue://a", "topic://t"].map(|name| PolicyEntry {
                destination: name.parse().expect("a destination"),
                policy: policy(&features, choice),
            });
            broker.policies.entries = entries.into();
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

/// Without a wish, what is given back is handed out again at once, what is dead is gone, what has no room waits,
/// and who is slow gets the newest.
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
    let (mut bytes_max, mut when_full) = (None, WhenFull::Wait);
    if features.contains(&Feature::Memory) {
        bytes_max = choice.pick(&[None, Some(500), Some(1_500), Some(1)]);
        when_full = match choice.below(3) {
            0 => WhenFull::Wait,
            1 => WhenFull::Refuse,
            _ => WhenFull::WaitFor(Duration::from_millis(choice.pick(&[30, 100, 1]))),
        };
    }
    let mut slow_consumers = SlowConsumers::DropOldest;
    if features.contains(&Feature::SlowConsumers) {
        slow_consumers = choice.pick(&[
            SlowConsumers::Disconnect,
            SlowConsumers::DropNewest,
            SlowConsumers::Disconnect,
            SlowConsumers::DropOldest,
        ]);
    }
    let is_idle = features.contains(&Feature::IdleDestinations);
    let forgotten_after = is_idle.then(|| Duration::from_millis(choice.pick(&[30, 10, 100])));
    DestinationPolicy { redelivery, dead_letters, history, bytes_max, forgotten_after, when_full, slow_consumers }
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
