//! Rank 5, a driver whose world is a queue: nodes on simulated hosts, in virtual time, with every fault a network
//! has. All chance comes from one seed, so a run can be had again.
//!
//! ```
//! use core::time::Duration;
//! use flockmq_core::sim::World;
//! use flockmq_core::{Config, Event, Seed};
//!
//! let mut world = World::new(Seed::from(1));
//! let (a, b) = (world.add_host(Config::peer("group", "a")), world.add_host(Config::peer("group", "b")));
//! world.cut(a, b);
//! world.run_for(Duration::from_secs(5));
//! world.heal(a, b);
//! let ready = |(_, event): &_| matches!(event, Event::PeerReady { .. });
//! assert!(world.run_until(Duration::from_secs(60), |world| world.events(a).iter().any(ready)));
//! ```

mod agenda;
mod application;
mod departure;
mod disk;
mod fault;
mod group;
mod host;
mod medium;
mod net;
mod pipe;
mod play;
mod script;
mod station;
mod stream;
mod tape;
mod trace;
mod verb;

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;

use crate::recording::Recording;
use crate::{Address, Command, Config, Event, Input, Instant, Node, Output, Rng, Seed, Timestamp};
use agenda::Happening;
pub use departure::{Cargo, Departure};
pub use disk::{Disk, DiskError, DiskRequest};
pub use fault::{Counts, Delay, Faults};
pub use host::HostId;
use host::{Host, Process, Program};
use net::Net;
pub use play::{Play, PlayLine, PlayNote, PlayNoteKind, Tally};
pub use script::{Script, ScriptError, ScriptFault, ScriptSend, ScriptStep};
use tape::Tape;
pub use trace::Line;
use trace::Trace;

/// Hosts, what runs on them, and the network between them. Time is virtual and starts at [`Instant::ZERO`].
#[derive(Debug)]
pub struct World {
    seed: Seed,
    now: Instant,
    net: Net,
    hosts: Vec<Host>,
    trace: Trace,
    chance: u128, // Of hosts: each has its own, however many there are.
    is_recording: bool,
    dials: Option<Vec<(Instant, HostId, Address)>>,
    adverts: Option<Vec<(Instant, HostId, Bytes)>>,
}

impl World {
    /// A world without hosts and without faults.
    pub fn new(seed: Seed) -> Self {
        let mut rng = Rng::new(seed);
        let net = Net::new(&mut rng);
        let chance = rng.next_u128();
        Self {
            seed,
            now: Instant::ZERO,
            net,
            hosts: Vec::new(),
            trace: Trace::default(),
            chance,
            is_recording: false,
            dials: None,
            adverts: None,
        }
    }

    /// Adds a host and starts a node on it. Its address is [`HostId::ip`], its name for others is the config's, its
    /// one interface is called `eth0`; listeners without a port get new ones from 40000 upward.
    pub fn add_host(&mut self, config: Config) -> HostId {
        let name = config.name.clone();
        self.add(name, Some(config))
    }

    /// Adds a host without a node: the test itself says what its process asks for ([`Self::perform`]) and reads
    /// what it was told ([`Self::heard`]). The contract binds it like a node.
    pub fn add_puppet(&mut self, name: impl Into<String>) -> HostId {
        self.add(name.into(), None)
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The node that runs on a host; none after a crash, or on a puppet.
    pub fn node(&self, host: HostId) -> Option<&Node> {
        self.hosts[host.index()].node()
    }

    /// All hosts, in the order in which they were added.
    pub fn hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..).map(HostId).take(self.hosts.len())
    }

    /// How often a host's process has crashed.
    pub fn incarnation(&self, host: HostId) -> u32 {
        self.net.process(host).incarnation
    }

    /// Carries out a host's command: at once, or when it is resumed if it is paused; never if it has crashed.
    pub fn command(&mut self, host: HostId, command: Command) {
        self.put_in(host, Input::Command(command));
    }

    /// Takes what the application of a host was told, and when, oldest first.
    pub fn events(&mut self, host: HostId) -> Vec<(Instant, Event)> {
        core::mem::take(&mut self.hosts[host.index()].events)
    }

    /// Lets a puppet's process ask for something.
    pub fn perform(&mut self, host: HostId, output: Output) {
        let is_puppet = matches!(self.hosts[host.index()].program, Program::Puppet(_));
        assert!(is_puppet, "{host} is no puppet, or has crashed");
        self.handle_output(host, output);
        self.net.flush(self.now);
    }

    /// Takes what a puppet's process was told, and when, oldest first.
    pub fn heard(&mut self, host: HostId) -> Vec<(Instant, Input)> {
        match &mut self.hosts[host.index()].program {
            Program::Absent | Program::Node(_) => Vec::new(),
            Program::Puppet(heard) => core::mem::take(heard),
        }
    }
}

/// Time passes.
impl World {
    /// Lets time pass until the next process is told something; false if nothing is ever going to happen.
    pub fn step(&mut self) -> bool {
        self.step_until(Instant::from_nanos(u64::MAX))
    }

    /// Lets so much time pass.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step_until(end) {}
        self.now = end;
    }

    /// Lets time pass until `done`, which is asked now and after every step, but no longer than `limit`. False if it
    /// was never done.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if done(self) {
                return true;
            }
            if !self.step_until(end) {
                self.now = end;
                return done(self);
            }
        }
    }

    /// When something happens next, of which a process may be told or not.
    pub fn next_at(&self) -> Option<Instant> {
        self.net.medium.agenda.next_at()
    }

    fn step_until(&mut self, limit: Instant) -> bool {
        while let Some((at, happening)) = self.net.medium.agenda.pop(limit) {
            self.now = at;
            if self.carry_out(happening) {
                return true;
            }
        }
        false
    }

    /// True if a process was told something.
    fn carry_out(&mut self, happening: Happening) -> bool {
        if let Some(hearer) = self.net.hearer(&happening)
            && self.hosts[hearer.index()].is_paused
        {
            self.defer(hearer, happening);
            return false;
        }
        match happening {
            Happening::Disk { process } => return self.attend_disk(process),
            Happening::Wake { process } => return self.wake(process),
            Happening::WallClock { process } if process == self.net.process(process.host) => {
                self.tell_wall_clock(process.host);
                return true;
            }
            _ => (),
        }
        match self.net.handle_happening(self.now, happening) {
            None => false,
            Some((host, input)) => {
                self.tell(host, input);
                true
            }
        }
    }

    fn wake(&mut self, process: Process) -> bool {
        let host = &mut self.hosts[process.host.index()];
        if host.process != process || host.wake.is_none_or(|(_, at)| at != self.now) {
            return false; // An earlier one was wanted since.
        }
        host.wake = None;
        if host.poll_timeout().is_some_and(|deadline| deadline <= self.now) {
            self.tell(process.host, Input::Timeout);
            return true;
        }
        self.arm(process.host); // A later one is wanted by now.
        false
    }

    /// No process is told: nobody but recordings asks a disk for anything.
    fn attend_disk(&mut self, process: Process) -> bool {
        if self.net.process(process.host) == process {
            let host = &mut self.hosts[process.host.index()];
            let medium = &mut self.net.medium;
            let result = host.disk.carry_out(&medium.faults, &mut medium.counts);
            let tape = host.tapes.last_mut().expect("who asked the disk is a recording");
            if let Some(request) = tape.handle_answer(result) {
                self.ask_disk(process.host, request);
            }
        }
        false
    }
}

/// What there is to see.
impl World {
    /// What was carried out and what went wrong so far.
    pub fn counts(&self) -> &Counts {
        &self.net.medium.counts
    }

    /// A number that two runs share if, and nearly only if, all processes were told and said the same.
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// True if nothing stands in the way of anything now: no faults by chance, no cut, no slow or paused host. What
    /// went wrong before may still be felt.
    pub fn is_calm(&self) -> bool {
        self.net.medium.is_calm() && !self.hosts.iter().any(|host| host.is_paused)
    }

    /// Keeps every dial from now on, until it is taken.
    pub fn keep_dials(&mut self) {
        self.dials.get_or_insert_default();
    }

    /// Takes the dials kept, oldest first: when, from which host, and where to.
    pub fn take_dials(&mut self) -> Vec<(Instant, HostId, Address)> {
        self.dials.as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// Keeps every datagram that is sent to a group from now on, until it is taken.
    pub fn keep_adverts(&mut self) {
        self.adverts.get_or_insert_default();
    }

    /// Takes the datagrams kept, oldest first: when, from which host, and what.
    pub fn take_adverts(&mut self) -> Vec<(Instant, HostId, Bytes)> {
        self.adverts.as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// Keeps what leaves hosts for others from now on, until it is taken.
    pub fn keep_departures(&mut self) {
        self.net.medium.departures.get_or_insert_default();
    }

    /// Takes what was kept of what left hosts, oldest first.
    pub fn take_departures(&mut self) -> Vec<Departure> {
        self.net.medium.departures.as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// True if a cut lets nothing through from one host to another.
    pub fn is_cut(&self, from: HostId, to: HostId) -> bool {
        self.net.medium.has_cut(from, to)
    }

    /// True if a host's process stands still: it was paused, or its machine is asleep.
    pub fn is_paused(&self, host: HostId) -> bool {
        self.hosts[host.index()].is_paused
    }

    /// Keeps the last so many lines of what happens from now on; none at first.
    pub fn keep_log(&mut self, lines_max: usize) {
        self.trace.keep_lines(lines_max);
    }

    /// The lines kept, oldest first.
    pub fn log(&self) -> impl Iterator<Item = &Line> {
        self.trace.lines()
    }

    /// Takes the lines kept, oldest first, and goes on keeping as many.
    pub fn take_log(&mut self) -> Vec<Line> {
        self.trace.take_lines()
    }

    /// The disk of a host.
    pub fn disk(&self, host: HostId) -> &Disk {
        &self.hosts[host.index()].disk
    }

    /// What a host's wall clock reads.
    pub fn wall_clock(&self, host: HostId) -> Timestamp {
        let right = EPOCH + self.now.since_origin();
        Timestamp::from_millis(right.as_millis().saturating_add_signed(self.hosts[host.index()].wall_ahead))
    }

    /// Records every node started from now on, each into a file of its host's disk as well, `recording-1.flock` and so on;
    /// what has not been synced there when the power goes may be lost.
    pub fn record(&mut self) {
        self.is_recording = true;
    }

    /// A host's recordings so far, one for each time its node was started.
    pub fn recordings(&self, host: HostId) -> Vec<Recording> {
        let files = self.recording_files(host).into_iter();
        files.map(|file| Recording::read(&file).expect("what was just recorded can be read")).collect()
    }

    /// A host's recordings so far, as the files that a real process would have written if nothing had ever failed.
    pub fn recording_files(&self, host: HostId) -> Vec<Vec<u8>> {
        self.hosts[host.index()].tapes.iter().map(Tape::recorded).collect()
    }

    /// What of the same files is on the host's disk, if it is there.
    pub fn recording_remains(&self, host: HostId) -> Vec<Option<&[u8]>> {
        let Host { tapes, disk, .. } = &self.hosts[host.index()];
        tapes.iter().map(|tape| disk.file(tape.file())).collect()
    }
}

/// What the world does with a host.
impl World {
    fn add(&mut self, name: String, config: Option<Config>) -> HostId {
        let host = self.net.add_host(name);
        let rng = Rng::new(Seed(self.chance ^ u128::from(host.0)));
        let disk = Disk::new(Seed(!self.chance ^ u128::from(host.0)));
        self.hosts.push(Host::new(self.net.process(host), config, disk, rng));
        self.start(host);
        host
    }

    fn start(&mut self, id: HostId) {
        let process = self.net.process(id);
        let host = &mut self.hosts[id.index()];
        let Some(seed) = host.start(self.now, process, &self.net.medium.faults) else {
            return; // A puppet.
        };
        if self.is_recording {
            let config = host.config.as_ref().expect("a node has a config");
            host.tapes.push(Tape::new(process.incarnation + 1, config, seed, host.clock.read(self.now)));
        }
        self.drain(id);
        self.tell_wall_clock(id);
    }

    fn tell_wall_clock(&mut self, id: HostId) {
        let wall = self.wall_clock(id);
        self.tell(id, Input::WallClock(wall));
    }

    /// Tells a process something that does not come from the network.
    fn put_in(&mut self, host: HostId, input: Input) {
        if self.hosts[host.index()].is_paused {
            let happening = Happening::Input { process: self.net.process(host), input: Box::new(input) };
            self.defer(host, happening);
        } else {
            self.tell(host, input);
        }
    }

    fn defer(&mut self, host: HostId, happening: Happening) {
        let deferred = &mut self.hosts[host.index()].deferred;
        match happening {
            Happening::Datagram { .. } if deferred.len() >= DEFERRED_MAX => {
                self.net.medium.counts.datagrams_lost += 1;
            }
            Happening::Wake { .. } => (), // Resuming asks when it wants to be woken.
            other => deferred.push(other),
        }
    }

    fn tell(&mut self, id: HostId, input: Input) {
        let host = &mut self.hosts[id.index()];
        let reading = host.clock.read(self.now);
        let is_timeout = input == Input::Timeout;
        match &mut host.program {
            Program::Absent => return,
            Program::Node(node) => {
                self.trace.input(self.now, id, reading, &input);
                if let Some(tape) = host.tapes.last_mut() {
                    tape.input(reading, &input);
                }
                node.handle_input(reading, input);
            }
            Program::Puppet(heard) => {
                self.trace.input(self.now, id, reading, &input);
                heard.push((self.now, input));
            }
        }
        self.net.medium.counts.inputs += 1;
        self.drain(id);
        let host = &mut self.hosts[id.index()];
        if is_timeout && let Some(deadline) = host.node().and_then(Node::poll_timeout) {
            let (now, seed) = (self.now, self.seed);
            assert!(
                deadline > reading,
                "{id}, told the time {reading}, wants it again at {deadline} (at {now}, {seed})"
            );
        }
        self.arm(id);
        let ppm = self.net.medium.faults.spurious_timeout_ppm;
        let host = &mut self.hosts[id.index()];
        if ppm > 0 && host.whims.chance(ppm.into(), 1_000_000) {
            let at = self.now + Duration::from_nanos(host.whims.below(1_000_000));
            self.net.medium.counts.spurious_timeouts += 1;
            let happening = Happening::Input { process: host.process, input: Box::new(Input::Timeout) };
            self.net.medium.agenda.push(at, happening);
        }
    }

    fn drain(&mut self, id: HostId) {
        let mut count = 0_u32;
        while let Some(output) = self.hosts[id.index()].poll_output() {
            count += 1;
            assert!(count < OUTPUTS_MAX, "{id} never stops talking: {output:?} (at {}, {})", self.now, self.seed);
            self.handle_output(id, output);
        }
        self.net.flush(self.now);
        let host = &mut self.hosts[id.index()];
        if let Some(tape) = host.tapes.last_mut() {
            if host.is_stopped {
                tape.end();
            }
            if let Some(request) = tape.settle() {
                self.ask_disk(id, request);
            }
        }
        let host = &self.hosts[id.index()];
        if host.is_stopped {
            let links = self.net.links(id);
            assert_eq!(links, 0, "{id} has stopped, but not closed every link (at {}, {})", self.now, self.seed);
            assert_eq!(host.poll_timeout(), None, "{id} has stopped, but wants to be woken ({})", self.seed);
        }
    }

    fn handle_output(&mut self, id: HostId, output: Output) {
        let host = &mut self.hosts[id.index()];
        self.net.medium.counts.outputs += 1;
        self.trace.output(self.now, id, &output);
        if let Some(tape) = host.tapes.last_mut() {
            tape.output(&output);
        }
        // Whoever still commands it may be answered.
        if let (Some(dials), Output::Connect { address, .. }) = (&mut self.dials, &output) {
            dials.push((self.now, id, address.clone()));
        }
        if let (Some(adverts), Output::Announce { data, .. }) = (&mut self.adverts, &output) {
            adverts.push((self.now, id, data.clone()));
        }
        let is_allowed = !host.is_stopped || matches!(output, Output::Event(_));
        assert!(is_allowed, "{id} has stopped, but says {output:?} (at {}, {})", self.now, self.seed);
        match output {
            Output::Event(event) => {
                host.is_stopped |= event == Event::Stopped;
                host.events.push((self.now, event));
            }
            other => self.net.handle_output(self.now, host.process, other),
        }
    }

    fn ask_disk(&mut self, id: HostId, request: DiskRequest) {
        let host = &mut self.hosts[id.index()];
        let medium = &mut self.net.medium;
        let at = host.disk.ask(self.now, request, &medium.faults);
        medium.agenda.push(at, Happening::Disk { process: host.process });
    }

    /// Puts the next wake on the agenda, if it is not there.
    fn arm(&mut self, id: HostId) {
        let host = &mut self.hosts[id.index()];
        let Some(deadline) = host.poll_timeout().map(|deadline| deadline.max(self.now)) else { return };
        if host.wake.is_some_and(|(wanted, _)| wanted <= deadline) {
            return;
        }
        let lateness_max = self.net.medium.faults.lateness_max;
        let lateness = Delay { min: Duration::ZERO, max: lateness_max };
        let at = if lateness_max.is_zero() { deadline } else { deadline + lateness.draw(&mut host.whims) };
        host.wake = Some((deadline, at));
        self.net.medium.agenda.push(at, Happening::Wake { process: host.process });
    }
}

/// How many inputs wait for a paused process before further datagrams are lost.
const DEFERRED_MAX: usize = 1_024;

/// 2026-01-01 UTC.
const EPOCH: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// No input makes a node say so much.
const OUTPUTS_MAX: u32 = 1_000_000;
