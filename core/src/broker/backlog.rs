//! What waits for one topic subscriber's credit.

use alloc::collections::{BTreeSet, VecDeque};

use super::memory::Memory;
use super::subscription::Pending;
use crate::base::Instant;

/// Messages in order. Those whose time is up are found without looking at the others.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    first: u64,                         // The number of the first item.
    items: VecDeque<Option<Pending>>,   // `None` has expired; the first has not.
    expiring: BTreeSet<(Instant, u64)>, // Those whose life has an end.
    bytes: u64,
}

impl Backlog {
    /// Adds a message behind the others.
    pub(super) fn push(&mut self, pending: Pending, memory: &mut Memory) {
        if let Some(at) = pending.expires_at() {
            self.expiring.insert((at, self.first + self.items.len() as u64));
        }
        let size = pending.message.size() as u64;
        self.bytes += size;
        memory.take(size);
        self.items.push_back(Some(pending));
    }

    /// Takes the first message.
    pub(super) fn pop(&mut self, memory: &mut Memory) -> Option<Pending> {
        let pending = self.items.pop_front()??;
        if let Some(at) = pending.expires_at() {
            self.expiring.remove(&(at, self.first));
        }
        self.first += 1;
        self.forget(&pending, memory);
        Some(pending)
    }

    /// Takes a message whose time is up.
    pub(super) fn pop_expired(&mut self, now: Instant, memory: &mut Memory) -> Option<Pending> {
        let (_, number) = self.expiring.first().filter(|(at, _)| *at <= now)?;
        let index = usize::try_from(number - self.first).expect("what waits is in memory");
        self.expiring.pop_first();
        let pending = self.items[index].take().expect("what expires has not been taken");
        self.forget(&pending, memory);
        Some(pending)
    }

    /// When the next message's time is up.
    pub(super) fn expires_at(&self) -> Option<Instant> {
        self.expiring.first().map(|(at, _)| *at)
    }

    /// How many bytes wait.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// True if nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn forget(&mut self, pending: &Pending, memory: &mut Memory) {
        let size = pending.message.size() as u64;
        self.bytes -= size;
        memory.free(size);
        self.trim();
    }

    fn trim(&mut self) {
        while let Some(None) = self.items.front() {
            self.items.pop_front();
            self.first += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::model::{Body, BrokerId, Destination, Message, MessageId, Path, ProducerId};
    use alloc::sync::Arc;
    use alloc::vec::Vec;
    use core::time::Duration;
    use proptest::prelude::*;

    fn pending(sequence: u64, time_to_live: Option<u64>) -> Pending {
        let message = Message {
            id: MessageId { producer: ProducerId { broker: BrokerId(1), number: 1 }, sequence },
            destination: Destination::topic("t").expect("valid"),
            path: Path::default(),
            timestamp: Timestamp::default(),
            body: time_to_live.map(|left| Body::default().expiring(Duration::from_nanos(left))).unwrap_or_default(),
        };
        Pending { message: Arc::new(message), arrived_at: Instant::ZERO }
    }

    proptest! {
        /// A backlog is a list of messages, from which those whose time is up can be taken too.
        #[test]
        fn a_backlog_is_a_list_that_messages_expire_from(steps in proptest::collection::vec((0_u8..4, proptest::option::of(0_u64..10)), 0..60)) {
            let (mut backlog, mut list) = (Backlog::default(), Vec::<(u64, Option<u64>)>::new());
            let mut memory = Memory::new(0);
            for (number, (what, time)) in (0..).zip(steps) {
                let sequence = |found: Option<Pending>| found.map(|found| found.message.id.sequence);
                match (what, time) {
                    (0, _) => {
                        let first = (!list.is_empty()).then(|| list.remove(0).0);
                        prop_assert_eq!(sequence(backlog.pop(&mut memory)), first);
                    }
                    (1, Some(now)) => {
                        let due = list.iter().filter_map(|(found, end)| Some(((*end)?, *found))).min();
                        let due = due.filter(|(end, _)| *end <= now).map(|(_, found)| found);
                        prop_assert_eq!(sequence(backlog.pop_expired(Instant::from_nanos(now), &mut memory)), due);
                        list.retain(|(found, _)| Some(*found) != due);
                    }
                    (_, end) => {
                        backlog.push(pending(number, end), &mut memory);
                        list.push((number, end));
                    }
                }
                let size = pending(0, None).message.size() as u64;
                prop_assert_eq!((backlog.is_empty(), backlog.bytes()), (list.is_empty(), list.len() as u64 * size));
                prop_assert_eq!(memory.bytes(), backlog.bytes());
                prop_assert_eq!(backlog.expires_at(), list.iter().filter_map(|(_, end)| *end).min().map(Instant::from_nanos));
            }
        }
    }
}
