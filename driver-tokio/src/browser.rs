//! Looking at what waits in a queue, without taking it.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use flockmq_core::{Destination, Selector, SelectorError, Subscription};

use crate::connection::Attachment;
use crate::consumer::{AckMode, Consumer};
use crate::delivery::Delivery;
use crate::error::Error;

/// How a queue is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrowseOptions {
    /// How many messages are fetched ahead; `None` takes the broker's default. Through fanout each target may hand out
    /// so many.
    pub prefetch: Option<u32>,
    /// What messages have to be like to be shown (JMS message selector); see [`selector`](Self::selector).
    pub selector: Option<Selector>,
}

impl BrowseOptions {
    /// The same options for messages of which this condition is true, as [`SubscribeOptions::selector`] has it.
    ///
    /// [`SubscribeOptions::selector`]: crate::SubscribeOptions::selector
    pub fn selector(self, text: &str) -> Result<Self, SelectorError> {
        Ok(Self { selector: Selector::parse_optional(text)?, ..self })
    }
}

/// Shows what waited in a queue when it was made, in the order in which it would be handed out, and then ends. What is
/// taken meanwhile is not shown, nor is what comes.
#[derive(Debug)]
pub struct Browser {
    consumer: Consumer,
}

impl Browser {
    /// Creates a browser at the broker.
    pub(crate) async fn open(
        attachment: &Arc<Attachment>,
        destination: Destination,
        options: BrowseOptions,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let BrowseOptions { prefetch, selector } = options;
        let subscription = Subscription { prefetch, selector, browses: true, ..Subscription::new(destination) };
        // What it says of having seen messages is for its credit.
        let consumer = Consumer::open(attachment, subscription, AckMode::Auto, timeout).await?;
        Ok(Self { consumer })
    }

    /// The next message that waits; none after the last, which [`is_complete`](Self::is_complete) tells from a connection
    /// that was closed. Acknowledging it or giving it back changes nothing at the queue.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.consumer.next().await
    }

    /// Polls for the next message; what [`next`](Self::next) awaits.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.consumer.poll_next(context)
    }

    /// True once all that waits has been shown.
    pub fn is_complete(&self) -> bool {
        self.consumer.was_shown_all()
    }

    /// Ends the browser, which dropping it does without waiting.
    pub async fn close(self) -> Result<(), Error> {
        self.consumer.close().await
    }
}
