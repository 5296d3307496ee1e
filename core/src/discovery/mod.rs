//! Rank 3: who is there, whatever the source. Whether a service can be reached is the dialler's to know.

mod multicast;

pub use multicast::MulticastStats;
pub(crate) use multicast::{Multicast, Settings};

use core::net::IpAddr;

use bytes::Bytes;

use crate::model::{Address, Service};

/// What discovery says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Send a datagram to the group.
    Announce {
        /// The local address of the interface to send it on; all if none is named.
        via: Option<IpAddr>,
        /// The datagram.
        data: Bytes,
    },
    /// A service was heard of for the first time, or again after it was lost.
    Found {
        /// The service as it was advertised.
        service: Service,
        /// Where it can be dialled.
        address: Address,
        /// True if it came after our last advert, so that it knows nothing of us yet.
        is_newcomer: bool,
    },
    /// A service took its leave or fell silent.
    Lost {
        /// The service as it was advertised.
        service: Service,
        /// Where it could be dialled.
        address: Address,
        /// True if it took its leave.
        left: bool,
    },
}
