//! Writes the corpus's first inputs, `corpus/*/seed-*`: real frames, adverts and URIs, from which a fuzzer gets further
//! than from nothing. To be run again when the wire format changes.
//!
//! ```text
//! cargo run -p flockmq-fuzz --example seeds
//! ```

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use flockmq_core::uri::Location;
use flockmq_core::wire::{Advert, AdvertStatus, Encoder, Farewell, Frame, FrameBuffer, Hello};
use flockmq_core::{
    Body, BrokerId, Destination, Message, MessageId, Path as Route, ProducerId, Properties, Rng, Seed, Service,
    Timestamp,
};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut streams: Vec<_> = conversations().into_iter().map(|(name, frames)| (name, encode(&frames))).collect();
    streams.push(("demand", DEMAND.to_vec()));
    for (name, stream) in streams {
        write(&corpus, "native", name, &stream)?;
        // Three cuts early on, the rest in one.
        write(&corpus, "chunking", name, &[&[3, 1, 2, 40], &stream[..]].concat())?;
    }
    let service = Service("tcp://10.0.0.1:61616".to_owned());
    for (name, status) in [("alive", AdvertStatus::Alive), ("dead", AdvertStatus::Dead)] {
        let datagram = Advert { status, service: service.clone() }.encode("groupA");
        write(&corpus, "advert", name, &[b"groupA\n", &datagram[..]].concat())?;
    }
    for (name, uri) in URIS {
        uri.parse::<Location>().expect(uri);
        write(&corpus, "uri", name, uri.as_bytes())?;
    }
    let mut rng = Rng::new(Seed::from(1));
    for number in 0..16 {
        let choices: Vec<u8> = (0..16 << (number % 5)).map(|_| rng.next_u64().to_le_bytes()[0]).collect();
        write(&corpus, "world", &format!("choices-{number}"), &choices)?;
    }
    Ok(())
}

fn write(corpus: &Path, target: &str, name: &str, data: &[u8]) -> io::Result<()> {
    let folder = corpus.join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("seed-{name}")), data)
}

fn encode(frames: &[Frame]) -> Vec<u8> {
    let (mut encoder, mut out) = (Encoder::new(), FrameBuffer::default());
    for frame in frames {
        encoder.encode(frame, &mut out);
    }
    std::iter::from_fn(|| out.pop()).flatten().collect()
}

/// What two ends of a link really say, each in the order it would.
fn conversations() -> Vec<(&'static str, Vec<Frame>)> {
    let hello = Hello {
        version_min: 1,
        version_max: 1,
        broker: BrokerId(7),
        name: "broker1".to_owned(),
        group: "groupA".to_owned(),
        services: vec![Service("tcp://10.0.0.1:61616".to_owned())],
        frame_max: 1 << 20,
        silence_max_millis: 30_000,
    };
    let mut rich = Body::text("42");
    rich.correlation_id = Some("question-1".to_owned());
    rich.reply_to = Some(Destination::queue("answers").expect("a valid name"));
    rich.properties = properties();
    vec![
        ("opening", vec![Frame::Hello(hello.into()), Frame::Propose { ended: 0 }, Frame::Open { generation: 1 }]),
        ("synced", vec![Frame::Synced, Frame::SyncedHeard]),
        ("messages", vec![forward(1, Body::text("first")), forward(2, Body::bytes("second")), forward(3, rich)]),
        ("long-body", vec![forward(1, Body::bytes(vec![b'x'; 1024]))]),
        ("answers", vec![Frame::Forwarded { demand: 1, up_to: 3 }, Frame::KeepAlive, Frame::Undemand { number: 1 }]),
        ("leaving", vec![Frame::Goodbye(Farewell::Leaving)]),
        ("refusal", vec![Frame::Goodbye(Farewell::Refused("another group".to_owned()))]),
    ]
}

fn forward(sequence: u64, body: Body) -> Frame {
    let producer = ProducerId { broker: BrokerId(7), number: 1 };
    let message = Message {
        id: MessageId { producer, sequence },
        destination: Destination::topic("prices.gold").expect("a valid name"),
        path: Route::default(),
        timestamp: Timestamp::from_millis(1_700_000_000_000),
        body,
    };
    Frame::Forward { demand: 1, tag: sequence, redeliveries: 0, message: Arc::new(message) }
}

fn properties() -> Properties {
    let mut properties = Properties::default();
    properties.set("currency", "EUR").expect("a valid name");
    properties.set("count", 3_i64).expect("a valid name");
    properties.set("rate", 1.5).expect("a valid name");
    properties.set("urgent", true).expect("a valid name");
    properties
}

/// Demand for the topic `prices.>` that came by broker 9. By hand, since only links make demand.
const DEMAND: &[u8] = b"\x00\x00\x00\x0e\x05\x01\x01\x08prices.>\x01\x09";

const URIS: [(&str, &str); 13] = [
    ("peer", "peer://groupA/broker1?persistent=false"),
    ("peer-nameless", "peer://groupA"),
    ("peer-escaped", "peer://group%20A/b%2F1"),
    ("peer-discovery", "peer://g/b?discovery.address=239.255.2.4&discovery.port=6156&discovery.timeToLive=0"),
    ("peer-static", "peer://g?networkConnectorURIs=static:(tcp://h1:1,tcp://h2:2)"),
    ("peer-multicast", "peer://g/b?networkConnectorURIs=(static:tcp://h:1,multicast://default?group=g)&networkTTL=2"),
    ("vm", "vm://broker1?create=false&waitForStart=100"),
    ("vm-broker", "vm://b?broker.persistent=false&broker.memoryLimit=1048576"),
    ("tcp", "tcp://10.0.0.1:61616?connectionTimeout=1000&wireFormat.maxInactivityDuration=30000"),
    ("tcp-v6", "tcp://[::1]:61616"),
    ("multicast", "multicast://239.255.2.3:6155?group=groupA&timeToLive=1&loopBackMode=false"),
    ("multicast-default", "multicast://default"),
    ("static", "static:(tcp://h1:61616,tcp://h2:61616)?initialReconnectDelay=100&useExponentialBackOff=false"),
];
