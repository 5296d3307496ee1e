//! A world of simulated peers, brokers and clients, each with one application attached: what JavaScript drives, without
//! JavaScript.

use std::collections::VecDeque;

use flockmq_core::sim::{Cargo, Departure, HostId, Play, PlayNote, PlayNoteKind, Script, ScriptStep};
use flockmq_core::{Event, Instant, MessageId, Node, ProducerId, Seed};
use serde_json::{Value, json};

use crate::agenda::{Agenda, duration, millis};
use crate::fault::Fault;
use crate::flight::Reader;
use crate::ledger::Ledger;
use crate::view::{self, Label};
use crate::{event, target};

/// Simulated peers, brokers and clients, the network between them, and one application at each, which acknowledges what
/// it is handed.
///
/// Hosts go by the names that they are added under. All that is done is a step of a scenario
/// (`flockmq simulate --help`), so that every run is a text: [`World::export`].
#[derive(Debug)]
pub struct World {
    seed: Seed,
    play: Play,
    agenda: Agenda,
    labels: Vec<Label>,
    reader: Option<Reader>,
    ledger: Ledger,
    told: VecDeque<(Instant, HostId, Event)>,
    unread: u64,
}

impl World {
    /// A world without hosts. All of its chance comes from `seed`, a hexadecimal number.
    pub fn new(seed: &str) -> Result<Self, Fault> {
        Self::begin(seed, Script::default())
    }

    /// A world in which a scenario happens as time passes. What it does before any time passes has happened already.
    pub fn replay(seed: &str, scenario: &str) -> Result<Self, Fault> {
        Self::begin(seed, scenario.parse::<Script>()?)
    }

    fn begin(seed: &str, script: Script) -> Result<Self, Fault> {
        let seed: Seed = seed.parse().map_err(|_| Fault::Seed(seed.to_owned()))?;
        let mut play = Play::new(seed, &Script::default());
        play.keep_notes();
        let mut world = Self {
            seed,
            play,
            agenda: Agenda::new(script),
            labels: Vec::new(),
            reader: None,
            ledger: Ledger::default(),
            told: VecDeque::new(),
            unread: 0,
        };
        world.pass(Instant::ZERO);
        Ok(world)
    }

    /// Reads what travels between hosts from now on, for [`World::flights`].
    pub fn watch(&mut self) {
        self.play.world().keep_departures();
        self.reader.get_or_insert_default();
    }
}

/// What can be done. Whatever fails changes nothing.
impl World {
    /// Does what a line of a scenario says; `run` lets time pass.
    pub fn act(&mut self, line: &str) -> Result<(), Fault> {
        if let Some(step) = self.parse(line)? {
            self.perform(step);
        }
        Ok(())
    }

    /// Starts a peer from its URI, `peer://GROUP?OPTIONS`.
    pub fn add_peer(&mut self, name: &str, uri: &str) -> Result<(), Fault> {
        self.call("host", &[name, uri])
    }

    /// Starts a broker that stands alone from the URI that a peer would have. It serves clients and bridges to nobody.
    pub fn add_broker(&mut self, name: &str, uri: &str) -> Result<(), Fault> {
        self.call("broker", &[name, uri.strip_prefix("peer://").unwrap_or(uri)])
    }

    /// Starts a client that fans out to many brokers from its URI, `fanout:(URI)?OPTIONS`.
    pub fn add_fanout(&mut self, name: &str, uri: &str) -> Result<(), Fault> {
        self.call("host", &[name, uri])
    }

    /// Has a host's application take what arrives at a destination or pattern, also after a restart.
    pub fn subscribe(&mut self, host: &str, destination: &str) -> Result<(), Fault> {
        self.call("subscribe", &[host, destination])
    }

    /// Has a host's application take no more of a destination or pattern.
    pub fn unsubscribe(&mut self, host: &str, destination: &str) -> Result<(), Fault> {
        self.call("unsubscribe", &[host, destination])
    }

    /// Has a host's application subscribe, and answer what asks for an answer with the same text.
    pub fn answer(&mut self, host: &str, destination: &str) -> Result<(), Fault> {
        self.call("answer", &[host, destination])
    }

    /// Has a host's application send text messages.
    pub fn publish(&mut self, host: &str, destination: &str, text: &str, often: Often) -> Result<(), Fault> {
        self.call_often("send", &[host, destination, text], often)
    }

    /// Has a host's application send text messages that ask for an answer.
    pub fn request(&mut self, host: &str, destination: &str, text: &str, often: Often) -> Result<(), Fault> {
        self.call_often("request", &[host, destination, text], often)
    }

    /// Lets nothing pass between two hosts, until they are healed.
    pub fn cut(&mut self, a: &str, b: &str) -> Result<(), Fault> {
        self.call("cut", &[a, b])
    }

    /// Lets nothing pass from one host to another, until they are healed.
    pub fn cut_one_way(&mut self, from: &str, to: &str) -> Result<(), Fault> {
        self.call("cut", &[from, "->", to])
    }

    /// Lets nothing pass between these hosts and all others.
    pub fn partition(&mut self, side: &[String]) -> Result<(), Fault> {
        self.call("partition", &side.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Undoes the cuts between two hosts.
    pub fn heal(&mut self, a: &str, b: &str) -> Result<(), Fault> {
        self.call("heal", &[a, b])
    }

    /// Undoes all cuts.
    pub fn heal_all(&mut self) {
        self.perform(ScriptStep::Heal);
    }

    /// Lets each link of a host take no more than so many bytes a second; any number if `None`.
    pub fn slow(&mut self, host: &str, bytes_per_second: Option<u32>) -> Result<(), Fault> {
        let rate = bytes_per_second.map_or("off".to_owned(), |rate| rate.to_string());
        self.call("slow", &[host, &rate])
    }

    /// Changes what goes wrong by chance, as the scenario's `faults` does: `loss=5% delay=1ms..20ms`, or `none`.
    pub fn faults(&mut self, faults: &str) -> Result<(), Fault> {
        let step = self.parse(&format!("faults {faults}"));
        self.perform(step.map_err(Fault::of_call)?.expect("there is a word"));
        Ok(())
    }

    /// Tears down all connections between two hosts.
    pub fn reset(&mut self, a: &str, b: &str) -> Result<(), Fault> {
        self.call("reset", &[a, b])
    }

    /// Ends a host's process without notice, with all that its memory held.
    pub fn crash(&mut self, host: &str) -> Result<(), Fault> {
        self.call("crash", &[host])
    }

    /// Starts a host's process again, after a crash if it still runs: same URI, new identity, same subscriptions.
    pub fn restart(&mut self, host: &str) -> Result<(), Fault> {
        self.call("restart", &[host])
    }

    /// Stops a host's process in its tracks.
    pub fn pause(&mut self, host: &str) -> Result<(), Fault> {
        self.call("pause", &[host])
    }

    /// Lets a host's process go on.
    pub fn resume(&mut self, host: &str) -> Result<(), Fault> {
        self.call("resume", &[host])
    }

    /// Has a host's node take its leave.
    pub fn stop(&mut self, host: &str) -> Result<(), Fault> {
        self.call("stop", &[host])
    }
}

/// How often something is sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Often {
    /// How many times.
    pub times: u32,
    /// How many milliseconds to wait after each; all at once if `None`.
    pub every: Option<f64>,
}

impl Often {
    /// One time.
    pub const ONCE: Self = Self { times: 1, every: None };
}

/// Time passes.
impl World {
    /// What time it is, in milliseconds.
    pub fn now(&mut self) -> f64 {
        millis(self.play.world().now())
    }

    /// When the scenario ends, in milliseconds.
    pub fn ends_at(&self) -> f64 {
        millis(self.agenda.ends_at())
    }

    /// Lets this many milliseconds of virtual time pass.
    pub fn run_for(&mut self, milliseconds: f64) -> Result<(), Fault> {
        let duration = duration(milliseconds).ok_or(Fault::Duration(milliseconds))?;
        let now = self.play.world().now();
        self.pass(now + duration);
        Ok(())
    }

    /// Lets time pass until this moment, in milliseconds. However a span of time is divided, the run is the same.
    pub fn run_until(&mut self, milliseconds: f64) -> Result<(), Fault> {
        let at = Instant::ZERO + duration(milliseconds).ok_or(Fault::Duration(milliseconds))?;
        if at < self.play.world().now() {
            return Err(Fault::Past { at: milliseconds, now: self.now() });
        }
        self.pass(at);
        Ok(())
    }

    /// Lets time pass until the next moment at which a process is told something, but no longer than `limit` milliseconds.
    /// False if nothing happens by then.
    pub fn step(&mut self, limit: f64) -> Result<bool, Fault> {
        let limit = duration(limit).ok_or(Fault::Duration(limit))?;
        let now = self.play.world().now();
        let end = self.agenda.next_at().unwrap_or(now + limit).clamp(now, now + limit);
        let (at, done) = (self.play.next_at(end), self.agenda.done());
        self.pass(at.unwrap_or(end));
        Ok(at.is_some() || self.agenda.done() > done)
    }

    fn pass(&mut self, until: Instant) {
        while let Some(at) = self.agenda.next_at().filter(|at| *at <= until) {
            self.play.run_until(at);
            let step = self.agenda.take().expect("there is a next one");
            self.play(step);
        }
        self.play.run_until(until);
        self.hear();
    }
}

/// What there is to see; looking changes nothing.
impl World {
    /// A hash over everything that has happened, as 16 hexadecimal digits.
    pub fn trace_hash(&mut self) -> String {
        format!("{:016x}", self.play.world().trace_hash())
    }

    /// All that was done and is still to be done, as a scenario that lasts at least until now: with the same seed it is this
    /// very run, here and for `flockmq simulate`.
    pub fn export(&mut self) -> String {
        self.agenda.script(self.play.world().now()).to_string()
    }

    /// The seed.
    pub fn seed(&self) -> String {
        self.seed.to_string()
    }

    /// The steps done since there were so many: `at`, in milliseconds, and the `step` as it is written.
    pub fn steps(&self, since: usize) -> Vec<Value> {
        let done = self.agenda.done_since(since).iter();
        done.map(|(at, step)| json!({ "at": millis(*at), "step": step.to_string() })).collect()
    }

    /// Takes what applications were told since the last call, oldest first, but for what is said of messages unless they are
    /// wanted too.
    pub fn events(&mut self, with_messages: bool) -> Vec<Value> {
        let is_of_messages =
            |event: &Event| matches!(event, Event::Accepted { .. } | Event::Delivered { .. } | Event::Replied { .. });
        let told = self.told.drain(..).filter(|(_, _, event)| with_messages || !is_of_messages(event));
        let labels = &self.labels;
        told.map(|(at, host, event)| event::to_json(at, name(labels, host), &event)).collect()
    }

    /// How many events were dropped because nobody took them.
    pub fn unread(&self) -> u64 {
        self.unread
    }

    /// Who there is, who is linked to whom, and which paths are cut.
    pub fn topology(&mut self) -> Value {
        let hosts: Vec<HostId> = self.play.world().hosts().collect();
        let takes: Vec<Vec<String>> = hosts.into_iter().map(|host| self.takes(host)).collect();
        view::topology(self.play.world(), &self.labels, &takes)
    }

    /// How one node stands: its queues and topics, its consumers, its peers' demand, whom it dials and when, its targets.
    pub fn inspect(&mut self, host: &str) -> Result<Value, Fault> {
        let host = self.host(host)?;
        let takes = self.takes(host);
        Ok(view::node(self.play.world(), host, &self.labels, &takes))
    }

    /// The brokers that a client fans out to, or would; none for other hosts, and for those that have crashed.
    pub fn targets(&mut self, host: &str) -> Result<Vec<Value>, Fault> {
        let host = self.host(host)?;
        let targets = self.play.world().node(host).map(Node::targets).unwrap_or_default();
        Ok(targets.iter().map(target::to_json).collect())
    }

    /// Takes what has left hosts for others since the last call, if that is watched; adverts only if they are wanted, since
    /// everybody hears everybody's.
    pub fn flights(&mut self, with_adverts: bool) -> Vec<Value> {
        let Some(reader) = &mut self.reader else { return Vec::new() };
        let labels = &self.labels;
        let departures = self.play.world().take_departures();
        let is_wanted = |found: &&Departure| with_adverts || !matches!(found.cargo, Cargo::Datagram(_));
        departures
            .iter()
            .filter(is_wanted)
            .map(|departure| reader.read(departure, |host| name(labels, HostId(host))))
            .collect()
    }

    /// What became of all messages so far, and how long those took that were delivered since the last call.
    pub fn statistics(&mut self) -> Value {
        let world = self.play.world();
        let (now, held) = (world.now(), view::held(world));
        let counts = world.counts();
        let network = json!({
            "inputs": counts.inputs,
            "outputs": counts.outputs,
            "datagrams": counts.datagrams,
            "datagramsLost": counts.datagrams_lost + counts.datagrams_cut,
            "streams": counts.streams,
            "resets": counts.resets,
            "crashes": counts.crashes,
        });
        let mut told = self.ledger.tell(now, held);
        told["network"] = network;
        told
    }
}

impl World {
    /// A call in a scenario's words.
    fn call(&mut self, verb: &str, arguments: &[&str]) -> Result<(), Fault> {
        let words = arguments.iter().map(|word| quoted(word));
        let line = std::iter::once(verb.to_owned()).chain(words).collect::<Vec<_>>().join(" ");
        self.perform(self.parse(&line).map_err(Fault::of_call)?.expect("there is a word"));
        Ok(())
    }

    fn call_often(&mut self, verb: &str, arguments: &[&str], often: Often) -> Result<(), Fault> {
        let words = arguments.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let line = match often.every {
            None => format!("{verb} {words} {} times", often.times),
            Some(every) => {
                let every = duration(every).ok_or(Fault::Duration(every))?.as_nanos();
                format!("{verb} {words} {} times every {every}ns", often.times)
            }
        };
        self.perform(self.parse(&line).map_err(Fault::of_call)?.expect("there is a word"));
        Ok(())
    }

    fn parse(&self, line: &str) -> Result<Option<ScriptStep>, flockmq_core::sim::ScriptError> {
        ScriptStep::parse(line, self.labels.iter().map(|label| label.name.as_str()))
    }

    /// Does something beside what the scenario says.
    fn perform(&mut self, step: ScriptStep) {
        let now = self.play.world().now();
        if let ScriptStep::Run(duration) = step {
            return self.pass(now + duration);
        }
        self.agenda.note(now, step.clone());
        self.play(step);
        self.hear();
    }

    fn play(&mut self, step: ScriptStep) {
        if let ScriptStep::Start { name, config, .. } = &step {
            self.labels.push(Label { name: name.clone(), role: config.role, group: config.group.clone() });
        }
        self.hear(); // Of what was sent before, by those who subscribe now.
        self.play.act(step);
    }

    /// Takes notice of what applications did and were told.
    fn hear(&mut self) {
        for PlayNote { at, host, what } in self.play.take_notes() {
            match what {
                PlayNoteKind::Sent { first, count, destination } => {
                    let subscribers = self.subscribers(host, &destination);
                    for number in 0..u64::from(count) {
                        let id = MessageId { sequence: first.sequence + number, ..first };
                        self.ledger.send(at, id, &destination, subscribers);
                    }
                }
                PlayNoteKind::Told(event) => {
                    self.enter(at, host, &event);
                    if self.told.len() >= EVENTS_MAX {
                        self.told.pop_front();
                        self.unread += 1;
                    }
                    self.told.push_back((at, host, event));
                }
            }
        }
    }

    fn enter(&mut self, at: Instant, host: HostId, event: &Event) {
        match event {
            Event::Delivered { consumer, deliveries } => {
                for delivery in deliveries {
                    self.ledger.deliver(at, delivery.message.id, (host, *consumer));
                }
            }
            Event::Refused { producer, sequence, .. } => {
                if let Some(broker) = self.play.world().node(host).map(Node::id) {
                    let producer = ProducerId { broker, number: *producer };
                    self.ledger.refuse(MessageId { producer, sequence: *sequence });
                }
            }
            _ => (),
        }
    }

    /// How many of the sender's group subscribe to a destination on hosts that run; of all, if it has no group and lists its
    /// brokers.
    fn subscribers(&mut self, sender: HostId, destination: &flockmq_core::Destination) -> u64 {
        let group = &label(&self.labels, sender).group;
        let hosts: Vec<HostId> = self.play.world().hosts().collect();
        let mut count = 0;
        for host in hosts {
            let is_reached = group.is_empty() || label(&self.labels, host).group == *group;
            if is_reached && self.play.world().node(host).is_some() {
                count += self.play.subscriptions(host).filter(|wanted| wanted.matches(destination)).count() as u64;
            }
        }
        count
    }

    fn takes(&self, host: HostId) -> Vec<String> {
        self.play.subscriptions(host).map(ToString::to_string).collect()
    }

    fn host(&self, name: &str) -> Result<HostId, Fault> {
        let found = self.play.hosts().find(|(known, _)| *known == name).map(|(_, host)| host);
        found.ok_or_else(|| {
            let known = self.labels.iter().map(|label| label.name.clone()).collect();
            Fault::Step(flockmq_core::sim::ScriptFault::UnknownHost { name: name.to_owned(), known })
        })
    }
}

fn label(labels: &[Label], host: HostId) -> &Label {
    &labels[usize::try_from(host.0).expect("hosts are few")]
}

fn name(labels: &[Label], host: HostId) -> &str {
    &label(labels, host).name
}

/// A word as a scenario has it.
fn quoted(word: &str) -> String {
    if word == "->" || word == "off" {
        return word.to_owned();
    }
    let mut quoted = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            '\r' => quoted += "\\r",
            letter => quoted.push(letter),
        }
    }
    quoted + "\""
}

/// How many events are kept for whoever takes them.
const EVENTS_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World::new("1").expect("a seed")
    }

    /// Two peers, of which `b` consumes from a queue, after they have found each other.
    fn pair() -> World {
        let scenario = "host a peer://g\nhost b peer://g\nsubscribe b queue://q\nrun 3s";
        let mut world = World::replay("1", scenario).expect("a scenario");
        world.run_until(3000.0).expect("a moment");
        world
    }

    #[test]
    fn what_is_wrong_is_told_by_code_and_in_the_core_s_words_and_changes_nothing() {
        let mut world = pair();
        let before = (world.trace_hash(), world.export());
        let faults = [
            (World::new("x").expect_err("no seed"), "Seed", "'x'"),
            (World::replay("1", "run 1s\nhots").expect_err("no scenario"), "Scenario", "line 2, column 1"),
            (world.add_peer("c", "vm://a").expect_err("no peer"), "Step", "'vm://a'"),
            (world.add_peer("c", "peer:g").expect_err("no URI"), "Uri", "peer"),
            (world.add_peer("a", "peer://g").expect_err("taken"), "HostTaken", "'a'"),
            (world.add_broker("c", "peer://g?persistent=true").expect_err("no store"), "Config", "persistent"),
            (world.subscribe("a", "topic://a..b").expect_err("no destination"), "Destination", "a..b"),
            (world.inspect("c").expect_err("no host"), "UnknownHost", "expected one of: a, b"),
            (world.publish("a", "topic://t.*", "x", Often::ONCE).expect_err("a pattern"), "Step", "without '*'"),
            (world.faults("los=5%").expect_err("no fault"), "Step", "'los=5%'"),
            (world.run_for(f64::NAN).expect_err("no time"), "Duration", "NaN"),
            (world.run_for(1e300).expect_err("too long"), "Duration", "584 years"),
            (world.run_until(2000.0).expect_err("past"), "Past", "it is 3000 ms now"),
        ];
        for (fault, code, part) in faults {
            assert_eq!(fault.code(), code, "{fault}");
            assert!(fault.to_string().contains(part), "{part} in: {fault}");
        }
        assert_eq!((world.trace_hash(), world.export()), before);
    }

    #[test]
    fn words_of_any_letters_arrive_as_they_are() {
        let mut world = pair();
        let text = "say \"hi\" \\ # no\tcomment\r\n";
        world.publish("a", "queue://q", text, Often { times: 2, every: Some(0.5) }).expect("a step");
        world.run_for(1000.0).expect("a duration");
        let events = world.events(true);
        let delivered = events.iter().filter_map(|event| event["deliveries"].as_array()).flatten();
        assert_eq!(delivered.map(|delivery| delivery["text"].as_str()).collect::<Vec<_>>(), [Some(text); 2]);
        let mut again = World::replay("1", &world.export()).expect("what is exported is a scenario");
        again.run_until(world.now()).expect("a moment");
        assert_eq!(again.trace_hash(), world.trace_hash());
    }

    #[test]
    fn what_travels_is_read_from_its_beginning_and_adverts_only_if_they_are_wanted() {
        let mut world = world();
        world.watch();
        for host in ["a", "b"] {
            world.add_peer(host, "peer://g").expect("a peer");
        }
        world.subscribe("b", "topic://t").expect("a destination");
        world.run_for(3000.0).expect("a duration");
        let kinds = |flights: &[Value]| {
            let of = |kind: &str| flights.iter().filter(|flight| flight["kind"] == kind).count();
            (of("advert"), of("control"), of("demand"), of("message"), of("bytes"))
        };
        let (adverts, control, demand, messages, unread) = kinds(&world.flights(true));
        assert!(adverts >= 10 && control >= 4 && demand >= 1, "{adverts}, {control}, {demand}");
        assert_eq!((messages, unread), (0, 0));
        world.publish("a", "topic://t", "hi", Often::ONCE).expect("a destination");
        world.run_for(1000.0).expect("a duration");
        let flights = world.flights(false);
        assert_eq!((kinds(&flights).0, kinds(&flights).3), (0, 1));
        let message = flights.iter().find(|flight| flight["kind"] == "message").expect("one");
        assert_eq!((&message["from"], &message["to"]), (&json!("a"), &json!("b")));
        assert_eq!(message["messages"][0]["destination"], "topic://t");
        assert_eq!(message["messages"][0]["text"], "hi");
        assert!(message["left"].as_f64() >= Some(3000.0) && message["arrives"].as_f64() > message["left"].as_f64());
    }

    #[test]
    fn a_step_takes_as_long_as_it_takes_for_something_to_happen() {
        let mut world = world();
        assert!(!world.step(1000.0).expect("a limit"), "nothing is there");
        assert_eq!(world.export(), "run 1s\n");
        world.add_peer("a", "peer://g").expect("a peer");
        assert!(world.step(1000.0).expect("a limit"));
        assert!(world.now() > 1000.0 && world.now() < 1001.0, "{}", world.now());
    }

    #[test]
    fn a_topology_shows_who_is_there_and_what_is_between_them() {
        let mut world = pair();
        world.add_fanout("c", "fanout:(multicast://default?group=g)?minAckCount=1").expect("a client");
        world.run_for(3000.0).expect("a duration");
        world.cut_one_way("a", "b").expect("hosts");
        world.crash("b").expect("a host");
        world.run_for(100.0).expect("a duration");
        let topology = world.topology();
        let hosts = topology["hosts"].as_array().expect("a list");
        let of = |name: &str| hosts.iter().map(|host| host[name].as_str().unwrap_or_default()).collect::<Vec<_>>();
        assert_eq!((of("kind"), of("state")), (vec!["peer", "peer", "client"], vec!["up", "down", "up"]));
        assert_eq!(hosts[1]["takes"], json!(["queue://q"]));
        assert_eq!(topology["cuts"], json!([{ "from": "a", "to": "b" }]));
        assert!(
            topology["links"]
                .as_array()
                .expect("a list")
                .contains(&json!({ "a": "c", "b": "a", "kind": "client", "isReady": true }))
        );
    }
}
