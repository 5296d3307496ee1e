//! Selectors: conditions over a message's properties and header fields, in the subset of SQL-92 that JMS defines.
//!
//! A [`Selector`] is parsed once and then asked about any number of messages, without allocating. It knows no message:
//! it asks a [`Lookup`] for what its identifiers name, and answers with a [`Verdict`]. Both reading and asking are
//! bounded, whatever the text: in length, in nesting, in steps a message.

mod error;
mod eval;
mod expr;
mod lexer;
mod lookup;
mod parser;
mod pattern;
#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::sync::Arc;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use serde::{Deserialize, Serialize};

pub use error::SelectorError;
use eval::Evaluation;
use expr::Condition;
pub use lookup::{Candidate, Header, Lookup, Operand};
use parser::Parser;

/// A condition that messages meet or do not.
///
/// It equals, orders, hashes, prints and serializes as the text it was made of; a copy is cheap.
///
/// ```
/// use flockmq_core::Selector;
/// use flockmq_core::selector::{Header, Lookup, Operand, Verdict};
///
/// struct Order {
///     region: &'static str,
///     weight: f64,
/// }
///
/// impl Lookup for Order {
///     fn header(&self, _: Header) -> Option<Operand<'_>> {
///         None
///     }
///
///     fn property(&self, name: &str) -> Option<Operand<'_>> {
///         match name {
///             "region" => Some(self.region.into()),
///             "weight" => Some(self.weight.into()),
///             _ => None,
///         }
///     }
/// }
///
/// let heavy = Selector::parse("weight > 2.5E3 AND region IN ('eu', 'us')")?;
/// assert!(heavy.matches(&Order { region: "eu", weight: 3000.0 }));
/// assert!(!heavy.matches(&Order { region: "uk", weight: 3000.0 }));
///
/// let unsaid: Selector = "colour <> 'red'".parse()?; // Neither true nor false where there is no colour.
/// assert_eq!(unsaid.evaluate(&Order { region: "eu", weight: 1.0 }), Verdict::Unknown);
///
/// let error = Selector::parse("weight = ").unwrap_err();
/// assert_eq!(error.to_string(), r#"selector "weight = ": expected a value at column 10, found the end"#);
/// # Ok::<(), flockmq_core::SelectorError>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector(Arc<Parsed>);

struct Parsed {
    text: String,
    condition: Condition,
}

/// What a selector says of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its condition does not hold.
    False,
    /// Its condition was not told within [`Selector::STEPS_MAX`] steps, which counts as no match.
    TooCostly,
    /// Its condition holds.
    True,
    /// Its condition neither holds nor fails, because something it asks for is missing; counts as no match.
    Unknown,
}

impl Selector {
    /// The longest selector, in bytes.
    pub const LENGTH_MAX: usize = 4096;

    /// How many parentheses, `NOT`s and signs may be open inside one another.
    pub const NESTING_MAX: usize = 16;

    /// How many steps a selector may take over one message: one for each literal, name and operator (or chain of the same
    /// sort of operators) that it comes by, those that a [`Lookup`] adds, and one for every further
    /// [`STEP_LENGTH`](Self::STEP_LENGTH) of text compared.
    pub const STEPS_MAX: u32 = 1000;

    /// How much text is compared in a step: bytes by `=` and `<>`, characters by `LIKE`.
    pub const STEP_LENGTH: usize = 64;

    /// Reads a selector.
    pub fn parse(text: &str) -> Result<Self, SelectorError> {
        let condition = Parser::new(text)?.selector()?;
        Ok(Self(Arc::new(Parsed { text: text.into(), condition })))
    }

    /// Reads a selector, or none where nothing is written: whoever wants all messages has none.
    pub fn parse_optional(text: &str) -> Result<Option<Self>, SelectorError> {
        if text.trim().is_empty() { Ok(None) } else { Self::parse(text).map(Some) }
    }

    /// The text it was made of.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// True if its condition holds for this message.
    pub fn matches(&self, message: &(impl Lookup + ?Sized)) -> bool {
        self.evaluate(message) == Verdict::True
    }

    /// What it says of this message.
    pub fn evaluate(&self, message: &(impl Lookup + ?Sized)) -> Verdict {
        match Evaluation::new(message).holds(&self.0.condition) {
            Ok(Some(true)) => Verdict::True,
            Ok(Some(false)) => Verdict::False,
            Ok(None) => Verdict::Unknown,
            Err(_) => Verdict::TooCostly,
        }
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Selector {
    type Error = SelectorError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.as_str().into()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({:?})", self.as_str())
    }
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.as_str() == other.as_str()
    }
}

impl Eq for Selector {}

impl PartialOrd for Selector {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Selector {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for Selector {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}
