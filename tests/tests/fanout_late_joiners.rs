//! A target that joins late gets what is sent from then on and what is still owed to it, and never history.

use std::time::Duration;

use flockmq_core::{FanoutConfig, Refusal};
use flockmq_tests::{Outcome, Stage};

#[test]
fn one_that_joins_late_gets_no_history() {
    let mut stage = Stage::new(1);
    let (client, _) = stage.fan(2, needs(2));
    stage.send(client, "topic://t", "old");
    stage.run_for(Duration::from_secs(1));
    let late = stage.broker("flock", "late");
    let consumer = stage.subscribe(late, "topic://t");
    stage.fan_out(client, &[late]);
    stage.run_for(Duration::from_secs(1));
    assert_eq!(stage.received(consumer).len(), 0, "the producer is open, and its first message done with");
    stage.send(client, "topic://t", "new");
    stage.run_for(Duration::from_secs(1));
    assert_eq!(stage.bodies(consumer), ["new"]);
    assert_eq!(stage.stats(late).broker.accepted, 1);
}

/// What too few have accepted so far is sent to it too, before what is sent later.
#[test]
fn one_that_joins_late_gets_what_is_still_owed() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(3, needs(3));
    stage.pause(brokers[2]);
    let owed = stage.send_all(client, "topic://t", ["a", "b"].map(str::to_owned));
    stage.run_for(Duration::from_secs(1));
    let late = stage.broker("flock", "late");
    let consumer = stage.subscribe(late, "topic://t");
    stage.fan_out(client, &[late]);
    stage.send(client, "topic://t", "c");
    stage.run_for(Duration::from_secs(1));
    assert_eq!(stage.bodies(consumer), ["a", "b", "c"]);
    for message in owed {
        assert!(stage.acceptors(message).contains(&stage.id(late)), "it counts like any other");
    }
}

#[test]
fn a_queues_message_that_one_has_accepted_never_goes_to_another() {
    let mut stage = Stage::new(1);
    let (client, _) = stage.fan(2, needs(2));
    let sent = stage.send(client, "queue://q", "m"); // It waits in a queue, for nobody consumes from it.
    stage.run_for(Duration::from_secs(1));
    let taker = stage.host_of(stage.acceptors(sent)[0]);
    let late = stage.broker("flock", "late");
    let consumer = stage.subscribe(late, "queue://q");
    stage.fan_out(client, &[late]);
    stage.run_for(Duration::from_secs(1));
    stage.crash(taker); // The message is lost with it; it is not the client's any more.
    stage.run_for(Duration::from_secs(1));
    assert_eq!((stage.received(consumer).len(), stage.stats(late).broker.accepted), (0, 0));
}

/// Nor what was refused: it has ended.
#[test]
fn what_has_timed_out_is_sent_to_nobody_any_more() {
    let mut stage = Stage::new(1);
    let fanout = FanoutConfig { send_timeout: Duration::from_secs(1), ..needs(2) };
    let (client, brokers) = stage.fan(1, fanout);
    let sent = stage.send(client, "topic://t", "m");
    stage.run_for(Duration::from_secs(2));
    assert!(matches!(stage.outcome(sent), Outcome::Refused { refusal: Refusal::TimedOut { accepted: 0, .. }, .. }));
    let late = stage.broker("flock", "late");
    let consumers = [brokers[0], late].map(|host| stage.subscribe(host, "topic://t"));
    stage.fan_out(client, &[late]);
    stage.send(client, "topic://t", "new");
    stage.run_for(Duration::from_secs(1));
    for consumer in consumers {
        assert_eq!(stage.bodies(consumer), ["new"]);
    }
}

/// One that was away for a while is given what it missed only as far as it is still owed.
#[test]
fn one_that_comes_back_gets_what_is_owed_and_nothing_twice() {
    let mut stage = Stage::new(1);
    let fanout = FanoutConfig { send_timeout: Duration::from_mins(5), ..needs(2) };
    let (client, brokers) = stage.fan(3, fanout);
    let away = brokers[2];
    let consumer = stage.subscribe(away, "topic://t");
    stage.send(client, "topic://t", "before");
    stage.run_for(Duration::from_millis(100));
    stage.world().cut(client, away);
    stage.run_for(Duration::from_mins(1)); // Both ends hear nothing for too long.
    assert!(!stage.is_fanned_out(client, &[away]));
    stage.send(client, "topic://t", "missed"); // Both others accept it.
    stage.run_for(Duration::from_millis(100));
    stage.pause(brokers[1]);
    let owed = stage.send(client, "topic://t", "owed");
    stage.run_for(Duration::from_millis(100));
    assert_eq!(stage.outcome(owed), &Outcome::Unanswered);
    stage.world().heal(client, away);
    stage.fan_out(client, &[away]);
    stage.run_for(Duration::from_millis(100));
    assert!(stage.acceptors(owed).contains(&stage.id(away)));
    assert_eq!(stage.bodies(consumer), ["before", "owed"]);
}

fn needs(acks_min: u32) -> FanoutConfig {
    FanoutConfig { acks_min, ..FanoutConfig::default() }
}
