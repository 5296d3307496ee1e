//! What happens around a broker or a client, as a stream.

use std::time::Duration;

use flockmq_core::Event;
use tokio::sync::broadcast;

use crate::error::{Error, within};

/// What happens around a broker, or among the targets of a client, from the moment the stream was asked for: peers and
/// targets that come and go, clients served, links refused and why, names that clash.
///
/// The stream is bounded. Who falls behind misses the oldest events, and [`missed`](Self::missed) counts them.
#[derive(Debug)]
pub struct Events(Heard<Event>);

impl Events {
    pub(crate) fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self(Heard::new(receiver))
    }

    /// The next event; none once the broker has stopped. A call that is given up loses none.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.next().await
    }

    /// The next event, or [`Error::TimedOut`] if none comes for this long; none once the broker has stopped.
    pub async fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Event>, Error> {
        within(Some(timeout), "waiting for an event", async { Ok(self.next().await) }).await
    }

    /// How many events were missed so far.
    pub fn missed(&self) -> u64 {
        self.0.missed()
    }
}

/// What is heard of a broker, as far as it is taken in time.
#[derive(Debug)]
pub(crate) struct Heard<T> {
    receiver: broadcast::Receiver<T>,
    missed: u64,
}

impl<T: Clone> Heard<T> {
    pub(crate) fn new(receiver: broadcast::Receiver<T>) -> Self {
        Self { receiver, missed: 0 }
    }

    /// The next word; none once nothing follows.
    pub(crate) async fn next(&mut self) -> Option<T> {
        loop {
            match self.receiver.recv().await {
                Ok(word) => return Some(word),
                Err(broadcast::error::RecvError::Lagged(count)) => self.missed += count,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }
}

/// How many events wait for a stream that does not take them.
pub(crate) const CAPACITY: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_that_nobody_took_in_time_are_counted() {
        let (sender, receiver) = broadcast::channel(2);
        let mut events = Events::new(receiver);
        for name in ["a", "b", "c", "d", "e"] {
            sender.send(Event::ListenFailed { reason: name.into() }).expect("a listener");
        }
        drop(sender);
        assert_eq!(events.next().await, Some(Event::ListenFailed { reason: "d".into() }));
        assert_eq!(events.missed(), 3);
        assert_eq!(events.next().await, Some(Event::ListenFailed { reason: "e".into() }));
        assert_eq!(events.next().await, None);
    }
}
