//! Peers share a queue's messages by how many consumers they have, which costs little to tell.

use std::num::NonZeroU32;
use std::time::Duration;

use flockmq_core::wire::Frame;
use flockmq_core::{BrokerId, Config, ConsumerId, Demand, Destination, Path};
use flockmq_tests::{Puppet, Stage};

#[test]
fn three_consumers_on_one_peer_and_one_on_another_get_three_to_one() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    let consumers = [1, 1, 1, 2].map(|at| stage.subscribe(hosts[at], "queue://q"));
    stage.run_for(A_MOMENT);
    stage.send_all(hosts[0], "queue://q", texts(400));
    stage.run_for(A_MOMENT);
    let shares = consumers.map(|consumer| stage.received(consumer).len());
    assert!(shares.iter().all(|share| (99..=101).contains(share)), "{shares:?}");
}

#[test]
fn shares_follow_the_consumers_who_come_and_go() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    let mut consumers: Vec<ConsumerId> = [1, 2].map(|at| stage.subscribe(hosts[at], "queue://q")).into();
    let mut before = [0, 0];
    let mut share = |stage: &mut Stage| {
        stage.run_for(A_MOMENT);
        stage.send_all(hosts[0], "queue://q", texts(120));
        stage.run_for(A_MOMENT);
        let all = [1, 2].map(|at| stage.stats(hosts[at]).broker.accepted);
        let before = std::mem::replace(&mut before, all);
        (all[0] - before[0], all[1] - before[1])
    };
    assert_eq!(share(&mut stage), (60, 60));
    consumers.extend([0; 4].map(|_| stage.subscribe(hosts[1], "queue://q")));
    assert!(matches!(share(&mut stage), (99..=101, 19..=21)));
    for gone in &consumers[2..5] {
        stage.unsubscribe(*gone);
    }
    assert!(matches!(share(&mut stage), (79..=81, 39..=41)));
}

#[test]
fn each_peer_counts_as_one_if_that_is_wanted() {
    let mut stage = Stage::new(1);
    let hosts = ["sender", "b1", "b2"].map(|name| {
        let mut config = Config::peer("flock", name);
        config.bridge.conduit_subscriptions = true;
        stage.host(config)
    });
    assert!(stage.run_until(Duration::from_secs(10), |stage| stage.is_linked(&hosts)));
    let consumers = [1, 1, 1, 2].map(|at| stage.subscribe(hosts[at], "queue://q"));
    stage.run_for(A_MOMENT);
    stage.send_all(hosts[0], "queue://q", texts(120));
    stage.run_for(A_MOMENT);
    assert_eq!(consumers.map(|consumer| stage.received(consumer).len()), [20, 20, 20, 60]);
}

#[test]
fn a_peer_that_takes_nothing_keeps_nobody_from_the_rest() {
    let mut stage = Stage::new(1);
    let hosts = ["sender", "b1", "b2"].map(|name| {
        let mut config = Config::peer("flock", name);
        config.bridge.prefetch = 30;
        stage.host(config)
    });
    assert!(stage.run_until(Duration::from_secs(10), |stage| stage.is_linked(&hosts)));
    let consumers = [1, 1, 1, 2].map(|at| stage.subscribe(hosts[at], "queue://q"));
    stage.run_for(A_MOMENT);
    stage.pause(hosts[1]);
    for number in 0..40 {
        stage.send_all(hosts[0], "queue://q", (0..10).map(|place| format!("{number}.{place}")));
        stage.run_for(Duration::from_millis(20));
    }
    assert_eq!(stage.received(consumers[3]).len(), 400 - 30, "all but what is on its way to the other");
}

/// One consumer more or less is told by a frame of some seven bytes, and a topic's not at all.
#[test]
fn a_change_of_the_count_alone_is_told_by_a_small_frame() {
    let mut stage = Stage::new(1);
    let host = stage.peer("flock", "b");
    let mut puppet = Puppet::new(&mut stage, "puppet");
    stage.run_for(A_MOMENT);
    let link = puppet.befriend(&mut stage, host, BrokerId(u128::MAX), &[]);
    let mut told = 0;
    let mut hear = |stage: &mut Stage, puppet: &mut Puppet| {
        stage.run_for(A_MOMENT);
        let frames: Vec<Frame> = puppet.frames(stage, link).into_iter().filter(is_demand).collect();
        frames[std::mem::replace(&mut told, frames.len())..].to_vec()
    };
    let consumers = [0; 3].map(|_| stage.subscribe(host, "queue://q"));
    let begun = [demand(1, "queue://q", &[], 1), weight(1, 2), weight(1, 3)];
    assert_eq!(hear(&mut stage, &mut puppet), begun);
    let topics = [0; 3].map(|_| stage.subscribe(host, "topic://t"));
    assert_eq!(hear(&mut stage, &mut puppet), [demand(2, "topic://t", &[], 1)]);
    stage.unsubscribe(consumers[0]);
    stage.unsubscribe(topics[0]);
    assert_eq!(hear(&mut stage, &mut puppet), [weight(1, 2)]);
    for gone in consumers[1..].iter().chain(&topics[1..]) {
        stage.unsubscribe(*gone);
    }
    let ended = [weight(1, 1), Frame::Undemand { numbers: vec![1] }, Frame::Undemand { numbers: vec![2] }];
    assert_eq!(hear(&mut stage, &mut puppet), ended);
}

/// In a ring of four, where each is reached by two ways, a count comes as it is to whoever is told of it, and the telling
/// ends.
#[test]
fn counts_that_cross_several_brokers_neither_grow_nor_go_round() {
    let mut stage = Stage::new(1);
    let hosts = ["a", "b", "c", "d"].map(|name| {
        let mut config = Config::peer("flock", name);
        (config.bridge.message_hops_max, config.bridge.demand_hops_max) = (4, 4);
        stage.host(config)
    });
    for (one, other) in [(0, 2), (1, 3)] {
        stage.world().cut(hosts[one], hosts[other]);
    }
    let is_ring = |stage: &mut Stage| (0..4).all(|at| stage.is_linked(&[hosts[at], hosts[(at + 1) % 4]]));
    assert!(stage.run_until(Duration::from_secs(10), is_ring));
    let mut puppet = Puppet::new(&mut stage, "puppet");
    stage.run_for(A_MOMENT);
    let link = puppet.befriend(&mut stage, hosts[2], BrokerId(u128::MAX), &[]);
    let consumers: Vec<ConsumerId> = (0..5).map(|_| stage.subscribe(hosts[0], "queue://q")).collect();
    stage.run_for(A_MOMENT);
    for gone in &consumers[..2] {
        stage.unsubscribe(*gone);
    }
    stage.run_for(A_MOMENT);
    let frames: Vec<Frame> = puppet.frames(&mut stage, link).into_iter().filter(is_demand).collect();
    let told = frames.iter().filter_map(|frame| match frame {
        Frame::Demand { demand, .. } => Some(demand),
        _ => None,
    });
    for demand in told {
        assert_eq!((demand.path.len(), demand.path.brokers()[0]), (2, stage.id(hosts[0])), "by one of the two ways");
    }
    let counts = frames.iter().filter_map(|frame| match frame {
        Frame::Demand { consumers, .. } | Frame::Weight { consumers, .. } => Some(consumers.get()),
        _ => None,
    });
    let mut counts: Vec<u32> = counts.collect();
    counts.dedup(); // The first may come by one way first and then by the other.
    assert_eq!(counts, [1, 2, 3, 4, 5, 4, 3]);
}

fn is_demand(frame: &Frame) -> bool {
    matches!(frame, Frame::Demand { .. } | Frame::Undemand { .. } | Frame::Weight { .. })
}

fn demand(number: u32, destination: &str, path: &[BrokerId], consumers: u32) -> Frame {
    let destination: Destination = destination.parse().expect("a destination");
    let demand = Demand { destination, selector: None, path: Path::from(path.to_vec()), is_dormant: false };
    Frame::Demand { number, demand, consumers: NonZeroU32::new(consumers).expect("some"), instead: false }
}

fn weight(number: u32, consumers: u32) -> Frame {
    Frame::Weight { number, consumers: NonZeroU32::new(consumers).expect("some") }
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

const A_MOMENT: Duration = Duration::from_millis(500);
