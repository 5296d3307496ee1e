//! The dialler driven alone: how dials fare, and when the next one is made.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::base::{Rng, Seed};

const PEER: BrokerId = BrokerId(7);
const TIMEOUT: Duration = Duration::from_secs(30);

fn dialer(attempts_max: Option<u32>) -> Dialer {
    let backoff = BackoffConfig { jitter_percent: 0, attempts_max, ..BackoffConfig::default() };
    Dialer::new(DialConfig { backoff, addresses_max: 2, ..DialConfig::default() }, Rng::new(Seed::from(1)))
}

/// Wants an address of which nothing else is said.
fn want(dialer: &mut Dialer, now: Instant, address: Address, urgency: Urgency) -> bool {
    let backoff = dialer.config.backoff.clone();
    dialer.want(now, address, backoff, urgency)
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
    assert!(want(&mut dialer, at(0), address(1), Urgency::AtOnce));
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
    want(&mut dialer, at(0), address(1), Urgency::AfterYou);
    assert_eq!(wake(&mut dialer, 199), []);
    dialer.met(at(199), PEER, None, &[address(1)]);
    assert_eq!((wake(&mut dialer, 1000), dialer.poll_timeout()), (Vec::new(), None));
}

#[test]
fn a_connect_that_takes_too_long_is_given_up() {
    let mut dialer = dialer(None);
    want(&mut dialer, at(0), address(1), Urgency::AtOnce);
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
    want(&mut dialer, at(0), address(1), Urgency::AtOnce);
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
    want(&mut dialer, at(0), address(1), Urgency::AtOnce);
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
fn each_address_has_waits_and_attempts_of_its_own() {
    let mut dialer = dialer(None);
    let first = Duration::from_millis(7);
    let own = BackoffConfig { first, factor: 1, attempts_max: Some(3), ..dialer.config.backoff.clone() };
    dialer.want(at(0), address(1), own, Urgency::AtOnce);
    want(&mut dialer, at(0), address(2), Urgency::AtOnce);
    for (now, dialled, next) in [(0, vec![1, 2], Some(7)), (7, vec![1], Some(14)), (14, vec![1], Some(100))] {
        let dials = dialled.iter().map(|port| Output::Dial(address(*port)));
        assert_eq!(wake(&mut dialer, now), dials.collect::<Vec<_>>());
        for port in dialled {
            let link = LinkId(now * 10 + u64::from(port));
            dialer.dialled(at(now), &address(port), link, TIMEOUT);
            dialer.failed(at(now), link);
        }
        assert_eq!(dialer.poll_timeout(), next.map(at));
    }
    dialer.met(at(14), PEER, None, &[address(1), address(2)]);
    dialer.parted(at(5014), PEER);
    assert_eq!(dialer.poll_timeout(), Some(at(5021)), "the loss of a link is followed by the first wait");
}

#[test]
fn attempts_end_at_their_limit() {
    let mut dialer = dialer(Some(2));
    want(&mut dialer, at(0), address(1), Urgency::AtOnce);
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
    want(&mut dialer, at(0), address(1), Urgency::AtOnce);
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
    let wants = [1, 2, 2, 3].map(|port| want(&mut dialer, at(0), address(port), Urgency::AtOnce));
    assert_eq!(wants, [true, true, true, false]);
}

#[test]
fn how_an_address_fares_can_be_asked() {
    let mut dialer = dialer(Some(1));
    let fares = |dialer: &Dialer| {
        let standings: Vec<_> = dialer.iter().map(|(address, standing)| (address.port, standing)).collect();
        (standings, dialer.prospects())
    };
    want(&mut dialer, at(0), address(1), Urgency::AtOnce);
    want(&mut dialer, at(0), address(2), Urgency::AfterYou);
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
    want(&mut dialer, at(0), address(1), Urgency::AtOnce);
    want(&mut dialer, at(0), address(2), Urgency::AfterYou);
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
    want(&mut dialer, at(0), address(1), Urgency::AtOnce);
    wake(&mut dialer, 0);
    dialer.dialled(at(0), &address(1), LinkId(1), TIMEOUT);
    dialer.connected(LinkId(1));
    assert_eq!((dialer.poll_timeout(), wake(&mut dialer, 30_000)), (None, Vec::new()));
}

#[test]
fn a_dial_that_has_no_room_is_made_a_second_later_and_is_no_failure() {
    let mut dialer = dialer(Some(1));
    want(&mut dialer, at(0), address(1), Urgency::AtOnce);
    wake(&mut dialer, 0);
    dialer.postponed(at(0), &address(1));
    assert_eq!(dialer.poll_timeout(), Some(at(1000)));
    assert_eq!(wake(&mut dialer, 1000), [Output::Dial(address(1))]);
}

#[test]
fn parting_from_one_broker_leaves_the_others() {
    let mut dialer = dialer(None);
    for (port, broker) in [(1, PEER), (2, BrokerId(8))] {
        want(&mut dialer, at(0), address(port), Urgency::AfterYou);
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
        want(&mut dialer, at(0), address(1), Urgency::AtOnce);
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
