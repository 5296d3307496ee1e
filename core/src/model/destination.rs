//! Where messages are sent and taken from: queues and topics, by name or by pattern.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::id::{BrokerId, ConnectionId};
use super::temporary::Temporary;

/// Queue or topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DestinationKind {
    /// Each message goes to one consumer and waits while there is none.
    Queue,
    /// Each message goes to every subscriber there is.
    Topic,
}

impl DestinationKind {
    /// The word before `://`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Topic => "topic",
        }
    }
}

/// A queue or topic, or a pattern over them.
///
/// Written `queue://name` or `topic://name`; a bare name is a queue. Names are case-sensitive, `.` separates
/// their levels. In what a consumer subscribes to, `*` stands for exactly one level and `>`, as the last level,
/// for any number of further ones, none included (ActiveMQ's wildcards). A comma stands between several
/// ([`Destinations`](crate::Destinations)), so no name has one.
///
/// A *temporary* destination, `temp-queue://…` or `temp-topic://…`, has the life of the connection it belongs to, which
/// its name tells ([`Temporary`]). It is of a kind as others are, but no wildcard covers it.
///
/// ```
/// use flockmq_core::Destination;
///
/// let prices: Destination = "topic://prices.>".parse()?;
/// assert!(prices.matches(&"topic://prices.eu.gold".parse()?));
/// assert!(!prices.matches(&"queue://prices.eu.gold".parse()?));
/// assert_eq!("orders".parse::<Destination>()?.to_string(), "queue://orders");
/// # Ok::<(), flockmq_core::DestinationError>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "(Scheme, String)", into = "(Scheme, String)")]
pub struct Destination {
    kind: DestinationKind,
    is_temporary: bool,
    name: Arc<str>,
}

/// What stands before `://`. Links and recordings carry it: the order of the variants is part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Scheme {
    Queue,
    Topic,
    TempQueue,
    TempTopic,
}

/// Why a text names no destination; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// A character that no name may hold.
    #[error("the destination '{name}' has the control character U+{:04X} at byte {at}", u32::from(*found))]
    ControlCharacter {
        /// The whole name.
        name: String,
        /// The character.
        found: char,
        /// Where it stands.
        at: usize,
    },
    /// Nothing between two dots, or before the first or after the last.
    #[error("the destination '{name}' has an empty level; expected text on both sides of every '.'")]
    EmptyLevel {
        /// The whole name.
        name: String,
    },
    /// No name at all.
    #[error("a destination needs a name; expected queue://NAME or topic://NAME")]
    NoName,
    /// A temporary destination whose name does not tell whose it is.
    #[error("'{name}' names no temporary destination; expected BROKER:CONNECTION:NUMBER as a connection gave it")]
    NotTemporary {
        /// The whole name.
        name: String,
    },
    /// Several where one is needed.
    #[error("'{name}' has a comma at byte {at}, as several destinations have; expected one")]
    Several {
        /// The whole name.
        name: String,
        /// Where the comma stands.
        at: usize,
    },
    /// Longer than [`Destination::NAME_MAX`].
    #[error("the destination name is {length} bytes long; at most {max} are allowed", max = Destination::NAME_MAX)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Something other than `queue` or `topic` before `://`.
    #[error("'{scheme}' is no kind of destination; expected queue://NAME or topic://NAME")]
    UnknownKind {
        /// What stood there.
        scheme: String,
    },
}

impl Destination {
    /// The longest name, in bytes.
    pub const NAME_MAX: usize = 512;

    /// The queue of this name.
    pub fn queue(name: &str) -> Result<Self, DestinationError> {
        Self::new(DestinationKind::Queue, name)
    }

    /// The topic of this name.
    pub fn topic(name: &str) -> Result<Self, DestinationError> {
        Self::new(DestinationKind::Topic, name)
    }

    /// The destination of this kind and name.
    pub fn new(kind: DestinationKind, name: &str) -> Result<Self, DestinationError> {
        check_name(name)?;
        Ok(Self { kind, is_temporary: false, name: name.into() })
    }

    /// The temporary destination of this kind and name.
    pub fn temporary(kind: DestinationKind, name: Temporary) -> Self {
        Self { kind, is_temporary: true, name: name.to_string().into() }
    }

    /// Queue or topic.
    pub const fn kind(&self) -> DestinationKind {
        self.kind
    }

    /// The name without its kind.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True if it has the life of a connection.
    #[inline]
    pub const fn is_temporary(&self) -> bool {
        self.is_temporary
    }

    /// Whose it is, if it is temporary.
    pub fn as_temporary(&self) -> Option<Temporary> {
        if !self.is_temporary {
            return None;
        }
        Some(Temporary::read(&self.name).expect("a temporary destination's name was printed or read"))
    }

    /// True unless it is temporary and of another connection, so that this one may not consume from it.
    pub(crate) fn is_open_to(&self, broker: BrokerId, connection: ConnectionId) -> bool {
        self.as_temporary().is_none_or(|found| (found.broker, found.connection) == (broker, connection))
    }

    /// True if the name has a wildcard, so that it stands for many destinations.
    pub fn is_pattern(&self) -> bool {
        let mut levels = self.name.split('.').peekable();
        while let Some(level) = levels.next() {
            if level == "*" || (level == ">" && levels.peek().is_none()) {
                return true;
            }
        }
        false
    }

    /// True if this destination, read as a pattern, covers `other`.
    pub fn matches(&self, other: &Self) -> bool {
        if self.kind != other.kind || self.is_temporary != other.is_temporary {
            return false;
        }
        let (mut pattern, mut name) = (self.name.split('.').peekable(), other.name.split('.'));
        while let Some(wanted) = pattern.next() {
            if wanted == ">" && pattern.peek().is_none() {
                return true;
            }
            match name.next() {
                Some(found) if wanted == "*" || wanted == found => (),
                _ => return false,
            }
        }
        name.next().is_none()
    }

    /// True if both are the very same value, which is quicker to tell than equality and implies it.
    #[inline]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.name, &other.name) && self.kind == other.kind && self.is_temporary == other.is_temporary
    }

    const fn scheme(&self) -> Scheme {
        match (self.kind, self.is_temporary) {
            (DestinationKind::Queue, false) => Scheme::Queue,
            (DestinationKind::Topic, false) => Scheme::Topic,
            (DestinationKind::Queue, true) => Scheme::TempQueue,
            (DestinationKind::Topic, true) => Scheme::TempTopic,
        }
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, name)) = text.trim().split_once("://") else {
            return Self::queue(text.trim());
        };
        let found = Scheme::ALL.into_iter().find(|known| known.as_str() == scheme);
        let unknown = || DestinationError::UnknownKind { scheme: scheme.to_owned() };
        Self::try_from((found.ok_or_else(unknown)?, name))
    }
}

impl TryFrom<(Scheme, &str)> for Destination {
    type Error = DestinationError;

    fn try_from((scheme, name): (Scheme, &str)) -> Result<Self, Self::Error> {
        let temporary = |kind| {
            let found = Temporary::read(name).map(|name| Self::temporary(kind, name));
            found.ok_or_else(|| DestinationError::NotTemporary { name: name.to_owned() })
        };
        match scheme {
            Scheme::Queue => Self::queue(name),
            Scheme::Topic => Self::topic(name),
            Scheme::TempQueue => temporary(DestinationKind::Queue),
            Scheme::TempTopic => temporary(DestinationKind::Topic),
        }
    }
}

impl TryFrom<(Scheme, String)> for Destination {
    type Error = DestinationError;

    fn try_from((scheme, name): (Scheme, String)) -> Result<Self, Self::Error> {
        Self::try_from((scheme, name.as_str()))
    }
}

impl From<Destination> for (Scheme, String) {
    fn from(destination: Destination) -> Self {
        (destination.scheme(), destination.name.as_ref().to_owned())
    }
}

impl Scheme {
    const ALL: [Self; 4] = [Self::Queue, Self::Topic, Self::TempQueue, Self::TempTopic];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => DestinationKind::Queue.as_str(),
            Self::Topic => DestinationKind::Topic.as_str(),
            Self::TempQueue => "temp-queue",
            Self::TempTopic => "temp-topic",
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme().as_str(), self.name)
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Destination {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other)
            || (self.kind == other.kind && self.is_temporary == other.is_temporary && self.name == other.name)
    }
}

impl Eq for Destination {}

impl PartialOrd for Destination {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Destination {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.is_same(other) {
            return Ordering::Equal;
        }
        let kinds = (self.kind, self.is_temporary).cmp(&(other.kind, other.is_temporary));
        kinds.then_with(|| self.name.cmp(&other.name))
    }
}

fn check_name(name: &str) -> Result<(), DestinationError> {
    if name.is_empty() {
        return Err(DestinationError::NoName);
    }
    if name.len() > Destination::NAME_MAX {
        return Err(DestinationError::TooLong { length: name.len() });
    }
    if let Some((at, found)) = name.char_indices().find(|(_, found)| found.is_control()) {
        return Err(DestinationError::ControlCharacter { name: name.to_owned(), found, at });
    }
    if let Some(at) = name.find(',') {
        return Err(DestinationError::Several { name: name.to_owned(), at });
    }
    if name.split('.').any(str::is_empty) {
        return Err(DestinationError::EmptyLevel { name: name.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const MINE: Temporary = Temporary { broker: BrokerId(0xfeed), connection: ConnectionId(3), number: 7 };

    fn topic(name: &str) -> Destination {
        Destination::topic(name).expect("a valid name")
    }

    /// The table of section 8.9 of the semantics reference, as a run of ActiveMQ gave it.
    #[test]
    fn wildcards_match_as_in_activemq() {
        let table = [
            ("A.>", [true, true, true]),
            ("A.*", [false, true, false]),
            ("A.*.>", [false, true, true]),
            (">", [true, true, true]),
            ("A.>.C", [false, false, false]),
        ];
        for (pattern, expected) in table {
            let found = ["A", "A.B", "A.B.C"].map(|name| topic(pattern).matches(&topic(name)));
            assert_eq!(found, expected, "{pattern}");
        }
        assert!(topic("A.>.C").matches(&topic("A.>.C")), "a '>' that is not last is literal");
        assert!(!topic("A.>.C").is_pattern());
    }

    #[test]
    fn bad_names_are_errors_that_quote_them() {
        let errors = ["", "queue://", "a..b", ".a", "a\tb", "stack://x"]
            .map(|text| text.parse::<Destination>().expect_err(text).to_string());
        assert_eq!(errors[0], "a destination needs a name; expected queue://NAME or topic://NAME");
        assert_eq!(errors[1], errors[0]);
        assert_eq!(errors[2], "the destination 'a..b' has an empty level; expected text on both sides of every '.'");
        assert!(errors[3].contains("'.a'"));
        assert!(errors[4].contains("U+0009 at byte 1"));
        assert!(errors[5].starts_with("'stack' is no kind of destination"));
    }

    #[test]
    fn a_name_may_be_as_long_as_the_limit_and_no_longer() {
        assert!(Destination::queue(&"x".repeat(Destination::NAME_MAX)).is_ok());
        let error = Destination::queue(&"x".repeat(Destination::NAME_MAX + 1));
        assert_eq!(error, Err(DestinationError::TooLong { length: Destination::NAME_MAX + 1 }));
    }

    #[test]
    fn a_wildcard_is_a_level_of_its_own() {
        let names = ["A", "A.*", "*", "*.A", "A*", "A.>", ">", ">.A", "A.>.C", "A>"];
        let expected = [false, true, true, true, false, true, true, false, false, false];
        assert_eq!(names.map(|name| topic(name).is_pattern()), expected);
    }

    #[test]
    fn a_destination_has_a_kind_and_a_name() {
        for (kind, word) in [(DestinationKind::Queue, "queue"), (DestinationKind::Topic, "topic")] {
            let made = Destination::new(kind, "a.b").expect("valid");
            assert_eq!((made.kind(), made.kind().as_str(), made.name()), (kind, word, "a.b"));
            let parts = <(Scheme, String)>::from(made.clone());
            assert_eq!(parts.1, "a.b");
            assert_eq!(Destination::try_from(parts), Ok(made.clone()));
            assert_eq!(alloc::format!("{made:?}"), made.to_string());
            assert_eq!((made.is_temporary(), made.as_temporary()), (false, None));
        }
        assert!(Destination::try_from((Scheme::Queue, String::new())).is_err());
    }

    #[test]
    fn a_temporary_destination_tells_whose_it_is_and_no_wildcard_covers_it() {
        for (kind, scheme) in [(DestinationKind::Queue, "temp-queue"), (DestinationKind::Topic, "temp-topic")] {
            let made = Destination::temporary(kind, MINE);
            assert_eq!(made.to_string(), alloc::format!("{scheme}://0000000000000000000000000000feed:3:7"));
            assert_eq!(made.to_string().parse(), Ok(made.clone()));
            assert_eq!(Destination::try_from(<(Scheme, String)>::from(made.clone())), Ok(made.clone()));
            assert_eq!((made.kind(), made.as_temporary(), made.is_pattern()), (kind, Some(MINE), false));
            let namesake = Destination::new(kind, made.name()).expect("a name as others");
            let sameliest = Destination { name: made.name.clone(), ..namesake.clone() };
            for other in [&namesake, &sameliest, &Destination::new(kind, ">").expect("valid")] {
                assert!(made != *other && !made.is_same(other) && made.cmp(other).is_gt());
                assert!(!other.matches(&made) && !made.matches(other));
            }
            assert!(made.matches(&made.clone()));
            assert!(made.is_open_to(MINE.broker, MINE.connection) && namesake.is_open_to(BrokerId(1), ConnectionId(1)));
            assert!(!made.is_open_to(BrokerId(1), MINE.connection) && !made.is_open_to(MINE.broker, ConnectionId(1)));
        }
        let error = "temp-queue://a.>".parse::<Destination>().expect_err("it names nobody").to_string();
        let expected =
            "'a.>' names no temporary destination; expected BROKER:CONNECTION:NUMBER as a connection gave it";
        assert_eq!(error, expected);
    }

    #[test]
    fn the_same_destination_is_more_than_an_equal_one() {
        let made = topic("t");
        assert!(made.is_same(&made.clone()));
        assert!(made == topic("t") && !made.is_same(&topic("t")));
        let queue = Destination { kind: DestinationKind::Queue, ..made.clone() };
        assert!(made != queue && !made.is_same(&queue));
    }

    proptest! {
        /// Equality and order are those of kind and name, however many copies of a name there are.
        #[test]
        fn destinations_compare_like_their_parts(kinds: [bool; 2], names in ["[ab]", "[ab]"], is_shared: bool) {
            let kind = |is_topic| if is_topic { DestinationKind::Topic } else { DestinationKind::Queue };
            let a = Destination::new(kind(kinds[0]), &names[0]).expect("valid");
            let mut b = Destination::new(kind(kinds[1]), &names[1]).expect("valid");
            if is_shared {
                b.name = a.name.clone();
            }
            let parts = |of: &Destination| (of.kind(), String::from(of.name()));
            prop_assert_eq!(a == b, parts(&a) == parts(&b));
            prop_assert_eq!(a.cmp(&b), parts(&a).cmp(&parts(&b)));
            prop_assert_eq!(a.partial_cmp(&b), Some(a.cmp(&b)));
        }

        #[test]
        fn a_destination_prints_what_it_was_parsed_from(kind in 0..2, levels in proptest::collection::vec("[^.,\\p{C}]{1,9}", 1..5)) {
            let name = levels.join(".");
            let made = if kind == 0 { Destination::queue(&name) } else { Destination::topic(&name) }.expect("valid");
            // Texts are trimmed when parsed, as the ends of names are.
            prop_assume!(name.trim() == name);
            prop_assert_eq!(made.to_string().parse::<Destination>().expect("printed"), made);
        }

        #[test]
        fn a_literal_matches_itself_alone(a in "[ab](\\.[ab]){0,3}", b in "[ab](\\.[ab]){0,3}") {
            prop_assert_eq!(topic(&a).matches(&topic(&b)), a == b);
        }

        #[test]
        fn greater_than_covers_every_deeper_level(stem in "[ab](\\.[ab]){0,3}", more in proptest::collection::vec("[ab]", 0..4)) {
            let name = core::iter::once(stem.clone()).chain(more).collect::<Vec<_>>().join(".");
            let pattern = topic(&alloc::format!("{stem}.>"));
            prop_assert!(pattern.matches(&topic(&name)));
        }
    }
}
