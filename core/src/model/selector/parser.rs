//! How tokens become a condition.
//!
//! From the loosest to the tightest: `OR`; `AND`; `NOT`; comparisons, `IS NULL`, `BETWEEN`, `IN` and `LIKE`, of which
//! one can't be the operand of another without parentheses; `+` and `-`; `*`, `/` and `%`; signs.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;

use super::Selector;
use super::error::SelectorError;
use super::expr::{Bounds, Comparison, Condition, Kind, Operator, Sign, Term};
use super::lexer::{INT_EXPECTED, Keyword, Lexer, Token};
use super::lookup::Header;
use super::pattern::Pattern;
use crate::model::Value;

/// A selector that is being read.
pub(super) struct Parser<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    /// The token to be read next, and where it stands.
    token: Token<'a>,
    at: Range<usize>,
    /// Where the token before it ends.
    done: usize,
    depth: usize,
}

/// What was read, and where it stands.
struct Part {
    node: Node,
    at: Range<usize>,
}

/// What was read; in the end only a place decides what a name is there.
enum Node {
    Condition(Condition),
    Term(Term),
}

type Result<T> = core::result::Result<T, SelectorError>;

impl<'a> Parser<'a> {
    /// A parser before the first token.
    pub(super) fn new(text: &'a str) -> Result<Self> {
        if text.len() > Selector::LENGTH_MAX {
            return Err(SelectorError::too_long(text));
        }
        let mut lexer = Lexer::new(text);
        let (token, at) = lexer.next()?;
        Ok(Self { text, lexer, token, at, done: 0, depth: 0 })
    }

    /// Reads all of the text as one condition.
    pub(super) fn selector(mut self) -> Result<Condition> {
        let whole = self.disjunction()?;
        match (&self.token, &whole.node) {
            (Token::End, _) => self.condition(whole),
            (_, Node::Condition(_)) => Err(self.unexpected("AND, OR or the end")),
            (_, Node::Term(_)) => Err(self.unexpected("an operator or the end")),
        }
    }

    fn disjunction(&mut self) -> Result<Part> {
        self.chain(Keyword::Or, Condition::Any, Self::conjunction)
    }

    fn conjunction(&mut self) -> Result<Part> {
        self.chain(Keyword::And, Condition::All, Self::negation)
    }

    /// Reads what `joint` joins: one part as it is, several as a condition of them all.
    fn chain(
        &mut self,
        joint: Keyword,
        join: fn(Box<[Condition]>) -> Condition,
        read: fn(&mut Self) -> Result<Part>,
    ) -> Result<Part> {
        let first = read(self)?;
        if self.token != Token::Keyword(joint) {
            return Ok(first);
        }
        let start = first.at.start;
        let mut joined = vec![self.condition(first)?];
        while self.take_keyword(joint)? {
            let next = read(self)?;
            joined.push(self.condition(next)?);
        }
        Ok(self.since(start, Node::Condition(join(joined.into()))))
    }

    fn negation(&mut self) -> Result<Part> {
        if self.token != Token::Keyword(Keyword::Not) {
            return self.comparison();
        }
        let start = self.at.start;
        let negated = self.nested(Self::negation)?;
        let negated = self.condition(negated)?;
        Ok(self.since(start, Node::Condition(not(negated))))
    }

    /// Reads a sum, and what is asked of it if anything is.
    fn comparison(&mut self) -> Result<Part> {
        let left = self.sum()?;
        let start = left.at.start;
        let condition = match self.token {
            Token::Compare(comparison) => self.compared(left, comparison)?,
            Token::Keyword(Keyword::Is) => self.null(left)?,
            Token::Keyword(Keyword::Not) => {
                self.advance()?;
                match self.token {
                    Token::Keyword(Keyword::Between) => Condition::NotBetween(self.bounds(left)?),
                    Token::Keyword(Keyword::In) => not(self.list(left)?),
                    Token::Keyword(Keyword::Like) => not(self.like(left)?),
                    _ => return Err(self.unexpected("BETWEEN, IN or LIKE")),
                }
            }
            Token::Keyword(Keyword::Between) => Condition::Between(self.bounds(left)?),
            Token::Keyword(Keyword::In) => self.list(left)?,
            Token::Keyword(Keyword::Like) => self.like(left)?,
            _ => return Ok(left),
        };
        Ok(self.since(start, Node::Condition(condition)))
    }

    fn compared(&mut self, left: Part, comparison: Comparison) -> Result<Condition> {
        self.advance()?;
        if comparison.is_order() {
            let left = self.number(left)?;
            let right = self.sum()?;
            return Ok(Condition::Compare(comparison, left, self.number(right)?));
        }
        Ok(Condition::Compare(comparison, left.term(), self.sum()?.term()))
    }

    /// Reads `IS NULL` or `IS NOT NULL`.
    fn null(&mut self, left: Part) -> Result<Condition> {
        self.advance()?;
        let is_not = self.take_keyword(Keyword::Not)?;
        self.expect(&Token::Keyword(Keyword::Null), if is_not { "NULL" } else { "NULL or NOT NULL" })?;
        let is_null = Condition::IsNull(left.term());
        Ok(if is_not { not(is_null) } else { is_null })
    }

    /// Reads `BETWEEN low AND high`.
    fn bounds(&mut self, left: Part) -> Result<Box<Bounds>> {
        self.advance()?;
        let term = self.number(left)?;
        let low = self.sum()?;
        let low = self.number(low)?;
        self.expect(&Token::Keyword(Keyword::And), "AND")?;
        let high = self.sum()?;
        Ok(Box::new(Bounds { term, low, high: self.number(high)? }))
    }

    /// Reads `IN (text, text)`.
    fn list(&mut self, left: Part) -> Result<Condition> {
        self.advance()?;
        let term = self.textual(left)?;
        self.expect(&Token::Open, "(")?;
        let mut texts = Vec::new();
        loop {
            texts.push(self.quoted("text in single quotes")?);
            if self.token != Token::Comma {
                break;
            }
            self.advance()?;
        }
        self.expect(&Token::Close, "',' or ')'")?;
        texts.sort();
        Ok(Condition::OneOf(term, texts.into()))
    }

    /// Reads `LIKE pattern` or `LIKE pattern ESCAPE character`.
    fn like(&mut self, left: Part) -> Result<Condition> {
        self.advance()?;
        let term = self.textual(left)?;
        let pattern = self.quoted("a pattern in single quotes")?;
        let mut escape = None;
        if self.take_keyword(Keyword::Escape)? {
            let at = self.at.clone();
            let written = self.quoted(ESCAPE_EXPECTED)?;
            let mut chars = written.chars();
            escape = chars.next();
            if escape.is_none() || chars.next().is_some() {
                return Err(SelectorError::unexpected(self.text, &at, ESCAPE_EXPECTED));
            }
        }
        Ok(Condition::Like(term, Pattern::new(&pattern, escape)))
    }

    fn sum(&mut self) -> Result<Part> {
        let operator = |token: &Token<'_>| match token {
            Token::Minus => Some(Operator::Minus),
            Token::Plus => Some(Operator::Plus),
            _ => None,
        };
        self.arithmetic(operator, Self::product)
    }

    fn product(&mut self) -> Result<Part> {
        let operator = |token: &Token<'_>| match token {
            Token::Percent => Some(Operator::Remainder),
            Token::Slash => Some(Operator::Divide),
            Token::Star => Some(Operator::Times),
            _ => None,
        };
        self.arithmetic(operator, Self::signed)
    }

    /// Reads what operators join: one part as it is, several as a sum or product.
    fn arithmetic(
        &mut self,
        operator: fn(&Token<'_>) -> Option<Operator>,
        read: fn(&mut Self) -> Result<Part>,
    ) -> Result<Part> {
        let first = read(self)?;
        if operator(&self.token).is_none() {
            return Ok(first);
        }
        let start = first.at.start;
        let (first, mut rest) = (self.number(first)?, Vec::new());
        while let Some(operator) = operator(&self.token) {
            self.advance()?;
            let next = read(self)?;
            rest.push((operator, self.number(next)?));
        }
        Ok(self.since(start, Node::Term(Term::Arithmetic(Box::new(first), rest.into()))))
    }

    fn signed(&mut self) -> Result<Part> {
        let sign = match self.token {
            Token::Minus => Sign::Minus,
            Token::Plus => Sign::Plus,
            _ => return self.primary(),
        };
        let start = self.at.start;
        let signed = self.nested(|parser| match parser.token {
            Token::Int(number) if sign == Sign::Minus => {
                let at = parser.at.clone();
                parser.advance()?;
                Ok(Part { node: Node::Term(Term::Literal(Value::Int(0_i64.wrapping_sub_unsigned(number)))), at })
            }
            _ => parser.signed().and_then(|part| {
                let at = part.at.clone();
                Ok(Part { node: Node::Term(Term::Signed(sign, Box::new(parser.number(part)?))), at })
            }),
        })?;
        Ok(self.since(start, signed.node))
    }

    /// Reads a literal, a name or what stands in parentheses.
    fn primary(&mut self) -> Result<Part> {
        let start = self.at.start;
        let term = match &mut self.token {
            Token::Float(number) => Term::Literal(Value::Float(*number)),
            Token::Int(number) => match i64::try_from(*number) {
                Ok(number) => Term::Literal(Value::Int(number)),
                Err(_) => return Err(SelectorError::bad_number(self.text, &self.at, INT_EXPECTED)),
            },
            Token::Keyword(Keyword::False) => Term::Literal(Value::Bool(false)),
            Token::Keyword(Keyword::True) => Term::Literal(Value::Bool(true)),
            Token::Name(name) => Header::named(name).map_or_else(|| Term::Property((*name).into()), Term::Header),
            Token::Open => {
                let inner = self.nested(Self::disjunction)?;
                let expected = match inner.node {
                    Node::Condition(_) => "AND, OR or ')'",
                    Node::Term(_) => "an operator or ')'",
                };
                self.expect(&Token::Close, expected)?;
                return Ok(self.since(start, inner.node));
            }
            Token::Text(text) => Term::Literal(Value::Text(mem::take(text))),
            _ => return Err(self.unexpected("a value")),
        };
        self.advance()?;
        Ok(self.since(start, Node::Term(term)))
    }

    /// Passes over the token that opens a level, and reads what is inside.
    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Result<Part>) -> Result<Part> {
        if self.depth == Selector::NESTING_MAX {
            return Err(SelectorError::too_deep(self.text, &self.at));
        }
        self.depth += 1;
        self.advance()?;
        let inner = read(self)?;
        self.depth -= 1;
        Ok(inner)
    }

    fn quoted(&mut self, expected: &'static str) -> Result<Box<str>> {
        let Token::Text(text) = &mut self.token else { return Err(self.unexpected(expected)) };
        let text = mem::take(text).into();
        self.advance()?;
        Ok(text)
    }

    fn advance(&mut self) -> Result<()> {
        self.done = self.at.end;
        (self.token, self.at) = self.lexer.next()?;
        Ok(())
    }

    fn expect(&mut self, token: &Token<'_>, expected: &'static str) -> Result<()> {
        if self.token == *token { self.advance() } else { Err(self.unexpected(expected)) }
    }

    fn take_keyword(&mut self, keyword: Keyword) -> Result<bool> {
        let is_there = self.token == Token::Keyword(keyword);
        if is_there {
            self.advance()?;
        }
        Ok(is_there)
    }

    /// The error that the token to be read next is not what was expected.
    fn unexpected(&self, expected: &'static str) -> SelectorError {
        SelectorError::unexpected(self.text, &self.at, expected)
    }

    /// What was read from `start` on.
    fn since(&self, start: usize, node: Node) -> Part {
        Part { node, at: start..self.done }
    }

    /// A part as a condition; a value that a message decides is one too.
    fn condition(&self, part: Part) -> Result<Condition> {
        match part.node {
            Node::Condition(condition) => Ok(condition),
            Node::Term(term) if term.kind().is_none_or(|kind| kind == Kind::Bool) => Ok(Condition::True(term)),
            Node::Term(_) => Err(SelectorError::unexpected(self.text, &part.at, "a condition")),
        }
    }

    fn number(&self, part: Part) -> Result<Term> {
        self.of_kind(part, Kind::Number, "a number")
    }

    fn textual(&self, part: Part) -> Result<Term> {
        self.of_kind(part, Kind::Text, "a name")
    }

    /// A part as a term of this kind, as far as that does not hang on a message.
    fn of_kind(&self, part: Part, kind: Kind, expected: &'static str) -> Result<Term> {
        let at = part.at.clone();
        let term = part.term();
        if term.kind().is_none_or(|found| found == kind) {
            return Ok(term);
        }
        Err(SelectorError::unexpected(self.text, &at, expected))
    }
}

impl Part {
    /// This part as a value.
    fn term(self) -> Term {
        match self.node {
            Node::Condition(condition) => Term::Condition(Box::new(condition)),
            Node::Term(term) => term,
        }
    }
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

const ESCAPE_EXPECTED: &str = "one character in single quotes";
