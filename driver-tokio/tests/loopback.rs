//! Whole brokers over real sockets, on loopback alone; every test has a group and a port of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use flockmq::{
    AckMode, Builder, Config, Connection, Error, Event, History, Message, Outcome, Refusal, SubscribeOptions,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A UDP port that nobody uses.
fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("its address").port()
}

fn config(group: &str, name: &str, port: u16) -> Config {
    let mut config = Config::peer(group, name);
    config.listen = Some("tcp://127.0.0.1:0".parse().expect("an address"));
    let multicast = config.multicast.as_mut().expect("peers discover");
    multicast.port = port;
    multicast.interface = Some("127.0.0.1".into());
    config
}

async fn connect(config: Config) -> Connection {
    Builder::new(config).timeout(PATIENCE).connect().await.expect("connected")
}

/// Two peers that are ready, in a group named after the test.
async fn pair(test: &str) -> (Connection, Connection) {
    let port = free_port();
    let a = connect(config(test, &format!("{test}-a"), port)).await;
    let b = connect(config(test, &format!("{test}-b"), port)).await;
    a.ready(1).await.expect("a sees b");
    b.ready(1).await.expect("b sees a");
    (a, b)
}

async fn next_text(consumer: &mut flockmq::Consumer) -> String {
    let delivery = consumer.next_timeout(PATIENCE).await.expect("in time").expect("open");
    delivery.text().expect("text").to_owned()
}

/// Until a peer knows of demand that came after it was ready, what is sent to a topic reaches nobody there.
async fn send_until_heard(from: &Connection, destination: &str, consumer: &mut flockmq::Consumer) {
    for _ in 0..200 {
        from.send(destination, "knock").await.expect("accepted");
        if consumer.next_timeout(Duration::from_millis(50)).await.is_ok() {
            while consumer.next_timeout(Duration::from_millis(50)).await.is_ok() {}
            return;
        }
    }
    panic!("nothing sent to {destination} was heard");
}

#[tokio::test]
async fn peers_exchange_topic_and_queue_messages_in_order() {
    let (a, b) = pair("exchange").await;
    let mut log = b.subscribe("topic://log.>").await.expect("subscribed");
    send_until_heard(&a, "topic://log.seq", &mut log).await;
    let producer = a.producer("topic://log.seq").await.expect("a producer");
    for number in 0..1000 {
        producer.enqueue(Message::text(number.to_string())).await.expect("room");
    }
    producer.flush().await.expect("accepted");
    for number in 0..1000 {
        assert_eq!(next_text(&mut log).await, number.to_string());
    }

    for number in 0..100 {
        a.send("queue://work", number.to_string()).await.expect("accepted");
    }
    let mut work = b.subscribe("work").await.expect("subscribed"); // After they were sent.
    for number in 0..100 {
        assert_eq!(next_text(&mut work).await, number.to_string());
    }
    assert_eq!(work.try_next().map(|delivery| delivery.id()), None);
    a.close().await.expect("closed");
    b.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn large_messages_cross_both_ways_at_once() {
    let (a, b) = pair("large").await;
    let mut at_a = a.subscribe("queue://to-a").await.expect("subscribed");
    let mut at_b = b.subscribe("queue://to-b").await.expect("subscribed");
    let payload = |number: u8| vec![number; 300_000];
    let (to_a, to_b) = (b.producer("to-a").await.expect("made"), a.producer("to-b").await.expect("made"));
    let sending = async {
        for number in 0..50 {
            to_a.enqueue(payload(number)).await.expect("room");
            to_b.enqueue(payload(number)).await.expect("room");
        }
        to_a.flush().await.and(to_b.flush().await)
    };
    let receiving = async {
        for number in 0..50 {
            for consumer in [&mut at_a, &mut at_b] {
                let delivery = consumer.next_timeout(PATIENCE).await.expect("in time").expect("open");
                assert!(delivery.data().len() == 300_000 && delivery.data().iter().all(|byte| *byte == number));
            }
        }
    };
    let (sent, ()) = tokio::join!(sending, receiving);
    sent.expect("accepted");
    a.close().await.expect("closed");
    b.close().await.expect("closed");
}

#[tokio::test]
async fn groups_on_one_port_do_not_exchange_anything() {
    let port = free_port();
    let a = connect(config("apart-1", "apart-a", port)).await;
    let b = connect(config("apart-2", "apart-b", port)).await;
    let c = connect(config("apart-1", "apart-c", port)).await;
    a.ready(1).await.expect("a sees c");
    let mut heard = b.subscribe("topic://x").await.expect("subscribed");
    let mut other = c.subscribe("topic://x").await.expect("subscribed");
    send_until_heard(&a, "topic://x", &mut other).await;
    assert_eq!(b.peers(), []);
    assert!(heard.try_next().is_none());
    let no_peer = b.clone().with_timeout(Duration::from_millis(50)).ready(1).await;
    assert!(matches!(no_peer, Err(Error::TimedOut { .. })), "{no_peer:?}");
    for connection in [a, b, c] {
        connection.close().await.expect("closed");
    }
}

#[tokio::test]
async fn a_closed_connection_refuses_everything_and_ends_every_wait() {
    let config = Config::alone("closed");
    let connection = connect(config).await;
    let producer = connection.producer("queue://q").await.expect("a producer");
    let mut consumer = connection.subscribe("queue://nothing").await.expect("subscribed");
    let waiting = tokio::spawn(async move { consumer.next().await.is_none() });
    let mut events = connection.events();
    tokio::task::yield_now().await;
    connection.close().await.expect("closed");
    assert!(waiting.await.expect("no panic"), "the consumer ends");
    assert_eq!(events.next().await, None);
    assert_eq!(producer.send("late").await, Err(Error::Closed));
    assert_eq!(producer.enqueue("late").await.map(|receipt| receipt.sequence()), Err(Error::Closed));
    assert_eq!(connection.send("queue://q", "late").await, Err(Error::Closed));
    assert_eq!(connection.subscribe("queue://q").await.map(drop), Err(Error::Closed));
    assert_eq!(connection.ready(1).await, Err(Error::Closed));
    assert_eq!(connection.stats().await, Err(Error::Closed));
    assert_eq!(connection.close().await, Ok(()));
    assert!(connection.is_closed());
}

#[tokio::test]
async fn a_name_belongs_to_one_group_and_set_of_options_while_it_is_in_use() {
    let port = free_port();
    let first = connect(config("clash-1", "clash", port)).await;
    let second = connect(config("clash-1", "clash", port)).await;
    assert_eq!(first.id(), second.id(), "the same options share the broker");

    let error = Builder::new(config("clash-2", "clash", port)).connect().await.expect_err("another group").to_string();
    assert!(error.contains("'clash'") && error.contains("'clash-1'") && error.contains("'clash-2'"), "{error}");
    let error = Builder::new(config("clash-1", "clash", port + 1)).connect().await.expect_err("other options");
    assert!(error.to_string().contains("other options"), "{error}");

    let attached = flockmq::connect("vm://clash?create=false").await.expect("it is there");
    assert_eq!(attached.id(), first.id());
    first.close().await.expect("closed");
    second.send("queue://q", "still up").await.expect("two connections are left");
    second.close().await.expect("closed");
    attached.close().await.expect("closed");
    let gone = flockmq::connect("vm://clash?create=false").await.map(drop);
    assert_eq!(gone, Err(Error::NoBroker("clash".into())));
    let again = connect(config("clash-2", "clash", port)).await;
    again.close().await.expect("closed");
}

#[tokio::test]
async fn a_broker_that_can_t_listen_where_it_was_told_to_is_not_started() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = holder.local_addr().expect("its address");
    let uri = format!("peer://taken/taken?discovery.interface=127.0.0.1&transportConnectorURIs=tcp://{address}");
    let (first, second) = tokio::join!(flockmq::connect(&uri), flockmq::connect(&uri));
    for error in [first, second].map(|connection| connection.expect_err("somebody else is there")) {
        assert!(matches!(&error, Error::NotListening { at, .. } if *at == address.into()), "{error:?}");
        assert!(error.to_string().starts_with(&format!("can't listen at tcp://{address}: ")), "{error}");
    }
    let gone = flockmq::connect("vm://taken?create=false").await.map(drop);
    assert_eq!(gone, Err(Error::NoBroker("taken".into())), "nothing is left of it");

    let elsewhere = uri.replace(&address.to_string(), "192.0.2.1:0"); // An address that no interface has.
    assert!(
        matches!(flockmq::connect(&elsewhere).await, Err(Error::NotListening { .. })),
        "any port, but of that host"
    );

    drop(holder);
    let connection = flockmq::connect(&uri).await.expect("the port is free");
    assert_eq!(connection.listening().await, Ok(vec![address]));
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn connections_without_a_name_share_the_broker_of_their_options() {
    let port = free_port();
    let first = connect(config("unnamed", "", port)).await;
    let second = connect(config("unnamed", "", port)).await;
    let other = connect(config("unnamed-2", "", port)).await;
    assert_eq!(first.id(), second.id());
    assert_ne!(first.id(), other.id());
    assert!(first.name().starts_with("peer-") && first.name().len() == 13, "{}", first.name());
    for connection in [first, second, other] {
        connection.close().await.expect("closed");
    }
}

#[tokio::test]
async fn a_vm_connection_may_wait_for_somebody_else_to_start_the_broker() {
    let waiting = tokio::spawn(flockmq::connect("vm://awaited?create=false&waitForStart=20000"));
    tokio::time::sleep(Duration::from_millis(20)).await;
    let first = connect(Config::alone("awaited")).await;
    let second = waiting.await.expect("no panic").expect("connected");
    assert_eq!(first.id(), second.id());
    first.close().await.expect("closed");
    second.close().await.expect("closed");
    let gone = flockmq::connect("vm://awaited?create=false&waitForStart=10").await.map(drop);
    assert_eq!(gone, Err(Error::NoBroker("awaited".into())));
}

#[tokio::test]
async fn what_was_not_acknowledged_goes_to_the_next_consumer() {
    let connection = connect(Config::alone("redeliver")).await;
    let individual = SubscribeOptions { ack: AckMode::Individual, prefetch: Some(10), ..SubscribeOptions::default() };
    let mut first = connection.subscribe_with("queue://q", individual).await.expect("subscribed");
    for text in ["a", "b", "c", "d"] {
        connection.send("queue://q", text).await.expect("accepted");
    }
    let a = first.next().await.expect("a");
    let b = first.next().await.expect("b");
    assert_eq!((a.text(), b.text(), b.redelivered()), (Ok("a"), Ok("b"), false));
    b.ack().await.expect("open");
    first.close().await.expect("closed");
    assert_eq!(a.ack().await, Err(Error::Closed));

    let mut second = connection.subscribe("queue://q").await.expect("subscribed");
    let found: Vec<(String, bool)> = {
        let mut found = Vec::new();
        for _ in 0..3 {
            let delivery = second.next_timeout(PATIENCE).await.expect("in time").expect("open");
            found.push((delivery.text().expect("text").to_owned(), delivery.redelivered()));
        }
        found
    };
    assert_eq!(found, [("a".into(), true), ("c".into(), false), ("d".into(), false)]);
    second.close().await.expect("closed"); // In automatic mode this acknowledges all three.
    let mut third = connection.subscribe("queue://q").await.expect("subscribed");
    assert!(third.next_timeout(Duration::from_millis(50)).await.is_err());
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn a_released_delivery_comes_again() {
    let connection = connect(Config::alone("release")).await;
    let mut consumer = connection.subscribe("queue://q").await.expect("subscribed");
    for text in ["a", "b"] {
        connection.send("queue://q", text).await.expect("accepted");
    }
    consumer.next().await.expect("a").release().expect("open");
    let mut found = BTreeSet::new();
    while found.len() < 2 {
        found.insert(next_text(&mut consumer).await);
    }
    assert_eq!(found, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn a_durable_subscription_waits_for_its_consumer_and_is_deleted_without_one() {
    let connection = connect(Config::alone("durable")).await;
    let options = SubscribeOptions::default().durable("client", "audit").expect("names");
    let mut first = connection.subscribe_with("topic://t", options.clone()).await.expect("subscribed");
    connection.send("topic://t", "a").await.expect("accepted");
    assert_eq!(next_text(&mut first).await, "a");
    let in_use = connection.subscribe_with("topic://t", options.clone()).await.expect_err("in use");
    let expected = "refused: the durable subscription 'client/audit' is in use; it can have one consumer at a time, and be \
                    deleted without one";
    assert_eq!(in_use.to_string(), expected);
    assert_eq!(connection.unsubscribe_durable("client", "audit").await, Err(in_use));
    first.close().await.expect("closed");

    connection.send("topic://t", "b").await.expect("accepted");
    let mut second = connection.subscribe_with("topic://t", options.clone()).await.expect("subscribed");
    assert_eq!(next_text(&mut second).await, "b");
    second.close().await.expect("closed");
    assert_eq!(connection.unsubscribe_durable("client", "audit").await, Ok(()));
    let gone = connection.unsubscribe_durable("client", "audit").await.expect_err("gone");
    assert_eq!(gone.to_string(), "refused: there is no durable subscription 'client/audit'");
    assert!(matches!(connection.unsubscribe_durable("", "audit").await, Err(Error::Durable(_))));
    let queue = connection.subscribe_with("queue://q", options).await.map(drop).expect_err("a queue");
    assert!(matches!(queue, Error::Refused(Refusal::TopicsOnly(_))), "{queue}");
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn a_no_local_consumer_is_not_handed_what_its_own_connection_sends() {
    let name = "no-local";
    let (own, other) = (connect(Config::alone(name)).await, connect(Config::alone(name)).await);
    let options = SubscribeOptions { no_local: true, ..SubscribeOptions::default() };
    let mut consumer = own.subscribe_with("topic://t", options).await.expect("subscribed");
    own.send("topic://t", "mine").await.expect("accepted");
    other.send("topic://t", "theirs").await.expect("accepted");
    assert_eq!(next_text(&mut consumer).await, "theirs");
    own.close().await.expect("closed");
    other.close().await.expect("closed");
}

#[tokio::test]
async fn a_late_consumer_may_ask_for_what_its_topic_remembers() {
    let mut config = Config::alone("late");
    config.broker.policies.default.history = History::Count(2);
    let connection = connect(config).await;
    for text in ["a", "b", "c"] {
        connection.send("topic://t", text).await.expect("accepted");
    }
    let retained = Message::text("kept").property("ActiveMQ.Retain", true).expect("a property");
    connection.send("topic://t", retained).await.expect("accepted");
    let options = SubscribeOptions { retroactive: true, ..SubscribeOptions::default() };
    let mut late = connection.subscribe_with("topic://t", options).await.expect("subscribed");
    let first = late.next_timeout(PATIENCE).await.expect("in time").expect("open");
    assert_eq!((first.text(), first.property("ActiveMQ.Retained")), (Ok("kept"), Some(&true.into())));
    assert_eq!([next_text(&mut late).await, next_text(&mut late).await], ["b", "c"]);
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn an_automatic_consumer_takes_more_than_its_prefetch() {
    let connection = connect(Config::alone("prefetch")).await;
    let options = SubscribeOptions { prefetch: Some(1), ..SubscribeOptions::default() };
    let mut narrow = connection.subscribe_with("queue://q", options).await.expect("subscribed");
    let producer = connection.producer("queue://q").await.expect("a producer");
    for number in 0..50 {
        producer.enqueue(number.to_string()).await.expect("room");
    }
    for number in 0..50 {
        assert_eq!(next_text(&mut narrow).await, number.to_string());
    }
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn refused_messages_and_subscriptions_say_why() {
    let mut config = Config::alone("refuse");
    config.broker.message_max = 1000;
    let connection = connect(config).await;
    let refused = connection.producer("topic://a.*").await.map(drop);
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    assert!(matches!(connection.subscribe("queue://").await.map(drop), Err(Error::Destination(_))));
    let producer = connection.producer("queue://q").await.expect("a producer");
    let large = producer.enqueue(vec![0; 2000]).await.expect("room");
    let small = producer.enqueue("small").await.expect("room");
    assert!(matches!(large.await, Err(Error::Refused(_))));
    assert_eq!(small.await, Ok(Outcome::default()), "embedded brokers are not named");
    assert!(matches!(producer.flush().await, Err(Error::Refused(_))));
    assert_eq!(producer.flush().await, Ok(()));
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn events_tell_of_peers_that_come_and_leave() {
    let port = free_port();
    let a = connect(config("events", "events-a", port)).await;
    let mut events = a.events();
    let b = connect(config("events", "events-b", port)).await;
    a.ready(1).await.expect("a sees b");
    let peers = a.peers();
    assert_eq!(peers.iter().map(|peer| (peer.broker, peer.name.as_str())).collect::<Vec<_>>(), [(b.id(), "events-b")]);
    let b_id = b.id();
    drop(b); // Dropping the last handle stops it too.
    let (mut is_up, mut is_lost) = (false, false);
    while !is_lost {
        match events.next_timeout(PATIENCE).await.expect("in time").expect("running") {
            Event::PeerUp { broker, .. } => is_up |= broker == b_id,
            Event::PeerLost { broker, reason, .. } => {
                is_lost = broker == b_id;
                assert_eq!(reason, flockmq::CloseReason::Leaving);
            }
            _ => (),
        }
    }
    assert!(is_up);
    assert_eq!(a.peers(), []);
    a.close().await.expect("closed");
}

#[tokio::test]
async fn a_consumer_that_is_dropped_gives_back_what_it_was_busy_with_and_nothing_before() {
    let connection = connect(Config::alone("dropped")).await;
    for text in ["a", "b", "c", "d"] {
        connection.send("queue://q", text).await.expect("accepted");
    }
    let mut consumer = connection.subscribe("queue://q").await.expect("subscribed");
    assert_eq!((next_text(&mut consumer).await, next_text(&mut consumer).await), ("a".into(), "b".into()));
    drop(consumer);
    let mut consumer = connection.subscribe("queue://q").await.expect("subscribed");
    let b = consumer.next_timeout(PATIENCE).await.expect("in time").expect("open");
    assert_eq!((b.text(), b.redelivered()), (Ok("b"), true));
    assert_eq!((next_text(&mut consumer).await, next_text(&mut consumer).await), ("c".into(), "d".into()));
    connection.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn many_tasks_share_a_connection() {
    let connection = connect(Config::alone("tasks")).await;
    let mut consumer = connection.subscribe("queue://q").await.expect("subscribed");
    let tasks: Vec<_> = (0..20)
        .map(|task| {
            let connection = connection.clone();
            tokio::spawn(async move {
                for number in 0..50 {
                    connection.send("queue://q", format!("{task}-{number}")).await.expect("accepted");
                }
            })
        })
        .collect();
    let mut found = BTreeSet::new();
    while found.len() < 1000 {
        assert!(found.insert(next_text(&mut consumer).await), "nothing comes twice");
    }
    for task in tasks {
        task.await.expect("no panic");
    }
    connection.close().await.expect("closed");
}

#[test]
fn a_runtime_that_goes_leaves_errors_behind_and_no_name() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let first = runtime();
    let connection = first.block_on(connect(Config::alone("orphan")));
    let producer = first.block_on(connection.producer("queue://q")).expect("a producer");
    drop(first);
    let second = runtime();
    second.block_on(async {
        assert_eq!(producer.send("x").await, Err(Error::Closed));
        assert_eq!(connection.subscribe("queue://q").await.map(drop), Err(Error::Closed));
        let mut other = Config::alone("orphan");
        other.broker.queue_prefetch = 1;
        let again = connect(other).await;
        connection.close().await.expect("closing what is gone is fine");
        again.send("queue://q", "x").await.expect("the new broker of the name is not the old one's to stop");
        again.close().await.expect("closed");
    });
    let outside = std::pin::pin!(flockmq::connect("vm://nowhere"));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(matches!(outside.poll(&mut context), std::task::Poll::Ready(Err(Error::NoRuntime))));
}

/// Answers each request with its text in capitals, until its connection is closed.
fn answer_all(connection: &Connection, mut requests: flockmq::Consumer) -> tokio::task::JoinHandle<()> {
    let connection = connection.clone();
    tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            let answer = request.text().expect("text").to_uppercase();
            connection.reply(&request, answer).await.expect("somebody waits");
        }
    })
}

#[tokio::test]
async fn each_request_gets_its_own_reply_from_another_peer() {
    let (a, b) = pair("requests").await;
    let requests = b.subscribe("queue://capitals").await.expect("subscribed");
    let answering = answer_all(&b, requests);
    let asked = (0..50).map(|number| {
        let a = a.clone();
        tokio::spawn(async move {
            let reply = a.request("queue://capitals", format!("n{number}")).await.expect("answered");
            assert_eq!(reply.text(), Ok(format!("N{number}").as_str()));
        })
    });
    for asked in asked.collect::<Vec<_>>() {
        asked.await.expect("its own");
    }
    let named = Message::text("x").correlation_id("order-7");
    let reply = a.request("queue://capitals", named).await.expect("answered");
    assert_eq!((reply.text(), reply.correlation_id()), (Ok("X"), Some("order-7")));
    assert_eq!(a.late_replies(), 0);
    a.close().await.expect("closed");
    b.close().await.expect("closed");
    answering.await.expect("it ended with its connection");
}

#[tokio::test]
async fn a_request_that_nobody_answers_in_time_is_given_up_and_its_reply_counted() {
    let connection = flockmq::connect("vm://late-replies").await.expect("connected");
    let late = connection.request_timeout("q", "x", Duration::from_millis(50)).await.expect_err("nobody is there");
    assert_eq!(late, Error::TimedOut { what: "waiting for a reply", after: Duration::from_millis(50) });
    let mut requests = connection.subscribe("q").await.expect("subscribed");
    let request = requests.next().await.expect("it waited");
    for _ in 0..2 {
        connection.reply(&request, "late").await.expect("accepted");
    }
    let request = Message::text("x").correlation_id("one");
    let (asking, answering) = (connection.request("q", request), async {
        let request = requests.next().await.expect("open");
        for reply in ["first", "second"] {
            connection.reply(&request, reply).await.expect("accepted");
        }
    });
    let (reply, ()) = tokio::join!(asking, answering);
    assert_eq!(reply.expect("answered").text(), Ok("first"));
    while connection.late_replies() < 3 {
        tokio::task::yield_now().await;
    }
    let plain = connection.send("q", "asks for nothing").await.map(|_| ());
    assert_eq!(plain, Ok(()));
    let plain = requests.next().await.expect("open");
    assert_eq!(connection.reply(&plain, "x").await, Err(Error::NoReplyTo(plain.id())));
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn a_request_ends_with_its_connection() {
    let connection = flockmq::connect("vm://request-ends").await.expect("connected");
    let asking = tokio::spawn({
        let connection = connection.clone();
        async move { connection.request("q", "x").await.map(|_| ()) }
    });
    let mut requests = connection.subscribe("q").await.expect("subscribed");
    requests.next().await.expect("it asks");
    connection.close().await.expect("closed");
    assert_eq!(asking.await.expect("no panic"), Err(Error::Closed));
}

#[tokio::test]
async fn a_temporary_queue_is_its_connections_own_and_ends_with_it() {
    let (asker, other) = (
        flockmq::connect("vm://temporaries").await.expect("connected"),
        flockmq::connect("vm://temporaries").await.expect("connected"),
    );
    let (queue, topic) = (asker.temporary_queue(), asker.temporary_topic());
    assert_ne!(queue, asker.temporary_queue());
    let mut replies = asker.subscribe(&queue).await.expect("its own");
    asker.subscribe(&topic).await.expect("its own");
    for destination in [&queue, &topic] {
        let stolen = other.subscribe(destination).await.map(|_| ());
        assert_eq!(stolen, Err(Error::Refused(Refusal::NotOwner(destination.clone()))));
    }
    other.send(&queue, "hello").await.expect("accepted");
    assert_eq!(next_text(&mut replies).await, "hello");
    drop(replies);
    asker.close().await.expect("closed");
    let gone = other.send(&queue, "too late").await.map(|_| ());
    assert_eq!(gone, Err(Error::Refused(Refusal::Deleted(queue))));
    other.close().await.expect("closed");
}
