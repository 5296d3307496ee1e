//! What a broker tells about itself, if anybody asks.

use super::*;
use crate::model::{Durable, Party};

fn destination(name: &str) -> Destination {
    name.parse().expect("a destination")
}

/// A broker that tells.
fn bench(config: BrokerConfig) -> Bench {
    let mut bench = Bench::with(config);
    bench.broker.set_advising(true);
    bench
}

/// What is told of itself among all that is said.
fn told(said: Vec<Said>) -> Vec<Advisory> {
    let advisory = |said| match said {
        Said::Advised(advisory) => Some(advisory),
        _ => None,
    };
    said.into_iter().filter_map(advisory).collect()
}

const BY_APP: Party = Party::Application(ConnectionId(1));

#[test]
fn nothing_is_told_unasked() {
    let mut bench = Bench::with(BrokerConfig { queue_bytes_max: 1, ..BrokerConfig::default() });
    let said =
        [bench.subscribe(APP, ONE, "topic://t", 1), bench.send(APP, "q"), bench.send(APP, "q"), bench.detach(APP)];
    assert_eq!(said.map(told), [const { Vec::new() }; 4]);
}

#[test]
fn destinations_and_consumers_are_told_as_they_come_and_go() {
    let mut config = BrokerConfig::default();
    config.policies.default.forgotten_after = Some(Duration::from_millis(100));
    let mut bench = bench(config);
    let (destination, consumer) = (destination("topic://t"), ONE);
    let is = |by| Advisory::ConsumerAdded { destination: destination.clone().into(), consumer, by };
    let was = |by| Advisory::ConsumerRemoved { destination: destination.clone().into(), consumer, by };
    let added = Advisory::DestinationAdded { destination: destination.clone() };
    assert_eq!(told(bench.subscribe(APP, ONE, "topic://t", 1)), [added, is(BY_APP)]);
    assert_eq!(told(bench.subscribe(PEER, ONE, "topic://t", 1)), [is(Party::Peer(FAR))]);
    assert_eq!(told(bench.unsubscribe(PEER, ONE, 0)), [was(Party::Peer(FAR))]);
    assert_eq!(told(bench.detach(APP)), [was(BY_APP)]);
    bench.now = Instant::from_millis(100);
    assert_eq!(told(bench.wake()), [Advisory::DestinationRemoved { destination: destination.clone() }]);
}

#[test]
fn what_becomes_of_messages_is_told() {
    let mut bench = bench(BrokerConfig { queue_bytes_max: 1, ..at_once() });
    let (queue, dead) = (destination("q"), destination("ActiveMQ.DLQ"));
    let message = |sequence| MessageId { producer: ProducerId { broker: LOCAL, number: 1 }, sequence };
    let mut brief = Body::bytes(alloc::vec![0; 100]);
    brief.headers.time_to_live = Some(Duration::from_millis(10));
    assert_eq!(told(bench.send_one(APP, "q", brief)), [Advisory::DestinationAdded { destination: queue.clone() }]);
    let full = Advisory::DestinationFull { destination: queue.clone(), by: BY_APP };
    assert_eq!(told(bench.send(APP, "q")), [full]);
    assert_eq!(told(bench.send(APP, "q")), [], "it is told when it begins");
    bench.now = Instant::from_millis(10);
    let expired = [
        Advisory::MessageExpired { destination: queue.clone(), message: message(1) },
        Advisory::DestinationAdded { destination: dead.clone() },
        Advisory::MessageDeadLettered { destination: queue, queue: dead, message: message(1) },
    ];
    assert_eq!(told(bench.wake()), expired);
}

#[test]
fn slow_consumers_and_what_is_dropped_for_them_are_told() {
    let mut bench = bench(BrokerConfig { topic_bytes_max: 1, durable_bytes_max: 1, ..BrokerConfig::default() });
    let topic = destination("topic://t");
    let durable = Some(Durable::new("client", "d").expect("valid"));
    bench.subscribe_as(OTHER, TWO, Subscription { durable, ..Subscription::new(topic.clone()) });
    bench.unsubscribe(OTHER, TWO, 0);
    bench.subscribe(APP, ONE, "topic://t", 1);
    let dropped = || Advisory::MessagesDropped { destination: topic.clone().into(), count: 1 };
    assert_eq!(told(bench.send(OTHER, "topic://t")), []);
    assert_eq!(told(bench.send(OTHER, "topic://t")), [dropped()], "for the durable one");
    let full = Advisory::DestinationFull { destination: topic.clone(), by: Party::Application(ConnectionId(2)) };
    assert_eq!(told(bench.send(OTHER, "topic://t")), [full]);
    bench.now = bench.broker.poll_timeout().expect("somebody is slow");
    let slow = Advisory::SlowConsumer { destination: topic.clone().into(), consumer: ONE, by: BY_APP };
    assert_eq!(told(bench.wake()), [slow, dropped(), dropped()]);
}
