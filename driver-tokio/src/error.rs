//! What can go wrong for an application.

use std::time::Duration;

use flockmq_core::uri::UriError;
use flockmq_core::{ConfigError, DestinationError, MessageError, PropertiesError, Refusal};

/// Why something was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection, or what was opened through it, is closed. Whatever was asked for now was not done.
    #[error("the connection is closed")]
    Closed,
    /// The URI asks for what this version does not have. Nothing was started.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The text names no destination.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The message can't be read as asked.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The name is that of another broker of this process; that one was left as it is, and none was started.
    #[error("this process has a broker named '{name}' already, {difference}; use another name or the same options")]
    NameInUse {
        /// The name.
        name: String,
        /// In what it differs from the one asked for.
        difference: String,
    },
    /// There is no broker of this name in the process, and none was to be created.
    #[error("this process has no broker named '{0}', and create=false says not to start one")]
    NoBroker(String),
    /// The system gave no random bytes for the broker's identity; nothing was started.
    #[error("the system gives no random bytes: {0}")]
    NoEntropy(String),
    /// Called outside a tokio runtime; nothing was started.
    #[error("there is no tokio runtime here; connect from within one that has I/O and time enabled")]
    NoRuntime,
    /// The URI is a valid one, but names no broker of this process. Nothing was started.
    #[error(
        "'{uri}' can't be connected to: a {scheme}: URI says where others are; expected peer://GROUP/NAME or vm://NAME"
    )]
    NotConnectable {
        /// The URI.
        uri: String,
        /// Its scheme.
        scheme: &'static str,
    },
    /// The property can't be set.
    #[error(transparent)]
    Properties(#[from] PropertiesError),
    /// The broker refused; nothing was changed by it.
    #[error("the broker refused: {0}")]
    Refused(#[from] Refusal),
    /// The wait was given up. What was waited for may still come to pass.
    #[error("{what} took longer than {after:?}")]
    TimedOut {
        /// What was waited for.
        what: &'static str,
        /// How long.
        after: Duration,
    },
    /// The URI is none of ours; the text quotes the part at fault. Nothing was started.
    #[error(transparent)]
    Uri(#[from] UriError),
}

/// Waits for `future`, but no longer than `timeout` if there is one.
pub(crate) async fn within<T>(
    timeout: Option<Duration>,
    what: &'static str,
    future: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match timeout {
        None => future.await,
        Some(after) => tokio::time::timeout(after, future).await.unwrap_or(Err(Error::TimedOut { what, after })),
    }
}
