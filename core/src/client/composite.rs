//! What a producer for several destinations has sent: each message is accepted once it is at all of them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::model::BrokerId;

/// The messages that are not answered yet, and how far each of their destinations is with them.
#[derive(Debug)]
pub(super) struct Composite {
    reached: Vec<u64>, // The last message accepted, by part.
    open: BTreeMap<u64, Open>,
}

/// A message that is not at all of its destinations yet.
#[derive(Debug)]
struct Open {
    missing: usize,
    by: BTreeSet<BrokerId>,
}

/// Messages that are at all of their destinations.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complete {
    /// The last of them; those before it that were not refused are too.
    pub(crate) up_to: u64,
    /// Which brokers accepted it, at one of its destinations or at several.
    pub(crate) by: Vec<BrokerId>,
}

impl Composite {
    /// Nothing sent yet to so many destinations.
    pub(super) fn new(parts: usize) -> Self {
        Self { reached: alloc::vec![0; parts], open: BTreeMap::new() }
    }

    /// A message is sent.
    pub(super) fn send(&mut self, number: u64) {
        self.open.insert(number, Open { missing: self.reached.len(), by: BTreeSet::new() });
    }

    /// One of the destinations has accepted a message; true if it is at all of them now.
    pub(super) fn accept(&mut self, number: u64) -> bool {
        let Some(open) = self.open.get_mut(&number) else {
            return false; // It was refused elsewhere.
        };
        open.missing -= 1;
        let is_complete = open.missing == 0;
        if is_complete {
            self.open.remove(&number);
        }
        is_complete
    }

    /// These brokers have accepted all messages up to this one at a destination; tells which are at all of them now.
    pub(super) fn accept_up_to(&mut self, part: usize, up_to: u64, by: &[BrokerId]) -> Vec<Complete> {
        let mut complete = Vec::new();
        let from = self.reached[part] + 1;
        if up_to < from {
            return complete; // That was known.
        }
        self.reached[part] = up_to;
        for (number, open) in self.open.range_mut(from..=up_to) {
            open.missing -= 1;
            open.by.extend(by);
            if open.missing == 0 {
                let by = core::mem::take(&mut open.by).into_iter().collect();
                complete.push(Complete { up_to: *number, by });
            }
        }
        for found in &complete {
            self.open.remove(&found.up_to);
        }
        complete
    }

    /// One of the destinations has refused a message, which counts for all; false if another one had.
    pub(super) fn refuse(&mut self, number: u64) -> bool {
        self.open.remove(&number).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    const ONE: BrokerId = BrokerId(1);
    const TWO: BrokerId = BrokerId(2);

    #[test]
    fn a_message_is_accepted_once_it_is_everywhere() {
        let mut composite = Composite::new(2);
        composite.send(1);
        composite.send(2);
        assert_eq!([1, 2, 1, 1, 2].map(|number| composite.accept(number)), [false, false, true, false, true]);
    }

    #[test]
    fn brokers_accept_each_part_by_itself() {
        let mut composite = Composite::new(2);
        for number in 1..=3 {
            composite.send(number);
        }
        assert_eq!(composite.accept_up_to(0, 2, &[TWO]), []);
        let first = Complete { up_to: 1, by: alloc::vec![ONE, TWO] };
        assert_eq!(composite.accept_up_to(1, 1, &[ONE, TWO]), [first]);
        assert_eq!(composite.accept_up_to(0, 3, &[ONE]), []);
        let rest = [Complete { up_to: 2, by: alloc::vec![ONE, TWO] }, Complete { up_to: 3, by: alloc::vec![ONE] }];
        assert_eq!(composite.accept_up_to(1, 3, &[ONE]), rest);
    }

    #[test]
    fn what_one_part_refuses_is_refused_once_and_not_accepted() {
        let mut composite = Composite::new(2);
        composite.send(1);
        composite.send(2);
        assert!(composite.refuse(1) && !composite.refuse(1) && !composite.accept(1));
        assert_eq!(composite.accept_up_to(0, 2, &[ONE]), []);
        assert_eq!(composite.accept_up_to(1, 2, &[ONE]), [Complete { up_to: 2, by: alloc::vec![ONE] }]);
    }

    proptest! {
        /// However far each destination is, a message is complete once all have reached it and none has refused it: each
        /// once, and in order.
        #[test]
        fn messages_are_complete_in_order_and_once(
            parts in 1_usize..4,
            steps in proptest::collection::vec((0_usize..4, 1_u64..4, proptest::bool::weighted(0.2)), 0..60),
        ) {
            const SENT: u64 = 20;
            let mut composite = Composite::new(parts);
            (1..=SENT).for_each(|number| composite.send(number));
            let (mut reached, mut open) = (alloc::vec![0; parts], (1..=SENT).collect::<BTreeSet<u64>>());
            for (part, further, is_refused) in steps {
                let part = part % parts;
                let up_to = SENT.min(reached[part] + further);
                if is_refused {
                    prop_assert_eq!(composite.refuse(up_to), open.remove(&up_to));
                    continue;
                }
                reached[part] = up_to;
                let least = reached.iter().copied().min().expect("a part");
                let expected: Vec<u64> = open.range(..=least).copied().collect();
                open.retain(|number| *number > least);
                let complete = composite.accept_up_to(part, up_to, &[ONE]);
                prop_assert!(complete.iter().all(|found| found.by == [ONE]));
                prop_assert_eq!(complete.iter().map(|found| found.up_to).collect::<Vec<_>>(), expected);
            }
        }
    }
}
