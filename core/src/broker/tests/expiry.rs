//! Messages whose life has an end.

use super::*;
use crate::model::Durable;

/// A message that is worth something for so long.
fn mortal(millis: u64) -> Body {
    Body::text("x").expiring(Duration::from_millis(millis))
}

/// What is left of each message that is handed out, in milliseconds.
fn left(out: &mut Outbox<Output>) -> Vec<Option<u128>> {
    let deliveries = out.drain().filter_map(|output| match output {
        Output::Deliver { delivery, .. } => {
            Some(delivery.message.body.headers.time_to_live.map(|left| left.as_millis()))
        }
        _ => None,
    });
    deliveries.collect()
}

#[test]
fn what_is_left_of_a_life_is_told_to_whoever_is_handed_it() {
    for origin in [APP, PEER, CLIENT] {
        for destination in ["queue://d", "topic://d"] {
            let mut bench = Bench::new();
            bench.subscribe(origin, ONE, destination, 1);
            bench.send(APP, destination);
            bench.send_body(APP, destination, 2, mortal(500));
            bench.send_body(APP, destination, 3, Body::text("for ever"));
            bench.now = Instant::from_millis(200);
            let mut out = Outbox::new();
            for (tag, expected) in [(1, Some(300)), (2, None)] {
                let ack = Ack { consumer: ONE, tag, extent: AckExtent::UpTo, kind: AckKind::Accepted };
                bench.broker.acknowledge(bench.now, origin, ack, &mut out).expect("outstanding");
                assert_eq!(left(&mut out), [expected], "{destination} to {origin:?}");
            }
        }
    }
}

#[test]
fn a_life_passes_while_a_message_waits_for_room() {
    let mut bench = Bench::with(BrokerConfig { queue_bytes_max: 1, ..BrokerConfig::default() });
    bench.send(APP, "q");
    assert_eq!(bench.send_body(APP, "q", 2, mortal(500)), []);
    bench.now = Instant::from_millis(200);
    let subscription = Subscription::new("q".parse().expect("a destination"));
    let subscriber = Subscriber { path: Path::default().then(FAR), ..Subscriber::own(subscription) };
    let mut out = Outbox::new();
    bench.broker.subscribe(bench.now, PEER, ONE, subscriber, &mut out).expect("room");
    assert_eq!(left(&mut out), [None, Some(300)]);
}

#[test]
fn a_message_is_not_handed_out_after_its_end() {
    for destination in ["queue://d", "topic://d"] {
        let mut bench = Bench::new();
        bench.subscribe(APP, ONE, destination, 1);
        bench.send(APP, destination);
        for (sequence, millis) in [(2, 500), (3, 200), (4, 1000)] {
            bench.send_body(APP, destination, sequence, mortal(millis));
        }
        assert_eq!(bench.broker.poll_timeout(), Some(Instant::from_millis(200)), "{destination}");
        bench.now = Instant::from_millis(200);
        assert_eq!(bench.wake(), []);
        assert_eq!(bench.broker.poll_timeout(), Some(Instant::from_millis(500)));
        bench.now = Instant::from_millis(700); // Nobody has woken it.
        assert_eq!(bench.accept(APP, ONE, 1), [deliver(ONE, 2, 4)]);
        assert_eq!((bench.broker.stats().expired, bench.broker.poll_timeout()), (2, None));
    }
}

#[test]
fn a_message_that_comes_too_late_is_taken_and_goes_nowhere() {
    for destination in ["queue://d", "topic://d"] {
        let mut bench = Bench::new();
        bench.subscribe(APP, ONE, destination, 10);
        assert_eq!(bench.send_body(PEER, destination, 1, mortal(0)), [Said::Accepted(1)], "{destination}");
        assert_eq!((bench.broker.stats().expired, bench.broker.stats().expired_queued), (1, 0));
    }
}

#[test]
fn a_life_that_ends_gives_room_to_whoever_waits() {
    let mut bench = Bench::with(BrokerConfig { queue_bytes_max: 1, topic_bytes_max: 1, ..BrokerConfig::default() });
    bench.subscribe(APP, ONE, "topic://d", 1);
    bench.send(APP, "topic://d");
    for (destination, sequence) in [("queue://d", 10), ("topic://d", 20)] {
        let from = bench.now;
        bench.send_body(APP, destination, sequence, mortal(500));
        assert_eq!(bench.send_numbered(APP, destination, sequence + 1), [], "there is no room");
        bench.now = from + Duration::from_millis(500);
        assert_eq!(bench.wake(), [Said::Accepted(sequence + 1)]);
    }
}

#[test]
fn what_expires_while_it_is_handed_out_does_not_come_back() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 2);
    bench.send_body(APP, "q", 1, mortal(500));
    bench.send_body(APP, "q", 2, mortal(1500));
    bench.subscribe(OTHER, TWO, "q", 2);
    bench.now = Instant::from_millis(500);
    assert_eq!(bench.unsubscribe(APP, ONE, 2), [again(TWO, 1, 2), Said::Wanted("queue://q")]);
    // And what is given back may come to its end while it waits to be handed out again.
    assert_eq!(bench.release(OTHER, TWO, 1), []);
    assert_eq!(bench.pass(Duration::from_secs(2)), []);
    let stats = bench.broker.stats();
    assert_eq!((stats.expired_queued, stats.delayed, stats.queued), (2, 0, 2), "both are dead letters");
}

#[test]
fn what_is_given_back_after_its_time_has_expired_however_often_it_might_come_again() {
    let mut config = at_once();
    config.policies.default.redelivery.redeliveries_max = Some(0);
    for destination in ["queue://d", "topic://d"] {
        let mut bench = Bench::with(config.clone());
        let durable = Durable::new("client", "d").ok().filter(|_| destination == "topic://d");
        let wanted = Subscription { durable, ..Subscription::new(destination.parse().expect("a destination")) };
        bench.subscribe_as(APP, ONE, wanted);
        let body = Body { persistent: true, ..mortal(500) };
        bench.send_body(APP, destination, 1, body.clone());
        bench.send_body(APP, destination, 2, body);
        bench.now = Instant::from_millis(499);
        assert_eq!(bench.release(APP, ONE, 1), []);
        bench.now = Instant::from_millis(500);
        assert_eq!(bench.release(APP, ONE, 2), []);
        let stats = bench.broker.stats();
        assert_eq!((stats.expired, stats.dead_lettered, stats.kept), (1, 2, 0), "{destination}");
    }
}
