//! A world of simulated peers, brokers and clients, each with one application attached: what JavaScript drives, without
//! JavaScript.

use std::collections::BTreeMap;
use std::time::Duration;

use flockmq_core::sim::{self, HostId, ScriptError};
use flockmq_core::uri::{Fanout, Peer, UriError};
use flockmq_core::{
    Ack, AckExtent, AckKind, Body, Command, Config, ConfigError, ConnectionId, ConsumerId, Destination,
    DestinationError, Event, Node, RequestId, Role, Seed, Subscription,
};
use serde_json::Value;

use crate::{event, target};

/// Simulated peers, brokers and clients, the network between them, and one application at each.
///
/// Hosts are numbered from 0 in the order they were added.
#[derive(Debug)]
pub struct World {
    inner: sim::World,
    hosts: Vec<Host>,
}

/// Why a call did nothing.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The URI asks for what this version does not have.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The text names no destination.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// A span of time that no clock can wait for.
    #[error("{0} is no number of milliseconds; expected 0 or more, and less than 584 years")]
    Duration(f64),
    /// The text is no scenario.
    #[error(transparent)]
    Scenario(#[from] ScriptError),
    /// The seed is no number.
    #[error("the seed '{0}' is no hexadecimal number of up to 128 bits")]
    Seed(String),
    /// There is no such host.
    #[error("there is no host {host}; the world has {count}")]
    UnknownHost {
        /// The number asked for.
        host: u32,
        /// How many there are, numbered from 0.
        count: usize,
    },
    /// The text is no URI of what was to be added.
    #[error(transparent)]
    Uri(#[from] UriError),
}

impl World {
    /// A world without hosts. All of its chance comes from `seed`, a hexadecimal number.
    pub fn new(seed: &str) -> Result<Self, Fault> {
        let seed: Seed = seed.parse().map_err(|_| Fault::Seed(seed.to_owned()))?;
        Ok(Self { inner: sim::World::new(seed), hosts: Vec::new() })
    }

    /// Starts a broker that stands alone from the URI that a peer would have, `peer://GROUP/NAME?OPTIONS`, and returns
    /// the number of its host. It serves clients and bridges to nobody.
    pub fn add_broker(&mut self, uri: &str) -> Result<u32, Fault> {
        let config = self.peer(uri)?;
        self.add(Config { role: Role::Broker, ..config })
    }

    /// Starts a client from its URI, `fanout:(URI)?OPTIONS`, and returns the number of its host, after which it is called.
    pub fn add_client(&mut self, uri: &str) -> Result<u32, Fault> {
        let fanout: Fanout = uri.parse()?;
        self.add(Config::from_fanout(&fanout, self.name())?)
    }

    /// Starts a peer from its URI, `peer://GROUP/NAME?OPTIONS`, and returns the number of its host. Without a name it is
    /// called after that.
    pub fn add_peer(&mut self, uri: &str) -> Result<u32, Fault> {
        let config = self.peer(uri)?;
        self.add(config)
    }

    /// Has a host's application take what arrives at a destination or pattern, and returns the consumer's number.
    pub fn subscribe(&mut self, host: u32, destination: &str) -> Result<u32, Fault> {
        let subscription = Subscription::new(destination.parse()?);
        let host = self.host(host)?;
        let request = host.request();
        host.consumers += 1;
        let consumer = host.consumers;
        let command =
            Command::Subscribe { request, connection: CONNECTION, consumer: ConsumerId(consumer.into()), subscription };
        let id = host.id;
        self.inner.command(id, command);
        Ok(consumer)
    }

    /// Has a host's application send a text message.
    pub fn send(&mut self, host: u32, destination: &str, text: &str) -> Result<(), Fault> {
        let destination: Destination = destination.parse()?;
        let host = self.host(host)?;
        let id = host.id;
        let mut commands = Vec::new();
        let producer = if let Some(producer) = host.producers.get(&destination) {
            *producer
        } else {
            let producer = host.producers.len() as u64 + 1;
            host.producers.insert(destination.clone(), producer);
            let request = host.request();
            commands.push(Command::Produce {
                request,
                connection: CONNECTION,
                producer,
                destination: destination.into(),
            });
            producer
        };
        commands.push(Command::Send { connection: CONNECTION, producer, messages: vec![Body::text(text)] });
        for command in commands {
            self.inner.command(id, command);
        }
        Ok(())
    }

    /// Lets this many milliseconds of virtual time pass.
    pub fn run_for(&mut self, milliseconds: f64) -> Result<(), Fault> {
        let duration = Duration::try_from_secs_f64(milliseconds / 1000.0).map_err(|_| Fault::Duration(milliseconds))?;
        if u64::try_from(duration.as_nanos()).is_err() {
            return Err(Fault::Duration(milliseconds));
        }
        self.inner.run_for(duration);
        Ok(())
    }

    /// Takes what a host's application was told since the last call, oldest first. Deliveries are acknowledged by
    /// being taken.
    pub fn events(&mut self, host: u32) -> Result<Vec<Value>, Fault> {
        let id = self.host(host)?.id;
        let mut events = Vec::new();
        for (at, event) in self.inner.events(id) {
            if let Event::Delivered { consumer, deliveries } = &event
                && let Some(last) = deliveries.last()
            {
                let ack = Ack { consumer: *consumer, tag: last.tag, extent: AckExtent::UpTo, kind: AckKind::Accepted };
                self.inner.command(id, Command::Ack { connection: CONNECTION, ack });
            }
            events.push(event::to_json(at, &event));
        }
        Ok(events)
    }

    /// The brokers that a client fans out to, or would; none for other hosts, and for those that have crashed.
    pub fn targets(&mut self, host: u32) -> Result<Vec<Value>, Fault> {
        let id = self.host(host)?.id;
        let targets = self.inner.node(id).map(Node::targets).unwrap_or_default();
        Ok(targets.iter().map(target::to_json).collect())
    }

    /// A hash over everything that has happened, as 16 hexadecimal digits.
    pub fn trace_hash(&self) -> String {
        format!("{:016x}", self.inner.trace_hash())
    }

    /// Lets nothing pass between two hosts, until they are healed.
    pub fn cut(&mut self, a: u32, b: u32) -> Result<(), Fault> {
        let (a, b) = (self.host(a)?.id, self.host(b)?.id);
        self.inner.cut(a, b);
        Ok(())
    }

    /// Undoes a cut between two hosts.
    pub fn heal(&mut self, a: u32, b: u32) -> Result<(), Fault> {
        let (a, b) = (self.host(a)?.id, self.host(b)?.id);
        self.inner.heal(a, b);
        Ok(())
    }

    /// Ends a host without notice, with all that its memory held.
    pub fn crash(&mut self, host: u32) -> Result<(), Fault> {
        let id = self.host(host)?.id;
        self.inner.crash(id);
        Ok(())
    }

    /// Starts a crashed host again: same URI, new identity, no consumers.
    pub fn restart(&mut self, host: u32) -> Result<(), Fault> {
        let id = self.host(host)?.id;
        self.inner.restart(id);
        *self.host(host)? = Host::new(id);
        self.attach(host)
    }

    fn peer(&self, uri: &str) -> Result<Config, Fault> {
        let peer: Peer = uri.parse()?;
        let name = peer.name.clone().unwrap_or_else(|| self.name());
        Ok(Config::from_peer(&peer, name)?)
    }

    /// What the next host is called if nothing else is said.
    fn name(&self) -> String {
        format!("host{}", self.hosts.len())
    }

    fn add(&mut self, config: Config) -> Result<u32, Fault> {
        let number = u32::try_from(self.hosts.len()).expect("hosts are far fewer than 2^32");
        let id = self.inner.add_host(config);
        self.hosts.push(Host::new(id));
        self.attach(number)?;
        Ok(number)
    }

    fn attach(&mut self, host: u32) -> Result<(), Fault> {
        let host = self.host(host)?;
        let (id, request) = (host.id, host.request());
        self.inner.command(id, Command::Attach { request, connection: CONNECTION });
        Ok(())
    }

    fn host(&mut self, host: u32) -> Result<&mut Host, Fault> {
        let count = self.hosts.len();
        let found = usize::try_from(host).ok().and_then(|index| self.hosts.get_mut(index));
        found.ok_or(Fault::UnknownHost { host, count })
    }
}

/// What the application at one host has named so far.
#[derive(Debug)]
struct Host {
    id: HostId,
    requests: u64,
    consumers: u32,
    producers: BTreeMap<Destination, u64>,
}

impl Host {
    fn new(id: HostId) -> Self {
        Self { id, requests: 0, consumers: 0, producers: BTreeMap::new() }
    }

    fn request(&mut self) -> RequestId {
        self.requests += 1;
        RequestId(self.requests)
    }
}

const CONNECTION: ConnectionId = ConnectionId(1);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_is_quoted_and_changes_nothing() {
        let mut world = World::new("1").expect("a seed");
        let host = world.add_peer("peer://flock/a").expect("a peer");
        let before = world.trace_hash();
        let faults = [
            World::new("x").expect_err("no seed").to_string(),
            world.add_peer("vm://a").expect_err("no peer").to_string(),
            world.add_broker("fanout:(multicast://default)").expect_err("no broker").to_string(),
            world.add_client("peer://flock").expect_err("no client").to_string(),
            world.targets(8).expect_err("no host").to_string(),
            world.subscribe(host, "topic://a..b").expect_err("no destination").to_string(),
            world.send(7, "orders", "x").expect_err("no host").to_string(),
            world.run_for(f64::NAN).expect_err("no time").to_string(),
            world.run_for(1e300).expect_err("too long").to_string(),
        ];
        let quoted =
            ["'x'", "vm", "fanout", "peer", "no host 8", "'a..b'", "no host 7; the world has 1", "NaN", "584 years"];
        for (fault, part) in faults.iter().zip(quoted) {
            assert!(fault.contains(part), "{part} in: {fault}");
        }
        assert_eq!(world.trace_hash(), before);
    }

    #[test]
    fn a_client_says_what_becomes_of_its_targets() {
        let mut world = World::new("1").expect("a seed");
        let broker = world.add_broker("peer://flock/a").expect("a broker");
        let client = world
            .add_client("fanout:(multicast://default?group=flock)?minAckCount=1&sendTimeout=1000")
            .expect("a client");
        world.run_for(5000.0).expect("a duration");
        world.send(client, "topic://prices", "gold").expect("a destination");
        world.run_for(100.0).expect("a duration");
        let targets = world.targets(client).expect("a host");
        let [up] = &targets[..] else { panic!("{targets:?}") };
        assert_eq!((&up["state"], &up["name"], &up["accepted"]), (&json!("Up"), &json!("a"), &json!(1)));
        let events = world.events(client).expect("a host");
        let first = |kind: &str| events.iter().find(|event| event["type"] == kind).cloned().unwrap_or_default();
        assert_eq!(first("TargetFound")["address"], up["address"]);
        assert_eq!(first("TargetUp")["broker"], up["broker"]);
        assert_eq!(first("Accepted")["by"], json!([up["broker"]]));
        let clients = world.events(broker).expect("a host");
        assert!(clients.iter().any(|event| event["type"] == "ClientUp" && event["name"] == "host1"), "{clients:?}");

        world.crash(broker).expect("a host");
        world.send(client, "topic://prices", "silver").expect("a destination");
        world.run_for(2000.0).expect("a duration");
        let events = world.events(client).expect("a host");
        let refused = events.iter().find(|event| event["type"] == "Refused").expect("it was lost");
        assert!(refused["refusal"].is_string() && refused["answers"].is_array(), "{refused}");
        assert_ne!(
            world.targets(client).expect("a host").first().map(|target| target["state"].clone()),
            Some(json!("Up"))
        );
        assert!(world.targets(broker).expect("a host").is_empty());
    }

    #[test]
    fn equal_seeds_give_equal_runs() {
        let run = |seed| {
            let mut world = World::new(seed).expect("a seed");
            let host = world.add_peer("peer://flock/a").expect("a peer");
            world.send(host, "orders", "x").expect("a destination");
            world.run_for(2000.0).expect("a duration");
            (world.trace_hash(), world.events(host).expect("a host"))
        };
        assert_eq!(run("1"), run("1"));
        assert_ne!(run("1").0, run("2").0);
    }
}
