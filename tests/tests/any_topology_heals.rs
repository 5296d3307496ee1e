//! However brokers are joined, what was accepted while the network was falling apart arrives when it is whole again.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use flockmq_core::{Config, ConsumerId, Event};
use flockmq_tests::{Choice, HostId, Stage, Topology};

/// As long as no link is lost, everything comes once, and in its producer's order.
#[test]
fn a_topics_messages_come_once_and_in_order_when_links_outlast_what_happens() {
    for seed in SEEDS {
        let choice = &mut Choice::from_seed(seed);
        let (mut stage, topology, members) = network(seed, choice);
        let consumers: Vec<ConsumerId> = members.iter().map(|host| stage.subscribe(*host, "topic://news")).collect();
        stage.run_for(A_MOMENT);
        let mut texts = Texts::new(&members);
        for _ in 0..4 {
            texts.send_amid_trouble(choice, &mut stage, &members, "topic://news");
        }
        let is_whole =
            |stage: &mut Stage| consumers.iter().all(|consumer| stage.bodies(*consumer).len() >= texts.all().len());
        assert!(stage.run_until(A_WHILE, is_whole), "seed {seed}: {topology:?}: not all have come");
        stage.run_for(A_MOMENT);
        for consumer in consumers {
            for (place, sent) in texts.0.iter().enumerate() {
                let of = format!("{place} ");
                let heard: Vec<&str> =
                    stage.bodies(consumer).into_iter().filter(|body| body.starts_with(&of)).collect();
                assert_eq!(heard, *sent, "seed {seed}: {topology:?}: what {consumer} was given of host {place}");
            }
        }
        check_links(&stage, &members);
    }
}

#[test]
fn a_queues_messages_come_once_when_links_outlast_what_happens() {
    for seed in SEEDS {
        let choice = &mut Choice::from_seed(seed);
        let (mut stage, topology, members) = network(seed, choice);
        let takers = [choice.pick(&members), choice.pick(&members)].map(|host| stage.subscribe(host, "queue://work"));
        stage.run_for(A_MOMENT);
        let mut texts = Texts::new(&members);
        for _ in 0..4 {
            texts.send_amid_trouble(choice, &mut stage, &members, "queue://work");
        }
        stage.run_for(A_WHILE);
        let mut taken: Vec<String> = takers.iter().flat_map(|taker| stage.bodies(*taker)).map(str::to_owned).collect();
        taken.sort_unstable();
        assert_eq!(taken, texts.all(), "seed {seed}: {topology:?}");
        check_links(&stage, &members);
    }
}

/// A link that is lost leaves in doubt whether the other end had taken what it was sent last. That is sent again, and taken
/// once where it comes to the same broker; else it may come twice, and then one of the two is marked.
#[test]
fn a_queues_messages_come_at_least_once_when_links_are_lost() {
    for seed in SEEDS {
        let choice = &mut Choice::from_seed(seed);
        let (mut stage, topology, members) = network(seed, choice);
        let takers = [choice.pick(&members), choice.pick(&members)].map(|host| stage.subscribe(host, "queue://work"));
        stage.run_for(A_MOMENT);
        let mut texts = Texts::new(&members);
        for _ in 0..4 {
            texts.send(&mut stage, &members, "queue://work");
            stage.run_for(Duration::from_micros(choice.below(2_000)));
            for (a, b) in topology.joins().filter(|_| choice.chance(1, 2)).collect::<Vec<_>>() {
                stage.world().reset(members[usize::from(a)], members[usize::from(b)]);
            }
            texts.send(&mut stage, &members, "queue://work");
            stage.run_for(Duration::from_millis(choice.below(OUTLASTED)));
        }
        stage.run_for(A_WHILE);
        let received: Vec<_> = takers.iter().flat_map(|taker| stage.received(*taker)).collect();
        let distinct: BTreeSet<&str> = takers.iter().flat_map(|taker| stage.bodies(*taker)).collect();
        assert!(distinct.iter().eq(&texts.all()), "seed {seed}: {topology:?}");
        let again = received.iter().filter(|found| found.redeliveries > 0).count();
        assert!(received.len() - distinct.len() <= again, "seed {seed}: {topology:?}: a second copy is not marked");
    }
}

/// What each member has sent: its place and numbers from 0.
struct Texts(Vec<Vec<String>>);

impl Texts {
    fn new(members: &[HostId]) -> Self {
        Self(vec![Vec::new(); members.len()])
    }

    /// Three more of each member that runs.
    fn send(&mut self, stage: &mut Stage, members: &[HostId], to: &str) {
        for (place, (host, sent)) in members.iter().zip(&mut self.0).enumerate() {
            if stage.is_running(*host) {
                let more: Vec<String> =
                    (sent.len()..sent.len() + 3).map(|number| format!("{place} {number:02}")).collect();
                stage.send_all(*host, to, more.clone());
                sent.extend(more);
            }
        }
    }

    /// More while something happens that every link outlasts, and more as soon as it is over.
    fn send_amid_trouble(&mut self, choice: &mut Choice<'_>, stage: &mut Stage, members: &[HostId], to: &str) {
        befall(choice, stage, members);
        self.send(stage, members, to);
        stage.run_for(Duration::from_millis(choice.below(OUTLASTED)));
        relieve(stage, members);
        self.send(stage, members, to);
        stage.run_for(SIGN_OF_LIFE);
    }

    /// All of them, sorted.
    fn all(&self) -> Vec<String> {
        self.0.concat()
    }
}

/// Something that every link outlasts.
fn befall(choice: &mut Choice<'_>, stage: &mut Stage, members: &[HostId]) {
    let host = choice.pick(members);
    match choice.below(4) {
        0 => {
            let at = 1 + usize::from(choice.place(members.len() - 1));
            stage.world().partition(&[&members[..at], &members[at..]]);
        }
        1 => {
            let others: Vec<HostId> = members.iter().copied().filter(|other| *other != host).collect();
            stage.world().cut_one_way(host, choice.pick(&others));
        }
        2 => stage.slow(host, Some(5_000)),
        _ => stage.pause(host),
    }
}

fn relieve(stage: &mut Stage, members: &[HostId]) {
    stage.heal();
    for host in members {
        stage.slow(*host, None);
        if !stage.is_running(*host) {
            stage.resume(*host);
        }
    }
}

/// No link was lost, or it would have been another test.
fn check_links(stage: &Stage, members: &[HostId]) {
    for host in members {
        assert_eq!(stage.count(*host, |event| matches!(event, Event::PeerLost { .. })), 0, "{host}");
    }
}

/// Brokers whose messages may go everywhere, joined as the topology says and not otherwise.
fn network(seed: u64, choice: &mut Choice<'_>) -> (Stage, Topology, Vec<HostId>) {
    let hosts = 3 + choice.place(4);
    let topology = Topology::random(choice, hosts);
    let mut stage = Stage::new(seed);
    let members: Vec<HostId> = (0..hosts).map(|place| stage.host(config(place, hosts))).collect();
    for (a, b) in topology.walls() {
        stage.wall_off(members[usize::from(a)], members[usize::from(b)]);
    }
    assert!(stage.run_until(A_WHILE, |stage| stage.is_linked(&members)), "seed {seed}: {topology:?} comes to be");
    (stage, topology, members)
}

fn config(place: u8, hosts: u8) -> Config {
    let mut config = Config::peer("flock", format!("b{place}"));
    config.bridge.message_hops_max = hosts.into();
    config.bridge.demand_hops_max = hosts.into();
    config
}

const SEEDS: Range<u64> = 0..40;

/// How long something lasts at most, in milliseconds: half as long as a link may be silent.
const OUTLASTED: u64 = 15_000;

/// As long as a link is silent before its ends say that they are there, and some more.
const SIGN_OF_LIFE: Duration = Duration::from_secs(11);

const A_MOMENT: Duration = Duration::from_secs(1);

/// As long as it takes until nothing is under way any more.
const A_WHILE: Duration = Duration::from_mins(1);
