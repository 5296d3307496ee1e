//! What administrators ask of a broker.

use super::*;
use crate::model::{AdminReply, AdminRequest, DestinationStatus, Inventory};

impl Bench {
    pub(super) fn administer(&mut self, asked: &AdminRequest) -> (Result<AdminReply, Refusal>, Vec<Said>) {
        let mut out = Outbox::new();
        let reply = self.broker.administer(self.now, asked, 100_000, &mut out);
        (reply, short(&mut out))
    }

    fn page(&mut self, within: Option<&str>, after: Option<&str>, bytes_max: u64) -> Inventory {
        let name = |text: &str| text.parse().expect("a destination");
        let asked = AdminRequest::Destinations { within: within.map(name), after: after.map(name) };
        match self.broker.administer(self.now, &asked, bytes_max, &mut Outbox::new()) {
            Ok(AdminReply::Destinations(inventory)) => inventory,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn status(&mut self, name: &str) -> DestinationStatus {
        let mut page = self.page(Some(name), None, 0);
        assert_eq!((page.destinations.len(), page.left_out), (1, 0));
        page.destinations.remove(0)
    }
}

/// How much memory one of the bench's messages takes.
const SIZE: u64 = size_of::<Message>() as u64 + 100;

fn queue(name: &str) -> Destination {
    Destination::queue(name).expect("a name")
}

fn unused(name: &str) -> DestinationStatus {
    DestinationStatus {
        name: name.parse().expect("a destination"),
        is_paused: false,
        depth: 0,
        delayed: 0,
        bytes: 0,
        parked: 0,
        consumers: 0,
        producers: 0,
        enqueued: 0,
        dispatched: 0,
        outstanding: 0,
        dequeued: 0,
        expired: 0,
        failed: 0,
        dead_lettered: 0,
        purged: 0,
        let_go: 0,
        dropped: 0,
    }
}

fn names(inventory: &Inventory) -> Vec<&str> {
    inventory.destinations.iter().map(|found| found.name.name()).collect()
}

#[test]
fn a_queue_is_told_with_all_that_became_of_its_messages() {
    let mut bench = Bench::with(BrokerConfig { queue_bytes_max: 1, ..BrokerConfig::default() });
    bench.subscribe(APP, ONE, "q", 3);
    bench.subscribe(PEER, TWO, "q", 1);
    for _ in 0..7 {
        bench.send(OTHER, "q"); // Four are handed out, one waits, two have no room.
    }
    let waiting = DestinationStatus { depth: 1, parked: 2, consumers: 2, enqueued: 5, ..unused("q") };
    let bytes = bench.broker.stats().queued_bytes;
    assert_eq!(bench.status("q"), DestinationStatus { bytes, dispatched: 4, outstanding: 4, ..waiting.clone() });
    bench.accept(APP, ONE, 2); // Both are replaced, and the last finds room.
    let expected = DestinationStatus { bytes, parked: 0, enqueued: 7, dispatched: 6, ..waiting };
    let expected = DestinationStatus { outstanding: 4, dequeued: 2, ..expected };
    assert_eq!(bench.status("q"), expected);
    bench.unsubscribe(PEER, TWO, 0);
    let ack = Ack { consumer: ONE, tag: 4, extent: AckExtent::Individual, kind: AckKind::Released };
    bench.ack(APP, ack).expect("outstanding");
    let expected = DestinationStatus { consumers: 1, delayed: 1, bytes: 2 * bytes, outstanding: 3, ..expected };
    assert_eq!(bench.status("q"), DestinationStatus { dispatched: 7, ..expected });
}

#[test]
fn what_a_peer_gives_back_and_has_come_again_is_told_as_let_go() {
    let mut bench = Bench::new();
    bench.send_numbered(CLIENT, "q", 1);
    bench.subscribe(PEER2, TWO, "q", 1);
    bench.send_numbered(CLIENT, "q", 1);
    bench.unsubscribe(PEER2, TWO, 0);
    let found = bench.status("q");
    assert_eq!((found.enqueued, found.depth, found.outstanding, found.let_go), (2, 1, 0, 1));
}

#[test]
fn a_topic_is_told_with_its_copies_and_those_dropped() {
    let mut bench = Bench::with(BrokerConfig { topic_bytes_max: 2 * SIZE, ..BrokerConfig::default() });
    bench.subscribe(APP, ONE, "topic://a", 10);
    bench.subscribe(APP, TWO, "topic://>", 1);
    for name in ["topic://b", "topic://a", "topic://a", "topic://b"] {
        bench.send(APP, name); // The second subscriber takes one, two fill it, one waits for room.
    }
    bench.now = bench.broker.poll_timeout().expect("somebody is slow");
    bench.wake();
    bench.send(APP, "topic://b");
    let a = DestinationStatus { consumers: 2, enqueued: 2, dispatched: 4, dropped: 2, ..unused("topic://a") };
    let b = DestinationStatus { consumers: 1, enqueued: 3, dispatched: 3, ..unused("topic://b") };
    assert_eq!((bench.status("topic://a"), bench.status("topic://b")), (a, b));
    assert_eq!(bench.broker.stats().dropped, 2);
}

#[test]
fn a_paused_queue_takes_messages_and_hands_out_none_until_it_is_resumed() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 2);
    let pause = AdminRequest::Pause(queue("q"));
    assert_eq!(bench.administer(&pause), (Ok(AdminReply::Changed { queues: 1 }), Vec::new()));
    assert_eq!(bench.administer(&pause), (Ok(AdminReply::Changed { queues: 0 }), Vec::new()));
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(1)]);
    assert_eq!(bench.subscribe(OTHER, TWO, "queue://>", 1), [Said::Wanted("queue://>")]);
    assert_eq!(bench.send(APP, "other"), [Said::Accepted(2), deliver(TWO, 1, 2)], "its neighbour is not");
    assert_eq!(bench.send(APP, "q"), [Said::Accepted(3)]);
    assert!(bench.status("q").is_paused);
    let resumed = bench.administer(&AdminRequest::Resume(queue(">")));
    assert_eq!(resumed, (Ok(AdminReply::Changed { queues: 1 }), alloc::vec![deliver(ONE, 1, 1), deliver(ONE, 2, 3)]));
}

#[test]
fn what_comes_back_to_a_paused_queue_stays_there() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 2);
    bench.subscribe(OTHER, TWO, "q", 2);
    bench.send(APP, "q");
    bench.administer(&AdminRequest::Pause(queue("q"))).0.expect("there is one");
    let ack = Ack { consumer: ONE, tag: 1, extent: AckExtent::Individual, kind: AckKind::Released };
    assert_eq!(bench.ack(APP, ack), Ok(Vec::new()));
    bench.now = bench.now + Duration::from_secs(1);
    assert_eq!((bench.wake(), bench.detach(APP)), (Vec::new(), alloc::vec![Said::Wanted("queue://q")]));
    assert_eq!(bench.administer(&AdminRequest::Resume(queue("q"))).1, [again(TWO, 1, 1)]);
}

#[test]
fn a_purge_removes_what_waits_and_nothing_else_and_makes_room() {
    let mut bench = Bench::with(BrokerConfig { queue_bytes_max: 3 * SIZE, ..BrokerConfig::default() });
    bench.subscribe(APP, ONE, "a", 1);
    for name in ["a", "a", "a", "a", "a", "b", "c.d"] {
        bench.send(APP, name);
    }
    assert_eq!((bench.status("a").depth, bench.status("a").parked), (3, 1));
    let purged = |messages, queues| Ok(AdminReply::Purged { messages, queues });
    assert_eq!(bench.administer(&AdminRequest::Purge(queue("a"))), (purged(3, 1), alloc::vec![Said::Accepted(5)]));
    let found = bench.status("a");
    assert_eq!((found.enqueued, found.purged, found.depth, found.outstanding), (5, 3, 1, 1));
    assert_eq!(bench.accept(APP, ONE, 1), [deliver(ONE, 2, 5)], "what was handed out can be answered");
    assert_eq!(bench.administer(&AdminRequest::Purge(queue(">"))), (purged(2, 3), Vec::new()));
    assert_eq!((bench.broker.stats().purged, bench.broker.stats().queued), (5, 0));
    assert_eq!(bench.administer(&AdminRequest::Purge(queue("none.*"))), (purged(0, 0), Vec::new()));
}

#[test]
fn a_queue_that_is_resumed_takes_what_waited_for_room() {
    let mut bench = Bench::with(BrokerConfig { queue_bytes_max: 1, ..BrokerConfig::default() });
    bench.subscribe(APP, ONE, "q", 5);
    bench.administer(&AdminRequest::Pause(queue("q"))).0.expect("there is one");
    assert_eq!((bench.send(APP, "q"), bench.send(APP, "q")), (alloc::vec![Said::Accepted(1)], Vec::new()));
    let (_, said) = bench.administer(&AdminRequest::Resume(queue("q")));
    assert_eq!(said, [deliver(ONE, 1, 1), Said::Accepted(2), deliver(ONE, 2, 2)]);
}

#[test]
fn a_purge_makes_room_for_a_virtual_topic_too() {
    let mut bench = Bench::with(BrokerConfig { queue_bytes_max: 1, ..BrokerConfig::default() });
    let name = "Consumer.A.VirtualTopic.T";
    bench.send(APP, name);
    assert_eq!(bench.send(APP, "topic://VirtualTopic.T"), []);
    assert_eq!(bench.administer(&AdminRequest::Purge(queue(name))).1, [Said::Accepted(2)]);
}

#[test]
fn what_is_no_queue_here_is_refused() {
    let mut bench = Bench::new();
    bench.send(APP, "topic://t");
    for (name, expected) in [
        (
            "topic://t",
            "topic://t is no queue; expected queue://NAME: only queues keep messages that wait for consumers",
        ),
        ("q", "there is no queue://q here: nobody has sent to it or consumed from it"),
    ] {
        let name: Destination = name.parse().expect("a destination");
        for asked in [AdminRequest::Pause(name.clone()), AdminRequest::Purge(name.clone()), AdminRequest::Resume(name)]
        {
            let (reply, said) = bench.administer(&asked);
            assert_eq!((reply.map_err(|refusal| format!("{refusal}")), said), (Err(expected.into()), Vec::new()));
        }
    }
    assert_eq!(names(&bench.page(None, None, 100_000)), ["t"], "asking creates nothing");
}

#[test]
fn an_answer_has_room_for_some_and_tells_how_many_are_left_out() {
    let mut bench = Bench::new();
    for name in ["b", "topic://a", "d", "a", "c.c"] {
        bench.send(APP, name);
    }
    let all = bench.page(None, None, 100_000);
    assert_eq!((names(&all), all.left_out), (alloc::vec!["a", "b", "c.c", "d", "a"], 0));
    let some = bench.page(None, None, 300);
    assert_eq!((names(&some), some.left_out), (alloc::vec!["a", "b"], 3));
    let rest = bench.page(None, Some("b"), 100_000);
    assert_eq!((names(&rest), rest.left_out), (alloc::vec!["c.c", "d", "a"], 0));
    let one = bench.page(None, Some("queue://d"), 0);
    assert_eq!((names(&one), one.left_out), (alloc::vec!["a"], 0), "there is room for one at least");
    let covered = bench.page(Some("queue://*"), Some("a"), 100_000);
    assert_eq!((names(&covered), covered.left_out), (alloc::vec!["b", "d"], 0));
    assert_eq!(bench.page(Some("topic://b"), None, 100_000), Inventory::default());
    for number in 0..1_000 {
        bench.send(APP, &format!("n{number}"));
    }
    let many = bench.page(None, None, 1_000_000);
    assert_eq!((many.destinations.len(), many.left_out), (1_000, 5));
}

#[test]
fn what_was_given_back_expired_or_failed_is_told_apart() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 2);
    (0..4).for_each(|_| drop(bench.send(APP, "q")));
    let one = |tag, kind| Ack { consumer: ONE, tag, extent: AckExtent::Individual, kind };
    bench.ack(APP, one(1, AckKind::Rejected)).expect("outstanding");
    bench.ack(APP, one(2, AckKind::Released)).expect("outstanding");
    let mortal = Body::text("x").expiring(Duration::from_millis(1));
    bench.send_body(APP, "q", 5, mortal);
    bench.now = bench.now + Duration::from_millis(1);
    bench.wake();
    let found = bench.status("q");
    assert_eq!((found.enqueued, found.depth, found.delayed, found.outstanding), (5, 0, 1, 2));
    assert_eq!((found.failed, found.expired, found.dead_lettered, found.dispatched), (1, 1, 2, 4));
    assert_eq!(bench.status("ActiveMQ.DLQ").enqueued, 2);
    let purged = bench.administer(&AdminRequest::Purge(queue("q"))).0;
    assert_eq!(purged, Ok(AdminReply::Purged { messages: 1, queues: 1 }));
    assert_eq!((bench.status("q").delayed, bench.status("q").bytes, bench.status("q").purged), (0, 0, 1));
    bench.now = bench.now + Duration::from_hours(1);
    assert_eq!(bench.wake(), [], "nothing comes back");
}
