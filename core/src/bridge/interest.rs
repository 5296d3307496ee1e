//! What a peer was told that is wanted here: each destination once, by its shortest path.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::base::Situation;
use crate::model::{Demand, Destination, Path};

/// What a peer has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A demand, under a number that was never used before on this link.
    Begun { number: u32, demand: Demand },
    /// The end of a demand.
    Ended { number: u32 },
}

/// Demands by destination.
#[derive(Debug, Default)]
pub(super) struct Interest {
    wanted: BTreeMap<Destination, BTreeSet<Ranked>>,
    told: BTreeMap<Destination, (u32, Ranked)>,
    numbers: BTreeSet<u32>, // Of what is told.
    last: u32,
}

/// Paths in order of length.
type Ranked = (usize, Path);

impl Interest {
    /// Notes that a destination is wanted by this path.
    pub(super) fn add(&mut self, demand: &Demand) -> Vec<Change> {
        let paths = self.wanted.entry(demand.destination.clone()).or_default();
        paths.insert((demand.path.len(), demand.path.clone()));
        self.settle(&demand.destination)
    }

    /// Notes that a destination is no longer wanted by this path.
    pub(super) fn remove(&mut self, demand: &Demand) -> Vec<Change> {
        if let Some(paths) = self.wanted.get_mut(&demand.destination) {
            paths.remove(&(demand.path.len(), demand.path.clone()));
        }
        self.settle(&demand.destination)
    }

    /// True if `number` names a demand that the peer was told and not told the end of.
    pub(super) fn is_told(&self, number: u32) -> bool {
        self.numbers.contains(&number)
    }

    /// True if `number` names a demand that the peer was told at some time.
    pub(super) fn was_told(&self, number: u32) -> bool {
        (1..=self.last).contains(&number)
    }

    /// Makes what is told agree with what is wanted. A better path is told by the same destination anew, the old
    /// number ending after the new one has begun, so that no message falls between them.
    fn settle(&mut self, destination: &Destination) -> Vec<Change> {
        let best = self.wanted.get(destination).and_then(|paths| paths.first().cloned());
        let told = self.told.get(destination).cloned();
        if told.as_ref().map(|(_, path)| path) == best.as_ref() {
            return Vec::new();
        }
        let mut changes = Vec::new();
        match best {
            None => {
                self.wanted.remove(destination);
                self.told.remove(destination);
            }
            Some(best) => {
                if told.is_some() {
                    Situation::DemandShortened.met();
                }
                self.last += 1;
                let number = self.last;
                self.numbers.insert(number);
                changes.push(Change::Begun {
                    number,
                    demand: Demand { destination: destination.clone(), path: best.1.clone() },
                });
                self.told.insert(destination.clone(), (number, best));
            }
        }
        if let Some((number, _)) = told {
            self.numbers.remove(&number);
            changes.push(Change::Ended { number });
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BrokerId;

    fn demand(path: &[u128]) -> Demand {
        let path: Vec<_> = path.iter().copied().map(BrokerId).collect();
        Demand { destination: Destination::queue("q").expect("valid"), path: path.into() }
    }

    #[test]
    fn a_destination_is_told_once_however_many_want_it() {
        let mut interest = Interest::default();
        assert_eq!(interest.add(&demand(&[])), [Change::Begun { number: 1, demand: demand(&[]) }]);
        assert_eq!(interest.add(&demand(&[5])), []);
        assert!(interest.is_told(1));
        assert_eq!(interest.remove(&demand(&[5])), []);
        assert_eq!(interest.remove(&demand(&[])), [Change::Ended { number: 1 }]);
        assert!(!interest.is_told(1));
    }

    #[test]
    fn a_shorter_path_takes_a_longer_ones_place() {
        let mut interest = Interest::default();
        interest.add(&demand(&[5, 6]));
        let changes = [Change::Begun { number: 2, demand: demand(&[7]) }, Change::Ended { number: 1 }];
        assert_eq!(interest.add(&demand(&[7])), changes);
        let back = [Change::Begun { number: 3, demand: demand(&[5, 6]) }, Change::Ended { number: 2 }];
        assert_eq!(interest.remove(&demand(&[7])), back);
    }
}
