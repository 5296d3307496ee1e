//! Deliveries that were given back, and when they are handed out again.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::Broker;
use super::queue::Entry;
use super::registry::Slot;
use crate::base::{Instant, grown};

/// When and how often a delivery that was given back is handed out again (ActiveMQ's `RedeliveryPolicy`).
///
/// It holds for deliveries that their consumer gives back ([`AckKind::Released`](crate::AckKind::Released)), or with a
/// transaction that is rolled back. Those of a consumer that leaves or crashes go back at once, and are not limited: they
/// say something of the consumer, not of the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeliveryPolicy {
    /// How often a message may be handed out again (`maximumRedeliveries`); given back once more it is a dead letter. No
    /// limit if `None`.
    pub redeliveries_max: Option<u32>,
    /// How long a message waits when it is given back for the first time (`initialRedeliveryDelay`).
    pub first_delay: Duration,
    /// How long it waits the second time (`redeliveryDelay`).
    pub delay: Duration,
    /// What each later wait is multiplied by to give the next (`backOffMultiplier`); 1 keeps them equal.
    pub factor: u32,
    /// The longest wait (`maximumRedeliveryDelay`).
    pub delay_max: Duration,
    /// True if messages behind one that waits to be handed out again wait with it, so that order is kept. Otherwise they
    /// go on meanwhile (`nonBlockingRedelivery`).
    pub keeps_order: bool,
}

impl Default for RedeliveryPolicy {
    /// As ActiveMQ's: a second each time, six times. Others go on meanwhile.
    fn default() -> Self {
        Self {
            redeliveries_max: Some(6),
            first_delay: Duration::from_secs(1),
            delay: Duration::from_secs(1),
            factor: 1,
            delay_max: Duration::from_hours(1),
            keeps_order: false,
        }
    }
}

impl RedeliveryPolicy {
    /// How long a message waits that was given back for the n-th time.
    pub(super) fn wait(&self, times: u32) -> Duration {
        if times <= 1 {
            return self.first_delay.min(self.delay_max);
        }
        grown(self.delay, self.factor, self.delay_max, times - 2)
    }

    /// True if a message may not be handed out again after it was given back so often.
    pub(super) fn is_exceeded(&self, times: u32) -> bool {
        self.redeliveries_max.is_some_and(|max| times > max)
    }
}

impl Broker {
    /// Takes back a queue's delivery that its consumer gave back, until it is handed out again; whoever calls dispatches
    /// afterwards. One that is dead by that, or whose time is up, is handed back.
    pub(super) fn redeliver(&mut self, now: Instant, slot: Slot, mut entry: Entry) -> Option<Entry> {
        if entry.is_over(now) {
            return Some(entry);
        }
        entry.redeliveries += 1;
        let destination = self.registry.get(slot);
        let policy = &destination.policy.redelivery;
        // What is dead already has nowhere else to go.
        if policy.is_exceeded(entry.redeliveries.0) && !destination.is_dead_letter_queue() {
            return Some(entry);
        }
        let (wait, keeps_order) = (policy.wait(entry.redeliveries.0), policy.keeps_order);
        if wait.is_zero() {
            self.keep(slot, entry);
        } else {
            self.registry.queue(slot).delay(now + wait, entry, keeps_order, &mut self.memory);
            self.schedule(slot);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn waits_grow_by_their_factor_up_to_the_longest() {
        let seconds = |policy: &RedeliveryPolicy| (1..8).map(|times| policy.wait(times).as_secs()).collect::<Vec<_>>();
        let policy = RedeliveryPolicy::default();
        assert_eq!(seconds(&policy), [1; 7]);
        let grows = RedeliveryPolicy {
            first_delay: Duration::from_secs(7),
            delay: Duration::from_secs(2),
            factor: 5,
            delay_max: Duration::from_mins(1),
            ..policy
        };
        assert_eq!(seconds(&grows), [7, 2, 10, 50, 60, 60, 60]);
        assert_eq!(grows.wait(u32::MAX), Duration::from_mins(1));
        let endless = RedeliveryPolicy { delay_max: Duration::MAX, ..grows };
        assert_eq!(endless.wait(u32::MAX), Duration::MAX);
    }
}
