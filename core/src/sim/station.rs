//! Hosts as seen from the cable: addresses, names, ports, and where each link of theirs is.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use super::host::{HostId, Process};
use super::stream::{Side, StreamId};
use crate::{Host, LinkId, ListenerId};

/// All hosts as seen from the cable.
#[derive(Debug, Default)]
pub(super) struct Stations {
    items: Vec<Station>,
}

impl Stations {
    /// One more host, which others may also reach by `name`.
    pub(super) fn add(&mut self, name: String) -> HostId {
        let host = HostId(u32::try_from(self.items.len()).expect("a world has fewer hosts than numbers"));
        self.items.push(Station {
            process: Process { host, incarnation: 0 },
            name,
            links: BTreeMap::new(),
            listeners: BTreeMap::new(),
            listen_ports: (40_000..=u16::MAX).cycle(),
            dial_ports: (50_000..=u16::MAX).cycle(),
        });
        host
    }

    pub(super) fn hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..).map(HostId).take(self.items.len())
    }

    pub(super) fn get(&self, host: HostId) -> &Station {
        &self.items[host.index()]
    }

    pub(super) fn get_mut(&mut self, host: HostId) -> &mut Station {
        &mut self.items[host.index()]
    }

    /// The address that `host` means.
    pub(super) fn resolve(&self, host: &Host) -> Option<Ipv4Addr> {
        match host {
            Host::Ip(IpAddr::V4(found)) if found.is_unspecified() || found.is_loopback() => Some(Ipv4Addr::LOCALHOST),
            Host::Ip(IpAddr::V4(found)) => Some(*found),
            Host::Ip(IpAddr::V6(_)) => None,
            Host::Name(name) if name == "localhost" => Some(Ipv4Addr::LOCALHOST),
            Host::Name(name) => {
                self.items.iter().find(|station| station.name == *name).map(|station| station.process.host.ip())
            }
        }
    }

    /// The host that has an address, as `host` sees it.
    pub(super) fn find(&self, host: HostId, wanted: Ipv4Addr) -> Option<HostId> {
        if wanted.is_loopback() {
            return Some(host);
        }
        let [10, 0, high, low] = wanted.octets() else { return None };
        let index = (u32::from(high) << 8 | u32::from(low)).checked_sub(1)?;
        self.items.get(index as usize).map(|_| HostId(index))
    }
}

/// A host as seen from the cable.
#[derive(Debug)]
pub(super) struct Station {
    pub(super) process: Process,
    name: String,
    pub(super) links: BTreeMap<LinkId, Place>,
    pub(super) listeners: BTreeMap<ListenerId, Listener>,
    pub(super) listen_ports: Ports,
    pub(super) dial_ports: Ports,
}

impl Station {
    pub(super) fn add_link(&mut self, link: LinkId, place: Place) {
        let earlier = self.links.insert(link, place);
        assert!(earlier.is_none(), "{} names two links {link}", self.process.host);
    }
}

/// Where a link is, from being asked for to being closed.
#[derive(Debug)]
pub(super) enum Place {
    /// Somebody was dialled and has not answered.
    Dialling(SocketAddrV4),
    /// One end of a stream.
    End(StreamId, Side),
    /// The word that it is closed is on its way.
    Ending { is_asked: bool },
    /// Nobody has connected yet.
    Slot(ListenerId),
}

#[derive(Debug)]
pub(super) struct Listener {
    pub(super) ip: Ipv4Addr,
    pub(super) port: u16,
    pub(super) slots: VecDeque<LinkId>,
    pub(super) backlog: VecDeque<StreamId>,
}

impl Listener {
    pub(super) fn takes(&self, to: SocketAddrV4) -> bool {
        self.port == to.port() && (self.ip.is_unspecified() || self.ip == *to.ip())
    }
}

/// Ports that a system gives, each in its turn.
pub(super) type Ports = core::iter::Cycle<core::ops::RangeInclusive<u16>>;
