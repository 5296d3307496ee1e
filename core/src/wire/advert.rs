//! The discovery datagram, letter for letter as ActiveMQ writes it (semantics reference, section 2.1):
//! `<group>.ActiveMQ-4.` `alive.` or `dead.` `%localhost%` `<service URI>`.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::str;

use bytes::Bytes;

use crate::model::Service;

/// What an advert says of its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdvertStatus {
    /// It can be reached.
    Alive,
    /// It is taking its leave.
    Dead,
}

/// A service announced to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// Alive or leaving.
    pub status: AdvertStatus,
    /// The service.
    pub service: Service,
}

/// Why a datagram is no advert for a group; it is dropped and counted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdvertError {
    /// Another group's: several groups share one multicast address.
    #[error("the advert is for another group")]
    OtherGroup,
    /// Longer than [`Advert::LENGTH_MAX`].
    #[error("the datagram is {0} bytes long; at most {max} are listened to", max = Advert::LENGTH_MAX)]
    TooLong(usize),
    /// Not `<group>.ActiveMQ-4.…`.
    #[error("the datagram is no advert")]
    NoAdvert,
    /// Neither `alive.` nor `dead.` after the prefix.
    #[error("'{0}' is no status; expected 'alive.' or 'dead.'")]
    BadStatus(String),
    /// No name between percent signs.
    #[error("the advert has no name between percent signs")]
    NoName,
    /// A service URI that is empty, too long, or holds control characters.
    #[error("the advert names no service")]
    NoService,
}

impl Advert {
    /// The longest datagram that is listened to, in bytes: what fits one Ethernet frame.
    pub const LENGTH_MAX: usize = 1400;

    /// The datagram that announces this to `group`.
    pub fn encode(&self, group: &str) -> Bytes {
        let status = match self.status {
            AdvertStatus::Alive => ALIVE,
            AdvertStatus::Dead => DEAD,
        };
        [group, PREFIX, status, "%localhost%", &self.service.0].concat().into()
    }

    /// Reads a datagram heard by a member of `group`.
    pub fn decode(group: &str, datagram: &[u8]) -> Result<Self, AdvertError> {
        if datagram.len() > Self::LENGTH_MAX {
            return Err(AdvertError::TooLong(datagram.len()));
        }
        let text = str::from_utf8(datagram).map_err(|_| AdvertError::NoAdvert)?;
        let Some(rest) = text.strip_prefix(group).and_then(|rest| rest.strip_prefix(PREFIX)) else {
            return Err(if text.contains(PREFIX) { AdvertError::OtherGroup } else { AdvertError::NoAdvert });
        };
        let (status, rest) = if let Some(rest) = rest.strip_prefix(ALIVE) {
            (AdvertStatus::Alive, rest)
        } else if let Some(rest) = rest.strip_prefix(DEAD) {
            (AdvertStatus::Dead, rest)
        } else {
            let end = rest.find('%').unwrap_or(rest.len());
            return Err(AdvertError::BadStatus(rest[..end].to_owned()));
        };
        // The name is the constant `localhost` with ActiveMQ; like ActiveMQ we read any and use none.
        let (_, service) = rest.strip_prefix('%').and_then(|rest| rest.split_once('%')).ok_or(AdvertError::NoName)?;
        let is_plausible =
            !service.is_empty() && service.len() <= Service::LENGTH_MAX && !service.contains(char::is_control);
        if !is_plausible {
            return Err(AdvertError::NoService);
        }
        Ok(Self { status, service: Service(service.to_owned()) })
    }
}

const PREFIX: &str = ".ActiveMQ-4.";
const ALIVE: &str = "alive.";
const DEAD: &str = "dead.";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// The bytes captured from ActiveMQ 5.17.2 (semantics reference, section 2.1).
    #[test]
    fn adverts_are_byte_for_byte_those_of_activemq() {
        let service = Service("tcp://p1:39975".into());
        let alive = Advert { status: AdvertStatus::Alive, service: service.clone() };
        assert_eq!(&alive.encode("groupA")[..], b"groupA.ActiveMQ-4.alive.%localhost%tcp://p1:39975");
        assert_eq!(alive.encode("groupA").len(), 49);
        let dead = Advert { status: AdvertStatus::Dead, service };
        assert_eq!(&dead.encode("groupA")[..], b"groupA.ActiveMQ-4.dead.%localhost%tcp://p1:39975");
    }

    #[test]
    fn what_is_no_advert_says_why() {
        let cases: [(&[u8], AdvertError); 9] = [
            (b"", AdvertError::NoAdvert),
            (b"groupA.ActiveMQ", AdvertError::NoAdvert),
            (b"\xff\xfe", AdvertError::NoAdvert),
            (b"groupA.b.ActiveMQ-4.alive.%localhost%tcp://p:1", AdvertError::OtherGroup),
            (b"groupZ.ActiveMQ-4.alive.x", AdvertError::OtherGroup),
            (b"groupA.ActiveMQ-4.alive.x", AdvertError::NoName),
            (b"groupA.ActiveMQ-4.undead.%localhost%tcp://p:1", AdvertError::BadStatus("undead.".into())),
            (b"groupA.ActiveMQ-4.dead.%localhost%", AdvertError::NoService),
            (b"groupA.ActiveMQ-4.dead.%localhost%a\nb", AdvertError::NoService),
        ];
        for (datagram, error) in cases {
            assert_eq!(Advert::decode("groupA", datagram), Err(error));
        }
        assert_eq!(Advert::decode("a", &[b'a'; 1401]), Err(AdvertError::TooLong(1401)));
    }

    #[test]
    fn adverts_and_services_may_be_as_long_as_their_limits() {
        let advert = |length| Advert { status: AdvertStatus::Alive, service: Service("x".repeat(length)) };
        let heard = |advert: &Advert, group: &str| Advert::decode(group, &advert.encode(group));
        let longest = advert(Service::LENGTH_MAX);
        assert_eq!(heard(&longest, "g"), Ok(longest.clone()));
        assert_eq!(heard(&advert(Service::LENGTH_MAX + 1), "g"), Err(AdvertError::NoService));
        let group = "g".repeat(Advert::LENGTH_MAX + 1 - longest.encode("g").len());
        assert_eq!(heard(&longest, &group), Ok(longest));
    }

    proptest! {
        #[test]
        fn any_group_hears_its_own_adverts(group in "\\PC{1,40}", service in "[!-~]{1,80}", alive: bool) {
            let status = if alive { AdvertStatus::Alive } else { AdvertStatus::Dead };
            let advert = Advert { status, service: Service(service) };
            prop_assert_eq!(Advert::decode(&group, &advert.encode(&group)), Ok(advert));
        }

        /// Invariant V5: group names compare whole.
        #[test]
        fn no_group_hears_anothers(a in "[ab.]{1,5}", b in "[ab.]{1,5}") {
            prop_assume!(a != b);
            let advert = Advert { status: AdvertStatus::Alive, service: Service("tcp://h:1".into()) };
            let heard = Advert::decode(&a, &advert.encode(&b));
            prop_assert!(heard.is_err(), "{}", format!("{a} heard {b}"));
        }

        #[test]
        fn no_datagram_panics(group in "\\PC{0,10}", datagram: Vec<u8>) {
            let _ = Advert::decode(&group, &datagram);
        }
    }
}
