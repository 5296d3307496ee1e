//! What a node is told once, at its start.

mod connector;
mod multicast;
#[cfg(test)]
mod tests;
mod transport;
mod uri;

pub use connector::ConnectorConfig;
pub use multicast::MulticastConfig;
pub use transport::TransportConfig;
pub use uri::ConfigError;

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

/// Everything a node needs to know. Plain data, made of a URI by [`Config::from_peer`], [`Config::from_broker`],
/// [`Config::from_fanout`] and [`Config::from_vm`].
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
    /// Network connectors: brokers to bridge to whatever their group, and how (`network:`). If several lead to one
    /// broker, the first of them holds.
    pub connectors: Vec<ConnectorConfig>,
    /// True if the network connectors of others may lead here.
    pub accepts_connectors: bool,
    /// What holds for links dialled at single addresses, over `link` and `dial`.
    pub transports: BTreeMap<Address, TransportConfig>,
    /// How links behave.
    pub link: LinkConfig,
    /// How others are dialled.
    pub dial: DialConfig,
    /// The embedded broker.
    pub broker: BrokerConfig,
    /// Bridges to the members of the group, and to those whose network connectors lead here.
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
            connectors: Vec::new(),
            accepts_connectors: true,
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
    /// clients can fan out to it, and bridges to nobody but by network connectors.
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

    /// The network connector that leads to `address`, by its place in the list.
    pub(super) fn connector_to(&self, address: &Address) -> Option<usize> {
        self.connectors.iter().position(|connector| connector.addresses.contains(address))
    }

    /// True if `address` is dialled whatever is discovered.
    pub(super) fn lists(&self, address: &Address) -> bool {
        self.peers.contains(address) || self.connector_to(address).is_some()
    }

    /// How long to wait between dials of `address`.
    pub fn backoff(&self, address: &Address) -> &BackoffConfig {
        let own = self.transports.get(address).and_then(|transport| transport.backoff.as_ref());
        own.unwrap_or(&self.dial.backoff)
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
