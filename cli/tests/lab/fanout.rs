//! Brokers on hosts of their own, and a client that sends to all of them.

use std::time::{Duration, Instant};

use crate::lab::{Host, Lab};
use crate::load::{Load, numbers, up_to};
use crate::process::{PATIENCE, Process};

#[test]
fn a_host_that_is_cut_off_and_comes_back_gets_every_message_once() {
    let Some(lab) = Lab::open([&[0], &[0], &[0], &[0]]) else { return };
    let [client, one, two, three] = &lab.hosts;
    let mut sites = [(one, "one"), (two, "two"), (three, "three")].map(|(host, name)| Site::open(host, name));
    let uri = "fanout:(multicast://default?group=lab)?minAckCount=3&maxReconnectDelay=500";
    let mut speaker = client.start(&["publish", uri, "topic://news", "--verbose", "--timeout", "60s"]);
    let load = Load::start(&mut speaker);
    let deadline = Instant::now() + PATIENCE;
    for site in &mut sites {
        site.listener.wait_until(deadline, "the flow", |lines| lines.len() >= 20);
    }

    let skipped = sites[2].broker.lines().len();
    lab.partition(&[&[client, one, two], &[three]]);
    let cut_at = Instant::now();
    let lost_at = sites[2].broker.wait_for(skipped, "client lost ", cut_at + LOST_MAX);
    load.keep_up(Duration::from_secs(1)); // All of this waits for a third broker.
    let accepted = speaker.lines().len();
    assert!(load.count() > accepted, "too few brokers have accepted {accepted}");

    lab.heal();
    let healed_at = Instant::now();
    let found_at = sites[2].broker.wait_for(skipped, "client up ", healed_at + PATIENCE);
    load.keep_up(Duration::from_millis(500));
    let fed = load.stop(&mut speaker);
    let said = speaker.end();
    eprintln!("lost after {:?}, found {:?} after the healing", lost_at - cut_at, found_at - healed_at);

    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    assert_eq!(said.len(), fed);
    for (line, number) in said.iter().zip(1..) {
        assert!(line.starts_with(&format!("{number}: accepted by 3: ")), "{line}");
    }
    for Site { mut listener, .. } in sites {
        listener.wait_for(0, &fed.to_string(), Instant::now() + PATIENCE);
        assert_eq!(numbers(listener.lines()), up_to(fed), "each once and in order");
    }
}

/// A broker and somebody who takes what comes there.
struct Site {
    broker: Process,
    listener: Process,
}

impl Site {
    fn open(host: &Host, name: &str) -> Self {
        let options = "wireFormat.maxInactivityDuration=2000";
        let mut broker = host.start(&["broker", "--group", "lab", "--name", name, "--options", options]);
        let deadline = Instant::now() + PATIENCE;
        broker.wait_for(0, &format!("broker up {name} at tcp://{}:", host.addresses()[0]), deadline);
        let (_, address) = broker.lines()[0].text.rsplit_once(' ').expect("addresses");
        assert!(address.starts_with("tcp://127.0.0.1:"), "loopback comes last: {address}");
        let uri = format!("fanout:(static:({address}))?minAckCount=1");
        let mut listener = host.start(&["subscribe", &uri, "topic://news", "--verbose"]);
        listener.wait_for_complaint("subscribed to ", deadline);
        Self { broker, listener }
    }
}

/// Two seconds of silence, and what a busy machine adds.
const LOST_MAX: Duration = Duration::from_millis(3500);
