//! What is wrong with a URI, and where.

use alloc::format;
use alloc::string::{String, ToString};
use core::ops::Range;

use super::grammar::{LENGTH_MAX, NESTING_MAX};
use super::percent;
use super::spec::OptionKind;
use crate::model::{AddressError, DestinationError};

/// Why a text is no URI of ours. Every variant says where the fault stands (`at`, a range of bytes in the text as
/// it was given) and quotes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// Host and port that are no address.
    #[error("{error}")]
    BadAddress {
        /// Where it stands.
        at: Range<usize>,
        /// What is wrong with it.
        error: AddressError,
    },
    /// What is no destination.
    #[error("{error}")]
    BadDestination {
        /// Where it stands.
        at: Range<usize>,
        /// What is wrong with it.
        error: DestinationError,
    },
    /// A `%` without two hexadecimal digits.
    #[error("'{part}' is no percent-encoded byte; expected '%' and two hexadecimal digits")]
    BadEncoding {
        /// Where it stands.
        at: Range<usize>,
        /// The `%` and what follows it.
        part: String,
    },
    /// A port that nothing can be sent to.
    #[error("'{port}' is no port to send to; expected a number from 1 to 65535")]
    BadPort {
        /// Where it stands.
        at: Range<usize>,
        /// The port as it was written.
        port: String,
    },
    /// A group or name that is empty, too long or has control characters.
    #[error("'{part}' is no {what}; expected 1 to {max} bytes of text without control characters", max = percent::TEXT_MAX)]
    BadText {
        /// Where it stands.
        at: Range<usize>,
        /// The text as it was written.
        part: String,
        /// What it should have been.
        what: &'static str,
    },
    /// An option's value of the wrong kind.
    #[error("'{value}' is no value for '{option}'; expected {expected}")]
    BadValue {
        /// Where the value stands.
        at: Range<usize>,
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it takes.
        expected: OptionKind,
    },
    /// Two parts that contradict each other.
    #[error("'{part}' and '{other}' both say {what}; expected only one of them to")]
    Conflict {
        /// Where the second of them stands.
        at: Range<usize>,
        /// The part at fault.
        part: String,
        /// The other one.
        other: String,
        /// What both of them say.
        what: &'static str,
    },
    /// An option of ActiveMQ's that there is no use for.
    #[error("'{option}' is an option of ActiveMQ's that is not offered: {why}")]
    DeclinedOption {
        /// Where it stands.
        at: Range<usize>,
        /// The option.
        option: &'static str,
        /// Why it is not.
        why: &'static str,
    },
    /// One option given twice.
    #[error("'{option}' is given twice; expected it once")]
    DoubledOption {
        /// Where the second one stands.
        at: Range<usize>,
        /// The option.
        option: &'static str,
    },
    /// Nothing between two commas of a list, or before its first.
    #[error("'{list}' has an empty place; expected a URI before every comma")]
    EmptyComponent {
        /// Where the URI should stand.
        at: Range<usize>,
        /// The list.
        list: String,
    },
    /// A `#`.
    #[error("'{part}' is a fragment, and no URI here has one; expected %23 if a name has a '#'")]
    Fragment {
        /// Where it stands.
        at: Range<usize>,
        /// The fragment.
        part: String,
    },
    /// White space or a control character as it is.
    #[error("{found:?} at byte {} may not stand in a URI; expected {} for it", at.start, percent::encode(&found.to_string()))]
    IllegalCharacter {
        /// Where it stands.
        at: Range<usize>,
        /// The character.
        found: char,
    },
    /// An option of another level of this URI.
    #[error("'{option}' is no option of {scheme}: URIs but of {owner}: ones; it belongs on {}", place.tell(owner, option))]
    MisplacedOption {
        /// Where it stands.
        at: Range<usize>,
        /// The option.
        option: &'static str,
        /// The scheme it was given to.
        scheme: &'static str,
        /// The scheme it belongs to.
        owner: &'static str,
        /// Where that one is to be found.
        place: Place,
    },
    /// A URI that may not stand in this place.
    #[error("'{scheme}' is no scheme that fits here; expected {expected}")]
    MisplacedScheme {
        /// Where the scheme stands.
        at: Range<usize>,
        /// The scheme.
        scheme: String,
        /// What fits.
        expected: &'static str,
    },
    /// Something that must be there and is not.
    #[error("'{part}' has no {what}; expected {expected}")]
    Missing {
        /// Where the part that lacks it stands.
        at: Range<usize>,
        /// That part.
        part: String,
        /// What is missing.
        what: &'static str,
        /// The form to follow.
        expected: &'static str,
    },
    /// No scheme, or nothing that could be one.
    #[error("'{part}' has no scheme; expected {expected}, then ':'")]
    NoScheme {
        /// Where it stands.
        at: Range<usize>,
        /// The text without a scheme.
        part: String,
        /// The schemes that fit.
        expected: &'static str,
    },
    /// An option without a value.
    #[error("'{part}' is no option; expected NAME=VALUE")]
    NoValue {
        /// Where it stands.
        at: Range<usize>,
        /// What stands there.
        part: String,
    },
    /// A multicast URI whose host is no multicast address.
    #[error(
        "'{host}' is no multicast address; expected 'default', 224.0.0.0 to 239.255.255.255, or an IPv6 one in brackets"
    )]
    NotMulticast {
        /// Where it stands.
        at: Range<usize>,
        /// The host.
        host: String,
    },
    /// Percent-encoding of bytes that are no text.
    #[error("'{part}' does not decode to text; expected UTF-8")]
    NotUtf8 {
        /// Where it stands.
        at: Range<usize>,
        /// What does not decode.
        part: String,
    },
    /// An option's value that is too small or too great.
    #[error("'{value}' is out of range for '{option}'; expected {expected}")]
    OutOfRange {
        /// Where the value stands.
        at: Range<usize>,
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it takes.
        expected: OptionKind,
    },
    /// An option that the URI around this one decides instead.
    #[error("'{option}' of a {scheme}: URI counts for nothing inside a {owner}: one; it belongs on {}", place.tell(owner, option))]
    OverruledOption {
        /// Where it stands.
        at: Range<usize>,
        /// The option.
        option: &'static str,
        /// The scheme it was given to.
        scheme: &'static str,
        /// The scheme that decides.
        owner: &'static str,
        /// Where that one is to be found.
        place: Place,
    },
    /// A `+` among the options, which ActiveMQ reads as a space and others as itself.
    #[error("'{part}' has a '+', which could mean a space; expected %2B for a plus or %20 for a space")]
    Plus {
        /// Where the `+` stands.
        at: Range<usize>,
        /// The name or value it is part of.
        part: String,
    },
    /// A second `?` at one level.
    #[error("'{part}' is a second query; expected '&' between options, or %3F if a value has a '?'")]
    SecondQuery {
        /// Where it stands.
        at: Range<usize>,
        /// The second `?` and what follows.
        part: String,
    },
    /// Too many parentheses inside one another.
    #[error("'(' at byte {} opens one level too many; expected at most {max} inside one another", at.start, max = NESTING_MAX)]
    TooDeep {
        /// Where the first parenthesis too many stands.
        at: Range<usize>,
    },
    /// A fanout that needs more brokers than its list names, so that nothing could ever be sent.
    #[error(
        "'{part}' can't work: minAckCount is {needed} and the static: list names {listed}; expected at most minAckCount={listed}, or more brokers in the list"
    )]
    TooFewTargets {
        /// Where `minAckCount` stands, or the list if it is not given.
        at: Range<usize>,
        /// What stands there.
        part: String,
        /// How many brokers are needed.
        needed: u32,
        /// How many different ones are named.
        listed: usize,
    },
    /// Too long.
    #[error("the URI is {length} bytes long; expected at most {max}", max = LENGTH_MAX)]
    TooLong {
        /// What stands beyond the limit.
        at: Range<usize>,
        /// Its length in bytes.
        length: usize,
    },
    /// A parenthesis without its partner.
    #[error("'{found}' at byte {} has no partner; expected every '(' to be closed by a ')' after it", at.start)]
    Unbalanced {
        /// Where it stands.
        at: Range<usize>,
        /// The parenthesis.
        found: char,
    },
    /// Something that may not stand there.
    #[error("'{part}' may not stand there; expected {expected}")]
    Unexpected {
        /// Where it stands.
        at: Range<usize>,
        /// What stands there.
        part: String,
        /// The form to follow.
        expected: &'static str,
    },
    /// An option that nobody knows at this level or around it.
    #[error("'{option}' is no option of {scheme}: URIs; the nearest is '{nearest}'")]
    UnknownOption {
        /// Where it stands.
        at: Range<usize>,
        /// The option.
        option: String,
        /// The scheme it was given to.
        scheme: &'static str,
        /// The option whose name is most like it.
        nearest: &'static str,
    },
    /// A scheme that this version does not know.
    #[error("'{scheme}' is no scheme known in this version; expected {}", super::SCHEMES_TEXT)]
    UnknownScheme {
        /// Where it stands.
        at: Range<usize>,
        /// The scheme.
        scheme: String,
    },
}

/// Where, seen from one level of a URI, another one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It stands around this one, with parentheses in between.
    Around,
    /// It stands around this one without parentheses, and has no options as long as there are none.
    Bare,
    /// It stands inside this one.
    Inside,
}

impl Place {
    /// Tells where this option of `scheme` belongs.
    fn tell(self, scheme: &str, option: &str) -> String {
        match self {
            Self::Around => format!("the {scheme}: URI around this one, after the ')' that closes its list"),
            Self::Bare => {
                format!("the {scheme}: URI around this one, with parentheses: {scheme}:(URI)?{option}=VALUE")
            }
            Self::Inside => format!("the {scheme}: URI inside this one"),
        }
    }
}

impl UriError {
    /// The bytes at fault, as a range of the text that was read; empty where something is missing.
    pub fn span(&self) -> Range<usize> {
        self.clone().at_mut().clone() // Errors are rare and small; one list of all variants is enough.
    }

    /// The same error, standing somewhere else: for text that was decoded before it was read.
    #[must_use]
    pub(super) fn moved_to(mut self, at: Range<usize>) -> Self {
        *self.at_mut() = at;
        self
    }

    fn at_mut(&mut self) -> &mut Range<usize> {
        match self {
            Self::BadAddress { at, .. }
            | Self::BadEncoding { at, .. }
            | Self::BadPort { at, .. }
            | Self::BadText { at, .. }
            | Self::BadValue { at, .. }
            | Self::Conflict { at, .. }
            | Self::DoubledOption { at, .. }
            | Self::EmptyComponent { at, .. }
            | Self::Fragment { at, .. }
            | Self::IllegalCharacter { at, .. }
            | Self::BadDestination { at, .. }
            | Self::DeclinedOption { at, .. }
            | Self::MisplacedOption { at, .. }
            | Self::MisplacedScheme { at, .. }
            | Self::Missing { at, .. }
            | Self::NoScheme { at, .. }
            | Self::NoValue { at, .. }
            | Self::NotMulticast { at, .. }
            | Self::NotUtf8 { at, .. }
            | Self::OutOfRange { at, .. }
            | Self::OverruledOption { at, .. }
            | Self::Plus { at, .. }
            | Self::SecondQuery { at, .. }
            | Self::TooDeep { at }
            | Self::TooFewTargets { at, .. }
            | Self::TooLong { at, .. }
            | Self::Unbalanced { at, .. }
            | Self::Unexpected { at, .. }
            | Self::UnknownOption { at, .. }
            | Self::UnknownScheme { at, .. } => at,
        }
    }
}
