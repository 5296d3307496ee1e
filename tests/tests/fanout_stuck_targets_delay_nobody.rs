//! One target that takes nothing delays no other, and what waits for it is bounded (F6, F2).

use std::time::Duration;

use flockmq_core::{CloseReason, Event, FanoutConfig, Instant};
use flockmq_tests::{Outcome, Stage};

/// What each of the others gets, and when its sender hears of it, is the same with a stuck target and without.
#[test]
fn the_others_get_the_same_at_the_same_time() {
    let run = |is_stuck: bool| -> (Vec<(Instant, String)>, Vec<Instant>) {
        let mut stage = Stage::new(1);
        let (client, brokers) = stage.fan(4, needs(3));
        let consumers: Vec<_> = brokers.iter().map(|broker| stage.subscribe(*broker, "topic://t")).collect();
        if is_stuck {
            stage.pause(brokers[3]);
        }
        let mut sent = Vec::new();
        for number in 0..50 {
            sent.push(stage.send(client, "topic://t", &number.to_string()));
            stage.run_for(Duration::from_millis(20));
        }
        let received = consumers[..3].iter().flat_map(|consumer| stage.received(*consumer));
        let received = received.map(|received| (received.at, received.body.clone())).collect();
        let told = sent.iter().map(|message| match stage.outcome(*message) {
            Outcome::Accepted { at, .. } => *at,
            other => panic!("{other:?}"),
        });
        (received, told.collect())
    };
    let ((with, told), (without, _)) = (run(true), run(false));
    assert_eq!(with.len(), 150);
    assert_eq!(with, without);
    // With four answering, the third answer may be an earlier one; it is never later than one round trip.
    assert!(
        told.iter().enumerate().all(|(number, at)| { *at - told[0] <= Duration::from_millis(20 * number as u64 + 1) })
    );
}

/// A slow link is no different.
#[test]
fn a_slow_target_slows_itself_only() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(3, needs(2));
    stage.world().slow(brokers[2], Some(1_000));
    let began = stage.now();
    let texts = (0..100).map(|number| format!("{number} {}", "x".repeat(1_000)));
    let sent = stage.send_all(client, "topic://t", texts);
    stage.run_for(Duration::from_secs(5));
    for message in &sent {
        let Outcome::Accepted { at, by } = stage.outcome(*message) else { panic!("not accepted") };
        assert!(*at - began < Duration::from_millis(50), "accepted at {at}");
        assert!(!by.contains(&stage.id(brokers[2])));
    }
    assert!(stage.stats(brokers[2]).broker.accepted < 100);
}

/// A target whose backlog grows beyond the limit is parted from and dialled again; nothing is lost for the others.
#[test]
fn a_target_that_is_too_far_behind_is_parted_from() {
    let mut stage = Stage::new(1);
    let fanout = FanoutConfig { memory_max: 100_000, window: 10_000, ..needs(2) };
    let (client, brokers) = stage.fan(3, fanout);
    let consumers: Vec<_> = brokers.iter().map(|broker| stage.subscribe(*broker, "topic://t")).collect();
    let stuck = stage.id(brokers[2]);
    stage.pause(brokers[2]);
    for number in 0..150 {
        stage.send(client, "topic://t", &format!("{number} {}", "x".repeat(1_000)));
        stage.run_for(Duration::from_millis(10));
        let (is_lost, lagging) = (was_lost(&stage, client), stage.stats(client).lagging_bytes);
        assert!(is_lost.is_empty() || lagging < 20_000, "what waited for it is forgotten: {lagging} bytes");
    }
    let backlog = CloseReason::Backlog { max: 100_000 };
    assert_eq!(was_lost(&stage, client)[0], (stuck, backlog));
    for consumer in &consumers[..2] {
        assert_eq!(stage.received(*consumer).len(), 150);
    }
    stage.resume(brokers[2]);
    stage.fan_out(client, &brokers);
    let sent = stage.send(client, "topic://t", "after");
    stage.run_for(Duration::from_secs(1));
    assert!(stage.bodies(consumers[2]).contains(&"after"));
    assert!(matches!(stage.outcome(sent), Outcome::Accepted { .. }));
    assert_eq!(stage.stats(client).lagging_bytes, 0);
}

/// If it is one of those that are needed, sends wait for it to the limit, and then for nobody.
#[test]
fn a_stuck_target_that_is_needed_holds_up_what_needs_it_and_no_more_than_allowed() {
    let mut stage = Stage::new(1);
    let fanout = FanoutConfig { memory_max: 50_000, send_timeout: Duration::from_secs(2), ..needs(2) };
    let (client, brokers) = stage.fan(2, fanout);
    let consumer = stage.subscribe(brokers[0], "topic://t");
    stage.pause(brokers[1]);
    let texts = (0..100).map(|number| format!("{number} {}", "x".repeat(1_000)));
    let sent = stage.send_all(client, "topic://t", texts);
    stage.run_for(Duration::from_secs(1));
    let fitting = sent.iter().filter(|message| stage.outcome(**message) == &Outcome::Unanswered).count();
    assert!((30..50).contains(&fitting), "{fitting} fit in");
    assert_eq!(stage.received(consumer).len(), fitting, "the other has them");
    stage.run_for(Duration::from_secs(2));
    assert!(sent.iter().all(|message| matches!(stage.outcome(*message), Outcome::Refused { .. })));
    assert_eq!(stage.stats(client).unsettled_bytes, 0);
}

/// Targets lost so far, and why.
fn was_lost(stage: &Stage, client: flockmq_tests::HostId) -> Vec<(flockmq_core::BrokerId, CloseReason)> {
    let lost = stage.notices(client).iter().filter_map(|(_, event)| match event {
        Event::TargetLost { broker, reason, .. } => Some((*broker, reason.clone())),
        _ => None,
    });
    lost.collect()
}

fn needs(acks_min: u32) -> FanoutConfig {
    FanoutConfig { acks_min, ..FanoutConfig::default() }
}
