//! The network interfaces of this machine.

use std::io;
use std::net::IpAddr;

/// An interface with the addresses it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) ips: Vec<IpAddr>,
}

impl Interface {
    /// All interfaces that have an address, loopback last.
    pub(crate) fn all() -> io::Result<Vec<Self>> {
        Ok(Self::collect(if_addrs::get_if_addrs()?))
    }

    /// True if `wanted` names this interface, by its name or one of its addresses.
    pub(crate) fn is_called(&self, wanted: &str) -> bool {
        self.name == wanted || wanted.parse().is_ok_and(|ip: IpAddr| self.ips.contains(&ip))
    }

    /// The first address of the same family as `like`.
    pub(crate) fn ip_like(&self, like: IpAddr) -> Option<IpAddr> {
        self.ips.iter().copied().find(|ip| ip.is_ipv4() == like.is_ipv4())
    }

    /// True for the host's way to itself.
    pub(crate) fn is_loopback(&self) -> bool {
        self.ips.iter().any(IpAddr::is_loopback)
    }

    fn collect(found: Vec<if_addrs::Interface>) -> Vec<Self> {
        let mut interfaces: Vec<Self> = Vec::new();
        for entry in found {
            let (index, ip) = (entry.index.unwrap_or(0), entry.ip());
            match interfaces.iter_mut().find(|known| known.index == index && known.name == entry.name) {
                Some(known) => known.ips.push(ip),
                None => interfaces.push(Self { name: entry.name, index, ips: vec![ip] }),
            }
        }
        for interface in &mut interfaces {
            interface.ips.sort_unstable();
        }
        interfaces.sort_by_key(|interface| (interface.is_loopback(), interface.index));
        interfaces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_loopback_interface_and_it_is_the_last() {
        let interfaces = Interface::all().expect("interfaces");
        let last = interfaces.last().expect("at least one");
        assert!(last.is_loopback(), "{interfaces:?}");
        assert!(last.is_called("127.0.0.1") && last.is_called(&last.name));
        assert!(!last.is_called("203.0.113.1"));
    }
}
