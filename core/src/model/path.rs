//! The brokers that a message or a demand has crossed.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::id::BrokerId;

/// Brokers in the order they were crossed; empty at the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Vec<BrokerId>", into = "Vec<BrokerId>")]
pub struct Path(Option<Arc<[BrokerId]>>);

impl Path {
    /// The most brokers a path may name, whatever the configured number of hops.
    pub const HOPS_MAX: usize = 16;

    /// How many brokers were crossed.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |brokers| brokers.len())
    }

    /// True if no broker was crossed yet.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// True if `broker` was crossed.
    #[inline]
    pub fn contains(&self, broker: BrokerId) -> bool {
        self.brokers().contains(&broker)
    }

    /// The brokers, first crossed first.
    pub fn brokers(&self) -> &[BrokerId] {
        self.0.as_deref().unwrap_or_default()
    }

    /// This path and `broker` after it.
    #[must_use]
    pub fn then(&self, broker: BrokerId) -> Self {
        Self(Some(self.brokers().iter().copied().chain([broker]).collect()))
    }

    /// True if both are the very same value, which is quicker to tell than equality and implies it.
    #[inline]
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

impl From<Vec<BrokerId>> for Path {
    fn from(brokers: Vec<BrokerId>) -> Self {
        Self(if brokers.is_empty() { None } else { Some(brokers.into()) })
    }
}

impl From<Path> for Vec<BrokerId> {
    fn from(path: Path) -> Self {
        path.brokers().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_brokers_in_the_order_they_were_crossed() {
        let start = Path::default();
        assert_eq!((start.len(), start.is_empty(), start.contains(BrokerId(0))), (0, true, false));
        let path = start.then(BrokerId(2)).then(BrokerId(1));
        assert_eq!((path.len(), path.is_empty()), (2, false));
        assert_eq!([1, 2, 3].map(|broker| path.contains(BrokerId(broker))), [true, true, false]);
        assert_eq!(path.brokers(), [BrokerId(2), BrokerId(1)]);
        assert_eq!(Path::from(Vec::from(path.clone())), path);
        assert_eq!(Path::from(Vec::from(start.clone())), start);
    }

    #[test]
    fn the_same_path_is_more_than_an_equal_one() {
        let (start, path) = (Path::default(), Path::default().then(BrokerId(1)));
        assert!(path.is_same(&path.clone()) && start.is_same(&Path::default()));
        assert!(!path.is_same(&start) && !start.is_same(&path));
        let equal = Path::default().then(BrokerId(1));
        assert!(equal == path && !equal.is_same(&path));
    }
}
