//! Rank 0: time, chance and small containers. Knows nothing of messaging.

mod arena;
mod audit;
mod backoff;
mod deadline;
mod outbox;
mod rng;
mod situation;
mod time;
mod window;

pub(crate) use arena::{Arena, Key};
pub(crate) use audit::Audit;
pub(crate) use backoff::grown;
pub use backoff::{Backoff, BackoffConfig};
pub(crate) use deadline::Deadlines;
pub(crate) use outbox::Outbox;
pub use rng::{Rng, Seed};
pub use situation::Situation;
pub use time::{Instant, Timestamp};
