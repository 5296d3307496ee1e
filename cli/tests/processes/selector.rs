//! Which messages a consumer takes, and which consumer takes them: selectors, priorities and exclusive consumers.

use crate::brokers::{Broker, fanout};
use crate::running::{Running, run};

#[test]
fn a_selector_takes_and_shows_what_it_is_true_of_and_leaves_the_rest() {
    let broker = Broker::start("a");
    let uri = fanout(&[&broker], "minAckCount=1");
    for (text, region) in [("1", "eu"), ("2", "us"), ("3", "eu"), ("4", "uk")] {
        publish(&uri, text, &["--property", &format!("region={region}")]);
    }
    let shown = run(&["browse", &uri, "orders", "--selector", "region <> 'us' AND JMSPriority = 4"]);
    assert_eq!((shown.code, shown.lines), (Some(0), ["1", "3", "4"].map(String::from).to_vec()), "{}", shown.stderr);
    let taken = run(&["subscribe", &uri, "orders", "--selector", "region = 'eu'", "--count", "2"]);
    assert_eq!((taken.code, taken.lines), (Some(0), ["1", "3"].map(String::from).to_vec()), "{}", taken.stderr);
    let rest = run(&["subscribe", &uri, "orders", "--selector", "", "--count", "2"]);
    assert_eq!((rest.code, rest.lines), (Some(0), ["2", "4"].map(String::from).to_vec()), "{}", rest.stderr);
}

#[test]
fn an_exclusive_consumer_takes_all_and_one_of_higher_priority_before_others() {
    for wish in [&["--exclusive"][..], &["--priority", "7"]] {
        let broker = Broker::start("a");
        let uri = fanout(&[&broker], "minAckCount=1");
        let _other = broker.subscribe("orders");
        let options = ["subscribe", &uri, "orders", "--verbose", "--count", "3"];
        let mut first = Running::start(&[&options[..], wish].concat());
        first.complaint("subscribed to ");
        for text in ["1", "2", "3"] {
            publish(&uri, text, &[]);
        }
        let ended = first.end();
        assert_eq!((ended.code, ended.lines), (Some(0), ["1", "2", "3"].map(String::from).to_vec()), "{wish:?}");
    }
}

fn publish(uri: &str, text: &str, options: &[&str]) {
    let ended = run(&[&["publish", uri, "orders", text], options].concat());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}
