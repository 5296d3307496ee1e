//! What consumers say of what they were handed.

use alloc::collections::BTreeSet;

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
        let rejected =
            subscription.archive.as_mut().map(|archive| archive.settle(ack, &mut self.memory)).unwrap_or_default();
        subscription.progressed(now);
        let mut returned = BTreeSet::new();
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
                for message in rejected {
                    self.reject(now, &message, out);
                }
            }
            AckKind::Released => {
                for Held { slot, entry } in taken {
                    Situation::Released.met();
                    self.registry.get_mut(slot).counts.take_back();
                    self.redeliver(now, slot, entry, out);
                    returned.insert(slot);
                }
            }
        }
        for slot in returned {
            self.dispatch(now, slot, out);
        }
        self.replenish(now, origin, id, out);
        Ok(())
    }
}
