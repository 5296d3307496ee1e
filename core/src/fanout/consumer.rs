//! Consumers on every target at once: a message that several targets have is handed out once.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::base::{Audit, Instant, Situation};
use crate::model::{
    Ack, AckExtent, AckKind, BrokerId, ConnectionId, ConsumerId, Delivery, Destination, DestinationKind, LinkId,
    MessageId, ProducerId, Refusal, RequestId, Subscription, Tag, What,
};
use crate::wire::Frame;

/// One consumer.
#[derive(Debug)]
pub(super) struct Consumer {
    pub(super) connection: ConnectionId,
    /// What it is called on links; never used again.
    pub(super) number: u32,
    pub(super) subscription: Subscription,
    pub(super) opening: Option<Opening>,
    outstanding: BTreeMap<Tag, Outstanding>,
    last: Tag,
    /// Of one that only looks: the targets that have more to show.
    looking: BTreeSet<LinkId>,
}

impl Consumer {
    /// True if it is on targets too that come later. What only looks is not, once enough are shown to it.
    pub(super) fn is_for_newcomers(&self) -> bool {
        !self.subscription.browses || self.opening.is_some()
    }

    /// What asks a target for it.
    pub(super) fn ask(&mut self, link: LinkId) -> Frame {
        if self.subscription.browses {
            self.looking.insert(link);
        }
        Frame::Subscribe { number: self.number, subscription: self.subscription.clone() }
    }

    /// A target has no more to show; false if it had said so.
    pub(super) fn was_shown(&mut self, link: LinkId) -> bool {
        self.looking.remove(&link)
    }

    /// True if it only looks, enough targets have been asked, and none has more to show.
    pub(super) fn was_shown_all(&self) -> bool {
        self.subscription.browses && self.opening.is_none() && self.looking.is_empty()
    }
}

/// A consumer that too few targets have confirmed.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) request: RequestId,
    pub(super) until: Instant,
    pub(super) confirmed: BTreeSet<BrokerId>,
}

/// A message that was handed out and not answered.
#[derive(Debug)]
struct Outstanding {
    name: Name,
    /// The delivery that it was handed out for; none once its target was lost.
    own: Option<Copy>,
    /// Further deliveries of the same message.
    others: Vec<Copy>,
}

/// A target's delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Copy {
    link: LinkId,
    number: u32,
    tag: Tag,
}

/// A message at one of the destinations that it may be at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    id: MessageId,
    destination: Destination,
}

impl Name {
    fn is_in(&self, done: &Audit<(ProducerId, Destination)>) -> bool {
        done.knows(&(self.id.producer, self.destination.clone()), self.id.sequence)
    }
}

/// Who must not get a message twice: all that take from queues between them, each topic subscriber and whoever only looks
/// for itself.
type Scope = Option<ConsumerId>;

/// All consumers of a client.
#[derive(Debug)]
pub(super) struct Consumers {
    checks_duplicates: bool,
    producers_max: usize,
    by_id: BTreeMap<ConsumerId, Consumer>,
    by_number: BTreeMap<u32, ConsumerId>,
    born: u32,
    handed_out: BTreeMap<(Scope, Name), (ConsumerId, Tag)>,
    done: BTreeMap<Scope, Audit<(ProducerId, Destination)>>,
    shared: BTreeMap<(LinkId, u32), usize>, // Deliveries kept beside another one of the same message.
}

/// What a delivery of a target comes to.
#[derive(Debug, PartialEq)]
pub(super) enum Arrival {
    /// It was done with before: this answers it.
    Done(Ack),
    /// It waits for the answer to another one of the same message; or there is no such consumer any more.
    Kept,
    /// It is to be handed out.
    New { connection: ConnectionId, consumer: ConsumerId, delivery: Delivery },
}

impl Consumers {
    pub(super) fn new(checks_duplicates: bool, producers_max: usize) -> Self {
        Self {
            checks_duplicates,
            producers_max,
            by_id: BTreeMap::new(),
            by_number: BTreeMap::new(),
            born: 0,
            handed_out: BTreeMap::new(),
            done: BTreeMap::new(),
            shared: BTreeMap::new(),
        }
    }

    /// Adds a consumer and tells what it is called on links.
    pub(super) fn add(
        &mut self,
        connection: ConnectionId,
        consumer: ConsumerId,
        subscription: Subscription,
        opening: Opening,
        count_max: usize,
    ) -> Result<u32, Refusal> {
        if self.by_id.contains_key(&consumer) {
            return Err(Refusal::AlreadyExists { what: What::Consumer, number: consumer.0 });
        }
        if self.by_id.len() >= count_max {
            return Err(Refusal::LimitReached { what: What::Consumer, max: count_max as u64 });
        }
        self.born += 1;
        let number = self.born;
        self.by_number.insert(number, consumer);
        let opening = Some(opening);
        let added = Consumer {
            connection,
            number,
            subscription,
            opening,
            outstanding: BTreeMap::new(),
            last: 0,
            looking: BTreeSet::new(),
        };
        self.by_id.insert(consumer, added);
        Ok(number)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConsumerId, &Consumer)> {
        self.by_id.iter().map(|(id, consumer)| (*id, consumer))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Consumer> {
        self.by_id.values_mut()
    }

    pub(super) fn get_mut(&mut self, consumer: ConsumerId) -> Option<&mut Consumer> {
        self.by_id.get_mut(&consumer)
    }

    /// The consumer of this number.
    pub(super) fn numbered(&self, number: u32) -> Option<ConsumerId> {
        self.by_number.get(&number).copied()
    }

    /// A target has a message for a consumer.
    pub(super) fn arrive(&mut self, link: LinkId, number: u32, delivery: Delivery) -> Arrival {
        let Some(id) = self.numbered(number) else {
            return Arrival::Kept; // It ended meanwhile; the target takes back what it handed out for it.
        };
        let copy = Copy { link, number, tag: delivery.tag };
        let name = Name { id: delivery.message.id, destination: delivery.message.destination.clone() };
        let scope = scope(id, self.by_id[&id].subscription.browses, &name.destination);
        if self.checks_duplicates {
            if let Some((holder, tag)) = self.handed_out.get(&(scope, name.clone())) {
                let holder = self.by_id.get_mut(holder).expect("what is handed out has a consumer");
                let outstanding = holder.outstanding.get_mut(tag).expect("what is handed out is outstanding");
                Situation::CopyKept.met();
                outstanding.others.push(copy);
                *self.shared.entry((link, number)).or_insert(0) += 1;
                return Arrival::Kept;
            }
            if self.done.get(&scope).is_some_and(|done| name.is_in(done)) {
                Situation::CopyAnswered.met();
                return Arrival::Done(copy.ack(AckKind::Accepted));
            }
        }
        let consumer = self.by_id.get_mut(&id).expect("just found");
        consumer.last += 1;
        let tag = consumer.last;
        if self.checks_duplicates {
            self.handed_out.insert((scope, name.clone()), (id, tag));
        }
        consumer.outstanding.insert(tag, Outstanding { name, own: Some(copy), others: Vec::new() });
        Arrival::New { connection: consumer.connection, consumer: id, delivery: Delivery { tag, ..delivery } }
    }

    /// Whether a connection has this consumer; what another's is called is not for it to use.
    pub(super) fn check(&self, connection: ConnectionId, consumer: ConsumerId) -> Result<(), Refusal> {
        let found = self.by_id.get(&consumer).filter(|found| found.connection == connection);
        found.map(|_| ()).ok_or(Refusal::unknown_consumer(consumer))
    }

    /// The application answers deliveries: tells each target concerned.
    pub(super) fn acknowledge(&mut self, ack: Ack) -> Result<Vec<(LinkId, Ack)>, Refusal> {
        let consumer = self.by_id.get_mut(&ack.consumer).ok_or(Refusal::unknown_consumer(ack.consumer))?;
        let browses = consumer.subscription.browses;
        let not_outstanding = Refusal::NotOutstanding { consumer: ack.consumer, tag: ack.tag };
        let answered: Vec<(Tag, Outstanding)> = match ack.extent {
            AckExtent::Individual => {
                let found = consumer.outstanding.remove(&ack.tag).ok_or(not_outstanding)?;
                Vec::from([(ack.tag, found)])
            }
            AckExtent::UpTo => {
                let rest = consumer.outstanding.split_off(&ack.tag.saturating_add(1));
                let answered = core::mem::replace(&mut consumer.outstanding, rest);
                if answered.is_empty() || ack.tag > consumer.last {
                    consumer.outstanding.extend(answered);
                    return Err(not_outstanding);
                }
                answered.into_iter().collect()
            }
        };
        // One word for many needs every delivery before to be answered too: none may wait for another consumer's.
        let is_bulk = (ack.extent, ack.kind) == (AckExtent::UpTo, AckKind::Accepted) && self.shared.is_empty();
        let (mut acks, mut up_to) = (Vec::new(), BTreeMap::<LinkId, Ack>::new());
        for (_, Outstanding { name, own, others }) in answered {
            self.forget(scope(ack.consumer, browses, &name.destination), name, ack.kind);
            for (index, copy) in own.into_iter().chain(others.iter().copied()).enumerate() {
                // A message that goes back goes back once; its other copies are not wanted.
                let kind = if index == 0 { ack.kind } else { AckKind::Accepted };
                if is_bulk {
                    up_to.insert(copy.link, copy.ack(kind)); // The last of each target counts.
                } else {
                    acks.push((copy.link, copy.ack(kind)));
                }
            }
            for copy in others {
                self.unshare(copy.link, copy.number);
            }
        }
        let extend = |(link, ack)| (link, Ack { extent: AckExtent::UpTo, ..ack });
        acks.extend(up_to.into_iter().map(extend));
        Ok(acks)
    }

    /// Ends a consumer. Tells what it is called on links, the last delivery of each target that was looked at, and
    /// the answers to what was kept beside its deliveries.
    pub(super) fn remove(&mut self, consumer: ConsumerId, seen: Tag) -> Option<Removed> {
        let gone = self.by_id.remove(&consumer)?;
        self.by_number.remove(&gone.number);
        let browses = gone.subscription.browses;
        let mut removed =
            Removed { number: gone.number, opening: gone.opening, seen: BTreeMap::new(), acks: Vec::new() };
        for (tag, Outstanding { name, own, others }) in gone.outstanding {
            self.handed_out.remove(&(scope(consumer, browses, &name.destination), name));
            if let Some(own) = own.filter(|_| tag <= seen) {
                removed.seen.insert(own.link, own.tag);
            }
            for copy in others {
                self.unshare(copy.link, copy.number);
                if copy.number != gone.number {
                    removed.acks.push((copy.link, copy.ack(AckKind::Released)));
                }
            }
        }
        self.done.remove(&Some(consumer));
        self.shared.retain(|(_, number), _| *number != gone.number);
        Some(removed)
    }

    /// A target was lost, and with it whatever it had handed out. Tells which consumers have been shown all that the
    /// others have.
    pub(super) fn lose(&mut self, link: LinkId) -> Vec<(ConnectionId, ConsumerId)> {
        let mut shown = Vec::new();
        for (id, consumer) in &mut self.by_id {
            if consumer.was_shown(link) && consumer.was_shown_all() {
                shown.push((consumer.connection, *id));
            }
            for outstanding in consumer.outstanding.values_mut() {
                if outstanding.own.take_if(|own| own.link == link).is_some() {
                    Situation::DeliveryOrphaned.met();
                }
                outstanding.others.retain(|copy| copy.link != link);
            }
        }
        self.shared.retain(|(found, _), _| *found != link);
        shown
    }

    /// Takes the requests that are not answered yet.
    pub(super) fn take_openings(&mut self) -> Vec<Opening> {
        self.by_id.values_mut().filter_map(|consumer| consumer.opening.take()).collect()
    }

    /// When the first request to consume has taken too long.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.by_id.values().filter_map(|consumer| Some(consumer.opening.as_ref()?.until)).min()
    }

    fn forget(&mut self, scope: Scope, name: Name, kind: AckKind) {
        if !self.checks_duplicates {
            return;
        }
        let key = (scope, name);
        self.handed_out.remove(&key);
        if kind != AckKind::Released {
            let (_, Name { id, destination }) = key;
            let done = self.done.entry(scope).or_insert_with(|| Audit::new(self.producers_max));
            done.note((id.producer, destination), id.sequence);
        }
    }

    fn unshare(&mut self, link: LinkId, number: u32) {
        if let Some(count) = self.shared.get_mut(&(link, number)) {
            *count -= 1;
            if *count == 0 {
                self.shared.remove(&(link, number));
            }
        }
    }
}

/// What the end of a consumer leaves to be told.
#[derive(Debug)]
pub(super) struct Removed {
    pub(super) number: u32,
    pub(super) opening: Option<Opening>,
    pub(super) seen: BTreeMap<LinkId, Tag>,
    pub(super) acks: Vec<(LinkId, Ack)>,
}

impl Copy {
    fn ack(self, kind: AckKind) -> Ack {
        Ack { consumer: ConsumerId(self.number.into()), tag: self.tag, extent: AckExtent::Individual, kind }
    }
}

fn scope(consumer: ConsumerId, browses: bool, destination: &Destination) -> Scope {
    match destination.kind() {
        DestinationKind::Queue if !browses => None,
        DestinationKind::Queue | DestinationKind::Topic => Some(consumer),
    }
}
