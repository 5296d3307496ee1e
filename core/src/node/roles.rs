//! Which link to a peer is kept.
//!
//! Of two brokers, the one with the lower id decides: it alone sees all links between them in one order, so exactly
//! one is kept, from every interleaving of dials. The other asks for each link (`Propose`) and is told (`Open` or a
//! `Goodbye`). Kept links are counted in *generations*, and who asks tells the generation that it last saw the end of:
//! so a link that is dead at one end only gives way to its successor at once.
//!
//! The count begins anywhere: what the generation of a live link is, only its two ends know. So nobody takes its place who
//! merely says that it is one of them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::base::Rng;
use crate::model::{Address, BrokerId, LinkId};

/// What is known of other brokers.
#[derive(Debug)]
pub(super) struct Peers {
    local: BrokerId,
    rng: Rng,
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
    /// It claims to be one of whose links with us it knows what can't be.
    Impostor,
    /// Another is.
    Refuse,
}

impl Peers {
    pub(super) fn new(local: BrokerId, rng: Rng) -> Self {
        Self { local, rng, known: BTreeMap::new() }
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
    pub(super) fn judge(&mut self, broker: BrokerId, ended: u64) -> Verdict {
        let last = match self.known.get(&broker) {
            Some(Known { kept: Some(_), generation, .. }) if ended < *generation => return Verdict::Refuse,
            Some(Known { kept: Some(_), generation, .. }) if ended > *generation => return Verdict::Impostor,
            Some(known) => known.generation.max(ended),
            None => ended,
        };
        if last == 0 {
            return Verdict::Keep(1 + self.rng.below(FIRST_MAX));
        }
        Verdict::Keep(last.saturating_add(1))
    }

    /// Judges a link that `broker`, which decides, keeps as this generation: it follows that of the link there is, if there
    /// is one. Some in between may never have come to our ears.
    pub(super) fn follows(&self, broker: BrokerId, generation: u64) -> Verdict {
        match self.known.get(&broker) {
            Some(Known { kept: Some(_), generation: last, .. }) if generation <= *last => Verdict::Refuse,
            Some(Known { kept: Some(_), generation: last, .. }) if generation - last > UNHEARD_MAX => Verdict::Impostor,
            _ => Verdict::Keep(generation),
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

    /// `broker` was found at `address`, so that nobody else is: tells the links to those who have said so and of whose
    /// addresses none is left.
    pub(super) fn disprove(&mut self, broker: BrokerId, address: &Address) -> Vec<LinkId> {
        let mut liars = Vec::new();
        for (other, known) in &mut self.known {
            let before = known.addresses.len();
            known.addresses.retain(|claimed| *other == broker || claimed != address);
            if known.addresses.len() < before && known.addresses.is_empty() {
                liars.extend(known.kept);
            }
        }
        liars
    }

    /// Those of a linked broker's addresses that another one claims as well.
    pub(super) fn contested(&self, broker: BrokerId) -> Vec<Address> {
        let claimed = self.known.get(&broker).map_or(&[][..], |known| &known.addresses);
        let is_others = |address: &&Address| {
            let others = self.known.iter().filter(|(other, known)| **other != broker && known.kept.is_some());
            others.into_iter().any(|(_, known)| known.addresses.contains(*address))
        };
        claimed.iter().filter(is_others).cloned().collect()
    }

    /// The kept link to a broker.
    pub(super) fn kept(&self, broker: BrokerId) -> Option<LinkId> {
        self.known.get(&broker)?.kept
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

/// Where the generations of a pair begin: anywhere up to here, so that there are more than enough to come.
const FIRST_MAX: u64 = 1 << 62;

/// How many kept links in a row may have ended before we heard that they were kept.
const UNHEARD_MAX: u64 = 1_000;

/// How many brokers are remembered.
const KNOWN_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Seed;

    const LOW: BrokerId = BrokerId(1);
    const HIGH: BrokerId = BrokerId(2);

    fn peers(local: BrokerId) -> Peers {
        Peers::new(local, Rng::new(Seed::from(1)))
    }

    #[test]
    fn of_two_links_asked_for_the_first_is_kept() {
        let mut low = peers(LOW);
        assert!(low.decides(HIGH) && !peers(HIGH).decides(LOW));
        assert!(matches!(low.judge(HIGH, 0), Verdict::Keep(1..)));
        assert_eq!(low.keep(HIGH, LinkId(1), 1, Vec::new()), None);
        assert_eq!(low.judge(HIGH, 0), Verdict::Refuse);
    }

    #[test]
    fn a_link_that_only_the_other_end_saw_dying_is_replaced() {
        let mut low = peers(LOW);
        low.keep(HIGH, LinkId(1), 1, Vec::new());
        assert_eq!(low.judge(HIGH, 1), Verdict::Keep(2));
        assert_eq!(low.keep(HIGH, LinkId(2), 2, Vec::new()), Some(LinkId(1)));
        assert!(!low.part(HIGH, LinkId(1)), "the replaced link is no longer the kept one");
        assert!(low.part(HIGH, LinkId(2)));
        assert_eq!(low.ended(HIGH), 2);
        assert_eq!(low.judge(HIGH, 1), Verdict::Keep(3));
    }

    /// Only the two ends of a link know its generation, which begins anywhere.
    #[test]
    fn who_does_not_know_the_generation_of_a_live_link_takes_no_place() {
        let mut low = peers(LOW);
        let Verdict::Keep(first) = low.judge(HIGH, 0) else { panic!("there is none yet") };
        assert!(first > 1 << 32, "nobody guesses that");
        low.keep(HIGH, LinkId(1), first, Vec::new());
        for (ended, verdict) in [
            (0, Verdict::Refuse),
            (first - 1, Verdict::Refuse),
            (first, Verdict::Keep(first + 1)),
            (first + 1, Verdict::Impostor),
            (u64::MAX, Verdict::Impostor),
        ] {
            assert_eq!(low.judge(HIGH, ended), verdict);
        }

        let mut high = peers(HIGH);
        assert_eq!(high.follows(LOW, 7), Verdict::Keep(7), "there is none yet");
        high.keep(LOW, LinkId(1), first, Vec::new());
        for (generation, verdict) in [
            (1, Verdict::Refuse),
            (first, Verdict::Refuse),
            (first + 1, Verdict::Keep(first + 1)),
            (first + UNHEARD_MAX, Verdict::Keep(first + UNHEARD_MAX)),
            (first + UNHEARD_MAX + 1, Verdict::Impostor),
        ] {
            assert_eq!(high.follows(LOW, generation), verdict);
        }
    }

    #[test]
    fn an_address_is_of_whoever_is_found_there() {
        let address = |text: &str| -> Address { text.parse().expect(text) };
        let [one, other] = ["tcp://10.0.0.1:1", "tcp://10.0.0.2:1"].map(address);
        let (mut low, third) = (peers(LOW), BrokerId(3));
        low.keep(HIGH, LinkId(1), 1, [one.clone(), other.clone()].into());
        low.keep(third, LinkId(2), 1, [one.clone()].into());
        assert_eq!((low.contested(HIGH), low.contested(third)), ([one.clone()].into(), [one.clone()].into()));
        assert_eq!(low.disprove(third, &one), [], "the other one is left to it");
        assert_eq!((low.linked_at(&one), low.contested(third)), (Some(third), [].into()));
        assert_eq!(low.disprove(third, &other), [LinkId(1)]);
        assert_eq!(low.disprove(third, &other), [], "once");
    }

    #[test]
    fn the_first_connector_that_leads_to_a_broker_holds() {
        let mut low = peers(LOW);
        assert_eq!((low.lead(HIGH, 2), low.connector(HIGH)), (None, Some(2)));
        low.keep(HIGH, LinkId(1), 1, Vec::new());
        assert_eq!((low.lead(HIGH, 2), low.lead(HIGH, 3), low.connector(HIGH)), (None, None, Some(2)));
        assert_eq!((low.lead(HIGH, 0), low.connector(HIGH)), (Some(LinkId(1)), Some(0)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut low = peers(LOW);
        for number in 2..KNOWN_MAX as u128 + 10 {
            low.keep(BrokerId(number), LinkId(1), 1, Vec::new());
            low.part(BrokerId(number), LinkId(1));
        }
        assert_eq!(low.known.len(), KNOWN_MAX);
    }
}
