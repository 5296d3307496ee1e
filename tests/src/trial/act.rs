//! Operations are performed: the broker is asked, and the model.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use flockmq_core::wire::Frame;
use flockmq_core::{
    Ack, AdminRequest, Body, CloseReason, Command, ConnectionId, ConsumerId, Destination, Destinations, Input, Message,
    MessageId, Path, ProducerId, RequestId, Role, Subscription, Tag, Timestamp,
};

use super::Trial;
use super::operation::{Operation, Parcel, Waking};
use crate::end::{End, hello};
use crate::model::{CLIENT, REMOTE, Said};

impl Trial {
    pub(super) fn act(&mut self, operation: Operation) {
        match operation {
            Operation::Acknowledge { connection, ack } => self.acknowledge(connection, ack),
            Operation::Ask { connection, asked } => self.administer(connection, &asked),
            Operation::Attach(REMOTE) => self.connect(),
            Operation::Attach(connection) => self.attach(connection),
            Operation::Begin { connection, transaction } => self.begin(connection, transaction),
            Operation::CloseProducer { connection, producer } => self.close_producer(connection, producer),
            Operation::Commit { connection, transaction } => self.commit(connection, transaction),
            Operation::Detach(REMOTE) => self.disconnect(),
            Operation::Detach(connection) => self.detach(connection),
            Operation::Forward { stream, redeliveries, messages } => self.forward(stream, redeliveries, messages),
            Operation::Produce { connection, producer, destination } => {
                self.produce(connection, producer, destination);
            }
            Operation::RollBack { connection, transaction } => self.roll_back(connection, transaction),
            Operation::Send { connection, producer, bodies } => self.send(connection, producer, bodies),
            Operation::Subscribe { connection, consumer, subscription } => {
                self.subscribe(connection, consumer, subscription);
            }
            Operation::TransactedAck { connection, transaction, consumer, tag } => {
                self.acknowledge_in(connection, transaction, consumer, tag);
            }
            Operation::TransactedSend { connection, transaction, destination, body } => {
                self.send_in(connection, transaction, destination, body);
            }
            Operation::Unsubscribe { connection, consumer, seen } => self.unsubscribe(connection, consumer, seen),
            Operation::Wait { millis, waking } => self.wait(Duration::from_millis(millis), waking),
        }
    }

    fn administer(&mut self, connection: u64, asked: &AdminRequest) {
        if connection == REMOTE {
            self.say(&[Frame::Ask { number: 1, asked: asked.clone() }]);
        } else {
            self.requests += 1;
            let request = RequestId(self.requests);
            self.tell(Input::Command(Command::Ask { request, only: None, asked: asked.clone() }));
        }
        let answer = self.model.administer(asked);
        assert_eq!(std::mem::take(&mut self.said.answers), [answer], "{asked:?}");
    }

    fn attach(&mut self, connection: u64) {
        self.ask(|request| Command::Attach { request, connection: ConnectionId(connection) });
        let result = self.model.attach(connection);
        self.check_reply(result);
    }

    /// The remote client's link comes up, if there is room for it.
    fn connect(&mut self) {
        let Some(link) = self.slot.filter(|_| self.end.is_none()) else { return };
        let mut end = End::new(link);
        let data = end.greet(hello(CLIENT, Role::Client));
        self.end = Some(end);
        self.tags.clear();
        self.tell(Input::Connected { link, remote: SocketAddr::from((Ipv4Addr::LOCALHOST, 2)) });
        self.tell(Input::Bytes { link, data });
        let result = self.model.attach(REMOTE);
        assert_eq!(self.end.is_some(), result.is_ok(), "{result:?}");
        self.model.said();
        self.said = Said::default();
    }

    fn detach(&mut self, connection: u64) {
        self.ask(|request| Command::Detach { request, connection: ConnectionId(connection) });
        let result = self.model.detach(connection);
        self.check_reply(result);
    }

    /// The remote client's link is lost.
    fn disconnect(&mut self) {
        let Some(end) = self.end.take() else { return };
        self.tell(Input::Closed { link: end.link, reason: CloseReason::Ended });
        self.model.detach(REMOTE).expect("its link was up");
    }

    fn produce(&mut self, connection: u64, producer: u64, destination: Destinations) {
        let result = self.model.produce(connection, producer, &destination);
        let connection = ConnectionId(connection);
        self.ask(|request| Command::Produce { request, connection, producer, destination });
        self.check_reply(result);
    }

    fn close_producer(&mut self, connection: u64, producer: u64) {
        let result = self.model.close_producer(connection, producer);
        let connection = ConnectionId(connection);
        self.ask(|request| Command::CloseProducer { request, connection, producer });
        self.check_reply(result);
    }

    fn send(&mut self, connection: u64, producer: u64, bodies: Vec<Body>) {
        let known = self.model.producer(connection, producer);
        let (named, sent) = known.unwrap_or_else(|| ("none".parse().expect("a name"), 0));
        let id = ProducerId { broker: self.node.id(), number: producer };
        let messages = (sent + 1..).zip(&bodies);
        let messages = messages.map(|(sequence, body)| {
            let id = MessageId { producer: id, sequence };
            self.message(id, named.first().clone(), body.clone())
        });
        self.model.send(connection, producer, messages.collect());
        let connection = ConnectionId(connection);
        self.tell(Input::Command(Command::Send { connection, producer, messages: bodies }));
    }

    fn forward(&mut self, stream: u64, redeliveries: u32, messages: Vec<Parcel>) {
        let mut frames = Vec::new();
        for Parcel { again, destination, body } in messages {
            self.sent += 1;
            let sequence = self.sent.saturating_sub(again).max(1);
            let id = MessageId { producer: ProducerId { broker: CLIENT, number: 1 }, sequence };
            let message = self.message(id, destination, body);
            let demand = u32::try_from(stream).expect("a small number");
            let tag = self.tags.entry(stream).or_default();
            *tag += 1;
            self.model.hear(stream, *tag, redeliveries, Arc::clone(&message));
            frames.push(Frame::Forward { demand, tag: *tag, redeliveries, message });
        }
        self.say(&frames);
    }

    fn subscribe(&mut self, connection: u64, consumer: ConsumerId, subscription: Subscription) {
        let result = self.model.subscribe(connection, consumer, &subscription);
        if connection == REMOTE {
            self.say(&[Frame::Subscribe { number: number(consumer), subscription }]);
        } else {
            let connection = ConnectionId(connection);
            self.ask(|request| Command::Subscribe { request, connection, consumer, subscription });
        }
        self.check_reply(result);
    }

    fn unsubscribe(&mut self, connection: u64, consumer: ConsumerId, seen: Tag) {
        let result = self.model.unsubscribe(connection, consumer, seen);
        if connection == REMOTE {
            self.say(&[Frame::Unsubscribe { number: number(consumer), seen }]);
        } else {
            let connection = ConnectionId(connection);
            self.ask(|request| Command::CloseConsumer { request, connection, consumer, seen });
            self.check_reply(result);
        }
    }

    fn acknowledge(&mut self, connection: u64, ack: Ack) {
        let result = self.model.acknowledge(connection, ack);
        if connection == REMOTE {
            self.say(&[Frame::Ack(ack)]);
        } else {
            self.tell(Input::Command(Command::Ack { connection: ConnectionId(connection), ack }));
            let replies = std::mem::take(&mut self.said.replies);
            assert_eq!(replies, result.err().map(Err).into_iter().collect::<Vec<_>>(), "{ack:?}");
        }
    }

    fn wait(&mut self, time: Duration, waking: Waking) {
        let until = self.now + time;
        if waking == Waking::Late {
            self.now = until;
        }
        while let Some(at) = self.node.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.model.reach(self.now);
            self.model.wake();
            self.tell(Input::Timeout);
            self.compare();
        }
        self.now = until;
        self.model.reach(until);
    }

    fn begin(&mut self, connection: u64, transaction: u64) {
        let result = self.model.begin(connection, transaction);
        let connection = ConnectionId(connection);
        self.ask(|request| Command::Begin { request, connection, transaction });
        self.check_reply(result);
    }

    fn commit(&mut self, connection: u64, transaction: u64) {
        let result = self.model.commit(connection, transaction);
        let connection = ConnectionId(connection);
        self.ask(|request| Command::Commit { request, connection, transaction });
        self.check_reply(result);
    }

    fn roll_back(&mut self, connection: u64, transaction: u64) {
        let result = self.model.roll_back(connection, transaction);
        let connection = ConnectionId(connection);
        self.ask(|request| Command::Rollback { request, connection, transaction });
        self.check_reply(result);
    }

    fn acknowledge_in(&mut self, connection: u64, transaction: u64, consumer: ConsumerId, tag: Tag) {
        let result = self.model.acknowledge_in(connection, transaction, consumer, tag);
        let connection = ConnectionId(connection);
        self.ask(|request| Command::TransactedAck { request, connection, transaction, consumer, tag });
        self.check_reply(result);
    }

    fn send_in(&mut self, connection: u64, transaction: u64, destination: Destinations, body: Body) {
        let result = self.model.send_in(connection, transaction, &destination, &body);
        let (connection, message) = (ConnectionId(connection), body);
        self.ask(|request| Command::TransactedSend { request, connection, transaction, destination, message });
        self.check_reply(result);
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
}

fn number(consumer: ConsumerId) -> u32 {
    u32::try_from(consumer.0).expect("few consumers")
}
