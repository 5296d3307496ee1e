//! Messages that come: each is accepted when there is room for it where it goes, in the order in which they came there.

use std::sync::Arc;

use flockmq_core::{Message, Refusal};

use super::place::{Parked, Waiting};
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
        self.check_size(&message)?;
        let place = self.place(&message.destination)?;
        let waiting = Waiting { order: 0, redeliveries, arrived_at: self.now, message };
        if self.is_congested(place, connection, &waiting) {
            self.check_wait(connection, place, &waiting)?;
            self.check_parking(connection, 1, waiting.size())?;
        }
        self.places[place].parked.push_back(Parked { connection, stream, number, waiting });
        self.unpark_all();
        Ok(())
    }

    pub(super) fn check_size(&self, message: &Message) -> Result<(), Refusal> {
        let (size, max) = (message.body.size() as u64, u64::from(self.config.message_max));
        if size > max { Err(Refusal::TooLarge { size, max }) } else { Ok(()) }
    }

    /// Accepts what came to a place, as far as there is room.
    pub(super) fn unpark(&mut self, place: usize) {
        while let Some(first) = self.places[place].parked.front()
            && self.has_room(place, first.connection, &first.waiting)
            && let Some(Parked { connection, stream, number, waiting }) = self.places[place].parked.pop_front()
        {
            self.tell_accepted(connection, stream, number);
            self.accept(connection, place, &waiting);
        }
    }

    /// Likewise everywhere. As something comes in for a slow subscriber others may be dropped, which makes room again.
    pub(super) fn unpark_all(&mut self) {
        let parked = |model: &Self| model.places.iter().map(|place| place.parked.len()).sum::<usize>();
        let mut before = usize::MAX;
        while parked(self) < before {
            before = parked(self);
            for place in 0..self.places.len() {
                self.unpark(place);
            }
        }
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
