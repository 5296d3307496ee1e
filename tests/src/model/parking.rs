//! Messages that come: each is accepted when there is room for it where it goes, in the order in which they came there.

use std::sync::Arc;

use flockmq_core::{Message, Refusal};

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
        let (size, max) = (message.body.size() as u64, u64::from(self.config.message_max));
        if size > max {
            return Err(Refusal::TooLarge { size, max });
        }
        let place = self.place(&message.destination)?;
        let waiting = Waiting { order: 0, redeliveries, message };
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
            self.accept(connection, place, waiting);
        }
    }

    pub(super) fn unpark_all(&mut self) {
        for place in 0..self.places.len() {
            self.unpark(place);
        }
    }

    /// A queue has room while fewer bytes wait than may; a topic while none of its subscribers is full.
    fn is_full(&self, place: usize) -> bool {
        let place = &self.places[place];
        let bytes: u64 = place.waiting.iter().map(Waiting::size).sum();
        let mut subscribers = self.consumers.values().filter(|found| found.pattern.matches(&place.name));
        bytes >= self.config.queue_bytes_max || subscribers.any(|found| found.is_full(self.config.topic_bytes_max))
    }

    /// A message has its place from now on, unless it came there before: what a client sends again is recognised.
    fn accept(&mut self, connection: u64, place: usize, waiting: Waiting) {
        self.counts.accepted += 1;
        let key = (waiting.message.id, waiting.message.destination.clone());
        if connection == REMOTE && self.config.checks_duplicates && !self.taken.insert(key) {
            self.counts.duplicates += 1;
        } else if is_queue(&self.places[place].name) {
            self.enqueue(place, waiting);
        } else {
            self.publish(place, &waiting);
        }
    }
}
