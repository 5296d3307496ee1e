//! Messages that wait in order for one consumer each.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::num::Saturating;

use bytes::Bytes;

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

    fn keep(&mut self, mut entry: Entry) {
        unpin(&mut entry.message);
        self.bytes += entry.size();
        self.waiting.insert(entry.order, entry);
    }

    fn take(&mut self, order: u64) -> Option<Entry> {
        let entry = self.waiting.remove(&order)?;
        self.bytes -= entry.size();
        Some(entry)
    }
}

impl Broker {
    /// Hands a new message to whoever's turn it is, or lets it wait.
    ///
    /// Nobody with credit can be owed an older one: whoever gains credit is refilled at once.
    pub(super) fn offer(&mut self, now: Instant, slot: Slot, entry: Entry, out: &mut Outbox<Output>) {
        match self.turn(slot, &entry.message) {
            Some(index) => self.hand_out(now, slot, index, entry, out),
            None => self.queue(slot).keep(entry),
        }
    }

    /// Puts a message back in its old place.
    pub(super) fn give_back(&mut self, slot: Slot, entry: Entry) {
        let order = entry.order;
        self.queue(slot).keep(entry);
        for consumer in &mut self.registry.get_mut(slot).consumers {
            consumer.cursor = consumer.cursor.min(order);
        }
    }

    /// Hands out what waits and has somebody to go to, each in turn.
    pub(super) fn dispatch(&mut self, now: Instant, slot: Slot, out: &mut Outbox<Output>) {
        let mut from = 0;
        while let Room::Queue(queue) = &self.registry.get(slot).room
            && let Some((order, entry)) = queue.waiting.range(from..).next()
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
            let next = queue
                .waiting
                .range(cursor..)
                .find(|(_, entry)| subscription.admits(&entry.message) && subscription.fits(&entry.message));
            let found = next.map(|(order, _)| *order);
            let born = queue.born;
            self.registry.get_mut(slot).consumers[index].cursor = found.unwrap_or(born + 1);
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
        let pending = Pending { message: Arc::clone(&entry.message), arrived_at: entry.arrived_at };
        self.deliver(now, id, pending, entry.redeliveries.0, Some(Held { slot, entry }), out);
    }

    fn queue(&mut self, slot: Slot) -> &mut Queue {
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
