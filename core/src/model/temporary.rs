//! What names a temporary destination: whose it is, and its number there.

use core::fmt;

use super::id::{BrokerId, ConnectionId};

/// A temporary destination's name, `BROKER:CONNECTION:NUMBER`: the connection that it belongs to, and its number among
/// those of that connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Temporary {
    /// The broker, or the client, that the connection is attached to.
    pub broker: BrokerId,
    /// The connection.
    pub connection: ConnectionId,
    /// Its number there, of the connection's own choice.
    pub number: u64,
}

impl fmt::Display for Temporary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.broker, self.connection, self.number)
    }
}

impl Temporary {
    /// Reads a name as it is printed. One name has one spelling, so that names can be compared as texts.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (broker, connection, number) = (parts.next()?, parts.next()?, parts.next()?);
        let is_spelt =
            broker.len() == BROKER_DIGITS && broker.bytes().all(|digit| b"0123456789abcdef".contains(&digit));
        if !is_spelt || parts.next().is_some() {
            return None;
        }
        let broker = broker.parse().ok()?;
        Some(Self { broker, connection: ConnectionId(read_number(connection)?), number: read_number(number)? })
    }
}

fn read_number(text: &str) -> Option<u64> {
    let is_spelt = text.bytes().all(|digit| digit.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_spelt { text.parse().ok() } else { None }
}

/// How long a broker's id is when printed.
const BROKER_DIGITS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn a_name_has_one_spelling() {
        let broker = "0000000000000000000000000000feed";
        let named = |text: &str| Temporary::read(text);
        let expected = Temporary { broker: BrokerId(0xfeed), connection: ConnectionId(1), number: 20 };
        assert_eq!(named(&alloc::format!("{broker}:1:20")), Some(expected));
        let most = u64::MAX.to_string();
        assert!(named(&alloc::format!("{broker}:{most}:0")).is_some());
        for rest in ["1:020", "01:20", "1:+20", "1:20:3", "1:", ":20", "1", "1:-2", "1:2.3", "1:18446744073709551616"] {
            assert_eq!(named(&alloc::format!("{broker}:{rest}")), None, "{rest}");
        }
        for broker in ["feed", &broker.to_uppercase(), &alloc::format!("+{}", &broker[1..])] {
            assert_eq!(named(&alloc::format!("{broker}:1:20")), None, "{broker}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_read_as_it_was_printed(broker: u128, connection: u64, number: u64) {
            let name = Temporary { broker: BrokerId(broker), connection: ConnectionId(connection), number };
            prop_assert_eq!(Temporary::read(&name.to_string()), Some(name));
        }
    }
}
