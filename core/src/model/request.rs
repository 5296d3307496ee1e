//! What a connection may ask of a broker, and why it may be refused.

use alloc::string::String;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::consumer_priority::ConsumerPriority;
use super::destination::{Destination, DestinationKind};
use super::destinations::Destinations;
use super::durable::Durable;
use super::id::{BrokerId, ConnectionId, ConsumerId, Tag};
use super::selector::Selector;

/// What a consumer subscribes to, and how much it takes at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a wish of its own, by the name that JMS or ActiveMQ has for it"
)]
pub struct Subscription {
    /// A destination or a pattern, or several of them.
    pub destination: Destinations,
    /// How many deliveries may be unacknowledged at a time (ActiveMQ's prefetch); `None` takes the default of the
    /// destination's kind.
    pub prefetch: Option<u32>,
    /// Queues: how much it comes before other consumers (ActiveMQ's `consumer.priority`).
    pub priority: ConsumerPriority,
    /// Queues: whether it wants the queue to itself (ActiveMQ's `consumer.exclusive`). While there is such a consumer it
    /// alone is handed messages: the first that came, until one comes that has a higher priority, or the highest there
    /// is; when it leaves, the one with the highest priority of the others.
    pub exclusive: bool,
    /// One queue: whether it only looks at what waits there now (ActiveMQ's `QueueBrowser`). It is shown that in order,
    /// takes nothing and is told the end; acknowledging is for its credit alone.
    pub browses: bool,
    /// True if a topic's consumer is not to be handed what its own connection sent (JMS `noLocal`). All connections of a
    /// client count as one.
    pub no_local: bool,
    /// True if a topic's consumer is to be handed first what the topic remembers (ActiveMQ's `consumer.retroactive`).
    pub retroactive: bool,
    /// What a topic's subscription is known by that goes on without its consumer (JMS durable subscription).
    pub durable: Option<Durable>,
    /// What the messages have to be like that it is handed (JMS message selector); `None` takes any. Where what it is
    /// true of can change, as with `JMSRedelivered`, a queue's message is asked about whenever it may be handed out, a
    /// topic's when it is sent.
    pub selector: Option<Selector>,
}

impl Subscription {
    /// A consumer of `destination` that takes as much at a time as is usual for it.
    pub const fn new(destination: Destination) -> Self {
        Self::to(Destinations::one(destination))
    }

    /// A consumer of all of these that takes as much at a time as is usual for them.
    pub const fn to(destination: Destinations) -> Self {
        Self {
            destination,
            prefetch: None,
            priority: ConsumerPriority::MIN,
            exclusive: false,
            browses: false,
            no_local: false,
            retroactive: false,
            durable: None,
            selector: None,
        }
    }

    /// Refuses wishes that the destination's kind does not know.
    pub(crate) fn check_kind(&self) -> Result<(), Refusal> {
        let is_for_topics = self.no_local || self.retroactive || self.durable.is_some();
        let is_wrong = |part: &&Destination| {
            (is_for_topics && part.kind() != DestinationKind::Topic) || (self.durable.is_some() && part.is_temporary())
        };
        match self.destination.iter().find(is_wrong) {
            Some(part) => Err(Refusal::TopicsOnly(part.clone())),
            None => Ok(()),
        }
    }

    /// True if a durable subscription that was asked for so goes on when it is asked for like `other`.
    pub(crate) fn continues(&self, other: &Self) -> bool {
        self.destination == other.destination && self.no_local == other.no_local && self.selector == other.selector
    }
}

/// Why a broker refused what was asked; nothing was changed by it. Links carry it: the order of the variants is part of
/// the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {
    /// An id that is in use already.
    #[error("{what} {number} exists already")]
    AlreadyExists {
        /// Connection, consumer or producer.
        what: What,
        /// Its number.
        number: u64,
    },
    /// What it hung on was closed before it was done.
    #[error("its {what} was closed before it was done")]
    Closed {
        /// Consumer or producer.
        what: What,
    },
    /// A pattern where one destination is needed.
    #[error("messages can't be sent to the pattern '{0}'; expected a destination without '*' and '>'")]
    IsPattern(Destination),
    /// As many as are allowed exist already.
    #[error("no room for another {what}: the limit is {max}")]
    LimitReached {
        /// Of what.
        what: What,
        /// How many are allowed.
        max: u64,
    },
    /// As many bytes as are allowed wait for brokers already.
    #[error("no room for the message: {max} bytes wait for brokers already, which is the limit")]
    MemoryFull {
        /// The limit in bytes.
        max: u64,
    },
    /// Too few brokers accepted, and too few others are left that could.
    #[error("{accepted} of {needed} brokers needed accepted it, and no others are left that could")]
    NotEnough {
        /// How many accepted.
        accepted: u32,
        /// How many were needed.
        needed: u32,
    },
    /// An acknowledgement of something that is not outstanding.
    #[error("delivery {tag} of consumer {consumer} is not outstanding: it was never made, or acknowledged before")]
    NotOutstanding {
        /// The consumer.
        consumer: ConsumerId,
        /// The delivery.
        tag: Tag,
    },
    /// The broker is stopping.
    #[error("the broker is stopping")]
    Stopping,
    /// A prefetch outside its range.
    #[error("a prefetch of {found} is out of range; expected 1 to {max}")]
    PrefetchOutOfRange {
        /// What was asked for.
        found: u32,
        /// The most that is allowed.
        max: u32,
    },
    /// Too few brokers answered in time; they may yet accept.
    #[error("{accepted} of {needed} brokers needed accepted it within {} ms", .after.as_millis())]
    TimedOut {
        /// How many accepted.
        accepted: u32,
        /// How many were needed.
        needed: u32,
        /// How long they had.
        after: Duration,
    },
    /// A message larger than a link can carry.
    #[error("the message takes {size} bytes; the limit is {max}")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// More was sent without waiting for acceptance than the producer's window holds.
    #[error("producer {producer} has {max} messages unaccepted, which is its limit")]
    WindowFull {
        /// The producer's number.
        producer: u64,
        /// The limit.
        max: u64,
    },
    /// An id that is not in use.
    #[error("there is no {what} {number}")]
    Unknown {
        /// Connection, consumer or producer.
        what: What,
        /// Its number.
        number: u64,
    },
    /// A topic, a pattern or several queues where one queue is needed.
    #[error("only a queue can be browsed, one at a time; '{0}' is a topic, a pattern or one of several")]
    NotBrowsable(Destination),
    /// A durable subscription that has a consumer already.
    #[error("the durable subscription '{0}' is in use; it can have one consumer at a time, and be deleted without one")]
    DurableInUse(Durable),
    /// A durable subscription that does not exist.
    #[error("there is no durable subscription '{0}'")]
    DurableUnknown(Durable),
    /// Something asked of a consumer that only those of topics have, or, if it is to outlast it, of topics that last.
    #[error("'{0}' is a queue or temporary; no-local and retroactive are for topics, durable for topics that last")]
    TopicsOnly(Destination),
    /// A transaction that would have to wait for room at a destination.
    #[error("there is no room at {destination} now")]
    NoRoom {
        /// The destination.
        destination: Destination,
    },
    /// Something that can't be had of many brokers at once.
    #[error("a {what} is one broker's, and can't be had through fanout")]
    NotThroughFanout {
        /// What was asked for.
        what: What,
    },
    /// A transaction that holds as much as it may.
    #[error("transaction {transaction} has no room: {messages_max} messages and {bytes_max} bytes is its limit")]
    TransactionFull {
        /// The transaction's number.
        transaction: u64,
        /// How many messages it may send and acknowledge.
        messages_max: u64,
        /// How many bytes it may send.
        bytes_max: u64,
    },
    /// A temporary destination whose connection has ended.
    #[error("'{0}' is gone: the connection it belonged to was closed")]
    Deleted(Destination),
    /// A temporary destination of another connection, which alone may consume from it.
    #[error("'{0}' belongs to another connection: that one alone may consume from it")]
    NotOwner(Destination),
    /// A destination that the broker does not have: nobody has sent to it or consumed from it.
    #[error("there is no {0} here: nobody has sent to it or consumed from it")]
    NoDestination(Destination),
    /// A topic, or a pattern of topics, where only a queue will do.
    #[error("{0} is no queue; expected queue://NAME: only queues keep messages that wait for consumers")]
    NotAQueue(Destination),
    /// A message that its destination has no room for, and that may not wait for some, or has for long enough.
    #[error("no room at {destination}: {bytes} bytes wait there, and the limit is {max}")]
    DestinationFull {
        /// The destination.
        destination: Destination,
        /// How many bytes wait, in the queue or for the topic's subscriber that has too many.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// A message that the broker has no room for, and that may not wait for some, or has for long enough.
    #[error("no room in the broker: {bytes} bytes wait there, and the limit is {max}")]
    BrokerFull {
        /// How many bytes wait.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// A message that would have to wait for room with more others of its connection than may.
    #[error("{bytes} bytes of the connection's messages wait for room already, and the limit is {max}")]
    ParkedFull {
        /// How many bytes wait.
        bytes: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// A consumer that publishers have waited for too long.
    #[error(
        "the consumer is too slow: it took nothing for {} ms while {bytes} bytes waited for it, of which the limit is {max}",
        .after.as_millis()
    )]
    TooSlow {
        /// How many bytes waited for it.
        bytes: u64,
        /// How many may.
        max: u64,
        /// How long it took nothing.
        after: Duration,
    },
    /// More destinations at once than are allowed.
    #[error("{found} destinations at once are too many; at most {max} are allowed")]
    TooManyDestinations {
        /// How many there are.
        found: u64,
        /// How many are allowed.
        max: u64,
    },
    /// A client may not do this here.
    #[error("the broker lets no clients purge, pause or resume its queues")]
    NotForClients,
}

/// What one of several brokers said to what was asked of all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer<T = ()> {
    /// The broker.
    pub broker: BrokerId,
    /// Its name.
    pub name: String,
    /// Whether it accepted, and what it had to say.
    pub result: Result<T, Refusal>,
}

impl Refusal {
    /// No connection of this id.
    pub const fn unknown_connection(connection: ConnectionId) -> Self {
        Self::Unknown { what: What::Connection, number: connection.0 }
    }

    /// No consumer of this id.
    pub const fn unknown_consumer(consumer: ConsumerId) -> Self {
        Self::Unknown { what: What::Consumer, number: consumer.0 }
    }
}

/// What a [`Refusal`] is about. Links carry it: the order of the variants is part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A connection.
    Connection,
    /// A consumer.
    Consumer,
    /// A destination.
    Destination,
    /// A producer.
    Producer,
    /// A durable subscription.
    Durable,
    /// A transaction.
    Transaction,
    /// A question of an administrator.
    Question,
}

impl core::fmt::Display for What {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Connection => "connection",
            Self::Consumer => "consumer",
            Self::Destination => "destination",
            Self::Producer => "producer",
            Self::Durable => "durable subscription",
            Self::Transaction => "transaction",
            Self::Question => "question",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_refusal_says_what_it_is_about() {
        let cases = [
            (Refusal::unknown_connection(ConnectionId(7)), "there is no connection 7"),
            (Refusal::unknown_consumer(ConsumerId(8)), "there is no consumer 8"),
            (Refusal::Closed { what: What::Producer }, "its producer was closed before it was done"),
            (
                Refusal::LimitReached { what: What::Destination, max: 9 },
                "no room for another destination: the limit is 9",
            ),
        ];
        for (refusal, printed) in cases {
            assert_eq!(refusal.to_string(), printed);
        }
    }
}
