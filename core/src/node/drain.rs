//! A node that hands its queues' messages to peers before it leaves.

use alloc::vec::Vec;

use super::{Command, Node};
use crate::base::{Instant, Situation};
use crate::model::{CloseReason, Refusal, RequestId, Role};

/// What a node does about leaving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Draining {
    /// Nothing.
    #[default]
    No,
    /// It hands over what it has, and answers this when it has done so.
    Until(RequestId),
    /// It has handed over what others want.
    Done,
}

impl Node {
    /// Takes nothing more of applications and clients, and hands over what there is.
    pub(super) fn drain(&mut self, now: Instant, request: RequestId) {
        if self.draining != Draining::No || self.config.role == Role::Client {
            return self.reply(request, Ok(())); // There is nothing more to do.
        }
        tracing::info!("draining");
        self.draining = Draining::Until(request);
        for link in self.remotes.keys().copied().collect::<Vec<_>>() {
            self.end(now, link, CloseReason::Stopping);
        }
        self.broker.drain(now, &mut self.lanes.broker);
        if !self.broker.is_drained() {
            Situation::DrainAwaited.met();
        }
    }

    /// Answers who asked for all to be handed over, once it is.
    pub(super) fn finish_draining(&mut self) {
        if let Draining::Until(request) = self.draining
            && self.broker.is_drained()
        {
            self.draining = Draining::Done;
            self.reply(request, Ok(()));
        }
    }

    /// Tells who asked for all to be handed over that it was not: the node takes its leave before.
    pub(super) fn give_up_draining(&mut self) {
        if let Draining::Until(request) = self.draining {
            Situation::DrainAbandoned.met();
            self.draining = Draining::Done;
            self.reply(request, Err(Refusal::Stopping));
        }
    }

    /// True from when a node is told to hand over what it has.
    pub(super) fn is_draining(&self) -> bool {
        self.draining != Draining::No
    }

    /// True for what a node that leaves takes no more.
    pub(super) fn is_too_late(&self, command: &Command) -> bool {
        self.is_draining()
            && matches!(
                command,
                Command::Begin { .. }
                    | Command::Commit { .. }
                    | Command::Produce { .. }
                    | Command::Send { .. }
                    | Command::Subscribe { .. }
                    | Command::TransactedAck { .. }
                    | Command::TransactedSend { .. }
            )
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Event, Input, Output};
    use super::*;
    use crate::base::Seed;
    use crate::model::ConnectionId;

    #[test]
    fn a_node_that_drains_takes_nothing_new_and_answers_when_nothing_is_left_to_hand_over() {
        let mut node = Node::new(Config::alone("here"), Seed::from(1), Instant::ZERO);
        let connection = ConnectionId(1);
        let destination = || "queue://q".parse().expect("a destination");
        let mut ask = |command| {
            node.handle_input(Instant::ZERO, Input::Command(command));
            let outputs = core::iter::from_fn(|| node.poll_output());
            let event = |output| if let Output::Event(event) = output { Some(event) } else { None };
            outputs.filter_map(event).collect::<Vec<_>>()
        };
        let replied = |number, result| -> Vec<Event> { [Event::Replied { request: RequestId(number), result }].into() };
        assert_eq!(ask(Command::Attach { request: RequestId(1), connection }), replied(1, Ok(())));
        assert_eq!(ask(Command::Drain { request: RequestId(2) }), replied(2, Ok(())));
        let produce = Command::Produce { request: RequestId(3), connection, producer: 1, destination: destination() };
        assert_eq!(ask(produce), replied(3, Err(Refusal::Stopping)));
        assert_eq!(ask(Command::Drain { request: RequestId(4) }), replied(4, Ok(())), "once more");
        assert_eq!(ask(Command::Stop), [Event::Stopped]);
    }
}
