//! Temporary destinations: whose they are, and how they end.

use alloc::string::ToString;

use super::*;
use crate::model::Temporary;

const OWN: &str = "temp-queue://00000000000000000000000000000001:1:5";
const FARS: &str = "temp-queue://00000000000000000000000000000002:1:5";
const KEPT: Duration = Duration::from_mins(1);

impl Bench {
    fn try_subscribe(&mut self, origin: Origin, destination: &str) -> Result<(), Refusal> {
        let subscription = Subscription::new(destination.parse().expect("a destination"));
        let subscriber = Subscriber::own(subscription);
        self.broker.subscribe(self.now, origin, TWO, subscriber, &mut Outbox::new())
    }

    fn try_send(&mut self, from: Origin, destination: &str) -> Result<Taken, Refusal> {
        let message = Message {
            id: MessageId { producer: ProducerId { broker: CLIENT_ID, number: 7 }, sequence: 1 },
            destination: destination.parse().expect("a destination"),
            path: Path::default(),
            timestamp: Timestamp::default(),
            body: Body::default(),
        };
        let ticket = Ticket { stream: 7, number: 1 };
        self.broker.send(self.now, from, ticket, 0, Arc::new(message), &mut Outbox::new())
    }

    /// Lets the broker do what is due at the last moment before a time has passed, and at that time.
    fn wait(&mut self, time: Duration) -> [(u64, u64); 2] {
        let shortly = Duration::from_nanos(1);
        [time.saturating_sub(shortly), shortly].map(|step| {
            self.now = self.now + step;
            self.broker.handle_timeout(self.now, &mut Outbox::new());
            let stats = self.broker.stats();
            (stats.queued, stats.orphaned)
        })
    }
}

#[test]
fn only_the_connection_it_belongs_to_consumes_from_a_temporary_destination() {
    let mut bench = Bench::new();
    let not_owner = |destination: &str| Err(Refusal::NotOwner(destination.parse().expect("a destination")));
    for origin in [OTHER, PEER, CLIENT] {
        assert_eq!(bench.try_subscribe(origin, OWN), not_owner(OWN), "{origin:?}");
    }
    assert_eq!(bench.try_subscribe(APP, FARS), not_owner(FARS));
    for (origin, destination) in [(APP, OWN), (PEER, FARS), (CLIENT, FARS)] {
        assert_eq!(bench.try_subscribe(origin, destination), Ok(()), "{origin:?}");
    }
}

#[test]
fn anybody_sends_to_a_temporary_queue_while_its_connection_lasts() {
    let mut bench = Bench::new();
    assert_eq!(bench.send(OTHER, OWN), [Said::Accepted(1)], "it waits for its consumer");
    assert_eq!(bench.subscribe(APP, ONE, OWN, 10), [deliver(ONE, 1, 1), Said::Wanted(OWN)]);
    assert_eq!(bench.send(CLIENT, OWN), [Said::Accepted(2), deliver(ONE, 2, 2)]);
    assert_eq!(bench.unsubscribe(APP, ONE, 1), [Said::Unwanted(OWN)]);
    assert_eq!(bench.broker.poll_timeout(), None);
    assert_eq!(bench.wait(KEPT * 2), [(2, 0); 2], "its connection is still there");
    let wide = "queue://>";
    assert_eq!(bench.subscribe(OTHER, ONE, wide, 10), [Said::Wanted(wide)], "no wildcard covers it");
}

#[test]
fn a_temporary_destination_ends_with_its_connection() {
    let mut bench = Bench::with(BrokerConfig { queue_bytes_max: 1, ..BrokerConfig::default() });
    bench.subscribe(APP, ONE, OWN, 1);
    bench.subscribe(APP, TWO, "temp-topic://00000000000000000000000000000001:1:6", 1);
    bench.send(OTHER, "temp-queue://00000000000000000000000000000001:2:5");
    for expected in [&[Said::Accepted(2), deliver(ONE, 1, 2)][..], &[Said::Accepted(3)], &[]] {
        assert_eq!(bench.send(CLIENT, OWN), expected);
    }
    let topic = "temp-topic://00000000000000000000000000000001:1:6";
    assert_eq!(bench.detach(APP), [Said::Accepted(4), Said::Unwanted(OWN), Said::Unwanted(topic)]);
    let stats = bench.broker.stats();
    assert_eq!((stats.queued, stats.parked, stats.orphaned, stats.accepted_queued), (1, 0, 3, 4));
    for from in [OTHER, CLIENT] {
        assert_eq!(bench.try_send(from, OWN), Err(Refusal::Deleted(OWN.parse().expect("a destination"))));
    }
    assert_eq!(bench.try_send(PEER, OWN), Ok(Taken::Accepted), "a peer has nobody else to give it to");
    let stats = bench.broker.stats();
    assert_eq!((stats.queued, stats.orphaned, stats.accepted_queued), (1, 4, 5));
    assert_eq!(bench.broker.waiting().count(), 1, "another connection's is left");
}

#[test]
fn a_connections_queues_and_topics_end_each_once() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, OWN, 1);
    bench.subscribe(APP, TWO, "temp-topic://00000000000000000000000000000001:1:6", 1);
    assert_eq!(bench.detach(APP).len(), 2, "and nothing stands between their names");
    assert_eq!(bench.try_send(PEER, OWN), Ok(Taken::Accepted));
    assert_eq!(bench.broker.stats().orphaned, 1);
}

#[test]
fn a_transaction_can_send_nothing_to_a_temporary_queue_that_is_gone() {
    let mut bench = Bench::new();
    let own: Destination = OWN.parse().expect("a destination");
    let commit = |bench: &mut Bench| {
        let messages = [own.clone(), FARS.parse().expect("a destination")].map(|destination| {
            let id = MessageId { producer: ProducerId { broker: LOCAL, number: 9 }, sequence: 1 };
            let (path, timestamp) = (Path::default(), Timestamp::default());
            Arc::new(Message { id, destination, path, timestamp, body: Body::default() })
        });
        bench.broker.commit(bench.now, OTHER, messages.into(), Vec::new(), &mut Outbox::new())
    };
    assert_eq!(commit(&mut bench), Ok(()));
    assert_eq!(bench.broker.poll_timeout(), Some(bench.now + KEPT), "what it may have sent to is kept as long as any");
    bench.detach(APP);
    assert_eq!(commit(&mut bench), Err(Refusal::Deleted(own.clone())));
}

#[test]
fn whoever_looks_at_a_temporary_queue_that_goes_sees_its_end() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        bench.send(APP, FARS);
    }
    let mut subscription = Subscription::new(FARS.parse().expect("a destination"));
    (subscription.browses, subscription.prefetch) = (true, Some(1));
    let (subscriber, mut out) = (Subscriber::own(subscription), Outbox::new());
    bench.broker.subscribe(bench.now, CLIENT, ONE, subscriber, &mut out).expect("its own");
    assert_eq!(out.drain().count(), 1, "as far as its credit goes");
    assert_eq!(bench.wait(KEPT), [(2, 0), (0, 2)]);
    assert_eq!(bench.accept(CLIENT, ONE, 1).len(), 1, "the end");
}

#[test]
fn connections_whose_numbers_begin_alike_own_what_is_theirs() {
    let mut bench = Bench::new();
    let twelfth = Origin::Application(ConnectionId(12));
    bench.broker.attach(twelfth, Limits::default()).expect("room");
    let names: Vec<Destination> = [(1, 0), (1, 9), (1, 10), (12, 0), (2, 1)]
        .into_iter()
        .map(|(connection, number)| Temporary { broker: LOCAL, connection: ConnectionId(connection), number })
        .map(|name| Destination::temporary(DestinationKind::Queue, name))
        .collect();
    for name in &names {
        bench.send(OTHER, &name.to_string());
    }
    bench.detach(APP);
    let left: BTreeSet<&Destination> = bench.broker.waiting().map(|(name, _)| name).collect();
    assert_eq!(left, names[3..].iter().collect());
}

/// As after a machine slept: another queue has something to do at the same time.
#[test]
fn a_broker_that_is_woken_late_forgets_others_destinations_once() {
    let mut bench = Bench::new();
    bench.send(APP, FARS);
    bench.send_one(APP, "q", Body::default().expiring(Duration::from_secs(1)));
    bench.send_one(APP, FARS, Body::default().expiring(Duration::from_secs(1)));
    bench.now = bench.now + 2 * KEPT;
    bench.wake();
    let stats = bench.broker.stats();
    assert_eq!((stats.queued, stats.expired_queued, stats.orphaned), (2, 2, 1), "two dead letters are left");
}

#[test]
fn a_reply_waits_for_the_demand_of_another_broker_but_not_for_ever() {
    let mut bench = Bench::new();
    assert_eq!(bench.send(APP, FARS), [Said::Accepted(1)]);
    assert_eq!(bench.broker.poll_timeout(), Some(bench.now + KEPT));
    bench.now = bench.now + KEPT / 2;
    assert_eq!(bench.subscribe(PEER, ONE, FARS, 10), [deliver(ONE, 1, 1)]);
    assert_eq!(bench.broker.poll_timeout(), None);
    bench.now = bench.now + KEPT;
    assert_eq!(bench.detach(PEER), [], "its link is lost, and may come back");
    assert_eq!(bench.wait(KEPT), [(1, 0), (0, 1)]);
    assert_eq!(bench.broker.poll_timeout(), None);
    assert_eq!(bench.send(APP, FARS), [Said::Accepted(2)], "whether it is gone is not known");
    let stats = bench.broker.stats();
    assert_eq!((stats.queued, stats.accepted_queued), (1, 2));
}
