//! The options that say how to dial again, shared by `static:` and `fanout:` URIs.

use core::time::Duration;

use super::options::Under;
use super::spec::{OptionKind, OptionSpec};
use super::written::Written;

/// How whoever could not be reached, or went away, is dialled again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconnect {
    /// How long to wait after the first failure (`initialReconnectDelay`).
    pub initial_delay: Option<Duration>,
    /// The longest wait (`maxReconnectDelay`).
    pub max_delay: Option<Duration>,
    /// True if waits grow (`useExponentialBackOff`).
    pub use_exponential_back_off: Option<bool>,
    /// What each wait is multiplied by to give the next (`backOffMultiplier`).
    pub back_off_multiplier: Option<u32>,
    /// How many attempts may fail before giving up; 0 never gives up (`maxReconnectAttempts`).
    pub max_attempts: Option<u32>,
}

impl Reconnect {
    pub(super) fn read(options: Under<'_, '_>) -> Self {
        Self {
            initial_delay: options.duration("initialReconnectDelay"),
            max_delay: options.duration("maxReconnectDelay"),
            use_exponential_back_off: options.boolean("useExponentialBackOff"),
            back_off_multiplier: options.number("backOffMultiplier"),
            max_attempts: options.number("maxReconnectAttempts"),
        }
    }

    pub(super) fn write(&self, written: Written) -> Written {
        written
            .duration("initialReconnectDelay", self.initial_delay)
            .duration("maxReconnectDelay", self.max_delay)
            .plain("useExponentialBackOff", self.use_exponential_back_off)
            .plain("backOffMultiplier", self.back_off_multiplier)
            .plain("maxReconnectAttempts", self.max_attempts)
    }

    pub(super) const fn initial_delay(default: &'static str) -> OptionSpec {
        OptionSpec::new(
            "initialReconnectDelay",
            OptionKind::Milliseconds { min: 1, max: 3_600_000 },
            Some(default),
            "How long to wait after the first failure.",
        )
    }

    pub(super) const MAX_DELAY: OptionSpec = OptionSpec::new(
        "maxReconnectDelay",
        OptionKind::Milliseconds { min: 1, max: 3_600_000 },
        Some("30000"),
        "The longest wait, the first included.",
    );

    pub(super) const USE_EXPONENTIAL_BACK_OFF: OptionSpec = OptionSpec::new(
        "useExponentialBackOff",
        OptionKind::Boolean,
        Some("true"),
        "False makes every wait as long as the first.",
    );

    pub(super) const BACK_OFF_MULTIPLIER: OptionSpec = OptionSpec::new(
        "backOffMultiplier",
        OptionKind::Integer { min: 1, max: 100 },
        Some("2"),
        "What each wait is multiplied by to give the next.",
    );

    pub(super) const MAX_ATTEMPTS: OptionSpec = OptionSpec::new(
        "maxReconnectAttempts",
        OptionKind::Integer { min: 0, max: 1_000_000 },
        Some("0"),
        "How many attempts in a row may fail before an address is given up; 0 never gives up.",
    );
}
