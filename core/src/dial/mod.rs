//! Rank 3: keeps links to wanted addresses, the only reconnect policy there is. Knows which addresses are wanted and
//! how each fares; is told what became of its dials; answers with dials to make and to give up.

mod slot;

use alloc::collections::BTreeMap;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use slot::{Slot, State};

use crate::base::{BackoffConfig, Instant, Outbox, Rng, Situation};
use crate::model::{Address, BrokerId, LinkId};

/// How wanted addresses are dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialConfig {
    /// How long to wait after failures.
    pub backoff: BackoffConfig,
    /// How long a link must have been up for its failures to be forgotten.
    pub settled_after: Duration,
    /// How long a connect may take, the handshake not included.
    pub connect_timeout: Duration,
    /// How many addresses are wanted at most; further ones are not dialled.
    pub addresses_max: usize,
    /// How long to leave the first dial to the other side, where both sides found each other and the other side's
    /// turn is first. Only saves connections: both sides may dial at any time.
    pub courtesy: Duration,
}

impl Default for DialConfig {
    fn default() -> Self {
        Self {
            backoff: BackoffConfig::default(),
            settled_after: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(30),
            addresses_max: 256,
            courtesy: Duration::from_millis(200),
        }
    }
}

/// What the dialler says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Dial an address; [`Dialer::dialled`] tells the link's name.
    Dial(Address),
    /// End a link: its address is no longer wanted, or took too long.
    GiveUp(LinkId),
}

/// When to dial an address for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Now.
    AtOnce,
    /// After the courtesy time, unless the other side's dial has come by then.
    AfterYou,
}

/// An attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The address.
    pub address: Address,
    /// How many attempts in a row have failed.
    pub attempts: u32,
    /// True if all was well, or nothing was tried, before.
    pub is_news: bool,
    /// What follows from it.
    pub outcome: Outcome,
}

/// What follows from a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// As many attempts have failed as may.
    GivenUp,
    /// There will be another attempt.
    Waiting,
}

/// How a wanted address fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// A connect or handshake is under way.
    Connecting,
    /// It is not dialled any more.
    GivenUp,
    /// There is a link to this broker, which is there.
    Met(BrokerId),
    /// It is dialled later.
    Waiting,
}

/// Wanted addresses and how each fares.
#[derive(Debug)]
pub(crate) struct Dialer {
    config: DialConfig,
    rng: Rng,
    slots: BTreeMap<Address, Slot>,
    due: Option<Instant>, // When the first of the slots is.
    prospects: usize,     // Slots that are not met and may be.
}

impl Dialer {
    /// A dialler that wants nothing yet.
    pub(crate) fn new(config: DialConfig, rng: Rng) -> Self {
        Self { config, rng, slots: BTreeMap::new(), due: None, prospects: 0 }
    }

    /// Wants a link to `address`; false if no more addresses can be wanted.
    pub(crate) fn want(&mut self, now: Instant, address: Address, urgency: Urgency) -> bool {
        if self.slots.contains_key(&address) {
            return true;
        }
        if self.slots.len() >= self.config.addresses_max {
            return false;
        }
        let at = match urgency {
            Urgency::AtOnce => now,
            Urgency::AfterYou => now + self.config.courtesy,
        };
        self.slots.insert(address, Slot::new(at));
        self.settle();
        true
    }

    /// No longer wants a link to `address`. A link that is up stays: it is judged by its own signs of life.
    pub(crate) fn unwant(&mut self, address: &Address, out: &mut Outbox<Output>) {
        if let Some(Slot { state: State::Dialling { link, .. }, .. }) = self.slots.remove(address) {
            Situation::DialUnwanted.met();
            out.push(Output::GiveUp(link));
        }
        self.settle();
    }

    /// Dials what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Output>) {
        if self.due.is_none_or(|due| due > now) {
            return;
        }
        for (address, slot) in &mut self.slots {
            match slot.state {
                State::Waiting { until } if until <= now => {
                    slot.state = State::Asked;
                    out.push(Output::Dial(address.clone()));
                }
                State::Dialling { link, until: Some(until) } if until <= now => {
                    Situation::DialTimedOut.met();
                    slot.state = State::Dialling { link, until: None };
                    out.push(Output::GiveUp(link));
                }
                _ => (), // Not due, or nothing to wait for.
            }
        }
        self.settle();
    }

    /// The dial asked for is under way under this name, and may take this long.
    pub(crate) fn dialled(&mut self, now: Instant, address: &Address, link: LinkId, timeout: Duration) {
        if let Some(slot) = self.slots.get_mut(address) {
            slot.state = State::Dialling { link, until: Some(now + timeout) };
        }
        self.settle();
    }

    /// The dial asked for could not be made: there are too many links. It is tried again after a second, however short
    /// the waits between attempts are: nothing was attempted, and hundreds of addresses may wait for one link to end.
    pub(crate) fn postponed(&mut self, now: Instant, address: &Address) {
        if let Some(slot) = self.slots.get_mut(address) {
            Situation::DialPostponed.met();
            slot.state = State::Waiting { until: now + ROOM_AFTER };
        }
        self.settle();
    }

    /// The dialled link has connected; the handshake has a deadline of its own.
    pub(crate) fn connected(&mut self, link: LinkId) {
        if let Some(slot) = self.dialling(link) {
            slot.state = State::Dialling { link, until: None };
        }
        self.settle();
    }

    /// There is a link to `broker`, which can be reached at these addresses and was perhaps dialled by `link`: none
    /// of them needs dialling while it lasts.
    pub(crate) fn met(&mut self, now: Instant, broker: BrokerId, link: Option<LinkId>, addresses: &[Address]) {
        if let Some(slot) = link.and_then(|link| self.dialling(link)) {
            slot.state = State::Met { broker, since: now };
        }
        for address in addresses {
            if let Some(slot) = self.slots.get_mut(address)
                && matches!(slot.state, State::Asked | State::GivenUp | State::Waiting { .. })
            {
                Situation::MetOtherwise.met();
                slot.state = State::Met { broker, since: now };
            }
        }
        self.settle();
    }

    /// The link to `broker` has ended: its addresses are dialled again. Attempts count anew, but waits only after a link
    /// that has lasted.
    pub(crate) fn parted(&mut self, now: Instant, broker: BrokerId) {
        for slot in self.slots.values_mut() {
            if let State::Met { broker: found, since } = slot.state
                && found == broker
            {
                if now - since >= self.config.settled_after {
                    Situation::LostLate.met();
                    slot.backoff.reset();
                } else {
                    Situation::LostEarly.met();
                    slot.backoff.forget_failures();
                }
                slot.pause(now, &self.config.backoff, &mut self.rng); // The loss itself is no attempt that failed.
            }
        }
        self.settle();
    }

    /// A link ended before there was anybody to meet. Tells what became of its address, if the link was one of ours.
    pub(crate) fn failed(&mut self, now: Instant, link: LinkId) -> Option<Failure> {
        let (address, slot) = self.slots.iter_mut().find(|(_, slot)| slot.is_dialling(link))?;
        let is_news = slot.backoff.is_fresh();
        let outcome = slot.fail(now, &self.config.backoff, &mut self.rng);
        let failure = Failure { address: address.clone(), attempts: slot.backoff.failures(), is_news, outcome };
        self.settle();
        Some(failure)
    }

    /// A dialled link led to somebody who is never to be dialled at that address, such as ourselves.
    pub(crate) fn abandon(&mut self, link: LinkId) {
        if let Some(slot) = self.dialling(link) {
            slot.state = State::GivenUp;
        }
        self.settle();
    }

    /// True if `address` is wanted already.
    pub(crate) fn is_wanted(&self, address: &Address) -> bool {
        self.slots.contains_key(address)
    }

    /// How many addresses are not met and may yet be.
    pub(crate) fn prospects(&self) -> usize {
        self.prospects
    }

    /// All wanted addresses.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Address, Standing)> {
        self.slots.iter().map(|(address, slot)| (address, slot.standing()))
    }

    /// When there is something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.due
    }

    /// Notes when the first slot is due, and how many may come up: asked after every input, changed by few.
    fn settle(&mut self) {
        self.due = self.slots.values().filter_map(Slot::poll_timeout).min();
        self.prospects = self.slots.values().filter(|slot| slot.is_prospect()).count();
    }

    fn dialling(&mut self, link: LinkId) -> Option<&mut Slot> {
        self.slots.values_mut().find(|slot| slot.is_dialling(link))
    }
}

/// How long until it is seen again whether there is room for another link.
const ROOM_AFTER: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, Seed};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    const PEER: BrokerId = BrokerId(7);
    const TIMEOUT: Duration = Duration::from_secs(30);

    fn dialer(attempts_max: Option<u32>) -> Dialer {
        let backoff = BackoffConfig { jitter_percent: 0, attempts_max, ..BackoffConfig::default() };
        Dialer::new(DialConfig { backoff, addresses_max: 2, ..DialConfig::default() }, Rng::new(Seed::from(1)))
    }

    fn address(port: u16) -> Address {
        Address::from(core::net::SocketAddr::from(([10, 0, 0, 1], port)))
    }

    fn failure(attempts: u32, is_news: bool, outcome: Outcome) -> Failure {
        Failure { address: address(1), attempts, is_news, outcome }
    }

    fn wake(dialer: &mut Dialer, now: u64) -> Vec<Output> {
        let mut out = Outbox::new();
        dialer.handle_timeout(Instant::from_millis(now), &mut out);
        out.drain().collect()
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_wanted_address_is_dialled_at_once_and_again_after_each_failure() {
        let mut dialer = dialer(None);
        assert!(dialer.want(at(0), address(1), Urgency::AtOnce));
        assert_eq!(wake(&mut dialer, 0), [Output::Dial(address(1))]);
        dialer.dialled(at(0), &address(1), LinkId(1), TIMEOUT);
        assert_eq!(wake(&mut dialer, 0), []);
        assert_eq!(dialer.failed(at(10), LinkId(1)), Some(failure(1, true, Outcome::Waiting)));
        assert_eq!(dialer.poll_timeout(), Some(at(110)));
        assert_eq!(wake(&mut dialer, 110), [Output::Dial(address(1))]);
        dialer.dialled(at(110), &address(1), LinkId(2), TIMEOUT);
        assert_eq!(dialer.failed(at(120), LinkId(2)), Some(failure(2, false, Outcome::Waiting)));
        assert_eq!(dialer.poll_timeout(), Some(at(320)));
    }

    #[test]
    fn courtesy_leaves_the_first_dial_to_the_other_side() {
        let mut dialer = dialer(None);
        dialer.want(at(0), address(1), Urgency::AfterYou);
        assert_eq!(wake(&mut dialer, 199), []);
        dialer.met(at(199), PEER, None, &[address(1)]);
        assert_eq!((wake(&mut dialer, 1000), dialer.poll_timeout()), (Vec::new(), None));
    }

    #[test]
    fn a_connect_that_takes_too_long_is_given_up() {
        let mut dialer = dialer(None);
        dialer.want(at(0), address(1), Urgency::AtOnce);
        wake(&mut dialer, 0);
        dialer.dialled(at(0), &address(1), LinkId(1), TIMEOUT);
        assert_eq!(wake(&mut dialer, 30_000), [Output::GiveUp(LinkId(1))]);
        assert_eq!(wake(&mut dialer, 30_001), [], "once");
        dialer.failed(at(30_001), LinkId(1));
        assert_eq!(wake(&mut dialer, 30_101), [Output::Dial(address(1))]);
    }

    #[test]
    fn a_link_that_lasted_clears_the_failures_before_it() {
        let mut dialer = dialer(None);
        dialer.want(at(0), address(1), Urgency::AtOnce);
        for (now, link) in [(0, 1), (100, 2), (300, 3)] {
            assert_eq!(wake(&mut dialer, now).len(), 1);
            dialer.dialled(at(now), &address(1), LinkId(link), TIMEOUT);
            dialer.failed(at(now), LinkId(link));
        }
        assert_eq!(wake(&mut dialer, 700).len(), 1);
        dialer.dialled(at(700), &address(1), LinkId(4), TIMEOUT);
        dialer.met(at(700), PEER, Some(LinkId(4)), &[]);
        dialer.parted(at(800), PEER);
        assert_eq!(dialer.poll_timeout(), Some(at(800 + 800)), "too short to count");
        dialer.met(at(1000), PEER, None, &[address(1)]);
        dialer.parted(at(6000), PEER);
        assert_eq!(dialer.poll_timeout(), Some(at(6100)));
    }

    #[test]
    fn a_link_that_was_up_leaves_all_attempts_to_come_back() {
        let mut dialer = dialer(Some(1));
        dialer.want(at(0), address(1), Urgency::AtOnce);
        wake(&mut dialer, 0);
        dialer.dialled(at(0), &address(1), LinkId(1), TIMEOUT);
        dialer.met(at(0), PEER, Some(LinkId(1)), &[]);
        dialer.parted(at(10), PEER);
        assert_eq!((dialer.prospects(), wake(&mut dialer, 110)), (1, Vec::from([Output::Dial(address(1))])));
        dialer.dialled(at(110), &address(1), LinkId(2), TIMEOUT);
        assert_eq!(dialer.failed(at(120), LinkId(2)), Some(failure(1, false, Outcome::GivenUp)));
        assert_eq!(dialer.prospects(), 0);
    }

    #[test]
    fn attempts_end_at_their_limit() {
        let mut dialer = dialer(Some(2));
        dialer.want(at(0), address(1), Urgency::AtOnce);
        for now in [0, 100] {
            assert_eq!(wake(&mut dialer, now), [Output::Dial(address(1))]);
            dialer.dialled(at(now), &address(1), LinkId(now + 1), TIMEOUT);
            dialer.failed(at(now), LinkId(now + 1));
        }
        assert_eq!(dialer.poll_timeout(), None);
    }

    #[test]
    fn an_address_that_is_no_longer_wanted_is_let_go() {
        let mut dialer = dialer(None);
        let mut out = Outbox::new();
        dialer.want(at(0), address(1), Urgency::AtOnce);
        wake(&mut dialer, 0);
        dialer.dialled(at(0), &address(1), LinkId(1), TIMEOUT);
        dialer.unwant(&address(1), &mut out);
        assert_eq!(out.drain().collect::<Vec<_>>(), [Output::GiveUp(LinkId(1))]);
        assert_eq!(dialer.failed(at(1), LinkId(1)), None);
        assert_eq!(dialer.poll_timeout(), None);
    }

    #[test]
    fn the_number_of_wanted_addresses_is_bounded() {
        let mut dialer = dialer(None);
        let wants = [1, 2, 2, 3].map(|port| dialer.want(at(0), address(port), Urgency::AtOnce));
        assert_eq!(wants, [true, true, true, false]);
    }

    #[test]
    fn how_an_address_fares_can_be_asked() {
        let mut dialer = dialer(Some(1));
        let fares = |dialer: &Dialer| {
            let standings: Vec<_> = dialer.iter().map(|(address, standing)| (address.port, standing)).collect();
            (standings, dialer.prospects())
        };
        dialer.want(at(0), address(1), Urgency::AtOnce);
        dialer.want(at(0), address(2), Urgency::AfterYou);
        assert_eq!(fares(&dialer), (Vec::from([(1, Standing::Waiting), (2, Standing::Waiting)]), 2));
        wake(&mut dialer, 0);
        assert_eq!(fares(&dialer), (Vec::from([(1, Standing::Connecting), (2, Standing::Waiting)]), 2));
        dialer.dialled(at(0), &address(1), LinkId(1), TIMEOUT);
        assert_eq!(fares(&dialer), (Vec::from([(1, Standing::Connecting), (2, Standing::Waiting)]), 2));
        dialer.met(at(1), PEER, Some(LinkId(1)), &[]);
        assert_eq!(fares(&dialer), (Vec::from([(1, Standing::Met(PEER)), (2, Standing::Waiting)]), 1));
        wake(&mut dialer, 200);
        dialer.dialled(at(200), &address(2), LinkId(2), TIMEOUT);
        dialer.abandon(LinkId(2));
        assert_eq!(fares(&dialer), (Vec::from([(1, Standing::Met(PEER)), (2, Standing::GivenUp)]), 0));
        assert_eq!([1, 2, 3].map(|port| dialer.is_wanted(&address(port))), [true, true, false]);
    }

    #[test]
    fn only_what_is_due_is_dialled_or_given_up() {
        let mut dialer = dialer(None);
        dialer.want(at(0), address(1), Urgency::AtOnce);
        dialer.want(at(0), address(2), Urgency::AfterYou);
        assert_eq!(wake(&mut dialer, 0), [Output::Dial(address(1))]);
        dialer.dialled(at(0), &address(1), LinkId(1), Duration::from_secs(9));
        assert_eq!(wake(&mut dialer, 200), [Output::Dial(address(2))]);
        dialer.dialled(at(200), &address(2), LinkId(2), Duration::from_secs(1));
        assert_eq!(wake(&mut dialer, 1200), [Output::GiveUp(LinkId(2))]);
        assert_eq!(dialer.poll_timeout(), Some(at(9000)));
    }

    #[test]
    fn a_link_that_has_connected_is_not_given_up() {
        let mut dialer = dialer(None);
        dialer.want(at(0), address(1), Urgency::AtOnce);
        wake(&mut dialer, 0);
        dialer.dialled(at(0), &address(1), LinkId(1), TIMEOUT);
        dialer.connected(LinkId(1));
        assert_eq!((dialer.poll_timeout(), wake(&mut dialer, 30_000)), (None, Vec::new()));
    }

    #[test]
    fn a_dial_that_has_no_room_is_made_a_second_later_and_is_no_failure() {
        let mut dialer = dialer(Some(1));
        dialer.want(at(0), address(1), Urgency::AtOnce);
        wake(&mut dialer, 0);
        dialer.postponed(at(0), &address(1));
        assert_eq!(dialer.poll_timeout(), Some(at(1000)));
        assert_eq!(wake(&mut dialer, 1000), [Output::Dial(address(1))]);
    }

    #[test]
    fn parting_from_one_broker_leaves_the_others() {
        let mut dialer = dialer(None);
        for (port, broker) in [(1, PEER), (2, BrokerId(8))] {
            dialer.want(at(0), address(port), Urgency::AfterYou);
            dialer.met(at(0), broker, None, &[address(port)]);
        }
        dialer.parted(at(10), PEER);
        assert_eq!(wake(&mut dialer, 1000), [Output::Dial(address(1))]);
    }

    proptest! {
        /// Invariants R2 and R6: however dials fare, no address is dialled more often than its waits allow, and
        /// waking leaves nothing overdue.
        #[test]
        fn dials_are_never_closer_than_their_waits(steps in proptest::collection::vec((0_u64..400, 0_u8..4), 1..80)) {
            let mut dialer = dialer(None);
            let (mut now, mut link, mut last, mut under_way) = (0, 0, None, None);
            dialer.want(at(0), address(1), Urgency::AtOnce);
            for (wait, what) in steps {
                now += wait;
                for output in wake(&mut dialer, now) {
                    match output {
                        Output::Dial(address) => {
                            prop_assert!(last.is_none_or(|last| now >= last + 100), "dialled at {now} after {last:?}");
                            last = Some(now);
                            link += 1;
                            dialer.dialled(at(now), &address, LinkId(link), TIMEOUT);
                            under_way = Some(LinkId(link));
                        }
                        Output::GiveUp(link) => {
                            dialer.failed(at(now), link);
                        }
                    }
                }
                prop_assert!(dialer.poll_timeout().is_none_or(|due| due > at(now)));
                match (what, under_way.take()) {
                    (0, Some(link)) => {
                        dialer.failed(at(now), link);
                    }
                    (1, Some(link)) => dialer.met(at(now), PEER, Some(link), &[]),
                    (2, kept) => {
                        dialer.parted(at(now), PEER);
                        under_way = kept;
                    }
                    (_, kept) => under_way = kept,
                }
            }
        }
    }
}
