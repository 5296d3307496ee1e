//! Destinations that nobody uses any more.

use super::*;
use crate::model::{Durable, Value};

/// A broker that forgets destinations after 100 ms.
fn bench() -> Bench {
    Bench::with(config())
}

fn config() -> BrokerConfig {
    let mut config = BrokerConfig::default();
    config.policies.default.forgotten_after = Some(Duration::from_millis(100));
    config
}

impl Bench {
    /// Lives until then.
    fn live_until(&mut self, millis: u64) {
        while let Some(at) = self.broker.poll_timeout().filter(|at| *at <= Instant::from_millis(millis)) {
            assert!(at > self.now || at == Instant::ZERO, "it is woken for nothing");
            self.now = at;
            self.wake();
        }
        self.now = Instant::from_millis(millis);
    }

    fn has(&self, name: &str) -> bool {
        self.broker.registry.find(&name.parse().expect("a destination")).is_some()
    }
}

#[test]
fn a_destination_goes_when_nothing_has_happened_there_for_long_enough() {
    let mut bench = bench();
    bench.subscribe(APP, ONE, "q", 10);
    bench.send(APP, "q");
    bench.send(APP, "topic://t");
    bench.accept(APP, ONE, 1);
    bench.now = Instant::from_millis(50);
    bench.unsubscribe(APP, ONE, 1);
    bench.live_until(149);
    assert!(bench.has("q"), "its consumer left 99 ms ago");
    bench.live_until(200);
    assert!(!bench.has("q") && !bench.has("topic://t"));
    assert_eq!((bench.broker.stats().forgotten, bench.broker.poll_timeout()), (2, None));
}

#[test]
fn a_destination_that_has_gone_comes_back_and_gives_its_place_to_others_meanwhile() {
    let mut bench = Bench::with(BrokerConfig { destinations_max: 1, ..config() });
    assert_eq!(bench.send(APP, "topic://a"), [Said::Accepted(1)]);
    let refusal = Refusal::LimitReached { what: What::Destination, max: 1 };
    assert_eq!(bench.send(APP, "topic://b"), [Said::Refused(2, refusal)]);
    bench.live_until(200);
    assert_eq!(bench.send(APP, "topic://b"), [Said::Accepted(3)]);
    bench.live_until(400);
    bench.subscribe(OTHER, ONE, "topic://a", 10);
    assert_eq!(
        bench.send(APP, "topic://a"),
        [Said::Accepted(4), deliver(ONE, 1, 4)],
        "its producer knows nothing of it"
    );
    assert_eq!(bench.status("topic://a").enqueued, 1, "it counts anew");
}

#[test]
fn a_destination_that_is_used_stays() {
    let mut bench = bench();
    for round in 1..10 {
        bench.send(APP, "topic://t");
        bench.live_until(round * 99);
        assert!(bench.has("topic://t"));
    }
}

#[test]
fn a_destination_is_looked_at_once_at_a_time_whatever_else_is_due_then() {
    let mut bench = bench();
    bench.send(APP, "topic://t");
    let mut brief = Body::bytes(alloc::vec![0; 100]);
    brief.headers.time_to_live = Some(Duration::from_millis(100));
    bench.send_one(APP, "q", brief);
    bench.now = Instant::from_millis(50);
    bench.send(APP, "topic://t");
    bench.live_until(149);
    assert!(bench.has("topic://t"), "it was used 99 ms ago");
}

#[test]
fn whatever_would_be_missed_stays() {
    let mut bench = bench();
    let durable = Some(Durable::new("client", "d").expect("valid"));
    let topic = "topic://durable".parse().expect("a destination");
    bench.subscribe_as(APP, ONE, Subscription { durable, ..Subscription::new(topic) });
    bench.unsubscribe(APP, ONE, 0);
    bench.send(APP, "waiting");
    bench.send(APP, "looked.at");
    let looked_at = "looked.at".parse().expect("a destination");
    let browser = Subscription { browses: true, prefetch: Some(1), ..Subscription::new(looked_at) };
    bench.send(APP, "looked.at");
    bench.subscribe_as(OTHER, TWO, browser);
    bench.administer(&AdminRequest::Purge("looked.at".parse().expect("a destination"))).0.expect("it is there");
    bench.send(APP, "Consumer.A.VirtualTopic.t");
    bench.administer(&AdminRequest::Purge("Consumer.>".parse().expect("valid"))).0.expect("it is there");
    bench.send(APP, "paused");
    bench.administer(&AdminRequest::Pause("paused".parse().expect("valid"))).0.expect("it is there");
    bench.administer(&AdminRequest::Purge("paused".parse().expect("valid"))).0.expect("it is there");
    let mut retained = Body::bytes(alloc::vec![0; 100]);
    retained.headers.properties.set("ActiveMQ.Retain", Value::Bool(true)).expect("room");
    bench.send_one(APP, "topic://retained", retained);
    bench.live_until(1_000);
    let names = ["topic://durable", "waiting", "looked.at", "Consumer.A.VirtualTopic.t", "paused", "topic://retained"];
    for name in names {
        assert!(bench.has(name), "{name}");
    }
    // And goes once it would not be any more.
    let mut out = Outbox::new();
    let durable = Durable::new("client", "d").expect("valid");
    bench.broker.remove_durable(bench.now, &durable, &mut out).expect("it is there");
    bench.administer(&AdminRequest::Resume(">".parse().expect("valid"))).0.expect("queues");
    bench.administer(&AdminRequest::Purge("waiting".parse().expect("valid"))).0.expect("it is there");
    bench.unsubscribe(OTHER, TWO, 0);
    let mut nothing = Body::default();
    nothing.headers.properties.set("ActiveMQ.Retain", Value::Bool(true)).expect("room");
    bench.send_one(APP, "topic://retained", nothing);
    bench.live_until(1_300);
    assert_eq!(names.map(|name| bench.has(name)), [false, false, false, true, false, false]);
}

/// What a random run does: numbers are those of destinations, consumers and milliseconds.
#[derive(Clone, Debug)]
enum Step {
    Send { to: usize, is_retained: bool },
    Subscribe { consumer: u64, to: usize },
    Unsubscribe { consumer: u64 },
    Answer { consumer: u64, kind: AckKind },
    Pause { queue: usize },
    Resume,
    Wait { millis: u64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let kind = select(&[AckKind::Accepted, AckKind::Accepted, AckKind::Released, AckKind::Rejected][..]);
    prop_oneof![
        4 => (0..PLACES.len(), any::<bool>()).prop_map(|(to, is_retained)| Step::Send { to, is_retained }),
        2 => (1_u64..4, 0..PLACES.len()).prop_map(|(consumer, to)| Step::Subscribe { consumer, to }),
        1 => (1_u64..4).prop_map(|consumer| Step::Unsubscribe { consumer }),
        4 => (1_u64..4, kind).prop_map(|(consumer, kind)| Step::Answer { consumer, kind }),
        1 => (0_usize..3).prop_map(|queue| Step::Pause { queue }),
        1 => Just(Step::Resume),
        3 => (1_u64..300).prop_map(|millis| Step::Wait { millis }),
    ]
}

const PLACES: [&str; 6] =
    ["queue://a", "queue://b", "queue://Consumer.A.VirtualTopic.t", "topic://VirtualTopic.t", "topic://r", "topic://s"];

proptest! {
    /// Whatever is forgotten, nothing is missed: every message of a queue is accounted for, what is retained is there for
    /// late subscribers, what is paused stays paused, and a virtual topic's queue gets its topic's messages. When
    /// nobody is there any more, everything goes that may.
    #[test]
    fn nothing_with_content_ever_goes(steps in proptest::collection::vec(any_step(), 1..120)) {
        let mut bench = bench();
        let mut seats: BTreeMap<u64, Vec<Tag>> = BTreeMap::new();
        let (mut retained, mut paused) = (BTreeMap::new(), BTreeSet::new());
        let mut has_virtual_queue = false;
        for step in steps {
            let said = match step {
                Step::Send { to, is_retained } => {
                    let mut body = Body::bytes(alloc::vec![0; 100]);
                    if is_retained && PLACES[to].starts_with("topic") {
                        body.headers.properties.set("ActiveMQ.Retain", Value::Bool(true)).expect("room");
                        retained.insert(to, bench.sent + 1);
                    }
                    has_virtual_queue |= to == 2;
                    let before = bench.broker.stats().accepted_queued;
                    let said = bench.send_one(APP, PLACES[to], body);
                    let copies = u64::from(to < 3 || (to == 3 && has_virtual_queue));
                    prop_assert_eq!(bench.broker.stats().accepted_queued, before + copies);
                    said
                }
                Step::Subscribe { consumer, to } if !seats.contains_key(&consumer) => {
                    has_virtual_queue |= to == 2;
                    let destination = PLACES[to].parse().expect("a destination");
                    let is_topic = to > 2;
                    let wish = Subscription { retroactive: is_topic, prefetch: Some(2), ..Subscription::new(destination) };
                    seats.insert(consumer, Vec::new());
                    let said = bench.subscribe_as(OTHER, ConsumerId(consumer), wish);
                    if let Some(sequence) = retained.get(&to).filter(|_| is_topic) {
                        prop_assert!(said.contains(&deliver(ConsumerId(consumer), 1, *sequence)), "{:?}", said);
                    }
                    said
                }
                Step::Unsubscribe { consumer } if seats.remove(&consumer).is_some() => {
                    bench.unsubscribe(OTHER, ConsumerId(consumer), Tag::MAX)
                }
                Step::Answer { consumer, kind } => {
                    let Some(tags) = seats.get_mut(&consumer).filter(|tags| !tags.is_empty()) else { continue };
                    let ack = Ack { consumer: ConsumerId(consumer), tag: tags.remove(0), extent: AckExtent::Individual, kind };
                    bench.ack(OTHER, ack).expect("outstanding")
                }
                Step::Pause { queue } => {
                    let asked = AdminRequest::Pause(PLACES[queue].parse().expect("a destination"));
                    if bench.administer(&asked).0.is_ok() {
                        paused.insert(queue);
                    }
                    Vec::new()
                }
                Step::Resume => {
                    paused.clear();
                    bench.administer(&AdminRequest::Resume(">".parse().expect("a pattern"))).1
                }
                Step::Wait { millis } => {
                    bench.now = bench.now + Duration::from_millis(millis);
                    bench.wake()
                }
                Step::Subscribe { .. } | Step::Unsubscribe { .. } => continue,
            };
            for said in said {
                if let Said::Deliver { consumer, tag, .. } = said {
                    seats.get_mut(&consumer).expect("delivered to nobody").push(tag);
                }
            }
            let stats = bench.broker.stats();
            let known = stats.queued + stats.delayed + stats.outstanding_queued + stats.acknowledged_queued
                + stats.failed_queued + stats.purged;
            prop_assert_eq!((known, stats.orphaned), (stats.accepted_queued, 0), "Q1: {:?}", stats);
            for queue in &paused {
                prop_assert!(bench.has(PLACES[*queue]) && bench.status(PLACES[*queue]).is_paused);
            }
            prop_assert!(!has_virtual_queue || bench.has(PLACES[2]), "a subscriber has gone");
        }
        bench.detach(OTHER);
        let end = bench.now + Duration::from_secs(10);
        bench.administer(&AdminRequest::Resume(">".parse().expect("a pattern"))).0.expect("queues");
        while bench.now < end {
            bench.now = bench.now + Duration::from_millis(100);
            bench.wake();
        }
        for (number, name) in PLACES.into_iter().enumerate() {
            let depth = if number < 3 && bench.has(name) { bench.status(name).depth } else { 0 };
            let is_needed = depth > 0 || (number == 2 && has_virtual_queue) || retained.contains_key(&number);
            prop_assert_eq!(bench.has(name), is_needed, "{}", name);
        }
    }
}
