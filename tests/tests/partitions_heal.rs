//! Both sides of a partition go on; when it heals, everything is as if it had not been, but for the time it took.

use std::collections::BTreeSet;
use std::time::Duration;

use flockmq_core::{CloseReason, Config, ConsumerId, Event};
use flockmq_tests::{HostId, Stage};

/// Shorter than an advert's silence, longer than that, and longer than a link's silence.
const LENGTHS: [u64; 3] = [3, 20, 60];

#[test]
fn both_halves_work_and_become_one_again() {
    for length in LENGTHS.map(Duration::from_secs) {
        let mut stage = Stage::new(1);
        let hosts = stage.flock(4);
        let topics: Vec<ConsumerId> = hosts.iter().map(|host| stage.subscribe(*host, "topic://t")).collect();
        let orders = stage.subscribe(hosts[3], "queue://orders");
        stage.run_for(Duration::from_secs(1));
        stage.world().partition(&[&hosts[..2], &hosts[2..]]);
        stage.run_for(length / 2);
        // Each side goes on, and what is owed to the other side's consumer waits.
        stage.send(hosts[0], "topic://t", "left");
        stage.send(hosts[3], "topic://t", "right");
        stage.send_all(hosts[0], "queue://orders", texts(0..10));
        stage.send_all(hosts[2], "queue://orders", texts(10..20));
        stage.run_for(Duration::from_secs(1));
        assert_eq!(
            topics.iter().map(|topic| stage.bodies(*topic)).collect::<Vec<_>>(),
            [["left"], ["left"], ["right"], ["right"]]
        );
        assert_eq!(stage.bodies(orders), texts(10..20));
        stage.run_for(length / 2);
        stage.world().heal_all();
        let healed_at = stage.now();
        assert!(stage.run_until(PERIOD + Duration::from_secs(1), |stage| flows(stage, &hosts)), "{length:?}");
        let taken = stage.now() - healed_at;
        println!("{length:?} of partition: all linked {taken:?} after it healed");
        stage.send_all(hosts[0], "queue://orders", texts(20..30));
        stage.send(hosts[1], "topic://t", "after");
        stage.run_for(Duration::from_secs(1));
        for topic in &topics {
            assert!(stage.bodies(*topic).contains(&"after"), "{length:?}");
        }
        stage.run_for(Duration::from_mins(1));
        for (topic, own) in topics.iter().zip(["left", "left", "right", "right"]) {
            let mut bodies = stage.bodies(*topic);
            bodies.sort_unstable();
            // A short partition only holds up what was sent across; a longer one ends the links, and topics don't wait.
            let expected = if length < SILENCE { vec!["after", "left", "right"] } else { vec!["after", own] };
            assert_eq!(bodies, expected, "{length:?}");
        }
        let arrived: Vec<&str> = stage.bodies(orders);
        assert_eq!(arrived.len(), 30, "{length:?}: each once");
        assert_eq!(arrived.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), texts(0..30).into_iter().collect());
        for host in &hosts {
            assert_eq!(
                (stage.stats(*host).links, stage.peers(*host).len()),
                (3, 3),
                "{length:?}: one link for each pair"
            );
            assert_eq!(stage.stats(*host).waiting_bytes, 0);
        }
    }
}

/// Nobody hears that the path is gone: the link falls silent at one end, which gives it up after its time.
#[test]
fn a_cut_one_way_ends_the_link_at_both_ends_and_heals() {
    for is_first in [true, false] {
        let mut stage = Stage::new(1);
        let hosts = stage.flock(2);
        let consumers = [hosts[0], hosts[1]].map(|host| stage.subscribe(host, "topic://t"));
        let (from, to) = if is_first { (hosts[0], hosts[1]) } else { (hosts[1], hosts[0]) };
        stage.world().cut_one_way(from, to);
        assert!(stage.run_until(Duration::from_secs(31), |stage| stage.peers(to).is_empty()));
        stage.run_for(Duration::from_mins(2));
        let streams = stage.world().counts().streams;
        assert!(streams < 50, "they don't dial at full speed: {streams}");
        stage.world().heal(from, to);
        assert!(stage.run_until(Duration::from_secs(35), |stage| flows(stage, &hosts)), "{:?}", stage.notices(from));
        for host in &hosts {
            stage.send(*host, "topic://t", &format!("from {host}"));
        }
        stage.run_for(Duration::from_secs(1));
        for consumer in consumers {
            assert_eq!(stage.received(consumer).len(), 2);
        }
    }
}

/// The other end's process has gone, and no word of it came through: the link is half open until it has been silent for
/// too long, or until the new process connects.
#[test]
fn a_link_left_half_open_by_a_crash_behind_a_cut_gives_way() {
    for (length, reason) in [(5, None), (40, Some(CloseReason::Silent))] {
        let mut stage = Stage::new(1);
        let mut config = Config::peer("flock", "patient");
        // Adverts are missed for longer than links are, so that it is the link's own silence that ends it.
        config.multicast.as_mut().expect("it multicasts").silent_periods_max = 1_000;
        let hosts = [stage.host(config), stage.peer("flock", "other")];
        assert!(stage.run_until(Duration::from_secs(5), |stage| stage.is_linked(&hosts)));
        let before = stage.id(hosts[1]);
        stage.world().cut(hosts[0], hosts[1]);
        stage.crash(hosts[1]);
        stage.run_for(Duration::from_secs(length));
        let lost = |stage: &Stage| {
            stage.notices(hosts[0]).iter().find_map(|(_, event)| match event {
                Event::PeerLost { broker, reason, .. } if *broker == before => Some(reason.clone()),
                _ => None,
            })
        };
        assert_eq!(lost(&stage), reason, "after {length} s");
        stage.restart(hosts[1]);
        stage.world().heal(hosts[0], hosts[1]);
        assert!(stage.run_until(Duration::from_secs(5), |stage| flows(stage, &hosts)));
        assert!(stage.run_until(Duration::from_secs(30), |stage| lost(stage).is_some()), "the dead one is lost");
        assert_eq!(stage.peers(hosts[0]).len(), 1);
    }
}

#[test]
fn coming_and_going_each_second_costs_no_memory() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    for _ in 0..60 {
        stage.world().cut(hosts[0], hosts[1]);
        stage.run_for(Duration::from_secs(1));
        stage.world().heal(hosts[0], hosts[1]);
        stage.world().reset(hosts[0], hosts[1]);
        stage.run_for(Duration::from_secs(1));
    }
    assert!(stage.run_until(Duration::from_secs(35), |stage| flows(stage, &hosts)));
    stage.run_for(Duration::from_secs(31));
    for host in &hosts {
        let stats = stage.stats(*host);
        assert_eq!((stats.links, stats.peers, stats.waiting_bytes), (1, 1, 0));
    }
    assert!(stage.world().counts().streams <= 2 * 60 + 2, "{} streams for 60 resets", stage.world().counts().streams);
}

fn flows(stage: &Stage, hosts: &[HostId]) -> bool {
    stage.is_linked(hosts)
}

fn texts(numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

/// How long a link may be silent.
const SILENCE: Duration = Duration::from_secs(30);

const PERIOD: Duration = Duration::from_millis(500);
