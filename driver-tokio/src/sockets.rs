//! All sockets of one broker: performs what the node asks and collects what it is to be told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use flockmq_core::{CloseReason, Config, GroupId, Input, Instant, LinkId, ListenerId, Output};
use tokio::net::TcpStream;
use tracing::{debug, warn};

use crate::interface::Interface;
use crate::link::{Heard, Link};
use crate::ready::{Ready, Signal, Source};
use crate::tcp::{Dial, Listener, Taken};
use crate::udp::Group;

/// The sockets, by the names the node gave them.
pub(crate) struct Sockets {
    ready: Arc<Ready>,
    config: Config,
    groups: BTreeMap<GroupId, Group>,
    links: BTreeMap<LinkId, Line>,
    listeners: BTreeMap<ListenerId, Listener>,
    interfaces: Vec<Interface>,
    looked_at: Option<Instant>,           // When the interfaces were last looked at.
    orphans: BTreeSet<LinkId>,            // Slots of listeners that are gone, until they are closed.
    closing: VecDeque<(Instant, LinkId)>, // When to wait no longer for the other end; in that order.
    unwritten: Vec<LinkId>,               // Links that may have something to write.
    unwritten_bytes: usize,               // Given since the last write.
    buffer: BytesMut,                     // One for all: what is read is split off, the rest is used again.
    inputs: VecDeque<Input>,
}

enum Line {
    Dialling(Dial),
    Up(Link),
}

impl Sockets {
    pub(crate) fn new(ready: Arc<Ready>, config: Config) -> Self {
        Self {
            ready,
            config,
            groups: BTreeMap::new(),
            links: BTreeMap::new(),
            listeners: BTreeMap::new(),
            interfaces: Vec::new(),
            looked_at: None,
            orphans: BTreeSet::new(),
            closing: VecDeque::new(),
            unwritten: Vec::new(),
            unwritten_bytes: 0,
            buffer: BytesMut::new(),
            inputs: VecDeque::new(),
        }
    }

    /// What the node is to be told next.
    pub(crate) fn poll_input(&mut self) -> Option<Input> {
        self.inputs.pop_front()
    }

    /// Does what the node asks.
    pub(crate) fn perform(&mut self, now: Instant, output: Output) {
        match output {
            Output::Accept { listener, link } => match self.listeners.get_mut(&listener) {
                Some(listener) => listener.add_slot(link),
                None => self.say_closed(link, CloseReason::Failed("the listener is gone".into())),
            },
            Output::Announce { group, via, data } => {
                if let Some(group) = self.groups.get(&group) {
                    group.announce(via, &data);
                }
            }
            Output::Close { link } => self.close(now, link),
            Output::Connect { link, address } => {
                let timeout = self.config.connect_timeout(&address);
                let dial = Dial::start(address, timeout, self.signal(Source::Link(link)));
                self.links.insert(link, Line::Dialling(dial));
            }
            Output::Event(_) => (), // Not for sockets.
            Output::Join { group, socket } => {
                self.look_around(now);
                let mut joined = Group::new(socket, self.signal(Source::Group(group)));
                if let Some(reason) = joined.refresh(&self.interfaces) {
                    self.inputs.push_back(Input::JoinFailed { group, reason });
                }
                self.groups.insert(group, joined);
            }
            Output::Leave { group } => drop(self.groups.remove(&group)),
            Output::Listen { listener, address } => {
                self.look_around(now);
                let opening = Listener::open(address, self.signal(Source::Listener(listener)));
                self.listeners.insert(listener, opening);
            }
            Output::Send { link, data } => {
                if let Some(Line::Up(up)) = self.links.get_mut(&link) {
                    self.unwritten_bytes += data.len();
                    up.push(data);
                    self.will_write(link);
                }
            }
            Output::Unlisten { listener } => {
                let gone = self.listeners.remove(&listener);
                self.orphans.extend(gone.iter().flat_map(Listener::slots));
            }
        }
    }

    /// Looks at a source that was woken.
    pub(crate) fn look(&mut self, source: Source) {
        match source {
            Source::Group(group) => {
                if let Some(joined) = self.groups.get_mut(&group) {
                    joined.hear(|from, data| self.inputs.push_back(Input::Datagram { group, from, data }));
                }
            }
            Source::Link(link) => match self.links.get_mut(&link) {
                Some(Line::Dialling(dial)) => {
                    if let Poll::Ready(outcome) = dial.poll() {
                        self.dialled(link, outcome);
                    }
                }
                Some(Line::Up(_)) => self.read(link),
                None => (),
            },
            Source::Listener(listener) => self.take_from(listener),
            Source::Timer => (), // The driver's own.
        }
    }

    /// Writes what waits, one link after another.
    pub(crate) fn write(&mut self) {
        self.unwritten_bytes = 0;
        let mut links = std::mem::take(&mut self.unwritten);
        for link in links.drain(..) {
            let Some(Line::Up(up)) = self.links.get_mut(&link) else {
                continue;
            };
            match up.write() {
                Ok(0) => (),
                Ok(bytes) => self.inputs.push_back(Input::Sent { link, bytes }),
                Err(error) => self.broken(link, error.to_string()),
            }
        }
        if self.unwritten.is_empty() {
            self.unwritten = links; // Keeps its memory.
        }
    }

    /// True if there is something to write at once.
    pub(crate) fn has_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// How many bytes were given since the last write.
    pub(crate) fn unwritten_bytes(&self) -> usize {
        self.unwritten_bytes
    }

    /// When [`Sockets::handle_timeout`] is next wanted.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let has_use = !self.groups.is_empty() || !self.listeners.is_empty();
        let look = self.looked_at.filter(|_| has_use).map(|looked_at| looked_at + LOOK_PERIOD);
        let closing = self.closing.front().map(|(deadline, _)| *deadline);
        [look, closing].into_iter().flatten().min()
    }

    /// Does what is due: looks around for interfaces, gives up on links that do not close.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while let Some((deadline, link)) = self.closing.front().copied() {
            if deadline > now {
                break;
            }
            self.closing.pop_front();
            if self.links.remove(&link).is_some() {
                self.say_closed(link, CloseReason::Requested);
            }
        }
        if self.looked_at.is_none_or(|looked_at| now < looked_at + LOOK_PERIOD) {
            return;
        }
        self.look_around(now);
        for (group, joined) in &mut self.groups {
            if let Some(reason) = joined.refresh(&self.interfaces) {
                self.inputs.push_back(Input::JoinFailed { group: *group, reason });
            }
        }
        for (listener, open) in &mut self.listeners {
            if let Some(addresses) = open.refresh(&self.interfaces) {
                self.inputs.push_back(Input::Listening { listener: *listener, addresses });
            }
        }
    }

    fn look_around(&mut self, now: Instant) {
        if self.looked_at.is_some_and(|looked_at| now < looked_at + LOOK_PERIOD) {
            return;
        }
        self.looked_at = Some(now);
        match Interface::all() {
            Ok(interfaces) => self.interfaces = interfaces,
            Err(error) => warn!(%error, "the network interfaces could not be listed"),
        }
    }

    fn dialled(&mut self, link: LinkId, outcome: std::io::Result<(TcpStream, SocketAddr)>) {
        let Some(Line::Dialling(dial)) = self.links.remove(&link) else {
            return;
        };
        match outcome {
            Ok((stream, remote)) => self.connected(link, stream, remote, dial.into_signal()),
            Err(error) => self.say_closed(link, CloseReason::ConnectFailed(error.to_string())),
        }
    }

    fn connected(&mut self, link: LinkId, stream: TcpStream, remote: SocketAddr, signal: Arc<Signal>) {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%link, %error, "small writes may be delayed");
        }
        self.links.insert(link, Line::Up(Link::new(stream, signal)));
        self.inputs.push_back(Input::Connected { link, remote });
    }

    fn take_from(&mut self, listener: ListenerId) {
        let Some(open) = self.listeners.get_mut(&listener) else {
            return;
        };
        match open.take(&self.interfaces) {
            Taken::Failed(reason) => {
                self.listeners.remove(&listener);
                self.inputs.push_back(Input::ListenFailed { listener, reason });
            }
            Taken::Link(link, stream, remote) => {
                let signal = self.signal(Source::Link(link));
                self.connected(link, stream, remote, signal);
            }
            Taken::Listening(addresses) => self.inputs.push_back(Input::Listening { listener, addresses }),
            Taken::Nothing => (),
        }
    }

    fn read(&mut self, link: LinkId) {
        let Some(Line::Up(up)) = self.links.get_mut(&link) else {
            return;
        };
        let reason = match up.read(&mut self.buffer) {
            Heard::Bytes(data) => return self.heard(link, data),
            Heard::Nothing => return self.will_write(link),
            Heard::Ended if up.is_closing() => CloseReason::Requested,
            Heard::Ended => CloseReason::Ended,
            Heard::Failed(_) if up.is_closing() => CloseReason::Requested,
            Heard::Failed(why) => CloseReason::Failed(why),
        };
        self.links.remove(&link);
        self.say_closed(link, reason);
    }

    fn heard(&mut self, link: LinkId, data: bytes::Bytes) {
        self.inputs.push_back(Input::Bytes { link, data });
        self.will_write(link); // The wake-up may have been for room to write as well.
    }

    /// Writing failed: what the other end said before it went, such as why, is still heard.
    fn broken(&mut self, link: LinkId, why: String) {
        let Some(Line::Up(mut up)) = self.links.remove(&link) else {
            return;
        };
        if up.is_closing() {
            return self.say_closed(link, CloseReason::Requested);
        }
        while let Heard::Bytes(data) = up.read(&mut self.buffer) {
            self.inputs.push_back(Input::Bytes { link, data });
        }
        self.say_closed(link, CloseReason::Failed(why));
    }

    fn close(&mut self, now: Instant, link: LinkId) {
        match self.links.get_mut(&link) {
            Some(Line::Dialling(_)) => {
                self.links.remove(&link);
                self.say_closed(link, CloseReason::Requested);
            }
            Some(Line::Up(up)) => {
                up.close();
                self.closing.push_back((now + CLOSE_TIMEOUT, link));
                self.will_write(link);
            }
            None => {
                let mut listeners = self.listeners.values_mut();
                if self.orphans.remove(&link) || listeners.any(|listener| listener.remove_slot(link)) {
                    self.say_closed(link, CloseReason::Requested);
                }
            }
        }
    }

    fn say_closed(&mut self, link: LinkId, reason: CloseReason) {
        self.inputs.push_back(Input::Closed { link, reason });
    }

    fn will_write(&mut self, link: LinkId) {
        if self.unwritten.last() != Some(&link) && !self.unwritten.contains(&link) {
            self.unwritten.push(link);
        }
    }

    fn signal(&self, source: Source) -> Arc<Signal> {
        Signal::new(source, &self.ready)
    }
}

/// How often to look whether interfaces came or went.
const LOOK_PERIOD: Duration = Duration::from_secs(3);
/// How long the other end may take to read what was written last and close as well.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
