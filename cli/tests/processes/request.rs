//! Questions and answers between processes.

use crate::brokers::{fanout, three};
use crate::group::Group;
use crate::running::{Running, run};

#[test]
fn a_request_is_answered_by_another_process() {
    let group = Group::new();
    let mut replier =
        Running::start(&["reply", &group.uri("b"), "queue://echo", "--echo", "--count", "2", "--verbose"]);
    replier.complaint("answering queue://echo");
    let asked = run(&["request", &group.uri("a"), "queue://echo", "hällo", "--timeout", "30s"]);
    assert_eq!((asked.code, asked.lines, asked.stderr.as_str()), (Some(0), vec!["hällo".to_owned()], ""));
    let asking = ["request", &group.uri("c"), "queue://echo", "--timeout", "30s", "--wait-peers", "1"];
    let asked = Running::start_with(&asking, "from\nstandard input").end();
    assert_eq!((asked.code, asked.lines), (Some(0), vec!["from".to_owned(), "standard input".to_owned()]));
    let answered = replier.end();
    assert_eq!(
        (answered.code, answered.lines),
        (Some(0), vec!["hällo".into(), "from".into(), "standard input".into()])
    );
}

#[test]
fn a_command_answers_and_one_that_fails_does_not() {
    let group = Group::new();
    let command = "read n; [ $n != 13 ] && echo $((2 * n))";
    let mut replier = Running::start(&["reply", &group.uri("b"), "queue://doubled", "--exec", command, "--verbose"]);
    replier.complaint("answering queue://doubled");
    let unlucky = run(&["request", &group.uri("a"), "queue://doubled", "13", "--wait-peers", "1", "--timeout", "3s"]);
    assert_eq!((unlucky.code, unlucky.lines.len()), (Some(124), 0));
    assert_eq!(unlucky.stderr, "error: timed out after 3s: no reply came\n");
    replier.complaint("warning: the command failed, exit status: 1: message ID:");
    let asked = run(&["request", &group.uri("a"), "queue://doubled", "21", "--format", "json", "--timeout", "30s"]);
    assert_eq!((asked.code, asked.lines.len()), (Some(0), 1), "{}", asked.stderr);
    assert!(asked.lines[0].starts_with(r#"{"body":"42","destination":"temp-queue://"#), "{}", asked.lines[0]);
    replier.signal("INT");
    let answered = replier.end();
    assert_eq!((answered.code, answered.lines), (Some(0), vec!["21".to_owned()]));
}

#[test]
fn requests_are_answered_through_brokers_that_both_are_clients_of() {
    let brokers = three();
    let uri = fanout(&brokers.each_ref(), "minAckCount=2");
    let mut replier = Running::start(&["reply", &uri, "queue://version", "--body", "1.2", "--verbose"]);
    replier.complaint("answering queue://version");
    let asked = run(&["request", &uri, "queue://version", "which?", "--timeout", "30s"]);
    assert_eq!((asked.code, asked.lines), (Some(0), vec!["1.2".to_owned()]), "{}", asked.stderr);
}
