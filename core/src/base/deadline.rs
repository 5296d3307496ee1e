//! What is due when, for many at once.

use alloc::collections::{BTreeMap, BTreeSet};

use super::time::Instant;

/// One deadline a key, found earliest first.
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    by_key: BTreeMap<K, Instant>,
    by_time: BTreeSet<(Instant, K)>,
}

impl<K: Copy + Ord> Deadlines<K> {
    /// No deadlines.
    pub(crate) fn new() -> Self {
        Self { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }

    /// Sets, moves or cancels the deadline of `key`.
    pub(crate) fn set(&mut self, key: K, at: Option<Instant>) {
        if self.by_key.get(&key).copied() == at {
            return;
        }
        let before = match at {
            Some(at) => self.by_key.insert(key, at),
            None => self.by_key.remove(&key),
        };
        if let Some(before) = before {
            self.by_time.remove(&(before, key));
        }
        if let Some(at) = at {
            self.by_time.insert((at, key));
        }
    }

    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// The keys that are due, earliest first; their deadlines stay until they are set anew.
    pub(crate) fn due(&self, now: Instant) -> impl Iterator<Item = K> + '_ {
        self.by_time.iter().take_while(move |(at, _)| *at <= now).map(|(_, key)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn deadlines_are_a_map_read_in_order_of_time(steps in proptest::collection::vec((0_u8..6, proptest::option::of(0_u64..20)), 0..60), now in 0_u64..20) {
            let (mut deadlines, mut map) = (Deadlines::new(), BTreeMap::new());
            for (key, at) in steps {
                deadlines.set(key, at.map(Instant::from_nanos));
                match at {
                    Some(at) => map.insert(key, at),
                    None => map.remove(&key),
                };
                prop_assert_eq!(deadlines.first(), map.values().min().copied().map(Instant::from_nanos));
            }
            let mut due: Vec<_> = map.into_iter().map(|(key, at)| (at, key)).filter(|(at, _)| *at <= now).collect();
            due.sort_unstable();
            let found: Vec<_> = deadlines.due(Instant::from_nanos(now)).collect();
            prop_assert_eq!(found, due.into_iter().map(|(_, key)| key).collect::<Vec<_>>());
        }
    }
}
