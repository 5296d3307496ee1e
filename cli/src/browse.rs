//! `flockmq browse`: shows what waits in a queue, a line each.

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use flockmq::{BrowseOptions, Browser};

use crate::failure::Failure;
use crate::out::{Out, Reader};
use crate::place::Place;
use crate::record::Record;
use crate::stop::{Cause, Stop};
use crate::subscribe::Format;
use crate::targets::{Watch, attend};
use crate::{body, duration, network, place};

/// Show what waits in a queue, taking nothing.
///
/// Each body is written on a line of its own, as 'flockmq subscribe' does, in the order in which the messages would be
/// handed out. What is taken meanwhile is not shown, nor is what comes.
///
/// From many brokers at once: what waits at each of them, a message that several have once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq browse 'fanout:(static:(tcp://a:61616))?minAckCount=1' orders
  flockmq browse 'fanout:(multicast://default)?minAckCount=1' orders --max 10 --format json
  flockmq browse 'fanout:(static:(tcp://a:61616))?minAckCount=1' orders --selector 'JMSPriority > 4'

The exit code is 0 once all or --max messages are written, however few there are. It is 124 after --timeout, 130 when
interrupted and 143 when terminated. 1 is a failure, 2 bad usage.")]
pub(crate) struct Browse {
    #[arg(value_name = "URI", help = "'fanout:(URI)[?OPTIONS]', which names the brokers; see 'flockmq uri'")]
    uri: String,
    #[arg(value_name = "DEST", help = "queue://NAME, or a bare NAME")]
    destination: String,
    /// End after this many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max: Option<u64>,
    /// Show only messages of which this condition is true, such as "weight > 2.5 AND region = 'eu'"
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    selector: String,
    /// How to write a message; json: as 'flockmq subscribe' does
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// End after this long: 500ms, 5s, 2m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
    #[command(flatten)]
    record: Record,
}

impl Browse {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let Place { builder, needed } = Place::read(&self.uri, &self.record)?;
        let Some(needed) = needed else {
            let uri = &self.uri;
            return Err(Failure::Usage(format!(
                "'{uri}' starts a broker of its own, where nothing waits yet; expected 'fanout:(…)' with those to look at"
            )));
        };
        let destination = place::destination(&self.destination)?;
        let options = BrowseOptions { selector: place::selector(&self.selector)?, ..BrowseOptions::default() };
        let mut stop = Stop::listen(self.timeout)?;
        let (connection, events) = network::connect(&mut stop, builder).await?;
        let mut watch = Some(Watch::new(events, needed));
        let showing = async {
            let browser = tokio::select! {
                biased;
                cause = stop.wait() => return Err(stopped(cause, 0)),
                browser = connection.browse_with(destination, options) => browser?,
            };
            self.show(browser, &mut stop).await
        };
        let outcome = attend(&mut watch, showing).await;
        place::leave(&connection).await;
        outcome
    }

    /// Writes messages until there are no more, or enough.
    async fn show(&self, mut browser: Browser, stop: &mut Stop) -> Result<(), Failure> {
        let (mut out, reader, is_terminal) = (Out::new(), Reader::new(), std::io::stdout().is_terminal());
        let mut shown = 0;
        while self.max.is_none_or(|max| shown < max) {
            let next = tokio::select! {
                biased;
                cause = stop.wait() => return Err(stopped(cause, shown)),
                () = reader.gone() => return Err(Failure::OutputClosed),
                next = browser.next() => next,
            };
            let Some(message) = next else {
                return if browser.is_complete() { Ok(()) } else { Err(flockmq::Error::Closed.into()) };
            };
            out.line(body::line(&message, self.format, is_terminal))?;
            shown += 1;
        }
        Ok(())
    }
}

fn stopped(cause: Cause, shown: u64) -> Failure {
    match cause {
        Cause::Deadline(_) => Failure::TimedOut(format!("{cause}: {shown} messages were shown, and there may be more")),
        Cause::Interrupted | Cause::Terminated => Failure::Stopped(cause),
    }
}
