//! Bytes on their way out.

use alloc::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};

/// Encoded frames on their way out: small ones in one growing buffer, long bodies as they are.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    whole: VecDeque<Bytes>,
    open: BytesMut,
    length: u64,
}

impl FrameBuffer {
    /// How many bytes wait.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Takes the next bytes to send, in order.
    pub fn pop(&mut self) -> Option<Bytes> {
        let data = match self.whole.pop_front() {
            Some(data) => data,
            None if self.open.is_empty() => return None,
            None => self.open.split().freeze(),
        };
        self.length -= data.len() as u64;
        Some(data)
    }

    /// Appends bytes as they are.
    pub fn push_bytes(&mut self, data: &[u8]) {
        self.open.extend_from_slice(data);
        self.length += data.len() as u64;
    }

    /// Appends bytes that are shared with others: short ones are copied, long ones sent as they are.
    pub(crate) fn push_shared(&mut self, data: &Bytes) {
        if data.len() < COPIED_MAX {
            return self.push_bytes(data);
        }
        self.length += data.len() as u64;
        if !self.open.is_empty() {
            self.whole.push_back(self.open.split().freeze());
        }
        self.whole.push_back(data.clone());
    }

    /// Appends a frame: its length, its head, and a body that is copied if it is short.
    pub(super) fn push(&mut self, head: &[u8], body: &Bytes) {
        let length = head.len() + body.len();
        let prefix = u32::try_from(length).expect("frames are checked against a limit below 4 GiB").to_be_bytes();
        self.length += (prefix.len() + length) as u64;
        if body.len() < COPIED_MAX {
            let room = prefix.len() + length;
            if self.open.capacity() - self.open.len() < room {
                self.open.reserve(room.max(OPEN_MIN));
            }
            self.open.put_slice(&prefix);
            self.open.put_slice(head);
            self.open.put_slice(body);
            return;
        }
        self.open.extend_from_slice(&prefix);
        self.open.extend_from_slice(head);
        self.whole.push_back(self.open.split().freeze());
        self.whole.push_back(body.clone());
    }
}

/// Bodies from this length on are sent as they are rather than copied beside their heads.
pub(super) const COPIED_MAX: usize = 8 * 1024;
const OPEN_MIN: usize = 4 * 1024;
