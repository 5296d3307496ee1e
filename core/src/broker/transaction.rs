//! Messages and acknowledgements that count all at once.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Broker, Output};
use crate::base::{Instant, Outbox};
use crate::model::{Ack, AckExtent, AckKind, ConsumerId, Destination, Message, Origin, Refusal, Tag};

impl Broker {
    /// True if a delivery is outstanding, so that it can be acknowledged.
    pub(crate) fn check_outstanding(&self, origin: Origin, consumer: ConsumerId, tag: Tag) -> Result<(), Refusal> {
        let connection = self.connections.get(&origin).ok_or(Refusal::unknown_consumer(consumer))?;
        let id = *connection.consumers.get(&consumer).ok_or(Refusal::unknown_consumer(consumer))?;
        let subscription = self.subscriptions.get(id).expect("a connection's consumer has a subscription");
        if subscription.outstanding.is_outstanding(tag) {
            Ok(())
        } else {
            Err(Refusal::NotOutstanding { consumer, tag })
        }
    }

    /// Sees whether all of a transaction can be done. It is refused where others would wait for room: whoever has been
    /// told that it is done need not stay until there is some.
    pub(crate) fn check_commit<'a>(
        &mut self,
        now: Instant,
        origin: Origin,
        destinations: impl Iterator<Item = &'a Destination>,
        acknowledged: &[(ConsumerId, Tag)],
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        self.catch_up(now, out);
        for (consumer, tag) in acknowledged {
            self.check_outstanding(origin, *consumer, *tag)?;
        }
        for destination in destinations {
            let slot = self.resolve(now, destination, out)?;
            if self.is_congested(slot) {
                return Err(Refusal::NoRoom { destination: destination.clone() });
            }
        }
        Ok(())
    }

    /// Does all of a transaction that can be done.
    pub(crate) fn commit(
        &mut self,
        now: Instant,
        origin: Origin,
        messages: Vec<Arc<Message>>,
        acknowledged: Vec<(ConsumerId, Tag)>,
        out: &mut Outbox<Output>,
    ) {
        for (consumer, tag) in acknowledged {
            let ack = Ack { consumer, tag, extent: AckExtent::Individual, kind: AckKind::Accepted };
            self.acknowledge(now, origin, ack, out).expect("it was seen to be outstanding");
        }
        for message in messages {
            let slot = self.resolve(now, &message.destination, out);
            let slot = slot.expect("it was seen that there is such a destination");
            self.accept(now, slot, origin, 0, message, out);
        }
    }

    /// Gives back what a transaction that is rolled back would have acknowledged, as far as it is still outstanding.
    pub(crate) fn roll_back(
        &mut self,
        now: Instant,
        origin: Origin,
        acknowledged: Vec<(ConsumerId, Tag)>,
        out: &mut Outbox<Output>,
    ) {
        for (consumer, tag) in acknowledged {
            let ack = Ack { consumer, tag, extent: AckExtent::Individual, kind: AckKind::Released };
            // One whose consumer has ended has gone back already.
            _ = self.acknowledge(now, origin, ack, out);
        }
    }
}
