//! The application on one host: its connection, producers and consumers, and everything it was told. It outlives the
//! host's process, as the test's own memory of it.

use std::collections::{BTreeMap, BTreeSet};

use flockmq_core::{
    Ack, AckExtent, AckKind, AdminReply, Answer, Body, Config, ConnectionId, ConsumerId, Delivery, Destination,
    Destinations, Durable, Event, Instant, MessageId, ProducerId, Refusal, RequestId, Role, Subscription, Tag,
    Temporary,
};

/// How a consumer answers what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acking {
    /// All at once, as it comes.
    Automatic,
    /// Each by itself, the last of those that come together first.
    Backwards,
    /// When the test says so; never, if it does not.
    Manual,
    /// All at once, as it comes; and where a reply is wanted, one is sent.
    Replying,
    /// All are rejected.
    Rejecting,
    /// What comes for the first time is given back; what comes again is acknowledged.
    Reluctant,
    /// What comes for the first time, and the three times after that, is given back.
    Returning,
}

impl Acking {
    /// How a consumer answers what comes together.
    pub(crate) fn reactions(self, consumer: ConsumerId, deliveries: &[Delivery]) -> Vec<Ack> {
        let one = |delivery: &Delivery| Ack {
            consumer,
            tag: delivery.tag,
            extent: AckExtent::Individual,
            kind: AckKind::Accepted,
        };
        match self {
            Self::Automatic | Self::Replying => {
                deliveries.last().map(|last| Ack { extent: AckExtent::UpTo, ..one(last) }).into_iter().collect()
            }
            Self::Backwards => deliveries.iter().rev().map(one).collect(),
            Self::Manual => Vec::new(),
            Self::Rejecting => {
                deliveries.iter().map(|delivery| Ack { kind: AckKind::Rejected, ..one(delivery) }).collect()
            }
            Self::Reluctant | Self::Returning => {
                let times = if self == Self::Reluctant { 1 } else { 4 };
                let kind = |delivery: &Delivery| match delivery.redeliveries {
                    redeliveries if redeliveries < times => AckKind::Released,
                    _ => AckKind::Accepted,
                };
                deliveries.iter().map(|delivery| Ack { kind: kind(delivery), ..one(delivery) }).collect()
            }
        }
    }
}

/// A message that a consumer was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// When.
    pub at: Instant,
    /// What it says.
    pub body: String,
    /// Its identity.
    pub id: MessageId,
    /// How often it was handed out before.
    pub redeliveries: u32,
    /// Its place among the consumer's deliveries.
    pub tag: Tag,
}

#[derive(Debug)]
pub(crate) struct Application {
    pub(crate) config: Config,
    pub(crate) is_up: bool,
    pub(crate) is_paused: bool,
    /// Until when its node may hand over what it has, once it was told to; then it stops.
    pub(crate) drains_until: Option<Instant>,
    /// True once its node was told to stop.
    pub(crate) is_stopped: bool,
    pub(crate) producers: BTreeMap<Destinations, Producer>,
    pub(crate) notices: Vec<(Instant, Event)>,
    /// An answer that is about to be refused: it is another connection's to give.
    pub(crate) intrusion: Option<Ack>,
    /// Consumers that a client was refused.
    pub(crate) denied: Vec<(Instant, ConsumerId, Refusal)>,
    pub(crate) transactions: BTreeMap<u64, Transaction>,
    /// How many messages transactions have sent.
    pub(crate) committed: u64,
    /// How many temporary queues the present process has had, once the connection is there that they belong to.
    pub(crate) temporaries: Option<u64>,
    /// The last of them, there or not.
    pub(crate) reply_queue: Option<Temporary>,
    /// What the last question to brokers came to.
    pub(crate) answers: Vec<Answer<AdminReply>>,
    requests: u64,
    produced: u64,
    pub(crate) asked: BTreeMap<RequestId, Asked>,
}

/// What a node was asked for and has not answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Asked {
    Advise,
    Attach,
    Begin(u64),
    CloseConsumer,
    CloseProducer(Destinations),
    Commit(u64),
    Detach(Vec<Destinations>),
    Drain,
    Produce,
    Question,
    Rollback(u64),
    Subscribe(ConsumerId),
    /// A durable subscription that somebody else has.
    SubscribeTwice(Durable),
    TransactedAck(u64, ConsumerId, Tag),
    TransactedSend(u64, Destination, Box<Body>),
}

/// What a transaction holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Transaction {
    pub(crate) sends: Vec<(Destination, Body)>,
    pub(crate) acknowledged: Vec<(ConsumerId, Tag)>,
}

/// A consumer, open or not.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) connection: ConnectionId,
    pub(crate) subscription: Subscription,
    pub(crate) acking: Acking,
    pub(crate) is_open: bool,
    /// True once its node has said that there is such a consumer.
    pub(crate) is_confirmed: bool,
    /// True if it has been refused, which its application is about to hear.
    pub(crate) is_ending: bool,
    pub(crate) received: Vec<Received>,
}

/// A producer of the present process.
#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) id: ProducerId,
    pub(crate) sent: u64,
    /// The last message that was accepted.
    pub(crate) accepted: u64,
    pub(crate) refused: BTreeSet<u64>,
}

impl Producer {
    /// How many messages were accepted.
    pub(crate) fn count_accepted(&self) -> u64 {
        self.accepted - self.refused.range(..self.accepted).count() as u64
    }

    /// How many messages were neither accepted nor refused.
    pub(crate) fn count_unanswered(&self) -> u64 {
        self.sent - self.count_accepted() - self.refused.len() as u64
    }
}

impl Application {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            is_up: true,
            is_paused: false,
            drains_until: None,
            is_stopped: false,
            producers: BTreeMap::new(),
            notices: Vec::new(),
            intrusion: None,
            denied: Vec::new(),
            transactions: BTreeMap::new(),
            committed: 0,
            temporaries: None,
            reply_queue: None,
            answers: Vec::new(),
            requests: 0,
            produced: 0,
            asked: BTreeMap::new(),
        }
    }

    /// A new name for a request; `what` is asked.
    pub(crate) fn ask(&mut self, what: Asked) -> RequestId {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.asked.insert(request, what);
        request
    }

    /// A number that no producer of this process had.
    pub(crate) fn number(&mut self) -> u64 {
        self.produced += 1;
        self.produced
    }

    /// True if it fans out to brokers and has none of its own.
    pub(crate) fn is_client(&self) -> bool {
        self.config.role == Role::Client
    }

    /// Whether the process is there and runs, and its node takes commands.
    pub(crate) fn is_running(&self) -> bool {
        self.is_up && !self.is_paused && !self.is_stopped && self.drains_until.is_none()
    }

    /// The process is gone.
    pub(crate) fn crash(&mut self) {
        self.is_up = false;
        self.is_paused = false;
        self.is_stopped = false;
        self.drains_until = None;
        self.producers.clear();
        self.produced = 0;
        self.asked.clear();
        self.transactions.clear();
        self.committed = 0;
        self.temporaries = None;
    }
}
