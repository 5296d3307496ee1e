//! Messages of virtual topics reach each of their queues once, whichever peer they are sent at. Each is delivered at
//! several destinations, which is not what the oracle judges: these tests look for themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use flockmq_core::sim::{HostId, World};
use flockmq_core::{
    Body, Command, Config, ConnectionId, ConsumerId, Destination, Event, FanoutConfig, RequestId, Seed, Subscription,
};
use flockmq_tests::client;

#[test]
fn each_queue_of_a_virtual_topic_gets_each_message_once_from_any_peer() {
    let mut group = Group::new(3);
    let alone = [group.subscribe(1, "Consumer.A.VirtualTopic.Orders")];
    let shared = [0, 1, 2].map(|host| group.subscribe(host, "Consumer.B.VirtualTopic.Orders"));
    let plain = [group.subscribe(2, "topic://VirtualTopic.Orders"), group.subscribe(0, "topic://VirtualTopic.>")];
    let elsewhere = group.subscribe(1, "Consumer.A.VirtualTopic.Bills");
    group.world.run_for(A_MOMENT);
    let mut sent = Vec::new();
    for host in 0..3 {
        let texts: Vec<String> = (0..20).map(|number| format!("{host}-{number}")).collect();
        group.send(host, "topic://VirtualTopic.Orders", &texts);
        sent.extend(texts);
    }
    sent.sort_by_key(|text| (text.len(), text.clone()));
    group.world.run_for(A_MOMENT);
    group.listen();
    assert_eq!(group.received(&alone), sent);
    assert_eq!(group.received(&shared), sent, "its consumers share");
    for consumer in plain {
        assert_eq!(group.received(&[consumer]), sent);
    }
    assert_eq!(group.received(&[elsewhere]), [""; 0]);
}

#[test]
fn a_queue_gets_what_is_sent_while_its_consumer_is_away() {
    let mut group = Group::new(2);
    let consumer = group.subscribe(1, "Consumer.A.VirtualTopic.Orders");
    group.world.run_for(A_MOMENT);
    group.unsubscribe(1, consumer);
    group.world.run_for(A_MOMENT);
    for host in [0, 1] {
        group.send(host, "topic://VirtualTopic.Orders", &[format!("from {host}")]);
    }
    group.world.run_for(A_MOMENT);
    let consumer = group.subscribe(1, "Consumer.A.VirtualTopic.Orders");
    group.world.run_for(A_MOMENT);
    group.listen();
    assert_eq!(group.received(&[consumer]), ["from 0", "from 1"]);
}

#[test]
fn one_client_takes_from_several_queues_of_a_topic_through_fanout() {
    let mut group = Group::new(0);
    let host = group.add(Config::broker("g", "b"));
    let client = group.add(client("g", FanoutConfig { acks_min: 1, ..FanoutConfig::default() }));
    group.world.run_for(A_MOMENT);
    let queues = ["Consumer.A.VirtualTopic.Orders", "Consumer.B.VirtualTopic.Orders"];
    let consumers = queues.map(|queue| group.subscribe(client, queue));
    group.world.run_for(A_MOMENT);
    group.send(host, "topic://VirtualTopic.Orders", &["x".to_owned()]);
    group.send(client, "topic://VirtualTopic.Orders", &["y".to_owned()]);
    group.world.run_for(A_MOMENT);
    group.listen();
    for consumer in consumers {
        assert_eq!(group.received(&[consumer]), ["x", "y"]);
    }
}

/// Hosts with an application each.
struct Group {
    world: World,
    hosts: Vec<HostId>,
    asked: u64,
    texts: BTreeMap<ConsumerId, Vec<String>>,
}

impl Group {
    /// So many peers that know of one another.
    fn new(peers: usize) -> Self {
        let world = World::new(Seed::from(1));
        let mut group = Self { world, hosts: Vec::new(), asked: 0, texts: BTreeMap::new() };
        for number in 0..peers {
            group.add(Config::peer("g", format!("b{number}")));
        }
        group.world.run_for(A_MOMENT);
        group
    }

    fn add(&mut self, config: Config) -> usize {
        self.hosts.push(self.world.add_host(config));
        let host = self.hosts.len() - 1;
        let request = self.ask();
        self.command(host, Command::Attach { request, connection: CONNECTION });
        host
    }

    fn subscribe(&mut self, host: usize, destination: &str) -> ConsumerId {
        let (request, consumer) = (self.ask(), ConsumerId(self.asked));
        let subscription = Subscription::new(at(destination));
        self.command(host, Command::Subscribe { request, connection: CONNECTION, consumer, subscription });
        consumer
    }

    fn unsubscribe(&mut self, host: usize, consumer: ConsumerId) {
        let request = self.ask();
        self.command(host, Command::CloseConsumer { request, connection: CONNECTION, consumer, seen: 0 });
    }

    fn send(&mut self, host: usize, destination: &str, texts: &[String]) {
        let (request, producer, destination) = (self.ask(), self.asked, at(destination));
        self.command(host, Command::Produce { request, connection: CONNECTION, producer, destination });
        let messages = texts.iter().map(Body::text).collect();
        self.command(host, Command::Send { connection: CONNECTION, producer, messages });
    }

    /// Takes note of what consumers were given; nothing was refused.
    fn listen(&mut self) {
        for host in self.hosts.clone() {
            for (_, event) in self.world.events(host) {
                match event {
                    Event::Delivered { consumer, deliveries } => {
                        let texts = deliveries.iter().map(|delivery| delivery.message.body.as_text().expect("text"));
                        self.texts.entry(consumer).or_default().extend(texts.map(str::to_owned));
                    }
                    Event::Refused { refusal, .. } | Event::Replied { result: Err(refusal), .. } => {
                        panic!("{host} was refused: {refusal}")
                    }
                    _ => (),
                }
            }
        }
    }

    /// What these consumers were given between them.
    fn received(&self, consumers: &[ConsumerId]) -> Vec<&str> {
        let texts = consumers.iter().filter_map(|consumer| self.texts.get(consumer)).flatten();
        let mut texts: Vec<&str> = texts.map(String::as_str).collect();
        texts.sort_by_key(|text| (text.len(), *text));
        texts
    }

    fn ask(&mut self) -> RequestId {
        self.asked += 1;
        RequestId(self.asked)
    }

    fn command(&mut self, host: usize, command: Command) {
        self.world.command(self.hosts[host], command);
    }
}

fn at(text: &str) -> Destination {
    text.parse().expect("a destination")
}

const CONNECTION: ConnectionId = ConnectionId(1);
const A_MOMENT: Duration = Duration::from_secs(5);
