//! What hangs on names and patterns, by their levels: found without looking at what has nothing to do with it.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::str::Split;

use crate::model::{Destination, DestinationKind};

/// Values by the names or patterns that they hang on. Each destination's are found in the order of the values.
#[derive(Debug)]
pub(super) struct Index<T> {
    queues: Level<T>,
    topics: Level<T>,
    temporary_queues: Level<T>,
    temporary_topics: Level<T>,
}

/// The names that begin alike, up to one level.
#[derive(Debug)]
struct Level<T> {
    ending: BTreeSet<T>, // Of the name that ends here.
    below: BTreeMap<Box<str>, Self>,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self {
            queues: Level::default(),
            topics: Level::default(),
            temporary_queues: Level::default(),
            temporary_topics: Level::default(),
        }
    }
}

impl<T> Default for Level<T> {
    fn default() -> Self {
        Self { ending: BTreeSet::new(), below: BTreeMap::new() }
    }
}

impl<T: Copy + Ord> Index<T> {
    /// Hangs a value on a name or pattern.
    pub(super) fn insert(&mut self, destination: &Destination, value: T) {
        let mut level = self.root_mut(destination);
        for name in levels(destination) {
            // Looked up first: a key is copied only for what is new.
            if !level.below.contains_key(name) {
                level.below.insert(name.into(), Level::default());
            }
            level = level.below.get_mut(name).expect("there, or just inserted");
        }
        level.ending.insert(value);
    }

    /// Takes a value off a name or pattern.
    pub(super) fn remove(&mut self, destination: &Destination, value: T) {
        self.root_mut(destination).remove(levels(destination), value);
    }

    /// What hangs on the patterns that cover a name, and on the name itself.
    pub(super) fn covering(&self, name: &Destination) -> Vec<T> {
        let mut found = Vec::new();
        self.root(name).covering(levels(name), &mut found);
        found.sort_unstable();
        found
    }

    /// What hangs on the names that a pattern covers.
    pub(super) fn covered(&self, pattern: &Destination) -> Vec<T> {
        let mut found = Vec::new();
        self.root(pattern).covered(levels(pattern), &mut found);
        found.sort_unstable();
        found
    }

    fn root(&self, destination: &Destination) -> &Level<T> {
        match (destination.kind(), destination.is_temporary()) {
            (DestinationKind::Queue, false) => &self.queues,
            (DestinationKind::Topic, false) => &self.topics,
            (DestinationKind::Queue, true) => &self.temporary_queues,
            (DestinationKind::Topic, true) => &self.temporary_topics,
        }
    }

    fn root_mut(&mut self, destination: &Destination) -> &mut Level<T> {
        match (destination.kind(), destination.is_temporary()) {
            (DestinationKind::Queue, false) => &mut self.queues,
            (DestinationKind::Topic, false) => &mut self.topics,
            (DestinationKind::Queue, true) => &mut self.temporary_queues,
            (DestinationKind::Topic, true) => &mut self.temporary_topics,
        }
    }
}

impl<T: Copy + Ord> Level<T> {
    fn remove(&mut self, mut rest: Levels<'_>, value: T) {
        let Some(name) = rest.next() else {
            self.ending.remove(&value);
            return;
        };
        if let Some(next) = self.below.get_mut(name) {
            next.remove(rest, value);
            if next.ending.is_empty() && next.below.is_empty() {
                self.below.remove(name);
            }
        }
    }

    fn covering(&self, mut rest: Levels<'_>, found: &mut Vec<T>) {
        if let Some(any) = self.below.get(">") {
            found.extend(&any.ending); // Where a pattern ends in '>', it covers what ends here too.
        }
        let Some(name) = rest.next() else {
            found.extend(&self.ending);
            return;
        };
        for key in [name, "*"] {
            if let Some(next) = self.below.get(key) {
                next.covering(rest.clone(), found);
            }
        }
    }

    fn covered(&self, mut rest: Levels<'_>, found: &mut Vec<T>) {
        match rest.next() {
            None => found.extend(&self.ending),
            Some(">") if rest.clone().next().is_none() => self.all(found),
            Some("*") => self.below.values().for_each(|next| next.covered(rest.clone(), found)),
            Some(name) => {
                if let Some(next) = self.below.get(name) {
                    next.covered(rest, found);
                }
            }
        }
    }

    fn all(&self, found: &mut Vec<T>) {
        found.extend(&self.ending);
        self.below.values().for_each(|next| next.all(found));
    }
}

type Levels<'a> = Split<'a, char>;

fn levels(destination: &Destination) -> Levels<'_> {
    destination.name().split('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    /// Names and patterns that often cover one another; `>` stands in the middle too, where it means itself.
    fn any_destination() -> impl Strategy<Value = Destination> {
        ("(queue|topic)", "[ab*>](\\.[ab*>]){0,3}")
            .prop_map(|(kind, name)| format!("{kind}://{name}").parse().expect("valid"))
    }

    fn index(destinations: &[Destination]) -> Index<usize> {
        let mut index = Index::default();
        for (value, destination) in destinations.iter().enumerate() {
            index.insert(destination, value);
        }
        index
    }

    proptest! {
        /// What the index finds is what asking each pattern finds, in either direction and whatever was removed.
        #[test]
        fn an_index_finds_what_matches(
            destinations in proptest::collection::vec((any_destination(), any::<bool>()), 0..40),
            asked in any_destination(),
        ) {
            let (all, stays): (Vec<_>, Vec<_>) = destinations.into_iter().unzip();
            let mut index = index(&all);
            for (value, destination) in all.iter().enumerate().filter(|(value, _)| !stays[*value]) {
                index.remove(destination, value);
                index.remove(destination, value); // A second time changes nothing.
            }
            let expected = |is_match: &dyn Fn(&Destination) -> bool| -> Vec<usize> {
                (0..all.len()).filter(|value| stays[*value] && is_match(&all[*value])).collect()
            };
            if asked.is_pattern() {
                let mut names = index.covered(&asked);
                names.retain(|value| !all[*value].is_pattern());
                prop_assert_eq!(names, expected(&|name| !name.is_pattern() && asked.matches(name)));
            } else {
                prop_assert_eq!(index.covering(&asked), expected(&|pattern| pattern.matches(&asked)));
            }
        }

        #[test]
        fn an_index_keeps_nothing_of_what_has_gone(destinations in proptest::collection::vec(any_destination(), 0..20)) {
            let mut index = index(&destinations);
            for (value, destination) in destinations.iter().enumerate() {
                index.remove(destination, value);
            }
            prop_assert!(index.queues.below.is_empty() && index.topics.below.is_empty());
        }
    }
}
