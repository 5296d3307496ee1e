//! Rank 3: the embedded broker. Knows destinations, who subscribes to them and what waits for whom; is told what
//! connections ask; answers with deliveries, acceptances and changes of demand.

mod ack;
mod admin;
mod advise;
mod arrival;
mod backlog;
mod browse;
mod census;
mod composite;
mod config;
mod consumer;
mod copies;
mod credit;
mod dead_letter;
mod delayed;
mod demand;
mod dispatch;
mod drain;
mod due;
mod durable;
mod exclusive;
mod expiry;
mod group;
mod history;
mod idle;
mod index;
mod memory;
mod missed;
mod outstanding;
mod parking;
mod passing;
mod place;
mod policy;
mod queue;
mod redelivery;
mod registry;
mod room;
mod selection;
mod slow;
mod stats;
mod stray;
mod subscription;
mod temporary;
#[cfg(test)]
mod tests;
mod topic;
mod transaction;
mod turn;
mod virtual_topic;
mod waiting;
mod ways;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::num::NonZeroU32;

use consumer::Gone;
use copies::Copies;
use demand::Wanted;
use due::Due;
use memory::Memory;
use registry::{Registry, Room, Slot};
use selection::Selection;
use subscription::{SubscriptionId, Subscriptions};
use ways::Ways;

pub use census::Consumer;
pub use config::BrokerConfig;
pub use dead_letter::{DeadLetterPolicy, DeadLetterQueue, NonPersistent};
pub use history::History;
pub(crate) use parking::Taken;
pub use policy::{DestinationPolicy, Policies, PolicyEntry};
pub use redelivery::RedeliveryPolicy;
pub use room::WhenFull;
pub use slow::SlowConsumers;
pub use stats::BrokerStats;
pub(crate) use subscription::{Limits, Remote, Subscriber};
pub use virtual_topic::VirtualTopics;

use crate::base::{Audit, Deadlines, Instant, Outbox};
use crate::model::{
    Advisory, BrokerId, ConnectionId, ConsumerId, Delivery, Demand, Destination, Durable, LinkId, Origin, ProducerId,
    Refusal, Tag, Ticket, What,
};

/// What a broker says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    /// A message that had to wait has its place now, as [`Taken::Accepted`] says of one that had not.
    Accepted {
        /// Who sent it.
        to: Origin,
        /// What they call it.
        ticket: Ticket,
    },
    /// Something that whoever asked is told of this broker.
    Advised(Box<Advisory>),
    /// Whoever looks at a queue has been shown everything.
    Browsed {
        /// Whose consumer it is.
        to: Origin,
        /// The consumer.
        consumer: ConsumerId,
    },
    /// A message for a consumer.
    Deliver {
        /// Whose consumer it is.
        to: Origin,
        /// The consumer.
        consumer: ConsumerId,
        /// The message.
        delivery: Delivery,
    },
    /// The broker has ended a consumer.
    Ended {
        /// Whose consumer it was.
        to: Origin,
        /// The consumer.
        consumer: ConsumerId,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// A message that had to wait is not taken: there was no room for too long.
    Refused {
        /// Who sent it.
        to: Origin,
        /// What they call it.
        ticket: Ticket,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// Nobody here wants this any more.
    Unwanted(Demand),
    /// Somebody here wants this who did not before, or others want a queue's.
    Wanted {
        /// What is wanted.
        demand: Demand,
        /// How many want it now.
        consumers: NonZeroU32,
    },
}

/// An embedded broker.
#[derive(Debug)]
pub(crate) struct Broker {
    local: BrokerId,
    config: BrokerConfig,
    advises: bool, // Somebody wants to know what happens here.
    connections: BTreeMap<Origin, Connection>,
    registry: Registry,
    subscriptions: Subscriptions,
    selection: Selection,
    durables: BTreeMap<Durable, SubscriptionId>,
    copies: Copies,
    ways: Ways,
    wanted: Wanted,
    congested: BTreeSet<Slot>, // Destinations with parked messages.
    memory: Memory,            // What waits.
    remembered_bytes: u64,     // Of all topics.
    due: Deadlines<Due>,
    buried: Audit<(ProducerId, Slot)>, // Topics' messages that are dead letters.
    stats: BrokerStats,
}

/// Somebody attached.
#[derive(Debug)]
struct Connection {
    limits: Limits,
    consumers: BTreeMap<ConsumerId, SubscriptionId>,
    outstanding_bytes: u64,
    parked_bytes: u64,
}

impl Broker {
    /// The broker `local`, which nobody is attached to.
    pub(crate) fn new(config: BrokerConfig, local: BrokerId) -> Self {
        Self {
            local,
            copies: Copies::new(config.audit_producers_max),
            ways: Ways::new(config.audit_producers_max),
            due: Deadlines::new(),
            buried: Audit::new(config.audit_producers_max),
            memory: Memory::new(config.memory_max),
            config,
            advises: false,
            connections: BTreeMap::new(),
            registry: Registry::default(),
            subscriptions: Subscriptions::default(),
            selection: Selection::default(),
            durables: BTreeMap::new(),
            wanted: Wanted::default(),
            congested: BTreeSet::new(),
            remembered_bytes: 0,
            stats: BrokerStats::default(),
        }
    }

    /// Attaches a connection.
    pub(crate) fn attach(&mut self, origin: Origin, limits: Limits) -> Result<(), Refusal> {
        if self.connections.len() >= self.config.connections_max {
            return Err(Refusal::LimitReached { what: What::Connection, max: self.config.connections_max as u64 });
        }
        if self.connections.contains_key(&origin) {
            let (Origin::Application(ConnectionId(number))
            | Origin::Bridge(LinkId(number))
            | Origin::Remote(LinkId(number))) = origin;
            return Err(Refusal::AlreadyExists { what: What::Connection, number });
        }
        if let Some(remote) = &limits.remote {
            self.ways.allow(remote.hops_max);
        }
        self.connections
            .insert(origin, Connection { limits, consumers: BTreeMap::new(), outstanding_bytes: 0, parked_bytes: 0 });
        Ok(())
    }

    /// Ends a connection: its deliveries go back to their queues, what it sent and was not accepted is forgotten.
    pub(crate) fn detach(&mut self, now: Instant, origin: Origin, out: &mut Outbox<Output>) {
        self.catch_up(now, out);
        self.forget_parked(|parked| parked.from == origin);
        self.advise_of_end(origin, out);
        let consumers = self.connections.remove(&origin).map(|connection| connection.consumers).unwrap_or_default();
        // All of them end before anything is handed out again, or some would be handed what nobody hears of. Whatever
        // was handed out before may have been seen.
        let gone: Vec<Gone> = consumers.into_values().map(|id| self.remove_consumer(id, Tag::MAX)).collect();
        for slot in gone.iter().flat_map(|gone| &gone.slots) {
            self.dispatch(now, *slot, out);
            self.tend(now, *slot);
        }
        self.unpark_all(now, out);
        if let Origin::Application(connection) = origin {
            self.end_temporaries(connection, out);
            self.unpark_all(now, out); // What has gone took room from others too.
        }
        self.tell_demand(gone.into_iter().flat_map(|gone| gone.demands), out);
    }

    /// Does what is due, and gives up on topic subscribers that have taken nothing for too long.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Output>) {
        self.catch_up(now, out);
        self.give_up_on_slow(now, out);
    }

    /// When there is something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.due.first(), self.slow_at()].into_iter().flatten().min()
    }

    /// How many messages wait in each queue that has any.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (&Destination, usize)> {
        self.registry.iter().filter_map(|entry| match &entry.room {
            Room::Queue(queue) if queue.len() > 0 => Some((&entry.name, queue.len())),
            Room::Queue(_) | Room::Topic => None,
        })
    }
}
