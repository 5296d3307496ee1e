//! What consumers with selectors want of the messages they might be handed.

use core::cell::Cell;

use super::Broker;
use super::queue::Entry;
use super::subscription::Subscription;
use crate::base::{Instant, Timestamp};
use crate::model::selector::{Candidate, Verdict};
use crate::model::{Message, Selector};

/// What selectors are asked with, and how often one was given up.
#[derive(Debug, Default)]
pub(super) struct Selection {
    wall: (Timestamp, Instant), // What the wall clock read, and when.
    too_costly: Cell<u64>,      // Whoever asks only looks.
}

impl Selection {
    /// As [`Selection::wants`], of a queue's message.
    #[inline]
    pub(super) fn wants_waiting(&self, subscription: &Subscription, entry: &Entry) -> bool {
        self.wants(subscription, &entry.message, entry.redeliveries.0, entry.arrived_at)
    }

    /// True if a subscription has no selector, or one that is true of this message, which came `arrived_at`.
    #[inline]
    pub(super) fn wants(
        &self,
        subscription: &Subscription,
        message: &Message,
        redeliveries: u32,
        arrived_at: Instant,
    ) -> bool {
        let selector = subscription.selector.as_ref();
        selector.is_none_or(|selector| self.is_met(selector, message, redeliveries, arrived_at))
    }

    fn is_met(&self, selector: &Selector, message: &Message, redeliveries: u32, arrived_at: Instant) -> bool {
        let expires_at = message.body.headers.time_to_live.map(|left| self.wall_at(arrived_at + left));
        match selector.evaluate(&Candidate { message, redeliveries, expires_at }) {
            Verdict::True => true,
            Verdict::False | Verdict::Unknown => false,
            Verdict::TooCostly => {
                self.too_costly.set(self.too_costly.get() + 1);
                false
            }
        }
    }

    /// What the wall clock reads at some instant, as far as is known now.
    pub(super) fn wall_at(&self, at: Instant) -> Timestamp {
        let (wall, read_at) = self.wall;
        if at < read_at { wall - (read_at - at) } else { wall + (at - read_at) }
    }

    /// How often a selector was given up.
    pub(super) fn too_costly(&self) -> u64 {
        self.too_costly.get()
    }
}

impl Broker {
    /// The wall clock reads this now.
    pub(crate) fn set_wall(&mut self, now: Instant, wall: Timestamp) {
        self.selection.wall = (wall, now);
    }
}
