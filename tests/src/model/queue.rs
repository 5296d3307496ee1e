//! What waits in a queue, and who is handed it.

use super::Model;
use super::consumer::Id;
use super::place::Waiting;

impl Model {
    /// A message comes to a queue.
    pub(super) fn enqueue(&mut self, place: usize, waiting: Waiting) {
        self.counts.accepted_queued += 1;
        let found = &mut self.places[place];
        found.born += 1;
        let order = found.born;
        found.insert(Waiting { order, ..waiting });
        self.dispatch(place);
    }

    /// Hands out what waits, each message to whoever's turn it is.
    pub(super) fn dispatch(&mut self, place: usize) {
        while let Some((at, id)) = self.next(place) {
            let waiting = self.places[place].waiting.remove(at);
            self.queue_up(place, id);
            self.hand(id, place, waiting);
        }
    }

    /// The first message that somebody may be handed, and who.
    pub(super) fn next(&self, place: usize) -> Option<(usize, Id)> {
        let found = &self.places[place];
        (0..found.waiting.len()).find_map(|at| Some((at, self.taker(place, &found.waiting[at])?)))
    }

    /// Hands one consumer what waits for it; that is nobody's turn.
    pub(super) fn refill(&mut self, place: usize, id: Id) {
        while let Some(at) = self.places[place].waiting.iter().position(|waiting| self.may_take(place, id, waiting)) {
            let waiting = self.places[place].waiting.remove(at);
            self.hand(id, place, waiting);
        }
    }

    /// A consumer stands behind all others.
    pub(super) fn queue_up(&mut self, place: usize, id: Id) {
        let turns = &mut self.places[place].turns;
        turns.retain(|found| *found != id);
        turns.push(id);
    }

    /// A delivery goes back to where it was.
    pub(super) fn give_back(&mut self, place: usize, waiting: Waiting, times: u32) {
        let redeliveries = waiting.redeliveries.saturating_add(times);
        self.places[place].insert(Waiting { redeliveries, ..waiting });
    }

    /// Who is handed a message: the first whose turn it is.
    fn taker(&self, place: usize, waiting: &Waiting) -> Option<Id> {
        self.places[place].turns.iter().copied().find(|id| self.may_take(place, *id, waiting))
    }

    fn may_take(&self, _place: usize, id: Id, _waiting: &Waiting) -> bool {
        self.has_credit(id)
    }
}
