//! The application at one host of a play: what it has named so far, and what it says to its node.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::HostId;
use crate::{
    Ack, AckExtent, AckKind, Body, BrokerId, Command, ConnectionId, ConsumerId, Delivery, Destination, DestinationKind,
    MessageId, ProducerId, RequestId, Subscription, Tag, Temporary,
};

/// What the application at one host has named so far.
#[derive(Debug)]
pub(super) struct Application {
    pub(super) name: String,
    pub(super) host: HostId,
    requests: u64,
    wanted: BTreeMap<Destination, Consumer>,
    producers: BTreeMap<Destination, Producer>,
    asks: bool, // It has a consumer for what answers it.
}

#[derive(Clone, Copy, Debug)]
struct Consumer {
    id: ConsumerId,
    seen: Tag,
    answers: bool,
}

#[derive(Clone, Copy, Debug)]
struct Producer {
    number: u64,
    sent: u64,
}

impl Application {
    pub(super) fn new(name: String, host: HostId) -> Self {
        Self { name, host, requests: 0, wanted: BTreeMap::new(), producers: BTreeMap::new(), asks: false }
    }

    /// What it takes.
    pub(super) fn wanted(&self) -> impl Iterator<Item = &Destination> {
        self.wanted.keys()
    }

    pub(super) fn attach(&mut self) -> Command {
        Command::Attach { request: self.request(), connection: CONNECTION }
    }

    /// It is there again with its node: it forgets all but what it wants, and wants that anew.
    pub(super) fn begin_again(&mut self) -> Vec<Command> {
        (self.requests, self.asks) = (0, false);
        self.producers.clear();
        let mut commands = vec![self.attach()];
        for (destination, consumer) in core::mem::take(&mut self.wanted) {
            commands.extend(self.subscribe(destination, consumer.answers));
        }
        commands
    }

    /// Takes what comes for a destination, and answers what asks for it; nothing is to be said if it does so already.
    pub(super) fn subscribe(&mut self, destination: Destination, answers: bool) -> Option<Command> {
        if let Some(consumer) = self.wanted.get_mut(&destination) {
            consumer.answers = answers;
            return None;
        }
        let request = self.request();
        let consumer = Consumer { id: ConsumerId(request.0), seen: 0, answers };
        self.wanted.insert(destination.clone(), consumer);
        Some(subscribe(request, consumer.id, destination))
    }

    /// Takes no more of a destination; nothing is to be said if it did not.
    pub(super) fn unsubscribe(&mut self, destination: &Destination) -> Option<Command> {
        let Consumer { id: consumer, seen, .. } = self.wanted.remove(destination)?;
        Some(Command::CloseConsumer { request: self.request(), connection: CONNECTION, consumer, seen })
    }

    /// Sends messages through a node of this identity; what it says, and the first one's id.
    pub(super) fn send(
        &mut self,
        broker: BrokerId,
        destination: &Destination,
        bodies: Vec<Body>,
    ) -> (Vec<Command>, MessageId) {
        let mut commands = Vec::new();
        if !self.producers.contains_key(destination) {
            let request = self.request();
            let number = request.0;
            self.producers.insert(destination.clone(), Producer { number, sent: 0 });
            let destination = destination.clone().into();
            commands.push(Command::Produce { request, connection: CONNECTION, producer: number, destination });
        }
        let producer = self.producers.get_mut(destination).expect("just inserted");
        let id = ProducerId { broker, number: producer.number };
        let first = MessageId { producer: id, sequence: producer.sent + 1 };
        producer.sent += bodies.len() as u64;
        let producer = producer.number;
        let sends = bodies.into_iter();
        commands.extend(sends.map(|body| Command::Send { connection: CONNECTION, producer, messages: vec![body] }));
        (commands, first)
    }

    /// Makes messages ask for an answer; what it says to be able to hear it.
    pub(super) fn ask(&mut self, broker: BrokerId, bodies: &mut [Body]) -> Option<Command> {
        let name = Temporary { broker, connection: CONNECTION, number: 0 };
        let replies = Destination::temporary(DestinationKind::Queue, name);
        for body in bodies {
            body.headers.reply_to = Some(replies.clone());
        }
        if core::mem::replace(&mut self.asks, true) {
            return None;
        }
        let request = self.request();
        Some(subscribe(request, ConsumerId(request.0), replies))
    }

    /// It was handed messages: acknowledges them, and tells which answers go where.
    pub(super) fn hear(
        &mut self,
        id: ConsumerId,
        deliveries: &[Delivery],
    ) -> (Option<Command>, Vec<(Destination, Body)>) {
        let Some(last) = deliveries.last() else { return (None, Vec::new()) };
        let ack = Ack { consumer: id, tag: last.tag, extent: AckExtent::UpTo, kind: AckKind::Accepted };
        let mut answers = Vec::new();
        if let Some(consumer) = self.wanted.values_mut().find(|consumer| consumer.id == id) {
            consumer.seen = last.tag;
            if consumer.answers {
                answers.extend(deliveries.iter().filter_map(answer));
            }
        }
        (Some(Command::Ack { connection: CONNECTION, ack }), answers)
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }
}

fn subscribe(request: RequestId, consumer: ConsumerId, destination: Destination) -> Command {
    Command::Subscribe { request, connection: CONNECTION, consumer, subscription: Subscription::new(destination) }
}

/// What answers a message, and where to, if it asks for an answer.
fn answer(delivery: &Delivery) -> Option<(Destination, Body)> {
    let asked = &delivery.message;
    let to = asked.body.headers.reply_to.clone()?;
    let mut body = Body { headers: <_>::default(), ..asked.body.clone() };
    body.headers.correlation_id = Some(asked.id.to_string());
    Some((to, body))
}

const CONNECTION: ConnectionId = ConnectionId(1);
