//! What there is to ask and to do of clients, and what must hold of them: those who fan out to brokers.

use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::{
    BrokerId, Command, Config, ConsumerId, Destinations, FanoutConfig, Instant, MessageId, MulticastConfig, ProducerId,
    Refusal, Target, TargetState,
};

use super::{CONNECTION, Stage, destinations};

use crate::application::Asked;
use crate::limit::Limit;
use crate::oracle::{Outcome, Process};

impl Stage {
    /// Adds a client that fans out to all brokers of a group, with an application attached.
    pub fn client(&mut self, group: &str, fanout: FanoutConfig) -> HostId {
        self.host(client(group, fanout))
    }

    /// Adds so many brokers that stand alone in the group `flock`, and a client to which all of them are targets.
    pub fn fan(&mut self, brokers: usize, fanout: FanoutConfig) -> (HostId, Vec<HostId>) {
        let hosts: Vec<HostId> = (0..brokers).map(|number| self.broker("flock", &format!("b{number}"))).collect();
        let client = self.client("flock", fanout);
        self.fan_out(client, &hosts);
        (client, hosts)
    }

    /// Waits until all these hosts are targets of a client.
    pub fn fan_out(&mut self, client: HostId, hosts: &[HostId]) {
        let is_done = self.run_until(Duration::from_mins(1), |stage| stage.is_fanned_out(client, hosts));
        assert!(is_done, "{client} has the targets {:?}", self.targets(client));
    }

    /// The brokers that a client fans out to, or would.
    pub fn targets(&self, client: HostId) -> Vec<Target> {
        self.node(client).targets()
    }

    /// Those of them that are up.
    pub fn targets_up(&self, client: HostId) -> Vec<BrokerId> {
        let found = self.targets(client).into_iter().filter_map(|target| match target.state {
            TargetState::Up { broker, .. } => Some(broker),
            _ => None,
        });
        found.collect()
    }

    /// True if all these hosts are targets of a client, and up.
    pub fn is_fanned_out(&self, client: HostId, hosts: &[HostId]) -> bool {
        let up = self.targets_up(client);
        hosts.iter().all(|host| self.world.node(*host).is_some_and(|node| up.contains(&node.id())))
    }

    /// The consumers that a client's application asked for and was refused.
    pub fn denied(&self, client: HostId) -> &[(Instant, ConsumerId, Refusal)] {
        &self.applications[&client].denied
    }

    /// The brokers that accepted a client's message, as it was told.
    pub fn acceptors(&self, message: MessageId) -> &[BrokerId] {
        match self.outcome(message) {
            Outcome::Accepted { by, .. } => by,
            Outcome::Refused { .. } | Outcome::Unanswered => &[],
        }
    }

    /// Ends a client's producer for a destination; the next message to it makes another.
    pub fn close_producer(&mut self, client: HostId, to: &str) {
        let to = destinations(to);
        let application = self.application(client);
        let producer = application.producers.get(&to).expect("something was sent there").id.number;
        let request = application.ask(Asked::CloseProducer(to));
        self.oracle.producer_closed(client, producer);
        self.command(client, Command::CloseProducer { request, connection: CONNECTION, producer });
    }

    /// Ends a client's connection with all that hangs on it, and attaches another.
    pub fn detach(&mut self, client: HostId) {
        for consumer in self.open_consumers(client) {
            self.closed(consumer);
        }
        let application = self.application(client);
        let producers: Vec<Destinations> = application.producers.keys().cloned().collect();
        let request = application.ask(Asked::Detach(producers));
        self.oracle.detached(client);
        self.command(client, Command::Detach { request, connection: CONNECTION });
        self.attach(client);
    }

    /// What must hold of every client's sends.
    pub(crate) fn check_clients(&self) {
        for (host, _) in self.applications.iter().filter(|(_, found)| found.is_client() && found.is_running()) {
            self.oracle.check_fan(self.world.now(), *host);
        }
    }

    /// F2: what clients hold is bounded.
    pub(super) fn check_memory(&self) {
        for (host, found) in self.applications.iter().filter(|(_, found)| found.is_client() && found.is_up) {
            let (stats, max) = (self.stats(*host), found.config.fanout.memory_max);
            assert!(stats.unsettled_bytes <= max, "{host}: {} bytes are not settled", stats.unsettled_bytes);
            assert!(stats.lagging_bytes <= max, "{host}: {} bytes wait for targets", stats.lagging_bytes);
        }
    }

    /// F2, F5, F8: with enough targets that take what they are sent, nothing has to wait for its deadline: neither what
    /// was sent when another target was there, nor what that one had not answered.
    pub(super) fn check_deadline(&self, at: Instant, process: Process, producer: u64, sequence: u64) {
        let Some(broker) = process.broker else { return };
        let id = MessageId { producer: ProducerId { broker, number: producer }, sequence };
        let is_able = |target: BrokerId| {
            let hosts = self.hosts().into_iter().filter(|host| self.is_running(*host));
            let found = hosts.into_iter().find(|host| self.id(*host) == target);
            found.is_some_and(|host| {
                let has_room = self.stats(host).broker.parked == 0 && Limit::message_max(self.config(host)) >= LARGE;
                has_room && self.oracle.serves(target, broker)
            })
        };
        self.oracle.check_deadline(at, process.host, id, ANSWERED_WITHIN, is_able);
    }

    /// F1: a broker has accepted at least as much as clients were told it has.
    pub(super) fn check_credit(&self, broker: BrokerId) {
        let credit = self.oracle.credit(broker);
        let nodes = self.hosts().into_iter().filter_map(|host| self.world.node(host));
        for node in nodes.filter(|node| node.id() == broker) {
            let accepted = node.stats().broker.accepted;
            assert!(accepted >= credit, "{broker} is said to have accepted {credit} messages, but it did {accepted}");
        }
    }
}

/// A client that fans out to all brokers of a group.
pub fn client(group: &str, fanout: FanoutConfig) -> Config {
    Config { group: group.into(), multicast: Some(MulticastConfig::default()), fanout, ..Config::client("c") }
}

/// How long until a message that nothing keeps back is answered.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_millis(1_500);

/// No message of a scenario is larger.
const LARGE: u32 = 16 * 1024;
