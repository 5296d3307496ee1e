//! Writes the corpus's first inputs, `corpus/*/seed-*`: real frames, adverts, URIs and selectors, from which a fuzzer gets further
//! than from nothing. To be run again when the wire format changes.
//!
//! ```text
//! cargo run -p flockmq-fuzz --example seeds
//! ```

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use flockmq_core::sim::{Play, Script};
use flockmq_core::uri::Location;
use flockmq_core::wire::{Advert, AdvertStatus, Encoder, Farewell, Frame, FrameBuffer, Hello};
use flockmq_core::{
    Ack, AckExtent, AckKind, Body, BrokerId, ConsumerId, Demand, Destination, Message, MessageId, Path as Route,
    ProducerId, Properties, Refusal, Rng, Role, Seed, Selector, Service, Subscription, Timestamp, What,
};
use flockmq_tests::Trial;

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let conversations = conversations().into_iter().chain(client_conversations()).chain(beyond());
    let mut streams: Vec<_> = conversations.map(|(name, frames)| (name, encode(&frames))).collect();
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
    for (name, selector) in SELECTORS {
        selector.parse::<Selector>().expect(selector);
        for (number, choices) in [[0; 6], [2, 4, 9, 13, 12, 0xf7], [7, 6, 11, 15, 14, 1]].iter().enumerate() {
            write(
                &corpus,
                "selector",
                &format!("{name}-{number}"),
                &[choices, &b"\n"[..], selector.as_bytes()].concat(),
            )?;
        }
    }
    for (name, text) in
        [("long", " ".repeat(Selector::LENGTH_MAX + 1)), ("deep", "(".repeat(Selector::NESTING_MAX + 1))]
    {
        write(&corpus, "selector", &format!("beyond-{name}"), text.as_bytes())?;
    }
    for (name, script) in SCRIPTS {
        let script: Script = script.parse().expect(name);
        write(&corpus, "script", name, script.to_string().as_bytes())?;
    }
    for number in 0..8 {
        let script = Script::draw(Seed::from(number), 2);
        write(&corpus, "script", &format!("drawn-{number}"), script.to_string().as_bytes())?;
    }
    for (name, file) in recordings() {
        write(&corpus, "recording", &name, &file)?;
    }
    for seed in 0..32 {
        write(&corpus, "broker_ops", &format!("workload-{seed}"), &Trial::record(seed))?;
    }
    let mut rng = Rng::new(Seed::from(1));
    for target in ["broker_ops", "node_inputs", "world"] {
        for number in 0..16 {
            let choices: Vec<u8> = (0..16 << (number % 6)).map(|_| rng.next_u64().to_le_bytes()[0]).collect();
            write(&corpus, target, &format!("choices-{number}"), &choices)?;
        }
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

/// What two peers at the ends of a link really say, each in the order it would.
fn conversations() -> Vec<(&'static str, Vec<Frame>)> {
    let mut rich = Body::text("42");
    rich.headers.correlation_id = Some("question-1".to_owned());
    rich.headers.reply_to = Some(Destination::queue("answers").expect("a valid name"));
    rich.headers.properties = properties();
    vec![
        ("far", vec![far_demand(Route::HOPS_MAX), far_forward(Route::HOPS_MAX)]),
        ("opening", vec![hello(Role::Peer), Frame::Propose { ended: 0 }, Frame::Open { generation: 1 }]),
        ("synced", vec![Frame::Synced, Frame::SyncedHeard]),
        ("messages", vec![forward(1, Body::text("first")), forward(2, Body::bytes("second")), forward(3, rich)]),
        ("long-body", vec![forward(1, Body::bytes(vec![b'x'; 1024]))]),
        (
            "answers",
            vec![Frame::Forwarded { demand: 1, up_to: 3 }, Frame::KeepAlive, Frame::Undemand { numbers: vec![1] }],
        ),
        ("leaving", vec![Frame::Goodbye(Farewell::Leaving)]),
        ("refusal", vec![Frame::Goodbye(Farewell::Refused("another group".to_owned()))]),
    ]
}

/// What is refused, each because of one limit.
fn beyond() -> Vec<(&'static str, Vec<Frame>)> {
    let Frame::Hello(mut hello) = hello(Role::Peer) else { unreachable!("a hello is one") };
    hello.services = vec![Service("tcp://10.0.0.1:61616".to_owned()); 65];
    vec![
        ("beyond-demand", vec![far_demand(Route::HOPS_MAX + 1)]),
        ("beyond-forward", vec![far_forward(Route::HOPS_MAX + 1)]),
        ("beyond-hello", vec![Frame::Hello(hello)]),
    ]
}

fn far_demand(hops: usize) -> Frame {
    let destination = Destination::topic("prices.>").expect("a valid name");
    let demand = Demand { destination, selector: None, path: far(hops), is_dormant: false };
    Frame::Demand { number: 1, demand, consumers: NonZeroU32::MIN, instead: false }
}

fn far_forward(hops: usize) -> Frame {
    let message = Message { path: far(hops), ..message(1, Body::text("far")) };
    Frame::Forward { demand: 1, tag: 1, redeliveries: 0, message: Arc::new(message) }
}

fn far(hops: usize) -> Route {
    (1..=hops as u128).fold(Route::default(), |path, hop| path.then(BrokerId(hop)))
}

/// What a client says, and what a broker says to it.
fn client_conversations() -> Vec<(&'static str, Vec<Frame>)> {
    let subscribe = |number, destination: &str, prefetch| {
        let destination = destination.parse().expect("a valid destination");
        Frame::Subscribe { number, subscription: Subscription { prefetch, ..Subscription::new(destination) } }
    };
    let ack = |tag, extent, kind| Frame::Ack(Ack { consumer: ConsumerId(1), tag, extent, kind });
    let refused = |tag, refusal| Frame::Refused { stream: 1, tag, refusal };
    let refusals = vec![
        refused(1, Refusal::TooLarge { size: 300, max: 200 }),
        refused(2, Refusal::LimitReached { what: What::Destination, max: 10_000 }),
        refused(3, Refusal::IsPattern("topic://prices.>".parse().expect("a valid destination"))),
        refused(4, Refusal::TimedOut { accepted: 1, needed: 2, after: Duration::from_millis(1_500) }),
        refused(5, Refusal::Stopping),
        Frame::Forwarded { demand: 1, up_to: 5 },
    ];
    vec![
        ("client-opening", vec![hello(Role::Client)]),
        ("broker-opening", vec![hello(Role::Broker), Frame::Open { generation: 0 }]),
        ("subscribing", vec![subscribe(1, "queue://orders", None), subscribe(2, "topic://prices.>", Some(300))]),
        (
            "subscribed",
            vec![
                Frame::Subscribed { number: 1, result: Ok(()) },
                Frame::Subscribed { number: 2, result: Err(Refusal::PrefetchOutOfRange { found: 0, max: 32_767 }) },
            ],
        ),
        (
            "streams",
            vec![forward(1, Body::text("first")), forward(3, Body::text("third")), Frame::Finish { stream: 1 }],
        ),
        ("refusals", refusals),
        (
            "consuming",
            vec![
                ack(1, AckExtent::Individual, AckKind::Accepted),
                ack(2, AckExtent::Individual, AckKind::Released),
                ack(300, AckExtent::UpTo, AckKind::Accepted),
                Frame::Unsubscribe { number: 1, seen: 300 },
            ],
        ),
    ]
}

/// The lives of the hosts of a short play, as files.
fn recordings() -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for (name, script) in SCRIPTS.into_iter().filter(|(name, _)| name.starts_with("life")) {
        let mut play = Play::new(Seed::from(1), &script.parse().expect(name));
        play.world().record();
        while play.step() {}
        for host in play.world().hosts() {
            let lives = play.world().recording_files(host);
            files.extend((1..).zip(lives).map(|(life, file)| (format!("{name}-{host}-{life}"), file)));
        }
    }
    files
}

fn hello(role: Role) -> Frame {
    let is_client = role == Role::Client;
    let service = Service("tcp://10.0.0.1:61616".to_owned());
    Frame::Hello(Box::new(Hello {
        version_min: 1,
        version_max: 1,
        broker: BrokerId(7),
        name: if is_client { "client1" } else { "broker1" }.to_owned(),
        group: "groupA".to_owned(),
        services: if is_client { Vec::new() } else { vec![service] },
        frame_max: 1 << 20,
        silence_max_millis: 30_000,
        role,
        is_connector: false,
    }))
}

fn forward(sequence: u64, body: Body) -> Frame {
    Frame::Forward { demand: 1, tag: sequence, redeliveries: 0, message: Arc::new(message(sequence, body)) }
}

fn message(sequence: u64, body: Body) -> Message {
    let producer = ProducerId { broker: BrokerId(7), number: 1 };
    Message {
        id: MessageId { producer, sequence },
        destination: Destination::topic("prices.gold").expect("a valid name"),
        path: Route::default(),
        timestamp: Timestamp::from_millis(1_700_000_000_000),
        body,
    }
}

fn properties() -> Properties {
    let mut properties = Properties::default();
    properties.set("currency", "EUR").expect("a valid name");
    properties.set("count", 3_i64).expect("a valid name");
    properties.set("rate", 1.5).expect("a valid name");
    properties.set("urgent", true).expect("a valid name");
    properties
}

/// Demand for the topic `prices.>` where `n=1` that came by broker 9, for two consumers. By hand, since only links make
/// demand.
const DEMAND: &[u8] = b"\x00\x00\x00\x15\x05\x01\x01\x08prices.>\x01\x03n=1\x01\x09\x02\x00";

const URIS: [(&str, &str); 20] = [
    ("broker", "broker:(tcp://0.0.0.0:0,network:static:(tcp://hub:61616))?name=edge&acceptNetworkConnectors=false"),
    ("network", "network:static:(tcp://h1:1,tcp://h2:2?connectionTimeout=5)?name=far&networkTTL=3&prefetchSize=10"),
    ("peer-network", "peer://g?networkConnectorURIs=(static:tcp://h:1,network:static:(tcp://hub:2)?messageTTL=3)"),
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
    ("fanout", "fanout:(multicast://default?group=g)?minAckCount=3&fanOutQueues=true&sendTimeout=1000"),
    ("fanout-static", "fanout:(static:(tcp://h1:61616,tcp://h2:61616))?initialReconnectDelay=100"),
    ("fanout-authority", "fanout://(static://(tcp://h1:61616,tcp://h2:61616))?reconnectJitter=50"),
    ("fanout-discovered", "fanout:(multicast://default)?discovered.wireFormat.maxFrameSize=100000&connectTimeout=50"),
    ("static", "static:(tcp://h1:61616,tcp://h2:61616)?initialReconnectDelay=100&useExponentialBackOff=false"),
];

const SELECTORS: [(&str, &str); 12] = [
    ("arithmetic", "(a + 2) * -b / 3 % 4 - +c = 7L OR d - 0x1F < 017"),
    ("between", "a BETWEEN -1 AND 1.5 AND b NOT BETWEEN c AND d"),
    ("comments", "a /* one */ = -- another\n 1"),
    (
        "header",
        "JMSDeliveryMode = 'PERSISTENT' AND JMSDestination LIKE 'topic://%' AND JMSMessageID <> 'ID:x' AND JMSTimestamp > 0 AND JMSPriority < 5",
    ),
    ("in", "a IN ('abc', 'it''s') OR JMSType NOT IN ('') OR JMSXGroupID IN ('abc')"),
    ("like", "a LIKE 'a_c%' OR d NOT LIKE '%a%!%_!_' ESCAPE '!'"),
    ("literals", "7. = .5 OR 1E3 > 1e-3d OR 0.1f <> 0.1 OR TRUE = FALSE OR 'é' = c"),
    ("logic", "NOT a AND (b OR NOT NOT c) OR a AND d"),
    ("null", "a IS NULL OR (a = b) IS NOT NULL"),
    ("redelivered", "JMSRedelivered AND JMSXDeliveryCount > 1 AND JMSCorrelationID = 'b' AND JMSReplyTo IS NOT NULL"),
    ("texts", "d = d AND d <> c AND d LIKE '%aaaaaaaaab%'"),
    ("whether", "(a > 1) = (b <= 2.5) AND (c) = d"),
];

/// All that a script can say; and short lives, to be recorded.
const SCRIPTS: [(&str, &str); 4] = [
    (
        "all-steps",
        "host a peer://g/a?memoryLimit=65536\nbroker b default\n\
         host c \"fanout:(multicast://default?group=g)?minAckCount=2\"\nsubscribe a topic://t.>\nsubscribe b orders\n\
         run 3s\nsend c topic://t hello\nsend a queue://orders \"say \\\"hi\\\"\\n\" 10 times every 100ms\n\
         send a queue://orders \"#1\"\n\
         faults loss=5% delay=1ms..20ms duplication=10% reordering=50% timeouts=1% reset=0.1%\nrun 500ms\n\
         faults datagram-delay=1ms stream-delay=0s..2ms local-delay=1us..3us drift=0.01% lateness=5ms\n\
         cut a b\nheal a b\ncut a -> c\nrun 1s\nheal\nfaults buffer=4096 chunk=100\ncrash a\nrun 1s\nrestart a\n\
         pause b\nrun 1s\nresume b\nreset a c\nslow a 1000\nslow a off\nsegment a 7\nfaults none\nstop a\nrun 1s",
    ),
    (
        "life-of-peers",
        "host a peer://g/a\nhost b peer://g/b\nsubscribe b topic://t\nrun 1s\nsend a topic://t hi 2 times\nrun 100ms\n\
         stop a\nrun 100ms",
    ),
    (
        "life-of-a-client",
        "broker a g\nhost c \"fanout:(multicast://default?group=g)?minAckCount=1\"\nsubscribe a queue://q\nrun 1s\n\
         send c queue://q hi 2 times\nrun 100ms\nstop c\nrun 100ms",
    ),
    ("life-cut-short", "host a peer://g/a\nrun 700ms\ncrash a\nrun 1s\nrestart a\nrun 100ms\nstop a\nrun 1s"),
];
