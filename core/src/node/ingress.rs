//! An input goes to the one machine it is for.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use super::pipe::{Pipe, Stage};
use super::{Command, Event, GROUP, Input, Listener, Node, Output, Phase};
use crate::base::{Instant, Timestamp};
use crate::broker::{Limits, Subscriber};
use crate::client::{Client, TransactionLimits};
use crate::link::Link;
use crate::model::{
    Advisory, Body, CloseReason, ConnectionId, ConsumerId, Destination, LinkId, Origin, Party, Refusal, RequestId,
    Service, Subscription, Tag,
};
use crate::wire::{Hello, VERSION_MAX, VERSION_MIN};

impl Node {
    pub(super) fn ingress(&mut self, now: Instant, input: Input) {
        match input {
            Input::Bytes { link, data } => {
                if let Some(found) = self.pipes.get_mut(link).and_then(Pipe::link_mut) {
                    found.handle_bytes(now, data, &mut self.lanes.link);
                    self.lanes.from = Some(link);
                    self.mark(link);
                }
            }
            Input::Closed { link, reason } => self.link_closed(now, link, reason),
            Input::Command(command) => self.command(now, command),
            Input::Connected { link, remote } => self.link_connected(now, link, remote),
            Input::Datagram { group, from, data } => {
                if let Some(multicast) = self.multicast.as_mut().filter(|_| group == GROUP) {
                    multicast.handle_datagram(now, from, &data, &mut self.lanes.discovery);
                }
            }
            Input::JoinFailed { reason, .. } => self.tell(Event::DiscoveryFailed { reason }),
            Input::Listening { addresses, .. } => self.listening(now, addresses),
            Input::ListenFailed { reason, .. } => {
                self.listener = None;
                self.tell(Event::ListenFailed { reason });
            }
            Input::Sent { link, bytes } => {
                if let Some(pipe) = self.pipes.get_mut(link)
                    && let Some(found) = pipe.link_mut()
                {
                    found.handle_sent(bytes);
                    self.mark(link);
                }
            }
            Input::Timeout => self.timeout(now),
            Input::WallClock(wall) => {
                self.wall = (wall, now);
                self.broker.set_wall(now, wall);
            }
        }
    }

    /// Answers what is asked of a node that has ended.
    pub(super) fn refuse_stopped(&mut self, input: Input) {
        let Input::Command(command) = input else {
            return;
        };
        match command {
            Command::Advise { request, .. }
            | Command::Attach { request, .. }
            | Command::Begin { request, .. }
            | Command::Commit { request, .. }
            | Command::Rollback { request, .. }
            | Command::TransactedAck { request, .. }
            | Command::TransactedSend { request, .. }
            | Command::CloseConsumer { request, .. }
            | Command::CloseProducer { request, .. }
            | Command::Detach { request, .. }
            | Command::Drain { request }
            | Command::Produce { request, .. }
            | Command::Subscribe { request, .. } => self.reply(request, Err(Refusal::Stopping)),
            Command::Ack { ack, .. } => self.tell(Event::AckRefused { ack, refusal: Refusal::Stopping }),
            Command::Ask { request, .. } => self.answer(request, Err(Refusal::Stopping)),
            Command::Send { producer, messages, .. } => {
                for _ in messages {
                    self.tell(Event::Refused {
                        producer,
                        sequence: 0,
                        refusal: Refusal::Stopping,
                        answers: Vec::new(),
                    });
                }
            }
            Command::Stop => (),
        }
    }

    fn command(&mut self, now: Instant, command: Command) {
        if self.phase != Phase::Running || self.is_too_late(&command) {
            return self.refuse_stopped(Input::Command(command));
        }
        match command {
            Command::Ack { connection, ack } => {
                let origin = Origin::Application(connection);
                let result = match &mut self.fanout {
                    Some(fanout) => fanout.acknowledge(connection, ack, &mut self.lanes.fanout),
                    None => self.broker.acknowledge(now, origin, ack, &mut self.lanes.broker),
                };
                if let Err(refusal) = result {
                    self.tell(Event::AckRefused { ack, refusal });
                }
            }
            Command::Advise { request, connection, wanted } => {
                let result = self.want_advisories(connection, wanted);
                self.reply(request, result);
            }
            Command::Ask { request, only, asked } => self.ask(now, request, only, &asked),
            Command::Attach { request, connection } => {
                let result = self.attach(connection);
                self.reply(request, result);
            }
            Command::Begin { request, connection, transaction } => {
                let result = self.begin(connection, transaction);
                self.reply(request, result);
            }
            Command::Commit { request, connection, transaction } => {
                let result = self.commit(now, connection, transaction);
                self.reply(request, result);
            }
            Command::Rollback { request, connection, transaction } => {
                let result = self.roll_back(now, connection, transaction);
                self.reply(request, result);
            }
            Command::TransactedAck { request, connection, transaction, consumer, tag } => {
                let result = self.transacted_ack(connection, transaction, consumer, tag);
                self.reply(request, result);
            }
            Command::TransactedSend { request, connection, transaction, destination, message } => {
                let result = self.transacted_send(now, connection, transaction, destination, message);
                self.reply(request, result);
            }
            Command::CloseConsumer { request, connection, consumer, seen } => {
                let result = self.close_consumer(now, connection, consumer, seen);
                self.reply(request, result);
            }
            Command::CloseProducer { request, connection, producer } => {
                let result = self.close_producer(now, connection, producer);
                self.reply(request, result);
            }
            Command::Detach { request, connection } => {
                if let Some(fanout) = &mut self.fanout {
                    fanout.detach(connection, &mut self.lanes.fanout);
                    self.fanout_lane(now); // What is refused by this is told before the answer.
                }
                let result = self.detach(now, connection);
                self.reply(request, result);
            }
            Command::Drain { request } => self.drain(now, request),
            Command::Produce { request, connection, producer, destination } => {
                let result = self.produce(connection, producer, &destination);
                self.reply(request, result);
            }
            Command::Send { connection, producer, messages } => self.send(now, connection, producer, messages),
            Command::Stop => self.stop(now),
            Command::Subscribe { request, connection, consumer, subscription } => {
                if let Some(fanout) = &mut self.fanout {
                    let out = &mut self.lanes.fanout;
                    if !self.clients.contains_key(&connection) {
                        return self.reply(request, Err(Refusal::unknown_connection(connection)));
                    }
                    let is_closed = |part: &&Destination| !part.is_open_to(self.id, connection);
                    if let Some(closed) = subscription.destination.iter().find(is_closed) {
                        let refusal = Refusal::NotOwner(closed.clone());
                        return self.reply(request, Err(refusal));
                    }
                    return fanout.subscribe(now, connection, consumer, &subscription, request, out);
                }
                let result = self.subscribe(now, connection, consumer, subscription);
                self.reply(request, result);
            }
        }
    }

    fn attach(&mut self, connection: ConnectionId) -> Result<(), Refusal> {
        self.broker.attach(Origin::Application(connection), Limits::default())?;
        let config = &self.config.broker;
        let limits = TransactionLimits {
            transactions_max: config.transactions_max,
            messages_max: config.transaction_messages_max,
            bytes_max: config.transaction_bytes_max,
            message_max: config.message_max,
        };
        let client = Client::new(self.id, connection, config.producers_max, config.producer_window, limits);
        self.clients.insert(connection, client);
        self.advise(|| Advisory::ConnectionOpened { by: Party::Application(connection) });
        Ok(())
    }

    fn detach(&mut self, now: Instant, connection: ConnectionId) -> Result<(), Refusal> {
        let gone = self.clients.remove(&connection);
        self.broker.detach(now, Origin::Application(connection), &mut self.lanes.broker);
        let gone = gone.ok_or(Refusal::unknown_connection(connection))?;
        self.forget_advised(connection);
        let by = Party::Application(connection);
        for (producer, destination) in gone.producers() {
            self.advise(|| Advisory::ProducerRemoved { destination: destination.clone(), producer, by });
        }
        self.advise(|| Advisory::ConnectionClosed { by });
        Ok(())
    }

    fn send(&mut self, now: Instant, connection: ConnectionId, producer: u64, messages: Vec<Body>) {
        let (wall, lanes) = (self.wall_at(now), &mut self.lanes);
        if let Some(client) = self.clients.get_mut(&connection) {
            client.handle_send(wall, producer, messages, &mut lanes.client_in, &mut lanes.client_out);
            lanes.client = Some(connection);
            return;
        }
        let refusal = Refusal::unknown_connection(connection);
        for _ in messages {
            let (refusal, answers) = (refusal.clone(), Vec::new());
            self.tell(Event::Refused { producer, sequence: 0, refusal, answers });
        }
    }

    fn subscribe(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        consumer: ConsumerId,
        subscription: Subscription,
    ) -> Result<(), Refusal> {
        self.client(connection)?;
        let subscriber = Subscriber::own(subscription);
        self.broker.subscribe(now, Origin::Application(connection), consumer, subscriber, &mut self.lanes.broker)
    }

    fn close_consumer(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        consumer: ConsumerId,
        seen: Tag,
    ) -> Result<(), Refusal> {
        if let Some(fanout) = &mut self.fanout {
            return fanout.unsubscribe(connection, consumer, seen, &mut self.lanes.fanout);
        }
        let origin = Origin::Application(connection);
        self.broker.unsubscribe(now, origin, consumer, seen, &mut self.lanes.broker)?;
        self.client(connection)?.transactions().close_consumer(consumer);
        Ok(())
    }

    pub(super) fn client(&mut self, connection: ConnectionId) -> Result<&mut Client, Refusal> {
        self.clients.get_mut(&connection).ok_or(Refusal::unknown_connection(connection))
    }

    fn link_connected(&mut self, now: Instant, link: LinkId, remote: SocketAddr) {
        let hello = Hello { is_connector: self.connector_of(link).is_some(), ..self.hello() };
        let Some(pipe) = self.pipes.get_mut(link) else {
            return;
        };
        if !matches!(pipe.stage, Stage::Coming) {
            return; // It was asked to close while it was coming.
        }
        pipe.remote = Some(remote);
        let config = match &pipe.dialled {
            Some(address) => self.config.link_to(address),
            None => self.config.link.clone(),
        };
        pipe.stage = Stage::Up(Box::new(Link::new(&config, now, hello)));
        if pipe.dialled.is_some() {
            self.dialer.connected(link);
        }
        self.mark(link);
        self.top_up();
    }

    fn link_closed(&mut self, now: Instant, link: LinkId, reason: CloseReason) {
        self.bury(now, link, reason);
        self.pipes.remove(link);
        match self.phase {
            Phase::Running => self.top_up(),
            Phase::Stopping => self.stop_when_empty(),
            Phase::Stopped => (),
        }
    }

    fn listening(&mut self, now: Instant, addresses: Vec<SocketAddr>) {
        let Some(listener) = &mut self.listener else {
            return;
        };
        if listener.addresses.as_ref() == Some(&addresses) {
            return;
        }
        listener.addresses = Some(addresses.clone());
        if let Some(multicast) = &mut self.multicast {
            multicast.publish(now, &addresses, &mut self.lanes.discovery);
        }
        self.tell(Event::Listening { addresses });
        self.top_up();
    }

    fn timeout(&mut self, now: Instant) {
        if let Some(multicast) = &mut self.multicast {
            multicast.handle_timeout(now, &mut self.lanes.discovery);
        }
        for link in self.deadlines.due(now).collect::<Vec<_>>() {
            let Some(found) = self.pipes.get_mut(link).and_then(Pipe::link_mut) else {
                continue;
            };
            found.handle_timeout(now, &mut self.lanes.link);
            while let Some(output) = self.lanes.link.pop() {
                self.link_said(now, link, output);
            }
            if let Some(bridge) = self.bridges.get_mut(&link) {
                bridge.handle_timeout(now, &mut self.lanes.bridge_in);
                self.bridge_in_lane(now, link);
            }
            self.mark(link);
        }
        self.broker.handle_timeout(now, &mut self.lanes.broker);
        if let Some(fanout) = &mut self.fanout {
            fanout.handle_timeout(now, &mut self.lanes.fanout);
        }
    }

    fn stop(&mut self, now: Instant) {
        self.give_up_draining();
        if let Some(fanout) = &mut self.fanout {
            fanout.handle_stop(&mut self.lanes.fanout);
            self.fanout_lane(now);
        }
        self.phase = Phase::Stopping;
        if let Some(multicast) = &mut self.multicast {
            multicast.handle_stop(&mut self.lanes.discovery);
            self.discovery_lane(now);
            self.outbox.push(Output::Leave { group: GROUP });
        }
        for link in self.pipes.keys() {
            self.end(now, link, CloseReason::Stopping);
        }
        if let Some(listener) = self.listener.take() {
            self.outbox.push(Output::Unlisten { listener: listener.id });
        }
        self.stop_when_empty();
    }

    fn stop_when_empty(&mut self) {
        if self.pipes.is_empty() {
            self.phase = Phase::Stopped;
            self.tell(Event::Stopped);
        }
    }

    /// Holds out slots for coming links, as many as there is room for.
    fn top_up(&mut self) {
        let Some(Listener { id, addresses: Some(_) }) = self.listener else {
            return; // It is not open.
        };
        let mut slots = self.pipes.iter().filter(|(_, pipe)| pipe.is_slot()).count();
        while slots < self.config.link.slots && self.pipes.len() < self.config.link.links_max {
            let link = self.pipes.insert(Pipe::new(None));
            self.outbox.push(Output::Accept { listener: id, link });
            slots += 1;
        }
    }

    fn hello(&self) -> Hello {
        let services: Vec<Service> = self.multicast.iter().flat_map(|multicast| multicast.own().cloned()).collect();
        Hello {
            version_min: VERSION_MIN,
            version_max: VERSION_MAX,
            broker: self.id,
            name: self.config.name.clone(),
            group: self.config.group.clone(),
            services,
            frame_max: self.config.link.frame_max,
            silence_max_millis: u32::try_from(self.config.link.silence_max.as_millis()).unwrap_or(u32::MAX),
            role: self.config.role,
            is_connector: false,
        }
    }

    /// What the wall clock reads.
    pub(super) fn wall_at(&self, now: Instant) -> Timestamp {
        self.wall.0 + (now - self.wall.1)
    }

    pub(super) fn reply(&mut self, request: RequestId, result: Result<(), Refusal>) {
        self.tell(Event::Replied { request, result });
    }
}
