//! One wanted address.

use super::{Outcome, Standing};
use crate::base::{Backoff, BackoffConfig, Instant, Rng, Situation};
use crate::model::{BrokerId, LinkId};

/// How an address fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A dial was asked for and has no name yet.
    Asked,
    /// A dial is under way; given up at `until`, or left to the handshake.
    Dialling { link: LinkId, until: Option<Instant> },
    /// Not to be dialled: it led nowhere useful, or the attempts are used up.
    GivenUp,
    /// Whoever is there is linked, by this address or otherwise.
    Met { broker: BrokerId, since: Instant },
    /// To be dialled later.
    Waiting { until: Instant },
}

/// An address's state, its failures in a row and what follows from them.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) state: State,
    pub(super) backoff: Backoff,
    config: BackoffConfig,
}

impl Slot {
    /// To be dialled at `at`, with waits of this shape from then on.
    pub(super) fn new(at: Instant, config: BackoffConfig) -> Self {
        Self { state: State::Waiting { until: at }, backoff: Backoff::default(), config }
    }

    /// Counts a failure and waits, or gives up.
    pub(super) fn fail(&mut self, now: Instant, rng: &mut Rng) -> Outcome {
        let (state, outcome) = match self.backoff.fail(&self.config, rng) {
            None => {
                Situation::DialGivenUp.met();
                (State::GivenUp, Outcome::GivenUp)
            }
            Some(wait) => {
                Situation::DialFailed.met();
                (State::Waiting { until: now + wait }, Outcome::Waiting)
            }
        };
        self.state = state;
        outcome
    }

    /// Waits without counting a failure.
    pub(super) fn pause(&mut self, now: Instant, rng: &mut Rng) {
        self.state = State::Waiting { until: now + self.backoff.pause(&self.config, rng) };
    }

    /// True if it may yet lead to somebody.
    pub(super) fn is_prospect(&self) -> bool {
        matches!(self.state, State::Asked | State::Dialling { .. } | State::Waiting { .. })
    }

    pub(super) fn standing(&self) -> Standing {
        match self.state {
            State::Asked | State::Dialling { .. } => Standing::Connecting,
            State::GivenUp => Standing::GivenUp,
            State::Met { broker, .. } => Standing::Met(broker),
            State::Waiting { .. } => Standing::Waiting,
        }
    }

    /// True if `link` is this slot's dial.
    pub(super) fn is_dialling(&self, link: LinkId) -> bool {
        matches!(self.state, State::Dialling { link: found, .. } if found == link)
    }

    /// When there is something to do next.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Waiting { until } | State::Dialling { until: Some(until), .. } => Some(until),
            State::Asked | State::Dialling { until: None, .. } | State::GivenUp | State::Met { .. } => None,
        }
    }
}
