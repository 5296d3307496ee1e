//! What may happen to a broker.

use flockmq_core::{Ack, AdminRequest, Body, ConsumerId, Destination, Destinations, Subscription, Tag};

use crate::model::REMOTE;

/// One of it. Connections are named as the model names them.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Acknowledge {
        connection: u64,
        ack: Ack,
    },
    Ask {
        connection: u64,
        asked: AdminRequest,
    },
    Attach(u64),
    Begin {
        connection: u64,
        transaction: u64,
    },
    CloseProducer {
        connection: u64,
        producer: u64,
    },
    Commit {
        connection: u64,
        transaction: u64,
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
        destination: Destinations,
    },
    RollBack {
        connection: u64,
        transaction: u64,
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
    TransactedAck {
        connection: u64,
        transaction: u64,
        consumer: ConsumerId,
        tag: Tag,
    },
    TransactedSend {
        connection: u64,
        transaction: u64,
        destination: Destinations,
        body: Body,
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

impl Operation {
    /// Who does it; time passes for all.
    pub(super) fn connection(&self) -> Option<u64> {
        match self {
            Self::Attach(connection) | Self::Detach(connection) => Some(*connection),
            Self::Forward { .. } => Some(REMOTE),
            Self::Wait { .. } => None,
            Self::Acknowledge { connection, .. }
            | Self::Ask { connection, .. }
            | Self::Begin { connection, .. }
            | Self::CloseProducer { connection, .. }
            | Self::Commit { connection, .. }
            | Self::Produce { connection, .. }
            | Self::RollBack { connection, .. }
            | Self::Send { connection, .. }
            | Self::Subscribe { connection, .. }
            | Self::TransactedAck { connection, .. }
            | Self::TransactedSend { connection, .. }
            | Self::Unsubscribe { connection, .. } => Some(*connection),
        }
    }

    /// True if a client over a link can do it too: its streams begin with what is sent on them, and it has no
    /// transactions.
    pub(super) fn is_for_clients(&self) -> bool {
        matches!(
            self,
            Self::Acknowledge { .. }
                | Self::Ask { .. }
                | Self::Attach(_)
                | Self::Detach(_)
                | Self::Forward { .. }
                | Self::Subscribe { .. }
                | Self::Unsubscribe { .. }
        )
    }
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
