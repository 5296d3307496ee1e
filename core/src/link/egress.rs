//! Frames that wait for credit: those that keep the link going before those that carry messages.

use alloc::collections::VecDeque;

use bytes::Bytes;

use crate::base::Situation;
use crate::wire::{Encoder, Frame, FrameBuffer};

/// What goes out of one link.
#[derive(Debug)]
pub(super) struct Egress {
    encoder: Encoder,
    buffer: FrameBuffer,
    messages: VecDeque<Frame>,
    messages_size: u64,
    window: u64,
    in_flight: u64,
}

impl Egress {
    pub(super) fn new(window: u64) -> Self {
        Self {
            encoder: Encoder::new(),
            buffer: FrameBuffer::default(),
            messages: VecDeque::new(),
            messages_size: 0,
            window,
            in_flight: 0,
        }
    }

    /// Appends a frame. Messages wait unencoded while the window is full; everything else is small and goes first.
    pub(super) fn push(&mut self, frame: Frame) {
        match frame {
            Frame::Forward { ref message, .. } if !self.has_room() || !self.messages.is_empty() => {
                Situation::WindowExceeded.met();
                self.messages_size += message.size() as u64;
                self.messages.push_back(frame);
            }
            _ => self.encoder.encode(&frame, &mut self.buffer),
        }
    }

    /// Appends encoded frames. Whoever shares them keeps to a window of its own.
    pub(super) fn push_shared(&mut self, pieces: &[Bytes]) {
        for piece in pieces {
            self.buffer.push_shared(piece);
        }
    }

    pub(super) fn push_bytes(&mut self, data: &[u8]) {
        self.buffer.push_bytes(data);
    }

    /// Bytes have left: as many more may go.
    pub(super) fn handle_sent(&mut self, bytes: u64) {
        self.in_flight = self.in_flight.saturating_sub(bytes);
        self.encode_waiting();
    }

    /// Drops the messages that wait: they are not coming any more.
    pub(super) fn close(&mut self) {
        if !self.messages.is_empty() {
            Situation::ClosedWhileWaiting.met();
        }
        self.messages.clear();
        self.messages_size = 0;
    }

    /// The next bytes for the driver, while the window has room.
    pub(super) fn poll_send(&mut self) -> Option<Bytes> {
        if self.in_flight >= self.window {
            return None;
        }
        let data = self.buffer.pop()?;
        self.in_flight += data.len() as u64;
        self.encode_waiting();
        Some(data)
    }

    /// True if the window is not full.
    pub(super) fn has_room(&self) -> bool {
        self.in_flight + self.buffer.len() < self.window
    }

    /// Bytes that wait for the window, encoded or not.
    pub(super) fn waiting(&self) -> u64 {
        self.buffer.len() + self.messages_size
    }

    fn encode_waiting(&mut self) {
        while self.has_room()
            && let Some(frame) = self.messages.pop_front()
        {
            if let Frame::Forward { message, .. } = &frame {
                self.messages_size -= message.size() as u64;
            }
            self.encoder.encode(&frame, &mut self.buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::model::{Body, BrokerId, Destination, Message, MessageId, Path, ProducerId};
    use crate::wire::{Decoder, Deframer};
    use alloc::sync::Arc;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// Takes five bytes.
    const WORD: Frame = Frame::KeepAlive;

    fn forward(sequence: u64) -> Frame {
        let message = Message {
            id: MessageId { producer: ProducerId { broker: BrokerId(2), number: 1 }, sequence },
            destination: Destination::topic("t").expect("valid"),
            path: Path::default(),
            timestamp: Timestamp::default(),
            body: Body::text("x"),
        };
        Frame::Forward { demand: 1, tag: sequence, redeliveries: 0, message: Arc::new(message) }
    }

    fn size(frame: &Frame) -> u64 {
        let Frame::Forward { message, .. } = frame else { unreachable!("only messages are asked for") };
        message.size() as u64
    }

    #[test]
    fn messages_wait_as_they_are_while_the_window_is_full() {
        let mut egress = Egress::new(5);
        egress.push(WORD);
        egress.push(forward(1));
        egress.push(forward(2));
        assert_eq!(egress.waiting(), 5 + 2 * size(&forward(1)));
        egress.push(WORD);
        let words = egress.poll_send().expect("room for a first piece");
        assert_eq!((words.len(), egress.poll_send()), (10, None), "what is no message does not wait behind them");
        egress.handle_sent(5);
        assert_eq!(egress.poll_send(), None);
        egress.handle_sent(1);
        assert!(egress.poll_send().is_some());
        assert_eq!(egress.waiting(), size(&forward(2)));
        egress.close();
        assert_eq!(egress.waiting(), 0);
    }

    proptest! {
        /// Whatever the window, messages go out in order and others in theirs, and all of them once all has left.
        #[test]
        fn what_is_pushed_goes_out_in_order(window in 1_u64..200, steps in proptest::collection::vec(0_u8..4, 0..60)) {
            let mut egress = Egress::new(window);
            let (mut deframer, mut decoder) = (Deframer::new(1000), Decoder::new());
            let (mut pushed, mut numbers, mut read, mut in_flight) = (0, 0_u64, Vec::new(), 0_u64);
            // After the steps everything leaves.
            for step in steps.into_iter().chain([2, 3].into_iter().cycle().take(200)) {
                match step {
                    0 => {
                        pushed += 1;
                        egress.push(forward(pushed));
                    }
                    1 => {
                        numbers += 1;
                        egress.push(Frame::Open { generation: numbers });
                    }
                    2 => {
                        let sent = egress.poll_send();
                        prop_assert!(sent.is_none() || in_flight < window);
                        let Some(data) = sent else { continue };
                        in_flight += data.len() as u64;
                        deframer.push(data);
                        while let Some(bytes) = deframer.poll_frame().expect("short") {
                            read.extend(decoder.decode(bytes).expect("our own"));
                        }
                    }
                    _ => {
                        egress.handle_sent(in_flight);
                        in_flight = 0;
                    }
                }
            }
            prop_assert_eq!(egress.waiting(), 0);
            let (messages, words): (Vec<_>, Vec<_>) = read.into_iter().partition(|frame| matches!(frame, Frame::Forward { .. }));
            prop_assert_eq!(messages, (1..=pushed).map(forward).collect::<Vec<_>>());
            prop_assert_eq!(words, (1..=numbers).map(|generation| Frame::Open { generation }).collect::<Vec<_>>());
        }
    }
}
