//! Recognises what came before, for many sequences at once.

use alloc::collections::BTreeMap;

use super::window::{Seen, Window};

/// Bounded memory of which numbers were seen of which sequence.
#[derive(Debug)]
pub(crate) struct Audit<K> {
    sequences_max: usize,
    sequences: BTreeMap<K, (Window, u64)>, // And when last used, by `uses`.
    last: Option<(K, Window)>,             // The one in use, kept apart to be found at once.
    uses: u64,
}

impl<K: Clone + Ord> Audit<K> {
    /// An audit of this many sequences; the one that was not used for longest gives way to another.
    pub(crate) fn new(sequences_max: usize) -> Self {
        Self { sequences_max, sequences: BTreeMap::new(), last: None, uses: 0 }
    }

    /// Notes a number (1 or above); true if it was noted before. One too old to tell counts as new: better twice than
    /// never.
    pub(crate) fn note(&mut self, sequence: K, number: u64) -> bool {
        if self.last.as_ref().is_none_or(|(last, _)| *last != sequence) {
            self.switch_to(sequence);
        }
        let (_, window) = self.last.as_mut().expect("just switched to");
        window.note(number) == Seen::Again
    }

    /// True if a number was noted before.
    pub(crate) fn knows(&self, sequence: &K, number: u64) -> bool {
        let last = self.last.as_ref().filter(|(last, _)| last == sequence).map(|(_, window)| window);
        let window = last.or_else(|| self.sequences.get(sequence).map(|(window, _)| window));
        window.is_some_and(|window| window.knows(number))
    }

    /// Forgets a number.
    pub(crate) fn forget(&mut self, sequence: &K, number: u64) {
        match &mut self.last {
            Some((last, window)) if last == sequence => window.forget(number),
            _ => {
                if let Some((window, _)) = self.sequences.get_mut(sequence) {
                    window.forget(number);
                }
            }
        }
    }

    fn switch_to(&mut self, sequence: K) {
        self.uses += 1;
        if let Some((before, window)) = self.last.take() {
            self.sequences.insert(before, (window, self.uses));
        }
        let window = self.sequences.remove(&sequence).map(|(window, _)| window).unwrap_or_default();
        if self.sequences.len() >= self.sequences_max {
            let oldest = self.sequences.iter().min_by_key(|(_, (_, used))| *used).map(|(oldest, _)| oldest.clone());
            oldest.and_then(|oldest| self.sequences.remove(&oldest));
        }
        self.last = Some((sequence, window));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_new_once() {
        let mut audit = Audit::new(4);
        for sequence in [1, 2, 1, 3] {
            assert!(!audit.note(sequence, sequence * 10 + audit.uses));
        }
        assert!(!audit.note(1, 99));
        assert!(!audit.note(2, 99));
        assert!(!audit.knows(&3, 99));
        assert!(audit.knows(&1, 99) && audit.knows(&2, 99));
        assert!(audit.note(1, 99));
        assert!(audit.note(2, 99));
    }

    #[test]
    fn the_sequence_used_least_lately_is_forgotten() {
        let mut audit = Audit::new(2);
        for sequence in [1, 2, 1, 3] {
            audit.note(sequence, 1);
        }
        assert!(audit.note(1, 1));
        assert!(!audit.note(2, 1));
    }

    proptest! {
        /// An audit agrees with a list of sets, the one used last in front, that is cut to its length.
        #[test]
        fn an_audit_is_a_list_of_sets_in_order_of_use(steps in vec((0..3, 0_u8..6, 1_u64..4), 0..100)) {
            let (mut audit, mut list) = (Audit::new(SEQUENCES_MAX), Vec::<(u8, BTreeSet<u64>)>::new());
            for (deed, sequence, number) in steps {
                let at = list.iter().position(|(found, _)| *found == sequence);
                match deed {
                    0 => prop_assert_eq!(audit.knows(&sequence, number), at.is_some_and(|at| list[at].1.contains(&number))),
                    1 => {
                        audit.forget(&sequence, number);
                        at.map(|at| list[at].1.remove(&number));
                    }
                    _ => {
                        let mut used = at.map_or_else(|| (sequence, BTreeSet::new()), |at| list.remove(at));
                        prop_assert_eq!(audit.note(sequence, number), !used.1.insert(number));
                        list.insert(0, used);
                        list.truncate(SEQUENCES_MAX);
                    }
                }
            }
        }
    }

    const SEQUENCES_MAX: usize = 3;
}
