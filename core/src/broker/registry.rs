//! The destinations there are, and who consumes from each.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::ops::Bound;

use super::BrokerConfig;
use super::admin::Counts;
use super::history::Past;
use super::index::Index;
use super::parking::Parked;
use super::place::Place;
use super::policy::DestinationPolicy;
use super::queue::Queue;
use super::subscription::{Subscription, SubscriptionId, Subscriptions};
use super::turn::Turn;
use crate::base::{Arena, Key};
use crate::model::{Destination, DestinationKind, Refusal, What};

/// A destination's place in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u64);

impl Key for Slot {
    fn from_number(number: u64) -> Self {
        Self(number)
    }
    fn number(self) -> u64 {
        self.0
    }
}

/// One destination.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Destination,
    pub(super) room: Room,
    pub(super) policy: DestinationPolicy,
    pub(super) consumers: Vec<Consumer>, // First in turn first; of a topic, one for each bridge.
    /// Topics: the other subscriptions of those bridges.
    pub(super) seconds: Vec<SubscriptionId>,
    pub(super) exclusive: Option<SubscriptionId>, // Queues: whoever has it to itself.
    pub(super) parked: VecDeque<Parked>,
    pub(super) past: Option<Box<Past>>, // Of a topic that remembers something.
    /// Topics: the queues that get its messages too.
    pub(super) queues: Vec<Slot>,
    pub(super) is_paused: bool, // Queues: nothing is handed out.
    pub(super) counts: Counts,
    pub(super) told_at_last: u64, // What its counts told when it was last looked at, if it is forgotten when idle.
}

/// What a destination of its kind keeps.
#[derive(Debug)]
pub(super) enum Room {
    /// Messages that wait.
    Queue(Box<Queue>),
    /// Nothing: what waits does so with its subscriber.
    Topic,
}

/// A subscription's place at one destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Consumer {
    pub(super) id: SubscriptionId,
    pub(super) priority: i32,
    pub(super) turn: Turn,
    pub(super) is_exclusive: bool,
    /// True if it has a selector.
    pub(super) is_selective: bool,
    /// Queues: of what waits before this place the subscription takes nothing, but for what it has missed.
    pub(super) cursor: Place,
}

/// Destinations by name and by slot.
#[derive(Debug, Default)]
pub(super) struct Registry {
    by_name: BTreeMap<Destination, Slot>,
    names: Index<Slot>,
    patterns: Index<SubscriptionId>, // Of all subscriptions, those to one destination among them.
    entries: Arena<Slot, Entry>,
    last: Option<(Destination, Slot)>, // The one resolved last, found again without comparing names.
    born: Option<Slot>,                // The one created last, until it is asked for.
}

impl Registry {
    /// The slot of a destination, which is created if there is none.
    #[inline]
    pub(super) fn resolve(
        &mut self,
        name: &Destination,
        subscriptions: &Subscriptions,
        config: &BrokerConfig,
    ) -> Result<Slot, Refusal> {
        if let Some((last, slot)) = &self.last
            && last.is_same(name)
        {
            return Ok(*slot);
        }
        let slot = match self.by_name.get(name) {
            Some(slot) => *slot,
            None if name.is_pattern() => return Err(Refusal::IsPattern(name.clone())),
            None if self.entries.len() >= config.destinations_max => {
                let max = config.destinations_max as u64;
                return Err(Refusal::LimitReached { what: What::Destination, max });
            }
            None => self.create(name, subscriptions, config),
        };
        self.last = Some((name.clone(), slot));
        Ok(slot)
    }

    /// The destination that the last call has created, once.
    #[inline]
    pub(super) fn take_born(&mut self) -> Option<Slot> {
        self.born.take()
    }

    /// The slot of a destination, if there is one.
    pub(super) fn find(&self, name: &Destination) -> Option<Slot> {
        self.by_name.get(name).copied()
    }

    /// A destination, if it has not ended.
    pub(super) fn known(&self, slot: Slot) -> Option<&Entry> {
        self.entries.get(slot)
    }

    #[inline]
    pub(super) fn get(&self, slot: Slot) -> &Entry {
        self.entries.get(slot).expect("whatever names a slot is removed with it")
    }

    #[inline]
    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Entry {
        self.entries.get_mut(slot).expect("whatever names a slot is removed with it")
    }

    /// A queue.
    #[inline]
    pub(super) fn queue(&mut self, slot: Slot) -> &mut Queue {
        match &mut self.get_mut(slot).room {
            Room::Queue(queue) => queue,
            Room::Topic => unreachable!("queues' subscriptions hold queues' messages"),
        }
    }

    /// Removes a destination that has no consumers, so that nothing of it is outstanding either.
    pub(super) fn remove(&mut self, slot: Slot) -> Entry {
        let entry = self.entries.remove(slot).expect("whatever names a slot is removed with it");
        assert!(entry.consumers.is_empty(), "what is consumed from stays");
        self.by_name.remove(&entry.name);
        self.names.remove(&entry.name, slot);
        self.last.take_if(|(_, last)| *last == slot);
        entry
    }

    /// The destinations in order of their names, from this one on.
    pub(super) fn range_from<'a>(&'a self, first: &'a Destination) -> impl Iterator<Item = (&'a Destination, Slot)> {
        self.by_name.range(first..).map(|(name, slot)| (name, *slot))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(|(_, entry)| entry)
    }

    /// All destinations in order of their names, from the one after `name` on.
    pub(super) fn after(&self, name: Option<&Destination>) -> impl Iterator<Item = &Entry> {
        let from = name.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_name.range::<Destination, _>((from, Bound::Unbounded)).map(|(_, slot)| self.get(*slot))
    }

    /// Adds a subscription to every destination it covers, and tells which.
    pub(super) fn join(&mut self, id: SubscriptionId, subscriptions: &Subscriptions) -> Vec<Slot> {
        let subscription = subscriptions.get(id).expect("whoever joins is subscribed");
        for part in subscription.destination.iter() {
            self.patterns.insert(part, id);
        }
        let slots = self.covered_by(subscription);
        for slot in &slots {
            let entry = self.get_mut(*slot);
            entry.add(id, subscription, subscriptions);
        }
        slots
    }

    /// Takes a subscription, already removed, from every destination it covered, and tells which.
    pub(super) fn leave(
        &mut self,
        id: SubscriptionId,
        subscription: &Subscription,
        subscriptions: &Subscriptions,
    ) -> Vec<Slot> {
        for part in subscription.destination.iter() {
            self.patterns.remove(part, id);
        }
        let slots = self.covered_by(subscription);
        for slot in &slots {
            let entry = self.entries.get_mut(*slot).expect("destinations are never removed");
            match &mut entry.room {
                Room::Queue(queue) => {
                    queue.groups.release(id);
                    queue.missed.release(id);
                    entry.consumers.retain(|consumer| consumer.id != id);
                    entry.succeed(id);
                    entry.ask_peers_again(subscriptions);
                }
                // Another subscription of the same bridge may have stood behind it.
                Room::Topic if subscription.is_bridge() => entry.gather(&self.patterns, subscriptions),
                Room::Topic => entry.consumers.retain(|consumer| consumer.id != id),
            }
        }
        slots
    }

    /// A subscription counts for more consumers or fewer.
    pub(super) fn weigh(&mut self, id: SubscriptionId, subscription: &Subscription) {
        for slot in self.covered_by(subscription) {
            let consumers = &mut self.get_mut(slot).consumers;
            if let Some(consumer) = consumers.iter_mut().find(|found| found.id == id) {
                consumer.turn.weigh(subscription.weight);
            }
        }
    }

    /// The queues that a subscription consumes from.
    pub(super) fn joined(&self, id: SubscriptionId, subscription: &Subscription) -> Vec<Slot> {
        let mut slots = self.covered_by(subscription);
        debug_assert!(slots.iter().all(|slot| self.get(*slot).consumers.iter().any(|found| found.id == id)));
        if subscription.destination.is_composite() {
            slots.retain(|slot| matches!(self.get(*slot).room, Room::Queue(_)));
        }
        slots
    }

    /// The destinations that a subscription stands for.
    pub(super) fn covered_by(&self, subscription: &Subscription) -> Vec<Slot> {
        let mut slots = self.covered(subscription.destination.first());
        for part in subscription.destination.others() {
            slots.extend(self.covered(part));
        }
        if subscription.destination.is_composite() {
            slots.sort_unstable();
            slots.dedup(); // One may be covered by several of the parts.
        }
        slots
    }

    /// Refuses destinations that there is no room for, if they are to be there all at once.
    pub(super) fn check_room<'a>(
        &self,
        wanted: impl Iterator<Item = &'a Destination>,
        config: &BrokerConfig,
    ) -> Result<(), Refusal> {
        let missing: BTreeSet<_> = wanted.filter(|name| !name.is_pattern() && self.find(name).is_none()).collect();
        if !missing.is_empty() && self.entries.len() + missing.len() > config.destinations_max {
            return Err(Refusal::LimitReached { what: What::Destination, max: config.destinations_max as u64 });
        }
        Ok(())
    }

    /// Whoever would consume from a destination of this name.
    pub(super) fn covering(&self, name: &Destination) -> Vec<SubscriptionId> {
        let mut ids = self.patterns.covering(name);
        ids.dedup(); // Several parts of one subscription may cover it.
        ids
    }

    /// The destinations that a name or pattern stands for.
    pub(super) fn covered(&self, pattern: &Destination) -> Vec<Slot> {
        if !pattern.is_pattern() {
            return self.by_name.get(pattern).copied().into_iter().collect();
        }
        self.names.covered(pattern)
    }

    fn create(&mut self, name: &Destination, subscriptions: &Subscriptions, config: &BrokerConfig) -> Slot {
        let policy = config.policies.resolve(name).clone();
        let room = match name.kind() {
            DestinationKind::Queue => Room::Queue(Box::default()),
            DestinationKind::Topic => Room::Topic,
        };
        let mut entry = Entry {
            name: name.clone(),
            room,
            policy,
            consumers: Vec::new(),
            seconds: Vec::new(),
            exclusive: None,
            parked: VecDeque::new(),
            past: None,
            queues: Vec::new(),
            is_paused: false,
            counts: Counts::default(),
            told_at_last: 0,
        };
        entry.gather(&self.patterns, subscriptions);
        let name = entry.name.clone();
        let slot = self.entries.insert(entry);
        self.names.insert(&name, slot);
        self.by_name.insert(name, slot);
        self.born = Some(slot);
        if let Some(virtual_topics) = &config.virtual_topics {
            self.list_queues(virtual_topics, slot);
        }
        slot
    }
}

impl Entry {
    /// Lists the subscriptions that cover this destination anew.
    fn gather(&mut self, patterns: &Index<SubscriptionId>, subscriptions: &Subscriptions) {
        self.consumers.clear();
        self.seconds.clear();
        let mut ids = patterns.covering(&self.name);
        ids.dedup(); // Several parts of one subscription may cover it.
        for id in ids {
            let subscription = subscriptions.get(id).expect("whoever has joined is subscribed");
            self.add(id, subscription, subscriptions);
        }
    }

    fn add(&mut self, id: SubscriptionId, subscription: &Subscription, subscriptions: &Subscriptions) {
        let is_second = matches!(self.room, Room::Topic)
            && subscription.is_bridge()
            && self
                .consumers
                .iter()
                .any(|known| subscriptions.get(known.id).is_some_and(|known| known.origin == subscription.origin));
        if is_second {
            return self.seconds.push(id); // A topic's message crosses a bridge once, however many demands it answers.
        }
        let priority = subscription.priority();
        let is_exclusive = subscription.is_exclusive && matches!(self.room, Room::Queue(_));
        let is_selective = subscription.selector.is_some();
        let turn = Turn::new(subscription.weight);
        let consumer = Consumer { id, priority, turn, is_exclusive, is_selective, cursor: Place::FIRST };
        self.line_up(consumer);
        if is_exclusive {
            self.claim(consumer);
        }
    }
}
