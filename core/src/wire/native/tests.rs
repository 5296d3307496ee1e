use super::buffer::COPIED_MAX;
use super::*;
use crate::base::Timestamp;
use crate::model::Priority;
use crate::model::{
    Ack, AckExtent, AckKind, AdminReply, AdminRequest, Advisory, Body, BodyKind, BrokerId, ConnectionId, ConsumerId,
    ConsumerPriority, Demand, Destination, DestinationKind, DestinationStatus, Destinations, Durable, Inventory,
    Message, MessageId, Party, Path, ProducerId, Refusal, Role, Selector, Service, Subscription, Temporary, What,
};
use crate::wire::{DecodeError, Deframer, Farewell, Frame, Hello};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::num::NonZeroU32;
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

fn demand(selector: Option<&str>, path: Path) -> Demand {
    let selector = selector.map(|text| Selector::parse(text).expect("valid"));
    Demand { destination: Destination::queue("q").expect("valid"), selector, path, is_dormant: false }
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
            is_connector: role == Role::Broker,
        }))
    };
    let mut more = Body::text("hi");
    more.headers.correlation_id = Some("c".into());
    more.headers.reply_to = Some(Destination::queue("r").expect("valid"));
    hold([
        (hello(Role::Broker), b"\0\0\0\x18\x00\x01\x01\x01\x01b\x01g\x01\x09tcp://h:1\xac\x02\x05\x00\x01"),
        (hello(Role::Client), b"\0\0\0\x18\x00\x01\x01\x01\x01b\x01g\x01\x09tcp://h:1\xac\x02\x05\x01\x00"),
        (hello(Role::Peer), b"\0\0\0\x18\x00\x01\x01\x01\x01b\x01g\x01\x09tcp://h:1\xac\x02\x05\x02\x00"),
        (Frame::Propose { ended: 3 }, b"\0\0\0\x02\x01\x03"),
        (Frame::Open { generation: 4 }, b"\0\0\0\x02\x02\x04"),
        (Frame::Goodbye(Farewell::Duplicate), b"\0\0\0\x02\x03\x00"),
        (Frame::Goodbye(Farewell::Refused("no".into())), b"\0\0\0\x05\x03\x02\x02no"),
        (Frame::KeepAlive, b"\0\0\0\x01\x04"),
        (
            Frame::Demand {
                number: 1,
                demand: demand(None, Path::default()),
                consumers: NonZeroU32::new(300).expect("some"),
                instead: false,
            },
            b"\0\0\0\x0a\x05\x01\x00\x01q\x00\x00\xac\x02\x00",
        ),
        (
            Frame::Demand {
                number: 2,
                demand: demand(Some("n=1"), Path::default().then(BrokerId(7))),
                consumers: NonZeroU32::MIN,
                instead: true,
            },
            b"\0\0\0\x0e\x05\x02\x00\x01q\x01\x03n=1\x01\x07\x01\x01",
        ),
        (
            Frame::Demand {
                number: 3,
                demand: Demand {
                    destination: Destination::topic("t").expect("valid"),
                    is_dormant: true,
                    ..demand(None, Path::default())
                },
                consumers: NonZeroU32::MIN,
                instead: true,
            },
            b"\0\0\0\x09\x05\x03\x01\x01t\x00\x00\x00\x01",
        ),
        (Frame::Weight { number: 2, consumers: NonZeroU32::new(3).expect("some") }, b"\0\0\0\x03\x18\x02\x03"),
        (Frame::Undemand { numbers: alloc::vec![1, 300] }, b"\0\0\0\x05\x06\x02\x01\xac\x02"),
        (Frame::Synced, b"\0\0\0\x01\x07"),
        (Frame::SyncedHeard, b"\0\0\0\x01\x08"),
        (Frame::Forwarded { demand: 1, up_to: 300 }, b"\0\0\0\x04\x09\x01\xac\x02"),
        (
            forward(message(2, 9, Body::bytes("hi"))),
            b"\0\0\0\x0a\x0a\x00\xab\x01\x02\x01\x02t2\x00\0\0\0\x0c\x0b\x00\x01\x09\x00\x09\xe8\x07\x00\x00hi",
        ),
        (
            forward(message(2, 9, more)),
            b"\0\0\0\x0a\x0a\x00\xab\x01\x02\x01\x02t2\x00\0\0\0\x17\x0c\x00\x01\x09\x00\x09\xe8\x07\x01\x00\x04\x00\x00\x01\x01c\x01\x00\x01r\x00hi",
        ),
    ]);
}

#[test]
fn a_clients_frames_keep_their_bytes() {
    let ack = |extent, kind| Frame::Ack(Ack { consumer: ConsumerId(1), tag: 300, extent, kind });
    let prices = Destination::topic("prices.>").expect("valid");
    let orders = Destination::queue("orders").expect("valid");
    let durable = Durable::new("me", "log").expect("valid");
    hold([
        (
            Frame::Subscribe { number: 1, subscription: Subscription::new(orders) },
            b"\0\0\0\x13\x0d\x01\x01\x00\x06orders\x00\x00\x00\x00\x00\x00\x00\x00",
        ),
        (
            Frame::Subscribe {
                number: 2,
                subscription: Subscription {
                    prefetch: Some(300),
                    priority: ConsumerPriority::MAX,
                    exclusive: true,
                    browses: true,
                    ..Subscription::new(prices)
                },
            },
            b"\0\0\0\x17\x0d\x02\x01\x01\x08prices.>\x01\xac\x02\x7f\x01\x01\x00\x00\x00\x00",
        ),
        (
            Frame::Subscribe {
                number: 3,
                subscription: Subscription {
                    no_local: true,
                    durable: Some(durable),
                    selector: Some("a = 1".parse().expect("valid")),
                    ..Subscription::new(Destination::topic("t").expect("valid"))
                },
            },
            b"\0\0\0\x1b\x0d\x03\x01\x01\x01t\x00\x00\x00\x00\x01\x00\x01\x02me\x03log\x01\x05a = 1",
        ),
        (
            Frame::Subscribe { number: 4, subscription: Subscription::to("a,topic://b".parse().expect("valid")) },
            b"\0\0\0\x11\x0d\x04\x02\x00\x01a\x01\x01b\x00\x00\x00\x00\x00\x00\x00\x00",
        ),
        (Frame::Subscribed { number: 1, result: Ok(()) }, b"\0\0\0\x03\x0e\x01\x00"),
        (Frame::Subscribed { number: 300, result: Err(Refusal::Stopping) }, b"\0\0\0\x05\x0e\xac\x02\x01\x07"),
        (Frame::Unsubscribe { number: 1, seen: 300 }, b"\0\0\0\x04\x0f\x01\xac\x02"),
        (ack(AckExtent::Individual, AckKind::Accepted), b"\0\0\0\x06\x10\x01\xac\x02\x00\x00"),
        (ack(AckExtent::UpTo, AckKind::Released), b"\0\0\0\x06\x10\x01\xac\x02\x01\x01"),
        (ack(AckExtent::Individual, AckKind::Rejected), b"\0\0\0\x06\x10\x01\xac\x02\x00\x02"),
        (Frame::Refused { stream: 1, tag: 300, refusal: Refusal::Stopping }, b"\0\0\0\x05\x11\x01\xac\x02\x07"),
        (Frame::Finish { stream: 300 }, b"\0\0\0\x03\x12\xac\x02"),
        (Frame::Browsed { number: 300 }, b"\0\0\0\x03\x13\xac\x02"),
        (Frame::Include { destination: Destination::topic("a.>").expect("valid") }, b"\0\0\0\x06\x17\x01\x03a.>"),
        (Frame::ConsumerEnded { number: 300, refusal: Refusal::Stopping }, b"\0\0\0\x04\x16\xac\x02\x07"),
    ]);
}

#[test]
fn an_administrators_frames_keep_their_bytes() {
    let queue = || Destination::queue("q").expect("valid");
    let durable = Durable::new("me", "log").expect("valid");
    let ask = |asked| Frame::Ask { number: 1, asked };
    let advised = |missed, advisory| Frame::Advised { missed, advisory: Box::new(advisory) };
    let answered = |result| Frame::Answered { number: 1, result };
    let status = DestinationStatus {
        name: queue(),
        is_paused: true,
        depth: 1,
        delayed: 13,
        bytes: 300,
        parked: 2,
        consumers: 3,
        producers: 4,
        enqueued: 5,
        dispatched: 6,
        outstanding: 7,
        dequeued: 8,
        expired: 14,
        failed: 15,
        dead_lettered: 16,
        purged: 9,
        let_go: 10,
        dropped: 11,
    };
    let inventory = Inventory { destinations: alloc::vec![status], left_out: 12 };
    hold([
        (Frame::Advise { wanted: true }, &b"\0\0\0\x02\x19\x01"[..]),
        (
            advised(300, Advisory::DestinationAdded { destination: queue() }),
            b"\0\0\0\x07\x1a\xac\x02\x06\x00\x01q",
        ),
        (
            advised(0, Advisory::ConnectionClosed { by: Party::Client(BrokerId(5)) }),
            b"\0\0\0\x05\x1a\x00\x02\x01\x05",
        ),
        (ask(AdminRequest::Destinations { within: None, after: None }), b"\0\0\0\x05\x14\x01\x00\x00\x00"),
        (
            ask(AdminRequest::Destinations { within: Some(queue()), after: Some(queue()) }),
            b"\0\0\0\x0b\x14\x01\x00\x01\x00\x01q\x01\x00\x01q",
        ),
        (ask(AdminRequest::Pause(queue())), b"\0\0\0\x06\x14\x01\x01\x00\x01q"),
        (ask(AdminRequest::Purge(queue())), b"\0\0\0\x06\x14\x01\x02\x00\x01q"),
        (ask(AdminRequest::RemoveDurable(durable)), b"\0\0\0\x0a\x14\x01\x03\x02me\x03log"),
        (ask(AdminRequest::Resume(queue())), b"\0\0\0\x06\x14\x01\x04\x00\x01q"),
        (answered(Ok(AdminReply::Changed { queues: 2 })), b"\0\0\0\x05\x15\x01\x00\x00\x02"),
        (
            answered(Ok(AdminReply::Destinations(inventory))),
            b"\0\0\0\x1b\x15\x01\x00\x01\x01\x00\x01q\x01\x01\x0d\xac\x02\x02\x03\x04\x05\x06\x07\x08\x0e\x0f\x10\x09\x0a\x0b\x0c",
        ),
        (answered(Ok(AdminReply::DurableRemoved)), b"\0\0\0\x04\x15\x01\x00\x02"),
        (answered(Ok(AdminReply::Purged { messages: 300, queues: 1 })), b"\0\0\0\x07\x15\x01\x00\x03\xac\x02\x01"),
        (answered(Err(Refusal::Stopping)), b"\0\0\0\x04\x15\x01\x01\x07"),
    ]);
}

#[test]
fn refusals_keep_their_bytes() {
    let durable = Durable::new("me", "log").expect("valid");
    let cases: [(Refusal, &[u8]); 33] = [
        (Refusal::AlreadyExists { what: What::Connection, number: 2 }, b"\x00\x00\x02"),
        (Refusal::Closed { what: What::Consumer }, b"\x01\x01"),
        (Refusal::IsPattern(Destination::topic(">").expect("valid")), b"\x02\x01\x01>"),
        (Refusal::LimitReached { what: What::Destination, max: 300 }, b"\x03\x02\xac\x02"),
        (Refusal::LimitReached { what: What::Producer, max: 1 }, b"\x03\x03\x01"),
        (Refusal::LimitReached { what: What::Question, max: 1 }, b"\x03\x06\x01"),
        (Refusal::MemoryFull { max: 300 }, b"\x04\xac\x02"),
        (Refusal::NotEnough { accepted: 1, needed: 2 }, b"\x05\x01\x02"),
        (Refusal::NotOutstanding { consumer: ConsumerId(1), tag: 2 }, b"\x06\x01\x02"),
        (Refusal::Stopping, b"\x07"),
        (Refusal::PrefetchOutOfRange { found: 0, max: 300 }, b"\x08\x00\xac\x02"),
        (Refusal::TimedOut { accepted: 1, needed: 2, after: Duration::new(3, 4) }, b"\x09\x01\x02\x03\x04"),
        (Refusal::TooLarge { size: 2, max: 1 }, b"\x0a\x02\x01"),
        (Refusal::WindowFull { producer: 1, max: 2 }, b"\x0b\x01\x02"),
        (Refusal::unknown_consumer(ConsumerId(1)), b"\x0c\x01\x01"),
        (Refusal::NotBrowsable(Destination::queue(">").expect("valid")), b"\x0d\x00\x01>"),
        (Refusal::DurableInUse(durable.clone()), b"\x0e\x02me\x03log"),
        (Refusal::DurableUnknown(durable), b"\x0f\x02me\x03log"),
        (Refusal::TopicsOnly(Destination::queue("q").expect("valid")), b"\x10\x00\x01q"),
        (Refusal::LimitReached { what: What::Durable, max: 1 }, b"\x03\x04\x01"),
        (Refusal::NoRoom { destination: Destination::topic("t").expect("valid") }, b"\x11\x01\x01t"),
        (Refusal::NotThroughFanout { what: What::Transaction }, b"\x12\x05"),
        (Refusal::TransactionFull { transaction: 1, messages_max: 2, bytes_max: 300 }, b"\x13\x01\x02\xac\x02"),
        (Refusal::Deleted(temporary()), b"\x14\x02\x2400000000000000000000000000000001:2:3"),
        (Refusal::NotOwner(Destination::queue("q").expect("valid")), b"\x15\x00\x01q"),
        (Refusal::NoDestination(Destination::queue("q").expect("valid")), b"\x16\x00\x01q"),
        (Refusal::NotAQueue(Destination::topic("t").expect("valid")), b"\x17\x01\x01t"),
        (
            Refusal::DestinationFull { destination: Destination::queue("q").expect("valid"), bytes: 300, max: 2 },
            b"\x18\x00\x01q\xac\x02\x02",
        ),
        (Refusal::BrokerFull { bytes: 300, max: 2 }, b"\x19\xac\x02\x02"),
        (Refusal::ParkedFull { bytes: 300, max: 2 }, b"\x1a\xac\x02\x02"),
        (Refusal::TooSlow { bytes: 300, max: 2, after: Duration::new(3, 4) }, b"\x1b\xac\x02\x02\x03\x04"),
        (Refusal::TooManyDestinations { found: 300, max: 64 }, b"\x1c\xac\x02\x40"),
        (Refusal::NotForClients, b"\x1d"),
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
fn the_oldest_routes_give_way() {
    let (mut encoder, mut buffer) = (Encoder::new(), FrameBuffer::default());
    let mut is_known = |producer| {
        encoder.encode(&forward(message(producer, 1, Body::bytes("x"))), &mut buffer);
        // What tells a route takes more than a small message does.
        drained(core::mem::take(&mut buffer)).len() < 20
    };
    let limit = u64::from(ROUTES_MAX);
    assert!((0..limit + 10).all(|producer| !is_known(producer)));
    assert!((10..limit + 10).all(&mut is_known));
    assert!((0..10).all(|producer| !is_known(producer)));
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
    let cases: [(&[u8], &str); 16] = [
        (b"\0\0\0\x00", "0 bytes are no frame"),
        (b"\0\0\0\x01\x63", "1 bytes are no frame"),
        (b"\0\0\0\x03\x07ab", "2 bytes too many in a frame"),
        (b"\0\0\0\x0a\x0b\x05\x01\x09\x00\x09\xe8\x07\x00\x00", "route 5 was never told"),
        (b"\0\0\0\x0b\x0a\xff\xff\x03\xab\x01\x02\x01\x01t\x00", "route 65535 is beyond the limit of 1024"),
        (b"\0\0\0\x07\x0d\x01\x01\x02\x01q\x00", "7 bytes are no frame"), // There is no third kind of destination,
        (b"\0\0\0\x09\x0d\x01\x01\x01\x03a..\x00", "9 bytes are no frame"), // nor such a name,
        (b"\0\0\0\x04\x0e\x01\x01\x1e", "4 bytes are no frame"),          // nor such a refusal,
        (b"\0\0\0\x05\x14\x01\x00\x01a", "5 bytes are no frame"),         // nor a client without an id,
        (b"\0\0\0\x05\x10\x01\x01\x02\x00", "5 bytes are no frame"),      // nor such an extent,
        (b"\0\0\0\x12\x0d\x01\x01\x00\x01q\x00\x00\x00\x00\x00\x00\x00\x01\x03a =", "18 bytes are no frame"), // nor such a selector.
        (b"\0\0\0\x0c\x05\x01\x00\x01q\x01\x03a =\x00\x01\x00", "12 bytes are no frame"), // A demand has none either,
        (b"\0\0\0\x09\x05\x01\x00\x01q\x00\x00\x00\x00", "nobody wants queue://q"),       // nor is it of nobody,
        (b"\0\0\0\x03\x18\x01\x00", "3 bytes are no frame"),                              // at no time.
        (b"\0\0\0\x03\x12\x01\x00", "1 bytes too many in a frame"),
        (b"\0\0\0\x01\x1b", "1 bytes are no frame"),
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
        demand: demand(None, alloc::vec![BrokerId(1); hops].into()),
        consumers: NonZeroU32::MIN,
        instead: false,
    };
    assert!(decoded(encoded(&[demand(Path::HOPS_MAX)])).is_ok());
    assert!(decoded(encoded(&[demand(Path::HOPS_MAX + 1)])).is_err());
}

fn any_message() -> impl Strategy<Value = Arc<Message>> {
    let body = (any::<bool>(), any::<bool>(), proptest::option::of("\\PC{0,5}"), 0_usize..20_000, any::<bool>());
    let urgency = (0_u8..10, proptest::option::of(any::<u64>()), proptest::option::of("\\PC{0,5}"));
    (0_u64..5, any::<u64>(), body, urgency, proptest::collection::vec(("\\PC{1,5}", any::<i64>()), 0..4)).prop_map(
        |(producer, sequence, (is_text, persistent, correlation_id, length, has_reply), urgency, properties)| {
            let (level, millis, message_type) = urgency;
            let mut body = Body::bytes(alloc::vec![7; length]);
            body.kind = if is_text { BodyKind::Text } else { BodyKind::Bytes };
            body.persistent = persistent;
            body.priority = Priority::try_from(level).expect("in range");
            body.headers.time_to_live = millis.map(Duration::from_millis);
            body.headers.message_type = message_type;
            body.headers.correlation_id = correlation_id;
            body.headers.reply_to = has_reply.then(|| Destination::queue("r").expect("valid"));
            for (name, value) in properties {
                body.headers.properties.set(&name, value).expect("few");
            }
            message(producer, sequence, body)
        },
    )
}

fn any_destination() -> impl Strategy<Value = Destination> {
    let name = select(&["t", "prices.gold", "prices.*.>", ">"][..]);
    (any::<bool>(), any::<bool>(), name).prop_map(|(is_topic, is_temporary, name)| match (is_topic, is_temporary) {
        (false, false) => Destination::queue(name).expect("valid"),
        (true, false) => Destination::topic(name).expect("valid"),
        (_, true) => temporary(),
    })
}

fn temporary() -> Destination {
    let name = Temporary { broker: BrokerId(1), connection: ConnectionId(2), number: 3 };
    Destination::temporary(DestinationKind::Queue, name)
}

fn any_refusal() -> impl Strategy<Value = Refusal> {
    let whats = [
        What::Connection,
        What::Consumer,
        What::Destination,
        What::Producer,
        What::Durable,
        What::Transaction,
        What::Question,
    ];
    let what = select(Vec::from(whats));
    (0..29, what, any_destination(), any::<(u64, u64)>(), any::<(u32, u32)>(), 0_u32..1_000_000_000).prop_map(
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
            12 => Refusal::NotBrowsable(destination),
            13 => Refusal::Unknown { what, number: a },
            14 => Refusal::DurableInUse(Durable::new(format!("{a}"), format!("{b}")).expect("valid")),
            15 => Refusal::DurableUnknown(Durable::new(format!("{a}"), format!("{b}")).expect("valid")),
            16 => Refusal::TopicsOnly(destination),
            17 => Refusal::NoRoom { destination },
            18 => Refusal::NotThroughFanout { what },
            19 => Refusal::TransactionFull { transaction: a, messages_max: b, bytes_max: few.into() },
            20 => Refusal::Deleted(destination),
            21 => Refusal::NotOwner(destination),
            22 => Refusal::NoDestination(destination),
            23 => Refusal::DestinationFull { destination, bytes: a, max: b },
            24 => Refusal::BrokerFull { bytes: a, max: b },
            25 => Refusal::ParkedFull { bytes: a, max: b },
            26 => Refusal::TooSlow { bytes: a, max: b, after: Duration::new(few.into(), nanos) },
            27 => Refusal::NotAQueue(destination),
            28 => Refusal::NotForClients,
            _ => Refusal::TooManyDestinations { found: a, max: b },
        },
    )
}

fn any_durable() -> impl Strategy<Value = Durable> {
    ("[^\\p{Cc}]{1,5}", "[^\\p{Cc}]{1,5}").prop_map(|(id, name)| Durable::new(id, name).expect("valid"))
}

fn any_advisory() -> impl Strategy<Value = Advisory> {
    let parties = [Party::Application(ConnectionId(1)), Party::Client(BrokerId(2)), Party::Peer(BrokerId(3))];
    let parts = (any_destination(), proptest::collection::vec(any_destination(), 1..4));
    (0..15, select(Vec::from(parties)), parts, any::<u64>(), "\\PC{0,9}").prop_map(
        |(which, by, (destination, several), count, name)| {
            let (several, consumer) = (Destinations::try_from(several).expect("some"), ConsumerId(count));
            let message = MessageId { producer: ProducerId { broker: BrokerId(1), number: 2 }, sequence: count };
            match which {
                0 => Advisory::BridgeStarted { peer: BrokerId(1), name },
                1 => Advisory::BridgeStopped { peer: BrokerId(1), name },
                2 => Advisory::ConnectionClosed { by },
                3 => Advisory::ConnectionOpened { by },
                4 => Advisory::ConsumerAdded { destination: several, consumer, by },
                5 => Advisory::ConsumerRemoved { destination: several, consumer, by },
                6 => Advisory::DestinationAdded { destination },
                7 => Advisory::DestinationFull { destination, by },
                8 => Advisory::DestinationRemoved { destination },
                9 => Advisory::MessageDeadLettered { queue: temporary(), destination, message },
                10 => Advisory::MessageExpired { destination, message },
                11 => Advisory::MessagesDropped { destination: several, count },
                12 => Advisory::ProducerAdded { destination: several, producer: count, by },
                13 => Advisory::ProducerRemoved { destination: several, producer: count, by },
                _ => Advisory::SlowConsumer { destination: several, consumer, by },
            }
        },
    )
}

fn any_asked() -> impl Strategy<Value = AdminRequest> {
    let option = || proptest::option::of(any_destination());
    prop_oneof![
        (option(), option()).prop_map(|(within, after)| AdminRequest::Destinations { within, after }),
        any_destination().prop_map(AdminRequest::Pause),
        any_destination().prop_map(AdminRequest::Purge),
        any_durable().prop_map(AdminRequest::RemoveDurable),
        any_destination().prop_map(AdminRequest::Resume),
    ]
}

fn any_reply() -> impl Strategy<Value = AdminReply> {
    let status = (any_destination(), any::<bool>(), any::<[u64; 16]>()).prop_map(|(name, is_paused, counts)| {
        let [depth, bytes, parked, consumers, producers, enqueued, rest @ ..] = counts;
        let [dispatched, outstanding, dequeued, purged, let_go, dropped, delayed, expired, failed, dead_lettered] =
            rest;
        DestinationStatus {
            name,
            is_paused,
            depth,
            delayed,
            bytes,
            parked,
            consumers,
            producers,
            enqueued,
            dispatched,
            outstanding,
            dequeued,
            expired,
            failed,
            dead_lettered,
            purged,
            let_go,
            dropped,
        }
    });
    let inventory = (proptest::collection::vec(status, 0..3), any::<u64>());
    prop_oneof![
        any::<u64>().prop_map(|queues| AdminReply::Changed { queues }),
        inventory.prop_map(|(destinations, left_out)| AdminReply::Destinations(Inventory { destinations, left_out })),
        Just(AdminReply::DurableRemoved),
        any::<(u64, u64)>().prop_map(|(messages, queues)| AdminReply::Purged { messages, queues }),
    ]
}

fn any_hello() -> impl Strategy<Value = Hello> {
    let words = ("\\PC{0,9}", "\\PC{0,9}", proptest::collection::vec("\\PC{0,9}", 0..4));
    let role = select(&[Role::Broker, Role::Client, Role::Peer][..]);
    let parts = (any::<(u16, u16, u128, u32, u32)>(), words, role, any::<bool>());
    parts.prop_map(|(numbers, (name, group, services), role, is_connector)| {
        let (version_min, version_max, broker, frame_max, silence_max_millis) = numbers;
        let (broker, services) = (BrokerId(broker), services.into_iter().map(Service).collect());
        Hello {
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
        }
    })
}

/// Any frame but those that carry messages.
fn any_word() -> impl Strategy<Value = Frame> {
    let numbers = || any::<(u32, u64)>();
    let path = proptest::collection::vec(any::<u128>().prop_map(BrokerId), 0..=Path::HOPS_MAX);
    let selector = "x[a-z]{0,9} (=|<>) '[^'\\p{Cc}]{0,20}'".prop_map(|text| Selector::parse(&text).expect("valid"));
    let selector = proptest::option::of(selector);
    let weight = || (any::<u32>(), any::<NonZeroU32>());
    let demand = (weight(), any_destination(), selector.clone(), path, any::<[bool; 2]>());
    let demand = demand.prop_map(|((number, consumers), destination, selector, path, [instead, is_dormant])| {
        let is_dormant = is_dormant && destination.kind() == DestinationKind::Topic;
        let consumers = if is_dormant { NonZeroU32::MIN } else { consumers };
        let demand = Demand { destination, selector, path: path.into(), is_dormant };
        Frame::Demand { number, demand, consumers, instead }
    });
    let wishes = (any::<Option<u32>>(), 0..=ConsumerPriority::MAX.level(), any::<[bool; 4]>(), any_durable());
    let destinations = proptest::collection::vec(any_destination(), 1..4);
    let asked = (destinations, wishes, any::<bool>(), selector);
    let subscription = asked.prop_map(|(destinations, wishes, is_durable, selector)| {
        let destination = destinations.try_into().expect("some");
        let (prefetch, priority, [exclusive, browses, no_local, retroactive], durable) = wishes;
        let (priority, durable) =
            (ConsumerPriority::try_from(priority).expect("a priority"), is_durable.then_some(durable));
        Subscription { destination, prefetch, priority, exclusive, browses, no_local, retroactive, durable, selector }
    });
    let kind = prop_oneof![Just(AckKind::Accepted), Just(AckKind::Released), Just(AckKind::Rejected)];
    let ack = (any::<(u64, u64)>(), any::<bool>(), kind).prop_map(|((consumer, tag), is_one, kind)| {
        let extent = if is_one { AckExtent::Individual } else { AckExtent::UpTo };
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
        any::<Vec<u32>>().prop_map(|numbers| Frame::Undemand { numbers }),
        weight().prop_map(|(number, consumers)| Frame::Weight { number, consumers }),
        Just(Frame::KeepAlive),
        Just(Frame::Synced),
        Just(Frame::SyncedHeard),
        numbers().prop_map(|(demand, up_to)| Frame::Forwarded { demand, up_to }),
    ];
    let clients = prop_oneof![
        ack,
        (any::<u32>(), subscription).prop_map(|(number, subscription)| Frame::Subscribe { number, subscription }),
        (any::<u32>(), proptest::option::of(any_refusal()))
            .prop_map(|(number, refusal)| Frame::Subscribed { number, result: refusal.map_or(Ok(()), Err) }),
        numbers().prop_map(|(number, seen)| Frame::Unsubscribe { number, seen }),
        (numbers(), any_refusal()).prop_map(|((stream, tag), refusal)| Frame::Refused { stream, tag, refusal }),
        any::<u32>().prop_map(|stream| Frame::Finish { stream }),
        any::<u32>().prop_map(|number| Frame::Browsed { number }),
        any_destination().prop_map(|destination| Frame::Include { destination }),
        (any::<u32>(), any_refusal()).prop_map(|(number, refusal)| Frame::ConsumerEnded { number, refusal }),
    ];
    let administrators = prop_oneof![
        (any::<u32>(), any_asked()).prop_map(|(number, asked)| Frame::Ask { number, asked }),
        (any::<u32>(), any_reply()).prop_map(|(number, reply)| Frame::Answered { number, result: Ok(reply) }),
        (any::<u32>(), any_refusal()).prop_map(|(number, refusal)| Frame::Answered { number, result: Err(refusal) }),
        any::<bool>().prop_map(|wanted| Frame::Advise { wanted }),
        (any::<u64>(), any_advisory())
            .prop_map(|(missed, advisory)| Frame::Advised { missed, advisory: Box::new(advisory) }),
    ];
    prop_oneof![opening, ending, peers, clients, administrators]
}

/// Messages that share destinations and paths as those of one broker do, whoever their producers are.
fn any_routed() -> impl Strategy<Value = Arc<Message>> {
    let destinations = ["topic://t", "queue://t"].map(|name| name.parse::<Destination>().expect("valid"));
    let paths = [Path::default(), Path::default().then(BrokerId(7))];
    (any_message(), select(Vec::from(destinations)), select(Vec::from(paths)))
        .prop_map(|(message, destination, path)| Arc::new(Message { destination, path, ..Message::clone(&message) }))
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let carried = (any_routed(), any::<u32>(), any::<u64>(), any::<u32>());
    prop_oneof![
        any_word(),
        carried
            .prop_map(|(message, demand, tag, redeliveries)| { Frame::Forward { demand, tag, redeliveries, message } }),
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

#[test]
fn routes_are_numbered_below_their_limit() {
    let told = |number| {
        let message = message(1, 1, Body::bytes("x"));
        let mut shared = SharedEncoder::default();
        shared.push(number, 1, 0, &message);
        let route = SharedEncoder::route(number, message.id.producer, message.destination.clone());
        (decoded(Bytes::from([&[route], &shared.finish()[..]].concat().concat())), message)
    };
    let (read, message) = told(ROUTES_MAX - 1);
    assert_eq!(read, Ok(alloc::vec![forward(message)]));
    let error = told(ROUTES_MAX).0.expect_err("too great").to_string();
    assert_eq!(error, "route 1024 is beyond the limit of 1024");
}

#[test]
fn a_hello_names_as_many_services_as_the_limit_and_no_more() {
    let hello = |count| {
        Frame::Hello(Box::new(Hello {
            version_min: 1,
            version_max: 1,
            broker: BrokerId(1),
            name: "n".into(),
            group: "g".into(),
            services: alloc::vec![Service("tcp://h:1".into()); count],
            frame_max: 1,
            silence_max_millis: 1,
            role: Role::Peer,
            is_connector: false,
        }))
    };
    assert_eq!(decoded(encoded(&[hello(64)])), Ok(alloc::vec![hello(64)]));
    let error = decoded(encoded(&[hello(65)])).expect_err("too many").to_string();
    assert_eq!(error, "65 services in one Hello; at most 64");
}

proptest! {
    /// A frame is called what the protocol's documentation calls it.
    #[test]
    fn a_frames_name_is_that_of_its_variant(frame in any_frame()) {
        let debug = format!("{frame:?}");
        prop_assert_eq!(debug.split(|found: char| !found.is_alphanumeric()).next(), Some(frame.name()));
    }

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

    /// Invariant C1: any bytes are frames or an error.
    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let mut decoder = Decoder::new();
        let _ = decoder.decode(bytes.clone().into());
        let _ = decoded(bytes.into());
    }
}
