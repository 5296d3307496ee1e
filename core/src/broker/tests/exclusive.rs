//! Consumers that have a queue to themselves.

use super::*;
use crate::model::ConsumerPriority;

const THREE: ConsumerId = ConsumerId(3);

/// A consumer of the queue `q` that wants it alone.
fn alone(level: u8) -> Subscription {
    let priority = ConsumerPriority::try_from(level).expect("a priority");
    let destination = "q".parse().expect("a queue");
    Subscription { prefetch: Some(2), priority, exclusive: true, ..Subscription::new(destination) }
}

/// Who is handed the next message; it is acknowledged.
fn next(bench: &mut Bench) -> Option<(Origin, u64)> {
    let said = bench.send(APP, "q");
    let (consumer, tag) = said.iter().find_map(|said| match said {
        Said::Deliver { consumer, tag, .. } => Some((*consumer, *tag)),
        _ => None,
    })?;
    let holders = [APP, OTHER, CLIENT];
    let ack = Ack { consumer: ConsumerId(consumer), tag, extent: AckExtent::Individual, kind: AckKind::Accepted };
    let holder = holders.into_iter().find(|origin| bench.ack(*origin, ack).is_ok());
    Some((holder.expect("whoever was handed it"), consumer))
}

#[test]
fn the_first_that_wants_a_queue_alone_takes_all() {
    let mut bench = Bench::with(at_once());
    bench.subscribe(PEER, THREE, "q", 10);
    bench.subscribe(APP, ONE, "q", 10);
    bench.subscribe_as(OTHER, TWO, alone(0));
    bench.subscribe_as(CLIENT, THREE, alone(0));
    for _ in 0..3 {
        assert_eq!(next(&mut bench), Some((OTHER, 2)));
    }
    for _ in 0..2 {
        bench.send(APP, "q");
    }
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(6)], "it has no credit, and nobody else is asked");
    assert_eq!(bench.accept(OTHER, TWO, 4), [deliver(TWO, 6, 6)]);
}

#[test]
fn only_a_higher_priority_or_the_highest_takes_a_queue_over() {
    let mut bench = Bench::with(at_once());
    bench.subscribe_as(APP, ONE, alone(5));
    bench.subscribe_as(OTHER, TWO, alone(5));
    assert_eq!(next(&mut bench), Some((APP, 1)));
    bench.subscribe_as(CLIENT, THREE, alone(6));
    assert_eq!(next(&mut bench), Some((CLIENT, 3)));
    bench.subscribe_as(APP, ConsumerId(4), alone(127));
    assert_eq!(next(&mut bench), Some((APP, 4)));
    bench.subscribe_as(OTHER, ConsumerId(5), alone(127));
    assert_eq!(next(&mut bench), Some((OTHER, 5)));
}

#[test]
fn when_it_leaves_the_next_has_the_queue_and_then_everybody() {
    let mut bench = Bench::with(at_once());
    bench.subscribe_as(APP, ONE, alone(5));
    bench.subscribe(APP, ConsumerId(9), "q", 10);
    bench.subscribe_as(OTHER, TWO, alone(0));
    bench.subscribe_as(OTHER, THREE, alone(3));
    bench.subscribe_as(CLIENT, ConsumerId(4), alone(3));
    bench.send(APP, "q");
    bench.send(APP, "q");
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(3)]);
    let back = [again(THREE, 1, 1), deliver(THREE, 2, 2), Said::Weighed("queue://q", 4)];
    assert_eq!(bench.unsubscribe(APP, ONE, 1), back, "what it had, and no more than there is credit for");
    assert_eq!(bench.accept(OTHER, THREE, 2), [deliver(THREE, 3, 3)]);
    bench.accept(OTHER, THREE, 3);
    bench.unsubscribe(OTHER, THREE, 3);
    assert_eq!(next(&mut bench), Some((CLIENT, 4)));
    bench.detach(CLIENT);
    assert_eq!(next(&mut bench), Some((OTHER, 2)));
    bench.unsubscribe(OTHER, TWO, 0);
    assert_eq!(next(&mut bench), Some((APP, 9)));
}

#[test]
fn each_queue_of_a_pattern_is_had_by_itself() {
    let mut bench = Bench::with(at_once());
    let pattern = |name: &str| Subscription { destination: name.parse().expect("a pattern"), ..alone(0) };
    bench.subscribe_as(APP, ONE, pattern("a.b"));
    bench.subscribe_as(OTHER, TWO, pattern("a.>"));
    assert_eq!(bench.send(APP, "a.b"), [Said::Accepted(1), deliver(ONE, 1, 1)]);
    assert_eq!(bench.send(APP, "a.c"), [Said::Accepted(2), deliver(TWO, 1, 2)]);
    assert_eq!(bench.unsubscribe(APP, ONE, 0), [deliver(TWO, 2, 1), Said::Unwanted("queue://a.b")]);
}

#[test]
fn a_topic_is_nobodys_alone() {
    let mut bench = Bench::with(at_once());
    let topic = Subscription { destination: "topic://t".parse().expect("a topic"), ..alone(0) };
    bench.subscribe_as(APP, ONE, topic);
    bench.subscribe(OTHER, TWO, "topic://t", 10);
    assert_eq!(bench.send(APP, "topic://t"), [Said::Accepted(1), deliver(ONE, 1, 1), deliver(TWO, 1, 1)]);
}
