//! Groups that share a port share nothing else.

use crate::group::Group;
use crate::running::{Running, run};

#[test]
fn different_groups_never_exchange_anything() {
    let here = Group::new();
    let there = here.neighbour();
    for destination in ["topic://x", "queue://x"] {
        let subscribe =
            |group: &Group, name: &str| Running::start(&["subscribe", &group.uri(name), destination, "--count", "3"]);
        let (near, far) = (subscribe(&here, "s"), subscribe(&there, "s"));
        // Whatever crossed would come before what ends the subscribers.
        for (group, text) in [(&here, "here"), (&there, "there"), (&here, "here"), (&there, "there")] {
            let sent = run(&["publish", &group.uri("p"), destination, text, "--wait-peers", "1", "--timeout", "50s"]);
            assert_eq!(sent.code, Some(0), "{sent:?}");
        }
        for (group, name) in [(&here, "here"), (&there, "there")] {
            let found = run(&["peers", &group.uri("looking"), "--for", "500ms"]);
            assert!(found.lines.iter().all(|line| line.starts_with("s ")), "{name}: {found:?}");
            let sent = run(&["publish", &group.uri("p"), destination, name, "--wait-peers", "1", "--timeout", "50s"]);
            assert_eq!(sent.code, Some(0), "{sent:?}");
        }
        assert_eq!(near.end().lines, ["here"; 3]);
        assert_eq!(far.end().lines, ["there"; 3]);
    }
}

#[test]
fn peers_of_another_group_are_not_waited_for() {
    let here = Group::new();
    let there = here.neighbour();
    let _other = Running::start(&["subscribe", &there.uri("s"), "topic://x"]);
    let mut friend = Running::start(&["peers", &there.uri("w"), "--watch"]);
    friend.lines_until("peer ready s");
    let sent = run(&["publish", &here.uri("p"), "topic://x", "hi", "--wait-peers", "1", "--timeout", "1s"]);
    assert_eq!(sent.code, Some(124), "{sent:?}");
}
