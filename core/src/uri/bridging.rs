//! The options that say how bridges behave, shared by `peer:`, `broker:` and `network:` URIs.

use alloc::vec::Vec;

use super::options::Under;
use super::spec::{OptionKind, OptionSpec};
use super::written::Written;
use crate::model::Destination;

/// How bridges behave at this end: ActiveMQ's options of network connectors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BridgeOptions {
    /// How many brokers messages and demand may cross, unless the next two say (`networkTTL`).
    pub network_ttl: Option<u8>,
    /// How many brokers a message may cross (`messageTTL`).
    pub message_ttl: Option<u8>,
    /// How many brokers the word of a consumer may cross (`consumerTTL`).
    pub consumer_ttl: Option<u8>,
    /// How many messages may be on their way to a peer for one demand (`prefetchSize`).
    pub prefetch_size: Option<u16>,
    /// True if each peer counts as one consumer where a queue's messages are shared out (`conduitSubscriptions`).
    pub conduit_subscriptions: Option<bool>,
    /// True if durable subscriptions count only while they have a consumer (`dynamicOnly`).
    pub dynamic_only: Option<bool>,
    /// What never crosses (`excludedDestinations`).
    pub excluded: Vec<Destination>,
    /// What crosses where it is wanted; everything if empty (`dynamicallyIncludedDestinations`).
    pub dynamically_included: Vec<Destination>,
    /// What is forwarded whether or not it is wanted (`staticallyIncludedDestinations`).
    pub statically_included: Vec<Destination>,
    /// True if nothing crosses but what is statically included (`staticBridge`).
    pub static_bridge: Option<bool>,
    /// True if temporary destinations cross (`bridgeTempDestinations`).
    pub bridge_temp_destinations: Option<bool>,
    /// True if peers' consumers come after this broker's own (`decreaseNetworkConsumerPriority`).
    pub decrease_network_consumer_priority: Option<bool>,
    /// The priority of the consumers that come after (`consumerPriorityBase`).
    pub consumer_priority_base: Option<i8>,
}

impl BridgeOptions {
    /// How many brokers a message may cross, as far as it was said.
    pub fn message_hops(&self) -> Option<u8> {
        self.message_ttl.or(self.network_ttl)
    }

    /// How many brokers the word of a consumer may cross, as far as it was said.
    pub fn consumer_hops(&self) -> Option<u8> {
        self.consumer_ttl.or(self.network_ttl)
    }

    pub(super) fn read(options: Under<'_, '_>) -> Self {
        Self {
            network_ttl: options.number("networkTTL"),
            message_ttl: options.number("messageTTL"),
            consumer_ttl: options.number("consumerTTL"),
            prefetch_size: options.number("prefetchSize"),
            conduit_subscriptions: options.boolean("conduitSubscriptions"),
            dynamic_only: options.boolean("dynamicOnly"),
            excluded: options.destinations("excludedDestinations"),
            dynamically_included: options.destinations("dynamicallyIncludedDestinations"),
            statically_included: options.destinations("staticallyIncludedDestinations"),
            static_bridge: options.boolean("staticBridge"),
            bridge_temp_destinations: options.boolean("bridgeTempDestinations"),
            decrease_network_consumer_priority: options.boolean("decreaseNetworkConsumerPriority"),
            consumer_priority_base: options.signed("consumerPriorityBase"),
        }
    }

    pub(super) fn write(&self, written: Written) -> Written {
        written
            .plain("networkTTL", self.network_ttl)
            .plain("messageTTL", self.message_ttl)
            .plain("consumerTTL", self.consumer_ttl)
            .plain("prefetchSize", self.prefetch_size)
            .plain("conduitSubscriptions", self.conduit_subscriptions)
            .plain("dynamicOnly", self.dynamic_only)
            .destinations("excludedDestinations", &self.excluded)
            .destinations("dynamicallyIncludedDestinations", &self.dynamically_included)
            .destinations("staticallyIncludedDestinations", &self.statically_included)
            .plain("staticBridge", self.static_bridge)
            .plain("bridgeTempDestinations", self.bridge_temp_destinations)
            .plain("decreaseNetworkConsumerPriority", self.decrease_network_consumer_priority)
            .plain("consumerPriorityBase", self.consumer_priority_base)
    }

    pub(super) const SPECS: &[OptionSpec] = &[
        OptionSpec::new(
            "networkTTL",
            HOPS,
            Some("1"),
            "How many brokers messages and demand may cross, unless messageTTL or consumerTTL say.",
        ),
        OptionSpec::new(
            "messageTTL",
            HOPS,
            None,
            "How many brokers a message may cross after its first; networkTTL if not given.",
        ),
        OptionSpec::new(
            "consumerTTL",
            HOPS,
            None,
            "How many brokers the word of a consumer may cross; networkTTL if not given.",
        ),
        OptionSpec::new(
            "prefetchSize",
            OptionKind::Integer { min: 1, max: 65_535 },
            Some("1000"),
            "How many messages may be on their way to a peer for one demand.",
        ),
        OptionSpec::new(
            "conduitSubscriptions",
            OptionKind::Boolean,
            Some("false"),
            "True counts each peer as one consumer where a queue's messages are shared out among peers; false as many as it has.",
        ),
        OptionSpec::new(
            "dynamicOnly",
            OptionKind::Boolean,
            Some("false"),
            "True lets nothing cross for durable subscriptions that have no consumer at present.",
        ),
        OptionSpec::new(
            "excludedDestinations",
            OptionKind::Destinations,
            None,
            "What never crosses: it is neither forwarded nor told as wanted, whatever else says so.",
        ),
        OptionSpec::new(
            "dynamicallyIncludedDestinations",
            OptionKind::Destinations,
            None,
            "What alone crosses where it is wanted, beside what is statically included; everything if not given.",
        ),
        OptionSpec::new(
            "staticallyIncludedDestinations",
            OptionKind::Destinations,
            None,
            "What is forwarded to the other end whether or not it is wanted there.",
        ),
        OptionSpec::new(
            "staticBridge",
            OptionKind::Boolean,
            Some("false"),
            "True lets nothing cross but what is statically included, and temporary destinations.",
        ),
        OptionSpec::new(
            "bridgeTempDestinations",
            OptionKind::Boolean,
            Some("true"),
            "False keeps temporary destinations from crossing, so that no replies do.",
        ),
        OptionSpec::new(
            "decreaseNetworkConsumerPriority",
            OptionKind::Boolean,
            Some("true"),
            "True hands a queue's messages to peers only as far as no consumer of this broker has room; false shares them out.",
        ),
        OptionSpec::new(
            "consumerPriorityBase",
            OptionKind::Signed { min: -127, max: 127 },
            Some("-5"),
            "The priority of a peer's consumers, less one for each broker between, where it is decreased; this broker's have 0 and more.",
        ),
    ];

    /// ActiveMQ's options of network connectors that are not offered, and why.
    pub(super) const DECLINED: &[(&str, &str)] = &[
        ("advisoryAckPercentage", NO_ADVISORIES),
        ("advisoryForFailedForward", "a message that can't be forwarded stays where it is, and its broker tells"),
        ("advisoryPrefetchSize", NO_ADVISORIES),
        ("alwaysSyncSend", "all that is forwarded is acknowledged by the next broker, and nothing waits for that"),
        ("auditNetworkProducers", COPIES),
        ("autoStart", "a connector lives as long as its broker"),
        ("checkDuplicateMessagesOnDuplex", COPIES),
        ("clientIdToken", "bridges have no client ids: brokers are told apart by ids of their own"),
        ("conduitNetworkQueueSubscriptions", "each broker tells what is wanted there as one, whoever wants it"),
        ("destinationFilter", "dynamicallyIncludedDestinations and excludedDestinations say what crosses"),
        ("dispatchAsync", "nothing waits for a dispatch"),
        ("duplex", "every bridge goes both ways over its one link"),
        ("gcDestinationViews", "nothing is kept of what is no longer wanted"),
        ("gcSweepTime", "nothing is kept of what is no longer wanted"),
        ("password", NO_AUTHENTICATION),
        ("remotePassword", NO_AUTHENTICATION),
        ("remoteUserName", NO_AUTHENTICATION),
        ("suppressDuplicateQueueSubscriptions", SHORTEST),
        ("suppressDuplicateTopicSubscriptions", SHORTEST),
        ("syncDurableSubs", "durable subscriptions are told whenever a bridge begins"),
        ("useBrokerNameAsIdSees", "ids are not made of names"),
        ("useBrokerNamesAsIdSeed", "ids are not made of names"),
        ("useCompression", "bodies are forwarded as they are"),
        ("useVirtualDestSubs", "what virtual topics want is told as any demand is"),
        ("userName", NO_AUTHENTICATION),
    ];
}

const COPIES: &str = "every broker recognises copies, unless checkForDuplicates=false";
const NO_ADVISORIES: &str = "what is wanted is told by frames of its own, not by advisories";
const NO_AUTHENTICATION: &str = "there is no authentication in this version";
const SHORTEST: &str = "a destination is told once, by its shortest path";

const HOPS: OptionKind = OptionKind::Integer { min: 1, max: 16 };
