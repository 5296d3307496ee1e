//! What may happen to a broker.

use flockmq_core::{Ack, Body, ConsumerId, Destination, Subscription, Tag};

/// One of it. Connections are named as the model names them.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Acknowledge {
        connection: u64,
        ack: Ack,
    },
    Attach(u64),
    CloseProducer {
        connection: u64,
        producer: u64,
    },
    /// In good order, or because its process died: a broker can't tell.
    Detach(u64),
    /// The remote client sends on a stream.
    Forward {
        stream: u64,
        redeliveries: u32,
        messages: Vec<Parcel>,
    },
    Produce {
        connection: u64,
        producer: u64,
        destination: Destination,
    },
    Send {
        connection: u64,
        producer: u64,
        bodies: Vec<Body>,
    },
    Subscribe {
        connection: u64,
        consumer: ConsumerId,
        subscription: Subscription,
    },
    Unsubscribe {
        connection: u64,
        consumer: ConsumerId,
        seen: Tag,
    },
    Wait {
        millis: u64,
        waking: Waking,
    },
}

/// A message of the remote client.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    /// How many messages before it has the same number, if the client sends one again.
    pub(super) again: u64,
    pub(super) destination: Destination,
    pub(super) body: Body,
}

/// Whether a broker is woken when it is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waking {
    InTime,
    Late,
}
