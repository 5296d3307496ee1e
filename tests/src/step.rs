//! Everything that can happen in a scenario. A step that makes no sense where it comes, such as sending from a host that
//! is down, does nothing, so that steps can be left out until only those remain that matter.

use std::time::Duration;

use flockmq_core::sim::{Faults, HostId, World};
use flockmq_core::{Ack, AckExtent, AckKind, Address, Config, ConsumerId, FanoutConfig, Host, Rng, Role, Tag};

use crate::application::Acking;
use crate::choice::{Choice, widen};
use crate::flavour::Deed;
use crate::limit::Limit;
use crate::stage::{Stage, client};
use crate::stranger::{Mischief, Stranger};
use crate::wish::configure;

/// Something that happens. Hosts, consumers and destinations are named by their place, counted round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A broker that stands alone joins, in the first or second group.
    AddBroker(u8),
    /// A host joins, in the first or second group.
    AddHost(u8),
    /// A machine's wall clock jumps by so many milliseconds.
    Clock(u8, i32),
    /// One of a host's consumers that acknowledge by hand acknowledges a delivery and all before it.
    Ack(u8, u8, u8),
    /// It acknowledges one delivery.
    AckOne(u8, u8, u8),
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
    /// Something that only scenarios with a flavour have.
    Do(Deed),
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
    /// One of a host's consumers that acknowledge by hand gives back a delivery and all before it.
    Release(u8, u8, u8),
    /// It gives back one delivery.
    ReleaseOne(u8, u8, u8),
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
    /// The same, of texts of so many bytes.
    SendSized(u8, u8, u8, u16),
    /// A host sends a message to each of so many topics, and then to the first few again.
    SendWide(u8, u16),
    /// All streams between two hosts are torn down, and only the first hears of it.
    Sever(u8, u8),
    /// A host's links take so many bytes a second; any number if 0.
    Slow(u8, u32),
    /// A host's node takes its leave.
    Stop(u8),
    /// Somebody makes mischief, perhaps at a host; every detail comes from this seed.
    Stranger(Mischief, u8, u16),
    /// A host subscribes to a pattern and acknowledges what comes.
    Subscribe(u8, u8),
    /// A host subscribes to a pattern with a prefetch of its own and acknowledges each delivery by itself, the last first.
    SubscribeBackwards(u8, u8, u8),
    /// A host subscribes to a pattern and acknowledges by hand, if at all.
    SubscribeOnly(u8, u8),
    /// A host subscribes to a pattern with a prefetch of its own and gives everything back once.
    SubscribeReluctantly(u8, u8, u8),
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
    /// How many attempts in a row to connect to a broker may fail before it gives that one up; any number if 0.
    pub attempts_max: u32,
    /// How long a send may take.
    pub send_timeout_millis: u32,
}

/// What is in the habit of happening in a scenario, and where: a few kinds of things at a few places show what all of
/// them together hide.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    kinds: Vec<Kind>, // Each as often as it is likely.
    destinations: &'static [u8],
    patterns: &'static [u8],
}

/// Steps that come together or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Answer,
    Arrive,
    Close,
    Crash,
    Cut,
    Detach,
    Disk,
    Faults,
    Leave,
    Machine,
    Pause,
    Reset,
    Send,
    SendSized,
    SendWide,
    Sever,
    Slow,
    Stranger,
    Subscribe,
    SubscribeOddly,
    Unsubscribe,
    Wait,
}

impl Habits {
    pub(crate) fn draw(choice: &mut Choice<'_>) -> Self {
        let has_all = choice.chance(1, 4);
        let mut kinds = Vec::new();
        for (kind, weight) in KINDS {
            if CONSTANT.contains(&kind) || has_all || choice.chance(1, 2) {
                kinds.resize(kinds.len() + weight, kind);
            }
        }
        let (destinations, patterns) = choice.pick(&FOCUS);
        Self { kinds, destinations, patterns }
    }

    pub(crate) fn destination(&self, choice: &mut Choice<'_>) -> u8 {
        choice.pick(self.destinations)
    }

    pub(crate) fn pattern(&self, choice: &mut Choice<'_>) -> u8 {
        choice.pick(self.patterns)
    }
}

impl Step {
    /// A step; hosts are drawn from `hosts`.
    pub(crate) fn draw(choice: &mut Choice<'_>, habits: &Habits, hosts: usize) -> Self {
        let kind = choice.pick(&habits.kinds);
        let host = choice.place(hosts);
        match kind {
            Kind::Answer => {
                let (consumer, delivery) = (choice.place(CONSUMERS_MAX), choice.place(8));
                match choice.below(4) {
                    0 => Self::AckOne(host, consumer, delivery),
                    1 => Self::Ack(host, consumer, delivery),
                    2 => Self::ReleaseOne(host, consumer, delivery),
                    _ => Self::Release(host, consumer, delivery),
                }
            }
            Kind::Arrive => match choice.below(2) {
                0 => Self::AddHost(choice.place(2)),
                _ => Self::AddBroker(choice.place(2)),
            },
            Kind::Close => Self::CloseProducer(host, habits.destination(choice)),
            Kind::Crash => match choice.below(2) {
                0 => Self::Crash(host),
                _ => Self::Restart(host),
            },
            Kind::Cut => {
                let other = choice.place(hosts);
                match choice.below(4) {
                    0 => Self::CutOneWay(host, other),
                    1 => Self::Cut(host, other),
                    _ => Self::Heal(host, other),
                }
            }
            Kind::Detach => Self::Detach(host),
            Kind::Disk => match choice.below(5) {
                0 => Self::Record(host),
                1 => Self::RestartEmpty(host),
                2 => Self::Rot(host),
                3 => Self::DiskRoom(host, choice.pick(&[0, 1 << 10, 1 << 14, 1 << 30])),
                _ => Self::Clock(host, choice.pick(&[DAY, -DAY, 3_600_000, -1_000])),
            },
            Kind::Faults => match choice.below(2) {
                0 => Self::Faults(choice.below(1 << 16)),
                _ => Self::Quiet,
            },
            Kind::Leave => Self::Stop(host),
            Kind::Machine => match choice.below(3) {
                0 => Self::PowerOff(host),
                1 => Self::Sleep(host),
                _ => Self::Segments(host, choice.place(4)),
            },
            Kind::Pause => match choice.below(2) {
                0 => Self::Pause(host),
                _ => Self::Resume(host),
            },
            Kind::Reset => Self::Reset(host, choice.place(hosts)),
            Kind::Send => Self::Send(host, habits.destination(choice), 1 + choice.place(20)),
            Kind::SendSized => {
                let (to, size) = (habits.destination(choice), choice.pick(&[0, 1, 100, 300, 700, 1_500, 9_000]));
                // At most what the slowest host reads within a few seconds.
                let count = 1 + choice.place(usize::from((20_000 / size.max(1)).min(20)));
                Self::SendSized(host, to, count, size)
            }
            Kind::SendWide => Self::SendWide(host, choice.pick(&[20, 20, 20, 1_100])),
            Kind::Sever => Self::Sever(host, choice.place(hosts)),
            Kind::Slow => Self::Slow(host, choice.pick(&[0, 1 << 12, 1 << 14, 1 << 18])),
            Kind::Stranger => {
                let seed = u16::try_from(choice.below(1 << 16)).expect("16 bits");
                Self::Stranger(choice.pick(&Mischief::ALL), host, seed)
            }
            Kind::Subscribe => match choice.below(3) {
                0 => Self::SubscribeOnly(host, habits.pattern(choice)),
                _ => Self::Subscribe(host, habits.pattern(choice)),
            },
            Kind::SubscribeOddly => {
                let (pattern, prefetch) = (habits.pattern(choice), choice.place(4));
                match choice.below(2) {
                    0 => Self::SubscribeBackwards(host, pattern, prefetch),
                    _ => Self::SubscribeReluctantly(host, pattern, prefetch),
                }
            }
            Kind::Unsubscribe => Self::Unsubscribe(host, choice.place(CONSUMERS_MAX)),
            Kind::Wait => Self::Wait(1 << choice.below(16)),
        }
    }

    /// Lets it happen.
    pub(crate) fn perform(self, stage: &mut Stage, play: &mut Play) {
        match self {
            Self::AddBroker(group) => play.add_broker(stage, group),
            Self::AddHost(group) => play.add_host(stage, group),
            Self::Clock(host, millis) => stage.world().shift_wall_clock(play.host(host), millis.into()),
            Self::Ack(host, consumer, delivery) => {
                play.answer(stage, [host, consumer, delivery], AckExtent::UpTo, AckKind::Accepted);
            }
            Self::AckOne(host, consumer, delivery) => {
                play.answer(stage, [host, consumer, delivery], AckExtent::Individual, AckKind::Accepted);
            }
            Self::CloseProducer(host, to) => {
                let (host, to) = (play.host(host), DESTINATIONS[usize::from(to) % DESTINATIONS.len()]);
                if play.clients.contains(&host) && stage.is_running(host) && stage.is_producing(host, to) {
                    stage.close_producer(host, to);
                }
            }
            Self::Crash(host) => stage.crash(play.host(host)),
            Self::Cut(a, b) => play.between(stage, a, b, World::cut),
            Self::CutOneWay(a, b) => play.between(stage, a, b, World::cut_one_way),
            Self::Detach(host) => {
                let host = play.host(host);
                if play.clients.contains(&host) && stage.is_running(host) {
                    stage.detach(host);
                }
            }
            Self::DiskRoom(host, bytes) => stage.world().set_disk_room(play.host(host), Some(bytes.into())),
            Self::Do(deed) => deed.perform(stage, play),
            Self::Faults(seed) => stage.world().set_faults(Faults::draw(&mut Rng::new(widen(seed)))),
            Self::Heal(a, b) => play.between(stage, a, b, World::heal),
            Self::Pause(host) => stage.pause(play.host(host)),
            Self::PowerOff(host) => stage.power_off(play.host(host)),
            Self::Quiet => stage.world().set_faults(Faults::default()),
            Self::Record(host) => {
                stage.world().record();
                stage.restart(play.host(host));
            }
            Self::Release(host, consumer, delivery) => {
                play.answer(stage, [host, consumer, delivery], AckExtent::UpTo, AckKind::Released);
            }
            Self::ReleaseOne(host, consumer, delivery) => {
                play.answer(stage, [host, consumer, delivery], AckExtent::Individual, AckKind::Released);
            }
            Self::Reset(a, b) => play.between(stage, a, b, World::reset),
            Self::Restart(host) => stage.restart(play.host(host)),
            Self::RestartEmpty(host) => stage.restart_empty(play.host(host)),
            Self::Resume(host) => stage.resume(play.host(host)),
            Self::Rot(host) => drop(stage.world().rot_disk(play.host(host))),
            Self::Segments(host, which) => {
                let segments: &[u32] = [&[0][..], &[1], &[0, 1], &[]][usize::from(which) % 4];
                stage.world().set_segments(play.host(host), segments);
            }
            Self::Send(host, to, count) => {
                let texts = play.texts(usize::from(count));
                play.send(stage, host, to, texts);
            }
            Self::SendSized(host, to, count, size) => {
                let sized = |text: String| format!("{text:.<width$.width$}", width = usize::from(size));
                let texts = play.texts(usize::from(count)).into_iter().map(sized).collect();
                play.send(stage, host, to, texts);
            }
            Self::SendWide(host, count) => {
                let host = play.host(host);
                let count = if play.clients.contains(&host) { count.min(ROUTES_MAX) } else { count };
                if stage.is_running(host) {
                    for topic in (0..count).chain(0..count.min(AGAIN)) {
                        stage.send_all(host, &format!("topic://wide.{topic}"), play.texts(1));
                    }
                }
            }
            Self::Sever(a, b) => play.between(stage, a, b, World::sever),
            Self::Sleep(host) => stage.sleep(play.host(host)),
            Self::Slow(host, rate) => {
                stage.slow(play.host(host), Some(u64::from(rate)).filter(|rate| *rate > 0));
            }
            Self::Stop(host) => stage.stop(play.host(host)),
            Self::Subscribe(host, pattern) => play.subscribe(stage, host, pattern, Acking::Automatic, 0),
            Self::SubscribeBackwards(host, pattern, prefetch) => {
                play.subscribe(stage, host, pattern, Acking::Backwards, prefetch);
            }
            Self::SubscribeOnly(host, pattern) => play.subscribe(stage, host, pattern, Acking::Manual, 0),
            Self::SubscribeReluctantly(host, pattern, prefetch) => {
                play.subscribe(stage, host, pattern, Acking::Reluctant, prefetch);
            }
            Self::Stranger(mischief, host, seed) => {
                let host = play.host(host);
                play.stranger(stage).act(stage, mischief, host, seed.into());
            }
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
    limits: Vec<Limit>,
    texts: u64,
    stranger: Option<Stranger>,
}

impl Play {
    pub(crate) fn new(hops_max: u32, limits: Vec<Limit>) -> Self {
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
        config.dial.backoff.attempts_max = Some(wanted.attempts_max).filter(|max| *max > 0);
        let added = self.add(stage, |_| config);
        self.clients.extend(added);
    }

    fn add(&mut self, stage: &mut Stage, config: impl FnOnce(String) -> Config) -> Option<HostId> {
        if self.hosts.len() >= HOSTS_MAX {
            return None;
        }
        let mut config = config(format!("b{}", self.hosts.len()));
        config.bridge.message_hops_max = self.hops_max;
        config.bridge.demand_hops_max = self.hops_max;
        config.broker.producers_max = PRODUCERS_MAX;
        config.broker.audit_producers_max = PRODUCERS_MAX * HOSTS_MAX;
        config.fanout.audit_producers_max = PRODUCERS_MAX * HOSTS_MAX;
        // The oracle has everything come back, and before whatever is handed out later.
        let redelivery = &mut config.broker.policies.default.redelivery;
        (redelivery.redeliveries_max, redelivery.first_delay, redelivery.delay) =
            (None, Duration::ZERO, Duration::ZERO);
        configure(&mut config.broker);
        for limit in &self.limits {
            limit.apply(&mut config, self.hosts.len());
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

    /// Lets nothing pass between two hosts, ever.
    pub(crate) fn wall_off(&self, stage: &mut Stage, a: u8, b: u8) {
        let (a, b) = (self.host(a), self.host(b));
        if a != b {
            stage.wall_off(a, b);
        }
    }

    fn between(&self, stage: &mut Stage, a: u8, b: u8, then: impl FnOnce(&mut World, HostId, HostId)) {
        let (a, b) = (self.host(a), self.host(b));
        if a != b && !stage.is_walled_off(a, b) {
            then(stage.world(), a, b);
        }
    }

    /// Answers a delivery that is outstanding; host, consumer and delivery are named by their places.
    fn answer(&self, stage: &mut Stage, places: [u8; 3], extent: AckExtent, kind: AckKind) {
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

    fn send(&self, stage: &mut Stage, host: u8, to: u8, texts: Vec<String>) {
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
    fn subscribe(&self, stage: &mut Stage, host: u8, pattern: u8, acking: Acking, prefetch: u8) {
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

/// Where messages are sent.
pub(crate) const DESTINATIONS: [&str; 6] = [
    "topic://prices.gold",
    "queue://orders",
    "queue://orders.eu",
    "topic://prices.eu.gold",
    "topic://news",
    "queue://jobs",
];

/// Which destinations and patterns a scenario keeps to: all, a family or one of either kind.
const FOCUS: [(&[u8], &[u8]); 6] = [
    (&[0, 1, 2, 3, 4, 5], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    (&[1, 2], &[1, 2, 8]),
    (&[1, 2], &[8]),
    (&[0, 3], &[0, 3, 6, 7]),
    (&[5], &[5]),
    (&[4, 5], &[4, 5, 9]),
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
/// One for each destination, however many there are.
const PRODUCERS_MAX: usize = 2_048;
/// To how many topics a client may send beside the other destinations.
const ROUTES_MAX: u16 = 1_000;
/// How many topics are sent to twice.
const AGAIN: u16 = 40;

/// What may happen, and how likely each is beside the others.
const KINDS: [(Kind, usize); 22] = [
    (Kind::Wait, 12),
    (Kind::Send, 12),
    (Kind::Subscribe, 6),
    (Kind::SendSized, 8),
    (Kind::SubscribeOddly, 3),
    (Kind::Answer, 8),
    (Kind::Unsubscribe, 4),
    (Kind::Faults, 4),
    (Kind::Crash, 4),
    (Kind::Reset, 4),
    (Kind::Cut, 8),
    (Kind::Pause, 4),
    (Kind::Slow, 3),
    (Kind::Sever, 3),
    (Kind::Close, 2),
    (Kind::Detach, 2),
    (Kind::Leave, 2),
    (Kind::Arrive, 2),
    (Kind::SendWide, 1),
    (Kind::Machine, 4),
    (Kind::Disk, 3),
    (Kind::Stranger, 4),
];

/// Without these nothing happens.
const CONSTANT: [Kind; 3] = [Kind::Wait, Kind::Send, Kind::Subscribe];
