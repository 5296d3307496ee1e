//! What both benches need: a second process, its words, and what things cost.

#![expect(dead_code, reason = "each bench uses a part")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use flockmq::Connection;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The role of this process, if it is a second one: what stands in `Other::start`.
pub(crate) fn role() -> Option<Vec<String>> {
    let words = std::env::var(ROLE).ok()?;
    Some(words.split(' ').map(str::to_owned).collect())
}

/// True if `cargo bench` runs this, rather than `cargo test` to see whether it starts.
pub(crate) fn is_wanted() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// A second process of this same program.
pub(crate) struct Other {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Other {
    pub(crate) fn start(role: &str) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        let mut child =
            command.env(ROLE, role).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a second process");
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, input, output }
    }

    /// The next line the other process says; the caller's thread waits.
    pub(crate) fn hear(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the other process speaks text");
        assert!(!line.is_empty(), "the other process has ended before its time");
        line.trim().to_owned()
    }

    /// As [`Other::hear`], while this process's runtime goes on.
    pub(crate) async fn hear_async(mut self) -> (Self, String) {
        tokio::task::spawn_blocking(move || {
            let line = self.hear();
            (self, line)
        })
        .await
        .expect("no panic")
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").and_then(|()| self.input.flush()).expect("the other process listens");
    }

    /// What the system calls it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn end(mut self) {
        drop(self.input);
        self.child.wait().expect("the other process ends");
    }
}

/// Says a line to the process that started this one.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("somebody listens");
}

/// Waits until the process that started this one says something or has gone.
pub(crate) async fn wait_for_word() {
    let word = || std::io::stdin().lock().read_line(&mut String::new());
    tokio::task::spawn_blocking(word).await.expect("no panic").expect("readable");
}

/// One thread, or as many as there are cores if `FLOCKMQ_BENCH_THREADS=many`.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    let mut builder = match std::env::var("FLOCKMQ_BENCH_THREADS").as_deref() {
        Ok("many") => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    builder.enable_all().build().expect("a runtime")
}

/// A group that no other run has, on loopback alone.
pub(crate) fn group() -> String {
    format!("bench-{}", std::process::id())
}

pub(crate) async fn peer(group: &str, name: &str) -> Connection {
    let uri = format!(
        "peer://{group}/{name}?transportConnectorURIs=tcp://127.0.0.1:0&discovery.interface=127.0.0.1&discovery.port=6199"
    );
    let connection = flockmq::connect(&uri).await.expect("connected");
    connection.with_timeout(Duration::from_secs(30))
}

/// Processor time of this process so far, in seconds, in steps of 10 ms.
pub(crate) fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit(')').next().expect("a name in parentheses");
    let mut fields = after_name.split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|field| field.parse::<f64>().ok()).expect("a number");
    (ticks() + ticks()) / 100.0
}

/// Resident memory of this process, in MiB.
pub(crate) fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("every process has some");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
}

/// The items of a list that an environment variable holds; none if it is not set.
pub(crate) fn wanted(variable: &str) -> Vec<String> {
    std::env::var(variable).map(|list| list.split(',').map(str::to_owned).collect()).unwrap_or_default()
}

/// One buffer for all messages, as the raw way has it: without a count of its users that two threads would share.
pub(crate) fn payload(size: usize) -> Bytes {
    Bytes::from_static(vec![b'd'; size].leak())
}

pub(crate) fn seconds() -> Duration {
    let seconds = std::env::var("FLOCKMQ_BENCH_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(1.0))
}

/// The one in the middle, by what counts.
pub(crate) fn median<T>(mut items: Vec<T>, by: impl Fn(&T) -> f64) -> T {
    items.sort_by(|a, b| by(a).total_cmp(&by(b)));
    items.swap_remove(items.len() / 2)
}

/// The numbers of a report.
pub(crate) fn numbers(report: &str) -> Vec<f64> {
    report.split(' ').map(|number| number.parse().expect("a number")).collect()
}

/// Reads frames of four bytes of length and as many as that says, until `take` has had enough.
pub(crate) async fn read_frames(mut stream: TcpStream, mut take: impl FnMut(&Bytes) -> bool) {
    let mut buffer = BytesMut::with_capacity(4 * BATCH);
    loop {
        while buffer.len() >= 4 {
            let length = usize::try_from(u32::from_be_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]));
            let length = length.expect("short");
            if buffer.len() < 4 + length {
                break;
            }
            buffer.advance(4);
            if take(&buffer.split_to(length).freeze()) {
                return;
            }
        }
        buffer.reserve(4 * BATCH);
        assert!(stream.read_buf(&mut buffer).await.expect("read") > 0, "the end comes first");
    }
}

/// About how many bytes of raw frames are written at once.
pub(crate) const BATCH: usize = 64 * 1024;
const ROLE: &str = "FLOCKMQ_BENCH_ROLE";
