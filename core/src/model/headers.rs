//! What is said about a message that most messages say nothing of.

use alloc::boxed::Box;
use alloc::string::String;
use core::ops::{Deref, DerefMut};
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::destination::Destination;
use super::value::Properties;

/// What is said about a message: those of its header fields that most leave out, and its properties.
///
/// Read and changed as [`HeaderFields`] are. Those of a message that says nothing take the room of a pointer: where
/// millions wait, that is what counts.
///
/// ```
/// use core::time::Duration;
/// use flockmq_core::Body;
///
/// let mut body = Body::text("42");
/// assert_eq!(body.headers.time_to_live, None);
/// body.headers.time_to_live = Some(Duration::from_secs(3));
/// body.headers.properties.set("currency", "EUR")?;
/// # Ok::<(), flockmq_core::PropertiesError>(())
/// ```
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Headers(Option<Box<HeaderFields>>);

/// The fields of [`Headers`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeaderFields {
    /// How long it is worth anything, from when it is sent; for ever if `None` (JMS time to live). Brokers hand on what
    /// is left of it, so that their clocks need not agree.
    pub time_to_live: Option<Duration>,
    /// What sort of message it is, by the application's choice (JMS `JMSType`).
    pub message_type: Option<String>,
    /// What this message answers, by the asker's choice (JMS `JMSCorrelationID`).
    pub correlation_id: Option<String>,
    /// Where an answer is wanted (JMS `JMSReplyTo`).
    pub reply_to: Option<Destination>,
    /// Named values about the message.
    pub properties: Properties,
}

impl Headers {
    /// True if nothing is said.
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|fields| **fields == NONE)
    }

    /// How many bytes their texts and properties take.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        self.0.as_ref().map_or(0, |fields| fields.size())
    }
}

impl HeaderFields {
    fn size(&self) -> usize {
        let texts = [&self.correlation_id, &self.message_type];
        let words: usize = texts.into_iter().flatten().map(String::len).sum();
        self.properties.size() + words
    }
}

impl Deref for Headers {
    type Target = HeaderFields;

    #[inline]
    fn deref(&self) -> &HeaderFields {
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl DerefMut for Headers {
    fn deref_mut(&mut self) -> &mut HeaderFields {
        self.0.get_or_insert_default()
    }
}

impl From<HeaderFields> for Headers {
    fn from(fields: HeaderFields) -> Self {
        Self((fields != NONE).then(|| Box::new(fields)))
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

static NONE: HeaderFields = HeaderFields {
    time_to_live: None,
    message_type: None,
    correlation_id: None,
    reply_to: None,
    properties: Properties::NONE,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_say_nothing_are_equal_and_empty_however_they_came_to_be() {
        let mut touched = Headers(None);
        touched.time_to_live = None;
        for nothing in [&touched, &Headers::from(HeaderFields::default()), &Headers::default()] {
            assert_eq!((nothing, nothing.is_empty(), nothing.size()), (&Headers::default(), true, 0));
        }
        let mut lasting = touched;
        lasting.time_to_live = Some(Duration::ZERO);
        assert!(lasting != Headers::default() && !lasting.is_empty());
    }

    #[test]
    fn headers_take_what_their_texts_and_properties_take() {
        let mut headers = Headers(None);
        headers.correlation_id = Some("xy".into());
        assert_eq!(headers.size(), 2);
        headers.message_type = Some("order".into());
        assert_eq!(headers.size(), 7);
        headers.properties.set("name", "text").expect("room");
        assert_eq!(headers.size(), 7 + headers.properties.size());
    }
}
