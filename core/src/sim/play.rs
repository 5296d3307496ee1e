//! A script, played in a world: each host has one application, which does what the script says and takes all that comes.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::application::Application;
use super::script::{Script, ScriptSend, ScriptStep};
use super::{HostId, World};
use crate::{Body, Command, Destination, Event, Instant, MessageId, Node, Seed};

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
    notes: Option<Vec<PlayNote>>,
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

/// Something that the application at a host did or was told.
#[derive(Clone, Debug, PartialEq)]
pub struct PlayNote {
    /// When, by the world's clock.
    pub at: Instant,
    /// On which host.
    pub host: HostId,
    /// What.
    pub what: PlayNoteKind,
}

/// What an application did or was told.
#[derive(Clone, Debug, PartialEq)]
pub enum PlayNoteKind {
    /// It sent messages.
    Sent {
        /// The first one's identity; the others follow it.
        first: MessageId,
        /// How many.
        count: u32,
        /// Where to.
        destination: Destination,
    },
    /// It was told something, and has acknowledged what was delivered.
    Told(Event),
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
            notes: None,
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

    /// Keeps what applications do and are told from now on, until it is taken.
    pub fn keep_notes(&mut self) {
        self.notes.get_or_insert_default();
    }

    /// Takes what was kept of what applications did and were told, oldest first.
    pub fn take_notes(&mut self) -> Vec<PlayNote> {
        self.notes.as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// What a host's application takes.
    pub fn subscriptions(&self, host: HostId) -> impl Iterator<Item = &Destination> {
        let found = self.applications.iter().find(|application| application.host == host);
        found.into_iter().flat_map(Application::wanted)
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

    /// Does something now, beside what the script says. Where it lets time pass, the script goes on meanwhile.
    ///
    /// A step names hosts that there are: [`ScriptStep::parse`] sees to it.
    pub fn act(&mut self, step: ScriptStep) {
        self.note(&step);
        if let ScriptStep::Run(duration) = step {
            return self.run_until(self.world.now() + duration);
        }
        self.perform(step);
        self.attend();
    }

    /// Lets time pass until `at`, in which the script does what it says; then all that is due by `at` has happened but
    /// for what the script does at that very moment. However a span of time is divided, the run is the same.
    pub fn run_until(&mut self, at: Instant) {
        loop {
            if let Some(until) = self.running_until {
                let is_past = self.pass(until.min(at));
                if is_past && until <= at {
                    self.running_until = None;
                }
                if is_past && until >= at {
                    return;
                }
            } else if self.world.now() >= at {
                return;
            } else if let Some(step) = self.steps.next() {
                self.note(&step);
                self.perform(step);
                self.attend();
            } else {
                self.running_until = Some(at);
            }
        }
    }

    /// When a process may next be told something or something is sent, if that is before `limit`.
    pub fn next_at(&self, limit: Instant) -> Option<Instant> {
        let flows = self.flows.iter().map(|flow| flow.next_at);
        flows.chain(self.world.next_at()).min().filter(|at| *at < limit)
    }

    /// Does the next thing: a step of the script, or, while it lets time pass, whatever comes next in the world. False if
    /// the play is over.
    pub fn step(&mut self) -> bool {
        if self.end.is_some_and(|end| self.world.now() >= end) {
            return false;
        }
        if let Some(until) = self.running_until {
            if self.pass(self.end.map_or(until, |end| until.min(end))) {
                self.running_until = None;
            }
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

    /// Lets time pass until something happens, but not beyond `until`; true if nothing more happens by then.
    fn pass(&mut self, until: Instant) -> bool {
        let limit = self.flows.iter().map(|flow| flow.next_at).fold(until, Instant::min);
        if self.world.step_until(limit) {
            self.attend();
            return false;
        }
        self.world.now = self.world.now.max(limit);
        let now = self.world.now();
        let mut flows = core::mem::take(&mut self.flows);
        for flow in flows.iter_mut().filter(|flow| flow.next_at <= now) {
            self.send(flow.application, &flow.send, 1, flow.kind);
            flow.next_at = now + flow.every;
            flow.left -= 1;
        }
        flows.retain(|flow| flow.left > 0);
        self.flows = flows;
        self.attend();
        now >= until
    }

    fn perform(&mut self, step: ScriptStep) {
        match step {
            ScriptStep::Answer(host, destination) => self.subscribe(&host, destination, true),
            ScriptStep::ClockBack(host, duration) => self.shift_wall_clock(&host, -millis(duration)),
            ScriptStep::ClockForward(host, duration) => self.shift_wall_clock(&host, millis(duration)),
            ScriptStep::Crash(host) => self.world.crash(self.host(&host)),
            ScriptStep::Cut(a, b) => self.world.cut(self.host(&a), self.host(&b)),
            ScriptStep::CutOneWay(from, to) => self.world.cut_one_way(self.host(&from), self.host(&to)),
            ScriptStep::Faults(faults) => self.world.set_faults(*faults),
            ScriptStep::Heal => self.world.heal_all(),
            ScriptStep::HealBetween(a, b) => self.world.heal(self.host(&a), self.host(&b)),
            ScriptStep::Partition(side) => {
                let (side, others): (Vec<_>, Vec<_>) =
                    self.world.hosts().partition(|host| side.iter().any(|name| self.host(name) == *host));
                self.world.partition(&[&side, &others]);
            }
            ScriptStep::Pause(host) => self.world.pause(self.host(&host)),
            ScriptStep::PowerOff(host) => self.world.power_off(self.host(&host)),
            ScriptStep::Request(send) => self.begin_to_send(send, Kind::Request),
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
            ScriptStep::Send(send) => self.begin_to_send(send, Kind::Plain),
            ScriptStep::Sleep(host) => self.world.sleep(self.host(&host)),
            ScriptStep::Slow(host, bytes_per_second) => self.world.slow(self.host(&host), bytes_per_second),
            ScriptStep::Start { name, config, .. } => {
                let host = self.world.add_host(*config);
                let mut application = Application::new(name, host);
                let attach = application.attach();
                self.applications.push(application);
                self.world.command(host, attach);
            }
            ScriptStep::Stop(host) => self.world.command(self.host(&host), Command::Stop),
            ScriptStep::Subscribe(host, destination) => self.subscribe(&host, destination, false),
            ScriptStep::Unsubscribe(host, destination) => {
                let index = self.find(&host);
                let command = self.applications[index].unsubscribe(&destination);
                self.say(index, command);
            }
        }
    }

    /// A host's application is there again with its node, and wants what it wanted before.
    fn begin_again(&mut self, host: &str) {
        let index = self.find(host);
        let commands = self.applications[index].begin_again();
        self.say(index, commands);
    }

    fn shift_wall_clock(&mut self, host: &str, millis: i64) {
        self.world.shift_wall_clock(self.host(host), millis);
    }

    fn subscribe(&mut self, host: &str, destination: Destination, answers: bool) {
        let index = self.find(host);
        let command = self.applications[index].subscribe(destination, answers);
        self.say(index, command);
    }

    fn begin_to_send(&mut self, send: ScriptSend, kind: Kind) {
        let application = self.find(&send.host);
        match send.every {
            None => self.send(application, &send, send.times, kind),
            Some(every) => {
                let (left, next_at) = (send.times, self.world.now());
                self.flows.push(Flow { application, send, kind, left, every, next_at });
            }
        }
    }

    fn send(&mut self, index: usize, send: &ScriptSend, times: u32, kind: Kind) {
        let bodies = (0..times).map(|_| Body::text(send.text.clone())).collect();
        self.send_bodies(index, &send.destination, bodies, kind);
    }

    fn send_bodies(&mut self, index: usize, destination: &Destination, mut bodies: Vec<Body>, kind: Kind) {
        let application = &mut self.applications[index];
        let host = application.host;
        let Some(broker) = self.world.node(host).map(Node::id) else {
            return; // It has crashed, and its application with it.
        };
        let asks = if kind == Kind::Request { application.ask(broker, &mut bodies) } else { None };
        let count = u32::try_from(bodies.len()).expect("a script's numbers are bounded");
        let (commands, first) = application.send(broker, destination, bodies);
        self.tally.sent += u64::from(count);
        self.keep(host, || PlayNoteKind::Sent { first, count, destination: destination.clone() });
        self.say(index, asks.into_iter().chain(commands));
    }

    fn say(&mut self, index: usize, commands: impl IntoIterator<Item = Command>) {
        let host = self.applications[index].host;
        for command in commands {
            self.world.command(host, command);
        }
    }

    fn keep(&mut self, host: HostId, what: impl FnOnce() -> PlayNoteKind) {
        if let Some(notes) = &mut self.notes {
            notes.push(PlayNote { at: self.world.now(), host, what: what() });
        }
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
                    self.hear(index, &event);
                    self.keep(host, || PlayNoteKind::Told(event));
                }
            }
        }
    }

    fn hear(&mut self, index: usize, event: &Event) {
        match event {
            Event::Delivered { consumer, deliveries } => {
                self.tally.delivered += deliveries.len() as u64;
                let (ack, answers) = self.applications[index].hear(*consumer, deliveries);
                self.say(index, ack);
                for (destination, body) in answers {
                    self.send_bodies(index, &destination, vec![body], Kind::Plain);
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

/// Messages that are sent while time passes.
#[derive(Debug)]
struct Flow {
    application: usize,
    send: ScriptSend,
    kind: Kind,
    left: u32,
    every: Duration,
    next_at: Instant,
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    /// It asks for an answer.
    Request,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).expect("a script's durations are bounded")
}

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
    fn a_run_is_the_same_however_its_time_is_divided() {
        let script = "host a peer://g\nhost b peer://g\nsubscribe b topic://t\nrun 3s\nfaults delay=1ms..20ms\n\
                      send a topic://t hi 50 times every 20ms\nrun 500ms\ncut a b\nrun 100ms\nheal\nrun 2s";
        let run = |pieces: &[u64]| {
            let mut play = play(1, script);
            let mut at = Instant::ZERO;
            for piece in pieces.iter().cycle() {
                at = at + Duration::from_millis(*piece);
                play.run_until(at);
                if at == Instant::from_millis(3700) {
                    play.act(ScriptStep::Crash("b".into()));
                }
                if at >= Instant::from_millis(6000) {
                    assert_eq!(play.world().now(), at);
                    return (play.world().trace_hash(), play.tally().clone());
                }
            }
            unreachable!("time goes on")
        };
        let (_, tally) = run(&[100]);
        assert!(tally.sent == 50 && tally.delivered > 10, "{tally:?}");
        for pieces in [&[3700, 2300][..], &[1], &[700, 3000, 2300], &[20, 80]] {
            assert_eq!(run(pieces), run(&[100]), "{pieces:?}");
        }
        let mut whole = play(1, &script.replace("heal\nrun 2s", "heal\nrun 100ms\ncrash b\nrun 2300ms"));
        assert_eq!(played(play(1, script)).2, Instant::from_millis(5600));
        while whole.step() {}
        assert_eq!(
            (whole.world().trace_hash(), whole.tally().clone()),
            run(&[100]),
            "what is done meanwhile is a step"
        );
    }

    #[test]
    fn requests_are_answered_and_a_partition_parts_a_side_from_all_others() {
        let script = "host a peer://g\nhost b peer://g\nhost c peer://g\nanswer b queue://q\nsubscribe c topic://t\nrun 5s\n\
                      request a queue://q 7 3 times\nsend a topic://t hi\nrun 2s\n";
        let (_, tally, _) = played(play(1, script));
        assert_eq!(
            tally,
            Tally { sent: 7, delivered: 7, refused: 0 },
            "three questions, as many answers, and one more"
        );
        let mut parted = play(1, &script.replace("run 5s\n", "run 5s\npartition a c\n"));
        parted.keep_notes();
        while parted.step() {}
        assert_eq!(*parted.tally(), Tally { sent: 4, delivered: 1, refused: 0 }, "c is on the side of a, b is not");
        let hosts: Vec<HostId> = parted.hosts().map(|(_, host)| host).collect();
        let notes = parted.take_notes();
        let sent: u32 =
            notes.iter().map(|note| if let PlayNoteKind::Sent { count, .. } = note.what { count } else { 0 }).sum();
        let told = |host| {
            let delivered = |note: &&PlayNote| matches!(note.what, PlayNoteKind::Told(Event::Delivered { .. }));
            notes.iter().filter(|note| note.host == host).filter(delivered).count()
        };
        assert_eq!((sent, told(hosts[1]), told(hosts[2])), (4, 0, 1));
    }

    #[test]
    fn who_unsubscribes_gets_no_more() {
        let script = "host a peer://g\nsubscribe a topic://t\nsend a topic://t 1\nrun 1s\nunsubscribe a topic://t\n\
                      send a topic://t 2\nrun 1s\nrestart a\nsend a topic://t 3\nrun 1s";
        let mut play = play(1, script);
        while play.step() {}
        assert_eq!(*play.tally(), Tally { sent: 3, delivered: 1, refused: 0 });
        assert_eq!(play.subscriptions(HostId(0)).count(), 0);
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
