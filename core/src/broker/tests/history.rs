//! What topics remember for those who subscribe late.

use super::*;
use crate::model::{Durable, Value};

const NEWS: &str = "topic://news";

/// A broker whose topics remember so.
fn remembering(history: History) -> Bench {
    let mut config = BrokerConfig::default();
    config.policies.default.history = history;
    Bench::with(config)
}

fn retroactive(destination: &str) -> Subscription {
    Subscription { retroactive: true, ..Subscription::new(destination.parse().expect("a destination")) }
}

impl Bench {
    /// The messages that a new consumer is handed: sequence, and whether it is marked as retained.
    fn recall(&mut self, origin: Origin, subscription: Subscription) -> Vec<(u64, bool)> {
        let subscriber = Subscriber::own(subscription);
        let mut out = Outbox::new();
        self.broker.subscribe(self.now, origin, ONE, subscriber, &mut out).expect("accepted");
        let mut found = Vec::new();
        for output in out.drain() {
            if let Output::Deliver { delivery: Delivery { message, .. }, .. } = output {
                let is_retained = message.body.headers.properties.get("ActiveMQ.Retained") == Some(&Value::Bool(true));
                assert_eq!(message.body.headers.properties.get("ActiveMQ.Retain"), None, "nobody retains it again");
                found.push((message.id.sequence, is_retained));
            }
        }
        self.broker.unsubscribe(self.now, origin, ONE, 0, &mut out).expect("a consumer");
        found
    }

    fn late(&mut self) -> Vec<u64> {
        self.recall(OTHER, retroactive(NEWS)).into_iter().map(|(sequence, _)| sequence).collect()
    }

    /// Sends a message with a body of this size and these properties.
    fn send_marked(&mut self, destination: &str, size: usize, properties: &[(&str, Value)]) {
        let mut body = Body::bytes(alloc::vec![0; size]);
        for (name, value) in properties {
            body.headers.properties.set(name, value.clone()).expect("few");
        }
        self.send_next(destination, body);
    }

    fn send_next(&mut self, destination: &str, body: Body) {
        self.sent += 1;
        self.send_body(APP, destination, self.sent, body);
    }

    fn retain(&mut self, destination: &str, size: usize) {
        self.send_marked(destination, size, &[("ActiveMQ.Retain", true.into())]);
    }
}

/// What each of the bench's messages takes.
fn size() -> u64 {
    (size_of::<Message>() + 100) as u64
}

#[test]
fn a_topic_remembers_as_much_as_its_policy_says() {
    let cases: [(History, &[u64]); 6] = [
        (History::None, &[]),
        (History::LastImage, &[5]),
        (History::Count(2), &[4, 5]),
        (History::Bytes(3 * size()), &[3, 4, 5]),
        (History::Bytes(3 * size() - 1), &[4, 5]),
        (History::Age(Duration::from_millis(10)), &[3, 4, 5]),
    ];
    for (history, expected) in cases {
        let mut bench = remembering(history);
        for millis in [0, 5, 11, 16, 21] {
            bench.now = Instant::from_millis(millis);
            bench.send(APP, NEWS);
        }
        assert_eq!(bench.late(), expected, "{history:?}");
        assert_eq!(bench.broker.stats().remembered_bytes, expected.len() as u64 * size(), "{history:?}");
    }
}

#[test]
fn what_is_too_old_by_now_is_not_handed_out() {
    let mut bench = remembering(History::Age(Duration::from_millis(10)));
    bench.send(APP, NEWS);
    bench.now = Instant::from_millis(10);
    assert_eq!(bench.late(), [1]);
    bench.now = Instant::from_millis(11);
    assert_eq!(bench.late(), []);
}

#[test]
fn only_who_asks_for_it_is_handed_what_a_topic_remembers() {
    let mut bench = remembering(History::Count(9));
    bench.send(APP, NEWS);
    assert_eq!(bench.subscribe(OTHER, TWO, NEWS, 10), [Said::Wanted(NEWS)]);
    assert_eq!(bench.late(), [1]);
    assert_eq!(bench.late(), [1], "everybody anew");
}

#[test]
fn late_subscribers_wait_for_credit_and_for_their_turn() {
    let mut bench = remembering(History::Count(9));
    bench.send(APP, NEWS);
    bench.send(APP, NEWS);
    let subscriber = Subscriber::own(Subscription { prefetch: Some(1), ..retroactive(NEWS) });
    let mut out = Outbox::new();
    bench.broker.subscribe(bench.now, OTHER, TWO, subscriber, &mut out).expect("accepted");
    assert_eq!(short(&mut out), [deliver(TWO, 1, 1), Said::Wanted(NEWS)]);
    assert_eq!(bench.send(APP, NEWS), [Said::Accepted(3)]);
    assert_eq!(bench.accept(OTHER, TWO, 1), [deliver(TWO, 2, 2)]);
    assert_eq!(bench.accept(OTHER, TWO, 2), [deliver(TWO, 3, 3)]);
}

#[test]
fn a_pattern_is_handed_what_each_of_its_topics_remembers() {
    let mut bench = remembering(History::LastImage);
    for destination in ["topic://a.b", "topic://a", "topic://c", "topic://a.b"] {
        bench.send(APP, destination);
    }
    assert_eq!(bench.recall(OTHER, retroactive("topic://a.>")), [(4, false), (2, false)], "by the age of the topics");
}

#[test]
fn a_late_subscriber_is_handed_nothing_that_it_would_not_have_been() {
    let mut bench = remembering(History::Count(9));
    bench.send(APP, NEWS);
    bench.send(OTHER, NEWS);
    assert_eq!(bench.recall(APP, Subscription { no_local: true, ..retroactive(NEWS) }), [(2, false)]);
    bench.send_next(NEWS, Body::bytes("x").expiring(Duration::from_millis(5)));
    assert_eq!(bench.late(), [1, 2, 3]);
    bench.now = Instant::from_millis(5);
    assert_eq!(bench.late(), [1, 2], "its time is up");
}

#[test]
fn a_durable_subscription_is_handed_the_past_once() {
    let mut bench = remembering(History::Count(9));
    bench.send(APP, NEWS);
    let durable = Some(Durable::new("client", "a").expect("valid"));
    let asked = || Subscription { durable: durable.clone(), ..retroactive(NEWS) };
    assert_eq!(bench.recall(OTHER, asked()), [(1, false)]);
    bench.send(APP, NEWS);
    assert_eq!(bench.recall(OTHER, asked()), [(1, false), (2, false)], "as it was not acknowledged");
    assert_eq!(bench.broker.stats().kept, 2);
}

#[test]
fn any_topic_remembers_its_retained_message_until_an_empty_one_clears_it() {
    let mut bench = Bench::new();
    bench.retain(NEWS, 10);
    bench.send(APP, NEWS);
    bench.send_marked(NEWS, 10, &[("ActiveMQ.Retain", false.into()), ("n", 1.into())]);
    assert_eq!(bench.recall(OTHER, retroactive(NEWS)), [(1, true)]);
    bench.send_marked(NEWS, 10, &[("ActiveMQ.Retain", "true".into())]);
    assert_eq!(bench.recall(OTHER, retroactive(NEWS)), [(4, true)], "a text will do, as in ActiveMQ");
    bench.retain(NEWS, 0);
    assert_eq!((bench.late(), bench.broker.stats().remembered_bytes), (Vec::new(), 0));
}

#[test]
fn the_retained_message_comes_before_the_others_and_counts_as_none_of_them() {
    let mut bench = remembering(History::Count(2));
    for _ in 0..2 {
        bench.send(APP, NEWS);
    }
    bench.retain(NEWS, 10);
    bench.send(APP, NEWS);
    assert_eq!(bench.recall(OTHER, retroactive(NEWS)), [(3, true), (2, false), (4, false)]);
}

/// Whatever policies and producers ask for, all topics together remember no more than the broker allows.
#[test]
fn what_is_remembered_is_bounded_over_all_topics() {
    let mut config = BrokerConfig { history_bytes_max: 4 * size(), ..BrokerConfig::default() };
    config.policies.default.history = History::Count(3);
    let mut bench = Bench::with(config);
    for _ in 0..3 {
        bench.send(APP, "topic://a");
    }
    for _ in 0..2 {
        bench.send(APP, "topic://b");
    }
    assert_eq!(bench.recall(OTHER, retroactive("topic://>")), [1, 2, 3, 5].map(|sequence| (sequence, false)));
    bench.retain("topic://c", 100);
    bench.retain("topic://b", 100);
    assert_eq!(bench.recall(OTHER, retroactive("topic://>")), [1, 2, 3].map(|sequence| (sequence, false)));
    assert_eq!(bench.broker.stats().remembered_bytes, 3 * size());
}

#[test]
fn queues_remember_nothing() {
    let mut bench = remembering(History::Count(2));
    bench.send(APP, "q");
    let queue: Destination = "q".parse().expect("a destination");
    let subscriber = Subscriber::own(retroactive("q"));
    let refused = bench.broker.subscribe(bench.now, OTHER, ONE, subscriber, &mut Outbox::new());
    assert_eq!((refused, bench.broker.stats().remembered_bytes), (Err(Refusal::TopicsOnly(queue)), 0));
}
