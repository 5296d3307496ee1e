//! Clients: what was promised to those who fan out, and of what they fan out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::{
    Address, BrokerId, Config, ConsumerId, Delivery, Destination, DestinationKind, Event, FanoutConfig, Instant,
    MessageId, Refusal, Role,
};

use super::{Oracle, Outcome, Process, Sent, Subscriber, is_fair};

/// What is known of a client's fanout, in its present process.
#[derive(Debug)]
pub(super) struct Fan {
    config: FanoutConfig,
    listed: usize,                                   // Addresses there can be.
    targets: BTreeMap<BrokerId, (Address, Instant)>, // That are up, and since when.
    met: BTreeMap<BrokerId, Instant>,                // When each was first up.
    given_up: BTreeMap<Address, u32>,                // How often that was told since it was up.
    told: Option<(u32, u32)>,
    primary: Option<BrokerId>,
    lost: Option<(BrokerId, Instant)>,
    ups: usize,
    closed: BTreeSet<u64>, // Producers.
    is_stopping: bool,
}

/// What is known of a client's message.
#[derive(Debug)]
pub(super) struct Fanned {
    /// True if every broker gets it.
    pub(super) is_replicated: bool,
    /// True if enough targets were up at some time since it was sent.
    is_released: bool,
    /// Whom it must reach, if this broker accepts it.
    audience: Vec<(BrokerId, ConsumerId)>,
    /// The targets that were up at some time since it was sent.
    sent_to: BTreeSet<BrokerId>,
}

impl Fan {
    pub(super) fn new(config: &Config) -> Option<Self> {
        let fan = Self {
            config: FanoutConfig { acks_min: config.fanout.acks_min.max(1), ..config.fanout.clone() },
            listed: if config.multicast.is_some() { usize::MAX } else { config.peers.len() },
            targets: BTreeMap::new(),
            met: BTreeMap::new(),
            given_up: BTreeMap::new(),
            told: None,
            primary: None,
            lost: None,
            ups: 0,
            closed: BTreeSet::new(),
            is_stopping: false,
        };
        (config.role == Role::Client).then_some(fan)
    }

    /// Its process is gone; the next one knows nothing.
    pub(super) fn crash(&mut self) {
        let client = Config { fanout: self.config.clone(), ..Config::client("") };
        *self = Self { listed: self.listed, ..Self::new(&client).expect("a client's") };
    }

    /// All that ever were its targets.
    pub(super) fn met(&self) -> impl Iterator<Item = BrokerId> {
        self.met.keys().copied()
    }

    fn is_ready(&self) -> bool {
        self.targets.len() >= self.config.acks_min as usize
    }

    /// How many brokers must accept a message.
    fn needed(&self, is_replicated: bool) -> usize {
        if is_replicated { self.config.acks_min as usize } else { 1 }
    }
}

impl Fanned {
    /// True if this broker may hold it.
    pub(super) fn may_be_at(&self, broker: Option<BrokerId>) -> bool {
        broker.is_some_and(|broker| self.sent_to.contains(&broker))
    }

    /// Who may have had it from the client.
    pub(super) fn targets(&self) -> impl Iterator<Item = BrokerId> {
        self.sent_to.iter().copied()
    }
}

/// What applications do.
impl Oracle {
    /// What there is to know of a message if `host` is a client.
    pub(super) fn fan_sent(&self, host: HostId, to: &Destination) -> Option<Fanned> {
        let fan = self.hosts[&host].fan.as_ref()?;
        let is_topic = to.kind() == DestinationKind::Topic;
        Some(Fanned {
            is_replicated: is_topic || to.is_temporary() || fan.config.replicates_queues,
            is_released: fan.is_ready(),
            audience: if is_topic { self.audience(to) } else { Vec::new() },
            sent_to: fan.targets.keys().copied().collect(),
        })
    }

    /// T1: whom a message must reach that a broker gets now: that broker's subscribers, and those of its peers.
    fn audience(&self, to: &Destination) -> Vec<(BrokerId, ConsumerId)> {
        let mut audience = Vec::new();
        for (consumer, found) in
            self.subscribers.iter().filter(|(_, found)| found.wanted.destination.first().matches(to))
        {
            let Process { host, broker: Some(broker), .. } = found.process else { continue };
            if !found.is_open || self.hosts[&host].role == Role::Client {
                continue;
            }
            audience.push((broker, *consumer));
            for peer in self.hosts[&host].up.keys() {
                let at = self.hosts.iter().find(|(_, known)| known.brokers.contains(peer)).map(|(host, _)| *host);
                if at.is_some_and(|at| self.must_reach(at, *peer, found, to)) {
                    audience.push((*peer, *consumer));
                }
            }
        }
        audience
    }

    pub(crate) fn producer_closed(&mut self, host: HostId, producer: u64) {
        self.fan(host).closed.insert(producer);
    }

    pub(crate) fn detached(&mut self, host: HostId) {
        let producers: Vec<u64> = self.unanswered(host).map(|(id, _)| id.producer.number).collect();
        self.fan(host).closed.extend(producers);
    }

    pub(crate) fn stopping(&mut self, process: Process) {
        self.durables_ended(process.host, None);
        if let Some(fan) = &mut self.host(process.host).fan {
            fan.is_stopping = true;
        }
    }

    /// F3: after the end, nothing is without an outcome.
    pub(crate) fn stopped(&mut self, process: Process) {
        if self.hosts[&process.host].fan.is_some() {
            let left = self.unanswered(process.host).map(|(id, _)| self.describe(id));
            let left: Vec<String> = left.collect();
            assert!(left.is_empty(), "{} has stopped, and nothing is known of:\n{}", process.host, left.join("\n"));
        }
    }
}

/// What applications hear.
impl Oracle {
    /// F1: a client is told that its messages are accepted only when enough brokers have accepted them.
    pub(super) fn fan_accepted(&mut self, at: Instant, host: HostId, messages: &[MessageId], by: &[BrokerId]) {
        let present: BTreeSet<BrokerId> = self.hosts.values().filter_map(|known| known.present).collect();
        let rooms = self.hosts.values().filter_map(|known| Some((known.present?, known.message_max)));
        let rooms: BTreeMap<BrokerId, u32> = rooms.collect();
        let known = self.hosts.get_mut(&host).expect("a host of this world");
        let resumed_at = known.resumed_at;
        let Some(fan) = &mut known.fan else {
            assert!(by.is_empty(), "{host} is no client, and {by:?} have accepted what it sent");
            return;
        };
        let distinct: BTreeSet<BrokerId> = by.iter().copied().collect();
        assert_eq!(distinct.len(), by.len(), "a broker counts twice of {by:?}, at {host}");
        for broker in by {
            assert!(fan.met.contains_key(broker), "{broker} was never a target of {host}, but accepts its messages");
            *self.credits.entry(*broker).or_default() += messages.len() as u64;
        }
        let mut owed = Vec::new();
        for id in messages {
            let sent = self.sent.get_mut(id).expect("it was sent");
            let fanned = sent.fanned.as_ref().expect("a client's message");
            let (what, needed) = (format!("{id} of {host}"), fan.needed(fanned.is_replicated));
            assert!(by.len() >= needed, "{what} is accepted by {by:?}; {needed} are needed");
            assert!(fanned.is_released, "{what} is accepted, though never {needed} targets were up");
            let until = sent.at + fan.config.send_timeout;
            assert!(at <= until.max(resumed_at) + SLACK, "{what}, sent at {}, is accepted too late", sent.at);
            if !fanned.is_replicated {
                // F5, F8: one target takes all queues' messages for as long as it is up.
                let just_lost = fan.lost.filter(|(_, lost_at)| *lost_at == at).map(|(broker, _)| broker);
                if just_lost != Some(by[0]) {
                    let primary = *fan.primary.get_or_insert(by[0]);
                    assert_eq!(by, [primary], "{what} went to another target than those before it");
                }
            }
            for (broker, max) in by.iter().filter_map(|broker| Some((broker, *rooms.get(broker)?))) {
                assert!(sent.body.data.len() <= max as usize, "F4: {what} is larger than what {broker} accepts");
            }
            // The broker may be gone by the time its word is heard.
            sent.is_forgiven |= !by.iter().any(|broker| present.contains(broker));
            let may_be_indirect = self.failed_at.is_none_or(|failed_at| failed_at < sent.at);
            for (broker, consumer) in &fanned.audience {
                let subscriber = &self.subscribers[consumer];
                let is_direct = subscriber.process.broker == Some(*broker);
                let is_missing = subscriber.is_open && !subscriber.topics.contains(id);
                if by.contains(broker) && is_missing && (is_direct || may_be_indirect) {
                    owed.push((*consumer, *id));
                }
            }
        }
        self.owed.extend(owed);
    }

    /// F4: a refusal says what is the case.
    pub(super) fn fan_refused(&mut self, at: Instant, host: HostId, id: MessageId) {
        let sent = &self.sent[&id];
        let (Some(fan), Some(fanned)) = (&self.hosts[&host].fan, &sent.fanned) else {
            return;
        };
        let Outcome::Refused { refusal, answers, .. } = &sent.outcome else {
            return;
        };
        let what = format!("{id} of {host}, sent at {}", sent.at);
        let brokers: BTreeSet<BrokerId> = answers.iter().map(|answer| answer.broker).collect();
        assert_eq!(brokers.len(), answers.len(), "{what}: one broker has answered twice: {answers:?}");
        let needed = fan.needed(fanned.is_replicated);
        let yes = answers.iter().filter(|answer| answer.result.is_ok()).count();
        assert!(yes < needed, "{what} is refused, {refusal}, though {needed} brokers accepted it: {answers:?}");
        let said = |accepted: u32, told: u32| (accepted as usize, told as usize) == (yes, needed);
        match refusal {
            Refusal::Closed { .. } => {
                assert!(fan.closed.contains(&id.producer.number), "{what} is refused, but nothing was closed");
            }
            Refusal::MemoryFull { max } => assert_eq!(*max, fan.config.memory_max, "{what}"),
            Refusal::NotEnough { accepted, needed } => {
                // Nobody else can be found to be enough: somebody refused, was given up, or there never were as many.
                let acks_min = fan.config.acks_min as usize;
                let is_short = fan.listed < acks_min || fan.met.len() < acks_min || !fan.given_up.is_empty();
                assert!(is_short || answers.iter().any(|answer| answer.result.is_err()), "{what}: {refusal}");
                assert!(said(*accepted, *needed), "{what}: {refusal}, {answers:?}");
            }
            Refusal::Stopping => assert!(fan.is_stopping, "{what} is refused, but nothing stops"),
            Refusal::TimedOut { accepted, needed, after } => {
                assert!(said(*accepted, *needed), "{what}: {refusal}, {answers:?}");
                assert_eq!(*after, fan.config.send_timeout);
                assert!(at + SLACK >= sent.at + *after, "{what} has timed out at {at}");
            }
            Refusal::TooLarge { size, max } => {
                assert_eq!(*max, u64::from(self.hosts[&host].message_max), "{what}");
                assert!(*size >= sent.body.data.len() as u64 && size > max && answers.is_empty(), "{what}: {refusal}");
            }
            Refusal::WindowFull { .. } => assert!(answers.is_empty(), "{what}: {answers:?}"),
            other => panic!("{what} is refused: {other}"),
        }
    }

    /// F2, F5: what is handed out of a client's messages.
    pub(super) fn check_fanned(&self, process: Process, sent: &Sent, fanned: &Fanned, given: &Delivery, what: &str) {
        assert!(fanned.is_released, "{what} was sent though never enough targets were up");
        if let Outcome::Refused {
            refusal: Refusal::MemoryFull { .. } | Refusal::TooLarge { .. } | Refusal::WindowFull { .. },
            ..
        } = sent.outcome
        {
            panic!("{what} was refused at once");
        }
        // One that stands alone can have it from the client only.
        let known = &self.hosts[&process.host];
        if known.role != Role::Broker {
            return;
        }
        let broker = process.broker.expect("who hands out is up");
        assert!(given.message.path.is_empty(), "{what} has come by {:?}", given.message.path);
        assert!(fanned.may_be_at(Some(broker)), "{what} is history to {broker}, which was no target before it ended");
        if let (false, Outcome::Accepted { by, .. }) = (fanned.is_replicated, &sent.outcome) {
            let has_failed = self.failed_at.is_some_and(|failed_at| failed_at >= sent.at);
            assert!(by.contains(&broker) || has_failed, "{what} was accepted by {by:?}");
        }
    }

    pub(super) fn fan_noticed(&mut self, at: Instant, host: HostId, event: &Event) {
        let is_ours = matches!(event, Event::TargetLost { broker, .. } if self.is_ours(*broker));
        let is_foreign = matches!(event, Event::TargetUp { broker, .. } if self.is_foreign(host, *broker));
        let known = self.host(host);
        let fan = known.fan.as_mut().expect("a client");
        match event {
            Event::TargetFound { address } => {
                // It was lost, and is dialled anew.
                fan.given_up.entry(address.clone()).and_modify(|count| *count = 0);
            }
            Event::TargetGivenUp { address, .. } => {
                let count = fan.given_up.entry(address.clone()).or_default();
                *count += 1;
                assert_eq!(*count, 1, "R4: {host} was told twice that {address} is given up");
            }
            Event::TargetLost { broker, address, reason, .. } => {
                let found = fan.targets.remove(broker);
                let (found, since) = found.unwrap_or_else(|| panic!("{host} lost {broker}, which was not up"));
                assert_eq!(found, *address, "{host} lost {broker}, which was up elsewhere");
                known.dials.lost(at, since);
                fan.lost = Some((*broker, at));
                fan.primary.take_if(|primary| primary == broker);
                assert!(is_fair(reason) || !is_ours, "{host} and {broker}, of ours both, part because {reason}");
                if let Some(target) = self.hosts.values_mut().find(|known| known.present == Some(*broker)) {
                    target.has_kept_clients = false;
                }
                self.failed(at);
            }
            Event::Targets { up, needed } => {
                assert_eq!(*needed, fan.config.acks_min, "targets that {host} needs");
                fan.told = Some((*up, *needed));
            }
            Event::TargetUp { broker, address, .. } => {
                assert!(!is_foreign, "V5: {host} has the target {broker}, which is of another group");
                // F9: one target for each broker, and one for each address.
                assert!(!fan.targets.contains_key(broker), "{host} has the target {broker} twice");
                assert!(
                    !fan.targets.values().any(|(found, _)| found == address),
                    "{host} has two targets at {address}"
                );
                fan.targets.insert(*broker, (address.clone(), at));
                fan.met.entry(*broker).or_insert(at);
                fan.given_up.remove(address);
                fan.ups += 1;
                let (is_ready, targets) = (fan.is_ready(), fan.targets.keys().copied().collect::<Vec<_>>());
                for sent in self.sent.values_mut().filter(|sent| sent.host == host) {
                    if let (Some(fanned), Outcome::Unanswered) = (&mut sent.fanned, &sent.outcome) {
                        fanned.is_released |= is_ready;
                        fanned.sent_to.extend(&targets);
                    }
                }
            }
            _ => (),
        }
    }
}

/// What holds at every step.
impl Oracle {
    /// How many brokers, over how many links, have handed a host what its consumers hold.
    pub(crate) fn sources(&self, host: HostId) -> usize {
        self.hosts[&host].fan.as_ref().map_or(1, |fan| fan.ups)
    }

    /// How many messages clients were told that a broker has accepted.
    pub(crate) fn credit(&self, broker: BrokerId) -> u64 {
        self.credits.get(&broker).copied().unwrap_or_default()
    }

    /// F2, F3: what a running client sent has ended by its deadline, and it knows how many targets are up.
    pub(crate) fn check_fan(&self, now: Instant, host: HostId) {
        let known = &self.hosts[&host];
        let Some(fan) = &known.fan else {
            return;
        };
        if let Some((up, _)) = fan.told {
            assert_eq!(up as usize, fan.targets.len(), "targets of {host}: {:?}", fan.targets);
        }
        for (id, sent) in self.unanswered(host) {
            let until = (sent.at + fan.config.send_timeout).max(known.resumed_at) + SLACK;
            assert!(now <= until, "at {now} nothing is known yet of {}", self.describe(id));
        }
    }

    /// F2, F5, F8: a message was left to its deadline, though enough targets had been there for so long, and all of them
    /// were able to take it.
    pub(crate) fn check_deadline(
        &self,
        at: Instant,
        host: HostId,
        id: MessageId,
        within: Duration,
        is_able: impl Fn(BrokerId) -> bool,
    ) {
        let (Some(fan), sent) = (&self.hosts[&host].fan, &self.sent[&id]) else { return };
        let is_past = |then: Instant| then + within <= at;
        let are_able = fan.targets.iter().all(|(broker, (_, since))| is_past(*since) && is_able(*broker));
        let are_all = fan.lost.is_none_or(|(_, lost_at)| is_past(lost_at));
        assert!(
            !(fan.is_ready() && is_past(sent.at) && are_able && are_all),
            "{} was left to its deadline, though these targets could have taken it: {:?}",
            self.describe(id),
            fan.targets
        );
    }

    fn unanswered(&self, host: HostId) -> impl Iterator<Item = (MessageId, &Sent)> {
        let present = self.hosts[&host].present;
        let sent = self.sent.iter().filter(move |(id, _)| Some(id.producer.broker) == present);
        sent.filter(|(_, sent)| sent.outcome == Outcome::Unanswered).map(|(id, sent)| (*id, sent))
    }

    /// A failure may have ended the way by which a client's message would have reached another broker's subscriber.
    pub(super) fn forgive_indirect(&mut self) {
        let (subscribers, sent) = (&self.subscribers, &self.sent);
        self.owed.retain(|(consumer, id)| is_direct(&sent[id], &subscribers[consumer]));
    }

    /// True for a broker that a client can't know of: it fans out to whoever is announced to its group, and only a
    /// stranger announces brokers of others.
    fn is_foreign(&self, host: HostId, broker: BrokerId) -> bool {
        let known = &self.hosts[&host];
        let has_found = known.fan.as_ref().is_some_and(|fan| fan.listed == usize::MAX);
        has_found && !self.has_strangers && self.group_of(broker).is_some_and(|group| group != known.group)
    }

    fn fan(&mut self, host: HostId) -> &mut Fan {
        self.host(host).fan.as_mut().expect("a client")
    }
}

/// True if a message is no client's, or one that the subscriber's own broker has accepted.
pub(super) fn is_direct(sent: &Sent, subscriber: &Subscriber) -> bool {
    let Outcome::Accepted { by, .. } = &sent.outcome else {
        return sent.fanned.is_none();
    };
    sent.fanned.is_none() || subscriber.process.broker.is_some_and(|broker| by.contains(&broker))
}

/// True if a message comes by one way only from a host of the first role to one of the second.
pub(super) fn is_one_path(roles: [Role; 2], sent: &Sent) -> bool {
    match roles {
        [_, Role::Client] => roles[0] == Role::Broker,
        [Role::Client, Role::Peer] => !is_replicated(sent),
        _ => true,
    }
}

fn is_replicated(sent: &Sent) -> bool {
    sent.fanned.as_ref().is_some_and(|fanned| fanned.is_replicated)
}

/// By how much clocks may differ at a deadline, and a process be woken late.
const SLACK: Duration = Duration::from_millis(500);
