//! A few hosts whose applications do what a test says, and what their consumers are given.

use std::collections::BTreeMap;
use std::time::Duration;

use flockmq_core::sim::{HostId, World};
use flockmq_core::{
    Body, Command, Config, ConnectionId, ConsumerId, Destinations, Event, RequestId, Seed, Stats, Subscription,
};

/// Hosts with an application each, driven by hand.
pub struct Group {
    /// Where they are.
    pub world: World,
    hosts: Vec<HostId>,
    asked: u64,
    texts: BTreeMap<ConsumerId, Vec<String>>,
    accepted: BTreeMap<usize, Vec<u64>>,
}

impl Group {
    /// So many peers that know of one another.
    pub fn new(peers: usize) -> Self {
        Self::with_seed(peers, 1)
    }

    /// So many peers that know of one another, with chances of their own.
    pub fn with_seed(peers: usize, seed: u64) -> Self {
        let world = World::new(Seed::from(seed));
        let mut group = Self { world, hosts: Vec::new(), asked: 0, texts: BTreeMap::new(), accepted: BTreeMap::new() };
        for number in 0..peers {
            group.add(Config::peer("g", format!("b{number}")));
        }
        group.world.run_for(A_MOMENT);
        group
    }

    /// Adds a host.
    pub fn add(&mut self, config: Config) -> usize {
        self.hosts.push(self.world.add_host(config));
        let host = self.hosts.len() - 1;
        let request = self.ask();
        self.command(host, Command::Attach { request, connection: CONNECTION });
        host
    }

    /// Has a host's application consume from a destination, or several.
    pub fn subscribe(&mut self, host: usize, destination: &str) -> ConsumerId {
        self.subscribe_as(host, Subscription::to(at(destination)))
    }

    /// Has a host's application consume, saying all that there is to say.
    pub fn subscribe_as(&mut self, host: usize, subscription: Subscription) -> ConsumerId {
        let (request, consumer) = (self.ask(), ConsumerId(self.asked));
        self.command(host, Command::Subscribe { request, connection: CONNECTION, consumer, subscription });
        consumer
    }

    /// Ends a consumer.
    pub fn unsubscribe(&mut self, host: usize, consumer: ConsumerId) {
        let request = self.ask();
        self.command(host, Command::CloseConsumer { request, connection: CONNECTION, consumer, seen: 0 });
    }

    /// Has a host's application send these to a destination, or several.
    pub fn send(&mut self, host: usize, destination: &str, texts: &[String]) {
        self.send_bodies(host, destination, texts.iter().map(Body::text).collect());
    }

    /// Has a host's application send messages to a destination, or several.
    pub fn send_bodies(&mut self, host: usize, destination: &str, messages: Vec<Body>) {
        let (request, producer, destination) = (self.ask(), self.asked, at(destination));
        self.command(host, Command::Produce { request, connection: CONNECTION, producer, destination });
        self.command(host, Command::Send { connection: CONNECTION, producer, messages });
    }

    /// Takes note of what consumers were given; nothing was refused.
    pub fn listen(&mut self) {
        for (place, host) in self.hosts.clone().into_iter().enumerate() {
            for (_, event) in self.world.events(host) {
                match event {
                    Event::Delivered { consumer, deliveries } => {
                        let texts = deliveries.iter().map(|delivery| delivery.message.body.as_text().expect("text"));
                        self.texts.entry(consumer).or_default().extend(texts.map(str::to_owned));
                    }
                    Event::Accepted { up_to, .. } => self.accepted.entry(place).or_default().push(up_to),
                    Event::Refused { refusal, .. } | Event::Replied { result: Err(refusal), .. } => {
                        panic!("{host} was refused: {refusal}")
                    }
                    _ => (),
                }
            }
        }
    }

    /// What these consumers were given between them.
    pub fn received(&self, consumers: &[ConsumerId]) -> Vec<&str> {
        let texts = consumers.iter().filter_map(|consumer| self.texts.get(consumer)).flatten();
        let mut texts: Vec<&str> = texts.map(String::as_str).collect();
        texts.sort_by_key(|text| (text.len(), *text));
        texts
    }

    /// What the node of a host counts.
    pub fn stats(&self, host: usize) -> Stats {
        self.world.node(self.hosts[host]).expect("it runs").stats()
    }

    /// How far a host's application was told that its messages were accepted, each time.
    pub fn accepted(&self, host: usize) -> &[u64] {
        self.accepted.get(&host).map_or(&[], Vec::as_slice)
    }

    fn ask(&mut self) -> RequestId {
        self.asked += 1;
        RequestId(self.asked)
    }

    fn command(&mut self, host: usize, command: Command) {
        self.world.command(self.hosts[host], command);
    }
}

fn at(text: &str) -> Destinations {
    text.parse().expect("destinations")
}

const CONNECTION: ConnectionId = ConnectionId(1);
const A_MOMENT: Duration = Duration::from_secs(5);
