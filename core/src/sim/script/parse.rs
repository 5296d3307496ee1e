//! The way from lines to steps.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Range, RangeInclusive};
use core::str::FromStr;
use core::time::Duration;

use super::{Delay, ESCAPES, Faults, Script, ScriptSend, ScriptStep, UNITS};
use crate::uri::{Location, Peer, UriError};
use crate::{Config, ConfigError, Destination, DestinationError, Role};

/// Where a text is no script, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct ScriptError {
    /// The line, from 1.
    pub line: usize,
    /// The letter in it, from 1.
    pub column: usize,
    /// The bytes of the line that are at fault; none if something is missing.
    pub at: Range<usize>,
    /// What is wrong with it.
    pub fault: ScriptFault,
}

/// What is wrong with a part of a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScriptFault {
    /// A URI that asks for what there is not.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A text that names no destination.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// A line that ends too early.
    #[error("the line ends; expected {expected}")]
    Missing {
        /// What should follow.
        expected: String,
    },
    /// A host that is there already.
    #[error("there is a host '{name}' already; expected another name")]
    Taken {
        /// Its name.
        name: String,
    },
    /// Something that can't stand where it does.
    #[error("'{part}' can't stand here; expected {expected}")]
    Unexpected {
        /// The part.
        part: String,
        /// What could stand there.
        expected: String,
    },
    /// A host that no line above has started.
    #[error("there is no host '{name}' yet; expected one of: {}", known.join(", "))]
    UnknownHost {
        /// Its name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A URI with a fault.
    #[error(transparent)]
    Uri(#[from] UriError),
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let (mut steps, mut hosts) = (Vec::new(), BTreeSet::new());
        for (index, line) in text.lines().enumerate() {
            steps.extend(parse_line(index + 1, line, &mut hosts)?);
        }
        Ok(Self { steps })
    }
}

impl ScriptStep {
    /// Reads one line, where these hosts are there already; none if there is no step in it.
    pub fn parse<'a>(line: &str, hosts: impl IntoIterator<Item = &'a str>) -> Result<Option<Self>, ScriptError> {
        parse_line(1, line, &mut hosts.into_iter().map(ToOwned::to_owned).collect())
    }
}

fn parse_line(number: usize, line: &str, hosts: &mut BTreeSet<String>) -> Result<Option<ScriptStep>, ScriptError> {
    let parsed = words(line).and_then(|words| Line { words, next: 0, end: line.len(), hosts }.step());
    parsed.map_err(|Fault { at, fault }| {
        let column = line[..at.start].chars().count() + 1;
        ScriptError { line: number, column, at, fault }
    })
}

/// A fault, and the bytes of the line that have it.
struct Fault {
    at: Range<usize>,
    fault: ScriptFault,
}

impl Fault {
    fn unexpected(at: Range<usize>, part: &str, expected: impl Into<String>) -> Self {
        Self { at, fault: ScriptFault::Unexpected { part: part.to_owned(), expected: expected.into() } }
    }
}

/// A word or a text in quotes.
struct Word {
    text: String,
    at: Range<usize>,
}

impl Word {
    fn unexpected(&self, expected: impl Into<String>) -> Fault {
        Fault::unexpected(self.at.clone(), &self.text, expected)
    }

    fn fault(&self, fault: impl Into<ScriptFault>) -> Fault {
        Fault { at: self.at.clone(), fault: fault.into() }
    }
}

/// The words of a line up to a comment.
fn words(line: &str) -> Result<Vec<Word>, Fault> {
    let mut words = Vec::new();
    let mut letters = line.char_indices().peekable();
    while let Some((start, letter)) = letters.next() {
        if letter.is_whitespace() {
            continue;
        }
        if letter == '#' {
            break;
        }
        let mut text = String::new();
        if letter == '"' {
            let mut end = None;
            while let Some((at, letter)) = letters.next() {
                match letter {
                    '"' => {
                        end = Some(at + 1);
                        break;
                    }
                    '\\' => {
                        let escaped = letters.next();
                        let meant =
                            escaped.and_then(|(_, found)| ESCAPES.iter().find(|(written, _)| *written == found));
                        let Some((_, meant)) = meant else {
                            let part = &line[at..escaped.map_or(line.len(), |(at, found)| at + found.len_utf8())];
                            let expected = "one of \\\" \\\\ \\n \\r \\t";
                            return Err(Fault::unexpected(at..at + part.len(), part, expected));
                        };
                        text.push(*meant);
                    }
                    letter => text.push(letter),
                }
            }
            let Some(end) = end else {
                return Err(Fault::unexpected(start..line.len(), &line[start..], "a '\"' at the end of the text"));
            };
            words.push(Word { text, at: start..end });
        } else {
            let mut end = start + letter.len_utf8();
            text.push(letter);
            while let Some((at, letter)) = letters.next_if(|(_, letter)| !letter.is_whitespace()) {
                end = at + letter.len_utf8();
                text.push(letter);
            }
            words.push(Word { text, at: start..end });
        }
    }
    Ok(words)
}

/// The words of a line, as they are taken.
struct Line<'a> {
    words: Vec<Word>,
    next: usize,
    end: usize,
    hosts: &'a mut BTreeSet<String>,
}

impl Line<'_> {
    fn step(mut self) -> Result<Option<ScriptStep>, Fault> {
        if self.words.is_empty() {
            return Ok(None);
        }
        let word = self.word(STEPS)?;
        let (verb, at) = (word.text.clone(), word.at.clone());
        let step = match verb.as_str() {
            "answer" => ScriptStep::Answer(self.host()?, self.destination()?),
            "broker" => self.broker()?,
            "clock" => self.clock()?,
            "crash" => ScriptStep::Crash(self.host()?),
            "cut" => {
                let from = self.host()?;
                let is_one_way = self.takes("->");
                let to = self.other(&from, if is_one_way { "another host" } else { "another host, or ->" })?;
                if is_one_way { ScriptStep::CutOneWay(from, to) } else { ScriptStep::Cut(from, to) }
            }
            "faults" => ScriptStep::Faults(Box::new(self.faults()?)),
            "heal" if self.words.len() == 1 => ScriptStep::Heal,
            "heal" => {
                let a = self.host()?;
                let b = self.other(&a, "another host")?;
                ScriptStep::HealBetween(a, b)
            }
            "host" => self.start()?,
            "partition" => self.partition()?,
            "pause" => ScriptStep::Pause(self.host()?),
            "power-off" => ScriptStep::PowerOff(self.host()?),
            "request" => ScriptStep::Request(self.send()?),
            "reset" => {
                let a = self.host()?;
                let b = self.other(&a, "another host")?;
                ScriptStep::Reset(a, b)
            }
            "restart" => {
                let host = self.host()?;
                if self.takes("empty") { ScriptStep::RestartEmpty(host) } else { ScriptStep::Restart(host) }
            }
            "resume" => ScriptStep::Resume(self.host()?),
            "run" => ScriptStep::Run(self.duration()?),
            "segment" => self.segments()?,
            "send" => ScriptStep::Send(self.send()?),
            "sleep" => ScriptStep::Sleep(self.host()?),
            "slow" => {
                let host = self.host()?;
                let expected = "a number of bytes a second, or off";
                ScriptStep::Slow(
                    host,
                    if self.takes("off") { None } else { Some(self.number(expected, 1..=u64::MAX)?) },
                )
            }
            "stop" => ScriptStep::Stop(self.host()?),
            "subscribe" => ScriptStep::Subscribe(self.host()?, self.destination()?),
            "unsubscribe" => ScriptStep::Unsubscribe(self.host()?, self.destination()?),
            other => return Err(Fault::unexpected(at, other, STEPS)),
        };
        match self.words.get(self.next) {
            Some(word) => Err(word.unexpected("the end of the line, or a comment with #")),
            None => Ok(Some(step)),
        }
    }

    fn word(&mut self, expected: &str) -> Result<&Word, Fault> {
        let end = self.end;
        let missing = || Fault { at: end..end, fault: ScriptFault::Missing { expected: expected.to_owned() } };
        self.next += 1;
        self.words.get(self.next - 1).ok_or_else(missing)
    }

    /// True if the next word is this one, which is taken then.
    fn takes(&mut self, keyword: &str) -> bool {
        let is_next = self.words.get(self.next).is_some_and(|word| word.text == keyword);
        self.next += usize::from(is_next);
        is_next
    }

    /// A host that there is.
    fn host(&mut self) -> Result<String, Fault> {
        let known: Vec<String> = self.hosts.iter().cloned().collect();
        let word = self.word("the name of a host")?;
        if known.contains(&word.text) {
            return Ok(word.text.clone());
        }
        Err(word.fault(ScriptFault::UnknownHost { name: word.text.clone(), known }))
    }

    /// A host that there is, and that is not this one.
    fn other(&mut self, one: &str, expected: &str) -> Result<String, Fault> {
        if self.next >= self.words.len() {
            self.word(expected)?;
        }
        let other = self.host()?;
        if other == one { Err(self.words[self.next - 1].unexpected(expected)) } else { Ok(other) }
    }

    /// The name of a host to come.
    fn name(&mut self) -> Result<String, Fault> {
        let count = self.hosts.len();
        let word = self.word(NAME)?;
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_name =
            word.text.bytes().all(is_letter) && word.text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if !is_name || word.text.len() > NAME_MAX {
            return Err(word.unexpected(NAME));
        }
        if count >= HOSTS_MAX {
            return Err(word.unexpected(format!("{HOSTS_MAX} hosts at most")));
        }
        let name = word.text.clone();
        if self.hosts.insert(name.clone()) {
            return Ok(name);
        }
        let word = &self.words[self.next - 1];
        Err(word.fault(ScriptFault::Taken { name }))
    }

    fn start(&mut self) -> Result<ScriptStep, Fault> {
        let name = self.name()?;
        let word = self.word("a URI: peer://GROUP or fanout:(URI)?OPTIONS")?;
        let location = word.text.parse::<Location>().map_err(|error| within(word, 0, error))?;
        let config = match location {
            Location::Fanout(fanout) => Config::from_fanout(&fanout, name.as_str()),
            Location::Peer(peer) => Config::from_peer(&peer, peer.name.as_deref().unwrap_or(&name)),
            _ => return Err(word.unexpected("peer://GROUP or fanout:(URI)?OPTIONS")),
        };
        let config = config.map_err(|error| word.fault(error))?;
        Ok(ScriptStep::Start { name, place: word.text.clone(), config: Box::new(config) })
    }

    fn broker(&mut self) -> Result<ScriptStep, Fault> {
        let name = self.name()?;
        let word = self.word("a group, with options after a '?'")?;
        let uri = format!("{PEER}{}", word.text);
        let peer: Peer = uri.parse().map_err(|error| within(word, PEER.len(), error))?;
        let config = Config::from_peer(&peer, peer.name.as_deref().unwrap_or(&name));
        let config = Config { role: Role::Broker, ..config.map_err(|error| word.fault(error))? };
        Ok(ScriptStep::Start { name, place: word.text.clone(), config: Box::new(config) })
    }

    fn clock(&mut self) -> Result<ScriptStep, Fault> {
        let host = self.host()?;
        let word = self.word(JUMP)?;
        let step = match word.text.split_at_checked(1) {
            Some(("+", rest)) => duration(rest).map(|duration| ScriptStep::ClockForward(host, duration)),
            Some(("-", rest)) => duration(rest).map(|duration| ScriptStep::ClockBack(host, duration)),
            _ => None,
        };
        step.ok_or_else(|| word.unexpected(JUMP))
    }

    fn segments(&mut self) -> Result<ScriptStep, Fault> {
        let host = self.host()?;
        let mut segments = Vec::new();
        if !self.takes("none") {
            while segments.is_empty() || self.next < self.words.len() {
                segments.push(self.number("the numbers of segments, or none: each", 0..=u32::MAX)?);
            }
        }
        Ok(ScriptStep::Segments(host, segments))
    }

    fn partition(&mut self) -> Result<ScriptStep, Fault> {
        let mut side = Vec::new();
        while side.is_empty() || self.next < self.words.len() {
            let host = self.host()?;
            if side.contains(&host) {
                return Err(self.words[self.next - 1].unexpected("each host once"));
            }
            side.push(host);
        }
        Ok(ScriptStep::Partition(side))
    }

    fn send(&mut self) -> Result<ScriptSend, Fault> {
        let (host, destination) = (self.host()?, self.destination()?);
        if destination.is_pattern() {
            return Err(self.words[self.next - 1].unexpected("a destination without '*' and '>'"));
        }
        let text = self.word("a text, in quotes if it is not one word")?.text.clone();
        let (mut times, mut every) = (1, None);
        if self.next < self.words.len() {
            times = self.number("how many times", 1..=TIMES_MAX)?;
            self.keyword("times")?;
            if self.next < self.words.len() {
                self.keyword("every")?;
                every = Some(self.duration()?);
            }
        }
        Ok(ScriptSend { host, destination, text, times, every })
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), Fault> {
        let word = self.word(keyword)?;
        if word.text == keyword { Ok(()) } else { Err(word.unexpected(keyword)) }
    }

    fn destination(&mut self) -> Result<Destination, Fault> {
        let word = self.word("a destination: topic://NAME or queue://NAME")?;
        word.text.parse().map_err(|error: DestinationError| word.fault(error))
    }

    fn duration(&mut self) -> Result<Duration, Fault> {
        let word = self.word(DURATION)?;
        duration(&word.text).ok_or_else(|| word.unexpected(DURATION))
    }

    fn number<T>(&mut self, what: &str, range: RangeInclusive<T>) -> Result<T, Fault>
    where
        T: FromStr + PartialOrd + fmt::Display,
    {
        let word = self.word(what)?;
        let found = number(&word.text).filter(|found| range.contains(found));
        found.ok_or_else(|| word.unexpected(format!("{what}, from {} to {}", range.start(), range.end())))
    }

    fn faults(&mut self) -> Result<Faults, Fault> {
        let mut faults = Faults::default();
        let first = self.word(FAULTS)?;
        if first.text == "none" {
            return Ok(faults);
        }
        self.next -= 1;
        let mut seen = vec![];
        while let Some(word) = self.words.get(self.next) {
            self.next += 1;
            let Some((name, value)) = word.text.split_once('=') else {
                return Err(word.unexpected(FAULTS));
            };
            if seen.contains(&name) {
                return Err(word.unexpected("each fault once"));
            }
            seen.push(name);
            let expected = set_fault(&mut faults, name, value);
            let Err(expected) = expected else { continue };
            if expected == FAULTS {
                return Err(word.unexpected(FAULTS));
            }
            let at = word.at.start + name.len() + 1..word.at.end;
            return Err(Fault::unexpected(at, value, expected));
        }
        Ok(faults)
    }
}

/// Sets one fault; or says what was expected.
fn set_fault(faults: &mut Faults, name: &str, value: &str) -> Result<(), &'static str> {
    match name {
        "buffer" => faults.buffer = number(value).filter(|bytes| *bytes > 0).ok_or(BYTES)?,
        "chunk" => faults.chunk_max = Some(number(value).filter(|bytes| *bytes > 0).ok_or(BYTES)?),
        "datagram-delay" => faults.datagram_delay = delay(value).ok_or(DELAY)?,
        "delay" => {
            let delay = delay(value).ok_or(DELAY)?;
            (faults.datagram_delay, faults.stream_delay) = (delay, delay);
        }
        "disk-delay" => faults.disk_delay = delay(value).ok_or(DELAY)?,
        "disk-failure" => faults.disk_failure_ppm = percent(value).ok_or(PERCENT)?,
        "drift" => faults.drift_ppm_max = percent(value).filter(|ppm| *ppm < MILLION).ok_or(PERCENT)?,
        "duplication" => faults.datagram_duplication_ppm = percent(value).ok_or(PERCENT)?,
        "lateness" => faults.lateness_max = duration(value).ok_or(DURATION)?,
        "local-delay" => faults.local_delay = delay(value).ok_or(DELAY)?,
        "loss" => faults.datagram_loss_ppm = percent(value).ok_or(PERCENT)?,
        "reordering" => faults.datagram_reordering_ppm = percent(value).ok_or(PERCENT)?,
        "reset" => faults.reset_ppm = percent(value).ok_or(PERCENT)?,
        "stream-delay" => faults.stream_delay = delay(value).ok_or(DELAY)?,
        "timeouts" => faults.spurious_timeout_ppm = percent(value).ok_or(PERCENT)?,
        "wall-skew" => faults.wall_skew_max = duration(value).ok_or(DURATION)?,
        _ => return Err(FAULTS),
    }
    Ok(())
}

/// A fault of a URI, of which `before` bytes were not written.
fn within(word: &Word, before: usize, error: UriError) -> Fault {
    let span = error.span();
    let place = |at: usize| (word.at.start + at.saturating_sub(before)).min(word.at.end);
    let is_plain = word.at.len() == word.text.len(); // Else quotes and escapes are in between.
    let at = if is_plain { place(span.start)..place(span.end) } else { word.at.clone() };
    Fault { at, fault: error.into() }
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// A decimal number, `scale` times what it says; none if that is no whole number.
fn decimal(text: &str, scale: u64) -> Option<u64> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    if rest.is_empty() || rest.len() > 9 {
        return None;
    }
    let below = 10_u64.pow(u32::try_from(rest.len()).ok()?);
    let rest = number::<u64>(rest)?.checked_mul(scale)?;
    if !rest.is_multiple_of(below) {
        return None;
    }
    number::<u64>(whole)?.checked_mul(scale)?.checked_add(rest / below)
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (_, nanos) = UNITS.iter().find(|(name, _)| *name == unit)?;
    decimal(number, *nanos).map(Duration::from_nanos).filter(|duration| *duration <= DURATION_MAX)
}

fn delay(text: &str) -> Option<Delay> {
    let (min, max) = text.split_once("..").unwrap_or((text, text));
    let delay = Delay { min: duration(min)?, max: duration(max)? };
    if delay.min <= delay.max { Some(delay) } else { None }
}

/// Parts per million.
fn percent(text: &str) -> Option<u32> {
    let ppm = decimal(text.strip_suffix('%')?, 10_000)?;
    u32::try_from(ppm).ok().filter(|ppm| *ppm <= MILLION)
}

const STEPS: &str = "one of: host, broker, subscribe, unsubscribe, answer, send, request, run, faults, cut, partition, \
                     heal, reset, crash, restart, pause, resume, sleep, power-off, clock, stop, slow, segment";
const FAULTS: &str = "none, or some of: loss=5% duplication=5% reordering=5% delay=1ms..20ms datagram-delay= \
                      stream-delay= local-delay= reset=0.1% lateness=10ms drift=0.01% wall-skew=1h timeouts=5% chunk=BYTES \
                      buffer=BYTES disk-delay= disk-failure=1%";
const NAME: &str = "a new name of letters, digits, '-', '_' and '.'";
const DURATION: &str = "a duration: 500ms, 5s, 2m";
const JUMP: &str = "how far the wall clock jumps: +24h, -500ms";
const DELAY: &str = "a delay: 5ms, or 1ms..20ms";
const PERCENT: &str = "a percentage: 5%, 0.1%";
const BYTES: &str = "a number of bytes, from 1";
const PEER: &str = "peer://";
const MILLION: u32 = 1_000_000;

/// The longest name of a host, in bytes.
const NAME_MAX: usize = 64;

/// How many hosts a script may have.
const HOSTS_MAX: usize = 100;

/// How often a step may send.
const TIMES_MAX: u32 = 1_000_000;

/// The longest duration.
const DURATION_MAX: Duration = Duration::from_hours(7 * 24);
