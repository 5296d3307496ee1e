//! Machines that go off, fall asleep, and have wall clocks of their own.

use super::*;
use crate::Timestamp;

const DAY: i64 = 24 * 60 * 60 * 1_000;

#[test]
fn a_machine_that_loses_power_leaves_half_open_links_that_end_once_it_is_asked() {
    let (mut world, a, b) = linked(1, Faults { buffer: 10, ..Faults::default() });
    send(&mut world, a, 1, "on its way");
    world.power_off(a);
    world.run_for(seconds(100));
    assert_eq!(heard(&mut world, b), [], "what was on its way is lost, and nobody says so");
    world.restart(a);
    world.run_for(seconds(100));
    assert_eq!(heard(&mut world, b), [], "nobody has asked");
    send(&mut world, b, 2, "are you there?");
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, b), [sent(2, 10), reset(2)]);
    assert_eq!(heard(&mut world, a), [], "a new process knows nothing of it");
}

#[test]
fn what_is_sent_to_a_machine_that_is_off_stalls_and_is_answered_when_it_is_on_again() {
    let (mut world, a, b) = linked(1, Faults { buffer: 10, ..Faults::default() });
    world.power_off(a);
    send(&mut world, b, 2, Bytes::from_static(&[7; 25]));
    world.run_for(seconds(100));
    assert_eq!(heard(&mut world, b), [sent(2, 10)]);
    close(&mut world, b, 2);
    world.run_for(seconds(2));
    assert_eq!(heard(&mut world, b), [requested(2)], "whoever has enough of it may close it");
    world.restart(a);
    world.run_for(seconds(100));
    assert_eq!([a, b].map(|host| heard(&mut world, host)), [const { Vec::new() }; 2]);
    assert_eq!((world.counts().power_offs, world.counts().crashes), (1, 1));
}

#[test]
fn nobody_refuses_for_a_machine_that_is_off() {
    let mut world = World::new(Seed::from(1));
    let (a, b) = (world.add_puppet("a"), world.add_puppet("b"));
    for off in [World::crash, World::power_off] {
        off(&mut world, b);
        connect(&mut world, a, 1, "tcp://b:40000");
        world.run_for(seconds(100));
        let reason = if world.counts().power_offs == 0 { "connection refused" } else { "timed out" };
        assert_eq!(heard(&mut world, a), [closed(1, CloseReason::ConnectFailed(reason.into()))]);
        world.restart(a);
    }
    connect(&mut world, a, 1, "tcp://b:40000");
    world.restart(b);
    listen(&mut world, b, 1..2);
    world.run_for(seconds(100));
    assert!(matches!(heard(&mut world, a)[..], [Input::Connected { link: LinkId(1), .. }]));
}

#[test]
fn a_machine_that_sleeps_hears_what_streams_kept_for_it_and_no_datagram() {
    let (mut world, a, b) = linked(1, Faults::default());
    world.sleep(b);
    send(&mut world, a, 1, "later");
    world.run_for(seconds(1_000));
    assert_eq!(heard(&mut world, b), []);
    assert!(world.net.medium.is_cut(a, b) && world.net.medium.is_cut(b, a) && !world.net.medium.is_cut(b, b));
    world.resume(b);
    world.run_for(seconds(1));
    assert_eq!(heard(&mut world, b), [bytes(2, "later")]);
    world.sleep(b);
    world.crash(b);
    world.run_for(seconds(1));
    assert!(matches!(heard(&mut world, a).last(), Some(Input::Closed { .. })), "its system is awake to say so");
}

#[test]
fn a_cut_outlasts_a_machine_that_was_off_or_asleep() {
    let mut world = World::new(Seed::from(1));
    let [a, b, c] = ["a", "b", "c"].map(|name| world.add_puppet(name));
    world.cut_one_way(a, b);
    world.sleep(b);
    world.resume(b);
    world.power_off(b);
    world.restart(b);
    let medium = &world.net.medium;
    assert!(medium.is_cut(a, b) && !medium.is_cut(b, a) && !medium.is_cut(c, b));
    assert_eq!(world.counts().cuts, 1);
}

#[test]
fn a_cut_between_two_leaves_both_their_ways_to_a_third() {
    let mut world = World::new(Seed::from(1));
    let [a, b, c] = ["a", "b", "c"].map(|name| world.add_puppet(name));
    listen(&mut world, c, 1..3);
    for (host, link) in [(a, 1), (b, 1)] {
        connect(&mut world, host, link, "tcp://c:40000");
    }
    world.run_for(seconds(1));
    world.cut(a, b);
    for host in [a, b] {
        heard(&mut world, host);
        send(&mut world, host, 1, "to c");
    }
    world.run_for(seconds(1));
    assert_eq!(received(&heard(&mut world, c)), b"to cto c");
    for link in [1, 2] {
        send(&mut world, c, link, "from c");
    }
    world.run_for(seconds(1));
    assert!([a, b].into_iter().all(|host| heard(&mut world, host).contains(&bytes(1, "from c"))));
}

#[test]
fn a_wall_clock_is_wrong_by_no_more_than_asked_and_jumps_when_it_is_told_to() {
    let mut world = World::new(Seed::from(1));
    world.set_faults(Faults { wall_skew_max: seconds(3_600), ..Faults::default() });
    let hosts: Vec<_> = (0..50).map(|_| world.add_puppet("p")).collect();
    let ahead =
        |world: &World, host| world.wall_clock(host).as_millis().cast_signed() - EPOCH.as_millis().cast_signed();
    let errors: Vec<_> = hosts.iter().map(|host| ahead(&world, *host)).collect();
    assert!(errors.iter().all(|error| error.abs() <= 3_600_000), "{errors:?}");
    assert!(errors.iter().any(|error| *error < -1_000_000) && errors.iter().any(|error| *error > 1_000_000));

    let host = hosts[0];
    heard(&mut world, host);
    let before = world.wall_clock(host).as_millis();
    world.run_for(seconds(1));
    world.shift_wall_clock(host, -DAY);
    world.pause(host);
    world.shift_wall_clock(host, 2 * DAY);
    world.run_for(seconds(1));
    world.resume(host);
    world.run_for(seconds(0));
    let told = [before + 1_000 - DAY.cast_unsigned(), before + 2_000 + DAY.cast_unsigned()];
    assert_eq!(heard(&mut world, host), told.map(|wall| Input::WallClock(Timestamp::from_millis(wall))));
    world.set_faults(Faults::default());
    world.restart(host);
    assert_eq!(ahead(&world, host), errors[0] + 2_000 + DAY, "it is the machine's, not the process's");
    world.set_wall_clock(host, Timestamp::from_millis(5));
    assert_eq!(world.wall_clock(host), Timestamp::from_millis(5));
    world.shift_wall_clock(host, -DAY);
    assert_eq!(world.wall_clock(host), Timestamp::from_millis(0));
}

#[test]
fn a_world_is_calm_unless_something_stands_in_the_way_of_anything() {
    type Deed = fn(&mut World, HostId, HostId);
    let troubles: [(Deed, Deed); 5] = [
        (World::cut_one_way, World::heal),
        (|world, a, _| world.slow(a, Some(1)), |world, a, _| world.slow(a, None)),
        (|world, a, _| world.pause(a), |world, a, _| world.resume(a)),
        (|world, a, _| world.sleep(a), |world, a, _| world.resume(a)),
        (
            |world, _, _| world.set_faults(Faults { datagram_loss_ppm: 1, ..Faults::default() }),
            |world, _, _| world.set_faults(Faults::default()),
        ),
    ];
    let (mut world, a, b) = linked(1, Faults::default());
    for (begin, end) in troubles {
        assert!(world.is_calm());
        begin(&mut world, a, b);
        assert!(!world.is_calm());
        end(&mut world, a, b);
    }
    // What is over when it has happened.
    world.sever(a, b);
    world.reset(a, b);
    world.crash(a);
    assert!(world.is_calm());
}
