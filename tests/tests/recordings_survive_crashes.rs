//! Whatever befalls a host and its disk, what is left of a recording is a beginning of it, or is refused; and the node
//! whose recording can't be written goes on.

use std::time::Duration;

use flockmq_core::sim::{Delay, Faults};
use flockmq_tests::{HostId, Remains, Stage, remains};

/// Two peers under load, of which each message is a line in both recordings.
fn busy(seed: u64, faults: Faults) -> (Stage, Vec<HostId>) {
    let mut stage = Stage::new(seed);
    stage.world().record();
    let hosts = stage.flock(2);
    stage.subscribe(hosts[1], "queue://orders");
    stage.world().set_faults(faults);
    (stage, hosts)
}

fn work(stage: &mut Stage, host: HostId, rounds: u32) {
    for _ in 0..rounds {
        stage.send_all(host, "queue://orders", (0..5).map(|number| format!("order {number}")));
        stage.run_for(Duration::from_millis(7));
    }
}

/// What is left of a host's first recording.
fn left(stage: &mut Stage, host: HostId) -> Remains {
    let whole = stage.world().recording_files(host).remove(0);
    let left = stage.world().recording_remains(host)[0].unwrap_or_default();
    remains(left, &whole)
}

#[test]
fn a_crash_leaves_a_beginning() {
    for seed in 0..30 {
        let (mut stage, hosts) = busy(seed, Faults { disk_delay: Delay::micros(0, 30_000), ..Faults::default() });
        work(&mut stage, hosts[0], 20);
        stage.crash(hosts[0]);
        let read = left(&mut stage, hosts[0]);
        assert!(matches!(read, Remains::Read(count) if count > 20), "{read:?}");
        stage.restart(hosts[0]);
        stage.run_for(Duration::from_secs(5));
        assert_eq!(left(&mut stage, hosts[0]), read, "nothing is written there any more");
    }
}

/// Holes are refused where the entry begins that has one; what was synced is read in any case.
#[test]
fn a_loss_of_power_leaves_a_beginning_or_holes_that_are_noticed() {
    let (mut whole, mut holes) = (0, 0);
    for seed in 0..60 {
        let (mut stage, hosts) = busy(seed, Faults { disk_delay: Delay::micros(0, 30_000), ..Faults::default() });
        work(&mut stage, hosts[0], 20);
        stage.power_off(hosts[0]);
        match left(&mut stage, hosts[0]) {
            Remains::Read(count) => whole += usize::from(count > 20),
            Remains::Refused(count) => holes += usize::from(count > 20),
        }
    }
    assert!(whole > 5 && holes > 5 && whole + holes == 60, "{whole} {holes}");
}

#[test]
fn rot_is_refused() {
    let (mut stage, hosts) = busy(1, Faults::default());
    work(&mut stage, hosts[0], 20);
    stage.crash(hosts[0]);
    let before = left(&mut stage, hosts[0]);
    stage.world().rot_disk(hosts[0]).expect("there is something to rot");
    let after = left(&mut stage, hosts[0]);
    assert!(
        matches!((before, after), (Remains::Read(all), Remains::Refused(some)) if some < all),
        "{before:?} {after:?}"
    );
}

#[test]
fn a_disk_that_is_full_or_fails_ends_the_recording_and_the_node_goes_on() {
    for (room, failure) in [(Some(5_000), 0), (None, 100_000)] {
        let (mut stage, hosts) = busy(1, Faults { disk_failure_ppm: failure, ..Faults::default() });
        stage.world().set_disk_room(hosts[0], room);
        work(&mut stage, hosts[0], 40);
        stage.run_for(Duration::from_secs(5));
        assert_eq!(stage.accepted(hosts[0], "queue://orders"), 200);
        let counts = stage.world().counts();
        assert!(counts.disk_overflows + counts.disk_failures > 0);
        let all = remains(&stage.world().recording_files(hosts[0])[0], &stage.world().recording_files(hosts[0])[0]);
        let read = left(&mut stage, hosts[0]);
        assert!(matches!((read, all), (Remains::Read(some), Remains::Read(all)) if some < all), "{read:?} of {all:?}");
    }
}
