//! How a world and its nodes stand, as JSON.

use std::collections::BTreeMap;

use flockmq_core::sim::{HostId, World};
use flockmq_core::{
    BrokerId, Consumer, DestinationKind, DestinationStatus, Destinations, Dial, DialState, Node, Party, Role, Target,
    TargetState,
};
use serde_json::{Value, json};

use crate::agenda::millis;
use crate::target;

/// What a host is, whether it runs or not.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) group: String,
}

/// Who there is, who is linked to whom, and which paths are cut.
pub(crate) fn topology(world: &World, labels: &[Label], takes: &[Vec<String>]) -> Value {
    let ids = identities(world);
    let hosts: Vec<Value> = world.hosts().zip(takes).map(|(host, takes)| summary(world, host, labels, takes)).collect();
    let mut links = BTreeMap::new();
    for host in world.hosts() {
        let Some(node) = world.node(host) else { continue };
        for peer in node.peers() {
            if let Some(other) = ids.get(&peer.broker) {
                let pair = (host.min(*other), host.max(*other));
                // A link is ready when both of its ends say so.
                let link = links.entry(pair).or_insert(("bridge", 0));
                link.1 += u32::from(peer.is_ready);
            }
        }
        for target in node.targets() {
            if let TargetState::Up { broker, .. } = target.state
                && let Some(other) = ids.get(&broker)
            {
                links.insert((host, *other), ("client", 2));
            }
        }
    }
    let links: Vec<Value> = links
        .into_iter()
        .map(|((a, b), (kind, ready))| json!({ "a": name(labels, a), "b": name(labels, b), "kind": kind, "isReady": ready == 2 }))
        .collect();
    let pairs = world.hosts().flat_map(|from| world.hosts().map(move |to| (from, to)));
    let cuts: Vec<Value> = pairs
        .filter(|(from, to)| world.is_cut(*from, *to))
        .map(|(from, to)| json!({ "from": name(labels, from), "to": name(labels, to) }))
        .collect();
    json!({ "hosts": hosts, "links": links, "cuts": cuts })
}

/// One node, in all that there is to see of it; `takes` is what its application does.
pub(crate) fn node(world: &World, host: HostId, labels: &[Label], takes: &[String]) -> Value {
    let mut value = summary(world, host, labels, takes);
    let Some(node) = world.node(host) else { return value };
    let ids = identities(world);
    let called =
        |broker: BrokerId| ids.get(&broker).map_or_else(|| broker.to_string(), |host| name(labels, *host).to_owned());
    let stats = node.stats();
    value["broker"] = json!(node.id().to_string());
    value["destinations"] = node.destinations().iter().map(destination).collect();
    let (demands, consumers): (Vec<Consumer>, Vec<Consumer>) =
        node.consumers().into_iter().partition(|consumer| matches!(consumer.by, Party::Peer(_)));
    value["consumers"] = consumers.iter().map(|found| consumer(found, called)).collect();
    value["demands"] = demands.iter().map(|found| consumer(found, called)).collect();
    value["dials"] = node.dials().iter().map(|found| dial(found, called)).collect();
    value["targets"] = node.targets().iter().map(|found| target_of(found, called)).collect();
    value["stats"] = json!({
        "accepted": stats.broker.accepted,
        "delivered": stats.broker.delivered,
        "acknowledged": stats.broker.acknowledged,
        "duplicates": stats.broker.duplicates,
        "dropped": stats.broker.dropped,
        "expired": stats.broker.expired,
        "deadLettered": stats.broker.dead_lettered,
        "queued": stats.broker.queued,
        "parked": stats.broker.parked,
        "outstanding": stats.broker.outstanding,
        "services": stats.services,
        "links": stats.links,
        "peers": stats.peers,
        "clients": stats.clients,
        "targets": stats.targets,
        "unsettledBytes": stats.unsettled_bytes,
        "laggingBytes": stats.lagging_bytes,
        "networkBytes": stats.waiting_bytes,
    });
    value
}

/// How many of queues' messages brokers hold that run, handed out ones included.
pub(crate) fn held(world: &World) -> u64 {
    let nodes = world.hosts().filter_map(|host| world.node(host));
    nodes.map(|node| node.stats().broker).map(|stats| stats.queued + stats.outstanding_queued + stats.parked).sum()
}

fn summary(world: &World, host: HostId, labels: &[Label], takes: &[String]) -> Value {
    let (node, label) = (world.node(host), label(labels, host));
    let counts = node.map(|node| node.stats().broker).unwrap_or_default();
    let state = match node {
        None => "down",
        Some(_) if world.is_paused(host) => "paused",
        Some(_) => "up",
    };
    json!({
        "name": label.name,
        "kind": role(label.role),
        "group": label.group,
        "address": host.ip().to_string(),
        "state": state,
        "takes": takes,
        "starts": world.incarnation(host) + 1,
        "held": counts.queued + counts.outstanding_queued + counts.parked,
    })
}

fn identities(world: &World) -> BTreeMap<BrokerId, HostId> {
    world.hosts().filter_map(|host| Some((world.node(host).map(Node::id)?, host))).collect()
}

fn label(labels: &[Label], host: HostId) -> &Label {
    &labels[usize::try_from(host.0).expect("hosts are few")]
}

fn name(labels: &[Label], host: HostId) -> &str {
    &label(labels, host).name
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Broker => "broker",
        Role::Client => "client",
        Role::Peer => "peer",
    }
}

fn destination(status: &DestinationStatus) -> Value {
    let is_queue = status.name.kind() == DestinationKind::Queue;
    json!({
        "name": status.name.to_string(),
        "kind": if is_queue { "queue" } else { "topic" },
        "depth": status.depth + status.delayed,
        "parked": status.parked,
        "outstanding": status.outstanding,
        "consumers": status.consumers,
        "producers": status.producers,
        "enqueued": status.enqueued,
        "dequeued": status.dequeued,
        "dispatched": status.dispatched,
        "dropped": status.dropped,
    })
}

fn consumer(consumer: &Consumer, called: impl Fn(BrokerId) -> String) -> Value {
    let by = match consumer.by {
        Party::Application(_) => None,
        Party::Client(id) | Party::Peer(id) => Some(called(id)),
    };
    json!({
        "by": by,
        "destination": text(&consumer.destination),
        "hops": consumer.hops,
        "outstanding": consumer.outstanding,
        "waitingBytes": consumer.waiting_bytes,
    })
}

fn text(destinations: &Destinations) -> String {
    destinations.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn dial(dial: &Dial, called: impl Fn(BrokerId) -> String) -> Value {
    let (state, at, met) = match dial.state {
        DialState::Connecting => ("Connecting", None, None),
        DialState::GivenUp => ("GivenUp", None, None),
        DialState::Met(broker) => ("Met", None, Some(called(broker))),
        DialState::Waiting(until) => ("Waiting", Some(millis(until)), None),
    };
    json!({ "address": dial.address.to_string(), "state": state, "at": at, "met": met, "failures": dial.failures })
}

fn target_of(found: &Target, called: impl Fn(BrokerId) -> String) -> Value {
    let mut value = target::to_json(found);
    if let TargetState::Up { broker, .. } = &found.state {
        value["host"] = json!(called(*broker));
    }
    value
}
