//! Topics whose messages also go to queues: each queue is one subscriber that may consist of many consumers, and that
//! keeps what comes while none of them is there.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use super::registry::{Registry, Slot};
use super::{Broker, Output};
use crate::base::{Instant, Outbox};
use crate::model::{Destination, DestinationKind, Message, Origin};

/// Which topics' messages also go to queues (ActiveMQ's `virtualTopic`): a message to a topic that `topics` covers goes
/// to every queue that there is whose name is `prefix` and the topic's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualTopics {
    /// A topic, or a pattern of topics.
    pub topics: Destination,
    /// What the queues' names begin with: levels and wildcards for one level, and a `.` at the end.
    pub prefix: String,
}

impl Default for VirtualTopics {
    /// `VirtualTopic.>` and `Consumer.*.`, as in ActiveMQ.
    fn default() -> Self {
        let topics = Destination::topic("VirtualTopic.>").expect("a valid name");
        Self { topics, prefix: "Consumer.*.".into() }
    }
}

impl VirtualTopics {
    /// The pattern of the queues that a topic's messages go to, if they go to any.
    pub(super) fn queues_of(&self, topic: &Destination) -> Option<Destination> {
        if !self.topics.matches(topic) {
            return None;
        }
        Destination::queue(&format!("{}{}", self.prefix, topic.name())).ok() // One too long is no queue's.
    }

    /// The topic whose messages a queue gets, if there is one.
    pub(super) fn topic_of(&self, queue: &Destination) -> Option<Destination> {
        if queue.kind() != DestinationKind::Queue || queue.is_temporary() {
            return None;
        }
        let levels = self.prefix.matches('.').count();
        let name = queue.name().splitn(levels + 1, '.').nth(levels)?;
        let topic = Destination::topic(name).ok()?;
        self.queues_of(&topic).filter(|pattern| pattern.matches(queue)).map(|_| topic)
    }
}

impl Broker {
    /// Gives a topic's message to the queues that get its messages. What came over a bridge was given to them where it
    /// came from.
    pub(super) fn copy_to_queues(
        &mut self,
        now: Instant,
        slot: Slot,
        from: Origin,
        message: &Arc<Message>,
        out: &mut Outbox<Output>,
    ) {
        if let Origin::Bridge(_) = from {
            return;
        }
        for queue in self.registry.get(slot).queues.clone() {
            let destination = self.registry.get(queue).name.clone();
            let copy = Message { destination, ..message.as_ref().clone() };
            self.accept(now, queue, from, 0, Arc::new(copy), out);
        }
    }
}

impl Registry {
    /// Lists the queues of a topic that is new, or has a new queue listed at its topic.
    pub(super) fn list_queues(&mut self, config: &VirtualTopics, slot: Slot) {
        let name = self.get(slot).name.clone();
        if let Some(pattern) = config.queues_of(&name) {
            self.get_mut(slot).queues = self.covered(&pattern);
        } else if let Some(topic) = config.topic_of(&name)
            && let Some(topic) = self.find(&topic)
        {
            self.get_mut(topic).queues.push(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(config: &VirtualTopics, queue: &str) -> Option<String> {
        config.topic_of(&queue.parse().expect("a destination")).map(|topic| format!("{topic}"))
    }

    #[test]
    fn a_queue_is_named_after_its_consumers_and_its_topic() {
        let usual = VirtualTopics::default();
        let cases = [
            ("Consumer.A.VirtualTopic.Orders", Some("topic://VirtualTopic.Orders")),
            ("Consumer.A.VirtualTopic.Orders.eu", Some("topic://VirtualTopic.Orders.eu")),
            ("Consumer.A.VirtualTopic", Some("topic://VirtualTopic")),
            ("Consumer.A.B.VirtualTopic.Orders", None),
            ("Consumers.A.VirtualTopic.Orders", None),
            ("Consumer.A.Orders", None),
            ("Consumer.A", None),
            ("topic://Consumer.A.VirtualTopic.Orders", None),
        ];
        for (queue, expected) in cases {
            assert_eq!(pair(&usual, queue).as_deref(), expected, "{queue}");
        }
        let own = VirtualTopics { topics: "topic://news".parse().expect("valid"), prefix: "to.".into() };
        assert_eq!(pair(&own, "to.news").as_deref(), Some("topic://news"));
        assert_eq!(pair(&own, "to.news.eu"), None);
    }

    #[test]
    fn a_topic_whose_queues_would_have_too_long_names_has_none() {
        let config = VirtualTopics::default();
        let topic = |rest: usize| Destination::topic(&format!("VirtualTopic.{}", "x".repeat(rest))).expect("valid");
        let longest = Destination::NAME_MAX - "Consumer.*.VirtualTopic.".len();
        assert!(config.queues_of(&topic(longest)).is_some());
        assert_eq!(config.queues_of(&topic(longest + 1)), None);
    }
}
