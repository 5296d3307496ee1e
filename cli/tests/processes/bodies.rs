//! What messages carry, from one process to another.

use serde_json::{Value, json};

use crate::group::Group;
use crate::running::{Running, run};

#[test]
fn json_has_everything_and_properties_keep_their_types() {
    let group = Group::new();
    let arguments = ["subscribe", &group.uri("s"), "topic://t.*", "--count", "1", "--format", "json"];
    let subscriber = Running::start(&arguments);
    let properties = ["flag=true", "count=-3", "price=9.5", "note=a=b", "word=yes"];
    let (uri, mut arguments) = (group.uri("p"), Vec::new());
    arguments.extend(["publish", &uri, "topic://t.x", "é \"quoted\"", "--wait-peers", "1"]);
    arguments.extend(properties.into_iter().flat_map(|property| ["--property", property]));
    assert_eq!(run(&arguments).code, Some(0));
    let ended = subscriber.end();
    assert_eq!((ended.code, ended.lines.len()), (Some(0), 1), "{ended:?}");
    let found: Value = serde_json::from_str(&ended.lines[0]).expect("an object");
    assert_eq!(found["body"], "é \"quoted\"");
    assert_eq!(found["destination"], "topic://t.x");
    assert_eq!(found["redeliveries"], 0);
    assert_eq!(found["properties"], json!({"flag": true, "count": -3, "price": 9.5, "note": "a=b", "word": "yes"}));
    assert!(found["id"].as_str().is_some_and(|id| id.starts_with("ID:")), "{found}");
    assert!(found["timestamp"].as_u64().is_some_and(|timestamp| timestamp > 1_700_000_000_000), "{found}");
    assert_eq!(found.as_object().map(serde_json::Map::len), Some(6));
}

#[test]
fn bytes_that_are_no_text_are_escaped() {
    let group = Group::new();
    let subscribe = |name: &str, format| {
        Running::start(&["subscribe", &group.uri(name), "topic://t", "--count", "2", "--format", format])
    };
    let (text, json) = (subscribe("s1", "text"), subscribe("s2", "json"));
    let arguments = ["publish", &group.uri("p"), "topic://t", "--wait-peers", "2"];
    assert_eq!(Running::start_with(&arguments, b"a\\b\nc\\\xff\xc3\xa9".as_slice()).end().code, Some(0));
    assert_eq!(text.end().lines, ["a\\b", "c\\\\\\xffé"]);
    let lines: Vec<Value> = json.end().lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!((&lines[0]["body"], lines[0].get("escaped")), (&json!("a\\b"), None));
    assert_eq!((&lines[1]["body"], &lines[1]["escaped"]), (&json!("c\\\\\\xffé"), &json!(true)));
}

#[test]
fn generated_messages_have_the_size_asked_for() {
    let group = Group::new();
    let subscriber = Running::start(&["subscribe", &group.uri("s"), "orders", "--count", "300", "--ack", "client"]);
    let arguments = ["publish", &group.uri("p"), "orders", "--count", "300", "--size", "2000", "--wait-peers", "1"];
    assert_eq!(run(&arguments).code, Some(0));
    let ended = subscriber.end();
    assert_eq!((ended.code, ended.lines.len()), (Some(0), 300));
    for (line, number) in ended.lines.iter().zip(1..) {
        assert!(line.len() == 2000 && line.starts_with(&format!("{number} ..")), "{line}");
    }
}
