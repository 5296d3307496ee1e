//! Topics' consumers that take nothing while publishers wait for them.

use super::*;
use crate::model::Durable;

/// What each of the bench's messages takes.
const SIZE: u64 = size_of::<Message>() as u64 + 100;

/// A broker where one message may wait for a consumer of `news`, which counts as slow after a second.
fn bench(when_slow: SlowConsumers) -> Bench {
    let mut config = BrokerConfig { stalled_after: Duration::from_secs(1), ..BrokerConfig::default() };
    let policy = DestinationPolicy { slow_consumers: when_slow, bytes_max: Some(SIZE), ..DestinationPolicy::default() };
    let destination = "topic://news".parse().expect("a destination");
    config.policies.entries.push(PolicyEntry { destination, policy });
    Bench::with(config)
}

/// One consumer has one message and one waits for it; another has all; and a publisher waits.
fn crowd(when_slow: SlowConsumers, slow: Origin) -> Bench {
    let mut bench = bench(when_slow);
    bench.subscribe(slow, ONE, "topic://news", 1);
    bench.subscribe(OTHER, TWO, "topic://news", 100);
    for _ in 0..2 {
        bench.send(OTHER, "topic://news");
    }
    assert_eq!(bench.send(OTHER, "topic://news"), []);
    assert_eq!(bench.broker.poll_timeout(), Some(Instant::from_millis(1_000)));
    bench.now = Instant::from_millis(1_000);
    bench
}

fn too_slow() -> Refusal {
    Refusal::TooSlow { bytes: SIZE, max: SIZE, after: Duration::from_secs(1) }
}

#[test]
fn a_full_subscriber_holds_up_nothing_that_is_not_for_it() {
    let mut bench = bench(SlowConsumers::DropOldest);
    let news: Destination = "topic://news".parse().expect("valid");
    let selector = Some("n = 1".parse().expect("a selector"));
    let wants = Subscription { no_local: true, selector, prefetch: Some(1), ..Subscription::new(news) };
    bench.subscribe_as(APP, ONE, wants);
    bench.subscribe(PEER, TWO, "topic://news", 1);
    let body = |n: i64| {
        let mut body = Body::bytes(alloc::vec![0; 100]);
        body.headers.properties.set("n", n).expect("room");
        body
    };
    bench.send_one(OTHER, "topic://news", body(1));
    bench.send_one(OTHER, "topic://news", body(1));
    bench.accept(PEER, TWO, 1);
    bench.accept(PEER, TWO, 2);
    // One message waits for the first consumer, as much as may.
    assert_eq!(bench.send_one(OTHER, "topic://news", body(2)), [Said::Accepted(3), deliver(TWO, 3, 3)]);
    assert_eq!(bench.send_one(APP, "topic://news", body(1)), [Said::Accepted(4)], "its own");
    // Now as much waits for the peer, which a message from there is not for.
    assert_eq!(bench.send_one(PEER, "topic://news", body(2)), [Said::Accepted(5)]);
    assert_eq!(bench.send_one(OTHER, "topic://news", body(2)), [], "this one is for the peer");
    assert_eq!(bench.send_one(PEER, "topic://news", body(2)), [], "and others stand behind it");
    assert_eq!(bench.accept(PEER, TWO, 3), [deliver(TWO, 4, 4), Said::Accepted(6), Said::Accepted(7)]);
}

#[test]
fn a_slow_consumer_gets_the_newest_if_the_oldest_are_dropped() {
    let mut bench = crowd(SlowConsumers::DropOldest, APP);
    assert_eq!(bench.wake(), [Said::Accepted(3), deliver(TWO, 3, 3)]);
    assert_eq!(bench.send(OTHER, "topic://news"), [Said::Accepted(4), deliver(TWO, 4, 4)]);
    assert_eq!(bench.accept(APP, ONE, 1), [deliver(ONE, 2, 4)]);
    assert_eq!((bench.broker.stats().dropped, bench.broker.stats().ended_slow), (2, 0));
}

#[test]
fn a_slow_consumer_gets_what_waited_if_the_newest_are_dropped() {
    let mut bench = crowd(SlowConsumers::DropNewest, APP);
    assert_eq!(bench.wake(), [Said::Accepted(3), deliver(TWO, 3, 3)]);
    assert_eq!(bench.send(OTHER, "topic://news"), [Said::Accepted(4), deliver(TWO, 4, 4)]);
    assert_eq!(bench.accept(APP, ONE, 1), [deliver(ONE, 2, 2)]);
    assert_eq!(bench.send(OTHER, "topic://news"), [Said::Accepted(5), deliver(TWO, 5, 5)], "it has taken something");
    assert_eq!(bench.accept(APP, ONE, 2), [deliver(ONE, 3, 5)]);
    assert_eq!(bench.broker.stats().dropped, 2);
}

#[test]
fn a_slow_consumer_ends_and_is_told_why_and_its_neighbour_goes_on() {
    for slow in [APP, CLIENT] {
        let mut bench = crowd(SlowConsumers::Disconnect, slow);
        assert_eq!(bench.wake(), [Said::Accepted(3), deliver(TWO, 3, 3), Said::Ended(1, too_slow())]);
        assert_eq!(bench.send(APP, "topic://news"), [Said::Accepted(4), deliver(TWO, 4, 4)]);
        let stats = bench.broker.stats();
        assert_eq!((stats.ended_slow, stats.outstanding, stats.waiting_bytes), (1, 4, 0), "nothing of it is left");
        let ack = Ack { consumer: ONE, tag: 1, extent: AckExtent::UpTo, kind: AckKind::Accepted };
        assert_eq!(bench.ack(slow, ack), Err(Refusal::unknown_consumer(ONE)));
        assert_eq!(bench.subscribe(slow, ONE, "topic://news", 1), [], "it may come back");
    }
}

#[test]
fn the_last_consumer_that_ends_takes_its_demand_along() {
    let mut bench = bench(SlowConsumers::Disconnect);
    bench.subscribe(APP, ONE, "topic://news", 1);
    for _ in 0..3 {
        bench.send(OTHER, "topic://news");
    }
    bench.now = Instant::from_millis(1_000);
    let said = [Said::Accepted(3), Said::Ended(1, too_slow()), Said::Unwanted("topic://news")];
    assert_eq!(bench.wake(), said);
}

#[test]
fn a_peer_is_not_parted_from_but_loses_the_oldest() {
    let mut bench = crowd(SlowConsumers::Disconnect, PEER);
    assert_eq!(bench.wake(), [Said::Accepted(3), deliver(TWO, 3, 3)]);
    assert_eq!(bench.accept(PEER, ONE, 1), [deliver(ONE, 2, 3)]);
}

#[test]
fn a_consumer_that_is_full_and_that_nobody_waits_for_stays() {
    let mut bench = bench(SlowConsumers::Disconnect);
    let news = "topic://news".parse().expect("a destination");
    let asked = Subscription { no_local: true, prefetch: Some(1), ..Subscription::new(news) };
    bench.subscribe_as(APP, ONE, asked);
    bench.send(OTHER, "topic://news");
    bench.send(OTHER, "topic://news"); // Waits for the first, as much as may.
    bench.subscribe(OTHER, TWO, "topic://news", 1);
    bench.send(APP, "topic://news");
    bench.send_one(APP, "topic://news", Body::default()); // Waits for the second, and less than may.
    assert_eq!(bench.send(OTHER, "topic://news"), []);
    bench.now = Instant::from_millis(1_000);
    assert_eq!(bench.wake(), [Said::Accepted(5), Said::Ended(1, too_slow())], "what came in fills the second");
    assert_eq!((bench.broker.poll_timeout(), bench.broker.stats().ended_slow), (None, 1));
}

#[test]
fn a_consumer_that_takes_something_in_time_stays() {
    let mut bench = crowd(SlowConsumers::Disconnect, APP);
    bench.now = Instant::from_millis(999);
    assert_eq!(bench.accept(APP, ONE, 1), [deliver(ONE, 2, 2), Said::Accepted(3), deliver(TWO, 3, 3)]);
    bench.now = Instant::from_millis(1_000);
    assert_eq!(bench.wake(), []);
}

#[test]
fn a_pattern_has_the_policy_that_holds_for_it_whatever_topics_it_covers() {
    let mut bench = bench(SlowConsumers::Disconnect);
    bench.subscribe(APP, ONE, "topic://>", 1);
    for _ in 0..10 {
        bench.send(OTHER, "topic://news");
    }
    bench.now = Instant::from_millis(10_000);
    assert_eq!(bench.wake(), []);
    assert_eq!((bench.broker.stats().parked, bench.broker.stats().pending_bytes), (0, 9 * SIZE));
}

#[test]
fn a_durable_subscription_whose_consumer_ends_goes_on_and_keeps_what_its_policy_says() {
    for (when_slow, kept) in [(SlowConsumers::Disconnect, 4), (SlowConsumers::DropNewest, 1)] {
        let mut bench = bench(when_slow);
        let durable = Some(Durable::new("client", "a").expect("valid"));
        let news = "topic://news".parse().expect("a destination");
        let asked = Subscription { durable, prefetch: Some(1), ..Subscription::new(news) };
        bench.subscribe_as(APP, ONE, asked.clone());
        for _ in 0..3 {
            bench.send(OTHER, "topic://news");
        }
        bench.now = Instant::from_millis(1_000);
        let ended: Vec<Said> = if when_slow == SlowConsumers::Disconnect {
            let dormant = [Said::Wanted("topic://news, dormant"), Said::Unwanted("topic://news")];
            [[Said::Accepted(3), Said::Ended(1, too_slow())], dormant].concat()
        } else {
            alloc::vec![Said::Accepted(3)]
        };
        assert_eq!(bench.wake(), ended);
        if when_slow == SlowConsumers::DropNewest {
            bench.unsubscribe(APP, ONE, 1);
        }
        bench.send(OTHER, "topic://news");
        assert_eq!(bench.broker.stats().kept, 1, "there is room for one");
        let said = bench.subscribe_as(OTHER, TWO, asked);
        let redeliveries = u32::from(kept == 1);
        let expected = [
            Said::Deliver { consumer: 2, tag: 1, sequence: kept, redeliveries },
            Said::Wanted("topic://news"),
            Said::Unwanted("topic://news, dormant"),
        ];
        assert_eq!(said, expected, "{when_slow:?}");
    }
}

/// It may consume from a queue as well, which others want.
#[test]
fn what_others_still_want_is_not_said_to_be_unwanted_when_a_slow_consumer_is_ended() {
    let mut bench = bench(SlowConsumers::Disconnect);
    bench.subscribe(OTHER, TWO, "q", 1);
    let both = Subscription::to("topic://news,queue://q".parse().expect("destinations"));
    bench.subscribe_as(APP, ONE, Subscription { prefetch: Some(1), ..both });
    for _ in 0..3 {
        bench.send(OTHER, "topic://news");
    }
    bench.now = Instant::from_millis(1_000);
    let ended = [Said::Accepted(3), Said::Ended(1, too_slow())];
    assert_eq!(bench.wake(), [ended, [Said::Wanted("queue://q"), Said::Unwanted("topic://news")]].concat());
}
