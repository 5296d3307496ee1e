//! Where a command connects and what it talks about: URIs and destinations from the command line.

use std::time::Duration;

use flockmq::core::uri::{Location, UriError};
use flockmq::{Builder, Connection, Destination, Destinations, Error, Selector};

use crate::failure::{Failure, warn};
use crate::record::Record;

/// What the help says of URIs that can be connected to.
pub(crate) const URI_HELP: &str = "peer://GROUP[/NAME][?OPTIONS] or 'fanout:(URI)[?OPTIONS]'; see 'flockmq uri'";

/// What a URI names.
#[derive(Debug)]
pub(crate) struct Place {
    /// The connection to it, not made yet.
    pub(crate) builder: Builder,
    /// If it is many brokers at once: how many of them must accept a message.
    pub(crate) needed: Option<u32>,
}

impl Place {
    /// Reads a URI, and takes note of what is to be recorded.
    pub(crate) fn read(uri: &str, record: &Record) -> Result<Self, Failure> {
        let needed = match uri.parse().map_err(|error| bad_uri(uri, error))? {
            Location::Fanout(fanout) => Some(fanout.acks_min()),
            _ => None,
        };
        Ok(Self { builder: record.apply(builder(uri)?), needed })
    }
}

/// The connection that a URI asks for, not made yet.
pub(crate) fn builder(uri: &str) -> Result<Builder, Failure> {
    Builder::from_uri(uri).map_err(|error| match error {
        Error::Uri(error) => bad_uri(uri, error),
        error => error.into(),
    })
}

/// The fault of a URI.
pub(crate) fn bad_uri(uri: &str, error: UriError) -> Failure {
    Failure::Uri { text: uri.to_owned(), error }
}

/// The destination of this text.
pub(crate) fn destination(text: &str) -> Result<Destination, Failure> {
    text.parse().map_err(|error: flockmq::DestinationError| Failure::Usage(error.to_string()))
}

/// The destination of this text, or several with commas between.
pub(crate) fn destinations(text: &str) -> Result<Destinations, Failure> {
    text.parse().map_err(|error: flockmq::DestinationError| Failure::Usage(error.to_string()))
}

/// The selector of this text, if there is any.
pub(crate) fn selector(text: &str) -> Result<Option<Selector>, Failure> {
    Selector::parse_optional(text).map_err(|error| Failure::Selector { text: text.to_owned(), error })
}

/// Takes leave of the group. What goes wrong with that changes nothing any more.
pub(crate) async fn leave(connection: &Connection) {
    match tokio::time::timeout(LEAVING_MAX, connection.close()).await {
        Ok(Ok(())) => (),
        Ok(Err(error)) => warn(&format!("leaving the group: {error}")),
        Err(_) => warn(&format!("leaving the group took longer than {LEAVING_MAX:?}")),
    }
}

/// Hands what waits in queues to peers, and takes leave.
pub(crate) async fn drain(connection: &Connection, patience: Duration) {
    match connection.drain(patience).await {
        Ok(left) => warn_of(left),
        Err(error) => warn(&format!("leaving the group: {error}")),
    }
}

/// Warns that what has come to this broker for a queue and was not taken has nobody else to go to.
pub(crate) async fn warn_of_rest(connection: &Connection) {
    if let Ok(stats) = connection.stats().await {
        warn_of(stats.broker.queued);
    }
}

fn warn_of(queued: u64) {
    if queued > 0 {
        warn(&format!("{queued} messages that were sent here and not taken end with this process"));
    }
}

/// How long an orderly end may take.
const LEAVING_MAX: Duration = Duration::from_secs(3);
