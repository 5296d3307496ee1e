//! Rank 4, the corridor: one way in, one way out. Every input goes to the one machine it is for, and what each machine
//! says goes on to the next, once through all lanes.

mod admin;
mod advise;
mod brief;
mod command;
mod config;
mod drain;
mod event;
mod flow;
mod ingress;
mod input;
mod pipe;
mod producer;
pub mod recording;
mod roles;
mod stats;
mod transaction;
mod view;

pub use command::Command;
pub use config::{Config, ConfigError, ConnectorConfig, MulticastConfig, TransportConfig};
pub use event::Event;
pub use input::{Input, MulticastSocket, Output};
pub use stats::Stats;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use advise::Curious;
use drain::Draining;
use flow::Lanes;
use pipe::Pipe;
use roles::Peers;

use crate::base::{Arena, Deadlines, Instant, Outbox, Rng, Seed, Timestamp};
use crate::bridge::Bridge;
use crate::broker::Broker;
use crate::client::Client;
use crate::dial::{Dialer, Urgency};
use crate::discovery::{Multicast, Settings};
use crate::fanout::{Fanout, Horizon};
use crate::model::{Address, BrokerId, ConnectionId, Destination, GroupId, LinkId, ListenerId, Role};
use crate::remote::RemoteClient;

/// A peer that a link is up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its identity.
    pub broker: BrokerId,
    /// Its name.
    pub name: String,
    /// The address at the link's other end.
    pub remote: SocketAddr,
    /// True once demand has been exchanged both ways.
    pub is_ready: bool,
    /// The network connector of ours that leads there, by its name; none to a member of the group, or to one whose own
    /// connector led here.
    pub connector: Option<String>,
}

/// A broker that a client fans out to, or would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Where it is.
    pub address: Address,
    /// How it fares.
    pub state: TargetState,
    /// How many messages it has accepted, over all its links.
    pub accepted: u64,
    /// How many messages it has refused.
    pub refused: u64,
    /// How many bytes it was sent and has not answered yet.
    pub unanswered_bytes: u64,
}

/// How a target fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// It is being connected to.
    Connecting,
    /// As many attempts in a row failed as may (`maxReconnectAttempts`), or it can't be a target: it is not dialled.
    GivenUp,
    /// It takes messages.
    Up {
        /// Its identity.
        broker: BrokerId,
        /// Its name.
        name: String,
        /// The address at the link's other end.
        remote: SocketAddr,
    },
    /// It is dialled when its time has come.
    Waiting,
}

/// A broker with all that connects it: discovery, links, bridges and the application's own connections.
///
/// The same config, seed and inputs give the same outputs, always and everywhere. Whoever drives it drains
/// [`Node::poll_output`] after [`Node::new`] and after every input, and gives [`Input::Timeout`] when
/// [`Node::poll_timeout`] is reached.
///
/// ```
/// use flockmq_core::{Command, Config, ConnectionId, Event, Input, Instant, Node, Output, RequestId, Seed};
///
/// let mut node = Node::new(Config::alone("here"), Seed::from(1), Instant::ZERO);
/// let attach = Command::Attach { request: RequestId(1), connection: ConnectionId(1) };
/// node.handle_input(Instant::ZERO, Input::Command(attach));
/// let replied = Event::Replied { request: RequestId(1), result: Ok(()) };
/// assert_eq!(node.poll_output(), Some(Output::Event(replied)));
/// ```
#[derive(Debug)]
pub struct Node {
    id: BrokerId,
    config: Config,
    outbox: Outbox<Output>,
    lanes: Lanes,
    wall: (Timestamp, Instant), // What the wall clock read, and when.
    pipes: Arena<LinkId, Pipe>,
    deadlines: Deadlines<LinkId>, // Of links that are up.
    listener: Option<Listener>,
    multicast: Option<Multicast>,
    dialer: Dialer,
    peers: Peers,
    bridges: BTreeMap<LinkId, Bridge>,
    remotes: BTreeMap<LinkId, RemoteClient>,
    fanout: Option<Fanout>,
    clients: BTreeMap<ConnectionId, Client>,
    broker: Broker,
    curious: Curious, // Who wants to know what happens.
    phase: Phase,
    draining: Draining,
}

#[derive(Debug)]
struct Listener {
    id: ListenerId,
    addresses: Option<Vec<SocketAddr>>, // None while it is being opened.
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Every link was told; the last one to close ends it.
    Stopping,
    Stopped,
}

impl Node {
    /// A node that starts now: it asks to listen, to join its group and to dial, as its config says.
    pub fn new(mut config: Config, seed: Seed, now: Instant) -> Self {
        // What could not be sent to anybody is refused where it is sent.
        let carried = config.link.message_max(u32::MAX);
        config.broker.message_max = config.broker.message_max.min(u32::try_from(carried).unwrap_or(u32::MAX));
        let mut rng = Rng::new(seed);
        let id = BrokerId(rng.next_u128());
        let mut node = Self {
            id,
            outbox: Outbox::new(),
            lanes: Lanes::default(),
            wall: (Timestamp::default(), now),
            pipes: Arena::new(),
            deadlines: Deadlines::new(),
            listener: None,
            multicast: config
                .multicast
                .as_ref()
                .map(|multicast| Multicast::new(settings(&config.group, multicast), now)),
            dialer: Dialer::new(config.dial.clone(), rng.fork()),
            bridges: BTreeMap::new(),
            remotes: BTreeMap::new(),
            fanout: (config.role == Role::Client).then(|| {
                let horizon = if config.multicast.is_some() { Horizon::Open } else { Horizon::Closed };
                Fanout::new(config.fanout.clone(), id, horizon, rng.fork())
            }),
            peers: Peers::new(id, rng.fork()),
            clients: BTreeMap::new(),
            broker: Broker::new(config.broker.clone(), id),
            curious: Curious::default(),
            phase: Phase::Running,
            draining: Draining::default(),
            config,
        };
        node.start(now);
        node
    }

    /// Takes an input: the one way in.
    pub fn handle_input(&mut self, now: Instant, input: Input) {
        if self.phase == Phase::Stopped {
            return self.refuse_stopped(input);
        }
        self.ingress(now, input);
        self.flow(now);
        self.finish_draining();
    }

    /// Gives the next thing to do: the one way out.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outbox.pop()
    }

    /// When [`Input::Timeout`] is next wanted; asking changes nothing.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.phase != Phase::Running {
            return None;
        }
        let multicast = self.multicast.as_ref().and_then(Multicast::poll_timeout);
        let fanout = self.fanout.as_ref().and_then(Fanout::poll_timeout);
        [self.deadlines.first(), multicast, self.dialer.poll_timeout(), self.broker.poll_timeout(), fanout]
            .into_iter()
            .flatten()
            .min()
    }

    /// The broker's identity.
    pub fn id(&self) -> BrokerId {
        self.id
    }

    /// What the node was told at its start.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The peers that links are up to.
    pub fn peers(&self) -> Vec<Peer> {
        let linked = self.bridges.iter().filter_map(|(link, bridge)| {
            let pipe = self.pipes.get(*link)?;
            Some(Peer {
                broker: bridge.remote(),
                name: pipe.hello.as_ref()?.name.clone(),
                remote: pipe.remote?,
                is_ready: bridge.is_ready(),
                connector: self.peers.connector(bridge.remote()).map(|at| self.config.connectors[at].name.clone()),
            })
        });
        linked.collect()
    }

    /// The brokers that this client fans out to, or would; none in other roles.
    pub fn targets(&self) -> Vec<Target> {
        self.targets_now()
    }

    /// How many messages wait in each of the embedded broker's queues that has any.
    pub fn waiting(&self) -> Vec<(Destination, usize)> {
        self.broker.waiting().map(|(queue, count)| (queue.clone(), count)).collect()
    }

    /// Counts and gauges.
    pub fn stats(&self) -> Stats {
        Stats {
            broker: self.broker.stats(),
            discovery: self.multicast.as_ref().map(Multicast::stats).unwrap_or_default(),
            services: self.multicast.as_ref().map_or(0, Multicast::known),
            links: self.pipes.iter().filter(|(_, pipe)| pipe.link().is_some()).count(),
            peers: self.bridges.len(),
            clients: self.remotes.len(),
            targets: self.fanout.as_ref().map_or(0, Fanout::up),
            unsettled_bytes: self.fanout.as_ref().map_or(0, |fanout| fanout.held_bytes().0),
            lagging_bytes: self.fanout.as_ref().map_or(0, |fanout| fanout.held_bytes().1),
            waiting_bytes: self.pipes.iter().filter_map(|(_, pipe)| Some(pipe.link()?.waiting())).sum(),
        }
    }

    fn start(&mut self, now: Instant) {
        if let Some(address) = self.config.listen.clone() {
            let listener = Listener { id: ListenerId(1), addresses: None };
            self.outbox.push(Output::Listen { listener: listener.id, address });
            self.listener = Some(listener);
        }
        if let Some(multicast) = &self.config.multicast {
            let socket = MulticastSocket {
                address: multicast.address,
                port: multicast.port,
                ttl: multicast.ttl,
                interface: multicast.interface.clone(),
                loopback: multicast.loopback,
            };
            self.outbox.push(Output::Join { group: GROUP, socket });
        }
        if let Some(fanout) = &mut self.fanout {
            fanout.handle_start(&mut self.lanes.fanout);
        }
        let connected = self.config.connectors.iter().flat_map(|connector| &connector.addresses);
        for address in self.config.peers.iter().chain(connected).cloned().collect::<Vec<_>>() {
            self.want(now, address, Urgency::AtOnce);
        }
        self.flow(now);
    }
}

fn settings(group: &str, config: &MulticastConfig) -> Settings {
    Settings {
        group: group.into(),
        period: config.period,
        silence_max: config.period * config.silent_periods_max,
        services_max: config.services_max,
        adverts_per_second_max: config.adverts_per_second_max,
    }
}

/// A node joins one group.
const GROUP: GroupId = GroupId(1);
