//! Fanout: what targets say and are sent, and what the application is told of it.

use alloc::vec::Vec;

use bytes::Bytes;

use super::super::pipe::{Duty, Pipe};
use super::super::{Event, Node};
use super::link::addresses;
use crate::base::{Instant, Situation};
use crate::client::Complete;
use crate::dial::Standing;
use crate::fanout;
use crate::model::{Address, BrokerId, CloseReason, LinkId, Origin};
use crate::node::{Target, TargetState};
use crate::wire::Hello;

impl Node {
    /// True if a link leads to this broker as a target already.
    pub(super) fn is_target(&self, broker: BrokerId) -> bool {
        self.fanout.as_ref().is_some_and(|fanout| fanout.linked(broker).is_some())
    }

    /// A target has opened a link.
    pub(super) fn target_up(&mut self, now: Instant, link: LinkId) {
        let (Some(pipe), Some(fanout)) = (self.pipes.get_mut(link), &mut self.fanout) else {
            return;
        };
        let (Some(hello), Some(address)) = (pipe.hello.clone(), pipe.dialled.clone()) else {
            return;
        };
        if fanout.linked(hello.broker).is_some() {
            // Another link was opened meanwhile, by way of another address.
            return self.end(now, link, CloseReason::Duplicate);
        }
        if let Some(replaced) = fanout.linked_at(&address) {
            // Another process has taken the place of one whose end we have not heard of.
            Situation::TargetReplaced.met();
            self.end(now, replaced, CloseReason::Replaced);
        }
        let (Some(pipe), Some(fanout)) = (self.pipes.get_mut(link), &mut self.fanout) else {
            return;
        };
        pipe.duty = Duty::Target;
        self.dialer.met(now, hello.broker, Some(link), &addresses(&hello));
        tracing::info!(target = %hello.broker, name = %hello.name, %address, "target up");
        let message_max = self.config.link.message_max(hello.frame_max);
        let found =
            fanout::Found { broker: hello.broker, name: hello.name.clone(), address: address.clone(), message_max };
        fanout.handle_up(link, found, &mut self.lanes.fanout);
        self.tell(Event::TargetUp { broker: hello.broker, name: hello.name, address });
    }

    /// The link to a target has ended.
    pub(super) fn target_lost(&mut self, now: Instant, link: LinkId, hello: Hello, reason: CloseReason) {
        tracing::info!(target = %hello.broker, name = %hello.name, %reason, "target lost");
        if let Some(address) = self.pipes.get(link).and_then(|pipe| pipe.dialled.clone()) {
            let (broker, name) = (hello.broker, hello.name);
            self.tell(Event::TargetLost { broker, name, address, reason });
        }
        self.dialer.parted(now, hello.broker);
        if let Some(fanout) = &mut self.fanout {
            // Whether enough are left depends on whether this one is dialled again.
            fanout.handle_prospects(self.dialer.prospects(), &mut self.lanes.fanout);
            fanout.handle_down(link, &mut self.lanes.fanout);
        }
    }

    pub(in super::super) fn fanout_lane(&mut self, now: Instant) {
        if let Some(fanout) = &mut self.fanout {
            fanout.handle_prospects(self.dialer.prospects(), &mut self.lanes.fanout);
        }
        while let Some(output) = self.lanes.fanout.pop() {
            match output {
                fanout::Output::Accepted { connection, producer, part, up_to, count, by } => {
                    self.settled(connection, producer, part, count, Complete { up_to, by });
                }
                fanout::Output::Advised { broker, missed, advisory } => {
                    self.tell(Event::Advised { broker, missed, advisory: *advisory });
                }
                fanout::Output::Answered { request, result } => self.answer(request, result),
                fanout::Output::Browsed { connection, consumer } => {
                    self.serve(Origin::Application(connection));
                    if let Some(client) = self.clients.get_mut(&connection) {
                        client.handle_browsed(consumer);
                    }
                }
                fanout::Output::Burst { link, burst } => self.send_shared(link, &burst.pieces),
                fanout::Output::Close { link, reason } => {
                    self.end(now, link, reason);
                }
                fanout::Output::ConsumerEnded { connection, consumer, refusal } => {
                    self.consumer_ended(Origin::Application(connection), consumer, refusal);
                }
                fanout::Output::Deliver { connection, consumer, delivery } => {
                    self.serve(Origin::Application(connection));
                    if let Some(client) = self.clients.get_mut(&connection) {
                        client.handle_delivery(consumer, delivery);
                    }
                }
                fanout::Output::Refused { connection, producer, sequence, refusal, answers } => {
                    let client = self.clients.get_mut(&connection);
                    if client.is_none_or(|client| client.handle_unsettled(producer, sequence)) {
                        self.tell(Event::Refused { producer, sequence, refusal, answers });
                    }
                }
                fanout::Output::Replied { request, result } => self.reply(request, result),
                fanout::Output::Say { link, frame } => self.say(link, frame),
                fanout::Output::SubscriptionRefused { consumer, answer } => {
                    self.tell(Event::SubscriptionRefused { consumer, answer });
                }
                fanout::Output::Targets { up, needed } => self.tell(Event::Targets { up, needed }),
                fanout::Output::Tell { link, bytes } => self.send_shared(link, &[bytes]),
            }
        }
    }

    pub(in super::super) fn targets_now(&self) -> Vec<Target> {
        let Some(fanout) = &self.fanout else {
            return Vec::new();
        };
        let wanted = self.dialer.iter().map(|(address, standing)| {
            // One that was taken for lost and is heard again has kept its link.
            let kept = fanout.linked_at(address).map(|link| self.target_state(Some(link)));
            let state = kept.unwrap_or_else(|| match standing {
                Standing::Connecting => TargetState::Connecting,
                Standing::GivenUp => TargetState::GivenUp,
                Standing::Met(broker) => self.target_state(fanout.linked(broker)),
                Standing::Waiting => TargetState::Waiting,
            });
            (address, state)
        });
        // One whose adverts are not heard any more is a target for as long as it is up.
        let unheard = fanout.up_at().filter(|(_, address)| !self.dialer.is_wanted(address));
        let unheard = unheard.map(|(link, address)| (address, self.target_state(Some(link))));
        let target = |(address, state): (&Address, TargetState)| {
            let fanout::Tally { accepted, refused } = fanout.tally(address);
            let unanswered_bytes = fanout.unanswered_bytes(address);
            Target { address: address.clone(), state, accepted, refused, unanswered_bytes }
        };
        wanted.chain(unheard).map(target).collect()
    }

    fn target_state(&self, link: Option<LinkId>) -> TargetState {
        let pipe = link.and_then(|link| self.pipes.get(link));
        match pipe.and_then(|pipe| Some((pipe.hello.as_ref()?, pipe.remote?))) {
            Some((hello, remote)) => TargetState::Up { broker: hello.broker, name: hello.name.clone(), remote },
            None => TargetState::Waiting,
        }
    }

    fn send_shared(&mut self, link: LinkId, pieces: &[Bytes]) {
        if let Some(found) = self.pipes.get_mut(link).and_then(Pipe::link_mut) {
            found.send_shared(pieces);
            self.mark(link);
        }
    }
}
