//! The contract between a [`Node`](super::Node) and its driver: every output names the input that answers it.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::command::Command;
use super::event::Event;
use crate::base::Timestamp;
use crate::model::{Address, CloseReason, GroupId, LinkId, ListenerId};

/// What a driver, or the application through it, tells a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// Bytes arrived on a link, in any chunking.
    Bytes {
        /// The link.
        link: LinkId,
        /// The bytes, in order.
        data: Bytes,
    },
    /// A link is no more; said exactly once for every link that was asked for, asked to close or not.
    Closed {
        /// The link.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// The application says something.
    Command(Command),
    /// A link that was asked for by [`Output::Connect`] or [`Output::Accept`] is up.
    Connected {
        /// The link.
        link: LinkId,
        /// The address at its other end.
        remote: SocketAddr,
    },
    /// A datagram was heard.
    Datagram {
        /// The group it was heard in.
        group: GroupId,
        /// Who sent it.
        from: SocketAddr,
        /// What it holds.
        data: Bytes,
    },
    /// A group could not be joined, or can no longer be heard; the driver goes on trying.
    JoinFailed {
        /// The group.
        group: GroupId,
        /// The driver's words for why.
        reason: String,
    },
    /// A listener is up. Said again whenever the addresses change, as when an interface comes or goes.
    Listening {
        /// The listener.
        listener: ListenerId,
        /// Every address under which others may reach it, loopback last.
        addresses: Vec<SocketAddr>,
    },
    /// A listener could not be opened; it is no more.
    ListenFailed {
        /// The listener.
        listener: ListenerId,
        /// The driver's words for why.
        reason: String,
    },
    /// Bytes given by [`Output::Send`] have left for the network, so as many more may be sent.
    Sent {
        /// The link.
        link: LinkId,
        /// How many bytes, since the last word.
        bytes: u64,
    },
    /// The moment named by `poll_timeout` has come. Early, late or doubled ones do no harm.
    Timeout,
    /// The wall clock reads this now; said at the start and whenever it was seen to jump.
    WallClock(Timestamp),
}

/// What a node asks of its driver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Output {
    /// A slot: take one connection from `listener` and call it `link`; answered by [`Input::Connected`] when
    /// somebody connects. A driver accepts only while it holds slots. A slot is given up by [`Output::Close`].
    Accept {
        /// The listener.
        listener: ListenerId,
        /// The name of the link to come.
        link: LinkId,
    },
    /// Send a datagram to a group; nothing answers.
    Announce {
        /// The group.
        group: GroupId,
        /// The local address of the interface to send it on; every joined interface if none is named.
        via: Option<IpAddr>,
        /// The datagram.
        data: Bytes,
    },
    /// End a link, after what was sent on it; answered by [`Input::Closed`].
    Close {
        /// The link.
        link: LinkId,
    },
    /// Dial; answered by [`Input::Connected`] or [`Input::Closed`].
    Connect {
        /// The name of the link to come.
        link: LinkId,
        /// Where to; names are the driver's to resolve.
        address: Address,
    },
    /// Tell the application.
    Event(Event),
    /// Hear and speak to a multicast group; answered by datagrams, or by [`Input::JoinFailed`].
    Join {
        /// The name of the group.
        group: GroupId,
        /// Where it is and how to reach it.
        socket: MulticastSocket,
    },
    /// Stop hearing a group; nothing answers.
    Leave {
        /// The group.
        group: GroupId,
    },
    /// Take connections; answered by [`Input::Listening`] or [`Input::ListenFailed`].
    Listen {
        /// The name of the listener.
        listener: ListenerId,
        /// Where; port 0 lets the system choose.
        address: Address,
    },
    /// Send bytes on a link; answered by [`Input::Sent`] as they leave. Consecutive ones go out in one write.
    Send {
        /// The link.
        link: LinkId,
        /// The bytes.
        data: Bytes,
    },
    /// Stop taking connections. Open slots have been closed before, each to be answered; links stay. Nothing answers
    /// this.
    Unlisten {
        /// The listener.
        listener: ListenerId,
    },
}

/// A multicast address and how datagrams travel to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MulticastSocket {
    /// The group address.
    pub address: IpAddr,
    /// The UDP port, for sending and receiving.
    pub port: u16,
    /// How many routers a datagram may cross, plus one.
    pub ttl: u32,
    /// The one interface to use, by name or address; every usable one if none is named.
    pub interface: Option<String>,
    /// True if other sockets of the same host hear what is sent.
    pub loopback: bool,
}
