//! Whoever takes nothing costs the others nothing, and everybody no more memory than is allowed.

use std::time::Duration;

use flockmq_core::{Config, ConsumerId, Instant};
use flockmq_tests::{Acking, HostId, Stage};

/// What a quick subscriber gets, and when, is the same whether or not another one is frozen.
#[test]
fn a_frozen_peer_changes_nothing_for_the_others() {
    let run = |is_frozen: bool| {
        let mut stage = Stage::new(1);
        let hosts = stage.flock(3);
        let consumers: Vec<ConsumerId> = hosts.iter().map(|host| stage.subscribe(*host, "topic://t")).collect();
        stage.run_for(Duration::from_secs(1));
        if is_frozen {
            stage.pause(hosts[2]);
        }
        publish(&mut stage, hosts[0], "topic://t", 200, 1_000, Duration::from_millis(20));
        [consumers[0], consumers[1]].map(|consumer| heard(&stage, consumer))
    };
    let (with, without) = (run(true), run(false));
    assert_eq!(with[0], without[0], "a subscriber of the same broker");
    let bodies = |heard: &[(String, Instant)]| heard.iter().map(|(body, _)| body.clone()).collect::<Vec<_>>();
    assert_eq!(bodies(&with[1]), bodies(&without[1]), "a subscriber of another broker");
    for ((_, with), (_, without)) in with[1].iter().zip(&without[1]) {
        assert!(
            *with <= *without + Duration::from_millis(1),
            "later than by the network's chance: {with} and {without}"
        );
    }
}

/// Until its limit is reached a subscriber only costs memory; then publishers wait once for as long as it takes until it
/// counts as stalled, and its oldest messages are dropped and counted.
#[test]
fn a_subscriber_that_never_acknowledges_is_counted_out() {
    let mut stage = Stage::new(1);
    let hosts = ["a", "b"].map(|name| stage.host(small(name)));
    assert!(stage.run_until(Duration::from_secs(5), |stage| stage.is_linked(&hosts)));
    let stuck = stage.subscribe_with(hosts[1], "topic://t", Acking::Manual, Some(1));
    let quick = [stage.subscribe(hosts[0], "topic://t"), stage.subscribe(hosts[1], "topic://t")];
    stage.run_for(Duration::from_secs(1));
    publish(&mut stage, hosts[0], "topic://t", 500, 1_000, Duration::from_millis(10));
    stage.run_for(Duration::from_secs(5));
    for consumer in quick {
        assert_eq!(stage.received(consumer).len(), 500);
    }
    assert_eq!(stage.received(stuck).len(), 1);
    let dropped = stage.stats(hosts[1]).broker.dropped;
    assert!(dropped > 450, "{dropped} of 500 were dropped");
    assert_eq!(stage.stats(hosts[0]).broker.dropped, 0, "the bridge to it was never at fault");
    assert_eq!(stage.unanswered(hosts[0]), 0);
}

/// When the first is given up, what it held up fills the second, which has taken nothing for as long: one wake-up gives up
/// on both, and no other is asked for that is over already.
#[test]
fn two_that_never_acknowledge_are_given_up_in_one_step() {
    let mut stage = Stage::new(1);
    let host = stage.host(small("a"));
    for prefetch in [1, 2] {
        stage.subscribe_with(host, "topic://t", Acking::Manual, Some(prefetch));
    }
    let quick = stage.subscribe(host, "topic://t");
    stage.send_all(host, "topic://t", (0..32).map(|number| format!("{number:01000}")));
    stage.run_for(Duration::from_millis(900));
    assert!(stage.received(quick).len() < 32, "they are waited for");
    stage.run_for(Duration::from_millis(101));
    assert_eq!(stage.received(quick).len(), 32);
}

/// The peer is frozen for a minute. Its queue's messages go to others; those that it already had go back when its link
/// is given up.
#[test]
fn a_frozen_peer_holds_up_a_queue_for_no_longer_than_its_link() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    stage.subscribe(hosts[1], "queue://orders");
    let quick = stage.subscribe(hosts[2], "queue://orders");
    stage.run_for(Duration::from_secs(1));
    stage.pause(hosts[1]);
    stage.send_all(hosts[0], "queue://orders", (0..100).map(|number| number.to_string()));
    stage.run_for(Duration::from_secs(1));
    assert_eq!(stage.received(quick).len(), 50);
    stage.run_for(Duration::from_secs(35));
    assert_eq!(stage.received(quick).len(), 100);
    stage.resume(hosts[1]);
    stage.run_for(Duration::from_secs(10));
    assert!(stage.is_linked(&hosts));
}

/// Nobody takes anything: producers are held up, and what waits stays within the limits at either side.
#[test]
fn what_waits_is_bounded_on_every_broker() {
    let mut stage = Stage::new(1);
    let hosts = ["a", "b"].map(|name| stage.host(small(name)));
    assert!(stage.run_until(Duration::from_secs(5), |stage| stage.is_linked(&hosts)));
    stage.subscribe_with(hosts[1], "queue://orders", Acking::Manual, Some(1));
    stage.run_for(Duration::from_secs(1));
    publish(&mut stage, hosts[0], "queue://orders", 1_000, 1_000, Duration::from_millis(1));
    stage.run_for(Duration::from_secs(10));
    for host in hosts {
        let (stats, limit) = (stage.stats(host), stage.config(host).broker.queue_bytes_max);
        assert!(stats.broker.queued_bytes < limit + 2_000, "{host}: {stats:?}");
        let window = stage.config(host).broker.producer_window + u64::from(stage.config(host).bridge.prefetch);
        assert!(stats.broker.parked <= window, "{host}: {stats:?}");
        assert_eq!(stats.waiting_bytes, 0, "{host}");
    }
    assert!(stage.accepted(hosts[0], "queue://orders") < 100, "{}", stage.accepted(hosts[0], "queue://orders"));
}

/// A link that takes a few bytes a second holds up what goes over it, and nothing else.
#[test]
fn a_slow_link_changes_nothing_for_the_others() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    let consumers: Vec<ConsumerId> = hosts[1..].iter().map(|host| stage.subscribe(*host, "topic://t")).collect();
    stage.run_for(Duration::from_secs(1));
    stage.world().slow(hosts[2], Some(20_000));
    publish(&mut stage, hosts[0], "topic://t", 100, 10_000, Duration::from_millis(10));
    stage.run_for(Duration::from_millis(100));
    assert_eq!(stage.received(consumers[0]).len(), 100);
    let slow = stage.received(consumers[1]).len();
    assert!(slow < 100, "{slow}");
    stage.run_for(Duration::from_mins(1));
    assert_eq!(stage.received(consumers[1]).len(), 100, "in the end it gets everything too");
    assert!(stage.is_linked(&hosts));
}

/// What a consumer was given, and when.
fn heard(stage: &Stage, consumer: ConsumerId) -> Vec<(String, Instant)> {
    stage.received(consumer).iter().map(|received| (received.body.clone(), received.at)).collect()
}

fn publish(stage: &mut Stage, host: HostId, to: &str, count: usize, size: usize, pause: Duration) {
    for number in 0..count {
        stage.send(host, to, &format!("{number:0size$}"));
        stage.run_for(pause);
    }
}

/// A broker with little room.
fn small(name: &str) -> Config {
    let mut config = Config::peer("flock", name);
    config.broker.queue_bytes_max = 20_000;
    config.broker.topic_bytes_max = 20_000;
    config.broker.producer_window = 32;
    config.bridge.prefetch = 8;
    config
}
