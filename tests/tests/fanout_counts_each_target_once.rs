//! A send is done when as many different brokers as are needed have accepted it, and fails as soon as so many can't any
//! more, with what each has said (F1, F4).

use std::time::Duration;

use flockmq_core::wire::Frame;
use flockmq_core::{Address, Answer, BrokerConfig, BrokerId, Config, FanoutConfig, LinkConfig, LinkId, Refusal, What};
use flockmq_tests::{HostId, Outcome, Puppet, Stage};

#[test]
fn it_is_done_when_as_many_as_needed_have_it() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(4, needs(3));
    let consumers: Vec<_> = brokers.iter().map(|broker| stage.subscribe(*broker, "topic://t")).collect();
    stage.pause(brokers[0]);
    let three = stage.send(client, "topic://t", "three");
    assert!(stage.run_until(Duration::from_secs(1), |stage| is_accepted(stage, three)));
    let mut by = stage.acceptors(three).to_vec();
    by.sort();
    let mut expected: Vec<BrokerId> = brokers[1..].iter().map(|broker| stage.id(*broker)).collect();
    expected.sort();
    assert_eq!(by, expected);
    for consumer in &consumers[1..] {
        assert_eq!(stage.bodies(*consumer), ["three"]);
    }
    stage.pause(brokers[1]);
    let two = stage.send(client, "topic://t", "two");
    stage.run_for(Duration::from_secs(5));
    assert_eq!(stage.outcome(two), &Outcome::Unanswered, "two of three have it");
    stage.resume(brokers[0]);
    assert!(stage.run_until(Duration::from_secs(1), |stage| is_accepted(stage, two)));
}

/// A broker says again what it has said: that is no second broker.
#[test]
fn an_acknowledgement_that_arrives_twice_counts_once() {
    let (mut stage, client, puppets) = served(2, 2);
    let [(mut first, one), (second, two)] = puppets.try_into().expect("two puppets");
    let sent = stage.send(client, "topic://t", "twice");
    stage.run_for(Duration::from_millis(5));
    let (stream, tag, ..) = first.messages(&mut stage, one)[0];
    let accepted = Frame::Forwarded { demand: stream, up_to: tag };
    first.say(&mut stage, one, &[accepted.clone(), accepted.clone(), accepted.clone()]);
    stage.run_for(Duration::from_millis(5));
    assert_eq!(stage.outcome(sent), &Outcome::Unanswered, "one broker has accepted it, thrice");
    second.say(&mut stage, two, &[accepted]);
    stage.run_for(Duration::from_millis(5));
    assert_eq!(stage.acceptors(sent), [BrokerId(1), BrokerId(2)]);
}

/// A broker that accepted, was lost and came back is still the same one: it is not asked again, and counts once.
#[test]
fn a_broker_that_comes_back_counts_once() {
    let (mut stage, client, puppets) = served(2, 2);
    let [(mut first, one), (mut second, two)] = puppets.try_into().expect("two puppets");
    let sent = stage.send(client, "topic://t", "m");
    stage.run_for(Duration::from_millis(5));
    let (stream, tag, ..) = first.messages(&mut stage, one)[0];
    let accepted = Frame::Forwarded { demand: stream, up_to: tag };
    first.say(&mut stage, one, std::slice::from_ref(&accepted));
    stage.run_for(Duration::from_millis(5));
    first.close(&mut stage, one);
    let again = LinkId(one.0 + 1);
    stage.run_for(Duration::from_secs(1));
    first.serve(&mut stage, again, BrokerId(1));
    assert_eq!(stage.targets_up(client).len(), 2);
    stage.run_for(Duration::from_millis(100));
    assert_eq!(first.messages(&mut stage, again), [], "it has accepted it");
    assert_eq!(stage.outcome(sent), &Outcome::Unanswered);
    assert_eq!(second.messages(&mut stage, two).len(), 1);
    second.say(&mut stage, two, &[accepted]);
    stage.run_for(Duration::from_millis(5));
    assert_eq!(stage.acceptors(sent), [BrokerId(1), BrokerId(2)]);
}

/// One broker under two addresses is one target. There is no other address, so two can never be reached.
#[test]
fn a_broker_of_two_addresses_counts_once() {
    let mut stage = Stage::new(1);
    let broker = stage.host(at_port(Config::broker("g", "b0")));
    let peers = vec![address("b0"), address("10.0.0.1")];
    let client = stage.host(Config { peers, fanout: needs(2), ..Config::client("c") });
    let sent = stage.send(client, "topic://t", "m");
    stage.run_for(Duration::from_secs(10));
    assert_eq!((stage.stats(client).targets, stage.stats(broker).clients), (1, 1));
    assert_eq!(refused(&stage, sent), (&Refusal::NotEnough { accepted: 0, needed: 2 }, &[][..]));
}

/// A refusal is an answer, and no acceptance, though the broker says afterwards how far it has come.
#[test]
fn a_refusal_is_no_acceptance_and_ends_it_as_soon_as_too_few_are_left() {
    let (mut stage, client, puppets) = served(3, 2);
    let [(mut first, one), (second, two), (third, three)] = puppets.try_into().expect("three puppets");
    let sent = stage.send(client, "topic://t", "m");
    stage.run_for(Duration::from_millis(5));
    let (stream, tag, ..) = first.messages(&mut stage, one)[0];
    let accepted = Frame::Forwarded { demand: stream, up_to: tag };
    let full = Refusal::LimitReached { what: What::Destination, max: 3 };
    let refused_by = |refusal: &Refusal| Frame::Refused { stream, tag, refusal: refusal.clone() };
    first.say(&mut stage, one, &[refused_by(&full), accepted.clone()]);
    second.say(&mut stage, two, std::slice::from_ref(&accepted));
    stage.run_for(Duration::from_millis(5));
    assert_eq!(stage.outcome(sent), &Outcome::Unanswered, "the third may still accept it");
    third.say(&mut stage, three, &[refused_by(&Refusal::Stopping)]);
    let at = stage.now();
    stage.run_for(Duration::from_millis(5));
    let answer = |broker: u128, name: &str, result| Answer { broker: BrokerId(broker), name: name.into(), result };
    let expected =
        [answer(1, "puppet", Err(full)), answer(2, "puppet", Ok(())), answer(3, "puppet", Err(Refusal::Stopping))];
    let (refusal, answers) = refused(&stage, sent);
    assert_eq!(refusal, &Refusal::NotEnough { accepted: 1, needed: 2 });
    let mut answers = answers.to_vec();
    answers.sort_by_key(|answer| answer.broker);
    assert_eq!(answers, expected);
    assert!(matches!(stage.outcome(sent), Outcome::Refused { at: told, .. } if *told - at < Duration::from_millis(1)));
}

/// One refusal takes nothing from the messages around it.
#[test]
fn what_comes_before_and_after_a_refused_message_is_accepted() {
    let (mut stage, client, puppets) = served(2, 2);
    let [(mut first, one), (second, two)] = puppets.try_into().expect("two puppets");
    let sent = stage.send_all(client, "topic://t", ["a", "b", "c"].map(str::to_owned));
    stage.run_for(Duration::from_millis(5));
    let messages = first.messages(&mut stage, one);
    let (stream, refusal) = (messages[0].0, Refusal::TooLarge { size: 1, max: 0 });
    let accepted = Frame::Forwarded { demand: stream, up_to: messages[2].1 };
    first.say(&mut stage, one, std::slice::from_ref(&accepted));
    second.say(&mut stage, two, &[Frame::Refused { stream, tag: messages[1].1, refusal }, accepted]);
    stage.run_for(Duration::from_millis(5));
    assert!(is_accepted(&stage, sent[0]) && is_accepted(&stage, sent[2]));
    assert_eq!(refused(&stage, sent[1]).0, &Refusal::NotEnough { accepted: 1, needed: 2 });
}

/// Two real brokers of which one takes small messages only, by its broker's limit or by its link's.
#[test]
fn who_takes_smaller_messages_refuses_larger_ones_and_others_count() {
    let small_broker = |config: Config| {
        let broker = BrokerConfig { message_max: 1_000, ..BrokerConfig::default() };
        Config { broker, ..config }
    };
    let small_link = |config: Config| {
        let link = LinkConfig { frame_max: 64 * 1024, ..LinkConfig::default() };
        Config { link, ..config }
    };
    for (small, size) in [(small_broker as fn(Config) -> Config, 2_000), (small_link, 70_000)] {
        for needed in [2, 3] {
            let mut stage = Stage::new(1);
            let mut brokers = vec![stage.broker("g", "b0"), stage.broker("g", "b1")];
            brokers.push(stage.host(small(Config::broker("g", "small"))));
            let client = stage.client("g", needs(needed));
            stage.fan_out(client, &brokers);
            let large = stage.send(client, "topic://t", &"x".repeat(size));
            let after = stage.send(client, "topic://t", "small enough");
            stage.run_for(Duration::from_secs(1));
            assert!(stage.acceptors(after).len() >= needed as usize);
            if needed == 2 {
                assert_eq!(stage.acceptors(large).len(), 2);
                assert!(!stage.acceptors(large).contains(&stage.id(brokers[2])));
                continue;
            }
            let (refusal, answers) = refused(&stage, large);
            // What can't pass a link is known before anybody has answered.
            let accepted = if size < 10_000 { 2 } else { 0 };
            assert_eq!(refusal, &Refusal::NotEnough { accepted, needed: 3 });
            let no: Vec<_> = answers.iter().filter(|answer| answer.result.is_err()).collect();
            assert!(matches!(no[0].result, Err(Refusal::TooLarge { .. })), "{no:?}");
            assert_eq!((no.len(), no[0].broker, no[0].name.as_str()), (1, stage.id(brokers[2]), "small"));
            assert_eq!(stage.targets(client).iter().map(|target| target.refused).sum::<u64>(), 1);
        }
    }
}

/// Puppets that serve a client which needs so many of them: brokers 1, 2 and so on.
fn served(count: usize, needed: u32) -> (Stage, HostId, Vec<(Puppet, LinkId)>) {
    let mut stage = Stage::new(1);
    let mut puppets: Vec<Puppet> = (0..count).map(|number| Puppet::new(&mut stage, &format!("p{number}"))).collect();
    let peers = puppets.iter_mut().map(|puppet| Address::from(puppet.listen(&mut stage, 8))).collect();
    let client = stage.host(Config { peers, fanout: needs(needed), ..Config::client("c") });
    stage.run_for(Duration::from_millis(10));
    let first = LinkId(1_001);
    for (number, puppet) in (1..).zip(&puppets) {
        puppet.serve(&mut stage, first, BrokerId(number));
    }
    assert_eq!(stage.targets_up(client).len(), count);
    (stage, client, puppets.into_iter().map(|puppet| (puppet, first)).collect())
}

fn needs(acks_min: u32) -> FanoutConfig {
    FanoutConfig { acks_min, ..FanoutConfig::default() }
}

fn is_accepted(stage: &Stage, message: flockmq_core::MessageId) -> bool {
    matches!(stage.outcome(message), Outcome::Accepted { .. })
}

fn refused(stage: &Stage, message: flockmq_core::MessageId) -> (&Refusal, &[Answer]) {
    match stage.outcome(message) {
        Outcome::Refused { refusal, answers, .. } => (refusal, answers),
        other => panic!("{other:?}"),
    }
}

fn at_port(config: Config) -> Config {
    Config { listen: Some("tcp://0.0.0.0:61616".parse().expect("an address")), ..config }
}

fn address(host: &str) -> Address {
    format!("tcp://{host}:61616").parse().expect("an address")
}
