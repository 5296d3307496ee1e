//! One forward pass: what each machine said goes to the next, left to right.
//!
//! ```text
//! links ▸ discovery ▸ dial ▸ bridge·in, remote·in ▸ client·in ▸ BROKER ▸ client·out ▸ bridge·out, remote·out ▸ links·send ▸ Output
//! ```
//!
//! A client has no broker but a fanout in its place: `client·in ▸ FANOUT ▸ client·out ▸ links·send`.

mod fanout;
mod link;
mod peer;
mod remote;
mod topology;

use alloc::vec::Vec;

use super::pipe::{Pipe, Stage};
use super::{Event, Node, Output};
use crate::base::{Instant, Outbox};
use crate::bridge::{self, Bridge};
use crate::broker;
use crate::client;
use crate::dial;
use crate::discovery;
use crate::model::{ConnectionId, ConsumerId, LinkId, Origin, Refusal, Ticket};
use crate::wire::Frame;

/// What machines have said and the next has not heard.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    pub(super) link: Outbox<crate::link::Output>,
    pub(super) from: Option<LinkId>, // Whose words `link` holds.
    pub(super) discovery: Outbox<discovery::Output>,
    pub(super) dial: Outbox<dial::Output>,
    pub(super) bridge_in: Outbox<bridge::Inward>,
    pub(super) remote_in: Outbox<crate::remote::Inward>,
    pub(super) client_in: Outbox<client::Inward>,
    pub(super) client: Option<ConnectionId>, // Whose words `client_in` and `client_out` hold.
    pub(super) broker: Outbox<broker::Output>,
    pub(super) noted: usize, // Of the broker's words, so many at the front tell of nothing accepted.
    pub(super) fanout: Outbox<crate::fanout::Output>,
    pub(super) client_out: Outbox<client::Outward>,
    pub(super) frames: Outbox<Frame>, // For the peer or client whose turn it is.
    pub(super) served: Vec<Origin>,   // Whoever the broker or the fanout had news for in this pass.
    pub(super) dirty: Vec<LinkId>,    // Links with something to send.
}

impl Node {
    pub(super) fn flow(&mut self, now: Instant) {
        self.link_lane(now);
        self.discovery_lane(now);
        self.dial_lane(now);
        self.client_in_lane(now);
        self.broker_lane(now);
        self.fanout_lane(now);
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

    fn client_in_lane(&mut self, now: Instant) {
        let Some(connection) = self.lanes.client.take() else {
            return;
        };
        while let Some(client::Inward { ticket, message, others }) = self.lanes.client_in.pop() {
            let result = if others.is_empty() {
                self.send_to_one(now, connection, ticket, message)
            } else {
                let messages = core::iter::once(message).chain(others).collect();
                self.send_to_all(now, connection, ticket, messages)
            };
            if let Err(refusal) = result
                && let Some(client) = self.clients.get_mut(&connection)
            {
                client.handle_refused(ticket, refusal, &mut self.lanes.client_out);
            }
        }
        if let Some(fanout) = &mut self.fanout {
            fanout.flush(&mut self.lanes.fanout);
        }
        self.client_out_lane();
    }

    fn broker_lane(&mut self, now: Instant) {
        while let Some(output) = self.lanes.broker.pop() {
            self.lanes.noted = self.lanes.noted.saturating_sub(1);
            match output {
                broker::Output::Accepted { to, ticket } => self.accepted(to, ticket),
                broker::Output::Browsed { to, consumer } => {
                    self.serve(to);
                    match to {
                        Origin::Application(connection) => {
                            if let Some(client) = self.clients.get_mut(&connection) {
                                client.handle_browsed(consumer);
                            }
                        }
                        Origin::Bridge(_) => unreachable!("peers ask for messages, not for a look at them"),
                        Origin::Remote(link) => self.say(link, Frame::browsed(consumer)),
                    }
                }
                broker::Output::Deliver { to, consumer, delivery } => {
                    self.serve(to);
                    match to {
                        Origin::Application(connection) => {
                            if let Some(client) = self.clients.get_mut(&connection) {
                                client.handle_delivery(consumer, delivery);
                            }
                        }
                        // The way of most messages: no lane between.
                        Origin::Bridge(link) | Origin::Remote(link) => {
                            self.say(link, Frame::forward(consumer, delivery));
                        }
                    }
                }
                broker::Output::Advised(advisory) => self.spread(*advisory),
                broker::Output::Ended { to, consumer, refusal } => self.consumer_ended(to, consumer, *refusal),
                broker::Output::Refused { to, ticket, refusal } => self.refused(to, ticket, *refusal),
                broker::Output::Unwanted(demand) => {
                    self.tell_peers(now, &demand, |bridge, inward, out| bridge.handle_unwanted(&demand, inward, out));
                }
                broker::Output::Wanted { demand, consumers } => {
                    self.tell_peers(now, &demand, |bridge, inward, out| {
                        bridge.handle_wanted(&demand, consumers, inward, out);
                    });
                }
            }
        }
    }

    /// Notes what the broker has accepted, ahead of whatever else it has said.
    pub(super) fn note_accepted(&mut self) {
        for output in self.lanes.broker.drain_after(self.lanes.noted).collect::<Vec<_>>() {
            match output {
                broker::Output::Accepted { to, ticket } => self.accepted(to, ticket),
                other => self.lanes.broker.push(other),
            }
        }
        self.lanes.noted = self.lanes.broker.len();
    }

    /// The broker has accepted a message: whoever sent it is told at the end of the pass.
    pub(super) fn accepted(&mut self, to: Origin, ticket: Ticket) {
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
            Origin::Remote(link) => {
                if let Some(remote) = self.remotes.get_mut(&link) {
                    remote.handle_accepted(ticket);
                }
            }
        }
    }

    /// The broker has refused a message that had waited for room.
    fn refused(&mut self, to: Origin, ticket: Ticket, refusal: Refusal) {
        self.serve(to);
        match to {
            Origin::Application(connection) => {
                if let Some(client) = self.clients.get_mut(&connection) {
                    client.handle_refused(ticket, refusal, &mut self.lanes.client_out);
                    self.client_out_lane();
                }
            }
            Origin::Bridge(_) => unreachable!("what peers hand over waits as long as it takes"),
            Origin::Remote(link) => {
                if let Some(remote) = self.remotes.get_mut(&link) {
                    remote.handle_refused(ticket, refusal, &mut self.lanes.frames);
                    self.frames_lane(link);
                }
            }
        }
    }

    /// The broker has ended a consumer: what it was handed before is told first.
    pub(super) fn consumer_ended(&mut self, to: Origin, consumer: ConsumerId, refusal: Refusal) {
        match to {
            Origin::Application(connection) => {
                if let Some(client) = self.clients.get_mut(&connection) {
                    client.transactions().close_consumer(consumer);
                    client.flush(&mut self.lanes.client_out);
                    self.client_out_lane();
                }
                self.tell(Event::ConsumerEnded { consumer, refusal });
            }
            Origin::Bridge(_) => unreachable!("a bridge's consumers end with its demands"),
            Origin::Remote(link) => self.say(link, Frame::ended(consumer, refusal)),
        }
    }

    pub(super) fn serve(&mut self, origin: Origin) {
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
                        bridge.flush(&mut self.lanes.frames);
                        self.frames_lane(link);
                    }
                }
                Origin::Remote(link) => {
                    if let Some(remote) = self.remotes.get_mut(&link) {
                        remote.flush(&mut self.lanes.frames);
                        self.frames_lane(link);
                    }
                }
            }
        }
    }

    fn client_out_lane(&mut self) {
        while let Some(said) = self.lanes.client_out.pop() {
            self.outbox.push(Output::Event(match said {
                client::Outward::Accepted { producer, up_to } => Event::Accepted { producer, up_to, by: Vec::new() },
                client::Outward::Browsed { consumer } => Event::Browsed { consumer },
                client::Outward::Delivered { consumer, deliveries } => Event::Delivered { consumer, deliveries },
                client::Outward::Refused { producer, sequence, refusal } => {
                    Event::Refused { producer, sequence, refusal, answers: Vec::new() }
                }
            }));
        }
    }

    pub(super) fn frames_lane(&mut self, link: LinkId) {
        if self.lanes.frames.is_empty() {
            return;
        }
        if let Some(found) = self.pipes.get_mut(link).and_then(Pipe::link_mut) {
            while let Some(frame) = self.lanes.frames.pop() {
                found.send(frame);
            }
        }
        self.lanes.frames.drain().for_each(drop);
        self.mark(link);
    }

    pub(super) fn say(&mut self, link: LinkId, frame: Frame) {
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
            let bridge = self.bridges.get(&link).and_then(Bridge::poll_timeout);
            self.deadlines.set(link, found.poll_timeout().into_iter().chain(bridge).min());
            if let Err(reason) = found.check_backlog() {
                self.end(now, link, reason);
                self.broker_lane(now);
                self.fanout_lane(now);
                self.out_lane();
            }
        }
    }
}
