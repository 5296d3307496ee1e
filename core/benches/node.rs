//! What one message costs from an application to another: through one node, and through two and the bytes between them.
//!
//! Prints nanoseconds a message and messages a second, on one core: `cargo bench -p flockmq-core --bench node`.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock that the core must not")]
#![expect(clippy::cast_precision_loss, reason = "figures are rounded when they are printed")]

use std::time::{Duration, Instant as Clock};

use flockmq_core::{
    Ack, AckExtent, AckKind, Address, Body, Command, Config, ConnectionId, ConsumerId, Destination, Event, Input,
    Instant, LinkId, Node, Output, RequestId, Role, Seed, Subscription,
};

const BATCH: usize = 256;
const CONNECTION: ConnectionId = ConnectionId(1);
const CONSUMER: ConsumerId = ConsumerId(1);

fn main() {
    for (kind, size) in [("topic", 16), ("topic", 256), ("topic", 1024), ("queue", 16), ("queue", 256), ("queue", 1024)]
    {
        let destination: Destination = format!("{kind}://bench").parse().expect("a destination");
        report(&format!("one node, {kind}, {size} B"), &mut One::new(destination.clone()), size);
        report(&format!("two nodes, {kind}, {size} B"), &mut Two::new(&destination), size);
    }
}

/// Something that carries a batch of messages from a producer to a consumer.
trait Carry {
    fn carry(&mut self, messages: Vec<Body>) -> usize;
}

fn report(what: &str, carrier: &mut dyn Carry, size: usize) {
    let body = Body::bytes(vec![7; size]);
    let time = if std::env::args().any(|arg| arg == "--test") { 10 } else { 700 };
    let (mut sent, mut delivered, start) = (0, 0, Clock::now());
    while start.elapsed() < Duration::from_millis(time) {
        delivered += carrier.carry(vec![body.clone(); BATCH]);
        sent += BATCH;
    }
    let nanos = start.elapsed().as_nanos() as f64 / sent as f64;
    assert_eq!(delivered, sent, "every message arrives");
    println!("{what:<28} {nanos:>8.0} ns/message {:>12.0} messages/s", 1e9 / nanos);
}

fn attach(node: &mut Node) {
    let attach = Command::Attach { request: RequestId(1), connection: CONNECTION };
    node.handle_input(Instant::ZERO, Input::Command(attach));
}

fn produce(node: &mut Node, destination: Destination) {
    let produce = Command::Produce {
        request: RequestId(2),
        connection: CONNECTION,
        producer: 1,
        destination: destination.into(),
    };
    node.handle_input(Instant::ZERO, Input::Command(produce));
}

fn subscribe(node: &mut Node, destination: Destination) {
    let subscription = Subscription::new(destination);
    let command =
        Command::Subscribe { request: RequestId(3), connection: CONNECTION, consumer: CONSUMER, subscription };
    node.handle_input(Instant::ZERO, Input::Command(command));
}

fn send(node: &mut Node, messages: Vec<Body>) {
    node.handle_input(Instant::ZERO, Input::Command(Command::Send { connection: CONNECTION, producer: 1, messages }));
}

fn acknowledge(node: &mut Node, tag: u64) {
    let ack = Ack { consumer: CONSUMER, tag, extent: AckExtent::UpTo, kind: AckKind::Accepted };
    node.handle_input(Instant::ZERO, Input::Command(Command::Ack { connection: CONNECTION, ack }));
}

struct One(Node);

impl One {
    fn new(destination: Destination) -> Self {
        let mut node = Node::new(Config::alone("one"), Seed::from(1), Instant::ZERO);
        attach(&mut node);
        produce(&mut node, destination.clone());
        subscribe(&mut node, destination);
        while node.poll_output().is_some() {}
        Self(node)
    }
}

impl Carry for One {
    fn carry(&mut self, messages: Vec<Body>) -> usize {
        send(&mut self.0, messages);
        let mut delivered = 0;
        while let Some(output) = self.0.poll_output() {
            if let Output::Event(Event::Delivered { deliveries, .. }) = output {
                delivered += deliveries.len();
                acknowledge(&mut self.0, deliveries.last().expect("not empty").tag);
            }
        }
        delivered
    }
}

/// Two nodes whose link is a function call.
struct Two {
    nodes: [Node; 2],
    links: [LinkId; 2],
}

impl Two {
    fn new(destination: &Destination) -> Self {
        let address: Address = "tcp://127.0.0.1:1".parse().expect("an address");
        let far = Config { listen: Some(address.clone()), role: Role::Peer, ..Config::alone("far") };
        let near = Config { peers: vec![address], role: Role::Peer, ..Config::alone("near") };
        let mut nodes = [Node::new(near, Seed::from(1), Instant::ZERO), Node::new(far, Seed::from(2), Instant::ZERO)];
        attach(&mut nodes[0]);
        attach(&mut nodes[1]);
        produce(&mut nodes[0], destination.clone());
        subscribe(&mut nodes[1], destination.clone());
        let mut two = Self { nodes, links: [LinkId(0); 2] };
        let remote = "127.0.0.1:1".parse().expect("an address");
        while let Some(output) = two.nodes[1].poll_output() {
            match output {
                Output::Listen { listener, .. } => {
                    let listening = Input::Listening { listener, addresses: vec![remote] };
                    two.nodes[1].handle_input(Instant::ZERO, listening);
                }
                Output::Accept { link, .. } if two.links[1] == LinkId(0) => two.links[1] = link,
                _ => (),
            }
        }
        while let Some(output) = two.nodes[0].poll_output() {
            if let Output::Connect { link, .. } = output {
                two.links[0] = link;
            }
        }
        for (node, link) in two.nodes.iter_mut().zip(two.links) {
            node.handle_input(Instant::ZERO, Input::Connected { link, remote });
        }
        two.settle();
        assert!(two.nodes[0].peers().iter().all(|peer| peer.is_ready) && two.nodes[0].peers().len() == 1);
        two
    }

    /// Carries everything that is to be carried; tells how many messages were delivered.
    fn settle(&mut self) -> usize {
        let mut delivered = 0;
        let mut is_quiet = false;
        while !is_quiet {
            is_quiet = true;
            for side in [0, 1] {
                while let Some(output) = self.nodes[side].poll_output() {
                    is_quiet = false;
                    match output {
                        Output::Send { data, link } => {
                            let sent = Input::Sent { link, bytes: data.len() as u64 };
                            self.nodes[side].handle_input(Instant::ZERO, sent);
                            let input = Input::Bytes { link: self.links[1 - side], data };
                            self.nodes[1 - side].handle_input(Instant::ZERO, input);
                        }
                        Output::Event(Event::Delivered { deliveries, .. }) => {
                            delivered += deliveries.len();
                            acknowledge(&mut self.nodes[side], deliveries.last().expect("not empty").tag);
                        }
                        _ => (),
                    }
                }
            }
        }
        delivered
    }
}

impl Carry for Two {
    fn carry(&mut self, messages: Vec<Body>) -> usize {
        send(&mut self.nodes[0], messages);
        self.settle()
    }
}
