//! Links: who is at the other end, what they are for, and what their end means.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::super::pipe::{Duty, Pipe, Stage};
use super::super::roles::Verdict;
use super::super::{Event, Node, Output};
use crate::base::{Instant, Situation};
use crate::bridge::Bridge;
use crate::broker::{Limits, Remote};
use crate::dial;
use crate::link;
use crate::model::{Address, Advisory, BrokerId, CloseReason, Host, LinkId, Origin, Role, Service};
use crate::wire::{Farewell, Frame, Hello};

impl Node {
    /// Ends a link after a last word, and everything that hung on it. The first reason counts.
    pub(in super::super) fn end(&mut self, now: Instant, link: LinkId, reason: CloseReason) {
        let Some(pipe) = self.pipes.get_mut(link) else {
            return;
        };
        match &mut pipe.stage {
            Stage::Closing => return,
            Stage::Coming => (),
            Stage::Up(found) => {
                found.close(farewell(&reason));
                while let Some(data) = found.poll_send(now) {
                    self.outbox.push(Output::Send { link, data });
                }
            }
        }
        self.outbox.push(Output::Close { link });
        self.bury(now, link, reason);
    }

    /// Ends everything that hung on a link which is ending or has ended.
    pub(in super::super) fn bury(&mut self, now: Instant, link: LinkId, reason: CloseReason) {
        let Some(pipe) = self.pipes.get_mut(link) else {
            return;
        };
        self.deadlines.set(link, None);
        if matches!(core::mem::replace(&mut pipe.stage, Stage::Closing), Stage::Closing) {
            return; // Its end was told before.
        }
        let hello = pipe.hello.take();
        let is_slot = pipe.dialled.is_none() && pipe.remote.is_none();
        match (core::mem::take(&mut pipe.duty), hello) {
            (Duty::Bridge, Some(hello)) if self.peers.part(hello.broker, link) => self.part(now, link, hello, reason),
            (Duty::Serve, Some(hello)) => self.client_lost(now, link, hello, reason),
            (Duty::Target, Some(hello)) => self.target_lost(now, link, hello, reason),
            (_, hello) if !is_slot => self.miss(now, link, hello.map(|hello| hello.broker), reason),
            _ => (),
        }
    }

    /// A kept link has ended.
    fn part(&mut self, now: Instant, link: LinkId, hello: Hello, reason: CloseReason) {
        self.bridges.remove(&link);
        self.broker.detach(now, Origin::Bridge(link), &mut self.lanes.broker);
        self.dialer.parted(now, hello.broker);
        tracing::info!(peer = %hello.broker, name = %hello.name, %reason, "peer lost");
        self.advise(|| Advisory::BridgeStopped { peer: hello.broker, name: hello.name.clone() });
        self.tell(Event::PeerLost { broker: hello.broker, name: hello.name, reason });
    }

    /// A link has ended before it was kept.
    fn miss(&mut self, now: Instant, link: LinkId, broker: Option<BrokerId>, reason: CloseReason) {
        if let Some(broker) = broker
            && !matches!(reason, CloseReason::IdentityTaken { .. })
            && (self.peers.is_linked(broker) || self.is_target(broker))
        {
            return self.dialer.met(now, broker, Some(link), &[]); // It was the second link to a peer.
        }
        let failure = match reason {
            CloseReason::Itself | CloseReason::NotAPeer { .. } => {
                self.dialer.abandon(link);
                None
            }
            _ => self.dialer.failed(now, link),
        };
        if let (Role::Client, Some(failure)) = (self.config.role, &failure)
            && failure.outcome == dial::Outcome::GivenUp
        {
            let (address, attempts, reason) = (failure.address.clone(), failure.attempts, reason.clone());
            self.tell(Event::TargetGivenUp { address, attempts, reason });
        }
        let is_quiet = matches!(
            reason,
            CloseReason::Duplicate
                | CloseReason::Itself
                | CloseReason::Leaving
                | CloseReason::NotAPeer { .. }
                | CloseReason::Stopping
                | CloseReason::Unwanted
        );
        match failure {
            _ if is_quiet => (),
            Some(failure) if !failure.is_news => (), // Said at the first failure, or by the loss.
            failure => {
                let address = failure.map(|failure| failure.address);
                self.tell(Event::LinkRefused { address, reason });
            }
        }
    }

    pub(super) fn link_lane(&mut self, now: Instant) {
        let Some(link) = self.lanes.from.take() else {
            return;
        };
        while let Some(output) = self.lanes.link.pop() {
            self.link_said(now, link, output);
        }
    }

    pub(in super::super) fn link_said(&mut self, now: Instant, link: LinkId, output: link::Output) {
        match output {
            link::Output::Close(reason) => {
                self.end(now, link, reason);
            }
            link::Output::Frame(frame) => match frame {
                Frame::Hello(hello) => self.greeted(now, link, *hello),
                Frame::Open { generation } => self.opened(now, link, generation),
                Frame::Propose { ended } => self.proposed(now, link, ended),
                frame => {
                    if let Some(bridge) = self.bridges.get_mut(&link) {
                        bridge.handle_frame(frame, &mut self.lanes.bridge_in, &mut self.lanes.frames);
                        self.bridge_in_lane(now, link);
                    } else if let Some(remote) = self.remotes.get_mut(&link) {
                        remote.handle_frame(frame, &mut self.lanes.remote_in);
                        self.remote_in_lane(now, link);
                    } else if let Some(fanout) = &mut self.fanout {
                        fanout.handle_frame(link, frame, &mut self.lanes.fanout);
                    }
                }
            },
        }
    }

    fn greeted(&mut self, now: Instant, link: LinkId, hello: Hello) {
        let reason = match (self.config.role, hello.role) {
            _ if hello.broker == self.id => Some(self.who_claims_us(link)),
            (Role::Client, Role::Client) => Some(CloseReason::NotAPeer { found: hello.role }),
            (Role::Client, _) if self.is_target(hello.broker) => Some(CloseReason::Duplicate),
            (_, Role::Client) if self.is_draining() => {
                Situation::ClientTurnedAway.met();
                Some(CloseReason::Stopping)
            }
            (Role::Client, _) | (_, Role::Client) => None,
            (Role::Broker | Role::Peer, _) => self.check_bridge(link, &hello).err(),
        };
        if let Some(reason) = reason {
            if reason == CloseReason::Duplicate {
                self.dialer.met(now, hello.broker, Some(link), &[]);
            }
            return self.end(now, link, reason);
        }
        let (ours, theirs, broker) = (self.config.role, hello.role, hello.broker);
        if let Some(connector) = self.connector_of(link)
            && let Some(other) = self.peers.lead(broker, connector)
        {
            Situation::ConnectorLed.met();
            // The bridge there is has other options than it should: this link is to take its place.
            self.end(now, other, CloseReason::Replaced);
        }
        if theirs != Role::Client {
            self.found_at(now, link, broker);
        }
        if let Some(pipe) = self.pipes.get_mut(link) {
            pipe.hello = Some(hello);
        }
        match (ours, theirs) {
            (Role::Client, _) => (), // It is theirs to open.
            (_, Role::Client) => self.serve_client(now, link),
            _ if self.peers.decides(broker) => (),
            _ => {
                let ended = self.peers.ended(broker);
                self.say(link, Frame::Propose { ended });
            }
        }
    }

    /// Why a link is ended at whose other end there is this very broker, it says: a link of ours that led back here has two
    /// ends here, of which one was dialled.
    fn who_claims_us(&self, link: LinkId) -> CloseReason {
        let is_ours = self.pipes.iter().any(|(_, pipe)| pipe.dialled.is_some() && pipe.hello.is_none());
        let is_dialled = self.pipes.get(link).is_some_and(|pipe| pipe.dialled.is_some());
        if is_ours || is_dialled { CloseReason::Itself } else { CloseReason::IdentityTaken { claimed: self.id } }
    }

    /// Whoever was dialled is there, and others who have said that they are there are not. One that is at none of the places
    /// it has named is parted with: it may be a broker that died, whose address is another's now, or one that lies.
    fn found_at(&mut self, now: Instant, link: LinkId, broker: BrokerId) {
        let Some(address) = self.pipes.get(link).and_then(|pipe| pipe.dialled.clone()) else {
            return;
        };
        for liar in self.peers.disprove(broker, &address) {
            let reason = CloseReason::NotItsAddress { address: address.clone() };
            self.end(now, liar, reason);
        }
    }

    /// Whether two brokers are to be bridged over this link: those of one group, and whomever a network connector leads
    /// to. Both ends come to the same answer, or one ends the link.
    fn check_bridge(&self, link: LinkId, hello: &Hello) -> Result<(), CloseReason> {
        match (self.config.role, hello.role) {
            (Role::Broker | Role::Peer, Role::Broker | Role::Peer) if self.connector_of(link).is_some() => Ok(()),
            (Role::Peer, Role::Peer) if hello.group == self.config.group => Ok(()),
            (Role::Broker | Role::Peer, Role::Broker | Role::Peer) if hello.is_connector => {
                if self.config.accepts_connectors { Ok(()) } else { Err(CloseReason::ConnectorRefused) }
            }
            (Role::Peer, Role::Peer) => Err(CloseReason::GroupMismatch { found: hello.group.clone() }),
            (_, found) => Err(CloseReason::NotAPeer { found }),
        }
    }

    /// The network connector that a link was dialled for.
    pub(in super::super) fn connector_of(&self, link: LinkId) -> Option<usize> {
        self.config.connector_to(self.pipes.get(link)?.dialled.as_ref()?)
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
            verdict => self.refuse(now, link, broker, verdict),
        }
    }

    /// A link is not kept.
    fn refuse(&mut self, now: Instant, link: LinkId, broker: BrokerId, verdict: Verdict) {
        let reason = match verdict {
            Verdict::Impostor => CloseReason::IdentityTaken { claimed: broker },
            Verdict::Keep(_) | Verdict::Refuse => {
                Situation::LinkDuplicate.met();
                CloseReason::Duplicate
            }
        };
        self.end(now, link, reason);
    }

    fn opened(&mut self, now: Instant, link: LinkId, generation: u64) {
        if self.config.role == Role::Client {
            self.target_up(now, link);
        } else if let Some(broker) = self.decidable(now, link, false) {
            match self.peers.follows(broker, generation) {
                Verdict::Keep(generation) => self.keep(now, link, generation),
                verdict => self.refuse(now, link, broker, verdict),
            }
        }
    }

    /// Who is at the other end of `link`, if what was said there was theirs to say.
    fn decidable(&mut self, now: Instant, link: LinkId, by_us: bool) -> Option<BrokerId> {
        let hello = self.pipes.get(link)?.hello.as_ref()?;
        let broker = hello.broker;
        if self.check_bridge(link, hello).is_err() || self.peers.decides(broker) != by_us {
            let what = format!("it is not for broker {broker} to say which link is kept");
            let reason = CloseReason::Malformed(what);
            self.end(now, link, reason);
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
        let mut addresses = addresses(&hello);
        if self.peers.connector(hello.broker).is_some() || hello.is_connector {
            addresses.clear(); // Where it is reached from its own network means nothing in ours.
        }
        addresses.retain(|address| self.config.connector_to(address).is_none()); // They are dialled whoever is there.
        if let Some(replaced) = self.peers.keep(hello.broker, link, generation, addresses.clone()) {
            Situation::LinkReplaced.met();
            // The peers' table already names the new link, so the old one's bridge is ended here.
            self.end(now, replaced, CloseReason::Replaced);
            self.part(now, replaced, hello.clone(), CloseReason::Replaced);
        }
        addresses.retain(|address| address.host == Host::Ip(remote.ip())); // It may say anything of other places.
        self.dialer.met(now, hello.broker, Some(link), &addresses);
        for address in self.peers.contested(hello.broker) {
            self.dialer.check(now, &address);
        }
        let connector = self.peers.connector(hello.broker).map(|at| &self.config.connectors[at]);
        let config = connector.map_or(&self.config.bridge, |connector| &connector.bridge).clone();
        let limits = Limits {
            window: Some(config.window),
            message_max: Some(self.config.link.message_max(hello.frame_max)),
            remote: Some(Remote {
                broker: hello.broker,
                hops_max: config.message_hops_max,
                permits: (!config.permits.are_all()).then(|| Arc::new(config.permits.clone())),
                priority_base: config.priority_base,
            }),
            client: None,
        };
        if let Err(refusal) = self.broker.attach(Origin::Bridge(link), limits) {
            // It was never up: nobody is told that it is lost, and it may be dialled again.
            self.peers.part(hello.broker, link);
            self.dialer.parted(now, hello.broker);
            let reason = CloseReason::Refused(format!("{refusal}"));
            return self.end(now, link, reason);
        }
        tracing::info!(peer = %hello.broker, name = %hello.name, %remote, "peer up");
        self.advise(|| Advisory::BridgeStarted { peer: hello.broker, name: hello.name.clone() });
        if hello.name == self.config.name && self.peers.is_clash_news(hello.broker) {
            self.tell(Event::NameClash { name: hello.name.clone(), broker: hello.broker });
        }
        self.tell(Event::PeerUp { broker: hello.broker, name: hello.name, link, remote });
        let out = &mut self.lanes.frames;
        let bridge = Bridge::new(now, config, self.id, hello.broker, self.broker.wanted(), out);
        self.bridges.insert(link, bridge);
        if let Some(pipe) = self.pipes.get_mut(link) {
            pipe.duty = Duty::Bridge;
        }
        self.frames_lane(link);
    }
}

/// Where a broker says that it can be reached.
pub(super) fn addresses(hello: &Hello) -> Vec<Address> {
    hello.services.iter().filter_map(|Service(text)| text.parse().ok()).collect()
}

/// The last word on a link that ends for this reason.
fn farewell(reason: &CloseReason) -> Option<Farewell> {
    match reason {
        CloseReason::Duplicate => Some(Farewell::Duplicate),
        CloseReason::Stopping => Some(Farewell::Leaving),
        CloseReason::Refused(why) => Some(Farewell::Refused(why.clone())),
        CloseReason::FrameTooLong { .. }
        | CloseReason::ConnectorRefused
        | CloseReason::GroupMismatch { .. }
        | CloseReason::HandshakeTimeout
        | CloseReason::IdentityTaken { .. }
        | CloseReason::Itself
        | CloseReason::Malformed(_)
        | CloseReason::NotAPeer { .. }
        | CloseReason::NotItsAddress { .. }
        | CloseReason::Silent
        | CloseReason::SyncTimeout
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
