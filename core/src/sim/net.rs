//! The network and each host's system: links, listeners and groups. Told what processes ask for (`Output`) and
//! what was on the agenda; answers with what processes hear (`Input`). Holds every process to the contract.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;

use super::agenda::{Ending, Happening};
use super::group::Groups;
use super::host::{HostId, Process};
use super::medium::Medium;
use super::station::{Listener, Place, Stations};
use super::stream::{End, Side, StreamId, Streams};
use crate::{Address, Host, Input, Instant, LinkId, ListenerId, Output, Rng};

/// All hosts as seen from the cable.
#[derive(Debug)]
pub(super) struct Net {
    pub(super) medium: Medium,
    streams: Streams,
    groups: Groups,
    stations: Stations,
}

impl Net {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self {
            medium: Medium::new(rng),
            streams: Streams::default(),
            groups: Groups::default(),
            stations: Stations::default(),
        }
    }

    /// One more host, which others may also reach by `name`.
    pub(super) fn add_host(&mut self, name: String) -> HostId {
        self.medium.add_host();
        self.groups.add_host();
        self.stations.add(name)
    }

    /// The process that runs on `host`, or did so last.
    pub(super) fn process(&self, host: HostId) -> Process {
        self.stations.get(host).process
    }

    /// How many links a host's process has, open slots included.
    pub(super) fn links(&self, host: HostId) -> usize {
        self.stations.get(host).links.len()
    }

    /// Hosts hear the multicasts of their own segments only.
    pub(super) fn set_segments(&mut self, host: HostId, segments: &[u32]) {
        self.groups.set_segments(host, segments);
    }

    /// The host that hears of a happening, if a paused process would have to wait for it.
    pub(super) fn hearer(&mut self, happening: &Happening) -> Option<HostId> {
        let path = match happening {
            Happening::Arrival { stream, writer } => Some(self.streams.path(*stream, *writer)?),
            Happening::Datagram { process, sender, .. } => Some((*sender, process.host)),
            _ => None,
        };
        match happening {
            _ if path.is_some_and(|(from, to)| self.medium.is_cut(from, to)) => None, // It does not get there.
            Happening::Arrival { .. } => path.map(|(_, to)| to),
            Happening::Dial { .. } | Happening::Linger { .. } => None, // The system's work.
            other => other.process().map(|process| process.host),
        }
    }

    /// A process asks for something.
    pub(super) fn handle_output(&mut self, now: Instant, process: Process, output: Output) {
        let host = process.host;
        match output {
            Output::Accept { listener, link } => self.accept(now, host, listener, link),
            Output::Announce { group, via, data } => {
                self.medium.counts.bytes_announced += data.len() as u64;
                self.groups.announce(now, host, group, via, &data, &mut self.medium);
            }
            Output::Close { link } => self.close(now, process, link),
            Output::Connect { link, address } => self.connect(now, process, link, &address),
            Output::Event(_) => (),
            Output::Join { group, socket } => {
                if let Err(reason) = self.groups.join(process, group, socket) {
                    self.answer(now, process, Input::JoinFailed { group, reason });
                }
            }
            Output::Leave { group } => self.groups.leave(host, group),
            Output::Listen { listener, address } => self.listen(now, process, listener, &address),
            Output::Send { link, data } => {
                self.medium.counts.bytes_sent += data.len() as u64;
                match self.stations.get(host).links.get(&link) {
                    Some(Place::End(stream, side)) if self.streams.write(*stream, *side, data) => (),
                    Some(place) => panic!("{host} sends on link {link}, which is {place:?} and not open (at {now})"),
                    None => panic!("{host} sends on link {link}, which does not exist (at {now})"),
                }
            }
            Output::Unlisten { listener } => self.unlisten(now, host, listener),
        }
    }

    /// A process has no more to ask for now.
    pub(super) fn flush(&mut self, now: Instant) {
        self.streams.flush(now, &mut self.medium);
    }

    /// Something on the agenda happens; what a process hears of it.
    pub(super) fn handle_happening(&mut self, now: Instant, happening: Happening) -> Option<(HostId, Input)> {
        if let Some(process) = happening.process()
            && process != self.process(process.host)
        {
            return None; // It was meant for a process that is no more.
        }
        match happening {
            Happening::Arrival { stream, writer } => {
                let (process, input) = self.streams.handle_arrival(now, stream, writer, &mut self.medium)?;
                if let Input::Closed { link, .. } = &input {
                    self.stations.get_mut(process.host).links.remove(link);
                }
                Some((process.host, input))
            }
            Happening::Closing { process, link, ending } => {
                let place = self.stations.get_mut(process.host).links.remove(&link)?;
                if let Place::End(stream, side) = place {
                    self.streams.leave(stream, side);
                }
                Some((process.host, Input::Closed { link, reason: ending.into() }))
            }
            Happening::Datagram { process, sender, group, from, data } => {
                let path = (sender, process.host);
                let input = self.groups.handle_datagram(path, group, from, data, &mut self.medium)?;
                Some((process.host, input))
            }
            Happening::Dial { process, link, attempt } => {
                self.handle_dial(now, process, link, attempt);
                None
            }
            Happening::Input { process, input } => Some((process.host, *input)),
            Happening::Linger { stream, side } => {
                self.streams.handle_linger(now, stream, side, &mut self.medium);
                None
            }
            Happening::Sent { process, link, bytes } => {
                self.stations.get_mut(process.host).links.get(&link)?;
                Some((process.host, Input::Sent { link, bytes }))
            }
            Happening::Disk { .. } | Happening::Wake { .. } | Happening::WallClock { .. } => None, // Not the network's.
        }
    }

    /// Nothing gets from one host to another.
    pub(super) fn cut(&mut self, from: HostId, to: HostId) {
        self.medium.cut(from, to);
    }

    /// Everything gets through again, and what streams had to say meanwhile is said.
    pub(super) fn heal(&mut self, now: Instant, from: HostId, to: HostId) {
        if self.medium.is_cut(from, to) {
            self.medium.heal(from, to);
            self.streams.heal(now, from, to, &mut self.medium);
        }
    }

    /// A host's machine is off or asleep: nothing gets to it or from it.
    pub(super) fn turn_off(&mut self, host: HostId) {
        self.medium.set_off(host, true);
    }

    /// A host's machine is there again, and what streams had to say meanwhile is said.
    pub(super) fn turn_on(&mut self, now: Instant, host: HostId) {
        if !self.medium.set_off(host, false) {
            return;
        }
        for other in self.stations.hosts() {
            for (from, to) in [(host, other), (other, host)] {
                if from != to && !self.medium.is_cut(from, to) {
                    self.streams.heal(now, from, to, &mut self.medium);
                }
            }
        }
    }

    /// All streams between two hosts are torn down.
    pub(super) fn reset(&mut self, now: Instant, a: HostId, b: HostId) {
        self.streams.reset_between(now, a, b, &mut self.medium);
    }

    /// All streams between two hosts are torn down, and only `hearer` hears of it.
    pub(super) fn sever(&mut self, now: Instant, hearer: HostId, other: HostId) {
        self.streams.sever_between(now, hearer, other, &mut self.medium);
    }

    /// A host's process dies; the next one has another name and knows nothing of its links.
    pub(super) fn crash(&mut self, now: Instant, host: HostId) {
        for (stream, side) in self.end_process(host) {
            self.streams.abandon(now, stream, side, &mut self.medium);
        }
    }

    /// The same, but its system dies with it: nobody hears of it, until it is asked when the machine is on again.
    pub(super) fn lose_power(&mut self, host: HostId) {
        for (stream, side) in self.end_process(host) {
            self.streams.lose(stream, side);
        }
        self.turn_off(host);
    }

    /// Forgets everything about a host's process but the ends of streams that it had.
    fn end_process(&mut self, host: HostId) -> Vec<(StreamId, Side)> {
        let station = self.stations.get_mut(host);
        station.process.incarnation += 1;
        let (links, listeners) = (core::mem::take(&mut station.links), core::mem::take(&mut station.listeners));
        self.groups.crash(host);
        let up = links.into_values().filter_map(|place| match place {
            Place::End(stream, side) => Some((stream, side)),
            Place::Dialling(_) | Place::Ending { .. } | Place::Slot(_) => None,
        });
        let backlog = listeners.into_values().flat_map(|listener| listener.backlog);
        up.chain(backlog.map(|stream| (stream, Side::Acceptor))).collect()
    }

    fn accept(&mut self, now: Instant, host: HostId, listener: ListenerId, link: LinkId) {
        let station = self.stations.get_mut(host);
        let Some(found) = station.listeners.get_mut(&listener) else {
            panic!("{host} gives a slot to listener {listener}, which does not exist (at {now})");
        };
        let place = if let Some(stream) = found.backlog.pop_front() {
            self.streams.accept(now, stream, link, &mut self.medium);
            Place::End(stream, Side::Acceptor)
        } else {
            found.slots.push_back(link);
            Place::Slot(listener)
        };
        station.add_link(link, place);
    }

    fn close(&mut self, now: Instant, process: Process, link: LinkId) {
        let host = process.host;
        let station = self.stations.get_mut(host);
        let Some(place) = station.links.get_mut(&link) else {
            panic!("{host} closes link {link}, which does not exist (at {now})");
        };
        let is_answered = match place {
            Place::Dialling(_) => false,
            Place::End(stream, side) => {
                let first = self.streams.close(now, *stream, *side, &mut self.medium);
                assert!(first, "{host} closes link {link} twice (at {now})");
                return;
            }
            Place::Ending { is_asked } => {
                assert!(!*is_asked, "{host} closes link {link} twice (at {now})");
                true
            }
            Place::Slot(listener) => {
                let listener = station.listeners.get_mut(listener).expect("a slot has a listener");
                listener.slots.retain(|slot| *slot != link);
                false
            }
        };
        *place = Place::Ending { is_asked: true };
        if !is_answered {
            self.end(now, process, link, Ending::Requested);
        }
    }

    fn connect(&mut self, now: Instant, process: Process, link: LinkId, address: &Address) {
        let host = process.host;
        let to = self.stations.resolve(&address.host).map(|ip| SocketAddrV4::new(ip, address.port));
        let place = to.map_or(Place::Ending { is_asked: false }, Place::Dialling);
        self.stations.get_mut(host).add_link(link, place);
        let Some(to) = to else { return self.end(now, process, link, Ending::NoSuchHost) };
        let delay = match self.stations.find(host, *to.ip()) {
            Some(target) => self.medium.stream_delay(host, target),
            None => Duration::ZERO,
        };
        self.medium.agenda.push(now + delay, Happening::Dial { process, link, attempt: 0 });
    }

    fn handle_dial(&mut self, now: Instant, process: Process, link: LinkId, attempt: u32) {
        let host = process.host;
        let Some(Place::Dialling(to)) = self.stations.get_mut(host).links.get(&link) else { return };
        let to = *to;
        let reachable = self.stations.find(host, *to.ip()).filter(|target| {
            !self.medium.is_cut(host, *target) && !self.medium.is_cut(*target, host) // An answer is needed too.
        });
        let Some(target) = reachable else { return self.dial_again(now, process, link, attempt) };
        let acceptor = self.process(target);
        let listeners = &mut self.stations.get_mut(target).listeners;
        let Some((id, listener)) = listeners.iter_mut().find(|(_, listener)| listener.takes(to)) else {
            self.medium.counts.refusals += 1;
            self.stations.get_mut(host).links.insert(link, Place::Ending { is_asked: false });
            return self.end(now + self.medium.faults.stream_delay.min, process, link, Ending::Refused);
        };
        if listener.backlog.len() >= BACKLOG_MAX {
            return self.dial_again(now, process, link, attempt);
        }
        let (id, slot) = (*id, listener.slots.pop_front());
        let station = self.stations.get_mut(host);
        let from = SocketAddrV4::new(
            if to.ip().is_loopback() { *to.ip() } else { host.ip() },
            station.dial_ports.next().expect("ports come round again"),
        );
        let dialler = End { process, link, remote: SocketAddr::V4(to) };
        let acceptor = End { process: acceptor, link: slot.unwrap_or(NO_LINK), remote: SocketAddr::V4(from) };
        let stream = self.streams.open(now, dialler, acceptor, &mut self.medium);
        self.stations.get_mut(host).links.insert(link, Place::End(stream, Side::Dialler));
        let station = self.stations.get_mut(target);
        if let Some(slot) = slot {
            station.links.insert(slot, Place::End(stream, Side::Acceptor));
            self.streams.accept(now, stream, slot, &mut self.medium);
        } else {
            station.listeners.get_mut(&id).expect("the listener was just seen").backlog.push_back(stream);
        }
    }

    /// Nobody answered: as a system does, asks again ever more slowly, and gives up after a minute.
    fn dial_again(&mut self, now: Instant, process: Process, link: LinkId, attempt: u32) {
        self.medium.counts.retries += 1;
        if attempt < DIAL_ATTEMPTS_MAX {
            let happening = Happening::Dial { process, link, attempt: attempt + 1 };
            self.medium.agenda.push(now + Duration::from_secs(1 << attempt), happening);
        } else {
            self.stations.get_mut(process.host).links.insert(link, Place::Ending { is_asked: false });
            self.end(now, process, link, Ending::TimedOut);
        }
    }

    fn listen(&mut self, now: Instant, process: Process, id: ListenerId, address: &Address) {
        let host = process.host;
        let wanted = match &address.host {
            Host::Ip(any) if any.is_unspecified() => Some(Ipv4Addr::UNSPECIFIED),
            one => self.stations.resolve(one).filter(|found| self.stations.find(host, *found) == Some(host)),
        };
        let station = self.stations.get_mut(host);
        assert!(!station.listeners.contains_key(&id), "{host} opens listener {id} twice (at {now})");
        let is_taken = |port| station.listeners.values().any(|listener| listener.port == port);
        let mut port = address.port;
        if port == 0 {
            port = station.listen_ports.find(|port| !is_taken(*port)).expect("some port is free");
        }
        let input = match wanted {
            None => Input::ListenFailed { listener: id, reason: "cannot assign requested address".into() },
            Some(_) if is_taken(port) => Input::ListenFailed { listener: id, reason: "address already in use".into() },
            Some(bound) => {
                let listener = Listener { ip: bound, port, slots: VecDeque::new(), backlog: VecDeque::new() };
                station.listeners.insert(id, listener);
                let ips =
                    if bound.is_unspecified() { [host.ip(), Ipv4Addr::LOCALHOST].to_vec() } else { [bound].to_vec() };
                let addresses = ips.into_iter().map(|ip| SocketAddr::V4(SocketAddrV4::new(ip, port))).collect();
                Input::Listening { listener: id, addresses }
            }
        };
        self.answer(now, process, input);
    }

    fn unlisten(&mut self, now: Instant, host: HostId, id: ListenerId) {
        let station = self.stations.get_mut(host);
        let Some(listener) = station.listeners.remove(&id) else {
            panic!("{host} ends listener {id}, which does not exist (at {now})");
        };
        for slot in listener.slots {
            station.links.remove(&slot);
        }
        for stream in listener.backlog {
            self.streams.abandon(now, stream, Side::Acceptor, &mut self.medium);
        }
    }

    /// Answers a process after a while.
    fn answer(&mut self, now: Instant, process: Process, input: Input) {
        let delay = self.medium.local_delay(process.host);
        self.medium.agenda.push(now + delay, Happening::Input { process, input: Box::new(input) });
    }

    /// Settles that a link which is no stream's end yet, or any more, is said to be closed.
    fn end(&mut self, now: Instant, process: Process, link: LinkId, ending: Ending) {
        let delay = self.medium.local_delay(process.host);
        self.medium.agenda.push(now + delay, Happening::Closing { process, link, ending });
    }
}

/// How many connects a system takes before its process gives slots for them.
const BACKLOG_MAX: usize = 128;
const DIAL_ATTEMPTS_MAX: u32 = 6;
/// Stands for the link of a stream that nobody has taken yet.
const NO_LINK: LinkId = LinkId(0);
