//! How often a process dials each address.

use std::collections::BTreeMap;
use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::{Address, BackoffConfig, Config, Host, Instant, Service};

/// The dials of a host's present process, by address.
#[derive(Debug)]
pub(super) struct Dials {
    config: Config,
    made: BTreeMap<Address, Made>,
}

/// The last of several dials.
#[derive(Clone, Copy, Debug)]
struct Made {
    at: Instant,
    /// At least as many waits lie behind it, since a link lasted.
    waits: u32,
}

impl Dials {
    pub(super) fn new(config: &Config) -> Self {
        Self { config: config.clone(), made: BTreeMap::new() }
    }

    /// R1, R2: between two dials of one address lies a wait, longer each time.
    pub(super) fn dialled(&mut self, at: Instant, host: HostId, address: Address) {
        let Some(before) = self.made.get_mut(&address) else {
            self.made.insert(address, Made { at, waits: 0 });
            return;
        };
        let shortest = shortest(self.config.backoff(&address), before.waits);
        assert!(
            at - before.at >= shortest,
            "R1: {host} dials {address} at {at}, after {} waits; the last dial was at {}, and {shortest:?} are the least",
            before.waits,
            before.at
        );
        *before = Made { at, waits: before.waits + 1 };
    }

    /// An address that two claim is dialled at once.
    pub(super) fn checked(&mut self, at: Instant, address: Address) {
        self.made.insert(address, Made { at, waits: 0 });
    }

    /// R3: waits begin anew after a link that has lasted.
    pub(super) fn lost(&mut self, at: Instant, since: Instant) {
        if at - since + CLOCKS >= self.config.dial.settled_after {
            for made in self.made.values_mut() {
                made.waits = 0;
            }
        }
    }

    /// Who is found again is dialled at once.
    pub(super) fn forget(&mut self, service: &Service) {
        if let Ok(address) = service.0.parse::<Address>() {
            // One that is advertised by a name is dialled at the address that the advert came from.
            let is_name = matches!(address.host, Host::Name(_));
            self.made.retain(|made, _| *made != address && !(is_name && made.port == address.port));
        }
    }

    /// Another process is there.
    pub(super) fn forget_host(&mut self, host: &Host) {
        self.made.retain(|made, _| made.host != *host);
    }

    /// The next process knows nothing.
    pub(super) fn crash(&mut self) {
        self.made.clear();
    }
}

/// How long a wait is at least, after so many others. A clock may run too fast, so it is a little less than that.
fn shortest(config: &BackoffConfig, earlier: u32) -> Duration {
    let mut nominal = config.first.min(config.max);
    for _ in 0..earlier.min(DOUBLINGS_MAX) {
        nominal = nominal.saturating_mul(config.factor.max(1)).min(config.max);
    }
    nominal * (100 - config.jitter_percent.min(100)) / 100 * 199 / 200
}

const CLOCKS: Duration = Duration::from_millis(100);
const DOUBLINGS_MAX: u32 = 40;
