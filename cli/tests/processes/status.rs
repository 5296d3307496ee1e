//! How brokers fare, and purging their queues.

use serde_json::Value;

use crate::brokers::{Broker, fanout};
use crate::group::Group;
use crate::running::{Running, run};

/// Sends to one broker alone.
fn send(broker: &Broker, destination: &str, texts: &[&str]) {
    let uri = fanout(&[broker], "minAckCount=1");
    assert_eq!(run(&[&["publish", &uri, destination], texts].concat()).code, Some(0));
}

fn objects(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The words of each line.
fn words(lines: &[String]) -> Vec<Vec<&str>> {
    lines.iter().map(|line| line.split_whitespace().collect()).collect()
}

#[test]
fn a_broker_is_shown_with_its_destinations() {
    let broker = Broker::start("a");
    let _subscriber = broker.subscribe("topic://prices.gold");
    send(&broker, "queue://orders", &["one", "two"]);
    send(&broker, "topic://prices.gold", &["1"]);
    let shown = run(&["status", &broker.address]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    let words = words(&shown.lines);
    assert_eq!(words[0][..3], ["a", "up", broker.address.as_str()]);
    assert_eq!(words[1][..3], ["DESTINATION", "DEPTH", "BYTES"]);
    let [orders, prices] = [&words[2], &words[3]];
    assert_eq!(
        (orders[0], orders[1], &orders[3..]),
        ("queue://orders", "2", &["0", "0", "2", "0", "0", "0", "0", "0", "0"][..])
    );
    assert_eq!((prices[0], prices[1], prices[3], prices[5]), ("topic://prices.gold", "0", "1", "1"));
    assert_eq!(words.len(), 4);
}

#[test]
fn what_is_shown_as_json_has_an_object_for_each_broker() {
    let [a, b] = ["a", "b"].map(Broker::start);
    send(&a, "queue://orders", &["one"]);
    let list = format!("static:({},{})", a.address, b.address);
    let shown = run(&["status", &list, "--format", "json"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let shown = objects(&shown.lines);
    assert_eq!(shown.iter().map(|broker| &broker["name"]).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(shown[0]["address"], a.address.as_str());
    let orders = &shown[0]["destinations"][0];
    assert_eq!((&orders["destination"], &orders["depth"]), (&"queue://orders".into(), &1.into()));
    assert_eq!((&orders["paused"], &orders["enqueued"]), (&false.into(), &1.into()));
    assert_eq!((&shown[1]["destinations"], &shown[1]["leftOut"]), (&Value::Array(Vec::new()), &0.into()));
}

#[test]
fn a_group_of_peers_is_asked_without_joining_it() {
    let group = Group::new();
    let mut peers = ["p", "q"].map(|name| Running::start(&["peers", &group.uri(name), "--watch"]));
    peers[0].lines_until("peer ready");
    let _subscriber = Running::start(&["subscribe", &group.uri("r"), "queue://orders"]);
    let mut seen = peers[0].lines_until("peer ready");
    let shown = run(&["status", &group.uri(""), "--for", "3s", "--format", "json"]);
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    let shown = objects(&shown.lines);
    assert_eq!(shown.iter().map(|peer| &peer["name"]).collect::<Vec<_>>(), ["p", "q", "r"]);
    let at_r = &shown[2]["destinations"][0];
    assert_eq!((&at_r["destination"], &at_r["consumers"]), (&"queue://orders".into(), &1.into()));
    seen.extend(std::iter::from_fn(|| peers[0].line_soon()));
    assert!(seen.iter().filter(|line| line.starts_with("peer up")).count() <= 1, "{seen:?}");
}

#[test]
fn a_broker_that_is_not_there_is_shown_and_is_a_failure() {
    let broker = Broker::start("a");
    let gone = Broker::start("gone");
    let uri = fanout(&[&broker, &gone], "");
    let address = gone.address.clone();
    drop(gone);
    let shown = run(&["status", &uri]);
    assert_eq!(shown.code, Some(1));
    assert!(shown.stderr.ends_with("1 of 2 brokers did not answer\n"), "{}", shown.stderr);
    assert!(shown.lines.iter().any(|line| line.contains(&address)), "{:?}", shown.lines);
    assert!(shown.lines.iter().any(|line| line == "  no destinations"), "{:?}", shown.lines);
    let nobody = run(&["status", &Group::new().fanout(""), "--for", "200ms"]);
    assert_eq!((nobody.code, nobody.lines.len()), (Some(1), 0));
    assert!(nobody.stderr.ends_with("no brokers were found\n"), "{}", nobody.stderr);
}

#[test]
fn a_watch_shows_what_changes_until_it_is_interrupted() {
    let [a, b] = ["a", "b"].map(Broker::start);
    let uri = fanout(&[&a, &b], "");
    let mut plain = Running::start(&["status", &uri, "--watch", "100ms"]);
    let mut json = Running::start(&["status", &uri, "--watch=100ms", "--format", "json"]);
    assert!(plain.lines_until("b ").last().is_some_and(|line| line.contains(" up ")), "an empty broker");
    assert_eq!([plain.line(), plain.line()], ["  no destinations", ""], "and the end of one look");
    send(&b, "orders", &["one"]);
    plain.lines_until("  queue://orders");
    let shown = json.lines_until("{");
    assert!(!shown.iter().any(String::is_empty), "{shown:?}");
    let address = a.address.clone();
    drop(a);
    let is_of_gone = |line: &String| line.contains(&address) && !line.contains(" up ");
    assert!((0..10_000).any(|_| is_of_gone(&plain.line())), "who goes is seen to go");
    for watch in [plain, json] {
        watch.signal("INT");
        let ended = watch.end();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    }
}

#[test]
fn a_broker_that_stands_still_is_told_of_in_time() {
    let broker = Broker::start("a");
    let uri = fanout(&[&broker], "minAckCount=1&sendTimeout=500");
    let mut shown = Running::start(&["status", &uri, "--for", "1h"]);
    assert!(shown.line().starts_with("a  up"));
    drop(shown);
    broker.running.freeze();
    let shown = run(&["status", &uri]);
    assert_eq!(shown.code, Some(1), "{}", shown.stderr);
    broker.running.thaw();
}

#[test]
fn a_purge_empties_a_queue_wherever_it_is() {
    let [a, b] = ["a", "b"].map(Broker::start);
    send(&a, "orders", &["one", "two"]);
    send(&a, "orders.eu", &["three"]);
    send(&b, "other", &["four"]);
    let list = format!("static:({},{})", a.address, b.address);
    let purged = run(&["purge", &list, "orders"]);
    assert_eq!((purged.code, purged.lines.as_slice()), (Some(0), ["a purged 2".to_owned()].as_slice()));
    let purged = run(&["purge", &list, "queue://>", "--yes", "--format", "json"]);
    assert_eq!(purged.code, Some(0), "{}", purged.stderr);
    let purged = objects(&purged.lines);
    assert_eq!(purged.iter().map(|broker| &broker["purged"]).collect::<Vec<_>>(), [1, 1]);
    let none = run(&["purge", &list, "elsewhere"]);
    assert_eq!((none.code, none.lines.len()), (Some(1), 0));
    assert!(none.stderr.contains("there is no queue://elsewhere here"), "{}", none.stderr);
    let taken = run(&["status", &a.address, "--format", "json"]);
    let orders = &objects(&taken.lines)[0]["destinations"][0];
    assert_eq!((&orders["depth"], &orders["purged"], &orders["enqueued"]), (&0.into(), &2.into(), &2.into()));
}
