//! What a large group says to become one, and to stay one, next to the least that it could say. Everything here is counted,
//! so it is the same on every machine.

use std::time::Duration;

use flockmq_core::sim::{Counts, HostId, World};
use flockmq_core::{Command, Config, Event};
use flockmq_tests::Group;

#[test]
fn they_become_one_and_take_in_another_for_little_more_than_the_least() {
    for peers in [25, 100] {
        let mut group = Group::new(0);
        let before = group.world.counts().clone();
        for number in 0..peers {
            add(&mut group, number);
        }
        let began_at = group.world.now();
        assert!(group.world.run_until(Duration::from_secs(1), are_ready), "{peers} peers");
        let taken = group.world.now() - began_at;
        group.world.run_for(COURTESY); // Whoever left the first dial to another does not dial after all.
        let spent = Cost::of(&before, group.world.counts());
        let least = least_to_link(peers, pairs(peers)) + least_to_find(peers * peers) + least_to_start(peers);
        println!("{peers} peers in {taken:?}: {spent:?}, at least {least:?}");
        assert_eq!(group.world.counts().streams, pairs(peers), "one for each pair");
        assert!(spent.is_within_twice(least), "{peers} peers: {spent:?}, at least {least:?}");

        group.world.run_for(REST);
        let before = group.world.counts().clone();
        add(&mut group, peers);
        assert!(group.world.run_until(Duration::from_secs(1), are_ready), "one more than {peers}");
        let spent = Cost::of(&before, group.world.counts());
        let least = least_to_link(peers + 1, peers) + least_to_find(peers + 1) + least_to_start(1);
        println!("one more than {peers}: {spent:?}, at least {least:?}");
        assert_eq!(group.world.counts().streams - before.streams, peers, "a link to each of the others");
        assert!(spent.is_within_twice(least), "one more than {peers}: {spent:?}, at least {least:?}");
    }
}

/// However they come, each pair makes one link, but for those whose first words cross.
#[test]
fn they_may_come_one_by_one_for_no_more() {
    for gap in [1, 30, 70].map(Duration::from_millis) {
        let (peers, mut group) = (50, Group::new(0));
        for number in 0..peers {
            add(&mut group, number);
            group.world.run_for(gap);
        }
        assert!(group.world.run_until(Duration::from_secs(2), are_ready), "one each {gap:?}");
        group.world.run_for(COURTESY);
        let streams = group.world.counts().streams;
        println!("one each {gap:?}: {streams} streams for {} pairs", pairs(peers));
        assert!(streams <= pairs(peers) + peers, "one each {gap:?}: {streams} streams for {} pairs", pairs(peers));
    }
}

#[test]
fn a_subscription_and_its_end_cost_each_peer_one_small_frame() {
    for peers in [10, 40] {
        let mut group = settled(peers);
        let mut counts = group.world.counts().clone();
        let consumer = group.subscribe(0, "queue://orders.and.some.more");
        for what in ["subscription", "end"] {
            group.world.run_for(A_MOMENT);
            let spent = Cost::of(&counts, group.world.counts());
            println!("{what} among {peers}: {spent:?}");
            // What asks for it; then for each peer, that it was said and that it is heard.
            assert_eq!(spent.inputs, 1 + 2 * (peers - 1), "{what} among {peers}");
            assert!(spent.bytes <= SMALL * (peers - 1), "{what} among {peers}: {spent:?}");
            counts = group.world.counts().clone();
            if what == "subscription" {
                group.unsubscribe(0, consumer);
            }
        }
    }
}

/// Who has nothing to say says that it is there: two adverts a second to all at once, and five bytes in ten seconds to each.
#[test]
fn silence_costs_a_sign_of_life() {
    let (peers, mut group) = (25, settled(25));
    let before = group.world.counts().clone();
    group.world.run_for(SIGN_OF_LIFE);
    let after = group.world.counts();
    assert_eq!(after.bytes_sent - before.bytes_sent, 2 * pairs(peers) * KEEP_ALIVE);
    let periods = u64::try_from(SIGN_OF_LIFE.as_millis() / 500).expect("few");
    let adverts = (after.datagrams - before.datagrams) / peers;
    assert!(adverts.abs_diff(periods * peers) <= peers, "{adverts} adverts in {periods} periods");
    assert_eq!(after.streams, before.streams);
}

/// Nobody's leave is anybody else's business: the others lose one link each, and say nothing of it to each other.
#[test]
fn one_that_leaves_costs_the_others_nothing_but_its_link() {
    let (peers, mut group) = (40, settled(40));
    let before = group.world.counts().clone();
    group.world.command(HostId(0), Command::Stop);
    group.world.run_for(A_MOMENT);
    let others = peers - 1;
    for host in group.world.hosts().skip(1).collect::<Vec<_>>() {
        let events = group.world.events(host);
        let lost = events.iter().filter(|(_, event)| matches!(event, Event::PeerLost { .. })).count();
        assert_eq!(lost, 1, "{host}");
    }
    let spent = Cost::of(&before, group.world.counts());
    assert!(spent.inputs <= 1 + 8 * others, "{spent:?}");
    assert!(spent.bytes <= SMALL * others, "{spent:?}");
}

/// What was said: bytes of streams and adverts, and what processes were told.
#[derive(Clone, Copy, Debug)]
struct Cost {
    bytes: u64,
    inputs: u64,
}

impl Cost {
    fn of(before: &Counts, after: &Counts) -> Self {
        let bytes = |counts: &Counts| counts.bytes_sent + counts.bytes_announced;
        Self { bytes: bytes(after) - bytes(before), inputs: after.inputs - before.inputs }
    }

    fn is_within_twice(self, least: Self) -> bool {
        self.bytes <= 2 * least.bytes && self.inputs <= 2 * least.inputs
    }
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { bytes: self.bytes + other.bytes, inputs: self.inputs + other.inputs }
    }
}

/// Links between peers: one `Hello` each way, the question whether the link is kept and its answer, each destination
/// once each way, and the end of that, said and heard.
fn least_to_link(peers: u64, links: u64) -> Cost {
    let demands: u64 = (0..WANTED).map(|place| HEAD + 1 + 1 + text(&destination(peers - 1, place)) + 1).sum();
    // Two versions; the broker; its name, group, one service of them, the longest frame, its silence and role.
    let hello = HEAD + 2 + BROKER + text(&name(peers - 1)) + text(GROUP) + 1 + SERVICE + 4 + 3 + 1;
    let each_way = PREFACE + hello + demands + 2 * HEAD;
    let bytes = 2 * each_way + 2 * (HEAD + 1);
    // Both ends are connected and greet; one asks, the other answers and tells its demand, the one tells its own, and the
    // other has heard it: six times something is said and heard, and each time its sender learns that it has left.
    Cost { bytes: bytes * links, inputs: (2 + 6 * 2) * links }
}

/// Adverts: one from each who starts, and heard by all members, its sender among them.
fn least_to_find(heard: u64) -> Cost {
    Cost { bytes: 0, inputs: heard }
}

/// Where it listens, what time it is, its application and what that consumes; an advert.
fn least_to_start(peers: u64) -> Cost {
    Cost { bytes: ADVERT * peers, inputs: (3 + WANTED) * peers }
}

/// A group whose members are all ready, and quiet but for adverts, none of which is due within a moment.
fn settled(peers: u64) -> Group {
    let mut group = Group::new(0);
    for number in 0..peers {
        add(&mut group, number);
    }
    assert!(group.world.run_until(Duration::from_secs(1), are_ready), "{peers} peers");
    group.world.run_for(REST);
    group
}

fn add(group: &mut Group, number: u64) {
    let host = group.add(Config::peer(GROUP, name(number)));
    for place in 0..WANTED {
        group.subscribe(host, &format!("queue://{}", destination(number, place)));
    }
}

fn are_ready(world: &mut World) -> bool {
    let hosts = world.hosts().count();
    let ready = |host| {
        world.node(host).is_some_and(|node| node.peers().iter().filter(|peer| peer.is_ready).count() == hosts - 1)
    };
    world.hosts().all(ready)
}

fn pairs(peers: u64) -> u64 {
    peers * (peers - 1) / 2
}

fn name(number: u64) -> String {
    format!("b{number}")
}

fn destination(number: u64, place: u64) -> String {
    format!("orders.{number}.{place}")
}

/// A text and its length before it.
fn text(text: &str) -> u64 {
    1 + text.len() as u64
}

const GROUP: &str = "g";

/// What each member consumes from: with a hundred members, a thousand destinations.
const WANTED: u64 = 10;

const PREFACE: u64 = 8;

/// A frame's length and kind.
const HEAD: u64 = 5;

/// 128 bits, seven a byte.
const BROKER: u64 = 19;

/// `tcp://10.0.0.9:40000` and its length.
const SERVICE: u64 = 21;

/// `g.ActiveMQ-4.alive.%localhost%tcp://10.0.0.9:40000`.
const ADVERT: u64 = 50;

const KEEP_ALIVE: u64 = HEAD;

/// More than a name and a few numbers, and less than anybody minds.
const SMALL: u64 = 64;

/// Past any adverts of theirs, which all fall into the first moments of each half second, and before any sign of life.
const REST: Duration = Duration::from_millis(3_100);

/// How long the first dial is left to another, and some more.
const COURTESY: Duration = Duration::from_millis(250);

const A_MOMENT: Duration = Duration::from_millis(50);

/// How long a link is silent before its ends say that they are there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
