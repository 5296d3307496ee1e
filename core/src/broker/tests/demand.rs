//! What peers are told to be wanted here, what crosses to those who want it, and how it is shared out among them.

use super::*;
use crate::model::{Durable, Selector};

const THREE: ConsumerId = ConsumerId(3);

fn weight(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("some")
}

fn selector(text: &str) -> Selector {
    text.parse().expect("a selector")
}

fn wants(destination: &str, text: &str) -> Subscription {
    Subscription { selector: Some(selector(text)), ..Subscription::new(destination.parse().expect("a destination")) }
}

/// A message with this property.
fn body(n: i64) -> Body {
    let mut body = Body::text("x");
    body.headers.properties.set("n", n).expect("room");
    body
}

impl Bench {
    /// A bridge's subscription, of a broker at the other end, that stands for so many consumers.
    fn demand_for(&mut self, origin: Origin, consumer: ConsumerId, destination: &str, count: u32) {
        let far = if origin == PEER { FAR } else { BrokerId(3) };
        let subscription =
            Subscription { prefetch: Some(1000), ..Subscription::new(destination.parse().expect("a destination")) };
        let subscriber =
            Subscriber { subscription, path: Path::default().then(far), weight: weight(count), is_dormant: false };
        self.broker.subscribe(self.now, origin, consumer, subscriber, &mut Outbox::new()).expect("accepted");
    }

    /// Sends so many messages; tells whose each is.
    fn share(&mut self, count: usize) -> Vec<Origin> {
        self.share_all((0..count).map(|_| Body::text("x")))
    }

    fn share_all(&mut self, bodies: impl Iterator<Item = Body>) -> Vec<Origin> {
        let mut taken = Vec::new();
        for body in bodies {
            self.sent += 1;
            let message = Message {
                id: MessageId { producer: ProducerId { broker: LOCAL, number: 1 }, sequence: self.sent },
                destination: Destination::queue("q").expect("a name"),
                path: Path::default(),
                timestamp: Timestamp::default(),
                body,
            };
            let (ticket, mut out) = (Ticket { stream: 1, number: self.sent }, Outbox::new());
            let answer = self.broker.send(self.now, APP, ticket, 0, Arc::new(message), &mut out);
            assert_eq!(answer, Ok(Taken::Accepted));
            taken.extend(out.drain().map(|output| match output {
                Output::Deliver { to, .. } => to,
                other => panic!("{other:?}"),
            }));
        }
        taken
    }

    fn weigh(&mut self, origin: Origin, consumer: ConsumerId, count: u32) -> Vec<Said> {
        let mut out = Outbox::new();
        self.broker.weigh(origin, consumer, weight(count), &mut out).expect("a consumer");
        short(&mut out)
    }

    /// All that a new peer is told.
    fn wanted(&self) -> Vec<(String, u32)> {
        let all = self.broker.wanted();
        let said = all.map(|(demand, consumers)| {
            let selector = demand.selector.as_ref().map_or("", Selector::as_str);
            let dormant = if demand.is_dormant { " dormant" } else { "" };
            (format!("{} {selector}{dormant}", demand.destination), consumers.get())
        });
        said.collect()
    }
}

fn told(all: &[(&str, u32)]) -> Vec<(String, u32)> {
    all.iter().map(|(demand, consumers)| ((*demand).into(), *consumers)).collect()
}

#[test]
fn consumers_are_counted_by_what_they_want() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 10);
    bench.subscribe(OTHER, ONE, "q", 10);
    bench.subscribe_as(OTHER, TWO, wants("q", "n = 1"));
    bench.subscribe_as(OTHER, THREE, wants("topic://t", "n = 1"));
    bench.subscribe_as(APP, THREE, wants("topic://t", "n = 1"));
    assert_eq!(bench.wanted(), told(&[("queue://q ", 2), ("queue://q n = 1", 1), ("topic://t n = 1", 2)]));
    // All who go at once are told of once, and of a topic only when the last has gone.
    let gone = [Said::Wanted("queue://q"), Said::Unwanted("queue://q")];
    assert_eq!(bench.detach(OTHER), gone);
    assert_eq!(bench.detach(APP), [Said::Unwanted("queue://q"), Said::Unwanted("topic://t")]);
    assert_eq!(bench.wanted(), []);
}

#[test]
fn each_part_and_each_kind_of_destination_is_wanted_with_the_selector() {
    let mut bench = Bench::new();
    bench.subscribe_as(
        APP,
        ONE,
        Subscription { selector: Some(selector("n = 1")), ..Subscription::to("a,topic://b.>".parse().expect("valid")) },
    );
    let temporary = Destination::temporary(
        DestinationKind::Queue,
        crate::model::Temporary { broker: LOCAL, connection: ConnectionId(1), number: 1 },
    );
    bench.subscribe_as(
        APP,
        TWO,
        Subscription { selector: Some(selector("n = 2")), ..Subscription::new(temporary.clone()) },
    );
    let durable = Some(Durable::new("me", "log").expect("valid"));
    bench.subscribe_as(APP, THREE, Subscription { durable, ..wants("topic://log", "n = 3") });
    bench.unsubscribe(APP, THREE, 0);
    bench.subscribe_as(APP, THREE, Subscription { browses: true, ..wants("a", "n = 4") });
    let temporary = format!("{temporary} n = 2");
    let expected =
        [("queue://a n = 1", 1), (&*temporary, 1), ("topic://b.> n = 1", 1), ("topic://log n = 3 dormant", 1)];
    assert_eq!(bench.wanted(), told(&expected), "who only looks wants nothing, and a durable subscription stays");
}

/// What a peer says of durable subscriptions without a consumer is told as it is, and what takes its place as well.
#[test]
fn what_is_dormant_at_a_peer_is_told_to_others_as_dormant() {
    let mut bench = Bench::within(2);
    let subscriber = |is_dormant| {
        let news = Subscription::new("topic://t".parse().expect("a topic"));
        Subscriber { path: Path::default().then(FAR), is_dormant, ..Subscriber::own(news) }
    };
    let mut out = Outbox::new();
    bench.broker.subscribe(bench.now, PEER, ONE, subscriber(true), &mut out).expect("accepted");
    assert_eq!(short(&mut out), [Said::Wanted("topic://t, dormant")]);
    let begun = alloc::vec![(TWO, subscriber(false))];
    bench.broker.replace(bench.now, PEER, alloc::vec![ONE], begun, &mut out).expect("there is one");
    assert_eq!(short(&mut out), [Said::Wanted("topic://t"), Said::Unwanted("topic://t, dormant")]);
    let begun = alloc::vec![(ONE, subscriber(true))];
    bench.broker.replace(bench.now, PEER, alloc::vec![TWO], begun, &mut out).expect("there is one");
    assert_eq!(short(&mut out), [Said::Wanted("topic://t, dormant"), Said::Unwanted("topic://t")]);
    assert_eq!(bench.send(APP, "topic://t"), [Said::Accepted(1), deliver(ONE, 1, 1)], "it is handed all that it wants");
}

#[test]
fn peers_share_a_queues_messages_by_how_many_consumers_they_have() {
    let mut bench = Bench::new();
    bench.demand_for(PEER, ONE, "q", 3);
    bench.demand_for(PEER2, ONE, "q", 1);
    assert_eq!(bench.share(8), [PEER, PEER, PEER, PEER2, PEER, PEER, PEER, PEER2]);
    let shares = bench.share(400);
    assert_eq!(shares.iter().filter(|taker| **taker == PEER).count(), 300);
}

#[test]
fn who_counts_for_more_comes_more_often_and_not_in_one_go() {
    let mut bench = Bench::new();
    bench.demand_for(PEER, ONE, "q", 5);
    bench.demand_for(PEER2, ONE, "q", 2);
    let shares: String = bench.share(14).iter().map(|taker| if *taker == PEER { 'a' } else { 'b' }).collect();
    assert_eq!(shares, "aaabaabaaabaab");
}

#[test]
fn shares_follow_the_consumers_who_come_and_go() {
    let mut bench = Bench::within(2);
    bench.demand_for(PEER, ONE, "q", 1);
    bench.demand_for(PEER2, ONE, "q", 1);
    bench.share(10);
    assert_eq!(bench.weigh(PEER, ONE, 4), [Said::Weighed("queue://q", 4)]);
    let share = |bench: &mut Bench| bench.share(500).iter().filter(|taker| **taker == PEER).count();
    assert_eq!(share(&mut bench), 400);
    assert_eq!(bench.weigh(PEER2, ONE, u32::MAX), [Said::Weighed("queue://q", u32::MAX)]);
    bench.share(10); // Once its turn has come.
    assert_eq!(share(&mut bench), 0, "whoever boasts of consumers takes what it has credit for, and no more");
    assert_eq!(bench.weigh(PEER2, ONE, 4), [Said::Weighed("queue://q", 4)]);
    assert_eq!(share(&mut bench), 250);
    bench.unsubscribe(PEER, ONE, 0);
    assert_eq!(share(&mut bench), 0);
}

/// What a peer could not take is not owed to it, or the others would have nothing until it had caught up.
#[test]
fn whoever_had_no_credit_is_owed_nothing() {
    let mut bench = Bench::new();
    bench.subscribe(PEER, ONE, "q", 1);
    bench.demand_for(PEER2, ONE, "q", 1);
    assert_eq!(bench.share(6), [PEER, PEER2, PEER2, PEER2, PEER2, PEER2]);
    bench.accept(PEER, ONE, 1);
    assert_eq!(bench.share(1), [PEER]);
    bench.accept(PEER, ONE, 2);
    assert_eq!(bench.share(1), [PEER2], "in turn");
}

/// A peer of one consumer takes turns with one of three that takes one message in four as if the others were not there.
#[test]
fn what_a_peer_does_not_want_is_not_owed_to_it() {
    let mut bench = Bench::new();
    bench.demand_for(PEER2, ONE, "q", 1);
    let choosy = Subscription { prefetch: Some(1000), ..wants("q", "n = 1") };
    let subscriber = Subscriber { path: Path::default().then(FAR), weight: weight(3), ..Subscriber::own(choosy) };
    bench.broker.subscribe(bench.now, PEER, ONE, subscriber, &mut Outbox::new()).expect("accepted");
    let others = bench.share_all((0..100).map(|_| body(0)));
    assert!(others.iter().all(|taker| *taker == PEER2));
    let both = bench.share_all((0..40).map(|_| body(1)));
    assert_eq!(both.iter().filter(|taker| **taker == PEER).count(), 30);
}

#[test]
fn groups_are_shared_out_by_weight_too() {
    let mut bench = Bench::new();
    bench.demand_for(PEER, ONE, "q", 3);
    bench.demand_for(PEER2, ONE, "q", 1);
    let grouped = (0..40).map(|group| {
        let mut body = Body::text("x");
        body.headers.properties.set("JMSXGroupID", format!("{group}")).expect("room");
        body
    });
    let shares = bench.share_all(grouped);
    assert_eq!(shares.iter().filter(|taker| **taker == PEER).count(), 30);
}

#[test]
fn consumers_of_this_broker_come_first_whatever_a_peer_weighs() {
    let mut bench = Bench::new();
    bench.demand_for(PEER, ONE, "q", 1000);
    bench.subscribe(APP, TWO, "q", 2);
    assert_eq!(bench.share(4), [APP, APP, PEER, PEER]);
}

#[test]
fn a_topics_message_crosses_a_bridge_once_if_any_of_its_demands_wants_it() {
    let mut bench = Bench::within(2);
    bench.subscribe_as(PEER, ONE, wants("topic://t", "n = 1"));
    bench.subscribe_as(PEER, TWO, wants("topic://t", "n > 1"));
    bench.subscribe_as(PEER, THREE, wants("topic://>", "n > 2"));
    bench.subscribe_as(PEER2, ONE, wants("topic://t", "n = 4"));
    let sent: Vec<_> = (0..4).flat_map(|n| bench.send_one(APP, "topic://t", body(n))).collect();
    let accepted = Said::Accepted;
    // Under the first of the demands, all in order.
    let expected = [
        accepted(1),
        accepted(2),
        deliver(ONE, 1, 2),
        accepted(3),
        deliver(ONE, 2, 3),
        accepted(4),
        deliver(ONE, 3, 4),
    ];
    assert_eq!(sent, expected);
    assert_eq!(bench.unsubscribe(PEER, ONE, 0), [Said::Unwanted("topic://t")]);
    assert_eq!(bench.send_one(APP, "topic://t", body(1)), [accepted(5)]);
    assert_eq!(bench.send_one(APP, "topic://t", body(2)), [accepted(6), deliver(TWO, 1, 6)]);
}

#[test]
fn what_waits_for_a_demand_that_ends_goes_to_another_that_wants_it() {
    let mut bench = Bench::within(2);
    bench.subscribe_as(PEER, ONE, Subscription { prefetch: Some(1), ..wants("topic://t", "n = 1") });
    bench.subscribe_as(PEER, TWO, wants("topic://t", "n > 5"));
    bench.subscribe_as(PEER, THREE, wants("topic://t", "n > 1"));
    for n in [1, 1, 2, 6] {
        bench.send_one(APP, "topic://t", body(n));
    }
    let inherited = [deliver(TWO, 1, 3), deliver(TWO, 2, 4), Said::Unwanted("topic://t")];
    assert_eq!(bench.unsubscribe(PEER, ONE, 0), inherited, "nobody wants the second any more");
}

/// What is on its way for a demand that ends is handed out again before what comes after it, to those that take its place
/// as to others, and those that want it by now are told at once.
#[test]
fn demands_change_places_before_anything_is_handed_out() {
    let mut bench = Bench::within(2);
    bench.subscribe_as(PEER, ONE, Subscription { prefetch: Some(3), ..wants("q", "n < 2") });
    for n in [0, 2, 1, 0, 1, 2] {
        bench.send_one(APP, "q", body(n));
    }
    bench.subscribe_as(PEER, TWO, Subscription { prefetch: Some(1), ..wants("q", "n > 2") });
    let mut out = Outbox::new();
    let all = Subscription { prefetch: Some(4), ..Subscription::new("q".parse().expect("a queue")) };
    let begun = alloc::vec![(THREE, Subscriber { path: Path::default().then(FAR), ..Subscriber::own(all) })];
    bench.broker.replace(bench.now, PEER, alloc::vec![ONE, TWO], begun, &mut out).expect("there are such");
    let expected = [
        deliver(THREE, 1, 1),
        deliver(THREE, 2, 2),
        deliver(THREE, 3, 3),
        deliver(THREE, 4, 4),
        Said::Wanted("queue://q"),
        Said::Unwanted("queue://q"),
        Said::Unwanted("queue://q"),
    ];
    assert_eq!(short(&mut out), expected);
    assert_eq!(bench.accept(PEER, THREE, 2), [deliver(THREE, 5, 5), deliver(THREE, 6, 6)]);
    let unknown = bench.broker.replace(bench.now, PEER, alloc::vec![ONE], Vec::new(), &mut out);
    assert_eq!(unknown, Err(Refusal::unknown_consumer(ONE)));
}

#[test]
fn a_topics_messages_that_wait_go_on_with_what_takes_the_place_of_their_demand() {
    let mut bench = Bench::within(2);
    bench.subscribe_as(PEER, ONE, Subscription { prefetch: Some(1), ..wants("topic://t", "n = 1") });
    for n in [1, 1, 2, 1] {
        bench.send_one(APP, "topic://t", body(n));
    }
    let mut out = Outbox::new();
    let path = Path::default().then(FAR);
    let both = [(TWO, "n = 1 AND TRUE"), (THREE, "n = 2")];
    let begun = both.map(|(consumer, text)| {
        (consumer, Subscriber { path: path.clone(), ..Subscriber::own(wants("topic://t", text)) })
    });
    bench.broker.replace(bench.now, PEER, alloc::vec![ONE], begun.into(), &mut out).expect("there is one");
    let expected = [
        deliver(TWO, 1, 2),
        deliver(TWO, 2, 4),
        Said::Wanted("topic://t"),
        Said::Wanted("topic://t"),
        Said::Unwanted("topic://t"),
    ];
    assert_eq!(short(&mut out), expected);
}
