//! The brokers of this process, by name: connections that ask for the same broker share it. Clients are not among
//! them: each connection through fanout is a client of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flockmq_core::uri::Network;
use flockmq_core::{BrokerId, Config, Host, Node, Role, Seed};
use tokio::sync::watch;
use tracing::Instrument;

use crate::board::{Board, View};
use crate::clock::Clock;
use crate::connection::Connection;
use crate::desk::Desk;
use crate::driver::Driver;
use crate::error::Error;
use crate::inbox::{Entry, Inbox};
use crate::location::{Place, Start};
use crate::ready::lock;
use crate::tape::{Blank, not_recorded};

/// Connects to the broker of a URI, starting it if this process has none of its name; or to many brokers at once.
///
/// `peer://GROUP/NAME` is a broker that links up with the others of its group; connections of one process with the
/// same URI share one, and without a name it gets one made up. `vm://NAME` is whatever broker of this process has
/// that name, or else one that is alone. `broker:(tcp://HOST:PORT,network:static:(tcp://HUB:PORT))?name=NAME` is one that
/// belongs to no group, listens there and is bridged to the hub. A broker that was told where to listen (`transportConnectorURIs`) and can't is
/// not started: [`Error::NotListening`].
///
/// `fanout:(static:(tcp://HOST1:PORT,tcp://HOST2:PORT))?minAckCount=2` sends to all of these brokers at once, and
/// `fanout:(multicast://default)?minAckCount=2` to all that are discovered. Each such connection is a client of its
/// own. It is made at once, whether or not brokers are up: what needs them waits for them, up to `sendTimeout`.
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
/// This is what [`connect`](crate::connect) does with what the URI says; for tests, and for what no URI option says:
/// [`Config::broker`] is a broker that stands alone, listening and advertising itself, and that clients fan out to.
///
/// ```
/// use flockmq::Config;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), flockmq::Error> {
/// let mut config = Config::broker("default", "a");
/// config.listen = Some("tcp://127.0.0.1:0".parse().expect("an address"));
/// config.multicast = None; // Who wants to find it has to be told where it is.
/// let broker = flockmq::connect_with(config).await?;
/// let mut orders = broker.subscribe("queue://orders").await?;
/// let address = broker.listening().await?[0];
///
/// let client = flockmq::connect(&format!("fanout:(static:(tcp://{address}))?minAckCount=1")).await?;
/// let outcome = client.send("queue://orders", "42").await?; // Once the broker is up and has accepted it.
/// assert_eq!(outcome.brokers()[0].name, "a");
/// let delivery = orders.next().await.expect("the consumer is open");
/// assert_eq!(delivery.text()?, "42");
/// client.close().await?;
/// broker.close().await
/// # }
/// ```
pub async fn connect_with(config: Config) -> Result<Connection, Error> {
    Builder::new(config).connect().await
}

/// A connection to be made, with what no configuration says.
#[derive(Clone, Debug)]
pub struct Builder {
    place: Place,
    record: Option<PathBuf>,
    seed: Option<Seed>,
    timeout: Option<Duration>,
}

impl Builder {
    /// To the broker of this configuration, or as a client of its own to those that it fans out to. An empty name
    /// stands for one made up.
    pub fn new(config: Config) -> Self {
        Self::to(Place { config, start: Start::Exactly, wait: Duration::ZERO })
    }

    /// To the broker that [`connect`] would connect to.
    pub fn from_uri(uri: &str) -> Result<Self, Error> {
        Place::parse(uri).map(Self::to)
    }

    /// Records the broker's or client's life into a new file: its configuration, its seed, and everything it is told and
    /// when. That is all its behaviour comes from, so the file reproduces it: [`recording`](flockmq_core::recording)
    /// reads it, and `flockmq replay FILE` shows it line by line.
    ///
    /// **All messages that pass through are in the file, with their contents.** On Unix nobody but its owner may read
    /// it. Writing never slows the broker: if the disk can't keep up, or is full, the recording ends with a warning in
    /// the log. It is complete when [`Connection::close`] has returned; that of a process that is killed can be replayed
    /// as far as it goes.
    ///
    /// [`connect`](Self::connect) fails with [`Error::NotRecorded`] if the file exists or can't be made, or if the broker
    /// runs already, since its beginning would be missing.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = std::env::temp_dir().join(format!("flockmq-doc-record-{}", std::process::id()));
    /// use flockmq::core::recording::Recording;
    ///
    /// let connection = flockmq::Builder::from_uri("vm://recorded")?.record(&path).connect().await?;
    /// connection.send("queue://orders", "42").await?;
    /// connection.close().await?;
    ///
    /// let recording = Recording::read(&std::fs::read(&path)?)?;
    /// assert_eq!(recording.replay(recording.config.clone()), recording.outputs);
    /// # std::fs::remove_file(path)?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn record(mut self, path: impl Into<PathBuf>) -> Self {
        self.record = Some(path.into());
        self
    }

    /// Gives the broker a network connector: it is bridged to those that this URI lists, whatever their group, in both
    /// directions. May be said several times.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), flockmq::Error> {
    /// let hub = flockmq::connect("broker:(tcp://127.0.0.1:0)?name=doc-hub").await?;
    /// let address = hub.listening().await?[0];
    ///
    /// let edge = flockmq::Builder::from_uri("vm://doc-edge")?.network(&format!("static:(tcp://{address})"))?;
    /// let edge = edge.connect().await?;
    /// let mut orders = hub.subscribe("queue://orders").await?;
    /// edge.ready(1).await?;
    /// edge.send("queue://orders", "42").await?;
    /// let delivery = orders.next().await.expect("the consumer is open");
    /// assert_eq!(delivery.text()?, "42");
    /// edge.close().await?;
    /// hub.close().await
    /// # }
    /// ```
    pub fn network(mut self, uri: &str) -> Result<Self, Error> {
        let network: Network = uri.parse()?;
        self.place.config.add_network(&network)?;
        Ok(self)
    }

    /// Where all of the broker's or client's chance comes from, its identity included; the system gives one if none is set. It
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
        let give_up_at = std::time::Instant::now() + self.place.wait;
        loop {
            // Whoever waits for the broker to be there only starts it when the time is up.
            let is_last = std::time::Instant::now() >= give_up_at;
            if let Some(broker) = self.acquire(is_last)? {
                let connection = Connection::attach(broker, self.timeout).await?;
                if self.says_where_to_listen()
                    && let Err(error) = connection.listening().await
                {
                    _ = connection.close().await; // Whatever comes of it, this is why.
                    return Err(error);
                }
                return Ok(connection);
            }
            tokio::time::sleep(WAIT_PERIOD).await;
        }
    }

    /// True if others may count on a listener at a place they were told of, and not at whatever port of whatever interface.
    fn says_where_to_listen(&self) -> bool {
        self.place.config.listen.as_ref().is_some_and(|at| {
            let is_any_host = matches!(at.host, Host::Ip(ip) if ip.is_unspecified());
            !is_any_host || at.port != 0
        })
    }

    fn to(place: Place) -> Self {
        Self { place, record: None, seed: None, timeout: None }
    }

    /// Finds the broker or, if this is the last try, starts it; and counts the connection to come. A client is always
    /// started.
    fn acquire(&self, is_last: bool) -> Result<Option<Arc<Broker>>, Error> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| Error::NoRuntime)?;
        let Place { config, start, .. } = &self.place;
        if config.role == Role::Client {
            return self.start(&runtime).map(Some);
        }
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
            if let Some(path) = &self.record {
                let name = &registered.broker.config.name;
                return Err(not_recorded(path, format!("the broker '{name}' runs already, and its beginning is past")));
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
        let broker = self.start(&runtime)?;
        let has_generated_name = config.name.is_empty();
        let registered = Registered { broker: Arc::clone(&broker), connections: 1, has_generated_name };
        brokers.insert(broker.config.name.clone(), registered);
        Ok(Some(broker))
    }

    fn start(&self, runtime: &tokio::runtime::Handle) -> Result<Arc<Broker>, Error> {
        let seed = self.seed.map_or_else(random, Ok)?;
        let mut config = self.place.config.clone();
        if config.name.is_empty() {
            config.name = generated_name(config.role, seed);
        }
        let blank = self.record.as_deref().map(Blank::create).transpose()?;
        Broker::start(runtime, config, seed, blank).map(Arc::new)
    }
}

/// Gives up one connection to a broker; the last one stops it, and then this is true.
pub(crate) fn release(broker: &Arc<Broker>) -> bool {
    let mut brokers = lock(&BROKERS);
    let registered = brokers.get_mut(&broker.config.name).filter(|found| Arc::ptr_eq(&found.broker, broker));
    if let Some(registered) = registered {
        registered.connections -= 1;
        if registered.connections > 0 {
            return false;
        }
        brokers.remove(&broker.config.name);
    } // Else it is a client, which has one connection, or it has ended by itself.
    _ = broker.inbox.push(Entry::Stop); // If the driver has gone, it has stopped.
    true
}

/// A broker that runs, or a client of brokers.
pub(crate) struct Broker {
    config: Config,
    id: BrokerId,
    inbox: Arc<Inbox>,
    view: View,
    ended: watch::Receiver<()>,
}

impl Broker {
    fn start(
        runtime: &tokio::runtime::Handle,
        config: Config,
        seed: Seed,
        blank: Option<Blank>,
    ) -> Result<Self, Error> {
        let clock = Clock::start();
        let now = clock.now();
        let (end, ended) = watch::channel(());
        let tape = blank.map(|blank| blank.start(&config, seed, now, end.clone())).transpose()?;
        let node = Node::new(config.clone(), seed, now);
        let (id, inbox) = (node.id(), Arc::<Inbox>::default());
        let (board, view) = Board::new(config.broker.advisories_max);
        let broker = Self { config, id, inbox: Arc::clone(&inbox), view, ended };
        let Config { name, group, role, .. } = &broker.config;
        let driver = Driver::new(node, clock, Desk::new(*role, board), inbox, tape, end);
        let span = match role {
            Role::Broker | Role::Peer => tracing::debug_span!("broker", name, group),
            Role::Client => tracing::debug_span!("client", name),
        };
        // The driver has a budget of its own.
        runtime.spawn(tokio::task::coop::unconstrained(driver.run().instrument(span)));
        Ok(broker)
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

    pub(crate) fn view(&self) -> &View {
        &self.view
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

/// Eight digits that nodes started with different seeds do not share.
fn generated_name(role: Role, seed: Seed) -> String {
    let prefix = match role {
        Role::Broker => "broker",
        Role::Client => "client",
        Role::Peer => "peer",
    };
    format!("{prefix}-{:08x}", flockmq_core::Rng::new(seed).below(1 << 32))
}
