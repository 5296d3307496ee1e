//! Who there is to connect to, and the connecting.

use core::net::SocketAddr;

use super::super::pipe::Pipe;
use super::super::{Event, Node, Output, Phase};
use crate::base::{Instant, Situation};
use crate::dial::{self, Urgency};
use crate::discovery;
use crate::model::{Address, BrokerId, CloseReason, Host, Role};

impl Node {
    pub(in super::super) fn discovery_lane(&mut self, now: Instant) {
        while let Some(output) = self.lanes.discovery.pop() {
            match output {
                discovery::Output::Announce { via, data } => {
                    self.outbox.push(Output::Announce { group: super::super::GROUP, via, data });
                }
                discovery::Output::Found { service, address, is_newcomer } => {
                    self.tell(Event::ServiceFound { service });
                    let urgency = if self.is_heard_by_loopback(&address) {
                        Urgency::AfterYou
                    } else if !self.is_their_turn(&address) {
                        Urgency::AtOnce
                    } else if is_newcomer {
                        // It would not know whom to dial. An advert would tell it too, and everybody else again.
                        Situation::NewcomerDialled.met();
                        Urgency::AtOnce
                    } else {
                        Urgency::AfterYou
                    };
                    self.want(now, address, urgency);
                }
                discovery::Output::Lost { service, address, .. } => {
                    if !self.config.lists(&address) {
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
    pub(in super::super) fn want(&mut self, now: Instant, address: Address, urgency: Urgency) {
        let is_connector = self.config.connector_to(&address).is_some();
        match self.config.role {
            Role::Broker if !is_connector => return,
            Role::Client if !self.dialer.is_wanted(&address) => {
                self.tell(Event::TargetFound { address: address.clone() });
            }
            Role::Broker | Role::Client | Role::Peer => (),
        }
        // Whoever is where a connector leads may well say that it is elsewhere, and which options hold is seen by dialling.
        let known = self.peers.linked_at(&address).filter(|broker| !is_connector && self.is_at(*broker, &address));
        let backoff = self.config.backoff(&address).clone();
        let is_wanted = self.dialer.want(now, address.clone(), backoff, urgency);
        if let Some(broker) = known {
            self.dialer.met(now, broker, None, &[address]);
        } else if !is_wanted {
            tracing::warn!(%address, "too many addresses are wanted for another to be dialled");
        }
    }

    /// True if the link to a broker leads to the host of this address, where it has said that it is.
    fn is_at(&self, broker: BrokerId, address: &Address) -> bool {
        let remote = self.peers.kept(broker).and_then(|link| self.pipes.get(link)?.remote);
        remote.is_some_and(|remote| address.host == Host::Ip(remote.ip()))
    }

    /// Where both sides hear of each other, the one with the lower address dials first: it saves a link.
    fn is_their_turn(&self, address: &Address) -> bool {
        let Host::Ip(other) = address.host else {
            return false;
        };
        let own = self.own_addresses().find(|own| own.ip().is_loopback() == other.is_loopback());
        own.is_some_and(|own| (own.port(), own.ip()) > (address.port, other))
    }

    /// Who is at an address of this very machine is heard of by its loopback too, and dialled there: that saves a link
    /// as well.
    fn is_heard_by_loopback(&self, address: &Address) -> bool {
        let Host::Ip(other) = address.host else {
            return false;
        };
        !other.is_loopback()
            && self.own_addresses().any(|own| own.ip() == other)
            && self.own_addresses().any(|own| own.ip().is_loopback())
    }

    fn own_addresses(&self) -> impl Iterator<Item = &SocketAddr> {
        self.listener.iter().filter_map(|listener| listener.addresses.as_ref()).flatten()
    }

    pub(super) fn dial_lane(&mut self, now: Instant) {
        if self.phase != Phase::Running {
            return;
        }
        self.dialer.handle_timeout(now, &mut self.lanes.dial);
        while let Some(output) = self.lanes.dial.pop() {
            match output {
                dial::Output::Dial(address) => {
                    if !self.make_room(now) {
                        self.dialer.postponed(now, &address);
                        continue;
                    }
                    let link = self.pipes.insert(Pipe::new(Some(address.clone())));
                    let timeout = self.config.connect_timeout(&address);
                    self.dialer.dialled(now, &address, link, timeout);
                    self.outbox.push(Output::Connect { link, address });
                }
                dial::Output::GiveUp(link) => {
                    self.end(now, link, CloseReason::Unwanted);
                }
            }
        }
    }

    /// True if there may be one more link. A slot that nobody has connected to is taken back for it.
    fn make_room(&mut self, now: Instant) -> bool {
        let max = self.config.link.links_max;
        if self.pipes.iter().filter(|(_, pipe)| !pipe.is_slot()).count() >= max {
            return false;
        }
        let open = self.pipes.iter().filter(|(_, pipe)| !pipe.is_closing()).count();
        let slot = self.pipes.iter().find_map(|(link, pipe)| pipe.is_slot().then_some(link));
        if let Some(slot) = slot.filter(|_| open >= max) {
            self.end(now, slot, CloseReason::Requested);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Config, Input};
    use super::*;
    use crate::base::Seed;
    use crate::link::LinkConfig;
    use crate::model::{BrokerId, GroupId, LinkId};
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    /// What is asked of links.
    fn asked(node: &mut Node) -> Vec<(String, LinkId)> {
        let outputs = core::iter::from_fn(|| node.poll_output());
        let asked = outputs.filter_map(|output| match output {
            Output::Accept { link, .. } => Some(("accept".into(), link)),
            Output::Close { link } => Some(("close".into(), link)),
            Output::Connect { link, address } => Some((format!("connect {address}"), link)),
            _ => None,
        });
        asked.collect()
    }

    #[test]
    fn who_is_on_this_machine_is_dialled_by_loopback_and_otherwise_only_if_that_leads_nowhere() {
        for leads_nowhere in [false, true] {
            let mut node = Node::new(Config::peer("g", "a"), Seed::from(1), Instant::ZERO);
            let listener = node.listener.as_ref().expect("it listens").id;
            let addresses = ["10.0.0.1:5", "127.0.0.1:5"].map(|at| at.parse().expect("an address")).into();
            node.handle_input(Instant::ZERO, Input::Listening { listener, addresses });
            asked(&mut node);
            let mut hear = |at: &str| {
                let data = format!("g.ActiveMQ-4.alive.%localhost%tcp://{at}").into_bytes().into();
                let from = at.parse().expect("an address");
                node.handle_input(Instant::ZERO, Input::Datagram { group: GroupId(1), from, data });
                asked(&mut node)
            };
            assert_eq!(hear("10.0.0.1:9"), [], "it is heard of once more");
            let [(what, link)] = &hear("127.0.0.1:9")[..] else { panic!("it is dialled") };
            assert_eq!(what, "connect tcp://127.0.0.1:9");
            assert_eq!(hear("10.0.0.2:9").len(), 1, "another machine");
            if leads_nowhere {
                let reason = CloseReason::ConnectFailed("refused".into());
                node.handle_input(Instant::ZERO, Input::Closed { link: *link, reason });
            } else {
                let addresses = ["tcp://127.0.0.1:9", "tcp://10.0.0.1:9"].map(|at| at.parse().expect("an address"));
                node.dialer.met(Instant::ZERO, BrokerId(2), Some(*link), &addresses);
            }
            node.handle_input(Instant::from_millis(200), Input::Timeout);
            let asked = asked(&mut node);
            let is_dialled = asked.iter().any(|(what, _)| what == "connect tcp://10.0.0.1:9");
            assert_eq!(is_dialled, leads_nowhere, "{asked:?}");
        }
    }

    /// Found by seeds 5000069235 and 5000209197: who dialled while all other places were held out for others had a link
    /// too many once they had come.
    #[test]
    fn a_slot_is_taken_back_for_a_link_of_our_own() {
        let address: Address = "tcp://10.0.0.2:1".parse().expect("an address");
        let link = LinkConfig { links_max: 2, slots: 2, ..LinkConfig::default() };
        let config = Config { link, multicast: None, peers: alloc::vec![address], ..Config::peer("g", "a") };
        let mut node = Node::new(config, Seed::from(1), Instant::ZERO);
        let dial = "connect tcp://10.0.0.2:1".into();
        let [(what, first)] = &asked(&mut node)[..] else { panic!("it dials") };
        assert_eq!(what, &dial);
        let reason = CloseReason::ConnectFailed("refused".into());
        node.handle_input(Instant::ZERO, Input::Closed { link: *first, reason });
        let listener = node.listener.as_ref().expect("it listens").id;
        let addresses = Vec::from(["10.0.0.1:1".parse().expect("an address")]);
        node.handle_input(Instant::ZERO, Input::Listening { listener, addresses });
        let slots = asked(&mut node);
        assert_eq!(slots.iter().map(|(what, _)| what.as_str()).collect::<Vec<_>>(), ["accept", "accept"]);
        let due = node.poll_timeout().expect("it dials again");
        node.handle_input(due, Input::Timeout);
        let again = asked(&mut node);
        assert_eq!(again[0], ("close".into(), slots[0].1));
        assert_eq!((again.len(), &again[1].0), (2, &dial));
    }
}
