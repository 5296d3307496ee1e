//! Transactions, and other ways to acknowledge, as an application has them.

use std::time::Duration;

use flockmq::core::What;
use flockmq::{AckMode, Config, Connection, Consumer, Delivery, Error, FanoutConfig, Refusal, SubscribeOptions};

/// Longer than anything here takes, shorter than anybody wants to wait for a hang.
const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(name: &str) -> Connection {
    let mut config = Config::alone(name);
    config.broker.policies.default.redelivery.first_delay = Duration::ZERO;
    flockmq::connect_with(config).await.expect("connected").with_timeout(PATIENCE)
}

async fn subscribe(connection: &Connection, destination: &str, ack: AckMode, prefetch: u32) -> Consumer {
    let options = SubscribeOptions { ack, prefetch: Some(prefetch), ..SubscribeOptions::default() };
    connection.subscribe_with(destination, options).await.expect("subscribed")
}

async fn next(consumer: &mut Consumer) -> Delivery {
    consumer.next_timeout(PATIENCE).await.expect("in time").expect("open")
}

/// What waits, what is handed out, and what was acknowledged.
async fn books(connection: &Connection) -> (u64, u64, u64) {
    let found = connection.stats().await.expect("running").broker;
    (found.queued, found.outstanding, found.acknowledged)
}

#[tokio::test]
async fn a_transaction_counts_all_at_once() {
    let connection = connect("committed").await;
    let mut orders = subscribe(&connection, "queue://orders", AckMode::Individual, 10).await;
    connection.send("queue://orders", "42").await.expect("accepted");
    let order = next(&mut orders).await;
    let mut transaction = connection.transaction().await.expect("begun");
    transaction.send("queue://invoices", "for 42").await.expect("held");
    transaction.ack(&order).await.expect("held");
    assert_eq!(books(&connection).await, (0, 1, 0), "nobody sees anything of it");
    let twice = transaction.ack(&order).await.expect_err("refused");
    assert!(matches!(twice, Error::Refused(Refusal::NotOutstanding { tag: 1, .. })), "{twice}");
    transaction.commit().await.expect("committed");
    assert_eq!(books(&connection).await, (1, 0, 1));
    let again = transaction.commit().await.expect_err("refused");
    assert!(matches!(again, Error::Refused(Refusal::Unknown { what: What::Transaction, .. })), "{again}");
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn what_is_rolled_back_or_dropped_comes_again_and_sends_nothing() {
    let connection = connect("rolled-back").await;
    let mut orders = subscribe(&connection, "queue://orders", AckMode::Individual, 10).await;
    connection.send("queue://orders", "42").await.expect("accepted");
    for redeliveries in 0..3 {
        let order = next(&mut orders).await;
        assert_eq!(order.redeliveries(), redeliveries);
        let transaction = connection.transaction().await.expect("begun");
        transaction.send("queue://invoices", "for 42").await.expect("held");
        transaction.ack(&order).await.expect("held");
        if redeliveries == 0 {
            transaction.rollback().await.expect("rolled back");
        }
    }
    next(&mut orders).await.ack().await.expect("open");
    assert_eq!(books(&connection).await, (0, 0, 1));
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn a_transaction_is_done_as_a_whole_or_not_at_all() {
    let connection = connect("refused").await;
    let mut orders = subscribe(&connection, "queue://orders", AckMode::Individual, 10).await;
    connection.send("queue://orders", "42").await.expect("accepted");
    let order = next(&mut orders).await;
    let mut transaction = connection.transaction().await.expect("begun");
    transaction.send("queue://invoices", "for 42").await.expect("held");
    transaction.ack(&order).await.expect("held");
    orders.close().await.expect("closed"); // With that the order goes back to its queue.
    let refused = transaction.commit().await.expect_err("refused");
    assert!(matches!(refused, Error::Refused(Refusal::NotOutstanding { tag: 1, .. })), "{refused}");
    assert_eq!(books(&connection).await, (1, 0, 0));
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn a_transaction_takes_acknowledgements_that_stand_for_one_delivery() {
    let connection = connect("modes").await;
    for mode in [AckMode::Auto, AckMode::Client, AckMode::DupsOk] {
        connection.send("queue://q", "x").await.expect("accepted");
        let mut consumer = subscribe(&connection, "queue://q", mode, 10).await;
        let delivery = next(&mut consumer).await;
        let transaction = connection.transaction().await.expect("begun");
        assert_eq!(transaction.ack(&delivery).await, Err(Error::NotIndividual { mode }));
        delivery.ack().await.expect("open");
        consumer.close().await.expect("closed");
    }
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn there_are_no_transactions_through_fanout() {
    let config = Config { fanout: FanoutConfig::default(), ..Config::client("client") };
    let connection = flockmq::connect_with(config).await.expect("connected").with_timeout(PATIENCE);
    let refused = connection.transaction().await.expect_err("refused");
    assert_eq!(refused, Error::Refused(Refusal::NotThroughFanout { what: What::Transaction }));
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn a_delivery_is_acknowledged_once_in_individual_mode() {
    let connection = connect("twice").await;
    let mut consumer = subscribe(&connection, "queue://q", AckMode::Individual, 10).await;
    connection.send("queue://q", "x").await.expect("accepted");
    let delivery = next(&mut consumer).await;
    delivery.ack().await.expect("open");
    let twice = delivery.ack().await.expect_err("refused");
    assert!(matches!(twice, Error::Refused(Refusal::NotOutstanding { tag: 1, .. })), "{twice}");
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn lazy_acknowledgements_come_at_half_the_prefetch_and_when_closing() {
    let connection = connect("dups-ok").await;
    let mut consumer = subscribe(&connection, "queue://q", AckMode::DupsOk, 8).await;
    for taken in 0_u64..7 {
        connection.send("queue://q", "x").await.expect("accepted");
        next(&mut consumer).await;
        let early = consumer.next_timeout(Duration::from_millis(1)).await;
        assert!(early.is_err(), "there is no other: {early:?}");
        let acknowledged = if taken < 3 { 0 } else { 4 };
        assert_eq!(books(&connection).await, (0, taken + 1 - acknowledged, acknowledged), "{taken}");
    }
    consumer.close().await.expect("closed");
    assert_eq!(books(&connection).await, (0, 0, 7));
    connection.close().await.expect("closed");
}
