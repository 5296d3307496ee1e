//! Queues' messages that nobody wants any more where they have come to; and those that a full queue takes nevertheless.

use super::*;
use crate::model::{Destination, Selector};

const THREE: ConsumerId = ConsumerId(3);

/// A consumer of `q` that has a selector.
fn choosy(selector: &str) -> Subscription {
    let selector = Selector::parse_optional(selector).expect("a selector");
    Subscription { prefetch: Some(10), selector, ..Subscription::new(queue()) }
}

fn queue() -> Destination {
    Destination::queue("q").expect("a name")
}

fn of_group(group: &str) -> Body {
    let mut body = Body::bytes(alloc::vec![0; 100]);
    body.headers.properties.set("JMSXGroupID", group).expect("room");
    body
}

impl Bench {
    /// A peer wants what is in `q`, for a consumer behind these brokers.
    fn demand(&mut self, origin: Origin, consumer: ConsumerId, path: impl IntoIterator<Item = BrokerId>) -> Vec<Said> {
        let subscription = Subscription { prefetch: Some(10), ..Subscription::new(queue()) };
        let path = path.into_iter().collect::<Vec<_>>().into();
        let mut out = Outbox::new();
        let subscriber = Subscriber { path, ..Subscriber::own(subscription) };
        self.broker.subscribe(self.now, origin, consumer, subscriber, &mut out).expect("accepted");
        short(&mut out).into_iter().filter(|said| !matches!(said, Said::Wanted(_))).collect()
    }
}

#[test]
fn what_nobody_here_wants_any_more_goes_back_to_where_it_is_wanted() {
    let mut bench = Bench::within(1);
    bench.subscribe(APP, ONE, "q", 1);
    for _ in 0..3 {
        bench.send(PEER, "q");
    }
    assert_eq!(bench.demand(PEER, TWO, [FAR]), [], "whoever is here comes first");
    let back = [again(TWO, 1, 1), deliver(TWO, 2, 2), deliver(TWO, 3, 3), Said::Unwanted("queue://q")];
    assert_eq!(bench.unsubscribe(APP, ONE, 1), back);
    assert_eq!(bench.send(PEER, "q"), [Said::Accepted(4), deliver(TWO, 4, 4)], "what was on its way goes back too");
}

#[test]
fn what_has_gone_as_far_as_it_may_goes_on_to_a_third_if_nobody_here_wants_it() {
    let mut bench = Bench::within(1);
    bench.subscribe(APP, ONE, "q", 1);
    bench.send(PEER, "q");
    assert_eq!(bench.send(PEER, "q"), [Said::Accepted(2)]);
    assert_eq!(bench.demand(PEER2, TWO, [FARTHER]), []);
    assert_eq!(bench.unsubscribe(APP, ONE, 0), [deliver(TWO, 1, 1), deliver(TWO, 2, 2), Said::Unwanted("queue://q")]);
}

#[test]
fn it_begins_anew_from_here_and_has_its_old_path_if_it_comes_back() {
    let mut bench = Bench::within(1);
    bench.send(PEER, "q");
    let path = |out: &mut Outbox<Output>| {
        out.drain().find_map(|said| match said {
            Output::Deliver { delivery, .. } => Some(delivery.message.path.clone()),
            _ => None,
        })
    };
    let subscriber = Subscriber { path: Path::default().then(FAR), ..Subscriber::own(Subscription::new(queue())) };
    let mut out = Outbox::new();
    bench.broker.subscribe(bench.now, PEER, ONE, subscriber, &mut out).expect("accepted");
    assert_eq!(path(&mut out), Some(Path::default()));
    bench.detach(PEER);
    let subscriber = Subscriber::own(Subscription::new(queue()));
    bench.broker.subscribe(bench.now, APP, ONE, subscriber, &mut out).expect("accepted");
    assert_eq!(path(&mut out), Some(Path::default().then(FAR)));
}

#[test]
fn nothing_strays_from_where_somebody_could_take_it() {
    let mut bench = Bench::within(1);
    bench.subscribe_as(APP, ONE, choosy("colour IS NULL"));
    bench.subscribe(OTHER, TWO, "q", 1);
    bench.demand(PEER, THREE, [FAR]);
    for _ in 0..12 {
        bench.send(PEER, "q");
    }
    assert_eq!(
        bench.unsubscribe(OTHER, TWO, 0),
        [Said::Unwanted("queue://q")],
        "the other one wants it, when it has credit"
    );
    let mut coloured = of_group("g");
    coloured.headers.properties.set("colour", 1).expect("room");
    let sent = bench.send_one(PEER, "q", coloured);
    assert_eq!(sent, [Said::Accepted(13), deliver(THREE, 1, 13)], "but not this");
}

/// Found by seed 1413: it went to and fro between two brokers, each of which had such a client.
#[test]
fn what_is_too_large_for_who_wants_it_here_stays() {
    let mut bench = Bench::within(1);
    let small = Origin::Remote(LinkId(7));
    let limits = Limits { message_max: Some(10), ..Limits::default() };
    bench.broker.attach(small, limits).expect("room");
    bench.subscribe(small, ONE, "q", 10);
    bench.demand(PEER, TWO, [FAR]);
    assert_eq!(bench.send(PEER, "q"), [Said::Accepted(1)]);
    assert_eq!(bench.detach(small), [deliver(TWO, 1, 1), Said::Unwanted("queue://q")]);
}

#[test]
fn what_strays_goes_to_the_nearest_that_wants_it() {
    let mut bench = Bench::within(2);
    bench.subscribe(APP, ONE, "q", 1);
    for _ in 0..2 {
        bench.send(PEER, "q");
    }
    // Both lead back to where it came from, one by a detour.
    assert_eq!(bench.demand(PEER2, TWO, [FAR, FARTHER]), []);
    assert_eq!(bench.demand(PEER, THREE, [FAR]), []);
    let nearest = [deliver(THREE, 1, 1), deliver(THREE, 2, 2), Said::Unwanted("queue://q")];
    assert_eq!(bench.unsubscribe(APP, ONE, 0), nearest);
    let detour = bench.detach(PEER);
    assert_eq!(detour[..2], [again(TWO, 1, 1), again(TWO, 2, 2)], "it is the nearest now");
}

#[test]
fn nothing_goes_where_it_may_go_no_further() {
    let mut bench = Bench::within(1);
    assert_eq!(bench.demand(PEER, ONE, [BrokerId(4), FAR]), []);
    assert_eq!(bench.send(PEER2, "q"), [Said::Accepted(1)], "it would stop on its way");
}

#[test]
fn peers_are_told_of_what_their_messages_may_reach() {
    for (hops_max, path, is_told) in [(1, 0, false), (2, 0, true), (2, 1, false), (3, 1, true)] {
        let mut bench = Bench::within(hops_max);
        let between = (10..10 + path).map(BrokerId);
        let subscriber = Subscriber {
            path: between.chain([FAR]).collect::<Vec<_>>().into(),
            ..Subscriber::own(Subscription::new(queue()))
        };
        let mut out = Outbox::new();
        bench.broker.subscribe(bench.now, PEER, ONE, subscriber, &mut out).expect("accepted");
        let told = if is_told { alloc::vec![Said::Wanted("queue://q")] } else { Vec::new() };
        assert_eq!(short(&mut out), told, "over {hops_max} bridges, of a consumer behind {path}");
    }
}

/// Found by seed 4047460537: two peers, each with a queue full of what is for the other, waited for each other.
#[test]
fn a_full_queue_takes_what_a_peer_sends_to_whoever_is_here() {
    let mut bench = Bench::with(BrokerConfig { queue_bytes_max: 100, ..at_once() });
    bench.subscribe(APP, ONE, "q", 1);
    bench.demand(PEER, TWO, [FAR]);
    bench.send_one(APP, "q", of_group("ours"));
    bench.accept(APP, ONE, 1);
    bench.send(APP, "q"); // Takes up the credit.
    for sequence in 3..=12 {
        let said = [Said::Accepted(sequence), deliver(TWO, sequence - 2, sequence)];
        assert_eq!(bench.send_one(APP, "q", of_group("theirs")), said);
    }
    assert_eq!(bench.send_one(APP, "q", of_group("theirs")), [Said::Accepted(13)], "no credit");
    assert_eq!(bench.send_one(APP, "q", of_group("ours")), [], "here as there is room no more");
    assert_eq!(bench.send_one(PEER, "q", of_group("ours")), [], "nobody has credit");
    assert_eq!(bench.accept(APP, ONE, 2), [Said::Accepted(15), deliver(ONE, 3, 15)], "an application waits on");
    assert_eq!(bench.accept(APP, ONE, 3), []);
    assert_eq!(bench.send_one(PEER, "q", of_group("ours")), [Said::Accepted(16), deliver(ONE, 4, 16)]);
}
