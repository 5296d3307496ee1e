//! Deliveries that a consumer gave back.

use std::time::Duration;

use flockmq_core::RedeliveryPolicy;

use super::Model;
use super::dead_letter::Cause;
use super::place::{Delayed, Waiting};

impl Model {
    /// What was given back waits, then has its old place again; given back too often it is a dead letter, but for what is
    /// dead already.
    pub(super) fn redeliver(&mut self, place: usize, waiting: Waiting) {
        let times = waiting.redeliveries.saturating_add(1);
        let waiting = Waiting { redeliveries: times, ..waiting };
        let policy = &self.places[place].policy.redelivery;
        let is_exceeded = policy.redeliveries_max.is_some_and(|max| times > max);
        if is_exceeded && !self.is_dead_letter_queue(place) {
            return self.fail(place, &waiting, Cause::GivenBack);
        }
        let (wait, keeps_order) = (wait(policy, times), policy.keeps_order);
        if wait.is_zero() {
            return self.places[place].insert(waiting);
        }
        let delayed = &mut self.places[place].delayed;
        delayed.push(Delayed { until: self.now + wait, keeps_order, waiting });
        delayed.sort_by_key(|delayed| delayed.waiting.rank());
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
