//! What was handed to one consumer and not answered yet.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::queue::Entry;
use super::registry::Slot;
use crate::model::Tag;

/// What an outstanding delivery leaves behind here.
#[derive(Debug)]
pub(super) enum Held {
    /// A queue's message, which goes back if it is not accepted.
    Queued { slot: Slot, entry: Entry },
    /// A topic's message, which is gone once handed out.
    Published,
}

/// Deliveries by tag; tags count up from 1.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    settled: Tag,                         // All tags up to here are settled.
    items: VecDeque<Option<(Held, u64)>>, // The first belongs to the tag after `settled`; `None` is settled.
    count: usize,
    bytes: u64,
}

impl Outstanding {
    /// Notes a delivery of this size and gives it a tag.
    pub(super) fn push(&mut self, held: Held, size: u64) -> Tag {
        self.items.push_back(Some((held, size)));
        self.count += 1;
        self.bytes += size;
        self.settled + self.items.len() as u64
    }

    /// Settles one delivery, if it is outstanding.
    pub(super) fn take(&mut self, tag: Tag) -> Option<Held> {
        let index = usize::try_from(tag.checked_sub(self.settled + 1)?).ok()?;
        let (held, size) = self.items.get_mut(index)?.take()?;
        self.count -= 1;
        self.bytes -= size;
        while let Some(None) = self.items.front() {
            self.items.pop_front();
            self.settled += 1;
        }
        Some(held)
    }

    /// Settles all deliveries up to `tag` and lets them go; tells how many. Nothing if `tag` was never handed out or
    /// was settled with all before it.
    pub(super) fn drop_up_to(&mut self, tag: Tag) -> Option<u64> {
        let before = self.count;
        self.pop_up_to(tag, |_| ())?;
        Some((before - self.count) as u64)
    }

    /// Settles all deliveries up to `tag`, as [`Outstanding::drop_up_to`] does, and gives them back.
    pub(super) fn take_up_to(&mut self, tag: Tag) -> Option<Vec<Held>> {
        let mut taken = Vec::new();
        self.pop_up_to(tag, |held| taken.push(held))?;
        Some(taken)
    }

    /// Everything outstanding, first handed out first.
    pub(super) fn take_all(&mut self) -> Vec<(Tag, Held)> {
        let first = self.settled + 1;
        self.count = 0;
        self.bytes = 0;
        let items = core::mem::take(&mut self.items).into_iter();
        (first..).zip(items).filter_map(|(tag, item)| item.map(|(held, _)| (tag, held))).collect()
    }

    /// How many deliveries are outstanding.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many bytes are outstanding.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn pop_up_to(&mut self, tag: Tag, mut take: impl FnMut(Held)) -> Option<()> {
        let covered = usize::try_from(tag.checked_sub(self.settled)?).ok()?;
        if covered == 0 || covered > self.items.len() {
            return None;
        }
        for (held, size) in self.items.drain(..covered).flatten() {
            self.count -= 1;
            self.bytes -= size;
            take(held);
        }
        self.settled = tag;
        while let Some(None) = self.items.front() {
            self.items.pop_front();
            self.settled += 1;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

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
                        prop_assert_eq!(outstanding.push(Held::Published, 10), last);
                    }
                    2 => prop_assert_eq!(outstanding.take(tag).is_some(), model.remove(&tag)),
                    _ => {
                        let is_due = model.first().is_some_and(|first| *first <= tag) && tag <= last;
                        let covered: Vec<u64> = model.range(..=tag).copied().collect();
                        if let Some(taken) = outstanding.take_up_to(tag) {
                            prop_assert_eq!(taken.len(), covered.len());
                            model.retain(|found| *found > tag);
                        } else {
                            prop_assert!(!is_due);
                        }
                    }
                }
                prop_assert_eq!((outstanding.count(), outstanding.bytes()), (model.len(), model.len() as u64 * 10));
            }
        }
    }
}
