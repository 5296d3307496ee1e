//! Topics whose messages also go to queues.

use std::sync::Arc;

use flockmq_core::{Destination, Message};

use super::Model;
use super::place::Waiting;

impl Model {
    /// A message to a virtual topic goes to each queue that there is by its name.
    pub(super) fn copy_to_queues(&mut self, connection: u64, topic: usize, waiting: &Waiting) {
        for queue in self.queues_of(topic) {
            let destination = self.places[queue].name.clone();
            let message = Arc::new(Message { destination, ..waiting.message.as_ref().clone() });
            self.accept(connection, queue, &Waiting { redeliveries: 0, message, ..*waiting });
        }
    }

    /// The queues that get a topic's messages: any number, if it is a virtual one.
    pub(super) fn queues_of(&self, topic: usize) -> Vec<usize> {
        let name = &self.places[topic].name;
        if self.is_queue(topic) || !name.name().starts_with("VirtualTopic.") {
            return Vec::new();
        }
        self.covered(&Destination::queue(&format!("Consumer.*.{}", name.name())).expect("a short name"))
    }
}
