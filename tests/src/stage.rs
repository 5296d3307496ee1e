//! A world with an application on each of its hosts, and an oracle that watches what they are told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use flockmq_core::sim::{HostId, World};
use flockmq_core::{
    Ack, AckExtent, AckKind, Body, BrokerId, Command, Config, ConnectionId, ConsumerId, Delivery, Destination, Event,
    FanoutConfig, Instant, MessageId, MulticastConfig, Node, Peer, ProducerId, Refusal, Seed, Stats, Subscription, Tag,
    Target, TargetState,
};

use crate::application::{Acking, Application, Asked, Consumer, Producer, Received};
use crate::limit::Limit;
use crate::oracle::{Oracle, Outcome, Process, Refused};

/// A world and the applications on its hosts. Every application is attached as connection 1; consumers are numbered
/// over all hosts, so that a [`ConsumerId`] alone says whose it is. What breaks a promise panics.
#[derive(Debug)]
pub struct Stage {
    world: World,
    applications: BTreeMap<HostId, Application>,
    consumers: BTreeMap<ConsumerId, (HostId, Consumer)>,
    pub(crate) oracle: Oracle,
    seed: Seed,
    reactions: VecDeque<Ack>, // Of the application that is being told something.
    walls: BTreeSet<(HostId, HostId)>,
    sluggish_until: Instant,
    calm_since: Option<Instant>,
}

/// Setting the stage.
impl Stage {
    /// A world without hosts and without faults. With `FLOCKMQ_LOG=N` in the environment, the last N lines of what
    /// happened are printed if a promise is broken.
    pub fn new(seed: impl Into<Seed>) -> Self {
        let seed = seed.into();
        let mut world = World::new(seed);
        if let Some(lines) = log_lines() {
            world.keep_log(lines);
        }
        world.keep_dials();
        Self {
            world,
            applications: BTreeMap::new(),
            consumers: BTreeMap::new(),
            oracle: Oracle::default(),
            seed,
            reactions: VecDeque::new(),
            walls: BTreeSet::new(),
            sluggish_until: Instant::ZERO,
            calm_since: None,
        }
    }

    /// Adds a member of a group, with an application attached.
    pub fn peer(&mut self, group: &str, name: &str) -> HostId {
        self.host(Config::peer(group, name))
    }

    /// Adds so many members of the group `flock`, and waits until all are ready for all.
    pub fn flock(&mut self, count: usize) -> Vec<HostId> {
        let hosts: Vec<HostId> = (0..count).map(|number| self.peer("flock", &format!("b{number}"))).collect();
        assert!(self.run_until(Duration::from_secs(10), |stage| stage.is_linked(&hosts)), "{count} hosts link up");
        hosts
    }

    /// Adds a broker that stands alone in a group, with an application attached.
    pub fn broker(&mut self, group: &str, name: &str) -> HostId {
        self.host(Config::broker(group, name))
    }

    /// Adds a client that fans out to all brokers of a group, with an application attached.
    pub fn client(&mut self, group: &str, fanout: FanoutConfig) -> HostId {
        self.host(client(group, fanout))
    }

    /// Adds so many brokers that stand alone in the group `flock`, and a client to which all of them are targets.
    pub fn fan(&mut self, brokers: usize, fanout: FanoutConfig) -> (HostId, Vec<HostId>) {
        let hosts: Vec<HostId> = (0..brokers).map(|number| self.broker("flock", &format!("b{number}"))).collect();
        let client = self.client("flock", fanout);
        self.fan_out(client, &hosts);
        (client, hosts)
    }

    /// Waits until all these hosts are targets of a client.
    pub fn fan_out(&mut self, client: HostId, hosts: &[HostId]) {
        let is_done = self.run_until(Duration::from_mins(1), |stage| stage.is_fanned_out(client, hosts));
        assert!(is_done, "{client} has the targets {:?}", self.targets(client));
    }

    /// Adds a host with a node of this config, with an application attached.
    pub fn host(&mut self, config: Config) -> HostId {
        let host = self.world.add_host(config.clone());
        self.oracle.host_added(host, &config);
        self.applications.insert(host, Application::new(config));
        self.attach(host);
        host
    }

    /// The world, for its verbs and counts. Crashes, restarts, pauses and resets are the stage's own: the
    /// applications have to know of them.
    pub fn world(&mut self) -> &mut World {
        &mut self.world
    }

    /// The node on a host.
    pub fn node(&self, host: HostId) -> &Node {
        self.world.node(host).unwrap_or_else(|| panic!("no node runs on {host}"))
    }

    /// The present broker id of a host.
    pub fn id(&self, host: HostId) -> BrokerId {
        self.node(host).id()
    }

    /// The peers that a host has links to.
    pub fn peers(&self, host: HostId) -> Vec<Peer> {
        self.node(host).peers()
    }

    /// The brokers that a client fans out to, or would.
    pub fn targets(&self, client: HostId) -> Vec<Target> {
        self.node(client).targets()
    }

    /// Those of them that are up.
    pub fn targets_up(&self, client: HostId) -> Vec<BrokerId> {
        let found = self.targets(client).into_iter().filter_map(|target| match target.state {
            TargetState::Up { broker, .. } => Some(broker),
            _ => None,
        });
        found.collect()
    }

    /// True if all these hosts are targets of a client, and up.
    pub fn is_fanned_out(&self, client: HostId, hosts: &[HostId]) -> bool {
        let up = self.targets_up(client);
        hosts.iter().all(|host| self.world.node(*host).is_some_and(|node| up.contains(&node.id())))
    }

    /// The host whose present process is this broker.
    pub fn host_of(&self, broker: BrokerId) -> HostId {
        let is_meant = |host: &HostId| self.world.node(*host).is_some_and(|node| node.id() == broker);
        self.hosts().into_iter().find(is_meant).unwrap_or_else(|| panic!("{broker} runs nowhere"))
    }

    /// What the node on a host counts and holds.
    pub fn stats(&self, host: HostId) -> Stats {
        self.node(host).stats()
    }

    /// What it was made with.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        self.world.now()
    }

    /// All hosts with applications.
    pub fn hosts(&self) -> Vec<HostId> {
        self.applications.keys().copied().collect()
    }

    /// What a host was configured with.
    pub fn config(&self, host: HostId) -> &Config {
        &self.applications[&host].config
    }

    /// True unless the host's process has crashed.
    pub fn is_up(&self, host: HostId) -> bool {
        self.applications[&host].is_up
    }

    /// True if the host's process is up and not paused.
    pub fn is_running(&self, host: HostId) -> bool {
        self.applications[&host].is_running()
    }

    /// True if each of these hosts is linked to each other one that it can reach, and ready.
    pub fn is_linked(&self, hosts: &[HostId]) -> bool {
        hosts.iter().all(|host| {
            let Some(node) = self.world.node(*host) else { return false };
            let peers = node.peers();
            let ready = |other: &HostId| {
                let id = self.world.node(*other).map(Node::id);
                other == host
                    || self.is_walled_off(*host, *other)
                    || peers.iter().any(|peer| peer.is_ready && Some(peer.broker) == id)
            };
            hosts.iter().all(ready)
        })
    }
}

/// What applications do.
impl Stage {
    /// Subscribes to a destination or pattern such as `topic://a.>`; deliveries are acknowledged as they come.
    pub fn subscribe(&mut self, host: HostId, pattern: &str) -> ConsumerId {
        self.subscribe_with(host, pattern, Acking::Automatic, None)
    }

    /// Subscribes, saying how deliveries are acknowledged and how many may be unacknowledged.
    pub fn subscribe_with(&mut self, host: HostId, pattern: &str, acking: Acking, prefetch: Option<u32>) -> ConsumerId {
        let consumer = ConsumerId(self.consumers.len() as u64 + 1);
        let subscription = Subscription { prefetch, ..Subscription::new(destination(pattern)) };
        let found = Consumer {
            subscription,
            acking,
            is_open: false,
            is_confirmed: false,
            is_ending: false,
            received: Vec::new(),
        };
        self.consumers.insert(consumer, (host, found));
        self.open(consumer);
        consumer
    }

    /// Ends a consumer, which has looked at all it was given.
    pub fn unsubscribe(&mut self, consumer: ConsumerId) {
        let seen = self.received(consumer).last().map_or(0, |last| last.tag);
        self.unsubscribe_seen(consumer, seen);
    }

    /// Ends a consumer, which has looked at what it was given up to `seen`.
    pub fn unsubscribe_seen(&mut self, consumer: ConsumerId, seen: Tag) {
        let (host, found) = self.consumers.get_mut(&consumer).expect("a consumer of this stage");
        let host = *host;
        if !std::mem::replace(&mut found.is_open, false) {
            return;
        }
        self.oracle.unsubscribed(self.world.now(), consumer, seen);
        let request = self.application(host).ask(Asked::CloseConsumer);
        self.command(host, Command::CloseConsumer { request, connection: CONNECTION, consumer, seen });
    }

    /// The consumers of a host that are open.
    pub fn open_consumers(&self, host: HostId) -> Vec<ConsumerId> {
        let open = self.consumers.iter().filter(|(_, (at, found))| *at == host && found.is_open);
        open.map(|(consumer, _)| *consumer).collect()
    }

    /// True once a consumer's node has said that there is such a consumer.
    pub fn is_confirmed(&self, consumer: ConsumerId) -> bool {
        self.consumers[&consumer].1.is_confirmed
    }

    /// The consumers that a client's application asked for and was refused.
    pub fn denied(&self, client: HostId) -> &[(Instant, ConsumerId, Refusal)] {
        &self.applications[&client].denied
    }

    /// What a consumer subscribed to.
    pub fn pattern(&self, consumer: ConsumerId) -> &Destination {
        &self.consumers[&consumer].1.subscription.destination
    }

    /// How a consumer acknowledges.
    pub fn acking(&self, consumer: ConsumerId) -> Acking {
        self.consumers[&consumer].1.acking
    }

    /// Sends a text, through a producer that is made at the first message to a destination.
    pub fn send(&mut self, host: HostId, to: &str, text: &str) -> MessageId {
        let ids = self.send_all(host, to, [text.to_owned()]);
        ids[0]
    }

    /// Sends texts in one command.
    pub fn send_all(&mut self, host: HostId, to: &str, texts: impl IntoIterator<Item = String>) -> Vec<MessageId> {
        let to = destination(to);
        let producer = self.produce(host, &to);
        let mut messages = Vec::new();
        let mut ids = Vec::new();
        for text in texts {
            let found = self.application(host).producers.get_mut(&to).expect("just made");
            found.sent += 1;
            let id = MessageId { producer, sequence: found.sent };
            self.oracle.sent(self.world.now(), host, id, &to, &text);
            messages.push(Body::text(text));
            ids.push(id);
        }
        self.command(host, Command::Send { connection: CONNECTION, producer: producer.number, messages });
        ids
    }

    /// True if a host's present process has sent to a destination.
    pub fn is_producing(&self, host: HostId, to: &str) -> bool {
        self.applications[&host].producers.contains_key(&destination(to))
    }

    /// Ends a client's producer for a destination; the next message to it makes another.
    pub fn close_producer(&mut self, client: HostId, to: &str) {
        let to = destination(to);
        let application = self.application(client);
        let producer = application.producers.get(&to).expect("something was sent there").id.number;
        let request = application.ask(Asked::CloseProducer(to));
        self.oracle.producer_closed(client, producer);
        self.command(client, Command::CloseProducer { request, connection: CONNECTION, producer });
    }

    /// What a message's sender was told of it.
    pub fn outcome(&self, message: MessageId) -> &Outcome {
        self.oracle.outcome(message)
    }

    /// The brokers that accepted a client's message, as it was told.
    pub fn acceptors(&self, message: MessageId) -> &[BrokerId] {
        match self.outcome(message) {
            Outcome::Accepted { by, .. } => by,
            Outcome::Refused { .. } | Outcome::Unanswered => &[],
        }
    }

    /// How many of the messages that a host's present process sent to a destination were accepted.
    pub fn accepted(&self, host: HostId, to: &str) -> u64 {
        self.applications[&host].producers.get(&destination(to)).map_or(0, Producer::count_accepted)
    }

    /// How many messages of a host's present process were neither accepted nor refused so far.
    pub fn unanswered(&self, host: HostId) -> u64 {
        self.applications[&host].producers.values().map(Producer::count_unanswered).sum()
    }

    /// Acknowledges a delivery and all before it.
    pub fn ack(&mut self, consumer: ConsumerId, tag: Tag) {
        self.answer(Ack { consumer, tag, extent: AckExtent::UpTo, kind: AckKind::Accepted });
    }

    /// Answers deliveries.
    pub fn answer(&mut self, ack: Ack) {
        let host = self.consumers[&ack.consumer].0;
        assert!(self.is_running(host), "an application that stands still acknowledges nothing");
        self.oracle.answered(self.world.now(), ack);
        self.command(host, Command::Ack { connection: CONNECTION, ack });
    }

    /// The deliveries that a consumer has not answered.
    pub(crate) fn outstanding(&self, consumer: ConsumerId) -> Vec<Tag> {
        self.oracle.outstanding(consumer)
    }

    /// What a consumer was given, oldest first, over all processes that it was a consumer of.
    pub fn received(&self, consumer: ConsumerId) -> &[Received] {
        &self.consumers[&consumer].1.received
    }

    /// The texts a consumer was given, oldest first.
    pub fn bodies(&self, consumer: ConsumerId) -> Vec<&str> {
        self.received(consumer).iter().map(|received| received.body.as_str()).collect()
    }

    /// What a host's application was told, apart from deliveries, acceptances and replies.
    pub fn notices(&self, host: HostId) -> &[(Instant, Event)] {
        &self.applications[&host].notices
    }

    /// How often a host's application was told something of a kind.
    pub fn count(&self, host: HostId, is_meant: impl Fn(&Event) -> bool) -> usize {
        self.notices(host).iter().filter(|(_, event)| is_meant(event)).count()
    }
}

/// Time and what befalls hosts.
impl Stage {
    /// Lets time pass.
    pub fn run_for(&mut self, duration: Duration) {
        self.run_until(duration, |_| false);
    }

    /// Lets time pass until `done`, which is asked now and after every step; false if it is not done within `limit`.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&mut Self) -> bool) -> bool {
        let end = self.world.now() + limit;
        let now = self.world.now().max(self.sluggish_until);
        self.calm_since = self.world.is_calm().then(|| self.calm_since.unwrap_or(now).max(self.sluggish_until));
        loop {
            if done(self) {
                return true;
            }
            if !self.step(end) {
                self.check_clients();
                return done(self);
            }
        }
    }

    /// True if nothing stands in the way of anything, and nothing has for so long.
    pub(crate) fn is_calm_for(&self, duration: Duration) -> bool {
        self.calm_since.is_some_and(|since| since + duration <= self.world.now())
    }

    /// What must hold of every client's sends.
    pub(crate) fn check_clients(&self) {
        for (host, _) in self.applications.iter().filter(|(_, found)| found.is_client() && found.is_running()) {
            self.oracle.check_fan(self.world.now(), *host);
        }
    }

    /// Ends a host's process.
    pub fn crash(&mut self, host: HostId) {
        self.end(host, World::crash);
    }

    /// Turns a host's machine off; nobody linked to it hears of that.
    pub fn power_off(&mut self, host: HostId) {
        self.end(host, World::power_off);
    }

    fn end(&mut self, host: HostId, verb: impl FnOnce(&mut World, HostId)) {
        self.pump();
        if !self.is_up(host) {
            return;
        }
        let process = self.process(host);
        self.oracle.crashed(self.world.now(), process);
        for (_, found) in self.consumers.values_mut().filter(|(at, _)| *at == host) {
            found.is_open = false;
        }
        self.application(host).crash();
        verb(&mut self.world, host);
        self.world.events(host);
    }

    /// Lets a host's node take its leave. A client's consumers end by it, those of others before.
    pub fn stop(&mut self, host: HostId) {
        if !self.is_running(host) {
            return;
        }
        for consumer in self.open_consumers(host) {
            if self.applications[&host].is_client() {
                self.closed(consumer);
            } else {
                self.unsubscribe(consumer);
            }
        }
        let process = self.process(host);
        self.oracle.stopping(process);
        self.application(host).is_stopped = true;
        self.command(host, Command::Stop);
    }

    /// Ends a client's connection with all that hangs on it, and attaches another.
    pub fn detach(&mut self, client: HostId) {
        for consumer in self.open_consumers(client) {
            self.closed(consumer);
        }
        let application = self.application(client);
        let producers: Vec<Destination> = application.producers.keys().cloned().collect();
        let request = application.ask(Asked::Detach(producers));
        self.oracle.detached(client);
        self.command(client, Command::Detach { request, connection: CONNECTION });
        self.attach(client);
    }

    /// Starts a host's process anew and attaches its application, which has neither producers nor consumers then.
    pub fn restart(&mut self, host: HostId) {
        self.begin(host, World::restart);
    }

    /// The same, with an empty disk.
    pub fn restart_empty(&mut self, host: HostId) {
        self.begin(host, World::restart_empty);
    }

    fn begin(&mut self, host: HostId, verb: impl FnOnce(&mut World, HostId)) {
        self.crash(host);
        verb(&mut self.world, host);
        self.application(host).is_up = true;
        self.attach(host);
    }

    /// Opens a consumer that was closed, or whose process was restarted, under its old name.
    pub fn reopen(&mut self, consumer: ConsumerId) {
        assert!(!self.consumers[&consumer].1.is_open, "consumer {consumer} is open");
        self.open(consumer);
    }

    /// Lets each link of a host take no more than so many bytes a second; any number if `None`.
    pub fn slow(&mut self, host: HostId, bytes_per_second: Option<u64>) {
        self.world.slow(host, bytes_per_second);
        self.sluggish_until = self.world.now() + SLUGGISH_FOR;
    }

    /// Lets nothing pass between two hosts, ever: others have to pass on what they say.
    pub fn wall_off(&mut self, a: HostId, b: HostId) {
        self.world.cut(a, b);
        self.walls.extend([(a, b), (b, a)]);
    }

    /// True if nothing ever passes between two hosts.
    pub fn is_walled_off(&self, a: HostId, b: HostId) -> bool {
        self.walls.contains(&(a, b))
    }

    /// Lets everything pass wherever there is no wall.
    pub fn heal(&mut self) {
        let hosts = self.hosts();
        for (place, a) in hosts.iter().enumerate() {
            for b in hosts[..place].iter().filter(|b| !self.walls.contains(&(*a, **b))) {
                self.world.heal(*a, *b);
            }
        }
    }

    /// Stops a host's process in its tracks.
    pub fn pause(&mut self, host: HostId) {
        if self.is_up(host) {
            self.application(host).is_paused = true;
            self.world.pause(host);
        }
    }

    /// Puts a host's machine to sleep, until it is resumed.
    pub fn sleep(&mut self, host: HostId) {
        if self.is_up(host) {
            self.application(host).is_paused = true;
            self.world.sleep(host);
        }
    }

    /// Lets a paused process or a sleeping machine go on.
    pub fn resume(&mut self, host: HostId) {
        if self.is_up(host) {
            self.application(host).is_paused = false;
            self.oracle.resumed(self.world.now(), host);
            self.world.resume(host);
        }
    }
}

/// How it works.
impl Stage {
    /// One step of the world, if there is one before `end`; then the applications hear of it.
    fn step(&mut self, end: Instant) -> bool {
        let inputs = self.world.counts().inputs;
        let mut asked = 0;
        self.world.run_until(end - self.world.now(), |_| {
            asked += 1;
            asked > 1
        });
        self.pump();
        self.check_memory();
        self.world.now() < end || self.world.counts().inputs > inputs
    }

    /// Lets applications take what they were told and answer it, until nobody has anything to say. All that a node has
    /// handed out is known before it is answered.
    fn pump(&mut self) {
        for (at, host, address) in self.world.take_dials() {
            self.oracle.dialled(at, host, address);
        }
        let hosts = u32::try_from(self.world.hosts().count()).expect("few hosts");
        for host in (0..hosts).map(HostId) {
            loop {
                let events = self.world.events(host);
                self.foresee(host, &events);
                let is_quiet = events.is_empty();
                for (at, event) in events {
                    self.hear(at, host, event);
                }
                if !is_quiet {
                    continue;
                }
                let Some(ack) = self.reactions.pop_front() else { break };
                let (_, found) = &self.consumers[&ack.consumer];
                if found.is_open && !found.is_ending && self.is_running(host) {
                    self.oracle.answered(self.world.now(), ack);
                    self.world.command(host, Command::Ack { connection: CONNECTION, ack });
                }
            }
        }
    }

    fn hear(&mut self, at: Instant, host: HostId, event: Event) {
        let process = self.process(host);
        match event {
            Event::Accepted { producer, up_to, by } => {
                self.oracle.accepted(at, process, producer, up_to, &by);
                let found = self.producer(host, producer);
                assert!(up_to <= found.sent, "{host} was told that message {up_to} of {} is accepted", found.sent);
                assert!(up_to > found.accepted, "{host} was told twice that message {up_to} is accepted");
                found.accepted = up_to;
                for broker in by {
                    self.check_credit(broker);
                }
            }
            Event::Refused { sequence: 0, .. } if self.applications[&host].is_stopped => (),
            Event::Refused { producer, sequence, refusal, answers } => {
                let is_late = matches!(refusal, Refusal::TimedOut { .. });
                self.oracle.refused(at, process, producer, sequence, Refused { refusal, answers });
                if is_late && self.is_calm_for(ANSWERED_WITHIN) {
                    self.check_deadline(at, process, producer, sequence);
                }
                assert!(self.producer(host, producer).refused.insert(sequence), "{host} was refused {sequence} twice");
            }
            Event::Delivered { consumer, deliveries } => self.take(at, process, consumer, &deliveries),
            Event::Replied { request, result } => {
                let asked = self.application(host).asked.remove(&request).expect("a reply answers a request, once");
                self.replied(at, host, asked, result);
            }
            Event::AckRefused { ack, refusal } => panic!("{host}: {ack:?} was refused: {refusal}"),
            Event::Stopped => {
                self.oracle.stopped(process);
                // F3: nothing that was asked for is left without its end.
                let application = self.application(host);
                assert!(application.asked.is_empty(), "{host} has stopped and owes {:?}", application.asked);
                application.notices.push((at, event));
            }
            event => {
                self.oracle.noticed(at, process, &event);
                if matches!(event, Event::PeerUp { .. } | Event::PeerLost { .. }) {
                    self.check_peers(host);
                }
                self.application(host).notices.push((at, event));
            }
        }
    }

    /// A consumer that a client is refused is not there any more when its application hears of its last deliveries.
    fn foresee(&mut self, host: HostId, events: &[(Instant, Event)]) {
        for (_, event) in events {
            if let Event::Replied { request, result: Err(_) } = event
                && let Some(Asked::Subscribe(consumer)) = self.applications[&host].asked.get(request)
                && let Some((_, found)) = self.consumers.get_mut(consumer)
            {
                found.is_ending = true;
            }
        }
    }

    fn replied(&mut self, at: Instant, host: HostId, asked: Asked, result: Result<(), Refusal>) {
        let application = self.application(host);
        match (asked, result) {
            (Asked::CloseProducer(to), Ok(())) => drop(application.producers.remove(&to)),
            (Asked::Detach(producers), Ok(())) => {
                application.producers.retain(|to, _| !producers.contains(to));
            }
            (Asked::Subscribe(consumer), Ok(())) => {
                self.consumers.get_mut(&consumer).expect("it was subscribed").1.is_confirmed = true;
            }
            (_, Ok(())) => (),
            (Asked::Subscribe(consumer), Err(refusal)) if application.is_client() => {
                application.denied.push((at, consumer, refusal));
                self.closed(consumer);
            }
            // It was refused meanwhile, or ended with its node.
            (Asked::CloseConsumer, Err(Refusal::Stopping | Refusal::Unknown { .. })) if application.is_client() => (),
            (asked, Err(refusal)) => panic!("{host} asked: {asked:?}, and was refused: {refusal}"),
        }
    }

    /// A client's consumer has ended otherwise than by its application's wish; all it was given may have been seen.
    fn closed(&mut self, consumer: ConsumerId) {
        let found = &mut self.consumers.get_mut(&consumer).expect("a consumer of this stage").1;
        found.is_ending = false;
        if std::mem::replace(&mut found.is_open, false) {
            self.oracle.unsubscribed(self.world.now(), consumer, Tag::MAX);
        }
    }

    /// F2: what clients hold is bounded.
    fn check_memory(&self) {
        for (host, found) in self.applications.iter().filter(|(_, found)| found.is_client() && found.is_up) {
            let (stats, max) = (self.stats(*host), found.config.fanout.memory_max);
            assert!(stats.unsettled_bytes <= max, "{host}: {} bytes are not settled", stats.unsettled_bytes);
            assert!(stats.lagging_bytes <= max, "{host}: {} bytes wait for targets", stats.lagging_bytes);
        }
    }

    /// F2, F5, F8: with enough targets that take what they are sent, nothing has to wait for its deadline: neither what
    /// was sent when another target was there, nor what that one had not answered.
    fn check_deadline(&self, at: Instant, process: Process, producer: u64, sequence: u64) {
        let Some(broker) = process.broker else { return };
        let id = MessageId { producer: ProducerId { broker, number: producer }, sequence };
        let is_able = |target: BrokerId| {
            let hosts = self.hosts().into_iter().filter(|host| self.is_running(*host));
            let found = hosts.into_iter().find(|host| self.id(*host) == target);
            found.is_some_and(|host| {
                let has_room = self.stats(host).broker.parked == 0 && Limit::message_max(self.config(host)) >= LARGE;
                has_room && self.oracle.serves(target, broker)
            })
        };
        self.oracle.check_deadline(at, process.host, id, ANSWERED_WITHIN, is_able);
    }

    /// F1: a broker has accepted at least as much as clients were told it has.
    fn check_credit(&self, broker: BrokerId) {
        let credit = self.oracle.credit(broker);
        let nodes = self.hosts().into_iter().filter_map(|host| self.world.node(host));
        for node in nodes.filter(|node| node.id() == broker) {
            let accepted = node.stats().broker.accepted;
            assert!(accepted >= credit, "{broker} is said to have accepted {credit} messages, but it did {accepted}");
        }
    }

    fn take(&mut self, at: Instant, process: Process, consumer: ConsumerId, deliveries: &[Delivery]) {
        let prefetch = self.prefetch(consumer);
        let (_, found) = self.consumers.get_mut(&consumer).expect("deliveries are for somebody");
        for delivery in deliveries {
            assert!(found.is_open, "consumer {consumer} is given '{}' but is closed", text_of(delivery));
            self.oracle.delivered(at, process, consumer, delivery);
            found.received.push(Received {
                at,
                body: text_of(delivery).to_owned(),
                id: delivery.message.id,
                redeliveries: delivery.redeliveries,
                tag: delivery.tag,
            });
        }
        let outstanding = self.oracle.outstanding(consumer).len();
        assert!(outstanding <= prefetch, "consumer {consumer} has {outstanding} of {prefetch} deliveries");
        let acking = self.consumers[&consumer].1.acking;
        self.reactions.extend(acking.reactions(consumer, deliveries));
    }

    /// At most one link for each peer, and no more links than are allowed.
    fn check_peers(&self, host: HostId) {
        let Some(node) = self.world.node(host) else { return };
        let mut brokers: Vec<BrokerId> = node.peers().into_iter().map(|peer| peer.broker).collect();
        let count = brokers.len();
        brokers.sort();
        brokers.dedup();
        assert_eq!(brokers.len(), count, "{host} has two links to one peer");
        assert!(node.stats().links <= node.config().link.links_max, "{host} has too many links");
    }

    fn open(&mut self, consumer: ConsumerId) {
        let (host, found) = self.consumers.get_mut(&consumer).expect("a consumer of this stage");
        (found.is_open, found.is_confirmed, found.is_ending) = (true, false, false);
        let (host, subscription) = (*host, found.subscription.clone());
        let process = self.process(host);
        self.oracle.subscribed(self.world.now(), process, consumer, &subscription.destination);
        let request = self.application(host).ask(Asked::Subscribe(consumer));
        self.command(host, Command::Subscribe { request, connection: CONNECTION, consumer, subscription });
    }

    /// How much a consumer may have been handed, of all brokers there are to it; they are configured alike.
    pub(crate) fn prefetch(&self, consumer: ConsumerId) -> usize {
        let (host, found) = &self.consumers[&consumer];
        let broker = &self.applications[host].config.broker;
        let prefetch = found.subscription.prefetch.unwrap_or(match found.subscription.destination.kind() {
            flockmq_core::DestinationKind::Queue => broker.queue_prefetch,
            flockmq_core::DestinationKind::Topic => broker.topic_prefetch,
        });
        prefetch as usize * self.oracle.sources(*host)
    }

    fn produce(&mut self, host: HostId, to: &Destination) -> ProducerId {
        let broker = self.id(host);
        let application = self.application(host);
        if let Some(found) = application.producers.get(to) {
            return found.id;
        }
        let id = ProducerId { broker, number: application.number() };
        let request = application.ask(Asked::Produce);
        application.producers.insert(to.clone(), Producer { id, sent: 0, accepted: 0, refused: BTreeSet::new() });
        let destination = to.clone();
        self.command(host, Command::Produce { request, connection: CONNECTION, producer: id.number, destination });
        id
    }

    fn producer(&mut self, host: HostId, number: u64) -> &mut Producer {
        let mut producers = self.application(host).producers.values_mut();
        producers.find(|found| found.id.number == number).expect("acceptances are for producers")
    }

    fn attach(&mut self, host: HostId) {
        let request = self.application(host).ask(Asked::Attach);
        self.command(host, Command::Attach { request, connection: CONNECTION });
    }

    fn command(&mut self, host: HostId, command: Command) {
        assert!(self.is_up(host), "{host} is down and can't {command:?}");
        self.world.command(host, command);
        self.pump();
    }

    fn application(&mut self, host: HostId) -> &mut Application {
        self.applications.get_mut(&host).expect("a host with an application")
    }

    fn process(&self, host: HostId) -> Process {
        Process { host, incarnation: self.world.incarnation(host), broker: self.world.node(host).map(Node::id) }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the world of seed {}, at {}", self.seed, self.world.now());
            for line in self.world.log() {
                eprintln!("{line}");
            }
        }
    }
}

/// The text of a delivery.
pub fn text_of(delivery: &Delivery) -> &str {
    delivery.message.body.as_text().expect("only texts are sent")
}

fn destination(text: &str) -> Destination {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// A client that fans out to all brokers of a group.
pub fn client(group: &str, fanout: FanoutConfig) -> Config {
    Config { group: group.into(), multicast: Some(MulticastConfig::default()), fanout, ..Config::client("c") }
}

fn log_lines() -> Option<usize> {
    std::env::var("FLOCKMQ_LOG").ok()?.parse().ok()
}

const CONNECTION: ConnectionId = ConnectionId(1);

/// How long until a message that nothing keeps back is answered.
const ANSWERED_WITHIN: Duration = Duration::from_millis(1_500);

/// No message of a scenario is larger.
const LARGE: u32 = 16 * 1024;

/// For how long what was sent to a slow host may still be on its way when it is slow no more.
const SLUGGISH_FOR: Duration = Duration::from_mins(1);
