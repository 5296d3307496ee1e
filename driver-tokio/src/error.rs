//! What can go wrong for an application.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use flockmq_core::uri::UriError;
use flockmq_core::{
    Address, Answer, ConfigError, DestinationError, DurableError, MessageError, MessageId, PropertiesError, Refusal,
    SelectorError,
};

use crate::consumer::AckMode;

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
    /// The texts name no durable subscription.
    #[error(transparent)]
    Durable(#[from] DurableError),
    /// How a message fared is not known any more: nobody asked for a long time, while many others were refused.
    #[error("how the message fared was forgotten: {max} later refusals were not asked for either")]
    Forgotten {
        /// How many refusals are remembered.
        max: u64,
    },
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
    /// The message does not say where a reply to it is wanted. Nothing was sent.
    #[error("message {0} asks for no reply")]
    NoReplyTo(MessageId),
    /// Called outside a tokio runtime; nothing was started.
    #[error("there is no tokio runtime here; connect from within one that has I/O and time enabled")]
    NoRuntime,
    /// Too few brokers have accepted a message that was sent through fanout. Those that did may hand it out.
    #[error("{refusal}{}", Listed(.answers))]
    NotAccepted {
        /// Why.
        refusal: Refusal,
        /// What each broker said that it was sent to; empty if it was sent to none.
        answers: Vec<Answer>,
    },
    /// The URI is a valid one, but only says where others are. Nothing was started.
    #[error(
        "'{uri}' can't be connected to: a {scheme}: URI says where others are; expected peer://GROUP/NAME, vm://NAME, \
         broker:(tcp://HOST:PORT)?name=NAME or fanout:(static:(tcp://HOST:PORT))?minAckCount=1"
    )]
    NotConnectable {
        /// The URI.
        uri: String,
        /// Its scheme.
        scheme: &'static str,
    },
    /// A transaction takes acknowledgements of consumers in [`AckMode::Individual`](crate::AckMode::Individual) only: others
    /// acknowledge several deliveries at once. Nothing was acknowledged.
    #[error("a transaction takes no acknowledgements of a consumer in {mode:?} mode; subscribe in Individual mode")]
    NotIndividual {
        /// The consumer's mode.
        mode: AckMode,
    },
    /// The listener could not be opened: nobody can connect here. Nothing was started if it was said where to listen; else
    /// all else works.
    #[error("can't listen at {at}: {reason}")]
    NotListening {
        /// Where.
        at: Address,
        /// Why.
        reason: String,
    },
    /// What was asked to be recorded can't be. Nothing was started.
    #[error("'{}' can't be recorded into: {reason}", path.display())]
    NotRecorded {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The property can't be set.
    #[error(transparent)]
    Properties(#[from] PropertiesError),
    /// The broker, or the client, refused; nothing was changed by it.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// The text is no selector.
    #[error(transparent)]
    Selector(#[from] SelectorError),
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

/// What each broker said, in brackets; nothing if there is none.
struct Listed<'a>(&'a [Answer]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, answer) in self.0.iter().enumerate() {
            write!(f, "{}{}: ", if index == 0 { " (" } else { "; " }, answer.name)?;
            match &answer.result {
                Ok(()) => f.write_str("accepted")?,
                Err(refusal) => refusal.fmt(f)?,
            }
        }
        f.write_str(if self.0.is_empty() { "" } else { ")" })
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use flockmq_core::BrokerId;

    #[test]
    fn a_message_not_accepted_says_what_each_broker_said() {
        let answer = |name: &str, result| Answer { broker: BrokerId(1), name: name.into(), result };
        let refusal = Refusal::NotEnough { accepted: 1, needed: 2 };
        let answers = vec![answer("b", Err(Refusal::Stopping)), answer("c", Ok(()))];
        let error = Error::NotAccepted { refusal: refusal.clone(), answers };
        let expected = "1 of 2 brokers needed accepted it, and no others are left that could \
            (b: the broker is stopping; c: accepted)";
        assert_eq!(error.to_string(), expected);
        let error = Error::NotAccepted { refusal: refusal.clone(), answers: Vec::new() };
        assert_eq!(error.to_string(), refusal.to_string());
    }
}
