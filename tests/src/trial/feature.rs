//! What a workload makes use of, beside what each does.

use std::collections::BTreeSet;

use crate::choice::Choice;

/// Something that brokers can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Feature {
    Administration,
    Browsing,
    ConsumerPriority,
    DeadLetters,
    Durables,
    Exclusive,
    Expiry,
    Groups,
    History,
    NoLocal,
    Priority,
    Redelivery,
    Transactions,
    VirtualTopics,
}

impl Feature {
    /// Some of them: none at all as often as one, two or five, so that simple workloads stay simple.
    pub(super) fn draw(choice: &mut Choice<'_>) -> BTreeSet<Self> {
        let count = choice.pick(&[0, 1, 2, 5]);
        (0..count).map(|_| choice.pick(&ALL)).collect()
    }
}

const ALL: [Feature; 14] = [
    Feature::Administration,
    Feature::Browsing,
    Feature::ConsumerPriority,
    Feature::DeadLetters,
    Feature::Durables,
    Feature::Exclusive,
    Feature::Expiry,
    Feature::Groups,
    Feature::History,
    Feature::NoLocal,
    Feature::Priority,
    Feature::Redelivery,
    Feature::Transactions,
    Feature::VirtualTopics,
];
