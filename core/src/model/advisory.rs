//! What a broker tells about itself.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::destination::Destination;
use super::destinations::Destinations;
use super::id::{BrokerId, ConnectionId, ConsumerId, MessageId};

/// Something that happened in a broker, told to whoever asks for it (ActiveMQ's advisory messages). The topics named are
/// those below `ActiveMQ.Advisory.` that tell the same there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Advisory {
    /// There is a bridge to a peer now (`NetworkBridge`).
    BridgeStarted {
        /// The peer.
        peer: BrokerId,
        /// Its name.
        name: String,
    },
    /// There is no bridge to a peer any more (`NetworkBridge`).
    BridgeStopped {
        /// The peer.
        peer: BrokerId,
        /// Its name.
        name: String,
    },
    /// A connection has ended (`Connection`).
    ConnectionClosed {
        /// Whose it was.
        by: Party,
    },
    /// There is a new connection (`Connection`).
    ConnectionOpened {
        /// Whose it is.
        by: Party,
    },
    /// There is a new consumer (`Consumer.Queue.X`, `Consumer.Topic.X`).
    ConsumerAdded {
        /// What it consumes from.
        destination: Destinations,
        /// What it is called on its connection.
        consumer: ConsumerId,
        /// Whose it is.
        by: Party,
    },
    /// A consumer has ended (`Consumer.Queue.X`, `Consumer.Topic.X`).
    ConsumerRemoved {
        /// What it consumed from.
        destination: Destinations,
        /// What it was called on its connection.
        consumer: ConsumerId,
        /// Whose it was.
        by: Party,
    },
    /// There is a new destination (`Queue`, `Topic`, `TempQueue`, `TempTopic`).
    DestinationAdded {
        /// Its name.
        destination: Destination,
    },
    /// A destination has no room, so that messages begin to wait for some (`FULL.Queue.X`, `FULL.Topic.X`).
    DestinationFull {
        /// Its name.
        destination: Destination,
        /// Whose message is the first that waits (`FastProducer.Queue.X`, `FastProducer.Topic.X`).
        by: Party,
    },
    /// A destination has gone (`Queue`, `Topic`, `TempQueue`, `TempTopic`).
    DestinationRemoved {
        /// Its name.
        destination: Destination,
    },
    /// A message could not be delivered and is kept in a dead-letter queue (`MessageDLQd.Queue.X`, `MessageDLQd.Topic.X`).
    MessageDeadLettered {
        /// Where it was sent.
        destination: Destination,
        /// Where it is kept.
        queue: Destination,
        /// The message.
        message: MessageId,
    },
    /// A message's time was up (`Expired.Queue.X`, `Expired.Topic.X`).
    MessageExpired {
        /// Where it was sent.
        destination: Destination,
        /// The message.
        message: MessageId,
    },
    /// Messages were dropped for a topic's subscriber (`MessageDiscarded.Topic.X`).
    MessagesDropped {
        /// What it subscribes to.
        destination: Destinations,
        /// How many.
        count: u64,
    },
    /// There is a new producer (`Producer.Queue.X`, `Producer.Topic.X`): the application's, or a stream of a client, which
    /// is known from its first message on. Peers pass on what others produce.
    ProducerAdded {
        /// Where it sends.
        destination: Destinations,
        /// What it is called on its connection.
        producer: u64,
        /// Whose it is.
        by: Party,
    },
    /// A producer has ended (`Producer.Queue.X`, `Producer.Topic.X`).
    ProducerRemoved {
        /// Where it sent.
        destination: Destinations,
        /// What it was called on its connection.
        producer: u64,
        /// Whose it was.
        by: Party,
    },
    /// A topic's consumer is too slow (`SlowConsumer.Topic.X`).
    SlowConsumer {
        /// What it subscribes to.
        destination: Destinations,
        /// What it is called on its connection.
        consumer: ConsumerId,
        /// Whose it is.
        by: Party,
    },
}

/// Whoever is attached to a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Party {
    /// A connection of the application that embeds it.
    Application(ConnectionId),
    /// A client.
    Client(BrokerId),
    /// A peer.
    Peer(BrokerId),
}
