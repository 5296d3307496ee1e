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
        let whole = prefix.len() + length;
        self.length += whole as u64;
        if body.len() < COPIED_MAX {
            self.make_room(whole);
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

    /// Takes memory for small frames by the page rather than by the frame.
    #[inline]
    fn make_room(&mut self, length: usize) {
        if self.open.capacity() - self.open.len() < length {
            self.open.reserve(length.max(OPEN_MIN));
        }
    }
}

/// Bodies from this length on are sent as they are rather than copied beside their heads.
pub(super) const COPIED_MAX: usize = 8 * 1024;
const OPEN_MIN: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn small_frames_share_their_memory() {
        let mut buffer = FrameBuffer::default();
        buffer.push(b"head", &Bytes::from_static(b"body"));
        let room = buffer.open.capacity();
        assert!(room >= 4096);
        for _ in 0..300 {
            buffer.push(b"head", &Bytes::from_static(b"body"));
        }
        assert_eq!(buffer.open.capacity(), room);
    }

    #[test]
    fn bodies_and_shared_bytes_of_8192_bytes_are_not_copied() {
        for (length, pieces) in [(1, 1), (8191, 1), (8192, 2), (8193, 2)] {
            let long = Bytes::from(vec![7; length]);
            let [mut frame, mut shared] = [FrameBuffer::default(), FrameBuffer::default()];
            frame.push(b"head", &long);
            shared.push_bytes(b"head");
            shared.push_shared(&long);
            for (mut buffer, whole) in [(frame, 4 + 4 + length), (shared, 4 + length)] {
                assert_eq!((buffer.len(), buffer.is_empty()), (whole as u64, false));
                let sent: Vec<Bytes> = core::iter::from_fn(|| buffer.pop()).collect();
                assert_eq!((sent.len(), sent.concat().len()), (pieces, whole));
                assert_eq!(sent.last().map(|last| last.as_ptr() == long.as_ptr()), Some(pieces == 2));
                assert_eq!((buffer.len(), buffer.is_empty()), (0, true));
            }
        }
    }

    #[test]
    fn shared_bytes_need_nothing_before_them() {
        let mut buffer = FrameBuffer::default();
        let long = Bytes::from(vec![7; COPIED_MAX]);
        buffer.push_shared(&long);
        buffer.push_shared(&long);
        assert_eq!([buffer.pop(), buffer.pop(), buffer.pop()], [Some(long.clone()), Some(long), None]);
    }
}
