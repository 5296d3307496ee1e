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

/// Deliveries by tag; tags count up from 1.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    settled: Tag,                 // All tags up to here are settled.
    sizes: VecDeque<Option<u32>>, // The first belongs to the tag after `settled`; `None` is settled.
    held: VecDeque<Option<Held>>, // Likewise, of a queue's consumer; a topic's holds nothing back.
    count: usize,
    bytes: u64,
}

impl Outstanding {
    /// Notes a delivery of this size and gives it a tag. A consumer is handed a queue's messages or a topic's, so
    /// all of its deliveries hold something or none does.
    pub(super) fn push(&mut self, held: Option<Held>, size: u32) -> Tag {
        self.sizes.push_back(Some(size));
        if held.is_some() {
            self.held.push_back(held);
        }
        self.count += 1;
        self.bytes += u64::from(size);
        self.settled + self.sizes.len() as u64
    }

    /// Settles one delivery; none if it is not outstanding. Gives back what it held.
    pub(super) fn take(&mut self, tag: Tag) -> Option<Option<Held>> {
        let index = usize::try_from(tag.checked_sub(self.settled + 1)?).ok()?;
        let size = self.sizes.get_mut(index)?.take()?;
        let held = self.held.get_mut(index).and_then(Option::take);
        self.forget(size);
        self.trim();
        Some(held)
    }

    /// Settles all deliveries up to `tag` and lets them go; tells how many. None if `tag` was never handed out or
    /// was settled with all before it.
    pub(super) fn drop_up_to(&mut self, tag: Tag) -> Option<u64> {
        let before = self.count;
        self.pop_up_to(tag, drop)?;
        Some((before - self.count) as u64)
    }

    /// Settles all deliveries up to `tag`, as [`Outstanding::drop_up_to`] does, and gives back what they held.
    pub(super) fn take_up_to(&mut self, tag: Tag) -> Option<Vec<Held>> {
        let mut taken = Vec::new();
        self.pop_up_to(tag, |held| taken.push(held))?;
        Some(taken)
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

    /// How many bytes are outstanding.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn pop_up_to(&mut self, tag: Tag, take: impl FnMut(Held)) -> Option<()> {
        let covered = usize::try_from(tag.checked_sub(self.settled)?).ok()?;
        if covered == 0 || covered > self.sizes.len() {
            return None;
        }
        for index in 0..covered {
            if let Some(size) = self.sizes[index] {
                self.forget(size);
            }
        }
        self.sizes.drain(..covered);
        self.held.drain(..covered.min(self.held.len())).flatten().for_each(take);
        self.settled = tag;
        self.trim();
        Some(())
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
    use super::*;
    use crate::base::{Key, Timestamp};
    use crate::model::{Body, BrokerId, Destination, Message, MessageId, Path, ProducerId};
    use alloc::collections::BTreeSet;
    use alloc::sync::Arc;
    use proptest::prelude::*;

    fn held(order: u64) -> Option<Held> {
        let message = Message {
            id: MessageId { producer: ProducerId { broker: BrokerId(1), number: 1 }, sequence: order },
            destination: Destination::queue("q").expect("valid"),
            path: Path::default(),
            timestamp: Timestamp::default(),
            body: Body::default(),
        };
        Some(Held { slot: Slot::from_number(1), entry: Entry { order, redeliveries: 0, message: Arc::new(message) } })
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
                        prop_assert_eq!(outstanding.push(held(last), 10), last);
                    }
                    2 => {
                        let taken = outstanding.take(tag).map(|held| held.expect("a queue's").entry.order);
                        prop_assert_eq!(taken, model.remove(&tag).then_some(tag));
                    }
                    _ => {
                        let is_due = model.first().is_some_and(|first| *first <= tag) && tag <= last;
                        let covered: Vec<u64> = model.range(..=tag).copied().collect();
                        if let Some(taken) = outstanding.take_up_to(tag) {
                            prop_assert_eq!(taken.iter().map(|held| held.entry.order).collect::<Vec<_>>(), covered);
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
