//! How urgent messages are.

use serde::{Deserialize, Serialize};

/// How urgent a message is, from 0 to 9 (JMS `JMSPriority`): 0 to 4 is normal, 5 to 9 is expedited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Priority(u8);

/// A number that is no priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a priority of {0} is out of range; expected 0 to 9")]
pub struct PriorityError(pub u8);

impl Priority {
    /// How many there are.
    pub const COUNT: usize = 10;

    /// The most urgent.
    pub const MAX: Self = Self(9);

    /// The priority as a number.
    pub const fn level(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    /// 4, as JMS has it.
    fn default() -> Self {
        Self(4)
    }
}

impl TryFrom<u8> for Priority {
    type Error = PriorityError;

    fn try_from(level: u8) -> Result<Self, PriorityError> {
        if usize::from(level) < Self::COUNT { Ok(Self(level)) } else { Err(PriorityError(level)) }
    }
}

impl From<Priority> for u8 {
    fn from(priority: Priority) -> Self {
        priority.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_ten_priorities() {
        assert_eq!(Priority::default().level(), 4);
        assert_eq!(
            (0..10).map(|level| Priority::try_from(level).map(Priority::level)).filter_map(Result::ok).sum::<u8>(),
            45
        );
        assert_eq!(Priority::try_from(9), Ok(Priority::MAX));
        assert_eq!(Priority::try_from(10), Err(PriorityError(10)));
    }
}
