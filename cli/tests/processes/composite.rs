//! Several destinations at once.

use crate::brokers::{Broker, fanout};
use crate::running::run;

#[test]
fn what_is_published_to_several_destinations_is_at_each_and_can_be_taken_from_all_at_once() {
    let broker = Broker::start("a");
    let uri = fanout(&[&broker], "minAckCount=1");
    let log = broker.subscribe("topic://log");
    let published = run(&["publish", &uri, "orders,audit,topic://log", "1", "2"]);
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    assert!(published.lines[0].starts_with("sent 2, accepted 2"), "each counts once: {:?}", published.lines);
    let one = run(&["subscribe", &uri, "orders", "--count", "2"]);
    assert_eq!((one.code, one.lines), (Some(0), ["1", "2"].map(String::from).to_vec()), "{}", one.stderr);
    assert_eq!(run(&["publish", &uri, "orders", "3"]).code, Some(0));
    let mut both = run(&["subscribe", &uri, "orders,audit", "--count", "3"]);
    both.lines.sort();
    assert_eq!((both.code, both.lines), (Some(0), ["1", "2", "3"].map(String::from).to_vec()), "{}", both.stderr);
    drop(log);
    let refused = run(&["publish", &uri, "orders,topic://log.*", "1"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("the pattern 'topic://log.*'"), "{}", refused.stderr);
    let several = run(&["browse", &uri, "orders,audit"]);
    assert_eq!(several.code, Some(2));
    assert!(several.stderr.contains("has a comma at byte 6"), "{}", several.stderr);
}
