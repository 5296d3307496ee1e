//! What must hold when the faults are over, and what no node may hold at any time.

mod reach;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flockmq_core::sim::{Faults, HostId};
use flockmq_core::{
    Ack, AckExtent, AckKind, BrokerId, ConsumerId, Destination, DestinationKind, Event, Instant, LinkConfig, MessageId,
    Refusal, Role, Target, TargetState, WhenFull,
};

use reach::{is_served, is_target, joined, members, neighbours, reaches, spread};

use crate::application::Acking;
use crate::oracle::{Outcome, is_of};
use crate::play::{DESTINATIONS, Play};
use crate::remains::remains;
use crate::stage::Stage;
use crate::wish::is_prompt;

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

/// What every broker's queues hold, between any two steps.
pub(crate) fn queues(stage: &Stage) {
    for host in stage.hosts().into_iter().filter(|host| stage.is_up(*host)) {
        conserve(stage, host);
        stage.oracle.check_advice(host);
        if stage.is_running(host) {
            wake_up(stage, host);
        }
    }
}

/// Q1: a message that a queue accepted waits, is outstanding, was acknowledged or purged, was let go for another copy
/// of it, went with its temporary queue, has expired or could not be delivered.
fn conserve(stage: &Stage, host: HostId) {
    let found = stage.stats(host).broker;
    let here = found.queued + found.delayed + found.outstanding_queued;
    let gone = found.acknowledged_queued
        + found.purged
        + found.let_go
        + found.orphaned
        + found.expired_queued
        + found.failed_queued;
    let known = here + gone;
    assert_eq!(known, found.accepted_queued, "Q1: {host}'s queues accepted as many messages, and there are: {found:?}");
}

/// Q7: no queue holds a message while a consumer of its own broker has credit. One whose groups, exclusive consumers or
/// redelivery keep messages from some is not asked.
fn wake_up(stage: &Stage, host: HostId) {
    for (queue, waiting) in stage.node(host).waiting().into_iter().filter(|(queue, _)| is_prompt(queue)) {
        if stage.oracle.paused_queues(host).contains(&queue) {
            continue;
        }
        let takes = |consumer: &ConsumerId| stage.pattern(*consumer).matches(&queue) && !stage.browses(*consumer);
        let open = stage.open_consumers(host).into_iter().filter(takes);
        let open: Vec<ConsumerId> = open.collect();
        let are_equal = !open.iter().any(|consumer| stage.subscription(*consumer).exclusive);
        for consumer in open.into_iter().filter(|_| are_equal) {
            let (held, credit) = (stage.outstanding(consumer).len(), stage.prefetch(consumer));
            assert!(
                held >= credit,
                "Q7: {waiting} messages wait in {queue} of {host} for consumer {consumer}, who has {held} of {credit}"
            );
        }
    }
}

/// F1: where nothing has disturbed anything for a while, clients are soon told of all that brokers have accepted of
/// theirs, also where later messages wait for room.
pub(crate) fn answers(stage: &mut Stage) {
    if !stage.is_calm_for(ANSWERED_WITHIN) {
        return;
    }
    let untold = |stage: &Stage| {
        let alone = |host: &HostId| stage.config(*host).role == Role::Broker && stage.is_running(*host);
        let hosts = stage.hosts().into_iter().filter(alone).filter(|host| stage.oracle.has_kept_clients(*host));
        let hosts = hosts.filter(|host| !stage.oracle.feeds(*host) && joined(stage, *host).is_empty());
        hosts.into_iter().find_map(|host| untold(stage, host))
    };
    let are_told = stage.run_until(ANSWERED_WITHIN, |stage| untold(stage).is_none());
    assert!(are_told, "F1: {}", untold(stage).unwrap_or_default());
}

/// What a broker that stands alone has accepted and nobody knows of.
fn untold(stage: &Stage, host: HostId) -> Option<String> {
    let hosts = stage.hosts().into_iter();
    let clients = hosts.filter(|host| stage.config(*host).role == Role::Client && stage.is_up(*host));
    let targets = clients.flat_map(|client| stage.targets(client));
    let is_meant = |target: &Target| matches!(target.state, TargetState::Up { broker, .. } if broker == stage.id(host));
    let told: u64 = targets.filter(is_meant).map(|target| target.accepted).sum();
    let (own, accepted) = (stage.oracle.accepted_by(stage.id(host)), stage.stats(host).broker.accepted);
    let what = || format!("{host} has accepted {accepted} messages, {own} of its own, and clients know of {told}");
    (own + told != accepted).then(what)
}

/// Ends all faults; then everybody links up, everything owed arrives, and it becomes quiet.
pub(crate) fn settle(stage: &mut Stage, play: &mut Play, quiet: Duration) {
    let hosts = stage.hosts();
    play.dismiss_stranger(stage);
    read_recordings(stage);
    stage.world().set_faults(Faults::default());
    stage.heal();
    for host in &hosts {
        stage.slow(*host, None);
        stage.world().set_segments(*host, &[0]);
        stage.resume(*host);
        if !stage.is_running(*host) {
            stage.restart(*host);
        }
    }
    intrude(stage, &hosts);
    for host in hosts.iter().filter(|host| stage.config(**host).role != Role::Client).collect::<Vec<_>>() {
        stage.end_transactions(*host);
        stage.hang_up(*host);
        for queue in stage.oracle.paused_queues(*host) {
            stage.resume_queue(*host, &queue);
        }
    }
    for consumer in hosts.iter().flat_map(|host| stage.open_consumers(*host)).collect::<Vec<_>>() {
        if stage.acking(consumer) == Acking::Manual {
            stage.unsubscribe(consumer);
        }
    }
    stage.run_for(BACK_WITHIN);
    for host in &hosts {
        // Whoever gives up does not dial everybody any more, or soon will not.
        let gives_up = stage.config(*host).dial.backoff.attempts_max.is_some();
        let is_up = |target: &Target| matches!(target.state, TargetState::Up { .. });
        if gives_up && !stage.targets(*host).iter().all(is_up) {
            stage.restart(*host);
        }
    }
    link_up(stage, &hosts);
    queues(stage);
    for host in hosts.iter().filter(|host| gathers(stage, &hosts, **host)).collect::<Vec<_>>() {
        stage.subscribe(*host, "queue://>");
    }
    for host in hosts.iter().filter(|host| stage.config(**host).role != Role::Client).collect::<Vec<_>>() {
        for wanted in stage.oracle.idle(*host) {
            stage.subscribe_as(*host, wanted, Acking::Automatic);
        }
    }
    stage.run_for(DEMAND_WITHIN);
    stage.run_until_brisk();
    reach_everybody(stage, play, &hosts);
    arrive(stage, &hosts);
    be_quiet(stage, quiet);
    forget(stage, &hosts);
    come_back(stage, &hosts);
    leave(stage, &hosts);
}

/// True if a host has to take what is in its queues: not where another peer takes it, which no other is too far from.
fn gathers(stage: &Stage, hosts: &[HostId], host: HostId) -> bool {
    match stage.config(host).role {
        Role::Client => false,
        Role::Broker => true,
        Role::Peer => {
            let is_member = |other: &&HostId| {
                let found = stage.config(**other);
                found.role == Role::Peer && found.group == stage.config(host).group
            };
            let all = hosts.iter().filter(is_member).copied();
            let first = all.clone().min_by_key(|peer| stage.id(*peer)).expect("the host itself is a member");
            // What is too large for a client's consumer at its broker waits there for another.
            let is_small = |other: &&HostId| {
                let config = stage.config(**other);
                config.role == Role::Client && config.link.frame_max < LinkConfig::default().frame_max
            };
            // Nothing has to cross into another group for that.
            let comes_to_first =
                all.clone().all(|peer| spread(stage, peer, |host| members(stage, host)).contains(&first))
                    && !hosts.iter().any(|other| is_small(&other));
            first == host || !comes_to_first
        }
    }
}

/// Q8: nobody answers for another connection.
fn intrude(stage: &mut Stage, hosts: &[HostId]) {
    for consumer in hosts.iter().flat_map(|host| stage.open_consumers(*host)).collect::<Vec<_>>() {
        if let Some(tag) = stage.outstanding(consumer).last().copied() {
            for kind in [AckKind::Accepted, AckKind::Released] {
                stage.intrude(Ack { consumer, tag, extent: AckExtent::UpTo, kind });
            }
        }
    }
}

/// V6: what forged or old adverts have announced is forgotten when nobody repeats it: who is found is there.
fn forget(stage: &Stage, hosts: &[HostId]) {
    for host in hosts {
        for service in stage.oracle.found(*host) {
            let is_meant = |other: &&HostId| stage.config(**other).group == stage.config(*host).group;
            let listening = hosts.iter().filter(is_meant).flat_map(|other| stage.listening(*other));
            let services: Vec<String> = listening.map(|address| format!("tcp://{address}")).collect();
            assert!(services.contains(&service.0), "V6: {host} has found {service}, which is none of {services:?}");
        }
    }
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

/// V2, V5, B4: all peers of a group are linked and ready, and all its brokers are targets of all its clients.
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
            let brokers: BTreeSet<BrokerId> = targets.map(|host| stage.id(host)).collect();
            let up: BTreeSet<BrokerId> = stage.targets_up(*client).into_iter().collect();
            // To a client whoever serves it is as good as any, and a stranger may have named one of another group.
            let are_meant = up == brokers || (stage.oracle.has_strangers() && up.is_superset(&brokers));
            are_meant && up.iter().all(|broker| stage.oracle.serves(*broker, stage.id(*client)))
        };
        let bridged = peers.iter().chain(&alone);
        stage.is_linked(&peers)
            && bridged.clone().all(|host| stage.peers(*host).len() == neighbours(stage, *host).len())
            && bridged.clone().all(|host| joined(stage, *host).iter().all(|other| stage.is_linked(&[*host, *other])))
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
    let mut expected: BTreeMap<ConsumerId, Vec<(MessageId, String)>> = BTreeMap::new();
    for host in hosts.iter().filter(|host| is_served(stage, **host)).copied().collect::<Vec<_>>() {
        for destination in DESTINATIONS {
            let text = play.texts(1).remove(0);
            let id = stage.send(host, destination, &text);
            if has_no_room(stage.outcome(id)) {
                continue; // What was sent before has not been answered yet, or taken.
            }
            for consumer in subscribers(stage, hosts, host, destination) {
                expected.entry(consumer).or_default().push((id, text.clone()));
            }
        }
    }
    // Some may end meanwhile for being slow, and what waits for room may be refused in the end.
    let is_owed = |stage: &Stage, consumer: ConsumerId, (id, text): &(MessageId, String)| {
        let is_open = || hosts.iter().any(|host| stage.open_consumers(*host).contains(&consumer));
        !stage.bodies(consumer).contains(&text.as_str())
            && is_open()
            && !has_no_room(stage.outcome(*id))
            && !is_in_part(stage, *id)
    };
    let arrived = |stage: &mut Stage| {
        expected.iter().all(|(consumer, texts)| texts.iter().all(|text| !is_owed(stage, *consumer, text)))
    };
    // Bridges that wait for each other in a ring, all of them full, let go of the oldest, and count them.
    let dropped = |stage: &Stage| hosts.iter().map(|host| stage.stats(*host).broker.dropped).sum::<u64>();
    let before = dropped(stage);
    if !stage.run_until(OWED_WITHIN, arrived) && dropped(stage) == before {
        for (consumer, texts) in &expected {
            for text in texts {
                assert!(!is_owed(stage, *consumer, text), "consumer {consumer} has not got '{}'", text.1);
            }
        }
    }
}

/// True if a client's message was accepted by enough brokers, and may have been refused for want of room by others.
fn is_in_part(stage: &Stage, id: MessageId) -> bool {
    let sender = stage.host_of(id.producer.broker);
    let may_refuse =
        |target: &BrokerId| stage.config(stage.host_of(*target)).broker.policies.default.when_full != WhenFull::Wait;
    let is_client = stage.config(sender).role == Role::Client;
    is_client
        && stage.targets_up(sender).iter().any(|target| may_refuse(target) && !stage.acceptors(id).contains(target))
}

/// True if a message was refused for want of room, by its sender's own node or by a broker.
fn has_no_room(outcome: &Outcome) -> bool {
    let Outcome::Refused { refusal, answers, .. } = outcome else { return false };
    let said = answers.iter().filter_map(|answer| answer.result.as_ref().err());
    said.chain([refusal]).any(|refusal| {
        matches!(
            refusal,
            Refusal::BrokerFull { .. }
                | Refusal::DestinationFull { .. }
                | Refusal::MemoryFull { .. }
                | Refusal::WindowFull { .. }
        )
    })
}

fn subscribers(stage: &Stage, hosts: &[HostId], sender: HostId, destination: &str) -> Vec<ConsumerId> {
    let destination: Destination = destination.parse().expect("a destination");
    if destination.kind() == DestinationKind::Queue {
        return Vec::new();
    }
    let members = hosts.iter().filter(|host| reaches(stage, sender, **host, &destination));
    let open = members.flat_map(|host| stage.open_consumers(*host).into_iter().map(|consumer| (*host, consumer)));
    let is_meant = |(host, consumer): &(HostId, ConsumerId)| {
        let wanted = stage.subscription(*consumer);
        wanted.destination.first().matches(&destination) && !(wanted.no_local && *host == sender)
    };
    open.filter(is_meant).map(|(_, consumer)| consumer).collect()
}

/// Q7, Q11, T1, N4, F3, F7: everything sent is accepted or refused, everything accepted arrives, and nothing waits anywhere.
fn arrive(stage: &mut Stage, hosts: &[HostId]) {
    let is_done = |stage: &mut Stage| {
        let is_empty = |host: &HostId| {
            let stats = stage.stats(*host);
            stage.unanswered(*host) == 0
                && stats.waiting_bytes == 0
                && (stats.unsettled_bytes, stats.lagging_bytes) == (0, 0)
                && (stats.broker.queued, stats.broker.delayed) == (0, 0)
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
            let found = (stats.broker.queued, stats.broker.delayed, stats.broker.parked);
            assert_eq!(found, (0, 0, 0), "messages that wait at {host}");
        }
    }
    let unfulfilled = stage.oracle.unfulfilled(|host| stage.stats(host).broker.discarded > 0);
    assert!(unfulfilled.is_empty(), "{}", unfulfilled.join("\n"));
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

/// B4: a link that only one of two peers saw dying is replaced as soon as that one comes back, not when the other has
/// listened in vain for long enough.
fn come_back(stage: &mut Stage, hosts: &[HostId]) {
    let group = &stage.config(hosts[0]).group;
    let all = hosts.iter().filter(|host| stage.config(**host).role == Role::Peer);
    let peers: Vec<HostId> = all.filter(|host| stage.config(**host).group == *group).copied().collect();
    let Some(first) = peers.first().copied() else { return };
    let Some(last) = members(stage, first).last().copied() else { return };
    for (hearer, other) in [(first, last), (last, first)] {
        // Or it would wait longer than at first; its clock may be slow.
        stage.run_for(stage.config(hearer).dial.settled_after + CLOCKS);
        stage.world().sever(hearer, other);
        let is_noticed = stage.run_until(BACK_WITHIN, |stage| !stage.is_linked(&[hearer, other]));
        assert!(is_noticed, "{hearer} does not notice that its link to {other} is gone");
        let back = stage.run_until(BACK_WITHIN, |stage| stage.is_linked(&[hearer, other]));
        assert!(back, "B4: {hearer} and {other} have no link {BACK_WITHIN:?} after one that only {hearer} saw dying");
    }
    stage.run_for(BACK_WITHIN);
}

/// V2, N3: who takes its leave is lost at once, and leaves nothing behind.
fn leave(stage: &mut Stage, hosts: &[HostId]) {
    for (place, host) in hosts.iter().enumerate() {
        let (broker, began) = (stage.id(*host), stage.now());
        let others = &hosts[place + 1..];
        let finders: Vec<HostId> =
            others.iter().filter(|other| stage.oracle.has_found(**other, *host)).copied().collect();
        stage.stop(*host);
        stage.run_for(LEFT_WITHIN);
        for finder in finders {
            // An advert on its way may have been overtaken by the leave, and have it found again.
            let is_loss = |(at, event): &(Instant, Event)| {
                let Event::ServiceLost { service } = event else { return false };
                *at >= began && is_of(service, *host)
            };
            assert!(stage.notices(finder).iter().any(is_loss), "V2: {finder} has not heard that {host} took its leave");
        }
        for other in others {
            let peers = stage.peers(*other).into_iter().map(|peer| peer.broker);
            let known = peers.chain(stage.targets_up(*other)).any(|known| known == broker);
            assert!(!known, "V2: {other} has not noticed that {host} took its leave");
        }
    }
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

/// How long until a client was told what its brokers have accepted.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// A second is the longest first wait; then there are a connect and a handshake.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// By how much a clock may be wrong about how long a link was up.
const CLOCKS: Duration = Duration::from_millis(100);

const LEFT_WITHIN: Duration = Duration::from_millis(100);

/// How many spans of time may pass until nothing happens any more.
const NOISY_MAX: usize = 2;
