//! Multicast: who hears what is said to which address. Told who joins and speaks; puts datagrams on the agenda.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr, SocketAddrV4};

use bytes::Bytes;

use super::agenda::Happening;
use super::departure::Cargo;
use super::host::{HostId, Process};
use super::medium::Medium;
use crate::{GroupId, Input, Instant, MulticastSocket};

/// All groups there are.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// None where joining failed.
    joined: BTreeMap<(HostId, GroupId), Option<MulticastSocket>>,
    members: BTreeMap<SocketAddr, Vec<(Process, GroupId)>>,
    /// By host: those it is on. Multicasts stay within one.
    segments: Vec<Vec<u32>>,
}

impl Groups {
    pub(super) fn add_host(&mut self) {
        self.segments.push(Vec::from([0]));
    }

    pub(super) fn set_segments(&mut self, host: HostId, segments: &[u32]) {
        self.segments[host.index()] = segments.to_vec();
    }

    /// A process joins; why it can't be, if it can't.
    pub(super) fn join(&mut self, process: Process, group: GroupId, socket: MulticastSocket) -> Result<(), String> {
        let host = process.host;
        let result = match &socket.interface {
            _ if !socket.address.is_multicast() => Err(format!("{} is no multicast address", socket.address)),
            Some(wanted) if wanted != INTERFACE && wanted.parse() != Ok(host.ip()) => {
                Err(format!("no such interface: {wanted}"))
            }
            _ => Ok(()),
        };
        if result.is_ok() {
            self.members.entry(SocketAddr::new(socket.address, socket.port)).or_default().push((process, group));
        }
        let earlier = self.joined.insert((host, group), result.is_ok().then_some(socket));
        assert!(earlier.is_none(), "{host} joins group {group} twice");
        result
    }

    pub(super) fn leave(&mut self, host: HostId, group: GroupId) {
        let left = self.joined.remove(&(host, group));
        assert!(left.is_some(), "{host} leaves group {group}, which it has not joined");
        self.forget(|process, member| process.host == host && member == group);
    }

    /// A process is no more.
    pub(super) fn crash(&mut self, host: HostId) {
        self.joined.retain(|(member, _), _| *member != host);
        self.forget(|process, _| process.host == host);
    }

    /// A process says something to a group; whoever hears it will.
    pub(super) fn announce(
        &self,
        now: Instant,
        host: HostId,
        group: GroupId,
        via: Option<IpAddr>,
        data: &Bytes,
        medium: &mut Medium,
    ) {
        let Some(socket) = self.joined.get(&(host, group)) else {
            panic!("{host} announces to group {group}, which it has not joined (at {now})");
        };
        let via = match via {
            None => host.ip(),
            Some(IpAddr::V4(via)) if via == host.ip() || via.is_loopback() => via,
            Some(via) => panic!("{host} announces via {via}, which is none of its addresses (at {now})"),
        };
        let Some(socket) = socket else { return };
        let from = SocketAddrV4::new(via, socket.port);
        let is_local = via.is_loopback() || socket.ttl == 0;
        let reaches =
            |to: HostId| self.segments[host.index()].iter().any(|segment| self.segments[to.index()].contains(segment));
        let members = self.members.get(&SocketAddr::new(socket.address, socket.port));
        for (process, group) in members.into_iter().flatten() {
            let to = process.host;
            let hears = if to == host { socket.loopback } else { !is_local && reaches(to) };
            if !hears {
                continue;
            }
            if medium.chance(host, to, medium.faults.datagram_loss_ppm) {
                medium.counts.datagrams_lost += 1;
                medium.depart(now, None, (host, to), || Cargo::Datagram(data.clone()));
                continue;
            }
            let is_doubled = medium.chance(host, to, medium.faults.datagram_duplication_ppm);
            medium.counts.datagrams_doubled += u64::from(is_doubled);
            for _ in 0..=u32::from(is_doubled) {
                let delay = medium.datagram_delay(host, to);
                medium.depart(now, Some(now + delay), (host, to), || Cargo::Datagram(data.clone()));
                let (process, group, data) = (*process, *group, data.clone());
                medium.agenda.push(now + delay, Happening::Datagram { process, sender: host, group, from, data });
            }
        }
    }

    /// A datagram arrives; what the process hears.
    pub(super) fn handle_datagram(
        &self,
        (sender, to): (HostId, HostId),
        group: GroupId,
        from: SocketAddrV4,
        data: Bytes,
        medium: &mut Medium,
    ) -> Option<Input> {
        self.joined.get(&(to, group))?; // It may have left the group meanwhile.
        if medium.is_cut(sender, to) {
            medium.counts.datagrams_cut += 1;
            return None;
        }
        medium.counts.datagrams += 1;
        Some(Input::Datagram { group, from: SocketAddr::V4(from), data })
    }

    fn forget(&mut self, is_gone: impl Fn(Process, GroupId) -> bool) {
        for members in self.members.values_mut() {
            members.retain(|(process, group)| !is_gone(*process, *group));
        }
    }
}

/// What every host calls its one interface.
const INTERFACE: &str = "eth0";
