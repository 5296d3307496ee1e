//! `vm://name?options`: a broker within this process.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use super::error::UriError;
use super::explain::{Level, Part};
use super::grammar::Uri;
use super::options::{Options, Under};
use super::percent;
use super::spec::{Around, OptionKind, OptionSpec, Scheme};
use super::written::Written;

/// A broker within this process: `vm://name?options`.
///
/// ```
/// use flockmq_core::uri::Vm;
///
/// let vm: Vm = "vm://broker1?create=false".parse()?;
/// assert_eq!((vm.name.as_str(), vm.create), ("broker1", Some(false)));
/// # Ok::<(), flockmq_core::uri::UriError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vm {
    /// The broker's name: 1 to 255 bytes of text without control characters.
    pub name: String,
    /// False if the broker must be there already (`create`).
    pub create: Option<bool>,
    /// How long to wait for it to be there before it is created or that fails (`waitForStart`).
    pub wait_for_start: Option<Duration>,
    /// What it is like if it is created (`broker.*`).
    pub broker: BrokerOptions,
}

/// What an embedded broker is like: `broker.*` of `vm:` URIs, and under their own names in `peer:` ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerOptions {
    /// True if messages sent as persistent survive the process (`persistent`).
    pub persistent: Option<bool>,
    /// The prefetch of a queue's consumer that asks for none (`queuePrefetch`).
    pub queue_prefetch: Option<u16>,
    /// The prefetch of a topic's subscriber that asks for none (`topicPrefetch`).
    pub topic_prefetch: Option<u16>,
    /// How many bytes may wait in one queue (`memoryLimit`).
    pub memory_limit: Option<u64>,
    /// How many bytes may wait in the broker in all (`memoryUsage`).
    pub memory_usage: Option<u64>,
    /// True if a message that came before is recognised (`checkForDuplicates`).
    pub check_for_duplicates: Option<bool>,
}

impl Vm {
    /// The broker of this name, with no options given.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), create: None, wait_for_start: None, broker: BrokerOptions::default() }
    }

    /// The options of `vm:` URIs.
    pub const fn specs() -> &'static [OptionSpec] {
        SPECS
    }

    pub(super) const SCHEME: Scheme = Scheme { name: "vm", specs: SPECS, declined: &[] };

    pub(super) fn read(uri: Uri<'_>, around: &[Around]) -> Result<Self, UriError> {
        let simple = uri.simple(FORM)?.without_path(FORM)?;
        if simple.head.text.is_empty() {
            return Err(uri.missing("name", FORM));
        }
        let name = percent::decode_text(simple.head, "broker name")?;
        let options = Options::read(simple.query, Self::SCHEME, around, &[])?;
        Ok(Self {
            name,
            create: options.under("").boolean("create"),
            wait_for_start: options.under("").duration("waitForStart"),
            broker: BrokerOptions::read(options.under("broker.")),
        })
    }

    pub(super) fn level(&self, depth: usize) -> Level {
        Level::new(depth, [Part::given("name", &self.name)], &self.written())
    }

    fn written(&self) -> Written {
        let written = Written::new(Self::SCHEME)
            .plain("create", self.create)
            .duration("waitForStart", self.wait_for_start)
            .under("broker.");
        self.broker.write(written)
    }
}

impl FromStr for Vm {
    type Err = UriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(Uri::parse(text)?.of_scheme(Self::SCHEME.name)?, &[])
    }
}

impl fmt::Display for Vm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vm://{}{}", percent::encode(&self.name), self.written())
    }
}

impl BrokerOptions {
    pub(super) fn read(options: Under<'_, '_>) -> Self {
        Self {
            persistent: options.boolean("persistent"),
            queue_prefetch: options.number("queuePrefetch"),
            topic_prefetch: options.number("topicPrefetch"),
            memory_limit: options.number("memoryLimit"),
            memory_usage: options.number("memoryUsage"),
            check_for_duplicates: options.boolean("checkForDuplicates"),
        }
    }

    pub(super) fn write(&self, written: Written) -> Written {
        written
            .plain("persistent", self.persistent)
            .plain("queuePrefetch", self.queue_prefetch)
            .plain("topicPrefetch", self.topic_prefetch)
            .plain("memoryLimit", self.memory_limit)
            .plain("memoryUsage", self.memory_usage)
            .plain("checkForDuplicates", self.check_for_duplicates)
    }

    pub(super) const fn persistent(name: &'static str) -> OptionSpec {
        OptionSpec::new(
            name,
            OptionKind::Boolean,
            Some("false"),
            "True would keep messages sent as persistent beyond the end of the process; refused, since there is no store yet.",
        )
    }

    pub(super) const fn queue_prefetch(name: &'static str) -> OptionSpec {
        OptionSpec::new(
            name,
            OptionKind::Integer { min: 1, max: 65_535 },
            Some("1000"),
            "How many messages are handed to a queue's consumer ahead of its acknowledgements, if it does not say.",
        )
    }

    pub(super) const fn topic_prefetch(name: &'static str) -> OptionSpec {
        OptionSpec::new(
            name,
            OptionKind::Integer { min: 1, max: 65_535 },
            Some("32767"),
            "How many messages are handed to a topic's subscriber ahead of its acknowledgements, if it does not say.",
        )
    }

    pub(super) const fn memory_limit(name: &'static str) -> OptionSpec {
        OptionSpec::new(
            name,
            OptionKind::Bytes { min: 65_536, max: 1 << 40 },
            Some("67108864"),
            "How much may wait in one queue; whoever sends more waits.",
        )
    }

    pub(super) const fn memory_usage(name: &'static str) -> OptionSpec {
        OptionSpec::new(
            name,
            OptionKind::Bytes { min: 65_536, max: 1 << 40 },
            Some("1073741824"),
            "How much may wait in the broker in all, in queues and for topics' subscribers; whoever sends more waits.",
        )
    }

    pub(super) const fn check_for_duplicates(name: &'static str) -> OptionSpec {
        OptionSpec::new(
            name,
            OptionKind::Boolean,
            Some("true"),
            "True recognises a message that came before, whichever bridge or client it comes from; false hands out every copy.",
        )
    }
}

const FORM: &str = "vm://NAME?OPTIONS, with the options of a broker to be created as broker.NAME=VALUE";

const SPECS: &[OptionSpec] = &[
    OptionSpec::new(
        "create",
        OptionKind::Boolean,
        Some("true"),
        "False fails if no broker of this name is there, instead of creating one.",
    ),
    OptionSpec::new(
        "waitForStart",
        OptionKind::Milliseconds { min: 1, max: 3_600_000 },
        None,
        "How long to wait for a broker of this name before creating one or failing; not at all if not given.",
    ),
    BrokerOptions::persistent("broker.persistent"),
    BrokerOptions::queue_prefetch("broker.queuePrefetch"),
    BrokerOptions::topic_prefetch("broker.topicPrefetch"),
    BrokerOptions::memory_limit("broker.memoryLimit"),
    BrokerOptions::memory_usage("broker.memoryUsage"),
    BrokerOptions::check_for_duplicates("broker.checkForDuplicates"),
];
