//! Clients that fan out to stand-alone brokers over real sockets, on loopback alone, all in one process.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use flockmq::TargetState;
use flockmq::{
    Builder, Config, Connection, Consumer, Error, Event, Events, Message, Outcome, Refusal, SubscribeOptions,
};
use tokio::net::TcpSocket;
use tokio::sync::watch;

const PATIENCE: Duration = Duration::from_secs(20);
/// How long nothing has to happen to count as nothing.
const QUIET: Duration = Duration::from_millis(100);
/// How long closing may take; waiting for anybody would take longer.
const AT_ONCE: Duration = Duration::from_millis(900);

/// A port that is nobody's, and that refuses connections while the socket is held.
fn reserve() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = socket.local_addr().expect("its address");
    (socket, address)
}

fn broker_config(name: &str, address: SocketAddr) -> Config {
    let mut config = Config::broker("fanout-tests", name);
    config.listen = Some(address.into());
    config.multicast = None;
    config
}

fn client_config(addresses: &[SocketAddr], acks_min: u32) -> Config {
    let mut config = Config::client("");
    config.peers = addresses.iter().copied().map(Into::into).collect();
    config.fanout.acks_min = acks_min;
    config
}

fn uri(addresses: &[SocketAddr], options: &str) -> String {
    let targets: Vec<String> = addresses.iter().map(|address| format!("tcp://{address}")).collect();
    format!("fanout:(static:({}))?{options}", targets.join(","))
}

async fn connect(config: Config) -> Connection {
    Builder::new(config).timeout(PATIENCE).connect().await.expect("connected")
}

async fn broker_at(name: &str, address: SocketAddr) -> Connection {
    let broker = connect(broker_config(name, address)).await;
    assert_eq!(broker.listening().await, Ok(vec![address]));
    broker
}

/// Brokers of these names, and where they are.
async fn brokers<const N: usize>(names: [&str; N]) -> ([Connection; N], [SocketAddr; N]) {
    let mut started = Vec::new();
    let mut addresses = Vec::new();
    for name in names {
        let broker = connect(broker_config(name, "127.0.0.1:0".parse().expect("an address"))).await;
        addresses.push(broker.listening().await.expect("it listens")[0]);
        started.push(broker);
    }
    (started.try_into().expect("as many"), addresses.try_into().expect("as many"))
}

async fn subscribe_each<const N: usize>(brokers: &[Connection; N], destination: &str) -> [Consumer; N] {
    let mut consumers = Vec::new();
    for broker in brokers {
        consumers.push(broker.subscribe(destination).await.expect("subscribed"));
    }
    consumers.try_into().expect("as many")
}

async fn close_all(connections: impl IntoIterator<Item = Connection>) {
    for connection in connections {
        connection.close().await.expect("closed");
    }
}

async fn closes_at_once(connection: Connection) {
    let asked_at = Instant::now();
    connection.close().await.expect("closed");
    assert!(asked_at.elapsed() < AT_ONCE, "closing took {:?}", asked_at.elapsed());
}

async fn next_text(consumer: &mut Consumer) -> String {
    let delivery = consumer.next_timeout(PATIENCE).await.expect("in time").expect("open");
    delivery.text().expect("text").to_owned()
}

async fn is_quiet(consumer: &mut Consumer) -> bool {
    matches!(consumer.next_timeout(QUIET).await, Err(Error::TimedOut { .. }))
}

/// The first event that this finds something in.
async fn find<T>(events: &mut Events, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    let finding = async {
        loop {
            let event = events.next().await.expect("running");
            if let Some(found) = wanted(event) {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, finding).await.expect("in time")
}

/// Waits until so many targets are up, and answers with how many are needed.
async fn targets_up(events: &mut Events, wanted: u32) -> u32 {
    find(events, |event| match event {
        Event::Targets { up, needed } if up == wanted => Some(needed),
        _ => None,
    })
    .await
}

fn names(outcome: &Outcome) -> BTreeSet<&str> {
    outcome.brokers().iter().map(|acceptor| acceptor.name.as_str()).collect()
}

#[tokio::test]
async fn a_topic_message_reaches_every_broker_and_the_outcome_names_them() {
    let (brokers, addresses) = brokers(["topic-a", "topic-b", "topic-c"]).await;
    let mut consumers = subscribe_each(&brokers, "topic://prices.>").await;
    let client = Builder::from_uri(&uri(&addresses, "minAckCount=3")).expect("a URI").timeout(PATIENCE);
    let client = client.connect().await.expect("connected");

    let outcome = client.send("topic://prices.eu", "first").await.expect("accepted");
    assert_eq!(names(&outcome), BTreeSet::from(["topic-a", "topic-b", "topic-c"]));
    let ids: BTreeSet<_> = outcome.brokers().iter().map(|acceptor| acceptor.broker).collect();
    assert_eq!(ids, brokers.iter().map(Connection::id).collect());

    let producer = client.producer("topic://prices.us").await.expect("a producer");
    let mut receipts = Vec::new();
    for number in 0..1000 {
        receipts.push(producer.enqueue(number.to_string()).await.expect("room"));
    }
    producer.flush().await.expect("accepted");
    for receipt in receipts {
        assert_eq!(receipt.await.expect("accepted").brokers().len(), 3);
    }
    for consumer in &mut consumers {
        assert_eq!(next_text(consumer).await, "first");
        for number in 0..1000 {
            assert_eq!(next_text(consumer).await, number.to_string());
        }
        assert!(is_quiet(consumer).await);
    }
    producer.close().await.expect("closed");
    closes_at_once(client).await;
    close_all(brokers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn large_messages_reach_every_broker() {
    let (brokers, addresses) = brokers(["large-a", "large-b", "large-c"]).await;
    let mut consumers = subscribe_each(&brokers, "topic://large").await;
    let client = connect(client_config(&addresses, 3)).await;
    let producer = client.producer("topic://large").await.expect("a producer");
    let sending = async {
        for number in 0..50 {
            producer.enqueue(vec![number; 300_000]).await.expect("room");
        }
        producer.flush().await
    };
    let receiving = async {
        for number in 0..50_u8 {
            for consumer in &mut consumers {
                let delivery = consumer.next_timeout(PATIENCE).await.expect("in time").expect("open");
                assert!(delivery.data().len() == 300_000 && delivery.data().iter().all(|byte| *byte == number));
            }
        }
    };
    let (sent, ()) = tokio::join!(sending, receiving);
    sent.expect("accepted");
    closes_at_once(client).await;
    close_all(brokers).await;
}

#[tokio::test]
async fn a_queue_message_goes_to_exactly_one_broker() {
    let (brokers, addresses) = brokers(["queue-a", "queue-b", "queue-c"]).await;
    let mut consumers = subscribe_each(&brokers, "queue://work").await;
    let client = connect(client_config(&addresses, 1)).await;
    client.ready(3).await.expect("all up");
    let mut expected = BTreeMap::from(["queue-a", "queue-b", "queue-c"].map(|name| (name.to_owned(), Vec::new())));
    for number in 0..60 {
        let outcome = client.send("queue://work", number.to_string()).await.expect("accepted");
        let [acceptor] = outcome.brokers() else { panic!("{outcome:?}") };
        expected.get_mut(&acceptor.name).expect("one of the three").push(number.to_string());
    }
    for (broker, consumer) in brokers.iter().zip(&mut consumers) {
        for text in &expected[broker.name()] {
            assert_eq!(next_text(consumer).await, *text);
        }
        assert!(is_quiet(consumer).await);
    }
    closes_at_once(client).await;
    close_all(brokers).await;
}

#[tokio::test]
async fn nothing_is_sent_before_enough_brokers_are_up() {
    let ((socket_a, a), (socket_b, b)) = (reserve(), reserve());
    let client = connect(client_config(&[a, b], 2)).await;
    let mut events = client.events();
    let sending = tokio::spawn({
        let client = client.clone();
        async move { client.send("topic://t", "held back").await }
    });

    drop(socket_a);
    let broker_a = broker_at("held-a", a).await;
    let mut at_a = broker_a.subscribe("topic://t").await.expect("subscribed");
    assert_eq!(targets_up(&mut events, 1).await, 2);
    assert!(is_quiet(&mut at_a).await && !sending.is_finished());

    // Unlike the first, this broker can't be asked for its consumer before the message may come.
    drop(socket_b);
    let broker_b = broker_at("held-b", b).await;
    assert_eq!(targets_up(&mut events, 2).await, 2);
    let outcome = sending.await.expect("no panic").expect("accepted");
    assert_eq!(names(&outcome), BTreeSet::from(["held-a", "held-b"]));
    assert_eq!(next_text(&mut at_a).await, "held back");
    closes_at_once(client).await;
    close_all([broker_a, broker_b]).await;
}

#[tokio::test]
async fn a_send_with_too_few_brokers_fails_by_its_timeout_with_the_counts() {
    let (brokers, [a]) = brokers(["few-a"]).await;
    let mut at_a = brokers[0].subscribe("topic://t").await.expect("subscribed");
    let (_socket, nobody) = reserve();
    let client = flockmq::connect(&uri(&[a, nobody], "minAckCount=2&sendTimeout=200")).await.expect("connected");
    let client = client.with_timeout(PATIENCE);
    client.ready(1).await.expect("one is up");

    let producer = client.producer("topic://t").await.expect("a producer");
    let expected = Refusal::TimedOut { accepted: 0, needed: 2, after: Duration::from_millis(200) };
    let error = producer.send("too early").await.expect_err("one of two is not enough");
    assert!(matches!(&error, Error::NotAccepted { refusal, .. } if *refusal == expected), "{error:?}");
    assert!(error.to_string().contains("0 of 2"), "{error}");
    assert_eq!(producer.flush().await, Err(error));
    assert_eq!(producer.flush().await, Ok(()));
    assert!(is_quiet(&mut at_a).await);
    closes_at_once(client).await;
    close_all(brokers).await;
}

#[tokio::test]
async fn a_message_that_too_many_refuse_says_who_said_what() {
    let (mut brokers, mut addresses) = (Vec::new(), Vec::new());
    for (name, message_max) in [("refuse-a", 100_000), ("refuse-b", 1_000)] {
        let mut config = broker_config(name, "127.0.0.1:0".parse().expect("an address"));
        config.broker.message_max = message_max;
        let broker = connect(config).await;
        addresses.push(broker.listening().await.expect("it listens")[0]);
        brokers.push(broker);
    }
    let client = connect(client_config(&addresses, 2)).await;
    let error = client.send("topic://t", vec![0; 10_000]).await.expect_err("one of two refuses");
    let Error::NotAccepted { refusal, answers } = &error else { panic!("{error:?}") };
    // Whoever is faster: nobody waits for the first broker's answer once the second has refused.
    let has_accepted = *refusal == Refusal::NotEnough { accepted: 1, needed: 2 };
    assert!(has_accepted || *refusal == Refusal::NotEnough { accepted: 0, needed: 2 }, "{refusal:?}");
    let said = |name| answers.iter().find(|answer| answer.name == name).map(|answer| answer.result.clone());
    assert_eq!(said("refuse-a"), has_accepted.then_some(Ok(())));
    assert!(matches!(said("refuse-b"), Some(Err(Refusal::TooLarge { max: 1_000, .. }))), "{answers:?}");
    let text = error.to_string();
    assert_eq!(text.contains("refuse-a: accepted"), has_accepted, "{text}");
    assert!(text.contains("refuse-b: the message takes"), "{text}");

    assert_eq!(client.send("topic://t", "small").await.expect("accepted").brokers().len(), 2);
    for target in client.targets().await.expect("open") {
        let refused = u64::from(target.address == addresses[1].into());
        assert_eq!((target.accepted, target.refused), (2 - refused, refused), "{target:?}");
    }
    closes_at_once(client).await;
    close_all(brokers).await;
}

#[tokio::test]
async fn a_target_that_goes_away_and_returns_is_dialled_again() {
    let (socket, address) = reserve();
    let client = connect(client_config(&[address], 1)).await;
    let mut events = client.events();
    drop(socket);
    let mut before = None;
    for round in 0..3 {
        let broker = broker_at("back", address).await;
        let up = find(&mut events, |event| match event {
            Event::TargetUp { broker, name, address: at } => {
                assert_eq!((name.as_str(), at), ("back", address.into()));
                Some(broker)
            }
            _ => None,
        });
        assert_eq!(up.await, broker.id());
        assert_ne!(before.replace(broker.id()), Some(broker.id()), "a new start is a new identity");
        let outcome = client.send("queue://q", round.to_string()).await.expect("accepted");
        assert_eq!(outcome.brokers()[0].broker, broker.id());
        broker.close().await.expect("closed");
        let lost = find(&mut events, |event| match event {
            Event::TargetLost { broker, name, .. } => Some((broker, name)),
            _ => None,
        });
        assert_eq!(Some(lost.await), before.map(|id| (id, "back".to_owned())));
    }
    closes_at_once(client).await;
}

#[tokio::test]
async fn what_is_sent_while_a_target_is_away_reaches_it_when_it_returns() {
    let (brokers, [a]) = brokers(["away-a"]).await;
    let (socket, b) = reserve();
    drop(socket);
    let broker_b = broker_at("away-b", b).await;
    let client = connect(client_config(&[a, b], 2)).await;
    let mut events = client.events();
    client.send("topic://t", "both up").await.expect("accepted");
    broker_b.close().await.expect("closed");
    targets_up(&mut events, 1).await;
    let sending = tokio::spawn({
        let client = client.clone();
        async move { client.send("topic://t", "one up").await }
    });
    let broker_b = broker_at("away-b", b).await;
    let outcome = sending.await.expect("no panic").expect("accepted");
    assert_eq!(names(&outcome), BTreeSet::from(["away-a", "away-b"]));
    assert!(outcome.brokers().iter().any(|acceptor| acceptor.broker == broker_b.id()));
    closes_at_once(client).await;
    close_all(brokers.into_iter().chain([broker_b])).await;
}

/// Takes numbers in order until the end is said, and tells how many there were so far.
async fn count_on(mut consumer: Consumer, taken: watch::Sender<usize>) {
    for number in 0.. {
        let text = next_text(&mut consumer).await;
        if text == "end" {
            break;
        }
        assert_eq!(text, number.to_string());
        taken.send_replace(number + 1);
    }
    assert!(is_quiet(&mut consumer).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_comes_and_goes_disturbs_no_other() {
    let (brokers, [a, b]) = brokers(["steady-a", "steady-b"]).await;
    let (mut receiving, mut progress) = (Vec::new(), Vec::new());
    for consumer in subscribe_each(&brokers, "topic://t").await {
        let (taken, seen) = watch::channel(0);
        receiving.push(tokio::spawn(count_on(consumer, taken)));
        progress.push(seen);
    }
    let (socket, c) = reserve();
    drop(socket);
    let client = connect(client_config(&[a, b, c], 2)).await;
    let mut events = client.events();
    let producer = client.producer("topic://t").await.expect("a producer");
    let (stop, stopped) = watch::channel(false);
    let sending = tokio::spawn(async move {
        let mut receipts = Vec::new();
        while !*stopped.borrow() {
            let sent = receipts.len();
            receipts.push(producer.enqueue(sent.to_string()).await.expect("room"));
            if sent % 1000 == 0 {
                for seen in &mut progress {
                    // Not so far ahead that a topic drops what its consumer is too slow for.
                    seen.wait_for(|seen| seen + 10_000 > sent).await.expect("it counts");
                }
            }
        }
        receipts.push(producer.enqueue("end").await.expect("room"));
        producer.flush().await.expect("accepted");
        for receipt in receipts {
            let outcome = receipt.await.expect("accepted");
            let ids: BTreeSet<_> = outcome.brokers().iter().map(|acceptor| acceptor.broker).collect();
            assert!(ids.len() >= 2 && ids.len() == outcome.brokers().len(), "{outcome:?}");
        }
    });
    for _ in 0..5 {
        let broker_c = broker_at("steady-c", c).await;
        targets_up(&mut events, 3).await;
        broker_c.close().await.expect("closed");
        targets_up(&mut events, 2).await;
    }
    stop.send_replace(true);
    sending.await.expect("no panic");
    for receiving in receiving {
        receiving.await.expect("no panic");
    }
    closes_at_once(client).await;
    close_all(brokers).await;
}

#[tokio::test]
async fn targets_show_how_they_fare_and_what_they_accepted() {
    let (brokers, [a]) = brokers(["fare-a"]).await;
    let (_socket, nobody) = reserve();
    let mut config = client_config(&[a, nobody], 1);
    config.dial.backoff.attempts_max = Some(2);
    let client = connect(config).await;
    let mut events = client.events();
    for number in 0..10 {
        client.send("topic://t", number.to_string()).await.expect("accepted");
    }
    let finding_given_up = async {
        // The event may have passed already.
        while !client.targets().await.expect("open").iter().any(|target| target.state == TargetState::GivenUp) {
            events.next_timeout(PATIENCE).await.expect("in time").expect("running");
        }
    };
    tokio::time::timeout(PATIENCE, finding_given_up).await.expect("in time");
    let targets = client.targets().await.expect("open");
    assert_eq!(targets.len(), 2, "{targets:?}");
    for target in targets {
        if target.address == nobody.into() {
            assert_eq!((target.state, target.accepted), (TargetState::GivenUp, 0));
        } else {
            let up = TargetState::Up { broker: brokers[0].id(), name: "fare-a".into(), remote: a };
            assert_eq!((target.state, target.address, target.accepted, target.refused), (up, a.into(), 10, 0));
            assert_eq!(target.unanswered_bytes, 0);
        }
    }
    assert_eq!((client.peers(), brokers[0].targets().await), (Vec::new(), Ok(Vec::new())));
    closes_at_once(client).await;
    close_all(brokers).await;
}

#[tokio::test]
async fn closing_ends_at_once_in_every_state() {
    let ((_socket_a, nobody), (_socket_b, nobody_else)) = (reserve(), reserve());
    closes_at_once(connect(client_config(&[], 1)).await).await;
    closes_at_once(connect(client_config(&[nobody, nobody_else], 2)).await).await;

    let (brokers, [a, b]) = brokers(["close-a", "close-b"]).await;
    let all = [a, b, nobody];
    closes_at_once(connect(client_config(&all, 2)).await).await; // Nobody may have come up yet.
    let some_up = connect(client_config(&all, 3)).await;
    some_up.ready(2).await.expect("two are up");
    let producer = some_up.producer("topic://t").await.expect("a producer");
    let mut receipts = Vec::new();
    for number in 0..100 {
        receipts.push(producer.enqueue(number.to_string()).await.expect("room"));
    }
    let [sending, subscribing] = [(); 2].map(|()| some_up.clone());
    let sending = tokio::spawn(async move { sending.send("queue://q", "never sent").await });
    let subscribing = tokio::spawn(async move { subscribing.subscribe("topic://t").await.map(drop) });
    tokio::task::yield_now().await;
    closes_at_once(some_up.clone()).await;
    for receipt in receipts {
        assert_eq!(receipt.await, Err(Error::Closed));
    }
    assert_eq!(sending.await.expect("no panic"), Err(Error::Closed));
    assert_eq!(subscribing.await.expect("no panic"), Err(Error::Closed));
    assert!(some_up.is_closed());
    assert_eq!(some_up.targets().await, Err(Error::Closed));
    assert_eq!(some_up.ready(0).await, Err(Error::Closed));

    let consuming = connect(client_config(&all, 2)).await;
    let consumer = consuming.subscribe("topic://t").await.expect("subscribed");
    consuming.send("topic://t", "not taken").await.expect("accepted");
    closes_at_once(consuming).await;
    assert!(consumer.is_closed());

    let mut events = brokers[0].events();
    let dropped = connect(client_config(&all, 2)).await;
    dropped.ready(2).await.expect("two are up");
    let id = dropped.id();
    drop(dropped);
    let gone = |event| matches!(event, Event::ClientLost { client, .. } if client == id).then_some(());
    find(&mut events, gone).await;
    close_all(brokers).await;
}

#[tokio::test]
async fn a_target_that_never_says_anything_holds_up_closing_no_longer_than_a_farewell_takes() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let client = connect(client_config(&[silent.local_addr().expect("its address")], 1)).await;
    let (_stream, _) = silent.accept().await.expect("the client dials");
    tokio::time::timeout(2 * AT_ONCE, client.close()).await.expect("in time").expect("closed");
}

#[tokio::test]
async fn a_consumer_through_fanout_gets_once_what_every_broker_has() {
    let (brokers, addresses) = brokers(["once-a", "once-b", "once-c"]).await;
    let receiver = connect(client_config(&addresses, 1)).await;
    let mut consumer = receiver.subscribe("topic://t").await.expect("subscribed");
    for broker in &brokers {
        // Until the consumer is on the broker, what is sent to a topic there reaches nobody.
        let is_heard = async {
            loop {
                broker.send("topic://t", broker.name()).await.expect("accepted");
                while let Ok(delivery) = consumer.next_timeout(Duration::from_millis(20)).await {
                    if delivery.expect("open").text() == Ok(broker.name()) {
                        return;
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, is_heard).await.expect("in time");
    }
    while !is_quiet(&mut consumer).await {}

    let sender = connect(client_config(&addresses, 3)).await;
    let producer = sender.producer("topic://t").await.expect("a producer");
    for number in 0..1000 {
        producer.enqueue(Message::text(number.to_string())).await.expect("room");
    }
    producer.flush().await.expect("accepted");
    for number in 0..1000 {
        assert_eq!(next_text(&mut consumer).await, number.to_string());
    }
    assert!(is_quiet(&mut consumer).await);
    consumer.close().await.expect("closed");
    closes_at_once(sender).await;
    closes_at_once(receiver).await;
    close_all(brokers).await;
}

#[tokio::test]
async fn a_consumer_through_fanout_takes_the_queues_of_all_brokers() {
    let (brokers, addresses) = brokers(["take-a", "take-b"]).await;
    for broker in &brokers {
        for number in 0..50 {
            broker.send("queue://work", format!("{} {number}", broker.name())).await.expect("accepted");
        }
    }
    let receiver = connect(client_config(&addresses, 1)).await;
    let mut consumer = receiver.subscribe("queue://work").await.expect("subscribed");
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for _ in 0..100 {
        let text = next_text(&mut consumer).await;
        let (broker, number) = text.split_once(' ').expect("a broker and a number");
        found.entry(broker.into()).or_default().push(number.into());
    }
    let in_order: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(found, BTreeMap::from([("take-a".into(), in_order.clone()), ("take-b".into(), in_order)]));
    consumer.close().await.expect("closed"); // All is acknowledged.
    closes_at_once(receiver).await;
    for broker in &brokers {
        assert!(is_quiet(&mut broker.subscribe("queue://work").await.expect("subscribed")).await);
    }
    close_all(brokers).await;
}

#[tokio::test]
async fn each_connection_through_fanout_is_a_client_of_its_own_and_brokers_tell_of_it() {
    let (brokers, [address]) = brokers(["own-a"]).await;
    let mut events = brokers[0].events();
    let text = uri(&[address], "minAckCount=1");
    let first = flockmq::connect(&text).await.expect("connected");
    let second = flockmq::connect(&text).await.expect("connected");
    assert_ne!((first.id(), first.name()), (second.id(), second.name()));
    let mut expected = BTreeSet::from([&first, &second].map(|client| (client.id(), client.name().to_owned())));
    find(&mut events, |event| {
        if let Event::ClientUp { client, name, .. } = event {
            assert!(expected.remove(&(client, name)), "each once");
        }
        expected.is_empty().then_some(())
    })
    .await;
    for client in [first, second] {
        assert!(client.name().starts_with("client-") && client.name().len() == 15, "{}", client.name());
        client.close().await.expect("closed");
        let lost = find(&mut events, |event| match event {
            Event::ClientLost { client, name, .. } => Some((client, name)),
            _ => None,
        });
        assert_eq!(lost.await, (client.id(), client.name().to_owned()));
        let gone = format!("vm://{}?create=false", client.name());
        assert_eq!(flockmq::connect(&gone).await.map(drop), Err(Error::NoBroker(client.name().into())));
    }
    close_all(brokers).await;
}

#[tokio::test]
async fn brokers_are_discovered_and_fanned_out_to() {
    let port = {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.local_addr().expect("its address").port()
    };
    let on_loopback = |mut config: Config| {
        let multicast = config.multicast.get_or_insert_default();
        multicast.port = port;
        multicast.interface = Some("127.0.0.1".into());
        "found".clone_into(&mut config.group);
        config
    };
    let client = connect(on_loopback(client_config(&[], 2))).await;
    let sending = tokio::spawn({
        let client = client.clone();
        async move { client.send("topic://t", "whoever is there").await }
    });
    let mut brokers = Vec::new();
    for name in ["found-a", "found-b"] {
        let mut config = on_loopback(Config::broker("found", name));
        config.listen = Some("tcp://127.0.0.1:0".parse().expect("an address"));
        brokers.push(connect(config).await);
    }
    let outcome = sending.await.expect("no panic").expect("accepted");
    assert_eq!(names(&outcome), BTreeSet::from(["found-a", "found-b"]));
    for broker in &brokers {
        assert_eq!(broker.peers(), [], "stand-alone brokers bridge to nobody");
    }
    closes_at_once(client).await;
    close_all(brokers).await;
}

#[tokio::test]
async fn a_broker_says_where_it_listens() {
    let (brokers, [address]) = brokers(["listen-a"]).await;
    assert!(address.ip().is_loopback() && address.port() != 0);
    assert_eq!(brokers[0].listening().await, Ok(vec![address]), "also later");
    let alone = connect(Config::alone("listen-c")).await;
    let client = connect(client_config(&[address], 1)).await;
    assert_eq!((alone.listening().await, client.listening().await), (Ok(Vec::new()), Ok(Vec::new())));
    client.close().await.expect("closed");
    assert_eq!(client.listening().await, Err(Error::Closed));
    close_all(brokers.into_iter().chain([alone])).await;
}

/// Both brokers keep what is sent while the client is away; it is handed out once, and they are both told.
#[tokio::test]
async fn a_durable_subscription_is_kept_by_every_broker_and_deleted_on_all() {
    let (brokers, addresses) = brokers(["durable-a", "durable-b"]).await;
    let options = SubscribeOptions::default().durable("client", "audit").expect("names");
    let client = connect(client_config(&addresses, 2)).await;
    let consumer = client.subscribe_with("topic://t", options.clone()).await.expect("subscribed");
    consumer.close().await.expect("closed");
    client.send("topic://t", "to both").await.expect("accepted");
    for broker in &brokers {
        assert_eq!(broker.stats().await.expect("counts").broker.kept, 1);
        let in_place = broker.unsubscribe_durable("client", "other").await;
        assert!(matches!(in_place, Err(Error::Refused(Refusal::DurableUnknown(_)))));
    }
    let mut consumer = client.subscribe_with("topic://t", options).await.expect("subscribed");
    assert_eq!(next_text(&mut consumer).await, "to both");
    assert!(is_quiet(&mut consumer).await, "the other copy is recognised");
    let in_use = client.unsubscribe_durable("client", "audit").await;
    assert!(matches!(in_use, Err(Error::Refused(Refusal::DurableInUse(_)))), "{in_use:?}");
    consumer.close().await.expect("closed");
    assert_eq!(client.unsubscribe_durable("client", "audit").await, Ok(()));
    for broker in &brokers {
        let stats = broker.stats().await.expect("counts").broker;
        assert_eq!((stats.durables, stats.kept), (0, 0));
    }
    let gone = client.unsubscribe_durable("client", "audit").await;
    assert!(matches!(gone, Err(Error::Refused(Refusal::DurableUnknown(_)))), "{gone:?}");
    close_all(brokers.into_iter().chain([client])).await;
}
