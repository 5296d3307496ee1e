//! Replies reach whoever asked, wherever that is: temporary queues among peers and through fanout.

use std::time::Duration;

use flockmq_core::{ConnectionId, Destination, DestinationKind, FanoutConfig, Refusal, Temporary};
use flockmq_tests::{HostId, Outcome, Stage};

#[test]
fn a_reply_crosses_peers_to_the_connection_that_asked() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let queue = temporary(&stage, hosts[0], 7);
    let replies = stage.subscribe(hosts[0], &queue);
    let requests = stage.subscribe(hosts[1], "queue://service");
    stage.run_for(A_MOMENT);
    stage.send(hosts[0], "queue://service", "question");
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(requests), ["question"]);
    stage.send(hosts[1], &queue, "answer");
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(replies), ["answer"]);
}

#[test]
fn a_reply_that_is_sent_before_its_demand_comes_waits_for_it() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let queue = temporary(&stage, hosts[0], 7);
    stage.send(hosts[1], &queue, "early");
    stage.run_for(Duration::from_secs(50));
    let replies = stage.subscribe(hosts[0], &queue);
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(replies), ["early"]);
}

#[test]
fn a_reply_survives_the_link_that_it_has_to_cross() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let queue = temporary(&stage, hosts[0], 7);
    let replies = stage.subscribe(hosts[0], &queue);
    stage.run_for(A_MOMENT);
    stage.world().cut(hosts[0], hosts[1]);
    let is_parted = |stage: &mut Stage| stage.peers(hosts[1]).is_empty();
    assert!(stage.run_until(Duration::from_mins(1), is_parted), "the link is found dead");
    stage.send(hosts[1], &queue, "late");
    stage.heal();
    let has_come = |stage: &mut Stage| stage.bodies(replies) == ["late"];
    assert!(stage.run_until(Duration::from_secs(58), has_come), "it was held until the link was back");
}

#[test]
fn nobody_else_consumes_from_a_temporary_queue() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(1, FanoutConfig::default());
    let queue = temporary(&stage, brokers[0], 7);
    let stolen = stage.subscribe(client, &queue);
    stage.run_for(A_MOMENT);
    let denied: Vec<_> =
        stage.denied(client).iter().map(|(_, consumer, refusal)| (*consumer, refusal.clone())).collect();
    assert_eq!(denied, [(stolen, Refusal::NotOwner(queue.parse().expect("a destination")))]);
}

#[test]
fn clients_ask_and_answer_through_fanout() {
    let mut stage = Stage::new(1);
    let fanout = FanoutConfig { acks_min: 2, ..FanoutConfig::default() };
    let (asker, brokers) = stage.fan(2, fanout.clone());
    let replier = stage.client("flock", fanout);
    stage.fan_out(replier, &brokers);
    let queue = temporary(&stage, asker, 7);
    let answers = stage.subscribe(asker, &queue);
    let questions = stage.subscribe(replier, "queue://service");
    stage.run_for(A_MOMENT);
    stage.send(asker, "queue://service", "question");
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(questions), ["question"]);
    stage.send(replier, &queue, "answer");
    stage.run_for(A_MOMENT);
    assert_eq!(stage.bodies(answers), ["answer"], "once, though both brokers have it");
}

/// Which of its brokers an application is at is unknown to a client: the reply goes to all.
#[test]
fn a_client_answers_the_application_of_any_of_its_brokers() {
    let mut stage = Stage::new(1);
    let (client, brokers) = stage.fan(3, FanoutConfig::default());
    stage.run_for(A_MOMENT);
    for broker in brokers {
        let queue = temporary(&stage, broker, 7);
        let replies = stage.subscribe(broker, &queue);
        stage.send(client, &queue, "answer");
        stage.run_for(A_MOMENT);
        assert_eq!(stage.bodies(replies), ["answer"]);
    }
}

#[test]
fn what_waits_for_a_process_that_is_gone_is_dropped_in_the_end() {
    let mut stage = Stage::new(1);
    let hosts = stage.flock(2);
    let queue = temporary(&stage, hosts[0], 7);
    stage.subscribe(hosts[0], &queue);
    stage.run_for(A_MOMENT);
    stage.crash(hosts[0]);
    let message = stage.send(hosts[1], &queue, "to nobody");
    stage.run_for(Duration::from_secs(200));
    assert!(matches!(stage.outcome(message), Outcome::Accepted { .. }));
    let stats = stage.stats(hosts[1]).broker;
    assert_eq!((stats.queued, stats.orphaned), (0, 1));
}

/// The temporary queue of this number of a host's application.
fn temporary(stage: &Stage, host: HostId, number: u64) -> String {
    let name = Temporary { broker: stage.id(host), connection: ConnectionId(1), number };
    Destination::temporary(DestinationKind::Queue, name).to_string()
}

const A_MOMENT: Duration = Duration::from_secs(5);
