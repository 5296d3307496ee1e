//! `flockmq publish`: sends messages, one after another and without waiting for each.

use std::time::Duration;

use clap::Args;
use flockmq::{Connection, Destination, DestinationKind, Message, Producer, Refusal};
use tokio::time::{Instant, timeout_at};

use crate::failure::{Failure, warn};
use crate::progress::Progress;
use crate::property::Property;
use crate::stop::Stop;
use crate::{duration, lines, network, place};

/// Send messages: each TEXT, or each line of standard input, is one.
///
/// Messages keep their order. The command ends once its broker has accepted them all and its peers have taken what
/// was for them. A topic keeps nothing for those who come later: wait for them with --wait-peers. A queue keeps its
/// messages in this process until somebody takes them: give them time with --linger. Messages of a queue that
/// nobody took end with the process, which is a failure.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq publish peer://groupA/b1 topic://news 'it rains' 'it stopped' --wait-peers 1
  seq 1000 | flockmq publish peer://groupA/b1 topic://log.seq --wait-peers 1 --timeout 10s
  flockmq publish peer://groupA orders --count 100000 --size 1024 --linger 1m
  flockmq publish peer://groupA orders 42 --property urgent=true --property price=9.5 --linger 5s

The exit code is 0 once all is sent, 1 if something was refused or nobody took it, 2 for bad usage, 124 if --timeout
passed, and 130 or 143 if it was interrupted or terminated before all was sent; lingering may be interrupted.")]
pub(crate) struct Publish {
    #[arg(value_name = "URI", help = "peer://GROUP[/NAME][?OPTIONS]; see 'flockmq uri'")]
    uri: String,
    #[arg(value_name = "DEST", help = "queue://NAME or topic://NAME; a bare NAME is a queue")]
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
    /// Send nothing before this many peers are ready
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    wait_peers: usize,
    /// Give up, with exit code 124, if not all is accepted after this long: 500ms, 5s, 2m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// Stay this long after the last message was sent, for consumers yet to come
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    linger: Option<Duration>,
}

impl Publish {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let builder = place::builder(&self.uri)?;
        let destination = place::destination(&self.destination)?;
        if destination.is_pattern() {
            return Err(Failure::Usage(Refusal::IsPattern(destination).to_string()));
        }
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        let mut stop = Stop::listen(None)?;
        let connection = within(deadline, network::open(&mut stop, async { Ok(builder.connect().await?) }), || {
            self.late("not connected yet and nothing was sent")
        })
        .await?;
        let sent = tokio::select! {
            biased;
            cause = stop.wait() => Err(Failure::Stopped(cause)),
            sent = self.send_all(&connection, &destination, deadline) => sent,
        };
        let outcome = match sent {
            Ok(()) => {
                tokio::select! {
                    biased;
                    _ = stop.wait() => (), // All is sent: whoever ends the lingering knows why.
                    () = self.stay(&connection) => (),
                }
                check_taken(&connection, &destination).await
            }
            Err(failure) => Err(failure),
        };
        place::leave(&connection).await;
        outcome
    }

    /// Returns once everything is accepted.
    async fn send_all(
        &self,
        connection: &Connection,
        destination: &Destination,
        deadline: Option<Instant>,
    ) -> Result<(), Failure> {
        let wanted = self.wait_peers;
        within(deadline, async { Ok(connection.ready(wanted).await?) }, || {
            let ready = connection.peers().iter().filter(|peer| peer.is_ready).count();
            self.late(&format!("{ready} of {wanted} peers were ready and nothing was sent"))
        })
        .await?;
        let producer = connection.producer(destination).await?;
        let mut progress = Progress::new("sent");
        let sent = within(deadline, self.enqueue_all(&producer, &mut progress), String::new).await;
        progress.finish();
        match sent {
            // Said here, where the progress can be read.
            Err(Failure::TimedOut(_)) => Err(Failure::TimedOut(
                self.late(&format!("{} messages were sent, but not all accepted", progress.counted())),
            )),
            sent => sent,
        }
    }

    async fn enqueue_all(&self, producer: &Producer, progress: &mut Progress) -> Result<(), Failure> {
        if let Some(count) = self.count {
            for number in 1..=count {
                self.enqueue(producer, progress, Message::text(generated(number, self.size))).await?;
            }
        } else if self.texts.is_empty() {
            let mut batches = lines::stdin();
            while let Some(batch) = batches.recv().await {
                for message in batch.map_err(|error| Failure::Io { what: "reading standard input", error })? {
                    self.enqueue(producer, progress, message).await?;
                }
            }
        } else {
            for text in &self.texts {
                self.enqueue(producer, progress, Message::text(text)).await?;
            }
        }
        Ok(producer.flush().await?)
    }

    async fn enqueue(&self, producer: &Producer, progress: &mut Progress, message: Message) -> Result<(), Failure> {
        let mut message = message;
        for property in &self.properties {
            message = property.apply(message).map_err(flockmq::Error::from)?;
        }
        producer.enqueue(message).await?;
        progress.count_one();
        Ok(())
    }

    /// Lingers, and then waits until peers have taken what is on its way to them.
    async fn stay(&self, connection: &Connection) {
        if let Some(linger) = self.linger {
            eprintln!("all is sent; staying for {linger:?}");
            tokio::time::sleep(linger).await;
        }
        let (mut last, mut moved_at) = (None, Instant::now());
        while let Ok(stats) = connection.stats().await {
            let is_settled = stats.broker.outstanding == 0 && stats.waiting_bytes == 0;
            if is_settled || moved_at.elapsed() >= STILL_MAX {
                return;
            }
            let found = Some((stats.broker.outstanding, stats.broker.acknowledged, stats.waiting_bytes));
            if found != last {
                (last, moved_at) = (found, Instant::now());
            }
            tokio::time::sleep(STILL_PERIOD).await;
        }
    }

    fn late(&self, what: &str) -> String {
        format!("timed out after {:?}: {what}", self.timeout.unwrap_or_default())
    }
}

/// A topic keeps nothing, but what was accepted for a queue is owed to somebody.
async fn check_taken(connection: &Connection, destination: &Destination) -> Result<(), Failure> {
    let broker = connection.stats().await?.broker;
    let left = broker.queued + broker.outstanding_queued;
    match destination.kind() {
        DestinationKind::Queue if left > 0 => Err(Failure::Failed(format!(
            "{left} of {} messages were taken by nobody, as far as is known, and end with this process; --linger gives \
             consumers time to come",
            broker.accepted
        ))),
        DestinationKind::Topic if broker.delivered == 0 && broker.accepted > 0 => {
            warn("nobody was subscribed; --wait-peers waits for those who are");
            Ok(())
        }
        DestinationKind::Queue | DestinationKind::Topic => Ok(()),
    }
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

/// How long peers may take nothing before they are not waited for any more.
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
