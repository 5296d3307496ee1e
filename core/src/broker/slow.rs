//! Topics' subscribers that publishers have waited for too long.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::subscription::{Subscription, SubscriptionId};
use super::{Broker, Output, advise};
use crate::base::{Instant, Outbox, Situation};
use crate::model::{Refusal, Tag};

/// What becomes of a topic's consumer that is slow: as much waits for it as may, and it has taken nothing for
/// [`stalled_after`](super::BrokerConfig::stalled_after). Publishers wait for it until then, and no more from then on until
/// it takes something again.
///
/// A consumer of a pattern is treated as the policy that holds for the pattern says: [`Policies`](super::Policies) compares
/// it like a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SlowConsumers {
    /// It ends, and is told why (ActiveMQ's `abortSlowConsumerStrategy`). A durable subscription goes on without it. Of a
    /// peer the oldest messages are dropped instead: others consume behind it.
    Disconnect,
    /// It gets what waits, and not what comes meanwhile.
    DropNewest,
    /// It gets the newest messages: the oldest are dropped (ActiveMQ's `constantPendingMessageLimitStrategy` with
    /// `oldestMessageEvictionStrategy`).
    #[default]
    DropOldest,
}

impl Broker {
    /// Gives up on topic subscribers that have taken nothing for too long.
    pub(super) fn give_up_on_slow(&mut self, now: Instant, out: &mut Outbox<Output>) {
        let is_due = |broker: &Self, found: &Subscription| broker.stalls_at(found).is_some_and(|at| at <= now);
        while !self.congested.is_empty() {
            let due: Vec<SubscriptionId> =
                self.subscriptions.iter().filter(|(_, found)| is_due(self, found)).map(|(id, _)| id).collect();
            if due.is_empty() {
                return;
            }
            Situation::SubscriberStalled.met();
            for id in due {
                // The end of one may have made room for another, or let in all that waited for it.
                if self.subscriptions.get(id).is_some_and(|found| is_due(self, found)) {
                    self.give_up(now, id, out);
                }
            }
            // What is let go fills others, which may have taken nothing for as long. Each round gives up on one.
            self.unpark_all(now, out);
        }
    }

    /// When a subscriber that publishers wait for is next given up on.
    pub(super) fn slow_at(&self) -> Option<Instant> {
        if self.congested.is_empty() {
            return None;
        }
        self.subscriptions.iter().filter_map(|(_, found)| self.stalls_at(found)).min()
    }

    fn stalls_at(&self, subscription: &Subscription) -> Option<Instant> {
        let is_awaited = !self.congested.is_empty();
        is_awaited.then(|| subscription.stalls_at(self.config.stalled_after, &self.memory)).flatten()
    }

    fn give_up(&mut self, now: Instant, id: SubscriptionId, out: &mut Outbox<Output>) {
        self.advise_of(id, out, advise::slow);
        let Some(subscription) = self.subscriptions.get_mut(id) else {
            return;
        };
        if subscription.when_slow() != SlowConsumers::Disconnect {
            return subscription.stall();
        }
        let (to, consumer) = (subscription.origin, subscription.consumer);
        let (bytes, max) = subscription.waiting();
        let refusal = Refusal::TooSlow { bytes, max, after: self.config.stalled_after };
        tracing::warn!(%consumer, destination = %subscription.destination, %refusal, "a slow consumer is ended");
        let changed = self.end_consumer(now, to, consumer, Tag::MAX, out).expect("whoever is slow is attached");
        self.stats.ended_slow += 1;
        Situation::SubscriberEnded.met();
        out.push(Output::Ended { to, consumer, refusal: Box::new(refusal) });
        self.tell_demand(changed, out);
    }
}
