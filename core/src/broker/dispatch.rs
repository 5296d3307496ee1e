//! Who is handed which of a queue's messages, and when.

use alloc::sync::Arc;

use super::outstanding::Held;
use super::place::Place;
use super::queue::{Entry, Queue};
use super::registry::{self, Consumer, Room, Slot};
use super::stray::Takers;
use super::subscription::{Pending, SubscriptionId};
use super::{Broker, Output};
use crate::base::{Instant, Outbox, Situation};
use crate::model::Path;

impl Broker {
    /// Hands a new message to whoever's turn it is, or lets it wait.
    ///
    /// Nobody with credit can be owed an older one: whoever gains credit is refilled at once.
    pub(super) fn offer(&mut self, now: Instant, slot: Slot, entry: Entry, out: &mut Outbox<Output>) {
        match self.turn(slot, &entry) {
            Some(index) if entry.place < self.queue(slot).end() => {
                let is_grouped = entry.group.is_some();
                self.hand_out(now, slot, index, entry, out);
                if is_grouped {
                    self.dispatch_freed(now, slot, out);
                }
            }
            _ => self.keep(slot, entry),
        }
    }

    /// Puts a message in its place: a new one, or one that goes back to where it was.
    pub(super) fn keep(&mut self, slot: Slot, entry: Entry) {
        let (place, is_mortal) = (entry.place, entry.expires_at().is_some());
        let queue = self.registry.queue(slot);
        queue.keep(entry, &mut self.memory);
        if place < queue.reached {
            self.note_behind(slot, place);
        }
        if is_mortal {
            self.schedule(slot);
        }
    }

    /// Lets go of a message that is done with, or gone: it will not be kept again.
    pub(super) fn let_go(&mut self, slot: Slot, entry: &Entry) {
        if let Some(group) = entry.group {
            let idle_max = self.config.groups_max;
            self.queue(slot).groups.leave(group, idle_max);
        }
    }

    /// Hands out what waits and has somebody to go to, each in turn.
    pub(super) fn dispatch(&mut self, now: Instant, slot: Slot, out: &mut Outbox<Output>) {
        self.catch_up(now, out);
        if let Room::Queue(_) = self.registry.get(slot).room {
            self.ask_again(slot);
            self.dispatch_waiting(now, slot, out);
        }
    }

    /// Hands out what only waited because its group was another consumer's.
    fn dispatch_freed(&mut self, now: Instant, slot: Slot, out: &mut Outbox<Output>) {
        if self.ask_again(slot) {
            self.dispatch_waiting(now, slot, out);
        }
    }

    /// Has consumers asked again about what they were not handed because of groups that have changed hands since; true
    /// if there is any.
    fn ask_again(&mut self, slot: Slot) -> bool {
        let freed = self.queue(slot).groups.take_freed();
        freed.inspect(|place| self.look_again(slot, *place)).is_some()
    }

    fn dispatch_waiting(&mut self, now: Instant, slot: Slot, out: &mut Outbox<Output>) {
        let mut from = Place::FIRST;
        while let Some(start) = self.start(slot, from)
            && let Room::Queue(queue) = &self.registry.get(slot).room
        {
            let next = queue.first_from(from.max(start)).filter(|entry| entry.place < queue.end());
            let Some(entry) = next else {
                return self.note_looked(slot);
            };
            let (place, group) = (entry.place, entry.group);
            from = place.next();
            let turn = self.turn(slot, entry);
            if let Some(index) = turn {
                let entry = self.registry.queue(slot).take(place, &mut self.memory).expect("just seen");
                self.hand_out(now, slot, index, entry, out);
            }
            if let Some(group) = group {
                if turn.is_none() {
                    self.queue(slot).groups.pass_over(group, place);
                } else if self.ask_again(slot) {
                    from = Place::FIRST;
                }
            }
        }
    }

    /// The first place from `from` on that may hold something for anybody with credit, or one before it; none if nobody
    /// has any.
    pub(super) fn start(&self, slot: Slot, from: Place) -> Option<Place> {
        let destination = self.registry.get(slot);
        let consumers = destination.consumers.iter().filter(|consumer| destination.is_open_to(consumer.id));
        consumers
            .filter(|consumer| self.has_credit(consumer.id))
            .map(|consumer| destination.start(consumer, from))
            .min()
    }

    /// Whoever has credit has been asked about everything that waits.
    fn note_looked(&mut self, slot: Slot) {
        let end = self.queue(slot).end_of_waiting();
        for index in 0..self.registry.get(slot).consumers.len() {
            let id = self.registry.get(slot).consumers[index].id;
            if self.registry.get(slot).is_open_to(id) && self.has_credit(id) {
                self.move_cursor(slot, index, end);
                let queue = self.queue(slot);
                queue.missed.ask(id, queue.end());
            }
        }
    }

    /// Has what waits from `place` on looked at again by all consumers.
    fn look_again(&mut self, slot: Slot, place: Place) {
        let queue = self.queue(slot);
        queue.reached = queue.reached.min(place);
        queue.missed.forget_from(place);
        for consumer in &mut self.registry.get_mut(slot).consumers {
            consumer.cursor = consumer.cursor.min(place);
        }
    }

    /// A message has come to a place that consumers are beyond, or come back to it. Those with selectors may have refused
    /// much behind it, and are asked about it alone; others begin there again.
    fn note_behind(&mut self, slot: Slot, place: Place) {
        if let Some(first) = self.queue(slot).missed.overflow() {
            return self.look_again(slot, place.min(first));
        }
        let registry::Entry { consumers, room: Room::Queue(queue), .. } = self.registry.get_mut(slot) else {
            unreachable!("messages come to places in queues");
        };
        queue.reached = place;
        for consumer in consumers {
            if consumer.is_selective && consumer.cursor > place {
                queue.missed.note(consumer.id, place);
            } else {
                consumer.cursor = consumer.cursor.min(place);
            }
            queue.reached = queue.reached.max(consumer.cursor);
        }
    }

    fn move_cursor(&mut self, slot: Slot, index: usize, place: Place) {
        let cursor = &mut self.registry.get_mut(slot).consumers[index].cursor;
        *cursor = place.max(*cursor);
        let queue = self.queue(slot);
        queue.reached = queue.reached.max(place);
    }

    /// Hands one consumer what waits for it, as far as its credit goes.
    pub(super) fn refill(&mut self, now: Instant, slot: Slot, id: SubscriptionId, out: &mut Outbox<Output>) {
        let destination = self.registry.get(slot);
        let Some(index) = destination.consumers.iter().position(|consumer| consumer.id == id) else {
            return;
        };
        if !destination.is_open_to(id) {
            return;
        }
        while self.has_credit(id)
            && let Some(entry) = self.take_next(slot, index)
        {
            let is_grouped = entry.group.is_some();
            self.hand_to(now, slot, id, entry, out);
            if is_grouped && self.ask_again(slot) {
                return self.dispatch_waiting(now, slot, out); // To whoever's turn it is, this consumer among them.
            }
        }
    }

    /// Takes the first that waits for a consumer of a queue that is open to it.
    fn take_next(&mut self, slot: Slot, index: usize) -> Option<Entry> {
        let destination = self.registry.get_mut(slot);
        let Consumer { id, cursor, is_selective, .. } = destination.consumers[index];
        let has_rights = destination.exclusive.is_none(); // Where one consumer takes all, groups mean nothing.
        let Room::Queue(queue) = &mut destination.room else {
            unreachable!("queues' subscriptions hold queues' messages");
        };
        let end = queue.end();
        let Queue { waiting, groups, missed, .. } = &mut **queue;
        let (subscriptions, selection) = (&self.subscriptions, &self.selection);
        let takers = Takers { consumers: &destination.consumers, subscriptions, selection };
        let subscription = self.subscriptions.get(id).expect("whoever has credit is subscribed");
        let missed = is_selective.then(|| missed.range(id, Place::FIRST, end)).into_iter().flatten();
        let missed = missed.filter_map(|place| waiting.get(place));
        let next = missed.chain(waiting.starting_at(cursor).take_while(|entry| entry.place < end)).find(|entry| {
            if !takers.takes(subscription, entry) {
                return false;
            }
            let Some(group) = entry.group.filter(|_| has_rights) else {
                return true;
            };
            let is_its = groups.rightful(group, entry, takers).is_none_or(|owner| owner == id);
            if !is_its {
                groups.pass_over(group, entry.place);
            }
            is_its
        });
        let found = next.map(|entry| entry.place);
        let reached = found.unwrap_or_else(|| self.queue(slot).end_of_waiting());
        self.move_cursor(slot, index, reached);
        if is_selective {
            self.queue(slot).missed.ask(id, found.map_or(end, Place::next));
        }
        self.registry.queue(slot).take(found?, &mut self.memory)
    }

    /// Whose turn it is to take a message: the first with credit that may.
    pub(super) fn turn(&self, slot: Slot, entry: &Entry) -> Option<usize> {
        let destination = self.registry.get(slot);
        let takers = self.takers(&destination.consumers);
        let may_take = |consumer: &Consumer| {
            destination.is_open_to(consumer.id)
                && self.has_credit(consumer.id)
                && self.subscriptions.get(consumer.id).is_some_and(|found| takers.takes(found, entry))
        };
        match (entry.group, &destination.room) {
            (Some(group), Room::Queue(queue)) if destination.exclusive.is_none() => {
                match queue.groups.rightful(group, entry, takers) {
                    Some(owner) => destination.consumers.iter().position(|found| found.id == owner && may_take(found)),
                    None => queue.groups.least_loaded(&destination.consumers, may_take),
                }
            }
            _ => destination.consumers.iter().position(may_take),
        }
    }

    fn hand_out(&mut self, now: Instant, slot: Slot, index: usize, entry: Entry, out: &mut Outbox<Output>) {
        let destination = self.registry.get_mut(slot);
        let id = destination.consumers[index].id;
        destination.take_turn(index);
        self.hand_to(now, slot, id, entry, out);
    }

    fn hand_to(&mut self, now: Instant, slot: Slot, id: SubscriptionId, entry: Entry, out: &mut Outbox<Output>) {
        if let Some(group) = entry.group {
            self.queue(slot).groups.hand_out(group, &entry, id);
        }
        if entry.expires_at().is_some() {
            self.schedule(slot);
        }
        let mut message = Arc::clone(&entry.message);
        if !message.path.is_empty() && self.subscriptions.get(id).is_some_and(|taker| !taker.leads_on(&message)) {
            Situation::StrayMoved.met();
            Arc::make_mut(&mut message).path = Path::default(); // It begins anew from here.
        }
        let pending = Pending { message, arrived_at: entry.arrived_at };
        self.deliver(now, id, pending, entry.redeliveries.0, Some(Held { slot, entry }), out);
    }

    pub(super) fn takers<'a>(&'a self, consumers: &'a [Consumer]) -> Takers<'a> {
        Takers { consumers, subscriptions: &self.subscriptions, selection: &self.selection }
    }

    pub(super) fn queue(&mut self, slot: Slot) -> &mut Queue {
        self.registry.queue(slot)
    }
}

impl registry::Entry {
    /// The first place from `from` on that may hold something for a consumer, or one before it.
    #[inline]
    fn start(&self, consumer: &Consumer, from: Place) -> Place {
        match &self.room {
            Room::Queue(queue) if consumer.is_selective => {
                queue.missed.first(consumer.id, from).unwrap_or(consumer.cursor)
            }
            Room::Queue(_) | Room::Topic => consumer.cursor,
        }
    }
}
