//! Messages that can't be delivered are kept, once, with the reason.

use alloc::string::{String, ToString};

use super::*;
use crate::model::{Properties, Value};

fn policy(change: impl FnOnce(&mut DeadLetterPolicy)) -> BrokerConfig {
    let mut config = BrokerConfig::default();
    change(&mut config.policies.default.dead_letters);
    config
}

fn mortal(persistent: bool) -> Body {
    Body { persistent, ..Body::text("x").expiring(Duration::from_secs(1)) }
}

fn reject(consumer: ConsumerId, tag: Tag) -> Ack {
    Ack { consumer, tag, extent: AckExtent::Individual, kind: AckKind::Rejected }
}

/// All messages that wait where a pattern says.
fn waiting(bench: &mut Bench, pattern: &str) -> Vec<Message> {
    let subscription = Subscription::new(pattern.parse().expect("a pattern"));
    let subscriber = Subscriber::own(subscription);
    let mut out = Outbox::new();
    bench.broker.subscribe(bench.now, OTHER, ConsumerId(99), subscriber, &mut out).expect("accepted");
    let found = out.drain().filter_map(|output| match output {
        Output::Deliver { delivery, .. } => Some((*delivery.message).clone()),
        _ => None,
    });
    let found = found.collect();
    bench.broker.unsubscribe(bench.now, OTHER, ConsumerId(99), 0, &mut out).expect("subscribed");
    found
}

fn names(bench: &mut Bench) -> Vec<String> {
    waiting(bench, "queue://ActiveMQ.DLQ.>").into_iter().map(|message| message.destination.to_string()).collect()
}

fn property(properties: &Properties, name: &str) -> Option<String> {
    properties.get(name).map(Value::to_string)
}

#[test]
fn a_rejected_message_is_kept_with_the_reason_and_where_it_was_sent() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "orders", 10);
    let mut body = mortal(true);
    body.headers.properties.set("currency", "EUR").expect("room");
    bench.send_body(APP, "orders", 7, body.clone());
    assert_eq!(bench.ack(APP, reject(ONE, 1)), Ok(Vec::new()));
    assert_eq!(bench.ack(APP, reject(ONE, 1)), Err(Refusal::NotOutstanding { consumer: ONE, tag: 1 }));
    let found = waiting(&mut bench, "queue://ActiveMQ.DLQ");
    assert_eq!(found.len(), 1);
    let Message { id, destination, body: kept, .. } = &found[0];
    assert_eq!((id.sequence, destination.to_string().as_str()), (7, "queue://ActiveMQ.DLQ"));
    assert_eq!((kept.headers.time_to_live, kept.persistent, kept.data.clone()), (None, true, body.data));
    let properties = ["currency", "dlqDeliveryFailureCause", "originalDestination"];
    let found = properties.map(|name| property(&kept.headers.properties, name).expect("set"));
    assert_eq!(found, ["EUR", "a consumer rejected it", "queue://orders"]);
    let stats = bench.broker.stats();
    assert_eq!((stats.failed_queued, stats.dead_lettered, stats.discarded), (1, 1, 0));
}

#[test]
fn a_dead_letter_is_persistent_and_says_if_it_was_not() {
    for (was_persistent, mode) in [(true, None), (false, Some("NON_PERSISTENT"))] {
        let mut bench = Bench::new();
        bench.subscribe(APP, ONE, "orders", 10);
        bench.send_body(APP, "orders", 1, mortal(was_persistent));
        bench.ack(APP, reject(ONE, 1)).expect("outstanding");
        let Message { body, .. } = &waiting(&mut bench, "queue://ActiveMQ.DLQ")[0];
        let found = property(&body.headers.properties, "originalDeliveryMode");
        assert_eq!((body.persistent, found.as_deref()), (true, mode));
    }
}

#[test]
fn a_dead_letter_says_until_when_it_was_worth_something() {
    let mut bench = Bench::new();
    bench.broker.set_wall(bench.now, Timestamp::from_millis(10_000));
    bench.send_body(APP, "orders", 1, mortal(true));
    bench.now = Instant::from_millis(4_000);
    bench.broker.set_wall(bench.now, Timestamp::from_millis(14_000));
    bench.wake(); // Later than it wanted to be.
    bench.subscribe(APP, ONE, "orders", 10);
    bench.send_body(APP, "orders", 2, mortal(true));
    bench.send_body(APP, "orders", 3, Body::text("x"));
    bench.ack(APP, Ack { extent: AckExtent::UpTo, ..reject(ONE, 2) }).expect("outstanding");
    bench.send_body(APP, "orders", 4, mortal(true).expiring(Duration::ZERO));
    let found: Vec<_> = waiting(&mut bench, "queue://ActiveMQ.DLQ")
        .iter()
        .map(|found| property(&found.body.headers.properties, "originalExpiration"))
        .collect();
    let expected = [Some("11000"), Some("15000"), None, Some("14000")];
    assert_eq!(found, expected.map(|time| time.map(ToString::to_string)));
}

#[test]
fn dead_letters_go_where_the_policy_says() {
    let long = format!("queue://{}", "n".repeat(Destination::NAME_MAX));
    let cases: [(DeadLetterQueue, &str, Option<&str>); 6] = [
        (DeadLetterQueue::Individual, "queue://a.b", Some("queue://ActiveMQ.DLQ.Queue.a.b")),
        (DeadLetterQueue::Individual, "topic://a.b", Some("queue://ActiveMQ.DLQ.Topic.a.b")),
        (DeadLetterQueue::Individual, &long, Some("queue://ActiveMQ.DLQ")),
        (DeadLetterQueue::None, "queue://a.b", None),
        (DeadLetterQueue::Shared("queue://x".parse().expect("valid")), "queue://a.b", Some("queue://x")),
        (DeadLetterQueue::Shared("queue://x.*".parse().expect("valid")), "queue://a.b", None),
    ];
    for (queue, sent_to, expected) in cases {
        let mut bench = Bench::with(policy(|policy| policy.queue = queue));
        let expired = mortal(true).expiring(Duration::ZERO);
        assert_eq!(bench.send_body(APP, sent_to, 1, expired), [Said::Accepted(1)]);
        let found: Vec<String> =
            waiting(&mut bench, "queue://>").into_iter().map(|message| message.destination.to_string()).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "sent to {sent_to}");
        assert_eq!(bench.broker.stats().discarded, u64::from(expected.is_none()));
    }
}

#[test]
fn what_is_kept_depends_on_persistence_and_on_the_cause() {
    use NonPersistent::{Discarded, Kept, KeptOfQueues};
    for (keeps_expired, non_persistent, expected) in [
        (true, KeptOfQueues, [true, true, true, false]),
        (true, Discarded, [true, false, true, false]),
        (true, Kept, [true, true, true, true]),
        (false, Kept, [false, false, false, false]),
    ] {
        let mut bench = Bench::with(policy(|policy| {
            (policy.keeps_expired, policy.non_persistent) = (keeps_expired, non_persistent);
        }));
        let sent = [("queue://d", true), ("queue://d", false), ("topic://d", true), ("topic://d", false)];
        for ((to, persistent), is_kept) in sent.into_iter().zip(expected) {
            let before = bench.broker.stats();
            bench.sent += 1;
            let body = mortal(persistent).expiring(Duration::ZERO);
            bench.send_body(APP, to, bench.sent, body);
            let after = bench.broker.stats();
            let counts = (after.dead_lettered - before.dead_lettered, after.discarded - before.discarded);
            assert_eq!(counts, (u64::from(is_kept), u64::from(!is_kept)), "{to} {persistent} {non_persistent:?}");
        }
        bench.subscribe(APP, ONE, "q", 1);
        bench.send_body(APP, "q", 99, Body { persistent: true, ..Body::default() });
        bench.ack(APP, reject(ONE, 1)).expect("outstanding");
        assert!(waiting(&mut bench, "queue://ActiveMQ.DLQ").iter().any(|found| found.id.sequence == 99));
    }
}

#[test]
fn dead_letters_go_nowhere_else() {
    for queue in [DeadLetterQueue::Individual, DeadLetterQueue::Shared("queue://x".parse().expect("valid"))] {
        let mut config = policy(|policy| policy.queue = queue);
        config.policies.default.redelivery.redeliveries_max = Some(0);
        let mut bench = Bench::with(config);
        bench.subscribe(APP, ONE, "queue://orders", 1);
        bench.send(APP, "queue://orders");
        bench.ack(APP, reject(ONE, 1)).expect("outstanding");
        bench.subscribe(APP, TWO, "queue://>", 1);
        // Given back more often than allowed, it stays; rejected, it is gone.
        assert_eq!(bench.release(APP, TWO, 1), []);
        assert_eq!(bench.pass(Duration::from_secs(1)), [again(TWO, 2, 1)]);
        bench.ack(APP, reject(TWO, 2)).expect("outstanding");
        assert_eq!(names(&mut bench), Vec::<String>::new());
        let stats = bench.broker.stats();
        assert_eq!((stats.dead_lettered, stats.discarded, stats.failed_queued), (1, 1, 2));
    }
}

#[test]
fn a_topics_message_that_expires_for_several_subscribers_is_one_dead_letter() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "topic://t", 1);
    bench.subscribe(OTHER, TWO, "topic://t", 1);
    bench.send(APP, "topic://t");
    bench.send_body(APP, "topic://t", 2, mortal(true));
    assert_eq!(bench.pass(Duration::from_secs(1)), []);
    assert_eq!((bench.broker.stats().expired, bench.broker.stats().dead_lettered), (2, 1));
}

#[test]
fn topics_messages_of_one_id_are_dead_letters_each_by_itself() {
    let mut bench = Bench::new();
    // One sent to two topics, and one of a producer whose number was used before.
    bench.subscribe(APP, ONE, "topic://>", 1);
    bench.send(APP, "topic://a");
    for topic in ["topic://a", "topic://b", "topic://a"] {
        bench.send_body(APP, topic, 7, mortal(true));
        bench.pass(Duration::from_secs(1));
    }
    assert_eq!((bench.broker.stats().expired, bench.broker.stats().dead_lettered), (3, 3));
}

#[test]
fn older_dead_letters_come_before_newer_ones_though_they_come_back_together() {
    let mut config = at_once();
    config.policies.default.redelivery.redeliveries_max = Some(0);
    let mut bench = Bench::with(config);
    bench.subscribe(APP, ONE, "queue://>", 10);
    bench.send(APP, "orders");
    bench.ack(APP, reject(ONE, 1)).expect("outstanding");
    bench.send(APP, "orders");
    bench.send(APP, "orders");
    bench.ack(APP, reject(ONE, 4)).expect("outstanding");
    // It holds the dead letters of 1 and 3, and 2 between them.
    bench.subscribe(OTHER, TWO, "ActiveMQ.DLQ", 10);
    let all = Ack { consumer: ONE, tag: 5, extent: AckExtent::UpTo, kind: AckKind::Released };
    let said = bench.ack(APP, all).expect("outstanding");
    let order: Vec<u64> = said
        .into_iter()
        .map(|said| match said {
            Said::Deliver { sequence, .. } => sequence,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(order, [1, 3, 2]);
}

#[test]
fn an_older_dead_letter_that_is_due_comes_before_one_that_expires_meanwhile() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "ActiveMQ.DLQ", 10);
    bench.subscribe(OTHER, TWO, "orders", 1);
    bench.send(APP, "orders");
    bench.ack(OTHER, reject(TWO, 1)).expect("outstanding");
    bench.send(APP, "orders");
    bench.send_one(APP, "orders", mortal(true).expiring(Duration::from_millis(999)));
    assert_eq!(bench.release(APP, ONE, 1), []);
    // Nobody has woken the broker in time.
    bench.now = bench.now + Duration::from_secs(2);
    assert_eq!(bench.wake(), [again(ONE, 2, 1), deliver(ONE, 3, 3)]);
}

#[test]
fn a_dead_letter_that_finds_no_room_is_discarded_and_counted() {
    let full = BrokerConfig { queue_bytes_max: 1, ..BrokerConfig::default() };
    let crowded = BrokerConfig { destinations_max: 2, ..BrokerConfig::default() };
    for (config, kept) in [(full, 1), (crowded, 0)] {
        let mut bench = Bench::with(config);
        bench.subscribe(APP, ONE, "a", 10);
        bench.subscribe(APP, TWO, "b", 10);
        for tag in 1..=2 {
            bench.send(APP, "a");
            bench.ack(APP, reject(ONE, tag)).expect("outstanding");
        }
        let stats = bench.broker.stats();
        assert_eq!((stats.failed_queued, stats.dead_lettered, stats.discarded), (2, kept, 2 - kept));
    }
}

#[test]
fn what_a_topics_subscriber_rejects_is_done_with() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "topic://t", 1);
    bench.send(APP, "topic://t");
    bench.send(APP, "topic://t");
    assert_eq!(bench.ack(APP, reject(ONE, 1)), Ok(alloc::vec![deliver(ONE, 2, 2)]));
    assert_eq!(bench.broker.stats().dead_lettered, 0);
}

/// Found by seed 2852: a message that had died in two queues was one dead letter where both copies came together.
#[test]
fn dead_letters_of_one_message_from_several_queues_are_not_copies_of_one_another() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "ActiveMQ.DLQ", 10);
    let from = |origin: &str| {
        let mut body = Body::default();
        body.headers.properties.set("originalDestination", origin).expect("room");
        body
    };
    let mut hear = |origin| bench.send_body(PEER, "ActiveMQ.DLQ", 7, from(origin));
    assert_eq!(hear("queue://a"), [Said::Accepted(7), deliver(ONE, 1, 7)]);
    assert_eq!(hear("queue://b"), [Said::Accepted(7), deliver(ONE, 2, 7)]);
    assert_eq!(hear("queue://a"), [Said::Accepted(7)], "that one came before");
}
