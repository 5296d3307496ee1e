//! The brokers of this process, by name: connections that ask for the same broker share it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flockmq_core::{BrokerId, Config, Event, Node, Peer, Seed};
use tokio::sync::{broadcast, watch};
use tracing::Instrument;

use crate::clock::Clock;
use crate::connection::Connection;
use crate::desk::Desk;
use crate::driver::Driver;
use crate::error::Error;
use crate::events::{self, Events};
use crate::inbox::{Entry, Inbox};
use crate::location::{Start, Target};
use crate::ready::lock;

/// Connects to the broker of a URI, starting it if this process has none of its name.
///
/// `peer://GROUP/NAME` is a broker that links up with the others of its group; connections of one process with the
/// same URI share one, and without a name it gets one made up. `vm://NAME` is whatever broker of this process has
/// that name, or else one that is alone.
///
/// ```
/// use flockmq::Message;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), flockmq::Error> {
/// # let group = format!("doc-connect-{}", std::process::id());
/// let connection = flockmq::connect(&format!("peer://{group}/broker1?persistent=false")).await?;
/// let mut orders = connection.subscribe("queue://orders").await?;
/// connection.send("queue://orders", Message::text("42")).await?;
/// let delivery = orders.next().await.expect("the consumer is open");
/// assert_eq!(delivery.text()?, "42");
/// connection.close().await
/// # }
/// ```
pub async fn connect(uri: &str) -> Result<Connection, Error> {
    Builder::from_uri(uri)?.connect().await
}

/// Connects to the broker of this configuration, starting it if this process has none of its name.
///
/// This is what [`connect`](crate::connect) does with what the URI says; for tests, and for what no URI option says.
///
/// ```
/// use flockmq::Config;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), flockmq::Error> {
/// let mut config = Config::alone("configured");
/// config.broker.queue_prefetch = 10;
/// let connection = flockmq::connect_with(config).await?;
/// connection.close().await
/// # }
/// ```
pub async fn connect_with(config: Config) -> Result<Connection, Error> {
    Builder::new(config).connect().await
}

/// A connection to be made, with what no configuration says.
#[derive(Clone, Debug)]
pub struct Builder {
    target: Target,
    seed: Option<Seed>,
    timeout: Option<Duration>,
}

impl Builder {
    /// To the broker of this configuration. An empty name stands for one made up.
    pub fn new(config: Config) -> Self {
        Self::to(Target { config, start: Start::Exactly, wait: Duration::ZERO })
    }

    /// To the broker that [`connect`] would connect to.
    pub fn from_uri(uri: &str) -> Result<Self, Error> {
        Target::parse(uri).map(Self::to)
    }

    /// Where all of the broker's chance comes from, its identity included; the system gives one if none is set. It
    /// plays no part if the broker runs already.
    #[must_use]
    pub fn seed(mut self, seed: Seed) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How long connecting may take, and every wait on the connection, as [`Connection::with_timeout`] has it.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Makes the connection.
    pub async fn connect(self) -> Result<Connection, Error> {
        let give_up_at = std::time::Instant::now() + self.target.wait;
        loop {
            // Whoever waits for the broker to be there only starts it when the time is up.
            let is_last = std::time::Instant::now() >= give_up_at;
            if let Some(broker) = self.acquire(is_last)? {
                return Connection::attach(broker, self.timeout).await;
            }
            tokio::time::sleep(WAIT_PERIOD).await;
        }
    }

    fn to(target: Target) -> Self {
        Self { target, seed: None, timeout: None }
    }

    /// Finds the broker or, if this is the last try, starts it; and counts the connection to come.
    fn acquire(&self, is_last: bool) -> Result<Option<Arc<Broker>>, Error> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let Target { config, start, .. } = &self.target;
        let mut brokers = lock(&BROKERS);
        brokers.retain(|_, registered| !registered.broker.inbox.is_closed()); // Its runtime may have gone.
        let found = if config.name.is_empty() {
            brokers.values_mut().find(|registered| registered.is_unnamed_with(config))
        } else {
            brokers.get_mut(&config.name)
        };
        if let Some(registered) = found {
            if *start == Start::Exactly && !config.name.is_empty() {
                registered.broker.check_same(config)?;
            }
            registered.connections += 1;
            return Ok(Some(Arc::clone(&registered.broker)));
        }
        if !is_last {
            return Ok(None);
        }
        if *start == Start::Never {
            return Err(Error::NoBroker(config.name.clone()));
        }
        let seed = self.seed.map_or_else(random, Ok)?;
        let has_generated_name = config.name.is_empty();
        let name = if has_generated_name { generated_name(seed) } else { config.name.clone() };
        let broker = Arc::new(Broker::start(&runtime, Config { name: name.clone(), ..config.clone() }, seed));
        let registered = Registered { broker: Arc::clone(&broker), connections: 1, has_generated_name };
        brokers.insert(name, registered);
        Ok(Some(broker))
    }
}

/// Gives up one connection to a broker; the last one stops it, and then this is true.
pub(crate) fn release(broker: &Arc<Broker>) -> bool {
    let mut brokers = lock(&BROKERS);
    let is_last = match brokers.get_mut(&broker.config.name) {
        Some(registered) if Arc::ptr_eq(&registered.broker, broker) => {
            registered.connections -= 1;
            registered.connections == 0
        }
        _ => return true, // It ended by itself.
    };
    if is_last {
        brokers.remove(&broker.config.name);
        _ = broker.inbox.push(Entry::Stop); // If the driver has gone, it has stopped.
    }
    is_last
}

/// A broker that runs.
pub(crate) struct Broker {
    config: Config,
    id: BrokerId,
    inbox: Arc<Inbox>,
    events: broadcast::WeakSender<Event>,
    peers: watch::Receiver<Vec<Peer>>,
    ended: watch::Receiver<()>,
}

impl Broker {
    fn start(runtime: &tokio::runtime::Handle, config: Config, seed: Seed) -> Self {
        let clock = Clock::start();
        let node = Node::new(config.clone(), seed, clock.now());
        let (id, inbox) = (node.id(), Arc::<Inbox>::default());
        let (events, _) = broadcast::channel(events::CAPACITY);
        let (peers, peers_seen) = watch::channel(Vec::new());
        let (end, ended) = watch::channel(());
        let broker =
            Self { config, id, inbox: Arc::clone(&inbox), events: events.downgrade(), peers: peers_seen, ended };
        let driver = Driver::new(node, clock, Desk::new(events, peers), inbox, broker.config.dial.connect_timeout, end);
        let span = tracing::debug_span!("broker", name = broker.config.name, group = broker.config.group);
        // The driver has a budget of its own.
        runtime.spawn(tokio::task::coop::unconstrained(driver.run().instrument(span)));
        broker
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn id(&self) -> BrokerId {
        self.id
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    pub(crate) fn peers(&self) -> watch::Receiver<Vec<Peer>> {
        self.peers.clone()
    }

    pub(crate) fn events(&self) -> Events {
        let receiver = self.events.upgrade().map_or_else(|| broadcast::channel(1).1, |sender| sender.subscribe());
        Events::new(receiver)
    }

    /// Waits until its task and sockets are gone.
    pub(crate) async fn ended(&self) {
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }

    fn check_same(&self, wanted: &Config) -> Result<(), Error> {
        if self.config == *wanted {
            return Ok(());
        }
        let (found, wanted_group) = (&self.config.group, &wanted.group);
        let difference = match (found.is_empty(), wanted_group.is_empty()) {
            _ if found == wanted_group => "with other options".to_owned(),
            (true, _) => format!("which is alone, not in group '{wanted_group}'"),
            (_, true) => format!("which is in group '{found}', not alone"),
            _ => format!("in group '{found}', not '{wanted_group}'"),
        };
        Err(Error::NameInUse { name: wanted.name.clone(), difference })
    }
}

/// A broker and how many connections it has.
struct Registered {
    broker: Arc<Broker>,
    connections: usize,
    has_generated_name: bool,
}

impl Registered {
    fn is_unnamed_with(&self, wanted: &Config) -> bool {
        let config = &self.broker.config;
        self.has_generated_name && *config == Config { name: config.name.clone(), ..wanted.clone() }
    }
}

static BROKERS: Mutex<BTreeMap<String, Registered>> = Mutex::new(BTreeMap::new());

/// How often to look whether a broker that is waited for is there.
const WAIT_PERIOD: Duration = Duration::from_millis(5);

fn random() -> Result<Seed, Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| Error::NoEntropy(error.to_string()))?;
    Ok(Seed(u128::from_ne_bytes(bytes)))
}

/// Eight digits that brokers started with different seeds do not share.
fn generated_name(seed: Seed) -> String {
    format!("peer-{:08x}", flockmq_core::Rng::new(seed).below(1 << 32))
}
