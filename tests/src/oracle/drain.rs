//! Brokers that hand over what they have before they leave: what must not be lost with them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::{BrokerId, ConsumerId, Destination, DestinationKind, Instant, MessageId, Role};

use super::copy::Fate;
use super::{Oracle, Piece, Process, Sent};

use crate::wish::is_grave;

/// What is known of brokers that leave so.
#[derive(Debug, Default)]
pub(super) struct Drains {
    /// What consumers had of the queues of a broker when it began.
    begun: BTreeMap<BrokerId, BTreeSet<Piece>>,
    /// Queues in which something was left that nobody wanted when a broker had handed over all else.
    left: BTreeMap<BrokerId, BTreeSet<Destination>>,
    /// What went back to a queue and was handed over from there: it is handed out elsewhere.
    owed: BTreeSet<Piece>,
}

impl Oracle {
    /// A broker begins to hand over what it has.
    pub(crate) fn drain_began(&mut self, process: Process) {
        let Some(broker) = process.broker else { return };
        let own = self.subscribers.values().filter(|found| found.process == process && !found.wanted.browses);
        let held = own.flat_map(|found| found.outstanding.values());
        let held = held.filter(|(_, place)| place.kind() == DestinationKind::Queue && !place.is_temporary());
        self.drains.begun.insert(broker, held.cloned().collect());
    }

    /// It has handed over all that others want; something is left in these queues. Of all others nothing is lost with it:
    /// neither what it had accepted and nobody had been handed, nor what its consumers had and had not acknowledged.
    pub(crate) fn drained(&mut self, process: Process, left: Vec<Destination>) {
        let Some(broker) = process.broker else { return };
        let left: BTreeSet<Destination> = left.into_iter().collect();
        let held = self.drains.begun.remove(&broker).unwrap_or_default();
        let is_mortal = |id: &MessageId| self.sent[id].body.headers.time_to_live.is_some();
        let owed = held.into_iter().filter(|(id, place)| !left.contains(place) && !is_mortal(id) && !is_grave(place));
        self.drains.owed.extend(owed);
        self.drains.left.insert(broker, left);
    }

    /// True for a broker that takes nothing more of clients.
    pub(super) fn is_leaving(&self, process: Process) -> bool {
        process
            .broker
            .is_some_and(|broker| self.drains.begun.contains_key(&broker) || self.drains.left.contains_key(&broker))
    }

    /// The queues whose messages a broker has taken with it, if it has handed over all others.
    pub(super) fn left_by(&self, broker: BrokerId) -> Option<BTreeSet<Destination>> {
        self.drains.left.get(&broker).cloned()
    }

    /// A process has crashed, and what it had with it.
    pub(super) fn drains_crashed(&mut self, process: Process) {
        match process.broker.and_then(|broker| self.drains.left.get(&broker)) {
            // What others had handed over to it may be among what it took with it.
            Some(left) => self.drains.owed.retain(|(_, place)| !left.contains(place)),
            None => self.drains.owed.clear(),
        }
    }

    pub(super) fn drains_purged(&mut self, queue: &Destination) {
        self.drains.owed.retain(|(_, place)| place != queue);
    }

    pub(super) fn drains_delivered(&mut self, piece: &Piece) {
        self.drains.owed.remove(piece);
    }

    /// Somebody at a peer whom a broker has told of a queue's messages: it is ready for it, and knows what is wanted there.
    pub(crate) fn wants(
        &self,
        at: Instant,
        process: Process,
        queue: &Destination,
        is_calm: bool,
        told_within: Duration,
    ) -> Option<ConsumerId> {
        let broker = process.broker?;
        let is_ready = |other: &Process| {
            let there = other.broker.and_then(|other| self.hosts[&process.host].up.get(&other));
            self.hosts[&other.host].role != Role::Client && there.is_some_and(|there| there.is_ready)
        };
        let wants = self.subscribers.iter().find(|(_, found)| {
            let is_told = is_calm && found.at + told_within <= at;
            found.is_open
                && found.is_confirmed
                && !found.wanted.browses
                && found.wanted.selector.is_none()
                && found.wanted.destination.first().matches(queue)
                && found.process.host != process.host
                && is_ready(&found.process)
                && self.may_pass(process.host, found.process.host, queue)
                && (is_told || self.must_reach(process.host, broker, found, queue))
        });
        wants.map(|(consumer, _)| *consumer)
    }

    /// What was handed over by who has left, and was not handed out since.
    pub(super) fn undrained(&self) -> Vec<String> {
        let is_there = |sent: &Sent, place: &Destination| {
            let mut copies = sent.copies.iter().filter(|copy| copy.place == *place);
            !copies.any(|copy| matches!(copy.fate, Fate::Acknowledged | Fate::Outstanding | Fate::Rejected))
        };
        let owed = self.drains.owed.iter().filter(|(id, place)| is_there(&self.sent[id], place));
        owed.map(|(id, place)| format!("{place} was handed over and has not handed out {}", self.describe(*id)))
            .collect()
    }

    /// True if a queue hands out nothing at a host.
    pub(crate) fn is_paused(&self, host: HostId, queue: &Destination) -> bool {
        self.paused_queues(host).contains(queue)
    }
}
