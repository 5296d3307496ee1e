//! What applications send, and how they name where to.

use std::time::Duration;

use bytes::Bytes;
use flockmq_core::{Body, Destination, DestinationError, Destinations, Priority, PropertiesError, Value};

/// A message to be sent: a body and what is said about it.
///
/// ```
/// use flockmq::Message;
///
/// let message = Message::text("42").property("currency", "EUR")?.correlation_id("order-7").persistent();
/// assert_eq!(message.body().as_text(), Ok("42"));
/// let bytes: Message = vec![1_u8, 2, 3].into();
/// # Ok::<(), flockmq::PropertiesError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message(Body);

impl Message {
    /// A message of UTF-8 text.
    pub fn text(text: impl Into<String>) -> Self {
        Self(Body::text(text))
    }

    /// A message of bytes.
    pub fn bytes(data: impl Into<Bytes>) -> Self {
        Self(Body::bytes(data))
    }

    /// The message with a property set.
    pub fn property(mut self, name: &str, value: impl Into<Value>) -> Result<Self, PropertiesError> {
        self.0.headers.properties.set(name, value)?;
        Ok(self)
    }

    /// The message as an answer to what this id stands for (JMS `JMSCorrelationID`).
    #[must_use]
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.0.headers.correlation_id = Some(id.into());
        self
    }

    /// The message with a place where its answer is wanted (JMS `JMSReplyTo`).
    #[must_use]
    pub fn reply_to(mut self, destination: Destination) -> Self {
        self.0.headers.reply_to = Some(destination);
        self
    }

    /// Says how urgent it is (JMS `JMSPriority`, 4 unless said).
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.0.priority = priority;
        self
    }

    /// Says how long it is worth anything, from when it is sent (JMS time to live, for ever unless said).
    #[must_use]
    pub fn time_to_live(mut self, time: Duration) -> Self {
        self.0.headers.time_to_live = Some(time);
        self
    }

    /// Says what sort of message it is (JMS `JMSType`).
    #[must_use]
    pub fn message_type(mut self, name: impl Into<String>) -> Self {
        self.0.headers.message_type = Some(name.into());
        self
    }

    /// The message as one that is to survive its broker (JMS delivery mode `PERSISTENT`).
    #[must_use]
    pub fn persistent(mut self) -> Self {
        self.0.persistent = true;
        self
    }

    /// What it holds so far.
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// What it holds.
    pub fn into_body(self) -> Body {
        self.0
    }
}

impl From<Body> for Message {
    fn from(body: Body) -> Self {
        Self(body)
    }
}

impl From<Bytes> for Message {
    fn from(data: Bytes) -> Self {
        Self::bytes(data)
    }
}

impl From<Vec<u8>> for Message {
    fn from(data: Vec<u8>) -> Self {
        Self::bytes(data)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

/// What names a destination: one that was parsed before, or a text such as `topic://prices.eu`.
pub trait ToDestination {
    /// The destination, or what is wrong with the text.
    fn to_destination(&self) -> Result<Destination, DestinationError>;
}

/// Whatever names one destination or several at once: a [`Destination`], [`Destinations`], or texts with commas between
/// such as `orders,topic://log`.
pub trait ToDestinations {
    /// The destinations, or what is wrong with the text.
    fn to_destinations(&self) -> Result<Destinations, DestinationError>;
}

impl<T: ToDestinations + ?Sized> ToDestinations for &T {
    fn to_destinations(&self) -> Result<Destinations, DestinationError> {
        (**self).to_destinations()
    }
}

impl ToDestinations for Destinations {
    fn to_destinations(&self) -> Result<Destinations, DestinationError> {
        Ok(self.clone())
    }
}

impl ToDestinations for Destination {
    fn to_destinations(&self) -> Result<Destinations, DestinationError> {
        Ok(self.clone().into())
    }
}

impl ToDestinations for String {
    fn to_destinations(&self) -> Result<Destinations, DestinationError> {
        self.parse()
    }
}

impl ToDestinations for str {
    fn to_destinations(&self) -> Result<Destinations, DestinationError> {
        self.parse()
    }
}

impl<T: ToDestination + ?Sized> ToDestination for &T {
    fn to_destination(&self) -> Result<Destination, DestinationError> {
        (**self).to_destination()
    }
}

impl ToDestination for Destination {
    fn to_destination(&self) -> Result<Destination, DestinationError> {
        Ok(self.clone())
    }
}

impl ToDestination for String {
    fn to_destination(&self) -> Result<Destination, DestinationError> {
        self.parse()
    }
}

impl ToDestination for str {
    fn to_destination(&self) -> Result<Destination, DestinationError> {
        self.parse()
    }
}
