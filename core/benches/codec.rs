//! What a message's frame costs to write and to read: `cargo bench -p flockmq-core --bench codec`.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock that the core must not")]
#![expect(clippy::cast_precision_loss, reason = "figures are rounded when they are printed")]

use std::sync::Arc;
use std::time::{Duration, Instant as Clock};

use bytes::Bytes;
use flockmq_core::wire::{Decoder, Deframer, Encoder, Frame, FrameBuffer};
use flockmq_core::{Body, BrokerId, Destination, Message, MessageId, Path, ProducerId, Timestamp};

const BATCH: u64 = 256;

fn main() {
    for size in [16, 256, 1024, 65_536] {
        let message = message(size);
        let (mut encoder, mut buffer) = (Encoder::new(), FrameBuffer::default());
        let mut stream = Vec::new();
        let encoding = time(|| {
            stream.clear();
            encode(&mut encoder, &message, &mut buffer, &mut stream);
        });
        let bytes: Bytes = {
            let (mut encoder, mut stream) = (Encoder::new(), Vec::new());
            encode(&mut encoder, &message, &mut buffer, &mut stream);
            stream.concat().into()
        };
        let decoding = time(|| {
            let (mut decoder, mut deframer, mut count) = (Decoder::new(), Deframer::new(u32::MAX), 0);
            deframer.push(bytes.clone());
            while let Some(frame) = deframer.poll_frame().expect("whole frames") {
                count += u64::from(decoder.decode(frame).expect("our own frames").is_some());
            }
            assert_eq!(count, BATCH);
        });
        println!("{size:>6} B: encode {encoding:>6.1} ns/message, decode {decoding:>6.1} ns/message");
    }
}

fn message(size: usize) -> Arc<Message> {
    Arc::new(Message {
        id: MessageId { producer: ProducerId { broker: BrokerId(u128::MAX / 3), number: 1 }, sequence: 1_000_000 },
        destination: Destination::topic("bench.codec").expect("a destination"),
        path: Path::default(),
        timestamp: Timestamp::from_millis(1_700_000_000_000),
        body: Body::bytes(vec![7; size]),
    })
}

fn encode(encoder: &mut Encoder, message: &Arc<Message>, buffer: &mut FrameBuffer, stream: &mut Vec<Bytes>) {
    for tag in 1..=BATCH {
        let frame = Frame::Forward { demand: 1, tag, redeliveries: 0, message: Arc::clone(message) };
        encoder.encode(&frame, buffer);
    }
    while let Some(data) = buffer.pop() {
        stream.push(data);
    }
}

/// Nanoseconds a message of a run of batches.
fn time(mut batch: impl FnMut()) -> f64 {
    let millis = if std::env::args().any(|arg| arg == "--test") { 5 } else { 300 };
    let (mut batches, start) = (0_u64, Clock::now());
    while start.elapsed() < Duration::from_millis(millis) {
        batch();
        batches += 1;
    }
    start.elapsed().as_nanos() as f64 / (batches * BATCH) as f64
}
