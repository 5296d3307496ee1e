//! Rank 3: one byte pipe to another node. Knows how far its handshake is and when it was last alive; is told bytes and
//! frames; answers with frames and bytes, or with the reason why it must end.

mod egress;
mod keepalive;

use alloc::boxed::Box;
use core::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use egress::Egress;
use keepalive::Keepalive;

use crate::base::{Instant, Outbox, Situation};
use crate::model::{CloseReason, Role};
use crate::wire::{DecodeError, Decoder, Deframer, Farewell, Frame, Hello, PREFACE, VERSION_MAX, VERSION_MIN};

/// How links behave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkConfig {
    /// The longest frame that is taken, in bytes, body included (ActiveMQ's `wireFormat.maxFrameSize`).
    pub frame_max: u32,
    /// How long the handshake may take.
    pub handshake_timeout: Duration,
    /// How long a peer may be silent; a sign of life is sent every third of it. The smaller of both ends' counts
    /// (ActiveMQ's `wireFormat.maxInactivityDuration`).
    pub silence_max: Duration,
    /// How many bytes may be with the driver, on their way to the network, at a time.
    pub window: u64,
    /// How many bytes may wait for that, beyond which the link is closed. No message larger than half of it is sent.
    pub backlog_max: u64,
    /// How many links there may be in all.
    pub links_max: usize,
    /// How many slots for coming links a listener is given.
    pub slots: usize,
}

impl Default for LinkConfig {
    /// 10 MiB frames, 5 s for the handshake, 30 s of silence, 1 MiB on its way and 64 MiB waiting, 256 links, 16
    /// slots.
    fn default() -> Self {
        Self {
            frame_max: 10 * 1024 * 1024,
            handshake_timeout: Duration::from_secs(5),
            silence_max: Duration::from_secs(30),
            window: 1024 * 1024,
            backlog_max: 64 * 1024 * 1024,
            links_max: 256,
            slots: 16,
        }
    }
}

impl LinkConfig {
    /// The largest message, in bytes of its body and properties, that can be sent to whoever takes frames of `frame_max`:
    /// with what a frame holds beside it, and what else may wait for the link.
    pub(crate) fn message_max(&self, frame_max: u32) -> u64 {
        u64::from(frame_max.saturating_sub(FRAME_OVERHEAD)).min(self.backlog_max / 2)
    }
}

/// What a frame holds at most beside a message's body and properties, in bytes, generously.
const FRAME_OVERHEAD: u32 = 4 * 1024;

/// What a link says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    /// The link must end; nothing follows.
    Close(CloseReason),
    /// The other end said something.
    Frame(Frame),
}

/// A link whose pipe is up.
#[derive(Debug)]
pub(crate) struct Link {
    phase: Phase,
    preface: usize, // How much of the preface was read.
    deframer: Deframer,
    decoder: Decoder,
    egress: Egress,
    keepalive: Keepalive,
    frame_max: u32,
    backlog_max: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The other end has not said who it is.
    Opening { until: Instant },
    /// The other end is known; whether the link is kept is not.
    Greeted { until: Instant },
    /// In use.
    Open,
    /// Ended by us; whatever comes is not listened to.
    Closing,
}

impl Link {
    /// A link that has just connected, and greets the other end.
    pub(crate) fn new(config: &LinkConfig, now: Instant, hello: Hello) -> Self {
        let mut link = Self {
            phase: Phase::Opening { until: now + config.handshake_timeout },
            preface: 0,
            deframer: Deframer::new(config.frame_max.min(HANDSHAKE_FRAME_MAX)),
            decoder: Decoder::new(),
            egress: Egress::new(config.window),
            keepalive: Keepalive::new(now, config.silence_max),
            frame_max: config.frame_max,
            backlog_max: config.backlog_max,
        };
        link.egress.push_bytes(&PREFACE);
        link.send(Frame::Hello(Box::new(hello)));
        link
    }

    /// Reads bytes.
    pub(crate) fn handle_bytes(&mut self, now: Instant, mut data: Bytes, out: &mut Outbox<Output>) {
        if self.phase == Phase::Closing {
            return;
        }
        self.keepalive.heard(now);
        if let Err(reason) = self.read_preface(&mut data) {
            return out.push(Output::Close(reason));
        }
        self.deframer.push(data);
        loop {
            match self.poll_frame() {
                Ok(Some(Frame::KeepAlive)) => (),
                Ok(Some(frame)) => out.push(Output::Frame(frame)),
                Ok(None) => return,
                Err(reason) => return out.push(Output::Close(reason)),
            }
        }
    }

    /// Bytes given to the driver have left.
    pub(crate) fn handle_sent(&mut self, bytes: u64) {
        self.egress.handle_sent(bytes);
    }

    /// Sends a sign of life, or ends what shows none.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Output>) {
        match self.phase {
            Phase::Opening { until } | Phase::Greeted { until } if until <= now => {
                Situation::HandshakeTimedOut.met();
                out.push(Output::Close(CloseReason::HandshakeTimeout));
            }
            Phase::Open if self.keepalive.is_silent(now) => {
                Situation::LinkSilent.met();
                out.push(Output::Close(CloseReason::Silent));
            }
            Phase::Open if self.keepalive.is_due(now) => self.send(Frame::KeepAlive),
            Phase::Closing | Phase::Greeted { .. } | Phase::Open | Phase::Opening { .. } => (),
        }
    }

    /// Says something to the other end; it goes out with [`Link::poll_send`].
    pub(crate) fn send(&mut self, frame: Frame) {
        if self.phase != Phase::Closing {
            self.egress.push(frame);
        }
    }

    /// Sends frames that were encoded for many links at once.
    pub(crate) fn send_shared(&mut self, pieces: &[Bytes]) {
        if self.phase != Phase::Closing {
            self.egress.push_shared(pieces);
        }
    }

    /// Keeps the link: both ends may use it from now on.
    pub(crate) fn open(&mut self) {
        self.phase = Phase::Open;
        self.deframer.set_frame_max(self.frame_max);
    }

    /// Ends the link after a last word.
    pub(crate) fn close(&mut self, farewell: Option<Farewell>) {
        if let Some(farewell) = farewell {
            self.send(Frame::Goodbye(farewell));
        }
        self.phase = Phase::Closing;
        self.egress.close();
    }

    /// The next bytes for the driver, as far as the window allows.
    pub(crate) fn poll_send(&mut self, now: Instant) -> Option<Bytes> {
        let data = self.egress.poll_send()?;
        self.keepalive.said(now);
        Some(data)
    }

    /// Why the link must end although nothing was said: more waits than may wait.
    pub(crate) fn check_backlog(&self) -> Result<(), CloseReason> {
        if self.phase != Phase::Closing && self.egress.waiting() > self.backlog_max {
            return Err(CloseReason::Backlog { max: self.backlog_max });
        }
        Ok(())
    }

    /// When there is something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Opening { until } | Phase::Greeted { until } => Some(until),
            Phase::Open => Some(self.keepalive.poll_timeout()),
            Phase::Closing => None,
        }
    }

    /// Bytes that wait for the network.
    pub(crate) fn waiting(&self) -> u64 {
        self.egress.waiting()
    }

    /// Takes what is missing of the preface from the data.
    fn read_preface(&mut self, data: &mut Bytes) -> Result<(), CloseReason> {
        while let Some(wanted) = PREFACE.get(self.preface) {
            if data.is_empty() {
                Situation::PrefaceSplit.met();
                break;
            }
            let byte = data.split_to(1)[0];
            if byte != *wanted {
                // OpenWire begins with a frame's length, whose first byte is zero for any sane frame.
                return Err(match byte {
                    0 if self.preface == 0 => CloseReason::OpenWire,
                    _ => CloseReason::Malformed("the stream does not begin as a FlockMQ link".into()),
                });
            }
            self.preface += 1;
        }
        Ok(())
    }

    fn poll_frame(&mut self) -> Result<Option<Frame>, CloseReason> {
        while let Some(bytes) = self.deframer.poll_frame()? {
            let Some(frame) = self.decoder.decode(bytes)? else {
                continue;
            };
            self.check_moment(&frame)?;
            match &frame {
                Frame::Hello(hello) => self.greet(hello)?,
                Frame::Open { .. } => self.open(),
                Frame::Goodbye(Farewell::Duplicate) => return Err(CloseReason::Duplicate),
                Frame::Goodbye(Farewell::Leaving) => return Err(CloseReason::Leaving),
                Frame::Goodbye(Farewell::Refused(why)) => return Err(CloseReason::Refused(why.clone())),
                _ => (),
            }
            return Ok(Some(frame));
        }
        Ok(None)
    }

    /// Refuses what can't be said at this point of the handshake.
    fn check_moment(&self, frame: &Frame) -> Result<(), CloseReason> {
        let is_welcome = match (self.phase, frame) {
            (_, Frame::Goodbye(_)) => true,
            (Phase::Opening { .. }, frame) => matches!(frame, Frame::Hello(_)),
            (Phase::Greeted { .. }, frame) => {
                matches!(frame, Frame::KeepAlive | Frame::Open { .. } | Frame::Propose { .. })
            }
            (Phase::Open, frame) => !matches!(frame, Frame::Hello(_) | Frame::Open { .. } | Frame::Propose { .. }),
            (Phase::Closing, _) => false,
        };
        if is_welcome {
            return Ok(());
        }
        Err(CloseReason::Malformed(alloc::format!("a {} frame can't be said at this moment", frame.name())))
    }

    fn greet(&mut self, hello: &Hello) -> Result<(), CloseReason> {
        if hello.version_min > VERSION_MAX || hello.version_max < VERSION_MIN {
            return Err(CloseReason::VersionMismatch { min: hello.version_min, max: hello.version_max });
        }
        if let Phase::Opening { until } = self.phase {
            self.phase = Phase::Greeted { until };
        }
        if hello.role != Role::Client {
            self.decoder.set_sender(hello.broker); // A client is no broker that its messages cross.
        }
        self.keepalive.agree(Duration::from_millis(hello.silence_max_millis.into()));
        Ok(())
    }
}

impl From<DecodeError> for CloseReason {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::FrameTooLong { length, max } => Self::FrameTooLong { length, max },
            DecodeError::Malformed(what) => Self::Malformed(what),
        }
    }
}

/// The longest frame before a link is open, in bytes: strangers are given little room.
const HANDSHAKE_FRAME_MAX: u32 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::model::{Body, BrokerId, Destination, Message, MessageId, Path, ProducerId, Subscription};
    use crate::wire::SharedEncoder;
    use alloc::sync::Arc;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn hello(broker: u128) -> Hello {
        Hello {
            version_min: VERSION_MIN,
            version_max: VERSION_MAX,
            broker: BrokerId(broker),
            name: "b".into(),
            group: "g".into(),
            services: Vec::new(),
            frame_max: 1000,
            silence_max_millis: 9_000,
            role: Role::Peer,
        }
    }

    fn link(broker: u128) -> Link {
        link_as(broker, Role::Peer)
    }

    fn link_as(broker: u128, role: Role) -> Link {
        Link::new(&LinkConfig::default(), Instant::ZERO, Hello { role, ..hello(broker) })
    }

    fn forward() -> Frame {
        let message = Message {
            id: MessageId { producer: ProducerId { broker: BrokerId(2), number: 1 }, sequence: 1 },
            destination: Destination::topic("t").expect("valid"),
            path: Path::default(),
            timestamp: Timestamp::default(),
            body: Body::text("x"),
        };
        Frame::Forward { demand: 1, tag: 1, redeliveries: 0, message: Arc::new(message) }
    }

    fn bytes_of(link: &mut Link, now: u64) -> Bytes {
        let parts: Vec<Bytes> = core::iter::from_fn(|| link.poll_send(Instant::from_millis(now))).collect();
        parts.concat().into()
    }

    fn feed(link: &mut Link, now: u64, data: Bytes) -> Vec<Output> {
        let mut out = Outbox::new();
        link.handle_bytes(Instant::from_millis(now), data, &mut out);
        out.drain().collect()
    }

    fn wake(link: &mut Link, now: u64) -> Vec<Output> {
        let mut out = Outbox::new();
        link.handle_timeout(Instant::from_millis(now), &mut out);
        out.drain().collect()
    }

    /// Two links to each other, greeted and open.
    fn pair() -> (Link, Link) {
        let (mut a, mut b) = (link(1), link(2));
        let from_b = bytes_of(&mut b, 0);
        assert_eq!(feed(&mut a, 0, from_b), [Output::Frame(Frame::Hello(Box::new(hello(2))))]);
        a.send(Frame::Open { generation: 1 });
        a.open();
        let from_a = bytes_of(&mut a, 0);
        let heard = feed(&mut b, 0, from_a);
        assert_eq!(
            heard,
            [Output::Frame(Frame::Hello(Box::new(hello(1)))), Output::Frame(Frame::Open { generation: 1 })]
        );
        (a, b)
    }

    #[test]
    fn a_link_greets_and_opens_and_carries_frames() {
        let (mut a, mut b) = pair();
        a.send(Frame::Synced);
        let data = bytes_of(&mut a, 1);
        assert_eq!(feed(&mut b, 1, data), [Output::Frame(Frame::Synced)]);
    }

    #[test]
    fn a_frame_out_of_turn_ends_the_link() {
        let mut a = link(1);
        let mut stranger = link(2);
        stranger.send(Frame::Synced);
        let outputs = feed(&mut a, 0, bytes_of(&mut stranger, 0));
        let reason = CloseReason::Malformed("a Synced frame can't be said at this moment".into());
        assert_eq!(outputs[1..], [Output::Close(reason)]);
    }

    #[test]
    fn openwire_and_noise_are_told_apart() {
        let openwire = Bytes::from_static(b"\0\0\x01\x04\x01ActiveMQ");
        assert_eq!(feed(&mut link(1), 0, openwire), [Output::Close(CloseReason::OpenWire)]);
        let noise = feed(&mut link(1), 0, Bytes::from_static(b"GET / HTTP/1.1"));
        assert!(matches!(&noise[..], [Output::Close(CloseReason::Malformed(_))]));
    }

    #[test]
    fn strangers_are_given_little_room() {
        let mut data = PREFACE.to_vec();
        data.extend_from_slice(&65_537_u32.to_be_bytes());
        let reason = CloseReason::FrameTooLong { length: 65_537, max: 65_536 };
        assert_eq!(feed(&mut link(1), 0, data.into()), [Output::Close(reason)]);
    }

    #[test]
    fn frames_may_be_as_long_as_configured_once_a_link_is_open() {
        let (mut a, _) = pair();
        assert_eq!(feed(&mut a, 0, Bytes::copy_from_slice(&65_537_u32.to_be_bytes())), []);
        let reason = CloseReason::FrameTooLong { length: 10_485_761, max: 10_485_760 };
        let (mut a, _) = pair();
        assert_eq!(feed(&mut a, 0, Bytes::copy_from_slice(&10_485_761_u32.to_be_bytes())), [Output::Close(reason)]);
    }

    #[test]
    fn a_preface_may_come_in_any_pieces() {
        let mut a = link(1);
        let greeting = bytes_of(&mut link(2), 0);
        let pieces = greeting.chunks(1).map(Bytes::copy_from_slice);
        let heard: Vec<_> = pieces.flat_map(|piece| feed(&mut a, 0, piece)).collect();
        assert_eq!(heard, [Output::Frame(Frame::Hello(Box::new(hello(2))))]);
        let broken = feed(&mut link(1), 0, Bytes::from_static(b"\xf1\0"));
        assert!(matches!(&broken[..], [Output::Close(CloseReason::Malformed(_))]), "only a first zero is OpenWire's");
    }

    #[test]
    fn a_goodbye_ends_the_link_for_its_reason() {
        let refused = Farewell::Refused("no room".into());
        for (farewell, reason) in [
            (Farewell::Duplicate, CloseReason::Duplicate),
            (Farewell::Leaving, CloseReason::Leaving),
            (refused, CloseReason::Refused("no room".into())),
        ] {
            let (mut a, mut b) = pair();
            a.close(Some(farewell));
            let last = bytes_of(&mut a, 0);
            assert_eq!(feed(&mut b, 0, last), [Output::Close(reason)]);
        }
    }

    #[test]
    fn a_closed_link_says_and_hears_nothing_more() {
        let (mut a, mut b) = pair();
        b.send(Frame::Synced);
        let late = bytes_of(&mut b, 0);
        a.close(None);
        a.send(Frame::Synced);
        a.send_shared(&[Bytes::from_static(b"shared")]);
        assert_eq!(a.poll_send(Instant::ZERO), None);
        assert_eq!(feed(&mut a, 0, late), []);
        assert_eq!((a.poll_timeout(), wake(&mut a, 1_000_000)), (None, Vec::new()));
    }

    #[test]
    fn what_a_closed_link_has_yet_to_send_ends_it_not_again() {
        let config = LinkConfig { window: 0, backlog_max: 10, ..LinkConfig::default() };
        let mut a = Link::new(&config, Instant::ZERO, hello(1));
        assert_eq!(a.check_backlog(), Err(CloseReason::Backlog { max: 10 }));
        a.close(None);
        assert!(a.waiting() > 10 && a.check_backlog().is_ok());
    }

    #[test]
    fn what_has_left_makes_room_for_more() {
        let config = LinkConfig { window: 10, ..LinkConfig::default() };
        let mut a = Link::new(&config, Instant::ZERO, hello(1));
        let greeting = a.poll_send(Instant::ZERO).expect("room for a first piece");
        a.send(Frame::KeepAlive);
        assert_eq!(a.poll_send(Instant::ZERO), None);
        a.handle_sent(greeting.len() as u64);
        assert!(a.poll_send(Instant::ZERO).is_some());
    }

    #[test]
    fn an_unfinished_handshake_times_out() {
        let mut a = link(1);
        assert_eq!(a.poll_timeout(), Some(Instant::from_millis(5000)));
        assert_eq!(wake(&mut a, 4999), []);
        assert_eq!(wake(&mut a, 5000), [Output::Close(CloseReason::HandshakeTimeout)]);
        let mut greeted = link(1);
        feed(&mut greeted, 1, bytes_of(&mut link(2), 1));
        assert_eq!((greeted.poll_timeout(), wake(&mut greeted, 4999)), (Some(Instant::from_millis(5000)), Vec::new()));
        assert_eq!(wake(&mut greeted, 5000), [Output::Close(CloseReason::HandshakeTimeout)]);
    }

    #[test]
    fn life_is_shown_every_third_of_the_agreed_silence_and_missed_after_the_whole() {
        let (mut a, mut b) = pair();
        assert_eq!(a.poll_timeout(), Some(Instant::from_millis(3000)));
        assert_eq!((wake(&mut a, 2999), a.waiting()), (Vec::new(), 0));
        assert_eq!(wake(&mut a, 3000), []);
        let sign = bytes_of(&mut a, 3000);
        assert_eq!(feed(&mut b, 3000, sign), []);
        assert_eq!(a.poll_timeout(), Some(Instant::from_millis(6000)));
        assert_eq!(wake(&mut b, 11_999), []);
        assert_eq!(wake(&mut b, 12_000), [Output::Close(CloseReason::Silent)]);
    }

    #[test]
    fn a_role_is_told_with_the_greeting() {
        for role in [Role::Broker, Role::Client, Role::Peer] {
            let greeting = bytes_of(&mut link_as(2, role), 0);
            let expected = Hello { role, ..hello(2) };
            assert_eq!(feed(&mut link(1), 0, greeting), [Output::Frame(Frame::Hello(Box::new(expected)))]);
        }
    }

    #[test]
    fn messages_cross_every_sender_but_a_client() {
        for (role, path) in [(Role::Broker, &[BrokerId(2)][..]), (Role::Client, &[]), (Role::Peer, &[BrokerId(2)])] {
            let (mut here, mut there) = (link(1), link_as(2, role));
            feed(&mut here, 0, bytes_of(&mut there, 0));
            for end in [&mut here, &mut there] {
                end.open();
            }
            there.send(forward());
            let heard = feed(&mut here, 0, bytes_of(&mut there, 0));
            let [Output::Frame(Frame::Forward { message, .. })] = &heard[..] else { panic!("{heard:?}") };
            assert_eq!(message.path.brokers(), path, "a {role}");
        }
    }

    #[test]
    fn a_client_is_heard_once_its_link_is_open() {
        let subscription = Subscription::new(Destination::queue("q").expect("valid"));
        let subscribe = Frame::Subscribe { number: 1, subscription };
        for is_open in [true, false] {
            let (mut here, mut there) = (link(1), link_as(2, Role::Client));
            feed(&mut here, 0, bytes_of(&mut there, 0));
            if is_open {
                here.open();
            }
            there.send(subscribe.clone());
            let expected = if is_open {
                Output::Frame(subscribe.clone())
            } else {
                Output::Close(CloseReason::Malformed("a Subscribe frame can't be said at this moment".into()))
            };
            assert_eq!(feed(&mut here, 0, bytes_of(&mut there, 0)), [expected]);
        }
    }

    #[test]
    fn what_is_shared_goes_between_what_is_not() {
        let (mut a, mut b) = pair();
        let Frame::Forward { message, .. } = forward() else { unreachable!("it is one") };
        let mut shared = SharedEncoder::default();
        shared.push(0, 1, 0, &message);
        a.send(Frame::Synced);
        a.send_shared(&[SharedEncoder::route(0, message.id.producer, message.destination.clone())]);
        a.send_shared(&shared.finish());
        a.send(Frame::Finish { stream: 1 });
        let data = bytes_of(&mut a, 1);
        let heard = feed(&mut b, 1, data);
        let names: Vec<&str> =
            heard.iter().map(|output| if let Output::Frame(frame) = output { frame.name() } else { "" }).collect();
        assert_eq!(names, ["Synced", "Forward", "Finish"]);
    }

    #[test]
    fn a_version_that_is_not_spoken_is_refused() {
        for (min, max, is_spoken) in [(7, 9, false), (2, 2, false), (0, 0, false), (1, 9, true), (0, 1, true)] {
            let hello = Hello { version_min: min, version_max: max, ..hello(2) };
            let mut other = Link::new(&LinkConfig::default(), Instant::ZERO, hello.clone());
            let expected = if is_spoken {
                Output::Frame(Frame::Hello(Box::new(hello)))
            } else {
                Output::Close(CloseReason::VersionMismatch { min, max })
            };
            assert_eq!(feed(&mut link(1), 0, bytes_of(&mut other, 0)), [expected]);
        }
    }

    #[test]
    fn what_waits_is_bounded() {
        // Frames of six bytes stop at the limit before they cross it.
        let config = LinkConfig { window: 10, backlog_max: 96, ..LinkConfig::default() };
        let mut a = Link::new(&config, Instant::ZERO, hello(1));
        assert!(a.poll_send(Instant::ZERO).is_some());
        while a.waiting() <= 96 {
            assert_eq!(a.check_backlog(), Ok(()));
            a.send(Frame::Undemand { number: 1 });
        }
        assert_eq!(a.poll_send(Instant::ZERO), None, "the window is full");
        assert_eq!(a.check_backlog(), Err(CloseReason::Backlog { max: 96 }));
    }

    proptest! {
        /// Invariant N5 for one link: no bytes panic, whatever phase they come in.
        #[test]
        fn no_bytes_panic(noise: Vec<u8>, is_open: bool, with_preface: bool) {
            let mut a = if is_open { pair().0 } else { link(1) };
            if with_preface && !is_open {
                feed(&mut a, 0, Bytes::from_static(&PREFACE));
            }
            feed(&mut a, 0, noise.into());
        }
    }
}
