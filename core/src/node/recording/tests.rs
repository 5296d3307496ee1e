//! Recordings of a small life, whole, cut, altered and of another age.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::base::{BackoffConfig, Timestamp};
use crate::model::{
    Ack, AckExtent, AckKind, AdminRequest, Body, CloseReason, ConnectionId, ConsumerId, Destination, GroupId, LinkId,
    ListenerId, RequestId, Subscription, Value,
};
use crate::node::{Command, Event, Output, TransportConfig};

/// A node that does what it is told, and is recorded.
struct Life {
    node: Node,
    recorder: Recorder,
    events: Vec<Event>,
}

impl Life {
    fn new(config: Config) -> Self {
        let (seed, start) = (Seed::from(7), Instant::from_millis(3));
        let recorder = Recorder::new(&config, seed, start);
        let mut life = Self { node: Node::new(config, seed, start), recorder, events: Vec::new() };
        life.drain();
        life
    }

    fn tell(&mut self, millis: u64, input: Input) {
        let at = Instant::from_millis(millis);
        self.recorder.input(at, &input);
        self.node.handle_input(at, input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            self.recorder.output(&output);
            if let Output::Event(event) = output {
                self.events.push(event);
            }
        }
    }
}

/// One of each input and command that a node may be told at any time.
fn inputs() -> Vec<Input> {
    let (connection, consumer) = (ConnectionId(1), ConsumerId(2));
    let request = RequestId;
    let topic = Destination::topic("t.a").unwrap();
    let subscription = Subscription { prefetch: Some(9), ..Subscription::new(Destination::topic("t.>").unwrap()) };
    let ack = Ack { consumer, tag: 1, extent: AckExtent::UpTo, kind: AckKind::Accepted };
    let asked = AdminRequest::Destinations { within: None, after: Some(topic.clone()) };
    let mut body = Body::text("a body");
    body.headers.properties.set("urgent", Value::Bool(true)).unwrap();
    vec![
        Input::WallClock(Timestamp::from_millis(1_767_225_600_000)),
        Input::Listening { listener: ListenerId(1), addresses: vec!["10.0.0.1:40000".parse().unwrap()] },
        Input::Command(Command::Attach { request: request(1), connection }),
        Input::Command(Command::Subscribe { request: request(2), connection, consumer, subscription }),
        Input::Command(Command::Produce { request: request(3), connection, producer: 1, destination: topic.into() }),
        Input::Command(Command::Send { connection, producer: 1, messages: vec![body, Body::bytes(vec![0, 255])] }),
        Input::Command(Command::Ack { connection, ack }),
        Input::Datagram { group: GroupId(1), from: "10.0.0.2:6155".parse().unwrap(), data: "?".into() },
        Input::JoinFailed { group: GroupId(1), reason: "no such device".into() },
        Input::Connected { link: LinkId(1), remote: "10.0.0.2:50000".parse().unwrap() },
        Input::Bytes { link: LinkId(1), data: "\u{1}nonsense".into() },
        Input::Sent { link: LinkId(1), bytes: 5 },
        Input::Closed { link: LinkId(1), reason: CloseReason::Failed("reset".into()) },
        Input::Timeout,
        Input::Command(Command::CloseConsumer { request: request(4), connection, consumer, seen: 1 }),
        Input::Command(Command::CloseProducer { request: request(5), connection, producer: 1 }),
        Input::Command(Command::Ask { request: request(7), only: None, asked }),
        Input::Command(Command::Detach { request: request(6), connection }),
        Input::ListenFailed { listener: ListenerId(1), reason: "taken".into() },
        Input::Command(Command::Stop),
    ]
}

fn config() -> Config {
    let mut config = Config::peer("group", "a");
    let address: crate::model::Address = "tcp://10.0.0.9:61616".parse().unwrap();
    let transport = TransportConfig {
        backoff: Some(BackoffConfig { attempts_max: Some(9), ..BackoffConfig::default() }),
        connect_timeout: Some(Duration::from_secs(2)),
        ..TransportConfig::default()
    };
    config.transports.insert(address, transport);
    config
}

/// A short life that ended in order.
fn file() -> Vec<u8> {
    let mut life = Life::new(config());
    for (index, input) in inputs().into_iter().enumerate() {
        life.tell(10 + index as u64 * 5, input);
    }
    life.recorder.end();
    life.recorder.take()
}

fn entries(bytes: &[u8]) -> (Vec<Entry>, Result<Ending, RecordingError>) {
    let (mut reader, mut found) = (Reader::default(), Vec::new());
    reader.push(bytes);
    loop {
        match reader.poll_entry() {
            Ok(Some(entry)) => found.push(entry),
            Ok(None) => return (found, reader.finish()),
            Err(error) => return (found, Err(error)),
        }
    }
}

fn fault(bytes: &[u8]) -> String {
    entries(bytes).1.expect_err("no recording").to_string()
}

#[test]
fn a_life_is_lived_again_and_says_the_same() {
    let recording = Recording::read(&file()).unwrap();
    assert_eq!(
        (&recording.config, recording.seed, recording.start),
        (&config(), Seed::from(7), Instant::from_millis(3))
    );
    assert_eq!(recording.inputs.iter().map(|(_, input)| input.clone()).collect::<Vec<_>>(), inputs());
    assert_eq!(recording.replay(config()), recording.outputs);
    assert_eq!(recording.ending, Ending::Complete);
    let mut replay = Replay::default();
    let mut lines = Vec::new();
    for entry in entries(&file()).0 {
        replay.handle_entry(entry, |at, moment| lines.push(alloc::format!("{at} {moment}"))).unwrap();
    }
    assert_eq!(replay.inputs(), inputs().len() as u64);
    assert_eq!(replay.fingerprint(), recording.outputs);
    assert!(lines.contains(&"0.035000000s < Command Send producer 1, 2 messages".to_string()), "{lines:#?}");
    assert!(lines.last().is_some_and(|line| line.starts_with("0.105000000s > Close { link: ")), "{lines:#?}");
}

#[test]
fn a_life_with_another_config_differs_from_where_it_shows() {
    let mut replay = Replay::default();
    let mut entries = entries(&file()).0.into_iter();
    let Some(Entry::Started { at, mut config, seed }) = entries.next() else { panic!("it begins with the start") };
    config.broker.message_max = 4;
    replay.handle_entry(Entry::Started { at, config, seed }, |_, _| ()).unwrap();
    let difference = entries.find_map(|entry| replay.handle_entry(entry, |_, _| ()).err()).expect("a refusal");
    assert_eq!((difference.input, difference.at), (6, Instant::from_millis(35)));
    assert!(difference.to_string().starts_with("at input 6, at 0.035000000s: "), "{difference}");
}

#[test]
fn an_answer_that_was_not_recorded_is_a_difference_too() {
    let mut replay = Replay::default();
    let found = entries(&file()).0;
    let is_first_said = |(_, entry): &(usize, &Entry)| matches!(entry, Entry::Said { .. });
    let (first, _) = found.iter().enumerate().find(is_first_said).expect("it listens");
    let mut kept = found.into_iter().enumerate().filter(|(index, _)| *index != first).map(|(_, entry)| entry);
    let difference = kept.find_map(|entry| replay.handle_entry(entry, |_, _| ()).err()).expect("a difference");
    assert_eq!((difference.input, difference.recorded), (0, 0));
    assert!(difference.to_string().starts_with("at its start: "), "{difference}");
}

#[test]
fn a_process_that_is_not_recorded_any_more_says_why() {
    let mut life = Life::new(config());
    life.recorder.give_up("the disk is slow");
    life.tell(5, Input::Timeout);
    life.recorder.end();
    let recording = Recording::read(&life.recorder.take()).unwrap();
    assert_eq!(recording.ending, Ending::GivenUp { reason: "the disk is slow".into() });
    assert_eq!(recording.inputs, []);
    assert_eq!(life.recorder.take(), []);
}

#[test]
fn an_input_too_large_for_an_entry_ends_the_recording() {
    let mut life = Life::new(config());
    let data = |length: usize| Input::Datagram {
        group: GroupId(9),
        from: "10.0.0.2:1".parse().unwrap(),
        data: vec![7; length].into(),
    };
    life.recorder.input(Instant::from_millis(5), &data(ENTRY_MAX as usize - 100));
    assert!(!life.recorder.is_over());
    life.recorder.input(Instant::from_millis(5), &data(ENTRY_MAX as usize));
    assert!(life.recorder.is_over());
    let recording = Recording::read(&life.recorder.take()).unwrap();
    assert_eq!(recording.inputs.len(), 1);
    let Ending::GivenUp { reason } = recording.ending else { panic!("{:?}", recording.ending) };
    assert!(reason.contains("expected 67108863 at most"), "{reason}");
}

#[test]
fn what_is_no_recording_is_told_where_and_why() {
    let whole = file();
    let head = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let length = u32::from_le_bytes(whole[head..head + 4].try_into().unwrap()) & ENTRY_MAX;
    let start = head + PREFIX + length as usize;
    assert!(fault(b"").starts_with("byte 0: this is no recording: it begins with ''; expected 'flockmq recording'"));
    assert!(fault(b"\x7fELF and more").contains("it begins with '\\x7fELF and more'"));
    assert!(fault(&[b'f'; 100]).starts_with("byte 0: "));
    assert!(fault(b"flockmq recording of a concert\n").starts_with("byte 0: "));
    let other = fault(b"flockmq recording 9 7.1.0\n");
    assert!(other.starts_with("byte 18: a recording of format 9, made by flockmq 7.1.0; expected format 2"), "{other}");
    assert_eq!(
        fault(&whole[..head + 20]),
        alloc::format!("byte {}: the file ends; expected the config and seed of a node", head + 20)
    );
    let mut altered = whole.clone();
    altered[start + PREFIX] ^= 1;
    assert!(fault(&altered).starts_with(&alloc::format!("byte {start}: the entry there was altered")));
    let mut long = whole.clone();
    long[start + 1] ^= 1;
    assert!(fault(&long).starts_with(&alloc::format!("byte {start}: the entry there was altered")));
    let mut unknown = whole[..start].to_vec();
    let entry = [250, 1, 2];
    unknown.extend(seal(3).to_le_bytes());
    unknown.extend(check(&entry).to_le_bytes());
    unknown.extend(entry);
    assert!(fault(&unknown).starts_with(&alloc::format!("byte {start}: an entry of 3 bytes that says nothing known")));
    let second = [&whole[..start], &whole[head..]].concat();
    assert_eq!(fault(&second), alloc::format!("byte {start}: a second start; expected an input or the end"));
    let headless = [&whole[..head], &whole[start..]].concat();
    assert_eq!(fault(&headless), alloc::format!("byte {head}: no start; expected the config and seed of a node"));
    let more = [&whole[..], b"x"].concat();
    assert_eq!(fault(&more), alloc::format!("byte {}: something after the end; expected nothing more", whole.len()));
}

#[test]
fn time_does_not_go_back() {
    let mut recorder = Recorder::new(&config(), Seed::from(1), Instant::from_millis(5));
    recorder.input(Instant::from_millis(4), &Input::Timeout);
    let error = fault(&recorder.take());
    assert!(error.ends_with("an input at 0.004000000s, after one at 0.005000000s; expected times that do not go back"));
}

/// Whoever sees this fail has changed how entries are written, or something that stands in them: a file from before
/// can't be read any more. Raise `FORMAT` and let `the_golden_file_is_written_anew` do what it says.
#[test]
fn files_from_before_can_be_read() {
    let recording = Recording::read(GOLDEN).unwrap();
    assert_eq!(recording.config, config());
    assert_eq!(recording.inputs.iter().map(|(_, input)| input.clone()).collect::<Vec<_>>(), inputs());
    let mut recorder = Recorder::new(&recording.config, recording.seed, recording.start);
    for (at, input) in &recording.inputs {
        recorder.input(*at, input);
    }
    recorder.end();
    let entries = |file: &[u8]| file.splitn(2, |byte| *byte == b'\n').nth(1).map(<[u8]>::to_vec);
    assert_eq!(entries(&recorder.take()), entries(GOLDEN));
}

#[test]
#[ignore = "it writes, for a new format"]
fn the_golden_file_is_written_anew() {
    let mut recorder = Recorder::new(&config(), Seed::from(7), Instant::from_millis(3));
    for (index, input) in inputs().iter().enumerate() {
        recorder.input(Instant::from_millis(10 + index as u64 * 5), input);
    }
    recorder.end();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/node/recording/golden.bin");
    std::fs::write(path, recorder.take()).unwrap();
}

const GOLDEN: &[u8] = include_bytes!("golden.bin");

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, keep in 0_usize..2000, at in 0_usize..2000) {
        entries(&bytes).1.ok();
        let whole = file();
        let mut spliced = whole[..keep.min(whole.len())].to_vec();
        spliced.extend(&bytes);
        spliced.extend(&whole[at.min(whole.len())..]);
        entries(&spliced).1.ok();
    }

    #[test]
    fn a_file_that_was_cut_is_read_as_far_as_it_goes(cut in 0_usize..3000) {
        let whole = file();
        let cut = cut % whole.len();
        let (all, _) = entries(&whole);
        let (found, ending) = entries(&whole[..cut]);
        prop_assert_eq!(&found[..], &all[..found.len()]);
        prop_assert!(found.len() < all.len());
        match ending {
            Ok(Ending::Open) => (),
            Ok(Ending::Torn { at, length }) => prop_assert_eq!(at + length, cut as u64),
            Ok(other) => prop_assert!(false, "{:?}", other),
            Err(_) => prop_assert!(found.is_empty()),
        }
    }

    #[test]
    fn a_file_is_the_same_however_it_is_cut(chunk in 1_usize..200) {
        let whole = file();
        let (mut reader, mut found) = (Reader::default(), Vec::new());
        for chunk in whole.chunks(chunk) {
            reader.push(chunk);
            while let Some(entry) = reader.poll_entry().unwrap() {
                found.push(entry);
            }
        }
        prop_assert_eq!(reader.offset(), whole.len() as u64);
        prop_assert_eq!(reader.finish(), Ok(Ending::Complete));
        prop_assert_eq!(found, entries(&whole).0);
    }

    #[test]
    fn an_altered_file_is_never_taken_for_whole(at in 0_usize..3000, bit in 0_u32..8) {
        let mut altered = file();
        let head = altered.iter().position(|byte| *byte == b'\n').unwrap();
        let at = head + at % (altered.len() - head);
        altered[at] ^= 1 << bit;
        match entries(&altered).1 {
            Err(RecordingError::Altered { .. } | RecordingError::NoRecording { .. }) => (),
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
