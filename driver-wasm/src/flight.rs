//! What travels between hosts, read as frames: for those who want to see messages on their way.

use std::collections::BTreeMap;

use bytes::Bytes;
use flockmq_core::sim::{Cargo, Departure};
use flockmq_core::wire::{Decoder, Deframer, Frame, PREFACE};
use serde_json::{Value, json};

use crate::agenda::millis;

/// Reads all streams of a world from their beginnings.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    directions: BTreeMap<u64, Direction>,
}

/// How far one direction of a stream was read.
#[derive(Debug)]
struct Direction {
    preface: usize,
    deframer: Deframer,
    decoder: Decoder,
    is_lost: bool, // What follows can't be read.
}

/// What one departure carries.
#[derive(Debug, Default)]
struct Load {
    kind: Kind,
    says: Vec<String>,
    messages: Vec<Value>,
}

/// What matters most of what is carried; the greatest names the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    #[default]
    Bytes,
    Advert,
    KeepAlive,
    Control,
    Demand,
    Ack,
    Message,
}

impl Reader {
    /// A departure as JavaScript is told it; `name` are the hosts' names.
    pub(crate) fn read<'a>(&mut self, departure: &Departure, name: impl Fn(u32) -> &'a str) -> Value {
        let (load, bytes) = match &departure.cargo {
            Cargo::Datagram(data) => (advert(data), data.len()),
            Cargo::Stream { direction, data } => {
                if self.directions.len() >= DIRECTIONS_MAX {
                    self.directions.pop_first(); // Streams are numbered as they begin: the oldest is the likeliest to be over.
                }
                let direction = self.directions.entry(*direction).or_default();
                (direction.read(data.clone()), data.len())
            }
        };
        json!({
            "from": name(departure.from.0),
            "to": name(departure.to.0),
            "left": millis(departure.left_at),
            "arrives": departure.arrives_at.map(millis),
            "bytes": bytes,
            "kind": load.kind.name(),
            "says": load.says,
            "messages": load.messages,
        })
    }
}

impl Default for Direction {
    fn default() -> Self {
        Self { preface: 0, deframer: Deframer::new(u32::MAX), decoder: Decoder::new(), is_lost: false }
    }
}

impl Direction {
    fn read(&mut self, mut data: Bytes) -> Load {
        let mut load = Load::default();
        while self.preface < PREFACE.len() && !data.is_empty() && !self.is_lost {
            self.is_lost = data.split_to(1)[0] != PREFACE[self.preface]; // It had begun before anybody looked.
            self.preface += 1;
        }
        if self.is_lost {
            return load;
        }
        self.deframer.push(data);
        loop {
            match self.deframer.poll_frame() {
                Ok(Some(bytes)) => match self.decoder.decode(bytes) {
                    Ok(Some(frame)) => load.add(&frame),
                    Ok(None) => (),
                    Err(_) => break,
                },
                Ok(None) => return load,
                Err(_) => break,
            }
        }
        self.is_lost = true;
        load
    }
}

impl Load {
    fn add(&mut self, frame: &Frame) {
        let kind = match frame {
            Frame::Forward { message, .. } => {
                let text = message.body.as_text().unwrap_or_default();
                self.messages.push(json!({
                    "id": message.id.to_string(),
                    "destination": message.destination.to_string(),
                    "text": text.chars().take(TEXT_MAX).collect::<String>(),
                }));
                Kind::Message
            }
            Frame::Ack(_) | Frame::Forwarded { .. } | Frame::Refused { .. } => Kind::Ack,
            Frame::Demand { .. } | Frame::Undemand { .. } | Frame::Subscribe { .. } | Frame::Unsubscribe { .. } => {
                Kind::Demand
            }
            Frame::KeepAlive => Kind::KeepAlive,
            _ => Kind::Control,
        };
        self.kind = self.kind.max(kind);
        let said = match frame {
            Frame::Demand { demand, .. } => format!("Demand {}", demand.destination),
            Frame::Forwarded { up_to, .. } => format!("Forwarded up to {up_to}"),
            Frame::Goodbye(farewell) => format!("Goodbye {farewell:?}"),
            Frame::Hello(hello) => format!("Hello, {} of {}", hello.name, hello.group),
            frame => frame.name().to_owned(),
        };
        self.says.push(said);
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Advert => "advert",
            Self::KeepAlive => "keepalive",
            Self::Control => "control",
            Self::Demand => "demand",
            Self::Ack => "ack",
            Self::Message => "message",
        }
    }
}

fn advert(data: &[u8]) -> Load {
    Load { kind: Kind::Advert, says: vec![String::from_utf8_lossy(data).into_owned()], messages: Vec::new() }
}

/// How many directions are remembered.
const DIRECTIONS_MAX: usize = 1 << 14;

/// How many letters of a message's text are told.
const TEXT_MAX: usize = 60;
