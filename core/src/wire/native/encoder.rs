//! Frames to bytes.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use bytes::Bytes;

use super::super::frame::Frame;
use super::ROUTES_MAX;
use super::buffer::FrameBuffer;
use super::head::{Head, More, Note};
use crate::model::{Destination, Message, Path, ProducerId};

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
            Frame::Demand { number, demand, consumers, instead } => Head::Demand {
                number: *number,
                destination: demand.destination.clone(),
                selector: demand.selector.clone(),
                path: demand.path.clone(),
                consumers: if demand.is_dormant { 0 } else { consumers.get() },
                instead: *instead,
            },
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
                is_connector: hello.is_connector,
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
            Frame::Undemand { numbers } => Head::Undemand { numbers: numbers.clone() },
            Frame::Unsubscribe { number, seen } => Head::Unsubscribe { number: *number, seen: *seen },
            Frame::Finish { stream } => Head::Finish { stream: *stream },
            Frame::Browsed { number } => Head::Browsed { number: *number },
            Frame::Ask { number, asked } => Head::Ask { number: *number, asked: asked.clone() },
            Frame::Answered { number, result } => Head::Answered { number: *number, result: result.clone() },
            Frame::Include { destination } => Head::Include { destination: destination.clone() },
            Frame::ConsumerEnded { number, refusal } => {
                Head::ConsumerEnded { number: *number, refusal: refusal.clone() }
            }
            Frame::Advise { wanted } => Head::Advise { wanted: *wanted },
            Frame::Advised { missed, advisory } => Head::Advised { missed: *missed, advisory: advisory.clone() },
            Frame::Weight { number, consumers } => Head::Weight { number: *number, consumers: *consumers },
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
    match More::of(&message.body) {
        None => {
            let (head, length) = note.write();
            out.push(&head[..length], &message.body.data);
        }
        Some(more) => push_head(&Head::MessageWithMore { note, more }, &message.body.data, out),
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
