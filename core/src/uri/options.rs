//! What a query says.
//!
//! A query is read against the table of its scheme once: whatever passes has a known name, stands there once and has
//! a value of its kind and range, so that the schemes only pick values up.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::error::{Place, UriError};
use super::grammar::Piece;
use super::percent;
use super::spec::{Around, OptionKind, OptionSpec, Scheme};
use crate::model::{Address, Destination, DestinationError, DestinationKind};

/// What a query says.
#[derive(Debug)]
pub(super) struct Options<'a>(Vec<Given<'a>>);

/// One option that was given.
#[derive(Debug)]
pub(super) struct Given<'a> {
    pub(super) spec: &'static OptionSpec,
    /// Its name and value as they were written.
    pub(super) whole: Piece<'a>,
    /// Its value as it was written.
    pub(super) raw: Piece<'a>,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Address(Address),
    Boolean(bool),
    Destinations(Vec<Destination>),
    Ip(IpAddr),
    Number(u64),
    Signed(i64),
    Text(String),
    Unread,
}

impl<'a> Options<'a> {
    /// Reads the query of a URI of `scheme`, which stands inside the URIs `around` and may have such of the schemes
    /// `inside` in it.
    pub(super) fn read(
        query: Option<Piece<'a>>,
        scheme: Scheme,
        around: &[Around],
        inside: &[Scheme],
    ) -> Result<Self, UriError> {
        let mut options: Vec<Given<'a>> = Vec::new();
        for whole in query.filter(|query| !query.text.is_empty()).map(|query| query.split(b'&')).unwrap_or_default() {
            let (name, raw) = whole.cut(b'=');
            let Some(raw) = raw.filter(|_| !name.text.is_empty()) else {
                return Err(UriError::NoValue { at: whole.span(), part: whole.text.into() });
            };
            let spec = known(name, &decode(name)?, scheme, around, inside)?;
            if options.iter().any(|other| other.spec.name == spec.name) {
                return Err(UriError::DoubledOption { at: whole.span(), option: spec.name });
            }
            options.push(Given { spec, whole, raw, value: spec.read(raw)? });
        }
        Ok(Self(options))
    }

    /// The options whose names begin with `prefix`, to be asked for without it.
    pub(super) fn under(&self, prefix: &'static str) -> Under<'_, 'a> {
        Under { options: self, prefix }
    }
}

/// Options whose names share a prefix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Under<'o, 'a> {
    options: &'o Options<'a>,
    prefix: &'static str,
}

impl<'o, 'a> Under<'o, 'a> {
    /// The first of these that was given.
    pub(super) fn first(self) -> Option<&'o Given<'a>> {
        self.options.0.iter().find(|given| given.spec.name.starts_with(self.prefix))
    }

    /// The option of this name, if it was given.
    pub(super) fn given(self, name: &str) -> Option<&'o Given<'a>> {
        self.options.0.iter().find(|given| given.spec.name.strip_prefix(self.prefix) == Some(name))
    }

    pub(super) fn address(self, name: &str) -> Option<Address> {
        match &self.given(name)?.value {
            Value::Address(address) => Some(address.clone()),
            other => unreachable!("{name} is an address: {other:?}"),
        }
    }

    pub(super) fn boolean(self, name: &str) -> Option<bool> {
        match &self.given(name)?.value {
            Value::Boolean(value) => Some(*value),
            other => unreachable!("{name} is a boolean: {other:?}"),
        }
    }

    /// The destinations of a list; none if it was not given.
    pub(super) fn destinations(self, name: &str) -> Vec<Destination> {
        match self.given(name).map(|given| &given.value) {
            None => Vec::new(),
            Some(Value::Destinations(listed)) => listed.clone(),
            Some(other) => unreachable!("{name} lists destinations: {other:?}"),
        }
    }

    pub(super) fn ip(self, name: &str) -> Option<IpAddr> {
        match &self.given(name)?.value {
            Value::Ip(ip) => Some(*ip),
            other => unreachable!("{name} is an IP address: {other:?}"),
        }
    }

    pub(super) fn number<N: TryFrom<u64>>(self, name: &str) -> Option<N> {
        match &self.given(name)?.value {
            Value::Number(number) => {
                Some(N::try_from(*number).ok().expect("an option's range fits the field it is for"))
            }
            other => unreachable!("{name} is a number: {other:?}"),
        }
    }

    pub(super) fn signed<N: TryFrom<i64>>(self, name: &str) -> Option<N> {
        match &self.given(name)?.value {
            Value::Signed(number) => {
                Some(N::try_from(*number).ok().expect("an option's range fits the field it is for"))
            }
            other => unreachable!("{name} is a number: {other:?}"),
        }
    }

    pub(super) fn duration(self, name: &str) -> Option<Duration> {
        self.number(name).map(Duration::from_millis)
    }

    pub(super) fn text(self, name: &str) -> Option<String> {
        match &self.given(name)?.value {
            Value::Text(text) => Some(text.clone()),
            other => unreachable!("{name} is text: {other:?}"),
        }
    }
}

impl OptionSpec {
    /// Reads what stands after the `=`.
    fn read(&self, raw: Piece<'_>) -> Result<Value, UriError> {
        match self.kind {
            // Parentheses keep such a value together, and its reader decodes it.
            OptionKind::Connectors => return Ok(Value::Unread),
            OptionKind::Destinations => return self.read_destinations(raw).map(Value::Destinations),
            _ => (),
        }
        let text = decode(raw)?;
        let bad =
            || UriError::BadValue { at: raw.span(), option: self.name, value: raw.text.into(), expected: self.kind };
        match self.kind {
            OptionKind::Address => {
                text.parse().map(Value::Address).map_err(|error| UriError::BadAddress { at: raw.span(), error })
            }
            OptionKind::Boolean => text.parse().map(Value::Boolean).map_err(|_| bad()),
            OptionKind::Bytes { min, max }
            | OptionKind::Integer { min, max }
            | OptionKind::Milliseconds { min, max } => {
                if !is_number(&text) {
                    return Err(bad());
                }
                let number = text.parse().ok().filter(|number| (min..=max).contains(number));
                number.map(Value::Number).ok_or_else(|| self.out_of_range(raw))
            }
            OptionKind::Connectors | OptionKind::Destinations => Ok(Value::Unread),
            OptionKind::MulticastIp => text.parse().ok().filter(IpAddr::is_multicast).map(Value::Ip).ok_or_else(bad),
            OptionKind::Signed { min, max } => {
                if !is_number(&text) {
                    return Err(bad());
                }
                let number = text.parse().ok().filter(|number| (min..=max).contains(number));
                number.map(Value::Signed).ok_or_else(|| self.out_of_range(raw))
            }
            OptionKind::Text => {
                if percent::fits(&text) {
                    Ok(Value::Text(text))
                } else {
                    Err(bad())
                }
            }
        }
    }
}

impl OptionSpec {
    /// Reads one destination, or several in parentheses.
    fn read_destinations(&self, raw: Piece<'_>) -> Result<Vec<Destination>, UriError> {
        let bad = |at: Piece<'_>| UriError::BadValue {
            at: at.span(),
            option: self.name,
            value: at.text.into(),
            expected: self.kind,
        };
        let listed = match raw.closed_at() {
            None if raw.find(b',').is_some() => return Err(bad(raw)),
            None => Vec::from([raw]),
            Some(close) if close + 1 == raw.text.len() => raw.to(close).from(1).components()?,
            Some(_) => return Err(bad(raw)),
        };
        if listed.is_empty() {
            return Err(bad(raw));
        }
        let read = |piece: &Piece<'_>| match read_destination(&decode(*piece)?) {
            Ok(destination) if Destination::is_temporary(&destination) => Err(bad(*piece)), // Those have a switch of their own.
            Ok(destination) => Ok(destination),
            Err(error) => Err(UriError::BadDestination { at: piece.span(), error }),
        };
        listed.iter().map(read).collect()
    }

    fn out_of_range(&self, raw: Piece<'_>) -> UriError {
        UriError::OutOfRange { at: raw.span(), option: self.name, value: raw.text.into(), expected: self.kind }
    }
}

/// Reads a destination as it stands, where others leave out white space around it.
fn read_destination(text: &str) -> Result<Destination, DestinationError> {
    let kinds = [DestinationKind::Queue, DestinationKind::Topic];
    let named = text.split_once("://").and_then(|(word, name)| {
        kinds.into_iter().find(|kind| kind.as_str() == word).map(|kind| Destination::new(kind, name))
    });
    named.unwrap_or_else(|| text.parse())
}

/// True for digits, with a sign before them or not.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The option called `name`, or the reason why there is none here.
fn known(
    piece: Piece<'_>,
    name: &str,
    scheme: Scheme,
    around: &[Around],
    inside: &[Scheme],
) -> Result<&'static OptionSpec, UriError> {
    if let Some(spec) = scheme.spec(name) {
        return Ok(spec);
    }
    if let Some((option, why)) = scheme.declined.iter().find(|(option, _)| *option == name) {
        return Err(UriError::DeclinedOption { at: piece.span(), option, why });
    }
    let (nearest, same) = scheme.nearest(name);
    let around = around.iter().map(|other| (other.scheme, other.place));
    let elsewhere = around.chain(inside.iter().map(|other| (*other, Place::Inside)));
    for (other, place) in elsewhere.filter(|_| !same) {
        if let Some(spec) = other.spec(name) {
            let (option, owner) = (spec.name, other.name);
            return Err(UriError::MisplacedOption { at: piece.span(), option, scheme: scheme.name, owner, place });
        }
    }
    Err(UriError::UnknownOption { at: piece.span(), option: name.to_owned(), scheme: scheme.name, nearest })
}

/// Decodes a name or a value, where a `+` is ambiguous.
fn decode(piece: Piece<'_>) -> Result<String, UriError> {
    match piece.text.find('+') {
        Some(at) => Err(UriError::Plus { at: piece.from(at).to(1).span(), part: piece.text.into() }),
        None => percent::decode(piece),
    }
}
