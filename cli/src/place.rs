//! Where a command connects and what it talks about: URIs and destinations from the command line.

use std::time::Duration;

use flockmq::core::uri::UriError;
use flockmq::{Builder, Connection, Destination, Error};

use crate::failure::{Failure, warn};

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

/// Takes leave of the group. What goes wrong with that changes nothing any more.
pub(crate) async fn leave(connection: &Connection) {
    match tokio::time::timeout(LEAVING_MAX, connection.close()).await {
        Ok(Ok(())) => (),
        Ok(Err(error)) => warn(&format!("leaving the group: {error}")),
        Err(_) => warn(&format!("leaving the group took longer than {LEAVING_MAX:?}")),
    }
}

/// How long an orderly end may take.
const LEAVING_MAX: Duration = Duration::from_secs(3);
