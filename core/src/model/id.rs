//! Ids: newtypes that can't be taken for one another.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::Key;

macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u64);

        impl Key for $name {
            fn from_number(number: u64) -> Self {
                Self(number)
            }
            fn number(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

numbered! {
    /// Whoever is attached to a broker: an application or a bridge. Named by the application for its own.
    ConnectionId;
    /// A consumer of one connection; unique within a node.
    ConsumerId;
    /// A discovery group a node has joined; named by the core.
    GroupId;
    /// A byte pipe to another node; named by the core.
    LinkId;
    /// A place where a node takes links; named by the core.
    ListenerId;
    /// What the application calls one of its requests, to know the answer by.
    RequestId;
}

/// A broker's identity: random, new at every start, never stored. Names are labels; this is who it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(Rust, packed(8))] // Aligned to 16 bytes, it would make the id of a message half as large again.
pub struct BrokerId(pub u128);

impl fmt::Debug for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BrokerId({self})")
    }
}

impl fmt::Display for BrokerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", { self.0 })
    }
}

impl FromStr for BrokerId {
    type Err = core::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

/// A producer: the broker it sends through first, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProducerId {
    /// The broker the producer is attached to.
    pub broker: BrokerId,
    /// The producer's number at that broker, unique while the broker lives.
    pub number: u64,
}

impl fmt::Display for ProducerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.broker, self.number)
    }
}

/// A message's identity, the same on every broker it crosses (JMS `JMSMessageID`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageId {
    /// Who sent it.
    pub producer: ProducerId,
    /// Its place among what that producer sent, from 1.
    pub sequence: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ID:{}:{}", self.producer, self.sequence)
    }
}

/// The place of a delivery among those of one consumer, from 1; what an acknowledgement names.
pub type Tag = u64;

/// Whoever is attached to a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Origin {
    /// An application's connection.
    Application(ConnectionId),
    /// The bridge over a link.
    Bridge(LinkId),
    /// The client at the other end of a link.
    Remote(LinkId),
}

/// What a sender calls a message, to know its acceptance by: the messages of one stream are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket {
    /// The stream: a producer of an application, a demand of a bridge, a stream of a client.
    pub stream: u64,
    /// The message's number.
    pub number: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_brokers_id_is_written_in_32_hexadecimal_digits() {
        let broker = BrokerId(0xfeed);
        assert_eq!(broker.to_string(), "0000000000000000000000000000feed");
        assert_eq!(alloc::format!("{broker:?}"), "BrokerId(0000000000000000000000000000feed)");
        assert_eq!(broker.to_string().parse(), Ok(broker));
        assert!("flock".parse::<BrokerId>().is_err());
    }

    #[test]
    fn a_messages_id_names_its_broker_its_producer_and_its_place() {
        let producer = ProducerId { broker: BrokerId(0xfeed), number: 3 };
        assert_eq!(MessageId { producer, sequence: 9 }.to_string(), "ID:0000000000000000000000000000feed:3:9");
        assert_eq!(LinkId(12).to_string(), "12");
    }
}
