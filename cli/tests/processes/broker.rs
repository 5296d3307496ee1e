//! A broker that stands alone: what it says, and how it ends.

use serde_json::Value;

use crate::brokers::{Broker, fanout};
use crate::group::Group;
use crate::running::{Running, run};

#[test]
fn a_broker_says_where_it_is_and_who_comes_and_goes() {
    let mut broker = Broker::start("a");
    let port = broker.address.strip_prefix("tcp://127.0.0.1:").expect(&broker.address);
    assert_ne!(port.parse(), Ok(0));
    let subscriber = broker.subscribe("topic://t");
    let line = broker.running.line();
    let name = line.strip_prefix("client up ").and_then(|rest| rest.split(" at 127.0.0.1:").next()).expect(&line);
    subscriber.signal("INT");
    assert_eq!(subscriber.end().code, Some(0));
    let line = broker.running.line();
    assert!(line.starts_with(&format!("client lost {name}: ")), "{line}");
}

#[test]
fn a_broker_that_is_stopped_takes_its_leave() {
    for signal in ["INT", "TERM"] {
        let broker = Broker::start("a");
        let mut watcher = Running::start(&["peers", &fanout(&[&broker], "minAckCount=1"), "--watch"]);
        watcher.lines_until("target up a at tcp://127.0.0.1:");
        broker.running.signal(signal);
        let ended = broker.running.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        watcher.lines_until("target lost a at tcp://127.0.0.1:");
    }
}

#[test]
fn a_broker_speaks_json_and_has_a_name_made_up_if_it_needs_one() {
    let arguments = ["broker", "--listen", "tcp://127.0.0.1:0", "--no-discovery", "--format", "json"];
    let mut broker = Running::start(&arguments);
    let line = broker.line();
    let up: Value = serde_json::from_str(&line).expect(&line);
    assert_eq!((&up["event"], &up["group"]), (&"broker up".into(), &"default".into()));
    assert!(up["name"].as_str().is_some_and(|name| !name.is_empty()), "{up}");
    let addresses = up["addresses"].as_array().expect(&line);
    let [Value::String(address)] = addresses.as_slice() else { panic!("one address: {up}") };
    assert_eq!(
        run(&["publish", &format!("fanout:(static:({address}))?minAckCount=1"), "topic://t", "x"]).code,
        Some(0)
    );
    for event in ["client up", "client lost"] {
        let line = broker.line();
        let news: Value = serde_json::from_str(&line).expect(&line);
        assert_eq!(news["event"], event, "{line}");
        assert!(news["client"].is_string() && news["timestamp"].as_u64() >= up["timestamp"].as_u64(), "{line}");
    }
}

#[test]
fn a_broker_treats_destinations_as_it_is_told() {
    let broker = Broker::start_with(&[
        "--listen=tcp://127.0.0.1:0",
        "--no-discovery",
        "--policy=queue://>?memoryLimit=1&whenFull=refuse",
        "--policy=queue://orders.*?maximumRedeliveries=2",
        "--options=clientAdministration=false",
    ]);
    let uri = fanout(&[&broker], "minAckCount=1");
    assert_eq!(run(&["publish", &uri, "orders.eu", "one", "two"]).code, Some(0), "the most specific one holds");
    let refused = run(&["publish", &uri, "letters", "one", "two"]);
    assert_ne!(refused.code, Some(0));
    let told = "no room at queue://letters";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    let purged = run(&["purge", &broker.address, "letters"]);
    assert_eq!(purged.code, Some(1));
    let told = "the broker lets no clients purge, pause or resume its queues";
    assert!(purged.lines[0].contains(told), "{:?} {}", purged.lines, purged.stderr);
}

#[test]
fn brokers_of_a_group_stay_apart_unless_they_are_told_to_network() {
    let group = Group::new();
    let [a, mut b, c] = ["a", "b", "c"].map(|name| group.broker(name, if name == "a" { &[] } else { &["--network"] }));
    let seen = b.running.lines_until("peer ready");
    assert!(seen.last().is_some_and(|line| line == "peer ready c"), "{seen:?}");
    let mut near = c.subscribe("topic://t");
    let mut alone = a.subscribe("topic://t");
    for (broker, text) in [(&b, "to b"), (&a, "to a")] {
        let uri = fanout(&[broker], "minAckCount=1");
        assert_eq!(run(&["publish", &uri, "topic://t", text]).code, Some(0));
    }
    assert_eq!(alone.line(), "to a");
    assert_eq!(near.line(), "to b");
}

#[test]
fn a_broker_joins_others_by_the_network_connectors_it_is_given() {
    let (hub, other) = (Broker::start("hub"), Broker::start("other"));
    let connectors = [&hub, &other].map(|broker| format!("static:({})?networkTTL=2", broker.address));
    let arguments = ["--listen", "tcp://127.0.0.1:0", "--no-discovery", "--name", "edge"];
    let networks = connectors.iter().flat_map(|uri| ["--network", uri.as_str()]);
    let mut edge = Running::start(&["broker"].into_iter().chain(arguments).chain(networks).collect::<Vec<_>>());
    let mut ready: Vec<_> = (0..2).map(|_| edge.lines_until("peer ready").pop().expect("a line")).collect();
    ready.sort();
    assert_eq!(ready, ["peer ready hub", "peer ready other"]);
    let mut subscriber = other.subscribe("queue://q");
    assert_eq!(run(&["publish", &fanout(&[&hub], "minAckCount=1"), "queue://q", "by the edge"]).code, Some(0));
    assert_eq!(subscriber.line(), "by the edge");
}

#[test]
fn a_broker_that_can_t_listen_says_so_and_ends() {
    let broker = Broker::start("a");
    let ended = run(&["broker", "--listen", &broker.address, "--no-discovery"]);
    assert_eq!((ended.code, ended.lines.len()), (Some(1), 0), "{ended:?}");
    assert!(ended.stderr.contains(&format!("can't listen at {}: ", broker.address)), "{}", ended.stderr);
}

#[test]
fn what_nobody_has_taken_ends_with_the_broker_which_says_so() {
    let broker = Broker::start("a");
    let uri = fanout(&[&broker], "minAckCount=1");
    assert_eq!(run(&["publish", &uri, "queue://q", "one", "two"]).code, Some(0));
    broker.running.signal("TERM");
    let ended = broker.running.end();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("2 messages that were sent here and not taken end"), "{}", ended.stderr);
}

#[test]
fn a_broker_that_drains_tells_what_nobody_wanted() {
    let broker = Broker::start_with(&["--listen", "tcp://127.0.0.1:0", "--no-discovery", "--drain", "10s"]);
    let uri = fanout(&[&broker], "minAckCount=1");
    assert_eq!(run(&["publish", &uri, "queue://q", "one", "two"]).code, Some(0));
    let subscriber = broker.subscribe("queue://other");
    broker.running.signal("TERM");
    let ended = broker.running.end();
    assert_eq!(ended.code, Some(0));
    assert!(ended.stderr.contains("2 messages that were sent here and not taken end"), "{}", ended.stderr);
    subscriber.signal("INT");
    assert_eq!(subscriber.end().code, Some(0));
}

#[test]
fn what_waits_is_shown_and_still_waits() {
    let (a, b) = (Broker::start("a"), Broker::start("b"));
    for (broker, texts) in [(&a, ["one", "two"]), (&b, ["three", "four"])] {
        let uri = fanout(&[broker], "minAckCount=1");
        assert_eq!(run(&["publish", &uri, "queue://q", texts[0], texts[1]]).code, Some(0));
    }
    let one = fanout(&[&a], "minAckCount=1");
    for _ in 0..2 {
        let ended = run(&["browse", &one, "q"]);
        assert_eq!((ended.code, ended.lines), (Some(0), vec!["one".to_owned(), "two".to_owned()]));
    }
    let ended = run(&["browse", &one, "q", "--max", "1", "--format", "json"]);
    let shown: Value = serde_json::from_str(&ended.lines.concat()).expect("one object");
    assert_eq!((&shown["body"], &shown["destination"]), (&"one".into(), &"queue://q".into()));
    let both = fanout(&[&a, &b], "minAckCount=2");
    let mut lines = run(&["browse", &both, "q"]).lines;
    lines.sort();
    assert_eq!(lines, ["four", "one", "three", "two"], "of each broker what it has");
    assert_eq!(run(&["browse", &one, "other"]).lines, Vec::<String>::new());
    let ended = run(&["subscribe", &one, "q", "--count", "2"]);
    assert_eq!(ended.lines, ["one", "two"], "nothing was taken");
}

#[test]
fn only_a_queue_of_brokers_that_are_there_can_be_shown() {
    let broker = Broker::start("a");
    let ended = run(&["browse", &fanout(&[&broker], "minAckCount=1"), "topic://t"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("only a queue can be browsed, one at a time; 'topic://t' is"), "{}", ended.stderr);
    let ended = run(&["browse", "vm://here", "q"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("'vm://here' starts a broker of its own"), "{}", ended.stderr);
}
