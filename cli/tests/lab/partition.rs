//! A network that falls apart and comes together again.

use std::time::{Duration, Instant};

use crate::lab::Lab;
use crate::load::{Load, numbers, up_to, wait_for_total};
use crate::process::{Line, PATIENCE, Process};

#[test]
fn both_sides_of_a_short_partition_go_on_and_all_of_a_queue_arrives_once() {
    let Some(lab) = Lab::open([&[0], &[0], &[0]]) else { return };
    let [one, two, three] = &lab.hosts;
    let watchers = [one, two, three].map(|host| host.start(&["peers", "peer://lab", "--watch"]));
    let mut takers = [two, three].map(|host| host.start(&["subscribe", "peer://lab", "queue://work"]));
    let mut listeners = [
        one.start(&["subscribe", "peer://lab", "topic://alone"]),
        three.start(&["subscribe", "peer://lab", "topic://together"]),
    ];
    let publish = |destination| ["publish", "peer://lab", destination, "--wait-peers", "9", "--timeout", "40s"];
    let mut giver = one.start(&publish("queue://work"));
    let mut speakers = [one.start(&publish("topic://alone")), two.start(&publish("topic://together"))];
    let work = Load::start(&mut giver);
    let loads = speakers.each_mut().map(Load::start);
    let deadline = Instant::now() + PATIENCE;
    for process in takers.iter_mut().chain(&mut listeners) {
        process.wait_until(deadline, "the flow", |lines| lines.len() >= 20);
    }

    lab.partition(&[&[one], &[two, three]]);
    let (begun, deadline) = (Instant::now(), Instant::now() + Duration::from_secs(1));
    let gone = work.count() + 1; // The one before may have been on its way.
    for (listener, load) in listeners.iter_mut().zip(&loads) {
        let next = (load.count() + 1).to_string();
        listener.wait_for(0, &next, deadline); // Each side by itself goes on.
    }
    work.keep_up(Duration::from_secs(3).saturating_sub(begun.elapsed()));
    for taker in &mut takers {
        assert!(numbers(taker.lines()).iter().all(|number| *number <= gone), "a message crossed the gap");
    }
    lab.heal();
    let healed_at = Instant::now();

    let deadline = healed_at + PATIENCE;
    let fed = work.stop(&mut giver);
    wait_for_total(&mut takers, fed);
    eprintln!("all {fed} had arrived {:?} after the healing", healed_at.elapsed());
    for ((listener, mut speaker), load) in listeners.into_iter().zip(speakers).zip(loads) {
        let fed = load.stop(&mut speaker);
        speaker.end();
        let mut listener = listener;
        listener.wait_until(deadline, "the last", |lines| lines.len() >= fed);
        let heard: Vec<usize> = listener.stop().iter().map(|line| line.parse().expect("a number")).collect();
        assert_eq!(heard, up_to(fed));
    }
    giver.end();
    for watcher in watchers {
        for line in watcher.stop() {
            let is_well = !line.starts_with("peer lost ") || line.ends_with(": it took its leave");
            assert!(is_well, "a link was given up: {line}");
        }
    }
    let mut all: Vec<usize> =
        takers.into_iter().flat_map(Process::stop).map(|line| line.parse().expect("a number")).collect();
    all.sort_unstable();
    assert_eq!(all, up_to(fed));
}

#[test]
fn a_publisher_whose_messages_nobody_is_known_to_have_taken_says_so() {
    let Some(lab) = Lab::open([&[0], &[0]]) else { return };
    let [one, two] = &lab.hosts;
    let mut taker = two.start(&["subscribe", "peer://lab", "queue://work"]);
    let mut giver = one.start(&["publish", "peer://lab", "queue://work", "--wait-peers", "1", "--timeout", "30s"]);
    giver.feed("before");
    taker.wait_for(0, "before", Instant::now() + PATIENCE);
    lab.partition(&[&[one], &[two]]);
    giver.feed("after");
    giver.end_with(1);
    assert_eq!(taker.stop(), ["before"]);
}

#[test]
fn peers_lost_by_a_partition_are_linked_again_when_it_heals_at_once() {
    lose_and_find(Duration::ZERO);
}

#[test]
fn peers_lost_by_a_partition_are_linked_again_when_it_heals_before_adverts_are_missed() {
    lose_and_find(Duration::from_millis(1800));
}

#[test]
fn peers_lost_by_a_partition_are_linked_again_when_it_heals_late() {
    lose_and_find(Duration::from_secs(6));
}

/// Each host sends to the next one, and each in its turn is cut off for longer than links bear.
#[test]
fn of_what_hosts_send_each_other_while_each_is_cut_off_in_turn_all_arrives_once() {
    let Some(lab) = Lab::open([&[0], &[0], &[0]]) else { return };
    let [one, two, three] = &lab.hosts;
    let uri = "peer://lab?wireFormat.maxInactivityDuration=1000";
    let queues = ["queue://to.one", "queue://to.two", "queue://to.three"];
    let mut takers: Vec<Process> =
        lab.hosts.iter().zip(queues).map(|(host, queue)| host.start(&["subscribe", uri, queue])).collect();
    let next = [queues[1], queues[2], queues[0]];
    let publish = |queue| ["publish", uri, queue, "--wait-peers", "5", "--timeout", "90s"];
    let mut givers: Vec<Process> =
        lab.hosts.iter().zip(next).map(|(host, queue)| host.start(&publish(queue))).collect();
    let loads: Vec<Load> = givers.iter_mut().map(Load::start).collect();
    for taker in &mut takers {
        taker.wait_until(Instant::now() + PATIENCE, "the flow", |lines| lines.len() >= 20);
    }
    for (cut_off, others) in [(one, [two, three]), (two, [one, three]), (three, [one, two])] {
        lab.partition(&[&[cut_off], &others]);
        loads[0].keep_up(LOST_SOON);
        lab.heal();
        for (taker, load) in takers.iter_mut().zip([&loads[2], &loads[0], &loads[1]]) {
            let cut = load.count();
            let is_level = |lines: &[Line]| lines.len() >= cut;
            taker.wait_until(Instant::now() + PATIENCE, "what was sent meanwhile", is_level);
        }
    }
    let fed: Vec<usize> = loads.into_iter().zip(&mut givers).map(|(load, giver)| load.stop(giver)).collect();
    for giver in givers {
        giver.end(); // Everything was accepted, and taken.
    }
    for (taker, fed) in takers.into_iter().zip([fed[2], fed[0], fed[1]]) {
        let mut taken: Vec<usize> = taker.stop().iter().map(|line| line.parse().expect("a number")).collect();
        eprintln!("{} of {fed} arrived", taken.len());
        taken.sort_unstable();
        assert_eq!(taken, up_to(fed));
    }
}

/// Cuts off a host until everybody has lost it and for this much longer.
fn lose_and_find(longer: Duration) {
    let Some(lab) = Lab::open([&[0], &[0], &[0]]) else { return };
    let [one, two, three] = &lab.hosts;
    let uri = |name: &str| format!("peer://lab/{name}?wireFormat.maxInactivityDuration=2000");
    let names = ["one", "two", "three"];
    let mut watchers: Vec<Process> =
        lab.hosts.iter().zip(names).map(|(host, name)| host.start(&["peers", &uri(name), "--watch"])).collect();
    let mut taker = two.start(&["subscribe", &uri("taker"), "queue://work"]);
    let mut listener = three.start(&["subscribe", &uri("listener"), "topic://news"]);
    let mut giver = one.start(&["publish", &uri("giver"), "queue://work", "--wait-peers", "6", "--timeout", "40s"]);
    let mut speaker = one.start(&["publish", &uri("speaker"), "topic://news", "--wait-peers", "6", "--timeout", "40s"]);
    let (work, news) = (Load::start(&mut giver), Load::start(&mut speaker));
    // Whom each of the three loses: all that is on the other side.
    let others =
        [vec!["two", "three", "taker", "listener"], vec!["one", "giver", "speaker"], vec!["one", "giver", "speaker"]];
    let deadline = Instant::now() + PATIENCE;
    for (watcher, others) in watchers.iter_mut().zip(&others) {
        for other in others {
            watcher.wait_for(0, &format!("peer ready {other}"), deadline);
        }
    }
    taker.wait_until(deadline, "the flow", |lines| lines.len() >= 20);
    listener.wait_until(deadline, "the flow", |lines| lines.len() >= 20);

    let skipped: Vec<usize> = watchers.iter_mut().map(|watcher| watcher.lines().len()).collect();
    lab.partition(&[&[one], &[two, three]]);
    let cut_at = Instant::now();
    let mut lost_at = cut_at;
    for ((watcher, others), skipped) in watchers.iter_mut().zip(&others).zip(&skipped) {
        for other in others {
            lost_at = lost_at.max(watcher.wait_for(*skipped, &format!("peer lost {other}"), cut_at + LOST_MAX));
        }
    }
    work.keep_up(longer);

    lab.heal();
    let healed_at = Instant::now();
    let mut found_at = healed_at;
    for ((watcher, others), skipped) in watchers.iter_mut().zip(&others).zip(&skipped) {
        for other in others {
            found_at = found_at.max(watcher.wait_for(*skipped, &format!("peer ready {other}"), healed_at + FOUND_MAX));
        }
    }
    let deadline = Instant::now() + PATIENCE;
    let cut = news.count();
    let resumed = |lines: &[Line]| numbers(lines).last().is_some_and(|last| *last > cut);
    listener.wait_until(deadline, "the flow", resumed);
    let heard_at = Instant::now();
    let (work_fed, news_fed) = (work.stop(&mut giver), news.stop(&mut speaker));
    taker.wait_for(0, &work_fed.to_string(), deadline);
    listener.wait_for(0, &news_fed.to_string(), deadline);
    eprintln!(
        "lost after {:?}, found {:?} after the healing, heard {:?} after that",
        lost_at - cut_at,
        found_at - healed_at,
        heard_at.saturating_duration_since(found_at)
    );
    giver.end();
    speaker.end();
    let mut all = numbers(taker.lines());
    all.sort_unstable();
    assert_eq!(all, up_to(work_fed), "a queue with one consumer");
    let heard = numbers(listener.lines());
    assert!(heard.is_sorted_by(|a, b| a < b), "in order and none twice: {heard:?}");
    for (watcher, name) in watchers.into_iter().zip(names) {
        for line in watcher.stop() {
            let is_news = ["peer up ", "peer ready ", "peer lost "].iter().any(|what| line.starts_with(what));
            assert!(is_news, "{name} met with a fault: {line}");
        }
    }
}

/// Two seconds of silence, and what a busy machine adds.
const LOST_MAX: Duration = Duration::from_millis(3500);

/// More than a second of silence, and than what a busy machine adds.
const LOST_SOON: Duration = Duration::from_millis(2500);

/// What is promised.
const FOUND_MAX: Duration = Duration::from_secs(2);
