//! Producers of the application: made, sent from and ended, at the embedded broker or through fanout.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Event, Node};
use crate::base::Instant;
use crate::broker::Taken;
use crate::client::Complete;
use crate::model::{Advisory, ConnectionId, Destinations, Message, Origin, Party, Refusal, Ticket, What};

impl Node {
    /// Makes a producer; through fanout each of its destinations is a stream of its own.
    pub(super) fn produce(
        &mut self,
        connection: ConnectionId,
        producer: u64,
        destinations: &Destinations,
    ) -> Result<(), Refusal> {
        self.client(connection)?;
        if self.clients.values().any(|client| client.is_producing(producer)) {
            return Err(Refusal::AlreadyExists { what: What::Producer, number: producer });
        }
        self.config.broker.check_composite(destinations)?;
        self.client(connection)?.produce(producer, destinations.clone())?;
        let Some(fanout) = &mut self.fanout else {
            let (destination, by) = (destinations.clone(), Party::Application(connection));
            self.advise(|| Advisory::ProducerAdded { destination, producer, by });
            return Ok(());
        };
        let mut parts = destinations.iter().enumerate();
        let opened =
            parts.try_for_each(|(part, destination)| fanout.open_stream(connection, producer, part, destination));
        if let Err(refusal) = &opened {
            fanout.close_stream(producer, refusal, &mut self.lanes.fanout);
            self.client(connection)?.close_producer(producer)?;
        }
        opened
    }

    /// Ends a producer.
    pub(super) fn close_producer(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        producer: u64,
    ) -> Result<(), Refusal> {
        if self.client(connection)?.is_producing(producer) {
            if let Some(fanout) = &mut self.fanout {
                fanout.close_stream(producer, &Refusal::Closed { what: What::Producer }, &mut self.lanes.fanout);
                self.fanout_lane(now); // What is refused by this is told before the answer.
            } else {
                self.broker.cancel(now, Origin::Application(connection), producer, 0, &mut self.lanes.broker);
            }
        }
        let destination = self.client(connection)?.close_producer(producer)?;
        self.advise(|| Advisory::ProducerRemoved { destination, producer, by: Party::Application(connection) });
        Ok(())
    }

    /// Passes a message on, to one destination.
    #[inline]
    pub(super) fn send_to_one(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        ticket: Ticket,
        message: Arc<Message>,
    ) -> Result<(), Refusal> {
        if let Some(fanout) = &mut self.fanout {
            check_size(&message, self.config.broker.message_max)?;
            return fanout.handle_send(now, ticket.stream, 0, message);
        }
        let origin = Origin::Application(connection);
        if let Taken::Accepted = self.broker.send(now, origin, ticket, 0, message, &mut self.lanes.broker)? {
            self.accepted(origin, ticket);
        }
        Ok(())
    }

    /// Passes a message on to each of its destinations, or refuses it where none has taken it yet.
    pub(super) fn send_to_all(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        ticket: Ticket,
        messages: Vec<Arc<Message>>,
    ) -> Result<(), Refusal> {
        if let Some(fanout) = &mut self.fanout {
            for message in &messages {
                check_size(message, self.config.broker.message_max)?;
            }
            fanout.check_room(messages.iter().map(|message| message.size() as u64).sum())?;
            let mut parts = messages.into_iter().enumerate();
            return parts.try_for_each(|(part, message)| fanout.handle_send(now, ticket.stream, part, message));
        }
        let origin = Origin::Application(connection);
        for _ in 0..self.broker.send_all(now, origin, ticket, messages, &mut self.lanes.broker)? {
            self.accepted(origin, ticket);
        }
        Ok(())
    }

    /// Enough brokers have accepted messages at one of their destinations.
    pub(super) fn settled(
        &mut self,
        connection: ConnectionId,
        producer: u64,
        part: usize,
        count: u64,
        settled: Complete,
    ) {
        let complete = match self.clients.get_mut(&connection) {
            Some(client) => client.handle_settled(producer, part, count, settled),
            None => Vec::from([settled]),
        };
        for Complete { up_to, by } in complete {
            self.tell(Event::Accepted { producer, up_to, by });
        }
    }
}

fn check_size(message: &Message, max: u32) -> Result<(), Refusal> {
    let (size, max) = (message.body.size() as u64, max.into());
    if size > max { Err(Refusal::TooLarge { size, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, Config, Input, Output};
    use super::*;
    use crate::base::Seed;
    use crate::model::RequestId;
    use crate::wire::ROUTES_MAX;

    /// What becomes of the wish to make a producer.
    fn produce(node: &mut Node, producer: u64, destinations: &str) -> Result<(), Refusal> {
        let (request, connection) = (RequestId(1), ConnectionId(1));
        let destination = destinations.parse().expect("destinations");
        let command = Command::Produce { request, connection, producer, destination };
        node.handle_input(Instant::ZERO, Input::Command(command));
        let outputs = core::iter::from_fn(|| node.poll_output());
        let mut results = outputs.filter_map(|output| match output {
            Output::Event(Event::Replied { result, .. }) => Some(result),
            _ => None,
        });
        results.next().expect("an answer")
    }

    #[test]
    fn a_producer_that_can_not_have_all_of_its_streams_through_fanout_leaves_none() {
        let mut config = Config::client("here");
        config.broker.producers_max = usize::MAX;
        let mut node = Node::new(config, Seed::from(1), Instant::ZERO);
        let attach = Command::Attach { request: RequestId(1), connection: ConnectionId(1) };
        node.handle_input(Instant::ZERO, Input::Command(attach));
        while node.poll_output().is_some() {}
        let max = u64::from(ROUTES_MAX);
        for producer in 1..max {
            assert_eq!(produce(&mut node, producer, "q"), Ok(()));
        }
        let full = Refusal::LimitReached { what: What::Producer, max };
        assert_eq!(produce(&mut node, max, "q,r"), Err(full.clone()));
        assert_eq!(produce(&mut node, max, "q"), Ok(()), "neither its stream nor its number is taken");
        assert_eq!(produce(&mut node, max + 1, "q"), Err(full));
    }
}
