//! What happens in the embedded broker, as whoever asks is told: connections of the application, and clients. A client's own
//! application is told by its targets.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::pipe::Pipe;
use super::{Event, Node};
use crate::link::Link;
use crate::model::{Advisory, ConnectionId, LinkId, Refusal};
use crate::wire::Frame;

/// Whoever wants to know what happens.
#[derive(Debug, Default)]
pub(super) struct Curious {
    connections: BTreeMap<ConnectionId, u32>, // How often each has said so.
    clients: BTreeMap<LinkId, u64>,           // How much each was not told since it was last told anything.
}

impl Curious {
    fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.clients.is_empty()
    }
}

impl Node {
    /// A connection wants to be told, or no more, as often as it has said that it does.
    pub(super) fn want_advisories(&mut self, connection: ConnectionId, wanted: bool) -> Result<(), Refusal> {
        self.client(connection)?;
        let connections = &mut self.curious.connections;
        if wanted {
            *connections.entry(connection).or_insert(0) += 1;
        } else if let Some(count) = connections.get_mut(&connection).filter(|count| **count > 1) {
            *count -= 1;
        } else {
            connections.remove(&connection);
        }
        self.note_curious();
        Ok(())
    }

    /// A client wants to be told, or no more.
    pub(super) fn tell_client(&mut self, link: LinkId, wanted: bool) {
        if wanted {
            self.curious.clients.entry(link).or_insert(0);
        } else {
            self.curious.clients.remove(&link);
        }
        self.note_curious();
    }

    /// A connection has ended.
    pub(super) fn forget_advised(&mut self, connection: ConnectionId) {
        self.curious.connections.remove(&connection);
        self.note_curious();
    }

    /// Tells what has happened, if anybody wants to know.
    pub(super) fn advise(&mut self, tell: impl FnOnce() -> Advisory) {
        if !self.curious.is_empty() && self.fanout.is_none() {
            self.spread(tell());
        }
    }

    /// Tells whoever wants to know. What a client's link has no room for it is not told, but how much that was.
    pub(super) fn spread(&mut self, advisory: Advisory) {
        for link in self.curious.clients.keys().copied().collect::<Vec<_>>() {
            let has_room = self.pipes.get(link).and_then(Pipe::link).is_some_and(Link::has_room);
            let missed = self.curious.clients.get_mut(&link).expect("just listed");
            if has_room {
                let missed = core::mem::take(missed);
                self.say(link, Frame::Advised { missed, advisory: Box::new(advisory.clone()) });
            } else {
                *missed += 1;
            }
        }
        if !self.curious.connections.is_empty() {
            self.tell(Event::Advised { broker: self.id, missed: 0, advisory });
        }
    }

    fn note_curious(&mut self) {
        match &mut self.fanout {
            Some(fanout) => fanout.set_curious(!self.curious.is_empty(), &mut self.lanes.fanout),
            None => self.broker.set_advising(!self.curious.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, Config, Input, Output};
    use super::*;
    use crate::base::{Instant, Seed};
    use crate::model::{BrokerId, Party, RequestId, Role};
    use crate::wire::{Decoder, Deframer, Encoder, FrameBuffer, Hello, PREFACE, VERSION_MAX, VERSION_MIN};

    /// A broker, and a client at the other end of a link that takes one piece at a time.
    struct Rig {
        node: Node,
        link: LinkId,
        encoder: Encoder,
        deframer: Deframer,
        decoder: Decoder,
        untaken: u64,   // Bytes on the link.
        preface: usize, // What has not come of it.
        heard: Vec<Frame>,
    }

    impl Rig {
        fn new() -> Self {
            let mut config = Config::alone("broker");
            config.listen = Some("tcp://10.0.0.1:1".parse().expect("an address"));
            config.link.window = 1;
            let mut node = Node::new(config, Seed::from(1), Instant::ZERO);
            let mut link = None;
            while let Some(output) = node.poll_output() {
                match output {
                    Output::Accept { link: slot, .. } => link = link.or(Some(slot)),
                    Output::Listen { listener, .. } => {
                        let addresses = Vec::from(["10.0.0.1:1".parse().expect("an address")]);
                        node.handle_input(Instant::ZERO, Input::Listening { listener, addresses });
                    }
                    _ => (),
                }
            }
            let link = link.expect("a slot");
            let (encoder, deframer, decoder) = (Encoder::new(), Deframer::new(u32::MAX), Decoder::new());
            let (untaken, preface, heard) = (0, PREFACE.len(), Vec::new());
            let mut rig = Self { node, link, encoder, deframer, decoder, untaken, preface, heard };
            rig.tell(Input::Connected { link, remote: "10.0.0.2:2".parse().expect("an address") });
            rig.take();
            let hello = Hello {
                version_min: VERSION_MIN,
                version_max: VERSION_MAX,
                broker: BrokerId(9),
                name: "client".into(),
                group: "flock".into(),
                services: Vec::new(),
                frame_max: 1_000_000,
                silence_max_millis: 30_000,
                role: Role::Client,
                is_connector: false,
            };
            rig.tell(Input::Bytes { link, data: PREFACE[..].into() });
            rig.say(&Frame::Hello(Box::new(hello)));
            rig
        }

        fn tell(&mut self, input: Input) {
            self.node.handle_input(Instant::ZERO, input);
            while let Some(output) = self.node.poll_output() {
                if let Output::Send { data, .. } = output {
                    self.untaken += data.len() as u64;
                    self.deframer.push(data.slice(core::mem::take(&mut self.preface)..));
                }
            }
        }

        fn say(&mut self, frame: &Frame) {
            let mut buffer = FrameBuffer::default();
            self.encoder.encode(frame, &mut buffer);
            let data = core::iter::from_fn(|| buffer.pop()).collect::<Vec<_>>().concat().into();
            self.tell(Input::Bytes { link: self.link, data });
        }

        /// The client takes all that there is, and tells what that was.
        fn take(&mut self) -> Vec<Frame> {
            while self.untaken > 0 {
                let bytes = core::mem::take(&mut self.untaken);
                self.tell(Input::Sent { link: self.link, bytes });
            }
            while let Some(bytes) = self.deframer.poll_frame().expect("a frame") {
                self.heard.extend(self.decoder.decode(bytes).expect("a frame"));
            }
            core::mem::take(&mut self.heard)
        }

        /// Something happens that may be told: a connection of the application opens.
        fn open(&mut self, connection: u64) {
            let (request, connection) = (RequestId(connection), ConnectionId(connection));
            self.tell(Input::Command(Command::Attach { request, connection }));
        }
    }

    fn opened(missed: u64, connection: u64) -> Frame {
        let by = Party::Application(ConnectionId(connection));
        Frame::Advised { missed, advisory: Box::new(Advisory::ConnectionOpened { by }) }
    }

    #[test]
    fn a_client_is_told_what_its_link_has_room_for_and_how_much_that_is_not_all() {
        let mut rig = Rig::new();
        rig.take();
        rig.open(1);
        assert_eq!(rig.take(), [], "it has not asked");
        rig.say(&Frame::Advise { wanted: true });
        rig.open(2);
        rig.open(3);
        rig.open(4);
        assert_eq!(rig.take(), [opened(0, 2)]);
        rig.open(5);
        assert_eq!(rig.take(), [opened(2, 5)]);
        rig.say(&Frame::Advise { wanted: true });
        rig.open(6);
        assert_eq!(rig.take(), [opened(0, 6)]);
        rig.say(&Frame::Advise { wanted: false });
        rig.open(7);
        assert_eq!(rig.take(), []);
    }
}
