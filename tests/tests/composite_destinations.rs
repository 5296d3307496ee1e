//! What is sent to several destinations at once reaches the consumers of each, wherever they are, once.

use std::time::Duration;

use flockmq_core::{Config, FanoutConfig};
use flockmq_tests::{Group, client};

#[test]
fn each_destination_gets_each_message_once_from_any_peer() {
    let mut group = Group::new(3);
    let shared = [0, 1].map(|host| group.subscribe(host, "orders"));
    let subscribers = [group.subscribe(0, "topic://log"), group.subscribe(2, "topic://>")];
    let both = group.subscribe(1, "audit.>,topic://log");
    group.world.run_for(A_MOMENT);
    let mut sent = Vec::new();
    for host in 0..3 {
        let texts: Vec<String> = (0..20).map(|number| format!("{host}-{number}")).collect();
        group.send(host, "orders,audit.all,topic://log", &texts);
        sent.extend(texts);
    }
    sent.sort_by_key(|text| (text.len(), text.clone()));
    group.world.run_for(A_MOMENT);
    group.listen();
    assert_eq!(group.received(&shared), sent, "a queue's consumers share");
    for subscriber in subscribers {
        assert_eq!(group.received(&[subscriber]), sent);
    }
    let twice: Vec<&String> = sent.iter().flat_map(|text| [text, text]).collect();
    assert_eq!(group.received(&[both]), twice, "one message at two of its destinations");
}

#[test]
fn through_fanout_each_destination_has_a_way_of_its_own() {
    let mut group = Group::new(0);
    let brokers = ["a", "b"].map(|name| group.add(Config::broker("g", name)));
    let client = group.add(client("g", FanoutConfig { acks_min: 2, ..FanoutConfig::default() }));
    group.world.run_for(A_MOMENT);
    let logs = brokers.map(|broker| group.subscribe(broker, "topic://log"));
    let both = group.subscribe(client, "orders,topic://log");
    group.world.run_for(A_MOMENT);
    group.send(client, "orders,topic://log", &["x".to_owned(), "y".to_owned()]);
    group.world.run_for(A_MOMENT);
    group.listen();
    for log in logs {
        assert_eq!(group.received(&[log]), ["x", "y"], "a topic's go to every broker");
    }
    assert_eq!(group.received(&[both]), ["x", "x", "y", "y"], "and are taken once, as the queue's are");
    assert_eq!(group.accepted(client), [1, 2], "once both destinations have them");
}

const A_MOMENT: Duration = Duration::from_secs(5);
