//! Consumers: how they come, and what they leave.

use alloc::vec::Vec;

use super::due::Due;
use super::durable::Claim;
use super::outstanding::Held;
use super::registry::{Room, Slot};
use super::subscription::{Pending, Subscriber, SubscriptionId};
use super::{Broker, Output, advise};
use crate::base::{Instant, Outbox, Situation};
use crate::model::{ConsumerId, Demand, Origin, Refusal, Tag, What};

/// A consumer that is there, and was handed nothing of what waits.
#[derive(Debug)]
pub(super) struct Entered {
    pub(super) id: SubscriptionId,
    pub(super) queues: Vec<Slot>,    // Where it consumes from.
    pub(super) demands: Vec<Demand>, // What more want now, or fewer.
}

/// What a consumer leaves.
#[derive(Debug)]
pub(super) struct Gone {
    pub(super) id: SubscriptionId,
    pub(super) bytes: u64,            // That were outstanding.
    pub(super) slots: Vec<Slot>,      // Where it consumed from.
    pub(super) pending: Vec<Pending>, // Of a bridge's: what waited for credit.
    pub(super) demands: Vec<Demand>,  // What fewer want now, or more: a durable one's are dormant.
}

impl Broker {
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
    pub(super) fn enter(
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
    pub(super) fn welcome(&mut self, now: Instant, entered: Entered, out: &mut Outbox<Output>) {
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
    pub(super) fn end_consumer(
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
    pub(super) fn take_consumer(
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
    pub(super) fn settle_gone(
        &mut self,
        now: Instant,
        origin: Origin,
        gone: Gone,
        out: &mut Outbox<Output>,
    ) -> Vec<Demand> {
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
    pub(super) fn remove_consumer(&mut self, id: SubscriptionId, seen: Tag) -> Gone {
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
}
