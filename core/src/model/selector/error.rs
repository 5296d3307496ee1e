//! What is wrong with a selector, and where.

use alloc::string::String;
use core::fmt;
use core::ops::Range;

use super::Selector;

/// Why a text is no selector. Columns count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// What begins like a number and is none, or none that fits.
    #[error("selector {selector:?}: {number:?} at column {column} is no number; expected {expected}")]
    BadNumber {
        /// The whole selector.
        selector: String,
        /// Where it begins.
        column: usize,
        /// What was written.
        number: String,
        /// What fits.
        expected: &'static str,
    },
    /// Too many parentheses, `NOT`s and signs inside one another.
    #[error("selector {selector:?}: {found:?} at column {column} opens one level too many; expected at most {max} inside one another", max = Selector::NESTING_MAX)]
    TooDeep {
        /// The whole selector.
        selector: String,
        /// Where the first one too many stands.
        column: usize,
        /// What stands there.
        found: String,
    },
    /// Longer than [`Selector::LENGTH_MAX`].
    #[error("the selector is {length} bytes long; expected at most {max}", max = Selector::LENGTH_MAX)]
    TooLong {
        /// Where the first character stands that is beyond it.
        column: usize,
        /// The selector's length in bytes.
        length: usize,
    },
    /// Text or a comment that does not end.
    #[error("selector {selector:?}: the {what} that begins at column {column} does not end; expected {expected}")]
    Unclosed {
        /// The whole selector.
        selector: String,
        /// Where it begins.
        column: usize,
        /// Text or a comment.
        what: &'static str,
        /// What would end it.
        expected: &'static str,
    },
    /// Something that may not stand there.
    #[error("selector {selector:?}: expected {expected} at column {column}, found {}", Quoted(.found.as_deref()))]
    Unexpected {
        /// The whole selector.
        selector: String,
        /// Where it stands.
        column: usize,
        /// What may stand there.
        expected: &'static str,
        /// What does; `None` for the selector's end.
        found: Option<String>,
    },
}

impl SelectorError {
    /// Where the fault begins, in characters from 1.
    pub fn column(&self) -> usize {
        match self {
            Self::BadNumber { column, .. }
            | Self::TooDeep { column, .. }
            | Self::TooLong { column, .. }
            | Self::Unclosed { column, .. }
            | Self::Unexpected { column, .. } => *column,
        }
    }

    pub(super) fn bad_number(selector: &str, at: &Range<usize>, expected: &'static str) -> Self {
        let number = selector[at.clone()].into();
        Self::BadNumber { selector: selector.into(), column: column(selector, at.start), number, expected }
    }

    pub(super) fn too_deep(selector: &str, at: &Range<usize>) -> Self {
        let found = selector[at.clone()].into();
        Self::TooDeep { selector: selector.into(), column: column(selector, at.start), found }
    }

    pub(super) fn too_long(selector: &str) -> Self {
        let column = column(selector, selector.floor_char_boundary(Selector::LENGTH_MAX));
        Self::TooLong { column, length: selector.len() }
    }

    pub(super) fn unclosed(selector: &str, start: usize, what: &'static str, expected: &'static str) -> Self {
        Self::Unclosed { selector: selector.into(), column: column(selector, start), what, expected }
    }

    /// The error that this part of a selector, or its end if the part is empty, is not what was expected.
    pub(super) fn unexpected(selector: &str, at: &Range<usize>, expected: &'static str) -> Self {
        let found = Some(&selector[at.clone()]).filter(|part| !part.is_empty()).map(Into::into);
        Self::Unexpected { selector: selector.into(), column: column(selector, at.start), expected, found }
    }
}

/// The column of the character at a byte.
fn column(selector: &str, at: usize) -> usize {
    selector[..at].chars().count() + 1
}

struct Quoted<'a>(Option<&'a str>);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("the end"),
            Some(part) => write!(f, "{part:?}"),
        }
    }
}
