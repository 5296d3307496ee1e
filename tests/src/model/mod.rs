//! The broker's specification, to be run: what it owes its connections, in maps and lists and without any cleverness.
//! Told every operation, it tells what must be said. Nothing here is fast, and nothing is kept twice.

mod connection;
mod consumer;
mod parking;
mod place;
mod queue;
mod said;
mod topic;

use std::collections::{BTreeMap, BTreeSet};

use flockmq_core::{
    BrokerConfig, BrokerId, BrokerStats, Destination, DestinationKind, Instant, MessageId, Refusal, RemoteConfig, What,
};

use connection::Connection;
use consumer::{Consumer, Id};
use place::{Place, Waiting};

pub(crate) use said::{Said, Sender};

/// The connection whose client is at the other end of a link; others are applications'.
pub(crate) const REMOTE: u64 = 0;

/// Who that client is.
pub(crate) const CLIENT: BrokerId = BrokerId(77);

/// All there is.
pub(crate) struct Model {
    config: BrokerConfig,
    remote: RemoteConfig,
    now: Instant,
    connections: BTreeMap<u64, Connection>,
    places: Vec<Place>,                // In order of birth.
    consumers: BTreeMap<Id, Consumer>, // Likewise.
    born: Id,                          // The last consumer.
    taken: BTreeSet<(MessageId, Destination)>,
    counts: BrokerStats,
    said: Said,
}

impl Model {
    pub(crate) fn new(config: BrokerConfig, remote: RemoteConfig) -> Self {
        Self {
            config,
            remote,
            now: Instant::ZERO,
            connections: BTreeMap::new(),
            places: Vec::new(),
            consumers: BTreeMap::new(),
            born: 0,
            taken: BTreeSet::new(),
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
        self.give_up_on_stalled();
    }

    /// When somebody is to be woken at the latest.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.stalls_at()
    }

    /// What has been said since the last time.
    pub(crate) fn said(&mut self) -> Said {
        self.answer_remote();
        std::mem::take(&mut self.said)
    }

    /// Counts and gauges; and what must hold among them.
    pub(crate) fn stats(&self) -> BrokerStats {
        let waiting = || self.places.iter().flat_map(|place| &place.waiting);
        let held = |queues: bool| {
            let consumers = self.consumers.values().filter(move |found| !queues || is_queue(&found.pattern));
            consumers.map(|found| found.held.len() as u64).sum::<u64>()
        };
        let queued_bytes = waiting().map(Waiting::size).sum();
        let pending_bytes = self.consumers.values().map(Consumer::pending_bytes).sum();
        let stats = BrokerStats {
            queued: waiting().count() as u64,
            queued_bytes,
            pending_bytes,
            waiting_bytes: queued_bytes + pending_bytes,
            parked: self.places.iter().map(|place| place.parked.len() as u64).sum(),
            outstanding: held(false),
            outstanding_queued: held(true),
            ..self.counts
        };
        let known = stats.queued + stats.outstanding_queued + stats.acknowledged_queued + stats.failed_queued;
        assert_eq!(stats.accepted_queued, known, "Q1: nothing is lost");
        for at in 0..self.places.len() {
            assert_eq!(self.next(at), None, "Q7: what waits in '{}' has nobody to go to", self.places[at].name);
        }
        stats
    }

    /// The place of this name, which is made if there is none.
    fn place(&mut self, name: &Destination) -> Result<usize, Refusal> {
        if let Some(place) = self.places.iter().position(|place| place.name == *name) {
            return Ok(place);
        }
        if name.is_pattern() {
            return Err(Refusal::IsPattern(name.clone()));
        }
        let max = self.config.destinations_max as u64;
        if self.places.len() as u64 >= max {
            return Err(Refusal::LimitReached { what: What::Destination, max });
        }
        self.places.push(Place::new(name.clone()));
        let wanting = self.consumers.values().filter(|found| found.pattern.matches(name)).map(|found| found.id);
        for id in wanting.collect::<Vec<_>>() {
            self.queue_up(self.places.len() - 1, id);
        }
        Ok(self.places.len() - 1)
    }

    /// Places that a pattern covers, the oldest first.
    fn covered(&self, pattern: &Destination) -> Vec<usize> {
        (0..self.places.len()).filter(|at| pattern.matches(&self.places[*at].name)).collect()
    }
}

fn is_queue(destination: &Destination) -> bool {
    destination.kind() == DestinationKind::Queue
}
