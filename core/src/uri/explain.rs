//! A URI taken apart for people: every part, and every option with its value, default and meaning.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::error::UriError;
use super::spec::OptionSpec;
use super::written::Written;
use super::{Connector, Location};

/// Everything a URI says and leaves to defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The URI itself first, then those inside of it in the order they are written.
    pub levels: Vec<Level>,
}

/// One URI of a composite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// How many URIs stand around it.
    pub depth: usize,
    /// Its scheme.
    pub scheme: &'static str,
    /// What stands before its options.
    pub parts: Vec<Part>,
    /// All options it could have, given or not, in the order of its table.
    pub options: Vec<ExplainedOption>,
}

/// Something that a URI says before its options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is: `group`, `host` …
    pub label: &'static str,
    /// What the URI says, decoded; what holds instead if it is not given.
    pub value: String,
    /// True if the URI says it.
    pub is_given: bool,
}

/// One option, given or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedOption {
    /// Its name, kind, default and meaning.
    pub spec: &'static OptionSpec,
    /// Its value, decoded; `None` if it is not given.
    pub given: Option<String>,
}

/// Explains a URI, or tells what is wrong with it.
///
/// ```
/// let explanation = flockmq_core::uri::explain("peer://groupA/broker1?persistent=false")?;
/// let option = &explanation.levels[0].options[0];
/// assert_eq!((option.spec.name, option.given.as_deref()), ("persistent", Some("false")));
/// # Ok::<(), flockmq_core::uri::UriError>(())
/// ```
pub fn explain(text: &str) -> Result<Explanation, UriError> {
    text.parse().map(|location: Location| location.explain())
}

impl Location {
    /// Explains this location.
    pub fn explain(&self) -> Explanation {
        let mut levels = Vec::new();
        match self {
            Self::Broker(broker) => broker.levels(0, &mut levels),
            Self::Fanout(fanout) => fanout.levels(0, &mut levels),
            Self::Multicast(multicast) => levels.push(multicast.level(0)),
            Self::Network(network) => network.levels(0, &mut levels),
            Self::Peer(peer) => {
                levels.push(peer.level(0));
                for connector in &peer.network_connectors {
                    match connector {
                        Connector::Multicast(multicast) => levels.push(multicast.level(1)),
                        Connector::Network(network) => network.levels(1, &mut levels),
                        Connector::Static(fixed) => fixed.levels(1, &mut levels),
                    }
                }
            }
            Self::Static(fixed) => fixed.levels(0, &mut levels),
            Self::Tcp(tcp) => levels.push(tcp.level(0)),
            Self::Vm(vm) => levels.push(vm.level(0)),
        }
        Explanation { levels }
    }
}

impl Level {
    pub(super) fn new<const N: usize>(depth: usize, parts: [Part; N], written: &Written) -> Self {
        let scheme = written.scheme();
        let explained = |spec: &'static OptionSpec| ExplainedOption {
            spec,
            given: written.value(spec.name).map(ToString::to_string),
        };
        let options = scheme.specs.iter().map(explained).collect();
        Self { depth, scheme: scheme.name, parts: parts.into(), options }
    }
}

impl Part {
    /// A part that is always there.
    pub(super) fn given(label: &'static str, value: impl fmt::Display) -> Self {
        Self { label, value: value.to_string(), is_given: true }
    }

    /// A part that may be left out, and what holds then.
    pub(super) fn new(label: &'static str, value: Option<impl fmt::Display>, default: &str) -> Self {
        match value {
            Some(value) => Self::given(label, value),
            None => Self { label, value: default.into(), is_given: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs<'a> = Vec<(&'a str, &'a str)>;

    /// The parts of one level and the options it gives.
    fn said(level: &Level) -> (usize, &str, Pairs<'_>, Pairs<'_>) {
        let parts = level.parts.iter().map(|part| (part.label, part.value.as_str())).collect();
        let options =
            level.options.iter().filter_map(|option| Some((option.spec.name, option.given.as_deref()?))).collect();
        (level.depth, level.scheme, parts, options)
    }

    #[test]
    fn every_level_is_explained_on_its_own() {
        let text = "peer://a%20b?queuePrefetch=7&networkConnectorURIs=(static:(tcp://h:1?connectionTimeout=9)?maxReconnectAttempts=2,multicast://default)";
        let explanation = explain(text).expect(text);
        let levels: Vec<_> = explanation.levels.iter().map(said).collect();
        let connectors = "(static:(tcp://h:1?connectionTimeout=9)?maxReconnectAttempts=2,multicast://default)";
        assert_eq!(levels[0].1, "peer");
        assert_eq!(levels[0].2, [("group", "a b"), ("name", "made up by the node")]);
        assert_eq!(levels[0].3, [("networkConnectorURIs", connectors), ("queuePrefetch", "7")]);
        assert_eq!(levels[1], (1, "static", [("peers", "1")].into(), [("maxReconnectAttempts", "2")].into()));
        assert_eq!(levels[2], (2, "tcp", [("host", "h"), ("port", "1")].into(), [("connectionTimeout", "9")].into()));
        assert_eq!(levels[3], (1, "multicast", [("address", "239.255.2.3"), ("port", "6155")].into(), [].into()));
        assert_eq!(levels.len(), 4);
    }

    #[test]
    fn options_that_are_not_given_are_explained_too() {
        let explanation = explain("tcp://h:1").expect("a URI");
        let names: Vec<_> = explanation.levels[0].options.iter().map(|option| option.spec.name).collect();
        assert_eq!(names, ["connectionTimeout", "wireFormat.maxFrameSize", "wireFormat.maxInactivityDuration"]);
        assert!(explanation.levels[0].options.iter().all(|option| option.given.is_none()));
    }

    #[test]
    fn parts_that_are_not_given_say_so() {
        let explanation = explain("multicast://default:7000").expect("a URI");
        let given: Vec<_> = explanation.levels[0].parts.iter().map(|part| (part.label, part.is_given)).collect();
        assert_eq!(given, [("address", false), ("port", true)]);
    }
}
