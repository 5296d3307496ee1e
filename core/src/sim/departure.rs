//! What leaves a host for another, for whoever wants to see it on its way.

use bytes::Bytes;

use super::host::HostId;
use crate::Instant;

/// Something that has left a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// When it left.
    pub left_at: Instant,
    /// When it arrives, if nothing holds it up on the way; none if it is lost by chance. What is on a stream that is cut by
    /// then waits for the cut to heal; a datagram is lost.
    pub arrives_at: Option<Instant>,
    /// The host it left.
    pub from: HostId,
    /// The host it is for.
    pub to: HostId,
    /// What it is.
    pub cargo: Cargo,
}

/// What travels from one host to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cargo {
    /// What is said to a group.
    Datagram(Bytes),
    /// The next bytes of a stream.
    Stream {
        /// Names one direction of one stream; never used again.
        direction: u64,
        /// The bytes.
        data: Bytes,
    },
}
