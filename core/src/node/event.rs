//! What the application is told.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::model::{
    Ack, Address, AdminReply, Advisory, Answer, BrokerId, CloseReason, ConsumerId, Delivery, LinkId, Refusal,
    RequestId, Service,
};

/// Something the application may want to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A producer's messages have been accepted up to and including this one, but for those that were refused.
    Accepted {
        /// The producer's number.
        producer: u64,
        /// The number of the last message accepted.
        up_to: u64,
        /// The brokers that accepted all messages since the last word: as many as were needed, or more. Empty where
        /// the embedded broker did.
        by: Vec<BrokerId>,
    },
    /// An acknowledgement changed nothing.
    AckRefused {
        /// The acknowledgement.
        ack: Ack,
        /// Why.
        refusal: Refusal,
    },
    /// Something that happened in the embedded broker, or in a target, told while any connection wants to know
    /// (`Command::Advise`).
    Advised {
        /// The broker.
        broker: BrokerId,
        /// How many before it a target did not tell, since the link to it had no room.
        missed: u64,
        /// What.
        advisory: Advisory,
    },
    /// The answer to a question.
    Answered {
        /// The command's request.
        request: RequestId,
        /// What each broker said that was asked: those that are lost, or took too long, answer so.
        result: Result<Vec<Answer<AdminReply>>, Refusal>,
    },
    /// A consumer that only looks has been shown all that waited, at each broker that it asked.
    Browsed {
        /// The consumer.
        consumer: ConsumerId,
    },
    /// The link to a client is gone.
    ClientLost {
        /// The client.
        client: BrokerId,
        /// Its name.
        name: String,
        /// Why.
        reason: CloseReason,
    },
    /// A client is served.
    ClientUp {
        /// The client.
        client: BrokerId,
        /// Its name.
        name: String,
        /// The address at the link's other end.
        remote: SocketAddr,
    },
    /// The broker has ended a consumer; what it had not acknowledged is dealt with as when the application closes it.
    ConsumerEnded {
        /// The consumer.
        consumer: ConsumerId,
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
    /// failure in a row, not at each, and not after a link that was lost.
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
    /// One message was refused: nothing was done with it, but by brokers that `answers` says otherwise of.
    Refused {
        /// The producer's number.
        producer: u64,
        /// The number of the message; 0 if there is no such producer, so that nothing numbers its messages.
        sequence: u64,
        /// Why.
        refusal: Refusal,
        /// What brokers had said of it by then; empty where the embedded broker refused it.
        answers: Vec<Answer>,
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
    /// One of several brokers refused a consumer that others serve.
    SubscriptionRefused {
        /// The consumer.
        consumer: ConsumerId,
        /// The broker's answer.
        answer: Answer,
    },
    /// A broker to send to has become known, by discovery or because it was named.
    TargetFound {
        /// Where it is.
        address: Address,
    },
    /// A target is not dialled any more: as many attempts in a row failed as may. Others are not affected.
    TargetGivenUp {
        /// Where it is.
        address: Address,
        /// How many attempts were made.
        attempts: u32,
        /// Why the last one failed.
        reason: CloseReason,
    },
    /// The link to a target is gone; it is dialled again.
    TargetLost {
        /// The target.
        broker: BrokerId,
        /// Its name.
        name: String,
        /// The address it was dialled at.
        address: Address,
        /// Why.
        reason: CloseReason,
    },
    /// How many targets are up, said whenever that changes. While there are fewer than needed, sends wait.
    Targets {
        /// How many are up.
        up: u32,
        /// How many are needed (`minAckCount`).
        needed: u32,
    },
    /// A target is up.
    TargetUp {
        /// The target.
        broker: BrokerId,
        /// Its name.
        name: String,
        /// The address it was dialled at.
        address: Address,
    },
}
