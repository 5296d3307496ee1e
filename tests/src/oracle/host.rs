//! Hosts: who is linked to whom, who has found whom, and what that allows.

use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::{Address, BrokerId, CloseReason, Destination, Event, Host as Place, Instant, Role, Service};

use super::fan::{Fan, Fanned};
use super::{Oracle, Process, Sent, Subscriber, Up, is_of};

/// What is known of hosts.
impl Oracle {
    /// A host dials.
    pub(crate) fn dialled(&mut self, at: Instant, host: HostId, address: Address) {
        let is_contested = self.is_contested(host, &address);
        if let Some(known) = self.hosts.get_mut(&host) {
            if is_contested {
                known.dials.checked(at, address);
            } else {
                known.dials.dialled(at, host, address);
            }
        }
    }

    /// A peer that a connector leads to listens where the process before it did: whoever hears of a newcomer there dials it,
    /// however lately it had dialled the other.
    pub(super) fn place_vacated(&mut self, host: HostId) {
        if self.hosts[&host].has_place {
            for known in self.hosts.values_mut() {
                known.dials.forget_host(&Place::Ip(host.ip().into()));
            }
        }
    }

    /// True if a host has a link to a process that was where another is now: who is there is looked for at once.
    fn is_contested(&self, host: HostId, address: &Address) -> bool {
        let at = |host: HostId| Place::Ip(host.ip().into());
        let there = self.hosts.iter().find(|(other, _)| address.host == at(**other)).map(|(_, there)| there);
        let Some((known, there)) = self.hosts.get(&host).zip(there) else { return false };
        known.up.keys().any(|broker| there.brokers.contains(broker) && there.present != Some(*broker))
    }

    /// V8: however much is heard, an advert goes out so often and no oftener.
    pub(crate) fn announced(&mut self, at: Instant, host: HostId, advert: Vec<u8>) {
        if let Some(known) = self.hosts.get_mut(&host)
            && let Some(before) = known.announced.insert(advert, at)
        {
            assert!(at - before >= ADVERT_GAP, "V8: {host} has announced itself at {before}, and does at {at}");
        }
    }

    /// True if a host has found a service of another host, and not lost it.
    pub(crate) fn has_found(&self, host: HostId, other: HostId) -> bool {
        self.hosts[&host].found.iter().any(|service| is_of(service, other))
    }

    /// The services that a host has found, and not lost.
    pub(crate) fn found(&self, host: HostId) -> impl Iterator<Item = &Service> {
        self.hosts[&host].found.iter()
    }

    /// True if a broker has a link to this client, and knows it for one.
    pub(crate) fn serves(&self, broker: BrokerId, client: BrokerId) -> bool {
        let found = self.hosts.values().find(|known| known.present == Some(broker));
        found.is_some_and(|known| known.clients.get(&client).is_some_and(|links| *links > 0))
    }

    /// True if somebody may have forged adverts.
    pub(crate) fn has_strangers(&self) -> bool {
        self.has_strangers
    }

    /// True if a host has lost no link to a client so far, and all clients live.
    pub(crate) fn has_kept_clients(&self, host: HostId) -> bool {
        self.hosts[&host].has_kept_clients
    }

    /// How many messages of its own application a broker has accepted.
    pub(crate) fn accepted_by(&self, broker: BrokerId) -> u64 {
        self.hosts.values().filter(|known| known.present == Some(broker)).map(|known| known.accepted).sum()
    }

    /// A process or its machine stands still from now on.
    pub(crate) fn paused(&mut self, at: Instant, host: HostId) {
        self.host(host).paused_at = at;
    }

    /// It goes on.
    pub(crate) fn resumed(&mut self, at: Instant, host: HostId) {
        self.host(host).resumed_at = at;
    }

    pub(crate) fn noticed(&mut self, at: Instant, process: Process, event: &Event) {
        let host = process.host;
        let is_ours = matches!(event, Event::PeerLost { broker, .. } if self.is_ours(*broker));
        let known = self.hosts.get_mut(&host).expect("a host of this world");
        known.brokers.extend(process.broker);
        known.present = process.broker;
        match event {
            Event::PeerLost { broker, reason, .. } => {
                assert!(is_fair(reason) || !is_ours, "{host} and {broker}, of ours both, part because {reason}");
                let up = known.up.remove(broker).unwrap_or_else(|| panic!("{host} lost {broker}, which was not up"));
                known.parted.insert(*broker, at);
                known.dials.lost(at, up.since);
                if *reason == CloseReason::Replaced {
                    self.check_replaced(process, *broker, up);
                }
                self.failed(at);
                self.forgive_between(host, *broker);
            }
            Event::PeerReady { broker, .. } => {
                let ready = known.up.get_mut(broker);
                let ready = ready.unwrap_or_else(|| panic!("{host} is ready for {broker}, which is not up"));
                assert!(!std::mem::replace(&mut ready.is_ready, true), "{host} is ready for {broker} twice");
            }
            Event::PeerUp { broker, .. } => {
                assert!(!known.up.contains_key(broker), "{host} has {broker} up twice");
                assert_ne!(process.broker, Some(*broker), "{host} is its own peer");
                let has_stood = at <= known.resumed_at + HANDSHAKE;
                let earliest = if has_stood { known.paused_at.min(at) } else { at };
                known.up.insert(*broker, Up { since: at, earliest, is_ready: false });
            }
            Event::ClientLost { client, reason, .. } => {
                let links = known.clients.get_mut(client).filter(|links| **links > 0);
                *links.unwrap_or_else(|| panic!("{host} lost client {client}, which was not up")) -= 1;
                known.has_kept_clients = false;
                let is_ours = self.is_ours(*client);
                assert!(is_fair(reason) || !is_ours, "{host} and {client}, of ours both, part because {reason}");
                self.failed(at);
            }
            Event::ClientUp { client, .. } => {
                *known.clients.entry(*client).or_default() += 1;
                assert!(!self.is_leaving(process), "{host} serves {client}, and is about to leave");
            }
            Event::TargetFound { .. }
            | Event::TargetGivenUp { .. }
            | Event::TargetLost { .. }
            | Event::Targets { .. }
            | Event::TargetUp { .. } => self.fan_noticed(at, host, event),
            Event::ServiceFound { service } => {
                assert!(known.found.insert(service.clone()), "{host} found {service} twice");
            }
            Event::ServiceLost { service } => {
                assert!(known.found.remove(service), "{host} lost {service}, which it had not found");
                known.dials.forget(service);
            }
            _ => (),
        }
    }
}

/// What that means for messages.
impl Oracle {
    /// True if a topic's message that `broker`, on `host`, sends now must reach a subscriber: one of its own, or one of a
    /// peer for which it is ready, and who had it already when it began to tell its demand.
    pub(super) fn must_reach(&self, host: HostId, broker: BrokerId, subscriber: &Subscriber, to: &Destination) -> bool {
        if !subscriber.is_open || self.hosts[&subscriber.process.host].role == Role::Client {
            return false;
        }
        let Process { host: other, broker: other_broker, .. } = subscriber.process;
        let there = other_broker.and_then(|broker| self.hosts[&host].up.get(&broker));
        let back = self.hosts[&other].up.get(&broker);
        let is_told = back.is_some_and(|back| subscriber.at <= back.since);
        let may_pass = self.may_pass(host, other, to);
        other == host || (is_told && may_pass && there.is_some_and(|there| there.is_ready))
    }

    /// True for a broker that is a node of ours, and no puppet.
    pub(super) fn is_ours(&self, broker: BrokerId) -> bool {
        self.group_of(broker).is_some()
    }

    /// The group of a broker that is a node of ours.
    pub(super) fn group_of(&self, broker: BrokerId) -> Option<&str> {
        let found = self.hosts.values().find(|known| known.brokers.contains(&broker));
        found.map(|known| known.group.as_str())
    }

    /// V5: a message stays in its group. What a client sends is in those of whom it was sent to, and what it is given in
    /// those of whom it has met.
    pub(super) fn check_groups(&self, host: HostId, sent: &Sent, what: &str) {
        let [sender, receiver] = [sent.host, host].map(|host| &self.hosts[&host]);
        if sender.group == receiver.group || self.are_groups_joined(&sender.group, &receiver.group) {
            return; // Within its hops; where it may cross is another question.
        }
        let to = sent.fanned.iter().flat_map(Fanned::targets);
        let from = receiver.fan.iter().flat_map(Fan::met);
        let to: Vec<&str> = to.filter_map(|broker| self.group_of(broker)).chain([sender.group.as_str()]).collect();
        let mut from = from.filter_map(|broker| self.group_of(broker)).chain([receiver.group.as_str()]);
        assert!(from.any(|group| to.contains(&group)), "V5: {what} has crossed into another group");
    }

    fn forgive_between(&mut self, host: HostId, broker: BrokerId) {
        let (hosts, subscribers, sent) = (&self.hosts, &self.subscribers, &self.sent);
        let other = hosts.iter().find(|(_, known)| known.brokers.contains(&broker)).map(|(host, _)| *host);
        self.owed.retain(|(consumer, id)| {
            let (from, to) = (sent[id].host, subscribers[consumer].process.host);
            let is_between = |a, b| a == host && other.is_none_or(|other| other == b);
            from == to || !(is_between(from, to) || is_between(to, from))
        });
    }

    /// B4: a link gives way to another only if the other end had lost it, so a working one never does, but for one that the
    /// other end made before one's own connector had led there: it has other options than it should.
    fn check_replaced(&mut self, process: Process, broker: BrokerId, up: Up) {
        let Some(local) = process.broker else { return };
        let Some(other) = self.hosts.values().find(|known| known.present == Some(broker)) else { return };
        let is_up = other.up.contains_key(&local);
        let has_parted = other.parted.get(&local).is_some_and(|parted| *parted + HANDSHAKE >= up.earliest);
        let is_fair = has_parted || !is_up || self.gives_way(process.host, local, broker);
        assert!(is_fair, "B4: {} replaces its link to {broker}, which works", process.host);
    }
}

/// Whether two nodes that keep to the protocol may part for this reason.
pub(super) fn is_fair(reason: &CloseReason) -> bool {
    match reason {
        CloseReason::FrameTooLong { .. }
        | CloseReason::GroupMismatch { .. }
        | CloseReason::Malformed(_)
        | CloseReason::OpenWire
        | CloseReason::VersionMismatch { .. } => false,
        CloseReason::Refused(why) => {
            // What the other end says of its own reason.
            let fair =
                [CloseReason::HandshakeTimeout, CloseReason::Silent, CloseReason::SyncTimeout, CloseReason::Unwanted];
            fair.iter().any(|fair| fair.to_string() == *why)
        }
        _ => true,
    }
}

/// By how much one end of a link may see it come up later than the other.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How long lies between two adverts at least: a period, by a clock that may run too fast.
const ADVERT_GAP: Duration = Duration::from_millis(499);
