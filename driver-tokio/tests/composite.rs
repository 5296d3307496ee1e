//! Several destinations at once, asked for by the async API.

use std::collections::BTreeSet;
use std::time::Duration;

use flockmq::core::WhenFull;
use flockmq::{AckMode, Config, Connection, Consumer, Error, Message, Refusal, SubscribeOptions};

const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(config: Config) -> Connection {
    flockmq::connect_with(config).await.expect("connected").with_timeout(PATIENCE)
}

/// A broker that serves clients, and a client of it.
async fn served(test: &str) -> (Connection, Connection) {
    let mut config = Config::broker("composite", test);
    config.listen = Some("tcp://127.0.0.1:0".parse().expect("an address"));
    config.multicast = None;
    let broker = connect(config).await;
    let address = broker.listening().await.expect("it listens")[0];
    let uri = format!("fanout:(static:(tcp://{address}))?minAckCount=1");
    (broker, flockmq::connect(&uri).await.expect("connected").with_timeout(PATIENCE))
}

/// What a consumer is handed next, and where that was sent.
async fn next(consumer: &mut Consumer) -> (String, String) {
    let delivery = consumer.next_timeout(PATIENCE).await.expect("in time").expect("open");
    let found = (delivery.text().expect("text").to_owned(), delivery.destination().to_string());
    delivery.ack().await.expect("outstanding");
    found
}

#[tokio::test]
async fn a_message_is_sent_to_all_and_one_consumer_takes_from_all() {
    for (broker, connection) in
        [served("sent-to-all").await, (connect(Config::alone("a")).await, connect(Config::alone("a2")).await)]
    {
        let mut log = connection.subscribe("topic://log").await.expect("subscribed");
        let options = SubscribeOptions { ack: AckMode::Individual, prefetch: Some(1), ..SubscribeOptions::default() };
        let mut all =
            connection.subscribe_with("topic://log, queue://orders, queue://audit", options).await.expect("subscribed");
        let producer = connection.producer("orders,topic://log,orders").await.expect("a producer");
        assert_eq!(producer.destination().to_string(), "queue://orders,topic://log");
        for text in ["1", "2"] {
            producer.send(text).await.expect("accepted");
        }
        connection.send("audit", "3").await.expect("accepted");
        let mut taken = BTreeSet::new();
        for _ in 0..5 {
            assert!(taken.insert(next(&mut all).await));
        }
        let pairs = [
            ("1", "queue://orders"),
            ("1", "topic://log"),
            ("2", "queue://orders"),
            ("2", "topic://log"),
            ("3", "queue://audit"),
        ];
        let expected: BTreeSet<(String, String)> = pairs.map(|(text, at)| (text.to_owned(), at.to_owned())).into();
        assert_eq!(taken, expected);
        assert_eq!([next(&mut log).await.0, next(&mut log).await.0], ["1", "2"]);
        connection.close().await.expect("closed");
        broker.close().await.expect("closed");
    }
}

#[tokio::test]
async fn a_message_is_accepted_once_every_destination_has_room_for_it() {
    let mut config = Config::alone("room");
    config.broker.queue_bytes_max = 1;
    let connection = connect(config).await;
    connection.send("full", "before").await.expect("the first finds room");
    let mut log = connection.subscribe("topic://log").await.expect("subscribed");
    let producer = connection.producer("full,topic://log").await.expect("a producer");
    let mut receipt = Box::pin(producer.enqueue("x").await.expect("room to send"));
    assert_eq!(next(&mut log).await.0, "x", "whoever has room has it");
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut receipt).await.is_err(), "but not all have");
    let mut queue = connection.subscribe("full").await.expect("subscribed");
    assert_eq!([next(&mut queue).await.0, next(&mut queue).await.0], ["before", "x"]);
    receipt.await.expect("accepted");
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn a_destination_where_nothing_may_wait_refuses_it_for_all() {
    let mut config = Config::alone("no-wait");
    config.broker.queue_bytes_max = 1;
    config.broker.policies.default.when_full = WhenFull::Refuse;
    let connection = connect(config).await;
    connection.send("full", "before").await.expect("the first finds room");
    let mut log = connection.subscribe("topic://log").await.expect("subscribed");
    let refused = connection.send("full,topic://log", "x").await;
    assert!(matches!(refused, Err(Error::Refused(Refusal::DestinationFull { .. }))), "{refused:?}");
    connection.send("free,topic://log", "y").await.expect("accepted");
    assert_eq!(next(&mut log).await.0, "y");
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn what_one_destination_refuses_none_has_taken() {
    let mut config = Config::alone("refused");
    (config.broker.composite_max, config.broker.destinations_max) = (3, 2);
    let connection = connect(config).await;
    let refusal = |error| match error {
        Error::Refused(refusal) => refusal,
        other => panic!("{other}"),
    };
    let many = refusal(connection.producer("a,b,c,d").await.expect_err("one too many"));
    assert_eq!(many, Refusal::TooManyDestinations { found: 4, max: 3 });
    assert_eq!(refusal(connection.subscribe("a,b,c,d").await.expect_err("one too many")), many);
    let pattern = refusal(connection.send("a,topic://b.>", "x").await.expect_err("a pattern"));
    assert_eq!(pattern, Refusal::IsPattern("topic://b.>".parse().expect("valid")));
    connection.send("a,b,topic://c", "x").await.expect_err("there is room for two");
    assert_eq!(connection.stats().await.expect("counts").broker.accepted, 0);
    connection.send("a,b", "y").await.expect("accepted");

    let mut transaction = connection.transaction().await.expect("begun");
    transaction.send("a,b", Message::text("z")).await.expect("held");
    assert!(matches!(transaction.send("a,b,c,d", "x").await, Err(Error::Refused(refusal)) if refusal == many));
    transaction.commit().await.expect("committed");
    let mut both = connection.subscribe("a,b").await.expect("subscribed");
    let mut taken = Vec::new();
    for _ in 0..4 {
        taken.push(next(&mut both).await.0);
    }
    taken.sort();
    assert_eq!(taken, ["y", "y", "z", "z"]);
    connection.close().await.expect("closed");
}
