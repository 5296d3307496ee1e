//! The paths by which something is wanted, and how many consumers stand behind each.
//!
//! What is told of them is the shortest, and those behind that one: a number that every broker passes on as it is, so that
//! it means the same wherever it comes, and does not grow where paths meet again.

use alloc::collections::BTreeMap;

use crate::model::Path;

/// Numbers of consumers by path, the shortest path first.
#[derive(Debug, Default)]
pub(super) struct Ways(BTreeMap<Ranked, u64>);

/// A path behind its length.
pub(super) type Ranked = (usize, Path);

impl Ways {
    /// Notes how many consumers are behind a path, and tells how many were before.
    pub(super) fn set(&mut self, path: &Path, consumers: u64) -> u64 {
        let key = ranked(path);
        let before = if consumers > 0 { self.0.insert(key, consumers) } else { self.0.remove(&key) };
        before.unwrap_or(0)
    }

    /// How many consumers are behind a path.
    pub(super) fn count(&self, path: &Path) -> u64 {
        self.0.get(&ranked(path)).copied().unwrap_or(0)
    }

    /// The shortest path, and how many consumers are behind it.
    pub(super) fn shortest(&self) -> Option<(&Ranked, u64)> {
        self.0.first_key_value().map(|(path, consumers)| (path, *consumers))
    }

    /// True if nobody wants it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn ranked(path: &Path) -> Ranked {
    (path.len(), path.clone())
}
