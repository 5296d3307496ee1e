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
    Ack, Body, BodyKind, BrokerId, Demand, Destination, Message, MessageId, Path, ProducerId, Properties, Refusal,
    Role, Service, Subscription,
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
        role: Role,
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
pub(crate) const ROUTES_MAX: u16 = 1024;

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

    /// Appends bytes that are shared with others: short ones are copied, long ones sent as they are.
    pub(crate) fn push_shared(&mut self, data: &Bytes) {
        if data.len() < COPIED_MAX {
            return self.push_bytes(data);
        }
        self.length += data.len() as u64;
        if !self.open.is_empty() {
            self.whole.push_back(self.open.split().freeze());
        }
        self.whole.push_back(data.clone());
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
            Frame::Ack(ack) => Head::Ack { ack: *ack },
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
                role: hello.role,
            },
            Frame::KeepAlive => Head::KeepAlive,
            Frame::Open { generation } => Head::Open { generation: *generation },
            Frame::Propose { ended } => Head::Propose { ended: *ended },
            Frame::Refused { stream, tag, refusal } => {
                Head::Refused { stream: *stream, tag: *tag, refusal: refusal.clone() }
            }
            Frame::Subscribe { number, subscription } => {
                Head::Subscribe { number: *number, subscription: subscription.clone() }
            }
            Frame::Subscribed { number, result } => Head::Subscribed { number: *number, result: result.clone() },
            Frame::Synced => Head::Synced,
            Frame::SyncedHeard => Head::SyncedHeard,
            Frame::Undemand { number } => Head::Undemand { number: *number },
            Frame::Unsubscribe { number, seen } => Head::Unsubscribe { number: *number, seen: *seen },
            Frame::Finish { stream } => Head::Finish { stream: *stream },
        };
        push_head(&head, &Bytes::new(), out);
    }

    fn encode_message(&mut self, demand: u32, tag: u64, redeliveries: u32, message: &Message, out: &mut FrameBuffer) {
        let route = self.route(message, out);
        push_message(route, demand, tag, redeliveries, message, out);
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

/// Encodes messages once for many links. Who uses it names the routes itself, and tells each link those it needs.
#[derive(Debug, Default)]
pub(crate) struct SharedEncoder {
    buffer: FrameBuffer,
}

impl SharedEncoder {
    /// The frame that tells a route.
    pub(crate) fn route(number: u16, producer: ProducerId, destination: Destination) -> Bytes {
        let mut buffer = FrameBuffer::default();
        push_head(&Head::Route { number, producer, destination, path: Path::default() }, &Bytes::new(), &mut buffer);
        buffer.pop().expect("a frame without a body is one piece")
    }

    /// Appends a message whose route was told by this number.
    pub(crate) fn push(&mut self, route: u16, stream: u32, redeliveries: u32, message: &Message) {
        push_message(route, stream, message.id.sequence, redeliveries, message, &mut self.buffer);
    }

    /// How many bytes were appended since the last [`SharedEncoder::finish`].
    pub(crate) fn len(&self) -> u64 {
        self.buffer.len()
    }

    /// Takes what was appended, as it is to be sent.
    pub(crate) fn finish(&mut self) -> Vec<Bytes> {
        core::iter::from_fn(|| self.buffer.pop()).collect()
    }
}

/// Appends a message whose route the other end knows by this number.
fn push_message(route: u16, demand: u32, tag: u64, redeliveries: u32, message: &Message, out: &mut FrameBuffer) {
    let note = Note {
        route,
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
            Head::Hello {
                version_min,
                version_max,
                broker,
                name,
                group,
                services,
                frame_max,
                silence_max_millis,
                role,
            } => {
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
                    role,
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
            Head::Subscribe { number, subscription } => Frame::Subscribe { number, subscription },
            Head::Subscribed { number, result } => Frame::Subscribed { number, result },
            Head::Unsubscribe { number, seen } => Frame::Unsubscribe { number, seen },
            Head::Ack { ack } => Frame::Ack(ack),
            Head::Refused { stream, tag, refusal } => Frame::Refused { stream, tag, refusal },
            Head::Finish { stream } => Frame::Finish { stream },
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
    use crate::model::{AckExtent, AckKind, ConsumerId, What};
    use alloc::string::ToString;
    use core::time::Duration;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    /// The bytes of frames on a stream of their own.
    fn encoded(frames: &[Frame]) -> Bytes {
        let (mut encoder, mut buffer) = (Encoder::new(), FrameBuffer::default());
        for frame in frames {
            encoder.encode(frame, &mut buffer);
        }
        drained(buffer)
    }

    /// All bytes of a buffer, as many as it says.
    fn drained(mut buffer: FrameBuffer) -> Bytes {
        let length = buffer.len();
        let bytes: Vec<Bytes> = core::iter::from_fn(|| buffer.pop()).collect();
        let bytes = Bytes::from(bytes.concat());
        assert_eq!((bytes.len() as u64, buffer.len()), (length, 0));
        bytes
    }

    fn decoded(bytes: Bytes) -> Result<Vec<Frame>, DecodeError> {
        decoded_from([bytes])
    }

    /// The frames of a stream that comes in pieces.
    fn decoded_from(pieces: impl IntoIterator<Item = Bytes>) -> Result<Vec<Frame>, DecodeError> {
        let (mut deframer, mut decoder, mut frames) = (Deframer::new(u32::MAX), Decoder::new(), Vec::new());
        for piece in pieces {
            deframer.push(piece);
            while let Some(bytes) = deframer.poll_frame()? {
                frames.extend(decoder.decode(bytes)?);
            }
        }
        Ok(frames)
    }

    /// A stream in pieces.
    fn cut(mut bytes: Bytes, at: &[Index]) -> Vec<Bytes> {
        let mut at: Vec<usize> = at.iter().map(|at| at.index(bytes.len() + 1)).collect();
        at.sort_unstable();
        let mut begin = 0;
        let mut pieces: Vec<Bytes> =
            at.into_iter().map(|end| bytes.split_to(end - core::mem::replace(&mut begin, end))).collect();
        pieces.push(bytes);
        pieces
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
        let hello = |role| {
            Frame::Hello(Box::new(Hello {
                version_min: 1,
                version_max: 1,
                broker: BrokerId(0x01),
                name: "b".into(),
                group: "g".into(),
                services: alloc::vec![Service("tcp://h:1".into())],
                frame_max: 300,
                silence_max_millis: 5,
                role,
            }))
        };
        let more = Body {
            correlation_id: Some("c".into()),
            reply_to: Some(Destination::queue("r").expect("valid")),
            ..Body::text("hi")
        };
        hold([
            (hello(Role::Broker), b"\0\0\0\x17\x00\x01\x01\x01\x01b\x01g\x01\x09tcp://h:1\xac\x02\x05\x00"),
            (hello(Role::Client), b"\0\0\0\x17\x00\x01\x01\x01\x01b\x01g\x01\x09tcp://h:1\xac\x02\x05\x01"),
            (hello(Role::Peer), b"\0\0\0\x17\x00\x01\x01\x01\x01b\x01g\x01\x09tcp://h:1\xac\x02\x05\x02"),
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
        ]);
    }

    #[test]
    fn a_clients_frames_keep_their_bytes() {
        let ack = |extent, kind| Frame::Ack(Ack { consumer: ConsumerId(1), tag: 300, extent, kind });
        let prices = Destination::topic("prices.>").expect("valid");
        let orders = Destination::queue("orders").expect("valid");
        hold([
            (
                Frame::Subscribe { number: 1, subscription: Subscription { destination: orders, prefetch: None } },
                b"\0\0\0\x0b\x0d\x01\x00\x06orders\x00",
            ),
            (
                Frame::Subscribe { number: 2, subscription: Subscription { destination: prices, prefetch: Some(300) } },
                b"\0\0\0\x0f\x0d\x02\x01\x08prices.>\x01\xac\x02",
            ),
            (Frame::Subscribed { number: 1, result: Ok(()) }, b"\0\0\0\x03\x0e\x01\x00"),
            (Frame::Subscribed { number: 300, result: Err(Refusal::Stopping) }, b"\0\0\0\x05\x0e\xac\x02\x01\x07"),
            (Frame::Unsubscribe { number: 1, seen: 300 }, b"\0\0\0\x04\x0f\x01\xac\x02"),
            (ack(AckExtent::Individual, AckKind::Accepted), b"\0\0\0\x06\x10\x01\xac\x02\x00\x00"),
            (ack(AckExtent::UpTo, AckKind::Released), b"\0\0\0\x06\x10\x01\xac\x02\x01\x01"),
            (Frame::Refused { stream: 1, tag: 300, refusal: Refusal::Stopping }, b"\0\0\0\x05\x11\x01\xac\x02\x07"),
            (Frame::Finish { stream: 300 }, b"\0\0\0\x03\x12\xac\x02"),
        ]);
    }

    #[test]
    fn refusals_keep_their_bytes() {
        let cases: [(Refusal, &[u8]); 14] = [
            (Refusal::AlreadyExists { what: What::Connection, number: 2 }, b"\x00\x00\x02"),
            (Refusal::Closed { what: What::Consumer }, b"\x01\x01"),
            (Refusal::IsPattern(Destination::topic(">").expect("valid")), b"\x02\x01\x01>"),
            (Refusal::LimitReached { what: What::Destination, max: 300 }, b"\x03\x02\xac\x02"),
            (Refusal::LimitReached { what: What::Producer, max: 1 }, b"\x03\x03\x01"),
            (Refusal::MemoryFull { max: 300 }, b"\x04\xac\x02"),
            (Refusal::NotEnough { accepted: 1, needed: 2 }, b"\x05\x01\x02"),
            (Refusal::NotOutstanding { consumer: ConsumerId(1), tag: 2 }, b"\x06\x01\x02"),
            (Refusal::Stopping, b"\x07"),
            (Refusal::PrefetchOutOfRange { found: 0, max: 300 }, b"\x08\x00\xac\x02"),
            (Refusal::TimedOut { accepted: 1, needed: 2, after: Duration::new(3, 4) }, b"\x09\x01\x02\x03\x04"),
            (Refusal::TooLarge { size: 2, max: 1 }, b"\x0a\x02\x01"),
            (Refusal::WindowFull { producer: 1, max: 2 }, b"\x0b\x01\x02"),
            (Refusal::unknown_consumer(ConsumerId(1)), b"\x0c\x01\x01"),
        ];
        for (refusal, bytes) in cases {
            let length = u8::try_from(bytes.len() + 3).expect("short");
            let bytes = [&[0, 0, 0, length, 17, 1, 2], bytes].concat();
            hold([(Frame::Refused { stream: 1, tag: 2, refusal }, &bytes)]);
        }
    }

    /// Frames are written as these bytes, and these bytes read as them.
    fn hold<const N: usize>(cases: [(Frame, &[u8]); N]) {
        for (frame, bytes) in cases {
            assert_eq!(encoded(core::slice::from_ref(&frame)), bytes, "{frame:?}");
            assert_eq!(decoded(Bytes::copy_from_slice(bytes)), Ok(alloc::vec![frame]));
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

    /// Told again, a number means what it was told last: a client gives a producer's to the next.
    #[test]
    fn a_shared_routes_number_may_be_told_anew() {
        let messages = [message(1, 1, Body::bytes("a")), message(2, 1, Body::bytes("b"))];
        let (mut shared, mut buffer) = (SharedEncoder::default(), FrameBuffer::default());
        for message in &messages {
            let told = SharedEncoder::route(5, message.id.producer, message.destination.clone());
            buffer.push_shared(&told);
            shared.push(5, 1, 0, message);
            for piece in shared.finish() {
                buffer.push_shared(&piece);
            }
        }
        assert_eq!(decoded(drained(buffer)), Ok(messages.map(forward).to_vec()));
    }

    #[test]
    fn long_bodies_are_shared_and_not_copied() {
        let body = Bytes::from(alloc::vec![7; COPIED_MAX]);
        let mut shared = SharedEncoder::default();
        shared.push(0, 1, 0, &message(1, 1, Body::bytes("short")));
        shared.push(0, 1, 0, &message(1, 2, Body::bytes(body.clone())));
        let length = shared.len();
        let pieces = shared.finish();
        assert_eq!((length, shared.len()), (pieces.iter().map(|piece| piece.len() as u64).sum(), 0));
        assert_eq!(pieces.len(), 2, "both heads and the short body, then the long body");
        let mut buffer = FrameBuffer::default();
        for piece in &pieces {
            buffer.push_shared(piece);
        }
        let sent: Vec<Bytes> = core::iter::from_fn(|| buffer.pop()).collect();
        assert_eq!(sent, pieces);
        assert_eq!(sent[1].as_ptr(), body.as_ptr());
    }

    #[test]
    fn what_is_no_frame_says_why() {
        let cases: [(&[u8], &str); 11] = [
            (b"\0\0\0\x00", "0 bytes are no frame"),
            (b"\0\0\0\x01\x63", "1 bytes are no frame"),
            (b"\0\0\0\x03\x07ab", "2 bytes too many in a frame"),
            (b"\0\0\0\x0a\x0b\x05\x01\x09\x00\x09\xe8\x07\x00\x00", "route 5 was never told"),
            (b"\0\0\0\x0b\x0a\xff\xff\x03\xab\x01\x02\x01\x01t\x00", "route 65535 is beyond the limit of 1024"),
            (b"\0\0\0\x06\x0d\x01\x02\x01q\x00", "6 bytes are no frame"), // There is no third kind of destination,
            (b"\0\0\0\x08\x0d\x01\x01\x03a..\x00", "8 bytes are no frame"), // nor such a name,
            (b"\0\0\0\x04\x0e\x01\x01\x0d", "4 bytes are no frame"),      // nor such a refusal,
            (b"\0\0\0\x05\x10\x01\x01\x02\x00", "5 bytes are no frame"),  // nor such an extent.
            (b"\0\0\0\x03\x12\x01\x00", "1 bytes too many in a frame"),
            (b"\0\0\0\x01\x13", "1 bytes are no frame"),
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

    fn any_destination() -> impl Strategy<Value = Destination> {
        let name = select(&["t", "prices.gold", "prices.*.>", ">"][..]);
        (any::<bool>(), name).prop_map(|(is_topic, name)| {
            if is_topic { Destination::topic(name) } else { Destination::queue(name) }.expect("valid")
        })
    }

    fn any_refusal() -> impl Strategy<Value = Refusal> {
        let what = select(&[What::Connection, What::Consumer, What::Destination, What::Producer][..]);
        (0..13, what, any_destination(), any::<(u64, u64)>(), any::<(u32, u32)>(), 0_u32..1_000_000_000).prop_map(
            |(which, what, destination, (a, b), (few, many), nanos)| match which {
                0 => Refusal::AlreadyExists { what, number: a },
                1 => Refusal::Closed { what },
                2 => Refusal::IsPattern(destination),
                3 => Refusal::LimitReached { what, max: a },
                4 => Refusal::MemoryFull { max: a },
                5 => Refusal::NotEnough { accepted: few, needed: many },
                6 => Refusal::NotOutstanding { consumer: ConsumerId(a), tag: b },
                7 => Refusal::Stopping,
                8 => Refusal::PrefetchOutOfRange { found: few, max: many },
                9 => Refusal::TimedOut { accepted: few, needed: many, after: Duration::new(a, nanos) },
                10 => Refusal::TooLarge { size: a, max: b },
                11 => Refusal::WindowFull { producer: a, max: b },
                _ => Refusal::Unknown { what, number: a },
            },
        )
    }

    fn any_hello() -> impl Strategy<Value = Hello> {
        let words = ("\\PC{0,9}", "\\PC{0,9}", proptest::collection::vec("\\PC{0,9}", 0..4));
        let role = select(&[Role::Broker, Role::Client, Role::Peer][..]);
        (any::<(u16, u16, u128, u32, u32)>(), words, role).prop_map(|(numbers, (name, group, services), role)| {
            let (version_min, version_max, broker, frame_max, silence_max_millis) = numbers;
            let (broker, services) = (BrokerId(broker), services.into_iter().map(Service).collect());
            Hello { version_min, version_max, broker, name, group, services, frame_max, silence_max_millis, role }
        })
    }

    /// Any frame but those that carry messages.
    fn any_word() -> impl Strategy<Value = Frame> {
        let numbers = || any::<(u32, u64)>();
        let path = proptest::collection::vec(any::<u128>().prop_map(BrokerId), 0..=Path::HOPS_MAX);
        let demand = (any::<u32>(), any_destination(), path).prop_map(|(number, destination, path)| {
            let demand = Demand { destination, path: path.into() };
            Frame::Demand { number, demand }
        });
        let subscription = (any_destination(), any::<Option<u32>>());
        let ack = (any::<(u64, u64)>(), any::<bool>(), any::<bool>()).prop_map(|((consumer, tag), is_one, is_done)| {
            let extent = if is_one { AckExtent::Individual } else { AckExtent::UpTo };
            let kind = if is_done { AckKind::Accepted } else { AckKind::Released };
            Frame::Ack(Ack { consumer: ConsumerId(consumer), tag, extent, kind })
        });
        let opening = prop_oneof![
            any_hello().prop_map(|hello| Frame::Hello(Box::new(hello))),
            any::<u64>().prop_map(|ended| Frame::Propose { ended }),
            any::<u64>().prop_map(|generation| Frame::Open { generation }),
        ];
        let ending = prop_oneof![
            Just(Frame::Goodbye(Farewell::Duplicate)),
            Just(Frame::Goodbye(Farewell::Leaving)),
            "\\PC{0,200}".prop_map(|why| Frame::Goodbye(Farewell::Refused(why))),
        ];
        let peers = prop_oneof![
            demand,
            any::<u32>().prop_map(|number| Frame::Undemand { number }),
            Just(Frame::KeepAlive),
            Just(Frame::Synced),
            Just(Frame::SyncedHeard),
            numbers().prop_map(|(demand, up_to)| Frame::Forwarded { demand, up_to }),
        ];
        let clients = prop_oneof![
            ack,
            (any::<u32>(), subscription).prop_map(|(number, (destination, prefetch))| {
                Frame::Subscribe { number, subscription: Subscription { destination, prefetch } }
            }),
            (any::<u32>(), proptest::option::of(any_refusal()))
                .prop_map(|(number, refusal)| Frame::Subscribed { number, result: refusal.map_or(Ok(()), Err) }),
            numbers().prop_map(|(number, seen)| Frame::Unsubscribe { number, seen }),
            (numbers(), any_refusal()).prop_map(|((stream, tag), refusal)| Frame::Refused { stream, tag, refusal }),
            any::<u32>().prop_map(|stream| Frame::Finish { stream }),
        ];
        prop_oneof![opening, ending, peers, clients]
    }

    fn any_frame() -> impl Strategy<Value = Frame> {
        let carried = (any_message(), any::<u32>(), any::<u64>(), any::<u32>());
        prop_oneof![
            any_word(),
            carried.prop_map(|(message, demand, tag, redeliveries)| {
                Frame::Forward { demand, tag, redeliveries, message }
            }),
        ]
    }

    /// What goes to one target: frames of its own, or messages that others get too.
    #[derive(Clone, Debug)]
    enum Turn {
        Own(Frame),
        Shared(Vec<(Arc<Message>, u32)>),
    }

    fn any_turn() -> impl Strategy<Value = Turn> {
        prop_oneof![
            any_word().prop_map(Turn::Own),
            proptest::collection::vec((any_message(), 0_u32..2), 1..6).prop_map(Turn::Shared),
        ]
    }

    proptest! {
        /// Invariant C2 for frames of any kind, messages of several routes and with long bodies among them.
        #[test]
        fn what_is_encoded_is_decoded(frames in proptest::collection::vec(any_frame(), 1..10), at: [Index; 3]) {
            prop_assert_eq!(decoded_from(cut(encoded(&frames), &at)), Ok(frames));
        }

        /// What is encoded once for many links reads as if it had been encoded for each.
        #[test]
        fn what_is_shared_reads_like_what_is_not(turns in proptest::collection::vec(any_turn(), 1..8), at: [Index; 4]) {
            let (mut encoder, mut shared, mut buffer) = (Encoder::new(), SharedEncoder::default(), FrameBuffer::default());
            let (mut frames, mut told) = (Vec::new(), Vec::new());
            for turn in turns {
                let messages = match turn {
                    Turn::Own(frame) => {
                        encoder.encode(&frame, &mut buffer);
                        frames.push(frame);
                        continue;
                    }
                    Turn::Shared(messages) => messages,
                };
                for (message, redeliveries) in messages {
                    let number = message.id.producer.number;
                    let (slot, stream) = (u16::try_from(number).expect("few"), u32::try_from(number).expect("few") + 1);
                    if !told.contains(&number) {
                        told.push(number);
                        // A route is told before the burst that needs it.
                        for piece in shared.finish() {
                            buffer.push_shared(&piece);
                        }
                        buffer.push_shared(&SharedEncoder::route(slot, message.id.producer, message.destination.clone()));
                    }
                    shared.push(slot, stream, redeliveries, &message);
                    frames.push(Frame::Forward { demand: stream, tag: message.id.sequence, redeliveries, message });
                }
                for piece in shared.finish() {
                    buffer.push_shared(&piece);
                }
            }
            let read = decoded_from(cut(drained(buffer), &at));
            prop_assert_eq!(&read, &decoded(encoded(&frames)));
            prop_assert_eq!(read, Ok(frames));
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
