//! Hosts, and the networks between them.

use std::fmt::Write;
use std::io::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::process::Process;
use crate::space::Space;

/// Some hosts joined by networks that nothing else can reach.
pub(crate) struct Lab<const N: usize> {
    pub(crate) hosts: [Host; N],
    switch: Space,
    _turn: MutexGuard<'static, ()>, // Last: the next lab is built when this one is gone.
}

/// A host: its namespace, and a wire to the switch for each network it is on.
pub(crate) struct Host {
    number: usize,
    networks: Vec<usize>,
    addresses: Vec<String>,
    space: Space,
}

impl<const N: usize> Lab<N> {
    /// Builds hosts, each on the networks of these numbers. Nothing if this machine can't, and then it says why.
    pub(crate) fn open(hosts: [&[usize]; N]) -> Option<Self> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(obstacle) = try_out() {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "the lab can't be had: {obstacle}");
            // Past the harness, which keeps to itself what passing tests print.
            _ = writeln!(std::io::stderr(), "skipped, as the lab can't be had: {obstacle}");
            return None;
        }
        let switch = Space::open().expect("a namespace was made just before");
        let count = hosts.iter().copied().flatten().max().map_or(0, |last| last + 1);
        let subnets: Vec<u8> = (0..count).map(|_| SUBNETS.fetch_add(1, Ordering::Relaxed)).collect();
        let mut batch = String::new();
        for (network, side) in (0..count).flat_map(|network| (0..N).map(move |side| (network, side))) {
            let bridge = bridge(network, side);
            _ = writeln!(batch, "link add name {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0");
            _ = writeln!(batch, "link set dev {bridge} up");
        }
        carry_out(&switch, &batch);
        let mut number = 0;
        let hosts = hosts.map(|networks| {
            number += 1;
            Host::join(number, networks, &subnets, &switch)
        });
        Some(Self { hosts, switch, _turn: turn })
    }

    /// Cuts all networks: from now on frames pass only between hosts of the same side. Whoever is on no side keeps
    /// company with the first.
    pub(crate) fn partition(&self, sides: &[&[&Host]]) {
        let mut batch = String::new();
        for (side, hosts) in sides.iter().enumerate() {
            for host in *hosts {
                batch += &host.plug_all(side);
            }
        }
        carry_out(&self.switch, &batch);
    }

    /// Cuts one network: from now on it carries nothing, to anybody.
    pub(crate) fn break_network(&self, network: usize) {
        let hosts = self.hosts.iter().filter(|host| host.networks.contains(&network)).enumerate();
        carry_out(&self.switch, &hosts.map(|(side, host)| host.plug(network, side)).collect::<String>());
    }

    /// Ends what [`Lab::partition`] and [`Lab::break_network`] began.
    pub(crate) fn heal(&self) {
        carry_out(&self.switch, &self.hosts.iter().map(|host| host.plug_all(0)).collect::<String>());
    }
}

impl Host {
    fn join(number: usize, networks: &[usize], subnets: &[u8], switch: &Space) -> Self {
        let space = Space::open().expect("a namespace was made just before");
        let (mut outside, mut inside) = (String::new(), "link set dev lo up\n".to_owned());
        let mut addresses = Vec::new();
        for (index, network) in networks.iter().enumerate() {
            let (port, address) = (port(number, *network), format!("10.77.{}.{number}", subnets[*network]));
            _ = writeln!(outside, "link add name {port} type veth peer name e{index} netns {}", space.process());
            _ = writeln!(outside, "link set dev {port} master {} up", bridge(*network, 0));
            _ = writeln!(inside, "address add {address}/24 dev e{index}\nlink set dev e{index} up");
            addresses.push(address);
        }
        if !networks.is_empty() {
            inside += "route add 224.0.0.0/4 dev e0\n"; // As a default route would, which a lab has not.
        }
        carry_out(switch, &outside);
        carry_out(&space, &inside);
        Self { number, networks: networks.to_vec(), addresses, space }
    }

    /// Starts `flockmq` here.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        let command = self.space.command(env!("CARGO_BIN_EXE_flockmq"));
        Process::start(command, arguments, &format!("host {}", self.number))
    }

    /// Its address on each of its networks.
    pub(crate) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// What all its addresses on a network begin with, and everybody else's there.
    pub(crate) fn subnet(&self, network: usize) -> String {
        let index = self.networks.iter().position(|joined| *joined == network).expect("it is on that network");
        let (subnet, _) = self.addresses[index].rsplit_once('.').expect("an address");
        format!("{subnet}.")
    }

    /// What moves its wires to a side.
    fn plug_all(&self, side: usize) -> String {
        self.networks.iter().map(|network| self.plug(*network, side)).collect()
    }

    fn plug(&self, network: usize, side: usize) -> String {
        format!("link set dev {} master {}\n", port(self.number, network), bridge(network, side))
    }
}

fn carry_out(space: &Space, batch: &str) {
    space.ip(batch).unwrap_or_else(|error| panic!("{error}, doing:\n{batch}"));
}

/// Whether what a lab is made of can be had; if not, why.
fn try_out() -> Result<(), String> {
    let (one, other) = (Space::open()?, Space::open()?);
    one.ip(&format!(
        "link add name bridge0 type bridge\nlink add name wire0 type veth peer name wire1 netns {}\nlink set dev wire0 master bridge0\n",
        other.process()
    ))
}

/// The bridge that carries a network, or one side of it.
fn bridge(network: usize, side: usize) -> String {
    format!("n{network}s{side}")
}

/// The end of a host's wire at the switch.
fn port(host: usize, network: usize) -> String {
    format!("h{host}n{network}")
}

/// Whose turn it is: labs would steal each other's time.
static TURN: Mutex<()> = Mutex::new(());

/// Numbers networks, so that no two have the same addresses, though they never meet.
static SUBNETS: AtomicU8 = AtomicU8::new(1);
