//! Messages and acknowledgements that count all at once.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Broker, Output};
use crate::base::{Instant, Outbox};
use crate::model::{Ack, AckExtent, AckKind, ConsumerId, Message, Origin, Refusal, Tag};

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

    /// Does all of a transaction, or refuses it and has changed nothing. It is refused where others would wait for room:
    /// whoever has been told that it is done need not stay until there is some.
    pub(crate) fn commit(
        &mut self,
        now: Instant,
        origin: Origin,
        messages: Vec<Arc<Message>>,
        acknowledged: Vec<(ConsumerId, Tag)>,
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        self.catch_up(now, out);
        for (consumer, tag) in &acknowledged {
            self.check_outstanding(origin, *consumer, *tag)?;
        }
        self.check_all(messages.iter().map(|message| &message.destination))?;
        if let Some(message) = messages.iter().find(|message| self.would_wait(now, origin, message)) {
            return Err(Refusal::NoRoom { destination: message.destination.clone() });
        }
        // All of them before anything else makes a destination, as a dead letter may.
        let slots = self.resolve_each(now, &messages, out)?;
        for (consumer, tag) in acknowledged {
            let ack = Ack { consumer, tag, extent: AckExtent::Individual, kind: AckKind::Accepted };
            self.acknowledge(now, origin, ack, out).expect("it was seen to be outstanding");
        }
        for (slot, message) in slots.into_iter().zip(messages) {
            self.accept(now, slot, origin, 0, message, out);
        }
        self.unpark_all(now, out); // What was dropped for slow subscribers has made room.
        Ok(())
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
