//! What it costs that many brokers of one process become a group, over real sockets, each with a few destinations that it
//! wants.
//!
//! `cargo bench -p flockmq --bench mesh`. `FLOCKMQ_BENCH_PEERS=16,128` has other numbers of them.

mod common;

use std::time::Instant;

use common::{cpu, group, is_wanted, peer, resident, runtime, wanted};
use flockmq::{Connection, Consumer};

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
    println!("{:>6} {:>6} {:>9} {:>9} {:>12} {:>9}", "peers", "links", "s", "s of cpu", "µs a link", "MiB");
    for count in counts {
        measure(count.parse().expect("a number of peers")).await;
    }
}

async fn measure(count: usize) {
    let group = format!("{}-{count}", group());
    let (began_at, cpu_before) = (Instant::now(), cpu());
    let mut members: Vec<(Connection, Vec<Consumer>)> = Vec::new();
    for number in 0..count {
        let connection = peer(&group, &format!("{group}-{number}")).await;
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
    println!("{count:>6} {links:>6} {taken:>9.2} {cpu:>9.2} {each:>12.0} {:>9.0}", resident());
    for (connection, _) in &members {
        connection.close().await.expect("closed");
    }
}

/// What each of them consumes from.
const WANTED: usize = 10;
