//! A scenario as it is played: who has joined so far, and what steps name by their places.

use std::time::Duration;

use flockmq_core::sim::{HostId, World};
use flockmq_core::{Ack, AckExtent, AckKind, Address, Config, ConsumerId, FanoutConfig, Host, Role, Tag};

use crate::application::Acking;
use crate::choice::Choice;
use crate::join::Join;
use crate::limit::Limit;
use crate::scenario::Scenario;
use crate::stage::{Stage, client};
use crate::stranger::Stranger;
use crate::wish::configure;

/// A scenario as it is played.
#[derive(Debug)]
pub(crate) struct Play {
    hosts: Vec<HostId>,
    clients: Vec<HostId>, // Among them.
    hops_max: u32,
    demand_hops_max: u32,
    limits: Vec<Limit>,
    joins: Vec<Join>,
    texts: u64,
    stranger: Option<Stranger>,
}

impl Play {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let (limits, joins) = (scenario.limits.clone(), scenario.joins.clone());
        let (hops_max, demand_hops_max) = (scenario.hops_max, scenario.demand_hops_max);
        Self {
            hosts: Vec::new(),
            clients: Vec::new(),
            hops_max,
            demand_hops_max,
            limits,
            joins,
            texts: 0,
            stranger: None,
        }
    }

    pub(crate) fn add_host(&mut self, stage: &mut Stage, group: u8) {
        self.add(stage, |name| Config::peer(GROUPS[usize::from(group) % GROUPS.len()], name));
    }

    /// Adds a peer of the second group, which hears other multicasts than the first.
    pub(crate) fn add_afar(&mut self, stage: &mut Stage) {
        let added = self.add(stage, |name| Config::peer(GROUPS[1], name));
        if let Some(host) = added {
            stage.world().set_segments(host, &[1]);
        }
    }

    pub(crate) fn add_broker(&mut self, stage: &mut Stage, group: u8) {
        self.add(stage, |name| {
            // Always at the same port: one that is started anew takes the place of the one before.
            Config { listen: Some(at_any()), ..Config::broker(GROUPS[usize::from(group) % GROUPS.len()], name) }
        });
    }

    pub(crate) fn add_client(&mut self, stage: &mut Stage, wanted: Client) {
        let mut config = client(GROUPS[0], wanted.fanout());
        if wanted.is_told {
            let alone = self.hosts.iter().filter(|host| stage.config(**host).role == Role::Broker);
            config.peers = alone.map(|host| at_port(*host)).collect();
            config.multicast = None;
        }
        config.dial.backoff.attempts_max = Some(wanted.attempts_max).filter(|max| *max > 0);
        let added = self.add(stage, |_| config);
        self.clients.extend(added);
    }

    fn add(&mut self, stage: &mut Stage, config: impl FnOnce(String) -> Config) -> Option<HostId> {
        if self.hosts.len() >= HOSTS_MAX {
            return None;
        }
        let mut config = config(format!("b{}", self.hosts.len()));
        let place = self.hosts.len();
        let is_at = |at: u8| usize::from(at) == place;
        let is_joined = self.joins.iter().any(|join| is_at(join.from) || is_at(join.to));
        if self.joins.iter().any(|join| is_at(join.to)) {
            config.listen = Some(at_any());
        }
        config.bridge.message_hops_max = self.hops_max;
        config.bridge.demand_hops_max = self.demand_hops_max;
        config.broker.producers_max = PRODUCERS_MAX;
        config.broker.audit_producers_max = PRODUCERS_MAX * HOSTS_MAX;
        config.fanout.audit_producers_max = PRODUCERS_MAX * HOSTS_MAX;
        // The oracle has everything come back, and before whatever is handed out later.
        let redelivery = &mut config.broker.policies.default.redelivery;
        (redelivery.redeliveries_max, redelivery.first_delay, redelivery.delay) =
            (None, Duration::ZERO, Duration::ZERO);
        configure(&mut config.broker);
        // Whoever is bridged takes what its neighbours take.
        let is_meant = |limit: &&Limit| !is_joined || !matches!(limit, Limit::FrameBytes(_) | Limit::MessageBytes(_));
        for limit in self.limits.iter().filter(is_meant) {
            limit.apply(&mut config, place);
        }
        for join in self.joins.iter().filter(|join| is_at(join.from)) {
            join.apply(&mut config);
        }
        let host = stage.host(config);
        self.hosts.push(host);
        Some(host)
    }

    /// Texts that were never sent before.
    pub(crate) fn texts(&mut self, count: usize) -> Vec<String> {
        let first = self.texts;
        self.texts += count as u64;
        (first..self.texts).map(|number| format!("m{number}")).collect()
    }

    /// Somebody who is there from the first mischief on.
    pub(crate) fn stranger(&mut self, stage: &mut Stage) -> &mut Stranger {
        self.stranger.get_or_insert_with(|| Stranger::new(stage))
    }

    pub(crate) fn dismiss_stranger(&mut self, stage: &mut Stage) {
        if let Some(stranger) = self.stranger.take() {
            stranger.leave(stage);
        }
    }

    pub(crate) fn host(&self, place: u8) -> HostId {
        self.hosts[usize::from(place) % self.hosts.len()]
    }

    /// Lets nothing pass between two hosts, ever.
    pub(crate) fn wall_off(&self, stage: &mut Stage, a: u8, b: u8) {
        let (a, b) = (self.host(a), self.host(b));
        if a != b {
            stage.wall_off(a, b);
        }
    }

    pub(crate) fn between(&self, stage: &mut Stage, a: u8, b: u8, then: impl FnOnce(&mut World, HostId, HostId)) {
        let (a, b) = (self.host(a), self.host(b));
        if a != b && !stage.is_walled_off(a, b) {
            then(stage.world(), a, b);
        }
    }

    /// Answers a delivery that is outstanding; host, consumer and delivery are named by their places.
    pub(crate) fn answer(&self, stage: &mut Stage, places: [u8; 3], extent: AckExtent, kind: AckKind) {
        let [host, consumer, delivery] = places;
        let host = self.host(host);
        if let Some((consumer, tag)) = by_hand(stage, host, consumer, delivery) {
            stage.answer(Ack { consumer, tag, extent, kind });
        }
    }

    /// The clients among the hosts.
    pub(crate) fn clients(&self) -> &[HostId] {
        &self.clients
    }

    pub(crate) fn send(&self, stage: &mut Stage, host: u8, to: u8, texts: Vec<String>) {
        let host = self.host(host);
        if stage.is_running(host) {
            stage.send_all(host, DESTINATIONS[usize::from(to) % DESTINATIONS.len()], texts);
        }
    }

    /// A host that runs and has a broker of its own.
    pub(crate) fn server(&self, stage: &Stage, place: u8) -> Option<HostId> {
        let host = self.host(place);
        (stage.is_running(host) && !self.clients.contains(&host)).then_some(host)
    }

    /// A prefetch of 0 is the default.
    pub(crate) fn subscribe(&self, stage: &mut Stage, host: u8, pattern: u8, acking: Acking, prefetch: u8) {
        let host = self.host(host);
        if stage.is_running(host) && has_room(stage, host) {
            let prefetch = Some(u32::from(prefetch)).filter(|prefetch| *prefetch > 0);
            stage.subscribe_with(host, PATTERNS[usize::from(pattern) % PATTERNS.len()], acking, prefetch);
        }
    }
}

/// True if a host may have another consumer.
pub(crate) fn has_room(stage: &Stage, host: HostId) -> bool {
    stage.open_consumers(host).len() < CONSUMERS_MAX
}

/// A delivery that is outstanding, of a consumer that acknowledges by hand.
pub(crate) fn by_hand(stage: &Stage, host: HostId, consumer: u8, delivery: u8) -> Option<(ConsumerId, Tag)> {
    if !stage.is_running(host) {
        return None;
    }
    let by_hand = |consumer: &ConsumerId| stage.acking(*consumer) == Acking::Manual;
    let open: Vec<ConsumerId> = stage.open_consumers(host).into_iter().filter(by_hand).collect();
    let consumer = around(&open, consumer)?;
    Some((consumer, around(&stage.outstanding(consumer), delivery)?))
}

/// The item at a place, counted round.
pub(crate) fn around<T: Copy>(items: &[T], place: u8) -> Option<T> {
    items.get(usize::from(place).checked_rem(items.len())?).copied()
}

/// How a client fans out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// How many brokers are needed.
    pub acks_min: u32,
    /// True if queues' messages go to all brokers too.
    pub replicates_queues: bool,
    /// True if its consumers recognise what another broker has handed them.
    pub checks_duplicates: bool,
    /// True if the brokers that stand alone at first are named to it; otherwise it finds all of its group.
    pub is_told: bool,
    /// How many attempts in a row to connect to a broker may fail before it gives that one up; any number if 0.
    pub attempts_max: u32,
    /// How long a send may take.
    pub send_timeout_millis: u32,
}

impl Client {
    pub(crate) fn draw(choice: &mut Choice<'_>) -> Self {
        Self {
            acks_min: choice.pick(&[2, 1, 1, 3]),
            replicates_queues: choice.chance(1, 3),
            checks_duplicates: !choice.chance(1, 4),
            is_told: choice.chance(1, 3),
            attempts_max: choice.pick(&[0, 0, 0, 1, 3]),
            send_timeout_millis: choice.pick(&[30_000, 30_000, 2_000, 200]),
        }
    }

    fn fanout(self) -> FanoutConfig {
        FanoutConfig {
            acks_min: self.acks_min,
            replicates_queues: self.replicates_queues,
            checks_duplicates: self.checks_duplicates,
            send_timeout: Duration::from_millis(self.send_timeout_millis.into()),
            ..FanoutConfig::default()
        }
    }
}

/// Where a broker that stands alone listens.
pub(crate) fn at_port(host: HostId) -> Address {
    Address { host: Host::Ip(host.ip().into()), port: PORT }
}

fn at_any() -> Address {
    format!("tcp://0.0.0.0:{PORT}").parse().expect("an address")
}

/// Where messages are sent.
pub(crate) const DESTINATIONS: [&str; 6] = [
    "topic://prices.gold",
    "queue://orders",
    "queue://orders.eu",
    "topic://prices.eu.gold",
    "topic://news",
    "queue://jobs",
];

/// What is subscribed to.
const PATTERNS: [&str; 10] = [
    "topic://prices.gold",
    "queue://orders",
    "queue://orders.eu",
    "topic://prices.eu.gold",
    "topic://news",
    "queue://jobs",
    "topic://prices.>",
    "topic://prices.*",
    "queue://orders.>",
    "topic://>",
];

/// Neither has anything to do with the other, though the names begin alike.
const GROUPS: [&str; 2] = ["flock", "flock.x"];
const HOSTS_MAX: usize = 8;
const PORT: u16 = 61_616;
/// How many consumers a host may have.
pub(crate) const CONSUMERS_MAX: usize = 8;
/// One for each destination, however many there are.
const PRODUCERS_MAX: usize = 2_048;
