//! What it costs to read selectors and to ask them about a message, on one core: `cargo bench -p flockmq-core --bench
//! selector`.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock that the core must not")]
#![expect(clippy::cast_precision_loss, reason = "figures are rounded when they are printed")]

use std::hint::black_box;
use std::time::{Duration, Instant as Clock};

use flockmq_core::selector::Verdict;
use flockmq_core::{Body, BrokerId, Destination, Message, MessageId, Path, ProducerId, Selector, Timestamp};

const BATCH: u64 = 256;

fn main() {
    let message = message();
    println!("over a message with 8 properties and a text of 60 KB:");
    for (name, text, expected) in [
        ("a number", "priority > 5", Verdict::True),
        ("a text", "region = 'us'", Verdict::False),
        ("simple", "priority > 5 AND region IN ('eu', 'us', 'asia') AND name LIKE 'x%'", Verdict::True),
        ("a header", "JMSDeliveryMode = 'PERSISTENT'", Verdict::False),
        ("arithmetic", "(weight - 0.5) * 2 BETWEEN priority AND priority + 100", Verdict::True),
        ("patterns", "name LIKE '%an%\\_%' ESCAPE '\\' AND region NOT LIKE '_s'", Verdict::True),
        ("missing", "none = 1 OR colour IS NULL AND none LIKE '%'", Verdict::Unknown),
    ] {
        report(name, text, expected, &message);
    }
    report("1000 steps: sum", &format!("{} > 0", ["priority"; 450].join("+")), Verdict::True, &message);
    report("1000 steps: pattern", "text LIKE '%aaaaaaaaaaaaaaaaaab%'", Verdict::TooCostly, &message);
    report("1000 steps: texts", &["text = text"; 2].join(" AND "), Verdict::TooCostly, &message);
}

fn report(name: &str, text: &str, expected: Verdict, message: &Message) {
    let selector = Selector::parse(text).expect(text);
    let reading = time(|| assert!(Selector::parse(black_box(text)).is_ok()));
    let asking = time(|| assert_eq!(black_box(&selector).evaluate(black_box(message)), expected));
    println!("{name:<20} read {reading:>8.0} ns, ask {asking:>8.1} ns, {:>6.2} M/s", 1e3 / asking);
}

fn message() -> Message {
    let mut body = Body::text("a message");
    for (name, value) in [("first", "1"), ("second", "2"), ("third", "3"), ("region", "eu"), ("name", "xander_1")] {
        body.headers.properties.set(name, value).expect("room");
    }
    body.headers.properties.set("text", "a".repeat(60_000)).expect("room");
    body.headers.properties.set("priority", 7_i64).expect("room");
    body.headers.properties.set("weight", 12.5).expect("room");
    Message {
        id: MessageId { producer: ProducerId { broker: BrokerId(u128::MAX / 3), number: 1 }, sequence: 1_000_000 },
        destination: Destination::topic("bench.selector").expect("a destination"),
        path: Path::default(),
        timestamp: Timestamp::from_millis(1_700_000_000_000),
        body,
    }
}

/// Nanoseconds a turn.
fn time(mut turn: impl FnMut()) -> f64 {
    let millis = if std::env::args().any(|arg| arg == "--test") { 5 } else { 200 };
    let (mut turns, start) = (0_u64, Clock::now());
    while start.elapsed() < Duration::from_millis(millis) {
        (0..BATCH).for_each(|_| turn());
        turns += BATCH;
    }
    start.elapsed().as_nanos() as f64 / turns as f64
}
