//! A simulated world driven by choices: some peers of one group, each with an application that takes what is sent, and
//! whatever may happen to them. What is checked is what holds however it goes: nothing is invented, a topic's
//! subscriber hears nothing twice and each sender in order, and once the faults are over everybody is linked to
//! everybody else again; if nobody crashed, each message of a queue was then taken exactly once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flockmq_core::sim::{Faults, HostId, World};
use flockmq_core::{
    Ack, AckExtent, AckKind, Body, BrokerId, Command, Config, ConnectionId, ConsumerId, Delivery, Destination,
    DestinationKind, Event, Instant, RequestId, Rng, Seed, Subscription,
};

/// Choices: whatever happens to a few peers, no promise of theirs is broken.
///
/// # Panics
///
/// If one is.
pub fn world(data: &[u8]) {
    let mut choices = Choices(data);
    let seed = Seed::from(u64::from(choices.next()));
    let mut run = Run::new(seed, 2 + choices.below(3));
    if choices.below(2) == 1 {
        run.world.set_faults(Faults::draw(&mut Rng::new(seed)));
    }
    for _ in 0..STEPS_MAX {
        if choices.0.is_empty() || run.world.now() > LATEST {
            break;
        }
        run.step(&mut choices);
    }
    run.settle();
}

/// Bytes to decide by; zeros when they are used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.next()) % bound
    }

    /// From one that ends while bytes are on their way, to one in which a silent peer is given up.
    fn span(&mut self) -> Duration {
        Duration::from_micros(32 << self.below(21))
    }
}

struct Run {
    world: World,
    applications: Vec<Application>,
    sent: BTreeMap<String, u32>, // How often each was taken.
    cuts: BTreeSet<(usize, usize)>,
    crashes: u32,
}

/// The application at one host, since that host's last start.
struct Application {
    host: HostId,
    start: usize,
    is_down: bool,
    sent: u64,
    requests: u64,
    producers: BTreeMap<Destination, u64>,
    peers: BTreeSet<BrokerId>,
    heard: BTreeMap<String, u64>, // By sender and topic, the number of the last message.
}

impl Run {
    fn new(seed: Seed, count: usize) -> Self {
        let mut world = World::new(seed);
        let applications = (0..count)
            .map(|number| Application::new(world.add_host(Config::peer("flock", format!("b{number}"))), 0))
            .collect();
        let mut run = Self { world, applications, sent: BTreeMap::new(), cuts: BTreeSet::new(), crashes: 0 };
        for number in 0..count {
            run.attach(number);
        }
        run
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let count = self.applications.len();
        match choices.below(10) {
            0..3 => {
                let (number, destination) = (choices.below(count), DESTINATIONS[choices.below(DESTINATIONS.len())]);
                for _ in 0..=choices.below(8) {
                    self.send(number, destination);
                }
            }
            3 | 4 => self.run_for(choices.span()),
            5 => {
                let (a, b) = (choices.below(count), choices.below(count));
                if a != b && !self.cuts.remove(&(a.min(b), a.max(b))) {
                    self.world.cut(self.applications[a].host, self.applications[b].host);
                    self.cuts.insert((a.min(b), a.max(b)));
                } else if a != b {
                    self.world.heal(self.applications[a].host, self.applications[b].host);
                }
            }
            6 => {
                let number = choices.below(count);
                if self.applications[number].is_down {
                    self.restart(number);
                } else {
                    self.take(number);
                    self.world.crash(self.applications[number].host);
                    self.applications[number].is_down = true;
                    self.crashes += 1;
                }
            }
            7 => {
                let (a, b) = (choices.below(count), choices.below(count));
                if a != b {
                    self.world.reset(self.applications[a].host, self.applications[b].host);
                }
            }
            8 => {
                let host = self.applications[choices.below(count)].host;
                self.world.pause(host);
                self.world.run_for(choices.span());
                self.world.resume(host);
            }
            _ => self.take(choices.below(count)),
        }
    }

    /// Ends all faults and waits for everybody to be linked up.
    fn settle(&mut self) {
        self.world.set_faults(Faults::default());
        for (a, b) in std::mem::take(&mut self.cuts) {
            self.world.heal(self.applications[a].host, self.applications[b].host);
        }
        for number in 0..self.applications.len() {
            if self.applications[number].is_down {
                self.restart(number);
            }
        }
        for _ in 0..60 {
            if self.complaint().is_none() {
                break;
            }
            self.run_for(Duration::from_secs(2));
        }
        self.run_for(Duration::from_secs(2)); // And so it stays.
        assert_eq!(self.complaint(), None);
    }

    /// What is not yet as it should be once there are no faults any more.
    fn complaint(&self) -> Option<String> {
        for (number, application) in self.applications.iter().enumerate() {
            let (found, expected) = (application.peers.len(), self.applications.len() - 1);
            if found != expected {
                return Some(format!("host {number} has {found} peers instead of {expected}"));
            }
        }
        let mut orders = self.sent.iter().filter(|(text, _)| text.starts_with("queue:"));
        let (text, taken) = orders.find(|(_, taken)| self.crashes == 0 && **taken != 1)?;
        Some(format!("nobody crashed, but '{text}' was taken {taken} times"))
    }

    fn run_for(&mut self, duration: Duration) {
        self.world.run_for(duration);
        for number in 0..self.applications.len() {
            self.take(number);
        }
    }

    fn restart(&mut self, number: usize) {
        let Application { host, start, .. } = self.applications[number];
        self.world.restart(host);
        self.applications[number] = Application::new(host, start + 1);
        self.attach(number);
    }

    fn attach(&mut self, number: usize) {
        let application = &mut self.applications[number];
        let mut commands = vec![Command::Attach { request: application.request(), connection: CONNECTION }];
        // The queue has one consumer, so that its messages have a way to go.
        let wanted = if number == 0 { &DESTINATIONS[..] } else { &DESTINATIONS[1..] };
        for (consumer, destination) in (1..).zip(wanted) {
            let destination = destination.parse().expect("a valid destination");
            commands.push(Command::Subscribe {
                request: application.request(),
                connection: CONNECTION,
                consumer: ConsumerId(consumer),
                subscription: Subscription { destination, prefetch: None },
            });
        }
        for command in commands {
            self.world.command(application.host, command);
        }
    }

    fn send(&mut self, number: usize, destination: &str) {
        let application = &mut self.applications[number];
        if application.is_down {
            return;
        }
        let destination: Destination = destination.parse().expect("a valid destination");
        let next = application.producers.len() as u64 + 1;
        let producer = *application.producers.entry(destination.clone()).or_insert(next);
        if producer == next {
            let request = application.request();
            let produce =
                Command::Produce { request, connection: CONNECTION, producer, destination: destination.clone() };
            self.world.command(application.host, produce);
        }
        application.sent += 1;
        let text = format!("{destination} b{number}.{} {}", application.start, application.sent);
        self.sent.insert(text.clone(), 0);
        let messages = vec![Body::text(text)];
        self.world.command(application.host, Command::Send { connection: CONNECTION, producer, messages });
    }

    /// Takes what a host's application was told, and judges it.
    fn take(&mut self, number: usize) {
        if self.applications[number].is_down {
            return;
        }
        let host = self.applications[number].host;
        for (_, event) in self.world.events(host) {
            let application = &mut self.applications[number];
            match event {
                Event::Delivered { consumer, deliveries } => {
                    for delivery in &deliveries {
                        let taken = self.sent.get_mut(text(delivery));
                        *taken.unwrap_or_else(|| panic!("'{}' was invented", text(delivery))) += 1;
                        application.hear(delivery);
                    }
                    let Some(last) = deliveries.last() else { continue };
                    let ack = Ack { consumer, tag: last.tag, extent: AckExtent::UpTo, kind: AckKind::Accepted };
                    self.world.command(host, Command::Ack { connection: CONNECTION, ack });
                }
                Event::PeerUp { broker, .. } => assert!(application.peers.insert(broker), "{broker} was up already"),
                Event::PeerLost { broker, .. } => assert!(application.peers.remove(&broker), "{broker} was not up"),
                Event::Replied { result, request } => assert_eq!(result, Ok(()), "request {request}"),
                Event::AckRefused { ack, refusal } => panic!("{ack:?} was refused: {refusal}"),
                _ => (),
            }
        }
    }
}

impl Application {
    fn new(host: HostId, start: usize) -> Self {
        Self {
            host,
            start,
            is_down: false,
            sent: 0,
            requests: 0,
            producers: BTreeMap::new(),
            peers: BTreeSet::new(),
            heard: BTreeMap::new(),
        }
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }

    /// A topic's message comes after all that its sender sent there before.
    fn hear(&mut self, delivery: &Delivery) {
        if delivery.message.destination.kind() == DestinationKind::Topic {
            let (from, number) = text(delivery).rsplit_once(' ').expect("a sender and a number");
            let number: u64 = number.parse().expect("a number");
            let last = self.heard.insert(from.to_owned(), number);
            assert!(last < Some(number), "'{}' came after {last:?}", text(delivery));
        }
    }
}

fn text(delivery: &Delivery) -> &str {
    delivery.message.body.as_text().expect("text was sent")
}

const CONNECTION: ConnectionId = ConnectionId(1);
const DESTINATIONS: [&str; 3] = ["queue://orders", "topic://prices.gold", "topic://prices.silver"];
const STEPS_MAX: usize = 256;
/// No new faults after so much virtual time.
const LATEST: Instant = Instant::from_millis(600_000);
