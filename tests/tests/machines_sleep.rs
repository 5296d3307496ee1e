//! R6: a machine that has slept is woken once, however much it missed, and finds the others again without a storm.

use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::{CloseReason, Event};
use flockmq_tests::Stage;

const HOUR: Duration = Duration::from_hours(1);

/// Lines of the log of one host from now on, for as long as asked.
fn log(stage: &mut Stage, host: HostId, duration: Duration) -> Vec<String> {
    stage.world().keep_log(1_000_000);
    stage.world().take_log();
    stage.run_for(duration);
    let lines = stage.world().take_log().into_iter().filter(|line| line.host == host);
    let lines = lines.map(|line| line.text).collect();
    stage.world().keep_log(0);
    lines
}

#[test]
fn an_hour_s_sleep_ends_with_one_wake_up_and_links_that_are_made_anew() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(4);
    let consumer = stage.subscribe(hosts[0], "topic://prices");
    stage.run_for(Duration::from_secs(1));
    let quiet = log(&mut stage, hosts[0], Duration::from_secs(10)).len();
    stage.sleep(hosts[0]);
    stage.run_for(HOUR);
    for other in &hosts[1..] {
        assert_eq!(stage.peers(*other).len(), 2, "the others have noticed");
    }
    stage.resume(hosts[0]);
    let woken = log(&mut stage, hosts[0], Duration::ZERO);
    let told = |lines: &[String], what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(told(&woken, "< Timeout"), 1, "{woken:#?}");
    assert!(woken.len() < 50, "{woken:#?}");
    let lost = stage.count(hosts[0], |event| matches!(event, Event::PeerLost { reason: CloseReason::Silent, .. }));
    assert_eq!(lost, 3, "all its links are checked at once");

    let after = log(&mut stage, hosts[0], Duration::from_secs(10));
    assert!(after.len() < quiet + 150, "{} lines instead of {quiet}:\n{after:#?}", after.len());
    assert!(stage.is_linked(&hosts));
    stage.send(hosts[1], "topic://prices", "after");
    stage.run_for(Duration::from_secs(1));
    assert_eq!(stage.bodies(consumer), ["after"]);
}

/// The others have not given it up when it is back: its links go on, and what was sent meanwhile arrives.
#[test]
fn a_nap_costs_no_link() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let consumer = stage.subscribe(hosts[0], "queue://orders");
    stage.run_for(Duration::from_secs(1));
    stage.sleep(hosts[0]);
    stage.send(hosts[1], "queue://orders", "meanwhile");
    stage.run_for(Duration::from_secs(5));
    assert_eq!(stage.bodies(consumer), [""; 0]);
    stage.resume(hosts[0]);
    stage.run_for(Duration::from_secs(2));
    assert_eq!(stage.bodies(consumer), ["meanwhile"]);
    assert_eq!(stage.count(hosts[0], |event| matches!(event, Event::PeerLost { .. })), 0);
}

/// Half of the network sleeps at once, as laptops do when a meeting ends.
#[test]
fn many_that_wake_at_once_make_no_storm() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(12);
    for host in &hosts[..6] {
        stage.sleep(*host);
    }
    stage.run_for(Duration::from_mins(10));
    let before = stage.world().counts().clone();
    for host in &hosts[..6] {
        stage.resume(*host);
    }
    assert!(stage.run_until(Duration::from_secs(10), |stage| stage.is_linked(&hosts)));
    stage.run_for(Duration::from_secs(10));
    let after = stage.world().counts().clone();
    // 6 that come back to 6 others and to one another: 51 pairs, each with two dials at most.
    let streams = after.streams - before.streams;
    assert!((51..=102).contains(&streams), "{streams} streams");
    assert!(after.inputs - before.inputs < 12_000, "{} inputs", after.inputs - before.inputs);
}
