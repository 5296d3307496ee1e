//! `flockmq status`: how brokers and their destinations fare.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use flockmq::core::Target;
use flockmq::{Answer, DestinationStatus, Inventory};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::out::Out;
use crate::paint::{self, Paint, Style};
use crate::record::Record;
use crate::stop::Stop;
use crate::subscribe::Format;
use crate::survey::{self, Survey};
use crate::{duration, targets};

/// Show brokers, and how their destinations fare.
///
/// Asks every broker that the URI leads to, as a client of it: brokers that stand alone, and the peers of a group, which
/// this command does not join. Counts are since the destination came to be there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq status tcp://localhost:61616
  flockmq status 'static:(tcp://a:61616,tcp://b:61616)' --format json
  flockmq status 'fanout:(multicast://default)' --for 3s
  flockmq status peer://groupA
  flockmq status tcp://localhost:61616 --watch 5

Each broker has a line, 'NAME STATE ADDRESS ID', and one for each of its destinations: messages that wait and their bytes,
consumers and producers there are now, messages accepted (enqueued), handed out and not answered (out), acknowledged
(dequeued), too old (expired), kept as dead letters (dead), removed by 'flockmq purge' (purged), and dropped for slow subscribers of a topic (dropped). A peer's consumers
on other brokers count as one for each of those. The exit code is 0 if all brokers answered, and 1 if one did not or none
was found. With --watch it goes on until it is interrupted, and the exit code is 0: a terminal is painted again, elsewhere
an empty line stands between one time and the next, and none with --format json.")]
pub(crate) struct Status {
    #[arg(value_name = "URI", help = survey::URI_HELP)]
    uri: String,
    /// How long to look for brokers; less if all that are listed are up before
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// Show them again each time this has passed, 2s if not given, until interrupted
    #[arg(long, value_name = "SECONDS", value_parser = period, num_args = 0..=1, default_missing_value = "2")]
    watch: Option<Duration>,
    /// How to write a broker with its destinations
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    record: Record,
}

impl Status {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        Survey::conduct(&self.uri, &self.record, self.duration, async |survey, stop| match self.watch {
            None => {
                let answers = survey.ask(stop, survey.connection.broker().destinations()).await?;
                let unanswered = self.show(survey, &answers)?;
                survey.check(unanswered)
            }
            Some(period) => match self.watch(period, survey, stop).await {
                Err(Failure::Stopped(_)) => Ok(()), // There was no other end to reach.
                ended => ended,
            },
        })
        .await
    }

    /// Shows them again and again, with those that come and go. On a terminal each time stands in the place of the last.
    async fn watch(&self, period: Duration, survey: &mut Survey, stop: &mut Stop) -> Result<(), Failure> {
        let is_repainted = self.format == Format::Text && std::io::stdout().is_terminal();
        loop {
            let answers = survey.ask(stop, survey.connection.broker().destinations()).await?;
            if is_repainted {
                Out::new().clear()?;
            }
            self.show(survey, &answers)?;
            if self.format == Format::Text && !is_repainted {
                Out::new().line("")?;
            }
            tokio::select! {
                biased;
                cause = stop.wait() => return Err(Failure::Stopped(cause)),
                () = tokio::time::sleep(period) => (),
            }
            survey.look_again().await?;
        }
    }

    /// Shows each broker; tells how many have not answered.
    fn show(&self, survey: &Survey, answers: &[Answer<Inventory>]) -> Result<usize, Failure> {
        let (mut out, mut unanswered) = (Out::new(), 0);
        for target in &survey.targets {
            let answer = survey::answer(target, answers).map(|answer| &answer.result);
            let inventory = answer.and_then(|answer| answer.as_ref().ok());
            let refusal = answer.and_then(|answer| answer.as_ref().err()).map(ToString::to_string);
            unanswered += usize::from(inventory.is_none());
            match self.format {
                Format::Json => out.line(json_of(target, inventory, refusal.as_deref()).to_string())?,
                Format::Text => {
                    out.line(survey::line(target, refusal))?;
                    for line in inventory.map(table).unwrap_or_default() {
                        out.line(line)?;
                    }
                }
            }
        }
        Ok(unanswered)
    }
}

/// Reads how long to wait between one time and the next.
fn period(text: &str) -> Result<Duration, String> {
    match duration::parse(text)? {
        period if period < PERIOD_MIN => Err(format!("'{text}' is too short; expected {PERIOD_MIN:?} at least")),
        period => Ok(period),
    }
}

/// A broker with its destinations as an object, for programs.
fn json_of(target: &Target, inventory: Option<&Inventory>, refusal: Option<&str>) -> Value {
    let mut shown = targets::json(target);
    if let Some(refusal) = refusal {
        shown["refusal"] = refusal.into();
    }
    if let Some(inventory) = inventory {
        shown["destinations"] = inventory.destinations.iter().map(destination_json).collect();
        shown["leftOut"] = inventory.left_out.into();
    }
    shown
}

fn destination_json(found: &DestinationStatus) -> Value {
    json!({
        "destination": found.name.to_string(),
        "paused": found.is_paused,
        "depth": found.depth,
        "delayed": found.delayed,
        "bytes": found.bytes,
        "parked": found.parked,
        "consumers": found.consumers,
        "producers": found.producers,
        "enqueued": found.enqueued,
        "dispatched": found.dispatched,
        "outstanding": found.outstanding,
        "dequeued": found.dequeued,
        "expired": found.expired,
        "failed": found.failed,
        "deadLettered": found.dead_lettered,
        "purged": found.purged,
        "letGo": found.let_go,
        "dropped": found.dropped,
    })
}

/// Destinations as a table for people, a line each.
fn table(inventory: &Inventory) -> Vec<String> {
    if inventory.destinations.is_empty() {
        return vec!["  no destinations".to_owned()];
    }
    let rows: Vec<_> = inventory.destinations.iter().map(row).collect();
    let names = rows.iter().map(|(name, _)| name.chars().count());
    let width = names.max().unwrap_or(0).max(DESTINATION.len());
    let widths: Vec<usize> = HEADINGS
        .iter()
        .enumerate()
        .map(|(column, heading)| rows.iter().map(|(_, cells)| cells[column].len()).fold(heading.len(), usize::max))
        .collect();
    let line = |name: &str, cells: &[String]| {
        let cells: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        format!("  {name:width$}  {}", cells.join("  "))
    };
    let headings: Vec<String> = HEADINGS.iter().map(ToString::to_string).collect();
    let mut lines = vec![Paint::stdout().paint(Style::Faint, &line(DESTINATION, &headings))];
    for ((name, cells), found) in rows.iter().zip(&inventory.destinations) {
        let paused = if found.is_paused { "  paused" } else { "" };
        lines.push(line(name, cells) + paused);
    }
    if inventory.left_out > 0 {
        lines.push(format!("  and {} more", inventory.left_out));
    }
    lines
}

fn row(found: &DestinationStatus) -> (String, Vec<String>) {
    let cells = [
        found.depth,
        found.bytes,
        found.consumers,
        found.producers,
        found.enqueued,
        found.outstanding,
        found.dequeued,
        found.expired,
        found.dead_lettered,
        found.purged,
        found.dropped,
    ];
    (paint::name(&found.name.to_string()), cells.iter().map(ToString::to_string).collect())
}

/// The shortest time between two looks: brokers have better to do.
const PERIOD_MIN: Duration = Duration::from_millis(100);
const DESTINATION: &str = "DESTINATION";
const HEADINGS: [&str; 11] =
    ["DEPTH", "BYTES", "CONSUMERS", "PRODUCERS", "ENQUEUED", "OUT", "DEQUEUED", "EXPIRED", "DEAD", "PURGED", "DROPPED"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_as_wide_as_what_stands_in_it() {
        let status = |name: &str, enqueued, is_paused| DestinationStatus {
            name: name.parse().expect("a name"),
            is_paused,
            depth: 1,
            delayed: 0,
            bytes: 2,
            parked: 0,
            consumers: 3,
            producers: 4,
            enqueued,
            dispatched: 0,
            outstanding: 5,
            dequeued: 6,
            expired: 9,
            failed: 0,
            dead_lettered: 10,
            purged: 7,
            let_go: 0,
            dropped: 8,
        };
        let destinations = vec![status("q", 1, true), status("topic://prices.gold", 1_234_567_890, false)];
        let lines = table(&Inventory { destinations, left_out: 9 });
        let expected = [
            "  DESTINATION          DEPTH  BYTES  CONSUMERS  PRODUCERS    ENQUEUED  OUT  DEQUEUED  EXPIRED  DEAD  PURGED  DROPPED",
            "  queue://q                1      2          3          4           1    5         6        9    10       7        8  paused",
            "  topic://prices.gold      1      2          3          4  1234567890    5         6        9    10       7        8",
            "  and 9 more",
        ];
        assert_eq!(lines, expected);
        assert_eq!(table(&Inventory::default()), ["  no destinations"]);
    }
}
