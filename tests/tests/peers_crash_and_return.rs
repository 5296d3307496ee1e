//! A process that dies without a word is lost at once; when it is started again, it is somebody else.

use std::time::Duration;

use flockmq_core::{BrokerId, CloseReason, Event, Service};
use flockmq_tests::{Acking, HostId, Stage};

#[test]
fn the_others_hear_of_it_at_once() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(4);
    let gone = stage.id(hosts[0]);
    stage.crash(hosts[0]);
    stage.run_for(Duration::from_millis(50));
    for host in &hosts[1..] {
        assert_eq!(lost(&stage, *host), [gone], "at {host}");
        assert_eq!(stage.peers(*host).len(), 2, "nothing else fails at {host}");
    }
    assert!(stage.is_linked(&hosts[1..]));
}

#[test]
fn a_restart_is_somebody_new() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    let mut known = vec![stage.id(hosts[0])];
    for _ in 0..3 {
        stage.restart(hosts[0]);
        assert!(stage.run_until(Duration::from_secs(5), |stage| stage.is_linked(&hosts)));
        let id = stage.id(hosts[0]);
        assert!(!known.contains(&id), "{id} was there before");
        known.push(id);
    }
    for host in &hosts[1..] {
        let ups = stage.notices(*host).iter().filter_map(|(_, event)| match event {
            Event::PeerUp { broker, name, .. } if name == "b0" => Some(*broker),
            _ => None,
        });
        assert_eq!(ups.collect::<Vec<_>>(), known, "each is up once at {host}");
        assert_eq!(lost(&stage, *host), known[..3], "each but the last is lost once at {host}");
        assert_eq!(stage.count(*host, |event| matches!(event, Event::NameClash { .. })), 0);
    }
}

/// It listens at another port, so its old service falls silent and a new one is found.
#[test]
fn the_old_service_is_lost_and_the_new_one_found() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let found = |stage: &Stage| -> Vec<Service> {
        let found = stage.notices(hosts[1]).iter().filter_map(|(_, event)| match event {
            Event::ServiceFound { service } => Some(service.clone()),
            _ => None,
        });
        found.collect()
    };
    let first = found(&stage);
    assert_eq!(first.len(), 1);
    stage.restart(hosts[0]);
    stage.run_for(Duration::from_secs(10));
    let both = found(&stage);
    assert_eq!(both.len(), 2);
    assert_ne!(both[0], both[1]);
    let old_is_lost = stage.count(hosts[1], |event| *event == Event::ServiceLost { service: first[0].clone() });
    assert_eq!(old_is_lost, 1);
}

/// What was on its way to the peer that died, and not accepted there, goes to the others and says that it may have
/// been seen.
#[test]
fn what_it_had_not_taken_goes_to_others_marked() {
    for is_near in [true, false] {
        let mut stage = Stage::new(1);
        let hosts = stage.flock(3);
        let doomed = stage.subscribe(hosts[1], "queue://orders");
        stage.run_for(Duration::from_secs(1));
        stage.pause(hosts[1]); // Nothing of what is sent now is accepted there.
        let sent: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        stage.send_all(hosts[0], "queue://orders", sent.clone());
        stage.run_for(Duration::from_millis(100));
        let heir = stage.subscribe(hosts[if is_near { 0 } else { 2 }], "queue://orders");
        stage.run_for(Duration::from_millis(100));
        assert!(stage.bodies(heir).is_empty() && stage.bodies(doomed).is_empty());
        stage.crash(hosts[1]);
        stage.run_for(Duration::from_secs(1));
        assert_eq!(stage.bodies(heir), sent);
        let marked = stage.received(heir).iter().filter(|received| received.redeliveries == 1).count();
        assert_eq!(marked, 20, "is_near: {is_near}");
    }
}

/// The messages that the dead process had accepted were in its memory only; those after them are not affected.
#[test]
fn what_it_had_taken_is_lost_with_it_and_nothing_else_is() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let doomed = stage.subscribe_with(hosts[1], "queue://orders", Acking::Manual, None);
    stage.run_for(Duration::from_secs(1));
    stage.send(hosts[0], "queue://orders", "taken");
    stage.run_for(Duration::from_secs(1));
    assert_eq!(stage.bodies(doomed), ["taken"]);
    stage.crash(hosts[1]);
    stage.send(hosts[0], "queue://orders", "waiting");
    stage.restart(hosts[1]);
    stage.reopen(doomed);
    assert!(stage.run_until(Duration::from_secs(5), |stage| stage.received(doomed).len() == 2));
    stage.run_for(Duration::from_secs(5));
    assert_eq!(stage.bodies(doomed), ["taken", "waiting"]);
}

#[test]
fn nothing_is_left_of_a_process_that_came_and_went_often() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(3);
    let consumer = stage.subscribe(hosts[0], "topic://>");
    for round in 0..20 {
        stage.restart(hosts[2]);
        stage.subscribe(hosts[2], "queue://orders");
        assert!(stage.run_until(Duration::from_secs(5), |stage| stage.is_linked(&hosts)));
        stage.send(hosts[2], "topic://t", &format!("{round}"));
        stage.run_for(Duration::from_millis(100));
    }
    assert_eq!(stage.received(consumer).len(), 20);
    stage.run_for(Duration::from_secs(10));
    for host in &hosts {
        let stats = stage.stats(*host);
        assert_eq!((stats.links, stats.peers, stats.services, stats.waiting_bytes), (2, 2, 2, 0), "{host}");
    }
}

fn lost(stage: &Stage, host: HostId) -> Vec<BrokerId> {
    let lost = stage.notices(host).iter().filter_map(|(_, event)| match event {
        Event::PeerLost { broker, reason, .. } => {
            assert!(matches!(reason, CloseReason::Failed(_) | CloseReason::Ended), "{reason:?}");
            Some(*broker)
        }
        _ => None,
    });
    lost.collect()
}
