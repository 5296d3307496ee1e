//! How destinations are treated, by their names.

use alloc::vec::Vec;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::dead_letter::DeadLetterPolicy;
use super::history::History;
use super::redelivery::RedeliveryPolicy;
use super::room::WhenFull;
use super::slow::SlowConsumers;
use crate::model::Destination;

/// How one destination is treated (ActiveMQ's `policyEntry`). A destination gets its policy when it is created and
/// keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationPolicy {
    /// When deliveries that were given back are handed out again.
    pub redelivery: RedeliveryPolicy,
    /// What becomes of messages that can't be delivered.
    pub dead_letters: DeadLetterPolicy,
    /// What a topic remembers for those who subscribe late.
    pub history: History,
    /// How many bytes may wait here (ActiveMQ's `memoryLimit`): in the queue, or for each of the topic's subscribers. The
    /// broker's own limits if `None`.
    pub bytes_max: Option<u64>,
    /// After how long a destination is forgotten where nothing has happened, and of which nothing would be missed (ActiveMQ's
    /// `gcInactiveDestinations` and `inactiveTimeoutBeforeGC`); never if `None`. It comes to be again when it is named
    /// again.
    pub forgotten_after: Option<Duration>,
    /// What becomes of a message that there is no room for.
    pub when_full: WhenFull,
    /// What becomes of the topic's consumers that are slow.
    pub slow_consumers: SlowConsumers,
}

/// Which policy holds for which destination (ActiveMQ's `policyMap`).
///
/// The one of the most specific pattern wins, and of several as specific the first. Patterns are compared level by level,
/// the first that differs counts: a name there is more specific than `*`, and `*` than `>`.
///
/// ```
/// use flockmq_core::{BrokerConfig, DestinationPolicy, Policies, PolicyEntry};
///
/// let mut patient = DestinationPolicy::default();
/// patient.redelivery.redeliveries_max = Some(100);
/// let entries = vec![PolicyEntry { destination: "queue://orders.>".parse()?, policy: patient }];
/// let policies = Policies { entries, ..Policies::default() };
/// let config = BrokerConfig { policies, ..BrokerConfig::default() };
/// # Ok::<(), flockmq_core::DestinationError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policies {
    /// For destinations that no entry names.
    pub default: DestinationPolicy,
    /// For those that some do.
    pub entries: Vec<PolicyEntry>,
}

/// A policy and what it holds for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyEntry {
    /// A destination or a pattern.
    pub destination: Destination,
    /// How it, or whatever the pattern covers, is treated.
    pub policy: DestinationPolicy,
}

impl Policies {
    /// The policy of a destination.
    pub(super) fn resolve(&self, name: &Destination) -> &DestinationPolicy {
        let entries = self.entries.iter().rev().filter(|entry| entry.destination.matches(name));
        // The last of the greatest, so the first of those listed.
        let best = entries.max_by(|one, other| specificity(&one.destination).cmp(specificity(&other.destination)));
        best.map_or(&self.default, |entry| &entry.policy)
    }
}

/// How specific a pattern is at each of its levels and after them. `>` stands for the end of a name too, less so than
/// the end itself.
fn specificity(pattern: &Destination) -> impl Iterator<Item = u8> + '_ {
    let mut levels = pattern.name().split('.').peekable();
    let ranks = core::iter::from_fn(move || {
        let level = levels.next()?;
        Some(match level {
            ">" if levels.peek().is_none() => 0,
            "*" => 2,
            _ => 3,
        })
    });
    ranks.chain([1])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Policies that are told apart by how often they redeliver: as often as their pattern's place in the list says.
    fn policies(patterns: &[&str]) -> Policies {
        let entries = patterns.iter().zip(1..).map(|(pattern, place)| {
            let mut policy = DestinationPolicy::default();
            policy.redelivery.redeliveries_max = Some(place);
            PolicyEntry { destination: pattern.parse().expect("a destination"), policy }
        });
        Policies { entries: entries.collect(), ..Policies::default() }
    }

    fn winner(policies: &Policies, name: &str) -> Option<u32> {
        policies.resolve(&name.parse().expect("a destination")).redelivery.redeliveries_max
    }

    #[test]
    fn the_most_specific_policy_holds() {
        let ranked = ["queue://>", "queue://a.>", "queue://a.*", "queue://a.*.c", "queue://a.b.*", "queue://a.b"];
        let backwards: Vec<&str> = ranked.iter().rev().copied().collect();
        let names = [("z", 1), ("a", 2), ("a.x.y", 2), ("a.x", 3), ("a.x.c", 4), ("a.b.c", 5), ("a.b", 6)];
        for (name, place) in names {
            assert_eq!(winner(&policies(&ranked), name), Some(place), "{name}");
            assert_eq!(winner(&policies(&backwards), name), Some(7 - place), "{name}, listed backwards");
        }
    }

    #[test]
    fn the_first_of_equally_specific_policies_holds() {
        assert_eq!(winner(&policies(&["a.*", "a.*"]), "a.b"), Some(1));
    }

    #[test]
    fn a_name_that_no_entry_covers_has_the_default() {
        let default = DestinationPolicy::default().redelivery.redeliveries_max;
        assert_eq!(default, Some(6), "which the list's places are not");
        assert_eq!(winner(&policies(&["a.*"]), "topic://a.b"), default, "the kind counts");
        assert_eq!(winner(&policies(&[]), "a.b"), default);
    }
}
