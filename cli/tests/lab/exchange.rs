//! What hosts of a network find and tell each other, and what they do not.

use std::time::Instant;

use crate::lab::Lab;
use crate::load::{up_to, wait_for_total};
use crate::process::{PATIENCE, Process};

#[test]
fn three_hosts_hear_each_other_in_order_and_none_twice() {
    let Some(lab) = Lab::open([&[0], &[0], &[0]]) else { return };
    let mut listeners: Vec<Process> =
        lab.hosts.iter().map(|host| host.start(&["subscribe", URI, "topic://news.>"])).collect();
    let mut speakers = Vec::new();
    for (host, topic) in lab.hosts.iter().zip(["topic://news.a", "topic://news.b", "topic://news.c"]) {
        let mut speaker = host.start(&["publish", URI, topic, "--wait-peers", "5", "--timeout", "20s"]);
        for number in up_to(COUNT) {
            speaker.feed(&format!("{topic} {number}"));
        }
        speakers.push(speaker);
    }
    let deadline = Instant::now() + PATIENCE;
    for listener in &mut listeners {
        listener.wait_until(deadline, "all messages of all", |lines| lines.len() >= 3 * COUNT);
    }
    for speaker in speakers {
        speaker.end();
    }
    for listener in listeners {
        let lines = listener.stop();
        for topic in ["topic://news.a", "topic://news.b", "topic://news.c"] {
            let heard: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix(topic)).map(str::trim).collect();
            assert_eq!(heard, up_to(COUNT).iter().map(usize::to_string).collect::<Vec<_>>(), "of {topic}");
        }
        assert_eq!(lines.len(), 3 * COUNT);
    }
}

#[test]
fn each_message_of_a_queue_goes_to_one_host() {
    let Some(lab) = Lab::open([&[0], &[0], &[0]]) else { return };
    let mut takers: Vec<Process> =
        lab.hosts.iter().map(|host| host.start(&["subscribe", URI, "queue://work"])).collect();
    let count = COUNT.to_string();
    let giver = lab.hosts[0].start(&[
        "publish",
        URI,
        "queue://work",
        "--count",
        &count,
        "--wait-peers",
        "3",
        "--timeout",
        "20s",
    ]);
    giver.end(); // Once all is taken.
    wait_for_total(&mut takers, COUNT);
    let taken: Vec<Vec<String>> = takers.into_iter().map(Process::stop).collect();
    assert!(taken.iter().all(|taken| !taken.is_empty()), "somebody got nothing: {taken:?}");
    let mut all: Vec<usize> = taken.iter().flatten().map(|line| line.parse().expect("a number")).collect();
    all.sort_unstable();
    assert_eq!(all, up_to(COUNT));
}

#[test]
fn groups_on_one_network_exchange_nothing() {
    let Some(lab) = Lab::open([&[0], &[0]]) else { return };
    let [one, two] = &lab.hosts;
    let groups = ["north", "northern"]; // Adverts begin with the name of a group, and so does this one's with the other.
    let mut rows = Vec::new();
    for group in groups {
        let uri = |name: &str| format!("peer://{group}/{name}");
        let watcher = one.start(&["peers", &uri("watcher"), "--watch"]);
        let listener = two.start(&["subscribe", &uri("listener"), "topic://>"]);
        let taker = two.start(&["subscribe", &uri("taker"), "queue://>"]);
        rows.push((group, watcher, listener, taker));
    }
    let mut speakers = Vec::new();
    for group in groups {
        for destination in ["topic://news", "queue://news"] {
            let uri = format!("peer://{group}/speaker");
            let mut speaker = one.start(&["publish", &uri, destination, "--wait-peers", "4", "--timeout", "20s"]);
            speaker.feed(group);
            speakers.push(speaker);
        }
    }
    let deadline = Instant::now() + PATIENCE;
    for (group, watcher, listener, taker) in &mut rows {
        for name in ["listener", "taker", "speaker"] {
            watcher.wait_for(0, &format!("peer ready {name}"), deadline);
        }
        listener.wait_for(0, group, deadline);
        taker.wait_for(0, group, deadline);
    }
    for speaker in speakers {
        speaker.end();
    }
    for (group, watcher, listener, taker) in rows {
        assert_eq!((listener.stop(), taker.stop()), (vec![group.to_owned()], vec![group.to_owned()]));
        let ups = watcher.stop().iter().filter(|line| line.starts_with("peer up")).count();
        assert_eq!(ups, 4, "two consumers and two producers of its own group");
    }
}

const URI: &str = "peer://lab";

const COUNT: usize = 300;
