//! Who claims to be another, or to be where another is, or asks for more than may be, is cut off with a reason, and those
//! whom it is about notice nothing.

use std::num::NonZeroU32;
use std::time::Duration;

use flockmq_core::wire::Frame;
use flockmq_core::{Address, BrokerId, CloseReason, Config, Demand, Destination, Event, Path};
use flockmq_tests::{HostId, Puppet, Stage};

/// It says that it is a peer that there is a link to, and has to guess what the two of them know of that link.
#[test]
fn a_live_peers_id_takes_no_place() {
    let words = [
        (Frame::Propose { ended: u64::MAX }, Frame::Open { generation: u64::MAX }, true),
        (Frame::Propose { ended: 1 << 62 }, Frame::Open { generation: 1 << 63 }, true),
        (Frame::Propose { ended: 0 }, Frame::Open { generation: 1 }, false),
    ];
    for (to_who_decides, to_who_does_not, is_told) in words {
        for [place, other] in [[0, 1], [1, 0]] {
            let (mut stage, hosts) = quiet();
            let (host, claimed) = (hosts[place], stage.id(hosts[other]));
            let word = if stage.id(host) < claimed { &to_who_decides } else { &to_who_does_not };
            let mut puppet = Puppet::new(&mut stage, "puppet");
            let link = puppet.dial(&mut stage, host);
            stage.run_for(MOMENT);
            puppet.greet(&mut stage, link, "flock", claimed);
            puppet.say(&mut stage, link, std::slice::from_ref(word));
            stage.run_for(MOMENT);
            assert!(puppet.closed(&mut stage, link).is_some(), "{word:?}");
            // As a second link between two peers it is ended without a word to the application, as all of these are.
            let expected = is_told.then_some(CloseReason::IdentityTaken { claimed });
            assert_eq!(refused(&stage, host), expected.into_iter().collect::<Vec<_>>(), "{word:?}");
            nothing_is_noticed(&mut stage, &hosts);
        }
    }
}

#[test]
fn our_own_id_is_nobody_elses() {
    let (mut stage, hosts) = quiet();
    let mut puppet = Puppet::new(&mut stage, "puppet");
    let link = puppet.dial(&mut stage, hosts[0]);
    stage.run_for(MOMENT);
    let claimed = stage.id(hosts[0]);
    puppet.greet(&mut stage, link, "flock", claimed);
    stage.run_for(MOMENT);
    assert!(puppet.closed(&mut stage, link).is_some());
    assert_eq!(refused(&stage, hosts[0]), [CloseReason::IdentityTaken { claimed }]);
    nothing_is_noticed(&mut stage, &hosts);
}

/// It says that it can be reached where another is. Whoever has heard the same of both looks who is there.
#[test]
fn anothers_address_is_looked_at_and_who_is_not_there_is_cut_off() {
    let (mut stage, hosts) = quiet();
    let address = listening(&stage, hosts[1]);
    let mut puppet = Puppet::new(&mut stage, "puppet");
    let link = puppet.befriend(&mut stage, hosts[0], HIGHEST, std::slice::from_ref(&address));
    stage.run_for(Duration::from_secs(1));
    assert!(puppet.closed(&mut stage, link).is_some());
    assert_eq!(lost(&stage, hosts[0]), [CloseReason::NotItsAddress { address }]);
    nothing_is_noticed(&mut stage, &hosts);
}

/// It is there first, and says to everybody that it is where somebody will be. That one is linked to all the same.
#[test]
fn an_address_that_is_claimed_beforehand_is_dialled_when_somebody_is_there() {
    let (mut stage, hosts) = quiet();
    let number = hosts.len() + 2; // Beside the hosts there is the puppet.
    let address: Address = format!("tcp://10.0.0.{number}:40000").parse().expect("an address");
    let mut puppet = Puppet::new(&mut stage, "puppet");
    let links: Vec<_> =
        hosts.iter().map(|host| puppet.befriend(&mut stage, *host, HIGHEST, std::slice::from_ref(&address))).collect();
    let newcomer = stage.peer("flock", "newcomer");
    stage.run_for(Duration::from_secs(3));
    assert_eq!(listening(&stage, newcomer), address, "as was claimed");
    let names: Vec<_> = stage.peers(newcomer).into_iter().map(|peer| peer.name).collect();
    assert_eq!(names.len(), hosts.len(), "{names:?}");
    for link in links {
        assert!(puppet.closed(&mut stage, link).is_some());
    }
    for host in &hosts {
        assert_eq!(lost(&stage, *host), [CloseReason::NotItsAddress { address: address.clone() }]);
    }
}

#[test]
fn a_path_is_no_longer_than_may_be() {
    for (length, is_allowed) in [(Path::HOPS_MAX, true), (Path::HOPS_MAX + 1, false)] {
        let (mut stage, hosts) = quiet();
        let mut puppet = Puppet::new(&mut stage, "puppet");
        let link = puppet.befriend(&mut stage, hosts[0], HIGHEST, &[]);
        let path: Vec<_> = (1..=length as u128).map(BrokerId).collect();
        puppet.say(&mut stage, link, &[asked(1, wanted("topic://far", path.into()))]);
        stage.run_for(MOMENT);
        let lost = lost(&stage, hosts[0]);
        let is_told = matches!(&lost[..], [CloseReason::Malformed(why)] if why.contains("17 brokers; at most 16"));
        assert_eq!((lost.is_empty(), is_told), (is_allowed, !is_allowed), "{lost:?}");
        if !is_allowed {
            nothing_is_noticed(&mut stage, &hosts);
        }
    }
}

#[test]
fn as_much_may_be_demanded_and_included_as_may_be_and_no_more() {
    let destination = |number: u32| format!("topic://t.{number}");
    let demand = |number| asked(number, wanted(&destination(number), Path::default()));
    let include = |number| Frame::Include { destination: destination(number).parse().expect("a destination") };
    let floods: [(&dyn Fn(u32) -> Frame, &str); 2] = [(&demand, "more than 10 "), (&include, "includes more than 10 ")];
    for (frame, why) in floods {
        let (mut stage, hosts) = quiet();
        let mut puppet = Puppet::new(&mut stage, "puppet");
        let link = puppet.befriend(&mut stage, hosts[0], HIGHEST, &[]);
        for number in 1..=10 {
            puppet.say(&mut stage, link, &[frame(number)]);
        }
        stage.run_for(MOMENT);
        assert_eq!(lost(&stage, hosts[0]), []);
        puppet.say(&mut stage, link, &[frame(11)]);
        stage.run_for(MOMENT);
        let lost = lost(&stage, hosts[0]);
        assert!(matches!(&lost[..], [CloseReason::Malformed(said)] if said.contains(why)), "{lost:?}");
        nothing_is_noticed(&mut stage, &hosts);
    }
}

fn wanted(destination: &str, path: Path) -> Demand {
    let destination = destination.parse::<Destination>().expect("a destination");
    Demand { destination, selector: None, path, is_dormant: false }
}

fn asked(number: u32, demand: Demand) -> Frame {
    Frame::Demand { number, demand, consumers: NonZeroU32::MIN, instead: false }
}

/// Three peers, linked, of whom none takes more than ten demands of another.
fn quiet() -> (Stage, Vec<HostId>) {
    let mut stage = Stage::new(1);
    let hosts = ["a", "b", "c"].map(|name| {
        let mut config = Config::peer("flock", name);
        config.bridge.demands_max = 10;
        stage.host(config)
    });
    for host in &hosts {
        stage.subscribe(*host, "topic://t");
    }
    stage.run_for(Duration::from_secs(3));
    (stage, hosts.into())
}

fn listening(stage: &Stage, host: HostId) -> Address {
    let found = stage.notices(host).iter().find_map(|(_, event)| match event {
        Event::Listening { addresses } => addresses.first().copied(),
        _ => None,
    });
    found.expect("it listens").into()
}

fn refused(stage: &Stage, host: HostId) -> Vec<CloseReason> {
    let reasons = stage.notices(host).iter().filter_map(|(_, event)| match event {
        Event::LinkRefused { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    reasons.collect()
}

fn lost(stage: &Stage, host: HostId) -> Vec<CloseReason> {
    let reasons = stage.notices(host).iter().filter_map(|(_, event)| match event {
        Event::PeerLost { reason, name, .. } if name == "puppet" => Some(reason.clone()),
        _ => None,
    });
    reasons.collect()
}

/// None has lost another.
fn nothing_is_noticed(stage: &mut Stage, hosts: &[HostId]) {
    stage.check_flock(hosts);
    for host in hosts {
        let is_loss = |event: &Event| matches!(event, Event::PeerLost { name, .. } if name != "puppet");
        assert_eq!(stage.count(*host, is_loss), 0, "{host}");
    }
}

const HIGHEST: BrokerId = BrokerId(u128::MAX);

const MOMENT: Duration = Duration::from_millis(20);
