//! Messages in the order of their places.
//!
//! Most come as the last of their priority and leave as its first, so each priority has a row of its own, which is added to
//! and taken from at its ends without a search. What comes back, or goes from the middle, moves no more than its chunk.

use alloc::collections::VecDeque;

use super::place::Place;
use super::queue::Entry;
use crate::model::Priority;

/// Messages that wait, the most urgent first, and of equally urgent ones those that came first.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    rows: [Row; Priority::COUNT], // Most urgent first.
    len: usize,
}

/// Messages of one priority: in chunks, none of which is empty or longer than [`CHUNK`], and no two neighbours of which would
/// fill half of one between them.
#[derive(Debug, Default)]
struct Row {
    chunks: VecDeque<VecDeque<Entry>>,
}

/// So many messages are moved at most when one comes or goes in the middle.
const CHUNK: usize = 64;

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Puts a message in its place, where there is none.
    pub(super) fn insert(&mut self, entry: Entry) {
        self.rows[entry.place.row()].insert(entry);
        self.len += 1;
    }

    /// Takes the message at a place.
    pub(super) fn take(&mut self, place: Place) -> Option<Entry> {
        let entry = self.rows.get_mut(place.row())?.take(place)?;
        self.len -= 1;
        Some(entry)
    }

    /// The message at a place.
    pub(super) fn get(&self, place: Place) -> Option<&Entry> {
        self.starting_at(place).next().filter(|entry| entry.place == place)
    }

    pub(super) fn first(&self) -> Option<&Entry> {
        self.rows.iter().find_map(|row| row.chunks.front()?.front())
    }

    pub(super) fn last(&self) -> Option<&Entry> {
        self.rows.iter().rev().find_map(|row| row.chunks.back()?.back())
    }

    /// The messages at `place` and after it, in order.
    pub(super) fn starting_at(&self, place: Place) -> impl Iterator<Item = &Entry> {
        let mut row = place.row();
        let (mut chunk, mut index) = self.rows.get(row).map_or((0, 0), |row| row.lower_bound(place));
        core::iter::from_fn(move || {
            loop {
                let chunks = &self.rows.get(row)?.chunks;
                match chunks.get(chunk).map(|entries| entries.get(index)) {
                    Some(Some(entry)) => {
                        index += 1;
                        return Some(entry);
                    }
                    Some(None) => (chunk, index) = (chunk + 1, 0),
                    None => (row, chunk, index) = (row + 1, 0, 0),
                }
            }
        })
    }

    /// All of them, in order.
    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.rows.into_iter().flat_map(|row| row.chunks).flatten()
    }
}

impl Row {
    fn insert(&mut self, entry: Entry) {
        let place = entry.place;
        match self.chunks.back_mut() {
            Some(last) if last.back().is_some_and(|last| last.place < place) => {
                if last.len() < CHUNK {
                    last.push_back(entry);
                } else {
                    let mut chunk = VecDeque::with_capacity(CHUNK); // There will be more.
                    chunk.push_back(entry);
                    self.chunks.push_back(chunk);
                }
            }
            None => self.chunks.push_back([entry].into()),
            Some(_) => self.insert_between(entry),
        }
    }

    fn insert_between(&mut self, entry: Entry) {
        let (mut at, mut index) = self.lower_bound(entry.place);
        let chunk = &mut self.chunks[at];
        if chunk.len() == CHUNK {
            let half = CHUNK / 2;
            let rest = chunk.split_off(half);
            self.chunks.insert(at + 1, rest);
            if index > half {
                (at, index) = (at + 1, index - half);
            }
        }
        self.chunks[at].insert(index, entry);
    }

    fn take(&mut self, place: Place) -> Option<Entry> {
        let (at, index) = self.lower_bound(place);
        let chunk = self.chunks.get_mut(at)?;
        let entry = if chunk.get(index)?.place == place { chunk.remove(index) } else { None };
        match chunk.len() {
            0 => _ = self.chunks.remove(at),
            len if len <= CHUNK / 2 => self.merge(at),
            _ => (),
        }
        entry
    }

    /// Makes one of a chunk and the next, or else of it and the one before, if they are small.
    fn merge(&mut self, at: usize) {
        for first in [Some(at), at.checked_sub(1)].into_iter().flatten() {
            if first + 1 < self.chunks.len() && self.chunks[first].len() + self.chunks[first + 1].len() <= CHUNK / 2 {
                let second = self.chunks.remove(first + 1).expect("just seen");
                return self.chunks[first].extend(second);
            }
        }
    }

    /// Where the first message is that is at `place` or after it: which chunk, and where in that.
    fn lower_bound(&self, place: Place) -> (usize, usize) {
        let is_before = |entry: &Entry| entry.place < place;
        if self.chunks.front().and_then(VecDeque::front).is_none_or(|first| !is_before(first)) {
            return (0, 0);
        }
        let at = self.chunks.partition_point(|chunk| chunk.back().is_some_and(is_before));
        (at, self.chunks.get(at).map_or(0, |chunk| chunk.partition_point(is_before)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::tests::entry_at;
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// What is done to many messages at once, so that there are many chunks.
    #[derive(Clone, Debug)]
    enum Step {
        /// So many come, each the last of its priority.
        Come(u8, usize),
        /// So many go from the `start`th on, each time the first of them or one further on.
        Go { start: usize, stride: usize, count: usize },
        /// So many come back of those that went.
        ComeBack(usize),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3_u8, 1..200_usize).prop_map(|(level, count)| Step::Come(level * 4, count)),
            (0..300_usize, 1..4_usize, 1..200_usize).prop_map(|(start, stride, count)| Step::Go {
                start,
                stride,
                count
            }),
            (1..150_usize).prop_map(Step::ComeBack),
        ]
    }

    fn places(waiting: &Waiting, from: Place) -> Vec<Place> {
        waiting.starting_at(from).map(|entry| entry.place).collect()
    }

    fn check(waiting: &Waiting) {
        for row in &waiting.rows {
            let lengths: Vec<usize> = row.chunks.iter().map(VecDeque::len).collect();
            assert!(lengths.iter().all(|length| (1..=CHUNK).contains(length)), "{lengths:?}");
            assert!(lengths.windows(2).all(|pair| pair[0] + pair[1] > CHUNK / 2), "{lengths:?}");
        }
    }

    proptest! {
        /// It is an ordered set.
        #[test]
        fn messages_wait_in_order_however_they_come_and_go(steps in proptest::collection::vec(any_step(), 1..30)) {
            let (mut waiting, mut model, mut gone, mut born) = (Waiting::default(), BTreeSet::new(), Vec::new(), 0);
            for step in steps {
                match step {
                    Step::Come(level, count) => {
                        for _ in 0..count {
                            born += 1;
                            let place = Place::new(level.try_into().expect("a priority"), born);
                            waiting.insert(entry_at(place));
                            model.insert(place);
                        }
                    }
                    Step::Go { start, stride, count } => {
                        let going: Vec<Place> = model.iter().copied().skip(start).step_by(stride).take(count).collect();
                        for place in going {
                            prop_assert_eq!(waiting.get(place).map(|entry| entry.place), Some(place));
                            prop_assert_eq!(waiting.take(place).map(|entry| entry.place), Some(place));
                            prop_assert!(waiting.get(place).is_none() && waiting.take(place).is_none());
                            model.remove(&place);
                            gone.push(place);
                        }
                    }
                    Step::ComeBack(count) => {
                        for place in gone.drain(gone.len().saturating_sub(count)..) {
                            waiting.insert(entry_at(place));
                            model.insert(place);
                        }
                    }
                }
                check(&waiting);
                prop_assert_eq!(waiting.len(), model.len());
                prop_assert_eq!(waiting.first().map(|entry| entry.place), model.first().copied());
                prop_assert_eq!(waiting.last().map(|entry| entry.place), model.last().copied());
                prop_assert_eq!(places(&waiting, Place::FIRST), model.iter().copied().collect::<Vec<_>>());
                for from in gone.iter().rev().take(9).copied().chain([Place::LAST]) {
                    prop_assert_eq!(places(&waiting, from), model.range(from..).copied().collect::<Vec<_>>());
                }
            }
            prop_assert!(waiting.into_entries().map(|entry| entry.place).eq(model));
        }
    }
}
