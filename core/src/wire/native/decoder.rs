//! Bytes to frames.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use bytes::{Buf, Bytes};

use super::super::frame::{Frame, Hello};
use super::super::stream::DecodeError;
use super::ROUTES_MAX;
use super::head::{Head, MESSAGE, More, Note};
use crate::model::{
    Body, BrokerId, Demand, Destination, DestinationKind, Message, MessageId, Path, ProducerId, Service,
};

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
                is_connector,
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
                    is_connector,
                }))
            }
            Head::Propose { ended } => Frame::Propose { ended },
            Head::Open { generation } => Frame::Open { generation },
            Head::Goodbye { farewell } => Frame::Goodbye(farewell),
            Head::KeepAlive => Frame::KeepAlive,
            Head::Demand { number, destination, selector, path, consumers, instead } => {
                check_path(&path)?;
                let is_dormant = consumers == 0;
                if is_dormant && destination.kind() == DestinationKind::Queue {
                    return Err(malformed(format!("nobody wants {destination}")));
                }
                let demand = Demand { destination, selector, path, is_dormant };
                let consumers = NonZeroU32::new(consumers).unwrap_or(NonZeroU32::MIN);
                Frame::Demand { number, demand, consumers, instead }
            }
            Head::Undemand { numbers } => Frame::Undemand { numbers },
            Head::Synced => Frame::Synced,
            Head::SyncedHeard => Frame::SyncedHeard,
            Head::Forwarded { demand, up_to } => Frame::Forwarded { demand, up_to },
            Head::Subscribe { number, subscription } => Frame::Subscribe { number, subscription },
            Head::Subscribed { number, result } => Frame::Subscribed { number, result },
            Head::Unsubscribe { number, seen } => Frame::Unsubscribe { number, seen },
            Head::Ack { ack } => Frame::Ack(ack),
            Head::Refused { stream, tag, refusal } => Frame::Refused { stream, tag, refusal },
            Head::Finish { stream } => Frame::Finish { stream },
            Head::Browsed { number } => Frame::Browsed { number },
            Head::Ask { number, asked } => Frame::Ask { number, asked },
            Head::Answered { number, result } => Frame::Answered { number, result },
            Head::Include { destination } => Frame::Include { destination },
            Head::ConsumerEnded { number, refusal } => Frame::ConsumerEnded { number, refusal },
            Head::Advise { wanted } => Frame::Advise { wanted },
            Head::Advised { missed, advisory } => Frame::Advised { missed, advisory },
            Head::Weight { number, consumers } => Frame::Weight { number, consumers },
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
            more.add_to(&mut body);
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

fn no_frame(bytes: &Bytes, error: &postcard::Error) -> DecodeError {
    malformed(format!("{} bytes are no frame ({error})", bytes.len()))
}

fn malformed(what: String) -> DecodeError {
    DecodeError::Malformed(what)
}

/// How many services one `Hello` may name.
const SERVICES_MAX: usize = 64;
