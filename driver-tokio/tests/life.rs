//! The embedded broker lives as long as its connections: with the last of them go its bridges, its sockets and its tasks, and
//! the process can end.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flockmq::{Config, Connection, Message};
use tokio::runtime::Handle;
use tokio::time::sleep;

/// Two brokers of one group on loopback, the second of which was told where the first is.
async fn pair(group: &str) -> [Connection; 2] {
    let first = flockmq::connect_with(config(group, "a")).await.expect("a broker");
    let address = first.listening().await.expect("it listens")[0];
    let second = Config { peers: vec![address.into()], ..config(group, "b") };
    let second = flockmq::connect_with(second).await.expect("a broker");
    second.ready(1).await.expect("they link up");
    first.ready(1).await.expect("they link up");
    [first, second]
}

fn config(group: &str, name: &str) -> Config {
    let listen = Some("tcp://127.0.0.1:0".parse().expect("an address"));
    Config { listen, multicast: None, ..Config::peer(group, format!("{group}-{name}")) }
}

/// How many consumers of a queue a connection's broker knows of.
async fn consumers(connection: &Connection, queue: &str) -> u64 {
    let answers = connection.broker().destinations().await.expect("an answer");
    let found = &answers[0].result.as_ref().expect("it tells").destinations;
    found.iter().find(|found| found.name.to_string() == queue).map_or(0, |found| found.consumers)
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// True once nobody listens at an address and as many tasks are left as there were.
async fn is_gone(address: SocketAddr, tasks_before: usize) -> bool {
    let give_up_at = Instant::now() + PATIENCE;
    while Instant::now() < give_up_at {
        if tasks() == tasks_before && TcpListener::bind(address).is_ok() {
            return true;
        }
        sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn what_the_last_connection_closes_is_gone_when_it_is_closed() {
    let before = tasks();
    let [first, second] = pair("life-close").await;
    let again = flockmq::connect_with(config("life-close", "a")).await.expect("the same broker");
    let address = first.listening().await.expect("it listens")[0];
    let mut consumer = first.subscribe("queue://q").await.expect("a consumer");
    again.send("queue://q", Message::text("x")).await.expect("it is accepted");
    assert_eq!(consumer.next().await.expect("it is open").text().expect("a text"), "x");

    first.close().await.expect("it closes");
    assert!(TcpStream::connect(address).is_ok(), "another connection shares the broker");
    assert_eq!(again.peers().len(), 1);
    again.close().await.expect("it closes");
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    TcpListener::bind(address).expect("the port is free as soon as `close` returns");
    second.close().await.expect("it closes");
    assert_eq!(tasks(), before);
}

#[tokio::test]
async fn a_peer_hears_at_once_that_the_last_connection_was_closed() {
    let [first, second] = pair("life-bridge").await;
    let mut events = second.events();
    first.close().await.expect("it closes");
    let lost = async {
        loop {
            if let flockmq::Event::PeerLost { reason, .. } = events.next().await.expect("it is open") {
                return reason;
            }
        }
    };
    let reason = tokio::time::timeout(PATIENCE, lost).await.expect("the bridge ends with its broker");
    assert_eq!(reason, flockmq::core::CloseReason::Leaving);
    assert_eq!(second.peers(), []);
    second.close().await.expect("it closes");
}

#[tokio::test]
async fn who_drains_leaves_what_waits_with_peers_that_want_it() {
    let [first, second] = pair("life-drain").await;
    let mut here = first.subscribe("queue://q").await.expect("a consumer");
    for number in 0..10 {
        first.send("queue://q", Message::text(number.to_string())).await.expect("it is accepted");
    }
    first.send("queue://unwanted", Message::text("x")).await.expect("it is accepted");
    assert_eq!(here.next().await.expect("it is open").text().expect("a text"), "0");
    let mut there = second.subscribe("queue://q").await.expect("a consumer");
    while consumers(&first, "queue://q").await < 2 {
        sleep(Duration::from_millis(5)).await; // Until the other's has been told.
    }
    assert_eq!(first.drain(PATIENCE).await.expect("it closes"), 1, "nobody wants the last");
    assert!(first.is_closed());
    for number in 1..10 {
        assert_eq!(there.next().await.expect("it is open").text().expect("a text"), number.to_string());
    }
    second.close().await.expect("it closes");
}

/// Nobody has to close anything: a connection with all that was made of it may just be dropped.
#[tokio::test]
async fn what_is_dropped_ends_as_if_it_were_closed() {
    let before = tasks();
    let [first, second] = pair("life-drop").await;
    let mut addresses = Vec::new();
    for connection in [&first, &second] {
        addresses.push(connection.listening().await.expect("it listens")[0]);
    }
    let consumer = first.subscribe("topic://t").await.expect("a consumer");
    let (clone, events) = (first.clone(), first.events());
    let producer = clone.producer("topic://t").await.expect("a producer");
    drop(first);
    drop(clone);
    drop(events);
    assert!(TcpStream::connect(addresses[0]).is_ok(), "a consumer and a producer are left");
    drop(consumer);
    drop(producer);
    drop(second);
    for address in addresses {
        assert!(is_gone(address, before).await, "{address}");
    }
}

/// What a process does whose whole life is in the test below.
#[test]
fn a_process_with_brokers() {
    let Ok(way) = std::env::var(WAY) else {
        return; // It is for that process alone.
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let [first, second] = pair(&format!("life-{way}-{}", std::process::id())).await;
        let mut consumer = second.subscribe("queue://q").await.expect("a consumer");
        first.send("queue://q", Message::text("x")).await.expect("it is accepted");
        consumer.next().await.expect("it is open");
        if way == "close" {
            first.close().await.expect("it closes");
            second.close().await.expect("it closes");
        }
    });
    drop(runtime); // It waits for whatever can't be cut off.
}

#[test]
fn a_process_ends_whether_its_connections_were_closed_or_not() {
    for way in ["close", "drop"] {
        let program = std::env::current_exe().expect("this test");
        let mut child = Command::new(program)
            .args(["--exact", "a_process_with_brokers"])
            .env(WAY, way)
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        let give_up_at = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().expect("it was started") {
                break Some(status);
            }
            if Instant::now() > give_up_at {
                child.kill().expect("it runs");
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.is_some_and(|status| status.success()), "{way}: {status:?}");
    }
}

/// How the process is to leave its connections.
const WAY: &str = "FLOCKMQ_TEST_LIFE";
const PATIENCE: Duration = Duration::from_secs(20);
