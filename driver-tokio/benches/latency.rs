//! Round trips between two processes beside raw TCP in the same run; how soon a new process is heard; what an idle
//! one costs.
//!
//! `cargo bench -p flockmq --bench latency`.

mod common;

use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{Other, cpu, group, is_wanted, peer, resident, role, runtime, say, wait_for_word};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn main() {
    match role() {
        Some(words) => runtime().block_on(act(&words)),
        None if is_wanted() => runtime().block_on(measure_all()),
        None => println!("run by `cargo bench`"),
    }
}

async fn measure_all() {
    println!("{:>8}  {:<6} {:>9} {:>9} {:>14}", "size", "way", "p50 µs", "p99 µs", "p50 of raw");
    for size in [16, 1024] {
        let raw = measure_raw(size).await;
        print(size, "raw", &raw, &raw);
        for kind in ["topic", "queue"] {
            print(size, kind, &measure(kind, size).await, &raw);
        }
    }
    start_up().await;
    idle().await;
}

fn print(size: usize, way: &str, times: &[Duration], raw: &[Duration]) {
    let micros = |times: &[Duration], percent| at(times, percent).as_secs_f64() * 1e6;
    println!(
        "{size:>8}  {way:<6} {:>9.1} {:>9.1} {:>13.2}x",
        micros(times, 50),
        micros(times, 99),
        micros(times, 50) / micros(raw, 50)
    );
}

async fn measure(kind: &str, size: usize) -> Vec<Duration> {
    let group = group();
    let connection = peer(&group, "asking").await;
    let mut answers = connection.subscribe(format!("{kind}://pong")).await.expect("subscribed");
    let (other, heard) = Other::start(&format!("echo {group} {kind}")).hear_async().await;
    assert_eq!(heard, "ready");
    let questions = connection.producer(format!("{kind}://ping")).await.expect("a producer");
    let payload = Bytes::from(vec![b'd'; size]);
    // Until the demand of both sides is known, a topic's messages go nowhere.
    loop {
        questions.send(payload.clone()).await.expect("accepted");
        if answers.next_timeout(Duration::from_millis(20)).await.is_ok() {
            break;
        }
    }
    while answers.next_timeout(Duration::from_millis(100)).await.is_ok() {}
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..WARM_UP + ROUNDS {
        let asked_at = Instant::now();
        questions.enqueue(payload.clone()).await.expect("room");
        answers.next().await.expect("an answer");
        if round >= WARM_UP {
            times.push(asked_at.elapsed());
        }
    }
    connection.close().await.expect("closed");
    other.end();
    times.sort_unstable();
    times
}

async fn measure_raw(size: usize) -> Vec<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let other = Other::start(&format!("raw {port} {size}"));
    let (mut stream, _) = listener.accept().await.expect("the other process");
    stream.set_nodelay(true).expect("TCP");
    let mut buffer = vec![b'd'; size];
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..WARM_UP + ROUNDS {
        let asked_at = Instant::now();
        stream.write_all(&buffer).await.expect("written");
        stream.read_exact(&mut buffer).await.expect("read");
        if round >= WARM_UP {
            times.push(asked_at.elapsed());
        }
    }
    drop(stream);
    other.end();
    times.sort_unstable();
    times
}

/// From starting a process to its first message here.
async fn start_up() {
    let group = group();
    let connection = peer(&group, "waiting").await;
    let mut consumer = connection.subscribe("topic://hello").await.expect("subscribed");
    let mut times = Vec::new();
    for _ in 0..10 {
        let started_at = Instant::now();
        let other = Other::start(&format!("hello {group}"));
        consumer.next().await.expect("a message");
        times.push(started_at.elapsed());
        other.end();
    }
    connection.close().await.expect("closed");
    times.sort_unstable();
    let millis = |percent| at(&times, percent).as_secs_f64() * 1e3;
    println!(
        "process start to first message at a peer: median {:.1} ms, slowest {:.1} ms of 10",
        millis(50),
        millis(99)
    );
}

async fn idle() {
    let group = group();
    let connection = peer(&group, "other").await;
    let (other, report) = Other::start(&format!("idle {group}")).hear_async().await;
    println!("idle, one peer, 10 s: {report}");
    connection.close().await.expect("closed");
    other.end();
}

/// The other process.
async fn act(words: &[String]) {
    match words[0].as_str() {
        "echo" => {
            let connection = peer(&words[1], "answering").await;
            let mut questions = connection.subscribe(format!("{}://ping", words[2])).await.expect("subscribed");
            connection.ready(1).await.expect("a peer");
            let answers = connection.producer(format!("{}://pong", words[2])).await.expect("a producer");
            say("ready");
            let asked = tokio::spawn(wait_for_word());
            while !asked.is_finished() {
                match questions.next_timeout(Duration::from_secs(2)).await {
                    Ok(Some(question)) => drop(answers.enqueue(question.data().clone()).await.expect("room")),
                    _ => break,
                }
            }
            connection.close().await.expect("closed");
        }
        "hello" => {
            let connection = peer(&words[1], "new").await;
            connection.ready(1).await.expect("a peer");
            connection.send("topic://hello", "hello").await.expect("accepted");
            wait_for_word().await;
            connection.close().await.expect("closed");
        }
        "idle" => {
            let connection = peer(&words[1], "idle").await;
            let _consumer = connection.subscribe("topic://quiet").await.expect("subscribed");
            connection.ready(1).await.expect("a peer");
            tokio::time::sleep(Duration::from_secs(1)).await;
            let cpu_before = cpu();
            tokio::time::sleep(Duration::from_secs(10)).await;
            say(&format!("{:.2} % of a core, {:.1} MiB resident", (cpu() - cpu_before) * 10.0, resident()));
            connection.close().await.expect("closed");
        }
        _ => {
            let mut stream = TcpStream::connect(format!("127.0.0.1:{}", words[1])).await.expect("the first process");
            stream.set_nodelay(true).expect("TCP");
            let mut buffer = vec![0; words[2].parse().expect("a size")];
            while stream.read_exact(&mut buffer).await.is_ok() {
                stream.write_all(&buffer).await.expect("written");
            }
        }
    }
}

fn at(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

const WARM_UP: usize = 1_000;
const ROUNDS: usize = 20_000;
