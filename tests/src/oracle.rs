//! Knows what was sent, who subscribed and what failed; is told everything that applications do and hear; panics as
//! soon as something happens that was promised not to, and says in the end what is still owed to whom.

mod advice;
mod copy;
mod dial;
mod drain;
mod durable;
mod fan;
mod host;
mod join;
mod room;
mod wish;

use std::collections::{BTreeMap, BTreeSet};

use flockmq_core::sim::HostId;
use flockmq_core::{
    Ack, AckExtent, AckKind, Address, Answer, Body, BrokerId, Config, ConsumerId, Delivery, Destination,
    DestinationKind, DestinationPolicy, Durable, Host as Place, Instant, Message, MessageId, ProducerId, Refusal, Role,
    Service, Subscription, Tag,
};

use advice::Advice;
use copy::{Copy, Fate, settle};
use dial::Dials;
use drain::Drains;
use durable::Durably;
use fan::Fan;
use host::is_fair;
use join::Joins;
use wish::{Lane, Wishes};

use crate::limit::Limit;
use crate::stage::text_of;
use crate::wish::{is_chosen, is_same};

/// One run of a host's program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    wishes: Wishes,
    drains: Drains,
    advice: BTreeMap<HostId, Advice>,
    /// Brokers whose connectors have taken the place of a bridge, and where they lead.
    led: BTreeSet<(BrokerId, BrokerId)>,
    /// At each host's present process.
    durables: BTreeMap<(HostId, Durable), Durably>,
}

/// What is known of a host's present process.
#[derive(Debug)]
struct Host {
    group: String,
    role: Role,
    joins: Joins,
    hops_max: u32,
    demand_hops_max: u32,
    checks_duplicates: bool,
    has_place: bool, // Where it listens is where the next process does.
    message_max: u32,
    policy: DestinationPolicy,
    dials: Dials,
    present: Option<BrokerId>,          // What it is now, if it is up and was heard of.
    clients: BTreeMap<BrokerId, usize>, // And by how many links.
    has_kept_clients: bool,             // No link to one was ever lost, by whatever process.
    accepted: u64,                      // Of what its own application sent.
    fan: Option<Fan>,                   // A client's.
    brokers: BTreeSet<BrokerId>,        // All it ever was.
    up: BTreeMap<BrokerId, Up>,
    parted: BTreeMap<BrokerId, Instant>, // When a link to a peer was lost last.
    paused_at: Instant,
    resumed_at: Instant,
    found: BTreeSet<Service>,
    announced: BTreeMap<Vec<u8>, Instant>, // When each advert went out last.
    wanted: Vec<Destination>,              // All its present process ever had consumers for.
    ever_wanted: BTreeSet<Destination>,    // And all others of it.
}

/// A peer that a link is up to.
#[derive(Clone, Copy, Debug)]
struct Up {
    since: Instant,
    earliest: Instant, // The other end may have seen it come up while this one stood still.
    is_ready: bool,
}

/// A message and what became of it.
#[derive(Debug)]
struct Sent {
    at: Instant,
    host: HostId,
    destination: Destination,
    body: Body,
    outcome: Outcome,
    /// True if a process that may have held it has crashed, or if it was purged.
    is_forgiven: bool,
    copies: Vec<Copy>,
    /// What there is to know of a client's message.
    fanned: Option<fan::Fanned>,
}

impl Sent {
    /// True if a queue's message was where nobody could take it any more, and came from there: others went another way.
    fn begins_anew(&self, message: &Message) -> bool {
        let Some(first) = message.path.brokers().first() else { return false };
        match &self.outcome {
            _ if message.destination.kind() == DestinationKind::Topic => false,
            _ if self.fanned.is_none() => *first != message.id.producer.broker,
            Outcome::Accepted { by, .. } => !by.contains(first),
            Outcome::Refused { .. } | Outcome::Unanswered => true, // It may be.
        }
    }
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

/// A consumer of the present process.
#[derive(Debug)]
struct Subscriber {
    at: Instant,
    process: Process,
    wanted: Subscription,
    number: u64, // Among all that ever were.
    is_open: bool,
    is_confirmed: bool,
    outstanding: BTreeMap<Tag, Piece>,
    progressed_at: Instant,
    tag: Tag,
    topics: BTreeSet<MessageId>,
    last: BTreeMap<Lane, u64>,
}

/// A message at a destination: the one that it was sent to, or another that it has come to.
type Piece = (MessageId, Destination);

/// What applications do.
impl Oracle {
    pub(crate) fn host_added(&mut self, host: HostId, config: &Config) {
        let known = Host {
            group: config.group.clone(),
            role: config.role,
            joins: Joins::new(config),
            hops_max: config.bridge.message_hops_max,
            demand_hops_max: config.bridge.demand_hops_max,
            checks_duplicates: match config.role {
                Role::Client => config.fanout.checks_duplicates,
                // What came before is known of destinations that are.
                Role::Broker | Role::Peer => {
                    config.broker.checks_duplicates && config.broker.policies.default.forgotten_after.is_none()
                }
            },
            has_place: config.role == Role::Peer && config.listen.as_ref().is_some_and(|listen| listen.port > 0),
            message_max: Limit::message_max(config),
            policy: config.broker.policies.default.clone(),
            dials: Dials::new(config),
            present: None,
            clients: BTreeMap::new(),
            has_kept_clients: true,
            accepted: 0,
            fan: Fan::new(config),
            brokers: BTreeSet::new(),
            up: BTreeMap::new(),
            parted: BTreeMap::new(),
            paused_at: Instant::ZERO,
            resumed_at: Instant::ZERO,
            found: BTreeSet::new(),
            announced: BTreeMap::new(),
            wanted: Vec::new(),
            ever_wanted: BTreeSet::new(),
        };
        self.hosts.insert(host, known);
    }

    pub(crate) fn sent(&mut self, at: Instant, host: HostId, id: MessageId, to: &Destination, body: &Body) {
        self.host(host).brokers.insert(id.producer.broker);
        let fanned = self.fan_sent(host, to);
        let is_client = fanned.is_some();
        let sent = Sent {
            at,
            host,
            destination: to.clone(),
            body: body.clone(),
            outcome: Outcome::Unanswered,
            is_forgiven: false,
            copies: Vec::new(),
            fanned,
        };
        assert!(self.sent.insert(id, sent).is_none(), "{id} was sent before");
        self.wish_sent(host, id);
        self.durable_sent(host, id);
        if !is_client {
            self.owe(host, id, to);
        }
    }

    /// It was sent to these too.
    pub(crate) fn sent_also(&mut self, host: HostId, id: MessageId, others: &[Destination]) {
        if !others.is_empty() {
            self.wish_sent_also(host, id, others);
            for other in others {
                self.owe(host, id, other);
            }
        }
    }

    /// A topic's message must come to whom it reaches for certain.
    fn owe(&mut self, host: HostId, id: MessageId, to: &Destination) {
        let body = &self.sent[&id].body;
        if to.kind() == DestinationKind::Topic && body.headers.time_to_live.is_none() {
            let is_meant = |found: &Subscriber| {
                let is_own = found.wanted.no_local && found.process.host == host;
                let is_wanted = found.wanted.destination.first().matches(to) && is_chosen(&found.wanted, id, to, body);
                is_wanted && !is_own
            };
            let owed = self.subscribers.iter().filter(|(_, found)| is_meant(found));
            let owed = owed
                .filter(|(_, found)| self.must_reach(host, id.producer.broker, found, to))
                .map(|(consumer, _)| (*consumer, id));
            let owed: Vec<_> = owed.collect();
            self.owed.extend(owed);
        }
    }

    pub(crate) fn subscribed(&mut self, at: Instant, process: Process, consumer: ConsumerId, wanted: &Subscription) {
        self.wishes.subscribers += 1;
        let found = Subscriber {
            at,
            process,
            wanted: wanted.clone(),
            number: self.wishes.subscribers,
            is_open: true,
            is_confirmed: false,
            outstanding: BTreeMap::new(),
            progressed_at: at,
            tag: 0,
            topics: BTreeSet::new(),
            last: BTreeMap::new(),
        };
        self.subscribers.insert(consumer, found);
        let host = self.host(process.host);
        host.brokers.extend(process.broker);
        if wanted.browses {
            return; // It takes nothing.
        }
        host.wanted.push(wanted.destination.first().clone());
        host.ever_wanted.insert(wanted.destination.first().clone());
        self.durable_subscribed(process, consumer, wanted);
        self.wish_subscribed(process, consumer, wanted);
    }

    /// A consumer's node has said that there is such a consumer.
    pub(crate) fn confirmed(&mut self, consumer: ConsumerId) {
        self.subscribers.get_mut(&consumer).expect("it was subscribed").is_confirmed = true;
    }

    pub(crate) fn unsubscribed(&mut self, _at: Instant, consumer: ConsumerId, seen: Tag) {
        let found = self.subscribers.get_mut(&consumer).expect("it was subscribed");
        found.is_open = false;
        let process = found.process;
        if found.wanted.browses {
            return;
        }
        self.left.insert((process.host, found.wanted.destination.first().clone()));
        let outstanding = std::mem::take(&mut found.outstanding).into_iter();
        let left: Vec<(Piece, bool)> = outstanding.map(|(tag, piece)| (piece, tag <= seen)).collect();
        self.durable_left(consumer, &left);
        for (piece, seen) in left {
            let after = self.deliveries;
            self.settle(process, consumer, &piece, Fate::Returned { seen, after });
        }
        self.owed.retain(|(other, _)| *other != consumer);
    }

    pub(crate) fn answered(&mut self, at: Instant, ack: Ack) {
        let found = self.subscribers.get_mut(&ack.consumer).expect("it was subscribed");
        if ack.kind == AckKind::Accepted {
            found.progressed_at = at;
        }
        let process = found.process;
        let settled: Vec<Piece> = match ack.extent {
            AckExtent::Individual => found.outstanding.remove(&ack.tag).into_iter().collect(),
            AckExtent::UpTo => {
                let rest = found.outstanding.split_off(&(ack.tag + 1));
                std::mem::replace(&mut found.outstanding, rest).into_values().collect()
            }
        };
        let fate = match ack.kind {
            AckKind::Accepted => Fate::Acknowledged,
            AckKind::Released => {
                self.left.insert((process.host, found.wanted.destination.first().clone()));
                if self.hosts[&process.host].role == Role::Client || found.wanted.durable.is_some() {
                    // It comes again, or another broker's copy of a topic's message may come yet, and is welcome.
                    found.topics.retain(|id| !settled.iter().any(|(other, _)| other == id));
                }
                Fate::Returned { seen: true, after: self.deliveries }
            }
            AckKind::Rejected => Fate::Rejected,
        };
        for piece in settled {
            self.wish_answered(process, ack, &piece);
            self.durable_answered(ack.consumer, ack.kind, piece.0);
            self.settle(process, ack.consumer, &piece, fate);
        }
    }

    pub(crate) fn crashed(&mut self, at: Instant, process: Process) {
        self.failed(at);
        let host = process.host;
        for (consumer, found) in self.subscribers.iter_mut().filter(|(_, found)| found.process.host == host) {
            found.is_open = false;
            for piece in std::mem::take(&mut found.outstanding).into_values() {
                settle(&mut self.sent, process, *consumer, &piece, Fate::Lost);
            }
        }
        self.wish_crashed(host);
        self.drains_crashed(process);
        self.advice.remove(&host);
        self.place_vacated(host);
        self.durables_ended(host, None);
        let (subscribers, sent) = (&self.subscribers, &self.sent);
        let is_client = self.hosts[&host].role == Role::Client;
        // What a client was told is accepted does not die with it.
        let dies = |id: &MessageId| !is_client && sent[id].host == host;
        self.owed.retain(|(consumer, id)| subscribers[consumer].process.host != host && !dies(id));
        let known = self.hosts.get_mut(&host).expect("a host of this world");
        known.up.clear();
        known.found.clear();
        known.announced.clear();
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
        let left = process.broker.and_then(|broker| self.left_by(broker));
        // It may have wanted what clients consume.
        let clients = self.hosts.values().filter(|known| known.role == Role::Client);
        wanted.extend(clients.flat_map(|known| known.wanted.iter().cloned()));
        let included = self.forwarded_to(host);
        let forwarded = |to: &Destination| included.iter().any(|included| included.matches(to));
        for sent in self.sent.values_mut().filter(|sent| sent.copies.is_empty()) {
            // A message goes where it is wanted, and from there no further if it may cross one bridge only.
            let may_be_there = wanted.iter().any(|wanted| wanted.matches(&sent.destination));
            let may_be_there = may_be_there || forwarded(&sent.destination);
            let is_there = sent.fanned.as_ref().is_some_and(|fanned| fanned.may_be_at(process.broker));
            let may_be_lost = left.as_ref().is_none_or(|left| left.contains(&sent.destination));
            sent.is_forgiven |= may_be_lost && (sent.host == host || hops_max > 1 || may_be_there || is_there);
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
        self.check_room(process.host, &why.refusal);
        let sent = self.sent.get_mut(&id).expect("what is refused was sent");
        assert_eq!(sent.outcome, Outcome::Unanswered, "{id} is refused after it was answered");
        let Refused { refusal, answers } = why;
        sent.outcome = Outcome::Refused { at, refusal, answers };
        self.owed.retain(|(_, owed)| *owed != id);
        self.wish_refused(id);
        self.durable_refused(id);
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
        assert!(is_same(&sent.body, &delivery.message.body), "{what} was altered: {:?}", delivery.message.body);
        let place = &delivery.message.destination;
        if sent.destination != *place {
            self.check_place(at, process, sent, delivery, &what);
        }
        match &sent.fanned {
            None => assert!(!matches!(sent.outcome, Outcome::Refused { .. }), "{what} was refused"),
            Some(fanned) => self.check_fanned(process, sent, fanned, delivery, &what),
        }
        self.check_groups(process.host, sent, &what);
        self.check_joins(process, delivery, &what);
        self.check_word(process, delivery, &what);
        let known = &self.hosts[&process.host];
        // To a client, the path ends with the target that had the message for it.
        let hops = delivery.message.path.len() - usize::from(known.role == Role::Client);
        assert!(hops <= known.hops_max as usize, "{what} has crossed {hops} bridges");
        let path = delivery.message.path.brokers();
        assert!(process.broker.is_none_or(|broker| !path.contains(&broker)), "{what} has come in a circle");

        if self.subscribers[&consumer].wanted.browses {
            return self.check_browsed(process, consumer, delivery, &what);
        }
        self.check_wishes(at, process, consumer, delivery, &what);
        self.check_durable(process, consumer, delivery, &what);
        let (sent, lane) = (&self.sent[&id], Lane::of(delivery));
        let subscriber = self.subscribers.get_mut(&consumer).expect("it was subscribed");
        assert_eq!(subscriber.process, process, "{what} is for a consumer of another process");
        assert!(subscriber.is_open, "{what} came after the consumer was closed");
        assert!(subscriber.wanted.destination.first().matches(place), "{what} was not subscribed to");
        assert_eq!(delivery.tag, subscriber.tag + 1, "{what}: tags count");
        subscriber.tag = delivery.tag;
        subscriber.outstanding.insert(delivery.tag, (id, place.clone()));
        // Where messages cross one bridge at most, there is one path only, but for those by fanouts.
        let roles = [sent.host, process.host].map(|host| self.hosts[&host].role);
        let is_one_path = self.hosts[&process.host].hops_max <= 1 && fan::is_one_path(roles, sent);
        let is_again = subscriber.topics.contains(&id);
        // What a topic remembers is handed out before what comes, and what is retained before that.
        let is_past = subscriber.wanted.retroactive && sent.at <= subscriber.at;
        let begins_anew = sent.begins_anew(&delivery.message);
        let keeps_order =
            is_one_path && delivery.redeliveries == 0 && !is_again && !is_past && !begins_anew && lane.keeps_order();
        if keeps_order && let Some(before) = subscriber.last.get(&lane) {
            // What was sent before the last failure may have gone back, and so may what a leaving consumer had.
            let has_returned = self.left.iter().any(|(_, pattern)| pattern.matches(place));
            let is_steady = !has_returned && self.failed_at.is_none_or(|failed_at| failed_at < sent.at);
            let is_topic = place.kind() == DestinationKind::Topic;
            let is_ordered = id.sequence > *before || !(is_steady || is_topic);
            assert!(is_ordered, "{what} came after number {before} of its producer");
        }
        if !is_past && !begins_anew {
            let last = subscriber.last.entry(lane).or_insert(0);
            *last = id.sequence.max(*last);
        }
        match place.kind() {
            DestinationKind::Queue => {
                self.drains_delivered(&(id, place.clone()));
                self.check_copies(at, process, consumer, delivery, &what);
            }
            DestinationKind::Topic => {
                let is_new = subscriber.topics.insert(id);
                assert!(is_new || !self.hosts[&process.host].checks_duplicates, "{what} came twice");
                self.owed.remove(&(consumer, id));
            }
        }
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
        let is_mortal = |sent: &Sent| sent.body.headers.time_to_live.is_some();
        let owed = queued.filter(|(_, sent)| is_accepted(sent) && !sent.is_forgiven && !is_mortal(sent));
        let owed = owed.filter(|(_, sent)| !self.may_have_ended(sent));
        owed.filter(|(_, sent)| sent.copies.is_empty()).map(|(id, _)| *id).collect()
    }

    /// Topic messages that did not reach a subscriber whom they had to reach.
    pub fn owed(&self) -> impl Iterator<Item = (ConsumerId, MessageId)> + '_ {
        self.owed.iter().copied()
    }

    /// Forgets what is owed by a host's subscribers and to them: it has dropped messages, and counted them.
    pub(crate) fn forgive_dropped(&mut self, host: HostId) {
        self.durables_forgiven(host);
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
        format!(
            "'{}' from {} to {} at {} ({id}, {:?})",
            sent.body.as_text().unwrap_or_default(),
            sent.host,
            sent.destination,
            sent.at,
            sent.outcome
        )
    }
}

impl Oracle {
    fn host(&mut self, host: HostId) -> &mut Host {
        self.hosts.get_mut(&host).expect("a host of this world")
    }
}

/// True if a service is at this host.
pub(crate) fn is_of(service: &Service, host: HostId) -> bool {
    service.0.parse().is_ok_and(|address: Address| address.host == Place::Ip(host.ip().into()))
}
