//! Where there is no room for messages: whoever sends waits, for so long, or is refused.

use super::*;
use crate::model::Durable;

/// What each of the bench's messages takes.
const SIZE: u64 = size_of::<Message>() as u64 + 100;

/// A broker that treats `destination` so, and where `memory_max` of the bench's messages may wait in all.
fn bench(destination: &str, policy: DestinationPolicy, memory_max: u64) -> Bench {
    let mut config = BrokerConfig { memory_max: memory_max * SIZE, ..BrokerConfig::default() };
    config.policies.entries.push(PolicyEntry { destination: destination.parse().expect("a destination"), policy });
    Bench::with(config)
}

/// One message may wait.
fn narrow(when_full: WhenFull) -> DestinationPolicy {
    DestinationPolicy { bytes_max: Some(SIZE), when_full, ..DestinationPolicy::default() }
}

fn full(name: &str) -> Refusal {
    Refusal::DestinationFull { destination: name.parse().expect("a destination"), bytes: SIZE, max: SIZE }
}

#[test]
fn a_queue_has_a_limit_of_its_own() {
    let mut bench = bench("narrow", narrow(WhenFull::Wait), 100);
    assert_eq!(bench.send(APP, "narrow"), [Said::Accepted(1)]);
    assert_eq!(bench.send(APP, "narrow"), [], "it waits for room");
    assert_eq!(bench.send(APP, "wide"), [Said::Accepted(3)]);
    assert_eq!(bench.send(APP, "wide"), [Said::Accepted(4)], "there is room elsewhere");
    let said = bench.subscribe(OTHER, ONE, "narrow", 1);
    assert_eq!(said, [deliver(ONE, 1, 1), Said::Accepted(2), Said::Wanted("queue://narrow")]);
}

#[test]
fn a_message_without_room_is_refused_where_it_may_not_wait() {
    let mut bench = bench("narrow", narrow(WhenFull::Refuse), 100);
    bench.send(APP, "narrow");
    for from in [APP, CLIENT] {
        let number = bench.sent + 1;
        assert_eq!(bench.send(from, "narrow"), [Said::Refused(number, full("narrow"))]);
    }
    assert_eq!(bench.send(PEER, "narrow"), [], "what a peer hands over waits");
    assert_eq!((bench.broker.stats().queued, bench.broker.stats().parked), (1, 1), "nothing else has changed");
    let said = bench.subscribe(OTHER, ONE, "narrow", 10);
    assert_eq!(said[..3], [deliver(ONE, 1, 1), Said::Accepted(4), deliver(ONE, 2, 4)]);
    assert_eq!(bench.send(APP, "narrow"), [Said::Accepted(5), deliver(ONE, 3, 5)]);
}

#[test]
fn a_topics_publisher_is_refused_for_its_fullest_subscriber() {
    let mut bench = bench("topic://t", narrow(WhenFull::Refuse), 100);
    bench.subscribe(APP, ONE, "topic://t", 1);
    bench.send(APP, "topic://t");
    bench.send(APP, "topic://t");
    assert_eq!(bench.send(APP, "topic://t"), [Said::Refused(3, full("topic://t"))]);
}

#[test]
fn a_message_waits_for_room_as_long_as_it_may() {
    let mut bench = bench("narrow", narrow(WhenFull::WaitFor(Duration::from_millis(100))), 100);
    bench.send(APP, "narrow");
    for (after, from) in [(0, APP), (10, PEER), (20, CLIENT)] {
        bench.now = Instant::from_millis(after);
        assert_eq!(bench.send(from, "narrow"), []);
    }
    assert_eq!(bench.broker.poll_timeout(), Some(Instant::from_millis(100)));
    bench.now = Instant::from_millis(99);
    assert_eq!(bench.wake(), []);
    bench.now = Instant::from_millis(100);
    assert_eq!(bench.wake(), [Said::Refused(2, full("narrow"))]);
    assert_eq!(bench.broker.poll_timeout(), Some(Instant::from_millis(120)), "a peer's is never refused");
    bench.now = Instant::from_millis(500);
    assert_eq!(bench.wake(), [Said::Refused(4, full("narrow"))]);
    assert_eq!((bench.broker.poll_timeout(), bench.broker.stats().parked), (None, 1));
    let said = bench.subscribe(OTHER, ONE, "narrow", 10);
    assert_eq!(said[..3], [deliver(ONE, 1, 1), Said::Accepted(3), deliver(ONE, 2, 3)]);
}

#[test]
fn what_finds_room_in_time_is_not_refused() {
    let mut bench = bench("narrow", narrow(WhenFull::WaitFor(Duration::from_millis(100))), 100);
    bench.send(APP, "narrow");
    bench.send(APP, "narrow");
    bench.now = Instant::from_millis(50);
    bench.send(APP, "narrow");
    bench.subscribe(OTHER, ONE, "narrow", 1);
    bench.now = Instant::from_millis(100);
    assert_eq!(bench.wake(), [], "the first that waited has its place");
    bench.now = Instant::from_millis(150);
    assert_eq!(bench.wake(), [Said::Refused(3, full("narrow"))]);
}

#[test]
fn what_stood_behind_a_message_that_is_refused_comes_in_if_it_has_room() {
    let mut bench = bench("topic://t", narrow(WhenFull::WaitFor(Duration::from_millis(100))), 100);
    let topic = "topic://t".parse().expect("a destination");
    bench.subscribe_as(APP, ONE, Subscription { no_local: true, prefetch: Some(1), ..Subscription::new(topic) });
    bench.send(OTHER, "topic://t");
    bench.send(OTHER, "topic://t");
    assert_eq!(bench.send(OTHER, "topic://t"), [], "as much waits for the subscriber as may");
    bench.now = Instant::from_millis(50);
    assert_eq!(bench.send(APP, "topic://t"), [], "it is for nobody, and stands behind the other");
    bench.now = Instant::from_millis(100);
    assert_eq!(bench.wake(), [Said::Refused(3, full("topic://t")), Said::Accepted(4)]);
}

#[test]
fn all_destinations_share_the_brokers_memory() {
    let mut bench = bench("refusing", narrow(WhenFull::Refuse), 3);
    for name in ["a", "a", "b"] {
        bench.send(APP, name);
    }
    assert_eq!(bench.send(APP, "a"), []);
    assert_eq!(bench.send(APP, "b"), []);
    let refusal = Refusal::BrokerFull { bytes: 3 * SIZE, max: 3 * SIZE };
    assert_eq!(bench.send(APP, "refusing"), [Said::Refused(6, refusal)]);
    assert_eq!(bench.broker.stats().waiting_bytes, 3 * SIZE);
    // Room that a destination gives is its own first, and then anybody's.
    let said = bench.subscribe(OTHER, ONE, "b", 1);
    assert_eq!(said, [deliver(ONE, 1, 3), Said::Accepted(5), Said::Wanted("queue://b")]);
    assert_eq!(bench.accept(OTHER, ONE, 1), [deliver(ONE, 2, 5), Said::Accepted(4)]);
}

#[test]
fn what_goes_straight_to_a_consumer_needs_no_memory() {
    let mut bench = bench("unused", DestinationPolicy::default(), 1);
    bench.send(APP, "full");
    bench.subscribe(OTHER, ONE, "q", 1);
    bench.subscribe(OTHER, TWO, "topic://t", 1);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(2), deliver(ONE, 1, 2)]);
    assert_eq!(bench.send(APP, "topic://t"), [Said::Accepted(3), deliver(TWO, 1, 3)]);
    assert_eq!(bench.send(APP, "q"), [], "it would have to wait now");
    assert_eq!(bench.accept(OTHER, ONE, 1), [Said::Accepted(4), deliver(ONE, 2, 4)]);
}

#[test]
fn a_subscriber_for_which_something_waits_holds_up_publishers_of_a_full_broker_and_no_longer_than_it_may() {
    let mut bench = bench("unused", DestinationPolicy::default(), 2);
    bench.send(APP, "full");
    bench.subscribe(APP, ONE, "topic://t", 1);
    bench.subscribe(OTHER, TWO, "topic://t", 100);
    bench.send(APP, "topic://t");
    bench.send(APP, "topic://t"); // Waits for the first, and nothing else may.
    assert_eq!(bench.send(APP, "topic://t"), []);
    bench.now = bench.broker.poll_timeout().expect("somebody is slow");
    assert_eq!(bench.wake(), [Said::Accepted(4), deliver(TWO, 3, 4)]);
    assert_eq!((bench.broker.stats().waiting_bytes, bench.broker.stats().dropped), (2 * SIZE, 1));
    assert_eq!(bench.accept(APP, ONE, 1), [deliver(ONE, 2, 4)], "the newest");
}

#[test]
fn what_is_dropped_for_a_slow_subscriber_makes_room_for_others() {
    let large = Body::bytes(alloc::vec![0; 100 + 2 * usize::try_from(SIZE).expect("small")]);
    let mut bench = bench("unused", DestinationPolicy::default(), 4);
    bench.send(APP, "q");
    bench.subscribe(APP, ONE, "topic://t", 1);
    bench.send(APP, "topic://t");
    bench.send_one(APP, "topic://t", large.clone()); // Waits for the subscriber, and nothing else may.
    assert_eq!((bench.send(APP, "q"), bench.send(APP, "topic://t")), (Vec::new(), Vec::new()));
    bench.now = bench.broker.poll_timeout().expect("somebody is slow");
    assert_eq!(bench.wake(), [Said::Accepted(5), Said::Accepted(4)]);
    assert_eq!(bench.send_one(APP, "topic://t", large), [Said::Accepted(6)]);
    assert_eq!(bench.send(APP, "q"), [], "there is no room again");
    assert_eq!(bench.send(APP, "topic://t"), [Said::Accepted(8), Said::Accepted(7)], "the large one is dropped");
}

#[test]
fn a_durable_subscription_that_begins_anew_leaves_room_for_others() {
    let mut bench = bench("unused", DestinationPolicy::default(), 1);
    let durable = Some(Durable::new("client", "a").expect("valid"));
    let asked = |name: &str| {
        let destination: Destination = name.parse().expect("a destination");
        Subscription { durable: durable.clone(), ..Subscription::new(destination) }
    };
    bench.subscribe_as(APP, ONE, asked("topic://t"));
    bench.unsubscribe(APP, ONE, 0);
    bench.send(OTHER, "topic://t"); // Is kept, and nothing else may wait.
    assert_eq!(bench.send(OTHER, "q"), []);
    let said = bench.subscribe_as(APP, ONE, asked("topic://other"));
    assert_eq!(said, [Said::Accepted(2), Said::Wanted("topic://other"), Said::Unwanted("topic://t, dormant")]);
}

#[test]
fn dead_letters_are_kept_though_the_broker_is_full() {
    let mut bench = bench("unused", DestinationPolicy::default(), 1);
    bench.subscribe(APP, ONE, "q", 1);
    bench.send(APP, "q");
    bench.send(APP, "full");
    let reject = Ack { consumer: ONE, tag: 1, extent: AckExtent::Individual, kind: AckKind::Rejected };
    assert_eq!(bench.ack(APP, reject), Ok(Vec::new()));
    assert_eq!((bench.broker.stats().dead_lettered, bench.broker.stats().queued), (1, 2));
}

#[test]
fn a_connection_has_so_much_wait_for_room_and_no_more() {
    let mut bench =
        Bench::with(BrokerConfig { queue_bytes_max: 1, parked_bytes_max: 2 * SIZE, ..BrokerConfig::default() });
    for name in ["a", "b", "a", "b"] {
        bench.send(APP, name); // Two have their place, two wait.
    }
    let refusal = Refusal::ParkedFull { bytes: 2 * SIZE, max: 2 * SIZE };
    assert_eq!(bench.send(APP, "a"), [Said::Refused(5, refusal)]);
    assert_eq!(bench.send(OTHER, "a"), [], "another connection's may wait");
    let mut out = Outbox::new();
    bench.broker.cancel(bench.now, APP, 1, 0, &mut out);
    assert_eq!(bench.send(APP, "a"), [], "those before it have gone");
}

/// What a random run does: numbers are those of destinations, consumers and milliseconds.
#[derive(Clone, Debug)]
enum Step {
    Send { from: usize, to: usize, life: Option<u64> },
    Subscribe { consumer: u64, to: usize },
    Unsubscribe { consumer: u64 },
    Answer { consumer: u64, kind: AckKind },
    Purge { queue: usize },
    RemoveDurable,
    Detach,
    Wait { millis: u64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let life = proptest::option::weighted(0.3, 1_u64..300);
    let kind = select(&[AckKind::Accepted, AckKind::Accepted, AckKind::Released, AckKind::Rejected][..]);
    prop_oneof![
        8 => (0_usize..3, 0..PLACES.len(), life).prop_map(|(from, to, life)| Step::Send { from, to, life }),
        2 => (1_u64..5, 0..PLACES.len()).prop_map(|(consumer, to)| Step::Subscribe { consumer, to }),
        1 => (1_u64..5).prop_map(|consumer| Step::Unsubscribe { consumer }),
        4 => (1_u64..5, kind).prop_map(|(consumer, kind)| Step::Answer { consumer, kind }),
        1 => (0_usize..2).prop_map(|queue| Step::Purge { queue }),
        1 => Just(Step::RemoveDurable),
        1 => Just(Step::Detach),
        2 => (1_u64..400).prop_map(|millis| Step::Wait { millis }),
    ]
}

const PLACES: [&str; 6] = ["queue://a", "queue://b", "topic://t", "topic://d", "topic://VirtualTopic.v", "temp"];

proptest! {
    /// What waits is counted exactly, whatever becomes of it; every message that is sent is accepted once, refused once,
    /// or waits; what waits for room is counted by connection; and the total is kept but for what is never refused.
    #[test]
    fn what_waits_is_counted_exactly(
        steps in proptest::collection::vec(any_step(), 1..150),
        when_full in select(Vec::from([WhenFull::Wait, WhenFull::Refuse, WhenFull::WaitFor(Duration::from_millis(50))])),
        when_slow in select(&[SlowConsumers::Disconnect, SlowConsumers::DropNewest, SlowConsumers::DropOldest][..]),
        memory_max in 1_u64..20,
    ) {
        let mut config = BrokerConfig {
            memory_max: memory_max * SIZE,
            queue_bytes_max: 8 * SIZE,
            topic_bytes_max: 4 * SIZE,
            durable_bytes_max: 4 * SIZE,
            stalled_after: Duration::from_millis(100),
            ..BrokerConfig::default()
        };
        let policy = &mut config.policies.default;
        (policy.when_full, policy.slow_consumers) = (when_full, when_slow);
        policy.redelivery.first_delay = Duration::from_millis(30);
        let mut bench = Bench::with(config);
        let temporary = alloc::format!("temp-queue://{LOCAL}:2:1");
        let place = |number: usize| if PLACES[number] == "temp" { temporary.as_str() } else { PLACES[number] };
        let durable = Durable::new("client", "d").expect("valid");
        let mut seats: BTreeMap<u64, Vec<Tag>> = BTreeMap::new();
        let mut open: BTreeSet<u64> = BTreeSet::new();
        for step in steps {
            let said = match step {
                Step::Send { from, to, life } => {
                    let mut body = Body::bytes(alloc::vec![0; 100]);
                    body.headers.time_to_live = life.map(Duration::from_millis);
                    open.insert(bench.sent + 1);
                    bench.send_one([APP, CLIENT, PEER][from], place(to), body)
                }
                Step::Subscribe { consumer, to } if !seats.contains_key(&consumer) => {
                    let mut subscription = Subscription::new(place(to).parse().expect("a destination"));
                    subscription.prefetch = Some(2);
                    subscription.durable = (PLACES[to] == "topic://d").then(|| durable.clone());
                    let subscriber = Subscriber::own(subscription);
                    let mut out = Outbox::new();
                    if bench.broker.subscribe(bench.now, OTHER, ConsumerId(consumer), subscriber, &mut out).is_err() {
                        continue; // The durable one is in use.
                    }
                    seats.insert(consumer, Vec::new());
                    short(&mut out)
                }
                Step::Unsubscribe { consumer } if seats.remove(&consumer).is_some() => {
                    bench.unsubscribe(OTHER, ConsumerId(consumer), Tag::MAX)
                }
                Step::Answer { consumer, kind } => {
                    let Some(tags) = seats.get_mut(&consumer).filter(|tags| !tags.is_empty()) else { continue };
                    let ack = Ack { consumer: ConsumerId(consumer), tag: tags.remove(0), extent: AckExtent::Individual, kind };
                    bench.ack(OTHER, ack).expect("outstanding")
                }
                Step::Purge { queue } => {
                    bench.administer(&AdminRequest::Purge(PLACES[queue].parse().expect("a destination"))).1
                }
                Step::RemoveDurable => {
                    let mut out = Outbox::new();
                    _ = bench.broker.remove_durable(bench.now, &durable, &mut out);
                    short(&mut out)
                }
                Step::Detach => {
                    seats.clear();
                    let said = bench.detach(OTHER);
                    bench.broker.attach(OTHER, Limits::default()).expect("room");
                    said
                }
                Step::Wait { millis } => {
                    bench.now = bench.now + Duration::from_millis(millis);
                    bench.wake()
                }
                Step::Subscribe { .. } | Step::Unsubscribe { .. } => continue,
            };
            for said in said {
                match said {
                    Said::Accepted(sequence) => prop_assert!(open.remove(&sequence), "{} is answered twice", sequence),
                    Said::Refused(sequence, refusal) => {
                        prop_assert!(open.remove(&sequence), "{} is answered twice", sequence);
                        prop_assert!(when_full != WhenFull::Wait, "{}", refusal);
                    }
                    Said::Deliver { consumer, tag, .. } => {
                        seats.get_mut(&consumer).expect("delivered to nobody").push(tag);
                    }
                    Said::Ended(consumer, _) => {
                        prop_assert_eq!(when_slow, SlowConsumers::Disconnect);
                        prop_assert!(seats.remove(&consumer).is_some(), "{} has ended before", consumer);
                    }
                    Said::Advised(_) | Said::Browsed(_) | Said::Wanted(_) | Said::Weighed(..) | Said::Unwanted(_) => (),
                }
            }
            let stats = bench.broker.stats();
            let parts = stats.queued_bytes + stats.pending_bytes + stats.kept_bytes;
            prop_assert_eq!(stats.waiting_bytes, parts, "{:?}", stats);
            prop_assert_eq!(stats.parked, open.len() as u64);
            let parked = bench.broker.connections.values().map(|connection| connection.parked_bytes);
            prop_assert_eq!(parked.sum::<u64>(), stats.parked * SIZE);
            // One more for each place and subscriber, what was handed out and came back, and dead letters.
            let beyond = (PLACES.len() as u64 + 4) + 4 * 2 + stats.dead_lettered;
            prop_assert!(stats.waiting_bytes <= (memory_max + beyond) * SIZE, "{:?}", stats);
        }
    }
}
