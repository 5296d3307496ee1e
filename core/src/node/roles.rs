//! Which link to a peer is kept.
//!
//! Of two brokers, the one with the lower id decides: it alone sees all links between them in one order, so exactly
//! one is kept, from every interleaving of dials. The other asks for each link (`Propose`) and is told (`Open` or a
//! `Goodbye`). Kept links are counted in *generations*, and who asks tells the generation that it last saw the end of:
//! so a link that is dead at one end only gives way to its successor at once.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::model::{Address, BrokerId, LinkId};

/// What is known of other brokers.
#[derive(Debug)]
pub(super) struct Peers {
    local: BrokerId,
    known: BTreeMap<BrokerId, Known>,
}

#[derive(Debug, Default)]
struct Known {
    kept: Option<LinkId>,
    generation: u64,
    ended: u64,
    addresses: Vec<Address>,
    clash_told: bool,
    connector: Option<usize>, // Of ours, that leads there.
}

/// What is decided of a link that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is kept, as this generation.
    Keep(u64),
    /// Another is.
    Refuse,
}

impl Peers {
    pub(super) fn new(local: BrokerId) -> Self {
        Self { local, known: BTreeMap::new() }
    }

    /// True if this node decides which links to `broker` are kept.
    pub(super) fn decides(&self, broker: BrokerId) -> bool {
        self.local < broker
    }

    /// The generation of the last link to `broker` that ended.
    pub(super) fn ended(&self, broker: BrokerId) -> u64 {
        self.known.get(&broker).map_or(0, |known| known.ended)
    }

    /// Decides on a link that `broker`, which last saw the generation `ended` end, asks to keep.
    pub(super) fn judge(&self, broker: BrokerId, ended: u64) -> Verdict {
        match self.known.get(&broker) {
            Some(Known { kept: Some(_), generation, .. }) if ended < *generation => Verdict::Refuse,
            known => Verdict::Keep(known.map_or(0, |known| known.generation).max(ended).saturating_add(1)),
        }
    }

    /// Notes that a link is kept, and tells the one it takes the place of.
    pub(super) fn keep(
        &mut self,
        broker: BrokerId,
        link: LinkId,
        generation: u64,
        addresses: Vec<Address>,
    ) -> Option<LinkId> {
        let known = self.remember(broker);
        known.generation = generation;
        known.addresses = addresses;
        known.kept.replace(link)
    }

    /// Notes the end of a link; true if it was the kept one.
    pub(super) fn part(&mut self, broker: BrokerId, link: LinkId) -> bool {
        let Some(known) = self.known.get_mut(&broker) else {
            return false;
        };
        if known.kept != Some(link) {
            return false;
        }
        known.kept = None;
        known.ended = known.generation;
        known.addresses.clear();
        true
    }

    /// True if a link to `broker` is kept.
    pub(super) fn is_linked(&self, broker: BrokerId) -> bool {
        self.known.get(&broker).is_some_and(|known| known.kept.is_some())
    }

    /// The linked broker that says it can be reached at `address`.
    pub(super) fn linked_at(&self, address: &Address) -> Option<BrokerId> {
        let at = self.known.iter().find(|(_, known)| known.kept.is_some() && known.addresses.contains(address));
        at.map(|(broker, _)| *broker)
    }

    /// The network connector of ours that leads to `broker`.
    pub(super) fn connector(&self, broker: BrokerId) -> Option<usize> {
        self.known.get(&broker)?.connector
    }

    /// Notes that a network connector of ours leads to `broker`: the first of them holds. Tells the kept link that was
    /// made before this was known.
    pub(super) fn lead(&mut self, broker: BrokerId, connector: usize) -> Option<LinkId> {
        let known = self.remember(broker);
        if known.connector.is_some_and(|first| first <= connector) {
            return None;
        }
        known.connector = Some(connector);
        known.kept
    }

    /// True the first time it is asked of a broker.
    pub(super) fn is_clash_news(&mut self, broker: BrokerId) -> bool {
        !core::mem::replace(&mut self.remember(broker).clash_told, true)
    }

    /// What is known of a broker; for one that was not, another is forgotten that is gone, if as many are known as may.
    fn remember(&mut self, broker: BrokerId) -> &mut Known {
        if self.known.len() >= KNOWN_MAX && !self.known.contains_key(&broker) {
            let gone = self.known.iter().find(|(_, known)| known.kept.is_none()).map(|(broker, _)| *broker);
            if let Some(gone) = gone {
                self.known.remove(&gone);
            }
        }
        self.known.entry(broker).or_default()
    }
}

/// How many brokers are remembered.
const KNOWN_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: BrokerId = BrokerId(1);
    const HIGH: BrokerId = BrokerId(2);

    #[test]
    fn of_two_links_asked_for_the_first_is_kept() {
        let mut low = Peers::new(LOW);
        assert!(low.decides(HIGH) && !Peers::new(HIGH).decides(LOW));
        assert_eq!(low.judge(HIGH, 0), Verdict::Keep(1));
        assert_eq!(low.keep(HIGH, LinkId(1), 1, Vec::new()), None);
        assert_eq!(low.judge(HIGH, 0), Verdict::Refuse);
    }

    #[test]
    fn a_link_that_only_the_other_end_saw_dying_is_replaced() {
        let mut low = Peers::new(LOW);
        low.keep(HIGH, LinkId(1), 1, Vec::new());
        assert_eq!(low.judge(HIGH, 1), Verdict::Keep(2));
        assert_eq!(low.keep(HIGH, LinkId(2), 2, Vec::new()), Some(LinkId(1)));
        assert!(!low.part(HIGH, LinkId(1)), "the replaced link is no longer the kept one");
        assert!(low.part(HIGH, LinkId(2)));
        assert_eq!(low.ended(HIGH), 2);
        assert_eq!(low.judge(HIGH, 1), Verdict::Keep(3));
    }

    #[test]
    fn the_first_connector_that_leads_to_a_broker_holds() {
        let mut low = Peers::new(LOW);
        assert_eq!((low.lead(HIGH, 2), low.connector(HIGH)), (None, Some(2)));
        low.keep(HIGH, LinkId(1), 1, Vec::new());
        assert_eq!((low.lead(HIGH, 2), low.lead(HIGH, 3), low.connector(HIGH)), (None, None, Some(2)));
        assert_eq!((low.lead(HIGH, 0), low.connector(HIGH)), (Some(LinkId(1)), Some(0)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut low = Peers::new(LOW);
        for number in 2..KNOWN_MAX as u128 + 10 {
            low.keep(BrokerId(number), LinkId(1), 1, Vec::new());
            low.part(BrokerId(number), LinkId(1));
        }
        assert_eq!(low.known.len(), KNOWN_MAX);
    }
}
