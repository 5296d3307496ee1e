//! A message: who sent it, where to, and what it carries.

use alloc::string::String;
use core::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::destination::Destination;
use super::headers::Headers;
use super::id::MessageId;
use super::path::Path;
use super::priority::Priority;
use crate::base::Timestamp;

/// How a body is to be read (the JMS message types that FlockMQ carries).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyKind {
    /// Bytes with no further meaning.
    #[default]
    Bytes,
    /// UTF-8 text.
    Text,
}

/// What an application sends and receives: a body, and what is said about it.
///
/// ```
/// use flockmq_core::Body;
///
/// let mut body = Body::text("42");
/// body.headers.properties.set("currency", "EUR")?;
/// assert_eq!(body.as_text(), Ok("42"));
/// # Ok::<(), flockmq_core::PropertiesError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Body {
    /// How `data` is to be read.
    pub kind: BodyKind,
    /// True if the message is to survive its broker (JMS delivery mode); carried along, kept in memory so far.
    pub persistent: bool,
    /// How urgent it is.
    pub priority: Priority,
    /// What else is said about it, if anything.
    pub headers: Headers,
    /// The content.
    pub data: Bytes,
}

/// Why a message can't be read as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The body is bytes, not text.
    #[error("the message holds bytes, not text")]
    NotText,
    /// The body says that it is text, but is not UTF-8.
    #[error("the message's text is not UTF-8 from byte {0} on")]
    NotUtf8(usize),
}

impl Body {
    /// A body of UTF-8 text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { kind: BodyKind::Text, data: Bytes::from(text.into()), ..Self::default() }
    }

    /// A body of bytes.
    pub fn bytes(data: impl Into<Bytes>) -> Self {
        Self { data: data.into(), ..Self::default() }
    }

    /// The same, worth something for that long only ([`HeaderFields::time_to_live`](super::HeaderFields::time_to_live)).
    #[must_use]
    pub fn expiring(mut self, after: Duration) -> Self {
        self.headers.time_to_live = Some(after);
        self
    }

    /// The body as text.
    pub fn as_text(&self) -> Result<&str, MessageError> {
        match self.kind {
            BodyKind::Bytes => Err(MessageError::NotText),
            BodyKind::Text => {
                core::str::from_utf8(&self.data).map_err(|error| MessageError::NotUtf8(error.valid_up_to()))
            }
        }
    }

    /// About how many bytes of memory it takes, beside its own fixed size.
    #[inline]
    pub fn size(&self) -> usize {
        self.data.len() + self.headers.size()
    }
}

/// A message on its way: a body with its identity and route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// Its identity, the same on every broker.
    pub id: MessageId,
    /// Where it was sent.
    pub destination: Destination,
    /// The brokers it crossed before this one.
    pub path: Path,
    /// When its first broker took it, by that broker's wall clock (JMS `JMSTimestamp`).
    pub timestamp: Timestamp,
    /// What it carries.
    pub body: Body,
}

impl Message {
    /// About how many bytes of memory it takes.
    #[inline]
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.body.size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BrokerId, ProducerId};

    #[test]
    fn a_body_is_read_as_what_it_is() {
        assert_eq!(Body::text("é").as_text(), Ok("é"));
        assert_eq!(Body::bytes("é").as_text(), Err(MessageError::NotText));
        let broken = Body { kind: BodyKind::Text, data: Bytes::from_static(b"ab\xff"), ..Body::default() };
        assert_eq!(broken.as_text(), Err(MessageError::NotUtf8(2)));
    }

    #[test]
    fn a_body_takes_what_it_carries() {
        let mut body = Body::bytes("abc");
        assert_eq!((Body::default().size(), body.size()), (0, 3));
        body.headers.correlation_id = Some("xy".into());
        assert_eq!(body.size(), 3 + body.headers.size());
    }

    #[test]
    fn a_message_takes_more_than_its_body() {
        let message = |body| Message {
            id: MessageId { producer: ProducerId { broker: BrokerId(1), number: 1 }, sequence: 1 },
            destination: Destination::queue("q").expect("valid"),
            path: Path::default(),
            timestamp: Timestamp::from_millis(0),
            body,
        };
        let empty = message(Body::default()).size();
        assert!(empty >= size_of::<Message>());
        assert_eq!(message(Body::bytes("abc")).size(), empty + 3);
    }
}
