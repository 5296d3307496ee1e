//! Durable subscriptions and no-local.

use super::*;
use crate::model::{AdminReply, Durable};

const NEWS: &str = "topic://news";
const DORMANT: &str = "topic://news, dormant";

fn durable(name: &str) -> Durable {
    Durable::new("client", name).expect("valid")
}

fn asked(destination: &str, name: &str) -> Subscription {
    Subscription { durable: Some(durable(name)), ..Subscription::new(destination.parse().expect("a destination")) }
}

/// What is said when a consumer of the news leaves its subscription behind, after this.
fn left(said: &[Said]) -> Vec<Said> {
    [said, &[Said::Wanted(DORMANT), Said::Unwanted(NEWS)]].concat()
}

/// What is said when one comes back to it, after this.
fn back(said: &[Said]) -> Vec<Said> {
    [said, &[Said::Wanted(NEWS), Said::Unwanted(DORMANT)]].concat()
}

/// A broker where `durable` subscriptions may keep two of the bench's messages.
fn narrow() -> Bench {
    let config = BrokerConfig { durable_bytes_max: 2 * size(), durables_max: 2, ..BrokerConfig::default() };
    Bench::with(config)
}

/// What each of the bench's messages takes.
fn size() -> u64 {
    (size_of::<Message>() + 100) as u64
}

impl Bench {
    fn ask(&mut self, origin: Origin, consumer: ConsumerId, subscription: Subscription) -> Result<Vec<Said>, Refusal> {
        let subscriber = Subscriber::own(subscription);
        let mut out = Outbox::new();
        self.broker.subscribe(self.now, origin, consumer, subscriber, &mut out)?;
        Ok(short(&mut out))
    }

    fn ask_durable(&mut self, origin: Origin, consumer: ConsumerId, name: &str) -> Vec<Said> {
        self.ask(origin, consumer, asked(NEWS, name)).expect("accepted")
    }

    fn remove_durable(&mut self, name: &str) -> Result<Vec<Said>, Refusal> {
        let (reply, said) = self.administer(&AdminRequest::RemoveDurable(durable(name)));
        reply.map(|reply| {
            assert_eq!(reply, AdminReply::DurableRemoved);
            said
        })
    }

    fn held(&self) -> (u64, u64, u64) {
        let stats = self.broker.stats();
        (stats.durables, stats.kept, stats.kept_bytes / size())
    }
}

#[test]
fn a_durable_subscription_keeps_what_comes_while_it_has_no_consumer() {
    let mut bench = Bench::new();
    assert_eq!(bench.ask_durable(APP, ONE, "a"), [Said::Wanted(NEWS)]);
    assert_eq!(bench.send(OTHER, NEWS), [Said::Accepted(1), deliver(ONE, 1, 1)]);
    bench.accept(APP, ONE, 1);
    assert_eq!(bench.unsubscribe(APP, ONE, 1), left(&[]), "what it wants is still wanted");
    assert_eq!(bench.send(OTHER, NEWS), [Said::Accepted(2)]);
    assert_eq!(bench.send(OTHER, NEWS), [Said::Accepted(3)]);
    assert_eq!(bench.held(), (1, 2, 2));
    assert_eq!(bench.ask_durable(OTHER, TWO, "a"), back(&[deliver(TWO, 1, 2), deliver(TWO, 2, 3)]));
    assert_eq!(bench.send(APP, NEWS), [Said::Accepted(4), deliver(TWO, 3, 4)]);
    assert_eq!(bench.held(), (1, 3, 0));
    bench.accept(OTHER, TWO, 3);
    assert_eq!(bench.held(), (1, 0, 0));
}

#[test]
fn what_was_outstanding_when_a_durable_consumer_left_comes_again_in_its_place() {
    let mut bench = Bench::new();
    bench.ask_durable(APP, ONE, "a");
    for _ in 0..3 {
        bench.send(OTHER, NEWS);
    }
    // The second is done with, the first was looked at.
    let one = Ack { consumer: ONE, tag: 2, extent: AckExtent::Individual, kind: AckKind::Accepted };
    assert_eq!(bench.ack(APP, one), Ok(Vec::new()));
    bench.unsubscribe(APP, ONE, 2);
    bench.send(OTHER, NEWS);
    assert_eq!(bench.ask_durable(APP, TWO, "a"), back(&[again(TWO, 1, 1), deliver(TWO, 2, 3), deliver(TWO, 3, 4)]));
    bench.detach(APP);
    let out = bench.ask_durable(OTHER, ONE, "a");
    let twice = Said::Deliver { consumer: ONE.0, tag: 1, sequence: 1, redeliveries: 2 };
    assert_eq!(out, back(&[twice, again(ONE, 2, 3), again(ONE, 3, 4)]), "all may have been seen by whoever is lost");
}

#[test]
fn a_durable_consumer_may_give_back_what_it_took() {
    let mut bench = Bench::with(at_once());
    let subscription = Subscription { prefetch: Some(2), ..asked(NEWS, "a") };
    bench.ask(APP, ONE, subscription).expect("accepted");
    for _ in 0..3 {
        bench.send(OTHER, NEWS);
    }
    let release = Ack { consumer: ONE, tag: 1, extent: AckExtent::Individual, kind: AckKind::Released };
    assert_eq!(bench.ack(APP, release), Ok(alloc::vec![again(ONE, 3, 1)]), "before what came later");
    let release = Ack { tag: 3, extent: AckExtent::UpTo, ..release };
    let twice = Said::Deliver { consumer: ONE.0, tag: 4, sequence: 1, redeliveries: 2 };
    assert_eq!(bench.ack(APP, release), Ok(alloc::vec![twice, again(ONE, 5, 2)]));
    assert_eq!(bench.accept(APP, ONE, 5), [deliver(ONE, 6, 3)]);
}

#[test]
fn what_a_durable_consumer_rejects_is_a_dead_letter() {
    let mut bench = Bench::new();
    bench.ask_durable(APP, ONE, "a");
    bench.send_body(OTHER, NEWS, 1, Body { persistent: true, ..Body::bytes("x") });
    let reject = Ack { consumer: ONE, tag: 1, extent: AckExtent::Individual, kind: AckKind::Rejected };
    assert_eq!(bench.ack(APP, reject), Ok(Vec::new()));
    assert_eq!((bench.held(), bench.broker.stats().dead_lettered), ((1, 0, 0), 1));
}

#[test]
fn a_durable_subscription_has_one_consumer_at_a_time() {
    let mut bench = Bench::new();
    bench.ask_durable(APP, ONE, "a");
    let in_use = Refusal::DurableInUse(durable("a"));
    assert_eq!(bench.ask(OTHER, ONE, asked(NEWS, "a")), Err(in_use.clone()));
    assert_eq!(bench.ask(APP, TWO, asked("topic://other", "a")), Err(in_use.clone()), "nor is it changed then");
    assert_eq!(bench.remove_durable("a"), Err(in_use));
    assert_eq!(bench.send(OTHER, NEWS), [Said::Accepted(1), deliver(ONE, 1, 1)], "nothing is disturbed");
}

/// A client whose link has broken comes back before our end of the old one has noticed.
#[test]
fn a_client_takes_a_durable_subscription_over_from_its_own_old_link() {
    let mut bench = Bench::new();
    let links = [11, 12].map(|link| Origin::Remote(LinkId(link)));
    for link in links {
        bench.broker.attach(link, Limits { client: Some(CLIENT_ID), ..Limits::default() }).expect("room");
    }
    bench.ask_durable(links[0], ONE, "a");
    bench.send(APP, NEWS);
    assert_eq!(bench.ask_durable(links[1], ONE, "a"), back(&[again(ONE, 1, 1)]));
    assert_eq!(bench.detach(links[0]), []);
    assert_eq!(bench.send(APP, NEWS), [Said::Accepted(2), deliver(ONE, 2, 2)]);
}

#[test]
fn a_durable_subscription_asked_for_otherwise_begins_anew() {
    let mut bench = Bench::new();
    bench.ask_durable(APP, ONE, "a");
    bench.unsubscribe(APP, ONE, 0);
    bench.send(OTHER, NEWS);
    let no_local = Subscription { no_local: true, ..asked(NEWS, "a") };
    assert_eq!(bench.ask(APP, ONE, no_local.clone()).expect("accepted"), back(&[]));
    bench.unsubscribe(APP, ONE, 0);
    bench.send(OTHER, NEWS);
    let smaller = Subscription { prefetch: Some(1), ..no_local };
    assert_eq!(bench.ask(APP, ONE, smaller).expect("accepted"), back(&[deliver(ONE, 1, 2)]), "a prefetch may differ");
    bench.unsubscribe(APP, ONE, 0);
    let elsewhere = bench.ask(APP, ONE, asked("topic://>", "a")).expect("accepted");
    assert_eq!(elsewhere, [Said::Wanted("topic://>"), Said::Unwanted(DORMANT)]);
    assert_eq!(bench.held(), (1, 0, 0));
}

#[test]
fn a_durable_subscription_is_deleted_once_it_has_no_consumer() {
    let mut bench = Bench::new();
    let unknown = Refusal::DurableUnknown(durable("a"));
    assert_eq!(bench.remove_durable("a"), Err(unknown.clone()));
    bench.ask_durable(APP, ONE, "a");
    bench.unsubscribe(APP, ONE, 0);
    bench.send(OTHER, NEWS);
    assert_eq!(bench.remove_durable("a"), Ok(alloc::vec![Said::Unwanted(DORMANT)]));
    assert_eq!(bench.remove_durable("a"), Err(unknown));
    assert_eq!(bench.held(), (0, 0, 0));
    assert_eq!(bench.ask_durable(APP, ONE, "a"), [Said::Wanted(NEWS)], "nothing was left of it");
}

#[test]
fn what_is_kept_is_bounded_in_bytes_and_drops_the_oldest() {
    let mut bench = narrow();
    bench.ask_durable(APP, ONE, "a");
    bench.unsubscribe(APP, ONE, 0);
    for _ in 0..2 {
        bench.send(OTHER, NEWS);
    }
    assert_eq!((bench.held(), bench.broker.stats().dropped), ((1, 2, 2), 0));
    assert_eq!(bench.send(OTHER, NEWS), [Said::Accepted(3)], "it holds up nobody");
    assert_eq!((bench.held(), bench.broker.stats().dropped), ((1, 2, 2), 1));
    assert_eq!(bench.ask_durable(APP, ONE, "a"), back(&[deliver(ONE, 1, 2), deliver(ONE, 2, 3)]));
}

/// With a consumer it is a subscriber like any other: publishers wait for it.
#[test]
fn a_publisher_waits_for_a_slow_durable_consumer_until_it_has_gone() {
    let mut bench = narrow();
    bench.ask(APP, ONE, Subscription { prefetch: Some(1), ..asked(NEWS, "a") }).expect("accepted");
    for _ in 0..3 {
        bench.send(OTHER, NEWS);
    }
    assert_eq!(bench.send(OTHER, NEWS), [], "there is no room for another");
    assert_eq!(bench.unsubscribe(APP, ONE, 0), left(&[Said::Accepted(4)]));
    assert_eq!((bench.held(), bench.broker.stats().dropped), ((1, 2, 2), 2));
}

#[test]
fn durable_subscriptions_are_counted_and_bounded() {
    let mut bench = narrow();
    bench.ask_durable(APP, ONE, "a");
    bench.ask_durable(APP, TWO, "b");
    let full = Refusal::LimitReached { what: What::Durable, max: 2 };
    assert_eq!(bench.ask(OTHER, ONE, asked(NEWS, "c")), Err(full));
    bench.unsubscribe(APP, ONE, 0);
    let other = [Said::Unwanted(DORMANT)]; // The other's consumer wants the news all the while.
    assert_eq!(bench.ask_durable(OTHER, ONE, "a"), other, "one that is there needs no room");
}

/// Who comes back by way of a smaller link can't be sent all that was kept.
#[test]
fn what_is_kept_and_too_large_for_its_consumer_is_dropped_and_counted() {
    let mut bench = Bench::new();
    let small = Origin::Remote(LinkId(9));
    bench.broker.attach(small, Limits { message_max: Some(99), ..Limits::default() }).expect("room");
    bench.ask_durable(APP, ONE, "a");
    bench.unsubscribe(APP, ONE, 0);
    bench.send(OTHER, NEWS);
    assert_eq!(bench.ask_durable(small, ONE, "a"), back(&[]));
    assert_eq!((bench.held(), bench.broker.stats().dropped), ((1, 0, 0), 1));
}

#[test]
fn what_a_durable_consumer_gives_back_waits_as_its_topics_policy_says() {
    for keeps_order in [false, true] {
        let mut config = BrokerConfig::default();
        let redelivery = &mut config.policies.default.redelivery;
        (redelivery.redeliveries_max, redelivery.keeps_order) = (Some(1), keeps_order);
        let mut bench = Bench::with(config);
        bench.ask(APP, ONE, Subscription { prefetch: Some(1), ..asked(NEWS, "a") }).expect("accepted");
        let body = Body { persistent: true, ..Body::bytes("x") };
        bench.send_one(OTHER, NEWS, body.clone());
        bench.send_one(OTHER, NEWS, body);
        let next = deliver(ONE, 2, 2);
        let meanwhile = if keeps_order { Vec::new() } else { Vec::from([next.clone()]) };
        assert_eq!(bench.release(APP, ONE, 1), meanwhile);
        assert_eq!((bench.held().1, bench.broker.poll_timeout()), (2, Some(bench.now + Duration::from_secs(1))));
        if keeps_order {
            assert_eq!(bench.pass(Duration::from_secs(1)), [again(ONE, 2, 1)]);
            assert_eq!(bench.release(APP, ONE, 2), [deliver(ONE, 3, 2)], "given back too often, it is a dead letter");
        } else {
            assert_eq!(bench.pass(Duration::from_secs(1)), []);
            assert_eq!(bench.accept(APP, ONE, 2), [again(ONE, 3, 1)]);
            assert_eq!(bench.release(APP, ONE, 3), [], "given back too often, it is a dead letter");
        }
        assert_eq!((bench.held().1, bench.broker.stats().dead_lettered), (u64::from(keeps_order), 1));
    }
}

#[test]
fn what_is_kept_expires_when_its_time_is_up_with_or_without_a_consumer() {
    let mut bench = Bench::new();
    bench.ask(APP, ONE, Subscription { prefetch: Some(1), ..asked(NEWS, "a") }).expect("accepted");
    let mortal = |millis| Body { persistent: true, ..Body::bytes("x") }.expiring(Duration::from_millis(millis));
    for millis in [10, 10, 20, 30] {
        bench.send_one(OTHER, NEWS, mortal(millis));
    }
    assert_eq!(bench.broker.poll_timeout(), Some(Instant::from_millis(10)), "of those that wait");
    assert_eq!(bench.pass(Duration::from_millis(10)), []);
    assert_eq!((bench.held().1, bench.broker.stats().expired), (3, 1));
    assert_eq!(bench.release(APP, ONE, 1), [deliver(ONE, 2, 3)]);
    bench.unsubscribe(APP, ONE, 2);
    assert_eq!(bench.pass(Duration::ZERO), [], "the first was given back too late");
    assert_eq!((bench.held().1, bench.broker.stats().expired), (2, 2));
    bench.pass(Duration::from_millis(10));
    assert_eq!((bench.held().1, bench.broker.stats().expired), (1, 3), "what had been handed out as well");
    assert_eq!(bench.ask_durable(OTHER, TWO, "a"), back(&[deliver(TWO, 1, 4)]));
    bench.unsubscribe(OTHER, TWO, 0);
    assert_eq!(bench.remove_durable("a"), Ok(Vec::from([Said::Unwanted(DORMANT)])));
    let stats = bench.broker.stats();
    assert_eq!((bench.broker.poll_timeout(), stats.kept_bytes, stats.dead_lettered), (None, 0, 3));
}

#[test]
fn queues_have_no_durable_subscriptions_and_no_local() {
    let mut bench = Bench::new();
    let queue: Destination = "q".parse().expect("a destination");
    let refused = Err(Refusal::TopicsOnly(queue.clone()));
    assert_eq!(bench.ask(APP, ONE, asked("q", "a")), refused);
    assert_eq!(bench.ask(APP, ONE, Subscription { no_local: true, ..Subscription::new(queue) }), refused);
    assert_eq!(bench.held(), (0, 0, 0));
}

#[test]
fn what_its_own_connection_sends_is_not_handed_to_a_no_local_consumer() {
    let mut bench = Bench::new();
    let no_local = || Subscription { no_local: true, ..Subscription::new("topic://t".parse().expect("a destination")) };
    bench.ask(APP, ONE, no_local()).expect("accepted");
    bench.subscribe(APP, TWO, "topic://t", 10);
    assert_eq!(bench.send(APP, "topic://t"), [Said::Accepted(1), deliver(TWO, 1, 1)]);
    let both = [Said::Accepted(2), deliver(ONE, 1, 2), deliver(TWO, 2, 2)];
    assert_eq!(bench.send(OTHER, "topic://t"), both);
}

/// A client's message is its own by whichever way it comes.
#[test]
fn a_clients_own_message_is_known_though_it_comes_over_a_bridge() {
    let mut bench = Bench::new();
    let links = [(11, CLIENT_ID), (12, BrokerId(8))].map(|(link, client)| (Origin::Remote(LinkId(link)), client));
    for (link, client) in links {
        bench.broker.attach(link, Limits { client: Some(client), ..Limits::default() }).expect("room");
        let no_local = Subscription { no_local: true, ..Subscription::new("topic://t".parse().expect("valid")) };
        bench.ask(link, ONE, no_local).expect("accepted");
    }
    assert_eq!(bench.send(links[0].0, "topic://t"), [Said::Accepted(1), deliver(ONE, 1, 1)], "to the other client");
    assert_eq!(bench.send(PEER, "topic://t"), [Said::Accepted(2), deliver(ONE, 2, 2)]);
}

/// What a random run does to two durable subscriptions.
#[derive(Clone, Debug)]
enum Turn {
    Accept { up_to: bool, index: usize },
    Come { prefetch: u32 },
    Leave { seen: usize },
    Release { index: usize },
    Send,
}

fn any_turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        2 => (any::<bool>(), 0_usize..4).prop_map(|(up_to, index)| Turn::Accept { up_to, index }),
        1 => (1_u32..5).prop_map(|prefetch| Turn::Come { prefetch }),
        1 => (0_usize..4).prop_map(|seen| Turn::Leave { seen }),
        1 => (0_usize..4).prop_map(|index| Turn::Release { index }),
        4 => Just(Turn::Send),
    ]
}

proptest! {
    /// T1 for a durable subscription, against a model of two lists: what was sent and not acknowledged is owed, oldest
    /// first, whoever came and went meanwhile; and it comes marked as often as it may have been seen.
    #[test]
    fn a_durable_subscription_is_owed_all_it_has_not_acknowledged(
        turns in proptest::collection::vec(any_turn(), 1..80),
    ) {
        let mut bench = Bench::with(at_once());
        let (mut owed, mut outstanding) = (BTreeMap::<u64, u32>::new(), Vec::<(Tag, u64, u32)>::new());
        let mut prefetch = None; // Of the consumer there is.
        bench.ask_durable(APP, ONE, "a");
        bench.unsubscribe(APP, ONE, 0);
        for turn in turns {
            let said = match turn {
                Turn::Come { prefetch: wanted } if prefetch.is_none() => {
                    prefetch = Some(wanted as usize);
                    let subscription = Subscription { prefetch: Some(wanted), ..asked(NEWS, "a") };
                    bench.ask(APP, ONE, subscription).expect("accepted")
                }
                Turn::Leave { seen } if prefetch.is_some() => {
                    prefetch = None;
                    let seen = outstanding.get(seen).map_or(0, |(tag, ..)| *tag);
                    let back = outstanding.drain(..);
                    owed.extend(back.map(|(tag, sequence, marks)| (sequence, marks + u32::from(tag <= seen))));
                    bench.unsubscribe(APP, ONE, seen)
                }
                Turn::Accept { up_to, index } => {
                    let Some((tag, ..)) = outstanding.get(index).copied() else { continue };
                    outstanding.drain(if up_to { 0..=index } else { index..=index });
                    let extent = if up_to { AckExtent::UpTo } else { AckExtent::Individual };
                    bench.ack(APP, Ack { consumer: ONE, tag, extent, kind: AckKind::Accepted }).expect("outstanding")
                }
                Turn::Release { index } => {
                    let Some((tag, sequence, marks)) = outstanding.get(index).copied() else { continue };
                    outstanding.remove(index);
                    owed.insert(sequence, marks + 1);
                    let ack = Ack { consumer: ONE, tag, extent: AckExtent::Individual, kind: AckKind::Released };
                    bench.ack(APP, ack).expect("outstanding")
                }
                Turn::Send => {
                    owed.insert(bench.sent + 1, 0);
                    bench.send(OTHER, NEWS)
                }
                Turn::Come { .. } | Turn::Leave { .. } => continue,
            };
            for said in said {
                if let Said::Deliver { tag, sequence, redeliveries, .. } = said {
                    prop_assert_eq!(owed.pop_first(), Some((sequence, redeliveries)));
                    outstanding.push((tag, sequence, redeliveries));
                }
            }
            let has_room = prefetch.is_some_and(|prefetch| outstanding.len() < prefetch);
            prop_assert!(owed.is_empty() || !has_room, "something is owed though there is credit");
            prop_assert!(outstanding.len() <= prefetch.unwrap_or(0), "more than its credit");
            prop_assert_eq!(bench.broker.stats().kept, (owed.len() + outstanding.len()) as u64);
        }
    }
}
