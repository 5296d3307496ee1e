//! Everything that can happen in a scenario. A step that makes no sense where it comes, such as sending from a host that
//! is down, does nothing, so that steps can be left out until only those remain that matter.

use std::time::Duration;

use flockmq_core::sim::{Faults, HostId};
use flockmq_core::{Address, Config, FanoutConfig, Host, Rng, Role};

use crate::application::Acking;
use crate::choice::{Choice, widen};
use crate::stage::{Stage, client};
use crate::stranger::{Mischief, Stranger};

/// Something that happens. Hosts, consumers and destinations are named by their place, counted round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A broker that stands alone joins, in the first or second group.
    AddBroker(u8),
    /// A host joins, in the first or second group.
    AddHost(u8),
    /// A machine's wall clock jumps by so many milliseconds.
    Clock(u8, i32),
    /// A client ends its producer for a destination.
    CloseProducer(u8, u8),
    /// A host's process ends.
    Crash(u8),
    /// Nothing passes between two hosts.
    Cut(u8, u8),
    /// Nothing passes from one host to another.
    CutOneWay(u8, u8),
    /// A client ends its connection, and makes another.
    Detach(u8),
    /// A disk has room for so many bytes.
    DiskRoom(u8, u32),
    /// Chance works as `Faults::draw` says for this seed.
    Faults(u64),
    /// Everything passes between two hosts again.
    Heal(u8, u8),
    /// A host's process stands still.
    Pause(u8),
    /// A machine goes off without a word.
    PowerOff(u8),
    /// Chance does no harm any more.
    Quiet,
    /// A host's process starts anew, and is recorded, as is every one that starts later.
    Record(u8),
    /// All streams between two hosts are torn down.
    Reset(u8, u8),
    /// A host's process starts anew.
    Restart(u8),
    /// The same, with an empty disk.
    RestartEmpty(u8),
    /// A host's process goes on.
    Resume(u8),
    /// A bit of a disk flips.
    Rot(u8),
    /// A host hears the multicasts of segment 0, of segment 1, of both or of none.
    Segments(u8, u8),
    /// A host sends so many messages to a destination, in one command.
    Send(u8, u8, u8),
    /// A machine falls asleep.
    Sleep(u8),
    /// A host's links take so many bytes a second; any number if 0.
    Slow(u8, u32),
    /// A client takes its leave.
    Stop(u8),
    /// Somebody makes mischief, perhaps at a host; every detail comes from this seed.
    Stranger(Mischief, u8, u16),
    /// A host subscribes to a pattern and acknowledges what comes.
    Subscribe(u8, u8),
    /// A host subscribes to a pattern and never acknowledges.
    SubscribeOnly(u8, u8),
    /// A host ends one of its consumers.
    Unsubscribe(u8, u8),
    /// So many milliseconds pass.
    Wait(u32),
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
    /// How long a send may take.
    pub send_timeout_millis: u32,
}

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// As much as by default.
    Default,
    /// Hardly any: bugs live at limits.
    Tight,
}

impl Step {
    /// A step; hosts are drawn from `hosts`.
    pub fn draw(choice: &mut Choice<'_>, hosts: usize) -> Self {
        let host = |choice: &mut Choice<'_>| choice.place(hosts);
        let pair = |choice: &mut Choice<'_>| (choice.place(hosts), choice.place(hosts));
        let seed = |choice: &mut Choice<'_>| u16::try_from(choice.below(1 << 16)).expect("16 bits");
        match choice.below(43) {
            0..6 => Self::Wait(1 << choice.below(16)),
            6..14 => Self::Send(host(choice), choice.place(DESTINATIONS.len()), 1 + choice.place(20)),
            14 | 15 => Self::Subscribe(host(choice), choice.place(PATTERNS.len())),
            16 => Self::SubscribeOnly(host(choice), choice.place(PATTERNS.len())),
            17 | 18 => Self::Unsubscribe(host(choice), choice.place(8)),
            19 => Self::Faults(choice.below(1 << 16)),
            20 => Self::Quiet,
            21 => Self::Crash(host(choice)),
            22 => Self::Restart(host(choice)),
            23 | 24 => Self::Reset(host(choice), host(choice)),
            25 => {
                let (from, to) = pair(choice);
                Self::CutOneWay(from, to)
            }
            26 => {
                let (a, b) = pair(choice);
                Self::Cut(a, b)
            }
            27 | 28 => {
                let (a, b) = pair(choice);
                Self::Heal(a, b)
            }
            29 => Self::Pause(host(choice)),
            30 => Self::Resume(host(choice)),
            31 => Self::CloseProducer(host(choice), choice.place(DESTINATIONS.len())),
            32 => Self::Detach(host(choice)),
            33 => Self::Stop(host(choice)),
            34 => Self::PowerOff(host(choice)),
            35 => Self::Sleep(host(choice)),
            36 => Self::Segments(host(choice), choice.place(4)),
            37 | 38 => Self::Stranger(choice.pick(&Mischief::ALL), host(choice), seed(choice)),
            39 | 40 => match choice.below(5) {
                0 => Self::Record(host(choice)),
                1 => Self::RestartEmpty(host(choice)),
                2 => Self::Rot(host(choice)),
                3 => Self::DiskRoom(host(choice), choice.pick(&[0, 1 << 10, 1 << 14, 1 << 30])),
                _ => Self::Clock(host(choice), choice.pick(&[DAY, -DAY, 3_600_000, -1_000])),
            },
            _ => match choice.below(4) {
                0 => Self::AddHost(choice.place(2)),
                1 => Self::AddBroker(choice.place(2)),
                _ => Self::Slow(host(choice), [0, 1 << 10, 1 << 14, 1 << 18][usize::from(choice.place(4))]),
            },
        }
    }

    /// Lets it happen.
    pub(crate) fn perform(self, stage: &mut Stage, play: &mut Play) {
        match self {
            Self::AddBroker(group) => play.add_broker(stage, group),
            Self::AddHost(group) => play.add_host(stage, group),
            Self::Clock(host, millis) => stage.world().shift_wall_clock(play.host(host), millis.into()),
            Self::CloseProducer(host, to) => {
                let (host, to) = (play.host(host), DESTINATIONS[usize::from(to) % DESTINATIONS.len()]);
                if play.clients.contains(&host) && stage.is_running(host) && stage.is_producing(host, to) {
                    stage.close_producer(host, to);
                }
            }
            Self::Crash(host) => stage.crash(play.host(host)),
            Self::Cut(a, b) => play.between(a, b, |a, b| stage.world().cut(a, b)),
            Self::CutOneWay(a, b) => play.between(a, b, |a, b| stage.world().cut_one_way(a, b)),
            Self::Detach(host) => {
                let host = play.host(host);
                if play.clients.contains(&host) && stage.is_running(host) {
                    stage.detach(host);
                }
            }
            Self::DiskRoom(host, bytes) => stage.world().set_disk_room(play.host(host), Some(bytes.into())),
            Self::Faults(seed) => stage.world().set_faults(Faults::draw(&mut Rng::new(widen(seed)))),
            Self::Heal(a, b) => play.between(a, b, |a, b| stage.world().heal(a, b)),
            Self::Pause(host) => stage.pause(play.host(host)),
            Self::PowerOff(host) => stage.power_off(play.host(host)),
            Self::Quiet => stage.world().set_faults(Faults::default()),
            Self::Record(host) => {
                stage.world().record();
                stage.restart(play.host(host));
            }
            Self::Reset(a, b) => play.between(a, b, |a, b| stage.world().reset(a, b)),
            Self::Restart(host) => stage.restart(play.host(host)),
            Self::RestartEmpty(host) => stage.restart_empty(play.host(host)),
            Self::Resume(host) => stage.resume(play.host(host)),
            Self::Rot(host) => drop(stage.world().rot_disk(play.host(host))),
            Self::Segments(host, which) => {
                let segments: &[u32] = [&[0][..], &[1], &[0, 1], &[]][usize::from(which) % 4];
                stage.world().set_segments(play.host(host), segments);
            }
            Self::Send(host, to, count) => {
                let host = play.host(host);
                if stage.is_running(host) {
                    let texts = play.texts(usize::from(count));
                    stage.send_all(host, DESTINATIONS[usize::from(to) % DESTINATIONS.len()], texts);
                }
            }
            Self::Sleep(host) => stage.sleep(play.host(host)),
            Self::Slow(host, rate) => {
                stage.world().slow(play.host(host), Some(u64::from(rate)).filter(|rate| *rate > 0));
            }
            Self::Stop(host) => {
                let host = play.host(host);
                if play.clients.contains(&host) {
                    stage.stop(host);
                }
            }
            Self::Stranger(mischief, host, seed) => {
                let host = play.host(host);
                play.stranger(stage).act(stage, mischief, host, seed.into());
            }
            Self::Subscribe(host, pattern) => play.subscribe(stage, host, pattern, Acking::Automatic),
            Self::SubscribeOnly(host, pattern) => play.subscribe(stage, host, pattern, Acking::Manual),
            Self::Unsubscribe(host, place) => {
                let host = play.host(host);
                let open = stage.open_consumers(host);
                if stage.is_running(host) && !open.is_empty() {
                    stage.unsubscribe(open[usize::from(place) % open.len()]);
                }
            }
            Self::Wait(millis) => stage.run_for(Duration::from_millis(millis.into())),
        }
    }
}

/// A scenario as it is played.
#[derive(Debug)]
pub(crate) struct Play {
    hosts: Vec<HostId>,
    clients: Vec<HostId>, // Among them.
    hops_max: u32,
    limits: Limits,
    texts: u64,
    stranger: Option<Stranger>,
}

impl Play {
    pub(crate) fn new(hops_max: u32, limits: Limits) -> Self {
        Self { hosts: Vec::new(), clients: Vec::new(), hops_max, limits, texts: 0, stranger: None }
    }

    pub(crate) fn add_host(&mut self, stage: &mut Stage, group: u8) {
        self.add(stage, |name| Config::peer(GROUPS[usize::from(group) % GROUPS.len()], name));
    }

    pub(crate) fn add_broker(&mut self, stage: &mut Stage, group: u8) {
        self.add(stage, |name| {
            // Always at the same port: one that is started anew takes the place of the one before.
            let listen = Some(format!("tcp://0.0.0.0:{PORT}").parse().expect("an address"));
            Config { listen, ..Config::broker(GROUPS[usize::from(group) % GROUPS.len()], name) }
        });
    }

    pub(crate) fn add_client(&mut self, stage: &mut Stage, wanted: Client) {
        let mut config = client(GROUPS[0], wanted.fanout());
        if wanted.is_told {
            let alone = self.hosts.iter().filter(|host| stage.config(**host).role == Role::Broker);
            config.peers = alone.map(|host| at_port(*host)).collect();
            config.multicast = None;
        }
        let added = self.add(stage, |_| config);
        self.clients.extend(added);
    }

    fn add(&mut self, stage: &mut Stage, config: impl FnOnce(String) -> Config) -> Option<HostId> {
        if self.hosts.len() >= HOSTS_MAX {
            return None;
        }
        let config = config(format!("b{}", self.hosts.len()));
        let host = stage.host(self.limits.apply(config, self.hops_max));
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
    fn stranger(&mut self, stage: &mut Stage) -> &mut Stranger {
        self.stranger.get_or_insert_with(|| Stranger::new(stage))
    }

    pub(crate) fn dismiss_stranger(&mut self, stage: &mut Stage) {
        if let Some(stranger) = self.stranger.take() {
            stranger.leave(stage);
        }
    }

    fn host(&self, place: u8) -> HostId {
        self.hosts[usize::from(place) % self.hosts.len()]
    }

    fn between(&self, a: u8, b: u8, then: impl FnOnce(HostId, HostId)) {
        let (a, b) = (self.host(a), self.host(b));
        if a != b {
            then(a, b);
        }
    }

    fn subscribe(&self, stage: &mut Stage, host: u8, pattern: u8, acking: Acking) {
        let host = self.host(host);
        if stage.is_running(host) && stage.open_consumers(host).len() < CONSUMERS_MAX {
            stage.subscribe_with(host, PATTERNS[usize::from(pattern) % PATTERNS.len()], acking, None);
        }
    }
}

impl Client {
    pub(crate) fn draw(choice: &mut Choice<'_>) -> Self {
        Self {
            acks_min: choice.pick(&[2, 2, 1, 3]),
            replicates_queues: choice.chance(1, 3),
            checks_duplicates: !choice.chance(1, 4),
            is_told: choice.chance(1, 3),
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

impl Limits {
    fn apply(self, mut config: Config, hops_max: u32) -> Config {
        config.bridge.message_hops_max = hops_max;
        config.bridge.demand_hops_max = hops_max;
        if self == Self::Tight {
            config.broker.queue_prefetch = 2;
            config.broker.topic_prefetch = 3;
            config.broker.producer_window = 8;
            config.broker.queue_bytes_max = 1_000;
            config.broker.topic_bytes_max = 1_000;
            config.bridge.prefetch = 2;
            config.bridge.topic_prefetch = 3;
            config.bridge.window = 2_000;
            config.fanout.memory_max = 4_000;
            config.fanout.window = 2_000;
            config.remote.window = 2_000;
            config.remote.parked_bytes_max = 16_000;
            config.link.window = 256;
            config.link.backlog_max = 16 * 1024;
            config.link.slots = 2;
        }
        config
    }
}

/// Where a broker that stands alone listens.
pub(crate) fn at_port(host: HostId) -> Address {
    Address { host: Host::Ip(host.ip().into()), port: PORT }
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
const DAY: i32 = 24 * 60 * 60 * 1_000;
const CONSUMERS_MAX: usize = 8;
