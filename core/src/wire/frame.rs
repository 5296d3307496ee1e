//! Everything that two ends of a link can say.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::model::{
    Ack, AdminReply, AdminRequest, Advisory, BrokerId, ConsumerId, Delivery, Demand, Destination, Message, Refusal,
    Role, Service, Subscription, Tag,
};

/// Who a node is and what it can do: the first frame in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The lowest protocol version spoken.
    pub version_min: u16,
    /// The highest protocol version spoken.
    pub version_max: u16,
    /// The broker's identity.
    pub broker: BrokerId,
    /// The broker's name.
    pub name: String,
    /// The group it belongs to.
    pub group: String,
    /// The services it advertises, so that the other end knows which of those it discovered this is.
    pub services: Vec<Service>,
    /// The longest frame it takes, in bytes.
    pub frame_max: u32,
    /// How long it bears silence, in milliseconds.
    pub silence_max_millis: u32,
    /// What it is to the other end.
    pub role: Role,
    /// True if it dialled this link as a network connector: the two are to be bridged whatever their groups.
    pub is_connector: bool,
}

/// Why a link is closed by whom says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Farewell {
    /// Another link between the two brokers is kept.
    Duplicate,
    /// The sender leaves the group.
    Leaving,
    /// Something else, in words.
    Refused(String),
}

/// One thing said on a link.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// A client answers deliveries; the consumer's number is the client's.
    Ack(Ack),
    /// A client wants to be told what happens at the broker from now on, or no more.
    Advise {
        /// Whether it does.
        wanted: bool,
    },
    /// Something that happened at the broker.
    Advised {
        /// How many before it the client was not told, since the link had no room.
        missed: u64,
        /// What happened.
        advisory: Box<Advisory>, // Rare and large: a message's frame stays small.
    },
    /// The answer to `Ask`.
    Answered {
        /// The question's number.
        number: u32,
        /// What came of it.
        result: Result<AdminReply, Refusal>,
    },
    /// A client asks as an administrator; each question is answered once.
    Ask {
        /// The question's number, chosen by the client.
        number: u32,
        /// What it asks.
        asked: AdminRequest,
    },
    /// The sender's consumers want messages; `number` names this demand on the link from now on.
    Demand {
        /// The demand's number, chosen by the sender.
        number: u32,
        /// What is wanted.
        demand: Demand,
        /// How many consumers stand behind it; 1 if it is dormant.
        consumers: NonZeroU32,
        /// True if it takes the place of others, and so holds from the `Undemand` on that ends them.
        instead: bool,
    },
    /// A message that answers a demand, that a client sends on a stream, or that is for a client's consumer.
    Forward {
        /// The number of the demand, chosen by the receiver; of the stream, chosen by the client; or of the consumer.
        demand: u32,
        /// The message's place among those forwarded for this demand or consumer, from 1. On a client's stream, a
        /// number that grows.
        tag: Tag,
        /// How often it was handed out before.
        redeliveries: u32,
        /// The message, its path ending before the sender.
        message: Arc<Message>,
    },
    /// The sender has accepted all messages forwarded for a demand, or sent on a client's stream, up to this one, but
    /// for those it has refused.
    Forwarded {
        /// The number of the demand, chosen by the sender, or of the client's stream.
        demand: u32,
        /// The last message accepted.
        up_to: Tag,
    },
    /// The sender closes the link after this.
    Goodbye(Farewell),
    /// Who the sender is.
    Hello(Box<Hello>), // Rare and large: a message's frame stays small.
    /// A sign of life.
    KeepAlive,
    /// The broker with the lower id keeps this link; both may use it from now on.
    Open {
        /// The count of links kept between these two brokers.
        generation: u64,
    },
    /// The broker with the higher id asks whether this link is kept.
    Propose {
        /// The generation of the last kept link that it knows to have ended; 0 if there was none.
        ended: u64,
    },
    /// The sender has refused one message of a client's stream.
    Refused {
        /// The stream's number.
        stream: u32,
        /// The message's number.
        tag: Tag,
        /// Why.
        refusal: Refusal,
    },
    /// A client wants to consume.
    Subscribe {
        /// The consumer's number, chosen by the client.
        number: u32,
        /// What it takes, and how much at a time.
        subscription: Subscription,
    },
    /// The answer to `Subscribe`.
    Subscribed {
        /// The consumer's number.
        number: u32,
        /// Whether there is such a consumer now.
        result: Result<(), Refusal>,
    },
    /// All demand there is has been told.
    Synced,
    /// The other end's `Synced`, and so all demand before it, has been heard.
    SyncedHeard,
    /// Demands have ended; those that take their place hold.
    Undemand {
        /// The demands' numbers.
        numbers: Vec<u32>,
    },
    /// A client's consumer has ended.
    Unsubscribe {
        /// The consumer's number.
        number: u32,
        /// The last delivery that was looked at; later ones go back as if never handed out.
        seen: Tag,
    },
    /// A client's stream has ended: nothing follows on it.
    Finish {
        /// The stream's number.
        stream: u32,
    },
    /// The sender forwards this destination's messages, or a pattern's, whether or not they are wanted: it is to be told a
    /// demand for them.
    Include {
        /// What it forwards.
        destination: Destination,
    },
    /// A client's consumer that only looks has been shown everything.
    Browsed {
        /// The consumer's number.
        number: u32,
    },
    /// The broker has ended a client's consumer.
    ConsumerEnded {
        /// The consumer's number.
        number: u32,
        /// Why.
        refusal: Refusal,
    },
    /// More consumers or fewer stand behind a demand than was told.
    Weight {
        /// The demand's number.
        number: u32,
        /// How many there are now.
        consumers: NonZeroU32,
    },
}

impl Frame {
    /// What the other end is told when our broker hands out a message for one of its demands or consumers.
    #[inline]
    pub(crate) fn forward(consumer: ConsumerId, delivery: Delivery) -> Self {
        let demand = numbered(consumer);
        let Delivery { tag, redeliveries, message } = delivery;
        Self::Forward { demand, tag, redeliveries, message }
    }

    /// What a client is told when our broker has shown its consumer everything.
    pub(crate) fn browsed(consumer: ConsumerId) -> Self {
        Self::Browsed { number: numbered(consumer) }
    }

    /// What a client is told when our broker has ended its consumer.
    pub(crate) fn ended(consumer: ConsumerId, refusal: Refusal) -> Self {
        Self::ConsumerEnded { number: numbered(consumer), refusal }
    }

    /// The frame's name, for logs and errors.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ack(_) => "Ack",
            Self::Answered { .. } => "Answered",
            Self::Advise { .. } => "Advise",
            Self::Advised { .. } => "Advised",
            Self::Ask { .. } => "Ask",
            Self::Demand { .. } => "Demand",
            Self::Forward { .. } => "Forward",
            Self::Forwarded { .. } => "Forwarded",
            Self::Goodbye(_) => "Goodbye",
            Self::Hello(_) => "Hello",
            Self::Include { .. } => "Include",
            Self::KeepAlive => "KeepAlive",
            Self::Open { .. } => "Open",
            Self::Propose { .. } => "Propose",
            Self::Refused { .. } => "Refused",
            Self::Subscribe { .. } => "Subscribe",
            Self::Subscribed { .. } => "Subscribed",
            Self::Synced => "Synced",
            Self::SyncedHeard => "SyncedHeard",
            Self::Undemand { .. } => "Undemand",
            Self::Unsubscribe { .. } => "Unsubscribe",
            Self::Finish { .. } => "Finish",
            Self::Browsed { .. } => "Browsed",
            Self::ConsumerEnded { .. } => "ConsumerEnded",
            Self::Weight { .. } => "Weight",
        }
    }
}

fn numbered(consumer: ConsumerId) -> u32 {
    u32::try_from(consumer.0).expect("what is at a link's other end is named by 32 bits")
}
