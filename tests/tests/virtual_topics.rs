//! Messages of virtual topics reach each of their queues once, whichever peer they are sent at. Each is delivered at
//! several destinations, which is not what the oracle judges: these tests look for themselves.

use std::time::Duration;

use flockmq_core::{Config, FanoutConfig};
use flockmq_tests::{Group, client};

#[test]
fn each_queue_of_a_virtual_topic_gets_each_message_once_from_any_peer() {
    let mut group = Group::new(3);
    let alone = [group.subscribe(1, "Consumer.A.VirtualTopic.Orders")];
    let shared = [0, 1, 2].map(|host| group.subscribe(host, "Consumer.B.VirtualTopic.Orders"));
    let plain = [group.subscribe(2, "topic://VirtualTopic.Orders"), group.subscribe(0, "topic://VirtualTopic.>")];
    let elsewhere = group.subscribe(1, "Consumer.A.VirtualTopic.Bills");
    group.world.run_for(A_MOMENT);
    let mut sent = Vec::new();
    for host in 0..3 {
        let texts: Vec<String> = (0..20).map(|number| format!("{host}-{number}")).collect();
        group.send(host, "topic://VirtualTopic.Orders", &texts);
        sent.extend(texts);
    }
    sent.sort_by_key(|text| (text.len(), text.clone()));
    group.world.run_for(A_MOMENT);
    group.listen();
    assert_eq!(group.received(&alone), sent);
    assert_eq!(group.received(&shared), sent, "its consumers share");
    for consumer in plain {
        assert_eq!(group.received(&[consumer]), sent);
    }
    assert_eq!(group.received(&[elsewhere]), [""; 0]);
}

#[test]
fn a_queue_gets_what_is_sent_while_its_consumer_is_away() {
    let mut group = Group::new(2);
    let consumer = group.subscribe(1, "Consumer.A.VirtualTopic.Orders");
    group.world.run_for(A_MOMENT);
    group.unsubscribe(1, consumer);
    group.world.run_for(A_MOMENT);
    for host in [0, 1] {
        group.send(host, "topic://VirtualTopic.Orders", &[format!("from {host}")]);
    }
    group.world.run_for(A_MOMENT);
    let consumer = group.subscribe(1, "Consumer.A.VirtualTopic.Orders");
    group.world.run_for(A_MOMENT);
    group.listen();
    assert_eq!(group.received(&[consumer]), ["from 0", "from 1"]);
}

#[test]
fn one_client_takes_from_several_queues_of_a_topic_through_fanout() {
    let mut group = Group::new(0);
    let host = group.add(Config::broker("g", "b"));
    let client = group.add(client("g", FanoutConfig { acks_min: 1, ..FanoutConfig::default() }));
    group.world.run_for(A_MOMENT);
    let queues = ["Consumer.A.VirtualTopic.Orders", "Consumer.B.VirtualTopic.Orders"];
    let consumers = queues.map(|queue| group.subscribe(client, queue));
    group.world.run_for(A_MOMENT);
    group.send(host, "topic://VirtualTopic.Orders", &["x".to_owned()]);
    group.send(client, "topic://VirtualTopic.Orders", &["y".to_owned()]);
    group.world.run_for(A_MOMENT);
    group.listen();
    for consumer in consumers {
        assert_eq!(group.received(&[consumer]), ["x", "y"]);
    }
}

const A_MOMENT: Duration = Duration::from_secs(5);
