//! Real brokers and clients, recorded, and lived again without a network.

use std::path::{Path, PathBuf};
use std::time::Duration;

use flockmq::core::recording::{Ending, Recording};
use flockmq::core::{Command, Input};
use flockmq::{Builder, Config, Connection, Error};

const PATIENCE: Duration = Duration::from_secs(20);

/// A folder of a test's own, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("flockmq-recording-{test}-{}", std::process::id()));
        _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

fn config(group: &str, name: &str) -> Config {
    let mut config = Config::broker(group, name);
    config.listen = Some("tcp://127.0.0.1:0".parse().expect("an address"));
    config.multicast = None;
    config
}

async fn recorded(config: Config, path: &Path) -> Connection {
    Builder::new(config).record(path).timeout(PATIENCE).connect().await.expect("connected")
}

/// What stands in the file of a process that has ended, having been replayed.
fn replayed(path: &Path) -> Recording {
    let recording = Recording::read(&std::fs::read(path).expect("a file")).expect("a recording");
    assert_eq!(recording.ending, Ending::Complete);
    assert_eq!(recording.replay(recording.config.clone()), recording.outputs, "{}", path.display());
    recording
}

#[tokio::test]
async fn peers_over_real_sockets_are_lived_again_and_say_the_same() {
    let folder = Folder::new("peers");
    let a = recorded(Config { role: flockmq::Role::Peer, ..config("g", "rec-a") }, &folder.file("a")).await;
    let mut other = Config { role: flockmq::Role::Peer, ..config("g", "rec-b") };
    let address = a.listening().await.expect("an address")[0];
    other.peers.push(address.into());
    let b = recorded(other, &folder.file("b")).await;
    a.ready(1).await.expect("a sees b");
    let mut orders = b.subscribe("queue://orders").await.expect("subscribed");
    let producer = a.producer("queue://orders").await.expect("a producer");
    for number in 0..500 {
        producer.enqueue(format!("order {number}")).await.expect("on its way");
    }
    for number in 0..500 {
        let delivery = orders.next_timeout(PATIENCE).await.expect("in time").expect("open");
        assert_eq!(delivery.text().expect("text"), format!("order {number}"));
    }
    b.close().await.expect("closed");
    a.close().await.expect("closed");
    let (a, b) = (replayed(&folder.file("a")), replayed(&folder.file("b")));
    let sent = a.inputs.iter().map(|(_, input)| match input {
        Input::Command(Command::Send { messages, .. }) => messages.len(),
        _ => 0,
    });
    assert_eq!(sent.sum::<usize>(), 500);
    assert!(b.inputs.iter().any(|(_, input)| matches!(input, Input::Bytes { .. })));
}

#[tokio::test]
async fn a_fanout_client_and_its_broker_are_lived_again_too() {
    let folder = Folder::new("fanout");
    let broker = recorded(config("g", "rec-broker"), &folder.file("broker")).await;
    let address = broker.listening().await.expect("an address")[0];
    let uri = format!("fanout:(static:(tcp://{address}))?minAckCount=1");
    let builder = Builder::from_uri(&uri).expect("a client").record(folder.file("client"));
    let client = builder.timeout(PATIENCE).connect().await.expect("connected");
    for number in 0..20 {
        client.send("topic://t", format!("{number}")).await.expect("accepted");
    }
    client.close().await.expect("closed");
    broker.close().await.expect("closed");
    assert_eq!(replayed(&folder.file("client")).config.role, flockmq::Role::Client);
    replayed(&folder.file("broker"));
}

#[tokio::test]
async fn what_can_t_be_recorded_is_not_started() {
    let folder = Folder::new("refused");
    let nowhere = folder.file("no/such/folder");
    let error = Builder::new(Config::alone("rec-x")).record(&nowhere).connect().await.expect_err("no folder");
    assert!(matches!(&error, Error::NotRecorded { path, .. } if *path == nowhere), "{error}");
    let first = recorded(Config::alone("rec-x"), &folder.file("x")).await;
    let builder = Builder::new(Config::alone("rec-x")).record(folder.file("y"));
    let error = builder.connect().await.expect_err("it runs already").to_string();
    assert!(error.contains("the broker 'rec-x' runs already"), "{error}");
    assert!(!folder.file("y").exists());
    first.close().await.expect("closed");
    replayed(&folder.file("x"));
}
