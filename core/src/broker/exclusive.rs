//! Consumers that want a queue to themselves: while there is one, it alone is handed the queue's messages.

use core::cmp::Reverse;

use super::registry::{Consumer, Entry};
use super::subscription::SubscriptionId;
use crate::model::ConsumerPriority;

impl Entry {
    /// True if a consumer may be handed messages: the queue is not paused, and nobody else has it to themselves.
    #[inline]
    pub(super) fn is_open_to(&self, id: SubscriptionId) -> bool {
        !self.is_paused && self.exclusive.is_none_or(|holder| holder == id)
    }

    /// Gives a queue to one of its consumers that wants it alone. The first has it; a later one takes it over only by a
    /// higher priority, or by the highest there is.
    pub(super) fn claim(&mut self, claimant: Consumer) {
        let holder = self.consumers.iter().find(|known| Some(known.id) == self.exclusive);
        let is_highest = claimant.priority == i32::from(ConsumerPriority::MAX.level());
        if holder.is_none_or(|holder| is_highest || claimant.priority > holder.priority) {
            self.exclusive = Some(claimant.id);
        }
    }

    /// A consumer has left: if it had the queue to itself, of all others who want that the one with the highest priority
    /// has it now, and of equals the first that came.
    pub(super) fn succeed(&mut self, gone: SubscriptionId) {
        if self.exclusive == Some(gone) {
            let heirs = self.consumers.iter().filter(|consumer| consumer.is_exclusive);
            self.exclusive = heirs.max_by_key(|heir| (heir.priority, Reverse(heir.id))).map(|heir| heir.id);
        }
    }
}
