//! `fanout:(uri)?options`: a client that sends to many brokers at once.

#[cfg(test)]
mod tests;

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::error::UriError;
use super::explain::{Level, Part};
use super::fixed::{self, Static};
use super::grammar::{Composite, Uri};
use super::multicast::Multicast;
use super::options::Options;
use super::reconnect::Reconnect;
use super::spec::{Around, OptionKind, OptionSpec, Scheme};
use super::transport::{Tcp, WireFormat};
use super::written::Written;

/// A client that sends to many brokers at once: `fanout:(uri)?options`.
///
/// Without options the parentheses may be left out: `fanout:multicast://default`. Options that were not given are
/// `None`; [`Fanout::specs`] tells what holds then.
///
/// ```
/// use flockmq_core::uri::{Fanout, Targets};
///
/// let fanout: Fanout = "fanout://(static:(tcp://a:1,tcp://b:2))?initialReconnectDelay=100".parse()?;
/// assert!(matches!(&fanout.targets, Targets::Static(listed) if listed.len() == 2));
/// assert_eq!(fanout.to_string(), "fanout:(static:(tcp://a:1,tcp://b:2))?initialReconnectDelay=100");
/// let error = "fanout:multicast://default?minAckCount=1".parse::<Fanout>().expect_err("another level's option");
/// assert!(error.to_string().ends_with("with parentheses: fanout:(URI)?minAckCount=VALUE"));
/// # Ok::<(), flockmq_core::uri::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fanout {
    /// Which brokers it sends to.
    pub targets: Targets,
    /// How they are dialled again, each counted for itself.
    pub reconnect: Reconnect,
    /// How far a wait may be drawn below its nominal length, in percent of it: at most 100 (`reconnectJitter`).
    pub reconnect_jitter: Option<u8>,
    /// True if queues' messages go to every broker too (`fanOutQueues`).
    pub fan_out_queues: Option<bool>,
    /// How many brokers must be up and accept; at least 1, and never more than are listed (`minAckCount`).
    pub min_ack_count: Option<u32>,
    /// How long a send may take in all (`sendTimeout`).
    pub send_timeout: Option<Duration>,
    /// How long a connect may take, where nothing else says (`connectTimeout`).
    pub connect_timeout: Option<Duration>,
    /// How many bytes may wait to be accepted by enough brokers (`memoryLimit`).
    pub memory_limit: Option<u64>,
    /// True if consumers recognise what another broker has handed them before (`checkForDuplicates`).
    pub check_for_duplicates: Option<bool>,
    /// What holds for the links to all targets, whatever these say themselves (`discovered.*`).
    pub discovered: Discovered,
}

/// Which brokers a fanout sends to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// All that advertise themselves to a group.
    Multicast(Multicast),
    /// These, in the order given; at least one.
    Static(Vec<Tcp>),
}

/// What holds for the links to all targets (`discovered.*`): the options of `tcp:` URIs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    /// How long a connect may take (`connectionTimeout`).
    pub connection_timeout: Option<Duration>,
    /// How the links behave (`wireFormat.*`).
    pub wire_format: WireFormat,
}

impl Fanout {
    /// A client that sends to these brokers, with no options given.
    pub fn new(targets: Targets) -> Self {
        Self {
            targets,
            reconnect: Reconnect::default(),
            reconnect_jitter: None,
            fan_out_queues: None,
            min_ack_count: None,
            send_timeout: None,
            connect_timeout: None,
            memory_limit: None,
            check_for_duplicates: None,
            discovered: Discovered::default(),
        }
    }

    /// How many brokers must be up and accept, given or not.
    pub fn acks_min(&self) -> u32 {
        self.min_ack_count.unwrap_or(2)
    }

    /// The options of `fanout:` URIs.
    pub const fn specs() -> &'static [OptionSpec] {
        SPECS
    }

    pub(super) const SCHEME: Scheme = Scheme { name: "fanout", specs: SPECS, declined: &[] };

    pub(super) fn read(uri: Uri<'_>, around: &[Around]) -> Result<Self, UriError> {
        let composite = uri.composite(FORM)?;
        let inner = inner(uri, &composite)?;
        let targets = Targets::read(inner, Around { scheme: Self::SCHEME, place: composite.place })?;
        let inside: &[Scheme] = match targets {
            Targets::Multicast(_) => &[Multicast::SCHEME],
            Targets::Static(_) => &[Tcp::SCHEME],
        };
        let options = Options::read(composite.query, Self::SCHEME, around, inside)?;
        let own = options.under("");
        let fanout = Self {
            targets,
            reconnect: Reconnect::read(own),
            reconnect_jitter: own.number("reconnectJitter"),
            fan_out_queues: own.boolean("fanOutQueues"),
            min_ack_count: own.number("minAckCount"),
            send_timeout: own.duration("sendTimeout"),
            connect_timeout: own.duration("connectTimeout"),
            memory_limit: own.number("memoryLimit"),
            check_for_duplicates: own.boolean("checkForDuplicates"),
            discovered: Discovered {
                connection_timeout: options.under("discovered.").duration("connectionTimeout"),
                wire_format: WireFormat::read(options.under("discovered.wireFormat.")),
            },
        };
        match fanout.targets.listed() {
            Some(listed) if fanout.acks_min() as usize > listed => {
                let part = own.given("minAckCount").map_or(inner.whole, |given| given.whole);
                let needed = fanout.acks_min();
                Err(UriError::TooFewTargets { at: part.span(), part: part.text.into(), needed, listed })
            }
            _ => Ok(fanout),
        }
    }

    /// This level and those inside of it.
    pub(super) fn levels(&self, depth: usize, levels: &mut Vec<Level>) {
        levels.push(Level::new(depth, [], &self.written()));
        self.targets.levels(depth + 1, levels);
    }

    fn written(&self) -> Written {
        let written = self
            .reconnect
            .write(Written::new(Self::SCHEME))
            .plain("reconnectJitter", self.reconnect_jitter)
            .plain("fanOutQueues", self.fan_out_queues)
            .plain("minAckCount", self.min_ack_count)
            .duration("sendTimeout", self.send_timeout)
            .duration("connectTimeout", self.connect_timeout)
            .plain("memoryLimit", self.memory_limit)
            .plain("checkForDuplicates", self.check_for_duplicates)
            .under("discovered.")
            .duration("connectionTimeout", self.discovered.connection_timeout)
            .under("discovered.wireFormat.");
        self.discovered.wire_format.write(written)
    }
}

impl FromStr for Fanout {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(Uri::parse(text)?.of_scheme(Self::SCHEME.name)?, &[])
    }
}

impl fmt::Display for Fanout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fanout:({}){}", self.targets, self.written())
    }
}

impl Targets {
    /// How many different brokers are listed; `None` if they are yet to be found.
    pub fn listed(&self) -> Option<usize> {
        match self {
            Self::Multicast(_) => None,
            Self::Static(listed) => Some(listed.iter().map(|target| &target.address).collect::<BTreeSet<_>>().len()),
        }
    }

    fn read(uri: Uri<'_>, fanout: Around) -> Result<Self, UriError> {
        if uri.scheme.text == Multicast::SCHEME.name {
            return Multicast::read(uri, &[fanout]).map(Self::Multicast);
        }
        let (listed, options) = fixed::read_parts(uri, Static::SCHEME, fixed::FORM, &[fanout])?;
        match options.under("").first() {
            None => Ok(Self::Static(listed)),
            Some(given) => Err(UriError::OverruledOption {
                at: given.whole.span(),
                option: given.spec.name,
                scheme: Static::SCHEME.name,
                owner: fanout.scheme.name,
                place: fanout.place,
            }),
        }
    }

    fn levels(&self, depth: usize, levels: &mut Vec<Level>) {
        match self {
            Self::Multicast(multicast) => levels.push(multicast.level(depth)),
            Self::Static(listed) => {
                let scheme = Scheme { specs: &[], ..Static::SCHEME }; // Its options are the fanout's here.
                levels.push(Level::new(depth, [Part::given("targets", listed.len())], &Written::new(scheme)));
                levels.extend(listed.iter().map(|target| target.level(depth + 1)));
            }
        }
    }
}

impl fmt::Display for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Multicast(multicast) => multicast.fmt(f),
            Self::Static(listed) => fixed::write_list(f, listed),
        }
    }
}

/// The one URI inside of a fanout.
fn inner<'a>(uri: Uri<'a>, composite: &Composite<'a>) -> Result<Uri<'a>, UriError> {
    let Some((first, rest)) = composite.components.split_first() else {
        return Err(uri.missing("URI inside", FORM));
    };
    let first = Uri::read(*first, INSIDE_TEXT)?;
    // The commas of a static: without parentheses are its own, so that it loses nobody.
    let is_bare_list = match first.scheme.text {
        "multicast" => false,
        "static" => !first.body.text.starts_with('('),
        other => {
            let (scheme, expected) = (String::from(other), INSIDE_TEXT);
            return Err(UriError::MisplacedScheme { at: first.scheme.span(), scheme, expected });
        }
    };
    match rest.iter().find(|further| !(is_bare_list && further.text.starts_with("tcp:"))) {
        Some(further) => Err(further.unexpected("one static: or multicast: URI in all")),
        None if is_bare_list => Uri::read(composite.list, INSIDE_TEXT),
        None => Ok(first),
    }
}

/// What may stand inside, as a phrase for errors.
const INSIDE_TEXT: &str = "multicast or static";

const FORM: &str =
    "fanout:(multicast://default?OPTIONS)?OPTIONS or fanout:(static:(tcp://HOST:PORT,tcp://HOST:PORT))?OPTIONS";

const SPECS: &[OptionSpec] = &[
    Reconnect::initial_delay("10"),
    Reconnect::MAX_DELAY,
    Reconnect::USE_EXPONENTIAL_BACK_OFF,
    Reconnect::BACK_OFF_MULTIPLIER,
    Reconnect::MAX_ATTEMPTS,
    OptionSpec::new(
        "reconnectJitter",
        OptionKind::Integer { min: 0, max: 100 },
        Some("20"),
        "How far a wait may be drawn below its nominal length, in percent of it.",
    ),
    OptionSpec::new(
        "fanOutQueues",
        OptionKind::Boolean,
        Some("false"),
        "True sends messages for queues to every broker too, instead of to one.",
    ),
    OptionSpec::new(
        "minAckCount",
        OptionKind::Integer { min: 1, max: 256 },
        Some("2"),
        "How many brokers must be up before anything is sent, and how many must accept what is sent to all; at most as many as a static: list names.",
    ),
    OptionSpec::new(
        "sendTimeout",
        OptionKind::Milliseconds { min: 1, max: 3_600_000 },
        Some("30000"),
        "How long a send may take in all, waiting for brokers included, before it fails.",
    ),
    OptionSpec::new(
        "connectTimeout",
        OptionKind::Milliseconds { min: 1, max: 3_600_000 },
        Some("10000"),
        "How long a connect may take, unless the target's own connectionTimeout or discovered.connectionTimeout say.",
    ),
    OptionSpec::new(
        "memoryLimit",
        OptionKind::Bytes { min: 65_536, max: 1 << 40 },
        Some("67108864"),
        "How much may wait to be accepted by enough brokers; a send beyond it is refused.",
    ),
    OptionSpec::new(
        "checkForDuplicates",
        OptionKind::Boolean,
        Some("true"),
        "True recognises, at this client's consumers, what another broker has handed out before; false hands out every copy.",
    ),
    OptionSpec {
        name: "discovered.connectionTimeout",
        default: None,
        help: "How long a connect to any target may take, whatever its own option and connectTimeout say.",
        ..Tcp::CONNECTION_TIMEOUT
    },
    OptionSpec {
        name: "discovered.wireFormat.maxFrameSize",
        default: None,
        help: "The longest frame taken from any target, whatever its own option says; 10485760 if neither is given.",
        ..WireFormat::MAX_FRAME_SIZE
    },
    OptionSpec {
        name: "discovered.wireFormat.maxInactivityDuration",
        default: None,
        help: "How long any target may be silent, whatever its own option says; 30000 if neither is given.",
        ..WireFormat::MAX_INACTIVITY_DURATION
    },
];
