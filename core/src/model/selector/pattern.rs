//! What `LIKE` compares with.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::Selector;

/// A pattern of characters: `_` stands for any one, `%` for any number of them.
#[derive(Debug)]
pub(super) struct Pattern {
    /// Up to the last run; empty if there is none.
    head: Box<[Unit]>,
    /// What follows, which the text's end has to be like.
    tail: Box<[Unit]>,
}

/// A part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// This character.
    Char(char),
    /// Any one character.
    One,
    /// Any number of characters.
    Run,
}

impl Pattern {
    /// Reads a pattern. `escape` takes their meaning from `_`, `%` and itself if it stands before them; before anything
    /// else it means what it does without being the escape.
    pub(super) fn new(text: &str, escape: Option<char>) -> Self {
        let mut head = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(found) = rest.next() {
            let escaped = if Some(found) == escape {
                rest.next_if(|next| *next == found || matches!(next, '_' | '%'))
            } else {
                None
            };
            let unit = match (escaped, found) {
                (Some(escaped), _) => Unit::Char(escaped),
                (None, '%') => Unit::Run,
                (None, '_') => Unit::One,
                (None, other) => Unit::Char(other),
            };
            if unit != Unit::Run || head.last() != Some(&Unit::Run) {
                head.push(unit);
            }
        }
        let tail = head.split_off(head.iter().rposition(|unit| *unit == Unit::Run).map_or(0, |last| last + 1));
        Self { head: head.into(), tail: tail.into() }
    }

    /// True if all of `text` is as the pattern says. After every [`Selector::STEP_LENGTH`] comparisons with the pattern's
    /// head it asks whether it may go on.
    pub(super) fn matches<E>(&self, text: &str, mut go_on: impl FnMut() -> Result<(), E>) -> Result<bool, E> {
        let mut rest = text.chars();
        for unit in self.tail.iter().rev() {
            if !rest.next_back().is_some_and(|found| unit.takes(found)) {
                return Ok(false);
            }
        }
        if self.head.is_empty() {
            return Ok(rest.as_str().is_empty());
        }
        let (mut at, mut compared) = (0, 0_usize);
        let mut retry = None; // What follows the last run, and the text from where that is to be tried next.
        loop {
            compared += 1;
            if compared.is_multiple_of(Selector::STEP_LENGTH) {
                go_on()?;
            }
            if self.head[at] == Unit::Run {
                at += 1;
                if at == self.head.len() {
                    return Ok(true);
                }
                retry = Some((at, rest.clone()));
            } else {
                match rest.next() {
                    None => return Ok(false), // Nor from any later place, where there is even less text.
                    Some(found) if self.head[at].takes(found) => at += 1,
                    Some(_) => {
                        // Only the last run need take more: what came before took as little as it could.
                        let Some((behind, from)) = &mut retry else { return Ok(false) };
                        from.next();
                        (at, rest) = (*behind, from.clone());
                    }
                }
            }
        }
    }
}

impl Unit {
    /// Whether it stands for this one character.
    fn takes(self, found: char) -> bool {
        match self {
            Self::Char(expected) => found == expected,
            Self::One => true,
            Self::Run => false,
        }
    }
}
