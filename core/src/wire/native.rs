//! Frames of our own protocol: `postcard` values behind a length, a message's body as it is.
//!
//! A message names its producer, destination and path by the number of a *route*, told once and used from then on,
//! so that a small message makes a small frame. Both ends keep [`ROUTES_MAX`] routes a direction; the oldest is
//! told anew when it is needed again.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{BufMut, Bytes, BytesMut};
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
            return push_head(&Head::Message { note }, &body.data, out);
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
    pub fn decode(&mut self, bytes: &Bytes) -> Result<Option<Frame>, DecodeError> {
        let (head, rest) = postcard::take_from_bytes::<Head<'_>>(bytes)
            .map_err(|error| malformed(format!("{} bytes are no frame ({error})", bytes.len())))?;
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
                Frame::Hello(Hello {
                    version_min,
                    version_max,
                    broker,
                    name: name.into(),
                    group: group.into(),
                    services: services.into_iter().map(|service| Service(service.into())).collect(),
                    frame_max,
                    silence_max_millis,
                })
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

fn malformed(what: String) -> DecodeError {
    DecodeError::Malformed(what)
}
