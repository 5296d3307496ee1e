//! The broker driven alone: ask, then compare all that it says.

mod admin;
mod advise;
mod browse;
mod composite;
mod dead_letter;
mod demand;
mod drain;
mod durable;
mod exclusive;
mod expiry;
mod group;
mod history;
mod idle;
mod order;
mod priority;
mod redelivery;
mod room;
mod selector;
mod slow;
mod stray;
mod temporary;
mod transaction;
mod virtual_topic;
mod ways;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::base::Timestamp;
use crate::model::{
    Ack, AckExtent, AckKind, AdminRequest, Body, BrokerId, ConnectionId, DestinationKind, LinkId, Message, MessageId,
    Path, ProducerId, Subscription,
};

const LOCAL: BrokerId = BrokerId(1);
const FAR: BrokerId = BrokerId(2);
const FARTHER: BrokerId = BrokerId(3);
const APP: Origin = Origin::Application(ConnectionId(1));
const OTHER: Origin = Origin::Application(ConnectionId(2));
const PEER: Origin = Origin::Bridge(LinkId(1));
const PEER2: Origin = Origin::Bridge(LinkId(2));
const CLIENT: Origin = Origin::Remote(LinkId(3));
const CLIENT_ID: BrokerId = BrokerId(9);
const ONE: ConsumerId = ConsumerId(1);
const TWO: ConsumerId = ConsumerId(2);

/// A broker with two applications, two bridges and a client, and the clock it lives by.
struct Bench {
    broker: Broker,
    now: Instant,
    sent: u64,
}

/// What the broker said, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Accepted(u64),
    Advised(Advisory),
    Browsed(u64),
    Deliver { consumer: u64, tag: Tag, sequence: u64, redeliveries: u32 },
    Ended(u64, Refusal),
    Refused(u64, Refusal),
    Wanted(&'static str),
    Weighed(&'static str, u32), // More than one want it.
    Unwanted(&'static str),
}

fn deliver(consumer: ConsumerId, tag: Tag, sequence: u64) -> Said {
    Said::Deliver { consumer: consumer.0, tag, sequence, redeliveries: 0 }
}

fn again(consumer: ConsumerId, tag: Tag, sequence: u64) -> Said {
    Said::Deliver { consumer: consumer.0, tag, sequence, redeliveries: 1 }
}

/// What brokers there are between the consumers or producers of a connection and this one.
fn beyond(origin: Origin) -> Path {
    match origin {
        Origin::Application(_) | Origin::Remote(_) => Path::default(),
        PEER => Path::default().then(FAR),
        Origin::Bridge(_) => Path::default().then(FARTHER),
    }
}

/// What is given back is handed out again without delay, however often.
fn at_once() -> BrokerConfig {
    let mut config = BrokerConfig::default();
    let policy = &mut config.policies.default.redelivery;
    (policy.first_delay, policy.delay, policy.redeliveries_max) = (Duration::ZERO, Duration::ZERO, None);
    config
}

impl Bench {
    fn new() -> Self {
        Self::with(BrokerConfig::default())
    }

    fn with(config: BrokerConfig) -> Self {
        Self::with_hops(config, 1)
    }

    /// A broker whose peers are handed what may cross so many bridges.
    fn within(hops_max: u32) -> Self {
        Self::with_hops(at_once(), hops_max)
    }

    fn with_hops(config: BrokerConfig, hops_max: u32) -> Self {
        let mut broker = Broker::new(config, LOCAL);
        for origin in [APP, OTHER, CLIENT] {
            broker.attach(origin, Limits::default()).expect("room");
        }
        for (origin, remote) in [(PEER, FAR), (PEER2, FARTHER)] {
            let remote = Remote { broker: remote, hops_max, permits: None, priority_base: Some(-5) };
            broker
                .attach(origin, Limits { window: Some(1 << 20), remote: Some(remote), ..Limits::default() })
                .expect("room");
        }
        Self { broker, now: Instant::ZERO, sent: 0 }
    }

    fn subscribe(&mut self, origin: Origin, consumer: ConsumerId, destination: &str, prefetch: u32) -> Vec<Said> {
        let destination = destination.parse().expect("a destination");
        self.subscribe_as(origin, consumer, Subscription { prefetch: Some(prefetch), ..Subscription::new(destination) })
    }

    fn subscribe_as(&mut self, origin: Origin, consumer: ConsumerId, subscription: Subscription) -> Vec<Said> {
        let path = beyond(origin);
        let subscriber = Subscriber { path, ..Subscriber::own(subscription) };
        let mut out = Outbox::new();
        self.broker.subscribe(self.now, origin, consumer, subscriber, &mut out).expect("accepted");
        short(&mut out)
    }

    fn unsubscribe(&mut self, origin: Origin, consumer: ConsumerId, seen: Tag) -> Vec<Said> {
        let mut out = Outbox::new();
        self.broker.unsubscribe(self.now, origin, consumer, seen, &mut out).expect("a consumer");
        short(&mut out)
    }

    fn send(&mut self, from: Origin, destination: &str) -> Vec<Said> {
        self.sent += 1;
        self.send_numbered(from, destination, self.sent)
    }

    fn send_one(&mut self, from: Origin, destination: &str, body: Body) -> Vec<Said> {
        self.sent += 1;
        self.send_body(from, destination, self.sent, body)
    }

    fn send_numbered(&mut self, from: Origin, destination: &str, sequence: u64) -> Vec<Said> {
        self.send_body(from, destination, sequence, Body::bytes(alloc::vec![0; 100]))
    }

    fn send_body(&mut self, from: Origin, destination: &str, sequence: u64, body: Body) -> Vec<Said> {
        // What a peer passes on is a client's message here, so that it may come straight from that client too.
        let (broker, path) = (if matches!(from, Origin::Application(_)) { LOCAL } else { CLIENT_ID }, beyond(from));
        let message = Message {
            id: MessageId { producer: ProducerId { broker, number: 1 }, sequence },
            destination: destination.parse().expect("a destination"),
            path,
            timestamp: Timestamp::default(),
            body,
        };
        let mut out = Outbox::new();
        let ticket = Ticket { stream: 1, number: sequence };
        let answer = match self.broker.send(self.now, from, ticket, 0, Arc::new(message), &mut out) {
            Ok(Taken::Accepted) => Some(Said::Accepted(sequence)),
            Ok(Taken::Parked) => None,
            Err(refusal) => Some(Said::Refused(sequence, refusal)),
        };
        answer.into_iter().chain(short(&mut out)).collect()
    }

    fn ack(&mut self, origin: Origin, ack: Ack) -> Result<Vec<Said>, Refusal> {
        let mut out = Outbox::new();
        self.broker.acknowledge(self.now, origin, ack, &mut out)?;
        Ok(short(&mut out))
    }

    fn accept(&mut self, origin: Origin, consumer: ConsumerId, tag: Tag) -> Vec<Said> {
        self.ack(origin, Ack { consumer, tag, extent: AckExtent::UpTo, kind: AckKind::Accepted }).expect("outstanding")
    }

    fn wake(&mut self) -> Vec<Said> {
        let mut out = Outbox::new();
        self.broker.handle_timeout(self.now, &mut out);
        short(&mut out)
    }

    fn detach(&mut self, origin: Origin) -> Vec<Said> {
        let mut out = Outbox::new();
        self.broker.detach(self.now, origin, &mut out);
        short(&mut out)
    }
}

fn short(out: &mut Outbox<Output>) -> Vec<Said> {
    let leak = |Demand { destination, is_dormant, .. }: Demand| -> &'static str {
        if is_dormant { format!("{destination}, dormant").leak() } else { format!("{destination}").leak() }
    };
    out.drain()
        .map(|output| match output {
            Output::Accepted { ticket, .. } => Said::Accepted(ticket.number),
            Output::Advised(advisory) => Said::Advised(*advisory),
            Output::Browsed { consumer, .. } => Said::Browsed(consumer.0),
            Output::Deliver { consumer, delivery: Delivery { tag, redeliveries, message }, .. } => {
                Said::Deliver { consumer: consumer.0, tag, sequence: message.id.sequence, redeliveries }
            }
            Output::Ended { consumer, refusal, .. } => Said::Ended(consumer.0, *refusal),
            Output::Refused { ticket, refusal, .. } => Said::Refused(ticket.number, *refusal),
            Output::Unwanted(demand) => Said::Unwanted(leak(demand)),
            Output::Wanted { demand, consumers: NonZeroU32::MIN } => Said::Wanted(leak(demand)),
            Output::Wanted { demand, consumers } => Said::Weighed(leak(demand), consumers.get()),
        })
        .collect()
}

#[test]
fn a_topics_message_goes_to_every_subscriber_there_is() {
    let mut bench = Bench::new();
    assert_eq!(bench.send(APP, "topic://a"), [Said::Accepted(1)]);
    assert_eq!(bench.subscribe(APP, ONE, "topic://a", 10), [Said::Wanted("topic://a")]);
    assert_eq!(bench.subscribe(OTHER, TWO, "topic://>", 10), [Said::Wanted("topic://>")]);
    assert_eq!(bench.send(APP, "topic://a"), [Said::Accepted(2), deliver(ONE, 1, 2), deliver(TWO, 1, 2)]);
    assert_eq!(bench.send(APP, "topic://b.c"), [Said::Accepted(3), deliver(TWO, 2, 3)]);
}

#[test]
fn a_queues_message_waits_for_its_consumer_and_goes_to_one() {
    let mut bench = Bench::new();
    bench.send(APP, "q");
    bench.send(APP, "q");
    let wanted = Said::Wanted("queue://q");
    assert_eq!(bench.subscribe(APP, ONE, "q", 1), [deliver(ONE, 1, 1), wanted]);
    assert_eq!(bench.subscribe(OTHER, TWO, "q", 1), [deliver(TWO, 1, 2), Said::Weighed("queue://q", 2)]);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(3)], "nobody has credit");
    assert_eq!(bench.accept(OTHER, TWO, 1), [deliver(TWO, 2, 3)]);
}

#[test]
fn consumers_take_turns() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 10);
    bench.subscribe(OTHER, TWO, "q", 10);
    let taken: Vec<Said> =
        (0..4).flat_map(|_| bench.send(APP, "q")).filter(|said| !matches!(said, Said::Accepted(_))).collect();
    assert_eq!(taken, [deliver(ONE, 1, 1), deliver(TWO, 1, 2), deliver(ONE, 2, 3), deliver(TWO, 2, 4)]);
}

#[test]
fn a_consumer_of_this_broker_comes_before_a_peers() {
    let mut bench = Bench::new();
    bench.subscribe(PEER, ONE, "q", 10);
    bench.subscribe(APP, TWO, "q", 1);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(1), deliver(TWO, 1, 1)]);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(2), deliver(ONE, 1, 2)]);
}

#[test]
fn a_consumer_that_leaves_gives_back_what_it_did_not_acknowledge() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 10);
    for _ in 0..4 {
        bench.send(APP, "q");
    }
    bench.accept(APP, ONE, 1);
    bench.send(APP, "q");
    assert_eq!((bench.broker.stats().outstanding_queued, bench.broker.stats().queued), (4, 0));
    assert_eq!(bench.subscribe(OTHER, TWO, "q", 10), [Said::Weighed("queue://q", 2)]);
    // Two was looked at, three to five were not.
    let back =
        [again(TWO, 1, 2), deliver(TWO, 2, 3), deliver(TWO, 3, 4), deliver(TWO, 4, 5), Said::Wanted("queue://q")];
    assert_eq!(bench.unsubscribe(APP, ONE, 2), back);
}

#[test]
fn released_deliveries_keep_their_place() {
    let mut bench = Bench::with(at_once());
    bench.subscribe(APP, ONE, "q", 2);
    for _ in 0..3 {
        bench.send(APP, "q");
    }
    let release = Ack { consumer: ONE, tag: 2, extent: AckExtent::UpTo, kind: AckKind::Released };
    assert_eq!(bench.ack(APP, release), Ok(alloc::vec![again(ONE, 3, 1), again(ONE, 4, 2)]));
    assert_eq!(bench.accept(APP, ONE, 4), [deliver(ONE, 5, 3)]);
}

#[test]
fn only_what_is_outstanding_can_be_acknowledged() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 10);
    bench.send(APP, "q");
    let ack = Ack { consumer: ONE, tag: 1, extent: AckExtent::Individual, kind: AckKind::Accepted };
    assert_eq!(bench.ack(OTHER, ack), Err(Refusal::unknown_consumer(ONE)), "another connection's");
    assert_eq!(bench.ack(APP, ack), Ok(Vec::new()));
    assert_eq!(bench.ack(APP, ack), Err(Refusal::NotOutstanding { consumer: ONE, tag: 1 }), "twice");
    let never = Ack { tag: 2, ..ack };
    assert_eq!(bench.ack(APP, never), Err(Refusal::NotOutstanding { consumer: ONE, tag: 2 }));
}

#[test]
fn nothing_goes_back_along_its_path_or_too_far() {
    let mut bench = Bench::new();
    bench.subscribe(PEER, ONE, "topic://t", 10);
    bench.subscribe(PEER2, TWO, "topic://t", 10);
    assert_eq!(bench.send(PEER, "topic://t"), [Said::Accepted(1)], "it came from one peer and has crossed one broker");
    bench.subscribe(APP, ONE, "q", 1);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(2), deliver(ONE, 1, 2)]);
    bench.subscribe(PEER, TWO, "q", 10);
    assert_eq!(bench.send(PEER2, "q"), [Said::Accepted(3)], "for whoever is here, as soon as they have credit");
    let sent = bench.send(APP, "q");
    assert_eq!(sent, [Said::Accepted(4), deliver(TWO, 1, 4)], "what may not cross holds up nothing that may");
}

#[test]
fn a_topics_message_crosses_a_bridge_once_however_many_demands_it_answers() {
    let mut bench = Bench::new();
    bench.subscribe(PEER, ONE, "topic://a.>", 10);
    bench.subscribe(PEER, TWO, "topic://a.b", 10);
    assert_eq!(bench.send(APP, "topic://a.b"), [Said::Accepted(1), deliver(ONE, 1, 1)]);
    bench.unsubscribe(PEER, ONE, 0);
    assert_eq!(bench.send(APP, "topic://a.b"), [Said::Accepted(2), deliver(TWO, 1, 2)]);
}

#[test]
fn a_message_that_comes_again_over_a_bridge_is_taken_once() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 10);
    assert_eq!(bench.send_numbered(PEER, "q", 7), [Said::Accepted(7), deliver(ONE, 1, 7)]);
    assert_eq!(bench.send_numbered(PEER, "q", 7), [Said::Accepted(7)]);
    assert_eq!(bench.broker.stats().duplicates, 1);
}

#[test]
fn a_message_that_comes_over_a_bridge_and_from_its_client_is_taken_once_whichever_is_first() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "topic://t", 10);
    assert_eq!(bench.send_numbered(PEER, "topic://t", 7), [Said::Accepted(7), deliver(ONE, 1, 7)]);
    assert_eq!(bench.send_numbered(CLIENT, "topic://t", 7), [Said::Accepted(7)]);
    assert_eq!(bench.send_numbered(CLIENT, "topic://t", 8), [Said::Accepted(8), deliver(ONE, 2, 8)]);
    assert_eq!(bench.send_numbered(PEER, "topic://t", 8), [Said::Accepted(8)]);
}

#[test]
fn a_topics_message_that_comes_straight_after_it_came_over_a_bridge_goes_on_to_peers() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "topic://t", 10);
    bench.subscribe(PEER2, TWO, "topic://t", 10);
    assert_eq!(
        bench.send_numbered(PEER, "topic://t", 7),
        [Said::Accepted(7), deliver(ONE, 1, 7)],
        "one bridge at most"
    );
    assert_eq!(bench.send_numbered(CLIENT, "topic://t", 7), [Said::Accepted(7), deliver(TWO, 1, 7)]);
}

#[test]
fn every_copy_is_handed_out_if_that_is_asked_for() {
    let mut bench = Bench::with(BrokerConfig { checks_duplicates: false, ..BrokerConfig::default() });
    bench.subscribe(APP, ONE, "topic://t", 10);
    bench.send_numbered(PEER, "topic://t", 7);
    assert_eq!(bench.send_numbered(CLIENT, "topic://t", 7), [Said::Accepted(7), deliver(ONE, 2, 7)]);
}

#[test]
fn producers_of_a_full_queue_wait_for_room() {
    let mut bench = Bench::with(BrokerConfig { queue_bytes_max: 200, ..BrokerConfig::default() });
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(1)]);
    assert_eq!(bench.send(APP, "q"), []);
    assert_eq!(bench.send(OTHER, "q"), []);
    assert_eq!(bench.send(APP, "r"), [Said::Accepted(4)], "another queue has room");
    assert_eq!(bench.detach(APP), [], "what was not accepted is forgotten with its sender");
    let taken = bench.subscribe(OTHER, ONE, "q", 10);
    assert_eq!(taken[..3], [deliver(ONE, 1, 1), Said::Accepted(3), deliver(ONE, 2, 3)]);
    assert_eq!(bench.broker.stats().parked, 0);
}

#[test]
fn a_publisher_waits_for_a_slow_subscriber_until_it_counts_as_stalled() {
    let config =
        BrokerConfig { topic_bytes_max: 200, stalled_after: Duration::from_secs(1), ..BrokerConfig::default() };
    let mut bench = Bench::with(config);
    bench.subscribe(APP, ONE, "topic://t", 1);
    bench.subscribe(OTHER, TWO, "topic://t", 100);
    bench.send(OTHER, "topic://t");
    assert_eq!(bench.send(OTHER, "topic://t"), [Said::Accepted(2), deliver(TWO, 2, 2)], "one waits for it");
    assert_eq!(bench.send(OTHER, "topic://t"), [], "and there is no room for another");
    assert_eq!(bench.broker.poll_timeout(), Some(Instant::from_millis(1000)));
    bench.now = Instant::from_millis(500);
    assert_eq!(bench.accept(APP, ONE, 1), [deliver(ONE, 2, 2), Said::Accepted(3), deliver(TWO, 3, 3)]);
    assert_eq!(bench.send(OTHER, "topic://t"), []);
    assert_eq!(bench.broker.poll_timeout(), Some(Instant::from_millis(1500)));
    bench.now = Instant::from_millis(1500);
    assert_eq!(bench.wake(), [Said::Accepted(4), deliver(TWO, 4, 4)]);
    assert_eq!(bench.send(OTHER, "topic://t"), [Said::Accepted(5), deliver(TWO, 5, 5)], "it holds up nobody any more");
    assert_eq!(bench.broker.stats().dropped, 2);
    assert_eq!(bench.accept(APP, ONE, 2), [deliver(ONE, 3, 5)], "and goes on with the newest");
}

#[test]
fn a_bridges_window_bounds_what_is_on_its_way() {
    let mut bench = Bench::new();
    let limits = Limits { window: Some(1), ..Limits::default() };
    let narrow = Origin::Bridge(LinkId(9));
    bench.broker.attach(narrow, limits).expect("room");
    bench.subscribe(narrow, ONE, "q", 10);
    bench.subscribe(narrow, TWO, "r", 10);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(1), deliver(ONE, 1, 1)]);
    assert_eq!(bench.send(APP, "r"), [Said::Accepted(2)]);
    assert_eq!(bench.accept(narrow, ONE, 1), [deliver(TWO, 1, 2)], "room made by one demand serves another");
}

/// Whoever can't be sent a message of that size costs nobody else theirs, and is not sent it for ever.
#[test]
fn what_is_too_large_for_one_is_left_to_others() {
    let mut bench = Bench::new();
    let small = Origin::Remote(LinkId(9));
    bench.broker.attach(small, Limits { message_max: Some(99), ..Limits::default() }).expect("room");
    bench.subscribe(small, ONE, "q", 10);
    bench.subscribe(small, TWO, "topic://t", 10);
    bench.subscribe(APP, ONE, "topic://t", 10);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(1)]);
    assert_eq!(bench.send(APP, "topic://t"), [Said::Accepted(2), deliver(ONE, 1, 2)]);
    assert_eq!((bench.broker.stats().queued, bench.broker.stats().dropped), (1, 1));
    assert_eq!(bench.subscribe(APP, TWO, "q", 10), [deliver(TWO, 1, 1), Said::Weighed("queue://q", 2)]);
}

#[test]
fn a_consumer_that_ends_leaves_its_share_of_the_window_to_others() {
    let mut bench = Bench::new();
    let narrow = Origin::Bridge(LinkId(9));
    bench.broker.attach(narrow, Limits { window: Some(1), ..Limits::default() }).expect("room");
    bench.subscribe(narrow, ONE, "q", 10);
    bench.subscribe(narrow, TWO, "r", 10);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(1), deliver(ONE, 1, 1)]);
    assert_eq!(bench.send(APP, "r"), [Said::Accepted(2)]);
    assert_eq!(bench.unsubscribe(narrow, ONE, 0), [deliver(TWO, 1, 2), Said::Unwanted("queue://q")]);
}

#[test]
fn whoever_leaves_is_handed_nothing_more() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 1);
    bench.subscribe(APP, TWO, "q", 2);
    bench.send(APP, "q");
    bench.send(APP, "q");
    bench.detach(APP);
    assert_eq!(bench.subscribe(OTHER, ONE, "q", 10)[..2], [again(ONE, 1, 1), again(ONE, 2, 2)]);
}

#[test]
fn counts_are_bounded() {
    let config = BrokerConfig { consumers_max: 1, destinations_max: 2, message_max: 100, ..BrokerConfig::default() };
    let mut bench = Bench::with(config);
    bench.subscribe(APP, ONE, "a", 10);
    let subscriber = |name: &str, prefetch| {
        let destination = name.parse().expect("a destination");
        Subscriber::own(Subscription { prefetch: Some(prefetch), ..Subscription::new(destination) })
    };
    let mut out = Outbox::new();
    let mut ask =
        |origin, consumer, subscriber| bench.broker.subscribe(Instant::ZERO, origin, consumer, subscriber, &mut out);
    assert_eq!(ask(APP, ONE, subscriber("a", 1)), Err(Refusal::AlreadyExists { what: What::Consumer, number: 1 }));
    assert_eq!(ask(APP, TWO, subscriber("a", 1)), Err(Refusal::LimitReached { what: What::Consumer, max: 1 }));
    assert_eq!(ask(OTHER, ONE, subscriber("a", 0)), Err(Refusal::PrefetchOutOfRange { found: 0, max: 65_535 }));
    assert_eq!(
        ask(OTHER, ONE, subscriber("a", 65_536)),
        Err(Refusal::PrefetchOutOfRange { found: 65_536, max: 65_535 })
    );
    assert_eq!(ask(OTHER, ONE, subscriber("b", 1)), Ok(()));
    assert_eq!(ask(PEER, TWO, subscriber("a", 1)), Ok(()));
    assert_eq!(ask(PEER, ConsumerId(3), subscriber("a", 1)), Ok(()), "of a peer's, its bridge counts the demands");
    assert_eq!(ask(PEER, ONE, subscriber("c", 1)), Err(Refusal::LimitReached { what: What::Destination, max: 2 }));
    assert!(bench.send(APP, "a").contains(&Said::Accepted(1)));
    let message = Message {
        id: MessageId { producer: ProducerId { broker: LOCAL, number: 1 }, sequence: 1 },
        destination: "a".parse().expect("a destination"),
        path: Path::default(),
        timestamp: Timestamp::default(),
        body: Body::bytes(alloc::vec![0; 101]),
    };
    let sent = bench.broker.send(Instant::ZERO, APP, Ticket { stream: 1, number: 2 }, 0, Arc::new(message), &mut out);
    assert_eq!(sent, Err(Refusal::TooLarge { size: 101, max: 100 }));
}

/// What a random run does.
#[derive(Clone, Debug)]
enum Step {
    Send { topic: bool },
    Subscribe { consumer: u64, topic: bool, prefetch: u32 },
    Unsubscribe { consumer: u64 },
    Accept { consumer: u64, index: usize, up_to: bool },
    Release { consumer: u64 },
    Pause,
    Purge,
    Resume,
    Wait,
}

fn any_step() -> impl Strategy<Value = Step> {
    let consumer = 1_u64..5;
    prop_oneof![
        4 => any::<bool>().prop_map(|topic| Step::Send { topic }),
        2 => (consumer.clone(), any::<bool>(), 1_u32..4)
            .prop_map(|(consumer, topic, prefetch)| Step::Subscribe { consumer, topic, prefetch }),
        1 => consumer.clone().prop_map(|consumer| Step::Unsubscribe { consumer }),
        3 => (consumer.clone(), 0_usize..3, any::<bool>())
            .prop_map(|(consumer, index, up_to)| Step::Accept { consumer, index, up_to }),
        1 => consumer.prop_map(|consumer| Step::Release { consumer }),
        1 => select(&[Step::Pause, Step::Purge, Step::Resume, Step::Resume][..]),
        1 => Just(Step::Wait),
    ]
}

/// A consumer as the model sees it.
#[derive(Debug, Default)]
struct Seat {
    topic: bool,
    prefetch: u32,
    outstanding: VecDeque<(Tag, u64)>,
}

proptest! {
    /// Invariants Q1, Q2, Q4, Q5, Q6, Q7 and T1 of the reliability reference, against a model of maps and lists.
    #[test]
    fn a_broker_keeps_its_books(steps in proptest::collection::vec(any_step(), 1..120)) {
        let config = BrokerConfig { queue_bytes_max: 2_000, topic_bytes_max: 1_000, ..at_once() };
        let mut bench = Bench::with(config);
        let queue = Destination::queue("d").expect("a name");
        let mut seats: BTreeMap<u64, Seat> = BTreeMap::new();
        // Queue: who holds each message. Topic: what each subscriber is owed, in order.
        let (mut waiting, mut done, mut pending) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut owed: BTreeMap<u64, VecDeque<u64>> = BTreeMap::new();
        let mut topics = BTreeSet::new();
        let (mut is_paused, mut purged) = (false, 0);
        for step in steps {
            let said = match step {
                Step::Send { topic } => {
                    pending.insert(bench.sent + 1);
                    if topic {
                        topics.insert(bench.sent + 1);
                    }
                    bench.send(APP, if topic { "topic://d" } else { "queue://d" })
                }
                Step::Subscribe { consumer, topic, prefetch } if !seats.contains_key(&consumer) => {
                    seats.insert(consumer, Seat { topic, prefetch, ..Seat::default() });
                    owed.insert(consumer, VecDeque::new());
                    bench.subscribe(APP, ConsumerId(consumer), if topic { "topic://d" } else { "queue://d" }, prefetch)
                }
                Step::Unsubscribe { consumer } if seats.contains_key(&consumer) => {
                    let seat = seats.remove(&consumer).expect("just seen");
                    owed.remove(&consumer);
                    if !seat.topic {
                        waiting.extend(seat.outstanding.iter().map(|(_, sequence)| *sequence));
                    }
                    bench.unsubscribe(APP, ConsumerId(consumer), Tag::MAX)
                }
                Step::Accept { consumer, index, up_to } => {
                    let Some(seat) = seats.get_mut(&consumer) else { continue };
                    let Some((tag, _)) = seat.outstanding.get(index).copied() else { continue };
                    let covered = if up_to { 0..index + 1 } else { index..index + 1 };
                    let settled: Vec<_> = seat.outstanding.drain(covered).collect();
                    for (_, sequence) in settled {
                        prop_assert!(seat.topic || done.insert(sequence), "{sequence} was done before");
                    }
                    let extent = if up_to { AckExtent::UpTo } else { AckExtent::Individual };
                    let ack = Ack { consumer: ConsumerId(consumer), tag, extent, kind: AckKind::Accepted };
                    bench.ack(APP, ack).expect("outstanding")
                }
                Step::Release { consumer } => {
                    let Some(seat) = seats.get_mut(&consumer) else { continue };
                    let Some((tag, _)) = seat.outstanding.back().copied() else { continue };
                    let released = core::mem::take(&mut seat.outstanding);
                    if !seat.topic {
                        waiting.extend(released.iter().map(|(_, sequence)| *sequence));
                    }
                    let ack = Ack { consumer: ConsumerId(consumer), tag, extent: AckExtent::UpTo, kind: AckKind::Released };
                    bench.ack(APP, ack).expect("outstanding")
                }
                Step::Pause | Step::Purge | Step::Resume if bench.broker.registry.find(&queue).is_none() => continue,
                Step::Pause => {
                    is_paused = true;
                    bench.administer(&AdminRequest::Pause(queue.clone())).1
                }
                Step::Purge => {
                    purged += core::mem::take(&mut waiting).len() as u64;
                    bench.administer(&AdminRequest::Purge(queue.clone())).1
                }
                Step::Resume => {
                    is_paused = false;
                    bench.administer(&AdminRequest::Resume(queue.clone())).1
                }
                Step::Wait => {
                    bench.now = bench.broker.poll_timeout().unwrap_or(bench.now);
                    bench.wake()
                }
                Step::Subscribe { .. } | Step::Unsubscribe { .. } => continue,
            };
            let dropped = bench.broker.stats().dropped;
            for said in said {
                match said {
                    Said::Accepted(sequence) => {
                        prop_assert!(pending.remove(&sequence), "accepted twice");
                        if topics.contains(&sequence) {
                            for (consumer, seat) in &seats {
                                if seat.topic {
                                    owed.get_mut(consumer).expect("a seat").push_back(sequence);
                                }
                            }
                        } else {
                            waiting.insert(sequence);
                        }
                    }
                    Said::Deliver { consumer, tag, sequence, .. } => {
                        let seat = seats.get_mut(&consumer).expect("delivered to nobody");
                        if seat.topic {
                            let owed = owed.get_mut(&consumer).expect("a seat");
                            while dropped > 0 && owed.front().is_some_and(|front| *front < sequence) {
                                owed.pop_front(); // Dropped while it was stalled.
                            }
                            prop_assert_eq!(owed.pop_front(), Some(sequence), "out of order, or not owed");
                        } else {
                            prop_assert!(!is_paused, "{} was handed out though its queue is paused", sequence);
                            prop_assert!(waiting.remove(&sequence), "{} is held by somebody else, or gone", sequence);
                            prop_assert!(!done.contains(&sequence), "{} was acknowledged", sequence);
                        }
                        seat.outstanding.push_back((tag, sequence));
                        prop_assert!(seat.outstanding.len() <= seat.prefetch as usize, "more than its credit");
                    }
                    Said::Advised(_) | Said::Ended(..) | Said::Refused(..) => prop_assert!(false, "{:?} by no policy", said),
                    Said::Browsed(_) | Said::Wanted(_) | Said::Weighed(..) | Said::Unwanted(_) => (),
                }
            }
            prop_assert_eq!(bench.broker.stats().queued, waiting.len() as u64);
            prop_assert_eq!(bench.broker.stats().parked, pending.len() as u64);
            if bench.broker.registry.find(&queue).is_some() {
                let found = bench.status("d");
                let held: usize = seats.values().filter(|seat| !seat.topic).map(|seat| seat.outstanding.len()).sum();
                prop_assert_eq!((found.depth, found.outstanding), (waiting.len() as u64, held as u64));
                prop_assert_eq!((found.dequeued, found.purged), (done.len() as u64, purged));
                let here = found.depth + found.delayed + found.outstanding;
                prop_assert_eq!(found.enqueued, here + found.dequeued + found.purged + found.let_go);
            }
            let has_idle = seats.values().any(|seat| !seat.topic && seat.outstanding.len() < seat.prefetch as usize);
            prop_assert!(waiting.is_empty() || is_paused || !has_idle, "a message waits though somebody has credit");
        }
    }
}
