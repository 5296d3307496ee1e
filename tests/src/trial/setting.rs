//! How the broker is set up.

use std::time::Duration;

use flockmq_core::{
    BrokerConfig, Config, DeadLetterPolicy, DeadLetterQueue, DestinationPolicy, LinkConfig, Policies, RedeliveryPolicy,
    RemoteConfig,
};

use crate::choice::Choice;

/// A broker's limits, and a remote client's.
pub(super) struct Setting {
    pub(super) broker: BrokerConfig,
    pub(super) remote: RemoteConfig,
}

impl Setting {
    pub(super) fn draw(choice: &mut Choice<'_>) -> Self {
        let redelivery = RedeliveryPolicy {
            redeliveries_max: None,
            first_delay: Duration::ZERO,
            delay: Duration::ZERO,
            ..RedeliveryPolicy::default()
        };
        let dead_letters = DeadLetterPolicy { queue: DeadLetterQueue::None, ..DeadLetterPolicy::default() };
        // What is given back is handed out again at once, and what is rejected is gone.
        let plain = DestinationPolicy { redelivery, dead_letters, ..DestinationPolicy::default() };
        let broker = BrokerConfig {
            destinations_max: choice.pick(&[100, 4, 2]),
            connections_max: choice.pick(&[100, 3, 2]),
            consumers_max: choice.pick(&[100, 3, 1]),
            producers_max: choice.pick(&[100, 3, 1]),
            producer_window: choice.pick(&[100, 4, 1]),
            queue_prefetch: 3,
            topic_prefetch: 2,
            prefetch_max: 5,
            queue_bytes_max: choice.pick(&[2_000, 500, 1]),
            topic_bytes_max: choice.pick(&[1_000, 500, 1]),
            stalled_after: Duration::from_millis(100),
            message_max: 300,
            checks_duplicates: choice.pick(&[true, false]),
            audit_producers_max: 100,
            policies: Policies { default: plain, entries: Vec::new() },
            ..BrokerConfig::default()
        };
        let remote = RemoteConfig {
            parked_bytes_max: choice.pick(&[10_000, 500]),
            window: choice.pick(&[10_000, 500, 1]),
            ..RemoteConfig::default()
        };
        Self { broker, remote }
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
