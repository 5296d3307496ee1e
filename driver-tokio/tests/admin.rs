//! What administrators see and do, over real sockets on loopback.

use std::time::Duration;

use flockmq::{Answer, Builder, Config, Connection, Destination, DestinationStatus, Error, Event, Inventory, Refusal};

const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(config: Config) -> Connection {
    Builder::new(config).timeout(PATIENCE).connect().await.expect("connected")
}

/// A broker that stands alone, and the URI of a client of it.
async fn broker(name: &str) -> (Connection, String) {
    let mut config = Config::broker("admin-tests", name);
    config.listen = Some("tcp://127.0.0.1:0".parse().expect("an address"));
    config.multicast = None;
    let broker = connect(config).await;
    let address = broker.listening().await.expect("it listens")[0];
    (broker, format!("tcp://{address}"))
}

async fn client(addresses: &[&str]) -> Connection {
    let uri = format!("fanout:(static:({}))?minAckCount=1", addresses.join(","));
    let client = Builder::from_uri(&uri).expect("a URI").timeout(PATIENCE).connect().await.expect("connected");
    client.ready(addresses.len()).await.expect("all are up");
    client
}

fn queue(name: &str) -> Destination {
    Destination::queue(name).expect("a name")
}

fn inventory(answer: &Answer<Inventory>) -> &[DestinationStatus] {
    let inventory = answer.result.as_ref().expect("an inventory");
    assert_eq!(inventory.left_out, 0);
    &inventory.destinations
}

#[tokio::test]
async fn an_embedded_broker_tells_how_its_destinations_fare() {
    let connection = connect(Config::alone("admin-embedded")).await;
    let mut consumer = connection.subscribe("queue://orders").await.expect("subscribed");
    for text in ["a", "b", "c"] {
        connection.send("queue://orders", text).await.expect("accepted");
    }
    for _ in 0..2 {
        consumer.next_timeout(PATIENCE).await.expect("in time").expect("open");
    }
    let expected = (connection.id(), "admin-embedded".to_owned());
    // The first is acknowledged by asking for the second, in its time.
    let found = tokio::time::timeout(PATIENCE, async {
        loop {
            let answers = connection.broker().destinations().await.expect("told");
            let [answer] = &answers[..] else { panic!("{answers:?}") };
            assert_eq!((answer.broker, answer.name.clone()), expected);
            if let [found] = inventory(answer)
                && found.dequeued > 0
            {
                return found.clone();
            }
        }
    });
    let found = found.await.expect("in time");
    assert_eq!(found.name, queue("orders"));
    assert_eq!((found.enqueued, found.dispatched, found.dequeued, found.outstanding), (3, 3, 1, 2));
    assert_eq!((found.depth, found.consumers, found.producers), (0, 1, 1));
    connection.close().await.expect("closed");
    assert_eq!(connection.broker().destinations().await, Err(Error::Closed));
}

#[tokio::test]
async fn a_paused_queue_keeps_what_is_sent_and_a_purged_one_nothing() {
    let connection = connect(Config::alone("admin-paused")).await;
    let mut consumer = connection.subscribe("queue://a").await.expect("subscribed");
    let broker = connection.broker();
    assert_eq!(broker.pause("queue://a").await.expect("asked")[0].result, Ok(1));
    connection.send("queue://a", "one").await.expect("accepted");
    assert!(consumer.next_timeout(Duration::from_millis(50)).await.is_err());
    assert_eq!(broker.purge("queue://*").await.expect("asked")[0].result, Ok(1));
    connection.send("queue://a", "two").await.expect("accepted");
    assert_eq!(broker.resume("queue://>").await.expect("asked")[0].result, Ok(1));
    let delivery = consumer.next_timeout(PATIENCE).await.expect("in time").expect("open");
    assert_eq!(delivery.text(), Ok("two"));
    let answers = broker.purge("queue://none").await.expect("asked");
    assert_eq!(answers[0].result, Err(Refusal::NoDestination(queue("none"))));
    assert!(matches!(broker.purge("a..b").await, Err(Error::Destination(_))));
    connection.close().await.expect("closed");
}

#[tokio::test]
async fn through_fanout_every_broker_answers_for_itself() {
    let ((a, at_a), (b, at_b)) = (broker("admin-a").await, broker("admin-b").await);
    let client = client(&[&at_a, &at_b]).await;
    a.send("queue://only-a", "x").await.expect("accepted");
    client.send("topic://both", "x").await.expect("accepted by one");
    let answers = tokio::time::timeout(PATIENCE, async {
        loop {
            let mut answers = client.broker().destinations().await.expect("told");
            answers.sort_by(|one, other| one.name.cmp(&other.name));
            if answers.iter().all(|answer| inventory(answer).iter().any(|found| found.name.name() == "both")) {
                return answers;
            }
        }
    });
    let answers = answers.await.expect("in time");
    let names: Vec<Vec<String>> =
        answers.iter().map(|answer| inventory(answer).iter().map(|found| found.name.to_string()).collect()).collect();
    assert_eq!(names, [vec!["queue://only-a", "topic://both"], vec!["topic://both"]]);
    assert_eq!([answers[0].broker, answers[1].broker], [a.id(), b.id()]);
    let mut purged = client.broker().purge("only-a").await.expect("asked");
    purged.sort_by(|one, other| one.name.cmp(&other.name));
    let results: Vec<_> = purged.into_iter().map(|answer| answer.result).collect();
    assert_eq!(results, [Ok(1), Err(Refusal::NoDestination(queue("only-a")))]);
    for connection in [client, a, b] {
        connection.close().await.expect("closed");
    }
}

#[tokio::test]
async fn a_broker_that_is_told_so_by_its_uri_lets_clients_look_and_do_no_more() {
    let uri = "broker:(tcp://127.0.0.1:0)?name=admin-uri&clientAdministration=false";
    let broker = flockmq::connect(uri).await.expect("connected").with_timeout(PATIENCE);
    let address = broker.listening().await.expect("it listens")[0];
    let client = client(&[&format!("tcp://{address}")]).await;
    broker.send("queue://q", "x").await.expect("accepted");
    let results = |answers: Vec<Answer<u64>>| answers.into_iter().map(|answer| answer.result).collect::<Vec<_>>();
    assert_eq!(results(client.broker().purge("q").await.expect("asked")), [Err(Refusal::NotForClients)]);
    let looked = client.broker().destinations().await.expect("told");
    assert_eq!(inventory(&looked[0]).iter().map(|found| found.depth).collect::<Vec<_>>(), [1]);
    assert_eq!(results(broker.broker().purge("q").await.expect("asked")), [Ok(1)]);
    for connection in [client, broker] {
        connection.close().await.expect("closed");
    }
}

/// A broker with more destinations than one answer has room for.
#[tokio::test]
async fn many_destinations_are_told_in_pages() {
    let (broker, address) = broker("admin-many").await;
    for number in 0..2_345 {
        broker.send(format!("queue://n{number}").as_str(), "x").await.expect("accepted");
    }
    let client = client(&[&address]).await;
    for connection in [&broker, &client] {
        let answers = connection.broker().destinations().await.expect("told");
        let mut names: Vec<&str> = inventory(&answers[0]).iter().map(|found| found.name.name()).collect();
        assert!(names.is_sorted());
        names.dedup();
        assert_eq!(names.len(), 2_345);
    }
    client.close().await.expect("closed");
    broker.close().await.expect("closed");
}

#[tokio::test]
async fn nobody_there_gives_no_answers() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let uri = format!("fanout:(static:(tcp://{unused}))?minAckCount=1");
    let client = Builder::from_uri(&uri).expect("a URI").timeout(PATIENCE).connect().await.expect("connected");
    let mut events = client.events();
    assert_eq!(client.broker().destinations().await, Ok(Vec::new()));
    while !matches!(events.next().await, Some(Event::LinkRefused { .. }) | None) {}
    assert_eq!(client.broker().purge("q").await, Ok(Vec::new()));
    client.close().await.expect("closed");
}
