//! Who takes messages, and what they were handed.

use std::collections::BTreeMap;

use flockmq_core::selector::Candidate;
use flockmq_core::{
    ConsumerId, Delivery, Destination, DestinationPolicy, Instant, Refusal, SlowConsumers, Subscription, Tag, What,
};

use super::browse::Browse;
use super::place::{Delayed, Waiting};
use super::{Model, REMOTE, is_queue};

/// Consumers in order of birth.
pub(super) type Id = u64;

/// One consumer.
pub(super) struct Consumer {
    pub(super) id: Id,
    pub(super) connection: u64,
    pub(super) number: ConsumerId,
    pub(super) asked: Subscription,
    pub(super) prefetch: u32,
    pub(super) bytes_max: u64, // Of a topic: as much as may wait for credit.
    pub(super) when_slow: SlowConsumers,
    pub(super) last: Tag,
    pub(super) held: BTreeMap<Tag, (usize, Waiting)>, // By the place they came from.
    pub(super) born: u64,                             // Of a topic: messages that have come for it.
    pub(super) pending: Vec<Waiting>,                 // Of a topic, in order: what waits for credit.
    pub(super) delayed: Vec<Delayed>,                 // Of a durable subscription.
    pub(super) progressed_at: Instant,
    pub(super) is_stalled: bool,
    pub(super) has_ended: bool, // What is left is a durable subscription.
    pub(super) browse: Option<Browse>,
}

impl Model {
    pub(crate) fn subscribe(
        &mut self,
        connection: u64,
        number: ConsumerId,
        asked: &Subscription,
    ) -> Result<(), Refusal> {
        self.attached(connection)?;
        if connection == REMOTE {
            self.check_owner(connection, asked)?;
        }
        self.catch_up();
        let prefetch = self.check_subscription(connection, number, asked)?;
        let browse = if asked.browses { Some(self.browse(asked)?) } else { None };
        self.check_durable(asked)?;
        if !asked.browses {
            self.make_places(&asked.destination)?;
        }
        let kept = self.claim(asked);
        let is_new = kept.is_none();
        let (pending, delayed, born) = kept.unwrap_or_default();
        self.born += 1;
        let id = self.born;
        self.consumers.insert(
            id,
            Consumer {
                id,
                connection,
                number,
                asked: asked.clone(),
                prefetch,
                bytes_max: self.pending_max(asked),
                when_slow: self.when_slow(asked),
                last: 0,
                held: BTreeMap::new(),
                born,
                pending,
                delayed,
                progressed_at: self.now,
                is_stalled: false,
                has_ended: false,
                browse,
            },
        );
        if asked.browses {
            self.look_on(id);
            return Ok(());
        }
        let places = self.places_of(asked);
        for place in &places {
            self.join(*place, id);
            self.tend(*place);
        }
        self.drain(id);
        if asked.retroactive && is_new {
            self.recover(id, &places);
        }
        for place in places {
            if self.is_queue(place) {
                self.refill(place, id);
                self.unpark(place);
            }
        }
        self.unpark_all();
        Ok(())
    }

    /// Ends a consumer; those of its deliveries up to `seen` may have been looked at.
    pub(crate) fn unsubscribe(&mut self, connection: u64, number: ConsumerId, seen: Tag) -> Result<(), Refusal> {
        self.catch_up();
        let id = self.find(connection, number)?;
        self.lose_acknowledgements(connection, number);
        for place in self.end(id, seen) {
            self.dispatch(place);
            self.tend(place);
        }
        if connection == REMOTE {
            self.replenish(connection, id);
        }
        self.unpark_all();
        Ok(())
    }

    /// A connection's consumers.
    pub(crate) fn consumers(&self, connection: u64) -> Vec<ConsumerId> {
        self.of(connection).map(|found| found.number).collect()
    }

    /// Connections whose consumers were handed something and have not answered.
    pub(crate) fn holders(&self) -> Vec<u64> {
        let holding = self.consumers.values().filter(|found| !found.held.is_empty());
        holding.map(|found| found.connection).collect()
    }

    /// What a consumer was handed and has not answered.
    pub(crate) fn held(&self, number: ConsumerId) -> Vec<Tag> {
        let found = self.consumers.values().find(|found| found.number == number && !found.has_ended);
        found.into_iter().flat_map(|found| found.held.keys().copied()).collect()
    }

    /// How many tags a consumer has been handed.
    pub(crate) fn last(&self, number: ConsumerId) -> Tag {
        self.consumers.values().find(|found| found.number == number && !found.has_ended).map_or(0, |found| found.last)
    }

    /// Takes a consumer away and its deliveries back; tells where it consumed from.
    pub(super) fn end(&mut self, id: Id, seen: Tag) -> Vec<usize> {
        if self.consumers[&id].asked.durable.is_some() {
            self.suspend(id, seen);
            return Vec::new();
        }
        let gone = self.consumers.remove(&id).expect("a consumer");
        if gone.browse.is_some() {
            return Vec::new();
        }
        let places = self.places_of(&gone.asked);
        for place in &places {
            self.leave(*place, id);
        }
        for (tag, (place, waiting)) in gone.held {
            if self.is_queue(place) {
                self.give_back(place, waiting, u32::from(tag <= seen));
            }
        }
        places
    }

    /// Another delivery may be outstanding; of the remote client's consumers, only so many bytes of all together.
    pub(super) fn has_credit(&self, id: Id) -> bool {
        let found = &self.consumers[&id];
        let held = || self.of(REMOTE).flat_map(|found| found.held.values());
        let bytes = || held().map(|(_, waiting)| waiting.size()).sum::<u64>();
        !found.has_ended
            && found.held.len() < found.prefetch as usize
            && (found.connection != REMOTE || bytes() < self.remote.window)
    }

    /// Hands out a message; true if by that its group is somebody else's, or anybody's. Whoever takes it is
    /// told what is left of its time.
    pub(super) fn hand(&mut self, id: Id, place: usize, waiting: Waiting) -> bool {
        let takes = self.is_queue(place) && !self.consumers[&id].asked.browses;
        let is_freed = takes && self.hand_group(place, &waiting, id);
        let now = self.now;
        let consumer = self.consumer(id);
        consumer.last += 1;
        let delivery = Delivery { tag: consumer.last, redeliveries: waiting.redeliveries, message: waiting.aged(now) };
        consumer.held.insert(consumer.last, (place, waiting));
        assert!(consumer.held.len() <= consumer.prefetch as usize, "Q5: credit");
        let number = consumer.number;
        self.said.delivered.entry(number).or_default().push(delivery);
        self.counts.delivered += 1;
        self.places[place].counts.dispatched += u64::from(takes);
        is_freed
    }

    /// A connection's consumers, without what the durable ones of them left.
    pub(super) fn of(&self, connection: u64) -> impl Iterator<Item = &Consumer> {
        self.consumers.values().filter(move |found| found.connection == connection && !found.has_ended)
    }

    pub(super) fn find(&self, connection: u64, number: ConsumerId) -> Result<Id, Refusal> {
        let found = self.of(connection).find(|found| found.number == number);
        found.map(|found| found.id).ok_or(Refusal::unknown_consumer(number))
    }

    pub(super) fn consumer(&mut self, id: Id) -> &mut Consumer {
        self.consumers.get_mut(&id).expect("a consumer")
    }

    /// Hands a consumer what waits for it, now that it has credit again. What a consumer of the remote client had of the
    /// link's window, the others may have: those that come first, and itself before its equals.
    pub(super) fn replenish(&mut self, connection: u64, id: Id) {
        if connection != REMOTE {
            return self.replenish_one(id);
        }
        let mut all: Vec<Id> = self.of(REMOTE).map(|found| found.id).collect();
        all.sort_by_key(|other| (u8::MAX - self.priority(*other), *other != id, self.consumers[other].number));
        for other in all {
            self.replenish_one(other);
        }
    }

    fn replenish_one(&mut self, id: Id) {
        let asked = self.consumers[&id].asked.clone();
        if asked.browses {
            self.look_on(id);
            return;
        }
        self.drain(id); // First, since publishers may be waiting.
        for place in self.places_of(&asked) {
            self.refill(place, id);
        }
    }

    /// How much may wait for a subscriber's credit.
    fn pending_max(&self, asked: &Subscription) -> u64 {
        let config = &self.config;
        let usual = if asked.durable.is_some() { config.durable_bytes_max } else { config.topic_bytes_max };
        self.policies(asked).map(|policy| policy.bytes_max.unwrap_or(usual)).min().unwrap_or(usual)
    }

    fn when_slow(&self, asked: &Subscription) -> SlowConsumers {
        self.policies(asked).next().map_or_else(SlowConsumers::default, |first| first.slow_consumers)
    }

    /// Of the topics that are named.
    fn policies(&self, asked: &Subscription) -> impl Iterator<Item = &DestinationPolicy> {
        asked.destination.iter().filter(|part| !is_queue(part)).map(|topic| self.policy(topic))
    }

    /// What is asked can be had; tells how much at a time.
    fn check_subscription(&self, connection: u64, number: ConsumerId, asked: &Subscription) -> Result<u32, Refusal> {
        if self.find(connection, number).is_ok() {
            return Err(Refusal::AlreadyExists { what: What::Consumer, number: number.0 });
        }
        let max = self.config.consumers_max;
        if self.of(connection).count() >= max {
            return Err(Refusal::LimitReached { what: What::Consumer, max: max as u64 });
        }
        self.check_owner(connection, asked)?;
        let config = &self.config;
        let usual =
            asked.destination.iter().map(|part| match (is_queue(part), asked.browses, asked.durable.is_some()) {
                (true, true, _) => config.browser_prefetch,
                (true, false, _) => config.queue_prefetch,
                (false, _, true) => config.durable_prefetch,
                (false, _, false) => config.topic_prefetch,
            });
        let (prefetch, max) = (asked.prefetch.or(usual.min()).expect("one at least"), config.prefetch_max);
        if !(1..=max).contains(&prefetch) {
            return Err(Refusal::PrefetchOutOfRange { found: prefetch, max });
        }
        let is_durable = asked.durable.is_some();
        let is_wrong = |part: &&Destination| {
            is_queue(part) && (asked.no_local || asked.retroactive || is_durable) || is_durable && part.is_temporary()
        };
        asked.destination.iter().find(is_wrong).map_or(Ok(prefetch), |part| Err(Refusal::TopicsOnly(part.clone())))
    }
}

impl Consumer {
    /// It asked for this, by its name or by a pattern.
    pub(super) fn names(&self, name: &Destination) -> bool {
        self.asked.destination.iter().any(|part| part.matches(name))
    }

    /// Its selector is true of a message, if it has one.
    pub(super) fn wants(&self, waiting: &Waiting) -> bool {
        let Waiting { redeliveries, ref message, .. } = *waiting;
        let candidate = Candidate { message, redeliveries, expires_at: None };
        self.asked.selector.as_ref().is_none_or(|selector| selector.matches(&candidate))
    }

    /// Adds a message where it belongs.
    pub(super) fn insert_pending(&mut self, waiting: Waiting) {
        self.pending.push(waiting);
        self.pending.sort_by_key(|waiting| waiting.order);
    }
}
