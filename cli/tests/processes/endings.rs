//! Ends from outside: signals, readers that go, messages that nobody took.

use std::process::{Command, Stdio};

use crate::group::Group;
use crate::running::{Running, run};

#[test]
fn a_subscriber_that_is_stopped_before_its_count_says_so() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let group = Group::new();
        let mut subscriber = Running::start(&["subscribe", &group.uri("s"), "topic://t", "--count", "2"]);
        assert_eq!(run(&["publish", &group.uri("p"), "topic://t", "x", "--wait-peers", "1"]).code, Some(0));
        assert_eq!(subscriber.line(), "x");
        subscriber.signal(signal);
        let ended = subscriber.end();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.stderr.contains("before all was done"), "{}", ended.stderr);
    }
}

#[test]
fn a_publisher_that_is_stopped_before_all_is_sent_says_so() {
    let group = Group::new();
    let mut watcher = Running::start(&["peers", &group.uri("w"), "--watch"]);
    let publisher = Running::start_fed(&["publish", &group.uri("p"), "topic://t"]);
    watcher.lines_until("peer ready p");
    publisher.signal("INT");
    assert_eq!(publisher.end_unfed().code, Some(130));
    watcher.lines_until("peer lost p: it took its leave");
}

#[test]
fn a_subscriber_ends_quietly_when_nobody_reads_it_any_more() {
    let group = Group::new();
    // With a message that can't be written, and with none.
    for publishes in [true, false] {
        let mut watcher = Running::start(&["peers", &group.uri("w"), "--watch"]);
        let mut subscriber = Command::new(env!("CARGO_BIN_EXE_flockmq"));
        subscriber.args(["subscribe", &group.uri("s"), "topic://t"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut subscriber = subscriber.spawn().expect("the binary starts");
        watcher.lines_until("peer ready s");
        drop(subscriber.stdout.take());
        if publishes {
            run(&["publish", &group.uri("p"), "topic://t", "x"]);
        }
        watcher.lines_until("peer lost s: it took its leave");
        let ended = subscriber.wait_with_output().expect("its end");
        assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
    }
}

#[test]
fn a_queue_s_messages_that_nobody_took_are_a_failure() {
    let ended = run(&["publish", "vm://n", "orders", "a", "b"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("2 of 2 messages were taken by nobody, as far as is known"), "{}", ended.stderr);
    let ended = run(&["publish", "vm://n", "topic://orders", "a"]);
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("nobody was subscribed"), "{}", ended.stderr);
}

#[test]
fn a_message_that_is_too_large_is_refused() {
    let ended = run(&["publish", "vm://n", "topic://t", "--count", "1", "--size", "268435456"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("the limit is"), "{}", ended.stderr);
}
