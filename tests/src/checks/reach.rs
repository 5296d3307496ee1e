//! Who is whose neighbour when all is well, and whom messages reach.

use std::collections::BTreeSet;

use flockmq_core::sim::HostId;
use flockmq_core::{ConnectorConfig, Destination, Role};

use crate::join::may_cross;
use crate::play::at_port;
use crate::stage::Stage;

/// True if a client fans out to this host, once both are up.
pub(super) fn is_target(stage: &Stage, client: HostId, host: HostId) -> bool {
    let (client, found) = (stage.config(client), stage.config(host));
    let is_known = match client.multicast {
        None => client.peers.contains(&at_port(host)),
        Some(_) => client.group == found.group,
    };
    is_known && found.role != Role::Client
}

/// True unless a client has too few brokers.
pub(super) fn is_served(stage: &Stage, host: HostId) -> bool {
    let config = stage.config(host);
    let brokers = stage.hosts().into_iter().filter(|other| is_target(stage, host, *other)).count();
    config.role != Role::Client || brokers >= config.fanout.acks_min as usize
}

/// T1: a peer's message reaches all peers, and those whom they are joined with, as far as it may go; that of a broker which
/// stands alone itself only, and those; a client's reaches its targets, and from there whom theirs reach; and clients hear
/// what reaches their targets.
pub(super) fn reaches(stage: &Stage, sender: HostId, other: HostId, to: &Destination) -> bool {
    match [sender, other].map(|host| stage.config(host).role) {
        [Role::Broker | Role::Peer, Role::Broker | Role::Peer] => {
            let next = |host| [members(stage, host), crossable(stage, host, to)].concat();
            let reached = spread(stage, sender, next);
            let is_near = || sender == other || next(sender).contains(&other);
            reached.contains(&other) && (is_near() || !goes_round(stage, &reached, to))
        }
        [Role::Client, _] => {
            let targets = stage.hosts().into_iter().filter(|host| is_target(stage, sender, *host));
            targets.into_iter().any(|target| reaches(stage, target, other, to))
        }
        [_, Role::Client] => {
            let mut targets = stage.hosts().into_iter().filter(|host| is_target(stage, other, *host));
            is_served(stage, other) && targets.any(|target| reaches(stage, sender, target, to))
        }
    }
}

/// True if some of these hosts are joined by a bridge that messages of a destination may not cross. A way round it may not be
/// known: what is wanted is told by its shortest path, and that may lead over the bridge.
fn goes_round(stage: &Stage, hosts: &BTreeSet<HostId>, to: &Destination) -> bool {
    let is_barred = |host: &HostId| {
        let open = crossable(stage, *host, to);
        joined(stage, *host).iter().any(|other| hosts.contains(other) && !open.contains(other))
    };
    hosts.iter().any(is_barred)
}

/// Whom a message comes to that goes from each host to the next of it, as often as it may, and from
/// where it is known to be wanted.
pub(super) fn spread(stage: &Stage, sender: HostId, next: impl Fn(HostId) -> Vec<HostId>) -> BTreeSet<HostId> {
    let mut reached = BTreeSet::from([sender]);
    let bridge = &stage.config(sender).bridge;
    for _ in 0..bridge.message_hops_max.min(bridge.demand_hops_max) {
        let further = reached.iter().flat_map(|host| next(*host));
        reached = further.chain(reached.iter().copied()).collect();
    }
    reached
}

/// The hosts that a host has links to, if all is well.
pub(super) fn neighbours(stage: &Stage, host: HostId) -> Vec<HostId> {
    let mut neighbours = [members(stage, host), joined(stage, host)].concat();
    neighbours.sort_unstable();
    neighbours.dedup(); // A connector may lead to a member of its group.
    neighbours
}

/// The peers of its group that a peer has links to.
pub(super) fn members(stage: &Stage, host: HostId) -> Vec<HostId> {
    let is_peer = |host: HostId| stage.config(host).role == Role::Peer;
    let is_member = |other: &HostId| {
        *other != host
            && is_peer(host)
            && is_peer(*other)
            && stage.config(*other).group == stage.config(host).group
            && !stage.is_walled_off(host, *other)
    };
    stage.hosts().into_iter().filter(is_member).collect()
}

/// Those that a network connector joins it with.
pub(super) fn joined(stage: &Stage, host: HostId) -> Vec<HostId> {
    let others = stage.hosts().into_iter();
    others.filter(|other| connectors(stage, host, *other).next().is_some()).collect()
}

/// Those of them to whom messages of a destination may cross, by what both ends say.
fn crossable(stage: &Stage, host: HostId, to: &Destination) -> Vec<HostId> {
    let mut joined = joined(stage, host);
    joined.retain(|other| connectors(stage, host, *other).all(|connector| may_cross(&connector.bridge.permits, to)));
    joined
}

fn connectors(stage: &Stage, a: HostId, b: HostId) -> impl Iterator<Item = &ConnectorConfig> {
    let of = |from: HostId, to: HostId| {
        let connectors = stage.config(from).connectors.iter();
        connectors.filter(move |connector| connector.addresses.contains(&at_port(to)))
    };
    of(a, b).chain(of(b, a))
}
