//! What a URI asks for.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Config, ConnectorConfig, TransportConfig};
use crate::base::BackoffConfig;
use crate::bridge::BridgeConfig;
use crate::model::{Address, Permits, Role};
use crate::uri::{
    BridgeOptions, Broker, BrokerOptions, Connector, Discovery, Fanout, Network, Peer, Reconnect, Targets, Tcp, Vm,
    WireFormat,
};

/// Why a URI, though it is a valid one, can't be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// One address with options that contradict each other.
    #[error("'{address}' is listed twice, with different options; expected the same ones, or it once")]
    Contradiction {
        /// The address.
        address: Address,
    },
    /// A network connector for a client, which has no broker that could be bridged.
    #[error(
        "a fanout: URI makes a client, and only brokers have network connectors; expected a peer:, broker: or vm: URI"
    )]
    NoBroker,
    /// Persistence was asked for.
    #[error(
        "persistent=true needs a store, which this version does not have; expected persistent=false, or no such option"
    )]
    NoStore,
    /// A fanout that needs more brokers than its list names, so that nothing could ever be sent.
    #[error("{needed} brokers are needed and {listed} listed; expected acks from {listed} or fewer, or a longer list")]
    TooFewTargets {
        /// How many brokers are needed.
        needed: u32,
        /// How many different ones are listed.
        listed: usize,
    },
}

impl Config {
    /// What a `peer:` URI asks for, for a broker of this name.
    ///
    /// ```
    /// use flockmq_core::{Config, uri::Peer};
    ///
    /// let mut peer = Peer::new("groupA");
    /// peer.bridge.network_ttl = Some(2);
    /// let config = Config::from_peer(&peer, "broker1")?;
    /// assert_eq!((config.group.as_str(), config.bridge.message_hops_max), ("groupA", 2));
    /// # Ok::<(), flockmq_core::ConfigError>(())
    /// ```
    pub fn from_peer(peer: &Peer, name: impl Into<String>) -> Result<Self, ConfigError> {
        let mut config = Self::peer(peer.group.clone(), name);
        config.apply_broker(&peer.broker)?;
        config.apply_discovery(&peer.discovery);
        for connector in &peer.network_connectors {
            match connector {
                Connector::Multicast(multicast) => config.apply_discovery(&multicast.discovery),
                Connector::Network(network) => config.add_network(network)?,
                Connector::Static(fixed) => {
                    let listed = config.list(&fixed.peers, &redialled(&fixed.reconnect))?;
                    config.peers.extend(listed);
                }
            }
        }
        config.apply_wire_format(&peer.wire_format);
        config.listen = peer.transport_connector.clone().or(config.listen);
        config.bridge = bridge(&peer.bridge);
        config.accepts_connectors = peer.accept_network_connectors.unwrap_or(config.accepts_connectors);
        config.remote.administration = peer.client_administration.unwrap_or(config.remote.administration);
        Ok(config)
    }

    /// What a `broker:` URI asks for, for a broker of this name.
    ///
    /// ```
    /// use flockmq_core::{Config, uri::Broker};
    ///
    /// let broker: Broker = "broker:(tcp://0.0.0.0:0,network:static:(tcp://hub:61616))?name=edge".parse()?;
    /// let config = Config::from_broker(&broker, "edge")?;
    /// assert_eq!(config.connectors[0].addresses[0].to_string(), "tcp://hub:61616");
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn from_broker(broker: &Broker, name: impl Into<String>) -> Result<Self, ConfigError> {
        let mut config = Self { listen: broker.listen.clone(), ..Self::alone(name) };
        config.apply_broker(&broker.broker)?;
        for network in &broker.networks {
            config.add_network(network)?;
        }
        config.apply_wire_format(&broker.wire_format);
        config.bridge = bridge(&broker.bridge);
        config.accepts_connectors = broker.accept_network_connectors.unwrap_or(config.accepts_connectors);
        config.remote.administration = broker.client_administration.unwrap_or(config.remote.administration);
        Ok(config)
    }

    /// Adds a network connector, as a `network:` URI asks for it.
    pub fn add_network(&mut self, network: &Network) -> Result<(), ConfigError> {
        if self.role == Role::Client {
            return Err(ConfigError::NoBroker);
        }
        let address = network.peers.iter().map(|peer| &peer.address).find(|address| self.lists(address));
        if let Some(address) = address {
            return Err(ConfigError::Contradiction { address: address.clone() });
        }
        let addresses = self.list(&network.peers, &redialled(&network.reconnect))?;
        let name = network.name.clone().unwrap_or_else(|| ConnectorConfig::NAME_DEFAULT.into());
        self.connectors.push(ConnectorConfig { name, addresses, bridge: bridge(&network.bridge) });
        Ok(())
    }

    /// What a `fanout:` URI asks for, for a client of this name.
    ///
    /// ```
    /// use flockmq_core::{Config, uri::Fanout};
    ///
    /// let fanout: Fanout = "fanout:(multicast://default?group=g)?minAckCount=3".parse()?;
    /// let config = Config::from_fanout(&fanout, "client")?;
    /// assert_eq!((config.group.as_str(), config.fanout.acks_min), ("g", 3));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    pub fn from_fanout(fanout: &Fanout, name: impl Into<String>) -> Result<Self, ConfigError> {
        let mut config = Self::client(name);
        let mut unsaid = BackoffConfig { first: Duration::from_millis(10), ..BackoffConfig::default() };
        unsaid.jitter_percent = fanout.reconnect_jitter.map_or(unsaid.jitter_percent, u32::from);
        config.dial.backoff = backoff(&fanout.reconnect, &unsaid);
        let discovered = &fanout.discovered;
        let all = TransportConfig::new(discovered.connection_timeout, &discovered.wire_format);
        let connect_timeout = all.connect_timeout.or(fanout.connect_timeout);
        config.dial.connect_timeout = connect_timeout.unwrap_or(Duration::from_secs(10));
        config.apply_wire_format(&discovered.wire_format);
        match &fanout.targets {
            Targets::Multicast(multicast) => {
                config.group = multicast.group().into();
                config.apply_discovery(&multicast.discovery);
            }
            Targets::Static(listed) => config.peers = config.list(listed, &all)?,
        }
        let needed = fanout.acks_min();
        if let Some(listed) = fanout.targets.listed().filter(|listed| needed as usize > *listed) {
            return Err(ConfigError::TooFewTargets { needed, listed });
        }
        let options = &mut config.fanout;
        options.acks_min = needed;
        options.replicates_queues = fanout.fan_out_queues.unwrap_or(options.replicates_queues);
        options.send_timeout = fanout.send_timeout.unwrap_or(options.send_timeout);
        options.memory_max = fanout.memory_limit.unwrap_or(options.memory_max);
        options.checks_duplicates = fanout.check_for_duplicates.unwrap_or(options.checks_duplicates);
        Ok(config)
    }

    /// What a `vm:` URI asks for.
    pub fn from_vm(vm: &Vm) -> Result<Self, ConfigError> {
        let mut config = Self::alone(vm.name.clone());
        config.apply_broker(&vm.broker)?;
        Ok(config)
    }

    fn apply_broker(&mut self, options: &BrokerOptions) -> Result<(), ConfigError> {
        if options.persistent == Some(true) {
            return Err(ConfigError::NoStore);
        }
        let broker = &mut self.broker;
        broker.queue_prefetch = options.queue_prefetch.map_or(broker.queue_prefetch, u32::from);
        broker.topic_prefetch = options.topic_prefetch.map_or(broker.topic_prefetch, u32::from);
        broker.queue_bytes_max = options.memory_limit.unwrap_or(broker.queue_bytes_max);
        broker.memory_max = options.memory_usage.unwrap_or(broker.memory_max);
        broker.checks_duplicates = options.check_for_duplicates.unwrap_or(broker.checks_duplicates);
        Ok(())
    }

    fn apply_discovery(&mut self, options: &Discovery) {
        let multicast = self.multicast.get_or_insert_default();
        multicast.address = options.address.unwrap_or(multicast.address);
        multicast.port = options.port.unwrap_or(multicast.port);
        multicast.ttl = options.time_to_live.map_or(multicast.ttl, u32::from);
        multicast.period = options.keep_alive_interval.unwrap_or(multicast.period);
        multicast.interface = options.interface.clone().or(multicast.interface.take());
        // ActiveMQ's `loopBackMode` is the socket option's name for switching loop-back off.
        multicast.loopback = options.loop_back_mode.map_or(multicast.loopback, |is_off| !is_off);
    }

    /// Notes how links to what was listed behave; what was said of `all` comes before what each says of itself. Tells the
    /// addresses that were not listed before.
    fn list(&mut self, listed: &[Tcp], all: &TransportConfig) -> Result<Vec<Address>, ConfigError> {
        let mut found = Vec::new();
        for peer in listed {
            let own = TransportConfig::new(peer.connection_timeout, &peer.wire_format);
            let transport = TransportConfig {
                backoff: all.backoff.clone(),
                connect_timeout: all.connect_timeout.or(own.connect_timeout),
                frame_max: all.frame_max.or(own.frame_max),
                silence_max: all.silence_max.or(own.silence_max),
            };
            let address = peer.address.clone();
            if self.lists(&address) || found.contains(&address) {
                if self.transports.get(&address).cloned().unwrap_or_default() != transport {
                    return Err(ConfigError::Contradiction { address });
                }
                continue;
            }
            found.push(address.clone());
            if transport != TransportConfig::default() {
                self.transports.insert(address, transport);
            }
        }
        Ok(found)
    }

    fn apply_wire_format(&mut self, options: &WireFormat) {
        let link = &mut self.link;
        link.frame_max = options.max_frame_size.unwrap_or(link.frame_max);
        link.silence_max = options.max_inactivity_duration.unwrap_or(link.silence_max);
        // Messages leave room for what a frame says beside them.
        self.broker.message_max = self.broker.message_max.min(link.frame_max / 5 * 4);
    }
}

/// How bridges behave, where options say nothing as they do by default.
fn bridge(options: &BridgeOptions) -> BridgeConfig {
    let unsaid = BridgeConfig::default();
    BridgeConfig {
        message_hops_max: options.message_hops().map_or(unsaid.message_hops_max, u32::from),
        demand_hops_max: options.consumer_hops().map_or(unsaid.demand_hops_max, u32::from),
        prefetch: options.prefetch_size.map_or(unsaid.prefetch, u32::from),
        conduit_subscriptions: options.conduit_subscriptions.unwrap_or(unsaid.conduit_subscriptions),
        dynamic_only: options.dynamic_only.unwrap_or(unsaid.dynamic_only),
        permits: Permits {
            excluded: options.excluded.clone(),
            statically_included: options.statically_included.clone(),
            dynamically_included: options.dynamically_included.clone(),
            is_static: options.static_bridge.unwrap_or(unsaid.permits.is_static),
            temporary: options.bridge_temp_destinations.unwrap_or(unsaid.permits.temporary),
        },
        priority_base: match options.decrease_network_consumer_priority {
            Some(false) => None,
            Some(true) | None => options.consumer_priority_base.map(i32::from).or(unsaid.priority_base),
        },
        ..unsaid
    }
}

/// How a list of brokers is dialled again.
fn redialled(options: &Reconnect) -> TransportConfig {
    let unsaid = BackoffConfig { first: Duration::from_secs(1), ..BackoffConfig::default() };
    TransportConfig { backoff: Some(backoff(options, &unsaid)), ..TransportConfig::default() }
}

/// What options say of dialling again; where they say nothing it is as in `unsaid`.
fn backoff(options: &Reconnect, unsaid: &BackoffConfig) -> BackoffConfig {
    let factor = options.back_off_multiplier.unwrap_or(unsaid.factor);
    BackoffConfig {
        first: options.initial_delay.unwrap_or(unsaid.first),
        max: options.max_delay.unwrap_or(unsaid.max),
        factor: if options.use_exponential_back_off == Some(false) { 1 } else { factor },
        jitter_percent: unsaid.jitter_percent,
        attempts_max: options.max_attempts.filter(|max| *max > 0).or(unsaid.attempts_max),
    }
}
