//! Messages that can't be delivered, and where they are kept.

use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use super::queue::Entry;
use super::registry::{self, Slot};
use super::{Broker, Output};
use crate::base::{Instant, Outbox, Timestamp};
use crate::model::{Advisory, Destination, DestinationKind, Message, Path, Value};

/// What becomes of messages that can't be delivered (ActiveMQ's `deadLetterStrategy`): because a consumer rejected them,
/// because they were given back more often than allowed, or because their time was up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetterPolicy {
    /// Where they go.
    pub queue: DeadLetterQueue,
    /// True if messages whose time was up are kept too (`processExpired`).
    pub keeps_expired: bool,
    /// Which messages that need not survive their broker are kept (`processNonPersistent`).
    pub non_persistent: NonPersistent,
}

/// Where dead letters go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeadLetterQueue {
    /// A queue for each destination: `ActiveMQ.DLQ.Queue.<name>` or `ActiveMQ.DLQ.Topic.<name>`.
    Individual,
    /// Nowhere: they are discarded, and counted.
    None,
    /// One queue for all. Nothing is kept if this is a pattern.
    Shared(Destination),
}

/// Which dead messages that need not survive their broker are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NonPersistent {
    /// None.
    Discarded,
    /// All.
    Kept,
    /// Those of queues.
    KeptOfQueues,
}

impl Default for DeadLetterPolicy {
    /// As ActiveMQ's, one queue `ActiveMQ.DLQ` for all, for expired messages too. Unlike there, queues' messages that
    /// are not persistent are kept as well: brokers keep their messages in memory, so few are marked persistent, and to
    /// lose the others without a trace would surprise.
    fn default() -> Self {
        Self {
            queue: DeadLetterQueue::Shared(shared()),
            keeps_expired: true,
            non_persistent: NonPersistent::KeptOfQueues,
        }
    }
}

/// Why a message can't be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its time was up.
    Expired,
    /// It was given back more often than allowed.
    GivenBack,
    /// A consumer rejected it.
    Rejected,
}

impl Cause {
    fn describe(self) -> &'static str {
        match self {
            Self::Expired => "its time was up",
            Self::GivenBack => "it was given back more often than its destination allows",
            Self::Rejected => "a consumer rejected it",
        }
    }
}

impl registry::Entry {
    /// True if dead letters go here, so that they go nowhere else from here.
    pub(super) fn is_dead_letter_queue(&self) -> bool {
        let is_usual = self.name.kind() == DestinationKind::Queue
            && self.name.name().strip_prefix(SHARED).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        is_usual || matches!(&self.policy.dead_letters.queue, DeadLetterQueue::Shared(shared) if *shared == self.name)
    }

    /// Where a message of this destination goes that died of `cause`; nowhere if `None`.
    fn grave(&self, message: &Message, cause: Cause) -> Option<Destination> {
        let policy = &self.policy.dead_letters;
        let is_kept = (policy.keeps_expired || cause != Cause::Expired)
            && match policy.non_persistent {
                NonPersistent::Discarded => message.body.persistent,
                NonPersistent::Kept => true,
                NonPersistent::KeptOfQueues => message.body.persistent || self.name.kind() == DestinationKind::Queue,
            };
        if !is_kept || self.is_dead_letter_queue() {
            return None;
        }
        match &policy.queue {
            DeadLetterQueue::Individual => Some(individual(&self.name)),
            DeadLetterQueue::None => None,
            DeadLetterQueue::Shared(shared) => Some(shared.clone()),
        }
    }
}

impl Broker {
    /// Ends a queue's message that its consumers could do nothing with.
    pub(super) fn fail(&mut self, now: Instant, slot: Slot, entry: &Entry, cause: Cause, out: &mut Outbox<Output>) {
        self.stats.failed_queued += 1;
        self.let_go(slot, entry);
        self.registry.get_mut(slot).counts.failed += 1;
        self.bury(now, slot, &entry.message, entry.expires_at(), cause, out);
    }

    /// Keeps a message that can't be delivered, and is worth nothing from `expires_at` on, where its destination's policy
    /// says, or discards it.
    pub(super) fn bury(
        &mut self,
        now: Instant,
        slot: Slot,
        message: &Message,
        expires_at: Option<Instant>,
        cause: Cause,
        out: &mut Outbox<Output>,
    ) {
        let origin = self.registry.get(slot);
        let grave = origin.grave(message, cause);
        // A topic's message may die for several subscribers.
        let id = message.id;
        let is_of_topic = origin.name.kind() == DestinationKind::Topic;
        if is_of_topic && grave.is_some() && self.buried.note((id.producer, slot), id.sequence) {
            return;
        }
        let place = grave.and_then(|grave| {
            let place = self.resolve_lasting(now, &grave, out).ok()?;
            (!self.is_queue_full(place)).then_some((place, grave))
        });
        let Some((place, grave)) = place else {
            tracing::debug!(%id, cause = cause.describe(), "a dead message is discarded");
            self.stats.discarded += 1;
            return;
        };
        tracing::debug!(%id, cause = cause.describe(), %grave, "dead letter");
        self.stats.dead_lettered += 1;
        self.registry.get_mut(slot).counts.dead_lettered += 1;
        self.advise(out, |broker| {
            let destination = broker.registry.get(slot).name.clone();
            Advisory::MessageDeadLettered { destination, queue: grave.clone(), message: id }
        });
        let expires_at = expires_at.map(|at| self.selection.wall_at(at));
        self.place(now, place, None, 0, Arc::new(dead_letter(message, grave, expires_at, cause)), out);
    }
}

/// The copy of a message that is kept when it can't be delivered.
fn dead_letter(message: &Message, grave: Destination, expires_at: Option<Timestamp>, cause: Cause) -> Message {
    let mut body = message.body.clone();
    body.headers.time_to_live = None;
    let was_persistent = core::mem::replace(&mut body.persistent, true);
    let mode = (!was_persistent).then(|| (MODE, "NON_PERSISTENT".to_string()));
    let words = [(CAUSE, cause.describe().to_string()), (ORIGIN, message.destination.to_string())];
    for (name, value) in words.into_iter().chain(mode) {
        // One that has as many properties as there may be goes without.
        _ = body.headers.properties.set(name, value);
    }
    if let Some(expires_at) = expires_at {
        _ = body.headers.properties.set(EXPIRATION, i64::try_from(expires_at.as_millis()).unwrap_or(i64::MAX));
    }
    Message { id: message.id, destination: grave, path: Path::default(), timestamp: message.timestamp, body }
}

/// Where a dead letter was sent, as text; none if it is none.
pub(super) fn origin(message: &Message) -> Option<&str> {
    match message.body.headers.properties.get(ORIGIN) {
        Some(Value::Text(origin)) => Some(origin),
        _ => None,
    }
}

/// The queue for the dead letters of one destination.
fn individual(origin: &Destination) -> Destination {
    let kind = match origin.kind() {
        DestinationKind::Queue => "Queue",
        DestinationKind::Topic => "Topic",
    };
    // One whose name would be too long has its dead letters among all others'.
    Destination::queue(&format!("{SHARED}.{kind}.{}", origin.name())).unwrap_or_else(|_| shared())
}

fn shared() -> Destination {
    Destination::queue(SHARED).expect("a queue's name")
}

/// The queue of all dead letters; those of single destinations are below it.
const SHARED: &str = "ActiveMQ.DLQ";

/// The property that says why a message is a dead letter.
const CAUSE: &str = "dlqDeliveryFailureCause";

/// The property that says until when it was worth something, in milliseconds by the broker's clock, if that had an end.
const EXPIRATION: &str = "originalExpiration";

/// The property that says that it was not persistent, if it was not; a dead letter is.
const MODE: &str = "originalDeliveryMode";

/// The property that says where it was sent.
const ORIGIN: &str = "originalDestination";
