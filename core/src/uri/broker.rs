//! `broker:(tcp://host:port,network:static:(…))?options`: a broker within this process that stands alone, but for its
//! network connectors.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::bridging::BridgeOptions;
use super::error::{Place, UriError};
use super::explain::{Level, Part};
use super::grammar::{Piece, Uri};
use super::network::Network;
use super::options::Options;
use super::spec::{Around, OptionKind, OptionSpec, Scheme};
use super::transport::{Tcp, WireFormat};
use super::vm::BrokerOptions;
use super::written::Written;
use crate::model::Address;

/// A broker that belongs to no group: `broker:(tcp://host:port,network:static:(tcp://host:port))?options`.
///
/// In its list are where it listens, if it does, and its network connectors, if it has any.
///
/// ```
/// use flockmq_core::uri::Broker;
///
/// let broker: Broker = "broker:(tcp://0.0.0.0:0,network:static:(tcp://hub:61616))?name=edge".parse()?;
/// assert_eq!((broker.name.as_deref(), broker.networks.len()), (Some("edge"), 1));
/// # Ok::<(), flockmq_core::uri::UriError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broker {
    /// Where it listens; nowhere if `None`.
    pub listen: Option<Address>,
    /// Whom it bridges to.
    pub networks: Vec<Network>,
    /// Its name: 1 to 255 bytes of text without control characters; the node makes one up if `None` (`name`).
    pub name: Option<String>,
    /// True if the network connectors of others may lead here (`acceptNetworkConnectors`).
    pub accept_network_connectors: Option<bool>,
    /// True if clients may purge, pause and resume queues (`clientAdministration`).
    pub client_administration: Option<bool>,
    /// What the broker is like (`persistent`, `queuePrefetch`, `topicPrefetch`, `memoryLimit`, `memoryUsage`,
    /// `checkForDuplicates`).
    pub broker: BrokerOptions,
    /// How bridges behave that others' network connectors made.
    pub bridge: BridgeOptions,
    /// How links behave (`wireFormat.*`).
    pub wire_format: WireFormat,
}

impl Broker {
    /// The options of `broker:` URIs.
    pub const fn specs() -> &'static [OptionSpec] {
        SPECS
    }

    pub(super) const SCHEME: Scheme = Scheme { name: "broker", specs: SPECS, declined: BridgeOptions::DECLINED };

    pub(super) const ACCEPT_NETWORK_CONNECTORS: OptionSpec = OptionSpec::new(
        "acceptNetworkConnectors",
        OptionKind::Boolean,
        Some("true"),
        "True bridges to whoever dials with a network connector, whatever the group; false refuses them.",
    );

    pub(super) const CLIENT_ADMINISTRATION: OptionSpec = OptionSpec::new(
        "clientAdministration",
        OptionKind::Boolean,
        Some("true"),
        "False refuses clients that purge, pause or resume queues.",
    );

    pub(super) fn read(uri: Uri<'_>, around: &[Around]) -> Result<Self, UriError> {
        let composite = uri.composite(FORM)?;
        let mut broker = Self::default();
        for component in composite.components {
            let inner = Uri::read(component, INSIDE_TEXT)?;
            if inner.scheme.text == Network::PREFIX {
                let own = Around { scheme: Self::SCHEME, place: composite.place };
                broker.networks.push(Network::read(inner, &[own])?);
                continue;
            }
            let address = read_listener(inner, composite.place)?;
            if let Some(other) = broker.listen.replace(address) {
                let (at, part, other) = (component.span(), component.text.into(), format!("{other}"));
                return Err(UriError::Conflict { at, part, other, what: "where to listen" });
            }
        }
        let options = Options::read(composite.query, Self::SCHEME, around, &[Network::SCHEME, Tcp::SCHEME])?;
        let own = options.under("");
        Ok(Self {
            name: own.text("name"),
            accept_network_connectors: own.boolean("acceptNetworkConnectors"),
            client_administration: own.boolean("clientAdministration"),
            broker: BrokerOptions::read(own),
            bridge: BridgeOptions::read(own),
            wire_format: WireFormat::read(options.under("wireFormat.")),
            ..broker
        })
    }

    /// This level and those of its network connectors.
    pub(super) fn levels(&self, depth: usize, levels: &mut Vec<Level>) {
        let parts = [
            Part::new("listens at", self.listen.as_ref(), "nowhere"),
            Part::given("network connectors", self.networks.len()),
        ];
        levels.push(Level::new(depth, parts, &self.written()));
        for network in &self.networks {
            network.levels(depth + 1, levels);
        }
    }

    fn written(&self) -> Written {
        let written = Written::new(Self::SCHEME)
            .text("name", self.name.as_deref())
            .plain("acceptNetworkConnectors", self.accept_network_connectors)
            .plain("clientAdministration", self.client_administration);
        self.wire_format.write(self.bridge.write(self.broker.write(written)).under("wireFormat."))
    }
}

impl FromStr for Broker {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(Uri::parse(text)?.of_scheme(Self::SCHEME.name)?, &[])
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broker:(")?;
        if let Some(address) = &self.listen {
            address.fmt(f)?;
        }
        for (at, network) in self.networks.iter().enumerate() {
            f.write_str(if at == 0 && self.listen.is_none() { "" } else { "," })?;
            network.fmt(f)?;
        }
        f.write_str(")")?;
        self.written().fmt(f)
    }
}

/// Reads where a broker listens: an address without options of its own.
fn read_listener(uri: Uri<'_>, place: Place) -> Result<Address, UriError> {
    if uri.scheme.text != Tcp::SCHEME.name {
        let (at, scheme) = (uri.scheme.span(), uri.scheme.text.into());
        return Err(UriError::MisplacedScheme { at, scheme, expected: INSIDE_TEXT });
    }
    let simple = uri.simple(LISTENER_FORM)?.without_path(LISTENER_FORM)?;
    if let Some(query) = simple.query {
        // Whatever it says is of the broker as a whole, or is nothing that a listener has.
        Options::read(Some(query), Broker::SCHEME, &[], &[])?;
        let form: fn(Piece<'_>) -> UriError = match place {
            Place::Bare => |query| query.unexpected("parentheses around the address: broker:(tcp://HOST:PORT)?OPTIONS"),
            _ => |query| query.unexpected("the broker's options after the ')' that closes its list"),
        };
        return Err(form(query));
    }
    let read = format!("{}://{}", Tcp::SCHEME.name, simple.head.text).parse();
    read.map_err(|error| UriError::BadAddress { at: simple.head.span(), error })
}

/// What may stand in the list, as a phrase for errors.
const INSIDE_TEXT: &str = "tcp or network";

const LISTENER_FORM: &str = "tcp://HOST:PORT";

const FORM: &str = "broker:(tcp://HOST:PORT,network:static:(tcp://HOST:PORT))?OPTIONS";

const SPECS: &[OptionSpec] = &OptionSpec::join::<{ OWN.len() + BridgeOptions::SPECS.len() }>(OWN, BridgeOptions::SPECS);

const OWN: &[OptionSpec] = &[
    OptionSpec::new("name", OptionKind::Text, None, "What the broker is called; a name is made up if not given."),
    Broker::ACCEPT_NETWORK_CONNECTORS,
    Broker::CLIENT_ADMINISTRATION,
    BrokerOptions::persistent("persistent"),
    BrokerOptions::queue_prefetch("queuePrefetch"),
    BrokerOptions::topic_prefetch("topicPrefetch"),
    BrokerOptions::memory_limit("memoryLimit"),
    BrokerOptions::memory_usage("memoryUsage"),
    BrokerOptions::check_for_duplicates("checkForDuplicates"),
    WireFormat::MAX_FRAME_SIZE,
    WireFormat::MAX_INACTIVITY_DURATION,
];
