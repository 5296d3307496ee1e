//! What messages and consumers wish for beside handing out and being handed what there is, and what may befall them
//! therefore.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flockmq_core::selector::Candidate;
use flockmq_core::sim::HostId;
use flockmq_core::{
    Ack, AckKind, BrokerId, ConsumerId, ConsumerPriority, Delivery, Destination, DestinationKind, Instant, MessageId,
    ProducerId, Role, Subscription,
};

use super::copy::Fate;
use super::{Oracle, Outcome, Piece, Process, Sent, Subscriber};

use crate::wish::{epitaph, grave, group, is_fed_by, is_grave, is_retained, keeps_order, redeliveries_max, remembers};

/// What is known of wishes.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// How many consumers there ever were.
    pub(super) subscribers: u64,
    /// Queues of virtual topics that there are at a host's present process.
    fed: BTreeSet<(HostId, Destination)>,
    /// Hosts where a message went to such a queue too, and so was accepted more than once.
    feeders: BTreeSet<HostId>,
    /// What such queues must still hand out.
    owed: BTreeSet<Piece>,
    /// Where a message was sent beside its first destination.
    others: BTreeMap<MessageId, Vec<Destination>>,
    /// Who was handed a group's last message.
    owners: BTreeMap<(Process, Destination, String), ConsumerId>,
    /// Groups that may have changed hands at a message's wish.
    changing: BTreeSet<String>,
    /// What must be a dead letter, and at whose broker.
    dying: BTreeMap<Piece, Process>,
    /// Queues that hand out nothing, at a host's present process.
    paused: BTreeSet<(HostId, Destination)>,
    /// Connections that have ended, whose temporary queues have too.
    ended: BTreeSet<BrokerId>,
    rejected: BTreeSet<Piece>,
    /// How often each message was given back.
    given_back: BTreeMap<Piece, u32>,
}

/// Messages that come to one consumer in the order in which they were sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    producer: ProducerId,
    place: Destination,
    priority: u8,
    group: String,
    is_changing: bool,
}

impl Lane {
    pub(super) fn of(delivery: &Delivery) -> Self {
        let message = &delivery.message;
        let (group, sequence) = group(&message.body).unwrap_or_default();
        Self {
            producer: message.id.producer,
            place: message.destination.clone(),
            priority: message.body.priority.level(),
            group: group.to_owned(),
            is_changing: sequence != 0,
        }
    }

    /// False where a message may go to somebody else than those of its group before it, which are handed out later then, or
    /// may pass them.
    pub(super) fn keeps_order(&self) -> bool {
        !self.is_changing && keeps_order(&self.place)
    }
}

/// What applications do.
impl Oracle {
    pub(super) fn wish_sent(&mut self, host: HostId, id: MessageId) {
        let (sent, wishes) = (&self.sent[&id], &mut self.wishes);
        if let Some((name, sequence)) = group(&sent.body)
            && sequence != 0
        {
            wishes.changing.insert(name.to_owned());
        }
        if sent.fanned.is_none() && sent.destination.kind() == DestinationKind::Queue {
            wishes.fed.insert((host, sent.destination.clone())); // It is there from now on.
        }
        let fed = wishes.fed.iter().filter(|(at, queue)| *at == host && is_fed_by(queue, &sent.destination));
        let fed: Vec<Piece> = fed.map(|(_, queue)| (id, queue.clone())).collect();
        if !fed.is_empty() {
            wishes.feeders.insert(host);
        }
        if sent.body.headers.time_to_live.is_none() {
            wishes.owed.extend(fed);
        }
    }

    /// A message that was sent to several destinations is each one's own.
    pub(super) fn wish_sent_also(&mut self, host: HostId, id: MessageId, others: &[Destination]) {
        let (sent, wishes) = (&self.sent[&id], &mut self.wishes);
        wishes.feeders.insert(host);
        let all = others.iter().chain([&sent.destination]);
        let queues = all.filter(|part| part.kind() == DestinationKind::Queue);
        if sent.body.headers.time_to_live.is_none() {
            wishes.owed.extend(queues.map(|queue| (id, queue.clone())));
        }
        wishes.others.insert(id, others.to_vec());
    }

    pub(super) fn wish_subscribed(&mut self, process: Process, consumer: ConsumerId, wanted: &Subscription) {
        if self.hosts[&process.host].role == Role::Client || wanted.destination.first().is_pattern() {
            return;
        }
        match wanted.destination.first().kind() {
            DestinationKind::Queue => drop(self.wishes.fed.insert((process.host, wanted.destination.first().clone()))),
            DestinationKind::Topic if wanted.retroactive && !wanted.no_local => {
                let past = self.past(process, wanted.destination.first());
                self.owed.extend(past.into_iter().map(|id| (consumer, id)));
            }
            DestinationKind::Topic => (),
        }
    }

    /// What a topic remembers for certain at a broker that alone has sent to it: the message that is retained, and the
    /// last one otherwise.
    fn past(&self, process: Process, topic: &Destination) -> Vec<MessageId> {
        let broker = process.broker.expect("who subscribes is up");
        let (mut retained, mut last) = (None, None);
        for (id, sent) in self.sent.iter().filter(|(_, sent)| sent.destination == *topic) {
            let is_refused = matches!(sent.outcome, Outcome::Refused { .. });
            if id.producer.broker != broker || sent.outcome == Outcome::Unanswered {
                return Vec::new();
            }
            match (is_retained(&sent.body), sent.body.data.is_empty()) {
                _ if is_refused => (),
                (true, true) => retained = None,
                (true, false) => retained = Some(*id),
                (false, _) => last = Some(*id),
            }
        }
        retained.into_iter().chain(last.filter(|_| remembers(topic))).collect()
    }

    pub(super) fn wish_answered(&mut self, process: Process, ack: Ack, piece: &Piece) {
        let (id, place) = piece;
        if place.kind() != DestinationKind::Queue {
            return;
        }
        let is_client = self.hosts[&process.host].role == Role::Client;
        let mut dies = false;
        match ack.kind {
            AckKind::Accepted => return,
            AckKind::Rejected => {
                dies = true;
                self.wishes.rejected.insert(piece.clone());
            }
            AckKind::Released => {
                *self.wishes.given_back.entry(piece.clone()).or_default() += 1;
                let copies = self.sent.get(id).into_iter().flat_map(|sent| sent.copies.iter().rev());
                let is_meant = |copy: &&super::Copy| copy.place == *place && copy.fate == Fate::Outstanding;
                let copy =
                    copies.filter(|copy| copy.process == process && copy.consumer == ack.consumer).find(is_meant);
                if let (Some(copy), Some(max)) = (copy, redeliveries_max(place)) {
                    dies = copy.redeliveries >= max;
                }
            }
        }
        if dies && !is_client && grave(place).is_some() {
            self.wishes.dying.insert(piece.clone(), process);
        }
    }

    pub(super) fn wish_refused(&mut self, id: MessageId) {
        self.wishes.owed.retain(|(owed, _)| *owed != id);
    }

    /// What a process held is gone, and so may be what others had handed on to it.
    pub(super) fn wish_crashed(&mut self, host: HostId) {
        self.wishes.fed.retain(|(at, _)| *at != host);
        self.wishes.paused.retain(|(at, _)| *at != host);
        self.wishes.owed.clear();
        self.wishes.dying.clear();
    }
}

/// What applications do as administrators, and with temporary queues.
impl Oracle {
    /// What waits in a queue goes.
    pub(crate) fn purged(&mut self, queue: &Destination) {
        self.wishes.owed.retain(|(_, place)| place != queue);
        self.drains_purged(queue);
        for sent in self.sent.values_mut().filter(|sent| sent.destination == *queue) {
            sent.is_forgiven |= sent.copies.is_empty();
        }
    }

    pub(crate) fn paused_queue(&mut self, host: HostId, queue: &Destination) {
        self.wishes.paused.insert((host, queue.clone()));
    }

    /// A queue hands out again; true if it was paused.
    pub(crate) fn resumed_queue(&mut self, host: HostId, queue: &Destination) -> bool {
        self.wishes.paused.remove(&(host, queue.clone()))
    }

    /// The queues of a host that are paused.
    pub(crate) fn paused_queues(&self, host: HostId) -> Vec<Destination> {
        let paused = self.wishes.paused.iter().filter(|(at, _)| *at == host);
        paused.map(|(_, queue)| queue.clone()).collect()
    }

    /// The connection ends that temporary queues of a process belong to.
    pub(crate) fn hung_up(&mut self, broker: BrokerId) {
        self.wishes.ended.insert(broker);
    }

    /// True for what was sent to a temporary queue, unless that is the sender's own and still there.
    pub(super) fn may_have_ended(&self, sent: &Sent) -> bool {
        let Some(temporary) = sent.destination.as_temporary() else { return false };
        let known = &self.hosts[&sent.host];
        sent.fanned.is_some()
            || known.present != Some(temporary.broker)
            || self.wishes.ended.contains(&temporary.broker)
    }
}

/// What applications hear.
impl Oracle {
    /// Who only looks is shown what waits.
    pub(super) fn check_browsed(&mut self, process: Process, consumer: ConsumerId, given: &Delivery, what: &str) {
        let (id, place) = (given.message.id, given.message.destination.clone());
        let mut copies = self.sent[&id].copies.iter().filter(|copy| copy.place == place && copy.process == process);
        let is_there = copies.all(|copy| matches!(copy.fate, Fate::Returned { .. }));
        let subscriber = self.subscribers.get_mut(&consumer).expect("it was subscribed");
        assert_eq!(*subscriber.wanted.destination.first(), place, "{what} waits in another queue");
        assert!(is_there, "Q4: {what} is shown, but waits no more");
        assert_eq!(given.tag, subscriber.tag + 1, "{what}: tags count");
        subscriber.tag = given.tag;
        subscriber.outstanding.insert(given.tag, (id, place));
    }

    /// A message that was handed out at another destination than it was sent to is a copy for a virtual topic's queue,
    /// or a dead letter that has a reason to be one.
    pub(super) fn check_place(&self, at: Instant, process: Process, sent: &Sent, delivery: &Delivery, what: &str) {
        let (id, place) = (delivery.message.id, &delivery.message.destination);
        let is_other = self.wishes.others.get(&id).is_some_and(|others| others.contains(place));
        if is_other || is_fed_by(place, &sent.destination) {
            return;
        }
        let buried = epitaph(&delivery.message.body).filter(|_| is_grave(place));
        let Some((cause, origin)) = buried else {
            panic!("{what} was sent to {}, and is handed out from {place}", sent.destination);
        };
        assert!(
            origin == sent.destination || is_fed_by(&origin, &sent.destination),
            "{what} is a dead letter of {origin}, and was sent to {}",
            sent.destination
        );
        if origin.kind() == DestinationKind::Queue {
            assert_eq!(grave(&origin).as_ref(), Some(place), "Q10: {what} is a dead letter of {origin}");
        }
        let piece = (id, origin);
        let has_reason = match cause {
            EXPIRED => sent.body.headers.time_to_live.is_some_and(|ttl| at + SLACK + ttl / CLOCKS >= sent.at + ttl),
            REJECTED => self.wishes.rejected.contains(&piece) || piece.1.kind() == DestinationKind::Topic,
            GIVEN_BACK => self.wishes.given_back.contains_key(&piece) && redeliveries_max(&piece.1).is_some(),
            _ => false,
        };
        assert!(has_reason, "Q10: {what} is a dead letter at {}, because '{cause}'", process.host);
    }

    /// What is wished for is done.
    pub(super) fn check_wishes(
        &mut self,
        at: Instant,
        process: Process,
        consumer: ConsumerId,
        delivery: &Delivery,
        what: &str,
    ) {
        let (id, place) = (delivery.message.id, &delivery.message.destination);
        let (sent, subscriber) = (&self.sent[&id], &self.subscribers[&consumer]);
        let is_own = process.broker == Some(id.producer.broker) && delivery.message.path.is_empty();
        let piece = (id, place.clone());
        if let Some(ttl) = sent.body.headers.time_to_live.filter(|_| is_own && !is_grave(place)) {
            let until = sent.at + ttl + ttl / CLOCKS + SLACK;
            assert!(at <= until, "Q10: {what} was sent at {} and worth something for {ttl:?}", sent.at);
        }
        let candidate = Candidate { redeliveries: delivery.redeliveries, ..Candidate::new(&delivery.message) };
        let is_chosen = subscriber.wanted.selector.as_ref().is_none_or(|selector| selector.matches(&candidate));
        assert!(is_chosen, "{what} is not what {:?} is true of", subscriber.wanted.selector);
        let is_own_word = subscriber.wanted.no_local && sent.host == process.host && is_own;
        assert!(!is_own_word, "T: {what} was sent by its own consumer's connection");
        if let Some(max) = redeliveries_max(place) {
            let has_failed = self.failed_at.is_some_and(|failed_at| failed_at >= sent.at);
            let times = self.wishes.given_back.get(&piece).copied().unwrap_or_default();
            assert!(times <= max || has_failed, "Q10: {what} was given back {times} times, and {max} are allowed");
        }
        let is_paused = self.wishes.paused.contains(&(process.host, place.clone()));
        assert!(!is_paused, "{what}, though {place} is paused");
        if let Some(temporary) = place.as_temporary() {
            assert_eq!(process.broker, Some(temporary.broker), "{what} is for another connection");
        }
        if place.kind() == DestinationKind::Queue && self.hosts[&process.host].role != Role::Client {
            self.check_exclusive(process, subscriber, place, what);
            if is_own {
                self.check_group(process, consumer, delivery, what);
            }
            if is_own && delivery.redeliveries == 0 && *place == sent.destination {
                self.check_priority(at, process, delivery, what);
            }
        }
        if is_own {
            self.note_group(process, consumer, delivery);
        }
        self.wishes.owed.remove(&piece);
        if let Some((_, origin)) = epitaph(&delivery.message.body) {
            self.wishes.dying.remove(&(id, origin));
        }
    }

    /// While a queue has consumers that want it to themselves, one of them alone is handed messages.
    fn check_exclusive(&self, process: Process, subscriber: &Subscriber, place: &Destination, what: &str) {
        for other in self.rivals(process, place).filter(|other| other.wanted.exclusive && other.is_confirmed) {
            let comes_first = other.number < subscriber.number
                && other.wanted.priority >= subscriber.wanted.priority
                && subscriber.wanted.priority < ConsumerPriority::MAX;
            let is_shared = other.number != subscriber.number && (!subscriber.wanted.exclusive || comes_first);
            assert!(!is_shared, "{what}, though {} of {} has the queue to itself", other.number, process.host);
        }
    }

    /// A group is one consumer's while that one has messages of it. What has crossed bridges may go to others, if its
    /// group belongs to a peer that it has crossed.
    fn check_group(&self, process: Process, consumer: ConsumerId, delivery: &Delivery, what: &str) {
        let place = &delivery.message.destination;
        let Some((name, _)) = group(&delivery.message.body) else { return };
        let key = (process, place.clone(), name.to_owned());
        let owner = self.wishes.owners.get(&key).filter(|owner| **owner != consumer);
        let Some((owner, found)) = owner.map(|owner| (owner, &self.subscribers[owner])) else { return };
        let is_here = |(id, at): &Piece| at == place && Some(id.producer.broker) == process.broker;
        let is_of_group =
            |piece: &Piece| is_here(piece) && group(&self.sent[&piece.0].body).is_some_and(|(of, _)| of == name);
        let has_it = found.is_open && found.process == process && found.outstanding.values().any(is_of_group);
        let may_change =
            self.wishes.changing.contains(name) || self.rivals(process, place).any(|other| other.wanted.exclusive);
        assert!(!has_it || may_change, "{what}, though consumer {owner} has messages of its group '{name}'");
    }

    fn note_group(&mut self, process: Process, consumer: ConsumerId, delivery: &Delivery) {
        let place = &delivery.message.destination;
        if let Some((name, _)) = group(&delivery.message.body)
            && !self.rivals(process, place).any(|other| other.wanted.exclusive)
        {
            self.wishes.owners.insert((process, place.clone(), name.to_owned()), consumer);
        }
    }

    /// Of a broker's own messages in a queue that one consumer alone takes from, the most urgent is handed out first.
    fn check_priority(&self, at: Instant, process: Process, delivery: &Delivery, what: &str) {
        let (id, place) = (delivery.message.id, &delivery.message.destination);
        let first = MessageId { sequence: 1, ..id };
        let last = MessageId { sequence: u64::MAX, ..id };
        let waits = |sent: &&Sent| {
            let is_here = matches!(sent.outcome, Outcome::Accepted { at: accepted_at, .. } if accepted_at < at);
            is_here
                && sent.destination == *place
                && sent.copies.is_empty()
                && sent.body.headers.time_to_live.is_none()
                && !sent.is_forgiven
        };
        let mut waiting = self.sent.range(first..=last).map(|(_, sent)| sent).filter(waits);
        let Some(urgent) = waiting.find(|sent| sent.body.priority > delivery.message.body.priority) else {
            return;
        };
        let is_elsewhere = self
            .hosts
            .iter()
            .any(|(host, known)| *host != process.host && known.wanted.iter().any(|wanted| wanted.matches(place)));
        let is_alone = self.rivals(process, place).count() == 1;
        assert!(is_elsewhere || !is_alone, "{what}, though this one is more urgent and waits: {urgent:?}");
    }

    /// A process's own consumers of a queue.
    fn rivals(&self, process: Process, place: &Destination) -> impl Iterator<Item = &Subscriber> {
        let open = self.subscribers.values().filter(move |found| found.is_open && found.process == process);
        open.filter(|found| found.wanted.destination.first().matches(place) && !found.wanted.browses)
    }
}

/// What holds at every step.
impl Oracle {
    /// True if some message that a host's application has sent went to a virtual topic's queues too.
    pub(crate) fn feeds(&self, host: HostId) -> bool {
        self.wishes.feeders.contains(&host)
    }
}

/// What is owed in the end.
impl Oracle {
    /// Dead letters that nobody has seen, where they were to be kept; and what virtual topics' queues have not handed out.
    pub(crate) fn unfulfilled(&self, has_discarded: impl Fn(HostId) -> bool) -> Vec<String> {
        let is_present = |process: &Process| self.hosts[&process.host].present == process.broker;
        let dying = self.wishes.dying.iter().filter(|(_, process)| is_present(process) && !has_discarded(process.host));
        let dying = dying.map(|((id, place), _)| format!("Q10: no dead letter of {place}: {}", self.describe(*id)));
        let owed = self.wishes.owed.iter().filter(|(id, _)| matches!(self.sent[id].outcome, Outcome::Accepted { .. }));
        let owed = owed.map(|(id, place)| format!("{place} has not handed out {}", self.describe(*id)));
        dying.chain(owed).chain(self.undurable()).chain(self.undrained()).collect()
    }
}

const EXPIRED: &str = "its time was up";
const GIVEN_BACK: &str = "it was given back more often than its destination allows";
const REJECTED: &str = "a consumer rejected it";

/// Clocks are wrong by less than one part in so many.
const CLOCKS: u32 = 500;

/// By how much a time may be wrong beside that.
const SLACK: Duration = Duration::from_millis(10);
