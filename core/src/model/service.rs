//! Where brokers can be reached, and how they say so.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// The host part of an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Host {
    /// A literal address.
    Ip(IpAddr),
    /// A name that the driver resolves.
    Name(String),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => ip.fmt(f),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A place that can be dialled: `tcp://host:port`.
///
/// ```
/// use flockmq_core::Address;
///
/// let address: Address = "tcp://[::1]:61616".parse()?;
/// assert_eq!(address.port, 61616);
/// assert_eq!(address.to_string(), "tcp://[::1]:61616");
/// # Ok::<(), flockmq_core::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// The host.
    pub host: Host,
    /// The TCP port; 0 lets the system choose when listening.
    pub port: u16,
}

/// Why a text is no address; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an IP address, and no host name either.
    #[error(
        "'{0}' is no host; expected a name of letters, digits, '-', '_' and '.', an IPv4 address, or an IPv6 address in brackets"
    )]
    BadHost(String),
    /// Not a number from 0 to 65535.
    #[error("'{0}' is no port; expected a number from 0 to 65535")]
    BadPort(String),
    /// No port at all.
    #[error("'{0}' has no port; expected tcp://HOST:PORT")]
    NoPort(String),
    /// Another scheme than tcp, or none.
    #[error("'{0}' does not begin with tcp://; expected tcp://HOST:PORT")]
    NotTcp(String),
}

impl Address {
    /// The address of `host` (a literal or a name, IPv6 in brackets) and `port`, each as text.
    pub fn from_parts(host: &str, port: &str) -> Result<Self, AddressError> {
        let bad_host = || AddressError::BadHost(host.to_owned());
        let found = if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Host::Ip(IpAddr::V6(inner.parse::<Ipv6Addr>().map_err(|_| bad_host())?))
        } else if let Ok(ip) = host.parse::<core::net::Ipv4Addr>() {
            Host::Ip(IpAddr::V4(ip))
        } else if is_name(host) {
            Host::Name(host.to_owned())
        } else {
            return Err(bad_host());
        };
        let all_digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| all_digits).ok_or_else(|| AddressError::BadPort(port.to_owned()))?;
        Ok(Self { host: found, port })
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("tcp://").ok_or_else(|| AddressError::NotTcp(text.to_owned()))?;
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| AddressError::NoPort(text.to_owned()))?;
        if port.ends_with(']') {
            return Err(AddressError::NoPort(text.to_owned())); // The colon was inside an IPv6 address.
        }
        Self::from_parts(host, port)
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self { host: Host::Ip(address.ip()), port: address.port() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp://{}:{}", self.host, self.port)
    }
}

/// What an advert announces: a broker's published URI, letter for letter as it was advertised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Service(pub String);

impl Service {
    /// The longest service URI that is listened to, in bytes.
    pub const LENGTH_MAX: usize = 1024;
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_name(host: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !host.is_empty() && host.len() <= 253 && host.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn addresses_print_what_they_were_parsed_from() {
        for text in ["tcp://10.0.0.1:1", "tcp://[fe80::1]:65535", "tcp://a_b.example:0", "tcp://h1:61616"] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_quoted() {
        let errors = [
            "udp://h:1",
            "tcp://h",
            "tcp://h:99999",
            "tcp://h:+1",
            "tcp://:1",
            "tcp://a b:1",
            "tcp://[::1]",
            "tcp://[::g]:1",
            "tcp://h:",
        ]
        .map(|text| text.parse::<Address>().expect_err(text));
        assert_eq!(errors[0], AddressError::NotTcp("udp://h:1".into()));
        assert_eq!(errors[1], AddressError::NoPort("tcp://h".into()));
        assert_eq!(errors[2], AddressError::BadPort("99999".into()));
        assert_eq!(errors[3], AddressError::BadPort("+1".into()));
        assert_eq!(errors[4], AddressError::BadHost(String::new()));
        assert_eq!(errors[5], AddressError::BadHost("a b".into()));
        assert_eq!(errors[6], AddressError::NoPort("tcp://[::1]".into()));
        assert_eq!(errors[7], AddressError::BadHost("[::g]".into()));
        assert_eq!(errors[8], AddressError::BadPort(String::new()));
    }

    #[test]
    fn a_host_is_a_literal_or_a_name() {
        let host = |host: &str| Address::from_parts(host, "1").map(|address| address.host);
        assert_eq!(host("10.0.0.1"), Ok(Host::Ip([10, 0, 0, 1].into())));
        assert_eq!(host("[::1]"), Ok(Host::Ip(Ipv6Addr::LOCALHOST.into())));
        for name in ["a-b_c.D9", "10.0.0.256", &"x".repeat(253)] {
            assert_eq!(host(name), Ok(Host::Name(name.into())));
        }
        for name in ["", "a/b", "::1", "[::1", "é", &"x".repeat(254)] {
            assert_eq!(host(name), Err(AddressError::BadHost(name.into())));
        }
    }

    #[test]
    fn a_sockets_address_is_one_to_dial() {
        let address = Address::from(SocketAddr::from(([10, 0, 0, 1], 7)));
        assert_eq!(address.to_string(), "tcp://10.0.0.1:7");
        assert_eq!(Service(address.to_string()).to_string(), "tcp://10.0.0.1:7");
    }
}
