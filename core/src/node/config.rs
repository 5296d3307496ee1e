//! What a node is told once, at its start.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::BackoffConfig;
use crate::bridge::BridgeConfig;
use crate::broker::BrokerConfig;
use crate::dial::DialConfig;
use crate::fanout::FanoutConfig;
use crate::link::LinkConfig;
use crate::model::{Address, Host, Role};
use crate::remote::RemoteConfig;
use crate::uri::{BrokerOptions, Connector, Discovery, Fanout, Peer, Reconnect, Targets, Tcp, Vm, WireFormat};

/// Everything a node needs to know. Plain data, made of a URI by [`Config::from_peer`], [`Config::from_fanout`] and
/// [`Config::from_vm`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The broker's name: a label for people, not an identity.
    pub name: String,
    /// The group whose members link up: any text. Peers of other groups are refused.
    pub group: String,
    /// Where peers may connect; nobody may if `None`.
    pub listen: Option<Address>,
    /// Discovery by multicast; none if `None`.
    pub multicast: Option<MulticastConfig>,
    /// Whom to dial whatever is discovered (`static:`).
    pub peers: Vec<Address>,
    /// What holds for links dialled at single addresses, over `link` and `dial`.
    pub transports: BTreeMap<Address, TransportConfig>,
    /// How links behave.
    pub link: LinkConfig,
    /// How others are dialled.
    pub dial: DialConfig,
    /// The embedded broker.
    pub broker: BrokerConfig,
    /// Bridges to other brokers.
    pub bridge: BridgeConfig,
    /// What it is to others.
    pub role: Role,
    /// What clients of this broker may ask for.
    pub remote: RemoteConfig,
    /// How a client fans out; plays no part in other roles.
    pub fanout: FanoutConfig,
}

impl Config {
    /// A broker that is alone: it listens nowhere, looks for nobody and serves its own application (`vm:`).
    pub fn alone(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            group: String::new(),
            listen: None,
            multicast: None,
            peers: Vec::new(),
            transports: BTreeMap::new(),
            link: LinkConfig::default(),
            dial: DialConfig::default(),
            broker: BrokerConfig::default(),
            bridge: BridgeConfig::default(),
            role: Role::Broker,
            remote: RemoteConfig::default(),
            fanout: FanoutConfig::default(),
        }
    }

    /// A broker that stands alone in a group: it listens on any port of any interface and advertises itself, so that
    /// clients can fan out to it, and bridges to nobody.
    pub fn broker(group: impl Into<String>, name: impl Into<String>) -> Self {
        Self { role: Role::Broker, ..Self::peer(group, name) }
    }

    /// A client that fans out to all brokers it is told of (`fanout:`): none yet, but for those named in
    /// [`Config::peers`] or discovered by [`Config::multicast`].
    pub fn client(name: impl Into<String>) -> Self {
        Self { role: Role::Client, ..Self::alone(name) }
    }

    /// A member of a group: it listens on any port of any interface and finds the others by multicast (`peer:`).
    pub fn peer(group: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            listen: Some(Address { host: Host::Ip(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port: 0 }),
            multicast: Some(MulticastConfig::default()),
            role: Role::Peer,
            ..Self::alone(name)
        }
    }

    /// How long a connect to `address` may take.
    pub fn connect_timeout(&self, address: &Address) -> Duration {
        let own = self.transports.get(address).and_then(|transport| transport.connect_timeout);
        own.unwrap_or(self.dial.connect_timeout)
    }

    /// How a link that was dialled at `address` behaves.
    pub fn link_to(&self, address: &Address) -> LinkConfig {
        let mut link = self.link.clone();
        if let Some(transport) = self.transports.get(address) {
            link.frame_max = transport.frame_max.unwrap_or(link.frame_max);
            link.silence_max = transport.silence_max.unwrap_or(link.silence_max);
        }
        link
    }
}

/// Why a URI, though it is a valid one, can't be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// One address with options that contradict each other.
    #[error("'{address}' is listed twice, with different options; expected the same ones, or it once")]
    Contradiction {
        /// The address.
        address: Address,
    },
    /// Persistence was asked for.
    #[error(
        "persistent=true needs a store, which this version does not have; expected persistent=false, or no such option"
    )]
    NoStore,
    /// A fanout that needs more brokers than its list names, so that nothing could ever be sent.
    #[error("{needed} brokers are needed and {listed} listed; expected acks from {listed} or fewer, or a longer list")]
    TooFewTargets {
        /// How many brokers are needed.
        needed: u32,
        /// How many different ones are listed.
        listed: usize,
    },
}

impl Config {
    /// What a `peer:` URI asks for, for a broker of this name.
    ///
    /// ```
    /// use flockmq_core::{Config, uri::Peer};
    ///
    /// let mut peer = Peer::new("groupA");
    /// peer.network_ttl = Some(2);
    /// let config = Config::from_peer(&peer, "broker1")?;
    /// assert_eq!((config.group.as_str(), config.bridge.message_hops_max), ("groupA", 2));
    /// # Ok::<(), flockmq_core::ConfigError>(())
    /// ```
    pub fn from_peer(peer: &Peer, name: impl Into<String>) -> Result<Self, ConfigError> {
        let mut config = Self::peer(peer.group.clone(), name);
        config.apply_broker(&peer.broker)?;
        config.apply_discovery(&peer.discovery);
        for connector in &peer.network_connectors {
            match connector {
                Connector::Multicast(multicast) => config.apply_discovery(&multicast.discovery),
                Connector::Static(fixed) => {
                    config.apply_reconnect(&fixed.reconnect, Duration::from_secs(1));
                    config.add_peers(&fixed.peers, &TransportConfig::default())?;
                }
            }
        }
        config.apply_wire_format(&peer.wire_format);
        config.listen = peer.transport_connector.clone().or(config.listen);
        let bridge = &mut config.bridge;
        bridge.message_hops_max = peer.message_hops().map_or(bridge.message_hops_max, u32::from);
        bridge.demand_hops_max = peer.consumer_hops().map_or(bridge.demand_hops_max, u32::from);
        bridge.prefetch = peer.prefetch_size.map_or(bridge.prefetch, u32::from);
        Ok(config)
    }

    /// What a `fanout:` URI asks for, for a client of this name.
    ///
    /// ```
    /// use flockmq_core::{Config, uri::Fanout};
    ///
    /// let fanout: Fanout = "fanout:(multicast://default?group=g)?minAckCount=3".parse()?;
    /// let config = Config::from_fanout(&fanout, "client")?;
    /// assert_eq!((config.group.as_str(), config.fanout.acks_min), ("g", 3));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn from_fanout(fanout: &Fanout, name: impl Into<String>) -> Result<Self, ConfigError> {
        let mut config = Self::client(name);
        config.apply_reconnect(&fanout.reconnect, Duration::from_millis(10));
        let backoff = &mut config.dial.backoff;
        backoff.jitter_percent = fanout.reconnect_jitter.map_or(backoff.jitter_percent, u32::from);
        let discovered = &fanout.discovered;
        let all = TransportConfig::new(discovered.connection_timeout, &discovered.wire_format);
        let connect_timeout = all.connect_timeout.or(fanout.connect_timeout);
        config.dial.connect_timeout = connect_timeout.unwrap_or(Duration::from_secs(10));
        config.apply_wire_format(&discovered.wire_format);
        match &fanout.targets {
            Targets::Multicast(multicast) => {
                config.group = multicast.group().into();
                config.apply_discovery(&multicast.discovery);
            }
            Targets::Static(listed) => config.add_peers(listed, &all)?,
        }
        let needed = fanout.acks_min();
        if let Some(listed) = fanout.targets.listed().filter(|listed| needed as usize > *listed) {
            return Err(ConfigError::TooFewTargets { needed, listed });
        }
        let options = &mut config.fanout;
        options.acks_min = needed;
        options.replicates_queues = fanout.fan_out_queues.unwrap_or(options.replicates_queues);
        options.send_timeout = fanout.send_timeout.unwrap_or(options.send_timeout);
        options.memory_max = fanout.memory_limit.unwrap_or(options.memory_max);
        options.checks_duplicates = fanout.check_for_duplicates.unwrap_or(options.checks_duplicates);
        Ok(config)
    }

    /// What a `vm:` URI asks for.
    pub fn from_vm(vm: &Vm) -> Result<Self, ConfigError> {
        let mut config = Self::alone(vm.name.clone());
        config.apply_broker(&vm.broker)?;
        Ok(config)
    }

    fn apply_broker(&mut self, options: &BrokerOptions) -> Result<(), ConfigError> {
        if options.persistent == Some(true) {
            return Err(ConfigError::NoStore);
        }
        let broker = &mut self.broker;
        broker.queue_prefetch = options.queue_prefetch.map_or(broker.queue_prefetch, u32::from);
        broker.topic_prefetch = options.topic_prefetch.map_or(broker.topic_prefetch, u32::from);
        broker.queue_bytes_max = options.memory_limit.unwrap_or(broker.queue_bytes_max);
        broker.checks_duplicates = options.check_for_duplicates.unwrap_or(broker.checks_duplicates);
        Ok(())
    }

    fn apply_discovery(&mut self, options: &Discovery) {
        let multicast = self.multicast.get_or_insert_default();
        multicast.address = options.address.unwrap_or(multicast.address);
        multicast.port = options.port.unwrap_or(multicast.port);
        multicast.ttl = options.time_to_live.map_or(multicast.ttl, u32::from);
        multicast.period = options.keep_alive_interval.unwrap_or(multicast.period);
        multicast.interface = options.interface.clone().or(multicast.interface.take());
        // ActiveMQ's `loopBackMode` is the socket option's name for switching loop-back off.
        multicast.loopback = options.loop_back_mode.map_or(multicast.loopback, |is_off| !is_off);
    }

    /// `first` is how long the first wait is if the options do not say.
    fn apply_reconnect(&mut self, options: &Reconnect, first: Duration) {
        let backoff = &mut self.dial.backoff;
        *backoff = BackoffConfig {
            first: options.initial_delay.unwrap_or(first),
            max: options.max_delay.unwrap_or(backoff.max),
            factor: options.back_off_multiplier.unwrap_or(backoff.factor),
            jitter_percent: backoff.jitter_percent,
            attempts_max: options.max_attempts.filter(|max| *max > 0).or(backoff.attempts_max),
        };
        if options.use_exponential_back_off == Some(false) {
            backoff.factor = 1;
        }
    }

    /// Adds what was listed; what was said of `all` comes before what each says of itself.
    fn add_peers(&mut self, listed: &[Tcp], all: &TransportConfig) -> Result<(), ConfigError> {
        for peer in listed {
            let own = TransportConfig::new(peer.connection_timeout, &peer.wire_format);
            let transport = TransportConfig {
                connect_timeout: all.connect_timeout.or(own.connect_timeout),
                frame_max: all.frame_max.or(own.frame_max),
                silence_max: all.silence_max.or(own.silence_max),
            };
            let address = peer.address.clone();
            if self.peers.contains(&address) {
                if self.transports.get(&address).cloned().unwrap_or_default() != transport {
                    return Err(ConfigError::Contradiction { address });
                }
                continue;
            }
            self.peers.push(address.clone());
            if transport != TransportConfig::default() {
                self.transports.insert(address, transport);
            }
        }
        Ok(())
    }

    fn apply_wire_format(&mut self, options: &WireFormat) {
        let link = &mut self.link;
        link.frame_max = options.max_frame_size.unwrap_or(link.frame_max);
        link.silence_max = options.max_inactivity_duration.unwrap_or(link.silence_max);
        // Messages leave room for what a frame says beside them.
        self.broker.message_max = self.broker.message_max.min(link.frame_max / 5 * 4);
    }
}

/// What is different about links that are dialled at one address; what is `None` is as for all others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportConfig {
    /// How long a connect may take.
    pub connect_timeout: Option<Duration>,
    /// The longest frame that is taken, in bytes.
    pub frame_max: Option<u32>,
    /// How long the other end may be silent.
    pub silence_max: Option<Duration>,
}

impl TransportConfig {
    fn new(connect_timeout: Option<Duration>, wire_format: &WireFormat) -> Self {
        Self {
            connect_timeout,
            frame_max: wire_format.max_frame_size,
            silence_max: wire_format.max_inactivity_duration,
        }
    }
}

/// Discovery by multicast, as ActiveMQ's agent does it (semantics reference, section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MulticastConfig {
    /// The multicast address.
    pub address: IpAddr,
    /// The UDP port.
    pub port: u16,
    /// How many routers an advert may cross, plus one.
    pub ttl: u32,
    /// The one interface to use, by name or address; every usable one if `None`.
    pub interface: Option<String>,
    /// True if processes on the same host are to be found.
    pub loopback: bool,
    /// How often to advertise.
    pub period: Duration,
    /// How many periods of silence make a service lost.
    pub silent_periods_max: u32,
    /// How many services are known at most; adverts of further ones are dropped and counted.
    pub services_max: usize,
    /// How many adverts a second are listened to from one address; further ones are dropped and counted.
    pub adverts_per_second_max: u32,
}

impl Default for MulticastConfig {
    /// ActiveMQ's: 239.255.2.3, port 6155, TTL 1, every 500 ms, silent after 10 periods; and 256 services, 1000
    /// adverts a second from one address.
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::new(239, 255, 2, 3)),
            port: 6155,
            ttl: 1,
            interface: None,
            loopback: true,
            period: Duration::from_millis(500),
            silent_periods_max: 10,
            services_max: 256,
            adverts_per_second_max: 1_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri::Location;
    use alloc::format;
    use alloc::string::ToString;

    fn config(text: &str) -> Result<Config, ConfigError> {
        match text.parse().expect(text) {
            Location::Fanout(fanout) => Config::from_fanout(&fanout, "c"),
            Location::Peer(peer) => Config::from_peer(&peer, "b"),
            Location::Vm(vm) => Config::from_vm(&vm),
            other => panic!("{other}"),
        }
    }

    fn address(text: &str) -> Address {
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
            &discovery.address=239.1.1.1&discovery.port=7&discovery.timeToLive=3&discovery.keepAliveInterval=100\
            &discovery.interface=lo&discovery.loopBackMode=true\
            &networkConnectorURIs=(static:(tcp://a:1?connectionTimeout=50)?initialReconnectDelay=5)\
            &transportConnectorURIs=tcp://127.0.0.1:9&networkTTL=4&messageTTL=2&prefetchSize=6\
            &wireFormat.maxFrameSize=100000&wireFormat.maxInactivityDuration=200";
        let transport = TransportConfig { connect_timeout: Some(millis(50)), ..TransportConfig::default() };
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
            link: LinkConfig { frame_max: 100_000, silence_max: millis(200), ..LinkConfig::default() },
            dial: DialConfig {
                backoff: BackoffConfig { first: millis(5), ..BackoffConfig::default() },
                ..DialConfig::default()
            },
            broker: BrokerConfig {
                queue_prefetch: 1,
                topic_prefetch: 2,
                queue_bytes_max: 70_000,
                message_max: 80_000,
                checks_duplicates: false,
                ..BrokerConfig::default()
            },
            bridge: BridgeConfig { message_hops_max: 2, demand_hops_max: 4, prefetch: 6, ..BridgeConfig::default() },
            ..Config::peer("g", "b")
        };
        assert_eq!(config(text), Ok(expected));
        assert_eq!(config("peer://g"), Ok(Config::peer("g", "b")));
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
        let text =
            "fanout:(multicast://default)?useExponentialBackOff=false&backOffMultiplier=3&maxReconnectAttempts=0";
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
            assert_eq!(config.transports.len(), 2);
        }
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
            config(&format!("peer://g?networkConnectorURIs=(static:(tcp://a:1{first}),static:(tcp://a:1{second}))"))
                .map(|config| config.peers.len())
        };
        let option = "?connectionTimeout=50";
        assert_eq!((twice("", ""), twice(option, option)), (Ok(1), Ok(1)));
        for (first, second) in [("", option), (option, "")] {
            let error = twice(first, second).expect_err("a contradiction");
            assert_eq!(
                error.to_string(),
                "'tcp://a:1' is listed twice, with different options; expected the same ones, or it once"
            );
        }
    }
}
