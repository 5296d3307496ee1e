//! A broker that hands over what it has before it leaves takes nothing more, and says that it is done only if it is.

use std::time::Duration;

use flockmq_core::{Event, FanoutConfig};
use flockmq_tests::{Acking, HostId, Stage};

/// Two peers; the first has messages that the second wants and can't take, since it stands still, and begins to hand over.
fn held_up(stage: &mut Stage, patience: Duration) -> [HostId; 2] {
    let hosts = stage.flock(2);
    stage.subscribe(hosts[1], "queue://orders");
    stage.run_for(A_MOMENT);
    stage.pause(hosts[1]);
    stage.send_all(hosts[0], "queue://orders", (0..20).map(|number| format!("order {number}")));
    stage.drain(hosts[0], patience);
    [hosts[0], hosts[1]]
}

#[test]
fn what_was_accepted_is_handed_over_and_not_lost_with_its_broker() {
    let mut stage = Stage::new(1);
    let [leaving, other] = held_up(&mut stage, PATIENCE);
    stage.run_for(A_MOMENT);
    assert!(stage.is_draining(leaving), "nobody has said so far that it has them");
    stage.resume(other);
    stage.run_for(A_MOMENT);
    assert_eq!(stage.count(leaving, |event| *event == Event::Stopped), 1, "it does not wait any longer than it must");
    assert_eq!(stage.bodies(stage.open_consumers(other)[0]).len(), 20);
}

/// What it had is with whoever it was handed to, or lost; that it was all taken is not said of it.
#[test]
fn a_broker_whose_time_is_up_does_not_say_that_it_has_handed_over_what_it_had() {
    let mut stage = Stage::new(2);
    let [leaving, _] = held_up(&mut stage, Duration::from_secs(2));
    stage.run_for(Duration::from_secs(3));
    assert!(!stage.is_draining(leaving));
}

#[test]
fn a_client_is_not_served_again_by_a_broker_that_drains() {
    let mut stage = Stage::new(3);
    let hosts = stage.flock(2);
    let client = stage.client("flock", FanoutConfig { acks_min: 1, ..FanoutConfig::default() });
    stage.fan_out(client, &hosts);
    stage.subscribe(hosts[1], "queue://orders");
    stage.run_for(A_MOMENT);
    stage.pause(hosts[1]);
    stage.send(hosts[0], "queue://orders", "an order");
    stage.drain(hosts[0], PATIENCE);
    stage.run_for(PATIENCE / 2);
    assert!(stage.is_draining(hosts[0]));
    assert!(!stage.is_fanned_out(client, &hosts[..1]), "it has gone on elsewhere");
}

/// Of two peers one has the room that a bridge's window gives taken by messages of a topic: the queue's wait for it.
#[test]
fn what_waits_for_a_peers_window_is_handed_over_too() {
    let mut stage = Stage::new(4);
    let mut config = flockmq_core::Config::peer("flock", "narrow");
    config.bridge.window = 1;
    let leaving = stage.host(config);
    let other = stage.peer("flock", "other");
    assert!(stage.run_until(PATIENCE, |stage| stage.is_linked(&[leaving, other])));
    stage.subscribe(other, "topic://news");
    let orders = stage.subscribe_with(other, "queue://orders", Acking::Automatic, None);
    stage.run_for(A_MOMENT);
    stage.pause(other);
    stage.send_all(leaving, "topic://news", (0..5).map(|number| format!("news {number}")));
    stage.send(leaving, "queue://orders", "an order");
    stage.drain(leaving, PATIENCE);
    assert!(stage.is_draining(leaving), "an order waits until news have been taken");
    stage.resume(other);
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(orders), ["an order"]);
}

const A_MOMENT: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);
