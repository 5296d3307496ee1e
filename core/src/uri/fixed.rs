//! `static:(uri,uri)?options`: peers that are known beforehand.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::error::UriError;
use super::explain::{Level, Part};
use super::grammar::Uri;
use super::options::Options;
use super::reconnect::Reconnect;
use super::spec::{Around, OptionSpec, Scheme};
use super::transport::Tcp;
use super::written::Written;

/// Peers to dial: `static:(tcp://host:port,tcp://host:port)?options`.
///
/// ```
/// use flockmq_core::uri::Static;
///
/// let fixed: Static = "static:(tcp://a:1,tcp://b:2)?maxReconnectAttempts=3".parse()?;
/// assert_eq!(fixed.peers.len(), 2);
/// assert_eq!(fixed.reconnect.max_attempts, Some(3));
/// # Ok::<(), flockmq_core::uri::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Static {
    /// The peers, in the order given; at least one.
    pub peers: Vec<Tcp>,
    /// How they are dialled again.
    pub reconnect: Reconnect,
}

impl Static {
    /// These peers, with no options given; `peers` should name one at least.
    pub fn new(peers: Vec<Tcp>) -> Self {
        Self { peers, reconnect: Reconnect::default() }
    }

    /// The options of `static:` URIs.
    pub const fn specs() -> &'static [OptionSpec] {
        SPECS
    }

    pub(super) const SCHEME: Scheme = Scheme { name: "static", specs: SPECS, declined: &[] };

    pub(super) fn read(uri: Uri<'_>, around: &[Around]) -> Result<Self, UriError> {
        let (peers, options) = read_parts(uri, Self::SCHEME, FORM, around)?;
        Ok(Self { peers, reconnect: Reconnect::read(options.under("")) })
    }

    /// This level and those of the peers in it.
    pub(super) fn levels(&self, depth: usize, levels: &mut Vec<Level>) {
        levels.push(Level::new(depth, [Part::given("peers", self.peers.len())], &self.written()));
        levels.extend(self.peers.iter().map(|peer| peer.level(depth + 1)));
    }

    fn written(&self) -> Written {
        self.reconnect.write(Written::new(Self::SCHEME))
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
        write_list(f, &self.peers)?;
        self.written().fmt(f)
    }
}

/// Reads a list of peers, and the options of `scheme` as they are given with it; `form` is what such a URI looks like.
pub(super) fn read_parts<'a>(
    uri: Uri<'a>,
    scheme: Scheme,
    form: &'static str,
    around: &[Around],
) -> Result<(Vec<Tcp>, Options<'a>), UriError> {
    let composite = uri.composite(form)?;
    if composite.components.is_empty() {
        return Err(uri.missing("peer in its list", form));
    }
    let own = Around { scheme, place: composite.place };
    let all_around: Vec<Around> = [own].into_iter().chain(around.iter().copied()).collect();
    let read_peer = |peer| Tcp::read(Uri::read(peer, Tcp::SCHEME.name)?.of_scheme(Tcp::SCHEME.name)?, &all_around);
    let peers = composite.components.iter().copied().map(read_peer).collect::<Result<_, _>>()?;
    Ok((peers, Options::read(composite.query, scheme, around, &[Tcp::SCHEME])?))
}

/// Writes the URI of these peers, without options.
pub(super) fn write_list(f: &mut fmt::Formatter<'_>, peers: &[Tcp]) -> fmt::Result {
    f.write_str("static:(")?;
    for (at, peer) in peers.iter().enumerate() {
        write!(f, "{}{peer}", if at == 0 { "" } else { "," })?;
    }
    f.write_str(")")
}

pub(super) const FORM: &str = "static:(tcp://HOST:PORT,tcp://HOST:PORT)?OPTIONS";

const SPECS: &[OptionSpec] = &[
    Reconnect::initial_delay("1000"),
    Reconnect::MAX_DELAY,
    Reconnect::USE_EXPONENTIAL_BACK_OFF,
    Reconnect::BACK_OFF_MULTIPLIER,
    Reconnect::MAX_ATTEMPTS,
];
