//! Who consumes from a broker, for those who look at it.

use super::Broker;
use crate::model::{Destinations, Party};

/// A consumer of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumer {
    /// Whose it is. A peer's stands for the consumers that are there or behind it.
    pub by: Party,
    /// What it consumes from.
    pub destination: Destinations,
    /// How many brokers are between the consumers that it stands for and here.
    pub hops: usize,
    /// How many deliveries it has not answered.
    pub outstanding: usize,
    /// How many bytes of topics' messages wait for it.
    pub waiting_bytes: u64,
}

impl Broker {
    /// Everybody who is handed messages now.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = Consumer> {
        let active = self.subscriptions.iter().filter(|(_, found)| found.is_active());
        active.map(|(_, found)| Consumer {
            by: self.party(found.origin),
            destination: found.destination.clone(),
            hops: found.path.len(),
            outstanding: found.outstanding.count(),
            waiting_bytes: found.waiting().0,
        })
    }
}
