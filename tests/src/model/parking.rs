//! Messages that come: each is accepted when there is room for it where it goes, in the order in which they came there.

use std::sync::Arc;

use flockmq_core::{Message, Refusal};

use super::consumer::Id;
use super::place::{Parked, Waiting};
use super::said::Sender;
use super::{Model, REMOTE, is_queue};

impl Model {
    pub(super) fn take(
        &mut self,
        connection: u64,
        stream: u64,
        number: u64,
        redeliveries: u32,
        message: Arc<Message>,
    ) -> Result<(), Refusal> {
        self.catch_up();
        let (size, max) = (message.body.size() as u64, u64::from(self.config.message_max));
        if size > max {
            return Err(Refusal::TooLarge { size, max });
        }
        let place = self.place(&message.destination)?;
        let waiting = Waiting { order: 0, redeliveries, arrived_at: self.now, message };
        self.places[place].parked.push_back(Parked { connection, stream, number, waiting });
        self.unpark(place);
        Ok(())
    }

    /// Accepts what came to a place, as far as there is room.
    pub(super) fn unpark(&mut self, place: usize) {
        while let Some(first) = self.places[place].parked.front()
            && !self.is_full(place, first.connection, &first.waiting)
            && let Some(Parked { connection, stream, number, waiting }) = self.places[place].parked.pop_front()
        {
            if connection != REMOTE {
                self.answer(connection, stream);
                self.said.accepted.insert((Sender::Application, stream), number);
            }
            self.accept(connection, place, &waiting);
        }
    }

    pub(super) fn unpark_all(&mut self) {
        for place in 0..self.places.len() {
            self.unpark(place);
        }
    }

    /// A queue has room while fewer bytes wait than may; a topic has room for a message while none of its subscribers that
    /// it is for is full, nor a queue that gets its messages.
    pub(super) fn is_full(&self, at: usize, connection: u64, waiting: &Waiting) -> bool {
        if self.is_queue(at) {
            return self.is_queue_full(at);
        }
        self.hold_up(self.places[at].turns.iter(), connection, waiting)
            || self.queues_of(&self.places[at].name).into_iter().any(|queue| self.is_queue_full(queue))
    }

    pub(super) fn is_queue_full(&self, at: usize) -> bool {
        self.places[at].all().map(Waiting::size).sum::<u64>() >= self.config.queue_bytes_max
    }

    /// A message would have to wait where it goes, also if there is no such place yet.
    pub(super) fn would_wait(&self, connection: u64, waiting: &Waiting) -> bool {
        let name = &waiting.message.destination;
        if let Some(place) = self.known(name) {
            return self.is_full(place, connection, waiting) || !self.places[place].parked.is_empty();
        }
        let others = self.consumers.values().filter(|found| found.asked.destination.first().matches(name));
        let ids: Vec<Id> = others.filter(|found| !found.asked.browses).map(|found| found.id).collect();
        !is_queue(name)
            && (self.hold_up(ids.iter(), connection, waiting)
                || self.queues_of(name).into_iter().any(|queue| self.is_queue_full(queue)))
    }

    fn hold_up<'a>(&self, mut ids: impl Iterator<Item = &'a Id>, connection: u64, waiting: &Waiting) -> bool {
        let waiting = Waiting { redeliveries: 0, ..waiting.clone() };
        ids.any(|id| {
            let found = &self.consumers[id];
            found.is_full(&self.config) && found.is_for(connection, &waiting)
        })
    }

    /// A message has its place from now on, unless it came there before: what a client sends again is recognised. What
    /// has waited has grown older.
    pub(super) fn accept(&mut self, connection: u64, place: usize, waiting: &Waiting) {
        let waiting = Waiting { message: waiting.aged(self.now), arrived_at: self.now, ..*waiting };
        self.counts.accepted += 1;
        let key = (waiting.message.id, place);
        if connection == REMOTE && self.config.checks_duplicates && !self.taken.insert(key) {
            self.counts.duplicates += 1;
            return;
        }
        self.places[place].counts.enqueued += 1;
        if waiting.is_over(self.now) {
            self.expire(place, &waiting);
        } else if self.is_queue(place) {
            self.enqueue(place, waiting);
        } else {
            self.buried.remove(&key); // That was another of this id, of a producer whose number is used again.
            self.copy_to_queues(connection, place, &waiting);
            self.remember(connection, place, &waiting);
            self.publish(connection, place, &waiting);
        }
    }
}
