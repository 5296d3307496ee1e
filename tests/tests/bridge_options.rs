//! What options of bridges do, at the end that dialled as at the end that was dialled: ActiveMQ's names are in docs/network.md.

use std::time::Duration;

use flockmq_core::{
    Address, BridgeConfig, Config, ConnectionId, ConnectorConfig, Destination, DestinationKind, Durable, Permits,
    Subscription,
};
use flockmq_core::{ConsumerId, Temporary};
use flockmq_tests::Group;

/// Two brokers, bridged by a network connector of the first to the second; one of the two has these options.
fn pair(whose: usize, options: &BridgeConfig) -> Group {
    let mut group = Group::new(0);
    let mut connector = ConnectorConfig::new([at("b")]);
    let mut dialled = Config::broker("g", "b");
    if whose == A {
        connector.bridge = options.clone();
    } else {
        dialled.bridge = options.clone();
    }
    group.add(Config { connectors: vec![connector], ..Config::broker("g", "a") });
    group.add(dialled);
    group.world.run_for(A_MOMENT);
    group
}

fn permitting(permits: Permits) -> BridgeConfig {
    BridgeConfig { permits, ..BridgeConfig::default() }
}

/// Whether messages for these cross from either end to the other, where they are wanted by these names.
fn cross(whose: usize, permits: &Permits, wanted: &str, sent: &str) -> [bool; 2] {
    [(A, B), (B, A)].map(|(from, to)| {
        let mut group = pair(whose, &permitting(permits.clone()));
        let consumer = group.subscribe(to, wanted);
        group.world.run_for(A_MOMENT);
        group.send(from, sent, &texts(3));
        group.world.run_for(A_MOMENT);
        group.listen();
        let received = group.received(&[consumer]).len();
        assert!(received == 0 || received == 3, "{received}");
        received > 0
    })
}

#[test]
fn what_is_excluded_crosses_in_neither_direction() {
    let permits = Permits { excluded: all(&["topic://a.>", "orders"]), ..Permits::default() };
    for whose in [A, B] {
        for (destination, crosses) in
            [("topic://a.b", false), ("orders", false), ("topic://b", true), ("orders.new", true)]
        {
            assert_eq!(cross(whose, &permits, destination, destination), [crosses; 2], "{destination}");
        }
    }
}

/// A pattern may cover what may not cross beside what may. Whoever has the option sends nothing of the former; the other end
/// does, since it was told that the pattern is wanted.
#[test]
fn what_a_pattern_wants_is_sent_but_for_what_the_sender_excludes() {
    let permits = Permits { excluded: all(&["topic://a.b"]), ..Permits::default() };
    for whose in [A, B] {
        assert_eq!(cross(whose, &permits, "topic://a.*", "topic://a.c"), [true; 2]);
        assert_eq!(
            cross(whose, &permits, "topic://a.*", "topic://a.b"),
            if whose == A { [false, true] } else { [true, false] }
        );
    }
    let permits = Permits { excluded: all(&["topic://a.>"]), ..Permits::default() };
    for whose in [A, B] {
        assert_eq!(
            cross(whose, &permits, "topic://a.*", "topic://a.b"),
            [false; 2],
            "a pattern that is excluded whole"
        );
    }
}

#[test]
fn where_something_is_dynamically_included_nothing_else_crosses() {
    let permits = Permits { dynamically_included: all(&["topic://a.>", "orders"]), ..Permits::default() };
    for whose in [A, B] {
        for (destination, crosses) in
            [("topic://a.b", true), ("orders", true), ("topic://b", false), ("orders.new", false)]
        {
            assert_eq!(cross(whose, &permits, destination, destination), [crosses; 2], "{destination}");
        }
    }
}

#[test]
fn what_is_statically_included_is_forwarded_unasked_and_the_rest_where_it_is_wanted() {
    let permits = Permits { statically_included: all(&["orders.>", "topic://log"]), ..Permits::default() };
    for (whose, other) in [(A, B), (B, A)] {
        let mut group = pair(whose, &permitting(permits.clone()));
        group.send(whose, "orders.new", &texts(5));
        group.send(whose, "bills", &texts(2));
        group.send(other, "orders.new", &texts(1));
        group.world.run_for(A_MOMENT);
        assert_eq!(waiting(&group, whose), [("queue://bills".to_owned(), 2)]);
        assert_eq!(waiting(&group, other), [("queue://orders.new".to_owned(), 6)], "and none came back");

        let consumer = group.subscribe(other, "bills");
        let unasked = group.subscribe(other, "orders.new");
        group.world.run_for(A_MOMENT);
        group.unsubscribe(other, unasked);
        group.world.run_for(A_MOMENT);
        group.send(whose, "orders.new", &texts(4));
        group.world.run_for(A_MOMENT);
        group.listen();
        assert_eq!(group.received(&[consumer]).len(), 2);
        assert_eq!(waiting(&group, other)[0].1, 10, "whoever wanted it there and left makes no difference");
        assert_eq!(waiting(&group, whose), []);
    }
}

/// Neither wants it, so it goes over once and stays there.
#[test]
fn what_two_brokers_include_statically_does_not_go_to_and_fro() {
    let permits = Permits { statically_included: all(&["orders"]), ..Permits::default() };
    let options = permitting(permits);
    let mut group = Group::new(0);
    let mut connector = ConnectorConfig::new([at("b")]);
    connector.bridge = options.clone();
    let a = Config { connectors: vec![connector], ..Config::broker("g", "a") };
    let b = Config { bridge: options, ..Config::broker("g", "b") };
    let hosts = [a, b].map(|config| group.add(config));
    group.world.run_for(A_MOMENT);
    group.send(A, "orders", &texts(3));
    group.world.run_for(A_MOMENT);
    assert_eq!(hosts.map(|host| group.stats(host).broker.queued), [0, 3]);
    assert_eq!(hosts.map(|host| group.stats(host).broker.accepted), [3, 3]);
}

#[test]
fn over_a_static_bridge_goes_what_is_statically_included_and_nothing_else() {
    let permits = Permits { statically_included: all(&["topic://log"]), is_static: true, ..Permits::default() };
    for whose in [A, B] {
        assert_eq!(cross(whose, &permits, "topic://log", "topic://log"), [true; 2]);
        assert_eq!(cross(whose, &permits, "topic://other", "topic://other"), [false; 2]);
        assert_eq!(cross(whose, &permits, "orders", "orders"), [false; 2]);
    }
}

#[test]
fn temporary_destinations_cross_unless_they_may_not() {
    for whose in [A, B] {
        for temporary in [true, false] {
            let mut group = pair(whose, &permitting(Permits { temporary, ..Permits::default() }));
            let broker = group.world.node(group.world.hosts().next().expect("a host")).expect("it runs").id();
            let name = Temporary { broker, connection: ConnectionId(1), number: 1 };
            let reply = Destination::temporary(DestinationKind::Queue, name).to_string();
            let consumer = group.subscribe(A, &reply);
            group.world.run_for(A_MOMENT);
            group.send(B, &reply, &texts(1));
            group.world.run_for(A_MOMENT);
            let told = group.world.node(group.world.hosts().next().expect("a host")).expect("it runs").stats();
            assert_eq!(told.broker.accepted, u64::from(temporary), "{consumer:?} of {whose}");
        }
    }
}

/// Of a queue's messages, how many each of a consumer here and one at the other end is given at first.
fn shared(options: &BridgeConfig) -> [usize; 2] {
    let mut group = pair(A, options);
    let consumers: [ConsumerId; 2] = [A, B].map(|place| group.subscribe(place, "orders"));
    group.world.run_for(A_MOMENT);
    group.send(A, "orders", &texts(100));
    group.world.run_for(A_MOMENT);
    group.listen();
    consumers.map(|consumer| group.received(&[consumer]).len())
}

#[test]
fn whose_consumers_come_first_is_as_the_priority_of_peers_says() {
    let options = |priority_base| BridgeConfig { priority_base, ..BridgeConfig::default() };
    assert_eq!(shared(&BridgeConfig::default()), [100, 0], "ours, as long as they have room");
    assert_eq!(shared(&options(Some(-127))), [100, 0]);
    assert_eq!(shared(&options(None)), [50, 50], "decreaseNetworkConsumerPriority=false");
    assert_eq!(shared(&options(Some(1))), [0, 100], "consumerPriorityBase=1");
}

/// How many of each three messages cross from one end to the other while a durable subscription there has a consumer, while
/// it has none, and when it has one again; and what that one is given in all, since nobody acknowledges any.
fn kept(whose: usize, dynamic_only: bool, from: usize, to: usize) -> ([u64; 3], usize) {
    let mut group = pair(whose, &BridgeConfig { dynamic_only, ..BridgeConfig::default() });
    let durable = Durable::new("me", "log").expect("a name");
    let asked = Subscription { durable: Some(durable), ..Subscription::new("topic://t".parse().expect("a topic")) };
    let (mut crossed, mut before, mut consumer) = ([0; 3], 0, None);
    for crossed in &mut crossed {
        match consumer.take() {
            None => consumer = Some(group.subscribe_as(to, asked.clone())),
            Some(consumer) => group.unsubscribe(to, consumer),
        }
        group.world.run_for(A_MOMENT);
        group.send(from, "topic://t", &texts(3));
        group.world.run_for(A_MOMENT);
        group.listen();
        let accepted = group.stats(to).broker.accepted;
        (*crossed, before) = (accepted - before, accepted);
    }
    (crossed, group.received(consumer.as_slice()).len())
}

#[test]
fn a_durable_subscription_without_a_consumer_counts_unless_only_those_do_that_have_one() {
    for whose in [A, B] {
        for (from, to) in [(A, B), (B, A)] {
            assert_eq!(kept(whose, false, from, to), ([3, 3, 3], 9));
            assert_eq!(kept(whose, true, from, to), ([3, 0, 3], 6), "dynamicOnly of {whose}, to {to}");
        }
    }
}

/// Brokers on the way pass it on that nobody takes the messages, so that only bridges with the option let them lie.
#[test]
fn a_durable_subscription_far_away_counts_on_the_bridges_that_let_it() {
    let mut group = Group::new(0);
    for (name, dynamic_only) in [("a", true), ("c", false)] {
        let mut connector = ConnectorConfig::new([at("b")]);
        (connector.bridge.message_hops_max, connector.bridge.demand_hops_max) = (2, 2);
        connector.bridge.dynamic_only = dynamic_only;
        group.add(Config { connectors: vec![connector], ..Config::broker("g", name) });
    }
    let mut middle = Config::broker("g", "b");
    (middle.bridge.message_hops_max, middle.bridge.demand_hops_max) = (2, 2);
    let middle = group.add(middle);
    group.world.run_for(A_MOMENT);
    let durable = Durable::new("me", "log").expect("a name");
    let asked = Subscription { durable: Some(durable), ..Subscription::new("topic://t".parse().expect("a topic")) };
    let sent = |group: &mut Group| {
        [0, middle].map(|from| {
            group.world.run_for(A_MOMENT);
            let before = group.stats(1).broker.accepted;
            group.send(from, "topic://t", &texts(3));
            group.world.run_for(A_MOMENT);
            group.stats(1).broker.accepted - before
        })
    };
    let consumer = group.subscribe_as(1, asked.clone());
    assert_eq!(sent(&mut group), [3, 3]);
    group.unsubscribe(1, consumer);
    assert_eq!(sent(&mut group), [0, 3], "the first bridge has the option, the second has not");
    group.world.reset(group.world.hosts().next().expect("a host"), group.world.hosts().nth(middle).expect("a host"));
    assert_eq!(sent(&mut group), [0, 3], "also when its link is another");
    let consumer = group.subscribe_as(1, asked);
    assert_eq!(sent(&mut group), [3, 3]);
    group.listen();
    assert_eq!(group.received(&[consumer]).len(), 18, "all but what the first did not send");
}

/// A line of three, whose middle has these limits, and what reaches the far end.
fn along(message_hops_max: u32, demand_hops_max: u32) -> (usize, u64) {
    let mut group = Group::new(0);
    for name in ["a", "c"] {
        group.add(Config { connectors: vec![ConnectorConfig::new([at("b")])], ..Config::broker("g", name) });
    }
    let mut middle = Config::broker("g", "b");
    (middle.bridge.message_hops_max, middle.bridge.demand_hops_max) = (message_hops_max, demand_hops_max);
    let middle = group.add(middle);
    group.world.run_for(A_MOMENT);
    let consumer = group.subscribe(1, "topic://t");
    group.world.run_for(A_MOMENT);
    group.send(0, "topic://t", &texts(3));
    group.world.run_for(A_MOMENT);
    group.listen();
    let host = group.world.hosts().nth(middle).expect("it was added");
    (group.received(&[consumer]).len(), group.world.node(host).expect("it runs").stats().broker.accepted)
}

#[test]
fn messages_and_the_word_of_consumers_have_limits_of_their_own() {
    assert_eq!(along(2, 2), (3, 3));
    assert_eq!(
        along(1, 2),
        (0, 0),
        "messageTTL: the middle says nothing of consumers that it may send nobody's messages"
    );
    assert_eq!(along(2, 1), (0, 0), "consumerTTL: nobody said that they are wanted");
}

fn waiting(group: &Group, place: usize) -> Vec<(String, usize)> {
    let host = group.world.hosts().nth(place).expect("it was added");
    let waiting = group.world.node(host).expect("it runs").waiting();
    waiting.into_iter().map(|(queue, count)| (queue.to_string(), count)).collect()
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

fn all(texts: &[&str]) -> Vec<Destination> {
    texts.iter().map(|text| text.parse().expect("a destination")).collect()
}

fn at(host: &str) -> Address {
    format!("tcp://{host}:40000").parse().expect("an address")
}

const A: usize = 0;
const B: usize = 1;
const A_MOMENT: Duration = Duration::from_secs(5);
