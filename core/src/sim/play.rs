//! A script, played in a world: each host has one application, which does what the script says and takes all that comes.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::script::{Script, ScriptStep};
use super::{HostId, World};
use crate::{
    Ack, AckExtent, AckKind, Body, Command, ConnectionId, ConsumerId, Destination, Event, Instant, RequestId, Seed,
    Subscription,
};

/// A world in which a script is played, step by step.
///
/// ```
/// use flockmq_core::Seed;
/// use flockmq_core::sim::{Play, Script};
///
/// let script: Script = "host a peer://g\nhost b peer://g\nsubscribe b queue://q\nrun 3s
///                       send a queue://q hello 10 times\nrun 1s".parse()?;
/// let mut play = Play::new(Seed::from(1), &script);
/// while play.step() {}
/// assert_eq!((play.tally().sent, play.tally().delivered), (10, 10));
/// # Ok::<(), flockmq_core::sim::ScriptError>(())
/// ```
#[derive(Debug)]
pub struct Play {
    world: World,
    steps: vec::IntoIter<ScriptStep>,
    running_until: Option<Instant>,
    end: Option<Instant>,
    applications: Vec<Application>,
    flows: Vec<Flow>,
    tally: Tally,
    is_told: bool,
    lines: Vec<PlayLine>,
}

/// What applications did and saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that applications sent, those to brokers that were down not counted.
    pub sent: u64,
    /// Messages that were delivered to applications, each copy counted.
    pub delivered: u64,
    /// Messages that were refused.
    pub refused: u64,
}

/// Something that happened in a play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayLine {
    /// When, by the world's clock.
    pub at: Instant,
    /// The host's name in the script; none for a step of the script itself.
    pub host: Option<String>,
    /// What: `<` for what a node is told, `>` for what it says, or the step as it is written.
    pub text: String,
}

impl Play {
    /// The world of a seed, in which nothing has happened yet.
    pub fn new(seed: Seed, script: &Script) -> Self {
        Self {
            world: World::new(seed),
            steps: script.steps.clone().into_iter(),
            running_until: None,
            end: None,
            applications: Vec::new(),
            flows: Vec::new(),
            tally: Tally::default(),
            is_told: false,
            lines: Vec::new(),
        }
    }

    /// Ends the play when this much time has passed, whatever the script says; if it says less, time passes until then.
    pub fn end_after(&mut self, duration: Duration) {
        self.end = Some(Instant::ZERO + duration);
    }

    /// Tells what happens from now on, by [`Self::take_lines`].
    pub fn tell(&mut self) {
        self.is_told = true;
        self.world.keep_log(usize::MAX);
    }

    /// Takes what has happened since the last call.
    pub fn take_lines(&mut self) -> Vec<PlayLine> {
        self.collect();
        core::mem::take(&mut self.lines)
    }

    /// The world, as it is now.
    pub fn world(&mut self) -> &mut World {
        &mut self.world
    }

    /// The hosts that there are, by the names of the script.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, HostId)> {
        self.applications.iter().map(|application| (application.name.as_str(), application.host))
    }

    /// What applications did and saw so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Does the next thing: a step of the script, or, while it lets time pass, whatever comes next in the world. False if
    /// the play is over.
    pub fn step(&mut self) -> bool {
        if self.end.is_some_and(|end| self.world.now() >= end) {
            return false;
        }
        if let Some(until) = self.running_until {
            self.pass(until);
            return true;
        }
        if let Some(step) = self.steps.next() {
            self.note(&step);
            self.perform(step);
            self.attend();
            return true;
        }
        self.running_until = self.end;
        self.end.is_some()
    }

    /// Lets time pass until something happens, but not beyond `until`.
    fn pass(&mut self, until: Instant) {
        let until = self.end.map_or(until, |end| until.min(end));
        let limit = self.flows.iter().map(|flow| flow.next_at).fold(until, Instant::min);
        if self.world.step_until(limit) {
            return self.attend();
        }
        self.world.now = self.world.now.max(limit);
        let now = self.world.now();
        let mut flows = core::mem::take(&mut self.flows);
        for flow in flows.iter_mut().filter(|flow| flow.next_at <= now) {
            self.send(flow.application, &flow.destination, &flow.text, 1);
            flow.next_at = now + flow.every;
            flow.left -= 1;
        }
        flows.retain(|flow| flow.left > 0);
        self.flows = flows;
        self.attend();
        if now >= until {
            self.running_until = None;
        }
    }

    fn perform(&mut self, step: ScriptStep) {
        match step {
            ScriptStep::ClockBack(host, duration) => self.shift_wall_clock(&host, -millis(duration)),
            ScriptStep::ClockForward(host, duration) => self.shift_wall_clock(&host, millis(duration)),
            ScriptStep::Crash(host) => self.world.crash(self.host(&host)),
            ScriptStep::Cut(a, b) => self.world.cut(self.host(&a), self.host(&b)),
            ScriptStep::CutOneWay(from, to) => self.world.cut_one_way(self.host(&from), self.host(&to)),
            ScriptStep::Faults(faults) => self.world.set_faults(*faults),
            ScriptStep::Heal => self.world.heal_all(),
            ScriptStep::HealBetween(a, b) => self.world.heal(self.host(&a), self.host(&b)),
            ScriptStep::Pause(host) => self.world.pause(self.host(&host)),
            ScriptStep::PowerOff(host) => self.world.power_off(self.host(&host)),
            ScriptStep::Reset(a, b) => self.world.reset(self.host(&a), self.host(&b)),
            ScriptStep::Restart(host) => {
                self.world.restart(self.host(&host));
                self.begin_again(&host);
            }
            ScriptStep::RestartEmpty(host) => {
                self.world.restart_empty(self.host(&host));
                self.begin_again(&host);
            }
            ScriptStep::Resume(host) => self.world.resume(self.host(&host)),
            ScriptStep::Run(duration) => self.running_until = Some(self.world.now() + duration),
            ScriptStep::Segments(host, segments) => self.world.set_segments(self.host(&host), &segments),
            ScriptStep::Send { host, destination, text, times, every: None } => {
                self.send(self.find(&host), &destination, &text, times);
            }
            ScriptStep::Send { host, destination, text, times, every: Some(every) } => {
                let (application, next_at) = (self.find(&host), self.world.now());
                self.flows.push(Flow { application, destination, text, left: times, every, next_at });
            }
            ScriptStep::Sleep(host) => self.world.sleep(self.host(&host)),
            ScriptStep::Slow(host, bytes_per_second) => self.world.slow(self.host(&host), bytes_per_second),
            ScriptStep::Start { name, config, .. } => {
                let host = self.world.add_host(*config);
                self.applications.push(Application::new(name, host));
                self.attach(self.applications.len() - 1);
            }
            ScriptStep::Stop(host) => self.world.command(self.host(&host), Command::Stop),
            ScriptStep::Subscribe(host, destination) => {
                let index = self.find(&host);
                if self.applications[index].wanted.insert(destination.clone()) {
                    self.subscribe(index, destination);
                }
            }
        }
    }

    /// A host's application is there again with its node, and wants what it wanted before.
    fn begin_again(&mut self, host: &str) {
        let index = self.find(host);
        let wanted = self.applications[index].begin_again();
        self.attach(index);
        for destination in wanted {
            self.subscribe(index, destination);
        }
    }

    fn shift_wall_clock(&mut self, host: &str, millis: i64) {
        self.world.shift_wall_clock(self.host(host), millis);
    }

    fn attach(&mut self, index: usize) {
        let application = &mut self.applications[index];
        let request = application.request();
        self.world.command(application.host, Command::Attach { request, connection: CONNECTION });
    }

    fn subscribe(&mut self, index: usize, destination: Destination) {
        let application = &mut self.applications[index];
        let request = application.request();
        let subscription = Subscription::new(destination);
        let command =
            Command::Subscribe { request, connection: CONNECTION, consumer: ConsumerId(request.0), subscription };
        self.world.command(application.host, command);
    }

    fn send(&mut self, index: usize, destination: &Destination, text: &str, times: u32) {
        let application = &mut self.applications[index];
        let host = application.host;
        if self.world.node(host).is_none() {
            return; // It has crashed, and its application with it.
        }
        let producer = if let Some(producer) = application.producers.get(destination) {
            *producer
        } else {
            let request = application.request();
            let producer = request.0;
            application.producers.insert(destination.clone(), producer);
            let destination = destination.clone();
            self.world.command(
                host,
                Command::Produce { request, connection: CONNECTION, producer, destination: destination.into() },
            );
            producer
        };
        for _ in 0..times {
            let messages = vec![Body::text(text)];
            self.world.command(host, Command::Send { connection: CONNECTION, producer, messages });
        }
        self.tally.sent += u64::from(times);
    }

    /// Lets all applications take what they were told, and acknowledge what was delivered.
    fn attend(&mut self) {
        for index in 0..self.applications.len() {
            let host = self.applications[index].host;
            loop {
                let events = self.world.events(host);
                if events.is_empty() {
                    break;
                }
                for (_, event) in events {
                    self.hear(host, &event);
                }
            }
        }
    }

    fn hear(&mut self, host: HostId, event: &Event) {
        match event {
            Event::Delivered { consumer, deliveries } => {
                self.tally.delivered += deliveries.len() as u64;
                if let Some(last) = deliveries.last() {
                    let (consumer, tag) = (*consumer, last.tag);
                    let ack = Ack { consumer, tag, extent: AckExtent::UpTo, kind: AckKind::Accepted };
                    self.world.command(host, Command::Ack { connection: CONNECTION, ack });
                }
            }
            Event::Refused { .. } => self.tally.refused += 1,
            _ => (),
        }
    }

    fn note(&mut self, step: &ScriptStep) {
        if self.is_told {
            self.collect();
            self.lines.push(PlayLine { at: self.world.now(), host: None, text: step.to_string() });
        }
    }

    /// Takes what the world has logged, but for the deeds that steps of the script tell already.
    fn collect(&mut self) {
        for line in self.world.take_log() {
            if line.text.starts_with(['<', '>']) {
                let host = Some(self.applications.get(line.host.index()).map_or_else(
                    || line.host.to_string(), // It is being added.
                    |application| application.name.clone(),
                ));
                self.lines.push(PlayLine { at: line.at, host, text: line.text });
            }
        }
    }

    fn host(&self, name: &str) -> HostId {
        self.applications[self.find(name)].host
    }

    fn find(&self, name: &str) -> usize {
        let found = self.applications.iter().position(|application| application.name == name);
        found.expect("a script names a host only after its start")
    }
}

/// What the application at one host has named so far.
#[derive(Debug)]
struct Application {
    name: String,
    host: HostId,
    requests: u64,
    wanted: BTreeSet<Destination>,
    producers: BTreeMap<Destination, u64>,
}

impl Application {
    fn new(name: String, host: HostId) -> Self {
        Self { name, host, requests: 0, wanted: BTreeSet::new(), producers: BTreeMap::new() }
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// Forgets all but what it wants to subscribe to.
    fn begin_again(&mut self) -> BTreeSet<Destination> {
        (self.requests, self.producers) = (0, BTreeMap::new());
        self.wanted.clone()
    }
}

/// Messages that are sent while time passes.
#[derive(Debug)]
struct Flow {
    application: usize,
    destination: Destination,
    text: String,
    left: u32,
    every: Duration,
    next_at: Instant,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("a script's durations are bounded")
}

const CONNECTION: ConnectionId = ConnectionId(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn play(seed: u64, script: &str) -> Play {
        Play::new(Seed::from(seed), &script.parse().unwrap_or_else(|error| panic!("{error}: {script}")))
    }

    fn played(mut play: Play) -> (u64, Tally, Instant) {
        while play.step() {}
        (play.world().trace_hash(), play.tally().clone(), play.world().now())
    }

    #[test]
    fn what_is_drawn_is_played_the_same_again_from_its_text() {
        for seed in 0..10 {
            let script = Script::draw(Seed::from(seed), 3);
            let first = played(Play::new(Seed::from(seed), &script));
            assert_eq!(first, played(play(seed, &script.to_string())), "{script}");
            assert_eq!(first.1.sent, first.1.sent.min(200));
            assert!(first.1.delivered > 0, "{script}");
        }
        let hash = |seed| played(Play::new(Seed::from(seed), &Script::draw(Seed::from(1), 3))).0;
        assert_ne!(hash(1), hash(2));
    }

    #[test]
    fn telling_changes_nothing() {
        let script = Script::draw(Seed::from(3), 3);
        let mut told = Play::new(Seed::from(3), &script);
        told.tell();
        let mut lines = Vec::new();
        while told.step() {
            lines.extend(told.take_lines());
        }
        let counts = told.world().counts().clone();
        let count = |beginning: &str| lines.iter().filter(|line| line.text.starts_with(beginning)).count() as u64;
        assert_eq!((count("< "), count("> ")), (counts.inputs, counts.outputs));
        let steps: Vec<&str> = lines.iter().filter(|line| line.host.is_none()).map(|line| line.text.as_str()).collect();
        assert_eq!(steps.join("\n") + "\n", script.to_string());
        assert!(lines.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert!(lines.iter().all(|line| line.host.as_deref().is_none_or(|host| ["h1", "h2", "h3"].contains(&host))));
        assert_eq!(played(told).0, played(Play::new(Seed::from(3), &script)).0);
    }

    #[test]
    fn messages_flow_while_time_passes_and_an_application_that_restarts_subscribes_again() {
        let script = "host a peer://g\nhost b peer://g\nsubscribe b topic://t.>\nrun 3s\n\
                      send a topic://t.x hi 10 times every 100ms\nrun 450ms\ncrash b\nrun 100ms\nrestart b\nrun 10s\n\
                      send a topic://t.y hi 3 times\nrun 1s";
        let (_, tally, now) = played(play(1, script));
        assert_eq!((tally.sent, now), (13, Instant::from_millis(14_550)));
        assert!((5 + 3..13).contains(&tally.delivered), "{tally:?}");
    }

    #[test]
    fn a_client_s_messages_reach_brokers_by_every_step() {
        let script = "broker a g?memoryLimit=1000000\nbroker b g\nhost c fanout:(multicast://default?group=g)?minAckCount=2\n\
                      subscribe a topic://t\nsubscribe b topic://t\nrun 5s\nsegment a 1\nsegment a 0\nslow b 100000\n\
                      send c topic://t \"two words\" 5 times\nrun 2s\nslow b off\npause a\nrun 1s\nresume a\nreset a c\nsleep b\nclock a +24h\nclock b -1h\nrun 1s\nresume b\n\
                      cut a -> c\nheal a c\nrun 5s\nstop a\nrun 5s";
        let (_, tally, _) = played(play(1, script));
        assert_eq!(tally, Tally { sent: 5, delivered: 10, refused: 0 });
    }

    #[test]
    fn a_play_ends_when_it_is_told_to() {
        let script = "host a peer://g\nrun 10s";
        for seconds in [3, 20] {
            let mut play = play(1, script);
            play.end_after(Duration::from_secs(seconds));
            assert_eq!(played(play).2, Instant::from_millis(seconds * 1000));
        }
        assert_eq!(played(play(1, script)).2, Instant::from_millis(10_000));
        let mut empty = play(1, "");
        assert!(!empty.step());
    }
}
