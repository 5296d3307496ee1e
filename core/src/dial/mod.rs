//! Rank 3: keeps links to wanted addresses, the only reconnect policy there is. Knows which addresses are wanted and
//! how each fares; is told what became of its dials; answers with dials to make and to give up.

mod slot;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use slot::{Slot, State};

use crate::base::{BackoffConfig, Instant, Outbox, Rng, Situation};
use crate::model::{Address, BrokerId, LinkId};

/// How wanted addresses are dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialConfig {
    /// How long to wait after failures, at addresses of which nothing else is said.
    pub backoff: BackoffConfig,
    /// How long a link must have been up for its failures to be forgotten.
    pub settled_after: Duration,
    /// How long a connect may take, the handshake not included, at addresses of which nothing else is said.
    pub connect_timeout: Duration,
    /// How many addresses are wanted at most; further ones are not dialled.
    pub addresses_max: usize,
    /// How long to leave the first dial to the other side, where both sides found each other and the other side's
    /// turn is first, or to another address, where the same machine has one by loopback. Only saves connections: both
    /// sides may dial at any time, and any address.
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
    /// After the courtesy time, unless there is a link by then.
    AfterYou,
}

/// An address that a link is wanted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// The address.
    pub address: Address,
    /// How it fares.
    pub state: DialState,
    /// How many attempts in a row have failed.
    pub failures: u32,
}

/// How an address fares that a link is wanted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialState {
    /// A connect or handshake is under way.
    Connecting,
    /// It is not dialled any more.
    GivenUp,
    /// There is a link to this broker, which is there.
    Met(BrokerId),
    /// It is dialled at this moment, by the node's own clock.
    Waiting(Instant),
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

    /// Wants a link to `address`, with waits of this shape between dials; false if no more addresses can be wanted.
    pub(crate) fn want(&mut self, now: Instant, address: Address, backoff: BackoffConfig, urgency: Urgency) -> bool {
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
        self.slots.insert(address, Slot::new(at, backoff));
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

    /// Two say that they are at an address: it is dialled to see who is there, although one of them is linked.
    pub(crate) fn check(&mut self, now: Instant, address: &Address) {
        if let Some(slot) = self.slots.get_mut(address)
            && matches!(slot.state, State::Met { .. })
        {
            slot.state = State::Waiting { until: now };
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
                slot.pause(now, &mut self.rng); // The loss itself is no attempt that failed.
            }
        }
        self.settle();
    }

    /// A link ended before there was anybody to meet. Tells what became of its address, if the link was one of ours.
    pub(crate) fn failed(&mut self, now: Instant, link: LinkId) -> Option<Failure> {
        let (address, slot) = self.slots.iter_mut().find(|(_, slot)| slot.is_dialling(link))?;
        let is_news = slot.backoff.is_fresh();
        let outcome = slot.fail(now, &mut self.rng);
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

    /// All wanted addresses, for those who look on.
    pub(crate) fn dials(&self) -> impl Iterator<Item = Dial> {
        let seen = |(address, slot): (&Address, &Slot)| Dial {
            address: address.clone(),
            state: match slot.state {
                State::Asked | State::Dialling { .. } => DialState::Connecting,
                State::GivenUp => DialState::GivenUp,
                State::Met { broker, .. } => DialState::Met(broker),
                State::Waiting { until } => DialState::Waiting(until),
            },
            failures: slot.backoff.failures(),
        };
        self.slots.iter().map(seen)
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
