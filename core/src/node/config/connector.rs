//! Brokers to bridge to whatever their group.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::bridge::BridgeConfig;
use crate::model::Address;

/// A network connector: brokers at these addresses are dialled and bridged to, whatever their group (`network:`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorConfig {
    /// What it is called: a label for people.
    pub name: String,
    /// Where it leads; a bridge to each.
    pub addresses: Vec<Address>,
    /// How its bridges behave, at this end.
    pub bridge: BridgeConfig,
}

impl ConnectorConfig {
    /// What a connector is called that nobody has named (ActiveMQ's word).
    pub const NAME_DEFAULT: &'static str = "NC";

    /// A connector to these addresses, as one is without options.
    pub fn new(addresses: impl IntoIterator<Item = Address>) -> Self {
        let addresses = addresses.into_iter().collect();
        Self { name: Self::NAME_DEFAULT.into(), addresses, bridge: BridgeConfig::default() }
    }
}
