//! Rank 3: the embedded broker. Knows destinations, who subscribes to them and what waits for whom; is told what
//! connections ask; answers with deliveries, acceptances and changes of demand.

mod ack;
mod admin;
mod advise;
mod backlog;
mod browse;
mod census;
mod composite;
mod config;
mod copies;
mod dead_letter;
mod delayed;
mod demand;
mod dispatch;
mod drain;
mod due;
mod durable;
mod exclusive;
mod expiry;
mod group;
mod history;
mod idle;
mod index;
mod memory;
mod missed;
mod outstanding;
mod parking;
mod passing;
mod place;
mod policy;
mod queue;
mod redelivery;
mod registry;
mod room;
mod selection;
mod slow;
mod stats;
mod stray;
mod subscription;
mod temporary;
#[cfg(test)]
mod tests;
mod topic;
mod transaction;
mod turn;
mod virtual_topic;
mod waiting;
mod ways;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::num::NonZeroU32;

use copies::Copies;
use demand::Wanted;
use due::Due;
use durable::Claim;
use expiry::{age, is_over};
use memory::Memory;
use outstanding::Held;
use queue::Entry;
use registry::{Registry, Room, Slot};
use selection::Selection;
use subscription::{Pending, Subscription, SubscriptionId, Subscriptions};
use topic::Audience;
use ways::Ways;

pub use census::Consumer;
pub use config::BrokerConfig;
pub use dead_letter::{DeadLetterPolicy, DeadLetterQueue, NonPersistent};
pub use history::History;
pub(crate) use parking::Taken;
pub use policy::{DestinationPolicy, Policies, PolicyEntry};
pub use redelivery::RedeliveryPolicy;
pub use room::WhenFull;
pub use slow::SlowConsumers;
pub use stats::BrokerStats;
pub(crate) use subscription::{Limits, Remote, Subscriber};
pub use virtual_topic::VirtualTopics;

use crate::base::{Audit, Deadlines, Instant, Outbox, Situation};
use crate::model::{
    Advisory, BrokerId, ConnectionId, ConsumerId, Delivery, Demand, Destination, DestinationKind, Durable, LinkId,
    Message, Origin, ProducerId, Refusal, Tag, Ticket, What,
};

/// What a broker says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    /// A message that had to wait has its place now, as [`Taken::Accepted`] says of one that had not.
    Accepted {
        /// Who sent it.
        to: Origin,
        /// What they call it.
        ticket: Ticket,
    },
    /// Something that whoever asked is told of this broker.
    Advised(Box<Advisory>),
    /// Whoever looks at a queue has been shown everything.
    Browsed {
        /// Whose consumer it is.
        to: Origin,
        /// The consumer.
        consumer: ConsumerId,
    },
    /// A message for a consumer.
    Deliver {
        /// Whose consumer it is.
        to: Origin,
        /// The consumer.
        consumer: ConsumerId,
        /// The message.
        delivery: Delivery,
    },
    /// The broker has ended a consumer.
    Ended {
        /// Whose consumer it was.
        to: Origin,
        /// The consumer.
        consumer: ConsumerId,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// A message that had to wait is not taken: there was no room for too long.
    Refused {
        /// Who sent it.
        to: Origin,
        /// What they call it.
        ticket: Ticket,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// Nobody here wants this any more.
    Unwanted(Demand),
    /// Somebody here wants this who did not before, or others want a queue's.
    Wanted {
        /// What is wanted.
        demand: Demand,
        /// How many want it now.
        consumers: NonZeroU32,
    },
}

/// An embedded broker.
#[derive(Debug)]
pub(crate) struct Broker {
    local: BrokerId,
    config: BrokerConfig,
    advises: bool, // Somebody wants to know what happens here.
    connections: BTreeMap<Origin, Connection>,
    registry: Registry,
    subscriptions: Subscriptions,
    selection: Selection,
    durables: BTreeMap<Durable, SubscriptionId>,
    copies: Copies,
    ways: Ways,
    wanted: Wanted,
    congested: BTreeSet<Slot>, // Destinations with parked messages.
    memory: Memory,            // What waits.
    remembered_bytes: u64,     // Of all topics.
    due: Deadlines<Due>,
    buried: Audit<(ProducerId, Slot)>, // Topics' messages that are dead letters.
    stats: BrokerStats,
}

/// Somebody attached.
#[derive(Debug)]
struct Connection {
    limits: Limits,
    consumers: BTreeMap<ConsumerId, SubscriptionId>,
    outstanding_bytes: u64,
    parked_bytes: u64,
}

/// A consumer that is there, and was handed nothing of what waits.
#[derive(Debug)]
struct Entered {
    id: SubscriptionId,
    queues: Vec<Slot>,    // Where it consumes from.
    demands: Vec<Demand>, // What more want now, or fewer.
}

/// What a consumer leaves.
#[derive(Debug)]
struct Gone {
    id: SubscriptionId,
    bytes: u64,            // That were outstanding.
    slots: Vec<Slot>,      // Where it consumed from.
    pending: Vec<Pending>, // Of a bridge's: what waited for credit.
    demands: Vec<Demand>,  // What fewer want now, or more: a durable one's are dormant.
}

impl Broker {
    /// The broker `local`, which nobody is attached to.
    pub(crate) fn new(config: BrokerConfig, local: BrokerId) -> Self {
        Self {
            local,
            copies: Copies::new(config.audit_producers_max),
            ways: Ways::new(config.audit_producers_max),
            due: Deadlines::new(),
            buried: Audit::new(config.audit_producers_max),
            memory: Memory::new(config.memory_max),
            config,
            advises: false,
            connections: BTreeMap::new(),
            registry: Registry::default(),
            subscriptions: Subscriptions::default(),
            selection: Selection::default(),
            durables: BTreeMap::new(),
            wanted: Wanted::default(),
            congested: BTreeSet::new(),
            remembered_bytes: 0,
            stats: BrokerStats::default(),
        }
    }

    /// Attaches a connection.
    pub(crate) fn attach(&mut self, origin: Origin, limits: Limits) -> Result<(), Refusal> {
        if self.connections.len() >= self.config.connections_max {
            return Err(Refusal::LimitReached { what: What::Connection, max: self.config.connections_max as u64 });
        }
        if self.connections.contains_key(&origin) {
            let (Origin::Application(ConnectionId(number))
            | Origin::Bridge(LinkId(number))
            | Origin::Remote(LinkId(number))) = origin;
            return Err(Refusal::AlreadyExists { what: What::Connection, number });
        }
        if let Some(remote) = &limits.remote {
            self.ways.allow(remote.hops_max);
        }
        self.connections
            .insert(origin, Connection { limits, consumers: BTreeMap::new(), outstanding_bytes: 0, parked_bytes: 0 });
        Ok(())
    }

    /// Ends a connection: its deliveries go back to their queues, what it sent and was not accepted is forgotten.
    pub(crate) fn detach(&mut self, now: Instant, origin: Origin, out: &mut Outbox<Output>) {
        self.catch_up(now, out);
        self.forget_parked(|parked| parked.from == origin);
        self.advise_of_end(origin, out);
        let consumers = self.connections.remove(&origin).map(|connection| connection.consumers).unwrap_or_default();
        // All of them end before anything is handed out again, or some would be handed what nobody hears of. Whatever
        // was handed out before may have been seen.
        let gone: Vec<Gone> = consumers.into_values().map(|id| self.remove_consumer(id, Tag::MAX)).collect();
        for slot in gone.iter().flat_map(|gone| &gone.slots) {
            self.dispatch(now, *slot, out);
            self.tend(now, *slot);
        }
        self.unpark_all(now, out);
        if let Origin::Application(connection) = origin {
            self.end_temporaries(connection, out);
            self.unpark_all(now, out); // What has gone took room from others too.
        }
        self.tell_demand(gone.into_iter().flat_map(|gone| gone.demands), out);
    }

    /// Creates a consumer.
    pub(crate) fn subscribe(
        &mut self,
        now: Instant,
        origin: Origin,
        consumer: ConsumerId,
        subscriber: Subscriber,
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        if let Some(entered) = self.enter(now, origin, consumer, subscriber, out)? {
            self.welcome(now, entered, out);
        }
        Ok(())
    }

    /// Creates a consumer; none if there is nothing to hand it, or to say of it, any more.
    fn enter(
        &mut self,
        now: Instant,
        origin: Origin,
        consumer: ConsumerId,
        subscriber: Subscriber,
        out: &mut Outbox<Output>,
    ) -> Result<Option<Entered>, Refusal> {
        self.catch_up(now, out);
        let connection = self.connections.get(&origin).ok_or(Refusal::unknown_consumer(consumer))?;
        if connection.consumers.contains_key(&consumer) {
            return Err(Refusal::AlreadyExists { what: What::Consumer, number: consumer.0 });
        }
        let is_bounded = !matches!(origin, Origin::Bridge(_)); // A peer's demands are counted by its bridge.
        if is_bounded && connection.consumers.len() >= self.config.consumers_max {
            return Err(Refusal::LimitReached { what: What::Consumer, max: self.config.consumers_max as u64 });
        }
        self.check_owner(origin, &subscriber)?;
        let allowance = self.config.allowance(&subscriber.subscription)?;
        subscriber.subscription.check_kind()?;
        if subscriber.subscription.browses {
            return self.browse(now, origin, consumer, subscriber, allowance, out).map(|()| None);
        }
        let limits = connection.limits.clone();
        self.check_durable(origin, &limits, &subscriber.subscription)?;
        let destination = subscriber.subscription.destination.clone();
        self.resolve_all(now, &destination, out)?;
        let weight = subscriber.weight;
        let is_retroactive = subscriber.subscription.retroactive;
        let durable = subscriber.subscription.durable.clone();
        let claim = self.claim(now, &subscriber.subscription, out);
        let id = self.subscriptions.insert(now, origin, consumer, subscriber, allowance, &limits);
        self.connections.get_mut(&origin).expect("just found").consumers.insert(consumer, id);
        let slots = self.registry.join(id, &self.subscriptions);
        self.advise_of(id, out, advise::added);
        let (mut goes_on, mut changed) = (false, Vec::new());
        if let (Some(durable), Some(Claim { archive, is_known, demands })) = (durable, claim) {
            self.durables.insert(durable, id);
            self.subscriptions.get_mut(id).expect("just inserted").archive = Some(archive);
            self.drain_archive(now, id, out);
            (goes_on, changed) = (is_known, demands);
        }
        if goes_on {
            self.unpark_all(now, out); // What was handed out has made room.
        } else if is_retroactive {
            self.recover(now, id, &slots, out);
        }
        let demands = self.subscriptions.get(id).expect("just inserted").demands().collect();
        changed.extend(self.count_in(demands, weight));
        for slot in &slots {
            self.tend(now, *slot);
        }
        let mut queues = slots;
        queues.retain(|slot| matches!(self.registry.get(*slot).room, Room::Queue(_)));
        Ok(Some(Entered { id, queues, demands: changed }))
    }

    /// Hands a new consumer what waits for it.
    fn welcome(&mut self, now: Instant, entered: Entered, out: &mut Outbox<Output>) {
        let Entered { id, queues, demands } = entered;
        for slot in &queues {
            self.refill(now, *slot, id, out);
            self.unpark(now, *slot, out);
        }
        if !self.congested.is_empty() {
            self.unpark_all(now, out); // Topics whose messages the queue gets; and what was kept may be gone.
        }
        // Said last: it may end a demand by a longer path, which what was just accepted has answered.
        self.tell_demand(demands, out);
    }

    /// Ends a consumer. Deliveries up to `seen` may have been looked at and go back to their queues marked so.
    pub(crate) fn unsubscribe(
        &mut self,
        now: Instant,
        origin: Origin,
        consumer: ConsumerId,
        seen: Tag,
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        let changed = self.end_consumer(now, origin, consumer, seen, out)?;
        self.tell_demand(changed, out);
        Ok(())
    }

    /// Ends a consumer; tells what fewer want now. That is said after the acceptances that the end gives room
    /// for: they still answer the demand.
    fn end_consumer(
        &mut self,
        now: Instant,
        origin: Origin,
        consumer: ConsumerId,
        seen: Tag,
        out: &mut Outbox<Output>,
    ) -> Result<Vec<Demand>, Refusal> {
        self.catch_up(now, out);
        let gone = self.take_consumer(origin, consumer, seen, out)?;
        Ok(self.settle_gone(now, origin, gone, out))
    }

    /// Takes a connection's consumer away.
    fn take_consumer(
        &mut self,
        origin: Origin,
        consumer: ConsumerId,
        seen: Tag,
        out: &mut Outbox<Output>,
    ) -> Result<Gone, Refusal> {
        let unknown = Refusal::unknown_consumer(consumer);
        let connection = self.connections.get_mut(&origin).ok_or(unknown.clone())?;
        let id = connection.consumers.remove(&consumer).ok_or(unknown)?;
        self.advise_of(id, out, advise::removed);
        let gone = self.remove_consumer(id, seen);
        self.connections.get_mut(&origin).expect("just found").outstanding_bytes -= gone.bytes;
        Ok(gone)
    }

    /// Hands out what a consumer has left; tells what fewer want now.
    fn settle_gone(&mut self, now: Instant, origin: Origin, gone: Gone, out: &mut Outbox<Output>) -> Vec<Demand> {
        let Gone { id, bytes: _, slots, pending, demands } = gone;
        for slot in slots {
            self.dispatch(now, slot, out);
            self.tend(now, slot);
        }
        self.pass_on(now, origin, pending, out);
        if self.connections[&origin].limits.window.is_some() {
            self.replenish_all(now, origin, id, out);
        }
        self.unpark_all(now, out);
        demands
    }

    /// Takes a consumer away and its deliveries back. Those up to `seen` may have been looked at.
    fn remove_consumer(&mut self, id: SubscriptionId, seen: Tag) -> Gone {
        if let Some(gone) = self.suspend(id, seen) {
            return gone;
        }
        let mut subscription = self.subscriptions.remove(id).expect("a connection's consumer has a subscription");
        self.due.set(Due::Subscriber(id), None);
        if subscription.browse.is_some() {
            let bytes = subscription.outstanding.bytes();
            return Gone { id, bytes, slots: Vec::new(), pending: Vec::new(), demands: Vec::new() };
        }
        let slots = self.registry.leave(id, &subscription, &self.subscriptions);
        let bytes = subscription.outstanding.bytes();
        let returned = subscription.outstanding.take_all();
        for (tag, held) in returned {
            let Held { slot, mut entry } = held;
            entry.redeliveries += u32::from(tag <= seen);
            self.registry.get_mut(slot).counts.take_back();
            if subscription.is_bridge() && self.config.checks_duplicates && self.copies.note(slot, &entry.message) {
                Situation::CopyReturned.met();
                self.stats.let_go += 1;
                self.let_go(slot, &entry);
                self.registry.get_mut(slot).counts.let_go += 1;
                continue; // Another copy has come since this one was handed over.
            }
            Situation::DeliveriesReturned.met();
            self.keep(slot, entry);
        }
        let mut pending = Vec::new();
        if subscription.is_bridge() {
            pending.extend(core::iter::from_fn(|| subscription.pop_pending(&mut self.memory)));
        }
        self.memory.free(subscription.pending.bytes());
        let demands = self.count_out(subscription.demands().collect(), subscription.weight);
        Gone { id, bytes, slots, pending, demands }
    }

    /// Does what is due, and gives up on topic subscribers that have taken nothing for too long.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Output>) {
        self.catch_up(now, out);
        self.give_up_on_slow(now, out);
    }

    /// When there is something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.due.first(), self.slow_at()].into_iter().flatten().min()
    }

    /// How many messages wait in each queue that has any.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&Destination, usize)> {
        self.registry.iter().filter_map(|entry| match &entry.room {
            Room::Queue(queue) if queue.len() > 0 => Some((&entry.name, queue.len())),
            Room::Queue(_) | Room::Topic => None,
        })
    }

    fn accept(
        &mut self,
        now: Instant,
        slot: Slot,
        from: Origin,
        redeliveries: u32,
        message: Arc<Message>,
        out: &mut Outbox<Output>,
    ) {
        self.stats.accepted += 1;
        if self.is_duplicate(from, slot, &message) {
            Situation::DuplicateRecognised.met();
            self.stats.duplicates += 1;
            let goes_further = match from {
                Origin::Application(_) => false,
                Origin::Bridge(_) => self.comes_shorter(slot, &message),
                // Straight from its client it may cross any bridge.
                Origin::Remote(_) => matches!(self.registry.get(slot).room, Room::Topic),
            };
            if goes_further {
                // The first copy may have gone no further for the brokers it had crossed. Who has it already drops this.
                Situation::DuplicatePassedOn.met();
                self.publish(now, slot, Some(from), &message, Audience::Peers, out);
            }
            return;
        }
        if let Origin::Bridge(_) = from {
            self.comes_shorter(slot, &message);
        }
        if is_over(&message) {
            self.registry.get_mut(slot).counts.enqueued += 1;
            return self.expire(now, slot, &message, Some(now), out);
        }
        if !self.registry.get(slot).queues.is_empty() {
            self.copy_to_queues(now, slot, from, &message, out);
        }
        self.place(now, slot, Some(from), redeliveries, message, out);
    }

    /// Gives a message its place at its destination, whoever it is from; none if it is the broker's own.
    fn place(
        &mut self,
        now: Instant,
        slot: Slot,
        from: Option<Origin>,
        redeliveries: u32,
        message: Arc<Message>,
        out: &mut Outbox<Output>,
    ) {
        let destination = self.registry.get_mut(slot);
        destination.counts.enqueued += 1;
        match &mut destination.room {
            Room::Queue(queue) => {
                let entry = queue.entry(now, message, redeliveries);
                self.stats.accepted_queued += 1;
                self.offer(now, slot, entry, out);
            }
            Room::Topic => {
                // If one of this id has died, it was another, of a producer whose number is used again.
                self.buried.forget(&(message.id.producer, slot), message.id.sequence);
                self.remember(now, slot, from, &message);
                self.publish(now, slot, from, &message, Audience::All, out);
            }
        }
    }

    /// True if a message came to a destination before. What this broker's own application sends can't have.
    fn is_duplicate(&mut self, from: Origin, slot: Slot, message: &Message) -> bool {
        let is_checked = match from {
            Origin::Application(_) => false,
            Origin::Bridge(_) | Origin::Remote(_) => self.config.checks_duplicates,
        };
        is_checked && self.copies.note(slot, message)
    }

    /// Notes that a message came over a bridge; true if it is a topic's, and goes further from here than any copy before.
    #[inline]
    fn comes_shorter(&mut self, slot: Slot, message: &Message) -> bool {
        matches!(self.registry.get(slot).room, Room::Topic) && self.ways.note(slot, message)
    }

    /// Hands a subscription what waits for it, now that it has credit again.
    fn replenish(&mut self, now: Instant, origin: Origin, id: SubscriptionId, out: &mut Outbox<Output>) {
        if self.connections[&origin].limits.window.is_some() {
            self.replenish_all(now, origin, id, out); // Its own credit may have kept back all of its consumers.
        } else {
            self.replenish_one(now, id, out);
        }
        if !self.congested.is_empty() {
            self.unpark_all(now, out);
        }
    }

    /// Hands a connection's consumers what waits for them: those that come first do so here too, `id` before its equals.
    fn replenish_all(&mut self, now: Instant, origin: Origin, id: SubscriptionId, out: &mut Outbox<Output>) {
        let mut all: Vec<SubscriptionId> = self.connections[&origin].consumers.values().copied().collect();
        if all.iter().any(|other| *other != id) {
            Situation::CreditShared.met();
        }
        all.sort_by_key(|other| {
            let priority = self.subscriptions.get(*other).map(Subscription::priority);
            (Reverse(priority), *other != id)
        });
        for other in all {
            self.replenish_one(now, other, out);
        }
    }

    fn replenish_one(&mut self, now: Instant, id: SubscriptionId, out: &mut Outbox<Output>) {
        let Some(subscription) = self.subscriptions.get(id) else {
            return;
        };
        if subscription.browse.is_some() {
            return self.look_on(now, id, out);
        }
        let takes_of = |kind| subscription.destination.has(kind);
        let queues = if takes_of(DestinationKind::Queue) { self.registry.joined(id, subscription) } else { Vec::new() };
        // First what waits for this consumer alone, and may keep publishers waiting.
        if takes_of(DestinationKind::Topic) {
            self.drain_pending(now, id, out);
        }
        for slot in queues {
            self.refill(now, slot, id, out);
        }
    }

    /// Hands a message to a subscription that has credit, and tells by which tag.
    fn deliver(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        pending: Pending,
        redeliveries: u32,
        held: Option<Held>,
        out: &mut Outbox<Output>,
    ) -> Tag {
        let Pending { mut message, arrived_at } = pending;
        let subscription = self.subscriptions.get_mut(id).expect("whoever is delivered to is subscribed");
        let connection =
            self.connections.get_mut(&subscription.origin).expect("a subscription's connection is attached");
        let size = u32::try_from(message.size()).unwrap_or(u32::MAX);
        age(&mut message, now - arrived_at); // Whoever it goes to counts from now on, by a clock of their own.
        if let Some(Held { slot, .. }) = &held
            && subscription.is_bridge()
        {
            self.copies.forget(*slot, &message);
        }
        if let Some(held) = &held {
            self.registry.get_mut(held.slot).counts.hand_out();
        }
        let tag = subscription.outstanding.push(held, size);
        connection.outstanding_bytes += u64::from(size);
        self.stats.delivered += 1;
        out.push(Output::Deliver {
            to: subscription.origin,
            consumer: subscription.consumer,
            delivery: Delivery { tag, redeliveries, message },
        });
        tag
    }

    fn has_credit(&self, id: SubscriptionId) -> bool {
        self.subscriptions.get(id).is_some_and(|subscription| {
            subscription.has_credit() && {
                let connection = &self.connections[&subscription.origin];
                connection.limits.window.is_none_or(|window| connection.outstanding_bytes < window)
            }
        })
    }
}

impl Entry {
    fn size(&self) -> u64 {
        self.message.size() as u64
    }
}
