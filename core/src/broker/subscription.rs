//! Who takes messages, and what waits for them.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;

use super::backlog::Backlog;
use super::browse::Browse;
use super::durable::Archive;
use super::memory::Memory;
use super::outstanding::Outstanding;
use super::queue::Entry;
use super::registry::Slot;
use super::slow::SlowConsumers;
use crate::base::{Arena, Instant, Key, Situation};
use crate::model::{
    self, BrokerId, ConsumerId, ConsumerPriority, Demand, Destination, Destinations, Message, Origin, Path, Permits,
    Selector,
};

/// What one consumer asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscriber {
    /// What it wants.
    pub subscription: model::Subscription,
    /// The brokers between the consumer and here; empty for this broker's own.
    pub path: Path,
    /// For how many consumers it counts.
    pub weight: NonZeroU32,
    /// True if nobody takes the messages at present, at the broker that says so.
    pub is_dormant: bool,
}

impl Subscriber {
    /// One of this broker's own.
    pub(crate) fn own(subscription: model::Subscription) -> Self {
        Self { subscription, path: Path::default(), weight: NonZeroU32::MIN, is_dormant: false }
    }
}

/// What a connection may be handed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How many bytes may be outstanding over all its consumers; no limit of its own if `None`.
    pub window: Option<u64>,
    /// The largest message that it can be handed, in bytes of its body and properties; any size if `None`.
    pub message_max: Option<u64>,
    /// For a bridge: the broker at its other end, which is handed nothing that crossed it before.
    pub remote: Option<Remote>,
    /// For a client's: who it is.
    pub client: Option<BrokerId>,
}

/// What a bridge's other end takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    /// Who it is.
    pub broker: BrokerId,
    /// How many brokers a message may have crossed to be handed over.
    pub hops_max: u32,
    /// Which destinations may be handed over; all if `None`.
    pub permits: Option<Arc<Permits>>,
    /// The priority of its nearest consumers; as this broker's own of no priority if `None`.
    pub priority_base: Option<i32>,
}

impl Remote {
    #[inline]
    fn permits(&self, message: &Message) -> bool {
        self.permits.as_ref().is_none_or(|permits| {
            let is_allowed = permits.allow(&message.destination);
            if !is_allowed {
                Situation::CrossingForbidden.met();
            }
            is_allowed
        })
    }
}

/// How much a consumer may be handed and have waiting for it, and what becomes of it if it takes nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) prefetch: u32,
    pub(super) bytes_max: u64,
    pub(super) when_slow: SlowConsumers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SubscriptionId(u64);

impl Key for SubscriptionId {
    fn from_number(number: u64) -> Self {
        Self(number)
    }
    fn number(self) -> u64 {
        self.0
    }
}

/// A message on its way to a consumer.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) message: Arc<Message>,
    pub(super) arrived_at: Instant,
}

impl From<Entry> for Pending {
    fn from(entry: Entry) -> Self {
        Self { message: entry.message, arrived_at: entry.arrived_at }
    }
}

/// A consumer as the broker sees it.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they say independent things of it")]
pub(super) struct Subscription {
    pub(super) origin: Origin,
    pub(super) consumer: ConsumerId,
    pub(super) destination: Destinations,
    pub(super) path: Path,
    pub(super) weight: NonZeroU32,
    is_dormant: bool, // Peers are told so: a durable one that has no consumer, or a bridge's that is for such.
    pub(super) outstanding: Outstanding,
    pub(super) is_exclusive: bool,
    pub(super) browse: Option<Browse>, // Of one that only looks.
    priority: ConsumerPriority,
    pub(super) client: Option<BrokerId>,
    pub(super) archive: Option<Box<Archive>>, // Durable ones only.
    pub(super) selector: Option<Selector>,
    is_no_local: bool,
    prefetch: u32, // Nothing while a durable one has no consumer.
    message_max: Option<u64>,
    remote: Option<Remote>,
    pub(super) pending: Backlog, // Topics only: what waits for credit.
    bytes_max: u64,              // As much of it as may.
    pub(super) when_slow: SlowConsumers,
    progressed_at: Instant,
    is_stalled: bool,
}

impl Subscription {
    /// True if another delivery may be outstanding, as far as this consumer's own limit goes.
    #[inline]
    pub(super) fn has_credit(&self) -> bool {
        self.outstanding.count() < self.prefetch as usize
    }

    /// True if a topic's message may be handed to this consumer: never back along its path, never further than allowed.
    #[inline]
    pub(super) fn admits(&self, message: &Message) -> bool {
        self.remote.as_ref().is_none_or(|remote| {
            message.path.len() < remote.hops_max as usize
                && !message.path.contains(remote.broker)
                && remote.permits(message)
        })
    }

    /// True if a topic's message may be handed to this consumer, whose connection it isn't from if that matters.
    #[inline]
    pub(super) fn is_for(&self, from: Option<Origin>, message: &Message) -> bool {
        self.admits(message) && !self.declines(from, message)
    }

    /// True if the consumer's own connection sent `message`, and doesn't want it back. A client's messages bear its id,
    /// by whichever way they come; what an application of this broker sends comes from its connection.
    #[inline]
    fn declines(&self, from: Option<Origin>, message: &Message) -> bool {
        self.is_no_local
            && match self.client {
                None => Some(self.origin) == from,
                Some(client) => message.id.producer.broker == client,
            }
    }

    /// True if `message` is not too large for this consumer.
    #[inline]
    pub(super) fn fits(&self, message: &Message) -> bool {
        self.message_max.is_none_or(|max| message.body.size() as u64 <= max)
    }

    /// True if a queue's message may be handed to this consumer in the ordinary way: as a topic's, and only towards brokers
    /// that it has not crossed.
    #[inline]
    pub(super) fn leads_on(&self, message: &Message) -> bool {
        self.admits(message) && !self.path.brokers().iter().any(|broker| message.path.contains(*broker))
    }

    /// True if a queue's message that begins anew here may be handed to this consumer, and may go as far as that is. What is
    /// forwarded without being wanted does not: two brokers might do so to each other.
    pub(super) fn admits_anew(&self, message: &Message) -> bool {
        self.remote.as_ref().is_none_or(|remote| {
            let is_forced = remote.permits.as_ref().is_some_and(|permits| permits.force(&message.destination));
            self.path.len() <= remote.hops_max as usize && remote.permits(message) && !is_forced
        })
    }

    /// Whose turn is first: this broker's own consumers as they ask for it, and peers as their bridge says, the nearer
    /// before the farther.
    pub(super) fn priority(&self) -> i32 {
        match &self.remote {
            None => self.priority.level().into(),
            Some(Remote { priority_base: None, .. }) => 0,
            Some(Remote { priority_base: Some(base), .. }) => {
                let between = self.path.len().saturating_sub(1); // Brokers have short paths.
                base.saturating_sub(i32::try_from(between).unwrap_or(i32::MAX))
            }
        }
    }

    /// What it wants, each destination by itself, as other peers may be told: nothing if messages that come over one more
    /// bridge could not get as far.
    pub(super) fn demands(&self) -> impl Iterator<Item = Demand> {
        let is_told = self.remote.as_ref().is_none_or(|remote| self.path.len() < remote.hops_max as usize);
        let destinations = is_told.then(|| self.destination.iter()).into_iter().flatten();
        let demand = |destination: &Destination| Demand {
            destination: destination.clone(),
            selector: self.selector.clone(),
            path: self.path.clone(),
            is_dormant: self.is_dormant,
        };
        destinations.map(demand)
    }

    /// True for a bridge's.
    pub(super) fn is_bridge(&self) -> bool {
        self.remote.is_some()
    }

    /// False for a durable one that has no consumer.
    pub(super) fn is_active(&self) -> bool {
        self.prefetch > 0
    }

    /// Its consumer has gone: it takes nothing, and holds up nobody. Tells how many bytes were outstanding.
    pub(super) fn suspend(&mut self) -> u64 {
        self.prefetch = 0;
        self.is_dormant = true;
        self.message_max = None;
        self.is_stalled = true;
        core::mem::take(&mut self.outstanding).bytes()
    }

    /// The consumer took or answered something.
    pub(super) fn progressed(&mut self, now: Instant) {
        self.progressed_at = now;
        self.is_stalled = false;
    }

    /// True if it is shown what waits at this place.
    pub(super) fn looks_at(&self, slot: Slot) -> bool {
        self.browse.as_ref().is_some_and(|browse| browse.looks_at(slot))
    }

    /// When something is due next among what waits for it.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let kept = self.archive.as_ref().and_then(|archive| archive.due_at());
        [self.pending.expires_at(), kept].into_iter().flatten().min()
    }

    /// Nothing waits for credit.
    pub(super) fn is_drained(&self) -> bool {
        self.pending.is_empty()
    }

    /// How many bytes wait for credit, and how many may.
    pub(super) fn waiting(&self) -> (u64, u64) {
        (self.archive.as_ref().map_or(self.pending.bytes(), |archive| archive.held().1), self.bytes_max)
    }

    /// True if as much waits for it as may.
    pub(super) fn is_full(&self) -> bool {
        let (bytes, bytes_max) = self.waiting();
        bytes >= bytes_max
    }

    /// True if publishers have to wait for this subscriber: it is full, or the broker is and something waits for it.
    #[inline]
    pub(super) fn holds_up(&self, memory: &Memory) -> bool {
        !self.is_stalled && (self.is_full() || (memory.is_full() && self.waiting().0 > 0))
    }

    /// When this subscriber counts as stalled, if publishers wait for it.
    pub(super) fn stalls_at(&self, after: Duration, memory: &Memory) -> Option<Instant> {
        self.holds_up(memory).then(|| self.progressed_at + after)
    }

    /// Counts as stalled from now on.
    pub(super) fn stall(&mut self) {
        self.is_stalled = true;
    }

    /// What becomes of it when it is stalled.
    pub(super) fn when_slow(&self) -> SlowConsumers {
        match self.when_slow {
            SlowConsumers::Disconnect if self.is_bridge() => SlowConsumers::DropOldest,
            when_slow => when_slow,
        }
    }

    /// Keeps a topic's message until there is credit, and gives back those that are dropped for lack of room.
    pub(super) fn pend(&mut self, now: Instant, pending: Pending, memory: &mut Memory) -> Vec<Pending> {
        if self.pending.is_empty() {
            self.progressed_at = now; // It had taken everything until now.
        }
        let size = pending.message.size() as u64;
        let mut dropped = Vec::new();
        while self.is_stalled && (self.pending.bytes() + size > self.bytes_max || memory.is_full()) {
            if self.when_slow() == SlowConsumers::DropNewest && !self.pending.is_empty() {
                Situation::SubscriberDropped.met();
                dropped.push(pending);
                return dropped;
            }
            let Some(oldest) = self.pending.pop(memory) else {
                break;
            };
            Situation::SubscriberDropped.met();
            dropped.push(oldest);
        }
        self.pending.push(pending, memory);
        dropped
    }

    /// Keeps a durable subscription's message, dropping what is beyond its limit if nobody takes any; tells how many.
    pub(super) fn archive(&mut self, now: Instant, message: Arc<Message>, memory: &mut Memory) -> u64 {
        let archive = self.archive.as_mut().expect("only durable subscriptions keep anything");
        if archive.is_drained() {
            self.progressed_at = now; // Its consumer had taken everything until now.
        }
        archive.keep(now, message, memory);
        if self.is_stalled { archive.trim(self.when_slow, memory) } else { 0 }
    }

    /// The next of what waits for credit.
    pub(super) fn pop_pending(&mut self, memory: &mut Memory) -> Option<Pending> {
        self.pending.pop(memory)
    }
}

/// All subscriptions of a broker.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    arena: Arena<SubscriptionId, Subscription>,
}

impl Subscriptions {
    pub(super) fn insert(
        &mut self,
        now: Instant,
        origin: Origin,
        consumer: ConsumerId,
        subscriber: Subscriber,
        allowance: Allowance,
        limits: &Limits,
    ) -> SubscriptionId {
        let Allowance { prefetch, bytes_max, when_slow } = allowance;
        self.arena.insert(Subscription {
            origin,
            consumer,
            destination: subscriber.subscription.destination,
            path: subscriber.path,
            weight: subscriber.weight,
            is_dormant: subscriber.is_dormant,
            outstanding: Outstanding::default(),
            is_exclusive: subscriber.subscription.exclusive,
            browse: None,
            priority: subscriber.subscription.priority,
            client: limits.client,
            archive: None,
            selector: subscriber.subscription.selector,
            is_no_local: subscriber.subscription.no_local,
            prefetch,
            message_max: limits.message_max,
            remote: limits.remote.clone(),
            pending: Backlog::default(),
            bytes_max,
            when_slow,
            progressed_at: now,
            is_stalled: false,
        })
    }

    pub(super) fn remove(&mut self, id: SubscriptionId) -> Option<Subscription> {
        self.arena.remove(id)
    }

    #[inline]
    pub(super) fn get(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.arena.get(id)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        self.arena.get_mut(id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SubscriptionId, &Subscription)> {
        self.arena.iter()
    }
}
