//! Who can reach whom: graphs of hosts, drawn or of a shape that has a name.

use std::collections::{BTreeSet, VecDeque};

use crate::choice::Choice;

/// Hosts by their places, and which pairs of them are neighbours. All hang together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    hosts: u8,
    joins: BTreeSet<(u8, u8)>, // The lower place first.
}

impl Topology {
    /// All reach all.
    pub fn full(hosts: u8) -> Self {
        Self::of(hosts, (0..hosts).flat_map(|a| (a + 1..hosts).map(move |b| (a, b))))
    }

    /// Each reaches the one before it and the one after it.
    pub fn line(hosts: u8) -> Self {
        Self::of(hosts, (1..hosts).map(|place| (place - 1, place)))
    }

    /// A line whose ends reach each other.
    pub fn ring(hosts: u8) -> Self {
        Self::of(hosts, (0..hosts).map(|place| (place, (place + 1) % hosts)))
    }

    /// All reach the first, and it alone.
    pub fn star(hosts: u8) -> Self {
        Self::of(hosts, (1..hosts).map(|place| (0, place)))
    }

    /// Each but the first reaches one of those before it.
    pub fn tree(choice: &mut Choice<'_>, hosts: u8) -> Self {
        Self::of(hosts, (1..hosts).map(|place| (choice.place(place.into()), place)))
    }

    /// A tree in which some pairs beside reach each other.
    pub fn random(choice: &mut Choice<'_>, hosts: u8) -> Self {
        let tree = Self::tree(choice, hosts);
        let beside = Self::full(hosts).joins.into_iter().filter(|_| choice.chance(1, 4));
        Self::of(hosts, tree.joins.into_iter().chain(beside))
    }

    /// Any of them; in half of all cases, all reach all.
    pub fn draw(choice: &mut Choice<'_>, hosts: u8) -> Self {
        match choice.below(8) {
            0..4 => Self::full(hosts),
            4 => Self::line(hosts),
            5 => Self::ring(hosts),
            6 => Self::star(hosts),
            _ => Self::random(choice, hosts),
        }
    }

    /// How many hosts there are.
    pub fn hosts(&self) -> u8 {
        self.hosts
    }

    /// The pairs that are neighbours, the lower place first.
    pub fn joins(&self) -> impl Iterator<Item = (u8, u8)> + '_ {
        self.joins.iter().copied()
    }

    /// The pairs that are not.
    pub fn walls(&self) -> Vec<(u8, u8)> {
        Self::full(self.hosts).joins.difference(&self.joins).copied().collect()
    }

    /// How many joins lie between each host and this one, by their places.
    pub fn distances(&self, from: u8) -> Vec<usize> {
        let mut distances = vec![None; self.hosts.into()];
        distances[usize::from(from)] = Some(0);
        let mut next = VecDeque::from([from]);
        while let Some(at) = next.pop_front() {
            for beyond in self.joins().filter_map(|(a, b)| other(at, a, b)) {
                if distances[usize::from(beyond)].is_none() {
                    distances[usize::from(beyond)] = distances[usize::from(at)].map(|distance| distance + 1);
                    next.push_back(beyond);
                }
            }
        }
        distances.into_iter().map(|distance| distance.expect("all hang together")).collect()
    }

    fn of(hosts: u8, joins: impl IntoIterator<Item = (u8, u8)>) -> Self {
        let joins = joins.into_iter().filter(|(a, b)| a != b).map(|(a, b)| (a.min(b), a.max(b))).collect();
        Self { hosts, joins }
    }
}

/// Whoever `at` is joined with by this join.
fn other(at: u8, a: u8, b: u8) -> Option<u8> {
    match at {
        at if at == a => Some(b),
        at if at == b => Some(a),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_shapes() {
        assert_eq!(Topology::full(4).distances(1), [1, 0, 1, 1]);
        assert_eq!(Topology::line(4).distances(1), [1, 0, 1, 2]);
        assert_eq!(Topology::ring(5).distances(0), [0, 1, 2, 2, 1]);
        assert_eq!(Topology::star(4).distances(2), [1, 2, 0, 2]);
        assert_eq!(Topology::full(1).distances(0), [0]);
    }

    #[test]
    fn what_is_drawn_hangs_together() {
        for seed in 0..200 {
            let topology = Topology::random(&mut Choice::from_seed(seed), 6);
            assert!(topology.distances(0).into_iter().all(|distance| distance < 6));
            assert_eq!(topology.joins().count() + topology.walls().len(), 15);
        }
    }
}
