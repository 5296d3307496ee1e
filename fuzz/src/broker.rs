//! One broker with applications and a remote client, driven by choices; after each of them it must have said what the
//! model says, no more and no less, and count what the model counts.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flockmq_core::wire::Frame;
use flockmq_core::{
    Ack, AckExtent, AckKind, Body, BrokerConfig, BrokerId, CloseReason, Command, Config, ConnectionId, ConsumerId,
    DeadLetterPolicy, DeadLetterQueue, Delivery, Destination, DestinationPolicy, Event, Input, Instant, LinkConfig,
    LinkId, ListenerId, Message, MessageId, Node, Output, Path, Policies, ProducerId, RedeliveryPolicy, Refusal,
    RemoteConfig, RequestId, Role, Seed, Subscription, Tag, Timestamp,
};
use flockmq_tests::Choice;

use crate::end::{End, hello};
use crate::model::{Model, REMOTE, Said};

/// Choices: whatever applications and a remote client ask of a broker with little room, it does as the model.
///
/// # Panics
///
/// If it does not.
pub fn broker_ops(data: &[u8]) {
    play(&mut Choice::from_bytes(data));
}

/// Plays up to [`OPERATIONS_MAX`] operations.
pub(crate) fn play(choice: &mut Choice<'_>) {
    let mut bench = Bench::new(choice);
    for _ in 0..OPERATIONS_MAX {
        if choice.is_exhausted() {
            break;
        }
        bench.step(choice);
    }
}

/// A broker, and the model that it is compared with.
struct Bench {
    node: Node,
    model: Model,
    now: Instant,
    requests: u64,
    bodies: u64,
    message_max: usize,
    slot: Option<LinkId>,
    end: Option<End>,
    closing: Vec<LinkId>,
    sent: u64,                // By the remote client, over all its links.
    tags: BTreeMap<u64, Tag>, // Likewise over this one, by stream.
    said: Said,
}

impl Bench {
    fn new(choice: &mut Choice<'_>) -> Self {
        let redelivery = RedeliveryPolicy {
            redeliveries_max: None,
            first_delay: Duration::ZERO,
            delay: Duration::ZERO,
            ..RedeliveryPolicy::default()
        };
        let dead_letters = DeadLetterPolicy { queue: DeadLetterQueue::None, ..DeadLetterPolicy::default() };
        // What is given back is handed out again at once, and what is rejected is gone.
        let plain = DestinationPolicy { redelivery, dead_letters, ..DestinationPolicy::default() };
        let broker = BrokerConfig {
            destinations_max: choice.pick(&[100, 4, 2]),
            connections_max: choice.pick(&[100, 3, 2]),
            consumers_max: choice.pick(&[100, 3, 1]),
            producers_max: choice.pick(&[100, 3, 1]),
            producer_window: choice.pick(&[100, 4, 1]),
            queue_prefetch: 3,
            topic_prefetch: 2,
            prefetch_max: 5,
            queue_bytes_max: choice.pick(&[2_000, 500, 1]),
            topic_bytes_max: choice.pick(&[1_000, 500, 1]),
            stalled_after: Duration::from_millis(100),
            message_max: 300,
            checks_duplicates: choice.pick(&[true, false]),
            audit_producers_max: 100,
            policies: Policies { default: plain, entries: Vec::new() },
            ..BrokerConfig::default()
        };
        let remote = RemoteConfig {
            parked_bytes_max: choice.pick(&[10_000, 500]),
            window: choice.pick(&[10_000, 500, 1]),
            ..RemoteConfig::default()
        };
        let (link, message_max) = (LinkConfig { slots: 1, ..LinkConfig::default() }, broker.message_max as usize);
        let config = Config {
            multicast: None,
            link: LinkConfig { silence_max: Duration::from_secs(1 << 20), ..link },
            broker: broker.clone(),
            remote: remote.clone(),
            ..Config::broker("g", "b")
        };
        let mut bench = Self {
            node: Node::new(config, Seed::from(1), Instant::ZERO),
            model: Model::new(broker, remote),
            now: Instant::ZERO,
            requests: 0,
            bodies: 0,
            message_max,
            slot: None,
            end: None,
            closing: Vec::new(),
            sent: 0,
            tags: BTreeMap::new(),
            said: Said::default(),
        };
        bench.drain();
        let addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 1))];
        bench.tell(Input::Listening { listener: ListenerId(1), addresses });
        if choice.below(2) == 0 {
            for connection in 0..CONNECTIONS {
                bench.attach(connection);
                for (producer, text) in (1..).zip(DESTINATIONS).filter(|(producer, _)| producer % 3 == connection) {
                    bench.produce(connection, producer, &text.parse().expect("a destination"));
                }
            }
        }
        bench
    }

    fn step(&mut self, choice: &mut Choice<'_>) {
        let connection = choice.below(CONNECTIONS);
        match choice.below(16) {
            0..4 if connection == REMOTE => self.forward(choice),
            0..4 => {
                let (producer, count) = (1 + choice.below(PRODUCERS), 1 + choice.below(4));
                let bodies = (0..count).map(|_| self.body(choice)).collect();
                self.send(connection, producer, bodies);
            }
            4..6 => {
                let (number, pattern) = (consumer(connection, choice), destination(choice));
                let prefetch = choice.pick(&[Some(1), None, Some(2), Some(5), Some(0), Some(6)]);
                self.subscribe(connection, number, pattern, prefetch);
            }
            6..10 => {
                let owner = if choice.chance(1, 8) { choice.below(CONNECTIONS) } else { connection };
                let number = consumer(owner, choice);
                let tag = tag(self.model.last(number), choice);
                let extent = choice.pick(&[AckExtent::UpTo, AckExtent::Individual]);
                let kind = choice.pick(&[AckKind::Accepted, AckKind::Accepted, AckKind::Released, AckKind::Rejected]);
                self.acknowledge(connection, Ack { consumer: number, tag, extent, kind });
            }
            10 => {
                let number = consumer(connection, choice);
                let seen = tag(self.model.last(number), choice);
                self.unsubscribe(connection, number, seen);
            }
            11 => self.produce(connection, 1 + choice.below(PRODUCERS), &destination(choice)),
            12 => self.close_producer(connection, 1 + choice.below(PRODUCERS)),
            13 => self.attach(connection),
            14 => self.detach(connection),
            _ => {
                let until = self.now + Duration::from_millis(choice.pick(&[1, 10, 99, 100, 1000]));
                if choice.chance(1, 4) {
                    self.now = until; // Nobody is woken in time.
                }
                while let Some(at) = self.node.poll_timeout().filter(|at| *at <= until) {
                    self.now = self.now.max(at);
                    self.model.time_out(self.now);
                    self.tell(Input::Timeout);
                    self.compare("waiting");
                }
                self.now = until;
            }
        }
    }

    fn attach(&mut self, connection: u64) {
        if connection != REMOTE {
            self.ask(|request| Command::Attach { request, connection: ConnectionId(connection) });
        } else if let Some(link) = self.slot.filter(|_| self.end.is_none()) {
            let mut end = End::new(link);
            let data = end.greet(hello(CLIENT, Role::Client));
            self.end = Some(end);
            self.tags.clear();
            self.tell(Input::Connected { link, remote: SocketAddr::from((Ipv4Addr::LOCALHOST, 2)) });
            self.tell(Input::Bytes { link, data });
        } else {
            return;
        }
        let result = self.model.attach(connection);
        if connection == REMOTE {
            assert_eq!(self.end.is_some(), result.is_ok(), "{result:?}");
            self.model.said();
            self.said = Said::default();
        } else {
            self.check_reply(result);
        }
        self.compare("attaching");
    }

    fn detach(&mut self, connection: u64) {
        if connection != REMOTE {
            self.ask(|request| Command::Detach { request, connection: ConnectionId(connection) });
            let result = self.model.detach(self.now, connection);
            self.check_reply(result);
        } else if let Some(end) = self.end.take() {
            self.tell(Input::Closed { link: end.link, reason: CloseReason::Ended });
            self.model.detach(self.now, REMOTE).expect("its link was up");
        }
        self.compare("detaching");
    }

    fn produce(&mut self, connection: u64, producer: u64, destination: &Destination) {
        if connection == REMOTE {
            return; // Its streams begin with what is sent on them.
        }
        let destination = destination.clone();
        let result = self.model.produce(connection, producer, &destination);
        let connection = ConnectionId(connection);
        self.ask(|request| Command::Produce { request, connection, producer, destination });
        self.check_reply(result);
        self.compare("producing");
    }

    fn close_producer(&mut self, connection: u64, producer: u64) {
        if connection == REMOTE {
            return;
        }
        let result = self.model.close_producer(self.now, connection, producer);
        let connection = ConnectionId(connection);
        self.ask(|request| Command::CloseProducer { request, connection, producer });
        self.check_reply(result);
        self.compare("closing a producer");
    }

    fn send(&mut self, connection: u64, producer: u64, bodies: Vec<Body>) {
        let known = self.model.producer(connection, producer);
        let (destination, sent) = known.unwrap_or_else(|| (Destination::queue("none").expect("a name"), 0));
        let id = ProducerId { broker: self.node.id(), number: producer };
        let messages = (sent + 1..).zip(&bodies);
        let messages = messages.map(|(sequence, body)| {
            let id = MessageId { producer: id, sequence };
            self.message(id, destination.clone(), body.clone())
        });
        self.model.send(self.now, connection, producer, messages.collect());
        let connection = ConnectionId(connection);
        self.tell(Input::Command(Command::Send { connection, producer, messages: bodies }));
        self.compare("sending");
    }

    /// The remote client sends, or sends again.
    fn forward(&mut self, choice: &mut Choice<'_>) {
        if self.end.is_none() {
            return;
        }
        let (stream, count, redeliveries) = (1 + choice.below(3), 1 + choice.below(3), choice.pick(&[0, 1, u32::MAX]));
        let mut frames = Vec::new();
        for _ in 0..count {
            let (destination, body) = (destination(choice), self.body(choice));
            self.sent += 1;
            let again = if choice.chance(1, 4) { choice.below(4) } else { 0 };
            let sequence = self.sent.saturating_sub(again).max(1);
            let id = MessageId { producer: ProducerId { broker: CLIENT, number: 1 }, sequence };
            let message = self.message(id, destination, body);
            let demand = u32::try_from(stream).expect("a small number");
            let tag = self.tags.entry(stream).or_default();
            *tag += 1;
            frames.push(Frame::Forward { demand, tag: *tag, redeliveries, message });
        }
        for frame in &frames {
            let Frame::Forward { tag, message, .. } = frame else { continue };
            self.model.hear(self.now, stream, *tag, redeliveries, Arc::clone(message));
        }
        self.say(&frames);
        self.compare("forwarding");
    }

    fn subscribe(&mut self, connection: u64, consumer: ConsumerId, destination: Destination, prefetch: Option<u32>) {
        if connection == REMOTE && self.end.is_none() {
            return;
        }
        let result = self.model.subscribe(self.now, connection, consumer, &destination, prefetch);
        let subscription = Subscription { prefetch, ..Subscription::new(destination) };
        if connection == REMOTE {
            self.say(&[Frame::Subscribe { number: number(consumer), subscription }]);
        } else {
            let connection = ConnectionId(connection);
            self.ask(|request| Command::Subscribe { request, connection, consumer, subscription });
        }
        self.check_reply(result);
        self.compare("subscribing");
    }

    fn unsubscribe(&mut self, connection: u64, consumer: ConsumerId, seen: Tag) {
        let result = self.model.unsubscribe(self.now, connection, consumer, seen);
        if connection == REMOTE {
            self.say(&[Frame::Unsubscribe { number: number(consumer), seen }]);
        } else {
            let connection = ConnectionId(connection);
            self.ask(|request| Command::CloseConsumer { request, connection, consumer, seen });
            self.check_reply(result);
        }
        self.compare("unsubscribing");
    }

    fn acknowledge(&mut self, connection: u64, ack: Ack) {
        let result = self.model.acknowledge(self.now, connection, ack);
        if connection == REMOTE {
            self.say(&[Frame::Ack(ack)]);
        } else {
            self.tell(Input::Command(Command::Ack { connection: ConnectionId(connection), ack }));
            let replies = std::mem::take(&mut self.said.replies);
            assert_eq!(replies, result.err().map(Err).into_iter().collect::<Vec<_>>(), "{ack:?}");
        }
        self.compare("acknowledging");
    }

    fn body(&mut self, choice: &mut Choice<'_>) -> Body {
        self.bodies += 1;
        let size = choice.pick(&[8, 100, 0, self.message_max, self.message_max + 1]);
        let mut data = self.bodies.to_be_bytes().to_vec();
        data.resize(size, b'.');
        Body::bytes(data)
    }

    fn message(&self, id: MessageId, destination: Destination, body: Body) -> Arc<Message> {
        let timestamp = Timestamp::default() + self.now.since_origin();
        Arc::new(Message { id, destination, path: Path::default(), timestamp, body })
    }

    fn ask(&mut self, command: impl FnOnce(RequestId) -> Command) {
        self.requests += 1;
        self.tell(Input::Command(command(RequestId(self.requests))));
    }

    /// The remote client says something, if it is there.
    fn say(&mut self, frames: &[Frame]) {
        if let Some(end) = &mut self.end {
            let (link, data) = (end.link, end.say(frames));
            self.tell(Input::Bytes { link, data });
        }
    }

    fn tell(&mut self, input: Input) {
        self.node.handle_input(self.now, input);
        self.drain();
        while let Some(link) = self.closing.pop() {
            self.node.handle_input(self.now, Input::Closed { link, reason: CloseReason::Requested });
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Accept { link, .. } => self.slot = Some(link),
                Output::Close { link } => {
                    self.said.has_parted |= self.end.take_if(|end| end.link == link).is_some();
                    self.closing.push(link);
                }
                Output::Event(event) => self.hear_event(event),
                Output::Send { link, data } => {
                    self.node.handle_input(self.now, Input::Sent { link, bytes: data.len() as u64 });
                    self.hear_bytes(link, data);
                }
                _ => (),
            }
        }
    }

    fn hear_event(&mut self, event: Event) {
        match event {
            Event::Accepted { producer, up_to, by } => {
                assert!(by.is_empty());
                let before = self.said.accepted.insert((false, producer), up_to);
                assert!(before.is_none_or(|before| before < up_to), "acceptances grow");
            }
            Event::AckRefused { refusal, .. } => self.said.replies.push(Err(refusal)),
            Event::Delivered { consumer, deliveries } => {
                assert!(!deliveries.is_empty());
                self.said.delivered.entry(consumer).or_default().extend(deliveries);
            }
            Event::Refused { producer, sequence, refusal, answers } => {
                assert!(answers.is_empty());
                self.said.refused.entry((false, producer, sequence)).or_default().push(refusal);
            }
            Event::Replied { request, result } => {
                assert_eq!(request, RequestId(self.requests), "one question, one answer");
                self.said.replies.push(result);
            }
            _ => (),
        }
    }

    fn hear_bytes(&mut self, link: LinkId, data: Bytes) {
        let Some(end) = self.end.as_mut().filter(|end| end.link == link) else { return };
        for frame in end.hear(data) {
            match frame {
                Frame::Forward { demand, tag, redeliveries, message } => {
                    let delivery = Delivery { tag, redeliveries, message };
                    self.said.delivered.entry(ConsumerId(demand.into())).or_default().push(delivery);
                }
                Frame::Forwarded { demand, up_to } => {
                    let before = self.said.accepted.insert((true, demand.into()), up_to);
                    assert!(before.is_none_or(|before| before < up_to), "acceptances grow");
                }
                Frame::Refused { stream, tag, refusal } => {
                    self.said.refused.entry((true, stream.into(), tag)).or_default().push(refusal);
                }
                Frame::Subscribed { result, .. } => self.said.replies.push(result),
                _ => (),
            }
        }
    }

    fn check_reply(&mut self, result: Result<(), Refusal>) {
        assert_eq!(std::mem::take(&mut self.said.replies), [result]);
    }

    /// Both have said and hold the same.
    fn compare(&mut self, doing: &str) {
        let (mut found, mut expected) = (std::mem::take(&mut self.said), self.model.said());
        for said in [&mut found, &mut expected].into_iter().filter(|said| said.has_parted) {
            // What was on its way to it counts for nothing.
            said.accepted.retain(|(is_remote, _), _| !is_remote);
            said.refused.retain(|(is_remote, ..), _| !is_remote);
            said.delivered.retain(|consumer, _| consumer.0 >= CONSUMERS);
        }
        assert_eq!(found, expected, "{doing} at {:?}", self.now);
        assert_eq!(self.node.stats().broker, self.model.stats(), "{doing} at {:?}", self.now);
        let (found, expected) = (self.node.poll_timeout(), self.model.poll_timeout());
        assert!(expected.is_none_or(|at| found.is_some_and(|found| found <= at)), "{found:?} instead of {expected:?}");
    }
}

/// One of a connection's own consumers.
fn consumer(connection: u64, choice: &mut Choice<'_>) -> ConsumerId {
    ConsumerId(connection * CONSUMERS + choice.below(CONSUMERS))
}

fn number(consumer: ConsumerId) -> u32 {
    u32::try_from(consumer.0).expect("few consumers")
}

/// A delivery counted from the last one, or none that there ever was.
fn tag(last: Tag, choice: &mut Choice<'_>) -> Tag {
    match choice.below(8) {
        6 => last + 1,
        7 => Tag::MAX,
        before => last.saturating_sub(before),
    }
}

fn destination(choice: &mut Choice<'_>) -> Destination {
    choice.pick(&DESTINATIONS).parse().expect("a destination")
}

const DESTINATIONS: [&str; 10] = [
    "queue://a",
    "topic://t",
    "queue://b.c",
    "topic://u.v",
    "queue://b.d",
    "topic://u.w",
    "queue://b.*",
    "topic://u.>",
    "queue://>",
    "topic://>",
];
const CONNECTIONS: u64 = 4;
const CONSUMERS: u64 = 4;
const PRODUCERS: u64 = 6;
const OPERATIONS_MAX: usize = 200;
const CLIENT: BrokerId = BrokerId(77);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_does_as_the_model() {
        for seed in 0..600 {
            let failed = std::panic::catch_unwind(|| play(&mut Choice::from_seed(seed))).is_err();
            assert!(!failed, "seed {seed}");
        }
    }
}
