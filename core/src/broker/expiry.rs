//! Messages whose time is up.

use alloc::sync::Arc;
use core::time::Duration;

use super::dead_letter::Cause;
use super::queue::Entry;
use super::registry::Slot;
use super::subscription::Pending;
use super::{Broker, Output};
use crate::base::{Instant, Outbox};
use crate::model::{Advisory, Message};

impl Entry {
    /// When its message is worth nothing any more.
    #[inline]
    pub(super) fn expires_at(&self) -> Option<Instant> {
        self.message.body.headers.time_to_live.map(|left| self.arrived_at + left)
    }

    /// True if its message is worth nothing any more.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.expires_at().is_some_and(|at| at <= now)
    }
}

impl Pending {
    /// When its message is worth nothing any more.
    #[inline]
    pub(super) fn expires_at(&self) -> Option<Instant> {
        self.message.body.headers.time_to_live.map(|left| self.arrived_at + left)
    }

    /// True if its message is worth nothing any more.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.expires_at().is_some_and(|at| at <= now)
    }
}

impl Broker {
    /// Ends a message that a queue has kept until its time was up.
    pub(super) fn expire_queued(&mut self, now: Instant, slot: Slot, entry: &Entry, out: &mut Outbox<Output>) {
        self.stats.expired_queued += 1;
        self.let_go(slot, entry);
        self.expire(now, slot, &entry.message, entry.expires_at(), out);
    }

    /// Ends a topic's message that has waited for a subscriber until its time was up.
    pub(super) fn expire_waiting(&mut self, now: Instant, pending: &Pending, out: &mut Outbox<Output>) {
        match self.resolve_lasting(now, &pending.message.destination, out) {
            Ok(slot) => self.expire(now, slot, &pending.message, pending.expires_at(), out),
            Err(_) => self.stats.expired += 1,
        }
    }

    /// Ends a message whose time is up, or was at `expires_at`.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        slot: Slot,
        message: &Message,
        expires_at: Option<Instant>,
        out: &mut Outbox<Output>,
    ) {
        self.stats.expired += 1;
        self.registry.get_mut(slot).counts.expired += 1;
        self.advise(out, |broker| {
            let destination = broker.registry.get(slot).name.clone();
            Advisory::MessageExpired { destination, message: message.id }
        });
        self.bury(now, slot, message, expires_at, Cause::Expired, out);
    }
}

/// True if nothing is left of a message's life.
#[inline]
pub(super) fn is_over(message: &Message) -> bool {
    message.body.headers.time_to_live == Some(Duration::ZERO)
}

/// Takes what has passed off what is left of a message's life. Only one that has an end is copied for it.
#[inline]
pub(super) fn age(message: &mut Arc<Message>, passed: Duration) {
    if let Some(left) = message.body.headers.time_to_live {
        Arc::make_mut(message).body.headers.time_to_live = Some(left.saturating_sub(passed));
    }
}
