//! Texts that are scripts, or nearly.

use std::time::Duration;

use flockmq_core::sim::{Play, Script, ScriptStep, Tally};
use flockmq_core::{Instant, Seed};

/// Text: what it means as a script is still the same when it was printed and read again, and is played the same whether
/// anybody watches or not; what is wrong with another stands where the error says.
///
/// # Panics
///
/// If it is not, or does not.
pub fn script(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<Script>() {
        Ok(script) => {
            let printed = script.to_string();
            assert_eq!(printed.parse().as_ref(), Ok(&script), "{text:?} prints as {printed:?}");
            if is_small(&script) {
                play(&script);
            }
        }
        Err(error) => {
            let line = text.lines().nth(error.line - 1).expect("the line of an error");
            assert!(line.get(error.at.clone()).is_some(), "'{error}' at {:?} of {line:?}", error.at);
            assert_eq!(error.column, line[..error.at.start].chars().count() + 1, "'{error}' of {line:?}");
            assert!(!error.fault.to_string().is_empty(), "{line:?} is told what is wrong");
        }
    }
}

/// True if it may be played in some milliseconds.
fn is_small(script: &Script) -> bool {
    let (mut hosts, mut messages) = (0, 0_u64);
    for step in &script.steps {
        match step {
            ScriptStep::Request(send) | ScriptStep::Send(send) => messages += u64::from(send.times),
            ScriptStep::Start { config, .. } => {
                hosts += 1;
                if config.peers.len() > PEERS_MAX {
                    return false;
                }
            }
            _ => (),
        }
    }
    hosts <= HOSTS_MAX && messages <= MESSAGES_MAX
}

fn play(script: &Script) {
    let start = || {
        let mut play = Play::new(Seed::from(1), script);
        play.end_after(TIME_MAX);
        play
    };
    let (mut alone, mut watched) = (start(), start());
    watched.tell();
    watched.world().record();
    for _ in 0..STEPS_MAX {
        let goes_on = alone.step();
        assert_eq!(watched.step(), goes_on);
        let lines = watched.take_lines();
        assert!(lines.iter().all(|line| line.at <= alone.world().now() && !line.text.is_empty()));
        if !goes_on {
            break;
        }
    }
    assert_eq!(seen(&mut alone), seen(&mut watched), "watching changes nothing: {script}");
    for host in alone.world().hosts() {
        for recording in watched.world().recordings(host) {
            let replayed = recording.replay(recording.config.clone());
            assert_eq!(replayed, recording.outputs, "{host} lives again: {script}");
        }
    }
}

/// What two plays of one script have in common.
fn seen(play: &mut Play) -> (u64, Instant, Tally) {
    (play.world().trace_hash(), play.world().now(), play.tally().clone())
}

const HOSTS_MAX: usize = 5;
const MESSAGES_MAX: u64 = 500;
const PEERS_MAX: usize = 20;
const STEPS_MAX: usize = 2_000;
const TIME_MAX: Duration = Duration::from_mins(1);
