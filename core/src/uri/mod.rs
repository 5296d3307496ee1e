//! Rank 2: text to plain data and back: `peer:`, `broker:`, `fanout:`, `vm:`, `tcp:`, `multicast:`,
//! `static:` and `network:` URIs.
//!
//! It knows the grammar of ActiveMQ's URIs and a table of options for each scheme. It is told a text and answers
//! with a [`Location`], or with a [`UriError`] that quotes the part at fault and says where it stands: nothing that
//! was written is ever ignored or replaced. A location prints as a text that parses back to it, and can be
//! [explained](explain()) option by option.
//!
//! How these URIs are read, where ActiveMQ's documents leave it open or its code loses something:
//!
//! - A text is at most 4096 bytes long and has at most 8 parentheses inside one another, all of them balanced; it
//!   has no white space, no control characters and no fragment.
//! - Options belong to the level they stand at. `static:(tcp://a:1)?x=1` gives `x` to `static:`, while
//!   `static:tcp://a:1?x=1` gives it to `tcp:`; an option that belongs to another level is an error that names it.
//! - Names of options match exactly; each stands once, has a value, and the value is in range.
//! - Groups, names and values are percent-decoded once, strictly and as UTF-8; letters of any script may also stand
//!   as they are. A `+` in a query is an error, since some read it as a space.

mod bridging;
mod broker;
mod connector;
mod error;
mod explain;
mod fanout;
mod fixed;
mod grammar;
mod multicast;
mod network;
mod options;
mod peer;
mod percent;
mod reconnect;
mod spec;
mod transport;
mod vm;
mod written;

#[cfg(test)]
mod arbitrary;

use core::fmt;
use core::str::FromStr;

pub use bridging::BridgeOptions;
pub use broker::Broker;
pub use connector::Connector;
pub use error::{Place, UriError};
pub use explain::{ExplainedOption, Explanation, Level, Part, explain};
pub use fanout::{Discovered, Fanout, Targets};
pub use fixed::Static;
pub use multicast::{Discovery, Multicast};
pub use network::Network;
pub use peer::Peer;
pub use reconnect::Reconnect;
pub use spec::{OptionKind, OptionSpec};
pub use transport::{Tcp, WireFormat};
pub use vm::{BrokerOptions, Vm};

/// What a URI can say.
///
/// ```
/// use flockmq_core::uri::Location;
///
/// let location: Location = "static:tcp://a:1,tcp://b:2".parse()?;
/// assert_eq!(location.to_string(), "static:(tcp://a:1,tcp://b:2)");
/// let error = "peer://g?persistant=true".parse::<Location>().expect_err("a slip");
/// assert_eq!(error.to_string(), "'persistant' is no option of peer: URIs; the nearest is 'persistent'");
/// assert_eq!(error.span(), 9..19);
/// # Ok::<(), flockmq_core::uri::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A broker within this process that belongs to no group.
    Broker(Broker),
    /// A client that sends to many brokers at once.
    Fanout(Fanout),
    /// Discovery by multicast.
    Multicast(Multicast),
    /// Brokers to bridge to, whatever their group.
    Network(Network),
    /// A member of a group of peers.
    Peer(Peer),
    /// Peers that are known beforehand.
    Static(Static),
    /// A place to dial.
    Tcp(Tcp),
    /// A broker within this process.
    Vm(Vm),
}

impl Location {
    /// The schemes that are known in this version.
    pub const SCHEMES: [&str; 8] = ["broker", "fanout", "multicast", "network", "peer", "static", "tcp", "vm"];

    /// The scheme of this one.
    pub const fn scheme(&self) -> &'static str {
        match self {
            Self::Broker(_) => Broker::SCHEME.name,
            Self::Fanout(_) => Fanout::SCHEME.name,
            Self::Multicast(_) => Multicast::SCHEME.name,
            Self::Network(_) => Network::PREFIX,
            Self::Peer(_) => Peer::SCHEME.name,
            Self::Static(_) => Static::SCHEME.name,
            Self::Tcp(_) => Tcp::SCHEME.name,
            Self::Vm(_) => Vm::SCHEME.name,
        }
    }
}

impl FromStr for Location {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri = grammar::Uri::parse(text)?;
        match uri.scheme.text {
            "broker" => Broker::read(uri, &[]).map(Self::Broker),
            "fanout" => Fanout::read(uri, &[]).map(Self::Fanout),
            "multicast" => Multicast::read(uri, &[]).map(Self::Multicast),
            "network" => Network::read(uri, &[]).map(Self::Network),
            "peer" => Peer::read(uri, &[]).map(Self::Peer),
            "static" => Static::read(uri, &[]).map(Self::Static),
            "tcp" => Tcp::read(uri, &[]).map(Self::Tcp),
            "vm" => Vm::read(uri, &[]).map(Self::Vm),
            other => Err(UriError::UnknownScheme { at: uri.scheme.span(), scheme: other.into() }),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(broker) => broker.fmt(f),
            Self::Fanout(fanout) => fanout.fmt(f),
            Self::Multicast(multicast) => multicast.fmt(f),
            Self::Network(network) => network.fmt(f),
            Self::Peer(peer) => peer.fmt(f),
            Self::Static(fixed) => fixed.fmt(f),
            Self::Tcp(tcp) => tcp.fmt(f),
            Self::Vm(vm) => vm.fmt(f),
        }
    }
}

/// The schemes as a phrase for errors.
const SCHEMES_TEXT: &str = "broker, fanout, multicast, network, peer, static, tcp or vm";

#[cfg(test)]
mod tests;
