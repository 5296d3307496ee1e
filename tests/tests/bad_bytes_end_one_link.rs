//! Whatever a peer sends, it ends its own link at worst, with a reason that says what was wrong, and the others notice
//! nothing.

use std::num::NonZeroU32;
use std::time::Duration;

use flockmq_core::wire::{Frame, PREFACE};
use flockmq_core::{AdminRequest, BrokerId, CloseReason, Config, Demand, Event, LinkId, Path, Role};
use flockmq_tests::{HostId, Puppet, Stage};

#[test]
fn noise() {
    let reason = refused(|stage, puppet, link| puppet.send(stage, link, *b"GET / HTTP/1.1\r\n\r\n"));
    assert!(matches!(reason, CloseReason::Malformed(_)), "{reason}");
}

#[test]
fn noise_after_the_preface() {
    let reason = refused(|stage, puppet, link| {
        puppet.send(stage, link, PREFACE);
        puppet.send(stage, link, [0, 0, 0, 3, 0xff, 0xff, 0xff]);
    });
    assert!(matches!(reason, CloseReason::Malformed(_)), "{reason}");
}

#[test]
fn an_over_long_frame_before_the_handshake_is_done() {
    let reason = refused(|stage, puppet, link| {
        puppet.send(stage, link, PREFACE);
        puppet.send(stage, link, (64 * 1024 + 1_u32).to_be_bytes());
    });
    assert_eq!(reason, CloseReason::FrameTooLong { length: 64 * 1024 + 1, max: 64 * 1024 });
}

#[test]
fn another_group() {
    for group in ["flock.x", "floc", "", "Flock"] {
        let reason = refused(|stage, puppet, link| puppet.greet(stage, link, group, BrokerId(1)));
        assert_eq!(reason, CloseReason::GroupMismatch { found: group.into() });
    }
}

#[test]
fn the_greeting_of_openwire() {
    let greeting = b"\0\0\0\xf0\x01ActiveMQ\0\0\0\x0c\x01\0\0\0\xde\0\0\0\x0a";
    let reason = refused(|stage, puppet, link| puppet.send(stage, link, *greeting));
    assert_eq!(reason, CloseReason::OpenWire);
}

#[test]
fn a_link_that_says_nothing() {
    let reason = refused(|_, _, _| ());
    assert_eq!(reason, CloseReason::HandshakeTimeout);
}

#[test]
fn a_frame_out_of_place() {
    for frame in [Frame::Synced, Frame::Open { generation: 1 }, Frame::Propose { ended: 0 }] {
        let name = frame.name();
        let reason = refused(|stage, puppet, link| {
            puppet.send(stage, link, PREFACE);
            puppet.say(stage, link, std::slice::from_ref(&frame));
        });
        assert!(matches!(&reason, CloseReason::Malformed(what) if what.contains(name)), "{name}: {reason}");
    }
}

/// Once it is a peer, a longer frame is allowed, but none that is longer than the limit, and its length alone takes no
/// memory: two gigabytes at each of a hundred links would be noticed.
#[test]
fn two_gigabytes_that_are_only_claimed() {
    let (mut stage, hosts) = quiet();
    for number in 0..100 {
        let mut puppet = Puppet::new(&mut stage, "puppet");
        let link = puppet.befriend(&mut stage, hosts[0], BrokerId(u128::MAX - number), &[]);
        puppet.send(&mut stage, link, 0x8000_0000_u32.to_be_bytes());
        stage.run_for(Duration::from_millis(5));
        let lost = stage.notices(hosts[0]).last();
        let Some((_, Event::PeerLost { reason, .. })) = lost else { panic!("{lost:?}") };
        assert_eq!(*reason, CloseReason::FrameTooLong { length: 1 << 31, max: 10 * 1024 * 1024 });
        assert!(puppet.closed(&mut stage, link).is_some());
    }
    nothing_is_noticed(&mut stage, &hosts);
}

/// As much as is allowed may be claimed, and costs nothing until it comes.
#[test]
fn a_long_frame_that_never_comes() {
    let (mut stage, hosts) = quiet();
    let mut puppet = Puppet::new(&mut stage, "puppet");
    let link = puppet.befriend(&mut stage, hosts[0], BrokerId(u128::MAX), &[]);
    puppet.send(&mut stage, link, (10 * 1024 * 1024_u32).to_be_bytes());
    stage.run_for(Duration::from_secs(29));
    assert_eq!(stage.peers(hosts[0]).len(), 3);
    stage.run_for(Duration::from_secs(5));
    let reason = lost_reason(&stage, hosts[0]);
    assert_eq!(reason, Some(CloseReason::Silent));
    nothing_is_noticed(&mut stage, &hosts);
}

#[test]
fn a_demand_told_twice() {
    let (mut stage, hosts) = quiet();
    let mut puppet = Puppet::new(&mut stage, "puppet");
    let link = puppet.befriend(&mut stage, hosts[0], BrokerId(u128::MAX), &[]);
    // As docs/protocol.md has it: length, head 5, number 1, a topic, its name, no selector, an empty path, one consumer,
    // in nobody's place.
    let demand = [0, 0, 0, 9, 5, 1, 1, 1, b't', 0, 0, 1, 0];
    puppet.send(&mut stage, link, [demand, demand].concat());
    stage.run_for(Duration::from_millis(50));
    let reason = lost_reason(&stage, hosts[0]);
    assert!(matches!(&reason, Some(CloseReason::Malformed(what)) if what.contains("twice")), "{reason:?}");
    nothing_is_noticed(&mut stage, &hosts);
}

#[test]
fn more_demands_than_a_peer_may_have() {
    let demand = |number: usize| {
        let destination = format!("topic://t{}", number / 100).parse().expect("a topic");
        let selector = Some(format!("n = {number}").parse().expect("a selector"));
        let demand = Demand { destination, selector, path: Path::default(), is_dormant: false };
        let number = u32::try_from(number).expect("small");
        Frame::Demand { number, demand, consumers: NonZeroU32::MIN, instead: false }
    };
    let (mut stage, hosts) = quiet();
    let max = stage.config(hosts[0]).bridge.demands_max;
    for (one_more, expected) in [(false, None), (true, Some(format!("it has more than {max} demands")))] {
        let mut puppet = Puppet::new(&mut stage, "puppet");
        let link = puppet.befriend(&mut stage, hosts[0], BrokerId(u128::MAX - u128::from(one_more)), &[]);
        let frames: Vec<Frame> = (1..=max + usize::from(one_more)).map(demand).collect();
        puppet.say(&mut stage, link, &frames);
        stage.run_for(Duration::from_millis(50));
        let lost = stage.notices(hosts[0]).iter().filter(|(_, event)| matches!(event, Event::PeerLost { .. })).count();
        let reason = lost_reason(&stage, hosts[0]).filter(|_| one_more);
        assert_eq!((lost, reason), (usize::from(one_more) * 2, expected.map(CloseReason::Malformed)));
        if !one_more {
            puppet.close(&mut stage, link);
            stage.run_for(Duration::from_millis(50));
        }
    }
    nothing_is_noticed(&mut stage, &hosts);
}

/// Who asks as an administrator and reads no answers is not answered without end.
#[test]
fn questions_without_end() {
    let mut stage = Stage::new(1);
    let mut config = Config::broker("flock", "b");
    config.link.backlog_max = 64 * 1024;
    let host = stage.host(config);
    stage.subscribe(host, "topic://t");
    stage.run_for(Duration::from_secs(1));
    let mut puppet = Puppet::new(&mut stage, "puppet");
    let link = puppet.dial(&mut stage, host);
    stage.run_for(Duration::from_millis(5));
    puppet.greet_as(&mut stage, link, Role::Client, "", BrokerId(7));
    stage.run_for(Duration::from_millis(5));
    let asked = AdminRequest::Destinations { within: None, after: None };
    let frames: Vec<Frame> = (1..10_000).map(|number| Frame::Ask { number, asked: asked.clone() }).collect();
    puppet.say(&mut stage, link, &frames);
    stage.run_for(Duration::from_secs(1));
    let lost = stage.notices(host).last();
    let Some((_, Event::ClientLost { reason, .. })) = lost else { panic!("{lost:?}") };
    assert_eq!(*reason, CloseReason::Backlog { max: 64 * 1024 });
    let answers = puppet.frames(&mut stage, link).into_iter().filter(|frame| matches!(frame, Frame::Answered { .. }));
    assert!(answers.count() < 9_999);
}

/// Lets a puppet dial one of two peers and do what it does; the reason for which its link is refused.
fn refused(act: impl FnOnce(&mut Stage, &mut Puppet, LinkId)) -> CloseReason {
    let (mut stage, hosts) = quiet();
    let mut puppet = Puppet::new(&mut stage, "puppet");
    let link = puppet.dial(&mut stage, hosts[0]);
    stage.run_for(Duration::from_millis(5));
    act(&mut stage, &mut puppet, link);
    stage.run_for(Duration::from_secs(6));
    assert!(puppet.closed(&mut stage, link).is_some(), "the link was closed");
    let refused: Vec<_> = stage
        .notices(hosts[0])
        .iter()
        .filter_map(|(_, event)| match event {
            Event::LinkRefused { address, reason } => Some((address.clone(), reason.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(refused.len(), 1, "one link was refused: {refused:?}");
    nothing_is_noticed(&mut stage, &hosts);
    assert_eq!(refused[0].0, None, "it came from outside");
    refused[0].1.clone()
}

fn lost_reason(stage: &Stage, host: HostId) -> Option<CloseReason> {
    stage.notices(host).iter().rev().find_map(|(_, event)| match event {
        Event::PeerLost { reason, .. } => Some(reason.clone()),
        _ => None,
    })
}

fn quiet() -> (Stage, Vec<HostId>) {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    for host in &hosts {
        stage.subscribe(*host, "topic://t");
    }
    stage.run_for(Duration::from_secs(1));
    (stage, hosts)
}

/// None but the first was told anything.
fn nothing_is_noticed(stage: &mut Stage, hosts: &[HostId]) {
    stage.check_flock(hosts);
    for host in &hosts[1..] {
        let is_fault = |event: &Event| matches!(event, Event::LinkRefused { .. } | Event::PeerLost { .. });
        assert_eq!(stage.count(*host, is_fault), 0, "{host}");
    }
}
