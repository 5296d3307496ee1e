//! What a driver makes known about its node to whoever looks: events as they happen, and how things stand.

use std::net::SocketAddr;

use flockmq_core::{Event, Peer};
use tokio::sync::{broadcast, watch};

use crate::advisories::News;
use crate::events::{self, Events};

/// The driver's side.
#[derive(Debug)]
pub(crate) struct Board {
    advisories: broadcast::Sender<News>,
    events: broadcast::Sender<Event>,
    listening: watch::Sender<Listening>,
    peers: watch::Sender<Vec<Peer>>,
    targets_up: watch::Sender<usize>,
}

/// The applications' side.
#[derive(Debug)]
pub(crate) struct View {
    advisories: broadcast::WeakSender<News>,
    events: broadcast::WeakSender<Event>,
    listening: watch::Receiver<Listening>,
    peers: watch::Receiver<Vec<Peer>>,
    targets_up: watch::Receiver<usize>,
}

/// Whether others can connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Listening {
    At(Vec<SocketAddr>),
    /// They can't, and why.
    Failed(String),
    NotYet,
}

impl Board {
    /// A board where so many advisories wait for whoever does not take them.
    pub(crate) fn new(advisories_max: usize) -> (Self, View) {
        let (advisories, _) = broadcast::channel(advisories_max.max(1));
        let (events, _) = broadcast::channel(events::CAPACITY);
        let (listening, listening_seen) = watch::channel(Listening::NotYet);
        let (peers, peers_seen) = watch::channel(Vec::new());
        let (targets_up, targets_up_seen) = watch::channel(0);
        let view = View {
            advisories: advisories.downgrade(),
            events: events.downgrade(),
            listening: listening_seen,
            peers: peers_seen,
            targets_up: targets_up_seen,
        };
        (Self { advisories, events, listening, peers, targets_up }, view)
    }

    /// Makes an event known, and with it what it says of how things stand.
    pub(crate) fn publish(&self, event: Event) {
        match &event {
            Event::Listening { addresses } => self.set_listening(Listening::At(addresses.clone())),
            Event::ListenFailed { reason } => self.set_listening(Listening::Failed(reason.clone())),
            Event::Targets { up, .. } => _ = self.targets_up.send_replace(usize::try_from(*up).unwrap_or(usize::MAX)),
            _ => (),
        }
        _ = self.events.send(event); // Nobody may be listening.
    }

    /// Makes known what brokers tell about themselves.
    pub(crate) fn advise(&self, news: News) {
        _ = self.advisories.send(news); // Nobody may be listening any more.
    }

    pub(crate) fn publish_peers(&self, peers: Vec<Peer>) {
        self.peers.send_replace(peers);
    }

    fn set_listening(&self, listening: Listening) {
        self.listening.send_replace(listening);
    }
}

impl View {
    pub(crate) fn advisories(&self) -> broadcast::Receiver<News> {
        self.advisories.upgrade().map_or_else(|| broadcast::channel(1).1, |sender| sender.subscribe())
    }

    pub(crate) fn events(&self) -> Events {
        let receiver = self.events.upgrade().map_or_else(|| broadcast::channel(1).1, |sender| sender.subscribe());
        Events::new(receiver)
    }

    pub(crate) fn listening(&self) -> watch::Receiver<Listening> {
        self.listening.clone()
    }

    pub(crate) fn peers(&self) -> watch::Receiver<Vec<Peer>> {
        self.peers.clone()
    }

    /// How many targets are up.
    pub(crate) fn targets_up(&self) -> watch::Receiver<usize> {
        self.targets_up.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_event_changed_is_seen_by_whoever_comes_after_it() {
        let (board, view) = Board::new(1);
        assert_eq!(*view.listening().borrow(), Listening::NotYet);
        let addresses: Vec<SocketAddr> = vec!["127.0.0.1:7".parse().expect("an address")];
        board.publish(Event::Listening { addresses: addresses.clone() });
        board.publish(Event::Targets { up: 2, needed: 3 });
        assert_eq!(*view.listening().borrow(), Listening::At(addresses));
        assert_eq!(*view.targets_up().borrow(), 2);
        board.publish(Event::ListenFailed { reason: "taken".into() });
        assert_eq!(*view.listening().borrow(), Listening::Failed("taken".into()));
    }
}
