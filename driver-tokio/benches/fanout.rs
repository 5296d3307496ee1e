//! One producer to many brokers, beside raw TCP written to as many sockets in the same run; and what a frozen broker
//! costs the others.
//!
//! `cargo bench -p flockmq --bench fanout`; `FLOCKMQ_BENCH_SECONDS` says how long each measurement takes,
//! `FLOCKMQ_BENCH_SIZES=256` and `FLOCKMQ_BENCH_TARGETS=1,16` which are made, and `FLOCKMQ_BENCH_WAYS=rate,frozen`.
//!
//! The brokers are in one process, each with a subscriber; a delivery is a message in one subscriber's hands. Raw, the
//! same number of sockets is read in one process that counts frames, and each batch is made once for all of them.

mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use common::{
    BATCH, Other, cpu, is_wanted, median, numbers, payload, read_frames, resident, role, runtime, say, seconds, wanted,
};
use flockmq::{Config, Connection, Consumer, Message};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

fn main() {
    match role() {
        Some(words) => runtime().block_on(receive(&words)),
        None if is_wanted() => runtime().block_on(measure_all()),
        None => println!("run by `cargo bench`"),
    }
}

/// What one measurement gave.
struct Rate {
    deliveries: f64, // A second.
    cpu: f64,        // Seconds of both processes together for a million deliveries.
}

async fn measure_all() {
    let ways = wanted("FLOCKMQ_BENCH_WAYS");
    let is_wanted = |way: &str| ways.is_empty() || ways.iter().any(|wanted| wanted == way);
    if is_wanted("rate") {
        measure_rates().await;
    }
    if is_wanted("frozen") {
        measure_frozen().await;
    }
}

async fn measure_rates() {
    println!(
        "{:>8} {:>8}  {:<7} {:>13} {:>10} {:>14} {:>16}",
        "targets", "size", "way", "deliveries/s", "MB/s", "CPU s/million", "of raw, per CPU"
    );
    let (sizes, counts) = (wanted("FLOCKMQ_BENCH_SIZES"), wanted("FLOCKMQ_BENCH_TARGETS"));
    let is_listed =
        |list: &[String], item: usize| list.is_empty() || list.iter().any(|wanted| *wanted == item.to_string());
    for size in SIZES.into_iter().filter(|size| is_listed(&sizes, *size)) {
        for count in TARGETS.into_iter().filter(|count| is_listed(&counts, *count)) {
            let (mut raw, mut fanout) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                // Taken in turns, so that whatever else the machine does meets both.
                raw.push(measure_raw(count, size).await);
                fanout.push(measure(count, size).await);
            }
            let raw = median(raw, |rate| rate.cpu);
            let fanout = median(fanout, |rate| rate.cpu);
            print(count, size, "raw", &raw, &raw);
            print(count, size, "fanout", &fanout, &raw);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size is small")]
fn print(count: usize, size: usize, way: &str, rate: &Rate, raw: &Rate) {
    println!(
        "{count:>8} {size:>8}  {way:<7} {:>13.0} {:>10.1} {:>14.3} {:>15.1}%",
        rate.deliveries,
        rate.deliveries * size as f64 / 1e6,
        rate.cpu,
        raw.cpu / rate.cpu * 100.0
    );
}

/// A fanout to brokers at these ports, of which so many must accept.
async fn fanout(ports: &[String], acks_min: usize) -> Connection {
    let targets: Vec<String> = ports.iter().map(|port| format!("tcp://127.0.0.1:{port}")).collect();
    let uri = format!("fanout:(static:({}))?minAckCount={acks_min}", targets.join(","));
    let connection = flockmq::connect(&uri).await.expect("a client").with_timeout(Duration::from_secs(30));
    connection.ready(ports.len()).await.expect("every broker");
    connection
}

async fn measure(count: usize, size: usize) -> Rate {
    let (other, ports) = Other::start(&format!("brokers {count}")).hear_async().await;
    let ports: Vec<String> = ports.split(' ').map(str::to_owned).collect();
    let connection = fanout(&ports, count).await;
    let producer = connection.producer("topic://bench").await.expect("a producer");
    let payload = payload(size);
    producer.send(Bytes::from_static(FIRST)).await.expect("accepted");
    let (started, cpu_before) = (Instant::now(), cpu());
    while started.elapsed() < seconds() {
        for _ in 0..100 {
            producer.enqueue(Message::bytes(payload.clone())).await.expect("room");
        }
    }
    producer.flush().await.expect("accepted");
    producer.send(Bytes::from_static(END)).await.expect("accepted");
    let (other, report) = other.hear_async().await;
    let rate = rate(&report, cpu() - cpu_before);
    connection.close().await.expect("closed");
    other.end();
    rate
}

async fn measure_raw(count: usize, size: usize) -> Rate {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let other = Other::start(&format!("raw {port} {count}"));
    let mut streams = Vec::new();
    for _ in 0..count {
        let (stream, _) = listener.accept().await.expect("the other process");
        stream.set_nodelay(true).expect("TCP");
        streams.push(stream);
    }
    let batch = batch(&payload(size));
    write_all(&mut streams, &frame(FIRST)).await;
    let (started, cpu_before) = (Instant::now(), cpu());
    while started.elapsed() < seconds() {
        write_all(&mut streams, &batch).await;
    }
    write_all(&mut streams, &frame(END)).await;
    let (other, report) = other.hear_async().await;
    let rate = rate(&report, cpu() - cpu_before);
    other.end();
    rate
}

async fn write_all(streams: &mut [TcpStream], data: &[u8]) {
    for stream in streams {
        stream.write_all(data).await.expect("written");
    }
}

fn frame(payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u32(u32::try_from(payload.len()).expect("short"));
    frame.put_slice(payload);
    frame.freeze()
}

/// Some 64 KiB of frames.
fn batch(payload: &Bytes) -> Bytes {
    let frame = frame(payload);
    let count = (BATCH / frame.len()).max(1);
    frame.repeat(count).into()
}

/// One of four brokers stops in its tracks: what the other three get meanwhile, and what is held for the fourth.
async fn measure_frozen() {
    println!("\none of 4 targets frozen, 256 B each");
    println!(
        "{:>8}  {:>22} {:>22} {:>8} {:>14}",
        "round", "3 of 4 running, msg/s", "3 of 3 left, msg/s", "ratio", "resident, MiB"
    );
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let (before, after, resident) = freeze_one().await;
        ratios.push(after / before);
        println!("{round:>8}  {before:>22.0} {after:>22.0} {:>8.2} {resident:>14.1}", after / before);
    }
    println!("{:>8}  {:>54.2}", "median", median(ratios, |ratio| *ratio));
}

async fn freeze_one() -> (f64, f64, f64) {
    let (mut others, mut ports) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let (other, port) = Other::start("brokers 1").hear_async().await;
        others.push(other);
        ports.push(port);
    }
    let connection = fanout(&ports, 3).await;
    let producer = connection.producer("topic://bench").await.expect("a producer");
    producer.send(Bytes::from_static(FIRST)).await.expect("accepted");
    let payload = payload(256);
    let before = accepted_a_second(&producer, &payload).await;
    signal(&others[3], "STOP");
    let after = accepted_a_second(&producer, &payload).await;
    let resident = resident();
    signal(&others[3], "CONT");
    connection.close().await.expect("closed");
    others.into_iter().for_each(Other::end);
    (before, after, resident)
}

/// How many messages a second three brokers accept.
async fn accepted_a_second(producer: &flockmq::Producer, payload: &Bytes) -> f64 {
    let (started, mut count) = (Instant::now(), 0_u32);
    while started.elapsed() < seconds() * 2 {
        for _ in 0..100 {
            producer.enqueue(Message::bytes(payload.clone())).await.expect("room");
        }
        count += 100;
    }
    producer.flush().await.expect("accepted");
    f64::from(count) / started.elapsed().as_secs_f64()
}

fn signal(other: &Other, name: &str) {
    // Every shell has it, not every system as a program.
    let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", other.id())]).status();
    assert!(status.expect("a shell").success(), "the other process takes signals");
}

/// The other process: counts what comes until the end and reports, or until it is told to end.
async fn receive(words: &[String]) {
    let count: usize = words.last().and_then(|word| word.parse().ok()).expect("a count");
    let mut receivers = Vec::new();
    if words[0] == "raw" {
        for _ in 0..count {
            let stream = TcpStream::connect(format!("127.0.0.1:{}", words[1])).await.expect("the first process");
            receivers.push(tokio::spawn(receive_raw(stream)));
        }
        return report(receivers).await;
    }
    let (mut brokers, mut ports) = (Vec::new(), Vec::new());
    for number in 0..count {
        let mut config = Config::broker("bench", format!("b{number}"));
        config.listen = "tcp://127.0.0.1:0".parse().ok();
        config.multicast = None;
        let broker = flockmq::connect_with(config).await.expect("a broker");
        let consumer = broker.subscribe("topic://bench").await.expect("subscribed");
        let addresses = broker.listening().await.expect("it listens");
        ports.push(addresses[0].port().to_string());
        receivers.push(tokio::spawn(receive_from(consumer)));
        brokers.push(broker);
    }
    say(&ports.join(" "));
    tokio::select! {
        () = report(receivers) => common::wait_for_word().await,
        () = common::wait_for_word() => (),
    }
    for broker in brokers {
        broker.close().await.expect("closed");
    }
}

async fn report(receivers: Vec<tokio::task::JoinHandle<Tally>>) {
    let mut tallies = Vec::new();
    for receiver in receivers {
        tallies.push(receiver.await.expect("no panic"));
    }
    let count: u64 = tallies.iter().map(|tally| tally.count).sum();
    let first = tallies.iter().filter_map(|tally| tally.since).min_by_key(|(started, _)| *started);
    let (started, cpu_before) = first.expect("every receiver hears something");
    say(&format!("{count} {} {}", started.elapsed().as_secs_f64(), cpu() - cpu_before));
}

async fn receive_raw(stream: TcpStream) -> Tally {
    let mut tally = Tally::default();
    read_frames(stream, |data| tally.count(data)).await;
    tally
}

async fn receive_from(mut consumer: Consumer) -> Tally {
    let mut tally = Tally::default();
    while let Some(delivery) = consumer.next().await {
        if tally.count(delivery.data()) {
            break;
        }
    }
    tally
}

/// Counts payloads after the first one.
#[derive(Default)]
struct Tally {
    count: u64,
    since: Option<(Instant, f64)>,
}

impl Tally {
    /// True at the end.
    fn count(&mut self, data: &[u8]) -> bool {
        if data == END {
            return true;
        }
        if self.since.is_none() {
            self.since = Some((Instant::now(), cpu()));
        } else {
            self.count += 1;
        }
        false
    }
}

fn rate(report: &str, own_cpu: f64) -> Rate {
    let [count, elapsed, other_cpu] = numbers(report)[..] else {
        panic!("'{report}' is no report");
    };
    Rate { deliveries: count / elapsed, cpu: (own_cpu + other_cpu) / count * 1e6 }
}

const TARGETS: [usize; 5] = [1, 2, 4, 8, 16];
const SIZES: [usize; 3] = [256, 1024, 65_536];
/// How often each is measured; the median counts.
const ROUNDS: usize = 3;
const FIRST: &[u8] = b"f";
const END: &[u8] = b"e";
