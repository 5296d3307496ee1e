//! The options that say how bridges behave, shared by `peer:`, `broker:` and `network:` URIs.

use super::options::Under;
use super::spec::{OptionKind, OptionSpec};
use super::written::Written;

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
        }
    }

    pub(super) fn write(&self, written: Written) -> Written {
        written
            .plain("networkTTL", self.network_ttl)
            .plain("messageTTL", self.message_ttl)
            .plain("consumerTTL", self.consumer_ttl)
            .plain("prefetchSize", self.prefetch_size)
    }

    pub(super) const NETWORK_TTL: OptionSpec = OptionSpec::new(
        "networkTTL",
        HOPS,
        Some("1"),
        "How many brokers messages and demand may cross, unless messageTTL or consumerTTL say.",
    );

    pub(super) const MESSAGE_TTL: OptionSpec = OptionSpec::new(
        "messageTTL",
        HOPS,
        None,
        "How many brokers a message may cross after its first; networkTTL if not given.",
    );

    pub(super) const CONSUMER_TTL: OptionSpec = OptionSpec::new(
        "consumerTTL",
        HOPS,
        None,
        "How many brokers the word of a consumer may cross; networkTTL if not given.",
    );

    pub(super) const PREFETCH_SIZE: OptionSpec = OptionSpec::new(
        "prefetchSize",
        OptionKind::Integer { min: 1, max: 65_535 },
        Some("1000"),
        "How many messages may be on their way to a peer for one demand.",
    );
}

const HOPS: OptionKind = OptionKind::Integer { min: 1, max: 16 };
