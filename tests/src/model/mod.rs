//! The broker's specification, to be run: what it owes its connections, in maps and lists and without any cleverness.
//! Told every operation, it tells what must be said. Nothing here is fast, and nothing is kept twice.

mod ack;
mod admin;
mod browse;
mod composite;
mod connection;
mod consumer;
mod dead_letter;
mod durable;
mod exclusive;
mod expiry;
mod group;
mod history;
mod idle;
mod parking;
mod place;
mod queue;
mod redelivery;
mod room;
mod said;
mod slow;
mod temporary;
mod topic;
mod transaction;
mod virtual_topic;

use std::collections::{BTreeMap, BTreeSet};

use flockmq_core::{
    BrokerConfig, BrokerId, BrokerStats, Destination, DestinationKind, DestinationPolicy, Instant, MessageId, Refusal,
    RemoteConfig, What,
};

use connection::Connection;
use consumer::{Consumer, Id};
use place::{Parked, Place, Waiting};

pub(crate) use said::{Said, Sender};

/// The connection whose client is at the other end of a link; others are applications'.
pub(crate) const REMOTE: u64 = 0;

/// Who that client is.
pub(crate) const CLIENT: BrokerId = BrokerId(77);

/// All there is.
pub(crate) struct Model {
    broker: BrokerId,
    config: BrokerConfig,
    remote: RemoteConfig,
    now: Instant,
    connections: BTreeMap<u64, Connection>,
    places: Vec<Place>,                   // In order of birth.
    consumers: BTreeMap<Id, Consumer>,    // Likewise.
    born: Id,                             // The last consumer.
    taken: BTreeSet<(MessageId, usize)>,  // By the place they came to.
    buried: BTreeSet<(MessageId, usize)>, // Topics' messages that are dead letters, by where they were sent.
    counts: BrokerStats,
    said: Said,
}

impl Model {
    pub(crate) fn new(broker: BrokerId, config: BrokerConfig, remote: RemoteConfig) -> Self {
        Self {
            broker,
            config,
            remote,
            now: Instant::ZERO,
            connections: BTreeMap::new(),
            places: Vec::new(),
            consumers: BTreeMap::new(),
            born: 0,
            taken: BTreeSet::new(),
            buried: BTreeSet::new(),
            counts: BrokerStats::default(),
            said: Said::default(),
        }
    }

    /// It is so late now; nobody has been woken yet.
    pub(crate) fn reach(&mut self, now: Instant) {
        self.now = now;
    }

    /// Somebody is woken: does what is due.
    pub(crate) fn wake(&mut self) {
        self.catch_up();
        self.give_up_on_slow();
    }

    /// When somebody is to be woken at the latest.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let due = self.due().first().map(|(at, _)| *at);
        self.slow().map(|(at, _)| at).chain(due).min()
    }

    /// What has been said since the last time.
    pub(crate) fn said(&mut self) -> Said {
        self.answer_remote();
        std::mem::take(&mut self.said)
    }

    /// Counts and gauges; and what must hold among them.
    pub(crate) fn stats(&self) -> BrokerStats {
        let waiting = || self.places.iter().flat_map(|place| &place.waiting);
        let delayed = || self.places.iter().flat_map(|place| &place.delayed).map(|delayed| &delayed.waiting);
        let held = |found: &Consumer| found.held.len() as u64;
        let takers = self.consumers.values().filter(|found| !found.asked.browses);
        let held_queued = |found: &Consumer| found.held.values().filter(|(place, _)| self.is_queue(*place)).count();
        let durables = || self.consumers.values().filter(|found| found.asked.durable.is_some());
        let queued_bytes = waiting().chain(delayed()).map(Waiting::size).sum();
        let others = self.consumers.values().filter(|found| found.asked.durable.is_none());
        let pending_bytes = others.map(Consumer::pending_bytes).sum();
        let kept_bytes = durables().map(Consumer::pending_bytes).sum();
        let stats = BrokerStats {
            queued: waiting().count() as u64,
            queued_bytes,
            pending_bytes,
            delayed: delayed().count() as u64,
            parked: self.places.iter().map(|place| place.parked.len() as u64).sum(),
            outstanding: self.consumers.values().map(held).sum(),
            outstanding_queued: takers.map(held_queued).sum::<usize>() as u64,
            durables: durables().count() as u64,
            kept: durables().map(|found| held(found) + (found.pending.len() + found.delayed.len()) as u64).sum(),
            remembered_bytes: self.remembered_bytes(),
            kept_bytes,
            waiting_bytes: self.waiting_bytes(),
            ..self.counts
        };
        let there = stats.queued + stats.delayed + stats.outstanding_queued;
        let gone = stats.acknowledged_queued + stats.expired_queued + stats.failed_queued;
        let dropped = stats.purged + stats.orphaned;
        assert_eq!(stats.accepted_queued, there + gone + dropped, "Q1: nothing is lost");
        for at in 0..self.places.len() {
            let place = &self.places[at];
            assert_eq!(self.next(at), None, "Q7: what waits in '{}' has nobody to go to", place.name);
            let has_room = |first: &Parked| self.has_room(at, first.connection, &first.waiting);
            assert!(!place.parked.front().is_some_and(has_room), "there is room in '{}'", place.name);
        }
        stats
    }

    /// The place of this name, which is made if there is none.
    fn place(&mut self, name: &Destination) -> Result<usize, Refusal> {
        self.check_alive(name)?;
        match self.known(name) {
            Some(place) if name.is_temporary() => Ok(self.tend(place)),
            Some(place) => Ok(place),
            None => self.make_place(name).map(|place| self.tend(place)),
        }
    }

    fn make_place(&mut self, name: &Destination) -> Result<usize, Refusal> {
        if name.is_pattern() {
            return Err(Refusal::IsPattern(name.clone()));
        }
        let max = self.config.destinations_max as u64;
        if self.places.iter().filter(|place| !place.is_gone).count() as u64 >= max {
            return Err(Refusal::LimitReached { what: What::Destination, max });
        }
        self.places.push(Place::new(name.clone(), self.policy(name).clone()));
        let takers = self.consumers.values().filter(|found| !found.asked.browses);
        let joining = takers.filter(|found| found.names(name)).map(|found| found.id);
        for id in joining.collect::<Vec<_>>() {
            self.join(self.places.len() - 1, id);
        }
        Ok(self.places.len() - 1)
    }

    /// How a destination is treated, or a pattern, which is looked for like a name.
    fn policy(&self, name: &Destination) -> &DestinationPolicy {
        let policies = &self.config.policies;
        let entry = policies.entries.iter().find(|entry| entry.destination == *name);
        entry.map_or(&policies.default, |entry| &entry.policy)
    }

    /// There is a place of each of these names, or room to make one.
    fn check_places<'a>(&self, names: impl Iterator<Item = &'a Destination> + Clone) -> Result<(), Refusal> {
        let missing = names.clone().filter(|name| !name.is_pattern() && self.known(name).is_none());
        let missing: BTreeSet<_> = missing.collect();
        let (there, max) = (self.places.iter().filter(|place| !place.is_gone).count(), self.config.destinations_max);
        if !missing.is_empty() && there + missing.len() > max {
            return Err(Refusal::LimitReached { what: What::Destination, max: max as u64 });
        }
        names.into_iter().try_for_each(|name| self.check_alive(name))
    }

    /// The place of this name, if there is one.
    fn known(&self, name: &Destination) -> Option<usize> {
        self.places.iter().position(|place| place.name == *name && !place.is_gone)
    }

    /// Places that a pattern covers, the oldest first.
    fn covered(&self, pattern: &Destination) -> Vec<usize> {
        let is_covered = |at: &usize| pattern.matches(&self.places[*at].name) && !self.places[*at].is_gone;
        (0..self.places.len()).filter(is_covered).collect()
    }

    fn is_queue(&self, place: usize) -> bool {
        is_queue(&self.places[place].name)
    }
}

fn is_queue(destination: &Destination) -> bool {
    destination.kind() == DestinationKind::Queue
}
