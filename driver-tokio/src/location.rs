//! What a URI means for this process: a broker to embed, or a client to be.

use std::time::Duration;

use flockmq_core::Config;
use flockmq_core::uri::Location;

use crate::error::Error;

/// What a connection is made to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) config: Config,
    pub(crate) start: Start,
    /// How long to wait for somebody else to start the broker first.
    pub(crate) wait: Duration,
}

/// Whether a broker may be started, and whether one that runs may have other options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// One with these very options, started if there is none. A client is always started.
    Exactly,
    /// One of this name whatever its options, started if there is none.
    IfAbsent,
    /// One of this name whatever its options, never started.
    Never,
}

impl Place {
    /// Reads a `fanout:`, `peer://`, `broker:` or `vm://` URI. A client, or a peer or broker without a name, has an empty
    /// one here.
    pub(crate) fn parse(uri: &str) -> Result<Self, Error> {
        match uri.parse::<Location>()? {
            Location::Broker(broker) => {
                let config = Config::from_broker(&broker, broker.name.clone().unwrap_or_default())?;
                Ok(Self { config, start: Start::Exactly, wait: Duration::ZERO })
            }
            Location::Fanout(fanout) => {
                let config = Config::from_fanout(&fanout, "")?;
                Ok(Self { config, start: Start::Exactly, wait: Duration::ZERO })
            }
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
        let peer = Place { config: Config::peer("g", "n"), start: Start::Exactly, wait: Duration::ZERO };
        assert_eq!(Place::parse("peer://g/n"), Ok(peer));
        assert_eq!(Place::parse("peer://g").map(|place| place.config.name), Ok(String::new()));
        let text = "broker:(network:static:(tcp://hub:1))?name=n";
        let place = Place::parse(text).expect(text);
        assert_eq!((place.config.name.as_str(), place.start, place.config.connectors.len()), ("n", Start::Exactly, 1));
        let vm = Place { config: Config::alone("n"), start: Start::Never, wait: Duration::from_millis(20) };
        assert_eq!(Place::parse("vm://n?create=false&waitForStart=20"), Ok(vm));
        assert_eq!(Place::parse("vm://n").map(|place| place.start), Ok(Start::IfAbsent));
    }

    #[test]
    fn a_fanout_uri_is_a_client_without_a_name() {
        let place = Place::parse("fanout:(static:(tcp://a:1,tcp://b:2))?minAckCount=1").expect("a client");
        assert_eq!((place.config.role, place.config.name.as_str()), (flockmq_core::Role::Client, ""));
        assert_eq!((place.config.peers.len(), place.config.fanout.acks_min), (2, 1));
        let error = Place::parse("fanout:(static:(tcp://a:1))?minAckCount=2").expect_err("one of two").to_string();
        assert!(error.contains("minAckCount=2"), "{error}");
    }

    #[test]
    fn what_can_t_be_connected_to_is_quoted() {
        let error = Place::parse("tcp://a:1").expect_err("no broker of this process").to_string();
        assert_eq!(
            error,
            "'tcp://a:1' can't be connected to: a tcp: URI says where others are; expected peer://GROUP/NAME, vm://NAME, \
             broker:(tcp://HOST:PORT)?name=NAME or fanout:(static:(tcp://HOST:PORT))?minAckCount=1"
        );
        let error = Place::parse("peer://g?persistant=true").expect_err("a slip").to_string();
        assert!(error.contains("'persistant'") && error.contains("'persistent'"), "{error}");
        let error = Place::parse("peer://g?persistent=true").expect_err("no store").to_string();
        assert!(error.contains("persistent=true"), "{error}");
    }
}
