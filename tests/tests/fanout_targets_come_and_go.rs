//! Targets that die before, during and after a send, join midway, flap, are cut off and all die: each send ends as it
//! was promised, and nothing is left (F1, F3, F7).

use std::time::Duration;

use flockmq_core::{Address, Config, Event, FanoutConfig, MulticastConfig, Refusal};
use flockmq_tests::{HostId, Outcome, Stage};

#[test]
fn one_that_dies_before_a_send_is_not_counted_on() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(3, needs(2));
    let dead = stage.id(brokers[0]);
    stage.crash(brokers[0]);
    let sent = stage.send(client, "topic://t", "m"); // The client has not heard of it yet.
    stage.run_for(Duration::from_millis(100));
    assert_eq!(stage.acceptors(sent).len(), 2);
    assert!(!stage.acceptors(sent).contains(&dead));
}

/// What it had accepted counts: it said so. What it had not needs another.
#[test]
fn one_that_dies_during_a_send_counts_if_it_had_accepted() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(2, needs(2));
    let dead = stage.id(brokers[0]);
    stage.pause(brokers[1]);
    let sent = stage.send(client, "topic://t", "m");
    stage.run_for(Duration::from_millis(100));
    stage.crash(brokers[0]);
    stage.run_for(Duration::from_millis(100));
    assert_eq!(stage.outcome(sent), &Outcome::Unanswered);
    stage.resume(brokers[1]);
    stage.run_for(Duration::from_millis(100));
    assert!(stage.acceptors(sent).contains(&dead), "one of two is up, and both have accepted");
    assert_eq!(stage.acceptors(sent).len(), 2);
}

#[test]
fn one_that_dies_with_a_send_unanswered_is_replaced_by_who_joins() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(2, needs(2));
    stage.pause(brokers[0]);
    let sent = stage.send(client, "topic://t", "m");
    stage.run_for(Duration::from_millis(100));
    stage.crash(brokers[0]);
    stage.run_for(Duration::from_millis(100));
    assert_eq!(stage.outcome(sent), &Outcome::Unanswered);
    let late = stage.broker("flock", "late");
    stage.fan_out(client, &[late]);
    stage.run_for(Duration::from_millis(100));
    let mut by = stage.acceptors(sent).to_vec();
    let mut expected = vec![stage.id(brokers[1]), stage.id(late)];
    by.sort();
    expected.sort();
    assert_eq!(by, expected);
}

#[test]
fn one_that_dies_after_a_send_changes_nothing() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(2, needs(2));
    let consumer = stage.subscribe(brokers[1], "topic://t");
    let sent = stage.send(client, "topic://t", "m");
    stage.run_for(Duration::from_millis(100));
    let before = stage.outcome(sent).clone();
    stage.crash(brokers[0]);
    stage.restart(brokers[0]);
    let again = stage.subscribe(brokers[0], "topic://t");
    stage.run_for(Duration::from_secs(5));
    assert!(stage.is_fanned_out(client, &brokers));
    assert_eq!(stage.outcome(sent), &before);
    assert_eq!((stage.bodies(consumer), stage.bodies(again)), (vec!["m"], vec![]));
}

#[test]
fn when_all_die_sends_wait_and_go_on_with_their_successors() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(3, needs(2));
    for broker in &brokers {
        stage.crash(*broker);
    }
    let sent = ["topic://t", "queue://q"].map(|to| stage.send(client, to, "m"));
    stage.run_for(Duration::from_secs(2));
    assert!(stage.targets_up(client).is_empty());
    assert_eq!(sent.map(|message| stage.outcome(message).clone()), [Outcome::Unanswered, Outcome::Unanswered]);
    for broker in &brokers {
        stage.restart(*broker);
    }
    stage.fan_out(client, &brokers);
    stage.run_for(Duration::from_millis(100));
    assert!(stage.acceptors(sent[0]).len() >= 2 && stage.acceptors(sent[1]).len() == 1);
}

#[test]
fn when_all_die_for_good_every_send_ends_at_its_deadline() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(3, needs(2));
    for broker in &brokers {
        stage.crash(*broker);
    }
    let began = stage.now();
    let sent = ["topic://t", "queue://q"].map(|to| stage.send(client, to, "m"));
    stage.run_for(Duration::from_secs(31));
    for message in sent {
        let Outcome::Refused { at, refusal: Refusal::TimedOut { accepted: 0, .. }, .. } = stage.outcome(message) else {
            panic!("{:?}", stage.outcome(message));
        };
        assert_eq!(*at - began, Duration::from_secs(30));
    }
    assert_eq!(stage.stats(client).unsettled_bytes, 0);
}

/// A target that comes and goes each second costs no send and no memory, and is dialled no faster than its waits allow.
#[test]
fn one_that_flaps_costs_nobody_anything() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(3, needs(2));
    let consumer = stage.subscribe(brokers[0], "topic://t");
    let streams = stage.world().counts().streams;
    for round in 0..60 {
        stage.world().reset(client, brokers[2]);
        let sent = stage.send(client, "topic://t", &round.to_string());
        stage.run_for(Duration::from_millis(10));
        assert!(matches!(stage.outcome(sent), Outcome::Accepted { .. }), "round {round}");
        stage.run_for(Duration::from_millis(990));
    }
    assert_eq!(stage.received(consumer).len(), 60);
    let dials = stage.world().counts().streams - streams;
    assert!(dials <= 12, "waits grow while links do not last: {dials} dials in a minute");
    stage.run_for(Duration::from_mins(1));
    assert!(stage.is_fanned_out(client, &brokers));
    let stats = stage.stats(client);
    assert_eq!((stats.unsettled_bytes, stats.lagging_bytes, stats.waiting_bytes, stats.links), (0, 0, 0, 3));
}

/// One that is cut off is missed after the time of silence; until then sends that need it wait, others do not.
#[test]
fn a_partition_ends_by_silence_and_heals() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(3, needs(2));
    stage.world().cut(client, brokers[0]);
    let consumer = stage.subscribe(brokers[0], "topic://t");
    let first = stage.send(client, "topic://t", "cut");
    stage.run_for(Duration::from_secs(1));
    assert_eq!(stage.acceptors(first).len(), 2);
    stage.run_for(Duration::from_mins(1));
    assert_eq!(stage.targets_up(client).len(), 2);
    stage.world().cut(client, brokers[1]);
    stage.run_for(Duration::from_mins(1));
    let waiting = stage.send(client, "topic://t", "waiting");
    stage.world().heal_all();
    assert!(
        stage
            .run_until(Duration::from_secs(30), |stage| { matches!(stage.outcome(waiting), Outcome::Accepted { .. }) })
    );
    stage.fan_out(client, &brokers);
    stage.run_for(Duration::from_secs(1));
    stage.send(client, "topic://t", "healed");
    stage.run_for(Duration::from_secs(1));
    // What the others had accepted while it was cut off is history to it.
    let bodies = stage.bodies(consumer);
    assert_eq!((bodies.contains(&"cut"), bodies.last()), (false, Some(&"healed")));
}

/// Adverts come again and again: one target for each broker, and one link (F9).
#[test]
fn however_often_it_is_found_a_broker_is_one_target() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(3, needs(2));
    let streams = stage.world().counts().streams;
    stage.run_for(MulticastConfig::default().period * 100);
    assert_eq!(stage.world().counts().streams, streams);
    assert_eq!(stage.targets(client).len(), 3);
    for broker in brokers {
        assert_eq!(stage.stats(broker).clients, 1);
    }
    assert_eq!(stage.count(client, |event| matches!(event, Event::TargetFound { .. })), 3);
    assert_eq!(stage.count(client, |event| matches!(event, Event::TargetUp { .. })), 3);
}

/// Its link works, whatever becomes of its adverts: it is sent to, so it is listed.
#[test]
fn one_whose_adverts_are_not_heard_any_more_is_listed_while_it_is_up() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(2, needs(2));
    stage.world().set_segments(brokers[0], &[7]);
    stage.run_for(Duration::from_secs(20));
    assert_eq!(stage.count(client, |event| matches!(event, Event::ServiceLost { .. })), 1);
    let sent = stage.send(client, "topic://t", "m");
    stage.run_for(Duration::from_millis(100));
    assert_eq!(stage.acceptors(sent).len(), 2);
    assert!(stage.is_fanned_out(client, &brokers), "{:?}", stage.targets(client));
    assert!(stage.targets(client).iter().all(|target| target.accepted == 1));
    stage.world().set_segments(brokers[0], &[0]);
    stage.run_for(Duration::from_secs(20));
    assert_eq!(stage.targets(client).len(), 2, "each once");
    assert_eq!(stage.count(client, |event| matches!(event, Event::TargetLost { .. })), 0);
}

/// All of a list are needed, and the link to one is lost with a send on its way: it is dialled again, so that the send
/// waits for it and does not fail.
#[test]
fn a_listed_target_that_is_lost_may_still_accept() {
    let mut stage = Stage::new(1);
    let (client, brokers) = listed(&mut stage, 2, needs(2));
    for to in ["topic://t", "queue://q"] {
        let sent = stage.send(client, to, "m");
        stage.world().reset(client, brokers[0]);
        stage.run_for(Duration::from_secs(5));
        assert!(matches!(stage.outcome(sent), Outcome::Accepted { .. }), "{to}: {:?}", stage.outcome(sent));
    }
}

/// A broker was started anew at its address, and its client, which did not hear of its end, finds it there again: the
/// new one takes the place of the old one at once.
#[test]
fn who_is_found_at_an_address_takes_the_place_of_who_was_there() {
    let mut stage = Stage::new(1);
    let listen = Some("tcp://0.0.0.0:61616".parse().expect("an address"));
    let broker = stage.host(Config { listen, ..Config::broker("flock", "b0") });
    let other = stage.broker("flock", "b1");
    let client = stage.client("flock", needs(2));
    stage.fan_out(client, &[broker, other]);
    let old = stage.id(broker);
    stage.world().cut(client, broker);
    stage.restart(broker);
    stage.run_for(Duration::from_secs(6)); // Its adverts are missed for long enough, its link is not yet.
    assert_eq!(stage.count(client, |event| matches!(event, Event::ServiceLost { .. })), 1);
    assert_eq!(stage.stats(client).targets, 2);
    stage.world().heal(client, broker);
    stage.fan_out(client, &[broker, other]);
    assert_eq!(stage.stats(client).targets, 2);
    let lost = stage.count(client, |event| matches!(event, Event::TargetLost { broker, .. } if *broker == old));
    assert_eq!(lost, 1);
    let sent = stage.send(client, "topic://t", "m");
    stage.run_for(Duration::from_millis(100));
    assert!(stage.acceptors(sent).contains(&stage.id(broker)));
}

/// So many brokers, and a client that is told their addresses.
fn listed(stage: &mut Stage, count: usize, fanout: FanoutConfig) -> (HostId, Vec<HostId>) {
    let listen: Address = "tcp://0.0.0.0:61616".parse().expect("an address");
    let broker = |number: usize| Config { listen: Some(listen.clone()), ..Config::broker("g", format!("b{number}")) };
    let brokers: Vec<HostId> = (0..count).map(|number| stage.host(broker(number))).collect();
    let peers = brokers.iter().map(|host| format!("tcp://{}:61616", host.ip()).parse().expect("an address")).collect();
    let client = stage.host(Config { peers, fanout, ..Config::client("c") });
    stage.fan_out(client, &brokers);
    (client, brokers)
}

fn needs(acks_min: u32) -> FanoutConfig {
    FanoutConfig { acks_min, ..FanoutConfig::default() }
}
