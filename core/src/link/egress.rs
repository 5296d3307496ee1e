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

    /// Bytes that wait for the window, encoded or not.
    pub(super) fn waiting(&self) -> u64 {
        self.buffer.len() + self.messages_size
    }

    fn has_room(&self) -> bool {
        self.in_flight + self.buffer.len() < self.window
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
