//! `flockmq subscribe`: takes messages, a line each.

use std::io::IsTerminal;
use std::time::Duration;

use clap::builder::RangedI64ValueParser;
use clap::{Args, ValueEnum};
use flockmq::{AckMode, Connection, Consumer, ConsumerPriority, SubscribeOptions};

use crate::failure::Failure;
use crate::out::{Out, Reader};
use crate::place::Place;
use crate::progress::say;
use crate::record::Record;
use crate::stop::{Cause, Stop};
use crate::targets::{Watch, attend};
use crate::{body, duration, network, paint, place};

/// Take messages and write each body on a line of its own.
///
/// Text is written as it is. Content that is not UTF-8 is written with \xNN for the bytes that are none and with
/// doubled backslashes. On a terminal, control characters are spelled out. A message is acknowledged only after
/// its line was written.
///
/// From many brokers at once (fanout:): a message that several of them have is taken once.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq subscribe peer://groupA/b2 'topic://log.>' --count 1000
  flockmq subscribe peer://groupA orders --ack individual --format json
  flockmq subscribe peer://groupA 'topic://prices.*' --timeout 1m | grep EUR
  flockmq subscribe peer://groupA parcels --selector \"region IN ('eu', 'uk') AND weight > 2.5\"
  flockmq subscribe 'fanout:(static:(tcp://a:61616))?minAckCount=1' 'topic://log.>'
  flockmq subscribe 'fanout:(static:(tcp://a:61616))?minAckCount=1' 'topic://log.>' --durable audit --client-id me

The exit code is 0 once --count messages are written; without --count, when interrupted, terminated or --timeout has
passed, and in any case when the reader of the output has gone. With --count unfulfilled it is 124 after --timeout, 130
when interrupted and 143 when terminated. 1 is a failure, 2 bad usage. The group is told of every orderly end.")]
pub(crate) struct Subscribe {
    #[arg(value_name = "URI", help = place::URI_HELP)]
    uri: String,
    #[arg(
        value_name = "DEST",
        help = "queue://NAME or topic://NAME, with wildcards '*' and '>', or several: DEST,DEST; a bare NAME is a queue"
    )]
    destination: String,
    /// End after this many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How to write a message; json: body, destination, id, properties, redeliveries and timestamp (milliseconds
    /// since 1970), and "escaped" if the body is not UTF-8
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// How to acknowledge: by asking for the next message, each with all before it, or each for itself
    #[arg(long, value_enum, default_value_t)]
    ack: Ack,
    /// End after this long, however many messages came: 500ms, 5s, 2m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// Say so on standard error once messages that are sent come here
    #[arg(long, short)]
    verbose: bool,
    /// Take only messages of which this condition is true, such as "weight > 2.5 AND region = 'eu'"
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    selector: String,
    /// Have the queue alone: while this one is there, no other consumer of its broker is handed anything
    #[arg(long)]
    exclusive: bool,
    /// Come before the broker's other consumers of a queue that have a lower priority: 0 to 127
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = priority())]
    priority: u8,
    /// Take a durable subscription of this name: brokers keep what comes while nobody takes it
    #[arg(long, value_name = "NAME", requires = "client_id")]
    durable: Option<String>,
    /// Begin with what topics remember: retained messages, and as much as their policies say
    #[arg(long)]
    retroactive: bool,
    /// Whose durable subscription it is
    #[arg(long, value_name = "ID", requires = "durable")]
    client_id: Option<String>,
    #[command(flatten)]
    record: Record,
}

/// How messages or peers are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// One object a line
    Json,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Ack {
    /// A message is done with when the next one is asked for
    #[default]
    Auto,
    /// Each acknowledges all before it too
    Client,
    /// Each is acknowledged for itself
    Individual,
}

impl Subscribe {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let Place { builder, needed } = Place::read(&self.uri, &self.record)?;
        let destination = place::destinations(&self.destination)?;
        let mut stop = Stop::listen(self.timeout)?;
        let mut options = SubscribeOptions {
            ack: self.ack.mode(),
            selector: place::selector(&self.selector)?,
            exclusive: self.exclusive,
            priority: ConsumerPriority::try_from(self.priority).expect("the command line takes no other"),
            retroactive: self.retroactive,
            ..SubscribeOptions::default()
        };
        if let (Some(name), Some(client_id)) = (&self.durable, &self.client_id) {
            if needed.is_none() {
                let fault = "--durable needs brokers that outlast this command; expected fanout:(static:(tcp://HOST:PORT))?minAckCount=1";
                return Err(Failure::Usage(fault.into()));
            }
            options = options.durable(client_id, name).map_err(|error| Failure::Usage(error.to_string()))?;
        }
        let opening = {
            let (destination, its_options) = (destination.clone(), options.clone());
            async move {
                let connection = builder.connect().await?;
                let events = connection.events();
                // Many brokers answer once enough of them are up, and while they are not there is something to say.
                let at_once = needed.is_none();
                let consumer =
                    if at_once { Some(connection.subscribe_with(destination, its_options).await?) } else { None };
                Ok((connection, events, consumer))
            }
        };
        let (connection, events, consumer) = network::open(&mut stop, opening).await?;
        let mut watch = needed.map(|needed| Watch::new(events, needed));
        let taking = async {
            let consumer = if let Some(consumer) = consumer {
                consumer
            } else {
                tokio::select! {
                    biased;
                    cause = stop.wait() => return self.stopped(cause, 0),
                    consumer = connection.subscribe_with(destination, options) => consumer?,
                }
            };
            self.take(&connection, consumer, &mut stop).await
        };
        let outcome = attend(&mut watch, taking).await;
        place::leave(&connection).await;
        outcome
    }

    /// Writes messages until there were enough.
    async fn take(&self, connection: &Connection, mut consumer: Consumer, stop: &mut Stop) -> Result<(), Failure> {
        if self.verbose {
            say(&format!("subscribed to {}", paint::name(&self.destination)));
        }
        let (mut out, reader, is_terminal) = (Out::new(), Reader::new(), std::io::stdout().is_terminal());
        let mut taken = 0;
        let outcome = loop {
            if self.count.is_some_and(|count| taken >= count) {
                break Ok(());
            }
            if let Some(cause) = stop.cause() {
                break self.stopped(cause, taken);
            }
            let mut next = consumer.try_next();
            if next.is_none() {
                next = tokio::select! {
                    biased;
                    _ = stop.wait() => continue,
                    () = reader.gone() => break Err(Failure::OutputClosed),
                    next = consumer.next() => next,
                };
            }
            let Some(delivery) = next else {
                break Err(consumer.refusal().map_or(flockmq::Error::Closed, flockmq::Error::Refused).into());
            };
            if let Err(failure) = out.line(body::line(&delivery, self.format, is_terminal)) {
                // Else closing, in automatic mode, would acknowledge what was taken and not written.
                _ = delivery.release();
                break Err(failure);
            }
            if self.ack != Ack::Auto {
                delivery.ack().await?;
            }
            taken += 1;
        };
        consumer.close().await?;
        place::warn_of_rest(connection).await;
        outcome
    }

    fn stopped(&self, cause: Cause, taken: u64) -> Result<(), Failure> {
        cause.conclude(taken, self.count, "messages came")
    }
}

fn priority() -> RangedI64ValueParser<u8> {
    clap::value_parser!(u8).range(..=i64::from(ConsumerPriority::MAX.level()))
}

impl Ack {
    fn mode(self) -> AckMode {
        match self {
            Self::Auto => AckMode::Auto,
            Self::Client => AckMode::Client,
            Self::Individual => AckMode::Individual,
        }
    }
}
