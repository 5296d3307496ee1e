//! A host without a node, for what no node of ours would do: it says and sends whatever the test likes.

use std::net::SocketAddr;
use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::wire::{
    Advert, AdvertStatus, Decoder, Deframer, Encoder, Frame, FrameBuffer, Hello, PREFACE, VERSION_MAX, VERSION_MIN,
};
use flockmq_core::{
    Address, BrokerId, CloseReason, Event, GroupId, Input, LinkId, ListenerId, MulticastConfig, MulticastSocket,
    Output, Role, Service, Tag,
};

use crate::stage::Stage;

/// A puppet in a stage's world.
#[derive(Debug)]
pub struct Puppet {
    /// Its host.
    pub host: HostId,
    links: u64,
    heard: Vec<Input>,
}

impl Puppet {
    /// Adds a puppet to the world.
    pub fn new(stage: &mut Stage, name: &str) -> Self {
        Self { host: stage.world().add_puppet(name), links: 0, heard: Vec::new() }
    }

    /// Joins the default multicast address.
    pub fn join(&self, stage: &mut Stage) {
        let MulticastConfig { address, port, ttl, loopback, .. } = MulticastConfig::default();
        let socket = MulticastSocket { address, port, ttl, interface: None, loopback };
        stage.world().perform(self.host, Output::Join { group: GROUP, socket });
    }

    /// Sends a datagram to whoever joined.
    pub fn announce(&self, stage: &mut Stage, data: impl Into<Vec<u8>>) {
        let data = data.into().into();
        stage.world().perform(self.host, Output::Announce { group: GROUP, via: None, data });
    }

    /// Sends the advert of a service.
    pub fn advertise(&self, stage: &mut Stage, group: &str, service: &str, status: AdvertStatus) {
        let data = Advert { status, service: Service(service.to_owned()) }.encode(group);
        stage.world().perform(self.host, Output::Announce { group: GROUP, via: None, data });
    }

    /// Dials the address that a host's node listens at.
    pub fn dial(&mut self, stage: &mut Stage, host: HostId) -> LinkId {
        let listening = stage.notices(host).iter().rev().find_map(|(_, event)| match event {
            Event::Listening { addresses } => addresses.first().copied(),
            _ => None,
        });
        let address = Address::from(listening.unwrap_or_else(|| panic!("{host} does not listen")));
        self.links += 1;
        let link = LinkId(self.links);
        stage.world().perform(self.host, Output::Connect { link, address });
        link
    }

    /// Listens, and has so many links accepted, numbered from 1001.
    pub fn listen(&mut self, stage: &mut Stage, slots: u64) -> SocketAddr {
        let address = "tcp://0.0.0.0:0".parse().expect("an address");
        stage.world().perform(self.host, Output::Listen { listener: ListenerId(1), address });
        for slot in 0..slots {
            let link = LinkId(1_001 + slot);
            stage.world().perform(self.host, Output::Accept { listener: ListenerId(1), link });
        }
        stage.run_for(Duration::from_millis(1));
        let heard = self.heard(stage).iter().find_map(|input| match input {
            Input::Listening { addresses, .. } => addresses.first().copied(),
            _ => None,
        });
        heard.expect("a listener has an address")
    }

    /// Sends bytes.
    pub fn send(&self, stage: &mut Stage, link: LinkId, data: impl Into<Vec<u8>>) {
        stage.world().perform(self.host, Output::Send { link, data: data.into().into() });
    }

    /// Sends frames, after the preface if `link` is new.
    pub fn say(&self, stage: &mut Stage, link: LinkId, frames: &[Frame]) {
        self.send(stage, link, frames_to_bytes(frames));
    }

    /// Dials a host of the group "flock" and goes through all that makes it a peer, which says it is at these addresses. Its
    /// id shall be higher than the host's, so that it is not for it to decide that the link is kept.
    pub fn befriend(&mut self, stage: &mut Stage, host: HostId, broker: BrokerId, addresses: &[Address]) -> LinkId {
        let link = self.dial(stage, host);
        stage.run_for(MOMENT);
        let services = addresses.iter().map(|address| Service(address.to_string())).collect();
        self.introduce(stage, link, Hello { services, ..hello(Role::Peer, "flock", broker) });
        self.say(stage, link, &[Frame::Propose { ended: 0 }]);
        stage.run_for(MOMENT);
        let is_peer = |event: &Event| matches!(event, Event::PeerUp { broker: found, .. } if *found == broker);
        assert_eq!(stage.count(host, is_peer), 1, "the puppet is a peer");
        if self.closed(stage, link).is_none() {
            self.say(stage, link, &[Frame::Synced, Frame::SyncedHeard]);
        }
        link
    }

    /// Sends the preface, and who the puppet says it is: a peer.
    pub fn greet(&self, stage: &mut Stage, link: LinkId, group: &str, broker: BrokerId) {
        self.greet_as(stage, link, Role::Peer, group, broker);
    }

    /// Serves a client that has dialled: greets it as a broker that stands alone, and opens the link.
    pub fn serve(&self, stage: &mut Stage, link: LinkId, broker: BrokerId) {
        self.greet_as(stage, link, Role::Broker, "", broker);
        self.say(stage, link, &[Frame::Open { generation: 0 }]);
        stage.run_for(MOMENT);
    }

    /// The frames it was sent on a link so far.
    pub fn frames(&mut self, stage: &mut Stage, link: LinkId) -> Vec<Frame> {
        let (mut deframer, mut decoder, mut frames) = (Deframer::new(1 << 24), Decoder::new(), Vec::new());
        let mut preface = PREFACE.len();
        for input in self.heard(stage) {
            let Input::Bytes { link: found, data } = input else { continue };
            if *found != link {
                continue;
            }
            let skipped = preface.min(data.len());
            preface -= skipped;
            deframer.push(data.slice(skipped..));
            while let Some(frame) = deframer.poll_frame().expect("a client keeps to the protocol") {
                frames.extend(decoder.decode(frame).expect("a client keeps to the protocol"));
            }
        }
        frames
    }

    /// The messages it was sent on a link so far: stream, number, how often handed out before, text.
    pub fn messages(&mut self, stage: &mut Stage, link: LinkId) -> Vec<(u32, Tag, u32, String)> {
        let messages = self.frames(stage, link).into_iter().filter_map(|frame| match frame {
            Frame::Forward { demand, tag, redeliveries, message } => {
                Some((demand, tag, redeliveries, message.body.as_text().expect("only texts are sent").to_owned()))
            }
            _ => None,
        });
        messages.collect()
    }

    /// Closes a link.
    pub fn close(&self, stage: &mut Stage, link: LinkId) {
        stage.world().perform(self.host, Output::Close { link });
    }

    /// Sends the preface, and who the puppet says it is, in whatever role.
    pub fn greet_as(&self, stage: &mut Stage, link: LinkId, role: Role, group: &str, broker: BrokerId) {
        self.introduce(stage, link, hello(role, group, broker));
    }

    fn introduce(&self, stage: &mut Stage, link: LinkId, hello: Hello) {
        self.send(stage, link, PREFACE);
        self.say(stage, link, &[Frame::Hello(hello.into())]);
    }

    /// Everything it was told so far.
    pub fn heard(&mut self, stage: &mut Stage) -> &[Input] {
        let told = stage.world().heard(self.host);
        self.heard.extend(told.into_iter().map(|(_, input)| input));
        &self.heard
    }

    /// Why a link of its was closed, if it was.
    pub fn closed(&mut self, stage: &mut Stage, link: LinkId) -> Option<CloseReason> {
        self.heard(stage).iter().find_map(|input| match input {
            Input::Closed { link: found, reason } if *found == link => Some(reason.clone()),
            _ => None,
        })
    }
}

fn hello(role: Role, group: &str, broker: BrokerId) -> Hello {
    Hello {
        role,
        version_min: VERSION_MIN,
        version_max: VERSION_MAX,
        broker,
        name: "puppet".into(),
        group: group.into(),
        services: Vec::new(),
        frame_max: 1 << 20,
        silence_max_millis: 30_000,
        is_connector: false,
    }
}

fn frames_to_bytes(frames: &[Frame]) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::new(), FrameBuffer::default());
    for frame in frames {
        encoder.encode(frame, &mut out);
    }
    std::iter::from_fn(|| out.pop()).flatten().collect()
}

/// As long as a word takes to be heard and answered.
const MOMENT: Duration = Duration::from_millis(5);

const GROUP: GroupId = GroupId(1);
