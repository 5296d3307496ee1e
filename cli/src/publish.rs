//! `flockmq publish`: sends messages, one after another and without waiting for each.

use std::cell::Cell;
use std::time::Duration;

use clap::Args;
use flockmq::core::{Target, TargetState};
use flockmq::{Connection, DestinationKind, Destinations, Message, Producer, Receipt, Refusal};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::failure::{Failure, warn};
use crate::out::Out;
use crate::place::Place;
use crate::progress::say;
use crate::property::Property;
use crate::record::Record;
use crate::stop::Stop;
use crate::tally::Tally;
use crate::targets::{Watch, attend};
use crate::{duration, lines, network, place};

/// Send messages: each TEXT, or each line of standard input, is one.
///
/// Messages keep their order. To a group of peers: the command ends once its broker has accepted them all and its peers
/// have taken what was for them. A topic keeps nothing for those who come later: wait for them with --wait-peers. A
/// queue keeps its messages in this process until somebody takes them: give them time with --linger. Messages of a queue
/// that nobody took end with the process, which is a failure.
///
/// To many brokers at once (fanout:): the command ends once enough of them have accepted each message (minAckCount) and
/// the others have had time to, and tells how many each of them took.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq publish peer://groupA/b1 topic://news 'it rains' 'it stopped' --wait-peers 1
  seq 1000 | flockmq publish peer://groupA/b1 topic://log.seq --wait-peers 1 --timeout 10s
  flockmq publish peer://groupA orders --count 100000 --size 1024 --linger 1m
  flockmq publish peer://groupA orders,topic://log 42 --linger 5s
  flockmq publish peer://groupA orders 42 --property urgent=true --property price=9.5 --linger 5s
  flockmq publish 'fanout:(multicast://default)?minAckCount=3' topic://news 'it rains' --verbose
  seq 1000 | flockmq publish 'fanout:(static:(tcp://a:61616,tcp://b:61616))' topic://log.seq

The exit code is 0 once all is sent, 1 if something was refused or nobody took it, 2 for bad usage, 124 if --timeout
passed, and 130 or 143 if it was interrupted or terminated before all was sent; lingering may be interrupted. What is
said to be accepted was accepted: a message whose answer is missing is counted neither as accepted nor as refused.")]
pub(crate) struct Publish {
    #[arg(value_name = "URI", help = place::URI_HELP)]
    uri: String,
    #[arg(value_name = "DEST", help = "queue://NAME or topic://NAME, or several: DEST,DEST; a bare NAME is a queue")]
    destination: String,
    /// A message each; standard input is not read then
    #[arg(value_name = "TEXT")]
    texts: Vec<String>,
    /// Send this many generated messages, numbered from 1, and read nothing
    #[arg(long, value_name = "N", conflicts_with = "texts", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Fill generated messages up to this many bytes
    #[arg(long, value_name = "BYTES", requires = "count", value_parser = clap::value_parser!(u64).range(..=SIZE_MAX))]
    size: Option<u64>,
    /// Set a property of every message; true, false and numbers have those types, anything else is text
    #[arg(long = "property", short, value_name = "NAME=VALUE", value_parser = Property::parse)]
    properties: Vec<Property>,
    /// Send nothing before this many peers are ready; with fanout: before this many brokers are up
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    wait_peers: usize,
    /// Give up, with exit code 124, if not all is accepted after this long: 500ms, 5s, 2m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// Stay this long after the last message was sent, for consumers yet to come
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    linger: Option<Duration>,
    /// Write a line for each message that is accepted, with its number and the brokers that took it, and no summary
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    record: Record,
}

impl Publish {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let Place { builder, needed } = Place::read(&self.uri, &self.record)?;
        let destination = place::destinations(&self.destination)?;
        if let Some(pattern) = destination.iter().find(|part| part.is_pattern()) {
            return Err(Failure::Usage(Refusal::IsPattern(pattern.clone()).to_string()));
        }
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        let mut stop = Stop::listen(None)?;
        let late = || self.late("not connected yet and nothing was sent");
        let (connection, events) = within(deadline, network::connect(&mut stop, builder), late).await?;
        let mut watch = needed.map(|needed| Watch::new(events, needed));
        let (mut tally, given) = (Tally::new(self.total(), self.verbose), Cell::new(0));
        let sending = async {
            self.wait_for_others(&connection, needed, deadline).await?;
            self.send_all(&connection, &destination, deadline, &given, &mut tally).await
        };
        let sent = tokio::select! {
            biased;
            cause = stop.wait() => Err(Failure::Stopped(cause)),
            sent = attend(&mut watch, sending) => sent,
        };
        tally.finish(given.get());
        if sent.is_ok() {
            tokio::select! {
                biased;
                _ = stop.wait() => (), // All is sent: whoever ends the lingering knows why.
                () = attend(&mut watch, self.stay(&connection)) => (),
            }
        }
        let outcome = self.conclude(&connection, &destination, sent, &tally, watch.as_mut()).await;
        place::leave(&connection).await;
        outcome
    }

    /// Returns once enough others are there to take what is sent.
    async fn wait_for_others(
        &self,
        connection: &Connection,
        needed: Option<u32>,
        deadline: Option<Instant>,
    ) -> Result<(), Failure> {
        let wanted = self.wait_peers;
        let outcome = within(deadline, async { Ok(connection.ready(wanted).await?) }, String::new).await;
        let Err(Failure::TimedOut(_)) = outcome else {
            return outcome;
        };
        let (found, others) = if needed.is_some() {
            let is_up = |target: &Target| matches!(target.state, TargetState::Up { .. });
            (connection.targets().await?.into_iter().filter(is_up).count(), "brokers were up")
        } else {
            (connection.peers().iter().filter(|peer| peer.is_ready).count(), "peers were ready")
        };
        Err(Failure::TimedOut(self.late(&format!("{found} of {wanted} {others} and nothing was sent"))))
    }

    /// Returns once everything is answered.
    async fn send_all(
        &self,
        connection: &Connection,
        destination: &Destinations,
        deadline: Option<Instant>,
        given: &Cell<u64>,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let producer = connection.producer(destination).await?;
        let (give, receipts) = mpsc::channel(RECEIPTS_MAX);
        let work = async {
            // What was sent before a failure to send more is answered all the same.
            let sending = async { Ok::<_, Failure>(self.enqueue_all(&producer, give, given).await) };
            let (enqueued, ()) = tokio::try_join!(sending, tally.settle(receipts))?;
            enqueued
        };
        match within(deadline, work, String::new).await {
            Err(Failure::TimedOut(_)) => {
                let (given, accepted) = (given.get(), tally.accepted());
                Err(Failure::TimedOut(self.late(&format!("{given} messages were sent, {accepted} of them accepted"))))
            }
            sent => sent,
        }
    }

    async fn enqueue_all(
        &self,
        producer: &Producer,
        give: mpsc::Sender<Receipt>,
        given: &Cell<u64>,
    ) -> Result<(), Failure> {
        let way = Way { producer, properties: &self.properties, give, given };
        if let Some(count) = self.count {
            for number in 1..=count {
                way.enqueue(Message::text(generated(number, self.size))).await?;
            }
        } else if self.texts.is_empty() {
            let mut batches = lines::stdin();
            while let Some(batch) = batches.recv().await {
                for message in batch.map_err(|error| Failure::Io { what: "reading standard input", error })? {
                    way.enqueue(message).await?;
                }
            }
        } else {
            for text in &self.texts {
                way.enqueue(Message::text(text)).await?;
            }
        }
        Ok(())
    }

    /// Lingers, and then waits until others have taken what is on its way to them.
    async fn stay(&self, connection: &Connection) {
        if let Some(linger) = self.linger {
            say(&format!("all is sent; staying for {linger:?}"));
            tokio::time::sleep(linger).await;
        }
        let (mut last, mut moved_at) = (None, Instant::now());
        while let (Ok(stats), Ok(targets)) = (connection.stats().await, connection.targets().await) {
            let unanswered: u64 = targets.iter().map(|target| target.unanswered_bytes).sum();
            let is_settled = stats.broker.outstanding == 0 && stats.waiting_bytes == 0 && unanswered == 0;
            if is_settled || moved_at.elapsed() >= STILL_MAX {
                return;
            }
            let answered: u64 = targets.iter().map(|target| target.accepted + target.refused).sum();
            let found = Some((stats.broker.outstanding, stats.broker.acknowledged, stats.waiting_bytes, answered));
            if found != last {
                (last, moved_at) = (found, Instant::now());
            }
            tokio::time::sleep(STILL_PERIOD).await;
        }
    }

    /// Says what became of everything, in words and as the outcome of the command.
    async fn conclude(
        &self,
        connection: &Connection,
        destination: &Destinations,
        sent: Result<(), Failure>,
        tally: &Tally,
        watch: Option<&mut Watch>,
    ) -> Result<(), Failure> {
        let Some(watch) = watch else {
            sent?;
            tally.check()?;
            return check_taken(connection, destination).await;
        };
        let targets = connection.targets().await.unwrap_or_default(); // Of one that is closed nothing more is known.
        watch.catch_up().await; // All that led to these.
        let written = if self.verbose { Ok(()) } else { summarize(tally, watch, &targets) };
        sent?;
        tally.check()?;
        written
    }

    /// How many messages there are to send, if that is known.
    fn total(&self) -> Option<u64> {
        self.count.or_else(|| u64::try_from(self.texts.len()).ok().filter(|count| *count > 0))
    }

    fn late(&self, what: &str) -> String {
        format!("timed out after {:?}: {what}", self.timeout.unwrap_or_default())
    }
}

/// Where messages are put on their way.
struct Way<'a> {
    producer: &'a Producer,
    properties: &'a [Property],
    give: mpsc::Sender<Receipt>,
    given: &'a Cell<u64>,
}

impl Way<'_> {
    async fn enqueue(&self, mut message: Message) -> Result<(), Failure> {
        for property in self.properties {
            message = property.apply(message).map_err(flockmq::Error::from)?;
        }
        let receipt = self.producer.enqueue(message).await?;
        self.given.set(receipt.sequence());
        // Nobody waits for it any more only once that has failed, which is told there.
        _ = self.give.send(receipt).await;
        Ok(())
    }
}

/// Writes what became of all messages, and how many each target took.
fn summarize(tally: &Tally, watch: &Watch, targets: &[Target]) -> Result<(), Failure> {
    let mut lines: Vec<String> = targets.iter().map(|target| watch.told(target)).collect();
    lines.sort();
    let mut out = Out::new();
    out.line(tally.summary())?;
    lines.into_iter().try_for_each(|line| out.line(line))
}

/// A topic keeps nothing, but what was accepted for a queue is owed to somebody.
async fn check_taken(connection: &Connection, destination: &Destinations) -> Result<(), Failure> {
    let broker = connection.stats().await?.broker;
    let left = broker.queued + broker.outstanding_queued;
    if destination.has(DestinationKind::Queue) && left > 0 {
        return Err(Failure::Failed(format!(
            "{left} of {} messages were taken by nobody, as far as is known, and end with this process; --linger gives \
             consumers time to come",
            broker.accepted
        )));
    }
    if !destination.has(DestinationKind::Queue) && broker.delivered == 0 && broker.accepted > 0 {
        warn("nobody was subscribed; --wait-peers waits for those who are");
    }
    Ok(())
}

/// Waits no longer than the deadline, if there is one.
async fn within<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, Failure>>,
    late: impl FnOnce() -> String,
) -> Result<T, Failure> {
    match deadline {
        None => work.await,
        Some(deadline) => timeout_at(deadline, work).await.unwrap_or_else(|_| Err(Failure::TimedOut(late()))),
    }
}

/// The number, filled up to the size; of a number that is too long for it, the end.
fn generated(number: u64, size: Option<u64>) -> String {
    let mut text = number.to_string();
    if let Some(size) = size.and_then(|size| usize::try_from(size).ok()) {
        text.drain(..text.len().saturating_sub(size));
        let fill = size - text.len();
        text.extend(std::iter::once(' ').chain(std::iter::repeat('.')).take(fill));
    }
    text
}

/// The largest generated message; what a broker takes is less, and it says so.
const SIZE_MAX: u64 = 256 * 1024 * 1024;

/// How many messages may be sent whose answers were not waited for yet.
const RECEIPTS_MAX: usize = 4096;

/// How long others may take nothing before they are not waited for any more.
const STILL_MAX: Duration = Duration::from_secs(2);

/// How often to look.
const STILL_PERIOD: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_messages_have_their_number_and_size() {
        let made = [(7, None), (7, Some(1)), (7, Some(5)), (1234, Some(2)), (7, Some(0))]
            .map(|(number, size)| generated(number, size));
        assert_eq!(made, ["7", "7", "7 ...", "34", ""]);
    }
}
