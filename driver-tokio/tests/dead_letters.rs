//! What an application gives back, rejects or comes too late for.

use std::time::Duration;

use flockmq::core::BrokerConfig;
use flockmq::{AckMode, Config, Connection, Consumer, Delivery, Message, SubscribeOptions, Value};

/// Longer than anything here takes, shorter than anybody wants to wait for a hang.
const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(name: &str, change: impl FnOnce(&mut BrokerConfig)) -> Connection {
    let mut config = Config::alone(name);
    change(&mut config.broker);
    flockmq::connect_with(config).await.expect("connected").with_timeout(PATIENCE)
}

async fn subscribe(connection: &Connection, destination: &str) -> Consumer {
    let options = SubscribeOptions { ack: AckMode::Individual, ..SubscribeOptions::default() };
    connection.subscribe_with(destination, options).await.expect("subscribed")
}

async fn next(consumer: &mut Consumer) -> Delivery {
    consumer.next_timeout(PATIENCE).await.expect("in time").expect("open")
}

#[tokio::test]
async fn a_rejected_message_is_found_among_the_dead_letters() {
    let connection = connect("rejected", |_| ()).await;
    let mut orders = subscribe(&connection, "queue://orders").await;
    connection.send("queue://orders", "42").await.expect("accepted");
    let delivery = next(&mut orders).await;
    let id = delivery.id();
    delivery.reject().expect("open");
    let dead = next(&mut subscribe(&connection, "queue://ActiveMQ.DLQ").await).await;
    assert_eq!((dead.id(), dead.text()), (id, Ok("42")));
    assert_eq!(dead.property("originalDestination"), Some(&Value::Text("queue://orders".into())));
    assert_eq!(connection.stats().await.expect("running").broker.failed_queued, 1);
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn a_message_given_back_comes_again_and_is_a_dead_letter_in_the_end() {
    let connection = connect("given-back", |broker| {
        let policy = &mut broker.policies.default.redelivery;
        policy.redeliveries_max = Some(1);
        policy.first_delay = Duration::from_millis(50);
    })
    .await;
    let mut orders = subscribe(&connection, "queue://orders").await;
    connection.send("queue://orders", "42").await.expect("accepted");
    next(&mut orders).await.release().expect("open");
    let early = orders.next_timeout(Duration::from_millis(10)).await;
    assert!(early.is_err(), "it waits before it comes again: {early:?}");
    let again = next(&mut orders).await;
    assert_eq!(again.redeliveries(), 1);
    again.release().expect("open");
    let dead = next(&mut subscribe(&connection, "queue://ActiveMQ.DLQ").await).await;
    assert_eq!((dead.text(), dead.redeliveries()), (Ok("42"), 0));
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn a_message_whose_time_is_up_is_not_delivered_but_kept() {
    let connection = connect("expired", |_| ()).await;
    let message = Message::text("42").time_to_live(Duration::from_millis(20));
    connection.send("queue://orders", message).await.expect("accepted");
    tokio::time::sleep(Duration::from_millis(30)).await;
    connection.send("queue://orders", "43").await.expect("accepted");
    assert_eq!(next(&mut subscribe(&connection, "queue://orders").await).await.text(), Ok("43"));
    let dead = next(&mut subscribe(&connection, "queue://ActiveMQ.DLQ").await).await;
    assert_eq!((dead.text(), dead.time_to_live()), (Ok("42"), None));
    assert_eq!(connection.stats().await.expect("running").broker.expired, 1);
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn what_waits_in_a_prefetch_until_its_time_is_up_is_not_handed_to_the_application() {
    for ack in [AckMode::Auto, AckMode::Client, AckMode::DupsOk, AckMode::Individual] {
        let connection = connect(&format!("prefetched-{ack:?}"), |_| ()).await;
        let options = SubscribeOptions { ack, ..SubscribeOptions::default() };
        let mut orders = connection.subscribe_with("queue://orders", options).await.expect("subscribed");
        let short = || Message::text("short").time_to_live(Duration::from_millis(50));
        for message in [Message::text("first"), short(), short(), Message::text("last")] {
            connection.send("queue://orders", message).await.expect("accepted");
        }
        let first = next(&mut orders).await;
        assert_eq!(first.text(), Ok("first"));
        first.ack().await.expect("outstanding");
        tokio::time::sleep(Duration::from_millis(60)).await;
        let last = next(&mut orders).await;
        assert_eq!(last.text(), Ok("last"), "{ack:?}");
        last.ack().await.expect("outstanding");
        let mut dead = subscribe(&connection, "queue://ActiveMQ.DLQ").await;
        for _ in 0..2 {
            let cause = Some(&Value::Text("its time was up".into()));
            assert_eq!(next(&mut dead).await.property("dlqDeliveryFailureCause"), cause, "{ack:?}");
        }
        orders.close().await.expect("closed");
        let stats = connection.stats().await.expect("running").broker;
        assert_eq!((stats.expired_queued, stats.failed_queued, stats.acknowledged_queued), (2, 0, 2), "{ack:?}");
        connection.close().await.expect("closed");
    }
}
