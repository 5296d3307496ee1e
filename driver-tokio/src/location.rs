//! What a URI means for an embedded broker.

use std::time::Duration;

use flockmq_core::Config;
use flockmq_core::uri::Location;

use crate::error::Error;

/// What a connection is made to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) config: Config,
    pub(crate) start: Start,
    /// How long to wait for somebody else to start the broker first.
    pub(crate) wait: Duration,
}

/// Whether a broker may be started, and whether one that runs may have other options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// One with these very options, started if there is none.
    Exactly,
    /// One of this name whatever its options, started if there is none.
    IfAbsent,
    /// One of this name whatever its options, never started.
    Never,
}

impl Target {
    /// Reads a `peer://` or `vm://` URI. A peer without a name has an empty one here.
    pub(crate) fn parse(uri: &str) -> Result<Self, Error> {
        match uri.parse::<Location>()? {
            Location::Peer(peer) => {
                let config = Config::from_peer(&peer, peer.name.clone().unwrap_or_default())?;
                Ok(Self { config, start: Start::Exactly, wait: Duration::ZERO })
            }
            Location::Vm(vm) => Ok(Self {
                config: Config::from_vm(&vm)?,
                start: if vm.create == Some(false) { Start::Never } else { Start::IfAbsent },
                wait: vm.wait_for_start.unwrap_or_default(),
            }),
            other => Err(Error::NotConnectable { uri: uri.to_owned(), scheme: other.scheme() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_uri_is_a_broker_with_these_very_options_and_a_vm_uri_whichever_has_the_name() {
        let peer = Target { config: Config::peer("g", "n"), start: Start::Exactly, wait: Duration::ZERO };
        assert_eq!(Target::parse("peer://g/n"), Ok(peer));
        assert_eq!(Target::parse("peer://g").map(|target| target.config.name), Ok(String::new()));
        let vm = Target { config: Config::alone("n"), start: Start::Never, wait: Duration::from_millis(20) };
        assert_eq!(Target::parse("vm://n?create=false&waitForStart=20"), Ok(vm));
        assert_eq!(Target::parse("vm://n").map(|target| target.start), Ok(Start::IfAbsent));
    }

    #[test]
    fn what_can_t_be_connected_to_is_quoted() {
        let error = Target::parse("tcp://a:1").expect_err("no broker of this process").to_string();
        assert_eq!(
            error,
            "'tcp://a:1' can't be connected to: a tcp: URI says where others are; expected peer://GROUP/NAME or vm://NAME"
        );
        let error = Target::parse("peer://g?persistant=true").expect_err("a slip").to_string();
        assert!(error.contains("'persistant'") && error.contains("'persistent'"), "{error}");
        let error = Target::parse("peer://g?persistent=true").expect_err("no store").to_string();
        assert!(error.contains("persistent=true"), "{error}");
    }
}
