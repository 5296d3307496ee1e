//! What a node is told once, at its start.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use crate::bridge::BridgeConfig;
use crate::broker::BrokerConfig;
use crate::dial::DialConfig;
use crate::link::LinkConfig;
use crate::model::{Address, Host};
use crate::uri::{BrokerOptions, Connector, Discovery, Peer, Static, Vm, WireFormat};

/// Everything a node needs to know. Plain data, made of a URI by [`Config::from_peer`] and [`Config::from_vm`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The broker's name: a label for people, not an identity.
    pub name: String,
    /// The group whose members link up: any text. Peers of other groups are refused.
    pub group: String,
    /// Where peers may connect; nobody may if `None`.
    pub listen: Option<Address>,
    /// Discovery by multicast; none if `None`.
    pub multicast: Option<MulticastConfig>,
    /// Peers to dial whatever is discovered (`static:`).
    pub peers: Vec<Address>,
    /// How links behave.
    pub link: LinkConfig,
    /// How peers are dialled.
    pub dial: DialConfig,
    /// The embedded broker.
    pub broker: BrokerConfig,
    /// Bridges to other brokers.
    pub bridge: BridgeConfig,
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
            link: LinkConfig::default(),
            dial: DialConfig::default(),
            broker: BrokerConfig::default(),
            bridge: BridgeConfig::default(),
        }
    }

    /// A member of a group: it listens on any port of any interface and finds the others by multicast (`peer:`).
    pub fn peer(group: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            listen: Some(Address { host: Host::Ip(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port: 0 }),
            multicast: Some(MulticastConfig::default()),
            ..Self::alone(name)
        }
    }
}

/// Why a URI, though it is a valid one, can't be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Persistence was asked for.
    #[error(
        "persistent=true needs a store, which this version does not have; expected persistent=false, or no such option"
    )]
    NoStore,
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
                Connector::Static(fixed) => config.apply_static(fixed),
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

    fn apply_static(&mut self, fixed: &Static) {
        let backoff = &mut self.dial.backoff;
        backoff.first = fixed.initial_reconnect_delay.unwrap_or(Duration::from_secs(1)); // As `static:` documents it.
        backoff.max = fixed.max_reconnect_delay.unwrap_or(backoff.max);
        backoff.factor = fixed.back_off_multiplier.unwrap_or(backoff.factor);
        if fixed.use_exponential_back_off == Some(false) {
            backoff.factor = 1;
        }
        backoff.attempts_max = fixed.max_reconnect_attempts.filter(|max| *max > 0).or(backoff.attempts_max);
        for peer in &fixed.peers {
            self.peers.push(peer.address.clone());
            self.dial.connect_timeout = peer.connection_timeout.unwrap_or(self.dial.connect_timeout);
            self.apply_wire_format(&peer.wire_format);
        }
    }

    fn apply_wire_format(&mut self, options: &WireFormat) {
        let link = &mut self.link;
        link.frame_max = options.max_frame_size.unwrap_or(link.frame_max);
        link.silence_max = options.max_inactivity_duration.unwrap_or(link.silence_max);
        // Messages leave room for what a frame says beside them.
        self.broker.message_max = self.broker.message_max.min(link.frame_max / 5 * 4);
    }
}

/// Discovery by multicast, as ActiveMQ's agent does it (semantics reference, section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
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

    fn config(text: &str) -> Result<Config, ConfigError> {
        match text.parse().expect(text) {
            Location::Peer(peer) => Config::from_peer(&peer, "b"),
            Location::Vm(vm) => Config::from_vm(&vm),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn every_option_of_a_peer_finds_its_place() {
        let text = "peer://g?persistent=false&queuePrefetch=1&topicPrefetch=2&memoryLimit=70000&discovery.address=239.1.1.1\
            &discovery.port=7&discovery.timeToLive=3&discovery.keepAliveInterval=100&discovery.interface=lo\
            &discovery.loopBackMode=true&networkConnectorURIs=(static:(tcp://a:1?connectionTimeout=50)?initialReconnectDelay=5)\
            &transportConnectorURIs=tcp://127.0.0.1:9&networkTTL=4&messageTTL=2&prefetchSize=6\
            &wireFormat.maxFrameSize=100000&wireFormat.maxInactivityDuration=200";
        let expected = Config {
            listen: Some("tcp://127.0.0.1:9".parse().expect("an address")),
            multicast: Some(MulticastConfig {
                address: IpAddr::V4(Ipv4Addr::new(239, 1, 1, 1)),
                port: 7,
                ttl: 3,
                interface: Some("lo".into()),
                loopback: false,
                period: Duration::from_millis(100),
                ..MulticastConfig::default()
            }),
            peers: [("tcp://a:1").parse().expect("an address")].into(),
            link: LinkConfig { frame_max: 100_000, silence_max: Duration::from_millis(200), ..LinkConfig::default() },
            dial: DialConfig {
                connect_timeout: Duration::from_millis(50),
                backoff: crate::BackoffConfig { first: Duration::from_millis(5), ..crate::BackoffConfig::default() },
                ..DialConfig::default()
            },
            broker: BrokerConfig {
                queue_prefetch: 1,
                topic_prefetch: 2,
                queue_bytes_max: 70_000,
                message_max: 80_000,
                ..BrokerConfig::default()
            },
            bridge: BridgeConfig { message_hops_max: 2, demand_hops_max: 4, prefetch: 6, ..BridgeConfig::default() },
            ..Config::peer("g", "b")
        };
        assert_eq!(config(text), Ok(expected));
        assert_eq!(config("peer://g"), Ok(Config::peer("g", "b")));
    }

    #[test]
    fn what_can_not_be_followed_is_refused() {
        assert_eq!(config("peer://g?persistent=true"), Err(ConfigError::NoStore));
        assert_eq!(config("vm://b?broker.persistent=true"), Err(ConfigError::NoStore));
    }
}
