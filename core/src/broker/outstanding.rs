//! What was handed to one consumer and not answered yet.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::queue::Entry;
use super::registry::Slot;
use crate::model::Tag;

/// A queue's message that was handed out; it goes back if it is not accepted.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) slot: Slot,
    pub(super) entry: Entry,
}

/// A tag that was never handed out, or is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotOutstanding;

/// Deliveries by tag; tags count up from 1.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    settled: Tag,                 // All tags up to here are settled.
    sizes: VecDeque<Option<u32>>, // The first belongs to the tag after `settled`; `None` is settled.
    held: VecDeque<Option<Held>>, // Likewise, if there is any; what comes of a topic holds nothing back.
    count: usize,
    held_count: usize,
    bytes: u64,
}

impl Outstanding {
    /// Notes a delivery of this size and gives it a tag. Most consumers are handed queues' messages or topics', so that
    /// all of their deliveries hold something or none does.
    pub(super) fn push(&mut self, held: Option<Held>, size: u32) -> Tag {
        if held.is_some() {
            self.held.resize_with(self.sizes.len(), || None);
            self.held_count += 1;
            self.held.push_back(held);
        } else if !self.held.is_empty() {
            self.held.push_back(None);
        }
        self.sizes.push_back(Some(size));
        self.count += 1;
        self.bytes += u64::from(size);
        self.settled + self.sizes.len() as u64
    }

    /// True if a delivery was made and is not settled.
    pub(super) fn is_outstanding(&self, tag: Tag) -> bool {
        let index = tag.checked_sub(self.settled + 1).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.sizes.get(index)).is_some_and(Option::is_some)
    }

    /// Settles one delivery and gives back what it held.
    pub(super) fn take(&mut self, tag: Tag) -> Result<Option<Held>, NotOutstanding> {
        let index = tag.checked_sub(self.settled + 1).and_then(|index| usize::try_from(index).ok());
        let index = index.ok_or(NotOutstanding)?;
        let size = self.sizes.get_mut(index).and_then(Option::take).ok_or(NotOutstanding)?;
        let held = self.held.get_mut(index).and_then(Option::take);
        self.held_count -= usize::from(held.is_some());
        self.forget(size);
        self.trim();
        Ok(held)
    }

    /// Settles all deliveries up to `tag` and gives back what they held of message groups, to which it matters;
    /// `see` is shown everything.
    pub(super) fn settle_up_to(&mut self, tag: Tag, mut see: impl FnMut(&Held)) -> Result<Vec<Held>, NotOutstanding> {
        self.pop_up_to(tag, |held| {
            see(held);
            held.entry.group.is_some()
        })
    }

    /// Settles all deliveries up to `tag` and gives back what they held.
    pub(super) fn take_up_to(&mut self, tag: Tag) -> Result<Vec<Held>, NotOutstanding> {
        self.pop_up_to(tag, |_| true)
    }

    /// All that is held, first handed out first.
    pub(super) fn take_all(&mut self) -> Vec<(Tag, Held)> {
        let first = self.settled + 1;
        let held = core::mem::take(self).held.into_iter();
        (first..).zip(held).filter_map(|(tag, held)| Some((tag, held?))).collect()
    }

    /// How many deliveries are outstanding.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many queues' messages are outstanding.
    pub(super) fn held(&self) -> usize {
        self.held_count
    }

    /// How many bytes are outstanding.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn pop_up_to(&mut self, tag: Tag, is_wanted: impl FnMut(&Held) -> bool) -> Result<Vec<Held>, NotOutstanding> {
        let covered = tag.checked_sub(self.settled).and_then(|covered| usize::try_from(covered).ok());
        let covered = covered.filter(|covered| (1..=self.sizes.len()).contains(covered)).ok_or(NotOutstanding)?;
        for index in 0..covered {
            if let Some(size) = self.sizes[index] {
                self.forget(size);
            }
        }
        self.sizes.drain(..covered);
        let held = self.held.drain(..covered.min(self.held.len())).flatten();
        let held = held.inspect(|_| self.held_count -= 1);
        let taken = held.filter(is_wanted).collect();
        self.settled = tag;
        self.trim();
        Ok(taken)
    }

    fn forget(&mut self, size: u32) {
        self.count -= 1;
        self.bytes -= u64::from(size);
    }

    fn trim(&mut self) {
        while let Some(None) = self.sizes.front() {
            self.sizes.pop_front();
            self.held.pop_front();
            self.settled += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Place;
    use super::super::queue::tests::entry_at;
    use super::*;
    use crate::base::Key;
    use crate::model::Priority;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    fn held(sequence: u64) -> Held {
        Held { slot: Slot::from_number(1), entry: entry_at(Place::new(Priority::default(), sequence)) }
    }

    impl Held {
        fn sequence(&self) -> u64 {
            self.entry.place.number()
        }
    }

    proptest! {
        /// Outstanding deliveries are a set of tags: whatever is answered was outstanding, once.
        #[test]
        fn tags_are_settled_once(steps in proptest::collection::vec((0_u8..4, 0_u64..20), 0..80)) {
            let (mut outstanding, mut model, mut last) = (Outstanding::default(), BTreeSet::new(), 0_u64);
            for (what, tag) in steps {
                match what {
                    0 | 1 => {
                        last += 1;
                        model.insert(last);
                        prop_assert_eq!(outstanding.push(Some(held(last)), 10), last);
                    }
                    2 => {
                        let taken = outstanding.take(tag).map(|held| held.expect("a queue's").sequence()).ok();
                        prop_assert_eq!(taken, model.remove(&tag).then_some(tag));
                    }
                    _ => {
                        let is_due = model.first().is_some_and(|first| *first <= tag) && tag <= last;
                        let covered: Vec<u64> = model.range(..=tag).copied().collect();
                        if let Ok(taken) = outstanding.take_up_to(tag) {
                            prop_assert_eq!(taken.iter().map(Held::sequence).collect::<Vec<_>>(), covered);
                            model.retain(|found| *found > tag);
                        } else {
                            prop_assert!(!is_due);
                        }
                    }
                }
                prop_assert!((0..25).all(|tag| outstanding.is_outstanding(tag) == model.contains(&tag)));
                prop_assert_eq!((outstanding.count(), outstanding.bytes()), (model.len(), model.len() as u64 * 10));
            }
        }
    }
}
