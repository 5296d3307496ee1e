//! What networks of brokers are known to get wrong, and no other test shows that this one does not: see
//! `docs/known-problems.md`.

use std::time::Duration;

use flockmq_core::{Config, Durable, Subscription};
use flockmq_tests::{Acking, HostId, Stage, Topology};

/// AMQ-3694: signs of life and word of consumers wait for no credit, so no number of requests uses it up.
#[test]
fn requests_across_peers_are_answered_however_many() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    stage.subscribe_as(hosts[1], Subscription::new("queue://service".parse().expect("a queue")), Acking::Replying);
    let answers = stage.open_temporary(hosts[0]);
    stage.run_for(A_MOMENT);
    for number in 0..2_000 {
        stage.request(hosts[0], "queue://service", number.to_string());
        stage.run_for(Duration::from_millis(2));
    }
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(answers), (0..2_000).map(|number| format!("to {number}")).collect::<Vec<_>>());
}

/// The same, with a temporary queue for each.
#[test]
fn temporary_queues_come_and_go_across_peers_however_many() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    stage.subscribe_as(hosts[1], Subscription::new("queue://service".parse().expect("a queue")), Acking::Replying);
    for number in 0..1_000 {
        let answer = stage.open_temporary(hosts[0]);
        stage.run_for(Duration::from_millis(2));
        stage.request(hosts[0], "queue://service", number.to_string());
        stage.run_for(Duration::from_millis(3));
        assert_eq!(stage.bodies(answer), [format!("to {number}")]);
        stage.hang_up(hosts[0]);
    }
}

/// AMQ-9689, AMQ-5875: a durable subscription is wanted by its broker alone, also while it has no consumer and when links
/// come again; so there is nothing to pass round in a circle.
#[test]
fn durable_subscriptions_in_a_ring_get_each_message_once_and_are_forgotten_when_deleted() {
    let (mut stage, members) = ring(4);
    let audit = Durable::new("accounting", "audit").expect("a name");
    let wanted =
        Subscription { durable: Some(audit.clone()), ..Subscription::new("topic://orders".parse().expect("a topic")) };
    // The same name at two brokers is two subscriptions.
    let consumers = [0, 2].map(|place| stage.subscribe_as(members[place], wanted.clone(), Acking::Automatic));
    stage.run_for(A_MOMENT);
    send_from_all(&mut stage, &members, "while they take");
    for consumer in consumers {
        stage.unsubscribe(consumer);
    }
    stage.run_for(A_MOMENT);
    send_from_all(&mut stage, &members, "while nobody does");
    stage.world().reset(members[0], members[1]);
    stage.world().reset(members[2], members[3]);
    assert!(stage.run_until(A_WHILE, |stage| stage.is_linked(&members)));
    stage.run_for(A_MOMENT); // Who is ready knows what its neighbours want, and soon what is wanted beyond.
    send_from_all(&mut stage, &members, "when links are back");
    for consumer in consumers {
        stage.reopen(consumer);
    }
    stage.run_for(A_MOMENT);
    for consumer in consumers {
        assert_eq!(stage.received(consumer).len(), 3 * members.len());
        stage.unsubscribe(consumer);
    }
    stage.run_for(A_MOMENT);
    for place in [0, 2] {
        stage.remove_durable(members[place], &audit);
    }
    stage.run_for(A_MOMENT);
    let crossed = |stage: &Stage| members.iter().map(|host| stage.stats(*host).broker.delivered).sum::<u64>();
    let before = crossed(&stage);
    send_from_all(&mut stage, &members, "when it is deleted");
    assert_eq!(crossed(&stage), before, "nobody wants them any more");
}

/// #1864, #2228: however far it had got.
#[test]
fn a_link_that_fails_at_any_moment_of_its_handshake_is_made_again() {
    let mut stage = Stage::new(1);
    let hosts = ["a", "b"].map(|name| stage.peer("flock", name));
    for tenths in 0..15 {
        let streams = stage.world().counts().streams;
        let is_dialled = |stage: &mut Stage| stage.world().counts().streams > streams;
        assert!(stage.run_until(LONGEST_WAIT, is_dialled), "it is dialled again, {tenths}");
        stage.run_for(Duration::from_micros(tenths * 100));
        stage.world().reset(hosts[0], hosts[1]);
    }
    assert!(stage.run_until(LONGEST_WAIT, |stage| stage.is_linked(&hosts)), "{:?}", stage.notices(hosts[0]));
    let consumer = stage.subscribe(hosts[1], "queue://work");
    stage.send(hosts[0], "queue://work", "text");
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(consumer), ["text"]);
}

/// A durable subscription stays with the broker that it was made at; a queue's messages are to be had from any.
#[test]
fn who_moves_to_another_broker_leaves_a_durable_subscription_behind_but_no_virtual_topics_queue() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    let durable = Subscription {
        durable: Some(Durable::new("accounting", "audit").expect("a name")),
        ..Subscription::new("topic://VirtualTopic.orders".parse().expect("a topic"))
    };
    let queue = "queue://Consumer.accounting.VirtualTopic.orders";
    let first = stage.subscribe_as(hosts[0], durable.clone(), Acking::Automatic);
    let first_of_queue = stage.subscribe(hosts[0], queue);
    stage.run_for(A_MOMENT);
    stage.unsubscribe(first);
    stage.unsubscribe(first_of_queue);
    stage.run_for(A_MOMENT);
    stage.send(hosts[0], "topic://VirtualTopic.orders", "while away");
    stage.run_for(A_MOMENT);
    let moved = stage.subscribe_as(hosts[1], durable, Acking::Automatic);
    let moved_of_queue = stage.subscribe(hosts[1], queue);
    stage.run_for(A_MOMENT);
    assert_eq!((stage.bodies(moved), stage.bodies(moved_of_queue)), (vec![], vec!["while away"]));
    stage.reopen(first);
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(first), ["while away"], "it was kept where it was");
}

fn send_from_all(stage: &mut Stage, members: &[HostId], text: &str) {
    for host in members {
        stage.send(*host, "topic://orders", &format!("{text}, from {host}"));
    }
    stage.run_for(A_MOMENT);
}

/// Brokers each of which reaches two others, and whose messages may go all the way round.
fn ring(hosts: u8) -> (Stage, Vec<HostId>) {
    let mut stage = Stage::new(1);
    let members: Vec<HostId> = (0..hosts)
        .map(|place| {
            let mut config = Config::peer("flock", format!("b{place}"));
            (config.bridge.message_hops_max, config.bridge.demand_hops_max) = (hosts.into(), hosts.into());
            stage.host(config)
        })
        .collect();
    for (a, b) in Topology::ring(hosts).walls() {
        stage.wall_off(members[usize::from(a)], members[usize::from(b)]);
    }
    assert!(stage.run_until(A_WHILE, |stage| stage.is_linked(&members)));
    (stage, members)
}

const A_MOMENT: Duration = Duration::from_secs(1);

const A_WHILE: Duration = Duration::from_secs(10);

/// Half a minute between dials at most, and some more.
const LONGEST_WAIT: Duration = Duration::from_secs(40);
