//! What a peer was told that is wanted here: each destination once for each selector, or once for all that is wanted of
//! it; by the shortest path, and with the number of consumers behind that. What only durable subscriptions want that have
//! no consumer is told beside it, as dormant, where they are nearer than whoever else wants the same.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::ways::{Ranked, Ways};
use crate::base::Situation;
use crate::model::{Demand, Destination, DestinationKind, Selector};

/// What a peer has to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A demand, under a number that was never used before on this link.
    Begun { number: u32, demand: Demand, consumers: NonZeroU32 },
    /// The end of a demand for a destination of this kind.
    Ended { number: u32, kind: DestinationKind },
    /// How many consumers stand behind a demand now.
    Weighed { number: u32, consumers: NonZeroU32 },
}

/// Demands by destination.
#[derive(Debug)]
pub(super) struct Interest {
    wishes: BTreeMap<Destination, Wishes>,
    numbers: BTreeSet<u32>, // Of what is told.
    last: u32,
    selectors_max: usize,
}

/// What is wanted of one destination, and what the peer was told of it.
#[derive(Debug, Default)]
struct Wishes {
    wanted: BTreeMap<Kind, Ways>, // None is empty.
    active: Ways,                 // Of all that is not dormant, whatever the selectors.
    dormant: Ways,                // Of all that is.
    told: BTreeMap<Kind, Told>,
    is_merged: bool, // There are too many selectors to tell them.
}

/// Which of a destination's messages are wanted, and whether anybody takes them at present. Who may make others needless
/// comes before them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    is_dormant: bool,
    selector: Option<Selector>,
}

/// A demand that the peer was told.
#[derive(Debug)]
struct Told {
    number: u32,
    path: Ranked,
    consumers: NonZeroU32,
}

impl Interest {
    /// Nothing is wanted. More selectors for one destination than `selectors_max` are told as none.
    pub(super) fn new(selectors_max: usize) -> Self {
        Self { wishes: BTreeMap::new(), numbers: BTreeSet::new(), last: 0, selectors_max }
    }

    /// Notes how many consumers want this first of all, before anything is told.
    pub(super) fn begin(&mut self, demand: &Demand, consumers: NonZeroU32) {
        self.note(demand, consumers.get());
    }

    /// What a peer has to be told that was told nothing yet.
    pub(super) fn tell_all(&mut self) -> Vec<Change> {
        let destinations: Vec<_> = self.wishes.keys().cloned().collect();
        destinations.iter().flat_map(|destination| self.settle(destination)).collect()
    }

    /// Notes how many consumers want messages of a destination by a path.
    pub(super) fn set(&mut self, demand: &Demand, consumers: NonZeroU32) -> Vec<Change> {
        self.note(demand, consumers.get());
        self.settle(&demand.destination)
    }

    /// Notes that nobody wants messages of a destination by a path any more.
    pub(super) fn remove(&mut self, demand: &Demand) -> Vec<Change> {
        self.note(demand, 0);
        self.settle(&demand.destination)
    }

    /// True if somebody wants messages of a destination by a path.
    pub(super) fn is_wanted(&self, demand: &Demand) -> bool {
        let ways = self.wishes.get(&demand.destination).and_then(|wishes| wishes.wanted.get(&Kind::of(demand)));
        ways.is_some_and(|ways| ways.count(&demand.path) > 0)
    }

    /// True if `number` names a demand that the peer was told and not told the end of.
    pub(super) fn is_told(&self, number: u32) -> bool {
        self.numbers.contains(&number)
    }

    /// True if `number` names a demand that the peer was told at some time.
    pub(super) fn was_told(&self, number: u32) -> bool {
        (1..=self.last).contains(&number)
    }

    fn note(&mut self, demand: &Demand, consumers: u32) {
        let wishes = self.wishes.entry(demand.destination.clone()).or_default();
        let kind = Kind::of(demand);
        let ways = wishes.wanted.entry(kind.clone()).or_default();
        let before = ways.set(&demand.path, consumers.into());
        if ways.is_empty() {
            wishes.wanted.remove(&kind);
        }
        let all = if kind.is_dormant { &mut wishes.dormant } else { &mut wishes.active };
        all.set(&demand.path, all.count(&demand.path) - before + u64::from(consumers));
    }

    /// Makes what is told agree with what is wanted. What begins takes the place of what ends at the same time.
    fn settle(&mut self, destination: &Destination) -> Vec<Change> {
        let Some(wishes) = self.wishes.get_mut(destination) else {
            return Vec::new();
        };
        wishes.merge(self.selectors_max);
        let due = wishes.due();
        let mut changes = Vec::new();
        let mut ended: Vec<u32> = Vec::new();
        wishes.told.retain(|kind, told| {
            let stays = due.contains_key(kind);
            if !stays {
                ended.push(told.number);
            }
            stays
        });
        for (kind, (path, consumers)) in due {
            let consumers = weigh(destination.kind(), consumers);
            match wishes.told.get_mut(&kind) {
                Some(told) if told.path == path => {
                    if told.consumers != consumers {
                        told.consumers = consumers;
                        changes.push(Change::Weighed { number: told.number, consumers });
                    }
                    continue;
                }
                Some(told) => {
                    Situation::DemandShortened.met();
                    ended.push(told.number);
                }
                None => (),
            }
            self.last += 1;
            let number = self.last;
            self.numbers.insert(number);
            let (destination, Kind { selector, is_dormant }) = (destination.clone(), kind.clone());
            let demand = Demand { destination, selector, path: path.1.clone(), is_dormant };
            changes.push(Change::Begun { number, demand, consumers });
            wishes.told.insert(kind, Told { number, path, consumers });
        }
        if wishes.wanted.is_empty() {
            self.wishes.remove(destination);
        }
        for number in ended {
            self.numbers.remove(&number);
            changes.push(Change::Ended { number, kind: destination.kind() });
        }
        changes
    }
}

impl Wishes {
    /// Decides whether the selectors are told. Once they were too many they are not until half of them are left, or each
    /// consumer that comes and goes would have all of them told anew.
    fn merge(&mut self, selectors_max: usize) {
        let is_counted = |kind: &Kind| kind.is_dormant && self.wanted.contains_key(&kind.active());
        let selectors = self.wanted.keys().filter(|kind| kind.selector.is_some() && !is_counted(kind)).count();
        if selectors > selectors_max {
            if !self.is_merged {
                Situation::SelectorsMerged.met();
            }
            self.is_merged = true;
        } else if selectors <= selectors_max / 2 {
            self.is_merged = false;
        }
    }

    /// What is to be told: of each kind the shortest path, and how many consumers are behind it.
    ///
    /// Who wants all messages by no longer a path makes a selector needless: its consumers count with them if they are
    /// where those are. Likewise whoever wants them now makes those needless that are dormant.
    fn due(&self) -> BTreeMap<Kind, (Ranked, u64)> {
        let kinds = if self.is_merged {
            [false, true].map(|is_dormant| Kind { is_dormant, selector: None }).into()
        } else {
            self.wanted.keys().cloned().collect::<Vec<_>>()
        };
        let mut due: BTreeMap<Kind, (Ranked, u64)> = BTreeMap::new();
        for kind in kinds {
            let all = if kind.is_dormant { &self.dormant } else { &self.active };
            let ways = if self.is_merged { all } else { &self.wanted[&kind] };
            let Some((path, consumers)) = ways.shortest() else {
                continue; // Nobody is dormant, or nobody is not.
            };
            let is_needless = |wider| due.get(&wider).is_some_and(|(told, _): &(Ranked, _)| told.0 <= path.0);
            if !kind.wider().into_iter().any(is_needless) {
                let consumers = if kind.selector.is_some() { consumers } else { all.count(&path.1) };
                due.insert(kind, (path.clone(), consumers));
            }
        }
        due
    }
}

impl Kind {
    fn of(demand: &Demand) -> Self {
        Self { is_dormant: demand.is_dormant, selector: demand.selector.clone() }
    }

    /// The same messages, taken.
    fn active(&self) -> Self {
        Self { is_dormant: false, ..self.clone() }
    }

    /// Those that have all that this has, and are dormant only if this is.
    fn wider(&self) -> [Self; 3] {
        let every = Self { selector: None, ..self.clone() };
        [every.active(), every, self.active()]
    }
}

/// How many consumers are told. A topic's messages are not shared out, so that nobody has to know.
fn weigh(kind: DestinationKind, consumers: u64) -> NonZeroU32 {
    match kind {
        DestinationKind::Queue => {
            let told = u32::try_from(consumers).unwrap_or(u32::MAX);
            NonZeroU32::new(told).expect("a path is forgotten with the last consumer behind it")
        }
        DestinationKind::Topic => NonZeroU32::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BrokerId, Path};

    const SELECTORS_MAX: usize = 4;

    fn path(brokers: &[u128]) -> Path {
        brokers.iter().copied().map(BrokerId).collect::<Vec<_>>().into()
    }

    fn demand_of(destination: &str, selector: Option<&str>, brokers: &[u128]) -> Demand {
        let selector = selector.map(|text| Selector::parse(text).expect("a selector"));
        let destination = destination.parse().expect("a destination");
        Demand { destination, selector, path: path(brokers), is_dormant: false }
    }

    fn demand(brokers: &[u128]) -> Demand {
        demand_of("q", None, brokers)
    }

    fn selective(selector: &str, brokers: &[u128]) -> Demand {
        demand_of("q", Some(selector), brokers)
    }

    fn dormant(destination: &str, brokers: &[u128]) -> Demand {
        Demand { is_dormant: true, ..demand_of(destination, None, brokers) }
    }

    fn ended_topic(number: u32) -> Change {
        Change::Ended { number, kind: DestinationKind::Topic }
    }

    fn number(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).expect("some")
    }

    fn begun(number: u32, demand: Demand, consumers: u32) -> Change {
        Change::Begun { number, demand, consumers: self::number(consumers) }
    }

    fn ended(number: u32) -> Change {
        Change::Ended { number, kind: DestinationKind::Queue }
    }

    fn weighed(number: u32, consumers: u32) -> Change {
        Change::Weighed { number, consumers: self::number(consumers) }
    }

    fn interest() -> Interest {
        Interest::new(SELECTORS_MAX)
    }

    fn set(interest: &mut Interest, demand: &Demand, consumers: u32) -> Vec<Change> {
        interest.set(demand, number(consumers))
    }

    #[test]
    fn a_destination_is_told_once_however_many_want_it() {
        let mut interest = interest();
        assert_eq!(set(&mut interest, &demand(&[]), 1), [begun(1, demand(&[]), 1)]);
        assert_eq!(set(&mut interest, &demand(&[5]), 1), []);
        assert!(interest.is_told(1));
        assert_eq!(interest.remove(&demand(&[5])), []);
        assert_eq!(interest.remove(&demand(&[])), [ended(1)]);
        assert!(!interest.is_told(1) && interest.was_told(1) && !interest.was_told(2));
        assert!(interest.wishes.is_empty());
    }

    #[test]
    fn a_shorter_path_takes_a_longer_ones_place() {
        let mut interest = interest();
        set(&mut interest, &demand(&[5, 6]), 1);
        assert_eq!(set(&mut interest, &demand(&[7]), 1), [begun(2, demand(&[7]), 1), ended(1)]);
        assert_eq!(interest.remove(&demand(&[7])), [begun(3, demand(&[5, 6]), 1), ended(2)]);
    }

    /// Where paths meet again, and in rings, sums of what several peers say would count consumers twice, and grow.
    #[test]
    fn those_behind_the_path_that_is_told_are_counted_and_no_others() {
        let mut interest = interest();
        assert_eq!(set(&mut interest, &demand(&[5]), 3), [begun(1, demand(&[5]), 3)]);
        assert_eq!(set(&mut interest, &demand(&[6]), 4), []);
        assert_eq!(set(&mut interest, &demand(&[5]), 2), [weighed(1, 2)]);
        assert_eq!(set(&mut interest, &demand(&[5]), 2), []);
        assert_eq!(interest.remove(&demand(&[5])), [begun(2, demand(&[6]), 4), ended(1)]);
    }

    #[test]
    fn nobody_is_told_how_many_subscribe_to_a_topic() {
        let mut interest = interest();
        let demand = demand_of("topic://t", None, &[]);
        assert_eq!(set(&mut interest, &demand, 2), [begun(1, demand.clone(), 1)]);
        assert_eq!(set(&mut interest, &demand, 3), []);
    }

    #[test]
    fn each_selector_is_told_under_a_number_of_its_own() {
        let mut interest = interest();
        let (low, high) = (selective("n < 5", &[]), selective("n > 5", &[]));
        assert_eq!(set(&mut interest, &low, 1), [begun(1, low.clone(), 1)]);
        assert_eq!(set(&mut interest, &high, 2), [begun(2, high.clone(), 2)]);
        assert_eq!(set(&mut interest, &low, 4), [weighed(1, 4)]);
        assert_eq!(interest.remove(&low), [ended(1)]);
        assert_eq!(interest.remove(&high), [ended(2)]);
        assert!(interest.wishes.is_empty());
    }

    #[test]
    fn who_wants_all_makes_selectors_needless() {
        let mut interest = interest();
        let (low, high) = (selective("n < 5", &[]), selective("n > 5", &[]));
        set(&mut interest, &low, 1);
        set(&mut interest, &high, 1);
        let all = demand(&[]);
        assert_eq!(set(&mut interest, &all, 1), [begun(3, all.clone(), 3), ended(1), ended(2)], "in this order");
        assert_eq!(interest.remove(&high), [weighed(3, 2)]);
        assert_eq!(interest.remove(&all), [begun(4, low, 1), ended(3)]);
    }

    /// Who is near may be told further than who is far: what they want can't stand for one another.
    #[test]
    fn who_wants_all_from_farther_away_does_not() {
        let mut interest = interest();
        let (near, far) = (selective("n < 5", &[]), demand(&[5]));
        assert_eq!(set(&mut interest, &far, 3), [begun(1, far.clone(), 3)]);
        assert_eq!(set(&mut interest, &selective("n < 5", &[6]), 1), [], "no nearer");
        assert_eq!(set(&mut interest, &near, 1), [begun(2, near, 1)]);
    }

    #[test]
    fn as_many_selectors_as_may_are_told_and_of_more_none() {
        let mut interest = interest();
        let wants = ["n = 0", "n = 1", "n = 2", "n = 3", "n = 4"].map(|text| selective(text, &[]));
        for (number, demand) in (1..).zip(&wants[..SELECTORS_MAX]) {
            assert_eq!(set(&mut interest, demand, 1), [begun(number, demand.clone(), 1)]);
        }
        let merged = [begun(5, demand(&[]), 5), ended(1), ended(2), ended(3), ended(4)];
        assert_eq!(set(&mut interest, &wants[4], 1), merged);
        // Not at once when there is one less, or each that comes and goes would have all of them told anew.
        assert_eq!(interest.remove(&wants[0]), [weighed(5, 4)]);
        assert_eq!(interest.remove(&wants[1]), [weighed(5, 3)]);
        let apart = [begun(6, wants[3].clone(), 1), begun(7, wants[4].clone(), 1), ended(5)];
        assert_eq!(interest.remove(&wants[2]), apart);
    }

    #[test]
    fn who_takes_messages_makes_those_needless_that_do_not_at_present() {
        let mut interest = interest();
        let (near, far) = (dormant("topic://t", &[]), dormant("topic://t", &[5]));
        let taken = demand_of("topic://t", None, &[5]);
        assert_eq!(set(&mut interest, &far, 1), [begun(1, far.clone(), 1)]);
        assert_eq!(set(&mut interest, &taken, 1), [begun(2, taken.clone(), 1), ended_topic(1)], "from as far away");
        assert_eq!(set(&mut interest, &near, 1), [begun(3, near.clone(), 1)], "who is near may be told further");
        assert_eq!(interest.remove(&taken), [ended_topic(2)], "which the near one has all of");
        assert_eq!(interest.remove(&near), [begun(4, far.clone(), 1), ended_topic(3)]);
        assert_eq!(interest.remove(&far), [ended_topic(4)]);
        assert!(interest.wishes.is_empty());
    }

    #[test]
    fn a_selector_counts_once_whether_or_not_its_messages_are_taken() {
        let mut interest = interest();
        let wants = ["n = 0", "n = 1", "n = 2", "n = 3"].map(|text| demand_of("topic://t", Some(text), &[]));
        for demand in &wants {
            set(&mut interest, demand, 1);
        }
        let left = Demand { is_dormant: true, ..wants[0].clone() };
        assert_eq!(set(&mut interest, &left, 1), [], "as needless as it is for a moment");
        assert_eq!(interest.remove(&wants[0]), [begun(5, left, 1), ended_topic(1)]);
        let fifth = Demand { is_dormant: true, ..demand_of("topic://t", Some("n = 4"), &[]) };
        let merged = [
            begun(6, demand_of("topic://t", None, &[]), 1),
            ended_topic(2),
            ended_topic(3),
            ended_topic(4),
            ended_topic(5),
        ];
        assert_eq!(set(&mut interest, &fifth, 1), merged, "somebody takes all, as far as is told");
        wants[1..].iter().for_each(|demand| drop(interest.remove(demand)));
        assert_eq!(interest.wishes.len(), 1, "two are dormant");
    }

    #[test]
    fn a_new_peer_is_told_what_is_wanted_and_nothing_that_it_need_not_know() {
        let mut interest = interest();
        let selectors = ["n = 0", "n = 1", "n = 2", "n = 3", "n = 4"].map(|text| selective(text, &[]));
        let topic = demand_of("topic://t", Some("n = 1"), &[]);
        for demand in selectors.iter().chain([&demand(&[5, 6]), &demand(&[7]), &topic]) {
            interest.begin(demand, NonZeroU32::MIN);
        }
        assert_eq!(interest.tell_all(), [begun(1, demand(&[]), 5), begun(2, topic, 1)]);
    }
}
