//! Producers: what applications send, and what they are told of it.

use std::collections::BTreeSet;

use flockmq_core::sim::HostId;
use flockmq_core::{Body, Command, Destinations, MessageId, ProducerId};

use super::{CONNECTION, Stage, destinations};

use crate::application::{Asked, Producer};
use crate::oracle::Outcome;

impl Stage {
    /// Sends a text, through a producer that is made at the first message to a destination.
    pub fn send(&mut self, host: HostId, to: &str, text: &str) -> MessageId {
        let ids = self.send_all(host, to, [text.to_owned()]);
        ids[0]
    }

    /// Sends texts in one command.
    pub fn send_all(&mut self, host: HostId, to: &str, texts: impl IntoIterator<Item = String>) -> Vec<MessageId> {
        self.send_bodies(host, to, texts.into_iter().map(Body::text).collect())
    }

    /// Sends messages in one command.
    pub fn send_bodies(&mut self, host: HostId, to: &str, messages: Vec<Body>) -> Vec<MessageId> {
        let to: Destinations = destinations(to);
        let producer = self.produce(host, &to);
        let mut ids = Vec::new();
        for body in &messages {
            let found = self.application(host).producers.get_mut(&to).expect("just made");
            found.sent += 1;
            let id = MessageId { producer, sequence: found.sent };
            self.oracle.sent(self.world.now(), host, id, to.first(), body);
            self.oracle.sent_also(host, id, to.others());
            ids.push(id);
        }
        self.command(host, Command::Send { connection: CONNECTION, producer: producer.number, messages });
        ids
    }

    /// True if a host's present process has sent to a destination.
    pub fn is_producing(&self, host: HostId, to: &str) -> bool {
        self.applications[&host].producers.contains_key(&destinations(to))
    }

    /// What a message's sender was told of it.
    pub fn outcome(&self, message: MessageId) -> &Outcome {
        self.oracle.outcome(message)
    }

    /// How many of the messages that a host's present process sent to a destination were accepted.
    pub fn accepted(&self, host: HostId, to: &str) -> u64 {
        self.applications[&host].producers.get(&destinations(to)).map_or(0, Producer::count_accepted)
    }

    /// How many messages of a host's present process were neither accepted nor refused so far.
    pub fn unanswered(&self, host: HostId) -> u64 {
        self.applications[&host].producers.values().map(Producer::count_unanswered).sum()
    }

    fn produce(&mut self, host: HostId, to: &Destinations) -> ProducerId {
        let broker = self.id(host);
        let application = self.application(host);
        if let Some(found) = application.producers.get(to) {
            return found.id;
        }
        let id = ProducerId { broker, number: application.number() };
        let request = application.ask(Asked::Produce);
        application.producers.insert(to.clone(), Producer { id, sent: 0, accepted: 0, refused: BTreeSet::new() });
        let destination = to.clone();
        self.command(host, Command::Produce { request, connection: CONNECTION, producer: id.number, destination });
        id
    }

    pub(super) fn producer(&mut self, host: HostId, number: u64) -> &mut Producer {
        let mut producers = self.application(host).producers.values_mut();
        producers.find(|found| found.id.number == number).expect("acceptances are for producers")
    }
}
