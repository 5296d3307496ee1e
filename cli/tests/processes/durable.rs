//! Durable subscriptions and retained messages: what comes while nobody takes it is kept at the broker.

use crate::brokers::{Broker, fanout};
use crate::running::{Ended, Running, run};

#[test]
fn what_comes_while_nobody_takes_it_is_kept_for_the_next() {
    let broker = Broker::start("a");
    let uri = fanout(&[&broker], "minAckCount=1");
    let durable = ["subscribe", &uri, "topic://log.>", "--durable", "audit", "--client-id", "me"];
    let mut first = Running::start(&[&durable[..], &["--verbose", "--count", "1"]].concat());
    first.complaint("subscribed to ");
    publish(&uri, "1");
    assert_eq!(first.end().lines, ["1"]);
    publish(&uri, "3");
    let second = run(&[&durable[..], &["--count", "3"]].concat());
    assert_eq!((second.code, second.lines), (Some(0), vec!["1".into(), "2".into(), "3".into()]), "{}", second.stderr);

    let mut holder = Running::start(&[&durable[..], &["--verbose"]].concat());
    holder.complaint("subscribed to ");
    let refused = run(&durable);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("the durable subscription 'me/audit' is in use"), "{}", refused.stderr);
}

#[test]
fn a_retained_message_is_there_for_those_who_come_late_and_ask_for_it() {
    let broker = Broker::start("a");
    let uri = fanout(&[&broker], "minAckCount=1");
    let retain = |content| run(&["publish", &uri, "topic://price", content, "--property", "ActiveMQ.Retain=true"]);
    assert_eq!([retain("41"), retain("42")].map(|ended| ended.code), [Some(0); 2]);
    let late = run(&["subscribe", &uri, "topic://price", "--retroactive", "--count", "1"]);
    assert_eq!((late.code, late.lines), (Some(0), vec!["42".into()]), "{}", late.stderr);
}

fn publish(uri: &str, count: &str) {
    let Ended { code, stderr, .. } = run(&["publish", uri, "topic://log.door", "--count", count]);
    assert_eq!(code, Some(0), "{stderr}");
}
