//! Scripts drawn from a seed: something to begin with.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Script;
use crate::{Rng, Seed};

impl Script {
    /// A script of its own for each seed: peers that find each other, a topic and a queue, some faults while messages
    /// are on their way, and then time to recover from them. There are at least two hosts and at most a hundred.
    pub fn draw(seed: Seed, hosts: usize) -> Self {
        let mut rng = Rng::new(Seed(!seed.0)); // The world draws from the seed itself.
        let hosts: Vec<String> = (1..=hosts.clamp(2, 100)).map(|number| format!("h{number}")).collect();
        let mut lines: Vec<String> = hosts.iter().map(|host| format!("host {host} peer://drawn/{host}")).collect();
        let mut order: Vec<&String> = hosts.iter().collect();
        rng.shuffle(&mut order);
        let (sender, others) = order.split_first().expect("there are hosts");
        for (index, host) in others.iter().enumerate() {
            let destination = if index % 2 == 0 { "topic://news.>" } else { "queue://orders" };
            lines.push(format!("subscribe {host} {destination}"));
        }
        lines.push(format!("subscribe {} queue://orders", others[0]));
        lines.push("run 3s".into());
        lines.extend(faults(&mut rng));
        let period = rng.pick(&["5ms", "20ms", "100ms"]).expect("some");
        lines.push(format!("send {sender} topic://news.today news 100 times every {period}"));
        lines.push(format!("send {sender} queue://orders order 100 times every {period}"));
        for _ in 0..=rng.below(3) {
            let (a, b) = two(&mut rng, &hosts);
            let (away, back) = match rng.below(5) {
                0 => (format!("cut {a} {b}"), format!("heal {a} {b}")),
                1 => (format!("cut {a} -> {b}"), format!("heal {a} {b}")),
                2 => (format!("crash {a}"), format!("restart {a}")),
                3 => (format!("pause {a}"), format!("resume {a}")),
                _ => (format!("reset {a} {b}"), format!("reset {a} {b}")),
            };
            let (before, during) = (100 + rng.below(900), 100 * (1 + rng.below(100)));
            lines.extend([format!("run {before}ms"), away, format!("run {during}ms"), back]);
        }
        lines.extend(["run 1s", "faults none", "heal", "run 30s"].map(String::from));
        lines.join("\n").parse().expect("what is drawn is a script")
    }
}

/// A few at most, and often none.
fn faults(rng: &mut Rng) -> Option<String> {
    let choices = [
        "loss=10%",
        "duplication=10%",
        "reordering=20%",
        "delay=1ms..50ms",
        "stream-delay=0s..300ms",
        "reset=0.1%",
        "lateness=20ms",
        "drift=0.05%",
        "timeouts=10%",
        "chunk=100",
        "buffer=4096",
    ];
    let mut choices: Vec<&str> = choices.into();
    rng.shuffle(&mut choices);
    let mut chosen: Vec<&str> = Vec::new();
    for choice in choices.into_iter().take(usize::try_from(rng.below(4)).expect("few")) {
        if !chosen.iter().any(|other| other.contains("delay") && choice.contains("delay")) {
            chosen.push(choice);
        }
    }
    if chosen.is_empty() { None } else { Some(format!("faults {}", chosen.join(" "))) }
}

/// Two different ones.
fn two<'a>(rng: &mut Rng, hosts: &'a [String]) -> (&'a str, &'a str) {
    let mut order: Vec<&String> = hosts.iter().collect();
    rng.shuffle(&mut order);
    (order[0], order[1])
}
