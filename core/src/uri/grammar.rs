//! How a text is cut into schemes, lists, paths and queries.
//!
//! It knows no scheme and no option. It is told a text and answers with pieces of it that remember where they stood,
//! or with the fault. Where ActiveMQ would go on after losing something (`)(`, `a,,b`, a second `?`), this is a fault.

use alloc::vec::Vec;
use core::ops::Range;

use super::error::{Place, UriError};

/// The longest URI, in bytes.
pub(super) const LENGTH_MAX: usize = 4096;

/// How many parentheses may be open at once.
pub(super) const NESTING_MAX: usize = 8;

/// A part of a text, and where it stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
}

impl<'a> Piece<'a> {
    /// All of `text`.
    pub(super) fn whole(text: &'a str) -> Self {
        Self { text, start: 0 }
    }

    /// The bytes it covers.
    pub(super) fn span(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// This piece from byte `at` on.
    pub(super) fn from(self, at: usize) -> Self {
        Self { text: &self.text[at..], start: self.start + at }
    }

    /// This piece up to byte `at`.
    pub(super) fn to(self, at: usize) -> Self {
        Self { text: &self.text[..at], start: self.start }
    }

    /// Where `wanted` first stands outside of parentheses.
    pub(super) fn find(self, wanted: u8) -> Option<usize> {
        let mut depth = 0_i32;
        self.text.bytes().position(|byte| {
            let found = byte == wanted && depth == 0;
            depth += i32::from(byte == b'(') - i32::from(byte == b')');
            found
        })
    }

    /// What stands before and after the first `separator` outside of parentheses.
    pub(super) fn cut(self, separator: u8) -> (Self, Option<Self>) {
        self.find(separator).map_or((self, None), |at| (self.to(at), Some(self.from(at + 1))))
    }

    /// What stands between the `separator`s outside of parentheses.
    pub(super) fn split(self, separator: u8) -> Vec<Self> {
        let mut parts = Vec::new();
        let mut rest = Some(self);
        while let Some(piece) = rest {
            let (part, after) = piece.cut(separator);
            parts.push(part);
            rest = after;
        }
        parts
    }

    /// Where the parenthesis that opens this piece is closed; `None` if none does or it is never closed.
    pub(super) fn closed_at(self) -> Option<usize> {
        if !self.text.starts_with('(') {
            return None;
        }
        self.from(1).find(b')').map(|at| at + 1)
    }

    /// The URIs of a comma-separated list; an empty last place is dropped.
    pub(super) fn components(self) -> Result<Vec<Self>, UriError> {
        let mut components = self.split(b',');
        components.pop_if(|last| last.text.is_empty());
        if let Some(empty) = components.iter().find(|component| component.text.is_empty()) {
            return Err(UriError::EmptyComponent { at: empty.span(), list: self.text.into() });
        }
        Ok(components)
    }

    /// What stands before the `?` and after it.
    pub(super) fn query(self) -> Result<(Self, Option<Self>), UriError> {
        let (before, query) = self.cut(b'?');
        if let Some(second) = query.and_then(|query| query.find(b'?').map(|at| query.from(at))) {
            return Err(UriError::SecondQuery { at: second.span(), part: second.text.into() });
        }
        Ok((before, query))
    }
}

/// A scheme and what follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Uri<'a> {
    pub(super) whole: Piece<'a>,
    pub(super) scheme: Piece<'a>,
    /// True if `//` follows the scheme.
    pub(super) slashes: bool,
    /// What follows the scheme, its colon and those slashes.
    pub(super) body: Piece<'a>,
}

/// A URI of the form `scheme://head/path?query`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Simple<'a> {
    pub(super) head: Piece<'a>,
    /// What follows the slash after the head; `None` if nothing does.
    pub(super) path: Option<Piece<'a>>,
    pub(super) query: Option<Piece<'a>>,
}

/// A URI of the form `scheme:(uri,uri)?query`, or `scheme:uri,uri`, which has no query of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Composite<'a> {
    /// All of the list.
    pub(super) list: Piece<'a>,
    pub(super) components: Vec<Piece<'a>>,
    pub(super) query: Option<Piece<'a>>,
    /// Where its options stand, seen from its components.
    pub(super) place: Place,
}

impl<'a> Uri<'a> {
    /// Cuts a whole text, once it keeps to what holds for every URI.
    pub(super) fn parse(text: &'a str) -> Result<Self, UriError> {
        check(text)?;
        Self::read(Piece::whole(text), super::SCHEMES_TEXT)
    }

    /// Cuts a part of a text that was checked before; `schemes` are those that fit there.
    pub(super) fn read(whole: Piece<'a>, schemes: &'static str) -> Result<Self, UriError> {
        let is_scheme = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_alphabetic())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        };
        let Some(colon) = whole.text.find(':').filter(|colon| is_scheme(&whole.text[..*colon])) else {
            return Err(UriError::NoScheme { at: whole.span(), part: whole.text.into(), expected: schemes });
        };
        let after = whole.from(colon + 1);
        let slashes = after.text.starts_with("//");
        Ok(Self { whole, scheme: whole.to(colon), slashes, body: if slashes { after.from(2) } else { after } })
    }

    /// This URI, if its scheme is `wanted`.
    pub(super) fn of_scheme(self, wanted: &'static str) -> Result<Self, UriError> {
        if self.scheme.text == wanted {
            return Ok(self);
        }
        Err(UriError::MisplacedScheme { at: self.scheme.span(), scheme: self.scheme.text.into(), expected: wanted })
    }

    /// Reads this URI as one without a list; `form` is what such a one looks like.
    pub(super) fn simple(self, form: &'static str) -> Result<Simple<'a>, UriError> {
        if self.body.text.starts_with('(') {
            return Err(self.body.unexpected(form));
        }
        if !self.slashes {
            return Err(self.missing("'//' after its scheme", form));
        }
        let (before, query) = self.body.query()?;
        let slash = before.text.find('/');
        let head = slash.map_or(before, |at| before.to(at));
        let path = slash.map(|at| before.from(at + 1)).filter(|path| !path.text.is_empty());
        Ok(Simple { head, path, query })
    }

    /// Reads this URI as one of a list of others; `form` is what such a one looks like.
    pub(super) fn composite(self, form: &'static str) -> Result<Composite<'a>, UriError> {
        let Some(close) = self.body.closed_at() else {
            let (list, components) = (self.body, self.body.components()?);
            return Ok(Composite { list, components, query: None, place: Place::Bare });
        };
        let list = self.body.to(close).from(1);
        let components = list.components()?;
        let (path, query) = self.body.from(close + 1).query()?;
        if !path.text.is_empty() {
            return Err(path.unexpected(form));
        }
        Ok(Composite { list, components, query, place: Place::Around })
    }

    /// The error that this URI lacks `what`.
    pub(super) fn missing(self, what: &'static str, form: &'static str) -> UriError {
        UriError::Missing { at: self.whole.span(), part: self.whole.text.into(), what, expected: form }
    }
}

impl Simple<'_> {
    /// Fails if there is a path.
    pub(super) fn without_path(self, form: &'static str) -> Result<Self, UriError> {
        self.path.map_or(Ok(self), |path| Err(path.unexpected(form)))
    }
}

impl Piece<'_> {
    /// The error that this piece should not be there.
    pub(super) fn unexpected(self, form: &'static str) -> UriError {
        UriError::Unexpected { at: self.span(), part: self.text.into(), expected: form }
    }
}

/// Checks what holds for a whole text: its length, its characters and its parentheses.
pub(super) fn check(text: &str) -> Result<(), UriError> {
    if text.len() > LENGTH_MAX {
        return Err(UriError::TooLong { at: text.floor_char_boundary(LENGTH_MAX)..text.len(), length: text.len() });
    }
    let mut open = Vec::new();
    for (at, found) in text.char_indices() {
        match found {
            '#' => return Err(UriError::Fragment { at: at..text.len(), part: text[at..].into() }),
            '(' if open.len() == NESTING_MAX => return Err(UriError::TooDeep { at: at..at + 1 }),
            '(' => open.push(at),
            ')' if open.pop().is_none() => return Err(UriError::Unbalanced { at: at..at + 1, found }),
            _ if found.is_control() || found.is_whitespace() => {
                return Err(UriError::IllegalCharacter { at: at..at + found.len_utf8(), found });
            }
            _ => (),
        }
    }
    open.first().map_or(Ok(()), |&at| Err(UriError::Unbalanced { at: at..at + 1, found: '(' }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn texts(pieces: &[Piece<'_>]) -> Vec<String> {
        pieces.iter().map(|piece| piece.text.into()).collect()
    }

    #[test]
    fn each_level_keeps_its_own_query() {
        let text = "fanout:(static:(tcp://a:1?x=1,tcp://b:2)?i=5)?m=2";
        let outer = Uri::parse(text).and_then(|uri| uri.composite("")).expect(text);
        assert_eq!(texts(&outer.components), ["static:(tcp://a:1?x=1,tcp://b:2)?i=5"]);
        assert_eq!(outer.query.map(|query| query.text), Some("m=2"));
        let inner = Uri::read(outer.components[0], "").and_then(|uri| uri.composite("")).expect(text);
        assert_eq!(texts(&inner.components), ["tcp://a:1?x=1", "tcp://b:2"]);
        assert_eq!(inner.query.map(|query| &text[query.span()]), Some("i=5"));
    }

    #[test]
    fn without_parentheses_all_belongs_to_the_components() {
        for text in ["fanout:multicast://default?m=1", "fanout://multicast://default?m=1"] {
            let composite = Uri::parse(text).and_then(|uri| uri.composite("")).expect(text);
            assert_eq!(texts(&composite.components), ["multicast://default?m=1"]);
            assert_eq!(composite.query, None);
        }
    }

    #[test]
    fn only_the_last_place_of_a_list_may_be_empty() {
        assert_eq!(texts(&Piece::whole("a,b,").components().expect("a list")), ["a", "b"]);
        assert_eq!(texts(&Piece::whole("").components().expect("a list")), [""; 0]);
        for (list, at) in [("a,,b", 2), (",a", 0), (",", 0), ("a,,", 2)] {
            assert_eq!(
                Piece::whole(list).components(),
                Err(UriError::EmptyComponent { at: at..at, list: list.into() })
            );
        }
    }

    #[test]
    fn a_simple_uri_has_head_path_and_query() {
        let simple = Uri::parse("s://h:1/p/q?a=b").and_then(|uri| uri.simple("")).expect("a URI");
        let path = simple.path.map(|path| (path.text, path.start));
        assert_eq!(
            (simple.head.text, path, simple.query.map(|query| query.text)),
            ("h:1", Some(("p/q", 8)), Some("a=b"))
        );
        let bare = Uri::parse("s://h/").and_then(|uri| uri.simple("")).expect("a URI");
        assert_eq!((bare.head.text, bare.path, bare.query), ("h", None, None));
    }

    #[test]
    fn a_uri_may_be_this_long_and_no_longer() {
        assert_eq!(check(&"x".repeat(LENGTH_MAX)), Ok(()));
        let long = "x".repeat(LENGTH_MAX + 1);
        assert_eq!(check(&long), Err(UriError::TooLong { at: LENGTH_MAX..LENGTH_MAX + 1, length: LENGTH_MAX + 1 }));
    }

    #[test]
    fn parentheses_may_be_nested_this_deep_and_no_deeper() {
        let nested = |depth: usize| ["(".repeat(depth), ")".repeat(depth)].concat();
        assert_eq!(check(&nested(NESTING_MAX)), Ok(()));
        assert_eq!(check(&nested(NESTING_MAX + 1)), Err(UriError::TooDeep { at: NESTING_MAX..NESTING_MAX + 1 }));
    }

    #[test]
    fn every_parenthesis_needs_its_partner() {
        assert_eq!(check("a)("), Err(UriError::Unbalanced { at: 1..2, found: ')' }));
        assert_eq!(check("a((b)"), Err(UriError::Unbalanced { at: 1..2, found: '(' }));
    }
}
