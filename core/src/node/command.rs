//! What the application can say.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::model::{
    Ack, AdminRequest, Body, BrokerId, ConnectionId, ConsumerId, Destinations, RequestId, Subscription, Tag,
};

/// The application's side of its attachment to the embedded broker. Ids are the application's own choice, unique
/// within the node; every command with a `request` is answered by one `Event::Replied`, a
/// question by one `Event::Answered`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Answers deliveries. Wrong ones are refused by `Event::AckRefused`, right ones go without saying.
    Ack {
        /// Whose consumer it is.
        connection: ConnectionId,
        /// The acknowledgement.
        ack: Ack,
    },
    /// Wants to be told what happens in the embedded broker, or through fanout in each target (`Event::Advised`), or no more.
    /// As often as a connection wants it, it has to say that it does no more; its end says so for it.
    Advise {
        /// To know the answer by.
        request: RequestId,
        /// Who wants it.
        connection: ConnectionId,
        /// False if no more.
        wanted: bool,
    },
    /// Asks the broker as an administrator; or, through fanout, every broker that is up.
    Ask {
        /// To know the answer by.
        request: RequestId,
        /// The one broker to ask; all if `None`.
        only: Option<BrokerId>,
        /// What is asked.
        asked: AdminRequest,
    },
    /// Attaches a connection.
    Attach {
        /// To know the answer by.
        request: RequestId,
        /// The connection's name.
        connection: ConnectionId,
    },
    /// Begins a transaction: what is sent and acknowledged in it counts all at once, when it is committed, or not at all.
    /// Refused through fanout.
    Begin {
        /// To know the answer by.
        request: RequestId,
        /// Whose transaction it is to be.
        connection: ConnectionId,
        /// The transaction's number.
        transaction: u64,
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
    /// Does all that a transaction holds. If any of it can't be done nothing is, and the transaction stays open.
    Commit {
        /// To know the answer by.
        request: RequestId,
        /// Whose transaction it is.
        connection: ConnectionId,
        /// The transaction's number.
        transaction: u64,
    },
    /// Ends a connection with all its consumers and producers; its transactions are rolled back.
    Detach {
        /// To know the answer by.
        request: RequestId,
        /// The connection.
        connection: ConnectionId,
    },
    /// Creates a producer for one destination, or for several: then each message goes to all of them, and is accepted once
    /// all have taken it.
    Produce {
        /// To know the answer by.
        request: RequestId,
        /// Whose producer it is to be.
        connection: ConnectionId,
        /// The producer's number, which is less than 2⁶³.
        producer: u64,
        /// Where its messages go.
        destination: Destinations,
    },
    /// Ends all consumers, takes nothing more, and hands what waits in queues to peers that want it. Answered when nothing is
    /// on its way any more; what nobody wants stays.
    Drain {
        /// To know the answer by.
        request: RequestId,
    },
    /// Forgets what a transaction would have sent, and gives back what it would have acknowledged.
    Rollback {
        /// To know the answer by.
        request: RequestId,
        /// Whose transaction it is.
        connection: ConnectionId,
        /// The transaction's number.
        transaction: u64,
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
    /// Acknowledges one delivery in a transaction.
    TransactedAck {
        /// To know the answer by.
        request: RequestId,
        /// Whose transaction and consumer it is.
        connection: ConnectionId,
        /// The transaction's number.
        transaction: u64,
        /// The consumer.
        consumer: ConsumerId,
        /// The delivery.
        tag: Tag,
    },
    /// Sends one message in a transaction.
    TransactedSend {
        /// To know the answer by.
        request: RequestId,
        /// Whose transaction it is.
        connection: ConnectionId,
        /// The transaction's number.
        transaction: u64,
        /// Where the message goes.
        destination: Destinations,
        /// The message.
        message: Body,
    },
}
