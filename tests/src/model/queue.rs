//! What waits in a queue, and who is handed it.

use super::Model;
use super::consumer::Id;
use super::place::Waiting;

impl Model {
    /// A message comes to a queue, and is handed out if somebody may take it.
    pub(super) fn enqueue(&mut self, place: usize, waiting: Waiting) {
        self.counts.accepted_queued += 1;
        self.places[place].born += 1;
        let waiting = Waiting { order: self.places[place].born, ..waiting };
        self.enter_group(place, &waiting);
        match self.taker(place, &waiting) {
            None => self.places[place].insert(waiting),
            Some(id) => {
                self.queue_up(place, id);
                if self.hand(id, place, waiting) {
                    self.hand_out(place);
                }
            }
        }
    }

    /// Hands out what waits, each message to whoever's turn it is.
    pub(super) fn dispatch(&mut self, place: usize) {
        self.catch_up();
        self.hand_out(place);
    }

    pub(super) fn hand_out(&mut self, place: usize) {
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

    /// Hands one consumer what waits for it, which is nobody's turn; unless by that a group is anybody's again.
    pub(super) fn refill(&mut self, place: usize, id: Id) {
        while let Some(at) = self.places[place].waiting.iter().position(|waiting| self.may_take(place, id, waiting)) {
            let waiting = self.places[place].waiting.remove(at);
            if self.hand(id, place, waiting) {
                return self.hand_out(place);
            }
        }
    }

    /// A consumer stands behind all that come before it or alike, by their priority.
    pub(super) fn queue_up(&mut self, place: usize, id: Id) {
        let mut turns = std::mem::take(&mut self.places[place].turns);
        turns.retain(|found| *found != id);
        let at = turns.iter().position(|other| self.priority(*other) < self.priority(id));
        turns.insert(at.unwrap_or(turns.len()), id);
        self.places[place].turns = turns;
    }

    /// A delivery goes back to where it was.
    pub(super) fn give_back(&mut self, place: usize, waiting: Waiting, times: u32) {
        let redeliveries = waiting.redeliveries.saturating_add(times);
        self.places[place].insert(Waiting { redeliveries, ..waiting });
    }

    /// Who is handed a message: the first whose turn it is. One that a group begins with goes to the one with the fewest
    /// groups, of those that come first alike.
    fn taker(&self, place: usize, waiting: &Waiting) -> Option<Id> {
        let turns = self.places[place].turns.iter().copied();
        let able: Vec<Id> = turns.filter(|id| self.may_take(place, *id, waiting)).collect();
        let first = *able.first()?;
        if waiting.group().is_none() || self.places[place].holder.is_some() {
            return Some(first);
        }
        let alike = able.into_iter().filter(|id| self.priority(*id) == self.priority(first));
        alike.min_by_key(|id| self.groups_of(place, *id))
    }

    fn may_take(&self, place: usize, id: Id, waiting: &Waiting) -> bool {
        let found = &self.places[place];
        let is_held_up =
            found.delayed.iter().any(|delayed| delayed.keeps_order && delayed.waiting.rank() < waiting.rank());
        !found.counts.is_paused
            && !is_held_up
            && self.is_open_to(place, id)
            && self.group_owner(place, waiting).is_none_or(|owner| owner == id)
            && self.consumers[&id].wants(waiting)
            && self.has_credit(id)
    }
}
