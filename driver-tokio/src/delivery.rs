//! A message as an application gets it.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use flockmq_core::{
    AckKind, ConsumerId, Destination, Message, MessageError, MessageId, Priority, Properties, Refusal, Tag, Value,
};

use crate::consumer::{AckMode, Shared};
use crate::error::Error;

/// A message that was delivered, and the means to say what became of it. Dereferences to the
/// [`Message`] itself.
#[derive(Debug)]
pub struct Delivery {
    inner: flockmq_core::Delivery,
    consumer: Arc<Shared>,
    is_acknowledged: AtomicBool, // For itself alone.
}

impl Delivery {
    pub(crate) fn new(inner: flockmq_core::Delivery, consumer: Arc<Shared>) -> Self {
        Self { inner, consumer, is_acknowledged: AtomicBool::new(false) }
    }

    /// The content as text; an error if it is bytes.
    pub fn text(&self) -> Result<&str, MessageError> {
        self.body.as_text()
    }

    /// The content as bytes, whatever it is.
    pub fn data(&self) -> &Bytes {
        &self.body.data
    }

    /// The message's identity, the same at every broker and consumer.
    pub fn id(&self) -> MessageId {
        self.inner.message.id
    }

    /// Where the message was sent, which is one of those that a pattern covers.
    pub fn destination(&self) -> &Destination {
        &self.inner.message.destination
    }

    /// Its properties.
    pub fn properties(&self) -> &Properties {
        &self.body.headers.properties
    }

    /// One of its properties.
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.body.headers.properties.get(name)
    }

    /// How urgent it is (JMS `JMSPriority`).
    pub fn priority(&self) -> Priority {
        self.body.priority
    }

    /// How long it was still worth anything when it was handed to the consumer; for ever if `None`.
    pub fn time_to_live(&self) -> Option<Duration> {
        self.body.headers.time_to_live
    }

    /// What sort of message it is (JMS `JMSType`).
    pub fn message_type(&self) -> Option<&str> {
        self.body.headers.message_type.as_deref()
    }

    /// What it answers.
    pub fn correlation_id(&self) -> Option<&str> {
        self.body.headers.correlation_id.as_deref()
    }

    /// Where an answer is wanted.
    pub fn reply_to(&self) -> Option<&Destination> {
        self.body.headers.reply_to.as_ref()
    }

    /// True if somebody may have seen the message before (JMS `JMSRedelivered`).
    pub fn redelivered(&self) -> bool {
        self.inner.redeliveries > 0
    }

    /// How often the message was handed out before.
    pub fn redeliveries(&self) -> u32 {
        self.inner.redeliveries
    }

    /// Its place among the consumer's deliveries, from 1.
    pub fn tag(&self) -> Tag {
        self.inner.tag
    }

    /// Acknowledges the delivery: with all before it in automatic and client mode, alone in individual mode. In
    /// automatic mode this only says sooner what asking for the next message says anyway.
    ///
    /// Does not wait for the broker; that an acknowledgement came too late, for one that had been made by way of another
    /// delivery or in a transaction, is told by an event. In individual mode acknowledging twice is an error.
    #[expect(clippy::unused_async, reason = "stores will make it wait, and callers should not have to change")]
    pub async fn ack(&self) -> Result<(), Error> {
        let (consumer, tag) = (self.consumer.consumer, self.inner.tag);
        if self.consumer.mode == AckMode::Individual && self.is_acknowledged.swap(true, Ordering::AcqRel) {
            return Err(Error::Refused(Refusal::NotOutstanding { consumer, tag }));
        }
        self.consumer.acknowledge(tag)
    }

    /// What a transaction needs to know to acknowledge it.
    pub(crate) fn transactable(&self) -> Result<(ConsumerId, Tag), Error> {
        match self.consumer.mode {
            AckMode::Individual => Ok((self.consumer.consumer, self.inner.tag)),
            mode @ (AckMode::Auto | AckMode::Client | AckMode::DupsOk) => Err(Error::NotIndividual { mode }),
        }
    }

    /// Gives the delivery back, to be handed out again to whoever is next once its destination's
    /// [`RedeliveryPolicy`](flockmq_core::RedeliveryPolicy) says so: after a second unless told otherwise. Given back more
    /// often than allowed, a queue's message is a dead letter.
    pub fn release(self) -> Result<(), Error> {
        self.consumer.give_back(self.inner.tag, AckKind::Released)
    }

    /// Says that nobody can deal with the message: a queue's is a dead letter at once, as its destination's
    /// [`DeadLetterPolicy`](flockmq_core::DeadLetterPolicy) has it. A topic keeps nothing of what it has handed out, so
    /// that there it is the same as [`ack`](Self::ack) for this delivery alone.
    pub fn reject(self) -> Result<(), Error> {
        self.consumer.give_back(self.inner.tag, AckKind::Rejected)
    }

    /// The message without the means to acknowledge it.
    pub fn into_message(self) -> Arc<Message> {
        self.inner.message
    }
}

impl Deref for Delivery {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.inner.message
    }
}
