//! What a selector can ask of a message.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};

use super::Selector;
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
    /// `JMSExpiration`, a whole number: milliseconds since 1970.
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

impl Lookup for Candidate<'_> {
    fn header(&self, header: Header) -> Option<Operand<'_>> {
        header_of(self.message, self.redeliveries, header)
    }

    fn property(&self, name: &str) -> Option<Operand<'_>> {
        self.message.property(name)
    }

    fn property_steps(&self) -> usize {
        self.message.property_steps()
    }
}

/// A message that was not handed out before.
impl Lookup for Message {
    fn header(&self, header: Header) -> Option<Operand<'_>> {
        header_of(self, 0, header)
    }

    fn property(&self, name: &str) -> Option<Operand<'_>> {
        self.body.properties.get(name).map(Operand::from)
    }

    fn property_steps(&self) -> usize {
        self.body.properties.len() / Selector::STEP_LENGTH // They are walked.
    }
}

/// What messages have no field for yet is looked for among their properties.
fn header_of(message: &Message, redeliveries: u32, header: Header) -> Option<Operand<'_>> {
    match header {
        Header::CorrelationId => message.body.correlation_id.as_deref().map(Operand::from),
        Header::DeliveryCount => Some(Operand::Int(i64::from(redeliveries) + 1)),
        Header::DeliveryMode if message.body.persistent => Some("PERSISTENT".into()),
        Header::DeliveryMode => Some("NON_PERSISTENT".into()),
        Header::Destination => Some(message.destination.to_string().into()),
        Header::MessageId => Some(message.id.to_string().into()),
        Header::Redelivered => Some(Operand::Bool(redeliveries > 0)),
        Header::ReplyTo => message.body.reply_to.as_ref().map(|destination| destination.to_string().into()),
        Header::Timestamp => Some(Operand::Int(message.timestamp.as_millis().try_into().unwrap_or(i64::MAX))),
        Header::Expiration | Header::GroupId | Header::GroupSequence | Header::Priority | Header::Type => {
            message.property(header.name())
        }
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
