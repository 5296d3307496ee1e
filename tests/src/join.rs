//! Network connectors: brokers of one group that are bridged to brokers of another, and what may cross there.

use flockmq_core::sim::HostId;
use flockmq_core::{BridgeConfig, Config, ConnectorConfig, Destination, Permits};

use crate::choice::Choice;
use crate::play::at_port;

/// A host's network connector to another host, and how it behaves. Hosts are named by their places, lists by theirs in
/// `LISTS`.
#[expect(clippy::struct_excessive_bools, reason = "options, each on or off by itself")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Join {
    /// Whose connector it is.
    pub from: u8,
    /// Where it leads.
    pub to: u8,
    /// What does not cross.
    pub excluded: u8,
    /// What alone crosses where it is wanted, if there is anything.
    pub included: u8,
    /// What crosses whether or not it is wanted.
    pub forwarded: u8,
    /// True if nothing else crosses.
    pub is_static: bool,
    /// True if temporary destinations cross.
    pub temporary: bool,
    /// True if the other's consumers count as one.
    pub is_conduit: bool,
    /// True if they stand beside the host's own, and not behind them.
    pub is_level: bool,
    /// How many messages may be on their way for one demand; as many as within a group if 0.
    pub prefetch: u8,
}

impl Join {
    /// One or two that lead from the first `here` hosts to the `there` that come after them, or back.
    pub(crate) fn draw_some(choice: &mut Choice<'_>, here: u8, there: u8) -> Vec<Self> {
        let mut joins: Vec<Self> = Vec::new();
        for _ in 0..choice.pick(&[1, 1, 1, 2]) {
            let (a, b) = (choice.place(here.into()), here + choice.place(there.into()));
            let (from, to) = if choice.chance(1, 3) { (b, a) } else { (a, b) };
            let is_plain = choice.chance(1, 3);
            let mut list = || if is_plain { 0 } else { choice.pick(&[0, 0, 1, 2, 3, 4]) };
            let (excluded, included, forwarded) = (list(), list(), list());
            let join = Self {
                from,
                to,
                excluded,
                included,
                forwarded,
                is_static: choice.chance(1, 8),
                temporary: !choice.chance(1, 4),
                is_conduit: choice.chance(1, 3),
                is_level: choice.chance(1, 3),
                prefetch: choice.pick(&[0, 0, 1, 3]),
            };
            if joins.iter().all(|other| (other.from, other.to) != (from, to)) {
                joins.push(join);
            }
        }
        joins
    }

    /// Gives its host the connector.
    pub(crate) fn apply(&self, config: &mut Config) {
        let mut bridge = BridgeConfig { permits: self.permits(), ..config.bridge.clone() };
        bridge.conduit_subscriptions = self.is_conduit;
        if self.is_level {
            bridge.priority_base = None;
        }
        if self.prefetch > 0 {
            bridge.prefetch = self.prefetch.into();
        }
        let address = at_port(HostId(self.to.into()));
        config.connectors.push(ConnectorConfig { bridge, ..ConnectorConfig::new([address]) });
    }

    fn permits(&self) -> Permits {
        let list = |at: u8| -> Vec<Destination> {
            let names = LISTS[usize::from(at) % LISTS.len()].iter();
            names.map(|name| name.parse().expect("a destination")).collect()
        };
        Permits {
            excluded: list(self.excluded),
            statically_included: list(self.forwarded),
            dynamically_included: list(self.included),
            is_static: self.is_static,
            temporary: self.temporary,
        }
    }
}

/// True if messages of a destination may cross by a bridge of these options, as docs/network.md says it.
pub(crate) fn may_cross(permits: &Permits, destination: &Destination) -> bool {
    let is_in = |list: &[Destination]| list.iter().any(|listed| listed.matches(destination));
    match destination.as_temporary() {
        Some(_) => permits.temporary,
        None if is_in(&permits.excluded) => false,
        None if is_in(&permits.statically_included) => true,
        None if permits.is_static => false,
        None => permits.dynamically_included.is_empty() || is_in(&permits.dynamically_included),
    }
}

/// What joins may treat otherwise than the rest.
const LISTS: [&[&str]; 5] = [
    &[],
    &["queue://orders", "topic://prices.>"],
    &["queue://jobs"],
    &["topic://news", "queue://orders.>"],
    &["topic://prices.gold", "queue://jobs", "queue://urgent"],
];
