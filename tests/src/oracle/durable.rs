//! Durable subscriptions: what must reach whoever consumes from them next.

use std::collections::BTreeSet;

use flockmq_core::sim::HostId;
use flockmq_core::{AckKind, ConsumerId, Delivery, Durable, MessageId, Role, Subscription};

use super::{Oracle, Piece, Process, Sent};

/// A durable subscription at a host's present process.
#[derive(Debug)]
pub(super) struct Durably {
    wanted: Subscription,
    consumer: Option<ConsumerId>,
    /// What it must still hand out.
    owed: BTreeSet<MessageId>,
    /// What went back after somebody may have looked at it.
    returned: BTreeSet<MessageId>,
    /// What was acknowledged or rejected.
    done: BTreeSet<MessageId>,
}

/// What applications do.
impl Oracle {
    /// True if somebody consumes from a durable subscription.
    pub(crate) fn is_in_use(&self, host: HostId, durable: &Durable) -> bool {
        self.durables.get(&(host, durable.clone())).is_some_and(|found| found.consumer.is_some())
    }

    /// The durable subscriptions at a host that nobody consumes from.
    pub(crate) fn idle(&self, host: HostId) -> Vec<Subscription> {
        let idle = self.durables.iter().filter(|((at, _), found)| *at == host && found.consumer.is_none());
        idle.map(|(_, found)| found.wanted.clone()).collect()
    }

    pub(super) fn durable_subscribed(&mut self, process: Process, consumer: ConsumerId, wanted: &Subscription) {
        let Some(durable) = &wanted.durable else { return };
        let begun = Durably {
            wanted: wanted.clone(),
            consumer: None,
            owed: BTreeSet::new(),
            returned: BTreeSet::new(),
            done: BTreeSet::new(),
        };
        let key = (process.host, durable.clone());
        let mut found = self.durables.remove(&key).unwrap_or(begun);
        let goes_on =
            (found.wanted.destination.first(), found.wanted.no_local) == (wanted.destination.first(), wanted.no_local);
        if !goes_on {
            (found.owed, found.returned, found.done) = Default::default();
        }
        found.wanted = wanted.clone();
        assert_eq!(found.consumer.replace(consumer), None, "D3: {durable} of {} has two consumers", process.host);
        self.durables.insert(key, found);
    }

    /// It has no consumer any more; these were with it, and may have been looked at or not.
    pub(super) fn durable_left(&mut self, consumer: ConsumerId, left: &[(Piece, bool)]) {
        if let Some(found) = self.durable_of(consumer) {
            found.consumer = None;
            found.owed.extend(left.iter().map(|((id, _), _)| *id));
            found.returned.extend(left.iter().filter(|(_, seen)| *seen).map(|((id, _), _)| *id));
        }
    }

    /// D1: what is sent while it is there is for it.
    pub(super) fn durable_sent(&mut self, host: HostId, id: MessageId) {
        let sent = &self.sent[&id];
        if sent.fanned.is_none() && sent.body.headers.time_to_live.is_none() {
            for (_, found) in self.durables.iter_mut().filter(|((at, _), _)| *at == host) {
                if found.wanted.destination.first().matches(&sent.destination) && !found.wanted.no_local {
                    found.owed.insert(id);
                }
            }
        }
    }

    pub(super) fn durable_refused(&mut self, id: MessageId) {
        for found in self.durables.values_mut() {
            found.owed.remove(&id);
        }
    }

    pub(super) fn durable_answered(&mut self, consumer: ConsumerId, kind: AckKind, id: MessageId) {
        if let Some(found) = self.durable_of(consumer) {
            match kind {
                AckKind::Accepted | AckKind::Rejected => drop(found.done.insert(id)),
                AckKind::Released => {
                    found.owed.insert(id);
                    found.returned.insert(id);
                }
            }
        }
    }

    /// Durable subscriptions end with their process, and those that are deleted before.
    pub(crate) fn durables_ended(&mut self, host: HostId, only: Option<&Durable>) {
        self.durables.retain(|(at, durable), _| *at != host || only.is_some_and(|only| only != durable));
    }

    /// A broker has dropped messages, and counted them.
    pub(super) fn durables_forgiven(&mut self, host: HostId) {
        for (_, found) in self.durables.iter_mut().filter(|((at, _), _)| *at == host) {
            found.owed.clear();
        }
    }

    fn durable_of(&mut self, consumer: ConsumerId) -> Option<&mut Durably> {
        self.durables.values_mut().find(|found| found.consumer == Some(consumer))
    }
}

/// What applications hear.
impl Oracle {
    /// D2: what was done with does not come again; what went back says so.
    pub(super) fn check_durable(&mut self, process: Process, consumer: ConsumerId, delivery: &Delivery, what: &str) {
        let checks_duplicates = self.hosts[&process.host].checks_duplicates;
        let id = delivery.message.id;
        let Some(found) = self.durable_of(consumer) else { return };
        found.owed.remove(&id);
        assert!(!found.done.contains(&id) || !checks_duplicates, "D2: {what} was done with before");
        let is_marked = delivery.redeliveries > 0 || !found.returned.contains(&id) || !checks_duplicates;
        assert!(is_marked, "D2: {what} came unmarked, and had gone back");
    }
}

/// What is owed in the end.
impl Oracle {
    /// D1: what durable subscriptions were sent and have not handed out.
    pub(crate) fn undurable(&self) -> Vec<String> {
        let is_owed = |sent: &Sent| {
            matches!(sent.outcome, super::Outcome::Accepted { .. }) && self.hosts[&sent.host].role != Role::Client
        };
        let owed = self.durables.iter().flat_map(|(key, found)| found.owed.iter().map(move |id| (key, *id)));
        let owed = owed.filter(|(_, id)| is_owed(&self.sent[id]));
        owed.map(|((host, durable), id)| format!("D1: {durable} of {host} has not got {}", self.describe(id))).collect()
    }
}
