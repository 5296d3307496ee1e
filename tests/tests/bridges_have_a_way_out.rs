//! Every state that a bridge can be in ends by itself, when its time is up, whatever the other end does or leaves undone; it
//! is told why, and what was dialled is dialled again. Time is the world's, so each moment is exact but for the network's.

use std::time::Duration;

use flockmq_core::wire::{Farewell, Frame, PREFACE};
use flockmq_core::{BrokerId, CloseReason, Config, Event, LinkId};
use flockmq_tests::{HostId, Puppet, Stage};

/// How far the other end goes, and then does nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Far {
    /// It accepts the connection.
    Connected,
    /// It has said the first bytes of a link.
    Prefaced,
    /// It has said who it is, and neither proposes nor opens.
    Greeted,
    /// It has asked for the link, or kept it, and says no `Synced`.
    Open,
    /// It has said `Synced`, and does not say that it has heard ours.
    Synced,
    /// The bridge is ready; the other end falls silent.
    Ready,
}

/// What ends it, and how long that takes from the last word on.
fn way_out(far: Far) -> (CloseReason, Duration) {
    match far {
        Far::Connected | Far::Prefaced | Far::Greeted => (CloseReason::HandshakeTimeout, Duration::from_secs(5)),
        Far::Open | Far::Synced => (CloseReason::SyncTimeout, Duration::from_secs(20)),
        Far::Ready => (CloseReason::Silent, Duration::from_secs(30)),
    }
}

const ALL: [Far; 6] = [Far::Connected, Far::Prefaced, Far::Greeted, Far::Open, Far::Synced, Far::Ready];

/// A node whose bridges have this long to exchange demand.
fn config() -> Config {
    let mut config = Config::peer("flock", "node");
    config.bridge.sync_timeout = Duration::from_secs(20);
    config
}

/// Has a puppet go so far on a link. Its id says whether it is for the node to decide that the link is kept.
fn go(stage: &mut Stage, puppet: &Puppet, link: LinkId, far: Far, broker: BrokerId) {
    if far == Far::Prefaced {
        puppet.send(stage, link, PREFACE);
    }
    if far >= Far::Greeted {
        puppet.greet(stage, link, "flock", broker);
        stage.run_for(MOMENT);
    }
    if far >= Far::Open {
        let word = if broker == HIGH { Frame::Propose { ended: 0 } } else { Frame::Open { generation: 1 } };
        puppet.say(stage, link, &[word]);
        stage.run_for(MOMENT);
    }
    if far >= Far::Synced {
        puppet.say(stage, link, &[Frame::Synced]);
    }
    if far >= Far::Ready {
        puppet.say(stage, link, &[Frame::SyncedHeard]);
    }
    stage.run_for(MOMENT);
}

impl PartialOrd for Far {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        let place = |far: &Self| ALL.iter().position(|known| known == far);
        place(self).partial_cmp(&place(other))
    }
}

/// Until `until`, the puppet shows that it is alive, once it may; tells when its link was ended, and why.
fn wait(stage: &mut Stage, puppet: &mut Puppet, link: LinkId, far: Far) -> Option<Duration> {
    let begun = stage.now();
    while stage.now() - begun < Duration::from_mins(1) {
        if far > Far::Prefaced && far < Far::Ready {
            puppet.say(stage, link, &[Frame::KeepAlive]);
        }
        stage.run_for(Duration::from_millis(100));
        if puppet.closed(stage, link).is_some() {
            return Some(stage.now() - begun);
        }
    }
    None
}

fn ended(stage: &Stage, host: HostId) -> Vec<CloseReason> {
    let reasons = stage.notices(host).iter().filter_map(|(_, event)| match event {
        Event::LinkRefused { reason, .. } | Event::PeerLost { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    reasons.collect()
}

fn check(stage: &mut Stage, puppet: &mut Puppet, host: HostId, link: LinkId, far: Far, broker: BrokerId) {
    go(stage, puppet, link, far, broker);
    assert_eq!(stage.stats(host).peers, usize::from(far >= Far::Open), "{far:?}");
    let (reason, after) = way_out(far);
    let took = wait(stage, puppet, link, far).unwrap_or_else(|| panic!("{far:?} lasts"));
    assert!(took <= after + MOMENT * 8 && took + Duration::from_secs(1) >= after, "{far:?} took {took:?}");
    assert_eq!(ended(stage, host), [reason], "{far:?}");
    assert_eq!(stage.stats(host).peers, 0, "{far:?}");
}

#[test]
fn whoever_dials_us_and_then_does_nothing_more_is_parted_with_in_time() {
    for far in ALL {
        for broker in [LOW, HIGH] {
            let mut stage = Stage::new(1);
            let host = stage.host(config());
            stage.run_for(MOMENT);
            let mut puppet = Puppet::new(&mut stage, "puppet");
            let link = puppet.dial(&mut stage, host);
            stage.run_for(MOMENT);
            check(&mut stage, &mut puppet, host, link, far, broker);
            assert_eq!(stage.stats(host).links, 0, "{far:?}");
        }
    }
}

#[test]
fn whoever_we_dial_that_does_nothing_more_is_parted_with_in_time_and_dialled_again() {
    for far in ALL {
        for broker in [LOW, HIGH] {
            let mut stage = Stage::new(1);
            let mut puppet = Puppet::new(&mut stage, "puppet");
            let address = puppet.listen(&mut stage, 8);
            let host = stage.host(Config { peers: vec![address.into()], ..config() });
            stage.run_for(MOMENT);
            check(&mut stage, &mut puppet, host, FIRST, far, broker);
            stage.run_for(Duration::from_secs(3));
            let again = puppet
                .heard(&mut stage)
                .iter()
                .any(|input| matches!(input, flockmq_core::Input::Connected { link, .. } if link.0 == FIRST.0 + 1));
            assert!(again, "{far:?}");
        }
    }
}

/// Nobody answers at all: the attempt is given up when a connect has taken as long as it may, and made again.
#[test]
fn a_connect_that_nobody_answers_is_given_up_and_tried_again() {
    let mut stage = Stage::new(1);
    let mut puppet = Puppet::new(&mut stage, "puppet");
    let address = puppet.listen(&mut stage, 8);
    let mut config = Config { peers: vec![address.into()], ..config() };
    config.dial.connect_timeout = Duration::from_secs(2);
    let host = stage.host(config);
    let far = puppet.host;
    stage.world().cut(host, far);
    stage.run_for(Duration::from_secs(10));
    assert_eq!(stage.stats(host).links, 0);
    stage.world().heal(host, far);
    stage.run_for(Duration::from_secs(5));
    go(&mut stage, &puppet, FIRST, Far::Ready, HIGH);
    assert_eq!(stage.stats(host).peers, 1);
}

/// A link that is up and cut off is missed when nothing was heard for as long as that may be, at both ends; nothing of it is
/// left, and when the cut heals there is a new one.
#[test]
fn a_link_that_is_half_open_is_found_by_keep_alive_at_both_ends() {
    for is_one_way in [false, true] {
        let mut stage = Stage::new(1);
        let hosts = stage.flock(2);
        stage.run_for(Duration::from_secs(3));
        assert!(stage.is_linked(&hosts));
        if is_one_way {
            stage.world().cut_one_way(hosts[0], hosts[1]);
        } else {
            stage.world().cut(hosts[0], hosts[1]);
        }
        stage.run_for(Duration::from_secs(19));
        assert_eq!(stage.stats(hosts[1]).peers, 1, "the last sign of life was no more than 10 s before the cut");
        stage.run_for(Duration::from_secs(12));
        assert_eq!(stage.stats(hosts[1]).peers, 0);
        assert_eq!(ended(&stage, hosts[1])[0], CloseReason::Silent);
        stage.run_for(Duration::from_secs(30));
        assert_eq!(stage.stats(hosts[0]).peers, 0, "the other end at the latest when it hears nothing either");
        stage.world().heal_all();
        assert!(stage.run_until(Duration::from_mins(1), |stage| stage.is_linked(&hosts)), "one way: {is_one_way}");
    }
}

/// Whoever is not heard of any more is not dialled, and that is all: its link shows by itself that it is alive.
#[test]
fn a_bridge_outlives_the_adverts_of_its_other_end() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let consumers = [0, 1].map(|at| stage.subscribe(hosts[at], "topic://t"));
    stage.world().set_segments(hosts[0], &[7]);
    stage.run_for(Duration::from_mins(2));
    for host in &hosts {
        assert_eq!(stage.count(*host, |event| matches!(event, Event::ServiceLost { .. })), 1);
        stage.send(*host, "topic://t", "x");
    }
    stage.run_for(MOMENT);
    assert_eq!(consumers.map(|consumer| stage.bodies(consumer).len()), [2, 2]);
    stage.world().set_segments(hosts[0], &[0]);
    stage.run_for(Duration::from_mins(1));
    for host in &hosts {
        assert_eq!(
            (stage.stats(*host).links, ended(&stage, *host)),
            (1, Vec::new()),
            "found again, it is linked already"
        );
    }
}

/// Whoever takes its leave is believed at once, in every state that it can do so in.
#[test]
fn a_goodbye_ends_a_bridge_at_once() {
    for far in ALL.into_iter().filter(|far| *far >= Far::Greeted) {
        let mut stage = Stage::new(1);
        let host = stage.host(config());
        stage.run_for(MOMENT);
        let mut puppet = Puppet::new(&mut stage, "puppet");
        let link = puppet.dial(&mut stage, host);
        stage.run_for(MOMENT);
        go(&mut stage, &puppet, link, far, HIGH);
        puppet.say(&mut stage, link, &[Frame::Goodbye(Farewell::Leaving)]);
        stage.run_for(MOMENT);
        assert_eq!((stage.stats(host).peers, stage.stats(host).links), (0, 0), "{far:?}");
        assert!(puppet.closed(&mut stage, link).is_some(), "{far:?}");
        let lost = ended(&stage, host);
        assert_eq!(lost, if far >= Far::Open { vec![CloseReason::Leaving] } else { vec![] }, "{far:?}");
    }
}

/// A process that dies and is back within moments has a new id. The bridge to it is there as soon as it dials, while that to
/// its old self is found dead in its own time; nothing waits for that, and "already connected" is nothing that can be said.
#[test]
fn a_newer_incarnation_is_bridged_at_once_whatever_became_of_the_old_one() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    stage.run_for(Duration::from_secs(3));
    let consumer = stage.subscribe(hosts[0], "topic://t");
    let (old, host) = (stage.id(hosts[1]), hosts[1]);
    stage.power_off(host);
    stage.run_for(Duration::from_secs(1));
    stage.restart_empty(host);
    let new = |stage: &mut Stage| stage.peers(hosts[0]).iter().any(|peer| peer.broker != old && peer.is_ready);
    assert!(stage.run_until(Duration::from_secs(2), new), "{:?}", stage.peers(hosts[0]));
    stage.run_for(Duration::from_millis(200));
    stage.send(host, "topic://t", "from the new one");
    stage.run_for(Duration::from_millis(200));
    assert_eq!(stage.received(consumer).len(), 1);
    stage.run_for(Duration::from_secs(40));
    let peers = stage.peers(hosts[0]);
    assert!(peers.len() == 1 && peers[0].broker != old, "{peers:?}");
}

const MOMENT: Duration = Duration::from_millis(50);
const LOW: BrokerId = BrokerId(1);
const HIGH: BrokerId = BrokerId(u128::MAX);
/// The first link that a puppet accepts.
const FIRST: LinkId = LinkId(1_001);
