//! Consumers that are handed only what their selectors are true of.

use super::*;
use crate::broker::History;
use crate::broker::missed::PLACES_MAX;
use crate::model::{Durable, Priority, Selector};

const THREE: ConsumerId = ConsumerId(3);

/// A consumer of `destination` with a selector.
fn choosy(destination: &str, prefetch: u32, selector: &str) -> Subscription {
    let destination = destination.parse().expect("a destination");
    let selector = Selector::parse_optional(selector).expect("a selector");
    Subscription { prefetch: Some(prefetch), selector, ..Subscription::new(destination) }
}

/// A message of this colour.
fn body(colour: i64) -> Body {
    let mut body = Body::default();
    body.headers.properties.set("colour", colour).expect("room");
    body
}

/// A message of this colour and group.
fn grouped(colour: i64, sequence: i64) -> Body {
    let mut body = body(colour);
    body.headers.properties.set("JMSXGroupID", "g").expect("room");
    body.headers.properties.set("JMSXGroupSeq", sequence).expect("room");
    body
}

fn release(consumer: ConsumerId, tag: Tag) -> Ack {
    Ack { consumer, tag, extent: AckExtent::Individual, kind: AckKind::Released }
}

/// True of messages of colour 1; of others it is given up.
fn costly() -> String {
    let mut text = String::from("colour = 1");
    for _ in 0..=Selector::STEPS_MAX / 3 {
        text += " OR x=1";
    }
    text
}

#[test]
fn what_one_consumer_does_not_want_another_does_and_nobody_is_held_up() {
    let mut bench = Bench::new();
    bench.subscribe_as(APP, ONE, choosy("q", 10, "colour = 1"));
    bench.subscribe_as(OTHER, TWO, choosy("q", 10, "colour <> 1"));
    let sent = [2, 1, 3].map(|colour| bench.send_one(APP, "q", body(colour)));
    let accepted = Said::Accepted;
    let expected =
        [[accepted(1), deliver(TWO, 1, 1)], [accepted(2), deliver(ONE, 1, 2)], [accepted(3), deliver(TWO, 2, 3)]];
    assert_eq!(sent, expected);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(4)], "without a colour nothing is known of it");
    assert_eq!(bench.send_one(APP, "q", body(1)), [Said::Accepted(5), deliver(ONE, 2, 5)]);
    assert_eq!(bench.broker.stats().queued, 1);
    assert_eq!(bench.subscribe(CLIENT, THREE, "q", 10), [deliver(THREE, 1, 4), Said::Wanted("queue://q")]);
}

#[test]
fn what_waits_is_found_wherever_it_stands() {
    let mut bench = Bench::new();
    for colour in [0, 0, 1, 0, 1, 0] {
        bench.send_one(APP, "q", body(colour));
    }
    let wanted = Said::Wanted("queue://q");
    assert_eq!(bench.subscribe_as(APP, ONE, choosy("q", 1, "colour = 1")), [deliver(ONE, 1, 3), wanted]);
    assert_eq!(bench.accept(APP, ONE, 1), [deliver(ONE, 2, 5)]);
    assert_eq!(bench.accept(APP, ONE, 2), []);
    assert_eq!(bench.unsubscribe(APP, ONE, 2), [Said::Unwanted("queue://q")]);
    assert_eq!(bench.broker.stats().queued, 4);
}

#[test]
fn a_message_is_asked_about_again_when_it_has_been_handed_out() {
    let mut bench = Bench::with(at_once());
    bench.subscribe_as(APP, ONE, choosy("q", 1, "JMSRedelivered = FALSE"));
    bench.subscribe_as(OTHER, TWO, choosy("q", 1, "JMSXDeliveryCount > 2"));
    bench.subscribe_as(CLIENT, THREE, choosy("q", 1, "JMSXDeliveryCount = 2"));
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(1), deliver(ONE, 1, 1)]);
    assert_eq!(bench.ack(APP, release(ONE, 1)), Ok(alloc::vec![again(THREE, 1, 1)]));
    let third = Said::Deliver { consumer: 2, tag: 1, sequence: 1, redeliveries: 2 };
    assert_eq!(bench.ack(CLIENT, release(THREE, 1)), Ok(alloc::vec![third]));
}

#[test]
fn the_fields_of_a_message_are_those_it_has_here() {
    let mut bench = Bench::new();
    bench.now = Instant::from_millis(500);
    bench.broker.set_wall(bench.now, Timestamp::from_millis(10_000));
    bench.now = Instant::from_millis(700);
    let mut body = Body::default().expiring(Duration::from_millis(100));
    (body.headers.message_type, body.headers.correlation_id) = (Some("order".into()), Some("c".into()));
    bench.send_one(PEER, "q", body);
    let fields = [
        "JMSExpiration = 10300", // By this broker's clock, whatever its first broker's reads.
        "JMSTimestamp = 0",
        "JMSPriority = 4",
        "JMSType = 'order'",
        "JMSCorrelationID = 'c'",
        "JMSMessageID LIKE 'ID:%:1:1'",
        "JMSDestination = 'queue://q'",
        "JMSDeliveryMode = 'NON_PERSISTENT'",
        "JMSReplyTo IS NULL",
    ];
    for (consumer, field) in (1..).map(ConsumerId).zip(fields) {
        let looker = Subscription { browses: true, ..choosy("q", 1, field) };
        let expected = [deliver(consumer, 1, 1), Said::Browsed(consumer.0)];
        assert_eq!(bench.subscribe_as(APP, consumer, looker), expected, "{field}");
    }
}

#[test]
fn a_browser_is_shown_only_what_it_wants() {
    let mut bench = Bench::new();
    for colour in [0, 1, 0, 1, 0] {
        bench.send_one(APP, "q", body(colour));
    }
    let looker = Subscription { browses: true, ..choosy("q", 1, "colour = 1") };
    assert_eq!(bench.subscribe_as(APP, ONE, looker), [deliver(ONE, 1, 2)]);
    assert_eq!(bench.accept(APP, ONE, 1), [deliver(ONE, 2, 4), Said::Browsed(1)]);
    assert_eq!(bench.broker.stats().queued, 5);
}

#[test]
fn a_group_stays_with_its_consumer_though_that_refuses_some_of_it() {
    let mut bench = Bench::new();
    bench.subscribe_as(APP, ONE, choosy("q", 10, "colour = 1"));
    bench.subscribe(OTHER, TWO, "q", 10);
    assert_eq!(bench.send_one(APP, "q", grouped(1, 0)), [Said::Accepted(1), deliver(ONE, 1, 1)]);
    assert_eq!(bench.send_one(APP, "q", grouped(2, 0)), [Said::Accepted(2)], "it is its owner's or nobody's");
    assert_eq!(bench.send_one(APP, "q", grouped(1, 0)), [Said::Accepted(3), deliver(ONE, 2, 3)]);
    let closing = [Said::Accepted(4), deliver(ONE, 3, 4), deliver(TWO, 1, 2)];
    assert_eq!(bench.send_one(APP, "q", grouped(1, -1)), closing);
}

#[test]
fn a_group_goes_first_to_a_consumer_that_wants_its_first_message() {
    let mut bench = Bench::new();
    bench.subscribe_as(APP, ONE, choosy("q", 10, "colour = 1"));
    bench.subscribe_as(OTHER, TWO, choosy("q", 10, "colour = 2"));
    assert_eq!(bench.send_one(APP, "q", grouped(2, 0)), [Said::Accepted(1), deliver(TWO, 1, 1)]);
    assert_eq!(bench.send_one(APP, "q", grouped(1, 0)), [Said::Accepted(2)]);
    assert_eq!(bench.unsubscribe(OTHER, TWO, 0), [deliver(ONE, 1, 2), Said::Unwanted("queue://q")]);
}

#[test]
fn what_an_exclusive_consumer_does_not_want_waits() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 10);
    bench.subscribe_as(OTHER, TWO, Subscription { exclusive: true, ..choosy("q", 10, "colour = 1") });
    assert_eq!(bench.send_one(APP, "q", body(2)), [Said::Accepted(1)]);
    assert_eq!(bench.send_one(APP, "q", body(1)), [Said::Accepted(2), deliver(TWO, 1, 2)]);
    assert_eq!(bench.unsubscribe(OTHER, TWO, 0), [deliver(ONE, 1, 1), deliver(ONE, 2, 2), Said::Unwanted("queue://q")]);
}

#[test]
fn a_topics_subscriber_is_handed_only_what_it_wants_now_and_of_what_was() {
    let mut config = BrokerConfig::default();
    config.policies.default.history = History::Count(10);
    let mut bench = Bench::with(config);
    bench.subscribe_as(APP, ONE, choosy("topic://t", 1, "colour = 1"));
    assert_eq!(bench.send_one(APP, "topic://t", body(2)), [Said::Accepted(1)]);
    assert_eq!(bench.send_one(APP, "topic://t", body(1)), [Said::Accepted(2), deliver(ONE, 1, 2)]);
    assert_eq!(bench.send_one(APP, "topic://t", body(2)), [Said::Accepted(3)]);
    assert_eq!(bench.send_one(APP, "topic://t", body(1)), [Said::Accepted(4)]);
    assert_eq!(bench.accept(APP, ONE, 1), [deliver(ONE, 2, 4)], "what it does not want does not wait for it either");
    let late = Subscription { retroactive: true, ..choosy("topic://t", 9, "colour = 2") };
    let remembered = [deliver(TWO, 1, 1), deliver(TWO, 2, 3), Said::Wanted("topic://t")];
    assert_eq!(bench.subscribe_as(OTHER, TWO, late), remembered);
}

#[test]
fn a_durable_subscription_keeps_what_its_selector_wants_and_is_another_with_another() {
    let durable = Some(Durable::new("me", "log").expect("valid"));
    let asked = |selector| Subscription { durable: durable.clone(), ..choosy("topic://t", 10, selector) };
    let mut bench = Bench::new();
    assert_eq!(bench.subscribe_as(APP, ONE, asked("colour = 1")), [Said::Wanted("topic://t")]);
    bench.unsubscribe(APP, ONE, 0);
    for colour in [1, 2, 1] {
        bench.send_one(APP, "topic://t", body(colour));
    }
    assert_eq!(bench.broker.stats().kept, 2);
    let back = [Said::Wanted("topic://t"), Said::Unwanted("topic://t, dormant")];
    let handed = [deliver(TWO, 1, 1), deliver(TWO, 2, 3)];
    assert_eq!(bench.subscribe_as(APP, TWO, asked("colour = 1")), [handed, back.clone()].concat());
    bench.unsubscribe(APP, TWO, 2);
    assert_eq!(bench.subscribe_as(APP, THREE, asked("colour = 2")), back);
    assert_eq!((bench.broker.stats().kept, bench.broker.stats().durables), (0, 1));
    assert_eq!(bench.send_one(APP, "topic://t", body(2)), [Said::Accepted(4), deliver(THREE, 1, 4)]);
}

#[test]
fn a_selector_that_takes_too_long_wants_nothing_and_is_counted() {
    let mut bench = Bench::new();
    bench.subscribe_as(APP, ONE, choosy("topic://t", 10, &costly()));
    bench.subscribe(OTHER, TWO, "topic://t", 10);
    assert_eq!(bench.send_one(APP, "topic://t", body(0)), [Said::Accepted(1), deliver(TWO, 1, 1)]);
    let expected = [Said::Accepted(2), deliver(ONE, 1, 2), deliver(TWO, 2, 2)];
    assert_eq!(bench.send_one(APP, "topic://t", body(1)), expected);
    assert_eq!(bench.broker.stats().selectors_too_costly, 1);
}

/// How often a consumer was asked about a long queue of which it wants nothing, counted by what its selector costs.
#[test]
fn a_consumer_is_not_asked_about_a_long_queue_again_and_again() {
    const LENGTH: u64 = 1_000;
    let mut bench = Bench::with(at_once());
    let urgent = |colour| Body { priority: Priority::MAX, ..body(colour) };
    for _ in 0..LENGTH {
        bench.send_one(APP, "q", body(0));
    }
    bench.subscribe_as(APP, ONE, choosy("q", 1, &costly()));
    let asked = |bench: &Bench| bench.broker.stats().selectors_too_costly;
    assert_eq!(asked(&bench), LENGTH);
    // What goes back where it was, before all others, is handed out again, and nothing else looked at.
    bench.send_one(APP, "q", urgent(1));
    for (tag, redeliveries) in (1..=50).zip(1..) {
        let again = Said::Deliver { consumer: 1, tag: tag + 1, sequence: LENGTH + 1, redeliveries };
        assert_eq!(bench.ack(APP, release(ONE, tag)), Ok(alloc::vec![again]));
    }
    assert_eq!(bench.accept(APP, ONE, 51), []);
    assert_eq!(asked(&bench), LENGTH);
    // What comes before all others is looked at as it comes, and once more when what there is is handed out.
    for _ in 0..50 {
        bench.send_one(APP, "q", urgent(0));
        bench.send_one(APP, "q", urgent(1));
        let tag = bench.broker.stats().delivered;
        assert_eq!(bench.accept(APP, ONE, tag), []);
    }
    assert_eq!(asked(&bench), LENGTH + 2 * 50);
    // Beyond what is remembered it begins again where the first of it is, but not each time.
    bench.send_one(APP, "q", body(1));
    for _ in 0..=PLACES_MAX {
        bench.send_one(APP, "q", urgent(0));
    }
    let before = asked(&bench);
    let tag = bench.broker.stats().delivered;
    assert_eq!(bench.accept(APP, ONE, tag), []);
    assert_eq!(asked(&bench) - before, PLACES_MAX as u64 + 1 + LENGTH);
}

proptest! {
    /// Whoever subscribes to a topic is handed what a filter lets through of what is sent from then on, in order; and so
    /// is a durable subscription, with a consumer or without.
    #[test]
    fn subscribers_are_handed_what_a_filter_lets_through(
        colours in proptest::collection::vec(-1_i64..3, 0..30),
        wishes in proptest::collection::vec((0_i64..3, any::<bool>(), any::<bool>()), 1..6),
    ) {
        let mut bench = Bench::new();
        for (consumer, (wish, is_durable, is_away)) in (1..).zip(&wishes) {
            let durable = is_durable.then(|| Durable::new("me", format!("{consumer}")).expect("valid"));
            let subscription = Subscription { durable, ..choosy("topic://t", 100, &format!("colour >= {wish}")) };
            bench.subscribe_as(APP, ConsumerId(consumer), subscription);
            if *is_durable && *is_away {
                bench.unsubscribe(APP, ConsumerId(consumer), 0);
            }
        }
        let mut said: Vec<Said> = colours.iter().flat_map(|colour| bench.send_one(APP, "topic://t", body(*colour))).collect();
        for (consumer, (wish, is_durable, is_away)) in (1..).zip(&wishes) {
            if *is_durable && *is_away {
                let durable = Some(Durable::new("me", format!("{consumer}")).expect("valid"));
                let subscription = Subscription { durable, ..choosy("topic://t", 100, &format!("colour >= {wish}")) };
                said.extend(bench.subscribe_as(APP, ConsumerId(consumer), subscription));
            }
        }
        for (consumer, (wish, _, _)) in (1..).map(ConsumerId).zip(&wishes) {
            let wanted = (1..).zip(&colours).filter(|(_, colour)| *colour >= wish);
            let expected: Vec<Said> =
                (1..).zip(wanted).map(|(tag, (sequence, _))| deliver(consumer, tag, sequence)).collect();
            let handed: Vec<Said> =
                said.iter().filter(|said| matches!(said, Said::Deliver { consumer: found, .. } if *found == consumer.0)).cloned().collect();
            prop_assert_eq!(handed, expected);
        }
    }
}
