//! The brokers that a client fans out to, in words: who is up, who is waited for, and what became of each.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write;
use std::time::Duration;

use flockmq::core::{Address, Target, TargetState};
use flockmq::{Event, Events};
use serde_json::json;
use tokio::task::unconstrained;
use tokio::time::{Instant, sleep_until};

use crate::paint;
use crate::progress::say;

/// Watches the targets of a connection.
#[derive(Debug)]
pub(crate) struct Watch {
    events: Events,
    targets: Targets,
}

/// What was told of the targets so far.
#[derive(Debug)]
struct Targets {
    known: BTreeMap<Address, Known>,
    up: u32,
    needed: u32,
    /// When to say that too few are up, if that was not said since they are.
    say_at: Option<Instant>,
    has_said: bool,
}

/// A target, up or not.
#[derive(Debug, Default)]
struct Known {
    name: Option<String>,
    trouble: Option<String>,
}

/// Does something, and says meanwhile what a user would want to know of the targets, if there are any: who is lost, and
/// how many are waited for.
pub(crate) async fn attend<T>(watch: &mut Option<Watch>, work: impl Future<Output = T>) -> T {
    let Some(watch) = watch else {
        return work.await;
    };
    tokio::select! {
        biased;
        done = work => done,
        never = watch.run() => match never {},
    }
}

impl Watch {
    /// Of a connection that needs so many, from its beginning on.
    pub(crate) fn new(events: Events, needed: u32) -> Self {
        Self { events, targets: Targets::new(Instant::now(), needed) }
    }

    /// What became of a target, in words.
    pub(crate) fn told(&self, target: &Target) -> String {
        self.targets.told(target)
    }

    /// Says what has happened by now.
    pub(crate) async fn catch_up(&mut self) {
        loop {
            let next = async {
                tokio::select! {
                    biased;
                    event = self.events.next() => event,
                    () = std::future::ready(()) => None,
                }
            };
            let Some(event) = unconstrained(next).await else {
                return;
            };
            if let Some(news) = self.targets.handle_event(Instant::now(), &event) {
                say(&news);
            }
        }
    }

    async fn run(&mut self) -> Infallible {
        loop {
            let say_at = self.targets.say_at;
            let news = tokio::select! {
                Some(event) = self.events.next() => self.targets.handle_event(Instant::now(), &event),
                () = sleep_until(say_at.unwrap_or_else(Instant::now)), if say_at.is_some() => {
                    Some(self.targets.handle_timeout())
                }
                else => std::future::pending().await, // The connection is closed.
            };
            if let Some(news) = news {
                say(&news);
            }
        }
    }
}

impl Targets {
    fn new(now: Instant, needed: u32) -> Self {
        let say_at = Some(now + PATIENCE);
        Self { known: BTreeMap::new(), up: 0, needed, say_at, has_said: false }
    }

    /// What became of a target, in words.
    fn told(&self, target: &Target) -> String {
        let known = self.known.get(&target.address);
        let name = match (&target.state, known) {
            (TargetState::Up { name, .. }, _) => Some(name),
            (_, known) => known.and_then(|known| known.name.as_ref()),
        };
        let mut told = match name {
            Some(name) => format!("{} at {}", paint::name(name), target.address),
            None => target.address.to_string(),
        };
        // Writing to a string can't fail.
        _ = match target.accepted {
            0 => write!(told, " took none"),
            accepted => write!(told, " took {accepted}"),
        };
        if target.refused > 0 {
            _ = write!(told, ", refused {}", target.refused);
        }
        _ = match (&target.state, known.and_then(|known| known.trouble.as_deref())) {
            (TargetState::Up { .. }, _) if target.unanswered_bytes > 0 => {
                write!(told, ", has yet to answer for {} bytes", target.unanswered_bytes)
            }
            (TargetState::Up { .. }, _) => Ok(()),
            (_, Some(trouble)) => write!(told, ": {}", paint::name(trouble)),
            (TargetState::GivenUp, None) => write!(told, ": given up"),
            (TargetState::Connecting | TargetState::Waiting, None) => write!(told, ": not connected"),
        };
        told
    }

    /// Notes what happened, and tells what a user should know of it.
    fn handle_event(&mut self, now: Instant, event: &Event) -> Option<String> {
        match event {
            Event::DiscoveryFailed { reason } => Some(format!("discovery failed: {}", paint::name(reason))),
            Event::LinkRefused { address: Some(address), reason } => {
                self.trouble(address, reason.to_string());
                Some(format!("{address}: {}", paint::name(&reason.to_string())))
            }
            Event::SubscriptionRefused { answer, .. } => {
                let refusal = answer.result.as_ref().err().map(ToString::to_string).unwrap_or_default();
                Some(format!("{} refused the subscription: {}", paint::name(&answer.name), paint::name(&refusal)))
            }
            Event::TargetGivenUp { address, attempts, reason } => {
                let attempts = if *attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
                let told = format!("given up after {attempts}: {reason}");
                self.trouble(address, told.clone());
                Some(format!("{address}: {}", paint::name(&told)))
            }
            Event::TargetLost { name, address, reason, .. } => {
                self.trouble(address, format!("lost: {reason}"));
                Some(format!("lost {} at {address}: {}", paint::name(name), paint::name(&reason.to_string())))
            }
            Event::Targets { up, needed } => {
                (self.up, self.needed) = (*up, *needed);
                self.count(now)
            }
            Event::TargetUp { name, address, .. } => {
                let known = self.known.entry(address.clone()).or_default();
                known.name = Some(name.clone());
                let had_trouble = known.trouble.take().is_some();
                had_trouble.then(|| format!("{} at {address} is up", paint::name(name)))
            }
            _ => None,
        }
    }

    /// Too few have been up for too long.
    fn handle_timeout(&mut self) -> String {
        self.say_at = None;
        self.has_said = true;
        self.waiting()
    }

    /// Says at once what changes, once it was said that too few are up; that itself only after a while.
    fn count(&mut self, now: Instant) -> Option<String> {
        if self.up >= self.needed {
            self.say_at = None;
            let was_said = std::mem::take(&mut self.has_said);
            return was_said.then(|| format!("going on: {} of {} brokers are up", self.up, self.needed));
        }
        if self.has_said {
            return Some(self.waiting());
        }
        self.say_at.get_or_insert(now + PATIENCE);
        None
    }

    fn waiting(&self) -> String {
        let Self { up, needed, .. } = self;
        let missing = needed.saturating_sub(*up);
        let verb = if *up == 1 { "is" } else { "are" };
        format!("waiting for {missing} of {needed} brokers; {up} {verb} up")
    }

    fn trouble(&mut self, address: &Address, trouble: String) {
        self.known.entry(address.clone()).or_default().trouble = Some(trouble);
    }
}

/// A target on a line of its own, for people.
pub(crate) fn line(target: &Target, width: usize) -> String {
    let (state, name) = state(target);
    let name = paint::name(name);
    let id = if let TargetState::Up { broker, .. } = &target.state { broker.to_string() } else { String::new() };
    format!("{name:width$}  {state:10}  {}  {id}", target.address).trim_end().to_owned()
}

/// A target as an object, for programs.
pub(crate) fn json(target: &Target) -> serde_json::Value {
    let (state, _) = state(target);
    let mut shown = json!({
        "address": target.address.to_string(),
        "state": state,
        "accepted": target.accepted,
        "refused": target.refused,
        "unanswered": target.unanswered_bytes,
    });
    if let TargetState::Up { broker, name, remote } = &target.state {
        shown["broker"] = broker.to_string().into();
        shown["name"] = name.as_str().into();
        shown["remote"] = remote.to_string().into();
    }
    shown
}

/// What it is called while nobody knows its name.
pub(crate) fn name(target: &Target) -> &str {
    state(target).1
}

fn state(target: &Target) -> (&'static str, &str) {
    match &target.state {
        TargetState::Connecting => ("connecting", NAMELESS),
        TargetState::GivenUp => ("given up", NAMELESS),
        TargetState::Up { name, .. } => ("up", name),
        TargetState::Waiting => ("waiting", NAMELESS),
    }
}

const NAMELESS: &str = "-";

/// How long too few may be up without a word about it.
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use flockmq::{BrokerId, CloseReason};

    fn address(port: u16) -> Address {
        format!("tcp://h:{port}").parse().expect("an address")
    }

    fn count(up: u32) -> Event {
        Event::Targets { up, needed: 3 }
    }

    #[test]
    fn who_is_waited_for_is_said_after_a_while_and_then_at_every_change() {
        let now = Instant::now();
        let mut targets = Targets::new(now, 3);
        assert_eq!(targets.handle_event(now, &count(1)), None);
        assert_eq!(targets.say_at, Some(now + PATIENCE));
        assert_eq!(targets.handle_timeout(), "waiting for 2 of 3 brokers; 1 is up");
        let said = targets.handle_event(now, &count(2));
        assert_eq!(said.as_deref(), Some("waiting for 1 of 3 brokers; 2 are up"));
        let said = targets.handle_event(now, &count(3));
        assert_eq!(said.as_deref(), Some("going on: 3 of 3 brokers are up"));
        assert_eq!(targets.handle_event(now, &count(2)), None);
        assert_eq!(targets.handle_event(now, &count(3)), None);
        assert_eq!(targets.say_at, None);
    }

    #[test]
    fn what_became_of_a_target_is_told_with_its_name_and_its_trouble() {
        let mut targets = Targets::new(Instant::now(), 1);
        let target =
            |port, state, accepted| Target { address: address(port), state, accepted, refused: 0, unanswered_bytes: 0 };
        let up = Event::TargetUp { broker: BrokerId(7), name: "a".into(), address: address(1) };
        let lost = Event::TargetLost {
            broker: BrokerId(7),
            name: "a".into(),
            address: address(1),
            reason: CloseReason::Ended,
        };
        let given_up = Event::TargetGivenUp { address: address(2), attempts: 1, reason: CloseReason::HandshakeTimeout };
        let said: Vec<_> =
            [&up, &lost, &given_up].into_iter().map(|event| targets.handle_event(Instant::now(), event)).collect();
        assert_eq!(said[0], None);
        assert_eq!(said[1].as_deref(), Some("lost a at tcp://h:1: the other end closed the connection"));
        let told = targets.told(&target(1, TargetState::Waiting, 5));
        assert_eq!(told, "a at tcp://h:1 took 5: lost: the other end closed the connection");
        let told = targets.told(&target(2, TargetState::GivenUp, 0));
        assert_eq!(told, "tcp://h:2 took none: given up after 1 attempt: the handshake was not done in time");
        let told = targets.told(&target(3, TargetState::Connecting, 0));
        assert_eq!(told, "tcp://h:3 took none: not connected");
        let said = targets.handle_event(Instant::now(), &up);
        assert_eq!(said.as_deref(), Some("a at tcp://h:1 is up"), "that it was lost is no longer so");
        let told = targets.told(&target(1, TargetState::Waiting, 5));
        assert_eq!(told, "a at tcp://h:1 took 5: not connected");
    }
}
