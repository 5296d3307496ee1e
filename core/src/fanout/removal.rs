//! Durable subscriptions are deleted on every target that is up.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{Fanout, Output};
use crate::base::{Instant, Outbox};
use crate::model::{Durable, LinkId, Refusal, RequestId};
use crate::wire::Frame;

/// All deletions that are not answered.
#[derive(Debug, Default)]
pub(super) struct Removals {
    born: u32,
    by_number: BTreeMap<u32, Removal>,
}

/// A deletion that targets were asked for.
#[derive(Debug)]
struct Removal {
    request: RequestId,
    until: Instant,
    needed: u32,
    removed: u32,
    refusal: Option<Refusal>,
    waiting: BTreeSet<LinkId>, // For these targets' answers.
}

impl Removal {
    fn hear(&mut self, link: LinkId, result: Result<(), Refusal>) {
        if !self.waiting.remove(&link) {
            return;
        }
        match (result, &self.refusal) {
            (Ok(()), _) => self.removed += 1,
            (Err(Refusal::DurableUnknown(_)), Some(_)) => (), // Another reason says more.
            (Err(refusal), _) => self.refusal = Some(refusal),
        }
    }

    /// What it comes to once nobody is waited for: one that some targets did not know is deleted where it was.
    fn result(self) -> Result<(), Refusal> {
        match self.refusal {
            Some(Refusal::DurableUnknown(_)) | None if self.removed > 0 => Ok(()),
            None => Err(Refusal::NotEnough { accepted: 0, needed: self.needed }),
            Some(refusal) => Err(refusal),
        }
    }
}

impl Removals {
    /// When the first has taken too long.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.by_number.values().map(|removal| removal.until).min()
    }
}

impl Fanout {
    /// Deletes a durable subscription on every target that is up. Done once each of them has answered or is lost.
    pub(crate) fn remove_durable(
        &mut self,
        now: Instant,
        durable: &Durable,
        request: RequestId,
        out: &mut Outbox<Output>,
    ) {
        self.removals.born += 1;
        let number = self.removals.born;
        for link in self.targets.keys() {
            out.push(Output::Say { link: *link, frame: Frame::RemoveDurable { number, durable: durable.clone() } });
        }
        let removal = Removal {
            request,
            until: now + self.config.send_timeout,
            needed: self.config.acks_min,
            removed: 0,
            refusal: None,
            waiting: self.targets.keys().copied().collect(),
        };
        self.removals.by_number.insert(number, removal);
        self.conclude_removals(out);
    }

    /// A target answers.
    pub(super) fn hear_removed(
        &mut self,
        link: LinkId,
        number: u32,
        result: Result<(), Refusal>,
        out: &mut Outbox<Output>,
    ) {
        if let Some(removal) = self.removals.by_number.get_mut(&number) {
            removal.hear(link, result);
            self.conclude_removals(out);
        }
    }

    /// A target was lost: its answer does not come.
    pub(super) fn lose_removals(&mut self, link: LinkId, out: &mut Outbox<Output>) {
        for removal in self.removals.by_number.values_mut() {
            removal.waiting.remove(&link);
        }
        self.conclude_removals(out);
    }

    /// Answers what has taken too long.
    pub(super) fn expire_removals(&mut self, now: Instant, out: &mut Outbox<Output>) {
        let after = self.config.send_timeout;
        for removal in self.take_removals(|removal| removal.until <= now) {
            let (accepted, left) = (removal.removed, u32::try_from(removal.waiting.len()).unwrap_or(u32::MAX));
            let refusal = Refusal::TimedOut { accepted, needed: accepted.saturating_add(left), after };
            out.push(Output::Replied { request: removal.request, result: Err(refusal) });
        }
    }

    /// Answers all: the client stops.
    pub(super) fn stop_removals(&mut self, out: &mut Outbox<Output>) {
        for removal in self.take_removals(|_| true) {
            out.push(Output::Replied { request: removal.request, result: Err(Refusal::Stopping) });
        }
    }

    fn conclude_removals(&mut self, out: &mut Outbox<Output>) {
        for removal in self.take_removals(|removal| removal.waiting.is_empty()) {
            out.push(Output::Replied { request: removal.request, result: removal.result() });
        }
    }

    fn take_removals(&mut self, is_meant: impl Fn(&Removal) -> bool) -> Vec<Removal> {
        let by_number = &mut self.removals.by_number;
        by_number.extract_if(.., |_, removal| is_meant(removal)).map(|(_, removal)| removal).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FanoutConfig, Found, Horizon};
    use super::*;
    use crate::base::{Rng, Seed};
    use crate::model::BrokerId;
    use alloc::string::String;
    use core::time::Duration;

    const REQUEST: RequestId = RequestId(7);

    fn audit() -> Durable {
        Durable::new("client", "audit").expect("valid")
    }

    fn unknown() -> Refusal {
        Refusal::DurableUnknown(audit())
    }

    /// A fanout with so many targets up, on links numbered from 1, that was asked for a deletion; and what it says.
    fn asked(targets: u64) -> (Fanout, Outbox<Output>) {
        let (mut fanout, mut out) = (fanout(), Outbox::new());
        for number in 1..=targets {
            let address = "tcp://127.0.0.1:1".parse().expect("valid");
            let found = Found {
                broker: BrokerId(number.into()),
                name: String::new(),
                address,
                message_max: u64::from(u32::MAX),
            };
            fanout.handle_up(LinkId(number), found, &mut out);
        }
        out.drain().for_each(drop);
        fanout.remove_durable(Instant::ZERO, &audit(), REQUEST, &mut out);
        (fanout, out)
    }

    fn fanout() -> Fanout {
        let config = FanoutConfig { acks_min: 2, send_timeout: Duration::from_secs(30), ..FanoutConfig::default() };
        Fanout::new(config, BrokerId(99), Horizon::Closed, Rng::new(Seed::from(1)))
    }

    /// What targets answer, and what the application is told of it.
    fn answer<const N: usize>(answers: [Result<(), Refusal>; N]) -> Vec<Output> {
        let (mut fanout, mut out) = asked(N as u64);
        out.drain().for_each(drop);
        for (number, result) in (1..).zip(answers) {
            assert_eq!(out.drain().count(), 0, "not before all have answered");
            fanout.handle_frame(LinkId(number), Frame::DurableRemoved { number: 1, result }, &mut out);
        }
        assert_eq!(fanout.poll_timeout(), None);
        out.drain().collect()
    }

    fn replied(result: Result<(), Refusal>) -> Output {
        Output::Replied { request: REQUEST, result }
    }

    #[test]
    fn every_target_is_asked_and_the_answer_is_theirs() {
        let (_, mut out) = asked(2);
        let frame = || Frame::RemoveDurable { number: 1, durable: audit() };
        let said: Vec<Output> = out.drain().collect();
        assert_eq!(said, [1, 2].map(|link| Output::Say { link: LinkId(link), frame: frame() }));

        let in_use = || Refusal::DurableInUse(audit());
        assert_eq!(answer([Ok(()), Ok(())]), [replied(Ok(()))]);
        assert_eq!(answer([Err(unknown()), Ok(()), Err(unknown())]), [replied(Ok(()))], "it is nowhere any more");
        assert_eq!(answer([Err(unknown()), Err(unknown())]), [replied(Err(unknown()))]);
        for answers in [[Ok(()), Err(in_use()), Err(unknown())], [Err(unknown()), Err(in_use()), Ok(())]] {
            assert_eq!(answer(answers), [replied(Err(in_use()))]);
        }
    }

    #[test]
    fn nobody_can_answer_if_nobody_is_up() {
        let (_, mut out) = asked(0);
        let none = Refusal::NotEnough { accepted: 0, needed: 2 };
        assert_eq!(out.drain().collect::<Vec<_>>(), [replied(Err(none))]);
    }

    #[test]
    fn a_target_that_is_lost_is_not_waited_for() {
        let (mut fanout, mut out) = asked(2);
        fanout.handle_frame(LinkId(1), Frame::DurableRemoved { number: 1, result: Ok(()) }, &mut out);
        out.drain().for_each(drop);
        fanout.handle_down(LinkId(2), &mut out);
        assert!(out.drain().any(|said| said == replied(Ok(()))));
        fanout.handle_frame(LinkId(1), Frame::DurableRemoved { number: 1, result: Ok(()) }, &mut out);
        assert_eq!(out.drain().count(), 0, "it was answered");
    }

    #[test]
    fn a_target_that_says_nothing_is_waited_for_no_longer_than_sends_are() {
        let (mut fanout, mut out) = asked(2);
        fanout.handle_frame(LinkId(2), Frame::DurableRemoved { number: 1, result: Ok(()) }, &mut out);
        out.drain().for_each(drop);
        let at = Instant::ZERO + Duration::from_secs(30);
        assert_eq!(fanout.poll_timeout(), Some(at));
        fanout.handle_timeout(at, &mut out);
        let late = Refusal::TimedOut { accepted: 1, needed: 2, after: Duration::from_secs(30) };
        assert_eq!(out.drain().collect::<Vec<_>>(), [replied(Err(late))]);
        assert_eq!(fanout.poll_timeout(), None);
    }

    #[test]
    fn a_client_that_stops_says_so() {
        let (mut fanout, mut out) = asked(1);
        out.drain().for_each(drop);
        fanout.handle_stop(&mut out);
        assert_eq!(out.drain().collect::<Vec<_>>(), [replied(Err(Refusal::Stopping))]);
    }
}
