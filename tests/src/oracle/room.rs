//! Who is refused for want of room, and who ends for being slow: only those of whom a policy says so, and with cause.

use flockmq_core::sim::HostId;
use flockmq_core::{ConsumerId, DestinationKind, Instant, Refusal, Role, SlowConsumers, WhenFull};

use super::Oracle;

impl Oracle {
    /// A message finds no room only where as much waits as may, and is refused for that only if it may not wait for ever.
    pub(super) fn check_room(&self, host: HostId, refusal: &Refusal) {
        let (Refusal::BrokerFull { bytes, max } | Refusal::DestinationFull { bytes, max, .. }) = refusal else {
            return;
        };
        assert!(bytes >= max, "{host} refuses a message, though there is room: {refusal}");
        let known = &self.hosts[&host];
        let may_wait = known.role != Role::Client && known.policy.when_full == WhenFull::Wait;
        assert!(!may_wait, "{host} refuses a message that may wait: {refusal}");
    }

    /// A topic's consumer ends for being slow where a policy says so, when as much waits for it as may and it has
    /// acknowledged nothing for long enough. A client's answers are heard later than they are given.
    pub(crate) fn check_slow(&self, at: Instant, host: HostId, consumer: ConsumerId, refusal: &Refusal) {
        let Refusal::TooSlow { bytes, after, .. } = refusal else {
            panic!("{host} ends consumer {consumer}: {refusal}")
        };
        let (known, found) = (&self.hosts[&host], &self.subscribers[&consumer]);
        assert_eq!(
            known.policy.slow_consumers,
            SlowConsumers::Disconnect,
            "{host} ends consumer {consumer}: {refusal}"
        );
        assert!(found.wanted.destination.has(DestinationKind::Topic), "{host} ends consumer {consumer} of a queue");
        assert!(*bytes > 0, "nothing waits for consumer {consumer}, which {host} ends: {refusal}");
        let has_rested = at + *after / CLOCKS >= found.progressed_at + *after || known.role == Role::Client;
        assert!(has_rested, "{host} ends consumer {consumer} at {at}, which took something at {}", found.progressed_at);
    }
}

/// Clocks are wrong by less than one part in so many.
const CLOCKS: u32 = 500;
