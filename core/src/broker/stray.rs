//! Queues' messages that came over a bridge and that nobody here can take: they go where they are wanted, back along
//! their path or beyond where it ends.
//!
//! By the ordinary rule a message goes on towards consumers whose brokers it has not crossed, as far as it may. One that is
//! not wanted any more where it has come to could go nowhere by it, so it begins anew from there, towards the nearest
//! consumer. Each broker on its way has one nearer, and at the consumer's own broker it stays: it moves again only when
//! consumers have come and gone.

use super::place::Place;
use super::queue::Entry;
use super::registry::{self, Consumer};
use super::selection::Selection;
use super::subscription::{Subscription, Subscriptions};

/// Those who might be handed a queue's messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Takers<'a> {
    pub(super) consumers: &'a [Consumer],
    pub(super) subscriptions: &'a Subscriptions,
    pub(super) selection: &'a Selection,
}

impl Takers<'_> {
    /// True if a message may be handed to this one of them and can be, and it wants it.
    #[inline]
    pub(super) fn takes(self, taker: &Subscription, entry: &Entry) -> bool {
        self.can_have(taker, entry) && self.selection.wants_waiting(taker, entry)
    }

    /// True if a message may be handed to this one of them and can be, whether or not it wants it.
    #[inline]
    pub(super) fn can_have(self, taker: &Subscription, entry: &Entry) -> bool {
        taker.fits(&entry.message) && (taker.leads_on(&entry.message) || self.is_stray(taker, entry))
    }

    /// True if a message that came over a bridge is wanted behind `taker`, nowhere nearer, and by nobody whom it may go to
    /// in the ordinary way.
    #[cold]
    fn is_stray(self, taker: &Subscription, entry: &Entry) -> bool {
        let Entry { message, .. } = entry;
        !message.path.is_empty()
            && taker.admits_anew(message)
            && self.consumers.iter().filter_map(|consumer| self.subscriptions.get(consumer.id)).all(|other| {
                let is_nearer = || other.path.len() < taker.path.len() && other.admits_anew(message);
                let comes_first = other.leads_on(message) || is_nearer();
                // One that it is too large for counts too: there may be such where it would go, so that it came back.
                !(comes_first && self.selection.wants_waiting(other, entry))
            })
    }
}

impl registry::Entry {
    /// A queue's consumer has left: what its peers may be handed may be more now.
    pub(super) fn ask_peers_again(&mut self, subscriptions: &Subscriptions) {
        let is_peer = |consumer: &Consumer| subscriptions.get(consumer.id).is_some_and(Subscription::is_bridge);
        if self.consumers.iter().any(|consumer| !is_peer(consumer) && !consumer.is_selective) {
            return; // Who takes anything is still here.
        }
        for consumer in self.consumers.iter_mut().filter(|consumer| is_peer(consumer)) {
            consumer.cursor = Place::FIRST;
        }
    }
}
