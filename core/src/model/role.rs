//! What a node is to others.

use core::fmt;

use serde::{Deserialize, Serialize};

/// What a node is to the others it meets. Links carry it: the order of the variants is part of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// A broker that stands alone: it serves clients, and bridges to nobody but by network connectors.
    Broker,
    /// A client of other brokers, which fans out what it sends; nobody connects to it.
    Client,
    /// A broker that bridges to all others of its group, to others by network connectors, and serves clients too.
    Peer,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broker => "stand-alone broker",
            Self::Client => "client",
            Self::Peer => "peer",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_role_reads_as_what_it_is() {
        let printed = [Role::Broker, Role::Client, Role::Peer].map(|role| role.to_string());
        assert_eq!(printed, ["stand-alone broker", "client", "peer"]);
    }
}
