//! Subscriptions that outlast their consumers.

use flockmq_core::{Durable, Refusal, SlowConsumers, Subscription, Tag, What};

use super::Model;
use super::consumer::{Consumer, Id};
use super::place::{Delayed, Waiting};

impl Model {
    /// Deletes a durable subscription that has no consumer.
    pub(super) fn remove_durable(&mut self, durable: &Durable) -> Result<(), Refusal> {
        let id = self.durable(durable).ok_or_else(|| Refusal::DurableUnknown(durable.clone()))?;
        if !self.consumers[&id].has_ended {
            return Err(Refusal::DurableInUse(durable.clone()));
        }
        for place in self.forget_durable(id) {
            self.tend(place);
        }
        self.unpark_all();
        Ok(())
    }

    /// A durable subscription has one consumer at a time.
    pub(super) fn check_durable(&self, asked: &Subscription) -> Result<(), Refusal> {
        let Some(durable) = &asked.durable else { return Ok(()) };
        let max = self.config.durables_max as u64;
        let count = self.consumers.values().filter(|found| found.asked.durable.is_some()).count();
        match self.durable(durable) {
            Some(id) if !self.consumers[&id].has_ended => Err(Refusal::DurableInUse(durable.clone())),
            None if count as u64 >= max => Err(Refusal::LimitReached { what: What::Durable, max }),
            _ => Ok(()),
        }
    }

    /// What was kept for the subscription that is asked for, delayed or not, and how many messages have come for it; none if it begins anew, as it
    /// does when it is asked for with another destination, no-local or selector.
    pub(super) fn claim(&mut self, asked: &Subscription) -> Option<(Vec<Waiting>, Vec<Delayed>, u64)> {
        let id = asked.durable.as_ref().and_then(|durable| self.durable(durable))?;
        let found = self.consumer(id);
        let same = |asked: &Subscription| (asked.destination.clone(), asked.no_local, asked.selector.clone());
        let is_same = same(&found.asked) == same(asked);
        let kept = (std::mem::take(&mut found.pending), std::mem::take(&mut found.delayed), found.born);
        self.forget_durable(id);
        is_same.then_some(kept)
    }

    /// The consumer of a durable subscription ends: what it was handed has its old place again, and from now on what is
    /// kept is bounded by what is dropped.
    pub(super) fn suspend(&mut self, id: Id, seen: Tag) {
        let found = self.consumer(id);
        for (tag, (_, waiting)) in std::mem::take(&mut found.held) {
            let redeliveries = waiting.redeliveries.saturating_add(u32::from(tag <= seen));
            found.insert_pending(Waiting { redeliveries, ..waiting });
        }
        (found.has_ended, found.is_stalled) = (true, true);
        self.trim_durable(id);
    }

    /// Drops the oldest of what is kept for somebody who takes none of it, or the newest, until it is no more than may be;
    /// but not the last.
    pub(super) fn trim_durable(&mut self, id: Id) {
        while self.consumers[&id].is_beyond(self.waiting_bytes() > self.config.memory_max) {
            let found = self.consumer(id);
            let at = if found.when_slow == SlowConsumers::DropNewest { found.pending.len() - 1 } else { 0 };
            found.pending.remove(at);
            self.counts.dropped += 1;
        }
    }

    fn durable(&self, durable: &Durable) -> Option<Id> {
        self.consumers.values().find(|found| found.asked.durable.as_ref() == Some(durable)).map(|found| found.id)
    }

    /// Tells where it consumed from.
    fn forget_durable(&mut self, id: Id) -> Vec<usize> {
        let gone = self.consumers.remove(&id).expect("a durable subscription");
        let places = self.places_of(&gone.asked);
        for place in &places {
            self.leave(*place, id);
        }
        places
    }
}

impl Consumer {
    /// More is kept than may be for somebody who takes none of it.
    fn is_beyond(&self, is_memory_beyond: bool) -> bool {
        let is_beyond = is_memory_beyond || self.pending_bytes() > self.bytes_max;
        self.asked.durable.is_some() && self.is_stalled && is_beyond && self.pending.len() > 1
    }
}
