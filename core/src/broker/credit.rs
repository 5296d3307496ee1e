//! Who may be handed more, and the handing.

use alloc::vec::Vec;
use core::cmp::Reverse;

use super::expiry::age;
use super::outstanding::Held;
use super::subscription::{Pending, Subscription, SubscriptionId};
use super::{Broker, Output};
use crate::base::{Instant, Outbox, Situation};
use crate::model::{Delivery, DestinationKind, Origin, Tag};

impl Broker {
    /// Hands a subscription what waits for it, now that it has credit again.
    pub(super) fn replenish(&mut self, now: Instant, origin: Origin, id: SubscriptionId, out: &mut Outbox<Output>) {
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
    pub(super) fn replenish_all(&mut self, now: Instant, origin: Origin, id: SubscriptionId, out: &mut Outbox<Output>) {
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
    pub(super) fn deliver(
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

    /// True if another delivery may be outstanding, as far as a consumer and its connection go.
    pub(super) fn has_credit(&self, id: SubscriptionId) -> bool {
        self.subscriptions.get(id).is_some_and(|subscription| {
            subscription.has_credit() && {
                let connection = &self.connections[&subscription.origin];
                connection.limits.window.is_none_or(|window| connection.outstanding_bytes < window)
            }
        })
    }
}
