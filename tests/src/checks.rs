//! What must hold when the faults are over, and what no node may hold at any time.

use std::collections::BTreeMap;
use std::time::Duration;

use flockmq_core::sim::{Faults, HostId};
use flockmq_core::{BrokerId, ConsumerId, DestinationKind, Role};

use crate::application::Acking;
use crate::remains::remains;
use crate::stage::Stage;
use crate::step::{DESTINATIONS, Play, at_port};

/// N4: what each node holds is within its limits.
pub(crate) fn within_limits(stage: &Stage) {
    stage.check_clients();
    for host in stage.hosts().into_iter().filter(|host| stage.is_up(*host)) {
        let (stats, config) = (stage.stats(host), stage.config(host));
        assert!(stats.links <= config.link.links_max, "{host} has {} links", stats.links);
        assert!(stats.peers <= stats.links, "{host} has {} peers by {} links", stats.peers, stats.links);
        let links = stats.links as u64 + 1;
        assert!(stats.waiting_bytes <= config.link.backlog_max * links, "{host}: {} bytes wait", stats.waiting_bytes);
    }
}

/// Ends all faults; then everybody links up, everything owed arrives, and it becomes quiet.
pub(crate) fn settle(stage: &mut Stage, play: &mut Play, quiet: Duration) {
    let hosts = stage.hosts();
    play.dismiss_stranger(stage);
    read_recordings(stage);
    stage.world().set_faults(Faults::default());
    stage.world().heal_all();
    for host in &hosts {
        stage.world().slow(*host, None);
        stage.world().set_segments(*host, &[0]);
        stage.resume(*host);
        if !stage.is_running(*host) {
            stage.restart(*host);
        }
    }
    for consumer in hosts.iter().flat_map(|host| stage.open_consumers(*host)).collect::<Vec<_>>() {
        if stage.acking(consumer) == Acking::Manual {
            stage.unsubscribe(consumer);
        }
    }
    link_up(stage, &hosts);
    // A message that has crossed as many bridges as it may waits where it is, so every host takes what is there.
    for host in hosts.iter().filter(|host| stage.config(**host).role != Role::Client).collect::<Vec<_>>() {
        stage.subscribe(*host, "queue://>");
    }
    stage.run_for(DEMAND_WITHIN);
    reach_everybody(stage, play, &hosts);
    arrive(stage, &hosts);
    be_quiet(stage, quiet);
}

/// Whatever disks have been through, what is left of each recording is a beginning of it, or is refused.
fn read_recordings(stage: &mut Stage) {
    let world = stage.world();
    for host in world.hosts() {
        for (whole, left) in world.recording_files(host).iter().zip(world.recording_remains(host)) {
            remains(left.unwrap_or_default(), whole);
        }
    }
}

/// V2, B4: all peers of a group are linked and ready, and all its brokers are targets of all its clients.
fn link_up(stage: &mut Stage, hosts: &[HostId]) {
    let mut groups: BTreeMap<String, Vec<HostId>> = BTreeMap::new();
    for host in hosts {
        groups.entry(stage.config(*host).group.clone()).or_default().push(*host);
    }
    // Nobody else is linked either: not who is gone, and not who belongs to another group.
    let is_whole = |stage: &Stage, group: &[HostId]| {
        let of = |role: Role| -> Vec<HostId> {
            group.iter().copied().filter(|host| stage.config(*host).role == role).collect()
        };
        let (peers, alone) = (of(Role::Peer), of(Role::Broker));
        let is_whole = |client: &HostId| {
            let targets = stage.hosts().into_iter().filter(|host| is_target(stage, *client, *host));
            let mut brokers: Vec<BrokerId> = targets.map(|host| stage.id(host)).collect();
            let mut up = stage.targets_up(*client);
            brokers.sort();
            up.sort();
            up == brokers
        };
        stage.is_linked(&peers)
            && peers.iter().all(|host| stage.peers(*host).len() == peers.len() - 1)
            && alone.iter().all(|host| stage.peers(*host).is_empty())
            && of(Role::Client).iter().all(is_whole)
    };
    let linked = stage.run_until(LINKED_WITHIN, |stage| groups.values().all(|group| is_whole(stage, group)));
    let unready = |stage: &Stage| {
        let peers = hosts
            .iter()
            .map(|host| format!("{host} ({}): {:?} {:?}\n", stage.id(*host), stage.peers(*host), stage.targets(*host)));
        peers.collect::<String>()
    };
    assert!(linked, "not all are linked {LINKED_WITHIN:?} after the last fault:\n{}", unready(stage));
}

/// T1, T4, B5: a topic's message reaches every subscriber of its group once.
fn reach_everybody(stage: &mut Stage, play: &mut Play, hosts: &[HostId]) {
    let mut expected: BTreeMap<ConsumerId, Vec<String>> = BTreeMap::new();
    for host in hosts.iter().filter(|host| is_served(stage, **host)).copied().collect::<Vec<_>>() {
        for destination in DESTINATIONS {
            let text = play.texts(1).remove(0);
            stage.send(host, destination, &text);
            for consumer in subscribers(stage, hosts, host, destination) {
                expected.entry(consumer).or_default().push(text.clone());
            }
        }
    }
    let arrived = |stage: &mut Stage| {
        expected.iter().all(|(consumer, texts)| {
            let bodies = stage.bodies(*consumer);
            texts.iter().all(|text| bodies.contains(&text.as_str()))
        })
    };
    if !stage.run_until(OWED_WITHIN, arrived) {
        for (consumer, texts) in &expected {
            for text in texts {
                assert!(stage.bodies(*consumer).contains(&text.as_str()), "consumer {consumer} has not got '{text}'");
            }
        }
    }
}

/// True if a client fans out to this host, once both are up.
fn is_target(stage: &Stage, client: HostId, host: HostId) -> bool {
    let (client, found) = (stage.config(client), stage.config(host));
    let is_known = match client.multicast {
        None => client.peers.contains(&at_port(host)),
        Some(_) => client.group == found.group,
    };
    is_known && found.role != Role::Client
}

/// True unless a client has too few brokers.
fn is_served(stage: &Stage, host: HostId) -> bool {
    let config = stage.config(host);
    let brokers = stage.hosts().into_iter().filter(|other| is_target(stage, host, *other)).count();
    config.role != Role::Client || brokers >= config.fanout.acks_min as usize
}

/// T1: a peer's message reaches all peers, that of a broker which stands alone itself only; a client's reaches its
/// targets, and from there whom theirs reach; and clients hear what reaches their targets.
fn reaches(stage: &Stage, sender: HostId, other: HostId) -> bool {
    match [sender, other].map(|host| stage.config(host).role) {
        [Role::Broker, Role::Broker | Role::Peer] | [Role::Peer, Role::Broker] => sender == other,
        [Role::Peer, Role::Peer] => stage.config(sender).group == stage.config(other).group,
        [Role::Client, _] => {
            let targets = stage.hosts().into_iter().filter(|host| is_target(stage, sender, *host));
            targets.into_iter().any(|target| reaches(stage, target, other))
        }
        [_, Role::Client] => {
            let mut targets = stage.hosts().into_iter().filter(|host| is_target(stage, other, *host));
            is_served(stage, other) && targets.any(|target| reaches(stage, sender, target))
        }
    }
}

fn subscribers(stage: &Stage, hosts: &[HostId], sender: HostId, destination: &str) -> Vec<ConsumerId> {
    let destination: flockmq_core::Destination = destination.parse().expect("a destination");
    if destination.kind() == DestinationKind::Queue {
        return Vec::new();
    }
    let members = hosts.iter().filter(|host| reaches(stage, sender, **host));
    let open = members.flat_map(|host| stage.open_consumers(*host));
    open.filter(|consumer| stage.pattern(*consumer).matches(&destination)).collect()
}

/// Q7, Q11, T1, N4, F3, F7: everything sent is accepted or refused, everything accepted arrives, and nothing waits anywhere.
fn arrive(stage: &mut Stage, hosts: &[HostId]) {
    let is_done = |stage: &mut Stage| {
        let is_empty = |host: &HostId| {
            let stats = stage.stats(*host);
            stage.unanswered(*host) == 0
                && stats.waiting_bytes == 0
                && (stats.unsettled_bytes, stats.lagging_bytes) == (0, 0)
                && stats.broker.queued == 0
                && stats.broker.parked == 0
        };
        hosts.iter().all(is_empty) && stage.oracle.undelivered().is_empty()
    };
    let mut done = false;
    for _ in 0..OWED_WITHIN.as_secs() {
        done = is_done(stage);
        if done {
            break;
        }
        stage.run_for(Duration::from_secs(1));
    }
    for host in hosts {
        if stage.stats(*host).broker.dropped > 0 {
            stage.oracle.forgive_dropped(*host);
        }
    }
    let owed: Vec<String> = stage.oracle.undelivered().into_iter().map(|id| stage.oracle.describe(id)).collect();
    assert!(owed.is_empty(), "queue messages that nobody got:\n{}", owed.join("\n"));
    if !done {
        for host in hosts {
            let stats = stage.stats(*host);
            assert_eq!(stage.unanswered(*host), 0, "messages of {host} that were not answered; {stats:?}");
            assert_eq!(stats.waiting_bytes, 0, "bytes that wait at {host}");
            assert_eq!((stats.unsettled_bytes, stats.lagging_bytes), (0, 0), "F7: bytes that {host} holds");
            assert_eq!((stats.broker.queued, stats.broker.parked), (0, 0), "messages that wait at {host}");
        }
    }
    let missed: Vec<String> =
        stage.oracle.owed().map(|(to, id)| format!("consumer {to}: {}", stage.oracle.describe(id))).collect();
    assert!(missed.is_empty(), "topic messages that did not reach whom they had to:\n{}", missed.join("\n"));
}

/// R2, V1: nobody connects, is lost or found any more, once dials that began before have come to their end.
fn be_quiet(stage: &mut Stage, quiet: Duration) {
    let mut seen = Vec::new();
    for _ in 0..=NOISY_MAX {
        seen.push(commotion(stage));
        stage.run_for(quiet);
        if seen.last() == Some(&commotion(stage)) {
            return;
        }
    }
    panic!("it never becomes quiet: streams made and notices given, every {quiet:?}: {seen:?}");
}

/// How many streams were made and how many notices were given.
fn commotion(stage: &mut Stage) -> (u64, usize) {
    let notices = stage.hosts().into_iter().map(|host| stage.notices(host).len()).sum();
    (stage.world().counts().streams, notices)
}

/// How long it is watched that nothing happens any more.
pub(crate) const QUIET: Duration = Duration::from_mins(1);

/// A silent link ends after 30 s at most, and the longest wait between dials is 30 s.
const LINKED_WITHIN: Duration = Duration::from_mins(2);

/// How long until what a cut held up on a link that survived it, such as a new consumer's demand, has arrived.
const DEMAND_WITHIN: Duration = Duration::from_secs(10);

const OWED_WITHIN: Duration = Duration::from_mins(2);

/// How many spans of time may pass until nothing happens any more.
const NOISY_MAX: usize = 2;
