//! Clients at the other ends of links: what they ask of our broker, and what they are told.

use alloc::format;

use super::super::pipe::{Duty, Pipe};
use super::super::{Event, Node};
use crate::base::Instant;
use crate::broker::{self, Limits, Subscriber};
use crate::link::Link;
use crate::model::{AdminRequest, Advisory, CloseReason, ConsumerId, Destination, LinkId, Origin, Party, Refusal};
use crate::remote::{self, RemoteClient};
use crate::wire::{Frame, Hello};

impl Node {
    /// Serves whoever has greeted us as a client.
    pub(super) fn serve_client(&mut self, now: Instant, link: LinkId) {
        let Some(pipe) = self.pipes.get(link) else {
            return;
        };
        let hello = pipe.hello.clone().expect("a client that is served has greeted us");
        let remote = pipe.remote.expect("a link that is up has an address");
        let config = self.config.remote.clone();
        let message_max = Some(self.config.link.message_max(hello.frame_max));
        let limits = Limits { window: Some(config.window), message_max, remote: None, client: Some(hello.broker) };
        if let Err(refusal) = self.broker.attach(Origin::Remote(link), limits) {
            let reason = CloseReason::Refused(format!("{refusal}"));
            return self.end(now, link, reason);
        }
        self.say(link, Frame::Open { generation: 0 });
        if let Some(pipe) = self.pipes.get_mut(link) {
            pipe.duty = Duty::Serve;
            if let Some(found) = pipe.link_mut() {
                found.open();
            }
        }
        self.remotes.insert(link, RemoteClient::new(config, hello.broker));
        tracing::info!(client = %hello.broker, name = %hello.name, %remote, "client up");
        self.advise(|| Advisory::ConnectionOpened { by: Party::Client(hello.broker) });
        self.tell(Event::ClientUp { client: hello.broker, name: hello.name, remote });
    }

    /// A client's link has ended.
    pub(super) fn client_lost(&mut self, now: Instant, link: LinkId, hello: Hello, reason: CloseReason) {
        let gone = self.remotes.remove(&link);
        self.tell_client(link, false);
        self.broker.detach(now, Origin::Remote(link), &mut self.lanes.broker);
        let by = Party::Client(hello.broker);
        for (producer, destination) in gone.iter().flat_map(RemoteClient::producers) {
            self.advise(|| Advisory::ProducerRemoved { destination: destination.clone().into(), producer, by });
        }
        self.advise(|| Advisory::ConnectionClosed { by });
        tracing::info!(client = %hello.broker, name = %hello.name, %reason, "client lost");
        self.tell(Event::ClientLost { client: hello.broker, name: hello.name, reason });
    }

    pub(super) fn remote_in_lane(&mut self, now: Instant, link: LinkId) {
        let origin = Origin::Remote(link);
        while let Some(said) = self.lanes.remote_in.pop() {
            let out = &mut self.lanes.broker;
            match said {
                // One that crossed the end of its consumer changes nothing.
                remote::Inward::Ack(ack) => drop(self.broker.acknowledge(now, origin, ack, out)),
                remote::Inward::Advise { wanted } => self.tell_client(link, wanted),
                remote::Inward::Ask { number, asked } => {
                    let hello = self.pipes.get(link).and_then(|pipe| pipe.hello.as_ref());
                    let bytes_max = hello.map_or(0, |hello| self.config.link.message_max(hello.frame_max));
                    let result = match asked {
                        AdminRequest::Pause(_) | AdminRequest::Purge(_) | AdminRequest::Resume(_)
                            if !self.config.remote.administration =>
                        {
                            Err(Refusal::NotForClients)
                        }
                        asked => self.administer(now, &asked, bytes_max),
                    };
                    self.lanes.frames.push(Frame::Answered { number, result });
                    self.frames_lane(link);
                    // Who asks much and reads little is not answered without end.
                    let found = self.pipes.get(link).and_then(Pipe::link);
                    if let Some(Err(reason)) = found.map(Link::check_backlog) {
                        self.lanes.remote_in.drain().for_each(drop);
                        return self.end(now, link, reason);
                    }
                }
                remote::Inward::Close(reason) => {
                    self.lanes.remote_in.drain().for_each(drop);
                    return self.end(now, link, reason);
                }
                remote::Inward::Opened { producer, destination, by } => {
                    let by = Party::Client(by);
                    self.advise(|| Advisory::ProducerAdded { destination: destination.into(), producer, by });
                }
                remote::Inward::Finished { producer, destination, by } => {
                    let by = Party::Client(by);
                    self.advise(|| Advisory::ProducerRemoved { destination: destination.into(), producer, by });
                }
                remote::Inward::Send { ticket, redeliveries, message } => {
                    let size = message.size() as u64;
                    let taken = self.broker.send(now, origin, ticket, redeliveries, message, out);
                    let Some(client) = self.remotes.get_mut(&link) else {
                        continue;
                    };
                    let result = match taken {
                        Ok(broker::Taken::Accepted) => {
                            client.handle_accepted(ticket);
                            Ok(())
                        }
                        Ok(broker::Taken::Parked) => client.handle_parked(ticket, size),
                        Err(refusal) => {
                            client.handle_refused(ticket, refusal, &mut self.lanes.frames);
                            Ok(())
                        }
                    };
                    self.serve(origin);
                    if let Err(reason) = result {
                        self.lanes.remote_in.drain().for_each(drop);
                        return self.end(now, link, reason);
                    }
                }
                remote::Inward::Subscribe { number, subscription } => {
                    let client = self.remotes.get(&link);
                    let is_closed =
                        |part: &&Destination| client.is_some_and(|client: &RemoteClient| !client.may_consume(part));
                    let result = if let Some(closed) = subscription.destination.iter().find(is_closed) {
                        Err(Refusal::NotOwner(closed.clone()))
                    } else {
                        let subscriber = Subscriber::own(subscription);
                        self.broker.subscribe(now, origin, ConsumerId(number.into()), subscriber, out)
                    };
                    self.lanes.frames.push(Frame::Subscribed { number, result });
                }
                remote::Inward::Unsubscribe { consumer, seen } => {
                    // One that was refused has nothing to end.
                    drop(self.broker.unsubscribe(now, origin, consumer, seen, out));
                }
            }
        }
        self.frames_lane(link);
    }
}
