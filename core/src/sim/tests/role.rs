//! Who links with whom: clients with brokers of either kind, peers with peers, and nobody else.

use alloc::vec;

use super::*;
use crate::node::TargetState;
use crate::{Body, ConnectionId, ConsumerId, Destination, MulticastConfig, RequestId, Subscription};

const CONNECTION: ConnectionId = ConnectionId(1);

/// A client that finds its targets in the group `flock`.
fn client(acks_min: u32) -> Config {
    let mut config = Config::client("client");
    config.group = "flock".into();
    config.multicast = Some(MulticastConfig::default());
    config.fanout.acks_min = acks_min;
    config
}

fn told(world: &mut World, host: HostId) -> Vec<Event> {
    world.events(host).into_iter().map(|(_, event)| event).collect()
}

/// How many of these events say that a link to a peer, client or target came to be, or that one did not.
fn links(events: &[Event]) -> [usize; 4] {
    let count = |is_meant: fn(&Event) -> bool| events.iter().filter(|event| is_meant(event)).count();
    [
        count(|event| matches!(event, Event::PeerUp { .. })),
        count(|event| matches!(event, Event::ClientUp { .. })),
        count(|event| matches!(event, Event::TargetUp { .. })),
        count(|event| matches!(event, Event::LinkRefused { .. })),
    ]
}

#[test]
fn a_client_reaches_brokers_of_either_kind() {
    let mut world = World::new(Seed::from(1));
    let broker = world.add_host(Config::broker("flock", "broker"));
    let peer = world.add_host(Config::peer("flock", "peer"));
    let elsewhere = world.add_host(Config::broker("elsewhere", "stranger"));
    let client = world.add_host(client(2));
    let destination = Destination::topic("t").unwrap();
    for host in [broker, peer] {
        world.command(host, Command::Attach { request: RequestId(1), connection: CONNECTION });
        let subscription = Subscription::new(destination.clone());
        let (request, consumer) = (RequestId(2), ConsumerId(1));
        world.command(host, Command::Subscribe { request, connection: CONNECTION, consumer, subscription });
    }
    world.run_for(seconds(5));
    world.command(client, Command::Attach { request: RequestId(1), connection: CONNECTION });
    world.command(
        client,
        Command::Produce {
            request: RequestId(2),
            connection: CONNECTION,
            producer: 1,
            destination: destination.into(),
        },
    );
    let messages = vec![Body::text("a"), Body::text("b")];
    world.command(client, Command::Send { connection: CONNECTION, producer: 1, messages });
    world.run_for(seconds(5));

    let targets = world.node(client).unwrap().targets();
    assert_eq!(targets.len(), 2);
    assert!(targets.iter().all(|target| matches!(target.state, TargetState::Up { .. }) && target.accepted == 2));
    let events = told(&mut world, client);
    assert_eq!(links(&events), [0, 0, 2, 0]);
    let ids = [broker, peer].map(|host| world.node(host).unwrap().id());
    let is_by_both =
        |event: &Event| matches!(event, Event::Accepted { up_to: 2, by, .. } if ids.iter().all(|id| by.contains(id)));
    assert!(events.iter().any(is_by_both), "{events:?}");
    for host in [broker, peer] {
        let events = told(&mut world, host);
        assert_eq!(links(&events), [0, 1, 0, 0]);
        let delivered = events.iter().filter_map(|event| match event {
            Event::Delivered { deliveries, .. } => Some(deliveries.len()),
            _ => None,
        });
        assert_eq!(delivered.sum::<usize>(), 2);
    }
    assert_eq!(links(&told(&mut world, elsewhere)), [0; 4]);
}

#[test]
fn a_peer_and_a_stand_alone_broker_part_at_once_and_for_good() {
    let mut world = World::new(Seed::from(1));
    let broker = world.add_host(Config::broker("flock", "broker"));
    let peers = ["a", "b"].map(|name| world.add_host(Config::peer("flock", name)));
    world.run_for(seconds(5));
    let streams = world.counts().streams;
    world.run_for(seconds(3_600));
    assert_eq!(world.counts().streams, streams, "nobody dials again");
    for peer in peers {
        assert_eq!(links(&told(&mut world, peer)), [1, 0, 0, 0]);
        assert_eq!(world.node(peer).unwrap().stats().links, 1);
    }
    assert_eq!(links(&told(&mut world, broker)), [0; 4]);
    assert_eq!(world.node(broker).unwrap().stats().links, 0);
}

#[test]
fn two_stand_alone_brokers_and_two_clients_have_nothing_to_say_to_each_other() {
    let mut world = World::new(Seed::from(1));
    let brokers = ["a", "b"].map(|name| world.add_host(Config::broker("flock", name)));
    world.run_for(seconds(600));
    assert_eq!(world.counts().streams, 0);
    let clients = [1, 1].map(|acks_min| world.add_host(client(acks_min)));
    world.run_for(seconds(600));
    assert_eq!(world.counts().streams, 4);
    for host in clients {
        assert_eq!(links(&told(&mut world, host)), [0, 0, 2, 0]);
    }
    for host in brokers {
        assert_eq!(links(&told(&mut world, host)), [0, 2, 0, 0]);
    }
}
