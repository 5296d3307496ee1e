//! Hosts on more networks than one, and on none.

use std::time::Instant;

use crate::lab::Lab;
use crate::process::PATIENCE;

#[test]
fn a_host_on_two_networks_meets_peers_on_both() {
    let Some(lab) = Lab::open([&[0], &[0, 1], &[1]]) else { return };
    let [left, middle, right] = &lab.hosts;
    let mut watcher = middle.start(&["peers", "peer://lab/middle", "--watch"]);
    let mut listener = middle.start(&["subscribe", "peer://lab/listener", "topic://news"]);
    let mut ends = [(left, "left", 0), (right, "right", 1)].map(|(host, name, network)| {
        let uri = format!("peer://lab/{name}");
        let end = host.start(&["subscribe", &uri, "topic://news"]);
        (end, format!("peer up {name} at {}:", host.addresses()[0]), network)
    });
    let deadline = Instant::now() + PATIENCE;
    for (_, up, _) in &ends {
        watcher.wait_for(0, up, deadline);
    }
    for (host, peers, text) in
        [(left, "3", "from the left"), (right, "3", "from the right"), (middle, "4", "from the middle")]
    {
        host.start(&["publish", "peer://lab", "topic://news", text, "--wait-peers", peers, "--timeout", "20s"]).end();
        listener.wait_for(0, text, deadline);
    }
    for (end, ..) in &mut ends {
        end.wait_for(0, "from the middle", deadline);
    }
    let [left, right] = ends.map(|(end, ..)| end.stop());
    assert_eq!(left, ["from the left", "from the middle"], "nothing passes from network to network");
    assert_eq!(right, ["from the right", "from the middle"]);
    assert_eq!(listener.stop(), ["from the left", "from the right", "from the middle"]);
}

#[test]
fn hosts_that_share_two_networks_have_one_link() {
    let Some(lab) = Lab::open([&[0, 1], &[0, 1]]) else { return };
    let [one, two] = &lab.hosts;
    let mut watchers = [(one, "one"), (two, "two")]
        .map(|(host, name)| host.start(&["peers", &format!("peer://lab/{name}"), "--watch"]));
    let deadline = Instant::now() + PATIENCE;
    watchers[0].wait_for(0, "peer ready two", deadline);
    watchers[1].wait_for(0, "peer ready one", deadline);
    // A newcomer that both have met shows that adverts on both networks have come and been answered by now.
    two.start(&["publish", "peer://lab/late", "topic://news", "x", "--wait-peers", "2", "--timeout", "20s"]).end();
    for watcher in &mut watchers {
        watcher.wait_for(0, "peer lost late", deadline);
    }
    for (watcher, other) in watchers.into_iter().zip(["two", "one"]) {
        let lines = watcher.stop();
        let count = lines.iter().filter(|line| line.starts_with(&format!("peer up {other} at "))).count();
        assert_eq!(count, 1, "{lines:?}");
    }
}

#[test]
fn hosts_that_share_two_networks_use_the_other_when_one_breaks() {
    let Some(lab) = Lab::open([&[0, 1], &[0, 1]]) else { return };
    let [one, two] = &lab.hosts;
    let mut watchers = [(one, "one", "two"), (two, "two", "one")].map(|(host, name, other)| {
        let uri = format!("peer://lab/{name}?wireFormat.maxInactivityDuration=1000");
        (host.start(&["peers", &uri, "--watch"]), other)
    });
    let deadline = Instant::now() + PATIENCE;
    for (watcher, other) in &mut watchers {
        watcher.wait_for(0, &format!("peer ready {other}"), deadline);
    }
    for _ in 0..2 {
        let up = watchers[0].0.lines().iter().rfind(|line| line.text.starts_with("peer up two at ")).expect("it is up");
        let used = usize::from(up.text.contains(&one.subnet(1)));
        let skipped = watchers.each_mut().map(|(watcher, _)| watcher.lines().len());
        lab.break_network(used);
        let (broken_at, subnet) = (Instant::now(), one.subnet(1 - used));
        for ((watcher, other), skipped) in watchers.iter_mut().zip(skipped) {
            watcher.wait_for(skipped, &format!("peer up {other} at {subnet}"), broken_at + PATIENCE);
            let ready_at = watcher.wait_for(skipped, &format!("peer ready {other}"), broken_at + PATIENCE);
            eprintln!("linked by the other network after {:?}", ready_at - broken_at);
        }
        lab.heal();
    }
}

#[test]
fn processes_of_a_host_without_a_network_find_each_other() {
    let Some(lab) = Lab::open([&[]]) else { return };
    let [host] = &lab.hosts;
    let mut listener = host.start(&["subscribe", "peer://lab/listener", "topic://news"]);
    host.start(&["publish", "peer://lab", "topic://news", "hello", "--wait-peers", "1", "--timeout", "20s"]).end();
    listener.wait_for(0, "hello", Instant::now() + PATIENCE);
}

#[test]
fn the_demo_succeeds_on_a_host_without_a_network() {
    let Some(lab) = Lab::open([&[]]) else { return };
    let lines = lab.hosts[0].start(&["demo"]).end();
    assert!(lines.last().is_some_and(|line| line.starts_with("All of it arrived")), "{lines:?}");
}
