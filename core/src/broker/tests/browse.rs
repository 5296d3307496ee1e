//! Consumers that only look.

use super::*;
use crate::model::Priority;

/// One that looks at `q`.
fn look(prefetch: u32) -> Subscription {
    Subscription { prefetch: Some(prefetch), browses: true, ..Subscription::new("q".parse().expect("a queue")) }
}

fn urgent(level: u8) -> Body {
    Body { priority: Priority::try_from(level).expect("a priority"), ..Body::default() }
}

#[test]
fn whoever_looks_is_shown_what_waits_and_takes_nothing() {
    let mut bench = Bench::with(at_once());
    bench.send(APP, "q");
    bench.send_one(APP, "q", urgent(9));
    let shown = [deliver(TWO, 1, 2), deliver(TWO, 2, 1), Said::Browsed(2)];
    assert_eq!(bench.subscribe_as(OTHER, TWO, look(10)), shown, "in order, and nobody wants anything");
    assert_eq!((bench.broker.stats().queued, bench.broker.wanted().count()), (2, 0));
    let wanted = Said::Wanted("queue://q");
    assert_eq!(bench.subscribe(APP, ONE, "q", 10), [deliver(ONE, 1, 2), deliver(ONE, 2, 1), wanted]);
    assert_eq!(bench.accept(OTHER, TWO, 2), [], "that gives it credit and settles nothing");
    assert_eq!(bench.broker.stats().outstanding_queued, 2);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(3), deliver(ONE, 3, 3)], "nothing new is for who looked");
    assert_eq!(bench.unsubscribe(OTHER, TWO, 0), []);
}

#[test]
fn what_goes_meanwhile_is_not_shown_and_what_comes_is_not_either() {
    let mut bench = Bench::with(at_once());
    for level in [4, 4, 4, 0] {
        bench.send_one(APP, "q", urgent(level));
    }
    assert_eq!(bench.subscribe_as(OTHER, TWO, look(1)), [deliver(TWO, 1, 1)]);
    bench.subscribe(APP, ONE, "q", 2);
    bench.accept(APP, ONE, 2);
    bench.unsubscribe(APP, ONE, 4);
    for level in [9, 4, 0] {
        bench.send_one(APP, "q", urgent(level));
    }
    // The first two were taken. Three came back; five to seven came later, before, between and behind the rest.
    assert_eq!(bench.accept(OTHER, TWO, 1), [again(TWO, 2, 3)]);
    assert_eq!(bench.accept(OTHER, TWO, 2), [again(TWO, 3, 4), Said::Browsed(2)], "told with the last, not asked for");
    assert_eq!(bench.accept(OTHER, TWO, 3), [], "and once");
}

#[test]
fn a_queue_that_is_not_there_is_empty_and_stays_away() {
    let mut bench = Bench::with(at_once());
    assert_eq!(bench.subscribe_as(APP, ONE, look(1)), [Said::Browsed(1)]);
    assert_eq!(bench.broker.registry.iter().count(), 0);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(1)], "whoever looked is no consumer of what comes to be");
    assert_eq!(bench.subscribe_as(OTHER, TWO, look(1)), [deliver(TWO, 1, 1), Said::Browsed(2)]);
    assert_eq!(bench.detach(OTHER), []);
    assert_eq!(bench.broker.stats().queued, 1);
}

#[test]
fn giving_back_what_was_shown_changes_nothing() {
    let mut bench = Bench::with(at_once());
    bench.send(APP, "q");
    bench.subscribe_as(OTHER, TWO, look(1));
    assert_eq!(bench.release(OTHER, TWO, 1), []);
    assert_eq!(bench.subscribe(APP, ONE, "q", 10)[..1], [deliver(ONE, 1, 1)]);
}

#[test]
fn what_is_too_large_for_who_looks_is_passed_over() {
    let mut bench = Bench::with(at_once());
    let small = Origin::Remote(LinkId(9));
    bench.broker.attach(small, Limits { message_max: Some(99), ..Limits::default() }).expect("room");
    bench.send(APP, "q");
    bench.send_one(APP, "q", urgent(4));
    assert_eq!(bench.subscribe_as(small, ONE, look(1)), [deliver(ONE, 1, 2), Said::Browsed(1)]);
}

#[test]
fn only_one_queue_can_be_looked_at() {
    let mut bench = Bench::with(at_once());
    let mut out = Outbox::new();
    for name in ["topic://t", "queue://q.*"] {
        let destination: Destination = name.parse().expect("a destination");
        let subscription = Subscription { destination: destination.clone().into(), ..look(1) };
        let subscriber = Subscriber::own(subscription);
        let asked = bench.broker.subscribe(Instant::ZERO, APP, ONE, subscriber, &mut out);
        assert_eq!(asked, Err(Refusal::NotBrowsable(destination)));
    }
    assert_eq!(bench.subscribe_as(APP, ONE, look(1)), [Said::Browsed(1)], "its number is free");
}
