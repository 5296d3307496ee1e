//! Where there is room for messages, and what becomes of those that come when there is none.

use flockmq_core::{Destination, Instant, Refusal, WhenFull};

use super::consumer::{Consumer, Id};
use super::place::{Parked, Place, Waiting};
use super::{Model, REMOTE, is_queue};

impl Model {
    pub(super) fn has_room(&self, at: usize, connection: u64, waiting: &Waiting) -> bool {
        self.shortage(at, connection, waiting).is_none()
    }

    /// What there is too much of for a message to come in. A queue has room while fewer bytes wait there than may; a topic
    /// has room for a message while no subscriber that it is for is full, nor a queue that gets its messages. While as much
    /// waits in all as may, nothing comes in that would have to wait.
    fn shortage(&self, at: usize, connection: u64, waiting: &Waiting) -> Option<Refusal> {
        let name = &self.places[at].name;
        if self.is_queue(at) {
            if self.is_queue_full(at) {
                return Some(full(name, self.places[at].bytes(), self.queue_bytes_max(at)));
            }
            return (self.is_memory_full() && !self.goes_on(at)).then(|| self.memory_full());
        }
        let holders: Vec<&Consumer> = self.hold_up(self.places[at].turns.iter(), connection, waiting).collect();
        let of_subscriber = holders.iter().find(|found| found.is_full());
        let of_queue = || self.queues_of(name).into_iter().find_map(|queue| self.shortage(queue, connection, waiting));
        let of_all = || (!holders.is_empty()).then(|| self.memory_full());
        of_subscriber.map(|found| full(name, found.pending_bytes(), found.bytes_max)).or_else(of_queue).or_else(of_all)
    }

    /// What comes to a queue is handed out at once, as far as can be told of any message: none waits before it, and
    /// somebody may be handed another.
    fn goes_on(&self, at: usize) -> bool {
        let place = &self.places[at];
        let may_go = |id: &Id| self.is_open_to(at, *id) && self.has_credit(*id);
        place.waiting.is_empty() && !place.counts.is_paused && place.turns.iter().any(may_go)
    }

    pub(super) fn is_queue_full(&self, at: usize) -> bool {
        self.places[at].bytes() >= self.queue_bytes_max(at)
    }

    fn queue_bytes_max(&self, at: usize) -> u64 {
        self.places[at].policy.bytes_max.unwrap_or(self.config.queue_bytes_max)
    }

    pub(super) fn is_memory_full(&self) -> bool {
        self.waiting_bytes() >= self.config.memory_max
    }

    /// What waits in all; a topic's message for each subscriber that it waits for.
    pub(super) fn waiting_bytes(&self) -> u64 {
        let of_consumers = self.consumers.values().map(Consumer::pending_bytes);
        self.places.iter().map(Place::bytes).chain(of_consumers).sum()
    }

    fn memory_full(&self) -> Refusal {
        Refusal::BrokerFull { bytes: self.waiting_bytes(), max: self.config.memory_max }
    }

    /// A message would have to wait where it goes, also if there is no such place yet.
    pub(super) fn would_wait(&self, connection: u64, waiting: &Waiting) -> bool {
        let name = &waiting.message.destination;
        if let Some(place) = self.known(name) {
            return self.is_congested(place, connection, waiting);
        }
        let others = self.consumers.values().filter(|found| found.names(name));
        let ids: Vec<Id> = others.filter(|found| !found.asked.browses).map(|found| found.id).collect();
        if is_queue(name) {
            return self.is_memory_full() && !ids.into_iter().any(|id| self.has_credit(id));
        }
        self.hold_up(ids.iter(), connection, waiting).next().is_some()
            || self.queues_of(name).into_iter().any(|queue| !self.has_room(queue, connection, waiting))
    }

    /// Subscribers that publishers have to wait for with a message.
    fn hold_up<'a>(
        &'a self,
        ids: impl Iterator<Item = &'a Id>,
        connection: u64,
        waiting: &Waiting,
    ) -> impl Iterator<Item = &'a Consumer> {
        let waiting = Waiting { redeliveries: 0, ..waiting.clone() };
        let holders = ids.map(|id| &self.consumers[id]).filter(|found| self.holds_up(found));
        holders.filter(move |found| found.is_for(connection, &waiting))
    }

    /// What would have to wait is refused where nothing may. It would stand behind those that wait already.
    pub(super) fn check_wait(&self, connection: u64, at: usize, waiting: &Waiting) -> Result<(), Refusal> {
        let place = &self.places[at];
        if place.policy.when_full != WhenFull::Refuse {
            return Ok(());
        }
        let shortage = match place.parked.front() {
            Some(first) => self.shortage(at, first.connection, &first.waiting),
            None => self.shortage(at, connection, waiting),
        };
        shortage.map_or(Ok(()), Err)
    }

    /// A message has to wait: others do, or there is no room.
    pub(super) fn is_congested(&self, at: usize, connection: u64, waiting: &Waiting) -> bool {
        !self.places[at].parked.is_empty() || !self.has_room(at, connection, waiting)
    }

    /// Of one connection only so many bytes wait for room; one message may, however large. Of so many copies of a message
    /// all might.
    pub(super) fn check_parking(&self, connection: u64, copies: u64, size: u64) -> Result<(), Refusal> {
        let (bytes, max) = (self.parked_bytes(connection), self.config.parked_bytes_max);
        let is_one = bytes == 0 && copies == 1;
        if connection != REMOTE && !is_one && bytes + copies * size > max {
            return Err(Refusal::ParkedFull { bytes, max });
        }
        Ok(())
    }

    /// How much of what a connection sent waits for room.
    pub(super) fn parked_bytes(&self, connection: u64) -> u64 {
        let parked =
            self.places.iter().flat_map(|place| &place.parked).filter(|parked| parked.connection == connection);
        parked.map(|parked| parked.waiting.size()).sum()
    }

    /// When what waits at a place has waited for long enough.
    pub(super) fn refuses_at(&self) -> impl Iterator<Item = (Instant, usize)> {
        self.places.iter().enumerate().filter_map(|(at, place)| match place.policy.when_full {
            WhenFull::WaitFor(wait) => Some((place.parked.front()?.waiting.arrived_at + wait, at)),
            WhenFull::Refuse | WhenFull::Wait => None,
        })
    }

    /// Refuses what has waited for too long, for what the first of it lacks; what is behind may have room.
    pub(super) fn refuse_parked(&mut self, at: usize) {
        let (now, place) = (self.now, &self.places[at]);
        let WhenFull::WaitFor(wait) = place.policy.when_full else { return };
        let Some(first) = place.parked.front() else { return };
        let shortage = self.shortage(at, first.connection, &first.waiting).expect("what waits has no room");
        let is_over = |parked: &Parked| parked.waiting.arrived_at + wait <= now;
        while self.places[at].parked.front().is_some_and(is_over)
            && let Some(Parked { connection, stream, number, .. }) = self.places[at].parked.pop_front()
        {
            self.tell_refused(connection, stream, number, shortage.clone());
        }
        self.unpark_all();
    }
}

impl Place {
    /// What waits here, delayed or not.
    pub(super) fn bytes(&self) -> u64 {
        self.all().map(Waiting::size).sum()
    }
}

fn full(destination: &Destination, bytes: u64, max: u64) -> Refusal {
    Refusal::DestinationFull { destination: destination.clone(), bytes, max }
}
