//! Nothing is sent before as many targets are up as are needed; what waits is bounded in time and bytes (F2, F7).

use std::time::Duration;

use flockmq_core::uri::Fanout;
use flockmq_core::{Config, Event, FanoutConfig, Refusal};
use flockmq_tests::{Outcome, Stage};

#[test]
fn nothing_is_sent_before_as_many_are_up_as_are_needed() {
    for to in ["topic://t", "queue://q"] {
        let mut stage = Stage::new(1);
        let brokers = [stage.broker("g", "b0"), stage.broker("g", "b1")];
        let consumers = brokers.map(|broker| stage.subscribe(broker, to));
        let client = stage.client("g", needs(3));
        stage.fan_out(client, &brokers);
        let sent = stage.send(client, to, "m");
        stage.run_for(Duration::from_secs(10));
        assert_eq!(stage.outcome(sent), &Outcome::Unanswered);
        for (broker, consumer) in brokers.iter().zip(consumers) {
            assert_eq!((stage.stats(*broker).broker.accepted, stage.bodies(consumer).len()), (0, 0));
        }
        assert!(stage.stats(client).unsettled_bytes > 0 && stage.stats(client).lagging_bytes == 0);
        let third = stage.broker("g", "b2");
        stage.fan_out(client, &[third]);
        stage.run_for(Duration::from_millis(100));
        assert!(matches!(stage.outcome(sent), Outcome::Accepted { .. }));
        let accepted: u64 = brokers.iter().chain([&third]).map(|host| stage.stats(*host).broker.accepted).sum();
        assert_eq!(accepted, if to == "topic://t" { 3 } else { 1 }, "{to}");
        assert_eq!(stage.stats(client).unsettled_bytes, 0, "F7: nothing is kept of what is done");
    }
}

/// What is below the threshold again waits again.
#[test]
fn sends_wait_whenever_too_few_are_up() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(2, needs(2));
    let consumer = stage.subscribe(brokers[1], "topic://t");
    let before = stage.send(client, "topic://t", "before");
    stage.run_for(Duration::from_secs(1));
    assert!(matches!(stage.outcome(before), Outcome::Accepted { .. }));
    stage.crash(brokers[0]);
    stage.run_for(Duration::from_millis(10));
    let waiting = stage.send(client, "topic://t", "waiting");
    stage.run_for(Duration::from_secs(5));
    assert_eq!((stage.bodies(consumer), stage.outcome(waiting)), (vec!["before"], &Outcome::Unanswered));
    stage.restart(brokers[0]);
    stage.run_for(Duration::from_secs(2));
    assert!(matches!(stage.outcome(waiting), Outcome::Accepted { .. }));
    assert_eq!(stage.bodies(consumer), ["before", "waiting"]);
    let told: Vec<(u32, u32)> = stage
        .notices(client)
        .iter()
        .filter_map(|(_, event)| match event {
            Event::Targets { up, needed } => Some((*up, *needed)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(0, 2), (1, 2), (2, 2), (1, 2), (2, 2)], "the application is told whenever that changes");
}

/// A broker that starts later gets what waited for it, so that nothing is missed as long as all are needed.
#[test]
fn as_many_as_there_are_miss_nothing_if_one_starts_later() {
    let mut stage = Stage::new(1);
    let (client, early) = stage.fan(2, needs(3));
    let sent = stage.send_all(client, "topic://t", (0..10).map(|number| number.to_string()));
    stage.run_for(Duration::from_secs(2));
    let late = stage.broker("flock", "late");
    let consumers = [early[0], early[1], late].map(|host| stage.subscribe(host, "topic://t"));
    stage.run_for(Duration::from_secs(2));
    for consumer in consumers {
        assert_eq!(stage.received(consumer).len(), 10);
    }
    assert!(sent.iter().all(|message| stage.acceptors(*message).len() == 3));
}

/// Two are needed by default, however many there are; `minAckCount` says otherwise.
#[test]
fn two_are_needed_unless_the_uri_says_otherwise() {
    for (options, needed) in [("", 2), ("?minAckCount=1", 1), ("?minAckCount=3", 3)] {
        let mut stage = Stage::new(1);
        let uri: Fanout = format!("fanout:(multicast://default?group=g){options}").parse().expect(options);
        let client = stage.host(Config::from_fanout(&uri, "c").expect(options));
        for count in 1..=4 {
            let broker = stage.broker("g", &format!("b{count}"));
            stage.fan_out(client, &[broker]);
            let sent = stage.send(client, "topic://t", "m");
            stage.run_for(Duration::from_secs(1));
            let is_done = matches!(stage.outcome(sent), Outcome::Accepted { .. });
            assert_eq!(is_done, count >= needed, "{count} up, {needed} needed");
        }
    }
}

#[test]
fn a_send_that_takes_too_long_fails_at_its_deadline_to_the_millisecond() {
    let mut stage = Stage::new(1);
    let fanout = FanoutConfig { send_timeout: Duration::from_millis(1_234), ..needs(3) };
    let (client, brokers) = stage.fan(2, fanout);
    // Below the threshold: nobody was asked.
    let began = stage.now();
    let waiting = stage.send(client, "topic://t", "m");
    stage.run_for(Duration::from_secs(3));
    let expected = |accepted| Refusal::TimedOut { accepted, needed: 3, after: Duration::from_millis(1_234) };
    let Outcome::Refused { at, refusal, answers } = stage.outcome(waiting) else { panic!("it is not refused") };
    assert_eq!((*at - began, refusal, answers.len()), (Duration::from_millis(1_234), &expected(0), 0));
    // Above it: two have accepted, the third says nothing.
    let third = stage.broker("flock", "b2");
    stage.fan_out(client, &[third]);
    stage.pause(third);
    let began = stage.now();
    let half = stage.send(client, "topic://t", "half");
    stage.run_for(Duration::from_secs(3));
    let Outcome::Refused { at, refusal, answers } = stage.outcome(half) else { panic!("it is not refused") };
    assert_eq!((*at - began, refusal), (Duration::from_millis(1_234), &expected(2)));
    let mut said: Vec<_> = answers.iter().map(|answer| (answer.broker, answer.result.clone())).collect();
    said.sort_by_key(|(broker, _)| *broker);
    let mut both: Vec<_> = brokers.iter().map(|broker| (stage.id(*broker), Ok(()))).collect();
    both.sort_by_key(|(broker, _)| *broker);
    assert_eq!(said, both);
    assert_eq!(stage.stats(client).unsettled_bytes, 0);
}

/// One byte too many is refused at once; the rest waits on, and room comes back as sends end.
#[test]
fn what_waits_is_bounded_in_bytes() {
    let mut stage = Stage::new(1);
    let fanout = FanoutConfig { memory_max: 10_000, send_timeout: Duration::from_secs(5), ..needs(2) };
    let client = stage.client("g", fanout);
    let body = "x".repeat(900);
    let mut fitting = Vec::new();
    let refused = loop {
        let sent = stage.send(client, "topic://t", &body);
        match stage.outcome(sent) {
            Outcome::Unanswered => fitting.push(sent),
            Outcome::Refused { refusal, .. } => break refusal.clone(),
            other @ Outcome::Accepted { .. } => panic!("{other:?}"),
        }
    };
    assert_eq!(refused, Refusal::MemoryFull { max: 10_000 });
    let held = stage.stats(client).unsettled_bytes;
    let each = held / fitting.len() as u64;
    assert!(held <= 10_000 && held + each > 10_000, "{held} bytes are held, {each} by each");
    stage.run_for(Duration::from_secs(6));
    assert!(fitting.iter().all(|sent| matches!(stage.outcome(*sent), Outcome::Refused { .. })));
    assert_eq!(stage.stats(client).unsettled_bytes, 0);
    let sent = stage.send(client, "topic://t", &body);
    assert_eq!(stage.outcome(sent), &Outcome::Unanswered, "there is room again");
}

fn needs(acks_min: u32) -> FanoutConfig {
    FanoutConfig { acks_min, ..FanoutConfig::default() }
}
