//! Who there is to connect to, and the connecting.

use super::super::pipe::Pipe;
use super::super::{Event, Node, Output, Phase};
use super::link::farewell;
use crate::base::Instant;
use crate::dial::{self, Urgency};
use crate::discovery;
use crate::model::{Address, CloseReason, Host, Role};

impl Node {
    pub(in super::super) fn discovery_lane(&mut self, now: Instant) {
        while let Some(output) = self.lanes.discovery.pop() {
            match output {
                discovery::Output::Announce { via, data } => {
                    self.outbox.push(Output::Announce { group: super::super::GROUP, via, data });
                }
                discovery::Output::Found { service, address } => {
                    self.tell(Event::ServiceFound { service });
                    self.want(now, address);
                }
                discovery::Output::Lost { service, address, .. } => {
                    if !self.config.peers.contains(&address) {
                        self.dialer.unwant(&address, &mut self.lanes.dial);
                        if let Some(fanout) = &mut self.fanout {
                            fanout.forget_address(&address);
                        }
                    }
                    self.tell(Event::ServiceLost { service });
                }
            }
        }
    }

    /// Has a broker dialled whose address has become known, if this node dials others.
    pub(in super::super) fn want(&mut self, now: Instant, address: Address) {
        match self.config.role {
            Role::Broker => return,
            Role::Client if !self.dialer.is_wanted(&address) => {
                self.tell(Event::TargetFound { address: address.clone() });
            }
            Role::Client | Role::Peer => (),
        }
        let known = self.peers.linked_at(&address);
        let backoff = self.config.backoff(&address).clone();
        let is_wanted = self.dialer.want(now, address.clone(), backoff, self.urgency(&address));
        if let Some(broker) = known {
            self.dialer.met(now, broker, None, &[address]);
        } else if !is_wanted {
            tracing::warn!(%address, "too many addresses are wanted for another to be dialled");
        }
    }

    /// Where both sides hear of each other, the one with the lower address dials first: it saves a link.
    fn urgency(&self, address: &Address) -> Urgency {
        let Host::Ip(other) = address.host else {
            return Urgency::AtOnce;
        };
        let mut own = self.listener.iter().filter_map(|listener| listener.addresses.as_ref()).flatten();
        match own.find(|own| own.ip().is_loopback() == other.is_loopback()) {
            Some(own) if (own.port(), own.ip()) > (address.port, other) => Urgency::AfterYou,
            Some(_) | None => Urgency::AtOnce,
        }
    }

    pub(super) fn dial_lane(&mut self, now: Instant) {
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
                    let timeout = self.config.connect_timeout(&address);
                    self.dialer.dialled(now, &address, link, timeout);
                    self.outbox.push(Output::Connect { link, address });
                }
                dial::Output::GiveUp(link) => {
                    self.end(now, link, CloseReason::Unwanted, farewell(&CloseReason::Unwanted));
                }
            }
        }
    }
}
