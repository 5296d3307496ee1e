//! What comes about because its time has come: messages end whose time is up, what was given back is handed out
//! again, what has waited for room for too long is refused, and what nobody wants goes.

use std::sync::Arc;

use flockmq_core::{Instant, Message};

use super::Model;
use super::consumer::{Consumer, Id};
use super::dead_letter::Cause;
use super::place::{Place, Waiting};

/// Where something is due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    Forsaken(usize),
    Idle(usize),
    Parked(usize),
    Queue(usize),
    Subscriber(Id),
}

impl Model {
    /// Does what is due, the earliest first. Whoever hands out messages does this before, so that no message is handed
    /// out after its end.
    pub(super) fn catch_up(&mut self) {
        let due: Vec<Due> = self.due().into_iter().take_while(|(at, _)| *at <= self.now).map(|(_, due)| due).collect();
        if due.is_empty() {
            return;
        }
        let now = self.now;
        let (mut queues, mut subscribers) = (Vec::new(), Vec::new());
        let (mut forsaken, mut idle, mut parked) = (Vec::new(), Vec::new(), Vec::new());
        let (mut over, mut over_pending) = (Vec::new(), Vec::new());
        for due in due {
            match due {
                Due::Forsaken(place) => {
                    self.places[place].forsaken_at = None;
                    forsaken.push(place);
                }
                Due::Idle(place) => idle.push(place),
                Due::Parked(place) => parked.push(place),
                Due::Queue(place) => {
                    over.extend(self.take_due(place).into_iter().map(|waiting| (place, waiting)));
                    queues.push(place);
                }
                Due::Subscriber(id) => {
                    over_pending.extend(self.consumer(id).take_due(now));
                    subscribers.push(id);
                }
            }
        }
        queues.sort_unstable();
        for place in queues {
            self.hand_out(place);
        }
        for id in subscribers {
            self.drain(id);
        }
        // Older dead letters may have been handed out again by now.
        for (place, waiting) in over {
            self.expire_queued(place, &waiting);
        }
        for waiting in over_pending {
            let place = self.known(&waiting.message.destination).expect("what was published has a place");
            self.expire(place, &waiting);
        }
        self.unpark_all();
        for place in forsaken {
            self.forget(place);
        }
        self.unpark_all();
        for place in parked {
            self.refuse_parked(place);
        }
        for place in idle {
            self.forget_idle(place);
        }
    }

    /// When something is due, and where, the earliest first.
    pub(super) fn due(&self) -> Vec<(Instant, Due)> {
        let queues = self.places.iter().enumerate().filter_map(|(at, place)| {
            let delayed = place.delayed.iter().map(|delayed| delayed.until);
            Some((place.all().filter_map(Waiting::expires_at).chain(delayed).min()?, Due::Queue(at)))
        });
        let subscribers = self.consumers.values().filter_map(|found| {
            let delayed = found.delayed.iter().map(|delayed| delayed.until);
            let ends = found.all_pending().filter_map(Waiting::expires_at);
            Some((ends.chain(delayed).min()?, Due::Subscriber(found.id)))
        });
        let forsaken = self.forsaken().map(|(at, place)| (at, Due::Forsaken(place)));
        let parked = self.refuses_at().map(|(at, place)| (at, Due::Parked(place)));
        let idle = self.looks_at().map(|(at, place)| (at, Due::Idle(place)));
        let mut due: Vec<_> = queues.chain(subscribers).chain(forsaken).chain(idle).chain(parked).collect();
        due.sort_unstable();
        due
    }

    /// The time of a queue's message is up.
    pub(super) fn expire_queued(&mut self, place: usize, waiting: &Waiting) {
        self.counts.expired_queued += 1;
        self.leave_group(place, waiting);
        self.expire(place, waiting);
    }

    /// A message's time is up.
    pub(super) fn expire(&mut self, place: usize, waiting: &Waiting) {
        self.counts.expired += 1;
        self.places[place].counts.expired += 1;
        self.bury(place, waiting, Cause::Expired);
    }

    /// Takes what is worth nothing any more out of a queue, and puts back what has waited long enough.
    fn take_due(&mut self, place: usize) -> Vec<Waiting> {
        let now = self.now;
        let over = std::iter::from_fn(|| self.places[place].take_expired(now)).collect();
        while let Some(waiting) = self.places[place].take_delayed(now) {
            self.places[place].insert(waiting);
        }
        over
    }
}

impl Consumer {
    /// Likewise of what waits for it.
    fn take_due(&mut self, now: Instant) -> Vec<Waiting> {
        let mut over: Vec<Waiting> = self.pending.extract_if(.., |waiting| waiting.is_over(now)).collect();
        over.extend(self.delayed.extract_if(.., |delayed| delayed.waiting.is_over(now)).map(|delayed| delayed.waiting));
        over.sort_by_key(|waiting| (waiting.expires_at(), waiting.order));
        for delayed in self.delayed.extract_if(.., |delayed| delayed.until <= now).collect::<Vec<_>>() {
            self.insert_pending(delayed.waiting);
        }
        over
    }
}

impl Place {
    /// All that waits, delayed or not.
    pub(super) fn all(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.iter().chain(self.delayed.iter().map(|delayed| &delayed.waiting))
    }

    /// Takes a message whose time is up, the one whose time was up first.
    fn take_expired(&mut self, now: Instant) -> Option<Waiting> {
        let over = self.all().filter(|waiting| waiting.is_over(now));
        let order = over.min_by_key(|waiting| (waiting.expires_at(), waiting.rank()))?.order;
        if let Some(at) = self.waiting.iter().position(|waiting| waiting.order == order) {
            return Some(self.waiting.remove(at));
        }
        let at = self.delayed.iter().position(|delayed| delayed.waiting.order == order)?;
        Some(self.delayed.remove(at).waiting)
    }

    /// Takes a message that has waited long enough since it was given back.
    fn take_delayed(&mut self, now: Instant) -> Option<Waiting> {
        let at = self.delayed.iter().position(|delayed| delayed.until <= now)?;
        Some(self.delayed.remove(at).waiting)
    }
}

impl Waiting {
    /// When the message is worth nothing any more.
    pub(super) fn expires_at(&self) -> Option<Instant> {
        self.message.body.headers.time_to_live.map(|left| self.arrived_at + left)
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.expires_at().is_some_and(|at| at <= now)
    }

    /// The message as it is now: what has passed is taken off what was left of its time.
    pub(super) fn aged(&self, now: Instant) -> Arc<Message> {
        let mut message = Arc::clone(&self.message);
        if let Some(left) = message.body.headers.time_to_live {
            let passed = now - self.arrived_at;
            Arc::make_mut(&mut message).body.headers.time_to_live = Some(left.saturating_sub(passed));
        }
        message
    }
}
