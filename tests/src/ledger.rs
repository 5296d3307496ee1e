//! A file that adds campaigns up, so that each goes on where the one before it ended.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;
use std::{fs, io};

use flockmq_core::Situation;

use crate::swarm::Campaign;

/// What all seeds from 0 up to one have come to, with whatever was the code then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The first seed that was not run.
    pub next: u64,
    /// How many of them were run twice.
    pub repeated: u64,
    /// Virtual time, for each node.
    pub node_time: Duration,
    /// Messages that were sent.
    pub messages: u64,
    /// Faults of all kinds.
    pub faults: u64,
    /// How many events nodes were told.
    pub inputs: u64,
    /// In how many runs each situation came about.
    pub situations: BTreeMap<Situation, u64>,
}

impl Ledger {
    /// Reads a file; an empty ledger if there is none. A file that is no ledger is an error.
    pub fn read(path: &Path) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => text.parse().map_err(|why: String| io::Error::new(io::ErrorKind::InvalidData, why)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Adds the seeds that came next.
    pub fn add(&mut self, campaign: &Campaign) {
        self.next += campaign.seeds;
        self.repeated += campaign.repeated;
        self.node_time += campaign.report.node_time;
        self.messages += campaign.report.sends as u64;
        self.faults += campaign.faults();
        self.inputs += campaign.report.counts.inputs;
        for (situation, count) in &campaign.situations {
            *self.situations.entry(*situation).or_default() += count;
        }
    }

    /// Writes the file anew. Whoever is interrupted leaves the old one.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let beside = path.with_extension("new");
        fs::write(&beside, self.to_string())?;
        fs::rename(beside, path)
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.node_time.as_secs();
        writeln!(f, "{TITLE}: {} node-hours", seconds / 3600)?;
        writeln!(f, "next {}\nrepeated {}\nnode-seconds {seconds}", self.next, self.repeated)?;
        writeln!(f, "messages {}\nfaults {}\ninputs {}", self.messages, self.faults, self.inputs)?;
        self.situations.iter().try_for_each(|(situation, count)| writeln!(f, "met {situation:?} {count}"))
    }
}

impl FromStr for Ledger {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        if !lines.next().is_some_and(|line| line.starts_with(TITLE)) {
            return Err(format!("it does not begin with '{TITLE}'"));
        }
        let mut ledger = Self::default();
        for line in lines {
            let (key, value) = line.rsplit_once(' ').ok_or_else(|| format!("'{line}' has no value"))?;
            let value: u64 = value.parse().map_err(|_| format!("'{value}' in '{line}' is no number"))?;
            match key {
                "next" => ledger.next = value,
                "repeated" => ledger.repeated = value,
                "node-seconds" => ledger.node_time = Duration::from_secs(value),
                "messages" => ledger.messages = value,
                "faults" => ledger.faults = value,
                "inputs" => ledger.inputs = value,
                _ => {
                    let name = key.strip_prefix("met ").ok_or_else(|| format!("'{key}' is nothing that is counted"))?;
                    // One that has another name by now is not remembered.
                    let found = Situation::ALL.iter().find(|situation| format!("{situation:?}") == name);
                    ledger.situations.extend(found.map(|situation| (*situation, value)));
                }
            }
        }
        Ok(ledger)
    }
}

/// How the file begins.
const TITLE: &str = "# What campaigns of simulated runs have come to";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn campaigns_add_up_and_are_read_as_they_were_written() {
        let mut ledger = Ledger::default();
        let campaign = Campaign::run(0..20, 20);
        ledger.add(&campaign);
        ledger.add(&campaign);
        assert_eq!((ledger.next, ledger.repeated), (40, 2));
        assert_eq!(ledger.messages, 2 * campaign.report.sends as u64);
        ledger.node_time = Duration::from_secs(ledger.node_time.as_secs());
        let text = ledger.to_string();
        assert_eq!(text.parse(), Ok(ledger), "{text}");
    }

    #[test]
    fn what_is_no_ledger_is_refused_by_its_line() {
        let title = format!("{TITLE}: 0 node-hours\n");
        for (rest, why) in [
            ("next\n", "'next' has no value"),
            ("next -1\n", "'-1' in 'next -1' is no number"),
            ("spoons 3\n", "'spoons' is nothing that is counted"),
        ] {
            assert_eq!(format!("{title}{rest}").parse::<Ledger>(), Err(why.to_owned()));
        }
        assert_eq!("next 1".parse::<Ledger>(), Err(format!("it does not begin with '{TITLE}'")));
        assert!(format!("{title}met Forgotten 3\n").parse::<Ledger>().is_ok_and(|ledger| ledger.situations.is_empty()));
    }
}
