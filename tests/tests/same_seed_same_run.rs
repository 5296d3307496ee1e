//! A run is its seed and its steps: had again, it is the same in every byte.

use std::time::Duration;

use flockmq_core::Rng;
use flockmq_core::Seed;
use flockmq_core::sim::Faults;
use flockmq_tests::{Choice, Scenario, Stage};

#[test]
fn scenarios_with_faults_have_equal_traces() {
    let mut traces = Vec::new();
    for seed in 0..10 {
        let scenario = Scenario::draw(&mut Choice::from_seed(seed), 40);
        let (first, second) = (scenario.run(), scenario.run());
        assert_eq!(first, second, "seed {seed}");
        traces.push(first.trace);
    }
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), 10, "different seeds make different runs");
}

/// Every process, the crashed ones too, says the same again when it is told the same.
#[test]
fn recordings_replay() {
    let mut stage = Stage::new(7);
    stage.world().record();
    stage.world().set_faults(Faults::draw(&mut Rng::new(Seed(5 << 64 | 5))));
    let hosts = ["a", "b", "c"].map(|name| stage.peer("flock", name));
    let mut bodies = 0;
    for round in 0..4 {
        for host in hosts {
            let consumer = stage.subscribe(host, "topic://t");
            stage.subscribe(host, "queue://q");
            stage.send(host, "topic://t", &format!("t {host} {round}"));
            stage.send(host, "queue://q", &format!("q {host} {round}"));
            bodies += stage.received(consumer).len();
        }
        stage.run_for(Duration::from_secs(3));
        stage.restart(hosts[round % 3]);
        stage.run_for(Duration::from_secs(3));
    }
    assert!(bodies > 0);
    let mut inputs = 0;
    for host in hosts {
        let recordings = stage.world().recordings(host);
        assert!(recordings.len() > 1, "{host} was restarted");
        for recording in recordings {
            inputs += recording.inputs.len();
            assert_eq!(recording.replay(stage.config(host).clone()), recording.outputs, "{host}");
        }
    }
    assert!(inputs > 500, "{inputs}");
}
