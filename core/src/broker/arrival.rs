//! Messages as they arrive at their destinations.

use alloc::sync::Arc;

use super::expiry::is_over;
use super::registry::{Room, Slot};
use super::topic::Audience;
use super::{Broker, Output};
use crate::base::{Instant, Outbox, Situation};
use crate::model::{Message, Origin};

impl Broker {
    /// Takes a message for good: what came before is recognised, what is over ends here.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        slot: Slot,
        from: Origin,
        redeliveries: u32,
        message: Arc<Message>,
        out: &mut Outbox<Output>,
    ) {
        self.stats.accepted += 1;
        if self.is_duplicate(from, slot, &message) {
            Situation::DuplicateRecognised.met();
            self.stats.duplicates += 1;
            let goes_further = match from {
                Origin::Application(_) => false,
                Origin::Bridge(_) => self.comes_shorter(slot, &message),
                // Straight from its client it may cross any bridge.
                Origin::Remote(_) => matches!(self.registry.get(slot).room, Room::Topic),
            };
            if goes_further {
                // The first copy may have gone no further for the brokers it had crossed. Who has it already drops this.
                Situation::DuplicatePassedOn.met();
                self.publish(now, slot, Some(from), &message, Audience::Peers, out);
            }
            return;
        }
        if let Origin::Bridge(_) = from {
            self.comes_shorter(slot, &message);
        }
        if is_over(&message) {
            self.registry.get_mut(slot).counts.enqueued += 1;
            return self.expire(now, slot, &message, Some(now), out);
        }
        if !self.registry.get(slot).queues.is_empty() {
            self.copy_to_queues(now, slot, from, &message, out);
        }
        self.place(now, slot, Some(from), redeliveries, message, out);
    }

    /// Gives a message its place at its destination, whoever it is from; none if it is the broker's own.
    pub(super) fn place(
        &mut self,
        now: Instant,
        slot: Slot,
        from: Option<Origin>,
        redeliveries: u32,
        message: Arc<Message>,
        out: &mut Outbox<Output>,
    ) {
        let destination = self.registry.get_mut(slot);
        destination.counts.enqueued += 1;
        match &mut destination.room {
            Room::Queue(queue) => {
                let entry = queue.entry(now, message, redeliveries);
                self.stats.accepted_queued += 1;
                self.offer(now, slot, entry, out);
            }
            Room::Topic => {
                // If one of this id has died, it was another, of a producer whose number is used again.
                self.buried.forget(&(message.id.producer, slot), message.id.sequence);
                self.remember(now, slot, from, &message);
                self.publish(now, slot, from, &message, Audience::All, out);
            }
        }
    }

    /// True if a message came to a destination before. What this broker's own application sends can't have.
    fn is_duplicate(&mut self, from: Origin, slot: Slot, message: &Message) -> bool {
        let is_checked = match from {
            Origin::Application(_) => false,
            Origin::Bridge(_) | Origin::Remote(_) => self.config.checks_duplicates,
        };
        is_checked && self.copies.note(slot, message)
    }

    /// Notes that a message came over a bridge; true if it is a topic's, and goes further from here than any copy before.
    #[inline]
    fn comes_shorter(&mut self, slot: Slot, message: &Message) -> bool {
        matches!(self.registry.get(slot).room, Room::Topic) && self.ways.note(slot, message)
    }
}
