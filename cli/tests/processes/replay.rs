//! Processes that are recorded, and lived again.

use flockmq::core::recording::Recorder;
use flockmq::core::{Input, Instant, Output};
use flockmq::{Config, Event, Seed};

use crate::folder::Folder;
use crate::group::Group;
use crate::running::{Ended, Running, run};

/// The files of a publisher and a subscriber that three messages went between.
fn conversation(folder: &Folder) -> [String; 2] {
    let (group, files) = (Group::new(), [folder.file("publisher"), folder.file("subscriber")]);
    let [publisher, subscriber] = &files;
    let taker = Running::start(&["subscribe", &group.uri("s"), "q", "--count", "3", "--record", subscriber]);
    let arguments =
        ["publish", &group.uri("p"), "q", "one", "two", "three", "--wait-peers", "1", "--record", publisher];
    let sent = run(&arguments);
    assert_eq!((sent.code, sent.stderr.as_str()), (Some(0), ""));
    assert_eq!(taker.end().lines, ["one", "two", "three"]);
    files
}

fn replay(file: &str, arguments: &[&str]) -> Ended {
    run(&[&["replay", file], arguments].concat())
}

/// True if the last line says so.
fn is_same(ended: &Ended) -> bool {
    ended.lines.last().is_some_and(|line| line.starts_with("the same again: "))
}

#[test]
fn a_publisher_and_a_subscriber_are_lived_again() {
    let folder = Folder::new();
    let [publisher, subscriber] = conversation(&folder);
    for (file, said) in [(publisher, "p < Command Send producer "), (subscriber, "s > Event Delivered consumer ")] {
        let ended = replay(&file, &[]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        assert!(is_same(&ended), "{:?}", ended.lines.last());
        assert!(ended.lines.iter().any(|line| line.contains(&format!("s {said}"))), "{said}: {:#?}", ended.lines);
        let all = ended.lines.concat();
        assert!(!all.contains("three"), "contents of messages are not shown: {all}");
    }
}

#[test]
fn a_replay_shows_what_its_filters_let_through_and_checks_all() {
    let folder = Folder::new();
    let [_, file] = conversation(&folder);
    let shown = |arguments: &[&str]| {
        let mut ended = replay(&file, arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(is_same(&ended), "{arguments:?}");
        ended.lines.pop();
        ended.lines
    };
    let all = shown(&[]);
    let (told, said) = (shown(&["--only", "inputs"]), shown(&["--only", "outputs"]));
    assert_eq!(told.len() + said.len(), all.len());
    assert!(told.iter().all(|line| line.contains(" s < ")) && said.iter().all(|line| line.contains(" s > ")));
    let events = shown(&["--only", "events"]);
    assert!(!events.is_empty() && events.iter().all(|line| line.contains(" s > Event")), "{events:#?}");
    let expected: Vec<String> = all.iter().filter(|line| line.contains("Listen")).cloned().collect();
    assert_eq!(shown(&["--grep", "Listen"]), expected);
    assert_eq!(shown(&["--from", "1h"]), [""; 0]);
    assert_eq!(shown(&["--until", "1h"]), all);
}

#[test]
fn a_replay_goes_on_step_by_step() {
    let folder = Folder::new();
    let [file, _] = conversation(&folder);
    let all = replay(&file, &["--only", "inputs"]).lines;
    let mut stepping = Running::start_fed(&["replay", &file, "--only", "inputs", "--step"]);
    assert_eq!(stepping.line(), all[0]);
    assert_eq!(stepping.line_soon(), None);
    stepping.feed("\n");
    assert_eq!(stepping.line(), all[1]);
    stepping.feed("s\nx\nc\n");
    stepping.complaint("Stats {");
    stepping.complaint("'x' is no word here");
    let ended = stepping.end();
    assert_eq!((ended.code, &ended.lines[..]), (Some(0), &all[2..]));
    let mut stepping = Running::start_fed(&["replay", &file, "--step"]);
    stepping.line();
    stepping.feed("q\n");
    assert_eq!(stepping.end().lines.last().map(String::as_str), Some("ended before the end of the recording"));
}

#[test]
fn the_file_of_a_process_that_was_killed_is_replayed_as_far_as_it_goes() {
    let (folder, group) = (Folder::new(), Group::new());
    let file = folder.file("killed");
    let mut subscriber = Running::start(&["subscribe", &group.uri("s"), "topic://t", "--record", &file]);
    assert_eq!(run(&["publish", &group.uri("p"), "topic://t", "x", "--wait-peers", "1"]).code, Some(0));
    assert_eq!(subscriber.line(), "x");
    // The publisher's farewell was heard some time after the message, so that this is in the file by then.
    run(&["publish", &group.uri("p"), "topic://t", "y", "--wait-peers", "1"]);
    assert_eq!(subscriber.line(), "y");
    subscriber.signal("KILL");
    subscriber.end();
    let ended = replay(&file, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(is_same(&ended) && ended.lines.iter().any(|line| line.contains("> Event Delivered")), "{:#?}", ended.lines);
    assert!(ended.stderr.contains("the recording has no end: the process was killed"), "{}", ended.stderr);
    let whole = std::fs::read(&file).expect("the file");
    std::fs::write(&file, &whole[..whole.len() - 1]).expect("written");
    let ended = replay(&file, &[]);
    assert_eq!((ended.code, is_same(&ended)), (Some(0), true));
    assert!(ended.stderr.contains("the last entry is torn"), "{}", ended.stderr);
}

#[test]
fn a_file_that_is_no_whole_recording_is_refused_with_the_place() {
    let folder = Folder::new();
    let [file, _] = conversation(&folder);
    let whole = std::fs::read(&file).expect("the file");
    let altered = folder.file("altered");
    let mut bytes = whole.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&altered, &bytes).expect("written");
    let ended = replay(&altered, &["--only", "events"]);
    assert_eq!(ended.code, Some(1));
    let place = ended.stderr.split("byte ").nth(1).and_then(|rest| rest.split(':').next()).map(str::parse::<usize>);
    assert!(matches!(place, Some(Ok(place)) if place <= middle && place + 1000 > middle), "{}", ended.stderr);
    assert!(ended.stderr.contains("was altered"), "{}", ended.stderr);
    for (text, expected) in [
        ("hello", "byte 0: this is no recording: it begins with 'hello'"),
        ("flockmq recording 99 8.0.0\n", "byte 18: a recording of format 99, made by flockmq 8.0.0; expected format 2"),
    ] {
        std::fs::write(&altered, text).expect("written");
        let ended = replay(&altered, &[]);
        assert_eq!((ended.code, ended.lines.len()), (Some(1), 0));
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
    let ended = replay(&folder.file("absent"), &[]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("absent' can't be replayed: "), "{}", ended.stderr);
}

#[test]
fn a_run_that_was_not_the_same_fails_with_the_first_place_where_it_differs() {
    let folder = Folder::new();
    let file = folder.file("other");
    let mut recorder = Recorder::new(&Config::alone("n"), Seed::from(1), Instant::ZERO);
    recorder.input(Instant::from_millis(1), &Input::Timeout);
    recorder.input(Instant::from_millis(2), &Input::Timeout);
    recorder.output(&Output::Event(Event::Stopped)); // Which this program would not say.
    recorder.end();
    std::fs::write(&file, recorder.take()).expect("written");
    let ended = replay(&file, &[]);
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.lines, ["0.001000000s n < Timeout", "0.002000000s n < Timeout"]);
    let expected = "error: not the same, first at input 2, at 0.002000000s: 0 outputs; 1 were recorded\n";
    assert_eq!(ended.stderr, expected);
}

#[test]
fn what_can_t_be_recorded_into_is_left_as_it_is() {
    let (folder, group) = (Folder::new(), Group::new());
    let file = folder.file("precious");
    std::fs::write(&file, "precious").expect("written");
    for arguments in [
        &["publish", &group.uri("p"), "q", "x", "--record", &file] as &[&str],
        &["subscribe", &group.uri("p"), "q", "--record", &file],
        &["peers", &group.uri("p"), "--record", &file],
        &["broker", "--listen", "tcp://127.0.0.1:0", "--no-discovery", "--record", &file],
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(1), "{arguments:?}");
        assert!(ended.stderr.contains("precious' can't be recorded into: "), "{}", ended.stderr);
    }
    assert_eq!(std::fs::read(&file).expect("the file"), b"precious");
}

#[test]
fn a_broker_and_a_fanout_client_are_recorded_too() {
    let (folder, group) = (Folder::new(), Group::new());
    let [of_broker, of_client, of_peers] = ["broker", "client", "peers"].map(|name| folder.file(name));
    let broker = group.broker("b", &["--record", &of_broker]);
    let uri = format!("fanout:(static:({}))?minAckCount=1", broker.address);
    assert_eq!(run(&["publish", &uri, "topic://t", "x", "--record", &of_client]).code, Some(0));
    assert_eq!(run(&["peers", &uri, "--for", "100ms", "--record", &of_peers]).code, Some(0));
    broker.running.signal("TERM");
    assert_eq!(broker.running.end().code, Some(0));
    for file in [of_broker, of_client, of_peers] {
        let ended = replay(&file, &["--only", "events"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        assert!(is_same(&ended));
    }
}
