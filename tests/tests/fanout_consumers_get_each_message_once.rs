//! A client's consumer is on every target; what several of them have reaches it once.

use std::time::Duration;

use flockmq_core::{BrokerConfig, Config, FanoutConfig, Refusal};
use flockmq_tests::{Acking, Outcome, Stage};

#[test]
fn a_consumer_gets_what_is_sent_at_any_broker() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(3, needs(2));
    for kind in ["topic", "queue"] {
        let consumer = stage.subscribe(client, &format!("{kind}://d"));
        stage.run_for(Duration::from_millis(100));
        assert!(stage.is_confirmed(consumer));
        for (number, broker) in brokers.iter().enumerate() {
            stage.send(*broker, &format!("{kind}://d"), &number.to_string());
        }
        stage.run_for(Duration::from_millis(100));
        let mut bodies = stage.bodies(consumer);
        bodies.sort_unstable();
        assert_eq!(bodies, ["0", "1", "2"], "{kind}");
    }
    stage.run_for(Duration::from_secs(1));
    for broker in brokers {
        let stats = stage.stats(broker).broker;
        assert_eq!((stats.queued, stats.outstanding), (0, 0), "every delivery is answered");
    }
}

/// Three brokers have the message, and each hands it to the consumer: it sees one, and answers all.
#[test]
fn what_all_targets_have_comes_once() {
    for kind in ["topic", "queue"] {
        for (checks_duplicates, copies) in [(true, 1), (false, 3)] {
            let mut stage = Stage::new(1);
            let (sender, brokers) = stage.fan(3, FanoutConfig { replicates_queues: true, ..needs(3) });
            let client = stage.client("flock", FanoutConfig { checks_duplicates, ..needs(3) });
            stage.fan_out(client, &brokers);
            let consumer = stage.subscribe(client, &format!("{kind}://d"));
            stage.run_for(Duration::from_millis(100));
            for number in 0..10 {
                stage.send(sender, &format!("{kind}://d"), &number.to_string());
            }
            stage.run_for(Duration::from_secs(1));
            for number in 0..10 {
                let found = stage.bodies(consumer).iter().filter(|body| **body == number.to_string()).count();
                assert_eq!(found, copies, "{kind}, {number}, checks_duplicates: {checks_duplicates}");
            }
            for broker in brokers {
                let stats = stage.stats(broker).broker;
                assert_eq!((stats.queued, stats.outstanding), (0, 0), "the copies it did not see are answered too");
            }
        }
    }
}

/// A client's own consumer is a consumer like any other.
#[test]
fn a_client_hears_what_it_sends_once() {
    let mut stage = Stage::new(1);
    let (client, _) = stage.fan(4, needs(2));
    let consumers = ["topic://t", "topic://>", "queue://q"].map(|pattern| stage.subscribe(client, pattern));
    stage.run_for(Duration::from_millis(100));
    stage.send(client, "topic://t", "to all");
    stage.send(client, "queue://q", "to one");
    stage.run_for(Duration::from_secs(1));
    assert_eq!(consumers.map(|consumer| stage.bodies(consumer).join(",")), ["to all", "to all", "to one"]);
}

/// It outlives its targets: those that come back or join serve it again.
#[test]
fn a_consumer_is_on_targets_that_come_later_and_come_back() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(2, needs(2));
    let consumer = stage.subscribe(client, "topic://t");
    stage.run_for(Duration::from_millis(100));
    stage.restart(brokers[0]);
    let late = stage.broker("flock", "late");
    stage.fan_out(client, &[brokers[0], brokers[1], late]);
    stage.run_for(Duration::from_millis(100));
    for (text, broker) in [("back", brokers[0]), ("there", brokers[1]), ("late", late)] {
        stage.send(broker, "topic://t", text);
        stage.run_for(Duration::from_millis(100));
    }
    assert_eq!(stage.bodies(consumer), ["back", "there", "late"]);
}

/// What it had not acknowledged when the target was lost goes back there and comes again; the application, which has it
/// still, is not given it twice.
#[test]
fn what_is_unacknowledged_when_its_target_is_lost_is_not_handed_out_again() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(2, needs(2));
    let consumer = stage.subscribe_with(client, "queue://q", Acking::Manual, None);
    stage.run_for(Duration::from_millis(100));
    stage.send(brokers[0], "queue://q", "m");
    stage.run_for(Duration::from_millis(100));
    assert_eq!(stage.bodies(consumer), ["m"]);
    stage.world().reset(client, brokers[0]);
    stage.run_for(Duration::from_secs(5));
    assert!(stage.is_fanned_out(client, &brokers));
    assert_eq!(stage.stats(brokers[0]).broker.outstanding, 1, "it was handed to the client again");
    assert_eq!(stage.bodies(consumer), ["m"]);
    stage.ack(consumer, 1);
    stage.run_for(Duration::from_millis(100));
    let stats = stage.stats(brokers[0]).broker;
    assert_eq!((stats.outstanding, stats.queued), (0, 0), "the answer is for the later delivery too");
}

/// What a leaving consumer has not looked at goes to others.
#[test]
fn what_a_consumer_leaves_goes_to_others() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(2, needs(2));
    let leaver = stage.subscribe_with(client, "queue://q", Acking::Manual, None);
    stage.run_for(Duration::from_millis(100));
    stage.send_all(brokers[0], "queue://q", ["seen", "unseen"].map(str::to_owned));
    stage.run_for(Duration::from_millis(100));
    assert_eq!(stage.received(leaver).len(), 2);
    stage.unsubscribe_seen(leaver, 1);
    let heir = stage.subscribe(client, "queue://q");
    stage.run_for(Duration::from_millis(100));
    let told: Vec<_> = stage.received(heir).iter().map(|found| (found.body.as_str(), found.redeliveries)).collect();
    assert_eq!(told, [("seen", 1), ("unseen", 0)]);
}

/// A consumer is confirmed when as many targets as are needed have confirmed it, and refused at its deadline.
#[test]
fn a_consumer_needs_as_many_targets_as_a_send() {
    let mut stage = Stage::new(1);
    let fanout = FanoutConfig { send_timeout: Duration::from_secs(3), ..needs(2) };
    let (client, _) = stage.fan(1, fanout);
    let until = stage.now() + Duration::from_secs(3);
    let early = stage.subscribe(client, "topic://t");
    stage.run_for(Duration::from_secs(1));
    assert!(!stage.is_confirmed(early) && stage.denied(client).is_empty());
    stage.run_for(Duration::from_secs(3));
    let refusal = Refusal::TimedOut { accepted: 1, needed: 2, after: Duration::from_secs(3) };
    assert_eq!(stage.denied(client), [(until, early, refusal)]);
    let late = stage.broker("flock", "late");
    stage.fan_out(client, &[late]);
    let consumer = stage.subscribe(client, "topic://t");
    stage.run_for(Duration::from_millis(100));
    assert!(stage.is_confirmed(consumer));
}

/// A broker that refuses a consumer of one that others serve is told of, and takes nothing from it.
#[test]
fn one_target_that_refuses_a_consumer_later_takes_nothing_from_it() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(2, needs(2));
    let consumers = ["topic://a", "topic://b"].map(|pattern| stage.subscribe(client, pattern));
    stage.run_for(Duration::from_millis(100));
    let limits = BrokerConfig { consumers_max: 1, ..BrokerConfig::default() };
    let small = stage.host(Config { broker: limits, ..Config::broker("flock", "small") });
    stage.fan_out(client, &[small]);
    stage.run_for(Duration::from_millis(100));
    let small_id = stage.id(small);
    let is_meant = |event: &flockmq_core::Event| {
        matches!(event, flockmq_core::Event::SubscriptionRefused { consumer, answer }
        if *consumer == consumers[1] && answer.broker == small_id && answer.result.is_err())
    };
    assert_eq!(stage.count(client, is_meant), 1);
    stage.send(brokers[0], "topic://b", "m");
    stage.run_for(Duration::from_millis(100));
    assert_eq!(stage.bodies(consumers[1]), ["m"]);
}

/// A send of the client is not held up by consumers that take nothing.
#[test]
fn a_consumer_that_takes_nothing_holds_up_no_send() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(2, needs(2));
    stage.subscribe_with(client, "queue://q", Acking::Manual, Some(1));
    stage.run_for(Duration::from_millis(100));
    stage.send_all(brokers[0], "queue://q", (0..100).map(|number| number.to_string()));
    let sent = stage.send(client, "topic://t", "m");
    stage.run_for(Duration::from_millis(10));
    assert!(matches!(stage.outcome(sent), Outcome::Accepted { .. }));
}

fn needs(acks_min: u32) -> FanoutConfig {
    FanoutConfig { acks_min, ..FanoutConfig::default() }
}
