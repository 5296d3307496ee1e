//! What a machine says, in the order it says it.

use alloc::collections::VecDeque;

/// A queue handed to a machine for what it has to say; emptied by whoever handed it over.
#[derive(Debug)]
pub(crate) struct Outbox<T> {
    items: VecDeque<T>,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self { items: VecDeque::new() }
    }
}

impl<T> Outbox<T> {
    /// An empty outbox.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Says one more thing.
    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        self.items.push_back(item);
    }

    /// Takes the thing said first.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    /// Takes everything, first said first.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> + '_ {
        self.items.drain(..)
    }

    /// Takes everything but so many that were said first.
    pub(crate) fn drain_after(&mut self, count: usize) -> impl Iterator<Item = T> + '_ {
        self.items.drain(count..)
    }

    /// How many things were said.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// True if nothing was said.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_first_is_taken_first() {
        let mut outbox = Outbox::new();
        assert_eq!((outbox.is_empty(), outbox.pop()), (true, None));
        for word in ["one", "two", "three"] {
            outbox.push(word);
        }
        assert_eq!((outbox.is_empty(), outbox.pop()), (false, Some("one")));
        assert!(outbox.drain_after(1).eq(["three"]));
        assert_eq!(outbox.len(), 1);
        assert!(outbox.drain().eq(["two"]));
        assert!(outbox.is_empty());
    }
}
