//! What a broker does where there is no room, as the async API tells of it.

use std::time::Duration;

use flockmq::core::{DestinationPolicy, PolicyEntry, SlowConsumers, WhenFull};
use flockmq::{Config, Connection, Error, Refusal, SubscribeOptions};

const PATIENCE: Duration = Duration::from_secs(20);

/// A broker that serves clients and treats `destination` so, and a client of it.
async fn served(test: &str, destination: &str, policy: DestinationPolicy) -> (Connection, Connection) {
    let mut config = Config::broker("limits", test);
    config.listen = Some("tcp://127.0.0.1:0".parse().expect("an address"));
    config.multicast = None;
    config.broker.stalled_after = Duration::from_millis(100);
    let destination = destination.parse().expect("a destination");
    config.broker.policies.entries.push(PolicyEntry { destination, policy });
    let broker = flockmq::connect_with(config).await.expect("connected").with_timeout(PATIENCE);
    let address = broker.listening().await.expect("it listens")[0];
    let uri = format!("fanout:(static:(tcp://{address}))?minAckCount=1");
    (broker, flockmq::connect(&uri).await.expect("connected").with_timeout(PATIENCE))
}

#[tokio::test]
async fn a_slow_consumer_is_ended_and_told_why_wherever_it_is() {
    let policy = DestinationPolicy {
        slow_consumers: SlowConsumers::Disconnect,
        bytes_max: Some(1),
        ..DestinationPolicy::default()
    };
    let (broker, client) = served("slow", "topic://news", policy).await;
    let options = SubscribeOptions { prefetch: Some(1), ..SubscribeOptions::default() };
    for connection in [&broker, &client] {
        let mut slow = connection.subscribe_with("topic://news", options.clone()).await.expect("subscribed");
        let mut quick = broker.subscribe("topic://news").await.expect("subscribed");
        for number in 0..10 {
            broker.send("topic://news", number.to_string()).await.expect("accepted");
            let delivery = quick.next_timeout(PATIENCE).await.expect("in time").expect("open");
            assert_eq!(delivery.text().expect("text"), number.to_string());
        }
        while slow.next_timeout(PATIENCE).await.expect("in time").is_some() {}
        let refusal = slow.refusal().expect("it was ended");
        assert!(matches!(refusal, Refusal::TooSlow { max: 1, .. }), "{refusal}");
        assert!(slow.is_closed() && quick.refusal().is_none());
        slow.close().await.expect("it is");
        quick.close().await.expect("closed");
    }
    assert_eq!(broker.stats().await.expect("counts").broker.ended_slow, 2);
    client.close().await.expect("closed");
    broker.close().await.expect("closed");
}

#[tokio::test]
async fn a_producer_waits_for_room_no_longer_than_its_destination_says() {
    for (test, when_full) in [("refused", WhenFull::Refuse), ("waited", WhenFull::WaitFor(Duration::from_millis(50)))] {
        let policy = DestinationPolicy { when_full, bytes_max: Some(1), ..DestinationPolicy::default() };
        let (broker, client) = served(test, "queue://narrow", policy).await;
        broker.send("narrow", "first").await.expect("accepted");
        match broker.send("narrow", "second").await {
            Err(Error::Refused(Refusal::DestinationFull { max: 1, .. })) => (),
            other => panic!("{other:?}"),
        }
        match client.send("narrow", "third").await {
            Err(Error::NotAccepted { answers, .. }) => {
                let refusal = answers[0].result.as_ref().expect_err("a refusal");
                assert!(matches!(refusal, Refusal::DestinationFull { max: 1, .. }), "{refusal}");
            }
            other => panic!("{other:?}"),
        }
        let mut consumer = client.subscribe("narrow").await.expect("subscribed");
        let delivery = consumer.next_timeout(PATIENCE).await.expect("in time").expect("open");
        assert_eq!(delivery.text().expect("text"), "first");
        drop(delivery);
        consumer.close().await.expect("closed");
        broker.send("narrow", "fourth").await.expect("there is room again");
        client.close().await.expect("closed");
        broker.close().await.expect("closed");
    }
}

#[tokio::test]
async fn an_idle_destination_is_forgotten_and_its_producer_goes_on() {
    let forgotten_after = Some(Duration::from_millis(50));
    let policy = DestinationPolicy { forgotten_after, ..DestinationPolicy::default() };
    let (broker, client) = served("idle", "queue://idle", policy).await;
    let producers =
        [broker.producer("idle").await, client.producer("idle").await].map(|producer| producer.expect("one"));
    for (producer, forgotten) in producers.iter().zip(1..) {
        producer.send("one").await.expect("accepted");
        broker.broker().purge("idle").await.expect("answers");
        while broker.stats().await.expect("counts").broker.forgotten < forgotten {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        producer.send("another").await.expect("accepted");
        assert_eq!(broker.stats().await.expect("counts").broker.queued, 1);
        broker.broker().purge("idle").await.expect("answers");
    }
    client.close().await.expect("closed");
    broker.close().await.expect("closed");
}
