//! Transactions: what is sent and acknowledged all at once, or not at all.

use std::sync::Arc;
use std::time::Duration;

use flockmq_core::{Command, RequestId};

use crate::connection::Attachment;
use crate::delivery::Delivery;
use crate::error::{Error, within};
use crate::message::{Message, ToDestinations};

/// Messages and acknowledgements that count all at once, when they are committed, or not at all (a JMS session that is
/// `SESSION_TRANSACTED`).
///
/// Nothing that is sent is seen by anybody before, and what is acknowledged stays with its consumer. Rolled back, what was
/// sent is forgotten and what was acknowledged goes back to its queue as [`Delivery::release`] has it. So it does when the
/// transaction is dropped, and when the connection or the process ends: then it comes again at once.
///
/// ```
/// use flockmq::{AckMode, SubscribeOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), flockmq::Error> {
/// let connection = flockmq::connect("vm://transaction-example").await?;
/// let options = SubscribeOptions { ack: AckMode::Individual, ..SubscribeOptions::default() };
/// let mut orders = connection.subscribe_with("queue://orders", options).await?;
/// connection.send("queue://orders", "42").await?;
///
/// let order = orders.next().await.expect("the consumer is open");
/// let mut transaction = connection.transaction().await?;
/// transaction.send("queue://invoices", format!("for {}", order.text()?)).await?;
/// transaction.ack(&order).await?;
/// transaction.commit().await?; // The order is done with, and there is an invoice.
/// connection.close().await
/// # }
/// ```
#[derive(Debug)]
pub struct Transaction {
    attachment: Arc<Attachment>,
    number: u64,
    timeout: Option<Duration>,
    is_open: bool,
}

impl Transaction {
    /// Begins a transaction at the broker.
    pub(crate) async fn begin(attachment: &Arc<Attachment>, timeout: Option<Duration>) -> Result<Self, Error> {
        let number = attachment.inbox().number();
        // Made before the answer is known, so that a wait that is given up rolls it back again.
        let mut begun = Self { attachment: Arc::clone(attachment), number, timeout, is_open: true };
        let connection = attachment.id();
        let answer = begun
            .ask("beginning a transaction", |request| Command::Begin { request, connection, transaction: number })
            .await;
        begun.is_open = !matches!(answer, Err(Error::Refused(_) | Error::Closed));
        answer.map(|()| begun)
    }

    /// Sends a message when the transaction is committed. It is refused at once if it is too large, or if the
    /// transaction holds as much as it may.
    pub async fn send(&self, destination: impl ToDestinations, message: impl Into<Message>) -> Result<(), Error> {
        let (connection, transaction) = (self.attachment.id(), self.number);
        let (destination, message) = (destination.to_destinations()?, message.into().into_body());
        self.ask("sending in a transaction", |request| Command::TransactedSend {
            request,
            connection,
            transaction,
            destination,
            message,
        })
        .await
    }

    /// Acknowledges a delivery when the transaction is committed: that one alone, of a consumer in
    /// [`AckMode::Individual`](crate::AckMode::Individual) and of the same connection. It counts against the consumer's
    /// prefetch until then.
    pub async fn ack(&self, delivery: &Delivery) -> Result<(), Error> {
        let (connection, transaction) = (self.attachment.id(), self.number);
        let (consumer, tag) = delivery.transactable()?;
        self.ask("acknowledging in a transaction", |request| Command::TransactedAck {
            request,
            connection,
            transaction,
            consumer,
            tag,
        })
        .await
    }

    /// Does it all. If anything can't be done, such as sending where there is no room or acknowledging what has gone back
    /// to its queue with its consumer, nothing is: then it can be tried again, or rolled back.
    ///
    /// Committing again what is committed is refused. A wait that is given up may yet be committed.
    pub async fn commit(&mut self) -> Result<(), Error> {
        let (connection, transaction) = (self.attachment.id(), self.number);
        self.ask("committing", |request| Command::Commit { request, connection, transaction }).await?;
        self.is_open = false;
        Ok(())
    }

    /// Does none of it.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let (connection, transaction) = (self.attachment.id(), self.number);
        self.is_open = false;
        self.ask("rolling back", |request| Command::Rollback { request, connection, transaction }).await
    }

    async fn ask(&self, what: &'static str, command: impl FnOnce(RequestId) -> Command) -> Result<(), Error> {
        within(self.timeout, what, self.attachment.inbox().ask(command)).await
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.is_open {
            let (connection, transaction) = (self.attachment.id(), self.number);
            self.attachment.inbox().tell(|request| Command::Rollback { request, connection, transaction });
        }
    }
}
