//! Which consumers come first.

use serde::{Deserialize, Serialize};

/// How much a consumer of a queue comes before others, from 0 to 127 (ActiveMQ's `consumer.priority`): whoever has a
/// lower one is handed only what nobody above has credit for. Peers' consumers come after all of a broker's own.
///
/// ```
/// use flockmq_core::ConsumerPriority;
///
/// assert!(ConsumerPriority::try_from(5)? > ConsumerPriority::default());
/// # Ok::<(), flockmq_core::ConsumerPriorityError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct ConsumerPriority(u8);

/// A number that is no consumer's priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a consumer's priority of {0} is out of range; expected 0 to 127")]
pub struct ConsumerPriorityError(pub u8);

impl ConsumerPriority {
    /// Who asks for none has this one: 0.
    pub const MIN: Self = Self(0);

    /// Nobody comes before these.
    pub const MAX: Self = Self(127);

    /// The priority as a number.
    pub const fn level(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for ConsumerPriority {
    type Error = ConsumerPriorityError;

    fn try_from(level: u8) -> Result<Self, ConsumerPriorityError> {
        if level <= Self::MAX.0 { Ok(Self(level)) } else { Err(ConsumerPriorityError(level)) }
    }
}

impl From<ConsumerPriority> for u8 {
    fn from(priority: ConsumerPriority) -> Self {
        priority.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_end_at_127() {
        assert_eq!(ConsumerPriority::default(), ConsumerPriority::MIN);
        assert_eq!(ConsumerPriority::try_from(127), Ok(ConsumerPriority::MAX));
        assert_eq!(ConsumerPriority::try_from(128), Err(ConsumerPriorityError(128)));
        assert_eq!(u8::from(ConsumerPriority::MAX), ConsumerPriority::MAX.level());
    }
}
