//! A group of a test's own, on loopback alone.

use std::net::UdpSocket;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::brokers::Broker;

/// A group that nobody else is in, on a port that nobody else uses.
pub(crate) struct Group {
    name: String,
    port: u16,
}

impl Group {
    pub(crate) fn new() -> Self {
        let port = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        Self::on(port)
    }

    /// Another group on the same port.
    pub(crate) fn neighbour(&self) -> Self {
        Self::on(self.port)
    }

    /// The URI of a peer of this name.
    pub(crate) fn uri(&self, name: &str) -> String {
        format!("peer://{}/{name}?{}", self.name, self.options())
    }

    /// The URI of a client that sends to all its brokers.
    pub(crate) fn fanout(&self, options: &str) -> String {
        let Self { name, port } = self;
        format!("fanout:(multicast://default:{port}?group={name}&interface=127.0.0.1)?{options}")
    }

    /// Starts a broker of this name in it.
    pub(crate) fn broker(&self, name: &str, arguments: &[&str]) -> Broker {
        let port = format!("discovery.port={}", self.port);
        let own = ["--name", name, "--group", &self.name, "--listen", "tcp://127.0.0.1:0", "--interface", "127.0.0.1"];
        Broker::start_with(&[&own[..], &["--options", &port], arguments].concat())
    }

    /// What keeps peers on loopback.
    pub(crate) fn options(&self) -> String {
        format!("discovery.port={}&discovery.interface=127.0.0.1&transportConnectorURIs=tcp://127.0.0.1:0", self.port)
    }

    fn on(port: u16) -> Self {
        static GROUPS: AtomicU32 = AtomicU32::new(0);
        let number = GROUPS.fetch_add(1, Ordering::Relaxed);
        Self { name: format!("test-{}-{number}", std::process::id()), port }
    }
}
