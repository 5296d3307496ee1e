//! What queues do for their consumers, asked for by the async API.

use std::time::Duration;

use flockmq::{
    BrowseOptions, Browser, Config, Connection, ConsumerPriority, Error, Message, Priority, Refusal, SubscribeOptions,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// A broker that is alone, named after the test.
async fn alone(test: &str) -> Connection {
    flockmq::connect(&format!("vm://{test}")).await.expect("connected").with_timeout(PATIENCE)
}

/// A broker that serves clients, and a client of it.
async fn served(test: &str) -> (Connection, Connection) {
    let mut config = Config::broker("queues", test);
    config.listen = Some("tcp://127.0.0.1:0".parse().expect("an address"));
    config.multicast = None;
    let broker = flockmq::connect_with(config).await.expect("connected");
    let address = broker.listening().await.expect("it listens")[0];
    let uri = format!("fanout:(static:(tcp://{address}))?minAckCount=1");
    (broker, flockmq::connect(&uri).await.expect("connected").with_timeout(PATIENCE))
}

/// All that a browser shows, to its end.
async fn shown(browser: &mut Browser) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(message) = tokio::time::timeout(PATIENCE, browser.next()).await.expect("in time") {
        texts.push(message.text().expect("text").to_owned());
    }
    assert!(browser.is_complete());
    texts
}

#[tokio::test]
async fn whoever_browses_sees_all_that_waits_and_takes_nothing() {
    for (broker, connection) in
        [served("browsed").await, (alone("browsed-itself").await, alone("browsed-itself").await)]
    {
        let producer = connection.producer("q").await.expect("a producer");
        // More than is fetched at once.
        for number in 0..1_000_u32 {
            let priority = Priority::try_from(u8::from(number >= 600) * 9).expect("a priority");
            producer.send(Message::text(number.to_string()).priority(priority)).await.expect("accepted");
        }
        let expected: Vec<String> = (600..1_000).chain(0..600).map(|number| number.to_string()).collect();
        for _ in 0..2 {
            let mut browser = connection.browse("q").await.expect("a queue");
            assert_eq!(shown(&mut browser).await, expected);
            assert!(browser.next().await.is_none(), "the end stays");
            browser.close().await.expect("closed");
        }
        assert_eq!(broker.stats().await.expect("counts").broker.queued, 1_000);
        connection.close().await.expect("closed");
        broker.close().await.expect("closed");
    }
}

#[tokio::test]
async fn a_browser_whose_connection_is_closed_ends_before_it_is_complete() {
    let connection = alone("browse-closed").await;
    connection.send("q", "one").await.expect("accepted");
    let mut browser = connection.browse("q").await.expect("a queue");
    connection.close().await.expect("closed");
    assert!(browser.next().await.is_none());
    assert!(!browser.is_complete());
}

#[tokio::test]
async fn only_a_queue_can_be_browsed() {
    let (broker, client) = served("not-browsed").await;
    for connection in [&broker, &client] {
        let refused = connection.browse("topic://t").await.map(drop);
        let topic = "topic://t".parse().expect("a topic");
        assert_eq!(refused, Err(Error::Refused(Refusal::NotBrowsable(topic))));
    }
    client.close().await.expect("closed");
    broker.close().await.expect("closed");
}

#[tokio::test]
async fn consumers_wishes_reach_the_broker_that_they_are_at() {
    let (broker, client) = served("wishes").await;
    let mut plain = broker.subscribe("q").await.expect("subscribed");
    let priority = ConsumerPriority::try_from(1).expect("a priority");
    let options = SubscribeOptions { priority, prefetch: Some(1), ..SubscribeOptions::default() };
    let mut first = client.subscribe_with("q", options).await.expect("subscribed");
    for text in ["1", "2"] {
        broker.send("q", text).await.expect("accepted");
    }
    let next = |taken: Option<flockmq::Delivery>| taken.expect("open").text().expect("text").to_owned();
    assert_eq!(next(first.next_timeout(PATIENCE).await.expect("in time")), "1");
    assert_eq!(next(plain.next_timeout(PATIENCE).await.expect("in time")), "2", "the first has no credit");
    first.close().await.expect("closed");
    let options = SubscribeOptions { exclusive: true, ..SubscribeOptions::default() };
    let mut alone = client.subscribe_with("q", options).await.expect("subscribed");
    for text in ["3", "4"] {
        broker.send("q", text).await.expect("accepted");
        assert_eq!(next(alone.next_timeout(PATIENCE).await.expect("in time")), text);
    }
    client.close().await.expect("closed");
    broker.close().await.expect("closed");
}

#[tokio::test]
async fn a_selector_chooses_what_is_taken_and_shown_here_and_at_a_broker() {
    for (broker, connection) in [served("chosen").await, (alone("chosen-itself").await, alone("chosen-itself").await)] {
        for (text, weight) in [("feather", 0.1), ("anvil", 40.0), ("book", 0.5), ("piano", 300.0)] {
            let message = Message::text(text).property("weight", weight).expect("a property");
            connection.send("q", message).await.expect("accepted");
        }
        let options = BrowseOptions::default().selector("weight < 1 AND JMSXDeliveryCount = 1").expect("a selector");
        let mut browser = connection.browse_with("q", options).await.expect("a queue");
        assert_eq!(shown(&mut browser).await, ["feather", "book"]);
        let options = SubscribeOptions::default().selector("weight > 1").expect("a selector");
        let mut strong = connection.subscribe_with("q", options).await.expect("subscribed");
        let mut taken = Vec::new();
        for _ in 0..2 {
            let delivery = strong.next_timeout(PATIENCE).await.expect("in time").expect("open");
            taken.push(delivery.text().expect("text").to_owned());
        }
        assert_eq!(taken, ["anvil", "piano"]);
        let any = SubscribeOptions::default().selector("").expect("none");
        let mut rest = connection.subscribe_with("q", any).await.expect("subscribed");
        let next = rest.next_timeout(PATIENCE).await.expect("in time").expect("open");
        assert_eq!(next.text(), Ok("feather"));
        connection.close().await.expect("closed");
        broker.close().await.expect("closed");
    }
    let fault: Error =
        SubscribeOptions::default().selector("weight IN (1)").expect_err("numbers are in no list").into();
    let expected = r#"selector "weight IN (1)": expected text in single quotes at column 12, found "1""#;
    assert_eq!(fault.to_string(), expected);
}
