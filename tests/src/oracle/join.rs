//! Brokers of different groups that are joined by network connectors: what may cross from one to another.

use flockmq_core::sim::HostId;
use flockmq_core::{BrokerId, Config, Delivery, Destination, Permits, Role};

use super::{Host, Oracle, Process};

use crate::join::may_cross;
use crate::play::at_port;

/// A host's connectors to others.
#[derive(Debug)]
pub(super) struct Joins(Vec<(HostId, Permits)>);

impl Joins {
    pub(super) fn new(config: &Config) -> Self {
        let leads = |connector: &flockmq_core::ConnectorConfig| {
            let permits = connector.bridge.permits.clone();
            let led = (0..HOSTS_MAX).map(HostId).find(|host| connector.addresses.contains(&at_port(*host)));
            led.map(|host| (host, permits))
        };
        Self(config.connectors.iter().filter_map(leads).collect())
    }

    /// What its connector to another host lets cross.
    fn to(&self, host: HostId) -> Option<&Permits> {
        self.0.iter().find(|(to, _)| *to == host).map(|(_, permits)| permits)
    }
}

impl Oracle {
    /// True if one of two hosts has a connector to the other.
    fn are_joined(&self, a: HostId, b: HostId) -> bool {
        self.hosts[&a].joins.to(b).is_some() || self.hosts[&b].joins.to(a).is_some()
    }

    /// True if what both ends of a bridge between two hosts say lets messages of a destination cross.
    pub(super) fn may_pass(&self, a: HostId, b: HostId, destination: &Destination) -> bool {
        let permits = [self.hosts[&a].joins.to(b), self.hosts[&b].joins.to(a)];
        permits.into_iter().flatten().all(|permits| may_cross(permits, destination))
    }

    /// True once of a broker that a process has a connector to: a bridge that the other made gives way to its own.
    pub(super) fn gives_way(&mut self, host: HostId, local: BrokerId, broker: BrokerId) -> bool {
        let is_led = self.host_of(broker).is_some_and(|other| self.hosts[&host].joins.to(other).is_some());
        is_led && self.led.insert((local, broker))
    }

    /// True if a host forwards what is sent to a destination, whether or not anybody wants it.
    pub(super) fn forwards(&self, host: HostId, destination: &Destination) -> bool {
        let included = self.hosts[&host].joins.0.iter().flat_map(|(_, permits)| &permits.statically_included);
        included.into_iter().any(|included| included.matches(destination))
    }

    /// What others forward to a host whether or not anybody wants it there.
    pub(super) fn forwarded_to(&self, host: HostId) -> Vec<Destination> {
        let permits = self.hosts.values().filter_map(|known| known.joins.to(host));
        permits.flat_map(|permits| permits.statically_included.iter().cloned()).collect()
    }

    /// True if hosts of two groups are joined.
    pub(super) fn are_groups_joined(&self, a: &str, b: &str) -> bool {
        let is_between = |from: &str, to: &str| {
            let found = self.hosts.values().filter(|known| known.group == from);
            found.flat_map(|known| &known.joins.0).any(|(host, _)| self.hosts[host].group == to)
        };
        is_between(a, b) || is_between(b, a)
    }

    /// V5: a message crosses only between brokers that are bridged, and where the one that passes it on by its connector
    /// may do so. One that begins anew does not say where it has been.
    pub(super) fn check_joins(&self, process: Process, delivery: &Delivery, what: &str) {
        if self.hosts[&process.host].role == Role::Client {
            return;
        }
        let place = &delivery.message.destination;
        let brokers = delivery.message.path.brokers().iter().map(|broker| self.host_of(*broker));
        let hosts: Option<Vec<HostId>> = brokers.chain([Some(process.host)]).collect();
        for pair in hosts.iter().flat_map(|hosts| hosts.windows(2)) {
            let (from, to) = (pair[0], pair[1]);
            let [one, other] = [from, to].map(|host| &self.hosts[&host]);
            let are_members = (one.role, other.role) == (Role::Peer, Role::Peer) && one.group == other.group;
            assert!(are_members || self.are_joined(from, to), "V5: {what} has gone from {from} to {to}");
            let is_let = one.joins.to(to).is_none_or(|permits| may_cross(permits, place));
            assert!(is_let, "{what} has gone from {from} to {to}, and may not by that connector");
        }
    }

    /// B1: where the word of a consumer crosses one bridge only, what has come to a broker over others was wanted at each of
    /// them, or forwarded there whether or not it was.
    pub(super) fn check_word(&self, process: Process, delivery: &Delivery, what: &str) {
        let known = &self.hosts[&process.host];
        if known.role == Role::Client || known.demand_hops_max > 1 {
            return;
        }
        let place = &delivery.message.destination;
        for between in delivery.message.path.brokers().iter().skip(1).filter_map(|broker| self.host_of(*broker)) {
            // A client may have wanted it there.
            let is_there = |host: &HostId, known: &Host| *host == between || known.role == Role::Client;
            let wanted = self.hosts.iter().filter(|(host, known)| is_there(host, known));
            let is_wanted =
                wanted.into_iter().any(|(_, known)| known.ever_wanted.iter().any(|wanted| wanted.matches(place)));
            let is_forwarded = self.forwarded_to(between).iter().any(|included| included.matches(place));
            assert!(is_wanted || is_forwarded, "B1: {what} has crossed {between}, where nobody ever wanted it");
        }
    }

    fn host_of(&self, broker: BrokerId) -> Option<HostId> {
        let found = self.hosts.iter().find(|(_, known)| known.brokers.contains(&broker));
        found.map(|(host, _)| *host)
    }
}

/// No world has more hosts that are joined.
const HOSTS_MAX: u32 = 16;
