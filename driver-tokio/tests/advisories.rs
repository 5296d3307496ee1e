//! What a broker tells about itself, as the async API has it.

use std::time::Duration;

use flockmq::core::{Advisory, Destinations, Party};
use flockmq::{Advised, Advisories, Config, Connection, Destination, Error};

const PATIENCE: Duration = Duration::from_secs(20);

/// A broker that serves clients, and a client of it.
async fn served(test: &str) -> (Connection, Connection) {
    let mut config = Config::broker("advisories", test);
    config.listen = Some("tcp://127.0.0.1:0".parse().expect("an address"));
    config.multicast = None;
    let broker = flockmq::connect_with(config).await.expect("connected").with_timeout(PATIENCE);
    let address = broker.listening().await.expect("it listens")[0];
    let uri = format!("fanout:(static:(tcp://{address}))?minAckCount=1");
    (broker, flockmq::connect(&uri).await.expect("connected").with_timeout(PATIENCE))
}

async fn next(advisories: &mut Advisories) -> Advisory {
    advised(advisories).await.advisory
}

async fn advised(advisories: &mut Advisories) -> Advised {
    advisories.next_timeout(PATIENCE).await.expect("in time").expect("the broker is up")
}

#[tokio::test]
async fn whoever_asks_is_told_who_comes_and_goes() {
    let (broker, client) = served("told").await;
    client.send("topic://before", "nobody has asked").await.expect("accepted");
    let mut advisories = broker.broker().advisories().await.expect("told");
    let mut others = broker.broker().advisories().await.expect("told");
    let consumer = client.subscribe("topic://t").await.expect("subscribed");
    let destination: Destination = "topic://t".parse().expect("a destination");
    assert_eq!(next(&mut advisories).await, Advisory::DestinationAdded { destination: destination.clone() });
    let Advisory::ConsumerAdded { destination: found, by, .. } = next(&mut advisories).await else {
        panic!("the consumer comes");
    };
    assert_eq!((found, by), (destination.into(), Party::Client(client.id())));
    drop(others.next().await);
    drop(others); // Whoever goes leaves the others what they asked for.
    consumer.close().await.expect("closed");
    assert!(matches!(next(&mut advisories).await, Advisory::ConsumerRemoved { .. }));
    client.close().await.expect("closed");
    let Advisory::ProducerRemoved { destination, by: found, .. } = next(&mut advisories).await else {
        panic!("its producer ends with it");
    };
    assert_eq!((destination.to_string().as_str(), found), ("topic://before", by));
    assert_eq!(next(&mut advisories).await, Advisory::ConnectionClosed { by });
    broker.close().await.expect("closed");
    assert_eq!(advisories.next().await, None);
    assert_eq!(advisories.missed(), 0);
}

#[tokio::test]
async fn what_nobody_took_in_time_is_counted() {
    let mut config = Config::alone("missed");
    config.broker.advisories_max = 2;
    let broker = flockmq::connect_with(config).await.expect("connected").with_timeout(PATIENCE);
    let mut advisories = broker.broker().advisories().await.expect("told");
    for number in 0..5 {
        broker.send(format!("topic://t.{number}"), "").await.expect("accepted");
    }
    let last: Destination = "topic://t.4".parse().expect("a destination");
    let producer = next(&mut advisories).await;
    assert!(matches!(&producer, Advisory::ProducerAdded { destination, .. } if *destination == last.clone().into()));
    assert_eq!(next(&mut advisories).await, Advisory::DestinationAdded { destination: last });
    assert_eq!(advisories.missed(), 8);
    broker.close().await.expect("closed");
}

#[tokio::test]
async fn producers_are_told_of_as_they_come_and_go() {
    let (broker, client) = served("producers").await;
    client.ready(1).await.expect("the broker is up");
    let mut advisories = broker.broker().advisories().await.expect("told");
    let both: Destinations = "orders,topic://log".parse().expect("destinations");
    let producer = broker.producer(both.clone()).await.expect("made");
    let Advisory::ProducerAdded { destination, producer: number, by } = next(&mut advisories).await else {
        panic!("a producer of the application comes");
    };
    assert!(destination == both && matches!(by, Party::Application(_)), "{destination} {by:?}");
    producer.close().await.expect("closed");
    assert_eq!(next(&mut advisories).await, Advisory::ProducerRemoved { destination, producer: number, by });
    let producer = client.producer("orders").await.expect("made");
    producer.send("42").await.expect("accepted");
    let Advisory::ProducerAdded { destination, producer: number, by } = next(&mut advisories).await else {
        panic!("a client's producer is known by its first message");
    };
    assert_eq!((destination.to_string().as_str(), by), ("queue://orders", Party::Client(client.id())));
    assert!(matches!(next(&mut advisories).await, Advisory::DestinationAdded { .. }));
    producer.send("43").await.expect("accepted");
    producer.close().await.expect("closed");
    assert_eq!(next(&mut advisories).await, Advisory::ProducerRemoved { destination, producer: number, by });
    client.close().await.expect("closed");
    broker.close().await.expect("closed");
}

#[tokio::test]
async fn through_fanout_every_broker_tells_what_happens_there() {
    let (a, other) = served("fanned-out-a").await;
    let (b, another) = served("fanned-out-b").await;
    let addresses = [a.listening().await.expect("it listens")[0], b.listening().await.expect("it listens")[0]];
    let uri = format!("fanout:(static:(tcp://{},tcp://{}))?minAckCount=1", addresses[0], addresses[1]);
    let client = flockmq::connect(&uri).await.expect("connected").with_timeout(PATIENCE);
    client.ready(2).await.expect("both are up");
    let mut advisories = client.broker().advisories().await.expect("told");
    let consumer = client.subscribe("topic://t").await.expect("subscribed at both");
    let destination: Destination = "topic://t".parse().expect("a destination");
    let mut told = Vec::new();
    while told.len() < 4 {
        let Advised { broker, advisory } = advised(&mut advisories).await;
        let what = match advisory {
            Advisory::DestinationAdded { destination: found } if found == destination => Some("destination"),
            Advisory::ConsumerAdded { by, .. } if by == Party::Client(client.id()) => Some("consumer"),
            _ => None, // The others may be at the door yet.
        };
        told.extend(what.map(|what| (broker, what)));
    }
    for broker in [a.id(), b.id()] {
        let of_one: Vec<_> = told.iter().filter(|(found, _)| *found == broker).map(|(_, what)| *what).collect();
        assert_eq!(of_one, ["destination", "consumer"]);
    }
    b.producer("queue://only-b").await.expect("made");
    let producer = loop {
        let Advised { broker, advisory } = advised(&mut advisories).await;
        if let Advisory::ProducerAdded { destination, .. } = advisory {
            break (broker, destination.to_string());
        }
    };
    assert_eq!(producer, (b.id(), "queue://only-b".to_owned()));
    consumer.close().await.expect("closed");
    assert_eq!(advisories.missed(), 0);
    client.close().await.expect("closed");
    assert!(matches!(client.broker().advisories().await, Err(Error::Closed)));
    for connection in [other, another, a, b] {
        connection.close().await.expect("closed");
    }
}

#[tokio::test]
async fn a_bridge_is_told_as_it_comes_and_goes() {
    let peer = |name: &str| {
        let mut config = Config::peer("advisories", name);
        config.listen = Some("tcp://127.0.0.1:0".parse().expect("an address"));
        config.multicast = None;
        config
    };
    let one = flockmq::connect_with(peer("advised")).await.expect("connected").with_timeout(PATIENCE);
    let mut advisories = one.broker().advisories().await.expect("told");
    let address = one.listening().await.expect("it listens")[0];
    let mut config = peer("bridged");
    config.peers.push(format!("tcp://{address}").parse().expect("an address"));
    let other = flockmq::connect_with(config).await.expect("connected").with_timeout(PATIENCE);
    let (peer, name) = (other.id(), "bridged".to_owned());
    assert_eq!(next(&mut advisories).await, Advisory::BridgeStarted { peer, name: name.clone() });
    other.close().await.expect("closed");
    assert_eq!(next(&mut advisories).await, Advisory::BridgeStopped { peer, name });
    one.close().await.expect("closed");
}
