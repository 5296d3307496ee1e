//! Messages go from any peer to whoever wants them on any other: topics to all, queues to one.

use std::collections::BTreeSet;
use std::time::Duration;

use flockmq_core::{Ack, AckExtent, AckKind, Config, ConsumerId};
use flockmq_tests::{Acking, HostId, Stage};

#[test]
fn a_topic_reaches_every_subscriber_everywhere_once_and_in_order() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(4);
    let patterns =
        ["topic://prices.eu.gold", "topic://prices.>", "topic://prices.*.gold", "topic://>", "topic://prices.*"];
    let consumers: Vec<Vec<ConsumerId>> =
        hosts.iter().map(|host| patterns.map(|pattern| stage.subscribe(*host, pattern)).into()).collect();
    stage.run_for(A_MOMENT);
    let sent = texts(200);
    stage.send_all(hosts[1], "topic://prices.eu.gold", sent.clone());
    stage.run_for(A_MOMENT);
    for of_host in consumers {
        for consumer in &of_host[..4] {
            assert_eq!(stage.bodies(*consumer), sent, "{}", stage.pattern(*consumer));
        }
        assert!(stage.bodies(of_host[4]).is_empty(), "'*' stands for one level");
    }
}

#[test]
fn a_message_crosses_a_bridge_once_however_many_demands_it_answers() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let wide = stage.subscribe(hosts[1], "topic://a.>");
    let narrow = stage.subscribe(hosts[1], "topic://a.b");
    stage.run_for(A_MOMENT);
    stage.send(hosts[0], "topic://a.b", "both");
    stage.run_for(A_MOMENT);
    assert_eq!((stage.bodies(wide), stage.bodies(narrow)), (vec!["both"], vec!["both"]));
    assert_eq!(stage.stats(hosts[1]).broker.accepted, 1);
}

/// What is on its way for one subscriber's demand when that subscriber leaves is still wanted by the other.
#[test]
fn a_subscriber_that_leaves_takes_nothing_from_another_of_its_host() {
    for (leaving, staying) in [("topic://a.b", "topic://a.>"), ("topic://a.>", "topic://a.b")] {
        for pause in [0, 100, 300, 600, 900] {
            let mut stage = Stage::new(1);
            let hosts = stage.flock(2);
            let first = stage.subscribe(hosts[1], leaving);
            let second = stage.subscribe(hosts[1], staying);
            stage.run_for(A_MOMENT);
            stage.send_all(hosts[0], "topic://a.b", texts(10));
            stage.run_for(Duration::from_micros(pause));
            stage.unsubscribe(first);
            stage.run_for(Duration::from_micros(pause));
            stage.send_all(hosts[0], "topic://a.b", (10..20).map(|number| number.to_string()));
            stage.run_for(A_MOMENT);
            assert_eq!(stage.bodies(second), texts(20), "{staying} stays, {leaving} leaves after {pause} µs");
        }
    }
}

#[test]
fn a_queue_message_goes_to_exactly_one_consumer() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(4);
    let consumers: Vec<ConsumerId> = hosts[1..].iter().map(|host| stage.subscribe(*host, "queue://orders")).collect();
    stage.run_for(A_MOMENT);
    let sent = texts(300);
    stage.send_all(hosts[0], "queue://orders", sent.clone());
    stage.run_for(A_MOMENT);
    assert_eq!(stage.accepted(hosts[0], "queue://orders"), 300);
    assert_eq!(all_bodies(&stage, &consumers), sorted(&sent));
    for consumer in &consumers {
        let share = stage.received(*consumer).len();
        assert!((90..=110).contains(&share), "consumers share: {share}");
        let sequences: Vec<u64> = stage.received(*consumer).iter().map(|received| received.id.sequence).collect();
        assert!(sequences.is_sorted(), "each gets its share in order");
    }
}

#[test]
fn a_consumer_of_the_same_broker_is_preferred() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let near = stage.subscribe_with(hosts[0], "queue://orders", Acking::Manual, Some(5));
    let far = stage.subscribe(hosts[1], "queue://orders");
    stage.run_for(A_MOMENT);
    stage.send_all(hosts[0], "queue://orders", texts(8));
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(near), ["0", "1", "2", "3", "4"]);
    assert_eq!(stage.bodies(far), ["5", "6", "7"], "what the near one has no credit for goes further");
}

#[test]
fn a_consumer_that_comes_later_gets_what_waited() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    let sent = texts(50);
    stage.send_all(hosts[0], "queue://orders", sent.clone());
    stage.run_for(Duration::from_secs(30));
    let consumer = stage.subscribe(hosts[2], "queue://orders");
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(consumer), sent);
    assert!(stage.received(consumer).iter().all(|received| received.redeliveries == 0));
}

#[test]
fn a_pattern_takes_from_queues_that_are_made_later_too() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    stage.send(hosts[0], "queue://orders.eu", "before");
    let consumer = stage.subscribe(hosts[1], "queue://orders.>");
    stage.run_for(A_MOMENT);
    stage.send(hosts[0], "queue://orders.us", "after");
    stage.send(hosts[0], "queue://jobs", "elsewhere");
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(consumer), ["before", "after"]);
}

#[test]
fn nothing_sent_after_peer_ready_is_lost_for_want_of_demand() {
    for seed in 0..20 {
        let mut stage = Stage::new(seed);
        let receiver = stage.peer("flock", "receiver");
        let consumer = stage.subscribe(receiver, "topic://t");
        stage.run_for(Duration::from_millis(seed * 37));
        let sender = stage.peer("flock", "sender");
        let is_ready = |stage: &mut Stage| stage.peers(sender).iter().any(|peer| peer.is_ready);
        assert!(stage.run_until(Duration::from_secs(5), is_ready));
        stage.send(sender, "topic://t", "first");
        stage.run_for(A_MOMENT);
        assert_eq!(stage.bodies(consumer), ["first"], "seed {seed}");
    }
}

#[test]
fn acknowledged_one_by_one_or_up_to_one() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let consumer = stage.subscribe_with(hosts[1], "queue://orders", Acking::Manual, Some(4));
    stage.send_all(hosts[0], "queue://orders", texts(20));
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(consumer), ["0", "1", "2", "3"], "no more than four are unacknowledged");
    let one = |tag| Ack { consumer, tag, extent: AckExtent::Individual, kind: AckKind::Accepted };
    stage.answer(one(3));
    stage.answer(one(1));
    assert_eq!(stage.bodies(consumer)[4..], ["4", "5"]);
    stage.ack(consumer, 5);
    assert_eq!(stage.bodies(consumer)[6..], ["6", "7", "8"], "2, 4 and 5 were left");
    stage.unsubscribe(consumer);
    let next = stage.subscribe(hosts[1], "queue://orders");
    stage.run_for(A_MOMENT);
    let expected: Vec<String> = (5..20).map(|number| number.to_string()).collect();
    assert_eq!(stage.bodies(next), expected);
    let redeliveries: Vec<u32> = stage.received(next).iter().map(|received| received.redeliveries).collect();
    assert_eq!((&redeliveries[..4], &redeliveries[4..]), (&[1; 4][..], &[0; 11][..]), "four were looked at");
}

#[test]
fn what_is_released_comes_again_marked() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let consumer = stage.subscribe_with(hosts[1], "queue://orders", Acking::Manual, Some(2));
    stage.send_all(hosts[0], "queue://orders", texts(2));
    stage.run_for(A_MOMENT);
    stage.answer(Ack { consumer, tag: 2, extent: AckExtent::UpTo, kind: AckKind::Released });
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(consumer), ["0", "1"], "they wait for a second");
    stage.run_for(Duration::from_secs(1));
    assert_eq!(stage.bodies(consumer), ["0", "1", "0", "1"]);
    let redeliveries: Vec<u32> = stage.received(consumer).iter().map(|received| received.redeliveries).collect();
    assert_eq!(redeliveries, [0, 0, 1, 1]);
}

/// The message's own broker still has it, and tells the other one that it was handed out before.
#[test]
fn what_a_leaving_consumer_had_goes_to_another_peer_marked() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let near = stage.subscribe_with(hosts[0], "queue://orders", Acking::Manual, None);
    stage.send_all(hosts[0], "queue://orders", texts(3));
    let far = stage.subscribe(hosts[1], "queue://orders");
    stage.run_for(A_MOMENT);
    assert_eq!((stage.bodies(near).len(), stage.bodies(far).len()), (3, 0));
    stage.unsubscribe_seen(near, 2);
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(far), ["0", "1", "2"]);
    let redeliveries: Vec<u32> = stage.received(far).iter().map(|received| received.redeliveries).collect();
    assert_eq!(redeliveries, [1, 1, 0], "the last was not looked at");
}

#[test]
fn what_a_leaving_consumer_had_goes_to_another_of_its_broker_marked() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let first = stage.subscribe_with(hosts[1], "queue://orders", Acking::Manual, None);
    stage.run_for(A_MOMENT);
    stage.send_all(hosts[0], "queue://orders", texts(3));
    stage.run_for(A_MOMENT);
    let second = stage.subscribe(hosts[1], "queue://orders");
    stage.unsubscribe(first);
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(second), ["0", "1", "2"]);
    assert!(stage.received(second).iter().all(|received| received.redeliveries == 1));
}

/// The consumer's pattern covers two queues. One has no room, the other has: what was accepted there is taken, although
/// messages before it still wait, and stays so when the consumer leaves.
#[test]
fn what_was_accepted_past_a_full_queue_is_not_handed_out_by_both_brokers() {
    let mut stage = Stage::new(1);
    let mut config = Config::peer("flock", "full");
    config.broker.queue_bytes_max = 1_000;
    let hosts = [stage.host(config), stage.peer("flock", "roomy")];
    assert!(stage.run_until(Duration::from_secs(5), |stage| stage.is_linked(&hosts)));
    let pattern = stage.subscribe_with(hosts[0], "queue://orders.>", Acking::Manual, Some(1));
    stage.run_for(A_MOMENT);
    stage.send_all(hosts[1], "queue://orders.full", texts(20));
    stage.send_all(hosts[1], "queue://orders.empty", texts(2));
    stage.run_for(A_MOMENT);
    assert!(stage.stats(hosts[0]).broker.parked > 0, "some wait for room");
    stage.unsubscribe(pattern);
    let consumers = [hosts[0], hosts[1]].map(|host| stage.subscribe(host, "queue://orders.>"));
    stage.run_for(Duration::from_secs(2));
    let mut expected = [texts(20), texts(2)].concat();
    expected.sort();
    assert_eq!(all_bodies(&stage, &consumers), expected);
}

/// When one of two consumers leaves, the other takes what it had, which makes room for what came for the first: that is
/// accepted before the other broker hears that the first one wants no more.
#[test]
fn what_is_accepted_because_a_consumer_leaves_is_not_handed_out_by_both_brokers() {
    let mut stage = Stage::new(1);
    let mut config = Config::peer("flock", "full");
    config.broker.queue_bytes_max = 1_000;
    let hosts = [stage.host(config), stage.peer("flock", "roomy")];
    assert!(stage.run_until(Duration::from_secs(5), |stage| stage.is_linked(&hosts)));
    let leaving = stage.subscribe_with(hosts[0], "queue://orders", Acking::Manual, Some(1));
    stage.run_for(A_MOMENT);
    stage.send_all(hosts[1], "queue://orders", texts(20));
    stage.run_for(A_MOMENT);
    assert!(stage.stats(hosts[0]).broker.parked > 0, "some wait for room");
    // No more than was handed out and waits: those who wait for room get some when the first one leaves.
    let staying = stage.subscribe_with(hosts[0], "queue://orders.>", Acking::Manual, Some(1));
    stage.unsubscribe(leaving);
    let last = stage.subscribe(hosts[1], "queue://orders");
    stage.run_for(A_MOMENT);
    stage.unsubscribe(staying);
    let here = stage.subscribe(hosts[0], "queue://orders");
    stage.run_for(Duration::from_secs(2));
    let mut expected = texts(20);
    expected.sort();
    let mut bodies = all_bodies(&stage, &[here, last]);
    bodies.dedup();
    assert_eq!(bodies, expected);
}

#[test]
fn one_hop_does_not_cross_two_bridges() {
    let (mut stage, hosts) = line(1);
    let (topic, queue) = (stage.subscribe(hosts[2], "topic://t"), stage.subscribe(hosts[2], "queue://q"));
    stage.run_for(A_MOMENT);
    stage.send(hosts[0], "topic://t", "topic");
    stage.send(hosts[0], "queue://q", "queue");
    stage.run_for(Duration::from_secs(5));
    assert!(stage.bodies(topic).is_empty() && stage.bodies(queue).is_empty());
}

#[test]
fn two_hops_cross_two_bridges() {
    let (mut stage, hosts) = line(2);
    let (topic, queue) = (stage.subscribe(hosts[2], "topic://t"), stage.subscribe(hosts[2], "queue://q"));
    stage.run_for(A_MOMENT);
    stage.send_all(hosts[0], "topic://t", texts(20));
    stage.send_all(hosts[0], "queue://q", texts(20));
    stage.run_for(A_MOMENT);
    assert_eq!((stage.bodies(topic), stage.bodies(queue)), (texts_of(&texts(20)), texts_of(&texts(20))));
}

#[test]
fn in_a_ring_nothing_comes_twice() {
    let mut stage = Stage::new(1);
    let hosts: Vec<HostId> = (0..4).map(|number| stage.host(hopping(&format!("b{number}"), 3))).collect();
    stage.world().cut(hosts[0], hosts[2]);
    stage.world().cut(hosts[1], hosts[3]);
    let neighbours = [[0, 1], [1, 2], [2, 3], [3, 0]].map(|pair| pair.map(|at| hosts[at]));
    let is_ring = |stage: &mut Stage| neighbours.iter().all(|pair| stage.is_linked(pair));
    assert!(stage.run_until(Duration::from_secs(10), is_ring));
    let topics: Vec<ConsumerId> = hosts.iter().map(|host| stage.subscribe(*host, "topic://t")).collect();
    let queues: Vec<ConsumerId> = hosts.iter().map(|host| stage.subscribe(*host, "queue://q")).collect();
    stage.run_for(A_MOMENT);
    let mut sent = Vec::new();
    for host in &hosts {
        for to in ["topic://t", "queue://q"] {
            let texts: Vec<String> = (0..20).map(|number| format!("{to} {host} {number}")).collect();
            stage.send_all(*host, to, texts.clone());
            sent.extend(texts);
        }
    }
    stage.run_for(Duration::from_secs(2));
    let (of_topic, of_queue): (Vec<_>, Vec<_>) = sent.iter().cloned().partition(|text| text.starts_with("topic"));
    for consumer in topics {
        assert_eq!(all_bodies(&stage, &[consumer]), sorted(&of_topic), "consumer {consumer}");
    }
    assert_eq!(all_bodies(&stage, &queues), sorted(&of_queue));
}

/// Three hosts of which the outer two can't reach each other.
fn line(hops_max: u32) -> (Stage, [HostId; 3]) {
    let mut stage = Stage::new(1);
    let hosts = ["a", "b", "c"].map(|name| stage.host(hopping(name, hops_max)));
    stage.world().cut(hosts[0], hosts[2]);
    let is_line = |stage: &mut Stage| stage.is_linked(&hosts[..2]) && stage.is_linked(&hosts[1..]);
    assert!(stage.run_until(Duration::from_secs(10), is_line));
    (stage, hosts)
}

fn hopping(name: &str, hops_max: u32) -> Config {
    let mut config = Config::peer("flock", name);
    config.bridge.message_hops_max = hops_max;
    config.bridge.demand_hops_max = hops_max;
    config
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

fn texts_of(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

fn sorted(texts: &[String]) -> Vec<String> {
    texts.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
}

/// The texts that several consumers were given, doubles included.
fn all_bodies(stage: &Stage, consumers: &[ConsumerId]) -> Vec<String> {
    let mut bodies: Vec<String> =
        consumers.iter().flat_map(|consumer| stage.bodies(*consumer)).map(str::to_owned).collect();
    bodies.sort();
    bodies
}

const A_MOMENT: Duration = Duration::from_millis(500);
