//! `tcp://host:port?options`: a place to dial.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::error::UriError;
use super::explain::{Level, Part};
use super::grammar::{Piece, Uri};
use super::options::{Options, Under};
use super::spec::{Around, OptionKind, OptionSpec, Scheme};
use super::written::Written;
use crate::model::{Address, AddressError};

/// A place to dial, and how: `tcp://host:port?options`.
///
/// ```
/// use flockmq_core::uri::Tcp;
///
/// let tcp: Tcp = "tcp://h1:61616?wireFormat.maxInactivityDuration=1000".parse()?;
/// assert_eq!(tcp.address.port, 61616);
/// assert_eq!(tcp.to_string(), "tcp://h1:61616?wireFormat.maxInactivityDuration=1000");
/// # Ok::<(), flockmq_core::uri::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Where to connect to; its port is never 0.
    pub address: Address,
    /// How long a connect may take (`connectionTimeout`).
    pub connection_timeout: Option<Duration>,
    /// How the link behaves (`wireFormat.*`).
    pub wire_format: WireFormat,
}

/// How a link behaves (`wireFormat.*`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireFormat {
    /// The longest frame that is taken, in bytes (`maxFrameSize`).
    pub max_frame_size: Option<u32>,
    /// How long the other side may be silent (`maxInactivityDuration`).
    pub max_inactivity_duration: Option<Duration>,
}

impl Tcp {
    /// The link to `address`, with no options given.
    pub fn new(address: Address) -> Self {
        Self { address, connection_timeout: None, wire_format: WireFormat::default() }
    }

    /// The options of `tcp:` URIs.
    pub const fn specs() -> &'static [OptionSpec] {
        SPECS
    }

    pub(super) const SCHEME: Scheme = Scheme { name: "tcp", specs: SPECS, declined: &[] };

    pub(super) const CONNECTION_TIMEOUT: OptionSpec = OptionSpec::new(
        "connectionTimeout",
        OptionKind::Milliseconds { min: 1, max: 3_600_000 },
        Some("30000"),
        "How long a connect may take.",
    );

    pub(super) fn read(uri: Uri<'_>, around: &[Around]) -> Result<Self, UriError> {
        let simple = uri.simple(FORM)?.without_path(FORM)?;
        let address = read_address(simple.head)?;
        let options = Options::read(simple.query, Self::SCHEME, around, &[])?;
        Ok(Self {
            address,
            connection_timeout: options.under("").duration("connectionTimeout"),
            wire_format: WireFormat::read(options.under("wireFormat.")),
        })
    }

    pub(super) fn level(&self, depth: usize) -> Level {
        let parts = [Part::given("host", &self.address.host), Part::given("port", self.address.port)];
        Level::new(depth, parts, &self.written())
    }

    fn written(&self) -> Written {
        let written = Written::new(Self::SCHEME).duration("connectionTimeout", self.connection_timeout);
        self.wire_format.write(written.under("wireFormat."))
    }
}

impl FromStr for Tcp {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(Uri::parse(text)?.of_scheme(Self::SCHEME.name)?, &[])
    }
}

impl fmt::Display for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.address, self.written())
    }
}

impl WireFormat {
    pub(super) fn read(options: Under<'_, '_>) -> Self {
        Self {
            max_frame_size: options.number("maxFrameSize"),
            max_inactivity_duration: options.duration("maxInactivityDuration"),
        }
    }

    pub(super) fn write(&self, written: Written) -> Written {
        written
            .plain("maxFrameSize", self.max_frame_size)
            .duration("maxInactivityDuration", self.max_inactivity_duration)
    }

    pub(super) const MAX_FRAME_SIZE: OptionSpec = OptionSpec::new(
        "wireFormat.maxFrameSize",
        OptionKind::Bytes { min: 65_536, max: 1_073_741_824 },
        Some("10485760"),
        "The longest frame that is taken; a longer one ends the link.",
    );

    pub(super) const MAX_INACTIVITY_DURATION: OptionSpec = OptionSpec::new(
        "wireFormat.maxInactivityDuration",
        OptionKind::Milliseconds { min: 100, max: 3_600_000 },
        Some("30000"),
        "How long the other side may be silent before the link is given up; the smaller of both sides' values holds.",
    );
}

/// Cuts `HOST:PORT`, `[HOST]:PORT` or either without a port.
pub(super) fn host_and_port(piece: Piece<'_>) -> (Piece<'_>, Option<Piece<'_>>) {
    let host_end = if piece.text.starts_with('[') { piece.text.find(']') } else { Some(0) };
    match (host_end, piece.text.rfind(':')) {
        (Some(end), Some(colon)) if colon >= end => (piece.to(colon), Some(piece.from(colon + 1))),
        _ => (piece, None),
    }
}

/// Reads a port that something can be sent to.
pub(super) fn read_port(piece: Piece<'_>) -> Result<u16, UriError> {
    let all_digits = piece.text.bytes().all(|byte| byte.is_ascii_digit());
    let port = piece.text.parse().ok().filter(|port| all_digits && *port > 0);
    port.ok_or_else(|| UriError::BadPort { at: piece.span(), port: piece.text.into() })
}

fn read_address(piece: Piece<'_>) -> Result<Address, UriError> {
    let (host, port) = host_and_port(piece);
    let Some(port) = port else {
        return Err(UriError::BadAddress { at: piece.span(), error: AddressError::NoPort(piece.text.into()) });
    };
    Address::from_parts(host.text, "0").map_err(|error| UriError::BadAddress { at: host.span(), error }).and_then(
        |address| Ok(Address { port: read_port(port)?, ..address }), // Zero stood in for a port, to tell the two apart.
    )
}

const FORM: &str = "tcp://HOST:PORT?OPTIONS";

const SPECS: &[OptionSpec] =
    &[Tcp::CONNECTION_TIMEOUT, WireFormat::MAX_FRAME_SIZE, WireFormat::MAX_INACTIVITY_DURATION];
