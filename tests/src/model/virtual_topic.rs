//! Topics whose messages also go to queues.

use std::sync::Arc;

use flockmq_core::{Destination, Message};

use super::place::Waiting;
use super::{Model, is_queue};

impl Model {
    /// A message to a virtual topic goes to each queue that there is by its name.
    pub(super) fn copy_to_queues(&mut self, connection: u64, topic: usize, waiting: &Waiting) {
        for queue in self.queues_of(&self.places[topic].name) {
            let destination = self.places[queue].name.clone();
            let message = Arc::new(Message { destination, ..waiting.message.as_ref().clone() });
            self.accept(connection, queue, &Waiting { redeliveries: 0, message, ..*waiting });
        }
    }

    /// A queue that gets, or would get, a virtual topic's messages.
    pub(super) fn is_of_virtual_topic(&self, queue: usize) -> bool {
        let levels: Vec<&str> = self.places[queue].name.name().split('.').collect();
        self.is_queue(queue) && matches!(levels[..], ["Consumer", _, "VirtualTopic", ..])
    }

    /// The queues that get a topic's messages: any number, if it is a virtual one.
    pub(super) fn queues_of(&self, name: &Destination) -> Vec<usize> {
        if is_queue(name) || !name.name().starts_with("VirtualTopic.") {
            return Vec::new();
        }
        self.covered(&Destination::queue(&format!("Consumer.*.{}", name.name())).expect("a short name"))
    }
}
