//! `flockmq purge`: removes what waits in queues.

use std::time::Duration;

use clap::Args;
use flockmq::{Answer, DestinationKind, Refusal};
use serde_json::json;

use crate::failure::Failure;
use crate::out::Out;
use crate::paint;
use crate::record::Record;
use crate::subscribe::Format;
use crate::survey::{self, Survey};
use crate::{duration, place, targets};

/// Remove all messages that wait in a queue, on every broker that the URI leads to.
///
/// What consumers were handed and have not acknowledged stays theirs. Messages that producers sent and that found no room
/// yet were not accepted: they take the place.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq purge tcp://localhost:61616 orders
  flockmq purge 'static:(tcp://a:61616,tcp://b:61616)' 'queue://orders.>' --yes
  flockmq purge peer://groupA orders

Each broker that had the queue has a line, with how many messages were removed. The exit code is 0 if all brokers answered
and one at least has such a queue, 1 if not, and 2 for bad usage.")]
pub(crate) struct Purge {
    #[arg(value_name = "URI", help = survey::URI_HELP)]
    uri: String,
    #[arg(value_name = "QUEUE", help = "queue://NAME or a bare NAME, with wildcards '*' and '>' if --yes is given")]
    destination: String,
    /// Purge all queues that a pattern covers
    #[arg(long)]
    yes: bool,
    /// How long to look for brokers; less if all that are listed are up before
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// How to write what was removed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    record: Record,
}

impl Purge {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let destination = place::destination(&self.destination)?;
        if destination.kind() != DestinationKind::Queue {
            return Err(Failure::Usage(Refusal::NotAQueue(destination).to_string()));
        }
        if destination.is_pattern() && !self.yes {
            let what = "stands for any number of queues; expected --yes if all of them are to be purged";
            return Err(Failure::Usage(format!("'{destination}' {what}")));
        }
        Survey::conduct(&self.uri, &self.record, self.duration, async |survey, stop| {
            let answers = survey.ask(stop, survey.connection.broker().purge(&destination)).await?;
            self.show(survey, &answers)
        })
        .await
    }

    fn show(&self, survey: &Survey, answers: &[Answer<u64>]) -> Result<(), Failure> {
        let (mut out, mut unanswered, mut absent) = (Out::new(), 0, None);
        for target in &survey.targets {
            let result = survey::answer(target, answers).map(|answer| &answer.result);
            if let Some(Err(refusal @ Refusal::NoDestination(_))) = result {
                absent = Some(refusal.to_string());
                continue; // Another may have it.
            }
            let removed = result.and_then(|result| result.as_ref().ok());
            let refusal = result.and_then(|result| result.as_ref().err()).map(ToString::to_string);
            unanswered += usize::from(removed.is_none());
            out.line(match (self.format, removed) {
                (Format::Json, _) => {
                    let mut shown = targets::json(target);
                    shown["purged"] = json!(removed);
                    shown["refusal"] = json!(refusal);
                    shown.to_string()
                }
                (Format::Text, Some(removed)) => format!("{} purged {removed}", paint::name(targets::name(target))),
                (Format::Text, None) => survey::line(target, refusal),
            })?;
        }
        survey.check(unanswered)?;
        let has_any = answers.iter().any(|answer| answer.result.is_ok());
        absent.filter(|_| !has_any).map_or(Ok(()), |absent| Err(Failure::Failed(absent)))
    }
}
