//! Knows what was sent, who subscribed and what failed; is told everything that applications do and hear; panics as
//! soon as something happens that was promised not to, and says in the end what is still owed to whom.

mod dial;
mod fan;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::{
    Ack, AckExtent, AckKind, Address, Answer, BrokerId, CloseReason, Config, ConsumerId, Delivery, Destination,
    DestinationKind, Event, Host as Place, Instant, MessageId, ProducerId, Refusal, Role, Service, Tag,
};

use dial::Dials;
use fan::Fan;

use crate::limit::Limit;
use crate::stage::text_of;

/// One run of a host's program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) host: HostId,
    pub(crate) incarnation: u32,
    pub(crate) broker: Option<BrokerId>,
}

/// What must hold, and all it takes to know whether it does.
#[derive(Debug, Default)]
pub struct Oracle {
    hosts: BTreeMap<HostId, Host>,
    sent: BTreeMap<MessageId, Sent>,
    subscribers: BTreeMap<ConsumerId, Subscriber>,
    /// Topic messages that somebody must still get.
    owed: BTreeSet<(ConsumerId, MessageId)>,
    failed_at: Option<Instant>,
    /// What consumers that were closed or gave something back had subscribed to, and where.
    left: BTreeSet<(HostId, Destination)>,
    /// True once somebody was there who belongs to nobody.
    has_strangers: bool,
    /// How many messages clients were told that a broker has accepted.
    credits: BTreeMap<BrokerId, u64>,
    deliveries: u64,
}

/// What is known of a host's present process.
#[derive(Debug)]
struct Host {
    group: String,
    role: Role,
    hops_max: u32,
    checks_duplicates: bool,
    message_max: u32,
    dials: Dials,
    present: Option<BrokerId>,          // What it is now, if it is up and was heard of.
    clients: BTreeMap<BrokerId, usize>, // And by how many links.
    has_kept_clients: bool,             // No link to one was ever lost, by whatever process.
    accepted: u64,                      // Of what its own application sent.
    fan: Option<Fan>,                   // A client's.
    brokers: BTreeSet<BrokerId>,        // All it ever was.
    up: BTreeMap<BrokerId, Up>,
    parted: BTreeMap<BrokerId, Instant>, // When a link to a peer was lost last.
    found: BTreeSet<Service>,
    wanted: Vec<Destination>, // All it ever had consumers for.
}

/// A peer that a link is up to.
#[derive(Clone, Copy, Debug)]
struct Up {
    since: Instant,
    is_ready: bool,
}

/// A message and what became of it.
#[derive(Debug)]
struct Sent {
    at: Instant,
    host: HostId,
    destination: Destination,
    text: String,
    outcome: Outcome,
    /// True if a process that may have held it has crashed.
    is_forgiven: bool,
    copies: Vec<Copy>,
    /// What there is to know of a client's message.
    fanned: Option<fan::Fanned>,
}

/// What the sender of a message was told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was accepted.
    Accepted {
        /// When the sender heard so.
        at: Instant,
        /// The brokers that accepted it, if the sender is a client.
        by: Vec<BrokerId>,
    },
    /// It was refused.
    Refused {
        /// When the sender heard so.
        at: Instant,
        /// Why.
        refusal: Refusal,
        /// What each broker said, if the sender is a client.
        answers: Vec<Answer>,
    },
    /// Nothing so far.
    Unanswered,
}

/// Why a message was refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) answers: Vec<Answer>,
}

/// One handing out of a queue's message.
#[derive(Debug)]
struct Copy {
    at: Instant,
    number: u64, // Among all deliveries.
    process: Process,
    consumer: ConsumerId,
    redeliveries: u32,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Acknowledged,
    /// Its process crashed.
    Lost,
    Outstanding,
    /// It went back, looked at or not.
    Returned {
        seen: bool,
        /// How many deliveries there had been by then.
        after: u64,
    },
}

/// A consumer of the present process.
#[derive(Debug)]
struct Subscriber {
    at: Instant,
    process: Process,
    destination: Destination,
    is_open: bool,
    outstanding: BTreeMap<Tag, MessageId>,
    tag: Tag,
    topics: BTreeSet<MessageId>,
    last: BTreeMap<ProducerId, (u64, Instant)>,
}

/// What applications do.
impl Oracle {
    pub(crate) fn host_added(&mut self, host: HostId, config: &Config) {
        let known = Host {
            group: config.group.clone(),
            role: config.role,
            hops_max: config.bridge.message_hops_max,
            checks_duplicates: match config.role {
                Role::Client => config.fanout.checks_duplicates,
                Role::Broker | Role::Peer => config.broker.checks_duplicates,
            },
            message_max: Limit::message_max(config),
            dials: Dials::new(config),
            present: None,
            clients: BTreeMap::new(),
            has_kept_clients: true,
            accepted: 0,
            fan: Fan::new(config),
            brokers: BTreeSet::new(),
            up: BTreeMap::new(),
            parted: BTreeMap::new(),
            found: BTreeSet::new(),
            wanted: Vec::new(),
        };
        self.hosts.insert(host, known);
    }

    pub(crate) fn sent(&mut self, at: Instant, host: HostId, id: MessageId, to: &Destination, text: &str) {
        self.host(host).brokers.insert(id.producer.broker);
        let fanned = self.fan_sent(host, to);
        let is_client = fanned.is_some();
        let sent = Sent {
            at,
            host,
            destination: to.clone(),
            text: text.to_owned(),
            outcome: Outcome::Unanswered,
            is_forgiven: false,
            copies: Vec::new(),
            fanned,
        };
        assert!(self.sent.insert(id, sent).is_none(), "{id} was sent before");
        if !is_client && to.kind() == DestinationKind::Topic {
            let owed = self.subscribers.iter().filter(|(_, found)| found.destination.matches(to));
            let owed = owed
                .filter(|(_, found)| self.must_reach(host, id.producer.broker, found))
                .map(|(consumer, _)| (*consumer, id));
            let owed: Vec<_> = owed.collect();
            self.owed.extend(owed);
        }
    }

    pub(crate) fn subscribed(&mut self, at: Instant, process: Process, consumer: ConsumerId, to: &Destination) {
        let found = Subscriber {
            at,
            process,
            destination: to.clone(),
            is_open: true,
            outstanding: BTreeMap::new(),
            tag: 0,
            topics: BTreeSet::new(),
            last: BTreeMap::new(),
        };
        self.subscribers.insert(consumer, found);
        let host = self.host(process.host);
        host.brokers.extend(process.broker);
        host.wanted.push(to.clone());
    }

    pub(crate) fn unsubscribed(&mut self, _at: Instant, consumer: ConsumerId, seen: Tag) {
        let found = self.subscribers.get_mut(&consumer).expect("it was subscribed");
        found.is_open = false;
        let process = found.process;
        self.left.insert((process.host, found.destination.clone()));
        for (tag, id) in std::mem::take(&mut found.outstanding) {
            let after = self.deliveries;
            self.settle(process, consumer, id, Fate::Returned { seen: tag <= seen, after });
        }
        self.owed.retain(|(other, _)| *other != consumer);
    }

    pub(crate) fn answered(&mut self, _at: Instant, ack: Ack) {
        let found = self.subscribers.get_mut(&ack.consumer).expect("it was subscribed");
        let process = found.process;
        let settled: Vec<MessageId> = match ack.extent {
            AckExtent::Individual => found.outstanding.remove(&ack.tag).into_iter().collect(),
            AckExtent::UpTo => {
                let rest = found.outstanding.split_off(&(ack.tag + 1));
                std::mem::replace(&mut found.outstanding, rest).into_values().collect()
            }
        };
        let fate = match ack.kind {
            AckKind::Accepted => Fate::Acknowledged,
            AckKind::Released => {
                self.left.insert((process.host, found.destination.clone()));
                if self.hosts[&process.host].role == Role::Client {
                    // Another broker's copy of a topic's message may come yet, and is welcome.
                    found.topics.retain(|id| !settled.contains(id));
                }
                Fate::Returned { seen: true, after: self.deliveries }
            }
        };
        for id in settled {
            self.settle(process, ack.consumer, id, fate);
        }
    }

    pub(crate) fn crashed(&mut self, at: Instant, process: Process) {
        self.failed(at);
        let host = process.host;
        for (consumer, found) in self.subscribers.iter_mut().filter(|(_, found)| found.process.host == host) {
            found.is_open = false;
            for id in std::mem::take(&mut found.outstanding).into_values() {
                let copies = self.sent.get_mut(&id).into_iter().flat_map(|sent| &mut sent.copies);
                let last = copies.rev().find(|copy| copy.process == process && copy.consumer == *consumer);
                if let Some(copy) = last {
                    copy.fate = Fate::Lost;
                }
            }
        }
        let (subscribers, sent) = (&self.subscribers, &self.sent);
        let is_client = self.hosts[&host].role == Role::Client;
        // What a client was told is accepted does not die with it.
        let dies = |id: &MessageId| !is_client && sent[id].host == host;
        self.owed.retain(|(consumer, id)| subscribers[consumer].process.host != host && !dies(id));
        let known = self.hosts.get_mut(&host).expect("a host of this world");
        known.up.clear();
        known.found.clear();
        known.clients.clear();
        known.has_kept_clients = false; // They go on counting where it was.
        known.accepted = 0;
        known.parted.clear();
        known.dials.crash();
        known.present = None;
        if let Some(fan) = &mut known.fan {
            fan.crash();
        }
        let mut wanted = if is_client { Vec::new() } else { std::mem::take(&mut known.wanted) };
        let hops_max = known.hops_max;
        if is_client {
            self.hosts.values_mut().for_each(|known| known.has_kept_clients = false); // They need not hear of it.
            for sent in self.sent.values_mut().filter(|sent| sent.host == host) {
                sent.is_forgiven |= sent.outcome == Outcome::Unanswered;
            }
            return; // It had nothing but what brokers will hand out again.
        }
        // It may have wanted what clients consume.
        let clients = self.hosts.values().filter(|known| known.role == Role::Client);
        wanted.extend(clients.flat_map(|known| known.wanted.iter().cloned()));
        for sent in self.sent.values_mut().filter(|sent| sent.copies.is_empty()) {
            // A message goes where it is wanted, and from there no further if it may cross one bridge only.
            let may_be_there = wanted.iter().any(|wanted| wanted.matches(&sent.destination));
            let is_there = sent.fanned.as_ref().is_some_and(|fanned| fanned.may_be_at(process.broker));
            sent.is_forgiven |= sent.host == host || hops_max > 1 || may_be_there || is_there;
        }
    }

    /// Somebody is there who may forge adverts.
    pub(crate) fn stranger_came(&mut self) {
        self.has_strangers = true;
    }

    /// Streams were torn down by the test.
    pub(crate) fn failed(&mut self, at: Instant) {
        self.failed_at = Some(at);
        self.forgive_indirect();
    }

    /// The deliveries of a consumer that are not answered.
    pub(crate) fn outstanding(&self, consumer: ConsumerId) -> Vec<Tag> {
        self.subscribers[&consumer].outstanding.keys().copied().collect()
    }
}

/// What applications hear.
impl Oracle {
    pub(crate) fn accepted(&mut self, at: Instant, process: Process, producer: u64, up_to: u64, by: &[BrokerId]) {
        let broker = process.broker.expect("who accepts is up");
        let first = MessageId { producer: ProducerId { broker, number: producer }, sequence: 1 };
        let last = MessageId { sequence: up_to, ..first };
        let mut accepted = Vec::new();
        for (id, sent) in self.sent.range_mut(first..=last).rev() {
            match sent.outcome {
                Outcome::Accepted { .. } => break,
                Outcome::Refused { .. } => (),
                Outcome::Unanswered => {
                    sent.outcome = Outcome::Accepted { at, by: by.to_vec() };
                    accepted.push(*id);
                }
            }
        }
        assert!(!accepted.is_empty(), "{} was told anew that {last} is accepted", process.host);
        self.host(process.host).accepted += accepted.len() as u64;
        self.fan_accepted(at, process.host, &accepted, by);
    }

    pub(crate) fn refused(&mut self, at: Instant, process: Process, producer: u64, sequence: u64, why: Refused) {
        let broker = process.broker.expect("who refuses is up");
        let id = MessageId { producer: ProducerId { broker, number: producer }, sequence };
        let sent = self.sent.get_mut(&id).expect("what is refused was sent");
        assert_eq!(sent.outcome, Outcome::Unanswered, "{id} is refused after it was answered");
        let Refused { refusal, answers } = why;
        sent.outcome = Outcome::Refused { at, refusal, answers };
        self.owed.retain(|(_, owed)| *owed != id);
        self.fan_refused(at, process.host, id);
    }

    /// What a message's sender was told of it.
    pub(crate) fn outcome(&self, message: MessageId) -> &Outcome {
        &self.sent.get(&message).expect("it was sent").outcome
    }

    pub(crate) fn delivered(&mut self, at: Instant, process: Process, consumer: ConsumerId, delivery: &Delivery) {
        self.deliveries += 1;
        let id = delivery.message.id;
        let what = format!("'{}' ({id}, given to consumer {consumer} of {})", text_of(delivery), process.host);
        let sent = self.sent.get(&id).unwrap_or_else(|| panic!("{what} was invented"));
        assert_eq!(sent.text, text_of(delivery), "{what} was altered");
        assert_eq!(sent.destination, delivery.message.destination, "{what} was sent elsewhere");
        match &sent.fanned {
            None => assert!(!matches!(sent.outcome, Outcome::Refused { .. }), "{what} was refused"),
            Some(fanned) => self.check_fanned(process, sent, fanned, delivery, &what),
        }
        self.check_groups(process.host, sent, &what);
        let known = &self.hosts[&process.host];
        // To a client, the path ends with the target that had the message for it.
        let hops = delivery.message.path.len() - usize::from(known.role == Role::Client);
        assert!(hops <= known.hops_max as usize, "{what} has crossed {hops} bridges");
        let path = delivery.message.path.brokers();
        assert!(process.broker.is_none_or(|broker| !path.contains(&broker)), "{what} has come in a circle");

        let subscriber = self.subscribers.get_mut(&consumer).expect("it was subscribed");
        assert_eq!(subscriber.process, process, "{what} is for a consumer of another process");
        assert!(subscriber.is_open, "{what} came after the consumer was closed");
        assert!(subscriber.destination.matches(&sent.destination), "{what} was not subscribed to");
        assert_eq!(delivery.tag, subscriber.tag + 1, "{what}: tags count");
        subscriber.tag = delivery.tag;
        subscriber.outstanding.insert(delivery.tag, id);
        // Where messages cross one bridge at most, there is one path only, but for those by fanouts.
        let roles = [sent.host, process.host].map(|host| self.hosts[&host].role);
        let is_one_path = self.hosts[&process.host].hops_max <= 1 && fan::is_one_path(roles, sent);
        let is_again = subscriber.topics.contains(&id);
        let keeps_order = is_one_path && delivery.redeliveries == 0 && !is_again;
        if keeps_order && let Some((before, _)) = subscriber.last.get(&id.producer) {
            // What was sent before the last failure may have gone back, and so may what a leaving consumer had.
            let has_returned = self.left.iter().any(|(_, pattern)| pattern.matches(&sent.destination));
            let is_steady = !has_returned && self.failed_at.is_none_or(|failed_at| failed_at < sent.at);
            let is_topic = sent.destination.kind() == DestinationKind::Topic;
            let is_ordered = id.sequence > *before || !(is_steady || is_topic);
            assert!(is_ordered, "{what} came after number {before} of its producer");
        }
        let last = subscriber.last.entry(id.producer).or_insert((0, at));
        *last = (last.0.max(id.sequence), at);
        match sent.destination.kind() {
            DestinationKind::Queue => self.check_copies(at, process, consumer, delivery, &what),
            DestinationKind::Topic => {
                let is_new = subscriber.topics.insert(id);
                assert!(is_new || !self.hosts[&process.host].checks_duplicates, "{what} came twice");
                self.owed.remove(&(consumer, id));
            }
        }
    }

    pub(crate) fn noticed(&mut self, at: Instant, process: Process, event: &Event) {
        let host = process.host;
        let is_ours = matches!(event, Event::PeerLost { broker, .. } if self.is_ours(*broker));
        let known = self.hosts.get_mut(&host).expect("a host of this world");
        known.brokers.extend(process.broker);
        known.present = process.broker;
        match event {
            Event::PeerLost { broker, reason, .. } => {
                assert!(is_fair(reason) || !is_ours, "{host} and {broker}, of ours both, part because {reason}");
                let up = known.up.remove(broker).unwrap_or_else(|| panic!("{host} lost {broker}, which was not up"));
                known.parted.insert(*broker, at);
                known.dials.lost(at, up.since);
                if *reason == CloseReason::Replaced {
                    self.check_replaced(process, *broker, up);
                }
                self.failed(at);
                self.forgive_between(host, *broker);
            }
            Event::PeerReady { broker, .. } => {
                let ready = known.up.get_mut(broker);
                let ready = ready.unwrap_or_else(|| panic!("{host} is ready for {broker}, which is not up"));
                assert!(!std::mem::replace(&mut ready.is_ready, true), "{host} is ready for {broker} twice");
            }
            Event::PeerUp { broker, .. } => {
                assert!(!known.up.contains_key(broker), "{host} has {broker} up twice");
                assert_ne!(process.broker, Some(*broker), "{host} is its own peer");
                known.up.insert(*broker, Up { since: at, is_ready: false });
            }
            Event::ClientLost { client, reason, .. } => {
                let links = known.clients.get_mut(client).filter(|links| **links > 0);
                *links.unwrap_or_else(|| panic!("{host} lost client {client}, which was not up")) -= 1;
                known.has_kept_clients = false;
                let is_ours = self.is_ours(*client);
                assert!(is_fair(reason) || !is_ours, "{host} and {client}, of ours both, part because {reason}");
                self.failed(at);
            }
            Event::ClientUp { client, .. } => *known.clients.entry(*client).or_default() += 1,
            Event::TargetFound { .. }
            | Event::TargetGivenUp { .. }
            | Event::TargetLost { .. }
            | Event::Targets { .. }
            | Event::TargetUp { .. } => self.fan_noticed(at, host, event),
            Event::ServiceFound { service } => {
                assert!(known.found.insert(service.clone()), "{host} found {service} twice");
            }
            Event::ServiceLost { service } => {
                assert!(known.found.remove(service), "{host} lost {service}, which it had not found");
                known.dials.forget(service);
            }
            _ => (),
        }
    }
}

/// What is known of hosts.
impl Oracle {
    /// A host dials.
    pub(crate) fn dialled(&mut self, at: Instant, host: HostId, address: Address) {
        if let Some(known) = self.hosts.get_mut(&host) {
            known.dials.dialled(at, host, address);
        }
    }

    /// True if a host has found a service of another host, and not lost it.
    pub(crate) fn has_found(&self, host: HostId, other: HostId) -> bool {
        self.hosts[&host].found.iter().any(|service| is_of(service, other))
    }

    /// True if a broker has a link to this client, and knows it for one.
    pub(crate) fn serves(&self, broker: BrokerId, client: BrokerId) -> bool {
        let found = self.hosts.values().find(|known| known.present == Some(broker));
        found.is_some_and(|known| known.clients.get(&client).is_some_and(|links| *links > 0))
    }

    /// True if somebody may have forged adverts.
    pub(crate) fn has_strangers(&self) -> bool {
        self.has_strangers
    }

    /// True if a host has lost no link to a client so far, and all clients live.
    pub(crate) fn has_kept_clients(&self, host: HostId) -> bool {
        self.hosts[&host].has_kept_clients
    }

    /// How many messages of its own application a broker has accepted.
    pub(crate) fn accepted_by(&self, broker: BrokerId) -> u64 {
        self.hosts.values().filter(|known| known.present == Some(broker)).map(|known| known.accepted).sum()
    }
}

/// What is owed in the end.
impl Oracle {
    /// How many messages were handed out.
    pub fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// How many messages were sent.
    pub fn sends(&self) -> usize {
        self.sent.len()
    }

    /// Queue messages that were accepted, can't have been lost with a process, and were given to nobody so far.
    pub fn undelivered(&self) -> Vec<MessageId> {
        let queued = self.sent.iter().filter(|(_, sent)| sent.destination.kind() == DestinationKind::Queue);
        let is_accepted = |sent: &Sent| matches!(sent.outcome, Outcome::Accepted { .. });
        let owed = queued.filter(|(_, sent)| is_accepted(sent) && !sent.is_forgiven);
        owed.filter(|(_, sent)| sent.copies.is_empty()).map(|(id, _)| *id).collect()
    }

    /// Topic messages that did not reach a subscriber whom they had to reach.
    pub fn owed(&self) -> impl Iterator<Item = (ConsumerId, MessageId)> + '_ {
        self.owed.iter().copied()
    }

    /// Forgets what is owed by a host's subscribers and to them: it has dropped messages, and counted them.
    pub(crate) fn forgive_dropped(&mut self, host: HostId) {
        let (subscribers, sent) = (&self.subscribers, &self.sent);
        self.owed.retain(|(consumer, id)| {
            subscribers[consumer].process.host != host
                && sent[id].host != host
                && fan::is_direct(&sent[id], &subscribers[consumer])
        });
    }

    /// A message in words.
    pub fn describe(&self, id: MessageId) -> String {
        let sent = &self.sent[&id];
        format!("'{}' from {} to {} at {} ({id}, {:?})", sent.text, sent.host, sent.destination, sent.at, sent.outcome)
    }
}

impl Oracle {
    fn host(&mut self, host: HostId) -> &mut Host {
        self.hosts.get_mut(&host).expect("a host of this world")
    }

    /// True if a topic's message that `broker`, on `host`, sends now must reach a subscriber: one of its own, or one of a
    /// peer for which it is ready, and who had it already when it began to tell its demand.
    fn must_reach(&self, host: HostId, broker: BrokerId, subscriber: &Subscriber) -> bool {
        if !subscriber.is_open || self.hosts[&subscriber.process.host].role == Role::Client {
            return false;
        }
        let Process { host: other, broker: other_broker, .. } = subscriber.process;
        let there = other_broker.and_then(|broker| self.hosts[&host].up.get(&broker));
        let back = self.hosts[&other].up.get(&broker);
        let is_told = back.is_some_and(|back| subscriber.at <= back.since);
        other == host || (is_told && there.is_some_and(|there| there.is_ready))
    }

    /// True for a broker that is a node of ours, and no puppet.
    fn is_ours(&self, broker: BrokerId) -> bool {
        self.group_of(broker).is_some()
    }

    /// The group of a broker that is a node of ours.
    fn group_of(&self, broker: BrokerId) -> Option<&str> {
        let found = self.hosts.values().find(|known| known.brokers.contains(&broker));
        found.map(|known| known.group.as_str())
    }

    /// V5: a message stays in its group. What a client sends is in those of whom it was sent to, and what it is given in
    /// those of whom it has met.
    fn check_groups(&self, host: HostId, sent: &Sent, what: &str) {
        let [sender, receiver] = [sent.host, host].map(|host| &self.hosts[&host]);
        if sender.group == receiver.group {
            return;
        }
        let to = sent.fanned.iter().flat_map(fan::Fanned::targets);
        let from = receiver.fan.iter().flat_map(Fan::met);
        let to: Vec<&str> = to.filter_map(|broker| self.group_of(broker)).chain([sender.group.as_str()]).collect();
        let mut from = from.filter_map(|broker| self.group_of(broker)).chain([receiver.group.as_str()]);
        assert!(from.any(|group| to.contains(&group)), "V5: {what} has crossed into another group");
    }

    fn forgive_between(&mut self, host: HostId, broker: BrokerId) {
        let (hosts, subscribers, sent) = (&self.hosts, &self.subscribers, &self.sent);
        let other = hosts.iter().find(|(_, known)| known.brokers.contains(&broker)).map(|(host, _)| *host);
        self.owed.retain(|(consumer, id)| {
            let (from, to) = (sent[id].host, subscribers[consumer].process.host);
            let is_between = |a, b| a == host && other.is_none_or(|other| other == b);
            from == to || !(is_between(from, to) || is_between(to, from))
        });
    }

    /// B4: a link gives way to another only if the other end had lost it, so a working one never does.
    fn check_replaced(&self, process: Process, broker: BrokerId, up: Up) {
        let Some((local, other)) = process.broker.zip(self.hosts.values().find(|known| known.present == Some(broker)))
        else {
            return;
        };
        let is_up = other.up.contains_key(&local);
        let has_parted = other.parted.get(&local).is_some_and(|parted| *parted + HANDSHAKE >= up.since);
        assert!(has_parted || !is_up, "B4: {} replaces its link to {broker}, which works", process.host);
    }

    fn settle(&mut self, process: Process, consumer: ConsumerId, id: MessageId, fate: Fate) {
        let copies = self.sent.get_mut(&id).into_iter().flat_map(|sent| &mut sent.copies);
        if let Some(copy) = copies.rev().find(|copy| copy.process == process && copy.consumer == consumer) {
            copy.fate = fate;
        }
    }

    /// A queue's message is handed out again only where it went back, or where a failure left it in doubt; and then
    /// it says so.
    fn check_copies(&mut self, at: Instant, process: Process, consumer: ConsumerId, delivery: &Delivery, what: &str) {
        let failed_at = self.failed_at;
        let checks_duplicates = self.hosts[&process.host].checks_duplicates;
        let sent = self.sent.get_mut(&delivery.message.id).expect("just looked up");
        let is_replicated = sent.fanned.as_ref().is_some_and(|fanned| fanned.is_replicated);
        for copy in &sent.copies {
            if is_replicated && (copy.process != process || !checks_duplicates) {
                continue; // Another broker's.
            }
            let before = format!("consumer {} of {} had it at {}", copy.consumer, copy.process.host, copy.at);
            let has_failed = failed_at.is_some_and(|failed_at| failed_at >= sent.at);
            let is_marked = copy.redeliveries > 0 || delivery.redeliveries > 0;
            if let Fate::Returned { seen, .. } = copy.fate {
                // The same copy, come back; or, after a failure, the other one.
                let may_be_other = has_failed && copy.process != process && is_marked;
                assert!(
                    !seen || is_replicated || delivery.redeliveries > 0 || may_be_other,
                    "{what} came unmarked after {before}"
                );
                continue;
            }
            let may_be_same = !checks_duplicates && has_failed;
            assert!(may_be_same || copy.process != process, "{what} came twice: {before}, {:?}", copy.fate);
            assert!(has_failed, "{what} came twice though nothing failed: {before}");
            assert!(is_marked, "{what} came twice and is not marked: {before}");
        }
        let (number, fate) = (self.deliveries, Fate::Outstanding);
        sent.copies.push(Copy { at, number, process, consumer, redeliveries: delivery.redeliveries, fate });
        self.check_return(delivery, process, what);
    }

    /// Q6: where nothing failed, a message that went back is counted as often as it was seen; and where it was its own
    /// broker's all the time, it went back to its old place.
    fn check_return(&self, delivery: &Delivery, process: Process, what: &str) {
        let (id, sent) = (delivery.message.id, &self.sent[&delivery.message.id]);
        let has_failed = self.failed_at.is_some_and(|failed_at| failed_at >= sent.at);
        let has_clients = self.hosts.values().any(|known| known.role == Role::Client);
        if has_failed || has_clients {
            return;
        }
        let seen = sent.copies.iter().filter(|copy| matches!(copy.fate, Fate::Returned { seen: true, .. })).count();
        assert_eq!(delivery.redeliveries as usize, seen, "{what} was handed out and seen {seen} times before");
        let Some([.., before, _]) = sent.copies.get(..) else { return };
        let Fate::Returned { after, .. } = before.fate else { return };
        let is_elsewhere = |(host, to): &(HostId, Destination)| *host != process.host && to.matches(&sent.destination);
        let may_have_gone = self.left.iter().any(is_elsewhere);
        if before.process != process || process.broker != Some(id.producer.broker) || may_have_gone {
            return;
        }
        let last = MessageId { sequence: u64::MAX, ..id };
        for (later, found) in self.sent.range(id..=last).skip(1) {
            let first = found.copies.first().filter(|first| first.process == process && first.number > after);
            assert!(
                first.is_none(),
                "{what} has come back to its queue before {later} was handed out, and comes after"
            );
        }
    }
}

/// By how much one end of a link may see it come up later than the other.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// True if a service is at this host.
pub(crate) fn is_of(service: &Service, host: HostId) -> bool {
    service.0.parse().is_ok_and(|address: Address| address.host == Place::Ip(host.ip().into()))
}

/// Whether two nodes that keep to the protocol may part for this reason.
fn is_fair(reason: &CloseReason) -> bool {
    match reason {
        CloseReason::FrameTooLong { .. }
        | CloseReason::GroupMismatch { .. }
        | CloseReason::Malformed(_)
        | CloseReason::OpenWire
        | CloseReason::VersionMismatch { .. } => false,
        CloseReason::Refused(why) => {
            // What the other end says of its own reason.
            let fair = [CloseReason::HandshakeTimeout, CloseReason::Silent, CloseReason::Unwanted];
            fair.iter().any(|fair| fair.to_string() == *why)
        }
        _ => true,
    }
}
