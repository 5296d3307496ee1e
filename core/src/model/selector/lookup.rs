//! What a selector can ask of a message.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};

use super::Selector;
use crate::base::Timestamp;
use crate::model::{Message, Value};

/// Where a selector finds what its identifiers name.
pub trait Lookup {
    /// The value of a header field; `None` if there is none.
    fn header(&self, header: Header) -> Option<Operand<'_>>;

    /// The value of a property; `None` if there is none.
    fn property(&self, name: &str) -> Option<Operand<'_>>;

    /// How many steps it takes to find a property or to find that there is none, beyond the one that every identifier
    /// takes.
    fn property_steps(&self) -> usize {
        0
    }
}

/// A header field that selectors name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// `JMSCorrelationID`, text.
    CorrelationId,
    /// `JMSXDeliveryCount`, a whole number from 1.
    DeliveryCount,
    /// `JMSDeliveryMode`, text: `PERSISTENT` or `NON_PERSISTENT`.
    DeliveryMode,
    /// `JMSDestination`, text: `queue://…` or `topic://…`.
    Destination,
    /// `JMSExpiration`, a whole number: milliseconds since 1970, or 0 for never.
    Expiration,
    /// `JMSXGroupID`, text.
    GroupId,
    /// `JMSXGroupSeq`, a whole number.
    GroupSequence,
    /// `JMSMessageID`, text: `ID:…`.
    MessageId,
    /// `JMSPriority`, a whole number from 0 to 9.
    Priority,
    /// `JMSRedelivered`, true or false.
    Redelivered,
    /// `JMSReplyTo`, text: `queue://…` or `topic://…`.
    ReplyTo,
    /// `JMSTimestamp`, a whole number: milliseconds since 1970.
    Timestamp,
    /// `JMSType`, text.
    Type,
}

/// A value that a selector reckons with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand<'a> {
    /// True or false.
    Bool(bool),
    /// An approximate number.
    Float(f64),
    /// An exact number.
    Int(i64),
    /// Text.
    Text(Cow<'a, str>),
}

/// A message that may be handed out.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The message.
    pub message: &'a Message,
    /// How often it was handed out before.
    pub redeliveries: u32,
    /// When it is worth nothing any more, if ever.
    pub expires_at: Option<Timestamp>,
}

impl Header {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::CorrelationId,
        Self::DeliveryCount,
        Self::DeliveryMode,
        Self::Destination,
        Self::Expiration,
        Self::GroupId,
        Self::GroupSequence,
        Self::MessageId,
        Self::Priority,
        Self::Redelivered,
        Self::ReplyTo,
        Self::Timestamp,
        Self::Type,
    ];

    /// The identifier that names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CorrelationId => "JMSCorrelationID",
            Self::DeliveryCount => "JMSXDeliveryCount",
            Self::DeliveryMode => "JMSDeliveryMode",
            Self::Destination => "JMSDestination",
            Self::Expiration => "JMSExpiration",
            Self::GroupId => "JMSXGroupID",
            Self::GroupSequence => "JMSXGroupSeq",
            Self::MessageId => "JMSMessageID",
            Self::Priority => "JMSPriority",
            Self::Redelivered => "JMSRedelivered",
            Self::ReplyTo => "JMSReplyTo",
            Self::Timestamp => "JMSTimestamp",
            Self::Type => "JMSType",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|header| header.name() == name)
    }
}

impl<'a> Candidate<'a> {
    /// A message as it is where it was sent: not handed out before.
    pub fn new(message: &'a Message) -> Self {
        let expires_at = message.body.headers.time_to_live.map(|time| message.timestamp + time);
        Self { message, redeliveries: 0, expires_at }
    }

    /// What messages have no field for yet is looked for among their properties.
    fn field(self, header: Header) -> Option<Operand<'a>> {
        let (message, body) = (self.message, &self.message.body);
        match header {
            Header::CorrelationId => body.headers.correlation_id.as_deref().map(Operand::from),
            Header::DeliveryCount => Some(Operand::Int(i64::from(self.redeliveries) + 1)),
            Header::DeliveryMode => Some(if body.persistent { "PERSISTENT" } else { "NON_PERSISTENT" }.into()),
            Header::Destination => Some(message.destination.to_string().into()),
            Header::Expiration => Some(self.expires_at.map_or(Operand::Int(0), Operand::from)),
            Header::GroupId | Header::GroupSequence => message.property(header.name()),
            Header::MessageId => Some(message.id.to_string().into()),
            Header::Priority => Some(Operand::Int(body.priority.level().into())),
            Header::Redelivered => Some(Operand::Bool(self.redeliveries > 0)),
            Header::ReplyTo => body.headers.reply_to.as_ref().map(|destination| destination.to_string().into()),
            Header::Timestamp => Some(message.timestamp.into()),
            Header::Type => body.headers.message_type.as_deref().map(Operand::from),
        }
    }
}

impl Lookup for Candidate<'_> {
    fn header(&self, header: Header) -> Option<Operand<'_>> {
        self.field(header)
    }

    fn property(&self, name: &str) -> Option<Operand<'_>> {
        self.message.property(name)
    }

    fn property_steps(&self) -> usize {
        self.message.property_steps()
    }
}

/// A message as it is where it was sent: not handed out before.
impl Lookup for Message {
    fn header(&self, header: Header) -> Option<Operand<'_>> {
        Candidate::new(self).field(header)
    }

    fn property(&self, name: &str) -> Option<Operand<'_>> {
        self.body.headers.properties.get(name).map(Operand::from)
    }

    fn property_steps(&self) -> usize {
        self.body.headers.properties.len() / Selector::STEP_LENGTH // They are walked.
    }
}

impl<'a> From<&'a Value> for Operand<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Float(value) => Self::Float(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Text(text) => Self::Text(Cow::Borrowed(text)),
        }
    }
}

impl From<bool> for Operand<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Operand<'_> {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<i64> for Operand<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<Timestamp> for Operand<'_> {
    fn from(time: Timestamp) -> Self {
        Self::Int(time.as_millis().try_into().unwrap_or(i64::MAX))
    }
}

impl<'a> From<&'a str> for Operand<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Operand<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}
