//! Things with names of their own, iterated in order of birth.

use alloc::vec::Vec;
use core::marker::PhantomData;

/// An id that an [`Arena`] can hand out: a newtype around a number.
pub(crate) trait Key: Copy + Ord {
    /// The id with this number.
    fn from_number(number: u64) -> Self;
    /// The id's number.
    fn number(self) -> u64;
}

/// A table whose ids count up from 1 and are never used again, so that a late word about something that has gone
/// can't be taken for something new.
#[derive(Clone, Debug)]
pub(crate) struct Arena<K, T> {
    items: Vec<(u64, T)>, // Sorted by number, since numbers only grow.
    born: u64,
    key: PhantomData<K>,
}

impl<K, T> Default for Arena<K, T> {
    fn default() -> Self {
        Self { items: Vec::new(), born: 0, key: PhantomData }
    }
}

impl<K: Key, T> Arena<K, T> {
    /// An empty arena.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds `item` under a new id.
    pub(crate) fn insert(&mut self, item: T) -> K {
        self.insert_with(|_| item)
    }

    /// Adds what `make` makes of its new id.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(K) -> T) -> K {
        self.born += 1;
        let key = K::from_number(self.born);
        self.items.push((self.born, make(key)));
        key
    }

    /// Takes the item out.
    pub(crate) fn remove(&mut self, key: K) -> Option<T> {
        let index = self.index(key)?;
        Some(self.items.remove(index).1)
    }

    /// The item, if it is still there.
    #[inline]
    pub(crate) fn get(&self, key: K) -> Option<&T> {
        self.index(key).map(|index| &self.items[index].1)
    }

    /// The item, to be changed.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        self.index(key).map(|index| &mut self.items[index].1)
    }

    /// All items, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.items.iter().map(|(number, item)| (K::from_number(*number), item))
    }

    /// All ids, oldest first, apart from the arena, so that items may be removed on the way.
    pub(crate) fn keys(&self) -> Vec<K> {
        self.items.iter().map(|(number, _)| K::from_number(*number)).collect()
    }

    /// How many items there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// True if there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    #[inline]
    fn index(&self, key: K) -> Option<usize> {
        let number = key.number();
        // Items are dense while nothing was removed, which is the common case.
        let first = self.items.first()?.0;
        let guess = usize::try_from(number.checked_sub(first)?).ok()?;
        if self.items.get(guess).is_some_and(|(found, _)| *found == number) {
            return Some(guess);
        }
        self.items.binary_search_by_key(&number, |(found, _)| *found).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;

    impl Key for u64 {
        fn from_number(number: u64) -> Self {
            number
        }
        fn number(self) -> u64 {
            self
        }
    }

    proptest! {
        #[test]
        fn an_arena_is_a_map_whose_keys_only_grow(removals in proptest::collection::vec(0_u64..40, 0..40)) {
            let (mut arena, mut map) = (Arena::<u64, u64>::new(), BTreeMap::new());
            prop_assert!(arena.is_empty());
            for removal in removals {
                let key = arena.insert(removal);
                prop_assert!(map.keys().all(|older| *older < key));
                map.insert(key, removal);
                prop_assert_eq!(arena.remove(removal), map.remove(&removal));
                for (key, item) in &mut map {
                    *item += 1;
                    *arena.get_mut(*key).expect("both have it") += 1;
                }
                for key in 0..45 {
                    prop_assert_eq!(arena.get(key), map.get(&key));
                    prop_assert_eq!(arena.get_mut(key), map.get_mut(&key));
                }
                prop_assert!(arena.iter().eq(map.iter().map(|(key, item)| (*key, item))));
                prop_assert_eq!(arena.keys(), map.keys().copied().collect::<Vec<_>>());
                prop_assert_eq!((arena.len(), arena.is_empty()), (map.len(), map.is_empty()));
            }
        }
    }
}
