//! What is to happen in a world, as text for people: a line for each step, which reads as it is written.
//!
//! ```text
//! host a peer://group/a                  # a peer; 'fanout:(…)?…' is a client, and
//! broker b group                         # a broker stands alone
//! subscribe a topic://prices.>
//! run 5s                                 # nothing takes time but this
//! faults loss=5% delay=1ms..20ms
//! send b topic://prices.gold "a text" 100 times every 10ms
//! cut a -> b
//! run 500ms
//! heal
//! ```

mod draw;
mod parse;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::time::Duration;

pub use parse::{ScriptError, ScriptFault};

use super::{Delay, Faults};
use crate::{Config, Destination, Role};

/// Steps to be played in a world by a [`Play`](super::Play). Parses from and prints as lines.
///
/// ```
/// use flockmq_core::sim::Script;
///
/// let script: Script = "host a peer://group # The first.\nrun   5s".parse()?;
/// assert_eq!(script.to_string(), "host a peer://group\nrun 5s\n");
/// let error = "host a peer://group\nrun 5x".parse::<Script>().expect_err("no duration");
/// assert_eq!(error.to_string(), "line 2, column 5: '5x' can't stand here; expected a duration: 500ms, 5s, 2m");
/// # Ok::<(), flockmq_core::sim::ScriptError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// The steps, in order.
    pub steps: Vec<ScriptStep>,
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

/// One thing to do to a world. Hosts go by the names that the script gives them.
#[derive(Clone, Debug, PartialEq)]
pub enum ScriptStep {
    /// `answer HOST DESTINATION`: its application takes what comes for this, and answers what asks for an answer.
    Answer(String, Destination),
    /// `clock HOST -DURATION`: its wall clock jumps back.
    ClockBack(String, Duration),
    /// `clock HOST +DURATION`: its wall clock jumps ahead.
    ClockForward(String, Duration),
    /// `crash HOST`: its process ends without a word.
    Crash(String),
    /// `cut A B`: nothing gets through between them.
    Cut(String, String),
    /// `cut A -> B`: nothing gets from one to the other.
    CutOneWay(String, String),
    /// `faults loss=5% …`, `faults none`: what goes wrong by chance from now on. What is not named does not.
    Faults(Box<Faults>),
    /// `heal`: every cut ends.
    Heal,
    /// `heal A B`: the cuts between them end.
    HealBetween(String, String),
    /// `partition HOST …`: nothing gets through between these and all others.
    Partition(Vec<String>),
    /// `pause HOST`: its process stops in its tracks.
    Pause(String),
    /// `power-off HOST`: its machine goes off, and nobody hears of it.
    PowerOff(String),
    /// `request HOST DESTINATION TEXT`, as `send`: messages that ask for an answer.
    Request(ScriptSend),
    /// `reset A B`: all streams between them are torn down.
    Reset(String, String),
    /// `restart HOST`: its process starts anew, with the subscriptions it had.
    Restart(String),
    /// `restart HOST empty`: the same, with a new and empty disk.
    RestartEmpty(String),
    /// `resume HOST`: its process goes on, or its machine wakes.
    Resume(String),
    /// `run DURATION`: time passes.
    Run(Duration),
    /// `segment HOST NUMBER …`, `segment HOST none`: multicasts reach only those that share a segment. All begin on 0.
    Segments(String, Vec<u32>),
    /// `send HOST DESTINATION TEXT`, `… 100 times`, `… 100 times every 10ms`: at once, or while time passes.
    Send(ScriptSend),
    /// `sleep HOST`: its machine falls asleep, until it is resumed.
    Sleep(String),
    /// `slow HOST BYTES`, `slow HOST off`: each link of it takes no more than so many bytes a second.
    Slow(String, Option<u64>),
    /// `host NAME URI`, `broker NAME GROUP[?OPTIONS]`: a host is added, and a node starts on it.
    Start {
        /// What the host is called.
        name: String,
        /// The URI of a peer or client; the group of a broker, with options.
        place: String,
        /// What its node is started with.
        config: Box<Config>,
    },
    /// `stop HOST`: its node takes its leave.
    Stop(String),
    /// `subscribe HOST DESTINATION`: its application takes what comes for this.
    Subscribe(String, Destination),
    /// `unsubscribe HOST DESTINATION`: its application takes no more of it.
    Unsubscribe(String, Destination),
}

/// Messages that an application sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptSend {
    /// Whose application sends.
    pub host: String,
    /// Where to.
    pub destination: Destination,
    /// What.
    pub text: String,
    /// How often.
    pub times: u32,
    /// How long to wait after each; all at once if `None`.
    pub every: Option<Duration>,
}

impl fmt::Display for ScriptStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(host, destination) => write!(f, "answer {host} {}", Said(destination)),
            Self::ClockBack(host, duration) => write!(f, "clock {host} -{}", Said(duration)),
            Self::ClockForward(host, duration) => write!(f, "clock {host} +{}", Said(duration)),
            Self::Crash(host) => write!(f, "crash {host}"),
            Self::Cut(a, b) => write!(f, "cut {a} {b}"),
            Self::CutOneWay(from, to) => write!(f, "cut {from} -> {to}"),
            Self::Faults(faults) => Said(faults.as_ref()).fmt(f),
            Self::Heal => f.write_str("heal"),
            Self::HealBetween(a, b) => write!(f, "heal {a} {b}"),
            Self::Partition(side) => {
                f.write_str("partition")?;
                side.iter().try_for_each(|host| write!(f, " {host}"))
            }
            Self::Pause(host) => write!(f, "pause {host}"),
            Self::PowerOff(host) => write!(f, "power-off {host}"),
            Self::Request(send) => write!(f, "request {}", Said(send)),
            Self::Reset(a, b) => write!(f, "reset {a} {b}"),
            Self::Restart(host) => write!(f, "restart {host}"),
            Self::RestartEmpty(host) => write!(f, "restart {host} empty"),
            Self::Resume(host) => write!(f, "resume {host}"),
            Self::Run(duration) => write!(f, "run {}", Said(duration)),
            Self::Segments(host, segments) if segments.is_empty() => write!(f, "segment {host} none"),
            Self::Segments(host, segments) => {
                write!(f, "segment {host}")?;
                segments.iter().try_for_each(|segment| write!(f, " {segment}"))
            }
            Self::Send(send) => write!(f, "send {}", Said(send)),
            Self::Sleep(host) => write!(f, "sleep {host}"),
            Self::Slow(host, Some(bytes)) => write!(f, "slow {host} {bytes}"),
            Self::Slow(host, None) => write!(f, "slow {host} off"),
            Self::Start { name, place, config } => {
                let word = if config.role == Role::Broker { "broker" } else { "host" };
                write!(f, "{word} {name} {}", Said(place.as_str()))
            }
            Self::Stop(host) => write!(f, "stop {host}"),
            Self::Subscribe(host, destination) => write!(f, "subscribe {host} {}", Said(destination)),
            Self::Unsubscribe(host, destination) => write!(f, "unsubscribe {host} {}", Said(destination)),
        }
    }
}

/// A part of a step, as it is written.
struct Said<'a, T: ?Sized>(&'a T);

impl fmt::Display for Said<'_, Destination> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Said(alloc::format!("{}", self.0).as_str()).fmt(f)
    }
}

impl fmt::Display for Said<'_, ScriptSend> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ScriptSend { host, destination, text, times, every } = self.0;
        write!(f, "{host} {} {}", Said(destination), Said(text.as_str()))?;
        if *times != 1 || every.is_some() {
            write!(f, " {times} times")?;
        }
        every.iter().try_for_each(|every| write!(f, " every {}", Said(every)))
    }
}

impl fmt::Display for Said<'_, Duration> {
    /// In the largest unit that it is a whole number of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let fits = |(_, unit): &&(&str, u64)| nanos.is_multiple_of(u128::from(*unit));
        let whole = if nanos == 0 { None } else { UNITS.iter().rev().find(fits) };
        match whole {
            Some((name, unit)) => write!(f, "{}{name}", nanos / u128::from(*unit)),
            None => f.write_str("0s"),
        }
    }
}

impl fmt::Display for Said<'_, str> {
    /// As it is if it is one word, and else in quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |letter: char| !letter.is_whitespace() && !letter.is_control() && !matches!(letter, '"' | '\\');
        if !self.0.is_empty() && !self.0.starts_with('#') && self.0.chars().all(is_plain) {
            return f.write_str(self.0);
        }
        f.write_char('"')?;
        for letter in self.0.chars() {
            match ESCAPES.iter().find(|(_, meant)| *meant == letter) {
                Some((written, _)) => write!(f, "\\{written}")?,
                None => f.write_char(letter)?,
            }
        }
        f.write_char('"')
    }
}

impl fmt::Display for Said<'_, Delay> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", Said(&self.0.min), Said(&self.0.max))
    }
}

impl fmt::Display for Said<'_, Faults> {
    /// What is not as on a quiet network.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (faults, quiet) = (self.0, Faults::default());
        f.write_str("faults")?;
        if *faults == quiet {
            return f.write_str(" none");
        }
        let (datagram, stream) = (faults.datagram_delay, faults.stream_delay);
        if datagram == stream && datagram != quiet.datagram_delay {
            write!(f, " delay={}", Said(&datagram))?;
        } else if datagram != quiet.datagram_delay {
            write!(f, " datagram-delay={}", Said(&datagram))?;
        }
        if datagram != stream && stream != quiet.stream_delay {
            write!(f, " stream-delay={}", Said(&stream))?;
        }
        if faults.local_delay != quiet.local_delay {
            write!(f, " local-delay={}", Said(&faults.local_delay))?;
        }
        if faults.disk_delay != quiet.disk_delay {
            write!(f, " disk-delay={}", Said(&faults.disk_delay))?;
        }
        for (name, ppm) in [
            ("loss", faults.datagram_loss_ppm),
            ("duplication", faults.datagram_duplication_ppm),
            ("reordering", faults.datagram_reordering_ppm),
            ("reset", faults.reset_ppm),
            ("timeouts", faults.spurious_timeout_ppm),
            ("drift", faults.drift_ppm_max),
            ("disk-failure", faults.disk_failure_ppm),
        ] {
            if ppm > 0 {
                write!(f, " {name}={}", Percent(ppm))?;
            }
        }
        if !faults.lateness_max.is_zero() {
            write!(f, " lateness={}", Said(&faults.lateness_max))?;
        }
        if !faults.wall_skew_max.is_zero() {
            write!(f, " wall-skew={}", Said(&faults.wall_skew_max))?;
        }
        if faults.buffer != quiet.buffer {
            write!(f, " buffer={}", faults.buffer)?;
        }
        faults.chunk_max.iter().try_for_each(|max| write!(f, " chunk={max}"))
    }
}

/// Parts per million as a percentage.
struct Percent(u32);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        write!(f, "{whole}.{}%", alloc::format!("{rest:04}").trim_end_matches('0'))
    }
}

/// Units of time with their nanoseconds, each a multiple of the one before.
const UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// What stands after a backslash in quotes, and what it means.
const ESCAPES: [(char, char); 5] = [('"', '"'), ('\\', '\\'), ('n', '\n'), ('r', '\r'), ('t', '\t')];

#[cfg(test)]
mod tests;
