//! Frames of our own protocol: `postcard` values behind a length, a message's body as it is.
//!
//! A message names its producer, destination and path by the number of a *route*, told once and used from then on,
//! so that a small message makes a small frame. Both ends keep [`ROUTES_MAX`] routes a direction; the oldest is
//! told anew when it is needed again.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::frame::{Farewell, Frame, Hello};
use super::stream::DecodeError;
use crate::base::Timestamp;
use crate::model::{
    Body, BodyKind, BrokerId, Demand, Destination, Message, MessageId, Path, ProducerId, Properties, Service,
};

/// What a stream of our own begins with. No OpenWire stream does: that begins with a length below 2^31.
pub const PREFACE: [u8; 8] = *b"\xf1FlockMQ";
/// The lowest protocol version spoken.
pub const VERSION_MIN: u16 = 1;
/// The highest protocol version spoken.
pub const VERSION_MAX: u16 = 1;

/// What is said between the length and a body, version 1. The order of the variants is the protocol.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Head<'a> {
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
        demand: Demand,
    },
    Undemand {
        number: u32,
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
}

/// What every message says beside its body.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    route: u16,
    demand: u32,
    tag: u64,
    redeliveries: u32,
    sequence: u64,
    timestamp: Timestamp,
    kind: BodyKind,
    persistent: bool,
}

impl Note {
    /// Writes [`Head::Message`] as postcard does, for nearly all frames go this way.
    fn write(&self) -> ([u8; NOTE_MAX], usize) {
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
    fn read(frame: &[u8]) -> Option<(Self, usize)> {
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
struct More {
    correlation_id: Option<String>,
    reply_to: Option<Destination>,
    properties: Properties,
}

/// How many routes each direction of a link remembers.
pub(super) const ROUTES_MAX: u16 = 1024;

/// Encoded frames on their way out: small ones in one growing buffer, long bodies as they are.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    whole: VecDeque<Bytes>,
    open: BytesMut,
    length: u64,
}

impl FrameBuffer {
    /// How many bytes wait.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Takes the next bytes to send, in order.
    pub fn pop(&mut self) -> Option<Bytes> {
        let data = match self.whole.pop_front() {
            Some(data) => data,
            None if self.open.is_empty() => return None,
            None => self.open.split().freeze(),
        };
        self.length -= data.len() as u64;
        Some(data)
    }

    /// Appends bytes as they are.
    pub fn push_bytes(&mut self, data: &[u8]) {
        self.open.extend_from_slice(data);
        self.length += data.len() as u64;
    }

    fn push(&mut self, head: &[u8], body: &Bytes) {
        let length = head.len() + body.len();
        let prefix = u32::try_from(length).expect("frames are checked against a limit below 4 GiB").to_be_bytes();
        self.length += (prefix.len() + length) as u64;
        if body.len() < COPIED_MAX {
            let room = prefix.len() + length;
            if self.open.capacity() - self.open.len() < room {
                self.open.reserve(room.max(OPEN_MIN));
            }
            self.open.put_slice(&prefix);
            self.open.put_slice(head);
            self.open.put_slice(body);
            return;
        }
        self.open.extend_from_slice(&prefix);
        self.open.extend_from_slice(head);
        self.whole.push_back(self.open.split().freeze());
        self.whole.push_back(body.clone());
    }
}

/// Bodies from this length on are sent as they are rather than copied beside their heads.
const COPIED_MAX: usize = 8 * 1024;
const OPEN_MIN: usize = 4 * 1024;

/// Frames to bytes, for one direction of one link.
#[derive(Debug, Default)]
pub struct Encoder {
    routes: BTreeMap<(ProducerId, Destination, Path), u16>,
    told: Vec<(ProducerId, Destination, Path)>, // By number.
    oldest: u16,
    last: Option<(u16, ProducerId, Destination, Path)>,
}

impl Encoder {
    /// An encoder that has told nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `frame` to `out`.
    pub fn encode(&mut self, frame: &Frame, out: &mut FrameBuffer) {
        let head = match frame {
            Frame::Forward { demand, tag, redeliveries, message } => {
                return self.encode_message(*demand, *tag, *redeliveries, message, out);
            }
            Frame::Demand { number, demand } => Head::Demand { number: *number, demand: demand.clone() },
            Frame::Forwarded { demand, up_to } => Head::Forwarded { demand: *demand, up_to: *up_to },
            Frame::Goodbye(farewell) => Head::Goodbye { farewell: farewell.clone() },
            Frame::Hello(hello) => Head::Hello {
                version_min: hello.version_min,
                version_max: hello.version_max,
                broker: hello.broker,
                name: &hello.name,
                group: &hello.group,
                services: hello.services.iter().map(|service| service.0.as_str()).collect(),
                frame_max: hello.frame_max,
                silence_max_millis: hello.silence_max_millis,
            },
            Frame::KeepAlive => Head::KeepAlive,
            Frame::Open { generation } => Head::Open { generation: *generation },
            Frame::Propose { ended } => Head::Propose { ended: *ended },
            Frame::Synced => Head::Synced,
            Frame::SyncedHeard => Head::SyncedHeard,
            Frame::Undemand { number } => Head::Undemand { number: *number },
        };
        push_head(&head, &Bytes::new(), out);
    }

    fn encode_message(&mut self, demand: u32, tag: u64, redeliveries: u32, message: &Message, out: &mut FrameBuffer) {
        let note = Note {
            route: self.route(message, out),
            demand,
            tag,
            redeliveries,
            sequence: message.id.sequence,
            timestamp: message.timestamp,
            kind: message.body.kind,
            persistent: message.body.persistent,
        };
        let body = &message.body;
        if body.correlation_id.is_none() && body.reply_to.is_none() && body.properties.is_empty() {
            let (head, length) = note.write();
            return out.push(&head[..length], &body.data);
        }
        let more = More {
            correlation_id: body.correlation_id.clone(),
            reply_to: body.reply_to.clone(),
            properties: body.properties.clone(),
        };
        push_head(&Head::MessageWithMore { note, more }, &body.data, out);
    }

    /// The number of the message's route, which is told first if the other end doesn't know it.
    fn route(&mut self, message: &Message, out: &mut FrameBuffer) -> u16 {
        if let Some((number, producer, destination, path)) = &self.last
            && *producer == message.id.producer
            && destination.is_same(&message.destination)
            && path.is_same(&message.path)
        {
            return *number;
        }
        let route = (message.id.producer, message.destination.clone(), message.path.clone());
        let number = self.routes.get(&route).copied().unwrap_or_else(|| self.tell(route.clone(), out));
        let (producer, destination, path) = route;
        self.last = Some((number, producer, destination, path));
        number
    }

    fn tell(&mut self, route: (ProducerId, Destination, Path), out: &mut FrameBuffer) -> u16 {
        let (producer, destination, path) = route.clone();
        let number = if self.told.len() < usize::from(ROUTES_MAX) {
            self.told.push(route.clone());
            u16::try_from(self.told.len() - 1).expect("below the limit")
        } else {
            let number = self.oldest;
            self.oldest = (self.oldest + 1) % ROUTES_MAX;
            let forgotten = core::mem::replace(&mut self.told[usize::from(number)], route.clone());
            self.routes.remove(&forgotten);
            number
        };
        self.routes.insert(route, number);
        push_head(&Head::Route { number, producer, destination, path }, &Bytes::new(), out);
        number
    }
}

fn push_head(head: &Head<'_>, body: &Bytes, out: &mut FrameBuffer) {
    let mut small = [0; 128];
    if let Ok(encoded) = postcard::to_slice(head, &mut small) {
        return out.push(encoded, body);
    }
    let encoded = postcard::to_allocvec(head).expect("a head is plain data, and memory grows");
    out.push(&encoded, body);
}

/// Bytes to frames, for one direction of one link.
#[derive(Debug, Default)]
pub struct Decoder {
    routes: Vec<Option<Route>>,
    sender: Option<BrokerId>,
}

#[derive(Clone, Debug)]
struct Route {
    producer: ProducerId,
    destination: Destination,
    path: Path,
}

impl Decoder {
    /// A decoder that has been told nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `sender` to the paths of the messages read from now on: a path on the wire ends before its sender.
    pub fn set_sender(&mut self, sender: BrokerId) {
        self.sender = Some(sender);
    }

    /// Reads one frame; none if it was for the decoder itself.
    pub fn decode(&mut self, mut bytes: Bytes) -> Result<Option<Frame>, DecodeError> {
        if bytes.first() == Some(&MESSAGE) {
            // The way nearly all frames go: nothing but the note is read, and the body is what is left.
            let short = || no_frame(&bytes, &postcard::Error::DeserializeUnexpectedEnd);
            let (note, body_at) = Note::read(&bytes).ok_or_else(short)?;
            bytes.advance(body_at);
            return self.message(&note, None, bytes).map(Some);
        }
        let (head, rest) = postcard::take_from_bytes::<Head<'_>>(&bytes).map_err(|error| no_frame(&bytes, &error))?;
        let frame = match head {
            Head::Message { note } => return self.message(&note, None, bytes.slice_ref(rest)).map(Some),
            Head::MessageWithMore { note, more } => {
                return self.message(&note, Some(more), bytes.slice_ref(rest)).map(Some);
            }
            _ if !rest.is_empty() => return Err(malformed(format!("{} bytes too many in a frame", rest.len()))),
            Head::Route { number, producer, destination, path } => {
                return self.learn(number, Route { producer, destination, path }).map(|()| None);
            }
            Head::Hello { version_min, version_max, broker, name, group, services, frame_max, silence_max_millis } => {
                if services.len() > SERVICES_MAX {
                    return Err(malformed(format!("{} services in one Hello; at most {SERVICES_MAX}", services.len())));
                }
                Frame::Hello(Box::new(Hello {
                    version_min,
                    version_max,
                    broker,
                    name: name.into(),
                    group: group.into(),
                    services: services.into_iter().map(|service| Service(service.into())).collect(),
                    frame_max,
                    silence_max_millis,
                }))
            }
            Head::Propose { ended } => Frame::Propose { ended },
            Head::Open { generation } => Frame::Open { generation },
            Head::Goodbye { farewell } => Frame::Goodbye(farewell),
            Head::KeepAlive => Frame::KeepAlive,
            Head::Demand { number, demand } => {
                check_path(&demand.path)?;
                Frame::Demand { number, demand }
            }
            Head::Undemand { number } => Frame::Undemand { number },
            Head::Synced => Frame::Synced,
            Head::SyncedHeard => Frame::SyncedHeard,
            Head::Forwarded { demand, up_to } => Frame::Forwarded { demand, up_to },
        };
        Ok(Some(frame))
    }

    fn learn(&mut self, number: u16, mut route: Route) -> Result<(), DecodeError> {
        check_path(&route.path)?;
        if let Some(sender) = self.sender {
            route.path = route.path.then(sender);
        }
        if number >= ROUTES_MAX {
            return Err(malformed(format!("route {number} is beyond the limit of {ROUTES_MAX}")));
        }
        let index = usize::from(number);
        if index >= self.routes.len() {
            self.routes.resize(index + 1, None);
        }
        self.routes[index] = Some(route);
        Ok(())
    }

    fn message(&self, note: &Note, more: Option<More>, data: Bytes) -> Result<Frame, DecodeError> {
        let Some(Some(route)) = self.routes.get(usize::from(note.route)) else {
            return Err(malformed(format!("route {} was never told", note.route)));
        };
        let mut body = Body { kind: note.kind, persistent: note.persistent, data, ..Body::default() };
        if let Some(more) = more {
            body.correlation_id = more.correlation_id;
            body.reply_to = more.reply_to;
            body.properties = more.properties;
        }
        let message = Message {
            id: MessageId { producer: route.producer, sequence: note.sequence },
            destination: route.destination.clone(),
            path: route.path.clone(),
            timestamp: note.timestamp,
            body,
        };
        Ok(Frame::Forward {
            demand: note.demand,
            tag: note.tag,
            redeliveries: note.redeliveries,
            message: Arc::new(message),
        })
    }
}

fn check_path(path: &Path) -> Result<(), DecodeError> {
    if path.len() > Path::HOPS_MAX {
        return Err(malformed(format!("a path of {} brokers; at most {} are allowed", path.len(), Path::HOPS_MAX)));
    }
    Ok(())
}

/// How many services one `Hello` may name.
pub(super) const SERVICES_MAX: usize = 64;

/// How postcard writes [`Head::Message`].
const MESSAGE: u8 = 11;

fn no_frame(bytes: &Bytes, error: &postcard::Error) -> DecodeError {
    malformed(format!("{} bytes are no frame ({error})", bytes.len()))
}

fn malformed(what: String) -> DecodeError {
    DecodeError::Malformed(what)
}

#[cfg(test)]
mod tests {
    use super::super::frame::Farewell;
    use super::super::stream::Deframer;
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    /// The bytes of frames on a stream of their own.
    fn encoded(frames: &[Frame]) -> Bytes {
        let (mut encoder, mut buffer) = (Encoder::new(), FrameBuffer::default());
        for frame in frames {
            encoder.encode(frame, &mut buffer);
        }
        let length = buffer.len();
        let bytes: Vec<Bytes> = core::iter::from_fn(|| buffer.pop()).collect();
        let bytes = Bytes::from(bytes.concat());
        assert_eq!((bytes.len() as u64, buffer.len()), (length, 0));
        bytes
    }

    fn decoded(bytes: Bytes) -> Result<Vec<Frame>, DecodeError> {
        let (mut deframer, mut decoder, mut frames) = (Deframer::new(u32::MAX), Decoder::new(), Vec::new());
        deframer.push(bytes);
        while let Some(bytes) = deframer.poll_frame()? {
            frames.extend(decoder.decode(bytes)?);
        }
        Ok(frames)
    }

    fn message(producer: u64, sequence: u64, body: Body) -> Arc<Message> {
        Arc::new(Message {
            id: MessageId { producer: ProducerId { broker: BrokerId(0xab), number: producer }, sequence },
            destination: Destination::topic(&format!("t{producer}")).expect("valid"),
            path: Path::default(),
            timestamp: Timestamp::from_millis(1000),
            body,
        })
    }

    fn forward(message: Arc<Message>) -> Frame {
        Frame::Forward { demand: 1, tag: message.id.sequence, redeliveries: 0, message }
    }

    /// The wire format of version 1, byte for byte. A change here is a new version.
    #[test]
    fn frames_keep_their_bytes() {
        let hello = Frame::Hello(Box::new(Hello {
            version_min: 1,
            version_max: 1,
            broker: BrokerId(0x01),
            name: "b".into(),
            group: "g".into(),
            services: alloc::vec![Service("tcp://h:1".into())],
            frame_max: 300,
            silence_max_millis: 5,
        }));
        let more = Body {
            correlation_id: Some("c".into()),
            reply_to: Some(Destination::queue("r").expect("valid")),
            ..Body::text("hi")
        };
        let cases: [(Frame, &[u8]); 13] = [
            (hello, b"\0\0\0\x16\x00\x01\x01\x01\x01b\x01g\x01\x09tcp://h:1\xac\x02\x05"),
            (Frame::Propose { ended: 3 }, b"\0\0\0\x02\x01\x03"),
            (Frame::Open { generation: 4 }, b"\0\0\0\x02\x02\x04"),
            (Frame::Goodbye(Farewell::Duplicate), b"\0\0\0\x02\x03\x00"),
            (Frame::Goodbye(Farewell::Refused("no".into())), b"\0\0\0\x05\x03\x02\x02no"),
            (Frame::KeepAlive, b"\0\0\0\x01\x04"),
            (
                Frame::Demand {
                    number: 1,
                    demand: Demand { destination: Destination::queue("q").expect("valid"), path: Path::default() },
                },
                b"\0\0\0\x06\x05\x01\x00\x01q\x00",
            ),
            (Frame::Undemand { number: 1 }, b"\0\0\0\x02\x06\x01"),
            (Frame::Synced, b"\0\0\0\x01\x07"),
            (Frame::SyncedHeard, b"\0\0\0\x01\x08"),
            (Frame::Forwarded { demand: 1, up_to: 300 }, b"\0\0\0\x04\x09\x01\xac\x02"),
            (
                forward(message(2, 9, Body::bytes("hi"))),
                b"\0\0\0\x0a\x0a\x00\xab\x01\x02\x01\x02t2\x00\0\0\0\x0c\x0b\x00\x01\x09\x00\x09\xe8\x07\x00\x00hi",
            ),
            (
                forward(message(2, 9, more)),
                b"\0\0\0\x0a\x0a\x00\xab\x01\x02\x01\x02t2\x00\0\0\0\x14\x0c\x00\x01\x09\x00\x09\xe8\x07\x01\x00\x01\x01c\x01\x00\x01r\x00hi",
            ),
        ];
        for (frame, bytes) in cases {
            assert_eq!(encoded(core::slice::from_ref(&frame)), bytes, "{frame:?}");
            assert_eq!(decoded(Bytes::from_static(bytes)), Ok(alloc::vec![frame]));
        }
    }

    #[test]
    fn a_route_is_told_once() {
        let frames: Vec<Frame> = (1..=3).map(|n| forward(message(1, n, Body::bytes("x")))).collect();
        let alone = encoded(&frames[..1]).len();
        let all = encoded(&frames).len();
        assert_eq!(all - alone, 2 * 15, "each further message of one byte takes 15");
        assert_eq!(decoded(encoded(&frames)), Ok(frames));
    }

    #[test]
    fn more_routes_than_are_remembered_are_told_anew() {
        let producers = (0..u64::from(ROUTES_MAX) + 10).chain(0..20);
        let frames: Vec<Frame> = producers.map(|n| forward(message(n, 1, Body::bytes("x")))).collect();
        assert_eq!(decoded(encoded(&frames)), Ok(frames));
    }

    #[test]
    fn the_sender_is_the_last_on_the_path() {
        let bytes = encoded(&[forward(message(1, 1, Body::default()))]);
        let (mut deframer, mut decoder) = (Deframer::new(1000), Decoder::new());
        decoder.set_sender(BrokerId(5));
        deframer.push(bytes);
        assert_eq!(decoder.decode(deframer.poll_frame().expect("whole").expect("a route")), Ok(None));
        let frame = decoder.decode(deframer.poll_frame().expect("whole").expect("a message"));
        let Ok(Some(Frame::Forward { message, .. })) = frame else { panic!("{frame:?}") };
        assert_eq!(message.path.brokers(), [BrokerId(5)]);
    }

    #[test]
    fn what_is_no_frame_says_why() {
        let cases: [(&[u8], &str); 5] = [
            (b"\0\0\0\x00", "0 bytes are no frame"),
            (b"\0\0\0\x01\x63", "1 bytes are no frame"),
            (b"\0\0\0\x03\x07ab", "2 bytes too many in a frame"),
            (b"\0\0\0\x0a\x0b\x05\x01\x09\x00\x09\xe8\x07\x00\x00", "route 5 was never told"),
            (b"\0\0\0\x0b\x0a\xff\xff\x03\xab\x01\x02\x01\x01t\x00", "route 65535 is beyond the limit of 1024"),
        ];
        for (bytes, expected) in cases {
            let error = decoded(Bytes::from_static(bytes)).expect_err("no frame").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_path_may_be_as_long_as_the_limit_and_no_longer() {
        let demand = |hops: usize| Frame::Demand {
            number: 1,
            demand: Demand {
                destination: Destination::queue("q").expect("valid"),
                path: alloc::vec![BrokerId(1); hops].into(),
            },
        };
        assert!(decoded(encoded(&[demand(Path::HOPS_MAX)])).is_ok());
        assert!(decoded(encoded(&[demand(Path::HOPS_MAX + 1)])).is_err());
    }

    fn any_message() -> impl Strategy<Value = Arc<Message>> {
        let body = (any::<bool>(), any::<bool>(), proptest::option::of("\\PC{0,5}"), 0_usize..20_000, any::<bool>());
        (0_u64..5, any::<u64>(), body, proptest::collection::vec(("\\PC{1,5}", any::<i64>()), 0..4)).prop_map(
            |(producer, sequence, (is_text, persistent, correlation_id, length, has_reply), properties)| {
                let mut body = Body::bytes(alloc::vec![7; length]);
                body.kind = if is_text { BodyKind::Text } else { BodyKind::Bytes };
                body.persistent = persistent;
                body.correlation_id = correlation_id;
                body.reply_to = has_reply.then(|| Destination::queue("r").expect("valid"));
                for (name, value) in properties {
                    body.properties.set(&name, value).expect("few");
                }
                message(producer, sequence, body)
            },
        )
    }

    proptest! {
        /// Invariant C2 for messages of any shape, several routes and long bodies among them.
        #[test]
        fn what_is_encoded_is_decoded(messages in proptest::collection::vec(any_message(), 1..10)) {
            let frames: Vec<Frame> = messages.into_iter().map(forward).collect();
            prop_assert_eq!(decoded(encoded(&frames)), Ok(frames));
        }

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

        /// Invariant C1: any bytes are frames or an error.
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let mut decoder = Decoder::new();
            let _ = decoder.decode(bytes.clone().into());
            let _ = decoded(bytes.into());
        }
    }
}
