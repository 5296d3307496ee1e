//! Bad usage: exit code 2 and a message that quotes the fault; deadlines: exit code 124.

use crate::group::Group;
use crate::running::{Running, run};

#[test]
fn bad_usage_exits_with_2_and_quotes_the_fault() {
    let cases: [(&[&str], &str); 66] = [
        (&[], "Usage: flockmq"),
        (&["subscrib"], "'subscrib'"),
        (&["publish", "peer://g"], "<DEST>"),
        (&["publish", "peer://g?persistant=true", "q", "x"], "'persistant' is no option"),
        (&["publish", "peer://g?queuePrefetch=0", "q", "x"], "'0' is out of range for 'queuePrefetch'"),
        (&["publish", "http://g", "q", "x"], "'http' is no scheme"),
        (&["publish", "tcp://a:1", "q", "x"], "'tcp://a:1' can't be connected to"),
        (&["subscribe", "peer://g?persistent=true", "q"], "persistent=true"),
        (&["publish", "peer://g/n", "stack://q", "x"], "'stack' is no kind of destination"),
        (&["publish", "peer://g/n", "a..b", "x"], "'a..b' has an empty level"),
        (&["publish", "peer://g/n", "topic://a.>", "x"], "'topic://a.>'"),
        (&["publish", "peer://g/n", "q", "x", "--count", "2"], "--count"),
        (&["publish", "peer://g/n", "q", "--size", "2"], "--count"),
        (&["publish", "peer://g/n", "q", "--count", "0"], "'0'"),
        (&["publish", "peer://g/n", "q", "x", "--property", "abc"], "'abc' has no '='"),
        (&["publish", "peer://g/n", "q", "x", "--timeout", "5x"], "'5x' is no duration"),
        (&["subscribe", "peer://g/n", "topic://"], "a destination needs a name"),
        (&["subscribe", "peer://g/n", "q", "--format", "xml"], "'xml'"),
        (&["subscribe", "peer://g/n", "q", "--ack", "never"], "'never'"),
        (&["subscribe", "fanout:(static:(tcp://h:1))?minAckCount=1", "topic://t", "--durable", "a"], "--client-id"),
        (&["subscribe", "fanout:(static:(tcp://h:1))?minAckCount=1", "topic://t", "--client-id", "a"], "--durable"),
        (
            &[
                "subscribe",
                "fanout:(static:(tcp://h:1))?minAckCount=1",
                "topic://t",
                "--durable",
                "a",
                "--client-id",
                "",
            ],
            "client id",
        ),
        (&["subscribe", "peer://g/n", "topic://t", "--durable", "a", "--client-id", "b"], "outlast"),
        (
            &["subscribe", "peer://g/n", "q", "--selector", "region = 'eu' AND"],
            "expected a value at column 18, found the end",
        ),
        (&["subscribe", "peer://g/n", "q", "--selector", "a >< 1"], "\n     ^\n"),
        (&["browse", "fanout:(multicast://default)", "q", "--selector", "a ="], "at column 4"),
        (&["subscribe", "peer://g/n", "q", "--priority", "128"], "0..=127"),
        (&["peers", "peer:///n"], "peer:///n"),
        (&["uri", "peer://g?networkTTL=x"], "'x' is no value for 'networkTTL'"),
        (&["publish", "fanout:(multicast://default)?minAckCount=0", "q", "x"], "'0' is out of range for 'minAckCount'"),
        (&["publish", "fanout:(multicast://default)?minAkCount=1", "q", "x"], "the nearest is 'minAckCount'"),
        (&["publish", "fanout:multicast://default?minAckCount=1", "q", "x"], "fanout:(URI)?minAckCount=VALUE"),
        (&["publish", "fanout:(static:(tcp://a:1))", "q", "x"], "'static:(tcp://a:1)'"),
        (&["subscribe", "fanout:(peer://g)", "q"], "'peer'"),
        (&["subscribe", "fanout:()", "q"], "fanout:"),
        (&["broker", "x"], "'x'"),
        (&["broker", "--listen", "udp://h:1"], "'udp://h:1' does not begin with tcp://"),
        (&["broker", "--listen", "tcp://h:1?x=1"], "'1?x=1' is no port"),
        (&["broker", "--group", ""], "group"),
        (&["broker", "--name", "a\nb"], "name"),
        (&["broker", "--policy", "orders?memoryLimit=1kB"], "memoryLimit: '1kB' is no number of bytes"),
        (&["broker", "--options", "memoryLimit=1"], "'1' is out of range for 'memoryLimit'"),
        (&["broker", "--options", "persistent=true"], "persistent=true"),
        (
            &["broker", "--options", "networkConnectorURIs=static:(tcp://a:1)"],
            "'static:(tcp://a:1)' lists members of its group, which it links up with only with --network",
        ),
        (&["broker", "--network", "multicast://default"], "'multicast' is no scheme that fits here; expected network"),
        (&["broker", "--no-discovery", "--interface", "lo"], "--interface"),
        (&["broker", "--no-discovery", "--options", "discovery.port=7000"], "--no-discovery"),
        (&["demo", "--record", "x"], "'--record'"),
        (&["simulate", "--seed", "x"], "'x'"),
        (&["simulate", "--hosts", "1"], "'1'"),
        (&["simulate", "--scenario", "x", "--hosts", "3"], "--hosts"),
        (&["simulate", "--print", "--record", "x"], "--record"),
        (&["purge", "tcp://a:1", "queue://a.>"], "--yes"),
        (&["purge", "tcp://a:1", "topic://a"], "topic://a is no queue"),
        (&["purge", "tcp://a:1"], "<QUEUE>"),
        (&["status", "vm://a"], "'vm://a' is a broker within this process"),
        (&["status", "tcp://a:1?x=1"], "'x' is no option"),
        (&["status", "tcp://a:1", "--for", "5x"], "'5x' is no duration"),
        (&["status", "tcp://a:1", "--watch", "0"], "'0' is too short; expected 100ms at least"),
        (&["replay"], "<FILE>"),
        (&["request", "peer://g/n", "topic://a.>", "x"], "'topic://a.>'"),
        (&["request", "peer://g/n", "temp-queue://a", "x"], "'a' names no temporary destination"),
        (&["reply", "peer://g/n", "q"], "--echo"),
        (&["reply", "peer://g/n", "q", "--echo", "--body", "x"], "--body"),
        (&["replay", "x", "--only", "everything"], "'everything'"),
        (&["replay", "x", "--from", "5x"], "'5x' is no duration"),
    ];
    for (arguments, expected) in cases {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(expected), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.lines, [""; 0], "{arguments:?}");
    }
}

#[test]
fn the_part_of_a_uri_at_fault_is_pointed_at() {
    let commands =
        [&["uri", "peer://g?x=1&y"] as &[&str], &["publish", "peer://g?x=1&y", "q"], &["broker", "--options", "x=1&y"]];
    for (command, group) in commands.into_iter().zip(["g", "g", "default"]) {
        let ended = run(command);
        let lines: Vec<&str> = ended.stderr.lines().skip(1).collect();
        assert_eq!(ended.code, Some(2));
        let before = format!("  peer://{group}");
        let caret = format!("{}^", " ".repeat(before.len() + 1));
        assert_eq!(lines, [format!("{before}?x=1&y"), caret], "{}", ended.stderr);
    }
}

#[test]
fn a_uri_is_explained_option_by_option() {
    let ended = run(&["uri", "peer://a%20b?queuePrefetch=7&networkConnectorURIs=static:(tcp://h:1)"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in ["peer:", "* group  a b", "* queuePrefetch = 7  (default 1000)", "  topicPrefetch = 32767  (default)"] {
        assert!(ended.lines.iter().any(|line| line == part), "{part}: {:#?}", ended.lines);
    }
    for nested in ["    static:", "        tcp:"] {
        assert!(ended.lines.iter().any(|line| line == nested), "{nested}: {:#?}", ended.lines);
    }
}

#[test]
fn help_has_examples_and_is_no_failure() {
    for command in ["broker", "browse", "demo", "peers", "publish", "replay", "simulate", "subscribe", "uri"] {
        let ended = run(&[command, "--help"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        assert!(command == "demo" || ended.lines.iter().any(|line| line == "Examples:"), "{command}");
    }
}

#[test]
fn deadlines_that_pass_exit_with_124() {
    let group = Group::new();
    let uri = group.uri("n");
    let ended = run(&["subscribe", &uri, "q", "--count", "2", "--timeout", "200ms"]);
    assert_eq!((ended.code, ended.lines.len()), (Some(124), 0));
    assert!(ended.stderr.contains("timed out after 200ms: 0 of 2 messages came"), "{}", ended.stderr);
    let ended = run(&["publish", &uri, "q", "x", "--wait-peers", "3", "--timeout", "200ms"]);
    assert_eq!(ended.code, Some(124));
    assert!(ended.stderr.contains("timed out after 200ms: 0 of 3 peers were ready"), "{}", ended.stderr);
    for command in [&["publish"] as &[&str], &["subscribe", "--count", "1"]] {
        let waiting = ["vm://absent?create=false&waitForStart=3600000", "q", "--timeout", "200ms"];
        assert_eq!(run(&[command, &waiting].concat()).code, Some(124), "{command:?}");
    }
    let ended = Running::start_fed(&["publish", &uri, "topic://t", "--timeout", "200ms"]);
    let ended = ended.end_unfed();
    assert_eq!(ended.code, Some(124), "{ended:?}");
    assert!(ended.stderr.contains("0 messages were sent"), "{}", ended.stderr);
}

#[test]
fn a_subscriber_without_a_count_is_done_when_its_time_is_up() {
    let ended = run(&["subscribe", "vm://n", "q", "--timeout", "200ms"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}
