//! Messages to many brokers at once: all of them take each, some may fail, and whatever is said to be accepted is there.

use std::time::Instant;

use serde_json::Value;

use crate::brokers::{Broker, fanout, three};
use crate::group::Group;
use crate::running::{PATIENCE, Running, run};

#[test]
fn all_brokers_take_each_message_of_a_topic() {
    let brokers = three();
    let mut subscribers = brokers.each_ref().map(|broker| broker.subscribe("topic://t"));
    let uri = fanout(&brokers.each_ref(), "minAckCount=3");
    let sent = run(&["publish", &uri, "topic://t", "--count", "1000", "--verbose"]);
    assert_eq!((sent.code, sent.stderr.as_str()), (Some(0), ""));
    let accepted = accepted(&sent.lines);
    assert_eq!(accepted.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (1..=1000).collect::<Vec<_>>());
    assert!(accepted.iter().all(|(_, by)| *by == ["a", "b", "c"]), "{accepted:?}");
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.lines_until("1000"), lines(1..=1000));
    }
}

#[test]
fn the_summary_tells_what_each_broker_took() {
    let brokers = three();
    let uri = fanout(&brokers.each_ref(), "minAckCount=2");
    // Two would do to begin with, and who comes later gets no history.
    let sent = run(&["publish", &uri, "topic://t", "--count", "500", "--wait-peers", "3"]);
    assert_eq!((sent.code, sent.stderr.as_str()), (Some(0), ""));
    let mut expected = vec!["sent 500, accepted 500".to_owned()];
    expected.extend(brokers.iter().zip(["a", "b", "c"]).map(|(broker, name)| {
        let address = &broker.address;
        format!("{name} at {address} took 500")
    }));
    assert_eq!(sent.lines, expected, "the slowest was given time too");
}

#[test]
fn a_broker_that_is_killed_costs_nothing_that_others_have_accepted() {
    let [a, b, c] = three();
    let mut subscribers = [&a, &b].map(|broker| broker.subscribe("topic://t"));
    let uri = fanout(&[&a, &b, &c], "minAckCount=2");
    let mut publisher = Running::start_fed(&["publish", &uri, "topic://t", "--verbose"]);
    publisher.feed(&numbers(1..=2000));
    let mut seen = publisher.lines_until("100: accepted by ");
    publisher.feed(&numbers(2001..=4000));
    c.running.signal("KILL");
    publisher.complaint(&format!("lost c at {}: ", c.address));
    publisher.feed(&numbers(4001..=6000));
    let sent = publisher.end();
    seen.extend(sent.lines);
    assert_eq!(sent.code, Some(0), "two are enough: {}", sent.stderr);
    let refused = format!("{}: could not connect: ", c.address);
    assert!(sent.stderr.lines().all(|line| line.starts_with(&refused)), "nothing else is amiss: {}", sent.stderr);
    let accepted = accepted(&seen);
    assert_eq!(accepted.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (1..=6000).collect::<Vec<_>>());
    assert!(accepted.iter().all(|(_, by)| by.len() >= 2), "{accepted:?}");
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.lines_until("6000"), lines(1..=6000), "each once and in order");
    }
}

#[test]
fn a_message_that_too_few_brokers_accept_says_who_did() {
    let [a, b, c] = three();
    let mut subscribers = [&a, &b].map(|broker| broker.subscribe("topic://t"));
    let uri = fanout(&[&a, &b, &c], "minAckCount=3&sendTimeout=1000");
    let mut publisher = Running::start_fed(&["publish", &uri, "topic://t", "--verbose"]);
    publisher.feed(&numbers(1..=1000));
    let mut seen = publisher.lines_until("1000: accepted by 3: ");
    c.running.freeze(); // It is there and takes nothing, so that the others have what it has not.
    publisher.feed("1001\n");
    publisher.complaint("error: message 1001 was not accepted: 2 of 3 brokers needed accepted it within 1000 ms");
    let mut said = [publisher.complaint("  "), publisher.complaint("  ")];
    said.sort();
    assert_eq!(said, ["  a: accepted it", "  b: accepted it"]);
    c.running.thaw();
    publisher.feed("1002\n");
    let ended = publisher.end();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), "error: 1 of 1002 messages were not accepted\n"));
    seen.extend(ended.lines.clone());
    let accepted = accepted(&seen);
    let expected: Vec<usize> = (1..=1000).chain([1002]).collect();
    assert_eq!(accepted.iter().map(|(number, _)| *number).collect::<Vec<_>>(), expected);
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.lines_until("1002"), lines(1..=1002), "what was not accepted by enough may be there too");
    }
}

#[test]
fn a_broker_that_comes_back_takes_messages_again() {
    let [a, b, c] = three();
    let mut stayed = [&a, &b].map(|broker| broker.subscribe("topic://t"));
    let uri = fanout(&[&a, &b, &c], "minAckCount=2&maxReconnectDelay=200");
    let mut publisher = Running::start_fed(&["publish", &uri, "topic://t", "--verbose"]);
    publisher.feed(&numbers(1..=2000));
    publisher.lines_until("100: accepted by ");
    c.running.signal("KILL");
    let address = c.address.clone();
    publisher.complaint(&format!("lost c at {address}: "));
    drop(c);
    publisher.feed(&numbers(2001..=3000));
    publisher.lines_until("3000: accepted by 2: ");

    let again = Broker::start_at("c", &address);
    let mut returned = again.subscribe("topic://t");
    publisher.complaint(&format!("c at {address} is up"));
    publisher.feed(&numbers(3001..=6000));
    let sent = publisher.end();
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    let accepted = accepted(&sent.lines);
    assert_eq!(accepted.iter().map(|(number, _)| *number).collect::<Vec<_>>(), (3001..=6000).collect::<Vec<_>>());
    for subscriber in &mut stayed {
        assert_eq!(subscriber.lines_until("6000"), lines(1..=6000));
    }
    assert_eq!(returned.lines_until("6000"), lines(3001..=6000), "nothing of what was settled before");
}

#[test]
fn a_message_of_a_queue_is_at_exactly_one_broker() {
    let brokers = three();
    let mut takers = brokers.each_ref().map(|broker| broker.subscribe("queue://q"));
    let uri = fanout(&brokers.each_ref(), "minAckCount=3");
    let sent = run(&["publish", &uri, "queue://q", "--count", "600", "--verbose"]);
    assert_eq!((sent.code, sent.stderr.as_str()), (Some(0), ""));
    let accepted = accepted(&sent.lines);
    assert!(accepted.iter().all(|(_, by)| by.len() == 1 && *by == accepted[0].1), "{accepted:?}");
    let deadline = Instant::now() + PATIENCE;
    let (chosen, first) = loop {
        assert!(Instant::now() < deadline, "nobody has got anything");
        let found = takers.iter_mut().enumerate().find_map(|(index, taker)| Some((index, taker.line_soon()?)));
        if let Some(found) = found {
            break found;
        }
    };
    let mut taken = vec![first];
    taken.extend(takers[chosen].lines_until("600"));
    assert_eq!(taken, lines(1..=600));
    for taker in takers {
        taker.signal("INT");
        assert_eq!(taker.end().lines, [""; 0], "neither again nor anywhere else");
    }
    assert_eq!(accepted[0].1, [["a", "b", "c"][chosen]], "who was said to have accepted");
}

#[test]
fn a_message_of_a_queue_is_at_every_broker_if_it_is_to_be() {
    let brokers = three();
    let mut takers = brokers.each_ref().map(|broker| broker.subscribe("queue://q"));
    let uri = fanout(&brokers.each_ref(), "minAckCount=3&fanOutQueues=true");
    let sent = run(&["publish", &uri, "queue://q", "--count", "100", "--verbose"]);
    assert!(accepted(&sent.lines).iter().all(|(_, by)| *by == ["a", "b", "c"]), "{sent:?}");
    for taker in &mut takers {
        assert_eq!(taker.lines_until("100"), lines(1..=100));
    }
}

#[test]
fn one_subscriber_of_all_brokers_gets_each_message_once() {
    let brokers = three();
    let uri = fanout(&brokers.each_ref(), "minAckCount=3");
    let mut subscriber = Running::start(&["subscribe", &uri, "topic://t", "--count", "501", "--verbose"]);
    subscriber.complaint("subscribed to topic://t");
    assert_eq!(run(&["publish", &uri, "topic://t", "--count", "500"]).code, Some(0));
    assert_eq!(run(&["publish", &uri, "topic://t", "the end"]).code, Some(0));
    let ended = subscriber.end();
    assert_eq!((ended.code, ended.lines.len()), (Some(0), 501));
    let (last, others) = ended.lines.split_last().expect("there are some");
    assert_eq!((last.as_str(), others), ("the end", lines(1..=500).as_slice()));
}

#[test]
fn too_few_brokers_are_waited_for_until_the_send_has_taken_too_long() {
    let a = Broker::start("a");
    let uri = format!("fanout:(static:({},{NOBODY}))?minAckCount=2&sendTimeout=2000", a.address);
    let mut publisher = Running::start(&["publish", &uri, "topic://t", "x"]);
    publisher.complaint("waiting for 1 of 2 brokers; 1 is up");
    let ended = publisher.end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let expected = "message 1 was not accepted: 0 of 2 brokers needed accepted it within 2000 ms";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    assert!(ended.stderr.contains("1 of 1 messages were not accepted"), "{}", ended.stderr);
    assert_eq!(ended.lines[0], "sent 1, accepted 0, refused 1");
    assert!(ended.lines.contains(&format!("a at {} took none", a.address)), "{ended:?}");
    let nobody = format!("{NOBODY} took none: could not connect: ");
    assert!(ended.lines.iter().any(|line| line.starts_with(&nobody)), "{ended:?}");
    let ended = run(&["subscribe", &uri, "topic://t"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("1 of 2 brokers needed"), "{}", ended.stderr);
}

#[test]
fn a_broker_s_refusal_is_told_by_its_name() {
    let a = Broker::start("a");
    let options = ["--listen", "tcp://127.0.0.1:0", "--no-discovery", "--options", "wireFormat.maxFrameSize=65536"];
    let b = Broker::start_with(&[&["--name", "b"], &options[..]].concat());
    let mut publisher =
        Running::start(&["publish", &fanout(&[&a, &b], ""), "topic://t", "--count", "1", "--size", "60000"]);
    publisher.complaint("error: message 1 was not accepted: ");
    publisher.complaint("  b: the message takes 60000 bytes; the limit is ");
    let ended = publisher.end();
    assert_eq!((ended.code, ended.lines[0].as_str()), (Some(1), "sent 1, accepted 0, refused 1"), "{ended:?}");
    assert_eq!(ended.lines[2], format!("b at {} took none, refused 1", b.address));
}

#[test]
fn a_broker_that_is_given_up_is_not_waited_for() {
    let a = Broker::start("a");
    let uri = format!("fanout:(static:({},{NOBODY}))?minAckCount=2&maxReconnectAttempts=3", a.address);
    let ended = run(&["publish", &uri, "topic://t", "x"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(&format!("{NOBODY}: given up after 3 attempts: ")), "{}", ended.stderr);
    let expected = "message 1 was not accepted: 0 of 2 brokers needed accepted it, and no others are left that could";
    assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    let given_up = format!("{NOBODY} took none: given up after 3 attempts: ");
    assert!(ended.lines.iter().any(|line| line.starts_with(&given_up)), "{ended:?}");
}

#[test]
fn a_deadline_of_one_s_own_comes_first_if_it_is_sooner() {
    let uri = format!("fanout:(static:({NOBODY}))?minAckCount=1");
    let ended = run(&["publish", &uri, "topic://t", "x", "--timeout", "1s"]);
    assert_eq!(ended.code, Some(124), "{ended:?}");
    assert!(ended.stderr.contains("timed out after 1s: 1 messages were sent, 0 of them accepted"), "{}", ended.stderr);
    assert_eq!(ended.lines[0], "sent 1, accepted 0, unanswered 1");
    let ended = run(&["publish", &uri, "topic://t", "x", "--wait-peers", "1", "--timeout", "1s"]);
    assert_eq!(ended.code, Some(124), "{ended:?}");
    assert!(ended.stderr.contains("timed out after 1s: 0 of 1 brokers were up and nothing was sent"), "{ended:?}");
}

#[test]
fn whoever_waits_for_brokers_can_be_interrupted() {
    let uri = format!("fanout:(static:({NOBODY}))?minAckCount=1");
    for (command, signal, code) in [("publish", "INT", 130), ("publish", "TERM", 143), ("subscribe", "INT", 0)] {
        let mut waiting = Running::start_fed(&[command, &uri, "topic://t"]);
        waiting.feed("x\n");
        waiting.complaint("waiting for 1 of 1 brokers; 0 are up");
        let asked_at = Instant::now();
        waiting.signal(signal);
        let ended = waiting.end_unfed();
        assert_eq!(ended.code, Some(code), "{command}: {ended:?}");
        assert!(!ended.stderr.contains("took longer"), "{command}: {}", ended.stderr);
        assert!(asked_at.elapsed() < PATIENCE / 10, "{command}: {:?}", asked_at.elapsed());
    }
}

#[test]
fn brokers_are_found_by_multicast() {
    let group = Group::new();
    let [mut subscriber, mut other] = ["a", "b"].map(|name| {
        let broker = group.broker(name, &[]);
        (broker.subscribe("topic://t"), broker)
    });
    let sent = run(&["publish", &group.fanout("minAckCount=2"), "topic://t", "hello", "--verbose"]);
    assert_eq!((sent.code, accepted(&sent.lines)), (Some(0), vec![(1, vec!["a", "b"])]), "{sent:?}");
    assert_eq!((subscriber.0.line(), other.0.line()), ("hello".into(), "hello".into()));

    let looking = ["text", "json"]
        .map(|format| Running::start(&["peers", &group.fanout("minAckCount=2"), "--for", "2s", "--format", format]));
    let [list, objects] = looking.map(Running::end);
    let found: Vec<Vec<&str>> = list.lines.iter().map(|line| line.split_whitespace().take(3).collect()).collect();
    assert_eq!(found, [["a", "up", &subscriber.1.address], ["b", "up", &other.1.address]], "{list:?}");
    let objects: Vec<Value> = objects.lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(objects.iter().map(|target| &target["name"]).collect::<Vec<_>>(), ["a", "b"]);
    assert!(objects.iter().all(|target| target["state"] == "up" && target["accepted"] == 0), "{objects:?}");
}

#[test]
fn peers_of_a_group_are_brokers_too() {
    let group = Group::new();
    let mut peer = Running::start(&["subscribe", &group.uri("p"), "topic://t"]);
    let sent = run(&["publish", &group.fanout("minAckCount=1"), "topic://t", "hello", "--verbose"]);
    assert_eq!((sent.code, accepted(&sent.lines)), (Some(0), vec![(1, vec!["p"])]), "{sent:?}");
    assert_eq!(peer.line(), "hello");
}

/// The messages that a publisher has said to be accepted, and by whom, by name.
fn accepted(lines: &[String]) -> Vec<(usize, Vec<&str>)> {
    let parsed = lines.iter().map(|line| {
        let (number, rest) = line.split_once(": accepted by ").expect(line);
        let (count, names) = rest.split_once(": ").expect(line);
        let mut names: Vec<&str> = names.split(", ").collect();
        assert_eq!(count.parse(), Ok(names.len()), "{line}");
        names.sort_unstable();
        (number.parse().expect(line), names)
    });
    parsed.collect()
}

/// These numbers as lines that are fed.
fn numbers(numbers: impl Iterator<Item = usize>) -> String {
    lines(numbers).join("\n") + "\n"
}

/// These numbers as lines that were written.
fn lines(numbers: impl Iterator<Item = usize>) -> Vec<String> {
    numbers.map(|number| number.to_string()).collect()
}

/// An address where nobody listens, as far as anybody knows.
const NOBODY: &str = "tcp://127.0.0.1:1";
