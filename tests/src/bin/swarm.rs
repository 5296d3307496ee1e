//! Runs many drawn scenarios: `./check swarm` and `./check campaign`. Stops at the first that breaks a promise, with its
//! seed. Or writes down what a seed chooses, or plays what a file does.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use flockmq_tests::{Campaign, Choice, Ledger, Scenario};

fn main() -> ExitCode {
    let wanted = match Wanted::parse(env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let done = match (&wanted.ledger, wanted.recorded, &wanted.replayed) {
        (Some(file), ..) => wanted.add_up(file),
        (_, Some(seed), _) => record(seed),
        (.., Some(file)) => replay(file),
        (None, None, None) => return wanted.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the decisions of a seed's scenario to standard output.
fn record(seed: u64) -> io::Result<()> {
    let mut choice = Choice::from_seed(seed);
    choice.record();
    Scenario::draw(&mut choice, STEPS_MAX);
    io::stdout().write_all(&choice.take_record())
}

/// Plays the scenario that a file's bytes choose.
fn replay(file: &Path) -> io::Result<()> {
    let bytes = fs::read(file).map_err(|error| io::Error::other(format!("'{}': {error}", file.display())))?;
    let scenario = Scenario::draw(&mut Choice::from_bytes(&bytes), STEPS_MAX);
    println!("{scenario}");
    println!("trace {:016x}", scenario.run().trace);
    Ok(())
}

/// What is to be run.
struct Wanted {
    seeds: Vec<Range<u64>>,
    limit: Duration,
    ledger: Option<PathBuf>,
    recorded: Option<u64>,
    replayed: Option<PathBuf>,
    is_measured: bool,
}

impl Wanted {
    fn run(self) -> ExitCode {
        let campaign = Campaign::run_within(self.seeds.into_iter().flatten(), STEPS_MAX, self.limit);
        println!("{campaign}");
        let shortfalls = if self.is_measured { campaign.shortfalls() } else { Vec::new() };
        if shortfalls.is_empty() {
            return ExitCode::SUCCESS;
        }
        eprintln!("this campaign falls short:\n{}", shortfalls.join("\n"));
        ExitCode::FAILURE
    }

    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wanted = Self {
            seeds: Vec::new(),
            limit: Duration::MAX,
            ledger: None,
            recorded: None,
            replayed: None,
            is_measured: false,
        };
        while let Some(name) = arguments.next() {
            if name == "--figures" {
                wanted.is_measured = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = |text: &str| text.parse::<u64>().map_err(|_| format!("'{text}' for {name} is no number"));
            match name.as_str() {
                "--campaign" => wanted.ledger = Some(value.into()),
                "--choices" => wanted.recorded = Some(number(&value)?),
                "--replay" => wanted.replayed = Some(value.into()),
                "--minutes" => wanted.limit = Duration::from_mins(number(&value)?),
                "--seeds" => wanted.seeds.push(match value.split_once("..") {
                    None => 0..number(&value)?,
                    Some((first, end)) => number(first)?..number(end)?,
                }),
                _ => return Err(format!("there is no option {name}")),
            }
        }
        if wanted.ledger.is_some() && !wanted.seeds.is_empty() {
            return Err("a campaign goes on where it ended, so it takes no seeds".to_owned());
        }
        if wanted.seeds.is_empty() {
            wanted.seeds.push(0..SEEDS);
        }
        Ok(wanted)
    }

    /// Goes on where the campaign of a file ended, until time is up or somebody ends it.
    #[expect(clippy::disallowed_methods, reason = "when to stop changes nothing in a run")]
    fn add_up(&self, file: &Path) -> io::Result<()> {
        let began = Instant::now();
        let mut ledger = Ledger::read(file)?;
        while let Some(left) = self.limit.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
            ledger.add(&Campaign::run_within(ledger.next..ledger.next + CHUNK, STEPS_MAX, left));
            ledger.write(file)?;
            let (hours, faults) = (ledger.node_time.as_secs() / 3600, ledger.faults);
            println!("{} seeds, {hours} node-hours, {} messages, {faults} faults", ledger.next, ledger.messages);
        }
        println!("\n{ledger}");
        Ok(())
    }
}

/// How many seeds are run between two updates of a file.
const CHUNK: u64 = 5_000;
const SEEDS: u64 = 5_000;
const STEPS_MAX: usize = 40;
const USAGE: &str = "expected [--seeds N | --seeds A..B]… [--minutes M] [--figures], or --campaign FILE [--minutes M], \
                     or --choices SEED (written to standard output), or --replay FILE";
