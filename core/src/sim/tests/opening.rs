//! Who may ask for a bridge.

use alloc::boxed::Box;

use super::*;
use crate::wire::{Encoder, Frame, FrameBuffer, Hello, PREFACE, VERSION_MAX, VERSION_MIN};
use crate::{BrokerId, Role};

/// What a puppet says that is this to others, all at once.
fn says(broker: BrokerId, role: Role, frame: &Frame) -> Bytes {
    let hello = Frame::Hello(Box::new(Hello {
        version_min: VERSION_MIN,
        version_max: VERSION_MAX,
        broker,
        name: "puppet".into(),
        group: "flock".into(),
        services: Vec::new(),
        frame_max: 1_000_000,
        silence_max_millis: 30_000,
        role,
        is_connector: false,
    }));
    let (mut encoder, mut buffer) = (Encoder::new(), FrameBuffer::default());
    buffer.push_bytes(&PREFACE);
    encoder.encode(&hello, &mut buffer);
    encoder.encode(frame, &mut buffer);
    core::iter::from_fn(|| buffer.pop()).collect::<Vec<_>>().concat().into()
}

fn has_a_bridge(world: &World, host: HostId) -> bool {
    world.node(host).is_some_and(|node| node.stats().peers > 0)
}

/// In one piece with its greeting, so that it is heard before the node has answered that.
#[test]
fn a_client_that_asks_for_a_bridge_is_parted_with() {
    for config in [Config::broker("flock", "host"), Config::peer("flock", "host")] {
        for broker in [BrokerId(0), BrokerId(u128::MAX)] {
            for frame in [Frame::Propose { ended: 0 }, Frame::Open { generation: 1 }] {
                let mut world = World::new(Seed::from(1));
                let (host, puppet) = (world.add_host(config.clone()), world.add_puppet("puppet"));
                connect(&mut world, puppet, 1, "tcp://host:40000");
                world.run_for(seconds(1));
                send(&mut world, puppet, 1, says(broker, Role::Client, &frame));
                world.run_for(seconds(1));
                let events = world.events(host);
                assert!(!has_a_bridge(&world, host), "{broker} {frame:?}: {events:?}");
                let is_lost =
                    |(_, event): &_| matches!(event, Event::ClientLost { reason: CloseReason::Malformed(_), .. });
                assert!(events.iter().any(is_lost), "{broker} {frame:?}: {events:?}");
            }
        }
    }
}

#[test]
fn a_client_that_is_asked_for_a_bridge_parts_with_who_asks() {
    for broker in [BrokerId(0), BrokerId(u128::MAX)] {
        for role in [Role::Broker, Role::Peer] {
            let mut world = World::new(Seed::from(1));
            let puppet = world.add_puppet("puppet");
            listen(&mut world, puppet, 1..2);
            let mut config = Config::client("client");
            config.peers = alloc::vec!["tcp://puppet:40000".parse().unwrap()];
            let client = world.add_host(config);
            world.run_for(Duration::from_millis(100));
            send(&mut world, puppet, 1, says(broker, role, &Frame::Propose { ended: 0 }));
            world.run_for(Duration::from_millis(100));
            let events = world.events(client);
            assert!(!has_a_bridge(&world, client), "{broker} {role}: {events:?}");
            let is_refused =
                |(_, event): &_| matches!(event, Event::LinkRefused { reason: CloseReason::Malformed(_), .. });
            assert!(events.iter().any(is_refused), "{broker} {role}: {events:?}");
        }
    }
}

#[test]
fn a_peer_may_have_seen_any_count_of_links_end() {
    let mut world = World::new(Seed::from(1));
    let (host, puppet) = (world.add_host(Config::peer("flock", "host")), world.add_puppet("puppet"));
    connect(&mut world, puppet, 1, "tcp://host:40000");
    world.run_for(seconds(1));
    send(&mut world, puppet, 1, says(BrokerId(u128::MAX), Role::Peer, &Frame::Propose { ended: u64::MAX }));
    world.run_for(seconds(1));
    assert!(world.node(host).is_some());
}
