//! Deliveries that a consumer gave back.

use std::time::Duration;

use flockmq_core::RedeliveryPolicy;

use super::Model;
use super::consumer::Id;
use super::place::{Delayed, Waiting};

/// When what was given back is handed out again.
enum Back {
    AtOnce(Waiting),
    Later(Delayed),
    Never(Waiting),
}

impl Model {
    /// What was given back waits, then has its old place again; given back too often it is dead, but for what is so
    /// already, and so it is if its time is up.
    pub(super) fn redeliver(&mut self, place: usize, waiting: Waiting) -> Option<Waiting> {
        match self.after(place, waiting) {
            Back::AtOnce(waiting) => self.places[place].insert(waiting),
            Back::Later(delayed) => {
                let all = &mut self.places[place].delayed;
                all.push(delayed);
                all.sort_by_key(|delayed| delayed.waiting.rank());
            }
            Back::Never(waiting) => return Some(waiting),
        }
        None
    }

    /// Likewise of what a durable subscription's consumer gave back of a topic.
    pub(super) fn redeliver_kept(&mut self, id: Id, place: usize, waiting: Waiting) -> Option<Waiting> {
        match self.after(place, waiting) {
            Back::AtOnce(waiting) => self.consumer(id).insert_pending(waiting),
            Back::Later(delayed) => self.consumer(id).delayed.push(delayed),
            Back::Never(waiting) => return Some(waiting),
        }
        None
    }

    fn after(&self, place: usize, waiting: Waiting) -> Back {
        let times = waiting.redeliveries.saturating_add(1);
        let waiting = Waiting { redeliveries: times, ..waiting };
        let policy = &self.places[place].policy.redelivery;
        let is_exceeded = policy.redeliveries_max.is_some_and(|max| times > max);
        let (wait, keeps_order) = (wait(policy, times), policy.keeps_order);
        match wait {
            _ if waiting.is_over(self.now) => Back::Never(waiting),
            _ if is_exceeded && !self.is_dead_letter_queue(place) => Back::Never(waiting),
            Duration::ZERO => Back::AtOnce(waiting),
            _ => Back::Later(Delayed { until: self.now + wait, keeps_order, waiting }),
        }
    }
}

/// How long what was given back for the n-th time waits: `first_delay`, `delay`, then each time `factor` times as long, at
/// most `delay_max`.
fn wait(policy: &RedeliveryPolicy, times: u32) -> Duration {
    let wait = match times {
        1 => policy.first_delay,
        _ => (2..times.min(40)).fold(policy.delay, |wait, _| wait.saturating_mul(policy.factor.max(1))),
    };
    wait.min(policy.delay_max)
}
