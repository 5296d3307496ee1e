//! What there is to see of a node beside its counts; looking changes nothing.

use alloc::vec::Vec;

use super::Node;
use crate::broker::Consumer;
use crate::dial::Dial;
use crate::model::DestinationStatus;

impl Node {
    /// Everybody who is handed messages by the embedded broker: its own application, its clients, and its peers, whose
    /// demand this is.
    pub fn consumers(&self) -> Vec<Consumer> {
        self.broker.consumers().collect()
    }

    /// How the destinations of the embedded broker fare, in order of kind and name.
    pub fn destinations(&self) -> Vec<DestinationStatus> {
        let mut destinations = self.broker.destinations();
        self.count_producers(&mut destinations);
        destinations
    }

    /// The addresses that links are wanted to, in order, and how each fares.
    pub fn dials(&self) -> Vec<Dial> {
        self.dialer.dials().collect()
    }
}
