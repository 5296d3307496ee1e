//! `flockmq reply`: answers requests.

use std::process::Stdio;
use std::time::Duration;

use clap::Args;
use flockmq::{Connection, Consumer, Delivery, Error, Message, SubscribeOptions};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::failure::{Failure, warn};
use crate::out::Out;
use crate::place::Place;
use crate::progress::say;
use crate::record::Record;
use crate::stop::{Cause, Stop};
use crate::targets::{Watch, attend};
use crate::{body, duration, lines, network, paint, place};

/// Answer requests, and write each that was answered on a line of its own.
///
/// A request is acknowledged once its reply is accepted; one that asks for no reply, or whose sender has gone, is told of
/// on standard error. Several processes that answer one queue share the work.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  flockmq reply peer://groupA/b2 queue://doubled --exec 'read n; echo $((2 * n))'
  flockmq reply peer://groupA/b2 queue://ping --echo --count 10
  flockmq reply 'fanout:(static:(tcp://a:61616))' queue://version --body 1.2

The exit code is 0 once --count requests are answered; without --count, when interrupted, terminated or --timeout has
passed. With --count unfulfilled it is 124 after --timeout, 130 when interrupted and 143 when terminated. 1 is a failure,
2 bad usage.")]
pub(crate) struct Reply {
    #[arg(value_name = "URI", help = place::URI_HELP)]
    uri: String,
    #[arg(
        value_name = "DEST",
        help = "queue://NAME or topic://NAME, with wildcards '*' and '>'; a bare NAME is a queue"
    )]
    destination: String,
    #[command(flatten)]
    answer: Answer,
    /// End after this many answers
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this long, however many requests came: 500ms, 5s, 2m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// Say so on standard error once requests that are sent come here
    #[arg(long, short)]
    verbose: bool,
    #[command(flatten)]
    record: Record,
}

/// What the replies are.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Answer {
    /// Answer each request with this text
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// Answer each request with its own content
    #[arg(long)]
    echo: bool,
    /// Answer each request with what a shell command writes that reads the request; one that fails answers nothing
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
}

impl Reply {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let Place { builder, needed } = Place::read(&self.uri, &self.record)?;
        let destination = place::destination(&self.destination)?;
        let mut stop = Stop::listen(self.timeout)?;
        let (connection, events) = network::connect(&mut stop, builder).await?;
        let mut watch = needed.map(|needed| Watch::new(events, needed));
        let options = SubscribeOptions { prefetch: Some(1), ..SubscribeOptions::default() };
        let answering = async {
            let consumer = tokio::select! {
                biased;
                cause = stop.wait() => return self.stopped(cause, 0),
                consumer = connection.subscribe_with(destination, options) => consumer?,
            };
            self.answer_all(&connection, consumer, &mut stop).await
        };
        let outcome = attend(&mut watch, answering).await;
        place::leave(&connection).await;
        outcome
    }

    /// Answers until there were enough.
    async fn answer_all(
        &self,
        connection: &Connection,
        mut requests: Consumer,
        stop: &mut Stop,
    ) -> Result<(), Failure> {
        if self.verbose {
            say(&format!("answering {}", paint::name(&self.destination)));
        }
        let (mut out, mut answered) = (Out::new(), 0);
        while self.count.is_none_or(|count| answered < count) {
            let request = tokio::select! {
                biased;
                cause = stop.wait() => return self.stopped(cause, answered),
                request = requests.next() => request.ok_or(Error::Closed)?,
            };
            let replying = async {
                match self.answer.to(&request).await? {
                    Some(reply) => Ok::<_, Failure>(Some(connection.reply(&request, reply).await)),
                    None => Ok(None),
                }
            };
            let replied = tokio::select! {
                biased;
                cause = stop.wait() => return self.stopped(cause, answered),
                replied = replying => replied?,
            };
            request.ack().await?;
            match replied {
                Some(Ok(_)) => {
                    answered += 1;
                    out.line(body::readable(request.data()).0)?;
                }
                Some(Err(error @ (Error::NoReplyTo(_) | Error::NotAccepted { .. } | Error::Refused(_)))) => {
                    warn(&error.to_string());
                }
                Some(Err(error)) => return Err(error.into()),
                None => (),
            }
        }
        requests.close().await?;
        Ok(())
    }

    fn stopped(&self, cause: Cause, answered: u64) -> Result<(), Failure> {
        cause.conclude(answered, self.count, "requests were answered")
    }
}

impl Answer {
    /// The reply to a request, if there is to be one.
    async fn to(&self, request: &Delivery) -> Result<Option<Message>, Failure> {
        if let Some(command) = &self.exec {
            return run(command, request).await.map_err(|error| Failure::Io { what: "running the command", error });
        }
        Ok(Some(match &self.body {
            Some(text) => Message::text(text),
            None => lines::message(request.data().to_vec()),
        }))
    }
}

/// What a shell command makes of a request; nothing if it fails.
async fn run(command: &str, request: &Delivery) -> std::io::Result<Option<Message>> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = shell.spawn()?;
    let mut stdin = child.stdin.take().expect("it was piped");
    let feeding = async {
        // It may end without having read all, which is its right.
        _ = stdin.write_all(request.data()).await;
        drop(stdin);
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), feeding);
    let output = output?;
    if !output.status.success() {
        warn(&format!("the command failed, {}: message {} is not answered", output.status, request.id()));
        return Ok(None);
    }
    let mut text = output.stdout;
    if text.ends_with(b"\n") {
        text.pop();
    }
    Ok(Some(lines::message(text)))
}
