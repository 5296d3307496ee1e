//! Deliveries that were given back, and when they are handed out again.

use core::time::Duration;

use serde::{Deserialize, Serialize};

/// When and how often a delivery that was given back is handed out again (ActiveMQ's `RedeliveryPolicy`).
///
/// It holds for deliveries that their consumer gives back ([`AckKind::Released`](crate::AckKind::Released)), or with a
/// transaction that is rolled back. Those of a consumer that leaves or crashes go back at once, and are not limited: they
/// say something of the consumer, not of the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedeliveryPolicy {
    /// How often a message may be handed out again (`maximumRedeliveries`); given back once more it is a dead letter. No
    /// limit if `None`.
    pub redeliveries_max: Option<u32>,
    /// How long a message waits when it is given back for the first time (`initialRedeliveryDelay`).
    pub first_delay: Duration,
    /// How long it waits the second time (`redeliveryDelay`).
    pub delay: Duration,
    /// What each later wait is multiplied by to give the next (`backOffMultiplier`); 1 keeps them equal.
    pub factor: u32,
    /// The longest wait (`maximumRedeliveryDelay`).
    pub delay_max: Duration,
    /// True if messages behind one that waits to be handed out again wait with it, so that order is kept. Otherwise they
    /// go on meanwhile (`nonBlockingRedelivery`).
    pub keeps_order: bool,
}

impl Default for RedeliveryPolicy {
    /// As ActiveMQ's: a second each time, six times. Others go on meanwhile.
    fn default() -> Self {
        Self {
            redeliveries_max: Some(6),
            first_delay: Duration::from_secs(1),
            delay: Duration::from_secs(1),
            factor: 1,
            delay_max: Duration::from_hours(1),
            keeps_order: false,
        }
    }
}
