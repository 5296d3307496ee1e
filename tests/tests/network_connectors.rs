//! Network connectors bridge whom groups would not: other groups, and brokers that stand alone.

use std::collections::BTreeMap;
use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::{Address, CloseReason, Config, ConnectorConfig, Event, FanoutConfig};
use flockmq_tests::{Group, client};

/// Two groups on two segments: `e0`, `e1`, `e2` and `w0`, `w1`, `w2`. `e0` has a network connector to `w0`, and these two
/// let messages and demand cross so many brokers; the others one, as is the default.
fn joined(hops_max: u32) -> Group {
    let mut group = Group::new(0);
    for (segment, side) in ["e", "w"].into_iter().enumerate() {
        for number in 0..3 {
            let mut config = Config::peer(side, format!("{side}{number}"));
            if number == 0 {
                (config.bridge.message_hops_max, config.bridge.demand_hops_max) = (hops_max, hops_max);
                let mut connector = ConnectorConfig::new([at("w0")]);
                connector.bridge = config.bridge.clone();
                config.connectors.extend(Some(connector).filter(|_| side == "e"));
            }
            group.add(config);
            let host = group.world.hosts().last().expect("it was added");
            group.world.set_segments(host, &[u32::try_from(segment).expect("one of two")]);
        }
    }
    group.world.run_for(A_MOMENT);
    group
}

#[test]
fn one_chosen_broker_joins_two_groups() {
    let mut group = joined(3);
    for (place, peers) in [(E0, 3), (E1, 2), (E2, 2), (W0, 3), (W1, 2), (W2, 2)] {
        assert_eq!(peers_of(&group, place).len(), peers, "host {place}");
    }
    assert_eq!(peers_of(&group, E0)["w0"].as_deref(), Some("NC"));
    assert_eq!(peers_of(&group, W0)["e0"], None, "it did not dial");

    let queues = [group.subscribe(W2, "to.west"), group.subscribe(E2, "to.east")];
    let subscribers: Vec<_> = (E0..=W2).map(|place| group.subscribe(place, "topic://news")).collect();
    group.world.run_for(A_MOMENT);
    let (there, back, news) = (texts("there", 100), texts("back", 100), texts("news", 100));
    group.send(E1, "to.west", &there);
    group.send(W1, "to.east", &back);
    group.send(E2, "topic://news", &news);
    group.world.run_for(A_MOMENT);
    group.listen();
    assert_eq!(group.received(&queues[..1]), there);
    assert_eq!(group.received(&queues[1..]), back);
    for subscriber in subscribers {
        assert_eq!(group.received(&[subscriber]), news, "each once, whichever way they came");
    }
}

/// A message has crossed as many brokers as it has left behind: from `e1` to `w2` it is `e1`, `e0` and `w0`.
#[test]
fn how_far_it_goes_is_for_the_joining_brokers_to_say() {
    for (hops_max, reached) in [(1, [true, false, false]), (2, [true, true, false]), (3, [true; 3])] {
        let mut group = joined(hops_max);
        let consumers = [E0, W0, W2].map(|place| group.subscribe(place, "topic://news"));
        group.world.run_for(A_MOMENT);
        group.send(E1, "topic://news", &texts("news", 1));
        group.world.run_for(A_MOMENT);
        group.listen();
        assert_eq!(consumers.map(|consumer| group.received(&[consumer]).len() == 1), reached, "{hops_max} hops");
    }
}

#[test]
fn a_broker_that_stands_alone_is_a_peer_by_a_connector_and_still_serves_clients() {
    let mut group = Group::new(0);
    let hub = group.add(Config::broker("g", "hub"));
    let edges = ["edge0", "edge1"].map(|name| {
        group.add(Config { connectors: vec![ConnectorConfig::new([at("hub")])], ..Config::broker("g", name) })
    });
    let client = group.add(client("none", FanoutConfig { acks_min: 1, ..FanoutConfig::default() }));
    group.world.run_for(A_MOMENT);
    assert_eq!(peers_of(&group, hub).into_keys().collect::<Vec<_>>(), ["edge0", "edge1"]);
    assert_eq!(peers_of(&group, edges[0]).into_keys().collect::<Vec<_>>(), ["hub"], "its neighbour has no connector");
    assert_eq!(peers_of(&group, client).len(), 0);

    let consumer = group.subscribe(edges[1], "orders");
    group.world.run_for(A_MOMENT);
    group.send(hub, "orders", &texts("order", 10));
    group.world.run_for(A_MOMENT);
    group.listen();
    assert_eq!(group.received(&[consumer]), texts("order", 10));
}

#[test]
fn who_accepts_no_connectors_says_so_and_keeps_the_peers_it_has() {
    let mut group = Group::new(0);
    let closed = group.add(Config { accepts_connectors: false, ..Config::peer("g", "closed") });
    let member = group.add(Config::peer("g", "member"));
    let outside = Config { connectors: vec![ConnectorConfig::new([at("closed")])], ..Config::broker("", "outside") };
    let outside = group.add(outside);
    group.world.run_for(A_MOMENT);
    let refused = |group: &mut Group, place: usize| -> Vec<CloseReason> {
        let host = host(group, place);
        let events = group.world.events(host).into_iter();
        let refused = events.filter_map(|(_, event)| match event {
            Event::LinkRefused { reason, .. } => Some(reason),
            _ => None,
        });
        refused.collect()
    };
    let reasons = refused(&mut group, outside);
    let said = "this broker accepts no network connectors";
    assert!(matches!(&reasons[..], [CloseReason::Refused(why)] if why == said), "{reasons:?}, once for all attempts");
    assert_eq!(refused(&mut group, closed)[0], CloseReason::ConnectorRefused);
    assert_eq!(refused(&mut group, member), []);
    assert_eq!(peers_of(&group, closed).into_keys().collect::<Vec<_>>(), ["member"]);
}

/// Two brokers with a connector each to the other have one link, and each behaves on it as its own connector says, whichever
/// of the two dialled the link that is kept.
#[test]
fn connectors_to_one_another_make_one_link_and_keep_their_own_options() {
    for seed in 0..20 {
        let mut group = Group::with_seed(0, seed);
        for (name, other) in [("a", "b"), ("b", "a")] {
            let mut connector = ConnectorConfig::new([at(other)]);
            connector.name = format!("{name} to {other}");
            group.add(Config { connectors: vec![connector], ..Config::peer(name, name) });
        }
        group.world.run_for(A_MOMENT);
        for (place, other, name) in [(0, "b", "a to b"), (1, "a", "b to a")] {
            assert_eq!(peers_of(&group, place), [(other.to_owned(), Some(name.to_owned()))].into(), "seed {seed}");
            let host = host(&group, place);
            let ups =
                group.world.events(host).iter().filter(|(_, event)| matches!(event, Event::PeerUp { .. })).count();
            assert!(ups <= 2, "seed {seed}: it came up {ups} times");
            assert_eq!(group.world.node(host).expect("it runs").stats().links, 1, "seed {seed}");
        }
    }
}

#[test]
fn a_connector_to_a_member_of_ones_own_group_says_how_that_bridge_behaves() {
    for seed in 0..20 {
        let mut group = Group::with_seed(0, seed);
        group.add(Config::peer("g", "a"));
        group.add(Config { connectors: vec![ConnectorConfig::new([at("a")])], ..Config::peer("g", "b") });
        group.world.run_for(A_MOMENT);
        assert_eq!(peers_of(&group, 1), [("a".to_owned(), Some("NC".to_owned()))].into(), "seed {seed}");
        assert_eq!(peers_of(&group, 0), [("b".to_owned(), None)].into(), "seed {seed}");
    }
}

/// The peers of a host by name, with the connector of its own that leads to each; all of them are ready.
fn peers_of(group: &Group, place: usize) -> BTreeMap<String, Option<String>> {
    let peers = group.world.node(host(group, place)).expect("it runs").peers();
    assert!(peers.iter().all(|peer| peer.is_ready));
    peers.into_iter().map(|peer| (peer.name, peer.connector)).collect()
}

fn host(group: &Group, place: usize) -> HostId {
    group.world.hosts().nth(place).expect("it was added")
}

fn texts(word: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{word} {number}")).collect()
}

fn at(host: &str) -> Address {
    format!("tcp://{host}:40000").parse().expect("an address")
}

const E0: usize = 0;
const E1: usize = 1;
const E2: usize = 2;
const W0: usize = 3;
const W1: usize = 4;
const W2: usize = 5;
const A_MOMENT: Duration = Duration::from_secs(5);
