//! What brokers tell of themselves to whoever asks for it: each coming and each going, once, in order, and nothing else.

use std::collections::BTreeSet;

use flockmq_core::sim::HostId;
use flockmq_core::{Advisory, BrokerId, ConnectionId, ConsumerId, Destination, Instant, Party};

use super::{Oracle, Process};

/// What a host's present process has told since it was asked.
#[derive(Debug)]
pub(super) struct Advice {
    asked_at: Instant,
    there: BTreeSet<Thing>,
    gone: BTreeSet<Thing>,
}

/// What comes and goes. Clients are not among them: one that has lost its link may have another before that is noticed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Bridge(BrokerId),
    Connection(ConnectionId),
    Consumer(Party, ConsumerId),
    Destination(Destination),
    Producer(ConnectionId, u64),
}

impl Oracle {
    /// A host's application wants to know from now on; true if it did not before.
    pub(crate) fn advice_wanted(&mut self, at: Instant, host: HostId) -> bool {
        let begun = Advice { asked_at: at, there: BTreeSet::new(), gone: BTreeSet::new() };
        let is_new = !self.advice.contains_key(&host);
        self.advice.entry(host).or_insert(begun);
        is_new
    }

    /// A host's application is told something.
    pub(crate) fn advised(&mut self, process: Process, advisory: &Advisory) {
        let host = process.host;
        self.check_told(process, advisory);
        let Some((thing, comes)) = change(advisory) else { return };
        let advice =
            self.advice.get_mut(&host).unwrap_or_else(|| panic!("{host} tells {advisory:?}, and was not asked"));
        let is_news = if comes {
            advice.gone.remove(&thing);
            advice.there.insert(thing)
        } else {
            // It may have been there before anybody asked.
            advice.there.remove(&thing);
            advice.gone.insert(thing)
        };
        assert!(is_news, "{host} tells twice in a row: {advisory:?}");
    }

    /// Nothing is invented.
    fn check_told(&self, process: Process, advisory: &Advisory) {
        let host = process.host;
        match advisory {
            Advisory::BridgeStopped { peer, .. } => {
                let known = &self.hosts[&host];
                let was_there = known.up.contains_key(peer) || known.parted.contains_key(peer);
                assert!(was_there, "{host} tells that its bridge to {peer} has stopped, and had none");
            }
            Advisory::ConsumerAdded { consumer, by: Party::Application(_), .. } => {
                let found = self.subscribers.get(consumer);
                assert!(found.is_some_and(|found| found.process == process), "{host} tells of consumer {consumer}");
            }
            Advisory::MessageExpired { message, .. } => {
                let has_end = self.sent.get(message).is_some_and(|sent| sent.body.headers.time_to_live.is_some());
                assert!(has_end, "{host} tells that the time of {message} is up, which had no end");
            }
            Advisory::MessageDeadLettered { message, .. } => {
                assert!(self.sent.contains_key(message), "{host} tells of {message}, which nobody has sent");
            }
            _ => (),
        }
    }

    /// Nothing is left out: whoever came since a host's application wanted to know is there, and whoever went is not.
    pub(crate) fn check_advice(&self, host: HostId) {
        let (Some(advice), known) = (self.advice.get(&host), &self.hosts[&host]) else { return };
        for (broker, up) in known.up.iter().filter(|(_, up)| up.since > advice.asked_at) {
            assert!(
                advice.there.contains(&Thing::Bridge(*broker)),
                "{host} does not tell of its bridge to {broker}, {up:?}"
            );
        }
        for thing in &advice.there {
            if let Thing::Bridge(broker) = thing {
                assert!(known.up.contains_key(broker), "{host} does not tell that its bridge to {broker} has stopped");
            }
        }
        let own = self.subscribers.iter().filter(|(_, found)| found.process.broker == known.present);
        let own = own.filter(|(_, found)| found.process.host == host && !found.wanted.browses && found.is_confirmed);
        let told: BTreeSet<ConsumerId> = advice.there.iter().filter_map(own_consumer).collect();
        for (consumer, found) in own.filter(|(_, found)| found.at > advice.asked_at) {
            assert_eq!(told.contains(consumer), found.is_open, "{host} tells something else of consumer {consumer}");
        }
    }
}

fn own_consumer(thing: &Thing) -> Option<ConsumerId> {
    match thing {
        Thing::Consumer(Party::Application(_), consumer) => Some(*consumer),
        _ => None,
    }
}

/// What comes, or goes, by an advisory.
fn change(advisory: &Advisory) -> Option<(Thing, bool)> {
    let change = match advisory {
        Advisory::BridgeStarted { peer, .. } => (Thing::Bridge(*peer), true),
        Advisory::BridgeStopped { peer, .. } => (Thing::Bridge(*peer), false),
        Advisory::ConnectionClosed { by: Party::Application(connection) } => (Thing::Connection(*connection), false),
        Advisory::ConnectionOpened { by: Party::Application(connection) } => (Thing::Connection(*connection), true),
        Advisory::ConsumerAdded { by: Party::Client(_), .. }
        | Advisory::ConsumerRemoved { by: Party::Client(_), .. } => {
            return None;
        }
        Advisory::ConsumerAdded { consumer, by, .. } => (Thing::Consumer(*by, *consumer), true),
        Advisory::ConsumerRemoved { consumer, by, .. } => (Thing::Consumer(*by, *consumer), false),
        Advisory::DestinationAdded { destination } => (Thing::Destination(destination.clone()), true),
        Advisory::DestinationRemoved { destination } => (Thing::Destination(destination.clone()), false),
        Advisory::ProducerAdded { producer, by: Party::Application(connection), .. } => {
            (Thing::Producer(*connection, *producer), true)
        }
        Advisory::ProducerRemoved { producer, by: Party::Application(connection), .. } => {
            (Thing::Producer(*connection, *producer), false)
        }
        _ => return None,
    };
    Some(change)
}
