//! How much room there is in a scenario: each limit is there or as by default, so that a few are also met alone.

use std::time::Duration;

use flockmq_core::{BrokerConfig, Config, DestinationPolicy, Role, SlowConsumers, WhenFull};

use crate::choice::Choice;

/// One thing that is not as by default, for all hosts that it concerns. Bugs live at limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many bytes may wait for the network on one link, and an eighth of them be on their way to one neighbour.
    Backlog(u32),
    /// So many messages may be on their way for one demand.
    BridgePrefetch(u32),
    /// So many bytes of messages may be on their way to one peer.
    BridgeWindow(u32),
    /// So many bytes may a client hold, and a quarter of them be on their way to one target.
    FanoutMemory(u32),
    /// So many bytes may a client have on their way to one target, and eight times as many wait there for room.
    FanoutWindow(u32),
    /// So many bytes may wait at one destination, whatever else is said of those of its kind.
    DestinationBytes(u32),
    /// Every second host that is no peer takes no frames larger than this, and so no messages of 4 KiB less.
    FrameBytes(u32),
    /// Destinations are forgotten where nothing has happened for so many milliseconds.
    Forgotten(u32),
    /// So many links may there be.
    Links(u8),
    /// So many bytes may be with a link's driver.
    LinkWindow(u32),
    /// So many bytes may wait in a broker.
    Memory(u32),
    /// Every second broker that stands alone takes no messages larger than this.
    MessageBytes(u32),
    /// A producer may have sent so many messages that are not accepted.
    ProducerWindow(u32),
    /// So many bytes may wait in one queue.
    QueueBytes(u32),
    /// The default prefetch of a queue's consumer.
    QueuePrefetch(u32),
    /// The first wait of those who dial and the longest, in milliseconds; the factor, and the jitter in percent.
    Reconnect(u32, u32, u32, u32),
    /// So many bytes may a client have been handed by one broker.
    RemoteWindow(u32),
    /// A peer is told so many selectors for one destination.
    Selectors(u8),
    /// So many services may be known.
    Services(u8),
    /// For so many milliseconds may the other end of a link be silent.
    Silence(u32),
    /// What becomes of a topic's consumers that are slow: those of `SLOW`.
    Slow(u8),
    /// So many slots does a listener have.
    Slots(u8),
    /// So many bytes may wait for one topic subscriber.
    TopicBytes(u32),
    /// The default prefetch of a topic's subscriber.
    TopicPrefetch(u32),
    /// Brokers look for no duplicates.
    Unchecked,
    /// What finds no room is refused after so many milliseconds; at once if 0.
    WhenFull(u32),
}

impl Limit {
    /// None at all, or each of them or not.
    pub fn draw_some(choice: &mut Choice<'_>) -> Vec<Self> {
        // How many of eight are there: few show what many hide.
        let eighths = choice.pick(&[0, 0, 1, 2, 4, 6]);
        if eighths == 0 {
            return Vec::new();
        }
        let draws: [fn(&mut Choice<'_>) -> Self; 21] = [
            |choice| Self::LinkWindow(choice.pick(&[64, 128, 256, 512])),
            |choice| Self::QueueBytes(choice.pick(&[1, 200, 1_000])),
            |choice| Self::QueuePrefetch(choice.pick(&[1, 2, 3])),
            |choice| Self::TopicBytes(choice.pick(&[1, 200, 1_000])),
            |choice| Self::TopicPrefetch(choice.pick(&[1, 2, 3])),
            |choice| Self::BridgePrefetch(choice.pick(&[1, 2, 3])),
            |choice| Self::BridgeWindow(choice.pick(&[1, 500, 2_000])),
            |choice| Self::Slots(choice.pick(&[1, 2])),
            |choice| Self::ProducerWindow(choice.pick(&[1, 8])),
            |choice| Self::FanoutMemory(choice.pick(&[500, 2_000, 16_000])),
            |choice| Self::FanoutWindow(choice.pick(&[1, 500, 2_000])),
            |choice| Self::RemoteWindow(choice.pick(&[1, 500, 2_000])),
            |choice| {
                Self::Reconnect(
                    choice.pick(&[10, 100, 1_000]),
                    choice.pick(&[1_000, 100, 30_000]),
                    choice.pick(&[2, 1, 3]),
                    choice.pick(&[20, 0, 50]),
                )
            },
            |choice| Self::Silence(choice.pick(&[1_000, 5_000])),
            |choice| Self::MessageBytes(choice.pick(&[10, 200])),
            |choice| Self::Backlog(choice.pick(&[16 * 1024, 64 * 1024, 6 * 1024])),
            |choice| Self::Links(choice.pick(&[8, 10])),
            |choice| Self::Services(choice.pick(&[7, 9])),
            |_| Self::Unchecked,
            |choice| Self::FrameBytes(choice.pick(&[4_500, 8_192])),
            |choice| Self::Selectors(choice.pick(&[1, 0, 2])),
        ];
        let mut limits = Vec::new();
        for draw in draws {
            if choice.chance(eighths, 8) {
                limits.push(draw(choice));
            }
        }
        limits
    }

    /// At least one of those that came to be drawn later.
    pub(crate) fn draw_policies(choice: &mut Choice<'_>) -> Vec<Self> {
        let draws: [fn(&mut Choice<'_>) -> Self; 5] = [
            |choice| Self::Memory(choice.pick(&[2_000, 500, 20_000])),
            |choice| Self::WhenFull(choice.pick(&[0, 300, 5_000])),
            |choice| Self::Slow(choice.place(SLOW.len())),
            |choice| Self::Forgotten(choice.pick(&[1_000, 100, 10_000])),
            |choice| Self::DestinationBytes(choice.pick(&[1_000, 100, 5_000])),
        ];
        let certain = choice.place(draws.len());
        let is_drawn = |at: usize, choice: &mut Choice<'_>| at == usize::from(certain) || choice.chance(1, 3);
        let mut limits = Vec::new();
        for (at, draw) in draws.into_iter().enumerate() {
            if is_drawn(at, choice) {
                limits.push(draw(choice));
            }
        }
        limits
    }

    /// The largest message that a broker takes of others, or that a client sends.
    pub(crate) fn message_max(config: &Config) -> u32 {
        let framed = match config.role {
            Role::Client => u32::MAX,
            Role::Broker | Role::Peer => config.link.frame_max.saturating_sub(FRAME_OVERHEAD),
        };
        let carried = u32::try_from(config.link.backlog_max / 2).unwrap_or(u32::MAX);
        config.broker.message_max.min(framed).min(carried)
    }

    /// Sets it in the config of the host that was added after `place` others.
    pub(crate) fn apply(self, config: &mut Config, place: usize) {
        let Config { bridge, broker, dial, fanout, link, remote, .. } = config;
        match self {
            Self::Backlog(bytes) => {
                let window = u64::from(bytes / 8);
                link.backlog_max = bytes.into();
                bridge.window = bridge.window.min(window);
                remote.window = remote.window.min(window);
                fanout.window = fanout.window.min(window);
            }
            Self::BridgePrefetch(count) => (bridge.prefetch, bridge.topic_prefetch) = (count, count),
            Self::BridgeWindow(bytes) => bridge.window = bytes.into(),
            Self::FanoutMemory(bytes) => {
                fanout.memory_max = bytes.into();
                fanout.window = fanout.window.min(u64::from(bytes / 4));
            }
            Self::FanoutWindow(bytes) => {
                fanout.window = fanout.window.min(bytes.into());
                remote.parked_bytes_max = u64::from(bytes) * 8 + 64 * 1024;
            }
            Self::FrameBytes(bytes) if config.role != Role::Peer && place % 2 == 1 => link.frame_max = bytes,
            Self::FrameBytes(_) => (),
            Self::Links(count) => link.links_max = count.into(),
            Self::LinkWindow(bytes) => link.window = bytes.into(),
            Self::MessageBytes(bytes) if config.role == Role::Broker && place % 2 == 1 => broker.message_max = bytes,
            Self::MessageBytes(_) => (),
            Self::Memory(bytes) => broker.memory_max = bytes.into(),
            Self::DestinationBytes(bytes) => every_policy(broker, |policy| policy.bytes_max = Some(bytes.into())),
            Self::Forgotten(millis) => {
                let after = Duration::from_millis(millis.into());
                every_policy(broker, |policy| policy.forgotten_after = Some(after));
            }
            Self::Slow(which) => {
                every_policy(broker, |policy| policy.slow_consumers = SLOW[usize::from(which) % SLOW.len()]);
            }
            Self::WhenFull(millis) => {
                let after = Duration::from_millis(millis.into());
                let when = if millis == 0 { WhenFull::Refuse } else { WhenFull::WaitFor(after) };
                every_policy(broker, |policy| policy.when_full = when);
            }
            Self::ProducerWindow(count) => broker.producer_window = count.into(),
            Self::QueueBytes(bytes) => broker.queue_bytes_max = bytes.into(),
            Self::QueuePrefetch(count) => broker.queue_prefetch = count,
            Self::Reconnect(first, max, factor, jitter) => {
                let millis = |count: u32| Duration::from_millis(count.into());
                let backoff = &mut dial.backoff;
                (backoff.first, backoff.max) = (millis(first), millis(max));
                (backoff.factor, backoff.jitter_percent) = (factor, jitter);
            }
            Self::RemoteWindow(bytes) => remote.window = bytes.into(),
            Self::Selectors(count) => bridge.selectors_max = count.into(),
            Self::Services(count) => {
                if let Some(multicast) = &mut config.multicast {
                    multicast.services_max = count.into();
                }
            }
            Self::Silence(millis) => link.silence_max = Duration::from_millis(millis.into()),
            Self::Slots(count) => link.slots = count.into(),
            Self::TopicBytes(bytes) => broker.topic_bytes_max = bytes.into(),
            Self::TopicPrefetch(count) => broker.topic_prefetch = count,
            Self::Unchecked => broker.checks_duplicates = false,
        }
    }
}

fn every_policy(config: &mut BrokerConfig, set: impl Fn(&mut DestinationPolicy)) {
    set(&mut config.policies.default);
    config.policies.entries.iter_mut().for_each(|entry| set(&mut entry.policy));
}

const SLOW: [SlowConsumers; 2] = [SlowConsumers::Disconnect, SlowConsumers::DropNewest];

/// How much more than a message its frame may be, in bytes, as the core reckons.
const FRAME_OVERHEAD: u32 = 4 * 1024;
