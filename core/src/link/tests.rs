//! A link driven alone: bytes in, then compare all that it says and sends.

use alloc::sync::Arc;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::base::Timestamp;
use crate::model::{Body, BrokerId, Destination, Message, MessageId, Path, ProducerId, Subscription};
use crate::wire::SharedEncoder;

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
        is_connector: false,
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
    assert_eq!(heard, [Output::Frame(Frame::Hello(Box::new(hello(1)))), Output::Frame(Frame::Open { generation: 1 })]);
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
        a.send(Frame::Undemand { numbers: alloc::vec![1] });
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
