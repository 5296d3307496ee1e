//! Copies of a topic's message that come by several ways, where messages may cross several bridges.

use super::*;

/// The broker beyond the second bridge, which takes what has crossed two brokers at most.
fn bench(hops_max: u32) -> Bench {
    let mut bench = Bench::new();
    bench.detach(PEER2);
    let limits = Limits {
        remote: Some(Remote { broker: BrokerId(3), hops_max, permits: None, priority_base: Some(-5) }),
        ..Limits::default()
    };
    bench.broker.attach(PEER2, limits).expect("room");
    bench.subscribe(APP, ONE, "topic://t", 10);
    bench.subscribe(PEER2, TWO, "topic://t", 10);
    bench
}

fn come(bench: &mut Bench, path: &[u128]) -> Vec<Said> {
    let message = Message {
        id: MessageId { producer: ProducerId { broker: BrokerId(8), number: 1 }, sequence: 1 },
        destination: "topic://t".parse().expect("a destination"),
        path: path.iter().copied().map(BrokerId).collect::<Vec<_>>().into(),
        timestamp: Timestamp::default(),
        body: Body::bytes(""),
    };
    let (mut out, ticket) = (Outbox::new(), Ticket { stream: 1, number: 1 });
    let taken = bench.broker.send(bench.now, PEER, ticket, 0, Arc::new(message), &mut out);
    assert_eq!(taken, Ok(Taken::Accepted));
    short(&mut out)
}

#[test]
fn a_copy_goes_on_to_peers_if_it_came_by_a_shorter_way() {
    let mut bench = bench(2);
    assert_eq!(come(&mut bench, &[8, 7]), [deliver(ONE, 1, 1)], "it has crossed two brokers");
    assert_eq!(come(&mut bench, &[8]), [deliver(TWO, 1, 1)], "and now one");
    assert_eq!(come(&mut bench, &[8]), [], "as before");
    assert_eq!(come(&mut bench, &[8, 6]), [], "no better");
}

#[test]
fn the_first_copy_is_enough_if_it_came_by_the_shortest_way() {
    let mut bench = bench(3);
    assert_eq!(come(&mut bench, &[8]), [deliver(ONE, 1, 1), deliver(TWO, 1, 1)]);
    assert_eq!(come(&mut bench, &[8, 7]), []);
    assert_eq!(come(&mut bench, &[8]), []);
}

#[test]
fn a_shorter_way_tells_who_is_beyond_also_if_the_longer_one_was_short_enough() {
    let mut bench = bench(3);
    assert_eq!(come(&mut bench, &[8, 7]), [deliver(ONE, 1, 1), deliver(TWO, 1, 1)]);
    assert_eq!(come(&mut bench, &[8]), [deliver(TWO, 2, 1)], "from there it may cross one more bridge than the first");
}
