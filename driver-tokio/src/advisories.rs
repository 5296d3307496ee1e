//! What a broker tells about itself, as a stream.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flockmq_core::{Advisory, BrokerId, Command, ConnectionId};
use tokio::sync::broadcast;

use crate::connection::Attachment;
use crate::error::{Error, within};
use crate::events::Heard;
use crate::inbox::Inbox;

/// What happens in the embedded broker, or in every target of a `fanout:`, from the moment the stream was asked for:
/// connections, consumers and destinations that come and go, consumers that are slow, messages that expire. Dropping it ends it;
/// a broker that nobody asks tells nothing, and that costs nothing.
///
/// The stream is bounded (`BrokerConfig::advisories_max`). Who falls behind misses the oldest, and
/// [`missed`](Self::missed) counts them. A target does not tell what the link has no room for; that is counted as well.
pub struct Advisories {
    heard: Heard<News>,
    untold: u64, // By targets.
    connection: ConnectionId,
    inbox: Arc<Inbox>,
}

/// Something that happened in a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advised {
    /// The broker: the embedded one, or a target of a `fanout:`.
    pub broker: BrokerId,
    /// What happened.
    pub advisory: Advisory,
}

/// An advisory as the node tells it.
#[derive(Clone, Debug)]
pub(crate) struct News {
    pub(crate) advised: Advised,
    /// How many before it were not told.
    pub(crate) missed: u64,
}

impl Advisories {
    /// Asks the broker.
    pub(crate) async fn open(attachment: &Attachment, timeout: Option<Duration>) -> Result<Self, Error> {
        let (connection, inbox) = (attachment.id(), attachment.inbox());
        let asking = inbox.ask(|request| Command::Advise { request, connection, wanted: true });
        // Made before the answer is known, so that nothing is missed, and a wait that is given up takes it back.
        let opened = Self::new(attachment.advisories(), connection, Arc::clone(inbox));
        within(timeout, "asking for advisories", asking).await?;
        Ok(opened)
    }

    fn new(receiver: broadcast::Receiver<News>, connection: ConnectionId, inbox: Arc<Inbox>) -> Self {
        Self { heard: Heard::new(receiver), untold: 0, connection, inbox }
    }

    /// The next one; none once the broker has stopped. A call that is given up loses none.
    pub async fn next(&mut self) -> Option<Advised> {
        let News { advised, missed } = self.heard.next().await?;
        self.untold = self.untold.saturating_add(missed);
        Some(advised)
    }

    /// The next one, or [`Error::TimedOut`] if none comes for this long; none once the broker has stopped.
    pub async fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Advised>, Error> {
        within(Some(timeout), "waiting for an advisory", async { Ok(self.next().await) }).await
    }

    /// How many were missed so far.
    pub fn missed(&self) -> u64 {
        self.untold.saturating_add(self.heard.missed())
    }
}

impl Drop for Advisories {
    fn drop(&mut self) {
        let connection = self.connection;
        self.inbox.tell(|request| Command::Advise { request, connection, wanted: false });
    }
}

impl fmt::Debug for Advisories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Advisories").field("heard", &self.heard).finish_non_exhaustive()
    }
}
