//! One machine of a world: the process on it, its clock, and what its application was told.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

use super::agenda::Happening;
use super::disk::Disk;
use super::fault::Faults;
use super::tape::Tape;
use crate::{Config, Event, Input, Instant, Node, Output, Rng, Seed};

/// Names a host of a world: its place in the order in which hosts were added, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

impl HostId {
    /// Its address on the network: 10.0.0.1 for the first, and so on.
    pub fn ip(self) -> Ipv4Addr {
        let [_, _, high, low] = (self.0 + 1).to_be_bytes();
        Ipv4Addr::new(10, 0, high, low)
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "h{}", self.0)
    }
}

/// One run of a host's program; what is meant for an earlier one must not reach a later one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) host: HostId,
    pub(super) incarnation: u32,
}

/// What runs on a host.
#[derive(Debug)]
pub(super) enum Program {
    /// Nothing, after a crash.
    Absent,
    /// A node.
    Node(Box<Node>),
    /// The test itself, which reads what it was told.
    Puppet(Vec<(Instant, Input)>),
}

/// A machine.
#[derive(Debug)]
pub(super) struct Host {
    /// What its nodes are started with; none for a puppet.
    pub(super) config: Option<Config>,
    pub(super) process: Process,
    pub(super) program: Program,
    pub(super) clock: Clock,
    /// The wake that is on the agenda: what it was wanted for, and when it comes.
    pub(super) wake: Option<(Instant, Instant)>,
    pub(super) is_paused: bool,
    /// By how many milliseconds the machine's wall clock is ahead.
    pub(super) wall_ahead: i64,
    /// True once the application was told that its node has stopped.
    pub(super) is_stopped: bool,
    /// What happened while it was paused.
    pub(super) deferred: Vec<Happening>,
    pub(super) events: Vec<(Instant, Event)>,
    /// One for each time its node was started, if it is recorded.
    pub(super) tapes: Vec<Tape>,
    pub(super) disk: Disk,
    /// Chance for faults of the machine itself, apart from that of its nodes.
    pub(super) whims: Rng,
    seeds: Rng,
}

impl Host {
    pub(super) fn new(process: Process, config: Option<Config>, disk: Disk, mut rng: Rng) -> Self {
        Self {
            config,
            process,
            program: Program::Absent,
            clock: Clock::default(),
            wake: None,
            is_paused: false,
            wall_ahead: 0,
            is_stopped: false,
            deferred: Vec::new(),
            events: Vec::new(),
            tapes: Vec::new(),
            disk,
            whims: rng.fork(),
            seeds: rng,
        }
    }

    /// Starts a new process; the seed its node was given, if it is a node.
    pub(super) fn start(&mut self, now: Instant, process: Process, faults: &Faults) -> Option<Seed> {
        let drift = self.draw_error(faults.drift_ppm_max.into());
        self.clock = Clock { origin: now, rate: (1_000_000 + drift).max(1).cast_unsigned() };
        if !faults.wall_skew_max.is_zero() {
            let skew_max = i64::try_from(faults.wall_skew_max.as_millis()).unwrap_or(i64::MAX / 4);
            self.wall_ahead = self.draw_error(skew_max);
        }
        self.process = process;
        self.wake = None;
        self.is_stopped = false;
        let Some(config) = &self.config else {
            self.program = Program::Puppet(Vec::new());
            return None;
        };
        let seed = Seed(self.seeds.next_u128());
        self.program = Program::Node(Box::new(Node::new(config.clone(), seed, self.clock.read(now))));
        Some(seed)
    }

    /// A number from `-max` to `max`; draws nothing if that is 0.
    fn draw_error(&mut self, max: i64) -> i64 {
        let width = max.cast_unsigned() * 2 + 1;
        if max == 0 { 0 } else { self.whims.below(width).cast_signed() - max }
    }

    pub(super) fn node(&self) -> Option<&Node> {
        match &self.program {
            Program::Absent | Program::Puppet(_) => None,
            Program::Node(node) => Some(node),
        }
    }

    pub(super) fn poll_output(&mut self) -> Option<Output> {
        match &mut self.program {
            Program::Absent | Program::Puppet(_) => None,
            Program::Node(node) => node.poll_output(),
        }
    }

    /// When its node wants to be woken, by the world's clock.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.node().and_then(Node::poll_timeout).map(|at| self.clock.when(at))
    }
}

/// A process's own clock, which may run too fast or too slow. It agrees with the world's when the process starts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    origin: Instant,
    rate: u64, // Nanoseconds in a true millisecond.
}

impl Default for Clock {
    fn default() -> Self {
        Self { origin: Instant::ZERO, rate: MILLISECOND }
    }
}

impl Clock {
    /// What it reads at `now`.
    pub(super) fn read(&self, now: Instant) -> Instant {
        if self.rate == MILLISECOND {
            return now;
        }
        let past = u128::from(now.as_nanos() - self.origin.as_nanos());
        self.later(past * u128::from(self.rate) / u128::from(MILLISECOND))
    }

    /// The first moment at which it reads `reading` or later.
    pub(super) fn when(&self, reading: Instant) -> Instant {
        if self.rate == MILLISECOND {
            return reading;
        }
        let past = u128::from(reading.as_nanos().saturating_sub(self.origin.as_nanos()));
        self.later((past * u128::from(MILLISECOND)).div_ceil(u128::from(self.rate)))
    }

    fn later(&self, nanos: u128) -> Instant {
        Instant::from_nanos(self.origin.as_nanos().saturating_add(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

const MILLISECOND: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_clock_reads_what_was_waited_for_no_earlier_and_no_later(
            origin in 0_u64..1 << 40, rate in 900_000_u64..1_100_000, wait in 0_u64..1 << 50,
        ) {
            let clock = Clock { origin: Instant::from_nanos(origin), rate };
            let reading = Instant::from_nanos(origin + wait);
            let when = clock.when(reading);
            prop_assert!(clock.read(when) >= reading);
            if when > clock.origin {
                prop_assert!(clock.read(Instant::from_nanos(when.as_nanos() - 1)) < reading);
            }
        }
    }
}
