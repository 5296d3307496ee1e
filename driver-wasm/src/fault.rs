//! Why a call did nothing, in the core's words and with a code that programs can tell apart.

use flockmq_core::sim::{ScriptError, ScriptFault};
use flockmq_core::uri::UriError;
use flockmq_core::{ConfigError, DestinationError};

/// Why a call did nothing.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The URI asks for what this version does not have.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The text names no destination.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// A span of time that no clock can wait for.
    #[error("{0} is no number of milliseconds; expected 0 or more, and less than 584 years")]
    Duration(f64),
    /// A moment that is past.
    #[error("{at} ms is past; it is {now} ms now, and time does not run back: play the scenario anew")]
    Past {
        /// The moment asked for, in milliseconds.
        at: f64,
        /// What time it is, in milliseconds.
        now: f64,
    },
    /// The text is no scenario.
    #[error(transparent)]
    Scenario(#[from] ScriptError),
    /// The seed is no number.
    #[error("the seed '{0}' is no hexadecimal number of up to 128 bits")]
    Seed(String),
    /// Something that can't stand where it does: a name that is taken, a host that there is not, a number out of range.
    #[error(transparent)]
    Step(ScriptFault),
    /// The text is no URI of what was to be added.
    #[error(transparent)]
    Uri(#[from] UriError),
}

impl Fault {
    /// What sort of fault it is, in one word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Config(_) => "Config",
            Self::Destination(_) => "Destination",
            Self::Duration(_) => "Duration",
            Self::Past { .. } => "Past",
            Self::Scenario(_) => "Scenario",
            Self::Seed(_) => "Seed",
            Self::Step(ScriptFault::Taken { .. }) => "HostTaken",
            Self::Step(ScriptFault::UnknownHost { .. }) => "UnknownHost",
            Self::Step(_) => "Step",
            Self::Uri(_) => "Uri",
        }
    }

    /// Of one call, which has no lines and columns to tell of.
    pub(crate) fn of_call(error: ScriptError) -> Self {
        match error.fault {
            ScriptFault::Config(error) => Self::Config(error),
            ScriptFault::Destination(error) => Self::Destination(error),
            ScriptFault::Uri(error) => Self::Uri(error),
            fault => Self::Step(fault),
        }
    }
}
