//! A message crosses to a peer only if a consumer there wants it, whatever the consumers are and however they come and go.

use std::time::Duration;

use flockmq_core::{Body, Config, Durable, Subscription};
use flockmq_tests::{Acking, Group, HostId, Stage};

#[test]
fn what_no_remote_consumer_wants_does_not_cross() {
    for (to, pattern) in
        [("queue://a.q", "queue://a.q"), ("topic://a.t", "topic://a.t"), ("topic://a.t", "topic://a.>")]
    {
        let mut stage = Stage::new(1);
        let hosts = stage.flock(2);
        let consumer = stage.subscribe_as(hosts[1], wanting(pattern, "n = 1"), Acking::Automatic);
        stage.run_for(A_MOMENT);
        stage.send_bodies(hosts[0], to, (0..30).map(numbered).collect());
        stage.run_for(A_MOMENT);
        assert_eq!(stage.bodies(consumer), texts((0..30).filter(|number| number % 3 == 1)), "{pattern}");
        assert_eq!(crossed(&stage, hosts[1]), 10, "{pattern}");
    }
}

#[test]
fn a_queues_messages_that_nobody_wants_wait_where_they_are_for_who_comes() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    let ones = stage.subscribe_as(hosts[1], wanting("queue://q", "n = 1"), Acking::Automatic);
    stage.run_for(A_MOMENT);
    stage.send_bodies(hosts[0], "queue://q", (0..30).map(numbered).collect());
    stage.run_for(A_MOMENT);
    assert_eq!((stage.received(ones).len(), stage.stats(hosts[0]).broker.queued), (10, 20));
    let twos = stage.subscribe_as(hosts[2], wanting("queue://q", "n = 2"), Acking::Automatic);
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(twos), texts((0..30).filter(|number| number % 3 == 2)));
    let rest = stage.subscribe(hosts[1], "queue://q");
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(rest), texts((0..30).filter(|number| number % 3 == 0)));
}

#[test]
fn a_topics_message_crosses_once_for_all_who_want_it() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let selectors = ["n = 0", "n < 2", "n <> 1"];
    let consumers =
        selectors.map(|selector| stage.subscribe_as(hosts[1], wanting("topic://t", selector), Acking::Automatic));
    let other = stage.subscribe_as(hosts[1], wanting("topic://>", "n = 1"), Acking::Automatic);
    stage.run_for(A_MOMENT);
    stage.send_bodies(hosts[0], "topic://t", (0..30).map(numbered).collect());
    stage.run_for(A_MOMENT);
    assert_eq!(consumers.map(|consumer| stage.received(consumer).len()), [10, 20, 20]);
    assert_eq!((stage.received(other).len(), crossed(&stage, hosts[1])), (10, 30));
}

/// What is told to a peer changes while messages are on their way, from these selectors to others and to none. Whoever
/// stays gets all that it wants, once and in order.
#[test]
fn nothing_falls_between_a_demand_and_the_one_that_takes_its_place() {
    for to in ["topic://t", "queue://q"] {
        for pause in [0, 100, 300, 600, 900] {
            let mut stage = Stage::new(1);
            let hosts = stage.flock(2);
            let staying = stage.subscribe_as(hosts[1], wanting(to, "n < 2"), Acking::Automatic);
            stage.run_for(A_MOMENT);
            let mut others = Vec::new();
            for (round, selector) in [None, Some("n = 2"), Some("n < 2"), None, Some("n = 3")].into_iter().enumerate() {
                let wanted = Subscription {
                    selector: selector.map(|text| text.parse().expect("a selector")),
                    ..Subscription::new(to.parse().expect("a destination"))
                };
                let others_come = [round * 20, round * 20 + 10].map(|first| first..first + 10);
                let [before, after] = others_come.map(|range| range.map(numbered).collect::<Vec<_>>());
                stage.send_bodies(hosts[0], to, before);
                stage.run_for(Duration::from_micros(pause));
                let other = stage.subscribe_as(hosts[1], wanted, Acking::Automatic);
                stage.run_for(Duration::from_micros(pause));
                stage.send_bodies(hosts[0], to, after);
                stage.run_for(Duration::from_micros(pause));
                stage.unsubscribe(other);
                others.push(other);
            }
            stage.run_for(A_MOMENT);
            let wanted = texts((0..100).filter(|number| number % 3 < 2));
            let mut found: Vec<&str> = stage.bodies(staying);
            if to.starts_with("queue") {
                found.extend(others.iter().flat_map(|other| stage.bodies(*other)));
                found.retain(|text| text.parse::<usize>().expect("a number") % 3 < 2);
                found.sort_by_key(|text| (text.len(), *text));
            }
            assert_eq!(found, wanted, "{to}, {pause} µs");
        }
    }
}

#[test]
fn what_a_durable_subscription_wants_crosses_while_its_consumer_is_away_and_no_more() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let durable = Some(Durable::new("me", "log").expect("valid"));
    let wanted = Subscription { durable, ..wanting("topic://t", "n = 1") };
    let first = stage.subscribe_as(hosts[1], wanted.clone(), Acking::Automatic);
    stage.run_for(A_MOMENT);
    stage.unsubscribe(first);
    stage.run_for(A_MOMENT);
    stage.send_bodies(hosts[0], "topic://t", (0..30).map(numbered).collect());
    stage.run_for(A_MOMENT);
    assert_eq!(crossed(&stage, hosts[1]), 10);
    let second = stage.subscribe_as(hosts[1], wanted, Acking::Automatic);
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(second), texts((0..30).filter(|number| number % 3 == 1)));
}

#[test]
fn who_looks_at_a_queue_has_nothing_sent_there() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    stage.browse(hosts[1], &"queue://q".parse().expect("a queue"));
    stage.send_bodies(hosts[0], "queue://q", (0..30).map(numbered).collect());
    stage.run_for(A_MOMENT);
    assert_eq!((crossed(&stage, hosts[1]), stage.stats(hosts[0]).broker.queued), (0, 30));
}

/// What others have looked at and given back is another message to such a selector.
#[test]
fn what_was_given_back_crosses_to_who_wants_such() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let again = stage.subscribe_as(hosts[1], wanting("queue://q", "JMSRedelivered = TRUE"), Acking::Automatic);
    stage.run_for(A_MOMENT);
    stage.send_bodies(hosts[0], "queue://q", (0..3).map(numbered).collect());
    stage.run_for(A_MOMENT);
    assert_eq!(crossed(&stage, hosts[1]), 0);
    let near = stage.subscribe_with(hosts[0], "queue://q", Acking::Manual, Some(1));
    stage.run_for(A_MOMENT);
    stage.unsubscribe(near);
    stage.run_for(A_MOMENT);
    assert_eq!((stage.bodies(again), stage.stats(hosts[0]).broker.queued), (vec!["0"], 2));
}

#[test]
fn replies_are_told_apart_by_who_waits_for_them() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    let waiting = [1, 2].map(|at| {
        let wanted = wanting("queue://replies", &format!("JMSCorrelationID = '{at}'"));
        stage.subscribe_as(hosts[at], wanted, Acking::Automatic)
    });
    stage.run_for(A_MOMENT);
    let reply = |number: usize| {
        let mut body = Body::text(number.to_string());
        body.headers.correlation_id = Some((1 + number % 2).to_string());
        body
    };
    stage.send_bodies(hosts[0], "queue://replies", (0..10).map(reply).collect());
    stage.run_for(A_MOMENT);
    let found = waiting.map(|consumer| stage.bodies(consumer));
    assert_eq!(found, [vec!["0", "2", "4", "6", "8"], vec!["1", "3", "5", "7", "9"]]);
    assert_eq!([1, 2].map(|at| crossed(&stage, hosts[at])), [5, 5]);
}

/// As many as a peer is told; with one more it is told that all is wanted, until half of them have gone.
#[test]
fn too_many_selectors_are_told_as_none() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let max = stage.config(hosts[1]).bridge.selectors_max;
    let subscribe = |stage: &mut Stage, number: usize| {
        let wanted = wanting("topic://t", &format!("n = 1 AND {number} = {number}"));
        stage.subscribe_as(hosts[1], wanted, Acking::Automatic)
    };
    let mut consumers: Vec<_> = (0..max).map(|number| subscribe(&mut stage, number)).collect();
    let mut before = 0;
    let mut send = |stage: &mut Stage| {
        stage.run_for(A_MOMENT);
        stage.send_bodies(hosts[0], "topic://t", (0..30).map(numbered).collect());
        stage.run_for(A_MOMENT);
        let all = crossed(stage, hosts[1]);
        all - std::mem::replace(&mut before, all)
    };
    assert_eq!(send(&mut stage), 10);
    consumers.push(subscribe(&mut stage, max));
    assert_eq!(send(&mut stage), 30);
    for gone in consumers.drain(..max / 2) {
        stage.unsubscribe(gone);
    }
    assert_eq!(send(&mut stage), 30, "one more than half of the limit is left");
    stage.unsubscribe(consumers.remove(0));
    assert_eq!(send(&mut stage), 10);
    let (last, others) = consumers.split_last().expect("half of them");
    assert!(others.iter().all(|consumer| stage.received(*consumer).len() == 40));
    assert_eq!(stage.received(*last).len(), 30, "it came later");
}

#[test]
fn selectors_travel_as_far_as_demand_does() {
    let mut stage = Stage::new(1);
    let hosts = ["a", "b", "c"].map(|name| {
        let mut config = Config::peer("flock", name);
        (config.bridge.message_hops_max, config.bridge.demand_hops_max) = (2, 2);
        stage.host(config)
    });
    stage.world().cut(hosts[0], hosts[2]);
    let is_line = |stage: &mut Stage| stage.is_linked(&hosts[..2]) && stage.is_linked(&hosts[1..]);
    assert!(stage.run_until(Duration::from_secs(10), is_line));
    let ones = stage.subscribe_as(hosts[2], wanting("queue://q", "n = 1"), Acking::Automatic);
    let twos = stage.subscribe_as(hosts[1], wanting("queue://q", "n = 2"), Acking::Automatic);
    stage.run_for(A_MOMENT);
    stage.send_bodies(hosts[0], "queue://q", (0..30).map(numbered).collect());
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(ones), texts((0..30).filter(|number| number % 3 == 1)));
    assert_eq!(stage.bodies(twos), texts((0..30).filter(|number| number % 3 == 2)));
    assert_eq!([1, 2].map(|at| crossed(&stage, hosts[at])), [20, 10]);
    assert_eq!(stage.stats(hosts[0]).broker.queued, 10);
}

#[test]
fn a_virtual_topics_queue_hands_over_what_its_consumers_want() {
    let mut group = Group::new(2);
    let wanted = wanting("Consumer.A.VirtualTopic.T,topic://VirtualTopic.T", "n = 1");
    let consumer = group.subscribe_as(1, wanted);
    group.world.run_for(A_MOMENT);
    group.send_bodies(0, "topic://VirtualTopic.T", (0..30).map(numbered).collect());
    group.world.run_for(A_MOMENT);
    group.listen();
    let ones: Vec<String> = texts((0..30).filter(|number| number % 3 == 1));
    let twice: Vec<String> = ones.iter().flat_map(|text| [text.clone(), text.clone()]).collect();
    assert_eq!(group.received(&[consumer]), twice, "once of its queue, and once of the topic");
    assert_eq!(group.stats(1).broker.accepted, 20);
}

#[test]
fn nothing_sent_after_peer_ready_is_lost_for_want_of_demand_with_a_selector() {
    for seed in 0..20 {
        let mut stage = Stage::new(seed);
        let receiver = stage.peer("flock", "receiver");
        let consumers: Vec<_> = (0..20)
            .map(|n| {
                stage.subscribe_as(
                    receiver,
                    wanting(&format!("topic://t{}", n % 2), &format!("n = {n}")),
                    Acking::Automatic,
                )
            })
            .collect();
        stage.run_for(Duration::from_millis(seed * 37));
        let sender = stage.peer("flock", "sender");
        let is_ready = |stage: &mut Stage| stage.peers(sender).iter().any(|peer| peer.is_ready);
        assert!(stage.run_until(Duration::from_secs(5), is_ready));
        for n in 0..20 {
            stage.send_bodies(sender, &format!("topic://t{}", n % 2), vec![with(n, "first")]);
        }
        stage.run_for(A_MOMENT);
        for consumer in consumers {
            assert_eq!(stage.bodies(consumer), ["first"], "seed {seed}");
        }
    }
}

fn wanting(destination: &str, selector: &str) -> Subscription {
    let selector = Some(selector.parse().expect("a selector"));
    Subscription { selector, ..Subscription::to(destination.parse().expect("destinations")) }
}

/// A message with its number as text, and as `n` what is left of that by three.
fn numbered(number: usize) -> Body {
    with(number % 3, &number.to_string())
}

fn with(n: usize, text: &str) -> Body {
    let mut body = Body::text(text);
    body.headers.properties.set("n", i64::try_from(n).expect("small")).expect("room");
    body
}

fn texts(numbers: impl Iterator<Item = usize>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

/// How many messages have come to a host, of whose own nobody sends any.
fn crossed(stage: &Stage, host: HostId) -> u64 {
    stage.stats(host).broker.accepted
}

const A_MOMENT: Duration = Duration::from_millis(500);

/// Others that come may change what a peer is told of; what is on its way for who was there before stays in order.
#[test]
fn who_comes_puts_nothing_out_of_order_for_others() {
    for pause in [0, 50, 100, 200, 300, 450, 600, 900] {
        let mut stage = Stage::new(1);
        let hosts = stage.flock(2);
        let wanted = |selector: Option<&str>| Subscription {
            selector: selector.map(|text| text.parse().expect("a selector")),
            ..Subscription::new("queue://q".parse().expect("a queue"))
        };
        let mut consumers = vec![stage.subscribe_as(hosts[1], wanted(Some("n < 2")), Acking::Automatic)];
        consumers.push(stage.subscribe_as(hosts[1], wanted(Some("n = 2")), Acking::Automatic));
        stage.run_for(A_MOMENT);
        for round in 0..10 {
            stage.send_bodies(hosts[0], "queue://q", (round * 10..round * 10 + 10).map(numbered).collect());
            stage.run_for(Duration::from_micros(pause));
            if round == 5 {
                consumers.push(stage.subscribe_as(hosts[1], wanted(None), Acking::Automatic));
            }
        }
        stage.run_for(A_MOMENT);
        let all = consumers.iter().flat_map(|consumer| stage.bodies(*consumer)).count();
        assert_eq!(all, 100);
        for consumer in consumers {
            let numbers: Vec<usize> =
                stage.bodies(consumer).iter().map(|text| text.parse().expect("a number")).collect();
            assert!(numbers.is_sorted(), "{pause} µs: {numbers:?}");
        }
    }
}
