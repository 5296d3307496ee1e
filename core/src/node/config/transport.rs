//! What holds for links to one address.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::BackoffConfig;
use crate::uri::WireFormat;

/// What is different about links that are dialled at one address; what is `None` is as for all others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransportConfig {
    /// How long to wait after failures.
    pub backoff: Option<BackoffConfig>,
    /// How long a connect may take.
    pub connect_timeout: Option<Duration>,
    /// The longest frame that is taken, in bytes.
    pub frame_max: Option<u32>,
    /// How long the other end may be silent.
    pub silence_max: Option<Duration>,
}

impl TransportConfig {
    pub(super) fn new(connect_timeout: Option<Duration>, wire_format: &WireFormat) -> Self {
        Self {
            backoff: None,
            connect_timeout,
            frame_max: wire_format.max_frame_size,
            silence_max: wire_format.max_inactivity_duration,
        }
    }
}
