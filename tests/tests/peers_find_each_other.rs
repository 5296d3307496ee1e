//! Peers of a group find each other, and only each other, whoever else speaks on the same multicast address.

use std::collections::BTreeSet;
use std::time::Duration;

use flockmq_core::uri::Peer;
use flockmq_core::wire::AdvertStatus;
use flockmq_core::{BackoffConfig, Config, Event, Service};
use flockmq_tests::{HostId, Puppet, Stage};

#[test]
fn in_a_quiet_world_within_one_period() {
    let mut stage = Stage::new(1);
    let first = stage.peer("flock", "first");
    stage.run_for(Duration::from_millis(1_730));
    let second = stage.peer("flock", "second");
    assert!(stage.run_until(PERIOD, |stage| stage.is_linked(&[first, second])));
    for (host, other) in [(first, second), (second, first)] {
        assert_eq!(stage.peers(host)[0].broker, stage.id(other));
        assert_eq!(stage.count(host, |event| matches!(event, Event::PeerUp { .. })), 1);
        assert_eq!(stage.count(host, |event| matches!(event, Event::PeerReady { .. })), 1);
    }
}

#[test]
fn who_takes_leave_is_lost_at_once() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    stage.stop(hosts[0]);
    stage.run_for(Duration::from_millis(50));
    for host in &hosts[1..] {
        assert_eq!(stage.count(*host, is_service_lost), 1);
        assert_eq!(stage.count(*host, |event| matches!(event, Event::PeerLost { .. })), 1);
    }
    assert!(matches!(stage.notices(hosts[0]).last(), Some((_, Event::Stopped))));
}

#[test]
fn who_falls_silent_is_lost_after_ten_periods_and_found_again() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    stage.run_for(Duration::from_secs(3));
    stage.world().cut_one_way(hosts[0], hosts[1]);
    let cut_at = stage.now();
    assert!(stage.run_until(Duration::from_secs(20), |stage| stage.count(hosts[1], is_service_lost) == 1));
    let silence = stage.now() - cut_at;
    assert!(silence > PERIOD * 9 && silence <= PERIOD * 10 + Duration::from_millis(1), "{silence:?}");
    assert_eq!(stage.count(hosts[0], is_service_lost), 0, "the other way is open");
    stage.world().heal(hosts[0], hosts[1]);
    let is_found_again = |stage: &mut Stage| stage.count(hosts[1], is_service_found) == 2;
    assert!(stage.run_until(PERIOD + Duration::from_millis(1), is_found_again));
    let mut turns =
        stage.notices(hosts[1]).iter().filter(|(_, event)| is_service_found(event) || is_service_lost(event));
    assert!(turns.by_ref().step_by(2).all(|(_, event)| is_service_found(event)), "found and lost take turns");
}

#[test]
fn groups_with_names_that_begin_alike_never_meet() {
    let mut stage = Stage::new(1);
    let groups = ["a", "a.b", "a.ActiveMQ-4.alive.%x%", "A", "a%2E", " a", "ä"];
    let hosts: Vec<[HostId; 2]> = groups.map(|group| ["one", "two"].map(|name| stage.peer(group, name))).into();
    let consumers: Vec<_> = hosts.iter().map(|[_, two]| stage.subscribe(*two, "topic://>")).collect();
    stage.run_for(Duration::from_secs(10));
    for (group, [one, two]) in groups.iter().zip(&hosts) {
        assert!(stage.is_linked(&[*one, *two]), "{group}");
        assert_eq!((stage.peers(*one).len(), stage.peers(*two).len()), (1, 1), "{group}");
        assert_eq!(
            stage.count(*one, |event| matches!(event, Event::LinkRefused { .. })),
            0,
            "nobody dials into {group}"
        );
        stage.send(*one, "topic://t", group);
    }
    stage.run_for(Duration::from_secs(1));
    for (group, consumer) in groups.iter().zip(consumers) {
        assert_eq!(stage.bodies(consumer), [*group]);
    }
}

#[test]
fn thirty_that_start_at_once_make_one_link_for_each_pair() {
    let mut stage = Stage::new(1);
    let hosts: Vec<HostId> = (0..30).map(|number| stage.peer("flock", &format!("b{number}"))).collect();
    assert!(stage.run_until(PERIOD * 4, |stage| stage.is_linked(&hosts)));
    stage.run_for(Duration::from_secs(2));
    for host in &hosts {
        let peers: BTreeSet<_> = stage.peers(*host).into_iter().map(|peer| peer.broker).collect();
        assert_eq!(peers.len(), 29);
        assert_eq!(stage.stats(*host).links, 29, "no link but one for each peer is up at {host}");
        assert_eq!(stage.count(*host, |event| matches!(event, Event::PeerLost { .. })), 0);
    }
    let streams = stage.world().counts().streams;
    assert!(streams < 30 * 29, "{streams} streams were made for {} pairs", 30 * 29 / 2);
}

#[test]
fn two_of_one_name_both_work_and_each_is_told() {
    let mut stage = Stage::new(1);
    let twins = ["twin", "twin", "other"].map(|name| stage.peer("flock", name));
    assert!(stage.run_until(Duration::from_secs(5), |stage| stage.is_linked(&twins)));
    let consumers = twins.map(|host| stage.subscribe(host, "topic://t"));
    stage.run_for(Duration::from_secs(1));
    for host in twins {
        stage.send(host, "topic://t", &format!("from {host}"));
    }
    stage.run_for(Duration::from_secs(1));
    for consumer in consumers {
        assert_eq!(stage.received(consumer).len(), 3);
    }
    for (host, other) in [(twins[0], twins[1]), (twins[1], twins[0])] {
        let clash = Event::NameClash { name: "twin".into(), broker: stage.id(other) };
        assert_eq!(stage.count(host, |event| *event == clash), 1);
    }
    assert_eq!(stage.count(twins[2], |event| matches!(event, Event::NameClash { .. })), 0);
}

/// Whoever's turn it would be to dial, if both had heard of each other.
#[test]
fn a_newcomer_is_linked_at_once() {
    for ports in [[7000, 8000], [8000, 7000]] {
        let mut stage = Stage::new(1);
        let at_port = |name: &str, port: u16| {
            let listen = Some(format!("tcp://0.0.0.0:{port}").parse().expect("an address"));
            Config { listen, ..Config::peer("flock", name) }
        };
        let here = stage.host(at_port("here", ports[0]));
        stage.run_for(PERIOD * 3 + PERIOD / 2);
        let newcomer = stage.host(at_port("newcomer", ports[1]));
        let is_linked = |stage: &mut Stage| stage.is_linked(&[here, newcomer]);
        assert!(stage.run_until(Duration::from_millis(10), is_linked), "{ports:?}: {:?}", stage.notices(here));
        assert_eq!(stage.world().counts().streams, 1, "{ports:?}");
    }
}

#[test]
fn by_fixed_addresses_without_multicast() {
    let mut stage = Stage::new(1);
    let fixed = |name: &str, peers: &[&str]| Config {
        multicast: None,
        listen: Some("tcp://0.0.0.0:7000".parse().expect("an address")),
        peers: peers.iter().map(|peer| peer.parse().expect("an address")).collect(),
        ..Config::peer("flock", name)
    };
    // Both dial each other; one of them also dials a place where nobody is, and itself.
    let one = stage.host(fixed("one", &["tcp://two:7000", "tcp://nobody:7000", "tcp://one:7000"]));
    let two = stage.host(fixed("two", &["tcp://one:7000"]));
    assert!(stage.run_until(Duration::from_secs(5), |stage| stage.is_linked(&[one, two])));
    stage.run_for(Duration::from_mins(1));
    assert_eq!(stage.peers(one).len(), 1);
    assert_eq!(
        stage.count(one, |event| matches!(event, Event::LinkRefused { address: Some(at), .. }
        if at.to_string() == "tcp://nobody:7000")),
        1,
        "a place that can't be reached is told of once"
    );
    stage.restart(two);
    assert!(stage.run_until(Duration::from_secs(5), |stage| stage.is_linked(&[one, two])));
}

#[test]
fn datagrams_that_are_no_adverts_are_counted_and_change_nothing() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let mut puppet = Puppet::new(&mut stage, "puppet");
    puppet.join(&mut stage);
    stage.run_for(Duration::from_secs(1));
    let before = hosts.clone().into_iter().map(|host| stage.notices(host).len()).collect::<Vec<_>>();
    let malformed: [&[u8]; 8] = [
        b"flock.ActiveMQ-4.",
        b"flock.ActiveMQ-4.zombie.%localhost%tcp://10.0.0.9:1",
        b"flock.ActiveMQ-4.alive.localhost%tcp://10.0.0.9:1",
        b"flock.ActiveMQ-4.alive.%localhost%",
        b"flock.ActiveMQ-4.alive.%localhost%tcp://10.0.0.9:1\n",
        &[0xff; 64],
        &[],
        &[b'x'; 1_401],
    ];
    for datagram in malformed {
        puppet.announce(&mut stage, datagram);
    }
    puppet.advertise(&mut stage, "flock", "ssl://10.0.0.9:1", AdvertStatus::Alive);
    puppet.advertise(&mut stage, "flock.x", "tcp://10.0.0.9:1", AdvertStatus::Alive);
    puppet.advertise(&mut stage, "flock", "tcp://10.0.0.9:1", AdvertStatus::Dead);
    stage.run_for(Duration::from_secs(1));
    for (host, before) in hosts.iter().zip(before) {
        let discovery = stage.stats(*host).discovery;
        assert_eq!((discovery.malformed, discovery.unsupported), (malformed.len() as u64, 1), "{host}: {discovery:?}");
        assert_eq!(stage.notices(*host).len(), before, "{host} was told something");
    }
    assert!(stage.is_linked(&hosts));
    assert!(puppet.heard(&mut stage).len() > 4, "the puppet hears the others' adverts");
}

#[test]
fn a_flood_of_names_does_not_evict_a_peer_that_works() {
    let mut stage = Stage::new(1);
    let mut config = Config::peer("flock", "small");
    config.multicast.as_mut().expect("it multicasts").services_max = 4;
    let (small, peer) = (stage.host(config), stage.peer("flock", "peer"));
    assert!(stage.run_until(Duration::from_secs(5), |stage| stage.is_linked(&[small, peer])));
    let puppet = Puppet::new(&mut stage, "puppet");
    puppet.join(&mut stage);
    for number in 0..3_000 {
        puppet.advertise(&mut stage, "flock", &format!("tcp://10.9.9.9:{}", 1 + number), AdvertStatus::Alive);
    }
    stage.run_for(Duration::from_secs(4));
    let discovery = stage.stats(small).discovery;
    assert_eq!(stage.stats(small).services, 4);
    assert!(discovery.over_rate > 1_500, "more than a thousand a second: {discovery:?}");
    assert!(discovery.over_count > 900, "more than four: {discovery:?}");
    assert!(stage.is_linked(&[small, peer]));
    assert_eq!(stage.count(small, |event| matches!(event, Event::PeerLost { .. })), 0);
}

/// R2: hundreds of addresses that wait for room for a link are not looked at a hundred times a second, however short the
/// waits between dials are.
#[test]
fn a_flood_of_names_beyond_the_links_keeps_nobody_busy() {
    let mut stage = Stage::new(1);
    let mut config = Config::peer("flock", "small");
    config.link.links_max = 2;
    config.dial.backoff = BackoffConfig { first: Duration::from_millis(10), factor: 1, ..config.dial.backoff };
    stage.host(config);
    let puppet = Puppet::new(&mut stage, "puppet");
    puppet.join(&mut stage);
    for number in 0..300 {
        puppet.advertise(&mut stage, "flock", &format!("tcp://10.9.9.9:{}", 1 + number), AdvertStatus::Alive);
    }
    stage.run_for(Duration::from_secs(1));
    let before = stage.world().counts().inputs;
    stage.run_for(Duration::from_secs(3));
    let inputs = stage.world().counts().inputs - before;
    assert!(inputs < 3 * 300, "{inputs} within three seconds");
}

/// What a list says of dialling again holds for those on it, whichever list comes last.
#[test]
fn who_is_listed_is_dialled_again_as_its_list_says() {
    let options = ["initialReconnectDelay=10&maxReconnectAttempts=3", "useExponentialBackOff=false"];
    for [first, second] in [[0, 1], [1, 0]] {
        let mut stage = Stage::new(1);
        let idle = [0, 1].map(|number| stage.world().add_puppet(format!("idle{number}")));
        let list = |number: usize| format!("static:(tcp://{}:61616)?{}", idle[number].ip(), options[number]);
        let text = format!("peer://flock?networkConnectorURIs=({},{})", list(first), list(second));
        let config = Config::from_peer(&text.parse::<Peer>().expect(&text), "p").expect("valid");
        stage.host(config);
        stage.run_for(Duration::from_millis(500));
        assert_eq!(stage.world().counts().refusals, 3 + 1, "{text}");
        stage.run_for(Duration::from_secs(10));
        let later = stage.world().counts().refusals - (3 + 1);
        assert!((10..=13).contains(&later), "one in a second, or in 800 ms by chance: {later}; {text}");
    }
}

fn is_service_found(event: &Event) -> bool {
    matches!(event, Event::ServiceFound { service: Service(_) })
}

fn is_service_lost(event: &Event) -> bool {
    matches!(event, Event::ServiceLost { .. })
}

const PERIOD: Duration = Duration::from_millis(500);
