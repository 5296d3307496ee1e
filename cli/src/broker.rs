//! `flockmq broker`: a broker that stands alone, until it is stopped.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use flockmq::core::uri::{Connector, Discovery, Network, Peer};
use flockmq::core::{Address, PolicyEntry, Role};
use flockmq::{Builder, Config, Connection, Event, Events};
use serde_json::json;

use crate::change::Change;
use crate::failure::Failure;
use crate::out::Out;
use crate::paint::{self, Paint};
use crate::record::Record;
use crate::stop::Stop;
use crate::subscribe::Format;
use crate::{duration, network, place, policy};

/// Run a broker for clients that send to many brokers at once (fanout:), until it is interrupted or terminated.
///
/// It advertises itself to its group, so that clients find it, and links up with no other broker, but for those whose
/// network connectors lead here. With --network it links up with its group, as every peer does; with --network URI with
/// those that the URI lists, whatever their group. What it is told is kept in memory, and ends with it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq broker
  flockmq broker --listen tcp://127.0.0.1:61616 --name a --no-discovery
  flockmq broker --group groupA --interface eth0 --options 'memoryLimit=1048576&queuePrefetch=10'
  flockmq broker --network --group groupA --format json
  flockmq broker --group groupA --network --network 'static:(tcp://hub:61616)?networkTTL=3'
  flockmq broker --policy 'queue://orders.>?memoryLimit=64MiB&whenFull=refuse' --policy 'topic://>?history=lastImage'

It writes a line when it is up, 'broker up NAME at ADDRESS, ADDRESS…', and one for everyone who comes and goes. When it
is stopped it takes its leave, and the exit code is 0; it is 1 if it can't listen, and 2 for bad usage.")]
pub(crate) struct Broker {
    /// Where clients may connect, as `tcp://HOST:PORT`; at any port of any interface if not given
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<Address>,
    /// What it is called; a name is made up if none is given
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The group that it is found in
    #[arg(long, value_name = "GROUP", default_value = "default")]
    group: String,
    /// Link up with the other brokers of the group, or with those that a URI lists: 'static:(tcp://HOST:PORT)?OPTIONS'; may
    /// be given several times
    #[arg(long, value_name = "URI", num_args = 0..=1, default_missing_value = GROUP)]
    network: Vec<String>,
    /// The one network interface to advertise on, by name or address; every usable one if not given
    #[arg(long, value_name = "INTERFACE")]
    interface: Option<String>,
    /// Do not advertise: clients have to know the address
    #[arg(long, conflicts_with = "interface")]
    no_discovery: bool,
    /// Further options of a peer: URI, as after its '?': 'discovery.port=7000&memoryLimit=1048576'
    #[arg(long, value_name = "OPTIONS")]
    options: Option<String>,
    /// How a destination is treated, or all that a pattern covers, as 'DESTINATION?NAME=VALUE&…'; see --help
    #[arg(long = "policy", value_name = "POLICY", value_parser = policy::parse, long_help = policy::HELP)]
    policies: Vec<PolicyEntry>,
    /// When stopped, hand what waits in queues to peers that want it first, for so long at most
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    drain: Option<Duration>,
    /// How to write what happens
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    record: Record,
}

impl Broker {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let builder = self.record.apply(Builder::new(self.config()?));
        let mut stop = Stop::listen(None)?;
        let (connection, events) = network::connect(&mut stop, builder).await?;
        let outcome = tokio::select! {
            biased;
            _ = stop.wait() => Ok(()), // There is no other end: this is how it ends.
            failure = self.tell(&connection, events) => Err(failure),
        };
        if let Some(patience) = self.drain {
            place::drain(&connection, patience).await;
        } else {
            place::warn_of_rest(&connection).await;
            place::leave(&connection).await;
        }
        outcome
    }

    /// What it is to be like: a peer of these options, but for what sets it apart.
    fn config(&self) -> Result<Config, Failure> {
        let given = Peer {
            name: self.name.clone(),
            discovery: Discovery { interface: self.interface.clone(), ..Discovery::default() },
            transport_connector: self.listen.clone(),
            ..Peer::new(self.group.as_str())
        };
        // As one text, so that every option is checked in one place and pointed at if it is at fault.
        let mut uri = given.to_string();
        if let Some(options) = &self.options {
            uri += if uri.contains('?') { "&" } else { "?" };
            uri += options;
        }
        let peer: Peer = uri.parse().map_err(|error| place::bad_uri(&uri, error))?;
        if let Some(fault) = self.misfit(&peer) {
            return Err(Failure::Usage(fault));
        }
        let name = peer.name.clone().unwrap_or_default();
        let mut config = Config::from_peer(&peer, name).map_err(flockmq::Error::from)?;
        config.role = if self.joins_group() { Role::Peer } else { Role::Broker };
        for uri in self.network.iter().filter(|uri| *uri != GROUP) {
            let network: Network = uri.parse().map_err(|error| place::bad_uri(uri, error))?;
            config.add_network(&network).map_err(flockmq::Error::from)?;
        }
        config.multicast.take_if(|_| self.no_discovery);
        config.broker.policies.entries.clone_from(&self.policies);
        Ok(config)
    }

    /// True if it links up with its group.
    fn joins_group(&self) -> bool {
        self.network.iter().any(|uri| uri == GROUP)
    }

    /// An option that would do nothing, in words.
    fn misfit(&self, peer: &Peer) -> Option<String> {
        let is_multicast = |connector: &Connector| matches!(connector, Connector::Multicast(_));
        let has_multicast = peer.network_connectors.iter().any(is_multicast);
        let mut listed = peer.network_connectors.iter().filter(|connector| matches!(connector, Connector::Static(_)));
        if let Some(listed) = listed.next().filter(|_| !self.joins_group()) {
            return Some(format!("'{listed}' lists members of its group, which it links up with only with --network"));
        }
        let has_discovery = has_multicast || peer.discovery != Discovery::default();
        let is_silent = self.no_discovery && has_discovery;
        is_silent.then(|| "the options say how to be found, and --no-discovery says not to be".to_owned())
    }

    /// Writes what happens, until something fails.
    async fn tell(&self, connection: &Connection, mut events: Events) -> Failure {
        let mut addresses = match connection.listening().await {
            Ok(addresses) => addresses,
            Err(error) => return error.into(),
        };
        let (mut out, paint, mut missed) = (Some(Out::new()), Paint::stdout(), 0);
        let mut changes = vec![up(connection, &addresses)];
        loop {
            for change in changes {
                let written = out.as_mut().map_or(Ok(()), |out| out.line(change.line(self.format, paint)));
                match written {
                    Ok(()) => (),
                    Err(Failure::OutputClosed) => out = None, // Those whom it serves are still there.
                    Err(failure) => return failure,
                }
            }
            let Some(event) = events.next().await else {
                return flockmq::Error::Closed.into();
            };
            let count = events.missed() - std::mem::replace(&mut missed, events.missed());
            let gap = (count > 0).then(|| Change::of_gap(count));
            let change = match event {
                Event::Listening { addresses: found } if found == addresses => None, // As was said before.
                Event::Listening { addresses: found } => {
                    addresses = found;
                    Some(moved(&addresses))
                }
                event => Change::of_event(&event),
            };
            changes = gap.into_iter().chain(change).collect();
        }
    }
}

/// What `--network` stands for without a URI.
const GROUP: &str = "group";

/// The broker is up.
fn up(connection: &Connection, addresses: &[SocketAddr]) -> Change {
    let details = json!({
        "name": connection.name(),
        "broker": connection.id().to_string(),
        "group": connection.group(),
        "addresses": uris(addresses),
    });
    let text = format!("{} at {}", paint::name(connection.name()), places(addresses));
    Change::new("broker up", details, text)
}

/// The broker is reached elsewhere, since an interface came or went.
fn moved(addresses: &[SocketAddr]) -> Change {
    Change::new("broker moved", json!({ "addresses": uris(addresses) }), format!("to {}", places(addresses)))
}

fn places(addresses: &[SocketAddr]) -> String {
    if addresses.is_empty() { "no address".to_owned() } else { uris(addresses).join(", ") }
}

fn uris(addresses: &[SocketAddr]) -> Vec<String> {
    addresses.iter().map(|address| Address::from(*address).to_string()).collect()
}
