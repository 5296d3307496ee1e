//! URIs as configs: each option in its place, and what can't be followed.

use alloc::format;
use alloc::string::ToString;

use super::*;
use crate::base::BackoffConfig;
use crate::model::{Destination, Permits};
use crate::uri::{Fanout, Location, Targets, Tcp};

fn config(text: &str) -> Result<Config, ConfigError> {
    match text.parse().expect(text) {
        Location::Broker(broker) => Config::from_broker(&broker, broker.name.clone().unwrap_or_default()),
        Location::Fanout(fanout) => Config::from_fanout(&fanout, "c"),
        Location::Peer(peer) => Config::from_peer(&peer, "b"),
        Location::Vm(vm) => Config::from_vm(&vm),
        other => panic!("{other}"),
    }
}

fn address(text: &str) -> Address {
    text.parse().expect(text)
}

fn at(text: &str) -> Destination {
    text.parse().expect(text)
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// What is told to a client that dials as a `fanout:` URI without options says.
fn client() -> Config {
    let backoff = BackoffConfig { first: millis(10), ..BackoffConfig::default() };
    let dial = DialConfig { backoff, connect_timeout: millis(10_000), ..DialConfig::default() };
    Config { dial, ..Config::client("c") }
}

#[test]
fn every_option_of_a_peer_finds_its_place() {
    let text = "peer://g?persistent=false&queuePrefetch=1&topicPrefetch=2&memoryLimit=70000&checkForDuplicates=false\
        &memoryUsage=80001&discovery.address=239.1.1.1&discovery.port=7&discovery.timeToLive=3&discovery.keepAliveInterval=100\
        &discovery.interface=lo&discovery.loopBackMode=true\
        &networkConnectorURIs=(static:(tcp://a:1?connectionTimeout=50)?initialReconnectDelay=5)\
        &transportConnectorURIs=tcp://127.0.0.1:9&networkTTL=4&messageTTL=2&prefetchSize=6&clientAdministration=false\
        &wireFormat.maxFrameSize=100000&wireFormat.maxInactivityDuration=200";
    let transport = TransportConfig {
        backoff: Some(BackoffConfig { first: millis(5), ..BackoffConfig::default() }),
        connect_timeout: Some(millis(50)),
        ..TransportConfig::default()
    };
    let expected = Config {
        listen: Some(address("tcp://127.0.0.1:9")),
        multicast: Some(MulticastConfig {
            address: IpAddr::V4(Ipv4Addr::new(239, 1, 1, 1)),
            port: 7,
            ttl: 3,
            interface: Some("lo".into()),
            loopback: false,
            period: millis(100),
            ..MulticastConfig::default()
        }),
        peers: [address("tcp://a:1")].into(),
        transports: [(address("tcp://a:1"), transport)].into(),
        remote: RemoteConfig { administration: false, ..RemoteConfig::default() },
        link: LinkConfig { frame_max: 100_000, silence_max: millis(200), ..LinkConfig::default() },
        broker: small_broker(),
        bridge: BridgeConfig { message_hops_max: 2, demand_hops_max: 4, prefetch: 6, ..BridgeConfig::default() },
        ..Config::peer("g", "b")
    };
    assert_eq!(config(text), Ok(expected));
    assert_eq!(config("peer://g"), Ok(Config::peer("g", "b")));
}

/// What both of these say of the broker.
fn small_broker() -> BrokerConfig {
    BrokerConfig {
        queue_prefetch: 1,
        topic_prefetch: 2,
        queue_bytes_max: 70_000,
        memory_max: 80_001,
        message_max: 80_000,
        checks_duplicates: false,
        ..BrokerConfig::default()
    }
}

#[test]
fn every_option_of_a_broker_finds_its_place() {
    let text = "broker:(tcp://127.0.0.1:9,network:static:(tcp://a:1?connectionTimeout=50,tcp://b:2)?name=far&networkTTL=4\
        &consumerTTL=2&prefetchSize=6&initialReconnectDelay=5&excludedDestinations=(q,topic://t.>)\
        &dynamicallyIncludedDestinations=a&staticallyIncludedDestinations=topic://b&staticBridge=true\
        &bridgeTempDestinations=false&conduitSubscriptions=true&dynamicOnly=true&consumerPriorityBase=-9,network:static:tcp://c:3)?name=edge\
        &acceptNetworkConnectors=false&clientAdministration=false&decreaseNetworkConsumerPriority=false&consumerPriorityBase=3&messageTTL=3&prefetchSize=7&persistent=false&queuePrefetch=1&topicPrefetch=2\
        &memoryLimit=70000&memoryUsage=80001&checkForDuplicates=false&wireFormat.maxFrameSize=100000\
        &wireFormat.maxInactivityDuration=200";
    let backoff = |first| Some(BackoffConfig { first: millis(first), ..BackoffConfig::default() });
    let dialled = |first| TransportConfig { backoff: backoff(first), ..TransportConfig::default() };
    let transports = [
        (address("tcp://a:1"), TransportConfig { connect_timeout: Some(millis(50)), ..dialled(5) }),
        (address("tcp://b:2"), dialled(5)),
        (address("tcp://c:3"), dialled(1_000)),
    ];
    let far = ConnectorConfig {
        name: "far".into(),
        addresses: [address("tcp://a:1"), address("tcp://b:2")].into(),
        bridge: BridgeConfig {
            message_hops_max: 4,
            demand_hops_max: 2,
            prefetch: 6,
            permits: Permits {
                excluded: [at("queue://q"), at("topic://t.>")].into(),
                dynamically_included: [at("queue://a")].into(),
                statically_included: [at("topic://b")].into(),
                is_static: true,
                temporary: false,
            },
            priority_base: Some(-9),
            conduit_subscriptions: true,
            dynamic_only: true,
            ..BridgeConfig::default()
        },
    };
    let expected = Config {
        listen: Some(address("tcp://127.0.0.1:9")),
        connectors: [far, ConnectorConfig::new([address("tcp://c:3")])].into(),
        accepts_connectors: false,
        transports: transports.into(),
        remote: RemoteConfig { administration: false, ..RemoteConfig::default() },
        link: LinkConfig { frame_max: 100_000, silence_max: millis(200), ..LinkConfig::default() },
        broker: small_broker(),
        bridge: BridgeConfig { message_hops_max: 3, prefetch: 7, priority_base: None, ..BridgeConfig::default() },
        ..Config::alone("edge")
    };
    assert_eq!(config(text), Ok(expected));
    assert_eq!(config("broker:()?name=n"), Ok(Config::alone("n")));
}

#[test]
fn a_peer_has_network_connectors_beside_its_group() {
    let text = "peer://g?networkConnectorURIs=(static:(tcp://a:1),network:static:(tcp://b:2)?networkTTL=3)&networkTTL=2\
        &acceptNetworkConnectors=false";
    let config = config(text).expect(text);
    assert_eq!((&config.peers[..], config.accepts_connectors), (&[address("tcp://a:1")][..], false));
    let [ConnectorConfig { addresses, bridge, .. }] = &config.connectors[..] else { panic!("{config:?}") };
    assert_eq!((&addresses[..], bridge.message_hops_max), (&[address("tcp://b:2")][..], 3));
    assert_eq!((config.role, config.bridge.message_hops_max), (Role::Peer, 2));
}

#[test]
fn an_address_is_of_the_group_or_of_one_connector() {
    for (peers, networks) in
        [("static:(tcp://a:1),", "tcp://a:1"), ("network:static:(tcp://a:1),", "tcp://b:1,tcp://a:1")]
    {
        let text = format!("peer://g?networkConnectorURIs=({peers}network:static:({networks}))");
        assert_eq!(config(&text), Err(ConfigError::Contradiction { address: address("tcp://a:1") }), "{text}");
    }
    let twice = config("broker:(network:static:(tcp://a:1,tcp://a:1))").expect("the same one");
    assert_eq!(twice.connectors[0].addresses, [address("tcp://a:1")]);
}

#[test]
fn a_client_has_no_network_connectors() {
    let mut client = Config::client("c");
    let network = "static:(tcp://a:1)".parse().expect("a URI");
    assert_eq!(client.add_network(&network), Err(ConfigError::NoBroker));
    assert_eq!(client, Config::client("c"));
}

#[test]
fn every_option_of_a_fanout_finds_its_place() {
    let text = "fanout:(multicast://239.1.1.1:7?group=g&timeToLive=3&keepAliveInterval=100&interface=lo\
        &loopBackMode=true)?initialReconnectDelay=5&maxReconnectDelay=600&useExponentialBackOff=true\
        &backOffMultiplier=3&maxReconnectAttempts=4&reconnectJitter=7&fanOutQueues=true&minAckCount=8\
        &sendTimeout=900&connectTimeout=50&memoryLimit=70000&checkForDuplicates=false\
        &discovered.wireFormat.maxFrameSize=100000&discovered.wireFormat.maxInactivityDuration=200";
    let expected = Config {
        group: "g".into(),
        multicast: Some(MulticastConfig {
            address: IpAddr::V4(Ipv4Addr::new(239, 1, 1, 1)),
            port: 7,
            ttl: 3,
            interface: Some("lo".into()),
            loopback: false,
            period: millis(100),
            ..MulticastConfig::default()
        }),
        link: LinkConfig { frame_max: 100_000, silence_max: millis(200), ..LinkConfig::default() },
        dial: DialConfig {
            backoff: BackoffConfig {
                first: millis(5),
                max: millis(600),
                factor: 3,
                jitter_percent: 7,
                attempts_max: Some(4),
            },
            connect_timeout: millis(50),
            ..DialConfig::default()
        },
        broker: BrokerConfig { message_max: 80_000, ..BrokerConfig::default() },
        fanout: FanoutConfig {
            acks_min: 8,
            replicates_queues: true,
            send_timeout: millis(900),
            memory_max: 70_000,
            checks_duplicates: false,
            ..FanoutConfig::default()
        },
        ..Config::client("c")
    };
    assert_eq!(config(text), Ok(expected));
}

#[test]
fn a_fanout_without_options_does_as_its_table_says() {
    let expected = Config { group: "default".into(), multicast: Some(MulticastConfig::default()), ..client() };
    assert_eq!(config("fanout:multicast://default"), Ok(expected.clone()));
    let defaults = Fanout::specs().iter().filter_map(|spec| Some((spec.name, spec.default?)));
    let text: Vec<String> = defaults.map(|(name, default)| format!("{name}={default}")).collect();
    assert_eq!(config(&format!("fanout:(multicast://default)?{}", text.join("&"))), Ok(expected));
}

#[test]
fn the_sample_of_a_fanout_by_multicast_means_what_it_says() {
    let mut expected = Config { group: "default".into(), multicast: Some(MulticastConfig::default()), ..client() };
    expected.dial.backoff.first = millis(100);
    assert_eq!(config("fanout://(multicast://default)?initialReconnectDelay=100"), Ok(expected));
}

#[test]
fn the_sample_of_a_fanout_to_a_list_means_what_it_says() {
    let text = "fanout:(static:(tcp://localhost:61616,tcp://remotehost:61616))?initialReconnectDelay=100";
    let peers = [address("tcp://localhost:61616"), address("tcp://remotehost:61616")].into();
    let mut expected = Config { peers, ..client() };
    expected.dial.backoff.first = millis(100);
    assert_eq!(config(text), Ok(expected));
}

#[test]
fn waits_that_do_not_grow_have_the_factor_one_and_no_attempts_mean_no_limit() {
    let text = "fanout:(multicast://default)?useExponentialBackOff=false&backOffMultiplier=3&maxReconnectAttempts=0";
    let backoff = config(text).expect(text).dial.backoff;
    assert_eq!((backoff.factor, backoff.attempts_max), (1, None));
}

#[test]
fn what_a_target_says_of_its_link_holds_for_that_one_alone() {
    let list = "static:(tcp://a:1?connectionTimeout=50&wireFormat.maxFrameSize=65536,\
        tcp://b:2?wireFormat.maxInactivityDuration=100,tcp://c:3)";
    let peer = config(&format!("peer://g?networkConnectorURIs=({list})&wireFormat.maxFrameSize=100000"));
    let fanout = config(&format!("fanout:({list})?connectTimeout=70"));
    for (config, connect, frame) in [(peer, 30_000, 100_000), (fanout, 70, 10 * 1024 * 1024)] {
        let config = config.expect(list);
        let told = |text: &str| {
            let (address, link) = (address(text), config.link_to(&address(text)));
            let expected = LinkConfig { frame_max: link.frame_max, silence_max: link.silence_max, ..config.link };
            assert_eq!(link, expected);
            (config.connect_timeout(&address), link.frame_max, link.silence_max)
        };
        assert_eq!(told("tcp://a:1"), (millis(50), 65_536, millis(30_000)));
        assert_eq!(told("tcp://b:2"), (millis(connect), frame, millis(100)));
        assert_eq!(told("tcp://c:3"), (millis(connect), frame, millis(30_000)));
        assert_eq!(told("tcp://elsewhere:4"), (millis(connect), frame, millis(30_000)));
    }
}

#[test]
fn what_a_list_says_of_dialling_again_holds_for_those_on_it_alone() {
    let text = "peer://g?networkConnectorURIs=(\
        static:(tcp://a:1,tcp://b:2)?initialReconnectDelay=5&maxReconnectDelay=600&maxReconnectAttempts=3,\
        static:(tcp://c:3)?backOffMultiplier=9&useExponentialBackOff=false,static:(tcp://d:4)?backOffMultiplier=9)";
    let config = config(text).expect(text);
    let unsaid = BackoffConfig { first: millis(1_000), ..BackoffConfig::default() };
    let first = BackoffConfig { first: millis(5), max: millis(600), attempts_max: Some(3), ..unsaid.clone() };
    let (even, steep) = (BackoffConfig { factor: 1, ..unsaid.clone() }, BackoffConfig { factor: 9, ..unsaid });
    for (at, expected) in [("a:1", &first), ("b:2", &first), ("c:3", &even), ("d:4", &steep)] {
        assert_eq!(config.backoff(&address(&format!("tcp://{at}"))), expected, "{at}");
    }
    assert_eq!(config.backoff(&address("tcp://elsewhere:5")), &BackoffConfig::default(), "who was discovered");
}

#[test]
fn what_is_said_of_all_that_are_discovered_wins() {
    let text = "fanout:(static:(tcp://a:1?connectionTimeout=50&wireFormat.maxInactivityDuration=100,tcp://b:2))\
        ?connectTimeout=70&discovered.connectionTimeout=60";
    let config = config(text).expect(text);
    for at in ["tcp://a:1", "tcp://b:2", "tcp://elsewhere:4"] {
        assert_eq!(config.connect_timeout(&address(at)), millis(60), "{at}");
    }
    assert_eq!(config.link_to(&address("tcp://a:1")).silence_max, millis(100));
}

#[test]
fn what_can_not_be_followed_is_refused() {
    assert_eq!(config("peer://g?persistent=true"), Err(ConfigError::NoStore));
    assert_eq!(config("vm://b?broker.persistent=true"), Err(ConfigError::NoStore));
    let listed = ["tcp://a:1", "tcp://b:2", "tcp://a:1"].map(|text| Tcp::new(address(text))).into();
    let fanout = Fanout { min_ack_count: Some(3), ..Fanout::new(Targets::Static(listed)) };
    assert_eq!(Config::from_fanout(&fanout, "c"), Err(ConfigError::TooFewTargets { needed: 3, listed: 2 }));
}

#[test]
fn an_address_may_be_listed_twice_but_not_with_different_options() {
    let twice = |first: &str, second: &str| {
        config(&format!("peer://g?networkConnectorURIs=(static:(tcp://a:1{first},static:(tcp://a:1{second})"))
            .map(|config| config.peers.len())
    };
    let (none, own, of_all) = (")", "?connectionTimeout=50)", ")?initialReconnectDelay=5");
    assert_eq!([none, own, of_all].map(|options| twice(options, options)), [Ok(1), Ok(1), Ok(1)]);
    for (first, second) in [(none, own), (own, none), (none, of_all), (of_all, none)] {
        let error = twice(first, second).expect_err("a contradiction");
        assert_eq!(
            error.to_string(),
            "'tcp://a:1' is listed twice, with different options; expected the same ones, or it once"
        );
    }
}
