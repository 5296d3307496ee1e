//! A thousand numbered lines from one process to another: all, in order, none twice.

use std::time::Instant;

use crate::group::Group;
use crate::running::{PATIENCE, Running};

/// The lines 1 to 1000, as `seq 1000` writes them.
fn seq() -> (String, Vec<String>) {
    let lines: Vec<String> = (1..=1000).map(|number| number.to_string()).collect();
    (lines.join("\n") + "\n", lines)
}

#[test]
fn a_topic_s_subscriber_gets_every_line_in_order() {
    let (group, (input, expected)) = (Group::new(), seq());
    let subscriber = Running::start(&["subscribe", &group.uri("b2"), "topic://log.>", "--count", "1000"]);
    let publisher = Running::start_with(
        &["publish", &group.uri("b1"), "topic://log.seq", "--wait-peers", "1", "--timeout", "50s"],
        input,
    );
    let (sent, taken) = (publisher.end(), subscriber.end());
    assert_eq!((sent.code, sent.stderr.as_str()), (Some(0), ""));
    assert_eq!((taken.code, taken.stderr.as_str()), (Some(0), ""));
    assert_eq!(taken.lines, expected);
}

#[test]
fn a_queue_s_consumer_gets_every_line_though_it_comes_late() {
    let (group, (input, expected)) = (Group::new(), seq());
    let arguments = ["publish", &group.uri("b1"), "queue://log.seq", "--linger", "50s"];
    let mut publisher = Running::start_with(&arguments, input);
    publisher.complaint("all is sent");
    let taken = Running::start(&["subscribe", &group.uri("b2"), "log.seq", "--count", "1000"]).end();
    assert_eq!((taken.code, taken.stderr.as_str()), (Some(0), ""));
    assert_eq!(taken.lines, expected);
    publisher.signal("TERM");
    let sent = publisher.end();
    assert_eq!((sent.code, sent.stderr.as_str()), (Some(0), ""), "all was sent, lingering may be ended");
}

#[test]
fn two_consumers_of_a_queue_share_its_messages() {
    let (group, (input, expected)) = (Group::new(), seq());
    let mut subscribers = ["b2", "b3"]
        .map(|name| Running::start(&["subscribe", &group.uri(name), "queue://work", "--ack", "individual"]));
    let arguments = ["publish", &group.uri("b1"), "queue://work", "--wait-peers", "2", "--timeout", "50s"];
    assert_eq!(Running::start_with(&arguments, input).end().code, Some(0));
    let (mut taken, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while taken.len() < expected.len() {
        assert!(Instant::now() < deadline, "only {} lines came", taken.len());
        taken.extend(subscribers.iter_mut().filter_map(Running::line_soon));
    }
    taken.sort_by_key(|line| line.parse::<u32>().expect("a number"));
    assert_eq!(taken, expected);
    for subscriber in subscribers {
        subscriber.signal("INT");
        let ended = subscriber.end();
        assert_eq!((ended.code, ended.lines), (Some(0), Vec::new()));
    }
}

#[test]
fn lines_are_out_as_soon_as_they_come() {
    let group = Group::new();
    let mut subscriber = Running::start(&["subscribe", &group.uri("b2"), "topic://chat"]);
    let mut publisher = Running::start_fed(&["publish", &group.uri("b1"), "topic://chat", "--wait-peers", "1"]);
    for text in ["one", "", "three"] {
        publisher.feed(&format!("{text}\n"));
        assert_eq!(subscriber.line(), text);
    }
    assert_eq!(publisher.end().code, Some(0));
}
