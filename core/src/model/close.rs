//! Why a link ended.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::id::BrokerId;
use super::role::Role;
use super::service::Address;

/// Why a link was closed, or never came to be. The first four are the driver's to say, the others ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CloseReason {
    /// The address could not be reached; the driver's words for why.
    ConnectFailed(String),
    /// The other end closed the stream in the middle of things.
    Ended,
    /// Reading or writing failed; the driver's words for why.
    Failed(String),
    /// Closed because we asked for it.
    Requested,

    /// More waited for the network than the backlog may hold.
    Backlog {
        /// The limit in bytes.
        max: u64,
    },
    /// A network connector led here, and this broker accepts none.
    ConnectorRefused,
    /// Another link to the same peer was kept.
    Duplicate,
    /// A frame longer than the limit was announced.
    FrameTooLong {
        /// Its length in bytes.
        length: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// The peer belongs to another group.
    GroupMismatch {
        /// Its group.
        found: String,
    },
    /// The handshake was not done in time.
    HandshakeTimeout,
    /// The other end says that it is a broker which is another.
    IdentityTaken {
        /// Who it says it is.
        claimed: BrokerId,
    },
    /// The link led to this very node.
    Itself,
    /// The peer took its leave.
    Leaving,
    /// The peer sent what is no frame, or no frame for that moment; what was wrong.
    Malformed(String),
    /// Others were found at all addresses where the other end says it can be reached.
    NotItsAddress {
        /// The last of them.
        address: Address,
    },
    /// One end bridges to nobody, so that the two can't be peers.
    NotAPeer {
        /// What the other end is.
        found: Role,
    },
    /// The other end speaks OpenWire, which this version does not.
    OpenWire,
    /// The peer said that it closes the link, and why, in its words.
    Refused(String),
    /// The peer opened a newer link in this one's place.
    Replaced,
    /// Nothing was heard for longer than the keep-alive limit.
    Silent,
    /// This node is stopping.
    Stopping,
    /// The peer's service is no longer wanted.
    Unwanted,
    /// The peer has not told what it wants, or not heard what we do, in time.
    SyncTimeout,
    /// No common protocol version.
    VersionMismatch {
        /// The lowest version the peer speaks.
        min: u16,
        /// The highest version the peer speaks.
        max: u16,
    },
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectFailed(why) => write!(f, "could not connect: {why}"),
            Self::Ended => f.write_str("the other end closed the connection"),
            Self::Failed(why) => write!(f, "the connection failed: {why}"),
            Self::Requested => f.write_str("closed as asked"),
            Self::Backlog { max } => write!(f, "more than {max} bytes waited for the network"),
            Self::ConnectorRefused => f.write_str("this broker accepts no network connectors"),
            Self::Duplicate => f.write_str("another link to the same peer was kept"),
            Self::FrameTooLong { length, max } => {
                write!(f, "a frame of {length} bytes was announced; the limit is {max}")
            }
            Self::GroupMismatch { found } => write!(f, "the peer belongs to group '{found}'"),
            Self::HandshakeTimeout => f.write_str("the handshake was not done in time"),
            Self::IdentityTaken { claimed } => write!(f, "it says that it is broker {claimed}, which is another"),
            Self::Itself => f.write_str("the link led back to this broker"),
            Self::Leaving => f.write_str("it took its leave"),
            Self::Malformed(what) => write!(f, "the peer sent no valid frame: {what}"),
            Self::NotAPeer { found } => write!(f, "the other end, a {found}, is no peer to bridge to"),
            Self::NotItsAddress { address } => write!(f, "another broker is at {address}, where it says it is"),
            Self::OpenWire => f.write_str("the other end speaks OpenWire, which this version does not"),
            Self::Refused(why) => write!(f, "the peer closed the link: {why}"),
            Self::Replaced => f.write_str("the peer opened a newer link"),
            Self::Silent => f.write_str("nothing was heard for longer than the keep-alive limit"),
            Self::Stopping => f.write_str("this broker is stopping"),
            Self::SyncTimeout => f.write_str("what is wanted was not told and heard in time"),
            Self::Unwanted => f.write_str("the peer's service has gone"),
            Self::VersionMismatch { min, max } => write!(f, "the peer speaks protocol versions {min} to {max} only"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::string::ToString;

    #[test]
    fn every_reason_reads_apart_from_the_others_and_names_its_values() {
        let words = || "some words".to_string();
        let reasons = [
            (CloseReason::ConnectFailed(words()), "some words"),
            (CloseReason::Ended, "closed the connection"),
            (CloseReason::Failed(words()), "some words"),
            (CloseReason::Requested, "as asked"),
            (CloseReason::Backlog { max: 4711 }, "more than 4711 bytes"),
            (CloseReason::ConnectorRefused, "no network connectors"),
            (CloseReason::Duplicate, "another link"),
            (CloseReason::FrameTooLong { length: 4712, max: 4711 }, "4712 bytes was announced; the limit is 4711"),
            (CloseReason::GroupMismatch { found: words() }, "'some words'"),
            (CloseReason::HandshakeTimeout, "in time"),
            (CloseReason::IdentityTaken { claimed: BrokerId(0xabc) }, "abc, which is another"),
            (CloseReason::Itself, "this broker"),
            (CloseReason::Leaving, "leave"),
            (CloseReason::Malformed(words()), "some words"),
            (CloseReason::NotAPeer { found: Role::Client }, "a client,"),
            (CloseReason::NotItsAddress { address: "tcp://h:7".parse().expect("an address") }, "at tcp://h:7,"),
            (CloseReason::OpenWire, "OpenWire"),
            (CloseReason::Refused(words()), "some words"),
            (CloseReason::Replaced, "newer link"),
            (CloseReason::Silent, "nothing was heard"),
            (CloseReason::Stopping, "stopping"),
            (CloseReason::SyncTimeout, "told and heard"),
            (CloseReason::Unwanted, "has gone"),
            (CloseReason::VersionMismatch { min: 47, max: 48 }, "versions 47 to 48"),
        ];
        for (reason, part) in &reasons {
            assert!(reason.to_string().contains(part), "{reason}");
        }
        let texts: BTreeSet<_> = reasons.iter().map(|(reason, _)| reason.to_string()).collect();
        assert_eq!(texts.len(), reasons.len());
    }
}
