//! Destinations that nobody uses any more.

use core::time::Duration;

use super::due::Due;
use super::registry::{self, Room, Slot};
use super::{Broker, Output};
use crate::base::{Instant, Outbox, Situation};
use crate::model::{Advisory, Destination, Refusal};

impl Broker {
    /// The slot of a destination, which is created if there is none.
    #[inline]
    pub(super) fn resolve_lasting(
        &mut self,
        now: Instant,
        name: &Destination,
        out: &mut Outbox<Output>,
    ) -> Result<Slot, Refusal> {
        let slot = self.registry.resolve(name, &self.subscriptions, &self.config)?;
        if self.registry.take_born() == Some(slot) {
            self.watch(now, slot);
            self.advise(out, |_| Advisory::DestinationAdded { destination: name.clone() });
        }
        Ok(slot)
    }

    /// Takes note that a destination is used: it is looked at when it may have been idle for long enough since.
    pub(super) fn watch(&mut self, now: Instant, slot: Slot) {
        let entry = self.registry.get_mut(slot);
        if let Some(after) = entry.policy.forgotten_after
            && !entry.name.is_temporary()
        {
            entry.told_at_last = entry.counts.told();
            self.due.set(Due::Idle(slot), Some(now + after.max(PERIOD_MIN)));
        }
    }

    /// Forgets a destination if nothing has happened there since it was last looked at, and nothing of it would be missed.
    pub(super) fn forget_idle(&mut self, now: Instant, slot: Slot, out: &mut Outbox<Output>) {
        let Some(entry) = self.registry.known(slot) else {
            return;
        };
        if entry.counts.told() != entry.told_at_last || self.is_needed(slot, entry) {
            return self.watch(now, slot);
        }
        tracing::debug!(destination = %entry.name, "an idle destination is forgotten");
        self.stats.forgotten += 1;
        Situation::DestinationForgotten.met();
        self.forget(slot, out);
    }

    /// True if a destination has anything that would be missed.
    fn is_needed(&self, slot: Slot, entry: &registry::Entry) -> bool {
        let has_content = match &entry.room {
            Room::Queue(queue) => queue.len() + queue.delayed() > 0,
            Room::Topic => entry.past.as_ref().is_some_and(|past| !past.is_empty()),
        };
        // A queue of a virtual topic is a subscriber: what is sent to the topic waits there while nobody consumes.
        let subscribes = || self.config.virtual_topics.as_ref().is_some_and(|all| all.topic_of(&entry.name).is_some());
        let is_looked_at = || self.subscriptions.iter().any(|(_, found)| found.looks_at(slot));
        !entry.consumers.is_empty()
            || !entry.parked.is_empty()
            || entry.is_paused
            || has_content
            || subscribes()
            || is_looked_at()
    }
}

/// The shortest time between two looks at a destination.
const PERIOD_MIN: Duration = Duration::from_millis(1);
