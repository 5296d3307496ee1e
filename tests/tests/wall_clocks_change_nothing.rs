//! V7: what wall clocks read is told with each message, and nothing else depends on it.

use std::time::Duration;

use flockmq_core::sim::Faults;
use flockmq_core::{Event, FanoutConfig, Instant, Timestamp};
use flockmq_tests::{Received, Stage};

const DAY: i64 = 24 * 60 * 60 * 1_000;

/// Everything that applications were told, and when.
type Told = (Vec<Vec<(Instant, Event)>>, Vec<Vec<Received>>);

/// Two peers, and a client at two brokers, under load, faults and a crash; between messages, clocks are turned.
fn run(seed: u64, mut turn: impl FnMut(&mut Stage, usize)) -> Told {
    let mut stage = Stage::new(seed);
    let peers = stage.flock(2);
    let (client, brokers) = {
        let brokers = [stage.broker("other", "x"), stage.broker("other", "y")];
        let client = stage.client("other", FanoutConfig { acks_min: 2, ..FanoutConfig::default() });
        stage.fan_out(client, &brokers);
        (client, brokers)
    };
    let hosts = stage.hosts();
    let consumers = [
        stage.subscribe(peers[1], "queue://orders"),
        stage.subscribe(peers[1], "topic://prices.>"),
        stage.subscribe(brokers[0], "topic://prices.>"),
    ];
    stage.world().set_faults(Faults { datagram_loss_ppm: 200_000, reset_ppm: 5_000, ..Faults::default() });
    for round in 0..40 {
        turn(&mut stage, round);
        stage.send(peers[0], "queue://orders", &format!("order {round}"));
        stage.send(peers[0], "topic://prices.gold", &format!("price {round}"));
        stage.send(client, "topic://prices.gold", &format!("price of the client's {round}"));
        if round == 20 {
            stage.restart(brokers[1]);
        }
        stage.run_for(Duration::from_millis(400));
    }
    stage.run_for(Duration::from_mins(2));
    let notices = hosts.iter().map(|host| stage.notices(*host).to_vec()).collect();
    let received = consumers.iter().map(|consumer| stage.received(*consumer).to_vec()).collect();
    (notices, received)
}

#[test]
fn jumps_of_a_day_change_nothing_but_timestamps() {
    for seed in 0..2 {
        let right = run(seed, |_, _| ());
        assert!(right.1.iter().all(|received| received.len() >= 30), "messages flow");
        let jumping = run(seed, |stage, round| {
            for (index, host) in stage.hosts().into_iter().enumerate() {
                stage.world().shift_wall_clock(host, if (round + index) % 3 == 0 { DAY } else { -DAY / 2 });
            }
        });
        assert_eq!(jumping, right, "seed {seed}");
        let wrong = run(seed, |stage, round| {
            for (index, host) in stage.hosts().into_iter().enumerate().filter(|_| round == 0) {
                let years = 10 * index as u64;
                stage.world().set_wall_clock(host, Timestamp::from_millis(1_500_000_000_000 + years * 31_557_600_000));
            }
        });
        assert_eq!(wrong, right, "seed {seed}");
    }
}

/// One that has stopped at the beginning of time, and one at its end, take other numbers of bytes on the wire.
#[test]
fn clocks_at_the_ends_of_time_lose_nothing() {
    for wall in [0, u64::MAX] {
        let (_, received) = run(1, |stage, _| {
            for host in stage.hosts() {
                stage.world().set_wall_clock(host, Timestamp::from_millis(wall));
            }
        });
        assert!(received.iter().all(|received| received.len() >= 30));
    }
}
