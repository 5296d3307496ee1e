//! What a workload makes use of, beside what each does.

use std::collections::BTreeSet;

use crate::choice::Choice;

/// Something that brokers can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feature {
    Administration,
    Browsing,
    Composites,
    ConsumerPriority,
    DeadLetters,
    Durables,
    Exclusive,
    Expiry,
    Groups,
    History,
    IdleDestinations,
    Memory,
    NoLocal,
    Priority,
    Redelivery,
    Selectors,
    SlowConsumers,
    Temporaries,
    Transactions,
    VirtualTopics,
}

impl Feature {
    pub(super) const ALL: [Self; 20] = [
        Self::Administration,
        Self::Browsing,
        Self::Composites,
        Self::ConsumerPriority,
        Self::DeadLetters,
        Self::Durables,
        Self::Exclusive,
        Self::Expiry,
        Self::Groups,
        Self::History,
        Self::IdleDestinations,
        Self::Memory,
        Self::NoLocal,
        Self::Priority,
        Self::Redelivery,
        Self::Selectors,
        Self::SlowConsumers,
        Self::Temporaries,
        Self::Transactions,
        Self::VirtualTopics,
    ];

    /// Some of them: none at all as often as one, two or up to five, so that simple workloads stay simple.
    pub(super) fn draw(choice: &mut Choice<'_>) -> BTreeSet<Self> {
        let count = choice.pick(&[0, 1, 2, 5]);
        (0..count).map(|_| choice.pick(&Self::ALL)).collect()
    }
}
