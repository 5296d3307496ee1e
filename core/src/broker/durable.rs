//! Subscriptions that outlast their consumers: what they match is kept while there is none.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::Saturating;

use super::consumer::Gone;
use super::dead_letter::Cause;
use super::due::Due;
use super::memory::Memory;
use super::place::Place;
use super::queue::{Entry, Queue};
use super::slow::SlowConsumers;
use super::subscription::{Pending, Subscription, SubscriptionId};
use super::{Broker, Limits, Output};
use crate::base::{Instant, Outbox};
use crate::model::{self, Ack, AckExtent, Advisory, Demand, Durable, Message, Origin, Priority, Refusal, Tag, What};

/// What is kept of a durable subscription beside its consumer: all that it matched and nobody has acknowledged, in a queue
/// of its own, which knows neither priorities nor groups.
#[derive(Debug)]
pub(super) struct Archive {
    asked: model::Subscription,
    bytes_max: u64,
    queue: Queue,
    handed_out: BTreeMap<Tag, Entry>,
}

/// What a consumer finds that asks for a durable subscription.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) archive: Box<Archive>,
    /// True if it goes on with what was kept; false if it begins anew.
    pub(super) is_known: bool,
    /// What fewer want now than before.
    pub(super) demands: Vec<Demand>,
}

impl Archive {
    fn new(asked: model::Subscription, bytes_max: u64) -> Self {
        Self { asked, bytes_max, queue: Queue::default(), handed_out: BTreeMap::new() }
    }

    /// Keeps a new message behind all others.
    pub(super) fn keep(&mut self, now: Instant, message: Arc<Message>, memory: &mut Memory) {
        let place = self.queue.next_place(Priority::default());
        let entry = Entry { place, redeliveries: Saturating(0), arrived_at: now, group: None, message };
        self.queue.keep(entry, memory);
    }

    /// Drops the oldest of what waits, or the newest, until it is no more than may wait, but not the last; tells how many.
    pub(super) fn trim(&mut self, when_slow: SlowConsumers, memory: &mut Memory) -> u64 {
        let mut dropped = 0;
        while (self.queue.bytes() > self.bytes_max || memory.is_beyond()) && self.queue.len() > 1 {
            let entry = match when_slow {
                SlowConsumers::DropNewest => self.queue.waiting.last(),
                SlowConsumers::Disconnect | SlowConsumers::DropOldest => self.queue.waiting.first(),
            };
            let place = entry.expect("more than one").place;
            self.queue.take(place, memory);
            dropped += 1;
        }
        dropped
    }

    /// Nothing waits for credit.
    pub(super) fn is_drained(&self) -> bool {
        self.queue.len() == 0
    }

    /// How many messages are kept, handed out or not, and the bytes of those that wait.
    pub(super) fn held(&self) -> (u64, u64) {
        ((self.queue.len() + self.queue.delayed() + self.handed_out.len()) as u64, self.queue.bytes())
    }

    /// When something is due next among what waits.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.queue.due_at()
    }

    /// Takes what is worth nothing any more, and puts back what has waited long enough since it was given back.
    pub(super) fn take_due(&mut self, now: Instant, over: &mut Vec<Pending>, memory: &mut Memory) {
        over.extend(core::iter::from_fn(|| self.queue.pop_expired(now, memory)).map(Pending::from));
        while let Some(entry) = self.queue.pop_delayed(now, memory) {
            self.queue.keep(entry, memory);
        }
    }

    /// Takes an answer to deliveries, and tells what was answered, in order.
    pub(super) fn settle(&mut self, ack: Ack) -> Vec<Entry> {
        match ack.extent {
            AckExtent::Individual => self.handed_out.remove(&ack.tag).into_iter().collect(),
            AckExtent::UpTo => {
                let rest = self.handed_out.split_off(&ack.tag.saturating_add(1));
                core::mem::replace(&mut self.handed_out, rest).into_values().collect()
            }
        }
    }

    /// Everything takes its old place. Deliveries up to `seen` may have been looked at.
    fn take_back(&mut self, seen: Tag, memory: &mut Memory) {
        for (tag, mut entry) in core::mem::take(&mut self.handed_out) {
            entry.redeliveries += u32::from(tag <= seen);
            self.queue.keep(entry, memory);
        }
    }

    /// Takes the first that may be handed out.
    fn pop(&mut self, memory: &mut Memory) -> Option<Entry> {
        let place = self.queue.first_from(Place::FIRST)?.place;
        if place < self.queue.end() { self.queue.take(place, memory) } else { None }
    }
}

impl Broker {
    /// Refuses a durable subscription that somebody else uses, or that there is no room for.
    pub(super) fn check_durable(
        &self,
        origin: Origin,
        limits: &Limits,
        asked: &model::Subscription,
    ) -> Result<(), Refusal> {
        let Some(durable) = &asked.durable else {
            return Ok(());
        };
        match self.durables.get(durable) {
            Some(id) => {
                let found = self.subscriptions.get(*id).expect("a durable subscription is one");
                let is_ours = found.origin != origin && found.client.is_some() && found.client == limits.client;
                if found.is_active() && !is_ours { Err(Refusal::DurableInUse(durable.clone())) } else { Ok(()) }
            }
            None if self.durables.len() >= self.config.durables_max => {
                Err(Refusal::LimitReached { what: What::Durable, max: self.config.durables_max as u64 })
            }
            None => Ok(()),
        }
    }

    /// Finds what was kept of a durable subscription that is asked for again; one that was another is deleted, and
    /// begins anew. A client whose old link has not ended yet takes over from itself.
    pub(super) fn claim(
        &mut self,
        now: Instant,
        asked: &model::Subscription,
        out: &mut Outbox<Output>,
    ) -> Option<Claim> {
        let durable = asked.durable.as_ref()?;
        let begun = Box::new(Archive::new(asked.clone(), self.config.bytes_max(asked)));
        let Some(id) = self.durables.get(durable).copied() else {
            return Some(Claim { archive: begun, is_known: false, demands: Vec::new() });
        };
        let found = self.subscriptions.get(id).expect("a durable subscription is one");
        let (origin, consumer) = (found.origin, found.consumer);
        let mut demands = Vec::new();
        if found.is_active() {
            demands = self.end_consumer(now, origin, consumer, Tag::MAX, out).expect("whoever is active is attached");
        }
        let mut old = self.forget_durable(durable, id);
        demands.extend(self.count_out(old.demands().collect(), old.weight));
        match old.archive.take() {
            Some(archive) if archive.asked.continues(asked) => Some(Claim { archive, is_known: true, demands }),
            archive => {
                self.memory.free(archive.map_or(0, |archive| archive.queue.bytes()));
                Some(Claim { archive: begun, is_known: false, demands })
            }
        }
    }

    /// Ends the consumer of a durable subscription, which stays; none if it isn't durable. Deliveries up to `seen` may
    /// have been looked at.
    pub(super) fn suspend(&mut self, id: SubscriptionId, seen: Tag) -> Option<Gone> {
        let subscription = self.subscriptions.get_mut(id)?;
        let archive = subscription.archive.as_mut()?;
        archive.take_back(seen, &mut self.memory);
        self.stats.dropped += archive.trim(subscription.when_slow, &mut self.memory);
        let (active, weight) = (subscription.demands().collect(), subscription.weight);
        let bytes = subscription.suspend();
        let dormant = subscription.demands().collect();
        let mut demands = self.count_out(active, weight);
        demands.extend(self.count_in(dormant, weight));
        self.schedule_subscriber(id);
        Some(Gone { id, bytes, slots: Vec::new(), pending: Vec::new(), demands })
    }

    /// Deletes a durable subscription that has no consumer, with all that is kept for it.
    pub(super) fn remove_durable(
        &mut self,
        now: Instant,
        durable: &Durable,
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        let id = *self.durables.get(durable).ok_or_else(|| Refusal::DurableUnknown(durable.clone()))?;
        if self.subscriptions.get(id).is_some_and(Subscription::is_active) {
            return Err(Refusal::DurableInUse(durable.clone()));
        }
        let old = self.forget_durable(durable, id);
        self.memory.free(old.waiting().0);
        for slot in self.registry.covered_by(&old) {
            self.tend(now, slot);
        }
        self.unpark_all(now, out);
        let changed = self.count_out(old.demands().collect(), old.weight);
        self.tell_demand(changed, out);
        Ok(())
    }

    /// Takes back what a durable subscription's consumer gave back, each as its topic's policy says, until it is handed out
    /// again or is a dead letter.
    pub(super) fn give_back_kept(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        returned: Vec<Entry>,
        out: &mut Outbox<Output>,
    ) {
        let mut dead = Vec::new();
        for mut entry in returned {
            entry.redeliveries += 1;
            let slot = self.registry.find(&entry.message.destination).expect("a topic that is subscribed to stays");
            let policy = &self.registry.get(slot).policy.redelivery;
            let (times, subscription) = (entry.redeliveries.0, self.subscriptions.get_mut(id));
            let archive = subscription.and_then(|found| found.archive.as_mut()).expect("it was handed out by one");
            if entry.is_over(now) || policy.is_exceeded(times) {
                dead.push(entry);
            } else if policy.wait(times).is_zero() {
                archive.queue.keep(entry, &mut self.memory);
            } else {
                archive.queue.delay(now + policy.wait(times), entry, policy.keeps_order, &mut self.memory);
            }
        }
        self.schedule_subscriber(id);
        for entry in dead {
            if entry.is_over(now) {
                self.expire_waiting(now, &Pending::from(entry), out);
            } else {
                self.fail_kept(now, &entry, Cause::GivenBack, out);
            }
        }
    }

    /// Ends a message that a durable subscription's consumer could do nothing with.
    pub(super) fn fail_kept(&mut self, now: Instant, entry: &Entry, cause: Cause, out: &mut Outbox<Output>) {
        if let Ok(slot) = self.resolve_lasting(now, &entry.message.destination, out) {
            self.bury(now, slot, &entry.message, entry.expires_at(), cause, out);
        }
    }

    /// Keeps a message for a durable subscription, and hands it what it has credit for.
    pub(super) fn archive(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        message: &Arc<Message>,
        out: &mut Outbox<Output>,
    ) {
        let subscription = self.subscriptions.get_mut(id).expect("whoever is published to is subscribed");
        let count = subscription.archive(now, Arc::clone(message), &mut self.memory);
        if count > 0 {
            self.stats.dropped += count;
            self.advise_of(id, out, |destination, _, _| Advisory::MessagesDropped { destination, count });
        }
        self.drain_archive(now, id, out);
    }

    /// Hands a durable subscription's consumer what is kept for it, as far as its credit goes.
    pub(super) fn drain_archive(&mut self, now: Instant, id: SubscriptionId, out: &mut Outbox<Output>) {
        while self.has_credit(id) {
            let subscription = self.subscriptions.get_mut(id).expect("whoever has credit is subscribed");
            let Some(entry) = subscription.archive.as_mut().and_then(|archive| archive.pop(&mut self.memory)) else {
                break;
            };
            if !subscription.fits(&entry.message) {
                self.stats.dropped += 1; // Its consumer has come back by way of a smaller link.
                continue;
            }
            let tag = self.deliver(now, id, Pending::from(entry.clone()), entry.redeliveries.0, None, out);
            let subscription = self.subscriptions.get_mut(id).expect("just delivered to");
            let archive = subscription.archive.as_mut().expect("just popped from");
            archive.handed_out.insert(tag, entry);
        }
        self.schedule_subscriber(id);
    }

    /// How many messages are kept for durable subscriptions, and the bytes of those that wait.
    pub(super) fn kept(&self) -> (u64, u64) {
        let held = self.subscriptions.iter().filter_map(|(_, found)| Some(found.archive.as_ref()?.held()));
        held.fold((0, 0), |(count, bytes), (more, larger)| (count + more, bytes + larger))
    }

    fn forget_durable(&mut self, durable: &Durable, id: SubscriptionId) -> Subscription {
        self.durables.remove(durable);
        self.due.set(Due::Subscriber(id), None);
        let old = self.subscriptions.remove(id).expect("a durable subscription is one");
        self.registry.leave(id, &old, &self.subscriptions);
        old
    }
}
