//! What happens in the embedded broker, as whoever asks is told.

use super::{Event, Node};
use crate::model::{Advisory, ConnectionId, Refusal, What};

impl Node {
    /// A connection wants to be told, or no more, as often as it has said that it does.
    pub(super) fn want_advisories(&mut self, connection: ConnectionId, wanted: bool) -> Result<(), Refusal> {
        if self.fanout.is_some() {
            return Err(Refusal::NotThroughFanout { what: What::Advisories });
        }
        self.client(connection)?;
        if wanted {
            *self.advised.entry(connection).or_insert(0) += 1;
        } else if let Some(count) = self.advised.get_mut(&connection).filter(|count| **count > 1) {
            *count -= 1;
        } else {
            self.advised.remove(&connection);
        }
        self.broker.set_advising(!self.advised.is_empty());
        Ok(())
    }

    /// A connection has ended.
    pub(super) fn forget_advised(&mut self, connection: ConnectionId) {
        self.advised.remove(&connection);
        self.broker.set_advising(!self.advised.is_empty());
    }

    /// Tells what has happened, if anybody wants to know.
    pub(super) fn advise(&mut self, tell: impl FnOnce() -> Advisory) {
        if !self.advised.is_empty() {
            self.tell(Event::Advised { advisory: tell() });
        }
    }
}
