//! Consumers of several destinations at once.

use AckKind::{Accepted, Rejected, Released};

use super::*;
use crate::model::{DestinationKind, Destinations, Durable, Temporary};

/// A consumer of these.
fn of(destinations: &str, prefetch: u32) -> Subscription {
    let destinations: Destinations = destinations.parse().expect("destinations");
    Subscription { prefetch: Some(prefetch), ..Subscription::to(destinations) }
}

fn ack(tag: Tag, extent: AckExtent, kind: AckKind) -> Ack {
    Ack { consumer: ONE, tag, extent, kind }
}

#[test]
fn a_consumer_of_several_is_handed_what_any_of_them_has_as_far_as_its_one_prefetch_goes() {
    let mut bench = Bench::new();
    let wanted = ["queue://q", "queue://r.>", "topic://t"].map(Said::Wanted);
    assert_eq!(bench.subscribe_as(APP, ONE, of("topic://t,queue://q,queue://r.>", 2)), wanted);
    assert_eq!(bench.send(APP, "topic://t"), [Said::Accepted(1), deliver(ONE, 1, 1)]);
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(2), deliver(ONE, 2, 2)]);
    assert_eq!(bench.send(APP, "r.s"), [Said::Accepted(3)]);
    assert_eq!(bench.send(APP, "topic://t"), [Said::Accepted(4)]);
    assert_eq!(bench.send(APP, "topic://s"), [Said::Accepted(5)], "that is none of them");
    let topics_first = [deliver(ONE, 3, 4)];
    assert_eq!(bench.accept(APP, ONE, 1), topics_first, "publishers may wait for it");
    assert_eq!((bench.broker.stats().outstanding, bench.broker.stats().outstanding_queued), (2, 1));
    assert_eq!(bench.accept(APP, ONE, 2), [deliver(ONE, 4, 3)]);
    let unwanted = ["queue://q", "queue://r.>", "topic://t"].map(Said::Unwanted);
    assert_eq!(bench.unsubscribe(APP, ONE, 4), unwanted);
    assert_eq!(bench.broker.stats().queued, 1, "the queue's goes back, and the topic's is gone");
    assert_eq!(bench.subscribe(APP, TWO, "r.s", 1), [again(TWO, 1, 3), Said::Wanted("queue://r.s")]);
}

#[test]
fn queues_and_topics_messages_are_answered_one_by_one_or_together() {
    let mut bench = Bench::with(at_once());
    bench.subscribe_as(APP, ONE, of("q,topic://t", 10));
    for destination in ["topic://t", "q", "topic://t", "q", "topic://t", "q"] {
        bench.send(APP, destination);
    }
    let one = |tag, kind| ack(tag, AckExtent::Individual, kind);
    assert_eq!(bench.ack(APP, one(2, Released)), Ok(alloc::vec![again(ONE, 7, 2)]));
    assert_eq!(bench.ack(APP, one(3, Released)), Ok(Vec::new()), "a topic keeps nothing to hand out again");
    assert_eq!(bench.ack(APP, ack(4, AckExtent::UpTo, Accepted)), Ok(Vec::new()));
    assert_eq!((bench.broker.stats().acknowledged, bench.broker.stats().acknowledged_queued), (2, 1));
    assert_eq!(bench.ack(APP, one(6, Rejected)), Ok(Vec::new()));
    assert_eq!((bench.broker.stats().outstanding, bench.broker.stats().outstanding_queued), (2, 1));
    assert_eq!(bench.ack(APP, ack(7, AckExtent::UpTo, Accepted)), Ok(Vec::new()));
    assert_eq!((bench.broker.stats().outstanding, bench.broker.stats().acknowledged_queued), (0, 2));
    assert_eq!(bench.broker.stats().failed_queued, 1);
}

#[test]
fn a_message_that_several_parts_cover_comes_once() {
    let mut bench = Bench::new();
    bench.send(APP, "a.b");
    let out = bench.subscribe_as(APP, ONE, of("queue://a.b,queue://a.>,topic://a.b,topic://>", 10));
    let wanted = ["queue://a.>", "queue://a.b", "topic://>", "topic://a.b"].map(Said::Wanted);
    assert_eq!(out, [&[deliver(ONE, 1, 1)], &wanted[..]].concat());
    assert_eq!(bench.send(APP, "a.b"), [Said::Accepted(2), deliver(ONE, 2, 2)]);
    assert_eq!(bench.send(APP, "topic://a.b"), [Said::Accepted(3), deliver(ONE, 3, 3)]);
    assert_eq!(bench.send(APP, "a.c"), [Said::Accepted(4), deliver(ONE, 4, 4)], "a destination that is new");
    assert_eq!(bench.subscribe(APP, TWO, "queue://a.>", 10), [Said::Weighed("queue://a.>", 2)], "it is wanted already");
    let unwanted = ["queue://a.b", "topic://>", "topic://a.b"].map(Said::Unwanted);
    let given = [again(TWO, 1, 1), again(TWO, 2, 2), again(TWO, 3, 4)];
    let fewer = [Said::Wanted("queue://a.>")];
    assert_eq!(bench.unsubscribe(APP, ONE, 4), [&given[..], &fewer, &unwanted].concat());
}

#[test]
fn what_is_refused_for_one_part_is_refused_for_all_and_nothing_is_left_of_it() {
    let config = BrokerConfig { composite_max: 3, destinations_max: 2, ..BrokerConfig::default() };
    let mut bench = Bench::with(config);
    let destination = Destination::temporary(
        DestinationKind::Queue,
        Temporary { broker: LOCAL, connection: ConnectionId(2), number: 1 },
    );
    let topics = Subscription { no_local: true, ..of("topic://t,queue://q", 1) };
    let durable = Durable::new("me", "log").expect("valid");
    let queue: Destination = "q".parse().expect("valid");
    let cases = [
        (of("a,b,c,d", 1), Refusal::TooManyDestinations { found: 4, max: 3 }),
        (of("a,b,topic://c", 1), Refusal::LimitReached { what: What::Destination, max: 2 }),
        (of(&format!("a,{destination}"), 1), Refusal::NotOwner(destination)),
        (topics.clone(), Refusal::TopicsOnly(queue.clone())),
        (Subscription { no_local: false, durable: Some(durable), ..topics }, Refusal::TopicsOnly(queue)),
        (Subscription { browses: true, ..of("a,b", 1) }, Refusal::NotBrowsable("a".parse().expect("valid"))),
    ];
    for (subscription, refusal) in cases {
        let subscriber = Subscriber::own(subscription);
        let mut out = Outbox::new();
        assert_eq!(bench.broker.subscribe(bench.now, APP, ONE, subscriber, &mut out), Err(refusal));
        assert_eq!(out.drain().count(), 0);
        assert_eq!(bench.broker.registry.iter().count(), 0);
    }
    bench.subscribe_as(APP, ONE, of("a,b,c.>", 1));
    assert_eq!(bench.broker.registry.iter().count(), 2, "a pattern needs no room, and as many as may be are fine");
}

#[test]
fn a_durable_subscription_may_be_to_several_topics_and_is_another_with_others() {
    let asked = |topics| {
        let durable = Some(Durable::new("me", "log").expect("valid"));
        Subscription { durable, ..of(topics, 10) }
    };
    let mut bench = Bench::new();
    bench.subscribe_as(APP, ONE, asked("topic://a,topic://b"));
    bench.unsubscribe(APP, ONE, 0);
    bench.send(APP, "topic://b");
    bench.send(APP, "topic://a");
    let out = bench.subscribe_as(APP, ONE, asked("topic://b,topic://a"));
    let dormant = ["topic://a, dormant", "topic://b, dormant"].map(Said::Unwanted);
    let wanted = ["topic://a", "topic://b"].map(Said::Wanted);
    let handed = [deliver(ONE, 1, 1), deliver(ONE, 2, 2)];
    assert_eq!(out, [&handed[..], &wanted, &dormant].concat(), "their order means nothing");
    bench.unsubscribe(APP, ONE, 0);
    let out = bench.subscribe_as(APP, ONE, asked("topic://a,topic://c"));
    assert_eq!(out, [["topic://a", "topic://c"].map(Said::Wanted), dormant].concat());
    assert_eq!(bench.broker.stats().kept, 0);
}

#[test]
fn the_prefetch_is_the_least_that_is_usual_for_any_part() {
    let config = BrokerConfig::default();
    let usual =
        |destinations: &str| config.usual_prefetch(&Subscription::to(destinations.parse().expect("destinations")));
    assert_eq!([usual("topic://t"), usual("topic://t,topic://s"), usual("q")], [32_767, 32_767, 1_000]);
    assert_eq!(usual("topic://t,queue://q"), 1_000);
}

/// What a random run does.
#[derive(Clone, Debug)]
enum Step {
    Send { destination: &'static str },
    Answer { index: usize, extent: AckExtent, kind: AckKind },
}

proptest! {
    /// A consumer of several destinations is handed what is sent to any of them, never more at a time than its prefetch;
    /// a queue's messages until they are accepted, a topic's once; and nothing else.
    #[test]
    fn all_that_is_for_a_consumer_of_several_comes_and_nothing_else(
        parts in proptest::sample::subsequence(PARTS.to_vec(), 1..=PARTS.len()),
        prefetch in 1_u32..5,
        steps in proptest::collection::vec(prop_oneof![
            3 => select(&NAMES[..]).prop_map(|destination| Step::Send { destination }),
            2 => (0_usize..4, any::<bool>(), any::<bool>()).prop_map(|(index, is_one, is_accepted)| Step::Answer {
                index,
                extent: if is_one { AckExtent::Individual } else { AckExtent::UpTo },
                kind: if is_accepted { Accepted } else { Released },
            }),
        ], 0..60),
    ) {
        let mut bench = Bench::with(at_once());
        let subscription = of(&parts.join(","), prefetch);
        let covers = |name: &str| {
            let name: Destination = name.parse().expect("a destination");
            subscription.destination.iter().any(|part| part.matches(&name))
        };
        bench.subscribe_as(APP, ONE, subscription.clone());
        let mut owed = BTreeMap::new(); // What was sent, and whether it is a queue's.
        let mut outstanding = Vec::<(Tag, u64)>::new();
        let rest = core::iter::repeat_n(Step::Answer { index: 0, extent: AckExtent::UpTo, kind: Accepted }, 60);
        for step in steps.into_iter().chain(rest) {
            let said = match step {
                Step::Send { destination } => {
                    let said = bench.send(APP, destination);
                    if covers(destination) {
                        owed.insert(bench.sent, !destination.starts_with("topic://"));
                    }
                    said
                }
                Step::Answer { index, extent, kind } => {
                    let Some((tag, _)) = outstanding.get(index).copied() else { continue };
                    let first = if extent == AckExtent::UpTo { 0 } else { index };
                    for (_, number) in outstanding.drain(first..=index) {
                        if kind == Released && owed[&number] {
                            continue; // It is owed still.
                        }
                        owed.remove(&number);
                    }
                    bench.ack(APP, ack(tag, extent, kind)).expect("outstanding")
                }
            };
            for said in said {
                if let Said::Deliver { tag, sequence, .. } = said {
                    prop_assert!(owed.contains_key(&sequence), "{sequence} is not for it, or done with");
                    prop_assert!(outstanding.iter().all(|(_, number)| *number != sequence), "{sequence} came twice");
                    outstanding.push((tag, sequence));
                    prop_assert!(outstanding.len() <= prefetch as usize);
                }
            }
            let has_credit = outstanding.len() < prefetch as usize;
            prop_assert!(!has_credit || outstanding.len() == owed.len(), "something waits for it");
            prop_assert_eq!(bench.broker.stats().outstanding, outstanding.len() as u64);
            let queued = outstanding.iter().filter(|(_, number)| owed[number]).count();
            prop_assert_eq!(bench.broker.stats().outstanding_queued, queued as u64);
        }
        prop_assert!(owed.is_empty());
    }
}

const PARTS: [&str; 6] = ["queue://a.b", "queue://a.>", "queue://c", "topic://a.b", "topic://a.*", "topic://c"];
const NAMES: [&str; 6] = ["queue://a.b", "queue://a.c", "queue://c", "topic://a.b", "topic://a.c", "topic://c"];
