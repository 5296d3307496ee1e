//! `flockmq replay`: a recorded process, lived again without a network.

use std::fs::File;
use std::io::{self, BufRead, ErrorKind, Read};
use std::path::PathBuf;

use clap::Args;
use flockmq::core::recording::{self, Difference, Ending, Entry, Reader};

use crate::failure::{Failure, warn};
use crate::progress::say;
use crate::transition::{Filter, Transcript};

/// Live a recorded process again, offline, and show what it was told and what it said: a line for each.
///
/// A process that was run with --record has all of its behaviour in one file: its options, its seed, everything it was
/// told and when. The same program, given that, says the same again. If it does not, the first place where it differs is
/// shown.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq subscribe peer://groupA orders --record run.flock
  flockmq replay run.flock
  flockmq replay run.flock --only events --from 2s --until 3s
  flockmq replay run.flock --grep 'link 1' --step

Each line has the time on the process's clock, its name, and '<' for what it was told or '>' for what it said. Contents of
messages are not shown, but they are in the file. The last line says whether all was the same. The exit code is 0 if so,
also if the file ends early, as that of a process that was killed; 1 if something was not the same or the file can't be
read; 2 for bad usage.")]
pub(crate) struct Replay {
    /// What --record has written
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    filter: Filter,
    /// Wait after each step that is shown: Enter goes on, 's' shows how the node stands, 'c' goes on without waiting, 'q'
    /// ends
    #[arg(long)]
    step: bool,
}

/// What is wanted after a step.
enum Wish {
    Continue,
    End,
    Step,
}

impl Replay {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut file = File::open(&self.file).map_err(|error| self.unreadable(&error))?;
        let (mut reader, mut buffer) = (Reader::default(), vec![0; CHUNK]);
        let mut life = Life {
            replay: recording::Replay::default(),
            transcript: Transcript::new(&self.filter),
            name: String::new(),
            steps: self.step,
        };
        loop {
            while let Some(entry) = reader.poll_entry().map_err(|error| self.unreadable(&error))? {
                let difference = match life.live(entry)? {
                    Lived::Same => continue,
                    Lived::Ended => return life.transcript.say("ended before the end of the recording"),
                    Lived::Differently(difference) => difference,
                };
                return Err(Failure::Failed(differs(&difference, reader.version())));
            }
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => reader.push(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => (),
                Err(error) => return Err(self.unreadable(&error)),
            }
        }
        match reader.finish().map_err(|error| self.unreadable(&error))? {
            Ending::Complete => (),
            Ending::GivenUp { reason } => warn(&format!("the process went on without being recorded: {reason}")),
            Ending::Open => warn("the recording has no end: the process was killed, or still runs"),
            Ending::Torn { at, length } => {
                warn(&format!(
                    "byte {at}: the last entry is torn, and the {length} bytes there are of it were left out"
                ));
            }
        }
        let replay = &life.replay;
        let verdict = format!(
            "the same again: {} inputs, {} outputs, until {}, fingerprint {:016x}",
            replay.inputs(),
            replay.outputs(),
            replay.now(),
            replay.fingerprint()
        );
        life.transcript.say(&verdict)
    }

    fn unreadable(&self, error: &dyn std::error::Error) -> Failure {
        Failure::Failed(format!("'{}' can't be replayed: {error}", self.file.display()))
    }
}

/// A process, lived again.
struct Life<'a> {
    replay: recording::Replay,
    transcript: Transcript<'a>,
    name: String,
    steps: bool,
}

/// How an entry was lived through.
enum Lived {
    Differently(Difference),
    Ended,
    Same,
}

impl Life<'_> {
    fn live(&mut self, entry: Entry) -> Result<Lived, Failure> {
        if let Entry::Started { config, .. } = &entry {
            self.name.clone_from(&config.name);
        }
        let (transcript, name) = (&mut self.transcript, &self.name);
        let mut is_shown = Ok(false);
        let outcome = self.replay.handle_entry(entry, |at, moment| {
            if let Ok(shown) = &mut is_shown {
                match transcript.happened(at, name, &moment.to_string()) {
                    Ok(again) => *shown |= again,
                    Err(failure) => is_shown = Err(failure),
                }
            }
        });
        let is_shown = is_shown?;
        if let Err(difference) = outcome {
            return Ok(Lived::Differently(difference));
        }
        if self.steps && is_shown {
            match self.ask()? {
                Wish::Continue => self.steps = false,
                Wish::End => return Ok(Lived::Ended),
                Wish::Step => (),
            }
        }
        Ok(Lived::Same)
    }

    /// Waits for a word on standard input.
    fn ask(&mut self) -> Result<Wish, Failure> {
        let mut input = io::stdin().lock();
        loop {
            let mut line = String::new();
            let read = input.read_line(&mut line);
            if read.map_err(|error| Failure::Io { what: "reading standard input", error })? == 0 {
                return Ok(Wish::Continue); // Nobody can ask for more.
            }
            match line.trim() {
                "" => return Ok(Wish::Step),
                "c" => return Ok(Wish::Continue),
                "q" => return Ok(Wish::End),
                "s" => {
                    if let Some(node) = self.replay.node() {
                        say(&format!("{:#?}", node.stats()));
                        say(&format!("peers: {:#?}", node.peers()));
                        say(&format!("targets: {:#?}", node.targets()));
                    }
                }
                other => say(&format!("'{other}' is no word here; expected Enter, s, c or q")),
            }
        }
    }
}

/// The first difference in words, and what may explain it.
fn differs(difference: &Difference, version: Option<&str>) -> String {
    let this = env!("CARGO_PKG_VERSION");
    let reason = match version {
        Some(version) if version != this => format!("; it was recorded by flockmq {version}, and this is {this}"),
        _ => String::new(),
    };
    format!("not the same, first {difference}{reason}")
}

/// How much is read at once.
const CHUNK: usize = 64 * 1024;
