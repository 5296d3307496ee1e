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

/// Everything a node needs to know. Plain data; `uri::Peer` and `uri::Vm` convert into it.
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
    /// ActiveMQ's: 239.255.2.3, port 6155, TTL 1, every 500 ms, silent after 10 periods; and 256 services, 100
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
            adverts_per_second_max: 100,
        }
    }
}
