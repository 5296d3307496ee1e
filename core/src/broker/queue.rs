//! Messages that wait in order for one consumer each.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use core::num::Saturating;

use bytes::Bytes;

use super::delayed::Delayed;
use super::outstanding::Held;
use super::registry::{Room, Slot};
use super::subscription::{Pending, SubscriptionId};
use super::{Broker, Output};
use crate::base::{Instant, Outbox};
use crate::model::Message;

/// A queue's message with its place.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) order: u64,
    pub(super) redeliveries: Saturating<u32>, // Whatever count a link began with.
    pub(super) arrived_at: Instant,
    pub(super) message: Arc<Message>,
}

/// What waits at one queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    born: u64,
    waiting: BTreeMap<u64, Entry>,
    delayed: Delayed,
    expiring: BTreeSet<(Instant, u64)>, // Those that wait and whose life has an end.
    bytes: u64,
}

impl Queue {
    /// Gives a message the next place.
    pub(super) fn entry(&mut self, now: Instant, message: Arc<Message>, redeliveries: u32) -> Entry {
        self.born += 1;
        Entry { order: self.born, redeliveries: Saturating(redeliveries), arrived_at: now, message }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many messages were given back and wait until they are handed out again.
    pub(super) fn delayed(&self) -> usize {
        self.delayed.len()
    }

    /// When something is due next.
    pub(super) fn due_at(&self) -> Option<Instant> {
        let expires_at = self.expiring.first().map(|(at, _)| *at);
        [expires_at, self.delayed.due_at()].into_iter().flatten().min()
    }

    /// Takes a message that waits and whose time is up.
    pub(super) fn pop_expired(&mut self, now: Instant) -> Option<Entry> {
        let (_, order) = *self.expiring.first().filter(|(at, _)| *at <= now)?;
        if self.waiting.contains_key(&order) {
            return self.take(order);
        }
        let entry = self.delayed.take(order).expect("what expires waits");
        Some(self.forget(entry))
    }

    /// Takes a message that has waited long enough since it was given back.
    pub(super) fn pop_delayed(&mut self, now: Instant) -> Option<Entry> {
        let entry = self.delayed.pop(now)?;
        Some(self.forget(entry))
    }

    /// Keeps a message that was given back until it is handed out again.
    pub(super) fn delay(&mut self, until: Instant, entry: Entry, keeps_order: bool) {
        self.note(&entry);
        self.delayed.insert(until, entry, keeps_order);
    }

    fn keep(&mut self, mut entry: Entry) {
        unpin(&mut entry.message);
        self.note(&entry);
        self.waiting.insert(entry.order, entry);
    }

    fn take(&mut self, order: u64) -> Option<Entry> {
        let entry = self.waiting.remove(&order)?;
        Some(self.forget(entry))
    }

    fn note(&mut self, entry: &Entry) {
        self.bytes += entry.size();
        if let Some(at) = entry.expires_at() {
            self.expiring.insert((at, entry.order));
        }
    }

    fn forget(&mut self, entry: Entry) -> Entry {
        self.bytes -= entry.size();
        if let Some(at) = entry.expires_at() {
            self.expiring.remove(&(at, entry.order));
        }
        entry
    }

    /// Where those begin that wait with one that was given back, for the sake of their order.
    fn end(&self) -> u64 {
        self.delayed.first_in_order().unwrap_or(u64::MAX)
    }
}

impl Broker {
    /// Hands a new message to whoever's turn it is, or lets it wait.
    ///
    /// Nobody with credit can be owed an older one: whoever gains credit is refilled at once.
    pub(super) fn offer(&mut self, now: Instant, slot: Slot, entry: Entry, out: &mut Outbox<Output>) {
        match self.turn(slot, &entry.message) {
            Some(index) if entry.order < self.queue(slot).end() => self.hand_out(now, slot, index, entry, out),
            _ => self.keep(slot, entry),
        }
    }

    /// Puts a message back in its old place.
    pub(super) fn give_back(&mut self, slot: Slot, entry: Entry) {
        let order = entry.order;
        self.keep(slot, entry);
        for consumer in &mut self.registry.get_mut(slot).consumers {
            consumer.cursor = consumer.cursor.min(order);
        }
    }

    fn keep(&mut self, slot: Slot, entry: Entry) {
        let is_mortal = entry.expires_at().is_some();
        self.queue(slot).keep(entry);
        if is_mortal {
            self.schedule(slot);
        }
    }

    /// Hands out what waits and has somebody to go to, each in turn.
    pub(super) fn dispatch(&mut self, now: Instant, slot: Slot, out: &mut Outbox<Output>) {
        self.catch_up(now, out);
        let mut from = 0;
        while let Room::Queue(queue) = &self.registry.get(slot).room
            && let Some((order, entry)) = queue.waiting.range(from..).next().filter(|(order, _)| **order < queue.end())
            && self.registry.get(slot).consumers.iter().any(|consumer| self.has_credit(consumer.id))
        {
            let order = *order;
            from = order + 1;
            if let Some(index) = self.turn(slot, &entry.message) {
                let entry = self.queue(slot).take(order).expect("just seen");
                self.hand_out(now, slot, index, entry, out);
            }
        }
    }

    /// Hands one consumer what waits for it, as far as its credit goes.
    pub(super) fn refill(&mut self, now: Instant, slot: Slot, id: SubscriptionId, out: &mut Outbox<Output>) {
        let Some(index) = self.registry.get(slot).consumers.iter().position(|consumer| consumer.id == id) else {
            return;
        };
        while self.has_credit(id) {
            let cursor = self.registry.get(slot).consumers[index].cursor;
            let subscription = self.subscriptions.get(id).expect("whoever has credit is subscribed");
            let Room::Queue(queue) = &self.registry.get(slot).room else {
                return;
            };
            let end = queue.end();
            let next = queue
                .waiting
                .range(cursor.min(end)..end)
                .find(|(_, entry)| subscription.admits(&entry.message) && subscription.fits(&entry.message));
            let found = next.map(|(order, _)| *order);
            let all = end.min(queue.born + 1);
            self.registry.get_mut(slot).consumers[index].cursor = found.unwrap_or(all);
            let Some(order) = found else {
                return;
            };
            let entry = self.queue(slot).take(order).expect("just found");
            self.deliver_entry(now, id, slot, entry, out);
        }
    }

    /// Whose turn it is to take `message`: the first with credit that admits it.
    fn turn(&self, slot: Slot, message: &Message) -> Option<usize> {
        self.registry.get(slot).consumers.iter().position(|consumer| {
            self.has_credit(consumer.id)
                && self.subscriptions.get(consumer.id).is_some_and(|found| found.admits(message) && found.fits(message))
        })
    }

    fn hand_out(&mut self, now: Instant, slot: Slot, index: usize, entry: Entry, out: &mut Outbox<Output>) {
        let consumers = &mut self.registry.get_mut(slot).consumers;
        let served = consumers[index];
        // Whoever was served stands behind their equals.
        let equals = consumers[index..].iter().take_while(|other| other.priority == served.priority).count();
        consumers[index..index + equals].rotate_left(1);
        self.deliver_entry(now, served.id, slot, entry, out);
    }

    fn deliver_entry(&mut self, now: Instant, id: SubscriptionId, slot: Slot, entry: Entry, out: &mut Outbox<Output>) {
        if entry.expires_at().is_some() {
            self.schedule(slot);
        }
        let pending = Pending { message: Arc::clone(&entry.message), arrived_at: entry.arrived_at };
        self.deliver(now, id, pending, entry.redeliveries.0, Some(Held { slot, entry }), out);
    }

    pub(super) fn queue(&mut self, slot: Slot) -> &mut Queue {
        match &mut self.registry.get_mut(slot).room {
            Room::Queue(queue) => queue,
            Room::Topic => unreachable!("queues' subscriptions hold queues' messages"),
        }
    }
}

/// Copies a small body out of the read buffer that it is a slice of, so that what waits long pins little.
pub(super) fn unpin(message: &mut Arc<Message>) {
    if !message.path.is_empty()
        && message.body.data.len() < PINNED_MIN
        && let Some(message) = Arc::get_mut(message)
    {
        message.body.data = Bytes::copy_from_slice(&message.body.data);
    }
}

/// Bodies from this length on are worth the buffer they pin.
const PINNED_MIN: usize = 16 * 1024;
