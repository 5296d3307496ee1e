//! A process that dies without taking leave.

use std::time::{Duration, Instant};

use crate::lab::{Host, Lab};
use crate::load::{Load, numbers, up_to};
use crate::process::PATIENCE;

#[test]
fn a_killed_peer_is_missed_at_once_and_comes_back() {
    let Some(lab) = Lab::open([&[0], &[0], &[0]]) else { return };
    let [one, two, three] = &lab.hosts;
    let mut watchers = [(one, "one"), (two, "two")]
        .map(|(host, name)| host.start(&["peers", &format!("peer://lab/{name}"), "--watch"]));
    let mut listener = two.start(&["subscribe", "peer://lab/listener", "topic://news"]);
    let victim = || three.start(&["subscribe", "peer://lab/victim", "topic://news"]);
    let mut first = victim();
    let mut speaker =
        one.start(&["publish", "peer://lab/speaker", "topic://news", "--wait-peers", "4", "--timeout", "30s"]);
    let load = Load::start(&mut speaker);
    let deadline = Instant::now() + PATIENCE;
    for watcher in &mut watchers {
        watcher.wait_for(0, "peer ready victim", deadline);
    }
    first.wait_until(deadline, "the flow", |lines| lines.len() >= 20);

    let killed_at = Instant::now();
    first.kill();
    for watcher in &mut watchers {
        let lost_at = watcher.wait_for(0, "peer lost victim", killed_at + Duration::from_secs(1));
        eprintln!("missed after {:?}", lost_at - killed_at);
    }
    load.keep_up(Duration::from_secs(1));

    let skipped = watchers.each_mut().map(|watcher| watcher.lines().len());
    let started_at = Instant::now();
    let mut second = victim();
    for (watcher, skipped) in watchers.iter_mut().zip(skipped) {
        let found_at = watcher.wait_for(skipped, "peer ready victim", started_at + PATIENCE);
        eprintln!("back after {:?}", found_at - started_at);
    }
    second.wait_until(started_at + PATIENCE, "the flow", |lines| lines.len() >= 20);

    let fed = load.stop(&mut speaker);
    speaker.end();
    let deadline = Instant::now() + PATIENCE;
    listener.wait_for(0, &fed.to_string(), deadline);
    assert_eq!(numbers(listener.lines()), up_to(fed), "whoever stayed missed nothing");
    second.wait_for(0, &fed.to_string(), deadline);
    let heard = numbers(second.lines());
    assert_eq!(heard, (heard[0]..=fed).collect::<Vec<_>>(), "from its return on");
    for watcher in watchers {
        for line in watcher.stop() {
            let is_well = ["peer up ", "peer ready ", "peer lost victim: "].iter().any(|what| line.starts_with(what));
            assert!(is_well || line.ends_with(": it took its leave"), "something else failed: {line}");
        }
    }
}

#[test]
fn a_consumer_that_is_killed_leaves_what_it_had_not_acknowledged_to_another() {
    let Some(lab) = Lab::open([&[0], &[0], &[0]]) else { return };
    let [one, two, three] = &lab.hosts;
    let taker = |host: &Host| host.start(&["subscribe", "peer://lab", "queue://work"]);
    let (mut first, mut second) = (taker(two), taker(three));
    let mut giver = one.start(&["publish", "peer://lab", "queue://work", "--wait-peers", "2", "--timeout", "30s"]);
    let load = Load::start(&mut giver);
    let deadline = Instant::now() + PATIENCE;
    for taker in [&mut first, &mut second] {
        taker.wait_until(deadline, "the flow", |lines| lines.len() >= 100);
    }
    let before: Vec<usize> = first.kill().iter().map(|line| line.parse().expect("a number")).collect();
    load.keep_up(Duration::from_millis(500));
    let fed = load.stop(&mut giver);
    giver.end(); // Once all is taken.
    let mut all: Vec<usize> = second.stop().iter().map(|line| line.parse().expect("a number")).collect();
    let count = before.len() + all.len();
    all.extend(before);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all, up_to(fed), "something was lost");
    assert!(count - fed <= UNACKNOWLEDGED_MAX, "{} came twice", count - fed);
}

/// What a consumer may have written without its word of that having left; the load is slow enough for a few at most.
const UNACKNOWLEDGED_MAX: usize = 20;
