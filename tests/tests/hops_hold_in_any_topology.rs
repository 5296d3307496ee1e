//! However brokers are joined, a message gets exactly as far as it may, and nobody is given it twice.

use std::time::Duration;

use flockmq_core::{Config, ConsumerId};
use flockmq_tests::{Choice, HostId, Stage, Topology};

#[test]
fn a_topics_message_reaches_exactly_the_brokers_within_its_hops_once_each() {
    for seed in 0..150 {
        let choice = &mut Choice::from_seed(seed);
        let hosts = 3 + choice.place(4);
        let topology = draw(choice, hosts);
        let hops = Hops { message: 1 + u32::from(choice.place(4)), demand: 1 + u32::from(choice.place(4)) };
        let joined = choice.pick(&[Joined::ByAddresses, Joined::BySegments, Joined::WithWalls]);
        let (mut stage, members) = network(seed, &topology, hops, joined);
        if choice.chance(1, 2) {
            // Some ways are far longer than others, so that what takes a detour often comes first.
            let slow = members[usize::from(choice.place(hosts.into()))];
            stage.slow(slow, Some(2_000));
        }
        // What all want crosses whatever lies between; what one wants goes where that one's demand has got to.
        let wanted_by_all: Vec<ConsumerId> = members.iter().map(|host| stage.subscribe(*host, "topic://all")).collect();
        let one = choice.place(hosts.into());
        let wanted_by_one = stage.subscribe(members[usize::from(one)], "topic://one");
        stage.run_for(A_WHILE);
        for (place, host) in members.iter().enumerate() {
            for number in 0..5 {
                stage.send(*host, "topic://all", &format!("{place} {number}"));
                stage.send(*host, "topic://one", &format!("{place} {number}"));
                stage.run_for(Duration::from_millis(1));
            }
        }
        stage.run_for(A_WHILE);
        let case = format!("seed {seed}: {topology:?}, {hops:?}, {joined:?}");
        for (consumer, place) in wanted_by_all.into_iter().zip(0..) {
            check(&stage, consumer, &topology.distances(place), hops.message, &case);
        }
        check(&stage, wanted_by_one, &topology.distances(one), hops.message.min(hops.demand), &case);
    }
}

/// What a consumer was given is what those have sent who are near enough, each once and in its order.
fn check(stage: &Stage, consumer: ConsumerId, distances: &[usize], hops_max: u32, case: &str) {
    let bodies = stage.bodies(consumer);
    for (place, distance) in distances.iter().enumerate() {
        let of = format!("{place} ");
        let heard: Vec<&str> = bodies.iter().filter_map(|body| body.strip_prefix(&of)).collect();
        let is_near = *distance <= usize::try_from(hops_max).expect("few");
        let expected: &[&str] = if is_near { &["0", "1", "2", "3", "4"] } else { &[] };
        assert_eq!(heard, expected, "{case}: what {consumer} was given of host {place}, {distance} away");
    }
}

/// How far messages and demand may go.
#[derive(Clone, Copy, Debug)]
struct Hops {
    message: u32,
    demand: u32,
}

/// Why those who are no neighbours have no link.
#[derive(Clone, Copy, Debug)]
enum Joined {
    /// There is no multicast, and they were not told of each other.
    ByAddresses,
    /// Multicasts of neighbours alone reach them.
    BySegments,
    /// Nothing passes between them.
    WithWalls,
}

fn draw(choice: &mut Choice<'_>, hosts: u8) -> Topology {
    match choice.below(5) {
        0 => Topology::full(hosts),
        1 => Topology::line(hosts),
        2 => Topology::ring(hosts),
        3 => Topology::star(hosts),
        _ => Topology::random(choice, hosts),
    }
}

/// Brokers that are linked as the topology says, and not otherwise.
fn network(seed: u64, topology: &Topology, hops: Hops, joined: Joined) -> (Stage, Vec<HostId>) {
    let mut stage = Stage::new(seed);
    let members: Vec<HostId> =
        (0..topology.hosts()).map(|place| stage.host(config(topology, place, hops, joined))).collect();
    let pair = |(a, b): (u8, u8)| [members[usize::from(a)], members[usize::from(b)]];
    match joined {
        Joined::ByAddresses => (),
        Joined::BySegments => {
            for (place, host) in (0..).zip(&members) {
                let segments = (0..).zip(topology.joins()).filter(|(_, (a, b))| [a, b].contains(&&place));
                let segments: Vec<u32> = segments.map(|(segment, _)| segment).collect();
                stage.world().set_segments(*host, &segments);
            }
        }
        Joined::WithWalls => {
            for wall in topology.walls() {
                let [a, b] = pair(wall);
                stage.wall_off(a, b);
            }
        }
    }
    let are_linked = |stage: &mut Stage| topology.joins().all(|join| stage.is_linked(&pair(join)));
    assert!(stage.run_until(A_WHILE, are_linked), "seed {seed}: {topology:?} comes to be, {joined:?}");
    let links: usize = members.iter().map(|host| stage.peers(*host).len()).sum();
    assert_eq!(links, 2 * topology.joins().count(), "seed {seed}: {topology:?} and no more, {joined:?}");
    (stage, members)
}

fn config(topology: &Topology, place: u8, hops: Hops, joined: Joined) -> Config {
    let mut config = Config::peer("flock", format!("b{place}"));
    config.bridge.message_hops_max = hops.message;
    config.bridge.demand_hops_max = hops.demand;
    if let Joined::ByAddresses = joined {
        config.multicast = None;
        config.listen = Some("tcp://0.0.0.0:7000".parse().expect("an address"));
        let neighbours = topology.joins().filter(|(a, _)| *a == place);
        config.peers = neighbours.map(|(_, b)| format!("tcp://b{b}:7000").parse().expect("an address")).collect();
    }
    config
}

/// Longer than anything that is under way takes.
const A_WHILE: Duration = Duration::from_secs(10);
