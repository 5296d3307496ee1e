//! How the others are found.

use alloc::string::String;
use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// Discovery by multicast, as ActiveMQ's agent does it (semantics reference, section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MulticastConfig {
    /// The multicast address.
    pub address: IpAddr,
    /// The UDP port.
    pub port: u16,
    /// How many routers an advert may cross, plus one.
    pub ttl: u32,
    /// The one interface to use, by name or address; every usable one if `None`.
    pub interface: Option<String>,
    /// True if processes on the same host are to be found.
    pub loopback: bool,
    /// How often to advertise.
    pub period: Duration,
    /// How many periods of silence make a service lost.
    pub silent_periods_max: u32,
    /// How many services are known at most; adverts of further ones are dropped and counted.
    pub services_max: usize,
    /// How many adverts a second are listened to from one address; further ones are dropped and counted.
    pub adverts_per_second_max: u32,
}

impl Default for MulticastConfig {
    /// ActiveMQ's: 239.255.2.3, port 6155, TTL 1, every 500 ms, silent after 10 periods; and 256 services, 1000
    /// adverts a second from one address.
    fn default() -> Self {
        Self {
            address: IpAddr::V4(Ipv4Addr::new(239, 255, 2, 3)),
            port: 6155,
            ttl: 1,
            interface: None,
            loopback: true,
            period: Duration::from_millis(500),
            silent_periods_max: 10,
            services_max: 256,
            adverts_per_second_max: 1_000,
        }
    }
}
