//! Messages that go to everybody who is subscribed at the moment.

use alloc::sync::Arc;

use super::queue::unpin;
use super::registry::Slot;
use super::subscription::SubscriptionId;
use super::{Broker, Output};
use crate::base::{Instant, Outbox};
use crate::model::Message;

impl Broker {
    /// Hands a message to every subscriber, or lets it wait for those without credit.
    pub(super) fn publish(&mut self, now: Instant, slot: Slot, message: &Arc<Message>, out: &mut Outbox<Output>) {
        for index in 0..self.registry.get(slot).consumers.len() {
            let id = self.registry.get(slot).consumers[index].id;
            let has_credit = self.has_credit(id);
            let subscription = self.subscriptions.get_mut(id).expect("a destination's consumers are subscribed");
            if !subscription.admits(message) {
                continue;
            }
            if has_credit && subscription.is_drained() {
                self.deliver(id, Arc::clone(message), 0, None, out);
            } else {
                let mut kept = Arc::clone(message);
                unpin(&mut kept);
                self.stats.dropped += subscription.pend(now, kept, self.config.topic_bytes_max);
            }
        }
    }

    /// Hands a subscriber what waits for it, as far as its credit goes.
    pub(super) fn drain_pending(&mut self, id: SubscriptionId, out: &mut Outbox<Output>) {
        while self.has_credit(id) {
            let subscription = self.subscriptions.get_mut(id).expect("whoever has credit is subscribed");
            let Some(message) = subscription.pop_pending() else {
                return;
            };
            self.deliver(id, message, 0, None, out);
        }
    }
}
