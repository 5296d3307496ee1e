//! How much waits in a broker, whatever for.

/// The bytes of all messages that wait: in queues, for topics' subscribers, and for durable subscriptions. Whoever keeps a
/// message or lets go of one tells it, so that to ask costs nothing.
#[derive(Debug)]
pub(super) struct Memory {
    bytes: u64,
    max: u64,
}

impl Memory {
    /// Nothing waits, and so many bytes may.
    pub(super) fn new(max: u64) -> Self {
        Self { bytes: 0, max }
    }

    /// A message waits from now on.
    #[inline]
    pub(super) fn take(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Messages wait no more.
    #[inline]
    pub(super) fn free(&mut self, bytes: u64) {
        self.bytes -= bytes;
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn max(&self) -> u64 {
        self.max
    }

    /// True if more waits than may.
    pub(super) fn is_beyond(&self) -> bool {
        self.bytes > self.max
    }

    /// True if as much waits as may.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= self.max
    }
}
