//! One forward pass: what each machine said goes to the next, left to right.
//!
//! ```text
//! links ▸ discovery ▸ dial ▸ bridge·in ▸ client·in ▸ BROKER ▸ client·out ▸ bridge·out ▸ links·send ▸ Output
//! ```

use alloc::format;
use alloc::vec::Vec;

use super::pipe::{Pipe, Stage};
use super::roles::Verdict;
use super::{Event, Node, Output, Phase};
use crate::base::{Instant, Outbox};
use crate::bridge::{self, Bridge};
use crate::broker::{self, Limits, Remote, Subscriber};
use crate::client;
use crate::dial::{self, Urgency};
use crate::discovery;
use crate::link;
use crate::model::{
    Address, BrokerId, CloseReason, ConnectionId, ConsumerId, Demand, Host, LinkId, Origin, Service, Ticket,
};
use crate::wire::{Farewell, Frame, Hello};

/// What machines have said and the next has not heard.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) link: Outbox<link::Output>,
    pub(super) from: Option<LinkId>, // Whose words `link` holds.
    pub(super) discovery: Outbox<discovery::Output>,
    pub(super) dial: Outbox<dial::Output>,
    pub(super) bridge_in: Outbox<bridge::Inward>,
    pub(super) client_in: Outbox<client::Inward>,
    pub(super) client: Option<ConnectionId>, // Whose words `client_in` and `client_out` hold.
    pub(super) broker: Outbox<broker::Output>,
    pub(super) client_out: Outbox<client::Outward>,
    pub(super) bridge_out: Outbox<Frame>,
    pub(super) served: Vec<Origin>, // Whoever the broker had news for in this pass.
    pub(super) dirty: Vec<LinkId>,  // Links with something to send.
}

impl Node {
    pub(super) fn flow(&mut self, now: Instant) {
        self.link_lane(now);
        self.discovery_lane(now);
        self.dial_lane(now);
        self.client_in_lane(now);
        self.broker_lane(now);
        self.out_lane();
        self.send_lane(now);
    }

    /// Tells the application.
    pub(super) fn tell(&mut self, event: Event) {
        self.outbox.push(Output::Event(event));
    }

    /// Has the link's bytes looked for at the end of the pass.
    pub(super) fn mark(&mut self, link: LinkId) {
        if let Some(pipe) = self.pipes.get_mut(link)
            && !pipe.is_dirty
        {
            pipe.is_dirty = true;
            self.lanes.dirty.push(link);
        }
    }

    /// Ends a link after a last word, and everything that hung on it. The first reason counts.
    pub(super) fn end(&mut self, now: Instant, link: LinkId, reason: CloseReason, farewell: Option<Farewell>) {
        let Some(pipe) = self.pipes.get_mut(link) else {
            return;
        };
        match &mut pipe.stage {
            Stage::Closing => return,
            Stage::Coming => (),
            Stage::Up(found) => {
                found.close(farewell);
                while let Some(data) = found.poll_send(now) {
                    self.outbox.push(Output::Send { link, data });
                }
            }
        }
        self.outbox.push(Output::Close { link });
        self.bury(now, link, reason);
    }

    /// Ends everything that hung on a link which is ending or has ended.
    pub(super) fn bury(&mut self, now: Instant, link: LinkId, reason: CloseReason) {
        let Some(pipe) = self.pipes.get_mut(link) else {
            return;
        };
        self.deadlines.set(link, None);
        if matches!(core::mem::replace(&mut pipe.stage, Stage::Closing), Stage::Closing) {
            return; // Its end was told before.
        }
        let hello = pipe.hello.take();
        let is_slot = pipe.dialled.is_none() && pipe.remote.is_none();
        let was_kept = hello.as_ref().is_some_and(|hello| self.peers.part(hello.broker, link));
        match hello {
            Some(hello) if was_kept => self.part(now, link, hello, reason),
            hello if !is_slot => self.miss(now, link, hello.map(|hello| hello.broker), reason),
            _ => (),
        }
    }

    /// A kept link has ended.
    fn part(&mut self, now: Instant, link: LinkId, hello: Hello, reason: CloseReason) {
        self.bridges.remove(&link);
        self.broker.detach(now, Origin::Bridge(link), &mut self.lanes.broker);
        self.dialer.parted(now, hello.broker);
        tracing::info!(peer = %hello.broker, name = %hello.name, %reason, "peer lost");
        self.tell(Event::PeerLost { broker: hello.broker, name: hello.name, reason });
    }

    /// A link has ended before it was kept.
    fn miss(&mut self, now: Instant, link: LinkId, broker: Option<BrokerId>, reason: CloseReason) {
        if let Some(broker) = broker
            && self.peers.is_linked(broker)
        {
            return self.dialer.met(now, broker, Some(link), &[]); // It was the second link to a peer.
        }
        let dialled = match reason {
            CloseReason::Itself => {
                self.dialer.abandon(link);
                None
            }
            _ => self.dialer.failed(now, link),
        };
        let is_quiet = matches!(
            reason,
            CloseReason::Duplicate
                | CloseReason::Itself
                | CloseReason::Leaving
                | CloseReason::Stopping
                | CloseReason::Unwanted
        );
        match dialled {
            _ if is_quiet => (),
            Some((_, false)) => (), // Said at the first failure.
            Some((address, true)) => self.tell(Event::LinkRefused { address: Some(address), reason }),
            None => self.tell(Event::LinkRefused { address: None, reason }),
        }
    }

    fn link_lane(&mut self, now: Instant) {
        let Some(link) = self.lanes.from.take() else {
            return;
        };
        while let Some(output) = self.lanes.link.pop() {
            self.link_said(now, link, output);
        }
    }

    pub(super) fn link_said(&mut self, now: Instant, link: LinkId, output: link::Output) {
        match output {
            link::Output::Close(reason) => {
                let farewell = farewell(&reason);
                self.end(now, link, reason, farewell);
            }
            link::Output::Frame(frame) => match frame {
                Frame::Hello(hello) => self.greeted(now, link, *hello),
                Frame::Open { generation } => self.opened(now, link, generation),
                Frame::Propose { ended } => self.proposed(now, link, ended),
                frame => {
                    if let Some(bridge) = self.bridges.get_mut(&link) {
                        bridge.handle_frame(frame, &mut self.lanes.bridge_in, &mut self.lanes.bridge_out);
                        self.bridge_in_lane(now, link);
                    }
                }
            },
        }
    }

    fn greeted(&mut self, now: Instant, link: LinkId, hello: Hello) {
        let reason = if hello.broker == self.id {
            Some(CloseReason::Itself)
        } else if hello.group != self.config.group {
            Some(CloseReason::GroupMismatch { found: hello.group.clone() })
        } else {
            None
        };
        if let Some(reason) = reason {
            let farewell = farewell(&reason);
            return self.end(now, link, reason, farewell);
        }
        if !self.peers.decides(hello.broker) {
            let ended = self.peers.ended(hello.broker);
            self.say(link, Frame::Propose { ended });
        }
        if let Some(pipe) = self.pipes.get_mut(link) {
            pipe.hello = Some(hello);
        }
    }

    fn proposed(&mut self, now: Instant, link: LinkId, ended: u64) {
        let Some(broker) = self.decidable(now, link, true) else {
            return;
        };
        match self.peers.judge(broker, ended) {
            Verdict::Keep(generation) => {
                self.say(link, Frame::Open { generation });
                if let Some(found) = self.pipes.get_mut(link).and_then(Pipe::link_mut) {
                    found.open();
                }
                self.keep(now, link, generation);
            }
            Verdict::Refuse => self.end(now, link, CloseReason::Duplicate, farewell(&CloseReason::Duplicate)),
        }
    }

    fn opened(&mut self, now: Instant, link: LinkId, generation: u64) {
        if self.decidable(now, link, false).is_some() {
            self.keep(now, link, generation);
        }
    }

    /// Who is at the other end of `link`, if what was said there was theirs to say.
    fn decidable(&mut self, now: Instant, link: LinkId, by_us: bool) -> Option<BrokerId> {
        let broker = self.pipes.get(link)?.hello.as_ref()?.broker;
        if self.peers.decides(broker) != by_us {
            let what = format!("it is not for broker {broker} to say which link is kept");
            let reason = CloseReason::Malformed(what);
            let farewell = farewell(&reason);
            self.end(now, link, reason, farewell);
            return None;
        }
        Some(broker)
    }

    /// A link to a peer is kept: from now on there is a bridge.
    fn keep(&mut self, now: Instant, link: LinkId, generation: u64) {
        let Some(pipe) = self.pipes.get(link) else {
            return;
        };
        let hello = pipe.hello.clone().expect("a kept link has been greeted");
        let remote = pipe.remote.expect("a link that is up has an address");
        let addresses: Vec<Address> = hello.services.iter().filter_map(|Service(text)| text.parse().ok()).collect();
        if let Some(replaced) = self.peers.keep(hello.broker, link, generation, addresses.clone()) {
            // The peers' table already names the new link, so the old one's bridge is ended here.
            self.end(now, replaced, CloseReason::Replaced, None);
            self.part(now, replaced, hello.clone(), CloseReason::Replaced);
        }
        self.dialer.met(now, hello.broker, Some(link), &addresses);
        let config = self.config.bridge.clone();
        let limits = Limits {
            window: Some(config.window),
            remote: Some(Remote {
                broker: hello.broker,
                hops_max: config.message_hops_max,
                message_max: u64::from(hello.frame_max.saturating_sub(FRAME_OVERHEAD)),
            }),
        };
        if let Err(refusal) = self.broker.attach(Origin::Bridge(link), limits) {
            let reason = CloseReason::Refused(format!("{refusal}"));
            let farewell = farewell(&reason);
            return self.end(now, link, reason, farewell);
        }
        tracing::info!(peer = %hello.broker, name = %hello.name, %remote, "peer up");
        if hello.name == self.config.name && self.peers.is_clash_news(hello.broker) {
            self.tell(Event::NameClash { name: hello.name.clone(), broker: hello.broker });
        }
        self.tell(Event::PeerUp { broker: hello.broker, name: hello.name, link, remote });
        let out = &mut self.lanes.bridge_out;
        let bridge = Bridge::new(config, self.id, hello.broker, self.broker.wanted(), out);
        self.bridges.insert(link, bridge);
        self.bridge_out_lane(link);
    }

    pub(super) fn discovery_lane(&mut self, now: Instant) {
        while let Some(output) = self.lanes.discovery.pop() {
            match output {
                discovery::Output::Announce { via, data } => {
                    self.outbox.push(Output::Announce { group: super::GROUP, via, data });
                }
                discovery::Output::Found { service, address } => {
                    let known = self.peers.linked_at(&address);
                    let is_wanted = self.dialer.want(now, address.clone(), self.urgency(&address));
                    if let Some(broker) = known {
                        self.dialer.met(now, broker, None, &[address]);
                    } else if !is_wanted {
                        tracing::warn!(%service, "too many addresses are wanted for another to be dialled");
                    }
                    self.tell(Event::ServiceFound { service });
                }
                discovery::Output::Lost { service, address, .. } => {
                    if !self.config.peers.contains(&address) {
                        self.dialer.unwant(&address, &mut self.lanes.dial);
                    }
                    self.tell(Event::ServiceLost { service });
                }
            }
        }
    }

    /// Where both sides hear of each other, the one with the lower address dials first: it saves a link.
    fn urgency(&self, address: &Address) -> Urgency {
        let Host::Ip(other) = address.host else {
            return Urgency::AtOnce;
        };
        let mut own = self.listener.iter().flat_map(|listener| &listener.addresses);
        match own.find(|own| own.ip().is_loopback() == other.is_loopback()) {
            Some(own) if (own.port(), own.ip()) > (address.port, other) => Urgency::AfterYou,
            Some(_) | None => Urgency::AtOnce,
        }
    }

    fn dial_lane(&mut self, now: Instant) {
        if self.phase != Phase::Running {
            return;
        }
        self.dialer.handle_timeout(now, &mut self.lanes.dial);
        while let Some(output) = self.lanes.dial.pop() {
            match output {
                dial::Output::Dial(address) => {
                    let links = self.pipes.iter().filter(|(_, pipe)| !pipe.is_slot()).count();
                    if links >= self.config.link.links_max {
                        self.dialer.postponed(now, &address);
                        continue;
                    }
                    let link = self.pipes.insert(Pipe::new(Some(address.clone())));
                    self.dialer.dialled(now, &address, link);
                    self.outbox.push(Output::Connect { link, address });
                }
                dial::Output::GiveUp(link) => {
                    self.end(now, link, CloseReason::Unwanted, farewell(&CloseReason::Unwanted));
                }
            }
        }
    }

    fn bridge_in_lane(&mut self, now: Instant, link: LinkId) {
        let origin = Origin::Bridge(link);
        while let Some(said) = self.lanes.bridge_in.pop() {
            let out = &mut self.lanes.broker;
            let result = match said {
                bridge::Inward::Ack(ack) => self.broker.acknowledge(now, origin, ack, out),
                bridge::Inward::Cancel { stream, taken } => {
                    self.broker.cancel(now, origin, stream, taken, out);
                    Ok(())
                }
                bridge::Inward::Close(reason) => {
                    self.lanes.bridge_in.drain().for_each(drop);
                    let farewell = farewell(&reason);
                    return self.end(now, link, reason, farewell);
                }
                bridge::Inward::Ready => {
                    if let Some(hello) = self.pipes.get(link).and_then(|pipe| pipe.hello.clone()) {
                        self.tell(Event::PeerReady { broker: hello.broker, name: hello.name });
                    }
                    Ok(())
                }
                bridge::Inward::Send { ticket, redeliveries, message } => {
                    let taken = self.broker.send(now, origin, ticket, redeliveries, message, out);
                    if taken == Ok(broker::Taken::Accepted) {
                        self.accepted(origin, ticket);
                    }
                    taken.map(|_| ())
                }
                bridge::Inward::Subscribe { consumer, demand: Demand { destination, path }, prefetch } => {
                    let subscriber = Subscriber { destination, prefetch: Some(prefetch), path };
                    self.broker.subscribe(now, origin, consumer, subscriber, out)
                }
                bridge::Inward::Unsubscribe { consumer } => {
                    // What was in flight was not taken: the peer says what it takes before it says the end.
                    self.broker.unsubscribe(now, origin, consumer, 0, out)
                }
            };
            if let Err(refusal) = result {
                self.lanes.bridge_in.drain().for_each(drop);
                let reason = CloseReason::Refused(format!("{refusal}"));
                let farewell = Some(Farewell::Refused(format!("{refusal}")));
                return self.end(now, link, reason, farewell);
            }
        }
        self.bridge_out_lane(link);
    }

    fn client_in_lane(&mut self, now: Instant) {
        let Some(connection) = self.lanes.client.take() else {
            return;
        };
        let origin = Origin::Application(connection);
        while let Some(client::Inward { ticket, message }) = self.lanes.client_in.pop() {
            match self.broker.send(now, origin, ticket, 0, message, &mut self.lanes.broker) {
                Ok(broker::Taken::Accepted) => self.accepted(origin, ticket),
                Ok(broker::Taken::Parked) => (),
                Err(refusal) => {
                    if let Some(client) = self.clients.get_mut(&connection) {
                        client.handle_refused(ticket, refusal, &mut self.lanes.client_out);
                    }
                }
            }
        }
        self.client_out_lane();
    }

    fn broker_lane(&mut self, now: Instant) {
        while let Some(output) = self.lanes.broker.pop() {
            match output {
                broker::Output::Accepted { to, ticket } => self.accepted(to, ticket),
                broker::Output::Deliver { to, consumer, delivery } => {
                    self.serve(to);
                    match to {
                        Origin::Application(connection) => {
                            if let Some(client) = self.clients.get_mut(&connection) {
                                client.handle_delivery(consumer, delivery);
                            }
                        }
                        Origin::Bridge(link) => self.hand_over(link, consumer, delivery),
                    }
                }
                broker::Output::Unwanted(demand) => {
                    self.tell_peers(now, |bridge, inward, outward| bridge.handle_unwanted(&demand, inward, outward));
                }
                broker::Output::Wanted(demand) => {
                    self.tell_peers(now, |bridge, inward, outward| bridge.handle_wanted(&demand, inward, outward));
                }
            }
        }
    }

    fn tell_peers(&mut self, now: Instant, say: impl Fn(&mut Bridge, &mut Outbox<bridge::Inward>, &mut Outbox<Frame>)) {
        for link in self.bridges.keys().copied().collect::<Vec<_>>() {
            if let Some(bridge) = self.bridges.get_mut(&link) {
                say(bridge, &mut self.lanes.bridge_in, &mut self.lanes.bridge_out);
                self.bridge_in_lane(now, link);
            }
        }
    }

    fn hand_over(&mut self, link: LinkId, consumer: ConsumerId, delivery: crate::model::Delivery) {
        self.say(link, Bridge::forward(consumer, delivery)); // The way of every message: no lane between.
    }

    /// The broker has accepted a message: whoever sent it is told at the end of the pass.
    fn accepted(&mut self, to: Origin, ticket: Ticket) {
        self.serve(to);
        match to {
            Origin::Application(connection) => {
                if let Some(client) = self.clients.get_mut(&connection) {
                    client.handle_accepted(ticket);
                }
            }
            Origin::Bridge(link) => {
                if let Some(bridge) = self.bridges.get_mut(&link) {
                    bridge.handle_accepted(ticket);
                }
            }
        }
    }

    fn serve(&mut self, origin: Origin) {
        if self.lanes.served.last() != Some(&origin) && !self.lanes.served.contains(&origin) {
            self.lanes.served.push(origin);
        }
    }

    /// Whoever the broker had news for is told, once.
    fn out_lane(&mut self) {
        while let Some(origin) = self.lanes.served.pop() {
            match origin {
                Origin::Application(connection) => {
                    if let Some(client) = self.clients.get_mut(&connection) {
                        client.flush(&mut self.lanes.client_out);
                        self.client_out_lane();
                    }
                }
                Origin::Bridge(link) => {
                    if let Some(bridge) = self.bridges.get_mut(&link) {
                        bridge.flush(&mut self.lanes.bridge_out);
                        self.bridge_out_lane(link);
                    }
                }
            }
        }
    }

    fn client_out_lane(&mut self) {
        while let Some(said) = self.lanes.client_out.pop() {
            self.outbox.push(Output::Event(match said {
                client::Outward::Accepted { producer, up_to } => Event::Accepted { producer, up_to },
                client::Outward::Delivered { consumer, deliveries } => Event::Delivered { consumer, deliveries },
                client::Outward::Refused { producer, sequence, refusal } => {
                    Event::Refused { producer, sequence, refusal }
                }
            }));
        }
    }

    fn bridge_out_lane(&mut self, link: LinkId) {
        if self.lanes.bridge_out.is_empty() {
            return;
        }
        if let Some(found) = self.pipes.get_mut(link).and_then(Pipe::link_mut) {
            while let Some(frame) = self.lanes.bridge_out.pop() {
                found.send(frame);
            }
        }
        self.lanes.bridge_out.drain().for_each(drop);
        self.mark(link);
    }

    fn say(&mut self, link: LinkId, frame: Frame) {
        let Some(pipe) = self.pipes.get_mut(link) else {
            return;
        };
        if let Some(found) = pipe.link_mut() {
            found.send(frame);
            if !core::mem::replace(&mut pipe.is_dirty, true) {
                self.lanes.dirty.push(link);
            }
        }
    }

    /// Bytes go to the driver, as far as each link's window allows. A link that overflows is ended, which may give
    /// others something to say, so the lanes are walked until nobody has: each round ends a link.
    fn send_lane(&mut self, now: Instant) {
        while let Some(link) = self.lanes.dirty.pop() {
            let Some(pipe) = self.pipes.get_mut(link) else {
                continue;
            };
            pipe.is_dirty = false;
            let Stage::Up(found) = &mut pipe.stage else {
                continue;
            };
            while let Some(data) = found.poll_send(now) {
                self.outbox.push(Output::Send { link, data });
            }
            self.deadlines.set(link, found.poll_timeout());
            if let Err(reason) = found.check_backlog() {
                self.end(now, link, reason, None);
                self.broker_lane(now);
                self.out_lane();
            }
        }
    }
}

/// The last word on a link that ends for this reason.
pub(super) fn farewell(reason: &CloseReason) -> Option<Farewell> {
    match reason {
        CloseReason::Duplicate => Some(Farewell::Duplicate),
        CloseReason::Stopping => Some(Farewell::Leaving),
        CloseReason::FrameTooLong { .. }
        | CloseReason::GroupMismatch { .. }
        | CloseReason::HandshakeTimeout
        | CloseReason::Itself
        | CloseReason::Malformed(_)
        | CloseReason::Refused(_)
        | CloseReason::Silent
        | CloseReason::Unwanted
        | CloseReason::VersionMismatch { .. } => Some(Farewell::Refused(format!("{reason}"))),
        CloseReason::Backlog { .. }
        | CloseReason::ConnectFailed(_)
        | CloseReason::Ended
        | CloseReason::Failed(_)
        | CloseReason::Leaving
        | CloseReason::OpenWire
        | CloseReason::Replaced
        | CloseReason::Requested => None,
    }
}

/// What a message's frame holds at most beside its body and properties, in bytes, generously.
const FRAME_OVERHEAD: u32 = 4 * 1024;
