//! Worlds of nodes.

use alloc::vec;
use core::net::SocketAddr;

use super::*;
use crate::{Body, ConnectionId, ConsumerId, Destination, RequestId, Subscription};

fn peer(name: &str) -> Config {
    Config::peer("flock", name)
}

fn is_ready(world: &World, host: HostId, peers: usize) -> bool {
    let node = world.node(host).expect("the host is up");
    node.peers().len() == peers && node.peers().iter().all(|peer| peer.is_ready)
}

/// A flock of nodes, each linked to all others.
fn flock(seed: u64, faults: Faults, count: usize) -> (World, Vec<HostId>) {
    let mut world = World::new(Seed::from(seed));
    world.record();
    world.set_faults(faults);
    let hosts: Vec<_> = (0..count).map(|number| world.add_host(peer(&alloc::format!("n{number}")))).collect();
    let all_ready = |world: &mut World| hosts.iter().all(|host| is_ready(world, *host, count - 1));
    let linked = world.run_until(seconds(600), all_ready);
    assert!(
        linked,
        "seed {seed}: {:?}\n{:?}",
        world.counts(),
        hosts.iter().map(|host| world.node(*host).map(Node::peers)).collect::<Vec<_>>()
    );
    (world, hosts)
}

fn subscribe(world: &mut World, host: HostId, destination: &Destination) {
    let connection = ConnectionId(1);
    world.command(host, Command::Attach { request: RequestId(1), connection });
    let subscription = Subscription::new(destination.clone());
    world
        .command(host, Command::Subscribe { request: RequestId(2), connection, consumer: ConsumerId(1), subscription });
}

fn produce(world: &mut World, host: HostId, destination: &Destination, count: u64) {
    let connection = ConnectionId(2);
    world.command(host, Command::Attach { request: RequestId(3), connection });
    let destination = destination.clone();
    world.command(
        host,
        Command::Produce { request: RequestId(4), connection, producer: 1, destination: destination.into() },
    );
    for number in 0..count {
        let messages = vec![Body::text(alloc::format!("{number}"))];
        world.command(host, Command::Send { connection, producer: 1, messages });
    }
}

fn delivered(world: &mut World, host: HostId) -> Vec<u64> {
    let events = world.events(host);
    let deliveries = events
        .into_iter()
        .filter_map(|(_, event)| if let Event::Delivered { deliveries, .. } = event { Some(deliveries) } else { None });
    deliveries.flatten().map(|delivery| delivery.message.body.as_text().unwrap().parse().unwrap()).collect()
}

#[test]
fn peers_find_each_other_link_and_exchange_messages() {
    for destination in [Destination::topic("t").unwrap(), Destination::queue("q").unwrap()] {
        let (mut world, hosts) = flock(1, Faults::default(), 2);
        subscribe(&mut world, hosts[1], &destination);
        world.run_for(seconds(1));
        produce(&mut world, hosts[0], &destination, 100);
        world.run_for(seconds(5));
        assert_eq!(delivered(&mut world, hosts[1]), (0..100).collect::<Vec<_>>());
    }
}

#[test]
fn a_world_happens_again_from_its_seed_and_each_node_from_its_recording() {
    let run = |seed: u64| {
        let faults = Faults::draw(&mut Rng::new(Seed::from(seed)));
        let (mut world, hosts) = flock(seed, faults, 3);
        let destination = Destination::topic("t").unwrap();
        subscribe(&mut world, hosts[1], &destination);
        produce(&mut world, hosts[0], &destination, 100);
        world.restart(hosts[2]);
        world.run_for(seconds(10));
        for (number, host) in hosts.iter().enumerate() {
            for recording in world.recordings(*host) {
                assert_eq!(recording.replay(peer(&alloc::format!("n{number}"))), recording.outputs);
            }
        }
        (world.trace_hash(), world.counts().clone())
    };
    for seed in 0..5 {
        assert_eq!(run(seed), run(seed), "seed {seed}");
    }
}

#[test]
fn a_node_that_is_told_to_stop_says_so_and_closes_everything() {
    let (mut world, hosts) = flock(1, Faults::default(), 3);
    world.events(hosts[0]);
    world.command(hosts[0], Command::Stop);
    world.run_for(seconds(10));
    assert_eq!(world.events(hosts[0]).last().map(|(_, event)| event.clone()), Some(Event::Stopped));
    assert!(is_ready(&world, hosts[1], 1));
}

#[test]
fn a_machine_that_slept_for_an_hour_catches_up_and_finds_its_peers_again() {
    let (mut world, hosts) = flock(1, Faults::default(), 3);
    world.pause(hosts[0]);
    world.run_for(seconds(3_600));
    assert!(is_ready(&world, hosts[1], 1));
    world.resume(hosts[0]);
    let all_ready = |world: &mut World| hosts.iter().all(|host| is_ready(world, *host, 2));
    assert!(world.run_until(seconds(10), all_ready));
}

#[test]
fn one_more_host_far_away_changes_nothing_for_the_others() {
    let run = |is_watched: bool| {
        let mut world = World::new(Seed::from(1));
        let hosts = ["a", "b"].map(|name| world.add_host(peer(name)));
        if is_watched {
            let far = world.add_host(peer("far"));
            world.set_segments(far, &[1]);
        }
        world.run_for(seconds(5));
        hosts.map(|host| world.events(host))
    };
    assert_eq!(run(false), run(true));
}

/// On a machine whose interfaces are all down: whoever waits for the listener waits no longer.
#[test]
fn a_listener_that_nobody_can_reach_yet_is_told_of_too() {
    let mut node = Node::new(peer("a"), Seed::from(1), Instant::ZERO);
    let mut told = |addresses: &[SocketAddr]| {
        while node.poll_output().is_some() {}
        node.handle_input(Instant::ZERO, Input::Listening { listener: LISTENER, addresses: addresses.to_vec() });
        let outputs: Vec<Output> = core::iter::from_fn(|| node.poll_output()).collect();
        let events = outputs.iter().filter_map(|output| match output {
            Output::Event(Event::Listening { addresses }) => Some(addresses.clone()),
            _ => None,
        });
        (events.collect::<Vec<_>>(), outputs.iter().any(|output| matches!(output, Output::Accept { .. })))
    };
    let address = "10.0.0.1:5".parse().unwrap();
    assert_eq!(told(&[]), (vec![vec![]], true));
    assert_eq!(told(&[]), (vec![], false));
    assert_eq!(told(&[address]), (vec![vec![address]], false));
}
