//! Messages that come: each is accepted when there is room for it where it goes, in the order in which they came there.

use std::sync::Arc;

use flockmq_core::{Message, Refusal};

use super::place::{Parked, Waiting};
use super::said::Sender;
use super::{Model, REMOTE};

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
        while !self.is_full(place)
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

    /// A queue has room while fewer bytes wait than may; a topic while none of its subscribers
    /// is full, nor a queue that gets its messages.
    pub(super) fn is_full(&self, at: usize) -> bool {
        let place = &self.places[at];
        if self.is_queue(at) {
            let delayed = place.delayed.iter().map(|delayed| &delayed.waiting);
            let bytes: u64 = place.waiting.iter().chain(delayed).map(Waiting::size).sum();
            return bytes >= self.config.queue_bytes_max;
        }
        place.turns.iter().any(|id| self.consumers[id].is_full(&self.config))
            || self.queues_of(at).into_iter().any(|queue| self.is_full(queue))
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
            self.expire(place, &waiting.message);
        } else if self.is_queue(place) {
            self.enqueue(place, waiting);
        } else {
            self.copy_to_queues(connection, place, &waiting);
            self.remember(connection, place, &waiting);
            self.publish(connection, place, &waiting);
        }
    }
}
