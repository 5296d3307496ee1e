//! A client that fans out to brokers which are networked: every broker forwards what every broker has. One copy by
//! default, and as many as there are brokers without the check (T5).

use std::time::Duration;

use flockmq_core::{BrokerConfig, Config, ConsumerId, FanoutConfig};
use flockmq_tests::{Acking, HostId, Outcome, Stage};

#[test]
fn one_copy_by_default_and_four_without_the_check() {
    for (checks_duplicates, copies) in [(true, 1), (false, 4)] {
        for seed in 0..10 {
            let (mut stage, client, _, consumer) = networked(seed, checks_duplicates, 4);
            for number in 0..20 {
                stage.send(client, "topic://t", &number.to_string());
                stage.run_for(Duration::from_millis(3));
            }
            stage.run_for(Duration::from_secs(1));
            let expected: Vec<usize> = vec![copies; 20];
            assert_eq!(counts(&stage, consumer, 20), expected, "checks_duplicates: {checks_duplicates}, seed {seed}");
        }
    }
}

/// All in one command: copies cross each other on all links at once.
#[test]
fn a_burst_comes_once() {
    for seed in 0..10 {
        let (mut stage, client, hosts, consumer) = networked(seed, true, 4);
        let others: Vec<ConsumerId> = hosts[1..].iter().map(|host| stage.subscribe(*host, "topic://>")).collect();
        stage.run_for(Duration::from_secs(1));
        stage.send_all(client, "topic://t", (0..200).map(|number| number.to_string()));
        stage.run_for(Duration::from_secs(2));
        for consumer in others.into_iter().chain([consumer]) {
            assert_eq!(counts(&stage, consumer, 200), [1; 200], "seed {seed}");
        }
    }
}

/// A broker that the client does not reach gets each message once, from those it does.
#[test]
fn a_broker_that_is_no_target_gets_each_message_once() {
    for seed in 0..10 {
        let mut stage = Stage::new(seed);
        let hosts = stage.flock(4);
        let client = stage.client("flock", needs(2));
        let hidden = hosts[3];
        stage.world().cut(client, hidden);
        let consumer = stage.subscribe(hidden, "topic://t");
        stage.fan_out(client, &hosts[..3]);
        stage.run_for(Duration::from_secs(1));
        assert!(!stage.is_fanned_out(client, &[hidden]));
        stage.send_all(client, "topic://t", (0..20).map(|number| number.to_string()));
        stage.run_for(Duration::from_secs(1));
        assert_eq!(counts(&stage, consumer, 20), [1; 20], "seed {seed}");
    }
}

/// A chain of brokers in which the client reaches only one end, and messages may cross two bridges.
#[test]
fn at_the_far_end_of_a_chain_each_message_comes_once() {
    let mut stage = Stage::new(1);
    let peer = |name: &str| {
        let mut config = Config::peer("g", name);
        (config.bridge.message_hops_max, config.bridge.demand_hops_max) = (2, 2);
        config
    };
    let hosts = ["b0", "b1", "b2"].map(|name| stage.host(peer(name)));
    stage.world().cut(hosts[0], hosts[2]);
    let client = stage.client("g", needs(1));
    stage.world().cut(client, hosts[2]);
    assert!(
        stage.run_until(Duration::from_secs(10), |stage| {
            stage.is_linked(&hosts[..2]) && stage.is_linked(&hosts[1..])
        })
    );
    let consumers = hosts.map(|host| stage.subscribe(host, "topic://t"));
    stage.fan_out(client, &hosts[..2]);
    stage.run_for(Duration::from_secs(1));
    stage.send_all(client, "topic://t", (0..20).map(|number| number.to_string()));
    stage.run_for(Duration::from_secs(1));
    for consumer in consumers {
        assert_eq!(counts(&stage, consumer, 20), [1; 20]);
    }
}

/// A consumer of another client is on every broker, and every broker has four ways to get each message.
#[test]
fn a_consumer_of_a_client_gets_one_copy_too() {
    for seed in 0..10 {
        let (mut stage, client, hosts, _) = networked(seed, true, 4);
        let other = stage.client("flock", needs(2));
        stage.fan_out(other, &hosts);
        let consumers = [client, other].map(|host| stage.subscribe(host, "topic://t"));
        stage.run_for(Duration::from_secs(1));
        stage.send_all(client, "topic://t", (0..20).map(|number| number.to_string()));
        stage.run_for(Duration::from_secs(1));
        for consumer in consumers {
            assert_eq!(counts(&stage, consumer, 20), [1; 20], "seed {seed}");
        }
    }
}

/// A queue's message is at one of the brokers; wherever its consumer is, it gets it once.
#[test]
fn a_queues_message_reaches_a_consumer_at_any_of_them_once() {
    for seed in 0..10 {
        let (mut stage, client, hosts, _) = networked(seed, true, 4);
        let consumer = stage.subscribe(hosts[(seed % 4) as usize], "queue://q");
        stage.run_for(Duration::from_secs(1));
        let sent = stage.send_all(client, "queue://q", (0..20).map(|number| number.to_string()));
        stage.run_for(Duration::from_secs(1));
        assert_eq!(counts(&stage, consumer, 20), [1; 20], "seed {seed}");
        assert!(sent.iter().all(|message| stage.acceptors(*message).len() == 1));
    }
}

/// Two peers that have the same message and hand each other their copies do not both take the other's for one they have:
/// what all have accepted is not lost between them.
#[test]
fn copies_that_cross_between_peers_are_not_lost() {
    for seed in 0..10 {
        let mut stage = Stage::new(seed);
        let hosts: Vec<HostId> = (0..3).map(|number| stage.peer("flock", &format!("b{number}"))).collect();
        assert!(stage.run_until(Duration::from_secs(10), |stage| stage.is_linked(&hosts)));
        let client = stage.client("flock", FanoutConfig { replicates_queues: true, ..needs(3) });
        stage.fan_out(client, &hosts);
        let consumer = stage.subscribe_with(client, "queue://q", Acking::Automatic, Some(2));
        stage.run_for(Duration::from_secs(1));
        stage.send_all(client, "queue://q", (0..20).map(|number| number.to_string()));
        stage.run_for(Duration::from_secs(5));
        assert_eq!(counts(&stage, consumer, 20), [1; 20], "seed {seed}");
    }
}

/// What is sent again after a link was lost, and had arrived before, is recognised.
#[test]
fn what_is_sent_again_is_recognised() {
    for seed in 0..20 {
        let (mut stage, client, hosts, consumer) = networked(seed, true, 3);
        let mut sent = Vec::new();
        for number in 0..40 {
            sent.push(stage.send(client, "topic://t", &number.to_string()));
            stage.run_for(Duration::from_micros(200));
            if number % 10 == 5 {
                stage.world().reset(client, hosts[number / 10 % 3]);
            }
            stage.run_for(Duration::from_millis(3));
        }
        stage.run_for(Duration::from_secs(5));
        assert!(sent.iter().all(|message| matches!(stage.outcome(*message), Outcome::Accepted { .. })));
        assert_eq!(counts(&stage, consumer, 40), [1; 40], "seed {seed}");
    }
}

/// So many brokers, all linked to all, a client to which all are targets, and a consumer at the first broker.
fn networked(seed: u64, checks_duplicates: bool, count: usize) -> (Stage, HostId, Vec<HostId>, ConsumerId) {
    let mut stage = Stage::new(seed);
    let hosts: Vec<HostId> = (0..count)
        .map(|number| {
            let broker = BrokerConfig { checks_duplicates, ..BrokerConfig::default() };
            stage.host(Config { broker, ..Config::peer("flock", format!("b{number}")) })
        })
        .collect();
    assert!(stage.run_until(Duration::from_secs(10), |stage| stage.is_linked(&hosts)));
    let client = stage.client("flock", needs(2));
    stage.fan_out(client, &hosts);
    let consumer = stage.subscribe(hosts[0], "topic://t");
    stage.run_for(Duration::from_secs(1));
    (stage, client, hosts, consumer)
}

/// How often a consumer was given each of the texts 0, 1, 2 and so on.
fn counts(stage: &Stage, consumer: ConsumerId, count: usize) -> Vec<usize> {
    let bodies = stage.bodies(consumer);
    (0..count).map(|number| bodies.iter().filter(|body| **body == number.to_string()).count()).collect()
}

fn needs(acks_min: u32) -> FanoutConfig {
    FanoutConfig { acks_min, ..FanoutConfig::default() }
}
