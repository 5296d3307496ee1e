//! `multicast://group-address?options`: finding the others by adverts to a multicast address.

use alloc::string::String;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;
use core::time::Duration;

use super::error::UriError;
use super::explain::{Level, Part};
use super::grammar::{Piece, Uri};
use super::options::{Options, Under};
use super::spec::{Around, OptionKind, OptionSpec, Scheme};
use super::transport;
use super::written::Written;
use crate::model::Host;

/// Discovery by multicast: `multicast://address:port?options`.
///
/// ```
/// use flockmq_core::uri::Multicast;
///
/// let multicast: Multicast = "multicast://default:7000?group=g1".parse()?;
/// assert_eq!((multicast.discovery.address, multicast.discovery.port), (None, Some(7000)));
/// assert_eq!(multicast.group(), "g1");
/// # Ok::<(), flockmq_core::uri::UriError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Multicast {
    /// The group whose members find each other; within a `peer:` URI always that one's, if given.
    pub group: Option<String>,
    /// How they do.
    pub discovery: Discovery,
}

/// How adverts are sent and heard: `discovery.*` of `peer:` URIs, and what `multicast:` ones say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The multicast address.
    pub address: Option<IpAddr>,
    /// The UDP port; never 0.
    pub port: Option<u16>,
    /// How many routers an advert may cross, plus one; 0 keeps it on this host (`timeToLive`).
    pub time_to_live: Option<u8>,
    /// How often to advertise (`keepAliveInterval`).
    pub keep_alive_interval: Option<Duration>,
    /// The one interface to use, by name or address (`interface`).
    pub interface: Option<String>,
    /// True switches loop-back *off*, as in ActiveMQ: peers on the same host then don't find each other
    /// (`loopBackMode`).
    pub loop_back_mode: Option<bool>,
}

impl Multicast {
    /// The group of a URI that names none.
    pub const GROUP_DEFAULT: &str = "default";

    /// The group, given or not.
    pub fn group(&self) -> &str {
        self.group.as_deref().unwrap_or(Self::GROUP_DEFAULT)
    }

    /// The options of `multicast:` URIs.
    pub const fn specs() -> &'static [OptionSpec] {
        SPECS
    }

    pub(super) const SCHEME: Scheme = Scheme { name: "multicast", specs: SPECS, declined: &[] };

    pub(super) fn read(uri: Uri<'_>, around: &[Around]) -> Result<Self, UriError> {
        let simple = uri.simple(FORM)?.without_path(FORM)?;
        let (host, port) = transport::host_and_port(simple.head);
        if host.text.is_empty() {
            return Err(uri.missing("host", FORM));
        }
        let (address, port) = (read_host(host)?, port.map(transport::read_port).transpose()?);
        let options = Options::read(simple.query, Self::SCHEME, around, &[])?;
        let discovery = Discovery { address, port, ..Discovery::read(options.under("")) };
        Ok(Self { group: options.under("").text("group"), discovery })
    }

    pub(super) fn level(&self, depth: usize) -> Level {
        let parts = [
            Part::new("address", self.discovery.address, Discovery::ADDRESS_DEFAULT),
            Part::new("port", self.discovery.port, Discovery::PORT_DEFAULT),
        ];
        Level::new(depth, parts, &self.written())
    }

    fn written(&self) -> Written {
        self.discovery.write(Written::new(Self::SCHEME).text("group", self.group.as_deref()))
    }
}

impl FromStr for Multicast {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(Uri::parse(text)?.of_scheme(Self::SCHEME.name)?, &[])
    }
}

impl fmt::Display for Multicast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("multicast://")?;
        match self.discovery.address {
            Some(address) => Host::Ip(address).fmt(f)?,
            None => f.write_str("default")?,
        }
        if let Some(port) = self.discovery.port {
            write!(f, ":{port}")?;
        }
        self.written().fmt(f)
    }
}

impl Discovery {
    /// Reads all but address and port.
    pub(super) fn read(options: Under<'_, '_>) -> Self {
        Self {
            address: None,
            port: None,
            time_to_live: options.number("timeToLive"),
            keep_alive_interval: options.duration("keepAliveInterval"),
            interface: options.text("interface"),
            loop_back_mode: options.boolean("loopBackMode"),
        }
    }

    /// Writes all but address and port.
    pub(super) fn write(&self, written: Written) -> Written {
        written
            .plain("timeToLive", self.time_to_live)
            .duration("keepAliveInterval", self.keep_alive_interval)
            .text("interface", self.interface.as_deref())
            .plain("loopBackMode", self.loop_back_mode)
    }

    pub(super) const ADDRESS_DEFAULT: &str = "239.255.2.3";
    pub(super) const PORT_DEFAULT: &str = "6155";

    pub(super) const fn time_to_live(name: &'static str) -> OptionSpec {
        OptionSpec::new(
            name,
            OptionKind::Integer { min: 0, max: 255 },
            Some("1"),
            "How many routers an advert may cross, plus one; 0 keeps it on this host.",
        )
    }

    pub(super) const fn keep_alive_interval(name: &'static str) -> OptionSpec {
        OptionSpec::new(
            name,
            OptionKind::Milliseconds { min: 10, max: 60_000 },
            Some("500"),
            "How often to advertise; a peer not heard of for ten times as long is lost.",
        )
    }

    pub(super) const fn interface(name: &'static str) -> OptionSpec {
        OptionSpec::new(
            name,
            OptionKind::Text,
            None,
            "The one network interface to use, by name or address; every usable one if not given.",
        )
    }

    pub(super) const fn loop_back_mode(name: &'static str) -> OptionSpec {
        OptionSpec::new(
            name,
            OptionKind::Boolean,
            Some("false"),
            "True switches loop-back OFF, as in ActiveMQ: peers on the same host then do not find each other.",
        )
    }
}

/// Reads a host in a URI: `default`, or a multicast address.
fn read_host(host: Piece<'_>) -> Result<Option<IpAddr>, UriError> {
    if host.text == "default" {
        return Ok(None);
    }
    let ip = match host.text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) => inner.parse().ok().map(IpAddr::V6),
        None => host.text.parse().ok().map(IpAddr::V4),
    };
    let ip = ip.filter(IpAddr::is_multicast);
    ip.map(Some).ok_or_else(|| UriError::NotMulticast { at: host.span(), host: host.text.into() })
}

const FORM: &str = "multicast://default?OPTIONS or multicast://ADDRESS:PORT?OPTIONS";

const SPECS: &[OptionSpec] = &[
    OptionSpec::new(
        "group",
        OptionKind::Text,
        Some(Multicast::GROUP_DEFAULT),
        "The group whose members find each other; case matters. Within a peer: URI, that one's group is the default.",
    ),
    Discovery::time_to_live("timeToLive"),
    Discovery::keep_alive_interval("keepAliveInterval"),
    Discovery::interface("interface"),
    Discovery::loop_back_mode("loopBackMode"),
];
