//! Messages that go to everybody who is subscribed at the moment.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::queue::unpin;
use super::registry::Slot;
use super::subscription::{Pending, Subscription, SubscriptionId};
use super::{Broker, Output};
use crate::base::{Instant, Outbox, Situation};
use crate::model::{Advisory, Message, Origin};

/// Whom a topic's message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Every subscriber.
    All,
    /// Those behind bridges.
    Peers,
}

impl Broker {
    /// Hands a message to every subscriber of its audience, or lets it wait for those without credit.
    pub(super) fn publish(
        &mut self,
        now: Instant,
        slot: Slot,
        from: Option<Origin>,
        message: &Arc<Message>,
        audience: Audience,
        out: &mut Outbox<Output>,
    ) {
        let mut dispatched = 0;
        for index in 0..self.registry.get(slot).consumers.len() {
            let id = self.registry.get(slot).consumers[index].id;
            dispatched += u64::from(self.publish_to(now, id, from, message, audience, out));
        }
        self.registry.get_mut(slot).counts.dispatched += dispatched;
    }

    /// Hands a message to one subscriber if it is of the audience and wants it, or lets it wait for credit; true if it
    /// does.
    #[inline]
    pub(super) fn publish_to(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        from: Option<Origin>,
        message: &Arc<Message>,
        audience: Audience,
        out: &mut Outbox<Output>,
    ) -> bool {
        let has_credit = self.has_credit(id);
        let subscription = self.subscriptions.get(id).expect("a destination's consumers are subscribed");
        if !subscription.is_for(from, message)
            || (audience == Audience::Peers && !subscription.is_bridge())
            || !self.is_wanted(subscription, message, now)
        {
            return false;
        }
        if !subscription.fits(message) {
            Situation::SubscriberTooSmall.met();
            self.drop_copies(id, [&**message], out);
            return false;
        }
        if subscription.archive.is_some() {
            self.archive(now, id, message, out);
        } else if has_credit && subscription.is_drained() {
            let pending = Pending { message: Arc::clone(message), arrived_at: now };
            self.deliver(now, id, pending, 0, None, out);
        } else {
            let mut kept = Pending { message: Arc::clone(message), arrived_at: now };
            unpin(&mut kept.message);
            let is_mortal = kept.expires_at().is_some();
            let subscription = self.subscriptions.get_mut(id).expect("just found");
            let dropped = subscription.pend(now, kept, &mut self.memory);
            self.drop_copies(id, dropped.iter().map(|copy| &*copy.message), out);
            if is_mortal {
                self.schedule_subscriber(id);
            }
        }
        true
    }

    /// True if a subscription wants a topic's message, which came `arrived_at`; of a bridge, if any of its subscriptions
    /// does. All that they want crosses it under the first of them, so that it stays in order.
    #[inline]
    fn is_wanted(&self, subscription: &Subscription, message: &Message, arrived_at: Instant) -> bool {
        self.selection.wants(subscription, message, 0, arrived_at)
            || (subscription.is_bridge() && self.is_wanted_by_second(subscription, message, arrived_at))
    }

    fn is_wanted_by_second(&self, first: &Subscription, message: &Message, arrived_at: Instant) -> bool {
        let slot = self.registry.find(&message.destination);
        let seconds = slot.into_iter().flat_map(|slot| &self.registry.get(slot).seconds);
        let mut seconds = seconds.filter_map(|id| self.subscriptions.get(*id));
        seconds.any(|second| second.origin == first.origin && self.selection.wants(second, message, 0, arrived_at))
    }

    /// Gives what waited for a bridge's subscription that has ended to the one that comes first now, if any of the bridge's
    /// others wants it.
    pub(super) fn pass_on(&mut self, now: Instant, origin: Origin, pending: Vec<Pending>, out: &mut Outbox<Output>) {
        for kept in pending {
            let message = &kept.message;
            let slot = self.registry.find(&message.destination);
            let consumers = slot.into_iter().flat_map(|slot| &self.registry.get(slot).consumers);
            let heir = consumers.map(|consumer| consumer.id).find(|id| {
                let first = self.subscriptions.get(*id).expect("a destination's consumers are subscribed");
                first.origin == origin && first.admits(message) && self.is_wanted(first, message, kept.arrived_at)
            });
            if let Some(heir) = heir
                && let Some(subscription) = self.subscriptions.get_mut(heir)
            {
                Situation::PendingInherited.met();
                let dropped = subscription.pend(now, kept, &mut self.memory);
                self.drop_copies(heir, dropped.iter().map(|copy| &*copy.message), out);
                self.schedule_subscriber(heir);
                self.drain_pending(now, heir, out);
            }
        }
    }

    /// Counts copies that a subscriber does not get.
    fn drop_copies<'a>(
        &mut self,
        id: SubscriptionId,
        copies: impl IntoIterator<Item = &'a Message>,
        out: &mut Outbox<Output>,
    ) {
        for message in copies {
            self.advise_of(id, out, |destination, _, _| Advisory::MessagesDropped { destination, count: 1 });
            self.stats.dropped += 1;
            if let Some(slot) = self.registry.find(&message.destination) {
                self.registry.get_mut(slot).counts.dropped += 1;
            }
        }
    }

    /// Hands a subscriber what waits for it, as far as its credit goes.
    pub(super) fn drain_pending(&mut self, now: Instant, id: SubscriptionId, out: &mut Outbox<Output>) {
        if self.subscriptions.get(id).is_some_and(|found| found.archive.is_some()) {
            return self.drain_archive(now, id, out);
        }
        while self.has_credit(id) {
            let subscription = self.subscriptions.get_mut(id).expect("whoever has credit is subscribed");
            let Some(pending) = subscription.pop_pending(&mut self.memory) else {
                return;
            };
            if pending.expires_at().is_some() {
                self.schedule_subscriber(id);
            }
            self.deliver(now, id, pending, 0, None, out);
        }
    }
}
