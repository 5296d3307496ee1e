//! Which messages come first, and which consumers.

use super::*;
use crate::model::{ConsumerPriority, Priority};

/// A message of 100 bytes, as urgent as that.
fn urgent(level: u8) -> Body {
    Body { priority: Priority::try_from(level).expect("a priority"), ..Body::bytes(alloc::vec![0; 100]) }
}

/// A consumer of the queue `q` that comes so much before others.
fn first(level: u8, prefetch: u32) -> Subscription {
    let priority = ConsumerPriority::try_from(level).expect("a priority");
    Subscription { prefetch: Some(prefetch), priority, ..Subscription::new("q".parse().expect("a queue")) }
}

#[test]
fn the_more_urgent_are_handed_out_first_and_equals_as_they_came() {
    let mut bench = Bench::with(at_once());
    for level in [4, 0, 9, 4, 9, 5] {
        bench.send_one(APP, "q", urgent(level));
    }
    let taken = bench.subscribe(APP, ONE, "q", 10);
    let order = [(1, 3), (2, 5), (3, 6), (4, 1), (5, 4), (6, 2)];
    assert_eq!(taken[..6], order.map(|(tag, number)| deliver(ONE, tag, number)));
}

#[test]
fn what_is_given_back_has_its_old_place_among_its_equals() {
    let mut bench = Bench::with(at_once());
    bench.subscribe(APP, ONE, "q", 3);
    for level in [4, 4, 9, 4, 9] {
        bench.send_one(APP, "q", urgent(level));
    }
    // One to three are outstanding; five is more urgent than four, and so is three.
    assert_eq!(bench.release(APP, ONE, 1), [deliver(ONE, 4, 5)]);
    assert_eq!(bench.release(APP, ONE, 3), [again(ONE, 5, 3)]);
    assert_eq!(bench.release(APP, ONE, 4), [again(ONE, 6, 5)]);
    assert_eq!(bench.accept(APP, ONE, 6), [again(ONE, 7, 1), deliver(ONE, 8, 4)]);
}

/// A consumer that has looked at everything has to look at what comes before that.
#[test]
fn nobody_misses_what_is_more_urgent_than_what_they_do_not_take() {
    let mut bench = Bench::with(at_once());
    bench.subscribe(APP, TWO, "q", 1);
    bench.send_one(APP, "q", urgent(4));
    bench.subscribe(PEER, ONE, "q", 1);
    bench.send_one(PEER, "q", urgent(4)); // It came from there.
    bench.send_one(APP, "q", urgent(4));
    assert_eq!(bench.accept(PEER, ONE, 1), [], "what waits is not for that peer");
    assert_eq!(bench.send_one(APP, "q", urgent(4)), [Said::Accepted(4), deliver(ONE, 2, 4)]);
    assert_eq!(bench.send_one(APP, "q", urgent(9)), [Said::Accepted(5)]);
    assert_eq!(bench.accept(PEER, ONE, 2), [deliver(ONE, 3, 5)]);
}

#[test]
fn whoever_comes_first_is_handed_all_that_they_have_credit_for() {
    let mut bench = Bench::with(at_once());
    bench.subscribe(PEER, ONE, "q", 10);
    bench.subscribe_as(APP, ONE, first(0, 10));
    bench.subscribe_as(OTHER, TWO, first(5, 2));
    let taken: Vec<Said> = (0..4).flat_map(|_| bench.send(APP, "q")).collect();
    let handed: Vec<&Said> = taken.iter().filter(|said| !matches!(said, Said::Accepted(_))).collect();
    assert_eq!(handed, [&deliver(TWO, 1, 1), &deliver(TWO, 2, 2), &deliver(ONE, 1, 3), &deliver(ONE, 2, 4)]);
    bench.accept(OTHER, TWO, 2);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(5), deliver(TWO, 3, 5)]);
}

#[test]
fn equals_take_turns_whoever_comes_before_them() {
    let mut bench = Bench::with(at_once());
    bench.subscribe_as(APP, ONE, first(3, 10));
    bench.subscribe_as(OTHER, TWO, first(3, 10));
    bench.subscribe_as(CLIENT, ConsumerId(3), first(0, 10));
    let taken: Vec<Said> =
        (0..4).flat_map(|_| bench.send(APP, "q")).filter(|said| !matches!(said, Said::Accepted(_))).collect();
    assert_eq!(taken, [deliver(ONE, 1, 1), deliver(TWO, 1, 2), deliver(ONE, 2, 3), deliver(TWO, 2, 4)]);
}

/// Room that a connection gets back is for its consumer that comes first, whichever made it.
#[test]
fn of_one_connections_consumers_too_the_first_is_served_first() {
    let mut bench = Bench::with(at_once());
    let narrow = Origin::Remote(LinkId(9));
    bench.broker.attach(narrow, Limits { window: Some(1), ..Limits::default() }).expect("room");
    bench.subscribe_as(narrow, ONE, first(0, 10));
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(1), deliver(ONE, 1, 1)]);
    bench.subscribe_as(narrow, TWO, first(1, 10));
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(2)]);
    assert_eq!(bench.accept(narrow, ONE, 1), [deliver(TWO, 1, 2)]);
}
