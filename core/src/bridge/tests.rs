//! The bridge driven alone: tell it, then compare all that it says.

use super::*;

const LOCAL: BrokerId = BrokerId(1);
const REMOTE: BrokerId = BrokerId(2);

fn demand(destination: &str) -> Demand {
    let destination = destination.parse().expect("a destination");
    Demand { destination, selector: None, path: Path::default(), is_dormant: false }
}

fn dormant(destination: &str) -> Demand {
    Demand { is_dormant: true, ..demand(destination) }
}

fn told(number: u32, demand: &Demand) -> Frame {
    Frame::Demand { number, demand: demand.clone(), consumers: NonZeroU32::MIN, instead: false }
}

fn instead(number: u32, demand: &Demand) -> Frame {
    Frame::Demand { number, demand: demand.clone(), consumers: NonZeroU32::MIN, instead: true }
}

fn ended(number: u32) -> Frame {
    Frame::Undemand { numbers: Vec::from([number]) }
}

fn subscribed(number: u32, demand: &Demand) -> Inward {
    Inward::Subscribe(wish(number, demand))
}

fn wish(number: u32, demand: &Demand) -> Wish {
    let demand = Demand { path: demand.path.then(REMOTE), ..demand.clone() };
    Wish { consumer: ConsumerId(number.into()), demand, prefetch: 32_767, weight: NonZeroU32::MIN }
}

/// A bridge whose two ends know of all that is wanted, and what the peer was told.
fn bridge(dynamic_only: bool, wanted: &[Demand]) -> (Bridge, Vec<Frame>) {
    let config = BridgeConfig { dynamic_only, ..BridgeConfig::default() };
    let (wanted, mut out) = (wanted.iter().map(|demand| (demand, NonZeroU32::MIN)), Outbox::new());
    let mut bridge = Bridge::new(Instant::ZERO, config, LOCAL, REMOTE, wanted, &mut out);
    let frames = out.drain().collect();
    assert_eq!(hear(&mut bridge, Frame::Synced), (Vec::new(), Vec::from([Frame::SyncedHeard])));
    assert_eq!(hear(&mut bridge, Frame::SyncedHeard), (Vec::from([Inward::Ready]), Vec::new()));
    (bridge, frames)
}

fn hear(bridge: &mut Bridge, frame: Frame) -> (Vec<Inward>, Vec<Frame>) {
    let (mut inward, mut outward) = (Outbox::new(), Outbox::new());
    bridge.handle_frame(frame, &mut inward, &mut outward);
    (inward.drain().collect(), outward.drain().collect())
}

fn want(bridge: &mut Bridge, demand: &Demand) -> Vec<Frame> {
    let (mut inward, mut out) = (Outbox::new(), Outbox::new());
    bridge.handle_wanted(demand, NonZeroU32::MIN, &mut inward, &mut out);
    assert_eq!(inward.drain().next(), None);
    out.drain().collect()
}

fn unwant(bridge: &mut Bridge, demand: &Demand) -> Vec<Frame> {
    let (mut inward, mut out) = (Outbox::new(), Outbox::new());
    bridge.handle_unwanted(demand, &mut inward, &mut out);
    assert_eq!(inward.drain().next(), None);
    out.drain().collect()
}

#[test]
fn a_peer_is_told_that_a_durable_subscription_is_left_and_that_it_is_taken_up() {
    let [taken, left, other] = [demand("topic://t"), dormant("topic://t"), dormant("topic://u")];
    let (mut bridge, start) = bridge(false, &[taken.clone(), other.clone()]);
    assert_eq!(start, [told(1, &taken), told(2, &other), Frame::Synced]);
    assert_eq!(want(&mut bridge, &left), [], "somebody takes it yet");
    assert_eq!(unwant(&mut bridge, &taken), [instead(3, &left), ended(1)], "no message falls between");
    assert_eq!(want(&mut bridge, &taken), [instead(4, &taken), ended(3)]);
    assert_eq!(unwant(&mut bridge, &left), []);
    assert_eq!(unwant(&mut bridge, &taken), [ended(4)]);
}

#[test]
fn a_peer_is_told_of_no_durable_subscription_that_is_left_if_those_count_for_nothing() {
    let [taken, left, other] = [demand("topic://t"), dormant("topic://t"), dormant("topic://u")];
    let (mut bridge, start) = bridge(true, &[taken.clone(), other.clone()]);
    assert_eq!(start, [told(1, &taken), Frame::Synced]);
    assert!(bridge.may_be_told(&taken) && !bridge.may_be_told(&left));
    assert_eq!(want(&mut bridge, &left), []);
    assert_eq!(unwant(&mut bridge, &taken), [ended(1)]);
    assert_eq!(want(&mut bridge, &taken), [told(2, &taken)]);
    assert_eq!(unwant(&mut bridge, &left), []);
    assert_eq!(unwant(&mut bridge, &other), []);
}

#[test]
fn what_a_peer_has_durable_subscriptions_for_is_wanted_as_long_as_they_are_there() {
    let (mut bridge, _) = bridge(false, &[]);
    let [taken, left] = [demand("topic://t"), dormant("topic://t")];
    assert_eq!(hear(&mut bridge, told(1, &left)), (Vec::from([subscribed(1, &left)]), Vec::new()));
    assert_eq!(hear(&mut bridge, instead(2, &taken)), (Vec::new(), Vec::new()), "until the other ends");
    let replaced = Inward::Replace { ended: Vec::from([ConsumerId(1)]), begun: Vec::from([wish(2, &taken)]) };
    assert_eq!(hear(&mut bridge, ended(1)), (Vec::from([replaced]), Vec::new()));
}

#[test]
fn what_a_peer_has_durable_subscriptions_for_is_wanted_while_they_are_taken_if_only_that_counts() {
    let (mut bridge, _) = bridge(true, &[]);
    let [taken, left] = [demand("topic://t"), dormant("topic://t")];
    let replaced = |ended: &[u64], begun: &[Wish]| Inward::Replace {
        ended: ended.iter().copied().map(ConsumerId).collect(),
        begun: begun.to_vec(),
    };
    assert_eq!(hear(&mut bridge, told(1, &left)), (Vec::new(), Vec::new()));
    assert_eq!(hear(&mut bridge, instead(2, &taken)), (Vec::new(), Vec::new()));
    assert_eq!(hear(&mut bridge, ended(1)), (Vec::from([replaced(&[], &[wish(2, &taken)])]), Vec::new()));
    assert_eq!(hear(&mut bridge, instead(3, &left)), (Vec::new(), Vec::new()));
    assert_eq!(hear(&mut bridge, ended(2)), (Vec::from([replaced(&[2], &[])]), Vec::new()));
}

#[test]
fn what_the_peer_forwards_unasked_stays_wanted_whoever_takes_it() {
    let (mut bridge, _) = bridge(true, &[]);
    let [taken, left] = [demand("topic://t"), dormant("topic://t")];
    let included = hear(&mut bridge, Frame::Include { destination: taken.destination.clone() });
    assert_eq!(included, (Vec::new(), Vec::from([told(1, &taken)])));
    assert_eq!(want(&mut bridge, &taken), []);
    assert_eq!(want(&mut bridge, &left), []);
    assert_eq!(unwant(&mut bridge, &taken), []);
    assert_eq!(unwant(&mut bridge, &left), []);
}
