//! Requests: messages that ask for an answer, and the one queue on which a connection's answers come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flockmq_core::{Body, Destination, DestinationKind, Message as Received, Subscription, Temporary};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::connection::{Attachment, Connection};
use crate::consumer::{AckMode, Consumer};
use crate::delivery::Delivery;
use crate::error::{Error, within};
use crate::message::{Message, ToDestination};
use crate::outcome::Outcome;
use crate::ready::lock;

/// Asking and answering.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), flockmq::Error> {
/// let connection = flockmq::connect("vm://request-example").await?;
/// let mut questions = connection.subscribe("queue://doubled").await?;
/// let answering = async {
///     let question = questions.next().await.expect("the consumer is open");
///     let number: u64 = question.text()?.parse().expect("a number");
///     connection.reply(&question, (2 * number).to_string()).await
/// };
/// let (answer, _) = tokio::try_join!(connection.request("queue://doubled", "21"), answering)?;
/// assert_eq!(answer.text()?, "42");
/// connection.close().await
/// # }
/// ```
impl Connection {
    /// Sends a message and waits for a reply to it, no longer than the connection's own deadline if it has one.
    ///
    /// The message is given the place where its reply is wanted, a temporary queue that all requests of the connection
    /// share, and a correlation id to know the reply by if it has none. The first reply counts; it is acknowledged
    /// already. Later ones, and those that come when nobody waits any more, are dropped
    /// ([`late_replies`](Self::late_replies)).
    ///
    /// A request that is given up, by a timeout or by dropping the future, may still be answered.
    pub async fn request(
        &self,
        destination: impl ToDestination,
        message: impl Into<Message>,
    ) -> Result<Delivery, Error> {
        self.ask_for_reply(self.timeout, destination.to_destination()?, message.into()).await
    }

    /// As [`request`](Self::request), or [`Error::TimedOut`] if no reply comes for this long.
    pub async fn request_timeout(
        &self,
        destination: impl ToDestination,
        message: impl Into<Message>,
        timeout: Duration,
    ) -> Result<Delivery, Error> {
        self.ask_for_reply(Some(timeout), destination.to_destination()?, message.into()).await
    }

    /// Answers a request: sends a message to where its reply is wanted, with its correlation id, or with its message
    /// id if it has none. Waits until the reply is accepted, as [`send`](Self::send) does.
    ///
    /// [`Error::NoReplyTo`] says that the message wants no reply, a refusal that whoever asked has gone.
    pub async fn reply(&self, request: &Received, message: impl Into<Message>) -> Result<Outcome, Error> {
        let destination = request.body.headers.reply_to.clone().ok_or(Error::NoReplyTo(request.id))?;
        let mut body = message.into().into_body();
        body.headers.correlation_id =
            Some(request.body.headers.correlation_id.clone().unwrap_or_else(|| request.id.to_string()));
        self.send(destination, body).await
    }

    /// A new temporary queue: this connection alone may consume from it, anybody may send to it who was told of it, and
    /// it ends with the connection, with what still waits there.
    ///
    /// Brokers that this one is linked to hold what was sent to it while they don't know who wants it, for a minute
    /// unless they were told otherwise.
    pub fn temporary_queue(&self) -> Destination {
        self.attachment.temporary(DestinationKind::Queue)
    }

    /// A new temporary topic: this connection alone may subscribe to it, anybody may send to it who was told of it.
    pub fn temporary_topic(&self) -> Destination {
        self.attachment.temporary(DestinationKind::Topic)
    }

    /// How many replies came that nobody waited for.
    pub fn late_replies(&self) -> u64 {
        self.attachment.replies.get().map_or(0, |replies| lock(&replies.waiting).late)
    }

    async fn ask_for_reply(
        &self,
        timeout: Option<Duration>,
        destination: Destination,
        message: Message,
    ) -> Result<Delivery, Error> {
        let exchange = async {
            self.attachment.check_open()?;
            let replies = self.attachment.replies().await?;
            let (body, awaited) = replies.expect(message.into_body(), self.attachment.inbox().number())?;
            let producer = self.attachment.producer(destination.into(), None).await?;
            producer.send_within(None, body.into()).await?;
            awaited.reply().await
        };
        within(timeout, "waiting for a reply", exchange).await
    }
}

/// Where a connection's replies come, and who waits for them.
pub(crate) struct Replies {
    queue: Destination,
    waiting: Arc<Mutex<Waiting>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Waiting {
    by_id: BTreeMap<(String, u64), oneshot::Sender<Delivery>>, // By correlation id, then in order of asking.
    late: u64,
    is_over: bool,
}

/// A reply that is waited for, until it comes or this is dropped.
struct Awaited {
    key: (String, u64),
    waiting: Arc<Mutex<Waiting>>,
    reply: oneshot::Receiver<Delivery>,
}

impl Replies {
    /// Opens the queue for replies.
    pub(crate) async fn open(attachment: &Attachment) -> Result<Self, Error> {
        let queue = attachment.temporary(DestinationKind::Queue);
        // It ends with the connection, which it must not keep from ending.
        let consumer = Consumer::open_within(attachment, Subscription::new(queue.clone()), AckMode::Auto, None).await?;
        let waiting = Arc::<Mutex<Waiting>>::default();
        let task = tokio::spawn(hand_out(consumer, Arc::clone(&waiting)));
        Ok(Self { queue, waiting, task: Mutex::new(Some(task)) })
    }

    /// Returns once nothing is handed out any more. The connection has ended.
    pub(crate) async fn ended(&self) {
        let task = lock(&self.task).take();
        if let Some(task) = task {
            _ = task.await; // It ends by itself, or with its runtime.
        }
    }

    /// Makes a request of a body, `number` being the connection's own for it.
    fn expect(&self, mut body: Body, number: u64) -> Result<(Body, Awaited), Error> {
        let id = body.headers.correlation_id.get_or_insert_with(|| number.to_string()).clone();
        body.headers.reply_to = Some(self.queue.clone());
        let (sender, reply) = oneshot::channel();
        let key = (id, number);
        let mut waiting = lock(&self.waiting);
        if waiting.is_over {
            return Err(Error::Closed);
        }
        waiting.by_id.insert(key.clone(), sender);
        drop(waiting);
        Ok((body, Awaited { key, waiting: Arc::clone(&self.waiting), reply }))
    }
}

impl Awaited {
    async fn reply(mut self) -> Result<Delivery, Error> {
        (&mut self.reply).await.map_err(|_| Error::Closed)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        lock(&self.waiting).by_id.remove(&self.key);
    }
}

impl Waiting {
    /// Hands a reply to whoever has waited for it longest.
    fn answer(&mut self, reply: Delivery) {
        let id = reply.correlation_id().unwrap_or_default().to_owned();
        let key = self.by_id.range((id.clone(), 0)..=(id, u64::MAX)).next().map(|(key, _)| key.clone());
        let sender = key.and_then(|key| self.by_id.remove(&key));
        if sender.is_none_or(|sender| sender.send(reply).is_err()) {
            self.late += 1;
        }
    }
}

/// Hands replies out until the connection ends.
async fn hand_out(mut replies: Consumer, waiting: Arc<Mutex<Waiting>>) {
    while let Some(reply) = replies.next().await {
        lock(&waiting).answer(reply);
    }
    let mut waiting = lock(&waiting);
    waiting.is_over = true;
    waiting.by_id.clear();
}

impl Attachment {
    fn temporary(&self, kind: DestinationKind) -> Destination {
        let (broker, number) = (self.broker_id(), self.inbox().number());
        Destination::temporary(kind, Temporary { broker, connection: self.id(), number })
    }

    async fn replies(&self) -> Result<&Replies, Error> {
        self.replies.get_or_try_init(|| Replies::open(self)).await
    }
}
