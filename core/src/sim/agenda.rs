//! What is going to happen, earliest first; of things at the same instant, the one that was settled first.

use alloc::boxed::Box;
use alloc::collections::BinaryHeap;
use core::cmp::Ordering;
use core::net::SocketAddrV4;

use bytes::Bytes;

use super::host::{HostId, Process};
use super::stream::{Side, StreamId};
use crate::{CloseReason, GroupId, Input, Instant, LinkId};

/// Something that is going to happen.
#[derive(Debug)]
pub(super) enum Happening {
    /// The oldest segment on a stream's pipe reaches its reader.
    Arrival { stream: StreamId, writer: Side },
    /// A process hears that its link is no more, for a reason that did not come through the link itself.
    Closing { process: Process, link: LinkId, ending: Ending },
    /// A datagram reaches a member of a group.
    Datagram { process: Process, sender: HostId, group: GroupId, from: SocketAddrV4, data: Bytes },
    /// A request to connect reaches the host that was dialled.
    Dial { process: Process, link: LinkId, attempt: u32 },
    /// The disk has come to the oldest of the requests that a process made.
    Disk { process: Process },
    /// A process hears something rare.
    Input { process: Process, input: Box<Input> },
    /// A closing end has waited long enough for what was sent on it to leave.
    Linger { stream: StreamId, side: Side },
    /// A process hears that bytes have left for the network.
    Sent { process: Process, link: LinkId, bytes: u64 },
    /// The moment a process wanted to be woken at, unless it has changed its mind.
    Wake { process: Process },
    /// A process hears that its machine's wall clock was set.
    WallClock { process: Process },
}

impl Happening {
    /// The process it is about; none if a stream tells.
    pub(super) fn process(&self) -> Option<Process> {
        match self {
            Self::Arrival { .. } | Self::Linger { .. } => None,
            Self::Closing { process, .. }
            | Self::Datagram { process, .. }
            | Self::Dial { process, .. }
            | Self::Disk { process }
            | Self::Input { process, .. }
            | Self::Sent { process, .. }
            | Self::Wake { process }
            | Self::WallClock { process } => Some(*process),
        }
    }
}

/// Why a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    NoSuchHost,
    Refused,
    Requested,
    Reset,
    TimedOut,
}

impl From<Ending> for CloseReason {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::NoSuchHost => Self::ConnectFailed("no such host".into()),
            Ending::Refused => Self::ConnectFailed("connection refused".into()),
            Ending::Requested => Self::Requested,
            Ending::Reset => Self::Failed("connection reset by peer".into()),
            Ending::TimedOut => Self::ConnectFailed("timed out".into()),
        }
    }
}

/// All that is going to happen.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    heap: BinaryHeap<Entry>,
    born: u64,
}

impl Agenda {
    pub(super) fn push(&mut self, at: Instant, happening: Happening) {
        self.born += 1;
        self.heap.push(Entry { at, born: self.born, happening });
    }

    /// When something happens next.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// Takes what happens next, unless that is later than `limit`.
    pub(super) fn pop(&mut self, limit: Instant) -> Option<(Instant, Happening)> {
        if self.heap.peek()?.at > limit {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.happening))
    }
}

#[derive(Debug)]
struct Entry {
    at: Instant,
    born: u64,
    happening: Happening,
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.born).cmp(&(self.at, self.born)) // The heap gives the greatest first.
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_earliest_comes_first_and_of_equals_the_oldest() {
        let mut agenda = Agenda::default();
        for (at, host) in [(5, 0), (3, 1), (5, 2), (3, 3), (4, 4)] {
            let process = Process { host: HostId(host), incarnation: 0 };
            agenda.push(Instant::from_nanos(at), Happening::Wake { process });
        }
        let mut order = Vec::new();
        while let Some((_, happening)) = agenda.pop(Instant::from_nanos(5)) {
            order.push(happening.process().expect("a wake has a process").host.0);
        }
        assert_eq!(order, [1, 3, 4, 0, 2]);
    }

    #[test]
    fn what_lies_behind_the_limit_stays() {
        let mut agenda = Agenda::default();
        let process = Process { host: HostId(0), incarnation: 0 };
        agenda.push(Instant::from_nanos(5), Happening::Wake { process });
        assert!(agenda.pop(Instant::from_nanos(4)).is_none());
        assert!(agenda.pop(Instant::from_nanos(5)).is_some());
        assert!(agenda.pop(Instant::from_nanos(9)).is_none());
    }
}
