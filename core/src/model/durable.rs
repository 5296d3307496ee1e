//! What subscriptions are known by that outlast their consumers.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// The identity of a durable subscription, unique on its broker (JMS client id and subscription name).
///
/// ```
/// use flockmq_core::Durable;
///
/// let audit = Durable::new("accounting", "audit")?;
/// assert_eq!(audit.to_string(), "accounting/audit");
/// assert!(Durable::new("", "audit").is_err());
/// # Ok::<(), flockmq_core::DurableError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "(String, String)", into = "(String, String)")]
pub struct Durable {
    client_id: String,
    name: String,
}

/// Why two texts name no durable subscription.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurableError {
    /// A character that no name may hold.
    #[error("the {part} of a durable subscription has the control character U+{:04X} at byte {at}", u32::from(*found))]
    ControlCharacter {
        /// Client id or name.
        part: &'static str,
        /// The character.
        found: char,
        /// Where it stands.
        at: usize,
    },
    /// Nothing where a name is needed.
    #[error("the {part} of a durable subscription is empty; it needs a client id and a name")]
    Empty {
        /// Client id or name.
        part: &'static str,
    },
    /// Longer than [`Durable::LENGTH_MAX`].
    #[error(
        "the {part} of a durable subscription is {length} bytes long; at most {max} are allowed",
        max = Durable::LENGTH_MAX
    )]
    TooLong {
        /// Client id or name.
        part: &'static str,
        /// Its length in bytes.
        length: usize,
    },
}

impl Durable {
    /// The longest client id and the longest name, in bytes.
    pub const LENGTH_MAX: usize = 255;

    /// The subscription that the client `client_id` calls `name`.
    pub fn new(client_id: impl Into<String>, name: impl Into<String>) -> Result<Self, DurableError> {
        let made = Self { client_id: client_id.into(), name: name.into() };
        check("client id", &made.client_id)?;
        check("name", &made.name)?;
        Ok(made)
    }

    /// Whose it is.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// What that client calls it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl core::fmt::Display for Durable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/{}", self.client_id, self.name)
    }
}

impl TryFrom<(String, String)> for Durable {
    type Error = DurableError;

    fn try_from((client_id, name): (String, String)) -> Result<Self, Self::Error> {
        Self::new(client_id, name)
    }
}

impl From<Durable> for (String, String) {
    fn from(durable: Durable) -> Self {
        (durable.client_id, durable.name)
    }
}

fn check(part: &'static str, text: &str) -> Result<(), DurableError> {
    if text.is_empty() {
        return Err(DurableError::Empty { part });
    }
    if text.len() > Durable::LENGTH_MAX {
        return Err(DurableError::TooLong { part, length: text.len() });
    }
    match text.char_indices().find(|(_, found)| found.is_control()) {
        Some((at, found)) => Err(DurableError::ControlCharacter { part, found, at }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_durable_subscription_needs_both_names_and_says_which_is_wrong() {
        let longest = "x".repeat(Durable::LENGTH_MAX);
        let made = Durable::new(longest.clone(), "é").expect("valid");
        assert_eq!((made.client_id(), made.name()), (longest.as_str(), "é"));
        assert_eq!(Durable::try_from(<(String, String)>::from(made.clone())), Ok(made));
        let errors = [("", "a"), ("a", ""), (&*(longest + "x"), "a"), ("a", "b\tc")]
            .map(|(client_id, name)| Durable::new(client_id, name).expect_err("wrong").to_string());
        assert_eq!(errors[0], "the client id of a durable subscription is empty; it needs a client id and a name");
        assert_eq!(errors[1], "the name of a durable subscription is empty; it needs a client id and a name");
        assert_eq!(errors[2], "the client id of a durable subscription is 256 bytes long; at most 255 are allowed");
        assert_eq!(errors[3], "the name of a durable subscription has the control character U+0009 at byte 1");
    }
}
