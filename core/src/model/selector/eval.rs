//! What a condition comes to for one message: true, false or, as `None`, unknown.

use super::Selector;
use super::expr::{Bounds, Comparison, Condition, Operator, Sign, Term};
use super::lookup::{Lookup, Operand};

/// One message that a selector is asked about, and the steps that are left for it.
pub(super) struct Evaluation<'a, L: ?Sized> {
    message: &'a L,
    steps: usize,
}

/// No steps are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exhausted;

impl<'a, L: Lookup + ?Sized> Evaluation<'a, L> {
    pub(super) fn new(message: &'a L) -> Self {
        Self { message, steps: Selector::STEPS_MAX as usize }
    }

    /// Whether a condition holds.
    pub(super) fn holds(&mut self, condition: &'a Condition) -> Result<Option<bool>, Exhausted> {
        self.spend(1)?;
        Ok(match condition {
            Condition::All(all) => self.first(all, false)?,
            Condition::Any(any) => self.first(any, true)?,
            Condition::Between(bounds) => {
                let (low, high) = self.sides(bounds, Comparison::GreaterOrEqual, Comparison::LessOrEqual)?;
                if low == Some(false) || high == Some(false) { Some(false) } else { low.and(high) }
            }
            Condition::Compare(comparison, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.compare(*comparison, left.as_ref(), right.as_ref())?
            }
            Condition::IsNull(term) => Some(self.value(term)?.is_none()),
            Condition::Like(term, pattern) => match self.value(term)? {
                Some(Operand::Text(text)) => Some(pattern.matches(&text, || self.spend(1))?),
                other => other.map(|_| false),
            },
            Condition::Not(negated) => self.holds(negated)?.map(|holds| !holds),
            Condition::NotBetween(bounds) => {
                let (low, high) = self.sides(bounds, Comparison::Less, Comparison::Greater)?;
                if low == Some(true) || high == Some(true) { Some(true) } else { low.and(high) }
            }
            Condition::OneOf(term, texts) => match self.value(term)? {
                Some(Operand::Text(text)) => Some(texts.binary_search_by(|one| (**one).cmp(&*text)).is_ok()),
                other => other.map(|_| false),
            },
            Condition::True(term) => self.value(term)?.map(|value| value == Operand::Bool(true)),
        })
    }

    /// `decisive` if that is what one of them comes to, else unknown if one of them is.
    fn first(&mut self, conditions: &'a [Condition], decisive: bool) -> Result<Option<bool>, Exhausted> {
        let mut all = Some(!decisive);
        for condition in conditions {
            match self.holds(condition)? {
                Some(found) if found == decisive => return Ok(Some(decisive)),
                Some(_) => (),
                None => all = None,
            }
        }
        Ok(all)
    }

    /// How a term compares with its lower bound and its upper one.
    fn sides(
        &mut self,
        bounds: &'a Bounds,
        with_low: Comparison,
        with_high: Comparison,
    ) -> Result<(Option<bool>, Option<bool>), Exhausted> {
        let (term, low, high) = (self.value(&bounds.term)?, self.value(&bounds.low)?, self.value(&bounds.high)?);
        let low = self.compare(with_low, term.as_ref(), low.as_ref())?;
        Ok((low, self.compare(with_high, term.as_ref(), high.as_ref())?))
    }

    fn value(&mut self, term: &'a Term) -> Result<Option<Operand<'a>>, Exhausted> {
        self.spend(1)?;
        Ok(match term {
            Term::Arithmetic(first, rest) => {
                let mut sum = self.value(first)?;
                for (operator, term) in rest {
                    let term = self.value(term)?;
                    sum = sum.zip(term).and_then(|(sum, term)| reckon(*operator, &sum, &term));
                }
                sum
            }
            Term::Condition(condition) => self.holds(condition)?.map(Operand::Bool),
            Term::Header(header) => self.message.header(*header),
            Term::Literal(value) => Some(value.into()),
            Term::Property(name) => {
                self.spend(self.message.property_steps())?;
                self.message.property(name)
            }
            Term::Signed(sign, term) => self.value(term)?.and_then(|value| signed(*sign, &value)),
        })
    }

    /// Compares what is there; values of different kinds compare to false, whatever the comparison.
    fn compare(
        &mut self,
        comparison: Comparison,
        left: Option<&Operand<'_>>,
        right: Option<&Operand<'_>>,
    ) -> Result<Option<bool>, Exhausted> {
        let Some((left, right)) = left.zip(right) else { return Ok(None) };
        Ok(Some(match (left, right) {
            (Operand::Bool(left), Operand::Bool(right)) => comparison.is_equality_of(left == right),
            (Operand::Int(left), Operand::Int(right)) => comparison.orders(left, right),
            (Operand::Text(left), Operand::Text(right)) => {
                if left.len() == right.len() {
                    self.spend(left.len() / Selector::STEP_LENGTH)?;
                }
                comparison.is_equality_of(left == right)
            }
            _ => float(left).zip(float(right)).is_some_and(|(left, right)| comparison.orders(&left, &right)),
        }))
    }

    fn spend(&mut self, steps: usize) -> Result<(), Exhausted> {
        self.steps = self.steps.checked_sub(steps).ok_or(Exhausted)?;
        Ok(())
    }
}

impl Comparison {
    /// Whether it holds for values that have no order.
    fn is_equality_of(self, is_equal: bool) -> bool {
        match self {
            Self::Equal => is_equal,
            Self::NotEqual => !is_equal,
            Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual => false,
        }
    }

    /// Whether it holds for two numbers.
    fn orders<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::NotEqual => left != right,
        }
    }
}

/// What an operator makes of two values; nothing of what is no number, or beyond what an exact number holds.
fn reckon(operator: Operator, left: &Operand<'_>, right: &Operand<'_>) -> Option<Operand<'static>> {
    if let (Operand::Int(left), Operand::Int(right)) = (left, right) {
        let number = match operator {
            Operator::Divide => left.checked_div(*right),
            Operator::Minus => left.checked_sub(*right),
            Operator::Plus => left.checked_add(*right),
            Operator::Remainder => left.checked_rem(*right),
            Operator::Times => left.checked_mul(*right),
        };
        return number.map(Operand::Int);
    }
    let (left, right) = (float(left)?, float(right)?);
    Some(Operand::Float(match operator {
        Operator::Divide => left / right,
        Operator::Minus => left - right,
        Operator::Plus => left + right,
        Operator::Remainder => left % right,
        Operator::Times => left * right,
    }))
}

fn signed(sign: Sign, value: &Operand<'_>) -> Option<Operand<'static>> {
    match (sign, value) {
        (_, Operand::Bool(_) | Operand::Text(_)) => None,
        (Sign::Minus, Operand::Float(number)) => Some(Operand::Float(-number)),
        (Sign::Minus, Operand::Int(number)) => number.checked_neg().map(Operand::Int),
        (Sign::Plus, Operand::Float(number)) => Some(Operand::Float(*number)),
        (Sign::Plus, Operand::Int(number)) => Some(Operand::Int(*number)),
    }
}

/// A number as an approximate one, as Java promotes them.
fn float(value: &Operand<'_>) -> Option<f64> {
    match value {
        Operand::Float(number) => Some(*number),
        #[expect(clippy::cast_precision_loss, reason = "exact numbers meet approximate ones as approximate ones")]
        Operand::Int(number) => Some(*number as f64),
        Operand::Bool(_) | Operand::Text(_) => None,
    }
}
