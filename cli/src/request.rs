//! `flockmq request`: sends one message and prints the reply to it.

use std::io::Read;
use std::time::Duration;

use clap::Args;
use flockmq::{Delivery, Error, Message, Refusal};

use crate::failure::Failure;
use crate::out::Out;
use crate::place::Place;
use crate::property::Property;
use crate::record::Record;
use crate::stop::{Cause, Stop};
use crate::subscribe::Format;
use crate::targets::{Watch, attend};
use crate::{body, duration, lines, network, place};

/// Ask: send one message, wait for the reply to it and write its body on a line of its own.
///
/// The message is TEXT, or all of standard input. Whoever answers is told where to: a temporary queue of this process,
/// which is found from every peer and through every broker that both are connected to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq request peer://groupA/b1 queue://doubled 21 --timeout 5s
  flockmq request 'fanout:(static:(tcp://a:61616))' orders.status 42 --format json
  flockmq request peer://groupA reports < question.txt

The exit code is 0 once the reply is written, 1 for a failure, 2 for bad usage, 124 if --timeout passed without a reply,
and 130 or 143 if it was interrupted or terminated.")]
pub(crate) struct Request {
    #[arg(value_name = "URI", help = place::URI_HELP)]
    uri: String,
    #[arg(value_name = "DEST", help = "queue://NAME or topic://NAME; a bare NAME is a queue")]
    destination: String,
    /// The message; standard input is not read then
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// Set a property of the message; true, false and numbers have those types, anything else is text
    #[arg(long = "property", short, value_name = "NAME=VALUE", value_parser = Property::parse)]
    properties: Vec<Property>,
    /// Ask nothing before this many peers are ready; with fanout: before this many brokers are up
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    wait_peers: usize,
    /// Give up, with exit code 124, if there is no reply after this long: 500ms, 5s, 2m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// How to write the reply, as `flockmq subscribe` does
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    record: Record,
}

impl Request {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let Place { builder, needed } = Place::read(&self.uri, &self.record)?;
        let destination = place::destination(&self.destination)?;
        if destination.is_pattern() {
            return Err(Failure::Usage(Refusal::IsPattern(destination).to_string()));
        }
        let mut stop = Stop::listen(self.timeout)?;
        let (connection, events) = network::connect(&mut stop, builder).await.map_err(late)?;
        let mut watch = needed.map(|needed| Watch::new(events, needed));
        let asking = async {
            let message = self.message().await?;
            connection.ready(self.wait_peers).await?;
            Ok(connection.request(&destination, message).await?)
        };
        let asking = async {
            tokio::select! {
                biased;
                cause = stop.wait() => Err(late(Failure::Stopped(cause))),
                reply = asking => reply,
            }
        };
        let outcome = attend(&mut watch, asking).await.and_then(|reply| self.write(&reply));
        place::leave(&connection).await;
        outcome
    }

    async fn message(&self) -> Result<Message, Failure> {
        let mut message = match &self.text {
            Some(text) => Message::text(text),
            None => read_all().await?,
        };
        for property in &self.properties {
            message = property.apply(message).map_err(Error::from)?;
        }
        Ok(message)
    }

    fn write(&self, reply: &Delivery) -> Result<(), Failure> {
        Out::new().line(match self.format {
            Format::Json => body::json(reply),
            Format::Text => body::readable(reply.data()).0,
        })
    }
}

/// All of standard input, read on a thread that nobody has to wait for.
async fn read_all() -> Result<Message, Failure> {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut input = Vec::new();
        let read = std::io::stdin().lock().take(INPUT_MAX).read_to_end(&mut input);
        tell.send(read.map(|_| lines::message(input))).ok()
    });
    let read = told.await.expect("the thread answers before it ends");
    read.map_err(|error| Failure::Io { what: "reading standard input", error })
}

/// A deadline that passed is told as one.
fn late(failure: Failure) -> Failure {
    match failure {
        Failure::Stopped(cause @ Cause::Deadline(_)) => Failure::TimedOut(format!("{cause}: no reply came")),
        failure => failure,
    }
}

/// How much is read: more than any message may hold.
const INPUT_MAX: u64 = 1 << 31;
