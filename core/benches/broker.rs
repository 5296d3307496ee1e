//! What the embedded broker costs in company: a message, a new destination and a consumer's coming and going, alone and
//! among 10,000 destinations with 10,000 subscriptions, half of them wildcards.
//!
//! Prints times, and how many times more than alone: `cargo bench -p flockmq-core --bench broker`.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock that the core must not")]
#![expect(clippy::cast_precision_loss, reason = "figures are rounded when they are printed")]

use std::time::{Duration, Instant as Clock};

use flockmq_core::{
    Ack, AckExtent, AckKind, Body, Command, Config, ConnectionId, ConsumerId, Destination, Event, Input, Instant, Node,
    Output, RequestId, Seed, Subscription,
};

const BATCH: usize = 256;
const CROWD: u64 = 10_000;
const OWN: u64 = 100_000; // From here on, consumers are the bench's own.
const CONNECTION: ConnectionId = ConnectionId(1);

fn main() {
    for kind in ["topic", "queue"] {
        let mut alone = Bench::new(kind);
        let mut crowded = Bench::new(kind);
        crowded.crowd();
        for (what, measure) in MEASURES {
            let (before, after) = (measure(&mut alone), measure(&mut crowded));
            println!(
                "{:<40} {before:>9.0} ns alone {after:>9.0} ns crowded {:>6.1}×",
                format!("{kind}: {what}"),
                after / before
            );
        }
    }
}

type Measure = fn(&mut Bench) -> f64;

const MEASURES: [(&str, Measure); 5] = [
    ("a message", |bench| {
        let messages = vec![Body::bytes(vec![7; 256]); BATCH];
        timed(|_| assert_eq!(bench.send(messages.clone()), BATCH, "every message arrives")) / BATCH as f64
    }),
    ("a message to each of 100 in turn", |bench| {
        let messages = vec![Body::bytes(vec![7; 256]); 4];
        timed(|round| assert_eq!(bench.send_to(2 + round % 100, messages.clone()), 4, "every message arrives")) / 4.0
    }),
    ("a consumer comes and goes", |bench| timed(|round| bench.visit(OWN + round, "own.here"))),
    ("a consumer of 100 comes and goes", |bench| timed(|round| bench.visit(OWN + round, "own.*"))),
    ("a new destination", |bench| {
        // Each bench has room for so many.
        let first = bench.born;
        let start = Clock::now();
        for number in first..first + 1_000 {
            bench.visit(OWN + number, &format!("new.{number}"));
        }
        bench.born += 1_000;
        start.elapsed().as_nanos() as f64 / 1_000.0
    }),
];

/// Nanoseconds that one round takes.
fn timed(mut round: impl FnMut(u64)) -> f64 {
    let time = if std::env::args().any(|arg| arg == "--test") { 10 } else { 500 };
    let (mut rounds, start) = (0, Clock::now());
    while start.elapsed() < Duration::from_millis(time) {
        round(rounds);
        rounds += 1;
    }
    start.elapsed().as_nanos() as f64 / rounds as f64
}

/// A node with an application that sends and takes.
struct Bench {
    node: Node,
    kind: &'static str,
    born: u64,
}

impl Bench {
    /// A node with producer 1 and a consumer of its own, and producers 2 to 101 with one each.
    fn new(kind: &'static str) -> Self {
        let mut config = Config::alone("bench");
        config.broker.consumers_max = 50_000;
        config.broker.destinations_max = 50_000;
        let mut bench = Self { node: Node::new(config, Seed::from(1), Instant::ZERO), kind, born: 0 };
        bench.tell(Command::Attach { request: RequestId(1), connection: CONNECTION });
        for producer in 1..102 {
            let destination = bench.destination(&format!("own.{producer}.in"));
            let request = RequestId(1);
            bench.tell(Command::Produce { request, connection: CONNECTION, producer, destination: destination.into() });
            bench.subscribe(OWN - producer, &format!("own.{producer}.in"));
        }
        bench.subscribe(OWN - 500, "own.here");
        bench.unsubscribe(OWN - 500);
        bench
    }

    /// Adds destinations and subscriptions that have nothing to do with those of the bench.
    fn crowd(&mut self) {
        for number in 0..CROWD {
            // Each destination has one subscription: by its name, or by a wildcard that covers no other.
            let name = format!("crowd.{number}.in");
            self.visit(OWN - 600, &name);
            let pattern = match number % 4 {
                0 => format!("crowd.{number}.*"),
                1 => format!("crowd.{number}.>"),
                _ => name,
            };
            self.subscribe(number, &pattern);
        }
    }

    fn destination(&self, name: &str) -> Destination {
        format!("{}://{name}", self.kind).parse().expect("a destination")
    }

    fn tell(&mut self, command: Command) {
        self.node.handle_input(Instant::ZERO, Input::Command(command));
        while let Some(output) = self.node.poll_output() {
            if let Output::Event(Event::Replied { result, .. }) = output {
                result.expect("done");
            }
        }
    }

    fn subscribe(&mut self, consumer: u64, name: &str) {
        let subscription = Subscription::new(self.destination(name));
        let (request, consumer) = (RequestId(1), ConsumerId(consumer));
        self.tell(Command::Subscribe { request, connection: CONNECTION, consumer, subscription });
    }

    fn unsubscribe(&mut self, consumer: u64) {
        let (request, consumer) = (RequestId(1), ConsumerId(consumer));
        self.tell(Command::CloseConsumer { request, connection: CONNECTION, consumer, seen: 0 });
    }

    fn visit(&mut self, consumer: u64, name: &str) {
        self.subscribe(consumer, name);
        self.unsubscribe(consumer);
    }

    fn send(&mut self, messages: Vec<Body>) -> usize {
        self.send_to(1, messages)
    }

    /// Sends, and acknowledges what is delivered; tells how much that was.
    fn send_to(&mut self, producer: u64, messages: Vec<Body>) -> usize {
        let send = Command::Send { connection: CONNECTION, producer, messages };
        self.node.handle_input(Instant::ZERO, Input::Command(send));
        let mut delivered = 0;
        while let Some(output) = self.node.poll_output() {
            if let Output::Event(Event::Delivered { consumer, deliveries }) = output {
                delivered += deliveries.len();
                let tag = deliveries.last().expect("not empty").tag;
                let ack = Ack { consumer, tag, extent: AckExtent::UpTo, kind: AckKind::Accepted };
                self.node.handle_input(Instant::ZERO, Input::Command(Command::Ack { connection: CONNECTION, ack }));
            }
        }
        delivered
    }
}
