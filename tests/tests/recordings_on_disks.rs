//! Recordings on the disks of hosts, and what is left of them.

use std::time::Duration;

use flockmq_core::recording::{Ending, Recording, RecordingError};
use flockmq_core::sim::{Delay, Faults, HostId, World};
use flockmq_core::{Command, Config, Seed};
use flockmq_tests::{entries, remains};
use proptest::prelude::*;

const FILE: &str = "recording-1.flock";

/// A world in which a peer and its neighbour are recorded.
fn recorded(seed: u64, faults: Faults) -> (World, HostId) {
    let mut world = World::new(Seed::from(seed));
    world.record();
    world.set_faults(faults);
    let hosts = ["a", "b"].map(|name| world.add_host(Config::peer("flock", name)));
    (world, hosts[0])
}

/// What is on a host's disk, and what was recorded in truth.
fn files(world: &World, host: HostId) -> (Vec<u8>, Vec<u8>) {
    (world.recording_remains(host)[0].unwrap_or_default().to_vec(), world.recording_files(host).remove(0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_a_crash_or_a_loss_of_power_leaves_is_a_beginning_or_is_refused(
        seed: u64, micros in 0_u64..4_000_000, slow in 1_u64..200_000, is_power in any::<bool>(),
    ) {
        let (mut world, a) = recorded(seed, Faults { disk_delay: Delay::micros(0, slow), ..Faults::default() });
        world.run_for(Duration::from_micros(micros));
        if is_power { world.power_off(a) } else { world.crash(a) }
        let (left, whole) = files(&world, a);
        remains(&left, &whole);
        if !is_power {
            prop_assert!(whole.starts_with(&left), "a system that goes on writes in order");
        }
        world.run_for(Duration::from_secs(1));
        prop_assert_eq!(files(&world, a).0, &left[..], "nobody is left to write");
        world.restart(a);
        world.run_for(Duration::from_secs(3));
        remains(world.disk(a).file("recording-2.flock").expect("it is recorded"), &world.recording_files(a)[1]);
        prop_assert_eq!(world.disk(a).file(FILE).unwrap_or_default(), left, "nobody writes there any more");
    }

    #[test]
    fn what_rots_is_refused(seed: u64, bits in 1_usize..4) {
        let (mut world, a) = recorded(seed, Faults::default());
        world.run_for(Duration::from_secs(3));
        world.crash(a);
        let (before, whole) = files(&world, a);
        let rotten: Vec<u64> = (0..bits).map(|_| world.rot_disk(a).expect("there is something to rot").1).collect();
        let (left, _) = files(&world, a);
        if left == before {
            return Ok(()); // One bit, flipped twice.
        }
        let first = (0..left.len()).find(|at| left[*at] != before[*at]).expect("they differ") as u64;
        prop_assert!(rotten.contains(&first));
        let (starts, _) = entries(&whole);
        let head = left.iter().position(|byte| *byte == b'\n').unwrap_or(0) as u64;
        if first > head {
            remains(&left, &whole);
            let entry = starts.iter().rev().map(|(at, _)| *at).find(|at| *at <= first);
            match entries(&left).1 {
                Err(RecordingError::Altered { at, .. }) => prop_assert_eq!(Some(at), entry),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn a_disk_that_fails_or_is_full_ends_the_recording_and_nothing_else(
        seed: u64, failure in 0_u32..200_000, room in proptest::option::of(0_u64..20_000),
    ) {
        let run = |is_recorded: bool| {
            let mut world = World::new(Seed::from(seed));
            if is_recorded {
                world.record();
            }
            let faults = Faults { disk_failure_ppm: failure, ..Faults::default() };
            world.set_faults(faults);
            let hosts = ["a", "b"].map(|name| world.add_host(Config::peer("flock", name)));
            world.set_disk_room(hosts[0], room);
            world.run_for(Duration::from_secs(10));
            (world, hosts[0])
        };
        let (world, a) = run(true);
        let (left, whole) = files(&world, a);
        remains(&left, &whole);
        prop_assert!(whole.starts_with(&left) && room.is_none_or(|room| left.len() as u64 <= room));
        let failed = world.counts().disk_failures + world.counts().disk_overflows;
        prop_assert!(failed > 0 || left == whole, "nothing was lost without a word");
        prop_assert_eq!(run(false).0.trace_hash(), world.trace_hash(), "a node knows nothing of its disk");
    }
}

#[test]
fn what_was_synced_is_there_after_a_loss_of_power() {
    let at_once = Faults { disk_delay: Delay::micros(0, 0), ..Faults::default() };
    let (mut world, a) = recorded(1, at_once);
    world.run_for(Duration::from_secs(5));
    world.power_off(a);
    let (left, whole) = files(&world, a);
    assert!(!whole.is_empty() && left == whole);
    world.restart(a);
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.disk(a).files().collect::<Vec<_>>(), [FILE, "recording-2.flock"].map(ToString::to_string));
    world.restart_empty(a);
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.disk(a).files().collect::<Vec<_>>(), ["recording-3.flock"]);
}

#[test]
fn a_node_that_has_stopped_leaves_a_complete_recording() {
    let (mut world, a) = recorded(1, Faults::default());
    world.run_for(Duration::from_secs(5));
    world.command(a, Command::Stop);
    world.run_for(Duration::from_secs(5));
    let (left, whole) = files(&world, a);
    assert_eq!(left, whole);
    assert_eq!(Recording::read(&left).expect("it is whole").ending, Ending::Complete);
    assert_eq!(world.recordings(a), vec![Recording::read(&left).expect("it is whole")]);
}
