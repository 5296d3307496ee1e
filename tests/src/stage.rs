//! A world with an application on each of its hosts, and an oracle that watches what they are told.

mod admin;
mod client;
mod consumer;
mod hearing;
mod leave;
mod mishap;
mod producer;
mod temporary;
mod transaction;

pub use client::client;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use flockmq_core::sim::{HostId, World};
use flockmq_core::{
    Ack, Body, BrokerId, Command, Config, ConnectionId, ConsumerId, Delivery, Destination, Destinations, Event,
    Instant, Node, Peer, Seed, Stats,
};

use crate::application::{Application, Asked, Consumer};
use crate::oracle::{Oracle, Process};

/// A world and the applications on its hosts. Every application is attached as connection 1; consumers are numbered
/// over all hosts, so that a [`ConsumerId`] alone says whose it is. What breaks a promise panics.
#[derive(Debug)]
pub struct Stage {
    world: World,
    applications: BTreeMap<HostId, Application>,
    consumers: BTreeMap<ConsumerId, (HostId, Consumer)>,
    pub(crate) oracle: Oracle,
    seed: Seed,
    reactions: VecDeque<Ack>, // Of the application that is being told something.
    replies: VecDeque<(HostId, Destination, Body)>,
    walls: BTreeSet<(HostId, HostId)>,
    slow: BTreeSet<HostId>,
    draining: BTreeSet<HostId>,
    sluggish_until: Instant,
    calm_since: Option<Instant>,
}

/// Setting the stage.
impl Stage {
    /// A world without hosts and without faults. With `FLOCKMQ_LOG=N` in the environment, the last N lines of what
    /// happened are printed if a promise is broken.
    pub fn new(seed: impl Into<Seed>) -> Self {
        let seed = seed.into();
        let mut world = World::new(seed);
        if let Some(lines) = log_lines() {
            world.keep_log(lines);
        }
        world.keep_dials();
        world.keep_adverts();
        Self {
            world,
            applications: BTreeMap::new(),
            consumers: BTreeMap::new(),
            oracle: Oracle::default(),
            seed,
            reactions: VecDeque::new(),
            replies: VecDeque::new(),
            walls: BTreeSet::new(),
            slow: BTreeSet::new(),
            draining: BTreeSet::new(),
            sluggish_until: Instant::ZERO,
            calm_since: None,
        }
    }

    /// Adds a member of a group, with an application attached.
    pub fn peer(&mut self, group: &str, name: &str) -> HostId {
        self.host(Config::peer(group, name))
    }

    /// Adds so many members of the group `flock`, and waits until all are ready for all.
    pub fn flock(&mut self, count: usize) -> Vec<HostId> {
        let hosts: Vec<HostId> = (0..count).map(|number| self.peer("flock", &format!("b{number}"))).collect();
        assert!(self.run_until(Duration::from_secs(10), |stage| stage.is_linked(&hosts)), "{count} hosts link up");
        hosts
    }

    /// Checks that these hosts are linked to one another and to nobody else, and that what each sends to `topic://t` comes to
    /// the one consumer of each, which subscribed to that and was given nothing before.
    pub fn check_flock(&mut self, hosts: &[HostId]) {
        assert!(self.is_linked(hosts));
        for host in hosts {
            self.send(*host, "topic://t", &format!("from {host}"));
        }
        self.run_for(Duration::from_millis(100));
        for host in hosts {
            let consumer = self.open_consumers(*host)[0];
            assert_eq!(self.received(consumer).len(), hosts.len());
            assert_eq!(self.peers(*host).len(), hosts.len() - 1, "{host}");
        }
    }

    /// Adds a broker that stands alone in a group, with an application attached.
    pub fn broker(&mut self, group: &str, name: &str) -> HostId {
        self.host(Config::broker(group, name))
    }

    /// Adds a host with a node of this config, with an application attached.
    pub fn host(&mut self, config: Config) -> HostId {
        let host = self.world.add_host(config.clone());
        self.oracle.host_added(host, &config);
        self.applications.insert(host, Application::new(config));
        self.attach(host);
        host
    }

    /// The world, for its verbs and counts. Crashes, restarts, pauses and resets are the stage's own: the
    /// applications have to know of them.
    pub fn world(&mut self) -> &mut World {
        &mut self.world
    }

    /// The node on a host.
    pub fn node(&self, host: HostId) -> &Node {
        self.world.node(host).unwrap_or_else(|| panic!("no node runs on {host}"))
    }

    /// The present broker id of a host.
    pub fn id(&self, host: HostId) -> BrokerId {
        self.node(host).id()
    }

    /// The peers that a host has links to.
    pub fn peers(&self, host: HostId) -> Vec<Peer> {
        self.node(host).peers()
    }

    /// The host whose present process is this broker.
    pub fn host_of(&self, broker: BrokerId) -> HostId {
        let is_meant = |host: &HostId| self.world.node(*host).is_some_and(|node| node.id() == broker);
        self.hosts().into_iter().find(is_meant).unwrap_or_else(|| panic!("{broker} runs nowhere"))
    }

    /// Where the present process of a host listens.
    pub(crate) fn listening(&self, host: HostId) -> &[SocketAddr] {
        let said = self.applications[&host].notices.iter().rev().find_map(|(_, event)| match event {
            Event::Listening { addresses } => Some(&addresses[..]),
            _ => None,
        });
        said.unwrap_or_default()
    }

    /// What the node on a host counts and holds.
    pub fn stats(&self, host: HostId) -> Stats {
        self.node(host).stats()
    }

    /// What it was made with.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        self.world.now()
    }

    /// All hosts with applications.
    pub fn hosts(&self) -> Vec<HostId> {
        self.applications.keys().copied().collect()
    }

    /// What a host was configured with.
    pub fn config(&self, host: HostId) -> &Config {
        &self.applications[&host].config
    }

    /// True unless the host's process has crashed.
    pub fn is_up(&self, host: HostId) -> bool {
        self.applications[&host].is_up
    }

    /// True if the host's process is up and not paused.
    pub fn is_running(&self, host: HostId) -> bool {
        self.applications[&host].is_running()
    }

    /// True if each of these hosts is linked to each other one that it can reach, and ready.
    pub fn is_linked(&self, hosts: &[HostId]) -> bool {
        hosts.iter().all(|host| {
            let Some(node) = self.world.node(*host) else { return false };
            let peers = node.peers();
            let ready = |other: &HostId| {
                let id = self.world.node(*other).map(Node::id);
                other == host
                    || self.is_walled_off(*host, *other)
                    || peers.iter().any(|peer| peer.is_ready && Some(peer.broker) == id)
            };
            hosts.iter().all(ready)
        })
    }
}

/// Time.
impl Stage {
    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    /// Lets time pass until `done`, which is asked now and after every step; false if it is not done within `limit`.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.world.now() + limit;
        let now = self.world.now().max(self.sluggish_until);
        self.calm_since = self.world.is_calm().then(|| self.calm_since.unwrap_or(now).max(self.sluggish_until));
        loop {
            self.finish_draining();
            if done(self) {
                return true;
            }
            let next = self.drains_until().map_or(end, |until| until.min(end));
            if !self.step(next) && next == end {
                self.check_clients();
                return done(self);
            }
        }
    }

    /// Lets time pass until whatever was sent to a slow host has arrived, if it is slow no more.
    pub(crate) fn run_until_brisk(&mut self) {
        self.run_for(self.sluggish_until.max(self.now()) - self.now());
    }

    /// True if nothing stands in the way of anything, and nothing has for so long.
    pub(crate) fn is_calm_for(&self, duration: Duration) -> bool {
        self.calm_since.is_some_and(|since| since + duration <= self.world.now())
    }
}

/// How it works.
impl Stage {
    /// One step of the world, if there is one before `end`; then the applications hear of it.
    fn step(&mut self, end: Instant) -> bool {
        let inputs = self.world.counts().inputs;
        let mut asked = 0;
        self.world.run_until(end - self.world.now(), |_| {
            asked += 1;
            asked > 1
        });
        self.pump();
        self.check_memory();
        self.world.now() < end || self.world.counts().inputs > inputs
    }

    fn attach(&mut self, host: HostId) {
        let request = self.application(host).ask(Asked::Attach);
        self.command(host, Command::Attach { request, connection: CONNECTION });
    }

    fn command(&mut self, host: HostId, command: Command) {
        assert!(self.is_up(host), "{host} is down and can't {command:?}");
        self.world.command(host, command);
        self.pump();
    }

    fn application(&mut self, host: HostId) -> &mut Application {
        self.applications.get_mut(&host).expect("a host with an application")
    }

    fn process(&self, host: HostId) -> Process {
        Process { host, incarnation: self.world.incarnation(host), broker: self.world.node(host).map(Node::id) }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the world of seed {}, at {}", self.seed, self.world.now());
            for line in self.world.log() {
                eprintln!("{line}");
            }
        }
    }
}

/// The text of a delivery.
pub fn text_of(delivery: &Delivery) -> &str {
    delivery.message.body.as_text().expect("only texts are sent")
}

fn destination(text: &str) -> Destination {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn destinations(text: &str) -> Destinations {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn log_lines() -> Option<usize> {
    std::env::var("FLOCKMQ_LOG").ok()?.parse().ok()
}

const CONNECTION: ConnectionId = ConnectionId(1);
