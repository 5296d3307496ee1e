//! Messages whose life has an end.

use super::*;

/// A message that is worth something for so long.
fn mortal(millis: u64) -> Body {
    Body { time_to_live: Some(Duration::from_millis(millis)), ..Body::text("x") }
}

/// What is left of each message that is handed out, in milliseconds.
fn left(out: &mut Outbox<Output>) -> Vec<Option<u128>> {
    let deliveries = out.drain().filter_map(|output| match output {
        Output::Deliver { delivery, .. } => Some(delivery.message.body.time_to_live.map(|left| left.as_millis())),
        _ => None,
    });
    deliveries.collect()
}

#[test]
fn what_is_left_of_a_life_is_told_to_other_brokers_and_clients() {
    for (origin, told) in [(APP, 500), (PEER, 300), (CLIENT, 300)] {
        for destination in ["queue://d", "topic://d"] {
            let mut bench = Bench::new();
            bench.subscribe(origin, ONE, destination, 1);
            bench.send(APP, destination);
            bench.send_body(APP, destination, 2, mortal(500));
            bench.send_body(APP, destination, 3, Body::text("for ever"));
            bench.now = Instant::from_millis(200);
            let mut out = Outbox::new();
            for (tag, expected) in [(1, Some(told)), (2, None)] {
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
    let subscriber = Subscriber { subscription, path: Path::default().then(FAR) };
    let mut out = Outbox::new();
    bench.broker.subscribe(bench.now, PEER, ONE, subscriber, &mut out).expect("room");
    assert_eq!(left(&mut out), [None, Some(300)]);
}
