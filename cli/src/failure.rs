//! Why a command did not do what it was asked to, and what the shell is told.

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use flockmq::core::sim::ScriptError;
use flockmq::core::uri::UriError;
use flockmq::{Error, SelectorError};

use crate::caret;
use crate::paint::{Paint, Style};
use crate::progress::say;
use crate::stop::Cause;

/// Why a command ends otherwise than by being done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The library said no.
    #[error(transparent)]
    Driver(#[from] Error),
    /// Something did not come to be; a sentence says what.
    #[error("{0}")]
    Failed(String),
    /// The system said no.
    #[error("{what}: {error}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// The system's words.
        error: io::Error,
    },
    /// Nobody reads our output any more, which is how pipes end: nothing to complain about.
    #[error("the reader of the output has gone")]
    OutputClosed,
    /// The scenario makes no sense.
    #[error("'{}', {error}", file.display())]
    Scenario {
        /// Where it stands.
        file: PathBuf,
        /// The line at fault.
        line: String,
        /// What is wrong, and where.
        error: Box<ScriptError>,
    },
    /// The selector makes no sense.
    #[error("{error}")]
    Selector {
        /// The whole of it.
        text: String,
        /// What is wrong, and where.
        error: SelectorError,
    },
    /// Ended from outside before it was done.
    #[error("{0} before all was done")]
    Stopped(Cause),
    /// A deadline passed; a sentence says what was still wanted.
    #[error("{0}")]
    TimedOut(String),
    /// The arguments make no sense; a sentence quotes the part at fault.
    #[error("{0}")]
    Usage(String),
    /// The URI makes no sense.
    #[error("{error}")]
    Uri {
        /// The whole of it.
        text: String,
        /// What is wrong, and where.
        error: UriError,
    },
}

impl Failure {
    /// Says what was wrong, on standard error.
    pub(crate) fn report(&self) {
        if matches!(self, Self::OutputClosed) {
            return;
        }
        complain(&self.to_string());
        let (text, at) = match self {
            Self::Scenario { line, error, .. } => (line, error.at.clone()),
            Self::Selector { text, error } => (text, at_column(text, error.column())),
            Self::Uri { text, error } => (text, error.span()),
            _ => return,
        };
        let (line, carets) = caret::point(text, at);
        eprintln!("  {line}\n  {}", Paint::stderr().paint(Style::Bad, &carets));
    }

    /// What the shell is told.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Driver(Error::Config(_) | Error::Destination(_) | Error::NotConnectable { .. } | Error::Uri(_)) => {
                USAGE
            }
            Self::Driver(Error::TimedOut { .. }) | Self::TimedOut(_) => TIMED_OUT,
            Self::Driver(_) | Self::Failed(_) | Self::Io { .. } => FAILED,
            Self::OutputClosed => DONE,
            Self::Stopped(cause) => cause.exit_code(),
            Self::Scenario { .. } | Self::Selector { .. } | Self::Uri { .. } | Self::Usage(_) => USAGE,
        })
    }
}

/// The character of a text at a column, which may be its end.
fn at_column(text: &str, column: usize) -> Range<usize> {
    let start = text.char_indices().nth(column - 1).map_or(text.len(), |(start, _)| start);
    start..start
}

/// Says that something failed, on standard error.
pub(crate) fn complain(text: &str) {
    say(&format!("{} {text}", Paint::stderr().paint(Style::Bad, "error:")));
}

/// Says something worth knowing that is no failure, on standard error.
pub(crate) fn warn(text: &str) {
    say(&format!("{} {text}", Paint::stderr().paint(Style::Warning, "warning:")));
}

pub(crate) const TIMED_OUT: u8 = 124; // As `timeout` has it.

const DONE: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2; // As clap has it.
