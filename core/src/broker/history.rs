//! What topics remember for those who subscribe late.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::expiry::age;
use super::registry::{Entry, Slot};
use super::subscription::{Pending, SubscriptionId};
use super::topic::Audience;
use super::{Broker, Output};
use crate::base::{Instant, Outbox};
use crate::model::{Message, Origin, Properties, Value};

/// What a topic remembers of what was sent to it, for consumers that ask for it when they subscribe (ActiveMQ's
/// `subscriptionRecoveryPolicy`). Beside it every topic remembers its retained message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum History {
    /// What came in this last while.
    Age(Duration),
    /// The last messages that take no more than so many bytes.
    Bytes(u64),
    /// So many of the last messages.
    Count(usize),
    /// The last message.
    LastImage,
    /// Nothing.
    #[default]
    None,
}

/// What one topic remembers.
#[derive(Debug, Default)]
pub(super) struct Past {
    retained: Option<Remembered>,
    messages: VecDeque<Remembered>, // Oldest first.
    bytes: u64,
}

/// A message that is remembered.
#[derive(Clone, Debug)]
struct Remembered {
    from: Option<Origin>,
    pending: Pending,
}

impl Remembered {
    fn size(&self) -> u64 {
        self.pending.message.size() as u64
    }
}

impl Past {
    /// Takes the place of the retained message.
    fn retain(&mut self, retained: Option<Remembered>) {
        self.bytes += retained.as_ref().map_or(0, Remembered::size);
        let old = core::mem::replace(&mut self.retained, retained);
        self.bytes -= old.map_or(0, |old| old.size());
    }

    /// Adds the newest message, and forgets what is too old or too much beside it.
    fn push(&mut self, now: Instant, history: History, newest: Remembered) {
        if history == History::None {
            return;
        }
        self.bytes += newest.size();
        self.messages.push_back(newest);
        while self.is_beyond(now, history) {
            self.pop();
        }
    }

    fn is_beyond(&self, now: Instant, history: History) -> bool {
        match history {
            History::Age(age_max) => {
                self.messages.front().is_some_and(|oldest| now - oldest.pending.arrived_at > age_max)
            }
            History::Bytes(max) => {
                let retained = self.retained.as_ref().map_or(0, Remembered::size);
                self.bytes - retained > max
            }
            History::Count(max) => self.messages.len() > max,
            History::LastImage => self.messages.len() > 1,
            History::None => !self.messages.is_empty(),
        }
    }

    /// True if nothing is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.retained.is_none() && self.messages.is_empty()
    }

    /// Forgets the oldest message, and when there is none the retained one; false if nothing is left.
    fn forget(&mut self) -> bool {
        self.pop()
            || self.retained.is_some() && {
                self.retain(None);
                true
            }
    }

    fn pop(&mut self) -> bool {
        let oldest = self.messages.pop_front();
        self.bytes -= oldest.as_ref().map_or(0, Remembered::size);
        oldest.is_some()
    }

    /// The retained message, then the others, oldest first.
    fn recall(&self, now: Instant, history: History) -> Vec<Remembered> {
        let is_young = |found: &&Remembered| match history {
            History::Age(age_max) => now - found.pending.arrived_at <= age_max,
            History::Bytes(_) | History::Count(_) | History::LastImage | History::None => true,
        };
        self.retained.iter().chain(self.messages.iter().filter(is_young)).cloned().collect()
    }
}

impl Broker {
    /// Remembers a topic's message, if its topic does or it is to be retained.
    #[inline]
    pub(super) fn remember(&mut self, now: Instant, slot: Slot, from: Option<Origin>, message: &Arc<Message>) {
        let history = self.registry.get(slot).policy.history;
        if history != History::None || !message.body.headers.properties.is_empty() {
            self.remember_as(
                now,
                slot,
                history,
                Remembered { from, pending: Pending { message: Arc::clone(message), arrived_at: now } },
            );
        }
    }

    /// What a destination that has ended remembered takes no room any more.
    pub(super) fn forget_past(&mut self, ended: &Entry) {
        self.remembered_bytes -= ended.past.as_ref().map_or(0, |past| past.bytes);
    }

    fn remember_as(&mut self, now: Instant, slot: Slot, history: History, newest: Remembered) {
        let is_retained = is_marked(&newest.pending.message);
        if history == History::None && !is_retained {
            return;
        }
        let past = self.registry.get_mut(slot).past.get_or_insert_with(Box::default);
        self.remembered_bytes -= past.bytes;
        if is_retained {
            let is_empty = newest.pending.message.body.data.is_empty();
            past.retain((!is_empty).then(|| retained(&newest)));
        } else {
            past.push(now, history, newest);
        }
        // The topic that has something new makes room for it, and goes without if that is not enough.
        while self.remembered_bytes + past.bytes > self.config.history_bytes_max && past.forget() {}
        self.remembered_bytes += past.bytes;
    }

    /// Hands a new consumer what the topics that it takes remember.
    pub(super) fn recover(&mut self, now: Instant, id: SubscriptionId, slots: &[Slot], out: &mut Outbox<Output>) {
        for slot in slots {
            let entry = self.registry.get(*slot);
            let Some(past) = &entry.past else {
                continue;
            };
            for Remembered { from, pending } in past.recall(now, entry.policy.history) {
                if pending.is_over(now) {
                    continue;
                }
                let Pending { mut message, arrived_at } = pending;
                age(&mut message, now - arrived_at);
                let is_taken = self.publish_to(now, id, from, &message, Audience::All, out);
                self.registry.get_mut(*slot).counts.dispatched += u64::from(is_taken);
            }
        }
    }
}

/// True if a message is to be its topic's retained one.
fn is_marked(message: &Message) -> bool {
    match message.body.headers.properties.get(RETAIN) {
        Some(Value::Bool(is_marked)) => *is_marked,
        Some(Value::Text(text)) => text.eq_ignore_ascii_case("true"),
        Some(_) | None => false,
    }
}

/// The message as it is handed out later: marked as what it is.
fn retained(newest: &Remembered) -> Remembered {
    let mut message = Message::clone(&newest.pending.message);
    let mut properties = Properties::default();
    let kept = message.body.headers.properties.iter().filter(|(name, _)| ![RETAIN, RETAINED].contains(name));
    for (name, value) in kept.map(|(name, value)| (name, value.clone())).chain([(RETAINED, Value::Bool(true))]) {
        properties.set(name, value).expect("no more than there were");
    }
    message.body.headers.properties = properties;
    let pending = Pending { message: Arc::new(message), arrived_at: newest.pending.arrived_at };
    Remembered { from: newest.from, pending }
}

/// The property of a message that is to be retained (ActiveMQ's `ActiveMQ.Retain`).
const RETAIN: &str = "ActiveMQ.Retain";
/// The property of a retained message that is handed out.
const RETAINED: &str = "ActiveMQ.Retained";
