//! `static:(uri,uri)?options`: peers that are known beforehand.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::error::UriError;
use super::explain::{Level, Part};
use super::grammar::Uri;
use super::options::Options;
use super::spec::{OptionKind, OptionSpec, Scheme};
use super::transport::Tcp;
use super::written::Written;

/// Peers to dial: `static:(tcp://host:port,tcp://host:port)?options`.
///
/// ```
/// use flockmq_core::uri::Static;
///
/// let fixed: Static = "static:(tcp://a:1,tcp://b:2)?maxReconnectAttempts=3".parse()?;
/// assert_eq!(fixed.peers.len(), 2);
/// assert_eq!(fixed.max_reconnect_attempts, Some(3));
/// # Ok::<(), flockmq_core::uri::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Static {
    /// The peers, in the order given; at least one.
    pub peers: Vec<Tcp>,
    /// How long to wait after the first failure (`initialReconnectDelay`).
    pub initial_reconnect_delay: Option<Duration>,
    /// The longest wait (`maxReconnectDelay`).
    pub max_reconnect_delay: Option<Duration>,
    /// True if waits grow (`useExponentialBackOff`).
    pub use_exponential_back_off: Option<bool>,
    /// What each wait is multiplied by to give the next (`backOffMultiplier`).
    pub back_off_multiplier: Option<u32>,
    /// How many attempts may fail before giving up; 0 never gives up (`maxReconnectAttempts`).
    pub max_reconnect_attempts: Option<u32>,
}

impl Static {
    /// These peers, with no options given; `peers` should name one at least.
    pub fn new(peers: Vec<Tcp>) -> Self {
        Self {
            peers,
            initial_reconnect_delay: None,
            max_reconnect_delay: None,
            use_exponential_back_off: None,
            back_off_multiplier: None,
            max_reconnect_attempts: None,
        }
    }

    /// The options of `static:` URIs.
    pub const fn specs() -> &'static [OptionSpec] {
        SPECS
    }

    pub(super) const SCHEME: Scheme = Scheme { name: "static", specs: SPECS };

    pub(super) fn read(uri: Uri<'_>, around: &[Scheme]) -> Result<Self, UriError> {
        let composite = uri.composite(FORM)?;
        if composite.components.is_empty() {
            return Err(uri.missing("peer in its list", FORM));
        }
        let all_around: Vec<Scheme> = [Self::SCHEME].into_iter().chain(around.iter().copied()).collect();
        let read_peer = |peer| Tcp::read(Uri::read(peer, Tcp::SCHEME.name)?.of_scheme(Tcp::SCHEME.name)?, &all_around);
        let peers = composite.components.iter().copied().map(read_peer).collect::<Result<_, _>>()?;
        let options = Options::read(composite.query, Self::SCHEME, around, &[Tcp::SCHEME])?;
        let options = options.under("");
        Ok(Self {
            peers,
            initial_reconnect_delay: options.duration("initialReconnectDelay"),
            max_reconnect_delay: options.duration("maxReconnectDelay"),
            use_exponential_back_off: options.boolean("useExponentialBackOff"),
            back_off_multiplier: options.number("backOffMultiplier"),
            max_reconnect_attempts: options.number("maxReconnectAttempts"),
        })
    }

    /// This level and those of the peers in it.
    pub(super) fn levels(&self, depth: usize, levels: &mut Vec<Level>) {
        levels.push(Level::new(depth, [Part::given("peers", self.peers.len())], &self.written()));
        levels.extend(self.peers.iter().map(|peer| peer.level(depth + 1)));
    }

    fn written(&self) -> Written {
        Written::new(Self::SCHEME)
            .duration("initialReconnectDelay", self.initial_reconnect_delay)
            .duration("maxReconnectDelay", self.max_reconnect_delay)
            .plain("useExponentialBackOff", self.use_exponential_back_off)
            .plain("backOffMultiplier", self.back_off_multiplier)
            .plain("maxReconnectAttempts", self.max_reconnect_attempts)
    }
}

impl FromStr for Static {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(Uri::parse(text)?.of_scheme(Self::SCHEME.name)?, &[])
    }
}

impl fmt::Display for Static {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("static:(")?;
        for (at, peer) in self.peers.iter().enumerate() {
            write!(f, "{}{peer}", if at == 0 { "" } else { "," })?;
        }
        write!(f, "){}", self.written())
    }
}

const FORM: &str = "static:(tcp://HOST:PORT,tcp://HOST:PORT)?OPTIONS";

const SPECS: &[OptionSpec] = &[
    OptionSpec::new(
        "initialReconnectDelay",
        OptionKind::Milliseconds { min: 1, max: 3_600_000 },
        Some("1000"),
        "How long to wait after the first failure.",
    ),
    OptionSpec::new(
        "maxReconnectDelay",
        OptionKind::Milliseconds { min: 1, max: 3_600_000 },
        Some("30000"),
        "The longest wait, the first included.",
    ),
    OptionSpec::new(
        "useExponentialBackOff",
        OptionKind::Boolean,
        Some("true"),
        "False makes every wait as long as the first.",
    ),
    OptionSpec::new(
        "backOffMultiplier",
        OptionKind::Integer { min: 1, max: 100 },
        Some("2"),
        "What each wait is multiplied by to give the next.",
    ),
    OptionSpec::new(
        "maxReconnectAttempts",
        OptionKind::Integer { min: 0, max: 1_000_000 },
        Some("0"),
        "How many attempts in a row may fail before a peer is given up; 0 never gives up.",
    ),
];
