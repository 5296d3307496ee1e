//! A queue's messages go to one target, drawn by the seed and kept while it is up; another takes its place at once
//! (F5, F8).

use std::collections::BTreeSet;
use std::time::Duration;

use flockmq_core::uri::Fanout;
use flockmq_core::{BrokerId, Config, FanoutConfig};
use flockmq_tests::{HostId, Outcome, Stage};

/// Neither the first to be found, nor the first to be connected: each of them, from one seed or another.
#[test]
fn one_target_drawn_by_the_seed_gets_them_all() {
    let mut drawn = BTreeSet::new();
    for seed in 0..24 {
        let mut stage = Stage::new(seed);
        let (client, brokers) = stage.fan(3, needs(2));
        for number in 0..20 {
            stage.send(client, &format!("queue://q{}", number % 4), &number.to_string());
            stage.run_for(Duration::from_millis(20));
        }
        let counts = brokers.iter().map(|broker| stage.stats(*broker).broker.accepted).collect::<Vec<_>>();
        let taker = counts.iter().position(|count| *count == 20).unwrap_or_else(|| panic!("{counts:?}"));
        assert_eq!(counts.iter().sum::<u64>(), 20, "the others get none");
        drawn.insert(taker);
    }
    assert_eq!(drawn.len(), 3, "targets drawn over all seeds: {drawn:?}");
}

/// It goes on with what it has when others join: who is up is not deserted.
#[test]
fn one_that_joins_takes_nothing_from_it() {
    for seed in 0..8 {
        let mut stage = Stage::new(seed);
        let (client, _) = stage.fan(2, needs(2));
        let first = stage.send(client, "queue://q", "first");
        stage.run_for(Duration::from_millis(100));
        let joined: Vec<HostId> = (2..6).map(|number| stage.broker("flock", &format!("b{number}"))).collect();
        stage.fan_out(client, &joined);
        let later = stage.send_all(client, "queue://q", ["second", "third"].map(str::to_owned));
        stage.run_for(Duration::from_millis(100));
        for message in later {
            assert_eq!(stage.acceptors(message), stage.acceptors(first));
        }
    }
}

/// What it was sent and had not answered goes to another in the same instant in which its loss is heard of, marked; what
/// it had accepted stays with it.
#[test]
fn when_it_is_lost_another_gets_what_it_had_not_answered_at_once_and_marked() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(3, needs(2));
    let accepted = stage.send(client, "queue://q", "accepted");
    stage.run_for(Duration::from_millis(100));
    let taker = stage.host_of(stage.acceptors(accepted)[0]);
    stage.pause(taker);
    let doubtful = stage.send_all(client, "queue://q", ["a", "b"].map(str::to_owned));
    stage.run_for(Duration::from_millis(100));
    assert!(doubtful.iter().all(|message| stage.outcome(*message) == &Outcome::Unanswered));
    stage.crash(taker);
    let others: Vec<HostId> = brokers.iter().copied().filter(|broker| *broker != taker).collect();
    let consumers: Vec<_> = others.iter().map(|host| stage.subscribe(*host, "queue://q")).collect();
    stage.run_for(Duration::from_millis(10));
    let received: Vec<_> = consumers.iter().flat_map(|consumer| stage.received(*consumer)).collect();
    let told: Vec<_> = received.iter().map(|received| (received.body.as_str(), received.redeliveries)).collect();
    assert_eq!(told, [("a", 1), ("b", 1)], "and not what the other had accepted");
    let by: BTreeSet<BrokerId> = doubtful.iter().flat_map(|message| stage.acceptors(*message)).copied().collect();
    assert_eq!(by.len(), 1);
    let new = stage.send(client, "queue://q", "new");
    stage.run_for(Duration::from_millis(100));
    assert_eq!(stage.acceptors(new), by.into_iter().collect::<Vec<_>>(), "and then it is kept");
    let unmarked = consumers.iter().flat_map(|consumer| stage.received(*consumer)).find(|found| found.body == "new");
    assert_eq!(unmarked.expect("it was accepted").redeliveries, 0);
}

/// Sends that the lost one was never given are not marked.
#[test]
fn what_it_was_never_sent_is_not_marked() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(2, needs(2));
    let first = stage.send(client, "queue://q", "first");
    stage.run_for(Duration::from_millis(100));
    let taker = stage.host_of(stage.acceptors(first)[0]);
    stage.crash(taker);
    stage.run_for(Duration::from_millis(10));
    stage.send(client, "queue://q", "held"); // One of two is up: nothing is sent.
    let other = *brokers.iter().find(|broker| **broker != taker).expect("there are two");
    stage.restart(taker);
    let consumers = [other, taker].map(|host| stage.subscribe(host, "queue://q"));
    stage.run_for(Duration::from_secs(5));
    let received: Vec<_> = consumers.iter().flat_map(|consumer| stage.received(*consumer)).collect();
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].body.as_str(), received[0].redeliveries), ("held", 0));
}

#[test]
fn with_fan_out_queues_every_target_gets_them() {
    for (options, expected) in [("fanOutQueues=true", [1, 1, 1]), ("fanOutQueues=false", [0, 0, 1])] {
        let mut stage = Stage::new(1);
        let brokers: Vec<HostId> = (0..3).map(|number| stage.broker("g", &format!("b{number}"))).collect();
        let uri = format!("fanout:(multicast://default?group=g)?minAckCount=3&{options}");
        let uri: Fanout = uri.parse().expect(options);
        let client = stage.host(Config::from_fanout(&uri, "c").expect(options));
        stage.fan_out(client, &brokers);
        let sent = stage.send(client, "queue://q", "m");
        stage.run_for(Duration::from_millis(100));
        let mut queued: Vec<u64> = brokers.iter().map(|broker| stage.stats(*broker).broker.queued).collect();
        queued.sort_unstable();
        assert_eq!(queued, expected, "{options}");
        assert_eq!(stage.acceptors(sent).len() as u64, expected.iter().sum::<u64>());
    }
}

fn needs(acks_min: u32) -> FanoutConfig {
    FanoutConfig { acks_min, ..FanoutConfig::default() }
}
