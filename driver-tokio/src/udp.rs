//! Multicast groups: one socket that hears every usable interface, and one per interface that speaks on it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use flockmq_core::MulticastSocket;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tracing::{debug, warn};

use crate::interface::Interface;
use crate::ready::Signal;

/// A group that is heard, or is being tried to.
#[derive(Debug)]
pub(crate) struct Group {
    config: MulticastSocket,
    signal: Arc<Signal>,
    waker: Waker,
    ear: Option<UdpSocket>,
    mouths: Vec<Mouth>,
    failure: Option<String>,
}

#[derive(Debug)]
struct Mouth {
    interface: Interface,
    is_joined: bool,             // False if joining failed and is to be tried again.
    socket: std::net::UdpSocket, // Not tokio's, which can't send before its first turn of the event loop.
}

impl Group {
    /// A group that is not heard yet: [`Group::refresh`] does the work.
    pub(crate) fn new(config: MulticastSocket, signal: Arc<Signal>) -> Self {
        let waker = Waker::from(Arc::clone(&signal));
        Self { config, signal, waker, ear: None, mouths: Vec::new(), failure: None }
    }

    /// Joins on interfaces that came, forgets those that went, and tries again what failed. Answers with what is
    /// wrong if that is news.
    pub(crate) fn refresh(&mut self, interfaces: &[Interface]) -> Option<String> {
        let failure = self.try_refresh(interfaces).err();
        if failure.is_some() {
            self.ear = None;
            self.mouths.clear();
        }
        let is_news = failure != self.failure;
        self.failure.clone_from(&failure);
        failure.filter(|_| is_news)
    }

    /// What was heard, each with its sender; what can't be heard any longer is left to the next refresh.
    pub(crate) fn hear(&mut self, mut heard: impl FnMut(SocketAddr, Bytes)) {
        self.signal.lower();
        let Some(ear) = &self.ear else {
            return;
        };
        let mut storage = [0; DATAGRAM_MAX];
        for _ in 0..DATAGRAMS_AT_ONCE {
            let mut buffer = ReadBuf::new(&mut storage);
            match ear.poll_recv_from(&mut Context::from_waker(&self.waker), &mut buffer) {
                Poll::Pending => return,
                Poll::Ready(Ok(from)) => heard(from, Bytes::copy_from_slice(buffer.filled())),
                Poll::Ready(Err(error)) => {
                    warn!(group = %self.config.address, %error, "hearing a multicast group failed");
                    self.ear = None;
                    self.mouths.clear();
                    return;
                }
            }
        }
        self.signal.raise(); // There may be more.
    }

    /// Sends `data` on the interface that has the address `via`, or on every one.
    pub(crate) fn announce(&self, via: Option<IpAddr>, data: &[u8]) {
        let (ip, port) = (self.config.address, self.config.port);
        for mouth in &self.mouths {
            if via.is_some_and(|via| !mouth.interface.ips.contains(&via)) {
                continue;
            }
            if let Err(error) = mouth.socket.send_to(data, address_on(ip, port, mouth.interface.index)) {
                debug!(interface = mouth.interface.name, %error, "an announcement could not be sent");
            }
        }
    }

    fn try_refresh(&mut self, interfaces: &[Interface]) -> Result<(), String> {
        let MulticastSocket { address, port, .. } = self.config;
        if !address.is_multicast() {
            return Err(format!("{address} is no multicast address"));
        }
        let wanted: Vec<&Interface> = interfaces.iter().filter(|interface| self.is_usable(interface)).collect();
        if self.ear.is_none() {
            self.mouths.clear();
            let ear = open_ear(address, port).map_err(|error| explain(port, &error))?;
            self.ear = Some(ear);
        }
        let Some(ear) = &self.ear else {
            return Ok(());
        };
        self.mouths.retain(|mouth| {
            let stays = wanted.contains(&&mouth.interface);
            if !stays {
                leave(ear, address, &mouth.interface);
            }
            stays
        });
        let mut last_error = None;
        for interface in wanted {
            let known = self.mouths.iter_mut().find(|mouth| mouth.interface == *interface);
            if known.as_ref().is_some_and(|mouth| mouth.is_joined) {
                continue;
            }
            let joined = join(ear, address, interface);
            if let Err(error) = &joined {
                debug!(interface = interface.name, %error, "a multicast group could not be joined");
                last_error = Some(format!("{}: {error}", interface.name));
            }
            match (known, open_mouth(&self.config, interface)) {
                (Some(mouth), _) => mouth.is_joined = joined.is_ok(),
                (None, Ok(socket)) => {
                    self.mouths.push(Mouth { interface: interface.clone(), is_joined: joined.is_ok(), socket });
                }
                (None, Err(error)) => {
                    debug!(interface = interface.name, %error, "no multicast can be sent here");
                }
            }
        }
        self.signal.raise(); // A new socket is to be looked at once, to be woken by it.
        if self.mouths.iter().any(|mouth| mouth.is_joined) {
            return Ok(());
        }
        let named = self.config.interface.as_ref().map(|name| format!("there is no interface '{name}'"));
        Err(last_error.or(named).unwrap_or_else(|| "there is no network interface".into()))
    }

    fn is_usable(&self, interface: &Interface) -> bool {
        interface.ip_like(self.config.address).is_some()
            && self.config.interface.as_ref().is_none_or(|wanted| interface.is_called(wanted))
            && (self.config.loopback || !interface.is_loopback()) // A loopback interface loops back whatever is asked.
    }
}

const DATAGRAM_MAX: usize = 8192; // ActiveMQ's.
const DATAGRAMS_AT_ONCE: usize = 32;

fn open_ear(group: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let socket = open(group)?;
    socket.set_reuse_address(true)?;
    // Bound to the group where the system allows it, so that nothing else is heard on the port.
    let (local, is_v4) = match group {
        IpAddr::V4(_) if cfg!(windows) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), true),
        IpAddr::V4(group) => (IpAddr::V4(group), true),
        IpAddr::V6(_) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), false),
    };
    if is_v4 {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_multicast_all_v4(false)?;
    } else {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_multicast_all_v6(false)?;
    }
    socket.bind(&SocketAddr::new(local, port).into())?;
    UdpSocket::from_std(socket.into())
}

fn open_mouth(config: &MulticastSocket, interface: &Interface) -> io::Result<std::net::UdpSocket> {
    let socket = open(config.address)?;
    let local = interface.ip_like(config.address).ok_or(io::ErrorKind::AddrNotAvailable)?;
    match local {
        IpAddr::V4(ip) => {
            socket.set_multicast_if_v4(&ip)?;
            socket.set_multicast_ttl_v4(config.ttl)?;
            socket.set_multicast_loop_v4(config.loopback)?;
            socket.bind(&SocketAddr::new(local, 0).into())?;
        }
        IpAddr::V6(_) => {
            socket.set_multicast_if_v6(interface.index)?;
            socket.set_multicast_hops_v6(config.ttl)?;
            socket.set_multicast_loop_v6(config.loopback)?;
        }
    }
    Ok(socket.into())
}

fn open(group: IpAddr) -> io::Result<Socket> {
    let domain = if group.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if group.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn join(ear: &UdpSocket, group: IpAddr, interface: &Interface) -> io::Result<()> {
    let socket = socket2::SockRef::from(ear);
    let joined = match group {
        IpAddr::V4(group) => socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface.index)),
        IpAddr::V6(group) => socket.join_multicast_v6(&group, interface.index),
    };
    match joined {
        // Joined before, which is as good.
        Err(error) if matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable) => Ok(()),
        joined => joined,
    }
}

fn leave(ear: &UdpSocket, group: IpAddr, interface: &Interface) {
    let socket = socket2::SockRef::from(ear);
    let left = match group {
        IpAddr::V4(group) => socket.leave_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface.index)),
        IpAddr::V6(group) => socket.leave_multicast_v6(&group, interface.index),
    };
    if let Err(error) = left {
        debug!(interface = interface.name, %error, "the membership went with the interface");
    }
}

fn address_on(ip: IpAddr, port: u16, index: u32) -> SocketAddr {
    match ip {
        IpAddr::V4(ip) => SocketAddr::V4(SocketAddrV4::new(ip, port)),
        IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, index)),
    }
}

fn explain(port: u16, error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::AddrInUse {
        return format!("UDP port {port} is held by a program that does not share it (no SO_REUSEADDR): {error}");
    }
    format!("UDP port {port} could not be opened: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ready::{Ready, Source};
    use flockmq_core::GroupId;
    use std::time::Duration;

    fn group(port: u16, interface: Option<&str>) -> (Arc<Ready>, Group) {
        let ready = Arc::new(Ready::default());
        let signal = Signal::new(Source::Group(GroupId(1)), &ready);
        let address = IpAddr::V4(Ipv4Addr::new(239, 255, 7, 7));
        let config = MulticastSocket { address, port, ttl: 1, interface: interface.map(Into::into), loopback: true };
        (ready, Group::new(config, signal))
    }

    fn free_port() -> u16 {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.local_addr().expect("its address").port()
    }

    async fn heard(group: &mut Group, count: usize) -> Vec<(SocketAddr, Bytes)> {
        let mut all = Vec::new();
        for _ in 0..200 {
            group.hear(|from, data| all.push((from, data)));
            if all.len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        all
    }

    #[tokio::test]
    async fn two_sockets_of_one_host_hear_each_other_by_loopback_alone() {
        let interfaces = Interface::all().expect("interfaces");
        let port = free_port();
        let ((_a, mut a), (_b, mut b)) = (group(port, Some("127.0.0.1")), group(port, Some("127.0.0.1")));
        assert_eq!((a.refresh(&interfaces), b.refresh(&interfaces)), (None, None));
        a.announce(None, b"one");
        a.announce(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), b"two");
        a.announce(Some(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9))), b"nowhere");
        for group in [&mut a, &mut b] {
            let all = heard(group, 2).await;
            assert_eq!(all.iter().map(|(_, data)| data.as_ref()).collect::<Vec<_>>(), [&b"one"[..], b"two"]);
            assert!(all.iter().all(|(from, _)| from.ip().is_loopback()));
        }
    }

    #[tokio::test]
    async fn a_refresh_without_change_joins_nothing_and_one_without_interfaces_is_news_once() {
        let interfaces = Interface::all().expect("interfaces");
        let (_ready, mut group) = group(free_port(), None);
        assert_eq!(group.refresh(&interfaces), None);
        let mouths = group.mouths.len();
        assert_eq!(group.refresh(&interfaces), None);
        assert_eq!(group.mouths.len(), mouths);
        assert_eq!(group.refresh(&[]), Some("there is no network interface".into()));
        assert_eq!(group.refresh(&[]), None);
        assert_eq!(group.refresh(&interfaces), None);
        assert_eq!(group.mouths.len(), mouths);
    }

    #[tokio::test]
    async fn an_interface_that_is_not_there_and_a_port_that_is_taken_are_explained() {
        let interfaces = Interface::all().expect("interfaces");
        let (_ready, mut missing) = group(free_port(), Some("nix0"));
        assert_eq!(missing.refresh(&interfaces), Some("there is no interface 'nix0'".into()));
        let holder = std::net::UdpSocket::bind("0.0.0.0:0").expect("a port");
        let (_ready, mut taken) = group(holder.local_addr().expect("its address").port(), None);
        let failure = taken.refresh(&interfaces).expect("the port is held");
        assert!(failure.contains("does not share it"), "{failure}");
    }
}
