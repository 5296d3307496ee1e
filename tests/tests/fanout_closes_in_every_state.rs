//! Closing works in every state: what is pending is refused, each send and request ends exactly once, and no link and no
//! timer is left (F3, N3). The world sees to the links and timers of whoever has stopped.

use std::time::Duration;

use flockmq_core::{Config, Event, FanoutConfig, MessageId, Refusal, What};
use flockmq_tests::{Acking, HostId, Outcome, Stage};

/// What befalls each of the brokers of a client.
type Deed = fn(&mut Stage, HostId, HostId);

/// Whatever state its targets are in, a client that stops refuses what is pending in the same instant.
#[test]
fn stopping_ends_everything_in_every_state() {
    let states: [(&str, Deed); 7] = [
        ("no target is known", |stage, _, broker| stage.crash(broker)),
        ("it is being connected to", |stage, client, broker| {
            stage.world().cut_one_way(broker, client);
            stage.restart(broker);
            stage.run_for(Duration::from_secs(1));
        }),
        ("too few are up", |stage, client, broker| {
            if stage.targets_up(client).len() > 1 {
                stage.crash(broker);
                stage.run_for(Duration::from_millis(1));
            }
        }),
        ("all are up and answer", |_, _, _| ()),
        ("all are up and say nothing", |stage, _, broker| stage.pause(broker)),
        ("all are cut off", |stage, client, broker| stage.world().cut(client, broker)),
        ("all have been lost", |stage, client, broker| stage.world().reset(client, broker)),
    ];
    for (state, bring_about) in states {
        let mut stage = Stage::new(1);
        let (client, brokers) = stage.fan(3, needs(2));
        let sent = stage.send(client, "topic://t", "before");
        stage.run_for(Duration::from_millis(10));
        assert!(matches!(stage.outcome(sent), Outcome::Accepted { .. }));
        for broker in brokers {
            bring_about(&mut stage, client, broker);
        }
        let consumers = ["topic://t", "queue://q"].map(|pattern| stage.subscribe(client, pattern));
        let sent = ["topic://t", "queue://q"].map(|to| stage.send(client, to, "pending"));
        stage.stop(client);
        for message in sent {
            assert_eq!(refusal(&stage, message), &Refusal::Stopping, "{state}");
        }
        for (_, consumer, refusal) in stage.denied(client) {
            assert!(consumers.contains(consumer) && *refusal == Refusal::Stopping, "{state}");
        }
        assert_eq!(stage.denied(client).len(), 2, "{state}: both were being asked for");
        assert!(stage.run_until(Duration::from_secs(5), |stage| has_stopped(stage, client)), "{state}");
        let counts = (stage.stats(client).unsettled_bytes, stage.stats(client).targets);
        assert_eq!(counts, (0, 0), "{state}");
        stage.run_for(Duration::from_mins(1));
        assert_eq!(stage.count(client, |event| matches!(event, Event::Stopped)), 1, "{state}");
    }
}

#[test]
fn one_that_was_just_started_stops() {
    for config in [
        Config::client("c"),
        flockmq_tests::client("g", FanoutConfig::default()),
        Config { peers: vec!["tcp://10.0.200.1:1".parse().expect("an address")], ..Config::client("c") },
    ] {
        let mut stage = Stage::new(1);
        let client = stage.host(config);
        stage.stop(client);
        assert!(stage.run_until(Duration::from_secs(5), |stage| has_stopped(stage, client)));
    }
}

/// A producer that closes refuses what is pending of its own, and nothing else.
#[test]
fn closing_a_producer_refuses_what_is_pending_of_it() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(2, needs(2));
    stage.pause(brokers[1]);
    let [closed, other] = ["topic://a", "topic://b"].map(|to| stage.send(client, to, "m"));
    stage.close_producer(client, "topic://a");
    let expected = Refusal::Closed { what: What::Producer };
    assert_eq!(refusal(&stage, closed), &expected);
    assert_eq!(stage.outcome(other), &Outcome::Unanswered);
    stage.resume(brokers[1]);
    stage.run_for(Duration::from_millis(100));
    assert!(matches!(stage.outcome(other), Outcome::Accepted { .. }));
    // A new one for the same destination works, though answers for the old one arrived meanwhile.
    let again = stage.send(client, "topic://a", "again");
    stage.run_for(Duration::from_millis(100));
    assert_eq!(stage.acceptors(again).len(), 2);
}

/// Producers that come and go leave nothing behind, though some target never answers.
#[test]
fn producers_that_come_and_go_leave_nothing() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(3, needs(2));
    stage.pause(brokers[2]);
    for number in 0..300 {
        stage.send(client, "topic://t", &number.to_string());
        stage.run_for(Duration::from_millis(5));
        stage.close_producer(client, "topic://t");
    }
    stage.resume(brokers[2]);
    stage.run_for(Duration::from_secs(5));
    let stats = stage.stats(client);
    assert_eq!((stats.unsettled_bytes, stats.lagging_bytes, stats.waiting_bytes), (0, 0, 0));
    assert_eq!(stage.targets(client).iter().map(|target| target.unanswered_bytes).sum::<u64>(), 0);
    for broker in brokers {
        assert_eq!(stage.stats(broker).broker.accepted, 300);
    }
}

/// A connection that ends takes its consumers and producers with it; the next one has a clean start.
#[test]
fn ending_a_connection_ends_what_hangs_on_it() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(2, needs(2));
    let consumer = stage.subscribe_with(client, "queue://q", Acking::Manual, None);
    stage.run_for(Duration::from_millis(100));
    stage.send(brokers[0], "queue://q", "m");
    stage.run_for(Duration::from_millis(100));
    stage.pause(brokers[1]);
    let pending = stage.send(client, "topic://t", "pending");
    stage.detach(client);
    assert_eq!(refusal(&stage, pending), &Refusal::Closed { what: What::Producer });
    stage.resume(brokers[1]);
    let heir = stage.subscribe(client, "queue://q");
    stage.run_for(Duration::from_millis(100));
    assert_eq!(stage.bodies(consumer), ["m"]);
    let told: Vec<_> = stage.received(heir).iter().map(|found| (found.body.as_str(), found.redeliveries)).collect();
    assert_eq!(told, [("m", 1)], "it went back, and may have been seen");
    let sent = stage.send(client, "topic://t", "new");
    stage.run_for(Duration::from_millis(100));
    assert_eq!(stage.acceptors(sent).len(), 2);
}

/// Brokers see a client that stops leave, and have nothing of it any more.
#[test]
fn brokers_hear_that_it_leaves() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(3, needs(2));
    stage.subscribe(client, "queue://q");
    stage.run_for(Duration::from_secs(1));
    stage.stop(client);
    stage.run_for(Duration::from_secs(1));
    for broker in brokers {
        assert_eq!(stage.stats(broker).clients, 0);
        let lost = stage.count(broker, |event| {
            matches!(event, Event::ClientLost { reason: flockmq_core::CloseReason::Leaving, .. })
        });
        assert_eq!(lost, 1);
        stage.send(broker, "queue://q", "stays");
        stage.run_for(Duration::from_millis(10));
        assert_eq!(stage.stats(broker).broker.queued, 1, "nobody consumes from it");
    }
}

fn needs(acks_min: u32) -> FanoutConfig {
    FanoutConfig { acks_min, ..FanoutConfig::default() }
}

fn refusal(stage: &Stage, message: MessageId) -> &Refusal {
    match stage.outcome(message) {
        Outcome::Refused { refusal, .. } => refusal,
        other => panic!("{other:?}"),
    }
}

fn has_stopped(stage: &Stage, client: HostId) -> bool {
    stage.count(client, |event| matches!(event, Event::Stopped)) == 1
}
