//! The URIs within `networkConnectorURIs`.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::ops::Range;

use super::error::UriError;
use super::fixed::Static;
use super::grammar::{self, Piece, Uri};
use super::multicast::Multicast;
use super::network::Network;
use super::percent;
use super::spec::Around;

/// A way to find peers, as `networkConnectorURIs` of a `peer:` URI names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connector {
    /// Discovery by multicast.
    Multicast(Multicast),
    /// Brokers to bridge to, whatever their group.
    Network(Network),
    /// Peers that are known beforehand.
    Static(Static),
}

impl Connector {
    /// Reads one URI, or several as `(URI,URI)`, with the URIs `around` around them.
    ///
    /// A value that has parentheses is read as it stands, since they keep it together; any other is decoded first.
    /// Each comes with where it stands.
    pub(super) fn read_list(value: Piece<'_>, around: &[Around]) -> Result<Vec<(Range<usize>, Self)>, UriError> {
        if value.text.contains('(') || !value.text.contains('%') {
            return Self::read_plain_list(value, around);
        }
        // Within decoded text no place is one of the original's.
        let text = percent::decode(value)?;
        let read = grammar::check(&text).and_then(|()| Self::read_plain_list(Piece::whole(&text), around));
        match read {
            Ok(connectors) => Ok(connectors.into_iter().map(|(_, connector)| (value.span(), connector)).collect()),
            Err(error) => Err(error.moved_to(value.span())),
        }
    }

    /// Prints what [`Connector::read_list`] reads; nothing for none.
    pub(super) fn list(connectors: &[Self]) -> String {
        let mut list = String::new();
        for connector in connectors {
            list.push(if list.is_empty() { '(' } else { ',' });
            write!(list, "{connector}").expect("a string takes any text");
        }
        list.extend(connectors.first().map(|_| ')'));
        list
    }

    fn read_plain_list(value: Piece<'_>, around: &[Around]) -> Result<Vec<(Range<usize>, Self)>, UriError> {
        let components = match value.closed_at() {
            None => Vec::from([value]),
            Some(close) => {
                let after = value.from(close + 1);
                if !after.text.is_empty() {
                    return Err(after.unexpected("nothing after the list"));
                }
                value.to(close).from(1).components()?
            }
        };
        if components.is_empty() {
            return Err(UriError::Missing {
                at: value.span(),
                part: value.text.into(),
                what: "URI",
                expected: "(URI,URI)",
            });
        }
        let read =
            |component: Piece<'_>| Ok((component.span(), Self::read(Uri::read(component, SCHEMES_TEXT)?, around)?));
        components.into_iter().map(read).collect()
    }

    fn read(uri: Uri<'_>, around: &[Around]) -> Result<Self, UriError> {
        match uri.scheme.text {
            "multicast" => Multicast::read(uri, around).map(Self::Multicast),
            "network" => Network::read(uri, around).map(Self::Network),
            "static" => Static::read(uri, around).map(Self::Static),
            other => {
                Err(UriError::MisplacedScheme { at: uri.scheme.span(), scheme: other.into(), expected: SCHEMES_TEXT })
            }
        }
    }
}

impl fmt::Display for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Multicast(multicast) => multicast.fmt(f),
            Self::Network(network) => network.fmt(f),
            Self::Static(fixed) => fixed.fmt(f),
        }
    }
}

/// The schemes as a phrase for errors.
const SCHEMES_TEXT: &str = "multicast, network or static";
