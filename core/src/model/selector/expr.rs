//! What a selector is once it was read: a tree of conditions over terms.

use alloc::boxed::Box;

use super::lookup::Header;
use super::pattern::Pattern;
use crate::model::Value;

/// What is true, false or unknown of a message.
#[derive(Debug)]
pub(super) enum Condition {
    /// All of them hold.
    All(Box<[Self]>),
    /// One of them holds.
    Any(Box<[Self]>),
    /// A number is within bounds.
    Between(Box<Bounds>),
    /// A comparison holds.
    Compare(Comparison, Term, Term),
    /// There is no value.
    IsNull(Term),
    /// A text is like a pattern.
    Like(Term, Pattern),
    /// It does not hold.
    Not(Box<Self>),
    /// A number is beyond bounds.
    NotBetween(Box<Bounds>),
    /// A text is one of these, which are in order.
    OneOf(Term, Box<[Box<str>]>),
    /// A value is true.
    True(Term),
}

/// A term and the bounds it is held against.
#[derive(Debug)]
pub(super) struct Bounds {
    pub(super) term: Term,
    pub(super) low: Term,
    pub(super) high: Term,
}

/// What has a value, or none.
#[derive(Debug)]
pub(super) enum Term {
    /// A first value, and what is done to it, in this order.
    Arithmetic(Box<Self>, Box<[(Operator, Self)]>),
    /// Whether a condition holds.
    Condition(Box<Condition>),
    /// A header field.
    Header(Header),
    /// A value as it was written.
    Literal(Value),
    /// A property, by name.
    Property(Box<str>),
    /// A number with a sign before it.
    Signed(Sign, Box<Self>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    NotEqual,
}

/// What is done with two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Divide,
    Minus,
    Plus,
    Remainder,
    Times,
}

/// What stands before a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Minus,
    Plus,
}

/// What sort of value a term has, if it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Number,
    Text,
}

impl Comparison {
    /// True if it takes numbers only.
    pub(super) fn is_order(self) -> bool {
        !matches!(self, Self::Equal | Self::NotEqual)
    }
}

impl Term {
    /// What sort of value it has, as far as that does not hang on a message.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::Condition(_) | Self::Literal(Value::Bool(_)) => Some(Kind::Bool),
            Self::Arithmetic(..) | Self::Literal(Value::Float(_) | Value::Int(_)) | Self::Signed(..) => {
                Some(Kind::Number)
            }
            Self::Literal(Value::Text(_)) => Some(Kind::Text),
            Self::Header(_) | Self::Property(_) => None,
        }
    }
}
