//! The other end of a node's link, as far as speaking goes: frames to bytes and back.

use bytes::Bytes;
use flockmq_core::wire::{Decoder, Deframer, Encoder, Frame, FrameBuffer, Hello, PREFACE, VERSION_MAX, VERSION_MIN};
use flockmq_core::{BrokerId, LinkId, Role, Service};

/// The other end of one link.
pub struct End {
    /// What the node calls the link.
    pub link: LinkId,
    encoder: Encoder,
    deframer: Deframer,
    decoder: Decoder,
    preface: usize, // How much of it was heard.
}

impl End {
    /// The other end of `link`, which has said and heard nothing.
    pub fn new(link: LinkId) -> Self {
        let (encoder, decoder) = (Encoder::new(), Decoder::new());
        Self { link, encoder, deframer: Deframer::new(u32::MAX), decoder, preface: 0 }
    }

    /// The first that it says.
    pub fn greet(&mut self, hello: Hello) -> Bytes {
        [&PREFACE[..], &self.say(&[Frame::Hello(Box::new(hello))])].concat().into()
    }

    /// What it says.
    pub fn say(&mut self, frames: &[Frame]) -> Bytes {
        let mut out = FrameBuffer::default();
        for frame in frames {
            self.encoder.encode(frame, &mut out);
        }
        std::iter::from_fn(|| out.pop()).flatten().collect()
    }

    /// What the node says to it.
    ///
    /// # Panics
    ///
    /// If it makes no sense.
    pub fn hear(&mut self, mut data: Bytes) -> Vec<Frame> {
        let preface = data.split_to((PREFACE.len() - self.preface).min(data.len()));
        assert_eq!(preface, PREFACE[self.preface..][..preface.len()]);
        self.preface += preface.len();
        self.deframer.push(data);
        let mut frames = Vec::new();
        while let Some(frame) = self.deframer.poll_frame().expect("a node's stream has frames") {
            frames.extend(self.decoder.decode(frame).expect("a node's frame"));
        }
        frames
    }
}

/// How somebody introduces themselves who bears any silence.
pub fn hello(broker: BrokerId, role: Role) -> Hello {
    Hello {
        version_min: VERSION_MIN,
        version_max: VERSION_MAX,
        broker,
        name: format!("n{broker}"),
        group: "g".to_owned(),
        services: vec![Service(format!("tcp://10.0.0.{}:1", broker.0 % 256))],
        frame_max: 1 << 20,
        silence_max_millis: u32::MAX,
        role,
        is_connector: false,
    }
}
