//! Runs many drawn scenarios: `./check swarm`. Stops at the first that breaks a promise, with its seed.

use std::fs::OpenOptions;
use std::io::Write;
use std::ops::Range;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, io};

use flockmq_tests::Campaign;

fn main() -> ExitCode {
    let wanted = match Wanted::parse(env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(why) => {
            eprintln!("{why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let first = wanted.seeds.start;
    let campaign = Campaign::run_within(wanted.seeds, STEPS_MAX, wanted.limit);
    println!("{campaign}");
    match wanted.file.map_or(Ok(()), |file| add_up(&file, first, &campaign)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the campaign could not be written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is to be run.
struct Wanted {
    seeds: Range<u64>,
    limit: Duration,
    file: Option<String>,
}

impl Wanted {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut wanted = Self { seeds: 0..SEEDS, limit: Duration::MAX, file: None };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = |text: &str| text.parse::<u64>().map_err(|_| format!("'{text}' for {name} is no number"));
            match name.as_str() {
                "--campaign" => wanted.file = Some(value),
                "--minutes" => wanted.limit = Duration::from_mins(number(&value)?),
                "--seeds" => {
                    wanted.seeds = match value.split_once("..") {
                        None => 0..number(&value)?,
                        Some((first, end)) => number(first)?..number(end)?,
                    }
                }
                _ => return Err(format!("there is no option {name}")),
            }
        }
        Ok(wanted)
    }
}

/// Adds a line to a file of campaigns: one for each that came to its end.
fn add_up(file: &str, first: u64, campaign: &Campaign) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    let hours = campaign.report.node_time.as_secs_f64() / 3600.0;
    let (end, faults) = (first + campaign.seeds, campaign.faults());
    writeln!(file, "seeds {first}..{end}: {hours:.1} node-hours, {} messages, {faults} faults", campaign.report.sends)
}

const SEEDS: u64 = 5_000;
const STEPS_MAX: usize = 40;
const USAGE: &str = "expected [--seeds N | --seeds A..B] [--minutes M] [--campaign FILE]";
