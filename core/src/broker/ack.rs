//! What consumers say of what they were handed.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::dead_letter::Cause;
use super::outstanding::{Held, NotOutstanding};
use super::{Broker, Output};
use crate::base::{Instant, Outbox, Situation};
use crate::model::{Ack, AckExtent, AckKind, Origin, Refusal};

impl Broker {
    /// Takes an answer to deliveries.
    pub(crate) fn acknowledge(
        &mut self,
        now: Instant,
        origin: Origin,
        ack: Ack,
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        self.catch_up(now, out);
        let connection = self.connections.get_mut(&origin).ok_or(Refusal::unknown_consumer(ack.consumer))?;
        let id = *connection.consumers.get(&ack.consumer).ok_or(Refusal::unknown_consumer(ack.consumer))?;
        let subscription = self.subscriptions.get_mut(id).expect("a connection's consumer has a subscription");
        let not_outstanding = Refusal::NotOutstanding { consumer: ack.consumer, tag: ack.tag };
        let before = subscription.outstanding.bytes();
        let (count, held) = (subscription.outstanding.count(), subscription.outstanding.held());
        let taken = match (ack.extent, ack.kind) {
            (AckExtent::Individual, _) => subscription.outstanding.take(ack.tag).map(|held| held.into_iter().collect()),
            (AckExtent::UpTo, AckKind::Accepted) => {
                let dequeue = |held: &Held| self.registry.get_mut(held.slot).counts.dequeue();
                subscription.outstanding.settle_up_to(ack.tag, dequeue)
            }
            (AckExtent::UpTo, AckKind::Rejected | AckKind::Released) => subscription.outstanding.take_up_to(ack.tag),
        }
        .map_err(|NotOutstanding| not_outstanding)?;
        connection.outstanding_bytes -= before - subscription.outstanding.bytes();
        let kept = subscription.archive.as_mut().map(|archive| archive.settle(ack)).unwrap_or_default();
        subscription.progressed(now);
        match ack.kind {
            AckKind::Accepted => {
                self.stats.acknowledged += (count - subscription.outstanding.count()) as u64;
                self.stats.acknowledged_queued += (held - subscription.outstanding.held()) as u64;
                for Held { slot, entry } in taken {
                    if ack.extent == AckExtent::Individual {
                        self.registry.get_mut(slot).counts.dequeue();
                    }
                    self.let_go(slot, &entry);
                }
            }
            AckKind::Rejected => {
                for Held { slot, entry } in taken {
                    self.registry.get_mut(slot).counts.take_back();
                    self.fail(now, slot, &entry, Cause::Rejected, out);
                }
                for entry in kept {
                    self.fail_kept(now, &entry, Cause::Rejected, out);
                }
            }
            AckKind::Released => {
                self.give_back(now, taken, out);
                self.give_back_kept(now, id, kept, out);
            }
        }
        self.replenish(now, origin, id, out);
        Ok(())
    }

    /// Takes back what a consumer gave back. What is dead by that goes where dead letters are kept after all others have
    /// their places again, and have been handed out: some may be older dead letters from there.
    fn give_back(&mut self, now: Instant, returned: Vec<Held>, out: &mut Outbox<Output>) {
        let (mut slots, mut dead) = (BTreeSet::new(), Vec::new());
        for Held { slot, entry } in returned {
            Situation::Released.met();
            self.registry.get_mut(slot).counts.take_back();
            dead.extend(self.redeliver(now, slot, entry).map(|entry| (slot, entry)));
            slots.insert(slot);
        }
        for slot in slots {
            self.dispatch(now, slot, out);
        }
        for (slot, entry) in dead {
            if entry.is_over(now) {
                self.expire_queued(now, slot, &entry, out);
            } else {
                self.fail(now, slot, &entry, Cause::GivenBack, out);
            }
        }
    }
}
