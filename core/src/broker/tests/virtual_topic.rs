//! Topics whose messages also go to queues.

use super::*;

const TOPIC: &str = "topic://VirtualTopic.T";
const QUEUE_A: &str = "Consumer.A.VirtualTopic.T";
const QUEUE_B: &str = "Consumer.B.VirtualTopic.T";

impl Bench {
    /// How many messages wait at each queue.
    fn waiting(&self) -> Vec<(&str, usize)> {
        self.broker.waiting().map(|(queue, count)| (queue.name(), count)).collect()
    }
}

#[test]
fn a_message_to_a_virtual_topic_goes_to_its_subscribers_and_each_of_its_queues() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, TOPIC, 10);
    bench.subscribe(OTHER, ONE, QUEUE_A, 10);
    bench.subscribe(OTHER, TWO, QUEUE_B, 10);
    let three = ConsumerId(3);
    bench.subscribe(APP, three, QUEUE_B, 10);
    let expected = [Said::Accepted(1), deliver(ONE, 1, 1), deliver(TWO, 1, 1), deliver(ONE, 1, 1)];
    assert_eq!(bench.send(APP, TOPIC), expected);
    let expected = [Said::Accepted(2), deliver(ONE, 2, 2), deliver(three, 1, 2), deliver(ONE, 2, 2)];
    assert_eq!(bench.send(APP, TOPIC), expected, "the consumers of one queue take turns");
    assert_eq!(bench.send(APP, QUEUE_B).len(), 2, "what is sent to the queue is for it alone");
}

#[test]
fn a_queue_gets_a_topics_messages_whichever_of_them_came_first_and_keeps_them() {
    for comes_first in [TOPIC, QUEUE_A] {
        let mut bench = Bench::new();
        bench.send(APP, comes_first);
        bench.subscribe(APP, ONE, QUEUE_A, 10);
        let had = usize::from(comes_first != TOPIC);
        bench.unsubscribe(APP, ONE, 0);
        assert_eq!(bench.send(APP, TOPIC), [Said::Accepted(2)]);
        assert_eq!(bench.send(APP, "topic://VirtualTopic.Other"), [Said::Accepted(3)]);
        assert_eq!(bench.waiting(), [("Consumer.A.VirtualTopic.T", had + 1)], "{comes_first} came first");
    }
}

#[test]
fn what_came_over_a_bridge_was_given_to_the_queues_where_it_came_from() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, TOPIC, 10);
    bench.subscribe(APP, TWO, QUEUE_A, 10);
    assert_eq!(bench.send(PEER, TOPIC), [Said::Accepted(1), deliver(ONE, 1, 1)]);
    let from_there = bench.send_numbered(PEER, QUEUE_A, 1);
    assert_eq!(from_there, [Said::Accepted(1), deliver(TWO, 1, 1)], "its copy is no duplicate of the topic's");
    assert_eq!(bench.send_numbered(PEER2, QUEUE_A, 1), [Said::Accepted(1)], "another copy for the queue is");
    let client = bench.send_numbered(CLIENT, TOPIC, 2);
    assert_eq!(client, [Said::Accepted(2), deliver(TWO, 2, 2), deliver(ONE, 2, 2)], "a client's is our own");
}

#[test]
fn a_virtual_topics_publisher_waits_for_room_in_every_queue() {
    let mut bench = Bench::with(BrokerConfig { queue_bytes_max: 1, ..BrokerConfig::default() });
    bench.send(APP, QUEUE_A);
    assert_eq!(bench.send(APP, TOPIC), []);
    let room = bench.subscribe(APP, ONE, QUEUE_A, 10);
    assert_eq!(
        room,
        [deliver(ONE, 1, 1), Said::Accepted(2), deliver(ONE, 2, 2), Said::Wanted("queue://Consumer.A.VirtualTopic.T")]
    );
}

#[test]
fn virtual_topics_are_named_by_the_configuration_or_not_at_all() {
    let own = VirtualTopics { topics: "topic://news.*".parse().expect("valid"), prefix: "for.*.".into() };
    for (virtual_topics, expected) in [(Some(own), &[("for.me.news.eu", 1)][..]), (None, &[])] {
        let mut bench = Bench::with(BrokerConfig { virtual_topics, ..BrokerConfig::default() });
        for queue in ["for.me.news.eu", QUEUE_A] {
            bench.subscribe(APP, ONE, queue, 10);
            bench.unsubscribe(APP, ONE, 0);
        }
        for topic in ["topic://news.eu", TOPIC] {
            bench.send(APP, topic);
        }
        assert_eq!(bench.waiting(), expected);
    }
}
