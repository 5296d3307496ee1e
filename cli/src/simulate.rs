//! `flockmq simulate`: a group of nodes in a simulated world, with faults, in virtual time.

use std::collections::hash_map::RandomState;
use std::fs::{self, OpenOptions};
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use flockmq::Seed;
use flockmq::core::sim::{Counts, Play, Script};

use crate::duration;
use crate::failure::Failure;
use crate::out::Out;
use crate::transition::{Filter, Transcript};

/// Run a group of nodes in a simulated world and show everything that they are told and say: a line for each.
///
/// The nodes are those of every other command; network, clocks and time are made up, with as many faults as are asked
/// for. All chance comes from the seed: the same seed and scenario give the same run, to the last byte.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq simulate
  flockmq simulate --seed 5 --hosts 4 --only events
  flockmq simulate --seed 5 --print > run.txt
  flockmq simulate --seed 5 --scenario run.txt --grep h2 --from 3s --until 4s
  flockmq simulate --scenario run.txt --record lives
  flockmq replay lives/h1-1.flock --step

A scenario has one step a line, and comments from # on:
  host a peer://group           a peer; 'host c fanout:(multicast://default?group=group)' is a client
  broker b group                a broker that stands alone; options of peer: after a '?'
  subscribe a topic://prices.>  its application takes what comes, also after it was restarted; 'unsubscribe' ends it
  answer a queue://squares      the same, and answers what asks for it: 'request b queue://squares 7', else as 'send'
  send b queue://orders hello   or: send b topic://t \"two words\" 100 times every 10ms
  run 5s                        nothing takes time but this
  faults loss=5% delay=1ms..20ms    from now on; also: duplication= reordering= datagram-delay= stream-delay=
                                local-delay= reset= lateness= drift= wall-skew= timeouts= chunk=BYTES buffer=BYTES
                                disk-delay= disk-failure=
  faults none
  cut a b                       nothing gets through; 'cut a -> b' one way; 'heal a b', or 'heal' for all
  partition a b                 nothing gets through between these and all others
  reset a b                     their connections are torn down
  crash a, restart a, pause a, resume a, stop a
  power-off a                   its machine goes off: nobody hears of it until 'restart a', or 'restart a empty' with
                                an empty disk
  sleep a                       its machine falls asleep until 'resume a'
  clock a +24h                  its wall clock jumps; 'clock a -5m' back
  slow a 10000                  bytes a second on each of its connections; 'slow a off'
  segment a 1                   multicasts reach only those that share a segment, streams all; all begin on 0;
                                'segment a 0 1' is on both, 'segment a none' on none

Each line of the run has the time, the host, and '<' for what its node was told or '>' for what it said; steps of the
scenario have a '#'. The exit code is 0, 1 if a file can't be read or written, and 2 for bad usage or a bad scenario.")]
pub(crate) struct Simulate {
    /// Where all chance comes from, a hexadecimal number; made up, and told at the end, if not given
    #[arg(long, value_name = "SEED")]
    seed: Option<Seed>,
    /// What is to happen; drawn from the seed if not given
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// How many hosts to draw
    #[arg(long, value_name = "N", default_value_t = 3, conflicts_with = "scenario",
          value_parser = clap::value_parser!(u8).range(2..=100))]
    hosts: u8,
    /// End after this much virtual time, whatever the scenario says
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    #[command(flatten)]
    filter: Filter,
    /// Write the scenario and run nothing: it can be changed and run with --scenario
    #[arg(long)]
    print: bool,
    /// Record every node into a new file of this folder, HOST-N.flock for the Nth start of a host, for 'flockmq replay'
    #[arg(long, value_name = "FOLDER", conflicts_with = "print")]
    record: Option<PathBuf>,
}

impl Simulate {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let seed = self.seed.unwrap_or_else(|| Seed::from(RandomState::new().hash_one(std::process::id()) >> 32));
        let script = match &self.scenario {
            Some(file) => read(file)?,
            None => Script::draw(seed, self.hosts.into()),
        };
        if self.print {
            let mut out = Out::new();
            return script.steps.iter().try_for_each(|step| out.line(step.to_string()));
        }
        if let Some(folder) = &self.record {
            fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
        }
        let mut play = Play::new(seed, &script);
        play.tell();
        if let Some(duration) = self.duration {
            play.end_after(duration);
        }
        if self.record.is_some() {
            play.world().record();
        }
        let mut transcript = Transcript::new(&self.filter);
        while play.step() {
            for line in play.take_lines() {
                transcript.happened(line.at, line.host.as_deref().unwrap_or("#"), &line.text)?;
            }
        }
        if let Some(folder) = &self.record {
            write_recordings(&mut play, folder)?;
        }
        let (hosts, tally) = (play.hosts().count(), play.tally().clone());
        let world = play.world();
        let (now, counts, hash) = (world.now(), world.counts().clone(), world.trace_hash());
        transcript.say(&format!(
            "{hosts} hosts until {now}: {} messages sent, {} delivered, {} refused; {} inputs, {} outputs",
            tally.sent, tally.delivered, tally.refused, counts.inputs, counts.outputs
        ))?;
        transcript.say(&format!("faults: {}", faults(&counts)))?;
        transcript.say(&format!("seed {seed}, trace hash {hash:016x}"))
    }
}

/// Reads a scenario.
fn read(file: &Path) -> Result<Script, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::Failed(format!("the scenario '{}' can't be read: {error}", file.display())))?;
    text.parse().map_err(|error: flockmq::core::sim::ScriptError| {
        let line = text.lines().nth(error.line - 1).unwrap_or_default().to_owned();
        Failure::Scenario { file: file.to_owned(), line, error: Box::new(error) }
    })
}

/// Writes a file for each life of each node.
fn write_recordings(play: &mut Play, folder: &Path) -> Result<(), Failure> {
    let hosts: Vec<_> = play.hosts().map(|(name, host)| (name.to_owned(), host)).collect();
    for (name, host) in hosts {
        for (index, recording) in play.world().recording_files(host).iter().enumerate() {
            let path = folder.join(format!("{name}-{}.flock", index + 1));
            let file = OpenOptions::new().write(true).create_new(true).open(&path);
            let written = file.and_then(|mut file| file.write_all(recording));
            written.map_err(|error| unwritable(&path, &error))?;
        }
    }
    Ok(())
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("'{}' can't be recorded into: {error}", path.display()))
}

/// What went wrong, in words; what did not is left out.
fn faults(counts: &Counts) -> String {
    let all = [
        (counts.crashes, "crashes"),
        (counts.power_offs, "losses of power"),
        (counts.pauses, "pauses"),
        (counts.sleeps, "sleeps"),
        (counts.wall_jumps, "jumps of wall clocks"),
        (counts.cuts, "cuts"),
        (counts.resets, "resets"),
        (counts.stalls, "stalls"),
        (counts.refusals, "connections refused"),
        (counts.retries, "connections tried again"),
        (counts.datagrams_lost, "datagrams lost"),
        (counts.datagrams_cut, "datagrams cut off"),
        (counts.datagrams_doubled, "datagrams doubled"),
        (counts.datagrams_reordered, "datagrams reordered"),
        (counts.spurious_timeouts, "spurious timeouts"),
        (counts.disk_failures, "failures of disks"),
        (counts.sectors_lost, "sectors lost"),
    ];
    let found: Vec<String> =
        all.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if found.is_empty() { "none".to_owned() } else { found.join(", ") }
}
