//! How a node may be configured.

use std::time::Duration;

use flockmq_core::{
    BackoffConfig, BridgeConfig, BrokerConfig, Config, ConnectorConfig, Destination, DestinationPolicy, DialConfig,
    FanoutConfig, LinkConfig, MulticastConfig, Permits, Policies, RemoteConfig, Role, SlowConsumers, WhenFull,
};
use flockmq_tests::Choice;

/// Little room everywhere.
pub(super) fn config(choice: &mut Choice<'_>) -> Config {
    let config = match choice.below(3) {
        0 => Config::peer("g", "n"),
        1 => Config::broker("g", "n"),
        _ => Config { group: "g".to_owned(), ..Config::client("n") },
    };
    let named = ["tcp://10.0.0.7:1", "tcp://10.0.0.9:1", "tcp://name:1"].map(|text| text.parse().expect("an address"));
    let named = named.into_iter().take(usize::from(choice.place(4))).collect::<Vec<_>>();
    let backoff = BackoffConfig { attempts_max: choice.pick(&[None, Some(2)]), ..BackoffConfig::default() };
    let multicast = MulticastConfig { services_max: 2, adverts_per_second_max: 20, ..MulticastConfig::default() };
    let mut config = Config {
        peers: named,
        multicast: choice.pick(&[Some(()), None]).map(|()| multicast),
        link: LinkConfig {
            frame_max: 8 * 1024,
            handshake_timeout: Duration::from_millis(500),
            silence_max: Duration::from_secs(1),
            window: choice.pick(&[10_000, 300]),
            backlog_max: choice.pick(&[10_000, 1_000]),
            links_max: choice.pick(&[6, 2]),
            slots: 2,
        },
        dial: DialConfig { backoff, addresses_max: 3, ..DialConfig::default() },
        broker: BrokerConfig {
            destinations_max: 4,
            composite_max: 2,
            connections_max: choice.pick(&[4, 2]),
            consumers_max: 3,
            producers_max: 3,
            producer_window: 6,
            queue_prefetch: 2,
            topic_prefetch: 2,
            prefetch_max: 4,
            queue_bytes_max: 1_000,
            topic_bytes_max: 1_000,
            stalled_after: Duration::from_millis(200),
            message_max: 300,
            checks_duplicates: choice.pick(&[true, false]),
            audit_producers_max: 2,
            memory_max: choice.pick(&[100_000, 2_000]),
            parked_bytes_max: choice.pick(&[100_000, 1_000]),
            policies: Policies { default: policy(choice), entries: Vec::new() },
            ..BrokerConfig::default()
        },
        bridge: BridgeConfig {
            message_hops_max: choice.pick(&[1, 3]),
            demand_hops_max: choice.pick(&[1, 3]),
            prefetch: 2,
            topic_prefetch: 2,
            window: 1_000,
            demands_max: 3,
            permits: choice
                .pick(
                    &[
                        Permits::default(),
                        Permits { excluded: listed(&["queue://a", "topic://>"]), ..Permits::default() },
                        Permits { statically_included: listed(&["queue://a"]), temporary: false, ..Permits::default() },
                        Permits { dynamically_included: listed(&["topic://*"]), ..Permits::default() },
                    ]
                    .each_ref(),
                )
                .clone(),
            priority_base: choice.pick(&[Some(-5), None]),
            sync_timeout: Duration::from_secs(2),
            selectors_max: choice.pick(&[0, 1]),
            conduit_subscriptions: choice.chance(1, 4),
            dynamic_only: choice.chance(1, 4),
        },
        remote: RemoteConfig { administration: true, streams_max: 2, parked_bytes_max: 1_000, window: 1_000 },
        fanout: FanoutConfig {
            acks_min: choice.pick(&[1, 2]),
            replicates_queues: choice.pick(&[false, true]),
            send_timeout: Duration::from_secs(2),
            memory_max: choice.pick(&[10_000, 1_000]),
            window: 500,
            consumers_max: 3,
            questions_max: 2,
            checks_duplicates: choice.pick(&[true, false]),
            audit_producers_max: 2,
        },
        ..config
    };
    if config.role != Role::Client && choice.below(3) == 0 {
        config.connectors.push(ConnectorConfig::new(std::mem::take(&mut config.peers)));
        config.accepts_connectors = choice.pick(&[true, false]);
    }
    config
}

fn listed(destinations: &[&str]) -> Vec<Destination> {
    destinations.iter().map(|text| text.parse().expect("a destination")).collect()
}

/// How destinations are treated.
fn policy(choice: &mut Choice<'_>) -> DestinationPolicy {
    let waits = [WhenFull::Wait, WhenFull::Refuse, WhenFull::WaitFor(Duration::from_millis(100))];
    DestinationPolicy {
        when_full: choice.pick(&waits),
        slow_consumers: choice.pick(&[SlowConsumers::DropOldest, SlowConsumers::DropNewest, SlowConsumers::Disconnect]),
        forgotten_after: choice.pick(&[None, Some(Duration::from_millis(300)), Some(Duration::ZERO)]),
        ..DestinationPolicy::default()
    }
}
