//! What a broker tells about itself, if anybody asks.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::subscription::SubscriptionId;
use super::{Broker, Limits, Output};
use crate::base::Outbox;
use crate::model::{Advisory, ConsumerId, Destinations, Origin, Party};

impl Broker {
    /// Tells of what happens from now on, or no more.
    pub(crate) fn set_advising(&mut self, advises: bool) {
        self.advises = advises;
    }

    /// Tells what has happened, if anybody wants to know.
    #[inline]
    pub(super) fn advise(&self, out: &mut Outbox<Output>, tell: impl FnOnce(&Self) -> Advisory) {
        if self.advises {
            out.push(Output::Advised(Box::new(tell(self))));
        }
    }

    /// Tells of a consumer, as what it is that has happened to it.
    pub(super) fn advise_of(
        &self,
        id: SubscriptionId,
        out: &mut Outbox<Output>,
        tell: impl FnOnce(Destinations, ConsumerId, Party) -> Advisory,
    ) {
        if let Some(found) = self.subscriptions.get(id).filter(|_| self.advises) {
            let advisory = tell(found.destination.clone(), found.consumer, self.party(found.origin));
            out.push(Output::Advised(Box::new(advisory)));
        }
    }

    /// Tells of all consumers of a connection that they end.
    pub(super) fn advise_of_end(&self, origin: Origin, out: &mut Outbox<Output>) {
        if let Some(connection) = self.connections.get(&origin).filter(|_| self.advises) {
            for id in connection.consumers.values().copied().collect::<Vec<_>>() {
                self.advise_of(id, out, removed);
            }
        }
    }

    /// Whoever is attached so.
    pub(super) fn party(&self, origin: Origin) -> Party {
        let Limits { remote, client, .. } = &self.connections[&origin].limits;
        match (origin, remote, client) {
            (Origin::Application(connection), _, _) => Party::Application(connection),
            (Origin::Bridge(_), Some(remote), _) => Party::Peer(remote.broker),
            (Origin::Remote(_), _, Some(client)) => Party::Client(*client),
            (Origin::Bridge(_), None, _) => unreachable!("a bridge has another end"),
            (Origin::Remote(_), _, None) => unreachable!("a client has said who it is"),
        }
    }
}

/// A consumer that is new.
pub(super) fn added(destination: Destinations, consumer: ConsumerId, by: Party) -> Advisory {
    Advisory::ConsumerAdded { destination, consumer, by }
}

/// A consumer that has ended.
pub(super) fn removed(destination: Destinations, consumer: ConsumerId, by: Party) -> Advisory {
    Advisory::ConsumerRemoved { destination, consumer, by }
}

/// A consumer that is too slow.
pub(super) fn slow(destination: Destinations, consumer: ConsumerId, by: Party) -> Advisory {
    Advisory::SlowConsumer { destination, consumer, by }
}
