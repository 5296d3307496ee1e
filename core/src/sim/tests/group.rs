//! Datagrams.

use core::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::{GroupId, MulticastSocket};

const GROUP: GroupId = GroupId(1);

fn join(world: &mut World, host: HostId, group: GroupId, loopback: bool) {
    let socket = MulticastSocket {
        address: IpAddr::V4(Ipv4Addr::new(239, 255, 2, 3)),
        port: 6155,
        ttl: 1,
        interface: None,
        loopback,
    };
    world.perform(host, Output::Join { group, socket });
}

fn announce(world: &mut World, host: HostId, via: Option<IpAddr>) {
    world.perform(host, Output::Announce { group: GROUP, via, data: Bytes::from_static(b"hello") });
}

fn datagram(group: GroupId, from: &str) -> Input {
    Input::Datagram { group, from: from.parse().unwrap(), data: Bytes::from_static(b"hello") }
}

#[test]
fn datagrams_reach_all_members_on_the_segment_and_the_sender_if_it_wants() {
    let mut world = World::new(Seed::from(1));
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| world.add_puppet(name));
    join(&mut world, a, GROUP, true);
    join(&mut world, b, GroupId(7), false);
    join(&mut world, c, GROUP, true);
    join(&mut world, d, GROUP, true);
    world.set_segments(c, &[1]);
    world.perform(d, Output::Leave { group: GROUP });
    announce(&mut world, a, None);
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, a), [datagram(GROUP, "10.0.0.1:6155")]);
    assert_eq!(heard(&mut world, b), [datagram(GroupId(7), "10.0.0.1:6155")]);
    assert_eq!([c, d].map(|host| heard(&mut world, host)), [const { Vec::new() }; 2]);
    announce(&mut world, a, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, a), [datagram(GROUP, "127.0.0.1:6155")]);
    assert_eq!(heard(&mut world, b), []);
}

#[test]
fn datagrams_are_lost_doubled_and_overtaken_as_often_as_asked() {
    let mut world = World::new(Seed::from(1));
    let (a, b) = (world.add_puppet("a"), world.add_puppet("b"));
    join(&mut world, a, GROUP, false);
    join(&mut world, b, GROUP, false);
    world.set_faults(Faults {
        datagram_loss_ppm: 500_000,
        datagram_duplication_ppm: 200_000,
        datagram_reordering_ppm: 100_000,
        ..Faults::default()
    });
    for number in 0..1_000_u16 {
        let data = Bytes::copy_from_slice(&number.to_be_bytes());
        world.perform(a, Output::Announce { group: GROUP, via: None, data });
        world.run_for(Duration::from_micros(500));
    }
    world.run_for(seconds(1));
    let heard = heard(&mut world, b);
    let numbers: Vec<_> =
        heard.iter().map(|input| if let Input::Datagram { data, .. } = input { &data[..] } else { &[] }).collect();
    assert!((550..650).contains(&numbers.len()), "{}", numbers.len());
    assert!(numbers.windows(2).any(|pair| pair[0] > pair[1]));
    assert!((80..120).contains(&world.counts().datagrams_doubled));
    assert!((450..550).contains(&world.counts().datagrams_lost));
}

#[test]
fn a_cut_loses_datagrams_one_way_only() {
    let mut world = World::new(Seed::from(1));
    let (a, b) = (world.add_puppet("a"), world.add_puppet("b"));
    for host in [a, b] {
        join(&mut world, host, GROUP, false);
    }
    world.cut_one_way(a, b);
    for host in [a, b] {
        announce(&mut world, host, None);
    }
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, a).len(), 1);
    assert_eq!(heard(&mut world, b), []);
    assert_eq!(world.counts().datagrams_cut, 1);
}

#[test]
fn a_paused_process_hears_datagrams_later_and_a_machine_that_sleeps_never() {
    for (stop, expected) in [(World::pause as fn(&mut World, HostId), 1), (World::sleep, 0)] {
        let mut world = World::new(Seed::from(1));
        let (a, b) = (world.add_puppet("a"), world.add_puppet("b"));
        for host in [a, b] {
            join(&mut world, host, GROUP, false);
        }
        stop(&mut world, b);
        announce(&mut world, a, None);
        world.run_for(seconds(1));
        world.resume(b);
        world.run_for(seconds(1));
        assert_eq!(heard(&mut world, b).len(), expected);
        assert_eq!(world.counts().datagrams_cut, 1 - expected as u64);
    }
}

#[test]
fn multicasts_reach_those_that_share_a_segment_and_streams_all() {
    let mut world = World::new(Seed::from(1));
    let [a, b, both, none] = ["a", "b", "both", "none"].map(|name| world.add_puppet(name));
    for (host, segments) in [(b, &[1][..]), (both, &[0, 1]), (none, &[])] {
        world.set_segments(host, segments);
    }
    for host in [a, b, both, none] {
        join(&mut world, host, GROUP, false);
    }
    for (sender, expected) in [(a, [0, 0, 1, 0]), (b, [0, 0, 1, 0]), (both, [1, 1, 0, 0]), (none, [0; 4])] {
        announce(&mut world, sender, None);
        world.run_for(seconds(1));
        assert_eq!([a, b, both, none].map(|host| heard(&mut world, host).len()), expected, "{sender}");
    }
    listen(&mut world, none, 1..2);
    connect(&mut world, a, 1, "tcp://none:40000");
    world.run_for(seconds(1));
    assert!(matches!(heard(&mut world, a)[..], [Input::Connected { .. }]));
}

#[test]
fn a_group_on_an_interface_that_is_not_there_cannot_be_joined() {
    let mut world = World::new(Seed::from(1));
    let a = world.add_puppet("a");
    let address = IpAddr::V4(Ipv4Addr::new(239, 255, 2, 3));
    let interface = Some("wlan0".into());
    let socket = MulticastSocket { address, port: 6155, ttl: 1, interface, loopback: true };
    world.perform(a, Output::Join { group: GROUP, socket });
    announce(&mut world, a, None);
    world.run_for(seconds(1));
    let reason = "no such interface: wlan0".into();
    assert_eq!(heard(&mut world, a), [Input::JoinFailed { group: GROUP, reason }]);
}
