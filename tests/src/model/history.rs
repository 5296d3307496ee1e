//! What topics remember for those who subscribe late.

use std::sync::Arc;

use flockmq_core::{History, Instant, Message, Value};

use super::Model;
use super::consumer::Id;
use super::place::{Place, Waiting};

/// A message that is remembered.
#[derive(Clone)]
pub(super) struct Remembered {
    connection: u64, // Who sent it.
    waiting: Waiting,
}

impl Model {
    /// A topic remembers a message: as its retained one, if it is marked so, or as long as its policy says. All topics
    /// together remember so much; the one that has something new forgets its oldest, and its retained message last.
    pub(super) fn remember(&mut self, connection: u64, at: usize, waiting: &Waiting) {
        let now = self.now;
        let place = &mut self.places[at];
        let is_retained = is_marked(&waiting.message);
        if is_retained {
            let message = Arc::new(retained(&waiting.message));
            let retained = Remembered { connection, waiting: Waiting { message, ..waiting.clone() } };
            place.retained = Some(retained).filter(|found| !found.waiting.message.body.data.is_empty());
        } else {
            place.past.push(Remembered { connection, waiting: waiting.clone() });
        }
        while !is_retained && place.remembers_too_much(now) {
            place.past.remove(0);
        }
        while self.remembered_bytes() > self.config.history_bytes_max {
            let place = &mut self.places[at];
            if place.past.is_empty() {
                place.retained = None;
                break; // Others remember that much.
            }
            place.past.remove(0);
        }
    }

    /// Hands a new consumer what its topics remember, as if it were sent now.
    pub(super) fn recover(&mut self, id: Id, places: &[usize]) {
        for at in places {
            let place = &self.places[*at];
            let is_young = |found: &&Remembered| match place.policy.history {
                History::Age(max) => self.now - found.waiting.arrived_at <= max,
                _ => true,
            };
            let all: Vec<_> = place.retained.iter().chain(place.past.iter().filter(is_young)).cloned().collect();
            let now = self.now;
            for Remembered { connection, waiting } in all.into_iter().filter(|found| !found.waiting.is_over(now)) {
                let waiting = Waiting { message: waiting.aged(now), arrived_at: now, ..waiting };
                self.publish_to(id, connection, *at, &waiting);
            }
        }
    }

    pub(super) fn remembered_bytes(&self) -> u64 {
        let all = self.places.iter().flat_map(|place| place.retained.iter().chain(&place.past));
        all.map(|found| found.waiting.size()).sum()
    }
}

impl Place {
    fn remembers_too_much(&self, now: Instant) -> bool {
        let Some(oldest) = self.past.first() else { return false };
        match self.policy.history {
            History::Age(max) => now - oldest.waiting.arrived_at > max,
            History::Bytes(max) => self.past.iter().map(|found| found.waiting.size()).sum::<u64>() > max,
            History::Count(max) => self.past.len() > max,
            History::LastImage => self.past.len() > 1,
            History::None => true,
        }
    }
}

fn is_marked(message: &Message) -> bool {
    match message.body.headers.properties.get("ActiveMQ.Retain") {
        Some(Value::Bool(is_marked)) => *is_marked,
        Some(Value::Text(text)) => text == "true",
        _ => false,
    }
}

/// A retained message says what it is when it is handed out later.
fn retained(message: &Message) -> Message {
    let mut message = message.clone();
    let properties = std::mem::take(&mut message.body.headers.properties);
    for (name, value) in properties.iter().filter(|(name, _)| *name != "ActiveMQ.Retain") {
        message.body.headers.properties.set(name, value.clone()).expect("room");
    }
    message.body.headers.properties.set("ActiveMQ.Retained", true).expect("room");
    message
}
