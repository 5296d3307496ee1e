//! What a long queue costs: the memory of a message that waits, and the time of one that passes through when many wait
//! before it.
//!
//! Prints bytes a message and nanoseconds a message: `cargo bench -p flockmq-core --bench backlog`. Memory is what the
//! system says the process holds, so that nothing is forgotten; where it says nothing, that line is left out.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock that the core must not")]
#![expect(clippy::cast_precision_loss, reason = "figures are rounded when they are printed")]

use std::time::{Duration, Instant as Clock};

use flockmq_core::{
    Ack, AckExtent, AckKind, Body, Command, Config, ConnectionId, ConsumerId, Destination, Event, Input, Instant, Node,
    Output, Priority, RequestId, Seed, Subscription,
};

const BATCH: usize = 256;
const CONNECTION: ConnectionId = ConnectionId(1);
const CONSUMER: ConsumerId = ConsumerId(1);
const SIZE: usize = 256;
/// How much memory a message that waits may take.
const BYTES_MAX: f64 = 512.0;

fn main() {
    let is_test = std::env::args().any(|arg| arg == "--test");
    let count = if is_test { 100_000 } else { 1_000_000 };
    let levels: Vec<Priority> = (0..=Priority::MAX.level()).filter_map(|level| level.try_into().ok()).collect();
    let mut kept = Vec::new(); // Or the next would wait in the memory that was this one's, and seem to take none.
    for (what, levels) in [("one priority", vec![Priority::default()]), ("ten priorities", levels)] {
        let mut queue = Long::new(levels);
        let time = if is_test { 10 } else { 700 };
        let empty = queue.pass(Duration::from_millis(time));
        let before = resident();
        queue.grow(count);
        if let (Some(before), Some(after)) = (before, resident()) {
            let bytes = (after - before) as f64 / count as f64;
            println!("{what}: {bytes:.0} B for each of {count} messages of {SIZE} B that wait");
            assert!(bytes <= BYTES_MAX, "no more than {BYTES_MAX} B are allowed");
        }
        let long = queue.pass(Duration::from_millis(time));
        println!("{what}: {empty:.0} ns/message through an empty queue, {long:.0} ns/message behind {count}");
        kept.push(queue);
    }
}

/// A queue that one consumer takes from.
struct Long {
    node: Node,
    levels: Vec<Priority>, // Of its messages, in turn.
    sent: usize,
    delivered: u64, // The last delivery.
}

impl Long {
    fn new(levels: Vec<Priority>) -> Self {
        let mut config = Config::alone("long");
        config.broker.queue_bytes_max = u64::MAX;
        let mut node = Node::new(config, Seed::from(1), Instant::ZERO);
        let destination: Destination = "queue://long".parse().expect("a destination");
        let subscription =
            Subscription { prefetch: Some(BATCH.try_into().expect("small")), ..Subscription::new(destination.clone()) };
        for command in [
            Command::Attach { request: RequestId(1), connection: CONNECTION },
            Command::Produce {
                request: RequestId(2),
                connection: CONNECTION,
                producer: 1,
                destination: destination.into(),
            },
            Command::Subscribe { request: RequestId(3), connection: CONNECTION, consumer: CONSUMER, subscription },
        ] {
            node.handle_input(Instant::ZERO, Input::Command(command));
        }
        while node.poll_output().is_some() {}
        Self { node, levels, sent: 0, delivered: 0 }
    }

    /// Sends a batch; tells how many deliveries come of it.
    fn send(&mut self) -> usize {
        let messages = (0..BATCH).map(|_| {
            self.sent += 1;
            Body { priority: self.levels[self.sent % self.levels.len()], ..Body::bytes(vec![7; SIZE]) }
        });
        let messages = messages.collect();
        self.command(Command::Send { connection: CONNECTION, producer: 1, messages })
    }

    /// Accepts all that was delivered; tells how many deliveries come of it.
    fn accept(&mut self) -> usize {
        let ack = Ack { consumer: CONSUMER, tag: self.delivered, extent: AckExtent::UpTo, kind: AckKind::Accepted };
        self.command(Command::Ack { connection: CONNECTION, ack })
    }

    fn command(&mut self, command: Command) -> usize {
        self.node.handle_input(Instant::ZERO, Input::Command(command));
        let mut count = 0;
        while let Some(output) = self.node.poll_output() {
            if let Output::Event(Event::Delivered { deliveries, .. }) = output {
                self.delivered = deliveries.last().expect("not empty").tag;
                count += deliveries.len();
            }
        }
        count
    }

    /// Sends until `count` messages wait behind a batch that is with the consumer.
    fn grow(&mut self, count: usize) {
        assert_eq!(self.send(), BATCH, "the consumer had taken everything");
        for _ in 0..count / BATCH {
            assert_eq!(self.send(), 0, "the consumer has no credit");
        }
    }

    /// Sends and takes batch by batch; nanoseconds a message.
    fn pass(&mut self, time: Duration) -> f64 {
        let (mut passed, start) = (0, Clock::now());
        while start.elapsed() < time {
            assert_eq!(self.send() + self.accept(), BATCH, "as many come as went");
            passed += BATCH;
        }
        start.elapsed().as_nanos() as f64 / passed as f64
    }
}

/// How many bytes of memory this process holds, if the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}
