//! What counts all at once.

use alloc::string::ToString;

use super::*;

fn message(sequence: u64, destination: &str) -> Arc<Message> {
    Arc::new(Message {
        id: MessageId { producer: ProducerId { broker: LOCAL, number: 9 }, sequence },
        destination: destination.parse().expect("a destination"),
        path: Path::default(),
        timestamp: Timestamp::default(),
        body: Body::default(),
    })
}

impl Bench {
    fn commit(&mut self, messages: &[Arc<Message>], acknowledged: &[(ConsumerId, Tag)]) -> Result<Vec<Said>, Refusal> {
        let mut out = Outbox::new();
        self.broker.commit(self.now, APP, messages.to_vec(), acknowledged.to_vec(), &mut out)?;
        Ok(short(&mut out))
    }
}

#[test]
fn what_is_committed_is_done_in_one_step() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 2);
    bench.subscribe(OTHER, TWO, "topic://t", 2);
    for _ in 0..3 {
        bench.send(APP, "q");
    }
    let said = bench.commit(&[message(10, "r"), message(11, "topic://t")], &[(ONE, 2), (ONE, 1)]);
    assert_eq!(said, Ok(alloc::vec![deliver(ONE, 3, 3), deliver(TWO, 1, 11)]), "credit came back as well");
    let stats = bench.broker.stats();
    assert_eq!((stats.queued, stats.outstanding_queued, stats.acknowledged_queued), (1, 1, 2));
}

#[test]
fn what_can_not_be_done_as_a_whole_changes_nothing() {
    let config = BrokerConfig { destinations_max: 3, queue_bytes_max: 1, ..BrokerConfig::default() };
    let mut bench = Bench::with(config);
    bench.subscribe(APP, ONE, "q", 1);
    bench.subscribe(OTHER, TWO, "r", 1);
    bench.send(APP, "q");
    bench.send(APP, "full");
    bench.send(APP, "r");
    let full: Destination = "full".parse().expect("valid");
    let (good, bad) = (message(10, "q"), [(ONE, 1), (ONE, 2)]);
    let cases = [
        (message(11, "full"), &bad[..1], Refusal::NoRoom { destination: full }),
        (message(11, "new"), &bad[..1], Refusal::LimitReached { what: What::Destination, max: 3 }),
        (message(11, "q"), &bad[..], Refusal::NotOutstanding { consumer: ONE, tag: 2 }),
        (message(11, "q"), &[(TWO, 1)][..], Refusal::unknown_consumer(TWO)), // Another connection's.
    ];
    let before = bench.broker.stats();
    let names = |bench: &Bench| bench.broker.registry.iter().map(|entry| entry.name.clone()).collect::<Vec<_>>();
    let there = names(&bench);
    for (other, acknowledged, refusal) in cases {
        assert_eq!(bench.commit(&[Arc::clone(&good), other], acknowledged), Err(refusal));
        assert_eq!(bench.broker.stats(), before);
        assert_eq!(names(&bench), there);
    }
    assert_eq!(bench.commit(&[good], &bad[..1]), Ok(alloc::vec![deliver(ONE, 2, 10)]));
}

#[test]
fn a_refused_commit_makes_none_of_the_destinations_that_it_names() {
    let config = BrokerConfig { queue_bytes_max: 1, topic_bytes_max: 1, ..BrokerConfig::default() };
    let mut bench = Bench::with(config);
    bench.send(APP, "full");
    bench.subscribe(OTHER, ONE, "topic://a.>", 1);
    bench.send(APP, "topic://a.b");
    bench.send(APP, "topic://a.b");
    for full in ["full", "topic://a.new"] {
        let refusal = Refusal::NoRoom { destination: full.parse().expect("valid") };
        assert_eq!(bench.commit(&[message(10, "new"), message(11, full)], &[]), Err(refusal));
    }
    let names: Vec<_> = bench.broker.registry.iter().map(|entry| entry.name.to_string()).collect();
    assert_eq!(names, ["queue://full", "topic://a.b"]);
}

#[test]
fn what_is_committed_has_its_destinations_before_dead_letters_have_theirs() {
    let mut bench = Bench::with(BrokerConfig { destinations_max: 2, ..BrokerConfig::default() });
    bench.subscribe(APP, ONE, "q", 2);
    let mut over = Message::clone(&message(10, "q"));
    over.body.headers.time_to_live = Some(Duration::ZERO);
    let new = || message(11, "new");
    assert_eq!(bench.commit(&[Arc::new(over), new(), new()], &[]), Ok(Vec::new()), "two of them go to one");
    let stats = bench.broker.stats();
    assert_eq!((stats.queued, stats.expired, stats.dead_lettered, stats.discarded), (2, 1, 0, 1));
}

#[test]
fn what_is_rolled_back_goes_back_as_if_it_were_given_back() {
    let mut bench = Bench::new();
    bench.subscribe(APP, ONE, "q", 1);
    bench.send(APP, "q");
    let mut out = Outbox::new();
    // One of them has gone back with its consumer.
    bench.broker.roll_back(bench.now, APP, alloc::vec![(TWO, 1), (ONE, 1)], &mut out);
    assert_eq!(short(&mut out), []);
    assert_eq!(bench.pass(Duration::from_secs(1)), [again(ONE, 2, 1)]);
}
