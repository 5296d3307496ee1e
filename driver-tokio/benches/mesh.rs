//! What it costs that many brokers of one process become a group, over real sockets, each with a few destinations that it
//! wants.
//!
//! `cargo bench -p flockmq --bench mesh`. `FLOCKMQ_BENCH_PEERS=16,128` has other numbers of them.

mod common;

use std::time::{Duration, Instant};

use common::{cpu, group, is_wanted, resident, runtime, wanted};
use flockmq::{Builder, Connection, Consumer};

fn main() {
    if is_wanted() {
        runtime().block_on(measure_all());
    } else {
        println!("run by `cargo bench`");
    }
}

async fn measure_all() {
    let counts = wanted("FLOCKMQ_BENCH_PEERS");
    let counts = if counts.is_empty() { vec!["8".to_owned(), "64".to_owned()] } else { counts };
    println!(
        "{:>6} {:<10} {:>6} {:>11} {:>7} {:>9} {:>12} {:>5}",
        "peers", "interfaces", "links", "connections", "s", "s of cpu", "µs a link", "MiB"
    );
    for count in counts {
        let count = count.parse().expect("a number of peers");
        measure(count, "loopback", "transportConnectorURIs=tcp://127.0.0.1:0&discovery.interface=127.0.0.1").await;
        measure(count, "all", "persistent=false").await;
    }
}

async fn measure(count: usize, interfaces: &str, options: &str) {
    let group = format!("{}-{interfaces}-{count}", group());
    let (began_at, cpu_before, connections_before) = (Instant::now(), cpu(), connections());
    let mut members: Vec<(Connection, Vec<Consumer>)> = Vec::new();
    for number in 0..count {
        let uri = format!("peer://{group}/{group}-{number}?discovery.port=6199&{options}");
        let builder = Builder::from_uri(&uri).expect("a URI").timeout(Duration::from_mins(1));
        let connection = builder.connect().await.expect("connected");
        let mut consumers = Vec::new();
        for place in 0..WANTED {
            let destination = format!("queue://orders.{number}.{place}");
            consumers.push(connection.subscribe(destination).await.expect("subscribed"));
        }
        members.push((connection, consumers));
    }
    for (connection, _) in &members {
        connection.ready(count - 1).await.expect("a peer for each other one");
    }
    let (taken, cpu) = (began_at.elapsed().as_secs_f64(), cpu() - cpu_before);
    let links: usize = members.iter().map(|(connection, _)| connection.peers().len()).sum::<usize>() / 2;
    assert_eq!(links, count * (count - 1) / 2, "one link for each pair");
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let each = cpu * 1e6 / links as f64;
    let connections = connections() - connections_before;
    println!(
        "{count:>6} {interfaces:<10} {links:>6} {connections:>11} {taken:>7.2} {cpu:>9.2} {each:>12.0} {:>5.0}",
        resident()
    );
    for (connection, _) in &members {
        connection.close().await.expect("closed");
    }
}

/// How many connections this machine has asked for since it was started.
fn connections() -> u64 {
    let counts = std::fs::read_to_string("/proc/net/snmp").expect("Linux");
    let mut lines = counts.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let [names, numbers] = [(); 2].map(|()| lines.next().expect("names, then numbers"));
    let found = names.split(' ').zip(numbers.split(' ')).find(|(name, _)| *name == "ActiveOpens");
    found.and_then(|(_, number)| number.parse().ok()).expect("a number")
}

/// What each of them consumes from.
const WANTED: usize = 10;
