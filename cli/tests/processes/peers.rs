//! Who is in a group, and who has gone.

use crate::group::Group;
use crate::running::{Running, run};

#[test]
fn a_peer_that_is_killed_is_lost_and_a_restart_rejoins() {
    let group = Group::new();
    let mut watcher = Running::start(&["peers", &group.uri("watcher"), "--watch"]);
    let mut steady = Running::start(&["subscribe", &group.uri("steady"), "topic://t.>"]);
    watcher.lines_until("peer ready steady");
    let victim = Running::start(&["subscribe", &group.uri("victim"), "topic://t.>"]);
    let seen = watcher.lines_until("peer ready victim");
    assert!(seen.iter().any(|line| line.starts_with("peer up victim at 127.0.0.1:")), "{seen:?}");

    victim.signal("KILL");
    let seen = watcher.lines_until("peer lost");
    assert!(seen.last().is_some_and(|line| line.starts_with("peer lost victim: ")), "{seen:?}");
    let publish = |text, peers| {
        let arguments =
            ["publish", &group.uri("source"), "topic://t.x", text, "--wait-peers", peers, "--timeout", "50s"];
        assert_eq!(run(&arguments).code, Some(0));
    };
    publish("after the loss", "2");
    assert_eq!(steady.line(), "after the loss");

    let mut again = Running::start(&["subscribe", &group.uri("victim"), "topic://t.>"]);
    let seen = watcher.lines_until("peer ready victim");
    assert!(!seen.iter().any(|line| line.contains("steady")), "others are not concerned: {seen:?}");
    publish("after the return", "3");
    assert_eq!(steady.line(), "after the return");
    assert_eq!(again.line(), "after the return");
}

#[test]
fn a_peer_that_leaves_in_order_says_so() {
    for signal in ["INT", "TERM"] {
        let group = Group::new();
        let mut watcher = Running::start(&["peers", &group.uri("watcher"), "--watch", "--format", "json"]);
        let leaver = Running::start(&["subscribe", &group.uri("leaver"), "orders"]);
        let mut next = || {
            let line = watcher.line();
            serde_json::from_str::<serde_json::Value>(&line).expect(&line)
        };
        let (up, ready) = (next(), next());
        assert_eq!((&up["event"], &up["name"]), (&"peer up".into(), &"leaver".into()));
        assert_eq!((&ready["event"], &ready["broker"]), (&"peer ready".into(), &up["broker"]));
        leaver.signal(signal);
        let lost = next();
        assert_eq!((&lost["event"], &lost["reason"]), (&"peer lost".into(), &"it took its leave".into()));
        assert!(lost["timestamp"].as_u64() >= up["timestamp"].as_u64());
        assert_eq!(leaver.end().code, Some(0));
        watcher.signal(signal);
        assert_eq!(watcher.end().code, Some(0));
    }
}

#[test]
fn the_list_shows_everybody_who_is_there() {
    let group = Group::new();
    let _quiet = ["a", "b"].map(|name| Running::start(&["subscribe", &group.uri(name), "orders"]));
    let mut watcher = Running::start(&["peers", &group.uri("w"), "--watch"]);
    let mut seen = watcher.lines_until("peer ready");
    while seen.iter().filter(|line| line.starts_with("peer ready")).count() < 2 {
        seen.extend(watcher.lines_until("peer ready"));
    }
    let list = run(&["peers", &group.uri("looking"), "--for", "2s"]);
    let names: Vec<&str> = list.lines.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!((list.code, names), (Some(0), vec!["a", "b", "w"]), "{:?}", list.lines);
    assert!(list.lines.iter().all(|line| line.contains(" ready  127.0.0.1:")), "{:?}", list.lines);
    let list = run(&["peers", &group.uri("looking"), "--for", "2s", "--format", "json"]);
    let list: Vec<serde_json::Value> = list.lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(list.iter().map(|peer| &peer["name"]).collect::<Vec<_>>(), ["a", "b", "w"]);
    assert!(list.iter().all(|peer| peer["ready"] == true), "{list:?}");
}

#[test]
fn nobody_is_a_fine_answer() {
    let list = run(&["peers", &Group::new().uri("alone"), "--for", "100ms"]);
    assert_eq!((list.code, list.lines), (Some(0), Vec::new()));
    assert!(list.stderr.starts_with("nobody else is in the group 'test-"), "{}", list.stderr);
}
