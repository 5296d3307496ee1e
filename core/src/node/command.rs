//! What the application can say.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::model::{Ack, Body, ConnectionId, ConsumerId, Destination, Durable, RequestId, Subscription, Tag};

/// The application's side of its attachment to the embedded broker. Ids are the application's own choice, unique
/// within the node; every command with a `request` is answered by one `Event::Replied`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Answers deliveries. Wrong ones are refused by `Event::AckRefused`, right ones go without saying.
    Ack {
        /// Whose consumer it is.
        connection: ConnectionId,
        /// The acknowledgement.
        ack: Ack,
    },
    /// Attaches a connection.
    Attach {
        /// To know the answer by.
        request: RequestId,
        /// The connection's name.
        connection: ConnectionId,
    },
    /// Ends a consumer; what it has not acknowledged goes back to its queue.
    CloseConsumer {
        /// To know the answer by.
        request: RequestId,
        /// Whose consumer it is.
        connection: ConnectionId,
        /// The consumer.
        consumer: ConsumerId,
        /// The last delivery that the application looked at; later ones go back as if never handed out.
        seen: Tag,
    },
    /// Ends a producer.
    CloseProducer {
        /// To know the answer by.
        request: RequestId,
        /// Whose producer it is.
        connection: ConnectionId,
        /// The producer's number.
        producer: u64,
    },
    /// Ends a connection with all its consumers and producers.
    Detach {
        /// To know the answer by.
        request: RequestId,
        /// The connection.
        connection: ConnectionId,
    },
    /// Creates a producer for one destination.
    Produce {
        /// To know the answer by.
        request: RequestId,
        /// Whose producer it is to be.
        connection: ConnectionId,
        /// The producer's number.
        producer: u64,
        /// Where its messages go.
        destination: Destination,
    },
    /// Deletes a durable subscription that has no consumer, with all that is kept for it; through fanout, on every
    /// target that is up.
    RemoveDurable {
        /// To know the answer by.
        request: RequestId,
        /// Who asks.
        connection: ConnectionId,
        /// The subscription.
        durable: Durable,
    },
    /// Sends messages. A producer's messages are numbered from 1 in the order sent; `Event::Accepted` and
    /// `Event::Refused` speak of them by that number.
    Send {
        /// Whose producer it is.
        connection: ConnectionId,
        /// The producer's number.
        producer: u64,
        /// The messages, in order.
        messages: Vec<Body>,
    },
    /// Takes leave of the group and ends everything; `Event::Stopped` comes last.
    Stop,
    /// Creates a consumer.
    Subscribe {
        /// To know the answer by.
        request: RequestId,
        /// Whose consumer it is to be.
        connection: ConnectionId,
        /// The consumer's name.
        consumer: ConsumerId,
        /// What it takes, and how much at a time.
        subscription: Subscription,
    },
}
