//! Who takes messages, and what they were handed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use flockmq_core::{
    Ack, AckExtent, AckKind, ConsumerId, Delivery, Destination, Instant, Message, Refusal, Subscription, Tag, What,
};

use super::place::Waiting;
use super::{Model, REMOTE, is_queue};

/// Consumers in order of birth.
pub(super) type Id = u64;

/// One consumer.
pub(super) struct Consumer {
    pub(super) id: Id,
    pub(super) connection: u64,
    pub(super) number: ConsumerId,
    pub(super) pattern: Destination,
    pub(super) prefetch: u32,
    pub(super) last: Tag,
    pub(super) held: BTreeMap<Tag, (usize, Waiting)>, // By the place they came from.
    pub(super) pending: VecDeque<Arc<Message>>,       // Of a topic: what waits for credit.
    pub(super) progressed_at: Instant,
    pub(super) is_stalled: bool,
}

impl Model {
    pub(crate) fn subscribe(
        &mut self,
        connection: u64,
        number: ConsumerId,
        asked: &Subscription,
    ) -> Result<(), Refusal> {
        let pattern = &asked.destination;
        self.attached(connection)?;
        if self.find(connection, number).is_ok() {
            return Err(Refusal::AlreadyExists { what: What::Consumer, number: number.0 });
        }
        let max = self.config.consumers_max;
        if self.of(connection).count() >= max {
            return Err(Refusal::LimitReached { what: What::Consumer, max: max as u64 });
        }
        let prefetch = self.prefetch(asked)?;
        if !pattern.is_pattern() {
            self.place(pattern)?;
        }
        self.born += 1;
        let id = self.born;
        self.consumers.insert(
            id,
            Consumer {
                id,
                connection,
                number,
                pattern: pattern.clone(),
                prefetch,
                last: 0,
                held: BTreeMap::new(),
                pending: VecDeque::new(),
                progressed_at: self.now,
                is_stalled: false,
            },
        );
        for place in self.covered(pattern) {
            self.queue_up(place, id);
            self.refill(place, id);
            self.unpark(place);
        }
        Ok(())
    }

    /// Ends a consumer; those of its deliveries up to `seen` may have been looked at.
    pub(crate) fn unsubscribe(&mut self, connection: u64, number: ConsumerId, seen: Tag) -> Result<(), Refusal> {
        let id = self.find(connection, number)?;
        for place in self.end(id, seen) {
            self.dispatch(place);
        }
        self.replenish_all(connection, id);
        self.unpark_all();
        Ok(())
    }

    pub(crate) fn acknowledge(&mut self, connection: u64, ack: Ack) -> Result<(), Refusal> {
        let id = self.find(connection, ack.consumer)?;
        let now = self.now;
        let consumer = self.consumer(id);
        let covered: Vec<Tag> = match ack.extent {
            AckExtent::Individual => consumer.held.keys().copied().filter(|tag| *tag == ack.tag).collect(),
            AckExtent::UpTo if ack.tag > consumer.last => Vec::new(),
            AckExtent::UpTo => consumer.held.range(..=ack.tag).map(|(tag, _)| *tag).collect(),
        };
        if covered.is_empty() {
            return Err(Refusal::NotOutstanding { consumer: ack.consumer, tag: ack.tag });
        }
        (consumer.progressed_at, consumer.is_stalled) = (now, false);
        let covered: Vec<_> = covered.iter().filter_map(|tag| consumer.held.remove(tag)).collect();
        let queue = is_queue(&consumer.pattern);
        let count = covered.len() as u64;
        if ack.kind == AckKind::Accepted {
            self.counts.acknowledged += count;
            self.counts.acknowledged_queued += if queue { count } else { 0 };
        } else if queue && ack.kind == AckKind::Rejected {
            self.counts.failed_queued += count;
            self.counts.discarded += count;
        } else if queue {
            let places: BTreeSet<usize> = covered.iter().map(|(place, _)| *place).collect();
            for (place, waiting) in covered {
                self.give_back(place, waiting, 1);
            }
            for place in places {
                self.dispatch(place);
            }
        }
        self.replenish(id);
        self.replenish_all(connection, id);
        self.unpark_all();
        Ok(())
    }

    /// How many tags a consumer has been handed.
    pub(crate) fn last(&self, number: ConsumerId) -> Tag {
        self.consumers.values().find(|found| found.number == number).map_or(0, |found| found.last)
    }

    /// Takes a consumer away and its deliveries back; tells where it consumed from.
    pub(super) fn end(&mut self, id: Id, seen: Tag) -> Vec<usize> {
        let gone = self.consumers.remove(&id).expect("a consumer");
        let places = self.covered(&gone.pattern);
        for place in &places {
            self.places[*place].turns.retain(|found| *found != id);
        }
        for (tag, (place, waiting)) in gone.held.into_iter().filter(|_| is_queue(&gone.pattern)) {
            self.give_back(place, waiting, u32::from(tag <= seen));
        }
        places
    }

    /// Another delivery may be outstanding; of the remote client's consumers, only so many bytes of all together.
    pub(super) fn has_credit(&self, id: Id) -> bool {
        let found = &self.consumers[&id];
        let held = self.of(REMOTE).flat_map(|found| found.held.values());
        let bytes: u64 = held.map(|(_, waiting)| waiting.size()).sum();
        found.held.len() < found.prefetch as usize && (found.connection != REMOTE || bytes < self.remote.window)
    }

    pub(super) fn hand(&mut self, id: Id, place: usize, waiting: Waiting) {
        self.counts.delivered += 1;
        let (redeliveries, message) = (waiting.redeliveries, Arc::clone(&waiting.message));
        let consumer = self.consumer(id);
        consumer.last += 1;
        let redeliveries = if is_queue(&consumer.pattern) { redeliveries } else { 0 };
        let delivery = Delivery { tag: consumer.last, redeliveries, message };
        consumer.held.insert(consumer.last, (place, waiting));
        assert!(consumer.held.len() <= consumer.prefetch as usize, "Q5: credit");
        let number = consumer.number;
        self.said.delivered.entry(number).or_default().push(delivery);
    }

    /// A connection's consumers.
    pub(super) fn of(&self, connection: u64) -> impl Iterator<Item = &Consumer> {
        self.consumers.values().filter(move |found| found.connection == connection)
    }

    pub(super) fn find(&self, connection: u64, number: ConsumerId) -> Result<Id, Refusal> {
        let found = self.of(connection).find(|found| found.number == number);
        found.map(|found| found.id).ok_or(Refusal::unknown_consumer(number))
    }

    pub(super) fn consumer(&mut self, id: Id) -> &mut Consumer {
        self.consumers.get_mut(&id).expect("a consumer")
    }

    fn prefetch(&self, asked: &Subscription) -> Result<u32, Refusal> {
        let config = &self.config;
        let default = if is_queue(&asked.destination) { config.queue_prefetch } else { config.topic_prefetch };
        let (prefetch, max) = (asked.prefetch.unwrap_or(default), config.prefetch_max);
        if (1..=max).contains(&prefetch) {
            Ok(prefetch)
        } else {
            Err(Refusal::PrefetchOutOfRange { found: prefetch, max })
        }
    }

    /// Hands a consumer what waits for it, now that it has credit again.
    fn replenish(&mut self, id: Id) {
        let pattern = self.consumers[&id].pattern.clone();
        if !is_queue(&pattern) {
            return self.drain(id);
        }
        for place in self.covered(&pattern) {
            self.refill(place, id);
        }
    }

    /// What one consumer of the remote client had of the link's window, the others may have now.
    fn replenish_all(&mut self, connection: u64, first: Id) {
        if connection == REMOTE {
            let mut all: Vec<_> = self.of(REMOTE).map(|found| (found.id != first, found.number, found.id)).collect();
            all.sort_unstable();
            for (_, _, id) in all {
                self.replenish(id);
            }
        }
    }
}
