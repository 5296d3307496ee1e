//! Queues' messages follow their consumers, wherever those go.

use std::time::Duration;

use flockmq_core::{Body, Config};
use flockmq_tests::{Acking, HostId, Stage};

/// Hosts in a line, whose messages and demand cross as many bridges as it takes.
fn line(stage: &mut Stage, count: u32) -> Vec<HostId> {
    let config = |number: u32| {
        let mut config = Config::peer("flock", format!("peer-{number}"));
        (config.bridge.message_hops_max, config.bridge.demand_hops_max) = (count - 1, count - 1);
        config
    };
    let hosts: Vec<HostId> = (0..count).map(|number| stage.host(config(number))).collect();
    for (place, host) in hosts.iter().enumerate() {
        for other in hosts.iter().skip(place + 2) {
            stage.wall_off(*host, *other);
        }
    }
    stage.run_for(LINKED);
    hosts
}

fn texts(count: usize) -> Vec<String> {
    (1..=count).map(|number| format!("m{number}")).collect()
}

#[test]
fn what_went_to_a_peer_follows_its_consumer_to_a_third_and_back_to_where_it_came_from() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    let first = stage.subscribe_with(hosts[1], QUEUE, Acking::Manual, Some(3));
    stage.run_for(A_MOMENT);
    stage.send_all(hosts[0], QUEUE, texts(10));
    stage.run_for(A_MOMENT);
    assert_eq!(stage.stats(hosts[1]).broker.queued, 7, "all went to where the consumer is");
    stage.unsubscribe(first);
    let second = stage.subscribe_with(hosts[2], QUEUE, Acking::Manual, Some(3));
    stage.run_for(A_MOMENT);
    assert_eq!([0, 1, 2].map(|host| stage.stats(hosts[host]).broker.queued), [0, 0, 7]);
    assert_eq!(stage.bodies(second), texts(3));
    stage.unsubscribe(second);
    let third = stage.subscribe(hosts[0], QUEUE);
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(third), texts(10), "in order");
    assert_eq!(hosts.iter().map(|host| stage.stats(*host).broker.queued).sum::<u64>(), 0);
}

#[test]
fn in_a_line_what_is_at_one_end_comes_back_to_the_other() {
    let mut stage = Stage::new(1);
    let hosts = line(&mut stage, 4);
    let far = stage.subscribe_with(hosts[3], QUEUE, Acking::Manual, Some(1));
    stage.run_for(A_MOMENT);
    stage.send_all(hosts[0], QUEUE, texts(10));
    stage.run_for(A_MOMENT);
    assert_eq!(stage.stats(hosts[3]).broker.queued, 9);
    stage.unsubscribe(far);
    let near = stage.subscribe(hosts[0], QUEUE);
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(near), texts(10));
}

/// A consumer comes and goes at every host in turn, again and again: what it never takes is always where it is.
#[test]
fn however_often_a_consumer_moves_all_is_where_it_is() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    stage.send_all(hosts[0], QUEUE, texts(20));
    for round in 0..30 {
        let host = hosts[round * 2 % 3];
        let consumer = stage.subscribe_with(host, QUEUE, Acking::Manual, Some(1));
        stage.run_for(A_MOMENT);
        assert_eq!(stage.stats(host).broker.queued, 19, "in round {round}");
        stage.unsubscribe_seen(consumer, 0);
    }
    let last = stage.subscribe(hosts[1], QUEUE);
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(last), texts(20));
}

#[test]
fn what_came_over_a_link_that_died_since_goes_back_over_the_next_one() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let first = stage.subscribe_with(hosts[1], QUEUE, Acking::Manual, Some(1));
    stage.run_for(A_MOMENT);
    stage.send_all(hosts[0], QUEUE, texts(10));
    stage.run_for(A_MOMENT);
    stage.world().cut(hosts[0], hosts[1]);
    stage.unsubscribe(first);
    let second = stage.subscribe(hosts[0], QUEUE);
    let is_parted = |stage: &mut Stage| hosts.iter().all(|host| stage.peers(*host).is_empty());
    assert!(stage.run_until(Duration::from_mins(1), is_parted), "the link is found dead");
    stage.heal();
    assert!(stage.run_until(Duration::from_mins(1), |stage| stage.bodies(second).len() == 10), "all of it comes back");
}

/// Found by seed 4047460537: each waited for the other's room for ever, though both had consumers with credit.
#[test]
fn two_peers_with_a_group_each_of_the_others_do_not_wait_for_each_other() {
    let mut stage = Stage::new(1);
    let config = |name: &str| {
        let mut config = Config::peer("flock", name);
        (config.broker.queue_bytes_max, config.bridge.window) = (1, 1);
        config
    };
    let hosts = ["a", "b"].map(|name| stage.host(config(name)));
    stage.run_for(LINKED);
    // Each sends a group's first when only the other's consumer has credit, so that the group is the other's.
    let b = stage.subscribe_with(hosts[1], QUEUE, Acking::Manual, Some(1));
    stage.run_for(A_MOMENT);
    stage.send_bodies(hosts[0], QUEUE, vec![grouped(0, 0)]);
    stage.run_for(A_MOMENT);
    let a = stage.subscribe(hosts[0], QUEUE);
    stage.run_for(A_MOMENT);
    stage.send_bodies(hosts[1], QUEUE, vec![grouped(1, 0)]);
    stage.run_for(A_MOMENT);
    assert_eq!((stage.bodies(a), stage.bodies(b)), (vec!["1.0"], vec!["0.0"]));
    for (sender, host) in hosts.iter().enumerate() {
        stage.send_bodies(*host, QUEUE, (1..=10).map(|number| grouped(sender, number)).collect());
    }
    for _ in 0..11 {
        stage.run_for(A_MOMENT);
        let last = stage.received(b).last().expect("the first, at least").tag;
        stage.ack(b, last);
    }
    let numbers = |sender| (0..=10).map(|number| format!("{sender}.{number}")).collect::<Vec<_>>();
    assert_eq!(
        (stage.bodies(a).len(), stage.bodies(b).len()),
        (11, 11),
        "{:?}",
        hosts.map(|host| stage.stats(host).broker)
    );
    assert!(numbers(1) == stage.bodies(a) && numbers(0) == stage.bodies(b), "in order");
}

fn grouped(sender: usize, number: u32) -> Body {
    let mut body = Body::text(format!("{sender}.{number}"));
    body.headers.properties.set("JMSXGroupID", format!("of {sender}")).expect("room");
    body
}

const QUEUE: &str = "queue://orders";
const A_MOMENT: Duration = Duration::from_secs(5);
const LINKED: Duration = Duration::from_secs(5);
