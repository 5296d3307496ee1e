//! `network:static:(uri,uri)?options`: brokers to bridge to, whatever their group.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::bridging::BridgeOptions;
use super::error::UriError;
use super::explain::{Level, Part};
use super::fixed::{self, Static};
use super::grammar::Uri;
use super::reconnect::Reconnect;
use super::spec::{Around, OptionKind, OptionSpec, Scheme};
use super::transport::Tcp;
use super::written::Written;

/// A network connector: `network:static:(tcp://host:port,tcp://host:port)?options`.
///
/// The brokers of the list are bridged to, whatever their group; there is a bridge to each. The options are those of
/// `static:` URIs, and how the bridges behave.
///
/// ```
/// use flockmq_core::uri::Network;
///
/// let network: Network = "network:static:(tcp://hub:61616)?networkTTL=3&initialReconnectDelay=100".parse()?;
/// assert_eq!((network.peers.len(), network.bridge.network_ttl), (1, Some(3)));
/// # Ok::<(), flockmq_core::uri::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The brokers, in the order given; at least one.
    pub peers: Vec<Tcp>,
    /// How they are dialled again.
    pub reconnect: Reconnect,
    /// What the connector is called (`name`).
    pub name: Option<String>,
    /// How its bridges behave.
    pub bridge: BridgeOptions,
}

impl Network {
    /// A connector to these, with no options given; `peers` should name one at least.
    pub fn new(peers: Vec<Tcp>) -> Self {
        Self { peers, reconnect: Reconnect::default(), name: None, bridge: BridgeOptions::default() }
    }

    /// The options of `network:` URIs.
    pub const fn specs() -> &'static [OptionSpec] {
        SPECS
    }

    /// What stands before its list.
    pub(super) const PREFIX: &str = "network";

    pub(super) const SCHEME: Scheme =
        Scheme { name: "network:static", specs: SPECS, declined: BridgeOptions::DECLINED };

    pub(super) fn read(uri: Uri<'_>, around: &[Around]) -> Result<Self, UriError> {
        let inner = Uri::read(uri.whole.from(uri.scheme.text.len() + 1), Static::SCHEME.name)?;
        Self::read_listed(inner.of_scheme(Static::SCHEME.name)?, around)
    }

    /// Reads what follows `network:`.
    fn read_listed(listed: Uri<'_>, around: &[Around]) -> Result<Self, UriError> {
        let (peers, options) = fixed::read_parts(listed, Self::SCHEME, FORM, around)?;
        let own = options.under("");
        Ok(Self { peers, reconnect: Reconnect::read(own), name: own.text("name"), bridge: BridgeOptions::read(own) })
    }

    /// This level and those of the brokers in it.
    pub(super) fn levels(&self, depth: usize, levels: &mut Vec<Level>) {
        levels.push(Level::new(depth, [Part::given("peers", self.peers.len())], &self.written()));
        levels.extend(self.peers.iter().map(|peer| peer.level(depth + 1)));
    }

    fn written(&self) -> Written {
        let written = self.reconnect.write(Written::new(Self::SCHEME)).text("name", self.name.as_deref());
        self.bridge.write(written)
    }
}

impl FromStr for Network {
    type Err = UriError;

    /// Where nothing but a network connector can be meant, `network:` may be left out: `static:(tcp://host:port)?options`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri = Uri::parse(text)?;
        if uri.scheme.text == Static::SCHEME.name {
            return Self::read_listed(uri, &[]);
        }
        Self::read(uri.of_scheme(Self::PREFIX)?, &[])
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", Self::PREFIX)?;
        fixed::write_list(f, &self.peers)?;
        self.written().fmt(f)
    }
}

const FORM: &str = "network:static:(tcp://HOST:PORT,tcp://HOST:PORT)?OPTIONS";

const SPECS: &[OptionSpec] = &OptionSpec::join::<{ OWN.len() + BridgeOptions::SPECS.len() }>(OWN, BridgeOptions::SPECS);

const OWN: &[OptionSpec] = &[
    Reconnect::initial_delay("1000"),
    Reconnect::MAX_DELAY,
    Reconnect::USE_EXPONENTIAL_BACK_OFF,
    Reconnect::BACK_OFF_MULTIPLIER,
    Reconnect::MAX_ATTEMPTS,
    OptionSpec::new(
        "name",
        OptionKind::Text,
        Some("NC"),
        "What the connector is called where peers are listed; a label, which need not be the only one of its kind.",
    ),
];
