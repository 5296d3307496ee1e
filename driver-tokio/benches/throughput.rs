//! Messages a second from one process to another, beside raw TCP in the same run.
//!
//! `cargo bench -p flockmq --bench throughput`; `FLOCKMQ_BENCH_SECONDS` says how long each measurement takes,
//! `FLOCKMQ_BENCH_SIZES=256,1024` and `FLOCKMQ_BENCH_WAYS=topic` which are made.

mod common;

use std::io::IoSlice;
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use common::{
    BATCH, Other, cpu, group, is_wanted, median, numbers, payload, peer, read_frames, role, runtime, say, seconds,
    wanted,
};
use flockmq::Message;
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
    messages: f64, // A second.
    cpu: f64,      // Seconds of both processes together for a million messages.
}

async fn measure_all() {
    println!("{:>8}  {:<6} {:>12} {:>10} {:>14} {:>8}", "size", "way", "messages/s", "MB/s", "CPU s/million", "of raw");
    let (sizes, ways) = (wanted("FLOCKMQ_BENCH_SIZES"), wanted("FLOCKMQ_BENCH_WAYS"));
    let is_wanted = |list: &[String], item: &str| list.is_empty() || list.iter().any(|wanted| wanted == item);
    for size in SIZES.into_iter().filter(|size| is_wanted(&sizes, &size.to_string())) {
        let kinds: Vec<&str> = ["topic", "queue"].into_iter().filter(|kind| is_wanted(&ways, kind)).collect();
        let mut rates: Vec<Vec<Rate>> = (0..=kinds.len()).map(|_| Vec::new()).collect();
        for _ in 0..ROUNDS {
            // Taken in turns, so that whatever else the machine does meets all of them.
            rates[0].push(measure_raw(size).await);
            for (rates, kind) in rates[1..].iter_mut().zip(&kinds) {
                rates.push(measure(kind, size).await);
            }
        }
        let rates: Vec<Rate> = rates.into_iter().map(|rates| median(rates, |rate| rate.messages)).collect();
        for (rate, way) in rates.iter().zip(["raw"].into_iter().chain(kinds)) {
            print(size, way, rate, &rates[0]);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size is small")]
fn print(size: usize, way: &str, rate: &Rate, raw: &Rate) {
    println!(
        "{size:>8}  {way:<6} {:>12.0} {:>10.1} {:>14.3} {:>7.1}%",
        rate.messages,
        rate.messages * size as f64 / 1e6,
        rate.cpu,
        rate.messages / raw.messages * 100.0
    );
}

async fn measure(kind: &str, size: usize) -> Rate {
    let group = group();
    let connection = peer(&group, "sender").await;
    let (mut other, heard) = Other::start(&format!("{kind} {group}")).hear_async().await;
    assert_eq!(heard, "ready");
    connection.ready(1).await.expect("a peer");
    let producer = connection.producer(format!("{kind}://bench")).await.expect("a producer");
    // Until the other side's demand is known, a topic's messages go nowhere.
    let hearing = tokio::spawn(other.hear_async());
    while !hearing.is_finished() {
        producer.send(Bytes::from_static(PROBE)).await.expect("accepted");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    other = hearing.await.expect("no panic").0;
    let payload = payload(size);
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
    other.end();
    connection.close().await.expect("closed");
    rate
}

async fn measure_raw(size: usize) -> Rate {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let other = Other::start(&format!("raw {port}"));
    let (mut stream, _) = listener.accept().await.expect("the other process");
    stream.set_nodelay(true).expect("TCP");
    let payload = payload(size);
    let (started, cpu_before) = (Instant::now(), cpu());
    while started.elapsed() < seconds() {
        write_batch(&mut stream, &payload).await;
    }
    let mut end = BytesMut::new();
    end.put_u32(u32::try_from(END.len()).expect("short"));
    end.put_slice(END);
    stream.write_all(&end).await.expect("written");
    let (other, report) = other.hear_async().await;
    let rate = rate(&report, cpu() - cpu_before);
    other.end();
    rate
}

/// Some 64 KiB of small frames in one buffer, or four large ones in one vectored write.
async fn write_batch(stream: &mut TcpStream, payload: &Bytes) {
    let head = u32::try_from(payload.len()).expect("short").to_be_bytes();
    if payload.len() <= 4096 {
        let mut batch = BytesMut::with_capacity(BATCH);
        while batch.len() + payload.len() + 4 <= BATCH {
            batch.put_slice(&head);
            batch.put_slice(payload);
        }
        return stream.write_all(&batch).await.expect("written");
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for _ in 0..4 {
        parts.extend([&head[..], payload]);
    }
    let mut parts = parts.as_mut_slice();
    while !parts.is_empty() {
        let slices: Vec<IoSlice> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut count = stream.write_vectored(&slices).await.expect("written");
        while let Some(first) = parts.first_mut() {
            if count < first.len() {
                first.advance(count);
                break;
            }
            count -= first.len();
            parts = &mut parts[1..];
        }
    }
}

/// The other process: counts what comes until the end and reports.
async fn receive(words: &[String]) {
    let mut tally = Tally::default();
    if words[0] == "raw" {
        let stream = TcpStream::connect(format!("127.0.0.1:{}", words[1])).await.expect("the first process");
        return read_frames(stream, |data| tally.count(data)).await;
    }
    let connection = peer(&words[1], "receiver").await;
    let mut consumer = connection.subscribe(format!("{}://bench", words[0])).await.expect("subscribed");
    connection.ready(1).await.expect("a peer");
    say("ready");
    consumer.next().await.expect("a probe");
    say("heard");
    while let Some(delivery) = consumer.next().await {
        if tally.count(delivery.data()) {
            break;
        }
    }
    consumer.close().await.expect("closed");
    connection.close().await.expect("closed");
}

/// Counts payloads from the first one on.
#[derive(Default)]
struct Tally {
    count: u64,
    since: Option<(Instant, f64)>,
}

impl Tally {
    /// True at the end, which it reports.
    fn count(&mut self, data: &[u8]) -> bool {
        if data == PROBE {
            return false;
        }
        let (started, cpu_before) = *self.since.get_or_insert_with(|| (Instant::now(), cpu()));
        if data == END {
            say(&format!("{} {} {}", self.count, started.elapsed().as_secs_f64(), cpu() - cpu_before));
            return true;
        }
        self.count += 1;
        false
    }
}

fn rate(report: &str, own_cpu: f64) -> Rate {
    let [count, elapsed, other_cpu] = numbers(report)[..] else {
        panic!("'{report}' is no report");
    };
    Rate { messages: count / elapsed, cpu: (own_cpu + other_cpu) / count * 1e6 }
}

const SIZES: [usize; 4] = [16, 256, 1024, 65_536];
/// How often each is measured; the median counts.
const ROUNDS: usize = 5;
const PROBE: &[u8] = b"p";
const END: &[u8] = b"e";
