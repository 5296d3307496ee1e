//! `peer://group/name?options`: a broker within this process that links up with the others of its group.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use core::str::FromStr;

use super::bridging::BridgeOptions;
use super::broker::Broker;
use super::connector::Connector;
use super::error::{Place, UriError};
use super::explain::{Level, Part};
use super::fixed::Static;
use super::grammar::Uri;
use super::multicast::{Discovery, Multicast};
use super::network::Network;
use super::options::Options;
use super::percent;
use super::spec::{Around, OptionKind, OptionSpec, Scheme};
use super::transport::{Tcp, WireFormat};
use super::vm::BrokerOptions;
use super::written::Written;
use crate::model::Address;

/// A member of a group of peers: `peer://group/name?options`.
///
/// The group is any text: what ActiveMQ would silently replace by `default` (`group_A`, `my.group.1`, `a%20b`) is
/// taken as it stands. Options that were not given are `None`; [`Peer::specs`] tells what holds then.
///
/// ```
/// use flockmq_core::uri::Peer;
///
/// let peer: Peer = "peer://groupA/broker1?persistent=false".parse()?;
/// assert_eq!((peer.group.as_str(), peer.name.as_deref()), ("groupA", Some("broker1")));
/// assert_eq!(peer.broker.persistent, Some(false));
/// assert_eq!(peer.to_string(), "peer://groupA/broker1?persistent=false");
/// # Ok::<(), flockmq_core::uri::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The group: 1 to 255 bytes of text without control characters.
    pub group: String,
    /// The broker's name, likewise; the node makes one up if `None`.
    pub name: Option<String>,
    /// What the broker is like (`persistent`, `queuePrefetch`, `topicPrefetch`, `memoryLimit`,
    /// `memoryUsage`, `checkForDuplicates`).
    pub broker: BrokerOptions,
    /// How the others are found (`discovery.*`); nothing of it is given if a connector is a `multicast:` one.
    pub discovery: Discovery,
    /// Further peers, and at most one `multicast:` URI in place of `discovery` (`networkConnectorURIs`).
    pub network_connectors: Vec<Connector>,
    /// Where to listen (`transportConnectorURIs`).
    pub transport_connector: Option<Address>,
    /// True if the network connectors of others may lead here (`acceptNetworkConnectors`).
    pub accept_network_connectors: Option<bool>,
    /// How bridges behave: those within the group, and those that others' network connectors made.
    pub bridge: BridgeOptions,
    /// True if clients may purge, pause and resume queues (`clientAdministration`).
    pub client_administration: Option<bool>,
    /// How links behave (`wireFormat.*`).
    pub wire_format: WireFormat,
}

impl Peer {
    /// A member of this group, with no name and no options given.
    pub fn new(group: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            name: None,
            broker: BrokerOptions::default(),
            discovery: Discovery::default(),
            network_connectors: Vec::new(),
            transport_connector: None,
            accept_network_connectors: None,
            bridge: BridgeOptions::default(),
            client_administration: None,
            wire_format: WireFormat::default(),
        }
    }

    /// The multicast discovery that was asked for: that of a `multicast:` connector if there is one.
    pub fn multicast(&self) -> &Discovery {
        let replaced = self.network_connectors.iter().find_map(|connector| match connector {
            Connector::Multicast(multicast) => Some(&multicast.discovery),
            Connector::Network(_) | Connector::Static(_) => None,
        });
        replaced.unwrap_or(&self.discovery)
    }

    /// The peers that were listed, in the order of their lists.
    pub fn peers(&self) -> impl Iterator<Item = &Tcp> {
        self.network_connectors.iter().flat_map(|connector| match connector {
            Connector::Multicast(_) | Connector::Network(_) => &[],
            Connector::Static(fixed) => fixed.peers.as_slice(),
        })
    }

    /// The options of `peer:` URIs.
    pub const fn specs() -> &'static [OptionSpec] {
        SPECS
    }

    pub(super) const SCHEME: Scheme = Scheme { name: "peer", specs: SPECS, declined: BridgeOptions::DECLINED };

    pub(super) fn read(uri: Uri<'_>, around: &[Around]) -> Result<Self, UriError> {
        let simple = uri.simple(FORM)?;
        if simple.head.text.is_empty() {
            return Err(uri.missing("group", FORM));
        }
        let group = percent::decode_text(simple.head, "group")?;
        if let Some((path, slash)) = simple.path.and_then(|path| Some((path, path.text.find('/')?))) {
            return Err(path.from(slash).unexpected("one name after the group, with %2F for a '/' in it"));
        }
        let name = simple.path.map(|path| percent::decode_text(path, "broker name")).transpose()?;
        let inside = [Multicast::SCHEME, Static::SCHEME, Network::SCHEME, Tcp::SCHEME];
        let options = Options::read(simple.query, Self::SCHEME, around, &inside)?;
        let connectors = match options.under("").given("networkConnectorURIs") {
            Some(given) => Connector::read_list(given.raw, &[Around { scheme: Self::SCHEME, place: Place::Around }])?,
            None => Vec::new(),
        };
        check(&group, &connectors, &options)?;
        let (own, found) = (options.under(""), options.under("discovery."));
        Ok(Self {
            group,
            name,
            broker: BrokerOptions::read(own),
            discovery: Discovery { address: found.ip("address"), port: found.number("port"), ..Discovery::read(found) },
            network_connectors: connectors.into_iter().map(|(_, connector)| connector).collect(),
            transport_connector: own.address("transportConnectorURIs"),
            accept_network_connectors: own.boolean("acceptNetworkConnectors"),
            bridge: BridgeOptions::read(own),
            client_administration: own.boolean("clientAdministration"),
            wire_format: WireFormat::read(options.under("wireFormat.")),
        })
    }

    pub(super) fn level(&self, depth: usize) -> Level {
        let parts = [Part::given("group", &self.group), Part::new("name", self.name.as_ref(), "made up by the node")];
        Level::new(depth, parts, &self.written())
    }

    fn written(&self) -> Written {
        let written = Written::new(Self::SCHEME)
            .under("discovery.")
            .plain("address", self.discovery.address)
            .plain("port", self.discovery.port);
        let written = self.discovery.write(written).under("");
        let connectors = Some(Connector::list(&self.network_connectors)).filter(|list| !list.is_empty());
        let written = self
            .broker
            .write(written)
            .plain("networkConnectorURIs", connectors)
            .plain("transportConnectorURIs", self.transport_connector.as_ref())
            .plain("acceptNetworkConnectors", self.accept_network_connectors)
            .plain("clientAdministration", self.client_administration);
        self.wire_format.write(self.bridge.write(written).under("wireFormat."))
    }
}

impl FromStr for Peer {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(Uri::parse(text)?.of_scheme(Self::SCHEME.name)?, &[])
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "peer://{}", percent::encode(&self.group))?;
        if let Some(name) = &self.name {
            write!(f, "/{}", percent::encode(name))?;
        }
        self.written().fmt(f)
    }
}

/// Checks that nothing is said twice about the group or how its members are found.
fn check(group: &str, connectors: &[(Range<usize>, Connector)], options: &Options<'_>) -> Result<(), UriError> {
    let mut multicasts = connectors.iter().filter_map(|(at, connector)| match connector {
        Connector::Multicast(multicast) => Some((at.clone(), multicast)),
        Connector::Network(_) | Connector::Static(_) => None,
    });
    let Some((at, multicast)) = multicasts.next() else {
        return Ok(());
    };
    if let Some((at, second)) = multicasts.next() {
        return Err(UriError::Conflict { at, part: second.to_string(), other: multicast.to_string(), what: HOW });
    }
    if multicast.group.as_deref().is_some_and(|other| other != group) {
        let other = Peer::new(group).to_string();
        return Err(UriError::Conflict { at, part: multicast.to_string(), other, what: "which group it is" });
    }
    options.under("discovery.").first().map_or(Ok(()), |given| {
        let (at, part) = (given.whole.span(), given.whole.text.into());
        Err(UriError::Conflict { at, part, other: multicast.to_string(), what: HOW })
    })
}

const HOW: &str = "how peers are found";

const FORM: &str = "peer://GROUP/NAME?OPTIONS";

const SPECS: &[OptionSpec] = &OptionSpec::join::<{ OWN.len() + BridgeOptions::SPECS.len() }>(OWN, BridgeOptions::SPECS);

const OWN: &[OptionSpec] = &[
    BrokerOptions::persistent("persistent"),
    OptionSpec::new(
        "discovery.address",
        OptionKind::MulticastIp,
        Some(Discovery::ADDRESS_DEFAULT),
        "The multicast address that adverts are sent to and heard from.",
    ),
    OptionSpec::new(
        "discovery.port",
        OptionKind::Integer { min: 1, max: 65_535 },
        Some(Discovery::PORT_DEFAULT),
        "The UDP port that adverts are sent to and heard from.",
    ),
    Discovery::time_to_live("discovery.timeToLive"),
    Discovery::keep_alive_interval("discovery.keepAliveInterval"),
    Discovery::interface("discovery.interface"),
    Discovery::loop_back_mode("discovery.loopBackMode"),
    OptionSpec::new(
        "networkConnectorURIs",
        OptionKind::Connectors,
        None,
        "How else to find peers: static: adds peers to dial, multicast: replaces discovery.* altogether, and network: bridges to brokers of other groups.",
    ),
    OptionSpec::new(
        "transportConnectorURIs",
        OptionKind::Address,
        Some("tcp://0.0.0.0:0"),
        "Where to listen for peers; port 0 lets the system choose.",
    ),
    Broker::ACCEPT_NETWORK_CONNECTORS,
    Broker::CLIENT_ADMINISTRATION,
    BrokerOptions::queue_prefetch("queuePrefetch"),
    BrokerOptions::topic_prefetch("topicPrefetch"),
    BrokerOptions::memory_limit("memoryLimit"),
    BrokerOptions::memory_usage("memoryUsage"),
    BrokerOptions::check_for_duplicates("checkForDuplicates"),
    WireFormat::MAX_FRAME_SIZE,
    WireFormat::MAX_INACTIVITY_DURATION,
];
