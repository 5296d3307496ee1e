//! What is said between a frame's length and a body.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::frame::Farewell;
use crate::base::Timestamp;
use crate::model::{
    Ack, AdminReply, AdminRequest, Advisory, Body, BodyKind, BrokerId, Destination, HeaderFields, Headers, Path,
    Priority, ProducerId, Properties, Refusal, Role, Selector, Subscription,
};

/// What is said between the length and a body, version 1. The order of the variants is the protocol.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Head<'a> {
    Hello {
        version_min: u16,
        version_max: u16,
        broker: BrokerId,
        name: &'a str,
        group: &'a str,
        #[serde(borrow)]
        services: Vec<&'a str>,
        frame_max: u32,
        silence_max_millis: u32,
        role: Role,
        is_connector: bool,
    },
    Propose {
        ended: u64,
    },
    Open {
        generation: u64,
    },
    Goodbye {
        farewell: Farewell,
    },
    KeepAlive,
    Demand {
        number: u32,
        destination: Destination,
        selector: Option<Selector>,
        path: Path,
        consumers: u32, // 0 if it is dormant.
        instead: bool,
    },
    Undemand {
        numbers: Vec<u32>,
    },
    Synced,
    SyncedHeard,
    Forwarded {
        demand: u32,
        up_to: u64,
    },
    Route {
        number: u16,
        producer: ProducerId,
        destination: Destination,
        path: Path,
    },
    /// The body's bytes follow.
    Message {
        note: Note,
    },
    /// The body's bytes follow.
    MessageWithMore {
        note: Note,
        more: More,
    },
    Subscribe {
        number: u32,
        subscription: Subscription,
    },
    Subscribed {
        number: u32,
        result: Result<(), Refusal>,
    },
    Unsubscribe {
        number: u32,
        seen: u64,
    },
    Ack {
        ack: Ack,
    },
    Refused {
        stream: u32,
        tag: u64,
        refusal: Refusal,
    },
    Finish {
        stream: u32,
    },
    Browsed {
        number: u32,
    },
    Ask {
        number: u32,
        asked: AdminRequest,
    },
    Answered {
        number: u32,
        result: Result<AdminReply, Refusal>,
    },
    ConsumerEnded {
        number: u32,
        refusal: Refusal,
    },
    Include {
        destination: Destination,
    },
    Weight {
        number: u32,
        consumers: NonZeroU32,
    },
    Advise {
        wanted: bool,
    },
    Advised {
        missed: u64,
        advisory: Box<Advisory>,
    },
}

/// What every message says beside its body.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) route: u16,
    pub(super) demand: u32,
    pub(super) tag: u64,
    pub(super) redeliveries: u32,
    pub(super) sequence: u64,
    pub(super) timestamp: Timestamp,
    pub(super) kind: BodyKind,
    pub(super) persistent: bool,
}

impl Note {
    /// Writes [`Head::Message`] as postcard does, for nearly all frames go this way.
    pub(super) fn write(&self) -> ([u8; NOTE_MAX], usize) {
        let mut head = [0; NOTE_MAX];
        head[0] = MESSAGE;
        let mut length = 1;
        let numbers = [
            self.route.into(),
            self.demand.into(),
            self.tag,
            self.redeliveries.into(),
            self.sequence,
            self.timestamp.as_millis(),
        ];
        for mut number in numbers {
            while number >= 0x80 {
                head[length] = number.to_le_bytes()[0] | 0x80;
                number >>= 7;
                length += 1;
            }
            head[length] = number.to_le_bytes()[0];
            length += 1;
        }
        head[length] = match self.kind {
            BodyKind::Bytes => 0,
            BodyKind::Text => 1,
        };
        head[length + 1] = self.persistent.into();
        (head, length + 2)
    }

    /// Reads what [`Note::write`] writes, and tells where the body begins.
    pub(super) fn read(frame: &[u8]) -> Option<(Self, usize)> {
        let mut at = 1;
        let mut number = |max: u64| {
            let (mut number, mut shift) = (0_u64, 0);
            loop {
                let byte = *frame.get(at)?;
                at += 1;
                let bits = u64::from(byte & 0x7f);
                // Ten bytes hold 64 bits: of the tenth only the lowest counts.
                if shift > 63 || (shift == 63 && bits > 1) {
                    return None;
                }
                number |= bits << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    return (number <= max).then_some(number);
                }
            }
        };
        let route = u16::try_from(number(u16::MAX.into())?).ok()?;
        let demand = u32::try_from(number(u32::MAX.into())?).ok()?;
        let tag = number(u64::MAX)?;
        let redeliveries = u32::try_from(number(u32::MAX.into())?).ok()?;
        let sequence = number(u64::MAX)?;
        let timestamp = Timestamp::from_millis(number(u64::MAX)?);
        let kind = match frame.get(at)? {
            0 => BodyKind::Bytes,
            1 => BodyKind::Text,
            _ => return None,
        };
        let persistent = match frame.get(at + 1)? {
            0 => false,
            1 => true,
            _ => return None,
        };
        Some((Self { route, demand, tag, redeliveries, sequence, timestamp, kind, persistent }, at + 2))
    }
}

/// The longest [`Head::Message`], in bytes: its number, a route, two counts of 32 bits, three of 64, and two bytes.
const NOTE_MAX: usize = 1 + 3 + 2 * 5 + 3 * 10 + 2;

/// What some messages say too.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct More {
    pub(super) priority: Priority,
    /// What is left of it, in milliseconds.
    pub(super) time_to_live_millis: Option<u64>,
    pub(super) message_type: Option<String>,
    pub(super) correlation_id: Option<String>,
    pub(super) reply_to: Option<Destination>,
    pub(super) properties: Properties,
}

impl More {
    /// What a message says beside its note, if there is anything.
    pub(super) fn of(body: &Body) -> Option<Self> {
        let Body { kind: _, persistent: _, priority, headers, data: _ } = body;
        let is_plain = *priority == Priority::default() && headers.is_empty();
        (!is_plain).then(|| {
            let HeaderFields { time_to_live, message_type, correlation_id, reply_to, properties } = &**headers;
            Self {
                priority: *priority,
                time_to_live_millis: time_to_live.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
                message_type: message_type.clone(),
                correlation_id: correlation_id.clone(),
                reply_to: reply_to.clone(),
                properties: properties.clone(),
            }
        })
    }

    /// Adds it to the message's body again.
    pub(super) fn add_to(self, body: &mut Body) {
        body.priority = self.priority;
        body.headers = Headers::from(HeaderFields {
            time_to_live: self.time_to_live_millis.map(Duration::from_millis),
            message_type: self.message_type,
            correlation_id: self.correlation_id,
            reply_to: self.reply_to,
            properties: self.properties,
        });
    }
}

/// How postcard writes [`Head::Message`].
pub(super) const MESSAGE: u8 = 11;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LONGEST: Note = Note {
        route: u16::MAX,
        demand: u32::MAX,
        tag: u64::MAX,
        redeliveries: u32::MAX,
        sequence: u64::MAX,
        timestamp: Timestamp::from_millis(u64::MAX),
        kind: BodyKind::Text,
        persistent: true,
    };

    #[test]
    fn the_longest_note_is_as_long_as_they_may_be() {
        let (head, length) = LONGEST.write();
        assert_eq!(length, NOTE_MAX);
        assert_eq!(Note::read(&head), Some((LONGEST, NOTE_MAX)));
    }

    #[test]
    fn what_no_field_can_hold_is_no_note() {
        // What comes in place of the byte at a place of the longest note, which has 3, 5, 10, 5, 10 and 10 for its
        // numbers and two more bytes.
        let cases: [(usize, &[u8], &str); 9] = [
            (3, b"\x04", "a route of 2^16"),
            (8, b"\x10", "a demand of 2^32"),
            (18, b"\x02", "a tag of 2^64"),
            (18, b"\x80\x00", "a tag of 11 bytes"),
            (18, b"\x81\x80\x01", "a tag of 12 bytes"),
            (23, b"\x10", "redeliveries of 2^32"),
            (33, b"\x02", "a sequence of 2^64"),
            (44, b"\x02", "a third kind of body"),
            (45, b"\x02", "a third truth"),
        ];
        let (head, _) = LONGEST.write();
        for (at, bytes, what) in cases {
            let broken = [&head[..at], bytes, &head[at + 1..]].concat();
            assert_eq!(Note::read(&broken), None, "{what}");
        }
    }

    proptest! {
        /// Notes are written by hand as postcard writes them, and read back.
        #[test]
        fn notes_are_postcards(route: u16, demand: u32, tag: u64, redeliveries: u32, sequence: u64, millis: u64, is_text: bool, persistent: bool) {
            let kind = if is_text { BodyKind::Text } else { BodyKind::Bytes };
            let timestamp = Timestamp::from_millis(millis);
            let note = Note { route, demand, tag, redeliveries, sequence, timestamp, kind, persistent };
            let (head, length) = note.write();
            prop_assert_eq!(Note::read(&head[..length]).map(|(_, at)| at), Some(length));
            prop_assert!(Note::read(&head[..length - 1]).is_none());
            let written = postcard::to_allocvec(&Head::Message { note }).expect("plain data");
            prop_assert_eq!(&head[..length], &written[..]);
            prop_assert_eq!(postcard::from_bytes::<Head<'_>>(&head[..length]), postcard::from_bytes(&written));
        }
    }
}
