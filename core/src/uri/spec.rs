//! What options there are, described by data: a table of [`OptionSpec`]s for every scheme.

use alloc::vec::Vec;
use core::fmt;

use super::error::Place;
use super::percent;

/// One option of a scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Its name, exactly as it must be written.
    pub name: &'static str,
    /// What values it takes.
    pub kind: OptionKind,
    /// The value that holds if it is not given; `None` if there is none, and `help` says what happens then.
    pub default: Option<&'static str>,
    /// What it does, in one sentence.
    pub help: &'static str,
}

/// What values an option takes; prints as a phrase that fits after "expected".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// An address: `tcp://HOST:PORT`.
    Address,
    /// `true` or `false`.
    Boolean,
    /// A number of bytes in this range.
    Bytes {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// A discovery URI, or a list of them.
    Connectors,
    /// A destination or pattern, or a list of them.
    Destinations,
    /// A plain number in this range.
    Integer {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// A number of milliseconds in this range.
    Milliseconds {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// The IP address of a multicast group.
    MulticastIp,
    /// A number in this range, which may be below zero.
    Signed {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// Text of 1 to 255 bytes without control characters.
    Text,
}

impl fmt::Display for OptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("an address: tcp://HOST:PORT"),
            Self::Boolean => f.write_str("true or false"),
            Self::Bytes { min, max } => write!(f, "a number of bytes from {min} to {max}"),
            Self::Connectors => f.write_str("a static:, multicast: or network: URI, or several of them: (URI,URI)"),
            Self::Destinations => {
                f.write_str("a destination or pattern, or several of them: (queue://NAME,topic://NAME.>)")
            }
            Self::Integer { min, max } => write!(f, "a number from {min} to {max}"),
            Self::Milliseconds { min, max } => write!(f, "a number of milliseconds from {min} to {max}"),
            Self::MulticastIp => f.write_str("a multicast address: 224.0.0.0 to 239.255.255.255, or an IPv6 one"),
            Self::Signed { min, max } => write!(f, "a number from {min} to {max}"),
            Self::Text => write!(f, "1 to {} bytes of text without control characters", percent::TEXT_MAX),
        }
    }
}

impl OptionSpec {
    /// A scheme's own options, and those that it shares with others; `N` is how many that is.
    pub(super) const fn join<const N: usize>(own: &[Self], shared: &[Self]) -> [Self; N] {
        let mut joined = [own[0]; N];
        let mut at = 0;
        while at < N {
            joined[at] = if at < own.len() { own[at] } else { shared[at - own.len()] };
            at += 1;
        }
        joined
    }

    pub(super) const fn new(
        name: &'static str,
        kind: OptionKind,
        default: Option<&'static str>,
        help: &'static str,
    ) -> Self {
        Self { name, kind, default, help }
    }
}

/// A scheme and the options it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheme {
    pub(super) name: &'static str,
    pub(super) specs: &'static [OptionSpec],
    /// ActiveMQ's options that it does not have, and why.
    pub(super) declined: &'static [(&'static str, &'static str)],
}

impl Scheme {
    /// The option of this name.
    pub(super) fn spec(&self, name: &str) -> Option<&'static OptionSpec> {
        self.specs.iter().find(|spec| spec.name == name)
    }

    /// The option most like `name`, and true if only case or prefix tell them apart.
    pub(super) fn nearest(&self, name: &str) -> (&'static str, bool) {
        let wanted = match name {
            "reconnectDelayExponent" => "backoffmultiplier".into(), // What ActiveMQ's code calls it.
            name => name.to_lowercase(),
        };
        let likeness = |spec: &&OptionSpec| {
            let known = spec.name.to_lowercase();
            let rank = if known == wanted {
                0
            } else if known.rsplit('.').next() == wanted.rsplit('.').next() {
                1
            } else {
                2
            };
            (rank, distance(&wanted, &known))
        };
        let nearest = self.specs.iter().min_by_key(likeness).expect("every scheme has options");
        (nearest.name, likeness(&nearest).0 < 2)
    }
}

/// A URI that stands around another one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around {
    pub(super) scheme: Scheme,
    /// Where its options stand, seen from the other one.
    pub(super) place: Place,
}

/// How many letters must be put in, left out or replaced to make one word the other; beyond 64 letters, none count.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (above, left) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (at, right) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{Broker, Fanout, Location, Multicast, Network, Peer, Static, Tcp, UriError, Vm};
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::format;
    use alloc::string::ToString;

    /// A URI of every scheme, to put an option on, and the scheme's table.
    const SCHEMES: [(&str, &[OptionSpec]); 8] = [
        ("broker:()", Broker::specs()),
        ("fanout:(multicast://default)", Fanout::specs()),
        ("multicast://default", Multicast::specs()),
        ("network:static:(tcp://a:1)", Network::specs()),
        ("peer://g", Peer::specs()),
        ("static:(tcp://a:1)", Static::specs()),
        ("tcp://a:1", Tcp::specs()),
        ("vm://n", Vm::specs()),
    ];

    fn rows() -> impl Iterator<Item = (&'static str, &'static OptionSpec)> {
        SCHEMES.into_iter().flat_map(|(uri, specs)| specs.iter().map(move |spec| (uri, spec)))
    }

    #[test]
    fn every_default_is_a_value_its_option_takes() {
        for (uri, spec) in rows() {
            if let Some(default) = spec.default {
                let text = format!("{uri}?{}={default}", spec.name);
                assert_eq!(text.parse::<Location>().expect(&text).to_string(), text);
            }
        }
    }

    #[test]
    fn every_range_ends_exactly_where_its_table_says() {
        for (uri, spec) in rows() {
            let (min, max) = match spec.kind {
                OptionKind::Bytes { min, max }
                | OptionKind::Integer { min, max }
                | OptionKind::Milliseconds { min, max } => (i128::from(min), i128::from(max)),
                OptionKind::Signed { min, max } => (min.into(), max.into()),
                _ => continue,
            };
            let parse = |value: i128| format!("{uri}?{}={value}", spec.name).parse::<Location>();
            let start = uri.len() + 1 + spec.name.len() + 1;
            assert!(parse(min).is_ok() && parse(max).is_ok(), "{}", spec.name);
            for value in [min - 1, max + 1, i128::from(u64::MAX) + 1] {
                let value_text = value.to_string();
                assert_eq!(
                    parse(value),
                    Err(UriError::OutOfRange {
                        at: start..start + value_text.len(),
                        option: spec.name,
                        value: value_text,
                        expected: spec.kind
                    })
                );
            }
        }
    }

    #[test]
    fn every_option_is_found_by_a_slip_of_its_name() {
        for (uri, spec) in rows() {
            for slip in [spec.name.to_uppercase(), spec.name[1..].to_owned(), format!("{}s", spec.name)] {
                match format!("{uri}?{slip}=1").parse::<Location>() {
                    Err(UriError::UnknownOption { nearest, .. }) => assert_eq!(nearest, spec.name, "for {slip}"),
                    other => panic!("{slip}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn every_option_is_described() {
        for (_, spec) in rows() {
            assert!(spec.help.ends_with('.') && spec.help.len() > 10, "{}", spec.name);
            assert!(spec.default.is_some() || !matches!(spec.kind, OptionKind::Boolean), "{}", spec.name);
        }
    }

    #[test]
    fn the_distance_of_words_counts_letters() {
        let long = "x".repeat(70);
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "", 3),
            ("abc", "abd", 1),
            ("group", "groups", 1),
            ("group", "roup", 1),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!([distance(a, b), distance(b, a)], [expected; 2], "{a}, {b}");
        }
        assert_eq!(distance(&long, ""), 64);
    }
}
