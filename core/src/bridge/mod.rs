//! Rank 3: one remote broker. Knows what it wants of us and we of it; is told its frames, our demand and our broker's
//! answers; answers with requests to our broker (inward) and frames to the other (outward).

mod forward;
mod interest;
#[cfg(test)]
mod tests;
mod ways;

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use forward::Arrivals;
use interest::{Change, Interest};

use crate::base::{Instant, Outbox, Situation};
use crate::model::{
    Ack, AckExtent, AckKind, BrokerId, CloseReason, ConsumerId, Delivery, Demand, Destination, DestinationKind,
    Message, Path, Permits, Tag, Ticket,
};
use crate::wire::Frame;

/// How messages and demand travel between brokers (ActiveMQ's network connector options).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BridgeConfig {
    /// How many brokers a message may cross after its first (`messageTTL`).
    pub message_hops_max: u32,
    /// How many brokers the word of a consumer may cross (`consumerTTL`).
    pub demand_hops_max: u32,
    /// How many of a queue's messages may be on their way for one demand (`prefetchSize`).
    pub prefetch: u32,
    /// How many of a topic's messages may be on their way for one demand.
    pub topic_prefetch: u32,
    /// How many bytes of messages may be on their way to one peer.
    pub window: u64,
    /// How many demands one peer may have, each for a destination and all of its messages or those that one selector is
    /// true of.
    pub demands_max: usize,
    /// How many selectors a peer is told for one destination. Where there are more it is told that all messages are wanted,
    /// until no more than half as many are left.
    pub selectors_max: usize,
    /// True if each peer counts as one consumer when a queue's messages are shared out among peers (ActiveMQ's
    /// `conduitSubscriptions`); false if each counts as many as it has.
    pub conduit_subscriptions: bool,
    /// True if durable subscriptions that have no consumer at present count for nothing on this bridge, at either end
    /// (`dynamicOnly`).
    pub dynamic_only: bool,
    /// Which destinations are told as wanted, and forwarded.
    pub permits: Permits,
    /// The priority of a peer's consumers here, less one for each broker between; as that of consumers of our own if
    /// `None` (`consumerPriorityBase`, `decreaseNetworkConsumerPriority`).
    pub priority_base: Option<i32>,
    /// How long the two ends may take to tell each other what is wanted, from when the link is kept.
    pub sync_timeout: Duration,
}

impl Default for BridgeConfig {
    /// One hop, as ActiveMQ; 1000 of a queue's messages, 32 767 of a topic's, 1 MiB in all; 10 000 demands, 16 selectors
    /// for one destination; peers' consumers after our own, and shares as they have consumers, which they have not in
    /// ActiveMQ; 30 s to exchange demand.
    fn default() -> Self {
        Self {
            message_hops_max: 1,
            demand_hops_max: 1,
            prefetch: 1_000,
            topic_prefetch: 32_767,
            window: 1024 * 1024,
            demands_max: 10_000,
            selectors_max: 16,
            conduit_subscriptions: false,
            dynamic_only: false,
            permits: Permits::default(),
            priority_base: Some(-5),
            sync_timeout: Duration::from_secs(30),
        }
    }
}

/// What a bridge has for our broker, or for the node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Inward {
    /// The peer has taken messages.
    Ack(Ack),
    /// A demand of ours has ended: what was forwarded for it and not accepted is the peer's again.
    Cancel {
        /// The stream of its messages.
        stream: u64,
        /// The last message that was taken. Those before it are ours, also where they have no room yet.
        taken: Tag,
    },
    /// The peer did what no peer may.
    Close(CloseReason),
    /// Demand has been exchanged both ways.
    Ready,
    /// A message from the peer.
    Send {
        /// What the message is called when it is accepted.
        ticket: Ticket,
        /// How often others have handed it out before.
        redeliveries: u32,
        /// The message.
        message: Arc<Message>,
    },
    /// The peer wants messages of these in the place of those, all at once.
    Replace {
        /// The names of its subscriptions that end.
        ended: Vec<ConsumerId>,
        /// Those that take their place.
        begun: Vec<Wish>,
    },
    /// The peer wants messages.
    Subscribe(Wish),
    /// A subscription of the peer counts for more consumers or fewer.
    Weigh {
        /// The name of its subscription.
        consumer: ConsumerId,
        /// For how many consumers it counts.
        weight: NonZeroU32,
    },
}

/// What a peer wants.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wish {
    /// The name of its subscription.
    pub consumer: ConsumerId,
    /// What it wants, and over which brokers.
    pub demand: Demand,
    /// How many may be on their way.
    pub prefetch: u32,
    /// For how many consumers it counts.
    pub weight: NonZeroU32,
}

/// A bridge to one peer, over one link.
#[derive(Debug)]
pub(crate) struct Bridge {
    config: BridgeConfig,
    local: BrokerId,
    remote: BrokerId,
    theirs: BTreeSet<u32>,
    held: Vec<Wish>,                 // Of theirs, those that wait for the end of others.
    included: BTreeSet<Destination>, // What the peer forwards whether or not it is wanted here.
    ours: Interest,
    arrivals: Arrivals,
    has_heard: bool,
    was_heard: bool,
    ready_by: Option<Instant>, // None once it is.
}

impl Bridge {
    /// A bridge from `local` to `remote`, whose link has just opened; tells the peer what is wanted here.
    pub(crate) fn new<'a>(
        now: Instant,
        config: BridgeConfig,
        local: BrokerId,
        remote: BrokerId,
        wanted: impl Iterator<Item = (&'a Demand, NonZeroU32)>,
        out: &mut Outbox<Frame>,
    ) -> Self {
        let mut bridge = Self {
            local,
            remote,
            theirs: BTreeSet::new(),
            held: Vec::new(),
            included: BTreeSet::new(),
            ours: Interest::new(config.selectors_max),
            arrivals: Arrivals::default(),
            has_heard: false,
            was_heard: false,
            ready_by: Some(now + config.sync_timeout),
            config,
        };
        for (demand, consumers) in wanted {
            if bridge.may_be_told(demand) {
                bridge.ours.begin(demand, consumers);
            }
        }
        let changes = bridge.ours.tell_all();
        bridge.tell(changes, &mut Outbox::new(), out); // Nothing ends that has only begun.
        for destination in bridge.config.permits.forwarded() {
            out.push(Frame::Include { destination: destination.clone() });
        }
        out.push(Frame::Synced);
        bridge
    }

    /// Hears a frame of the peer.
    pub(crate) fn handle_frame(&mut self, frame: Frame, inward: &mut Outbox<Inward>, outward: &mut Outbox<Frame>) {
        match frame {
            Frame::Demand { number, demand, consumers, instead } => {
                if let Some(wish) = self.hear_demand(number, demand, consumers, inward) {
                    if instead {
                        self.held.push(wish);
                    } else {
                        inward.push(Inward::Subscribe(wish));
                    }
                }
            }
            Frame::Forward { demand, tag, redeliveries, message } => {
                let delivery = Delivery { tag, redeliveries, message };
                self.hear_message(demand, delivery, inward);
            }
            Frame::Forwarded { demand, up_to } => {
                if self.theirs.contains(&demand) {
                    let consumer = ConsumerId(demand.into());
                    let ack = Ack { consumer, tag: up_to, extent: AckExtent::UpTo, kind: AckKind::Accepted };
                    inward.push(Inward::Ack(ack));
                }
            }
            Frame::Include { destination } => self.hear_include(destination, inward, outward),
            Frame::Synced => {
                outward.push(Frame::SyncedHeard);
                self.has_heard = true;
                self.say_if_ready(inward);
            }
            Frame::SyncedHeard => {
                self.was_heard = true;
                self.say_if_ready(inward);
            }
            Frame::Undemand { numbers } => self.hear_end(&numbers, inward),
            Frame::Weight { number, consumers } => {
                if self.theirs.contains(&number) && !self.config.conduit_subscriptions {
                    inward.push(Inward::Weigh { consumer: ConsumerId(number.into()), weight: consumers });
                }
            }
            frame => {
                let what = format!("a {} frame is not for a peer to say", frame.name());
                inward.push(Inward::Close(CloseReason::Malformed(what)));
            }
        }
    }

    /// So many here want messages of a destination by this path.
    pub(crate) fn handle_wanted(
        &mut self,
        demand: &Demand,
        consumers: NonZeroU32,
        inward: &mut Outbox<Inward>,
        out: &mut Outbox<Frame>,
    ) {
        if self.may_be_told(demand) {
            let changes = self.ours.set(demand, consumers);
            self.tell(changes, inward, out);
        }
    }

    /// Nobody here wants messages of a destination by this path any more.
    pub(crate) fn handle_unwanted(&mut self, demand: &Demand, inward: &mut Outbox<Inward>, out: &mut Outbox<Frame>) {
        if self.is_owed(demand) {
            self.handle_wanted(demand, NonZeroU32::MIN, inward, out);
        } else if self.may_be_told(demand) {
            let changes = self.ours.remove(demand);
            self.tell(changes, inward, out);
        }
    }

    /// Our broker has accepted a message of the peer.
    pub(crate) fn handle_accepted(&mut self, ticket: Ticket) {
        self.arrivals.accept(ticket);
    }

    /// Tells the peer what was accepted, once for each demand.
    pub(crate) fn flush(&mut self, out: &mut Outbox<Frame>) {
        self.arrivals.flush(out);
    }

    /// Ends what has not become ready in time.
    pub(crate) fn handle_timeout(&mut self, now: Instant, inward: &mut Outbox<Inward>) {
        if self.ready_by.is_some_and(|by| by <= now) {
            inward.push(Inward::Close(CloseReason::SyncTimeout));
        }
    }

    /// When there is something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.ready_by
    }

    /// True once demand has been exchanged both ways.
    pub(crate) fn is_ready(&self) -> bool {
        self.has_heard && self.was_heard
    }

    /// True if the peer may hear that messages are wanted by this path.
    pub(crate) fn may_be_told(&self, demand: &Demand) -> bool {
        let is_near = demand.path.len() < self.config.demand_hops_max as usize;
        if !is_near {
            Situation::DemandAtItsEnd.met();
        }
        is_near && !demand.path.contains(self.remote) && self.config.may_concern(demand)
    }

    /// The broker at the other end.
    pub(crate) fn remote(&self) -> BrokerId {
        self.remote
    }

    fn hear_demand(
        &mut self,
        number: u32,
        demand: Demand,
        consumers: NonZeroU32,
        inward: &mut Outbox<Inward>,
    ) -> Option<Wish> {
        if demand.path.contains(self.local) || demand.path.len() >= Path::HOPS_MAX {
            return None; // Our own demand come back, or one from too far away.
        }
        if !self.config.may_concern(&demand) {
            return None; // It may want it, but not from here.
        }
        if self.theirs.len() >= self.config.demands_max {
            let what = format!("it has more than {} demands", self.config.demands_max);
            inward.push(Inward::Close(CloseReason::Malformed(what)));
            return None;
        }
        let consumer = ConsumerId(number.into());
        if !self.theirs.insert(number) {
            let what = format!("demand {number} was told twice");
            inward.push(Inward::Close(CloseReason::Malformed(what)));
            return None;
        }
        let prefetch = self.config.prefetch_for(&demand.destination);
        let path = demand.path.then(self.remote);
        let weight = if self.config.conduit_subscriptions { NonZeroU32::MIN } else { consumers };
        Some(Wish { consumer, demand: Demand { path, ..demand }, prefetch, weight })
    }

    fn hear_end(&mut self, numbers: &[u32], inward: &mut Outbox<Inward>) {
        let (mut ended, mut begun) = (Vec::new(), core::mem::take(&mut self.held));
        for number in numbers {
            let consumer = ConsumerId((*number).into());
            match begun.iter().position(|wish| wish.consumer == consumer) {
                _ if !self.theirs.remove(number) => (),
                Some(held) => drop(begun.remove(held)), // It ends before it has held.
                None => ended.push(consumer),
            }
        }
        inward.push(Inward::Replace { ended, begun });
    }

    /// The peer forwards a destination's messages whether or not they are wanted here. It is told that they are, since
    /// all it forwards answers a demand.
    fn hear_include(&mut self, destination: Destination, inward: &mut Outbox<Inward>, out: &mut Outbox<Frame>) {
        if !self.config.permits.may_concern(&destination) {
            return;
        }
        if self.included.len() >= self.config.demands_max {
            let what = format!("it includes more than {} destinations", self.config.demands_max);
            return inward.push(Inward::Close(CloseReason::Malformed(what)));
        }
        Situation::IncludedUnasked.met();
        let demand =
            Demand { destination: destination.clone(), selector: None, path: Path::default(), is_dormant: false };
        self.included.insert(destination);
        if !self.ours.is_wanted(&demand) {
            let changes = self.ours.set(&demand, NonZeroU32::MIN);
            self.tell(changes, inward, out);
        }
    }

    /// True for a demand that stands for what the peer forwards unasked, and so stays.
    fn is_owed(&self, demand: &Demand) -> bool {
        let Demand { destination, selector, path, is_dormant } = demand;
        path.is_empty() && selector.is_none() && !is_dormant && self.included.contains(destination)
    }

    fn hear_message(&mut self, demand: u32, delivery: Delivery, inward: &mut Outbox<Inward>) {
        let Delivery { tag, redeliveries, message } = delivery;
        if !self.ours.is_told(demand) {
            // It crossed the end of the demand. The peer keeps a queue's; a topic's may be wanted by others here.
            let is_topic = message.destination.kind() == DestinationKind::Topic;
            if is_topic && self.ours.was_told(demand) && !message.path.contains(self.local) {
                Situation::TopicCrossedEnd.met();
                let ticket = Ticket { stream: demand.into(), number: tag };
                inward.push(Inward::Send { ticket, redeliveries, message });
            } else if !is_topic {
                Situation::QueueCrossedEnd.met();
            }
            return;
        }
        if let Err(reason) = self.arrivals.arrive(demand, tag) {
            return inward.push(Inward::Close(reason));
        }
        let ticket = Ticket { stream: demand.into(), number: tag };
        if message.path.contains(self.local) {
            return self.arrivals.accept(ticket); // It was here before: taken, and let go.
        }
        inward.push(Inward::Send { ticket, redeliveries, message });
    }

    fn tell(&mut self, changes: Vec<Change>, inward: &mut Outbox<Inward>, out: &mut Outbox<Frame>) {
        let instead = changes.iter().any(|change| matches!(change, Change::Ended { .. }));
        let mut numbers = Vec::new();
        for change in changes {
            match change {
                Change::Begun { number, demand, consumers } => {
                    self.arrivals.begin(number);
                    out.push(Frame::Demand { number, demand, consumers, instead });
                }
                Change::Ended { number, kind } => {
                    // What was accepted is said before the end, and what comes after it is not ours.
                    let taken = self.arrivals.end(number);
                    if let Some(up_to) = taken {
                        out.push(Frame::Forwarded { demand: number, up_to });
                    }
                    // A queue's message that is not accepted stays the peer's; nobody keeps a topic's.
                    if kind == DestinationKind::Queue {
                        inward.push(Inward::Cancel { stream: number.into(), taken: taken.unwrap_or(0) });
                    }
                    numbers.push(number);
                }
                Change::Weighed { number, consumers } => out.push(Frame::Weight { number, consumers }),
            }
        }
        if !numbers.is_empty() {
            out.push(Frame::Undemand { numbers });
        }
    }

    fn say_if_ready(&mut self, inward: &mut Outbox<Inward>) {
        if self.is_ready() {
            self.ready_by = None;
            inward.push(Inward::Ready);
        }
    }
}

impl BridgeConfig {
    /// True if messages may cross on account of this demand, whoever's it is.
    fn may_concern(&self, demand: &Demand) -> bool {
        !(demand.is_dormant && self.dynamic_only) && self.permits.may_concern(&demand.destination)
    }

    fn prefetch_for(&self, destination: &Destination) -> u32 {
        match destination.kind() {
            DestinationKind::Queue => self.prefetch,
            DestinationKind::Topic => self.topic_prefetch,
        }
    }
}
