//! Several destinations at once.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::destination::{Destination, DestinationError, DestinationKind};

/// One destination, or several that are sent to, or consumed from, as one (ActiveMQ's composite destination).
///
/// Written with commas between: `orders,topic://log.>`. A part that does not say its kind is of the kind of the first.
/// Parts that are the same count once, and their order means nothing: they are kept in one of their own.
///
/// ```
/// use flockmq_core::Destinations;
///
/// let both: Destinations = "topic://log, queue://audit, billing, topic://log".parse()?;
/// assert_eq!(both.to_string(), "queue://audit,topic://billing,topic://log");
/// let one: Destinations = "orders".parse()?;
/// assert!(!one.is_composite());
/// # Ok::<(), flockmq_core::DestinationError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Vec<Destination>", into = "Vec<Destination>")]
pub struct Destinations {
    first: Destination,
    others: Vec<Destination>, // In order, and none twice.
}

impl Destinations {
    /// One destination.
    pub const fn one(destination: Destination) -> Self {
        Self { first: destination, others: Vec::new() }
    }

    /// The first in order, which is the only one unless this is composite.
    #[inline]
    pub const fn first(&self) -> &Destination {
        &self.first
    }

    /// All but the first, in order.
    #[inline]
    pub fn others(&self) -> &[Destination] {
        &self.others
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Destination> + Clone {
        core::iter::once(&self.first).chain(&self.others)
    }

    /// How many there are: one at least.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        1 + self.others.len()
    }

    /// True if there is more than one.
    #[inline]
    pub fn is_composite(&self) -> bool {
        !self.others.is_empty()
    }

    /// True if there is one of this kind among them.
    pub fn has(&self, kind: DestinationKind) -> bool {
        self.iter().any(|destination| destination.kind() == kind)
    }
}

impl From<Destination> for Destinations {
    fn from(destination: Destination) -> Self {
        Self::one(destination)
    }
}

impl TryFrom<Vec<Destination>> for Destinations {
    type Error = DestinationError;

    fn try_from(all: Vec<Destination>) -> Result<Self, DestinationError> {
        let mut all = all.into_iter().collect::<BTreeSet<_>>().into_iter();
        let first = all.next().ok_or(DestinationError::NoName)?;
        Ok(Self { first, others: all.collect() })
    }
}

impl From<Destinations> for Vec<Destination> {
    fn from(destinations: Destinations) -> Self {
        core::iter::once(destinations.first).chain(destinations.others).collect()
    }
}

impl FromStr for Destinations {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, DestinationError> {
        let mut parts = text.split(',').map(str::trim);
        let first: Destination = parts.next().unwrap_or_default().parse()?;
        let kind = first.kind();
        let read = |part: &str| if part.contains("://") { part.parse() } else { Destination::new(kind, part) };
        core::iter::once(Ok(first)).chain(parts.map(read)).collect::<Result<Vec<_>, _>>()?.try_into()
    }
}

impl fmt::Display for Destinations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.others.iter().try_for_each(|other| write!(f, ",{other}"))
    }
}

impl fmt::Debug for Destinations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use proptest::prelude::*;

    fn read(text: &str) -> Result<String, String> {
        text.parse::<Destinations>().map(|made| made.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_part_is_of_the_kind_it_says_or_else_of_the_firsts() {
        let cases = [
            ("a", "queue://a"),
            ("b,a", "queue://a,queue://b"),
            ("topic://b , a", "topic://a,topic://b"),
            ("a,topic://b,c,queue://d.>", "queue://a,queue://c,queue://d.>,topic://b"),
            ("a,queue://a,topic://a,a", "queue://a,topic://a"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn every_part_has_to_be_a_destination() {
        let no_name = "a destination needs a name; expected queue://NAME or topic://NAME";
        for text in ["", "a,", ",a", "a,,b", "a,topic://"] {
            assert_eq!(read(text), Err(no_name.into()), "{text}");
        }
        assert!(read("a,stack://b").is_err_and(|error| error.starts_with("'stack' is no kind of destination")));
        assert_eq!(Destinations::try_from(Vec::new()), Err(DestinationError::NoName));
        let one = "a,b".parse::<Destination>().expect_err("that is two").to_string();
        assert_eq!(one, "'a,b' has a comma at byte 1, as several destinations have; expected one");
    }

    proptest! {
        #[test]
        fn destinations_are_a_set_that_prints_what_is_read_as_it(names in proptest::collection::vec(("[ab]{1,2}", any::<bool>()), 1..6)) {
            let all: Vec<Destination> = names.iter().map(|(name, is_topic)| {
                if *is_topic { Destination::topic(name) } else { Destination::queue(name) }.expect("valid")
            }).collect();
            let made = Destinations::try_from(all.clone()).expect("some");
            let expected: BTreeSet<&Destination> = all.iter().collect();
            prop_assert_eq!(made.iter().collect::<Vec<_>>(), expected.into_iter().collect::<Vec<_>>());
            prop_assert_eq!((made.len(), made.is_composite()), (made.iter().count(), made.iter().count() > 1));
            prop_assert_eq!(made.to_string().parse::<Destinations>(), Ok(made.clone()));
            prop_assert_eq!(Destinations::try_from(Vec::from(made.clone())), Ok(made));
        }
    }
}
