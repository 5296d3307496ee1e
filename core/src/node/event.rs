//! What the application is told.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::model::{Ack, Address, BrokerId, CloseReason, ConsumerId, Delivery, LinkId, Refusal, RequestId, Service};

/// Something the application may want to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The broker has accepted a producer's messages up to and including this one.
    Accepted {
        /// The producer's number.
        producer: u64,
        /// The number of the last message accepted.
        up_to: u64,
    },
    /// An acknowledgement changed nothing.
    AckRefused {
        /// The acknowledgement.
        ack: Ack,
        /// Why.
        refusal: Refusal,
    },
    /// Messages for a consumer, in order.
    Delivered {
        /// The consumer.
        consumer: ConsumerId,
        /// The messages.
        deliveries: Vec<Delivery>,
    },
    /// A group can't be heard for now; the driver goes on trying.
    DiscoveryFailed {
        /// The driver's words for why.
        reason: String,
    },
    /// An address could not be connected to, or what answered there was no peer for us. Said at the first
    /// failure in a row, not at each.
    LinkRefused {
        /// The address dialled; none if the other end dialled us.
        address: Option<Address>,
        /// Why.
        reason: CloseReason,
    },
    /// Peers may connect here.
    Listening {
        /// Every address under which others may reach this broker.
        addresses: Vec<SocketAddr>,
    },
    /// The listener could not be opened: peers that dial us will fail, dialling them still works.
    ListenFailed {
        /// The driver's words for why.
        reason: String,
    },
    /// Another broker of the group has the same name. Both work: names are labels, ids are identities.
    NameClash {
        /// The name.
        name: String,
        /// The other broker.
        broker: BrokerId,
    },
    /// The link to a peer is gone.
    PeerLost {
        /// The peer.
        broker: BrokerId,
        /// Its name.
        name: String,
        /// Why.
        reason: CloseReason,
    },
    /// Demand has been exchanged with a peer both ways: what is sent from now on reaches its consumers.
    PeerReady {
        /// The peer.
        broker: BrokerId,
        /// Its name.
        name: String,
    },
    /// A link to a peer is up.
    PeerUp {
        /// The peer.
        broker: BrokerId,
        /// Its name.
        name: String,
        /// The link.
        link: LinkId,
        /// The address at its other end.
        remote: SocketAddr,
    },
    /// One message was refused; nothing was done with it.
    Refused {
        /// The producer's number.
        producer: u64,
        /// The number of the message; 0 if there is no such producer, so that nothing numbers its messages.
        sequence: u64,
        /// Why.
        refusal: Refusal,
    },
    /// The answer to a command.
    Replied {
        /// The command's request.
        request: RequestId,
        /// Whether it was done.
        result: Result<(), Refusal>,
    },
    /// A service was discovered.
    ServiceFound {
        /// The service.
        service: Service,
    },
    /// A discovered service took its leave or fell silent.
    ServiceLost {
        /// The service.
        service: Service,
    },
    /// Everything has ended; nothing follows but refusals of what is asked after it.
    Stopped,
}
