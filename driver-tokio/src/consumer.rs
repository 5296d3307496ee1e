//! Consumers: deliveries come as batches under a short lock and are handed to the application one by one without.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use flockmq_core::{Ack, AckExtent, AckKind, Command, ConnectionId, ConsumerId, ConsumerPriority, Destinations};
use flockmq_core::{Durable, DurableError, Refusal, Selector, SelectorError, Subscription, Tag};

use crate::connection::Attachment;
use crate::delivery::Delivery;
use crate::error::{Error, within};
use crate::inbox::{Entry, Inbox};
use crate::ready::{attach, lock};

/// When deliveries count as done with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckMode {
    /// A delivery is done with when the next is asked for, or when it is acknowledged, or when the consumer is
    /// closed (JMS `AUTO_ACKNOWLEDGE`).
    #[default]
    Auto,
    /// Acknowledging a delivery is acknowledging all before it too, of this consumer (JMS `CLIENT_ACKNOWLEDGE`).
    Client,
    /// As `Auto`, but the broker is told only when half as many deliveries as the prefetch were taken, or a mebibyte of
    /// them, or when the consumer is closed (JMS `DUPS_OK_ACKNOWLEDGE`). It has less to do, and hands out again up to as
    /// many that were done with if the process ends without closing.
    DupsOk,
    /// Each delivery is acknowledged for itself.
    Individual,
}

/// How a consumer takes its messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// When deliveries count as done with.
    pub ack: AckMode,
    /// How many deliveries may be unacknowledged at a time; `None` takes the broker's default for queues or topics.
    /// Through fanout each target may hand out so many.
    pub prefetch: Option<u32>,
    /// Queues: how much it comes before the broker's other consumers, which are handed only what those above them have
    /// no credit for (ActiveMQ's `consumer.priority`).
    pub priority: ConsumerPriority,
    /// Queues: whether it wants the queue to itself (ActiveMQ's `consumer.exclusive`). Of several that do, the one with
    /// the highest priority is handed everything, and of equals the first that came; the others stand by.
    pub exclusive: bool,
    /// True if the consumer is not to be handed what its own connection sends (JMS `noLocal`). Topics only. Through
    /// fanout, all connections of this process to the same URI count as one.
    pub no_local: bool,
    /// True if the consumer is to be handed first what its topics remember (ActiveMQ's `consumer.retroactive`): the
    /// retained message, and as much as each one's `DestinationPolicy::history` says. Topics only.
    pub retroactive: bool,
    /// What the subscription is known by if it is to go on without its consumer (JMS durable subscription); see
    /// [`durable`](Self::durable). Topics only.
    pub durable: Option<Durable>,
    /// What messages have to be like to be handed to the consumer (JMS message selector); see
    /// [`selector`](Self::selector).
    pub selector: Option<Selector>,
}

impl SubscribeOptions {
    /// The same options for the durable subscription that the client `client_id` calls `name`.
    ///
    /// It goes on when its consumer is closed or lost: what it matches meanwhile is kept at the broker, up to the
    /// broker's limits, and handed to its next consumer. It has one consumer at a time, and ends with
    /// [`Connection::unsubscribe_durable`] or with its broker. Asked for with another destination, selector or
    /// `no_local`, it begins anew.
    ///
    /// ```
    /// use flockmq::SubscribeOptions;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), flockmq::Error> {
    /// let connection = flockmq::connect("vm://durable-example").await?;
    /// let options = SubscribeOptions::default().durable("accounting", "audit")?;
    /// connection.subscribe_with("topic://log.>", options.clone()).await?.close().await?;
    /// connection.send("topic://log.door", "opened").await?;
    /// let mut audit = connection.subscribe_with("topic://log.>", options).await?;
    /// assert_eq!(audit.next().await.expect("the consumer is open").text()?, "opened");
    /// audit.close().await?;
    /// connection.unsubscribe_durable("accounting", "audit").await?;
    /// connection.close().await
    /// # }
    /// ```
    ///
    /// [`Connection::unsubscribe_durable`]: crate::Connection::unsubscribe_durable
    pub fn durable(self, client_id: &str, name: &str) -> Result<Self, DurableError> {
        Ok(Self { durable: Some(Durable::new(client_id, name)?), ..self })
    }

    /// The same options for messages of which this condition is true; for any if it is empty. It asks for header fields
    /// and properties in the language that JMS defines; `docs/selectors.md` has its grammar. Of a queue, messages that
    /// the consumer does not want go to others; of a topic, they are not kept for it.
    ///
    /// ```
    /// use flockmq::{Message, SubscribeOptions};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), flockmq::Error> {
    /// let connection = flockmq::connect("vm://selector-example").await?;
    /// let options = SubscribeOptions::default().selector("region IN ('eu', 'uk') AND weight > 2.5")?;
    /// let mut heavy = connection.subscribe_with("queue://parcels", options).await?;
    /// for (name, weight) in [("book", 0.5), ("anvil", 40.0)] {
    ///     let parcel = Message::text(name).property("region", "eu")?.property("weight", weight)?;
    ///     connection.send("queue://parcels", parcel).await?;
    /// }
    /// assert_eq!(heavy.next().await.expect("the consumer is open").text()?, "anvil");
    /// let fault = SubscribeOptions::default().selector("weight > ").expect_err("no selector");
    /// assert_eq!(fault.to_string(), r#"selector "weight > ": expected a value at column 10, found the end"#);
    /// # connection.close().await
    /// # }
    /// ```
    pub fn selector(self, text: &str) -> Result<Self, SelectorError> {
        Ok(Self { selector: Selector::parse_optional(text)?, ..self })
    }

    /// What a consumer of `destination` asks its broker for.
    pub(crate) fn subscription(self, destination: Destinations) -> Subscription {
        let Self { ack: _, prefetch, priority, exclusive, no_local, retroactive, durable, selector } = self;
        let subscription = Subscription::to(destination);
        Subscription { prefetch, priority, exclusive, no_local, retroactive, durable, selector, ..subscription }
    }
}

/// Takes messages of one destination, or of all that a pattern covers, or of several of these.
///
/// ```
/// use flockmq::{AckMode, SubscribeOptions};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), flockmq::Error> {
/// let connection = flockmq::connect("vm://consumer-example").await?;
/// let options = SubscribeOptions { ack: AckMode::Individual, ..SubscribeOptions::default() };
/// let mut orders = connection.subscribe_with("queue://orders", options).await?;
/// connection.send("queue://orders", "42").await?;
/// let delivery = orders.next().await.expect("the consumer is open");
/// assert_eq!(delivery.text()?, "42");
/// delivery.ack().await?;
/// orders.close().await?;
/// connection.close().await
/// # }
/// ```
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
    batch: std::vec::IntoIter<flockmq_core::Delivery>,
    arrived_at: Instant, // All of the batch.
    unacknowledged: Unacknowledged,
    timeout: Option<Duration>,
    is_open: bool,
    _attachment: Option<Arc<Attachment>>, // None for the one that the attachment itself has.
}

/// How much was taken since the last automatic acknowledgement, and how much may be.
#[derive(Debug)]
struct Unacknowledged {
    count: u32,
    bytes: usize,
    count_max: u32,
}

impl Consumer {
    /// Creates a consumer at the broker.
    pub(crate) async fn open(
        attachment: &Arc<Attachment>,
        subscription: Subscription,
        ack: AckMode,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        Self::open_for(attachment, Some(Arc::clone(attachment)), subscription, ack, timeout).await
    }

    /// Creates a consumer that does not keep its connection from ending.
    pub(crate) async fn open_within(
        attachment: &Attachment,
        subscription: Subscription,
        ack: AckMode,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        Self::open_for(attachment, None, subscription, ack, timeout).await
    }

    async fn open_for(
        attachment: &Attachment,
        kept: Option<Arc<Attachment>>,
        subscription: Subscription,
        ack: AckMode,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let (inbox, broker) = (attachment.inbox(), &attachment.config().broker);
        let prefetch = subscription.prefetch.unwrap_or_else(|| broker.usual_prefetch(&subscription));
        let (connection, consumer) = (attachment.id(), ConsumerId(inbox.number()));
        let shared = Arc::new(Shared::new(connection, consumer, ack, Arc::clone(inbox)));
        inbox.push(Entry::Consumer(Arc::clone(&shared)))?;
        // Made before the answer is known, so that a wait that is given up closes it again.
        let mut opened = Self {
            shared,
            batch: Vec::new().into_iter(),
            arrived_at: Instant::now(),
            unacknowledged: Unacknowledged { count: 0, bytes: 0, count_max: (prefetch / 2).max(1) },
            timeout,
            is_open: true,
            _attachment: kept,
        };
        let opening = inbox.ask(|request| Command::Subscribe { request, connection, consumer, subscription });
        let outcome = within(timeout, "subscribing", opening).await;
        opened.is_open = !matches!(outcome, Err(Error::Refused(_) | Error::Closed));
        outcome.map(|()| opened)
    }

    /// The same consumer, whose [`close`](Self::close) ends with [`Error::TimedOut`] after this long.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The next message; none after the consumer or its connection was closed. A call that is given up loses none. A
    /// message whose time is up by then goes back to its broker instead, which ends it.
    pub async fn next(&mut self) -> Option<Delivery> {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// The next message if it is there already.
    pub fn try_next(&mut self) -> Option<Delivery> {
        self.finish_last();
        loop {
            if let Some(taken) = self.take() {
                return Some(taken);
            }
            if self.shared.mode != AckMode::DupsOk {
                self.acknowledge();
            }
            let (arrived_at, batch) = lock(&self.shared.state).batches.pop_front()?;
            (self.arrived_at, self.batch) = (arrived_at, batch.into_iter());
        }
    }

    /// The next message, or [`Error::TimedOut`] if none comes for this long; none after closing.
    pub async fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Delivery>, Error> {
        within(Some(timeout), "waiting for a message", async { Ok(self.next().await) }).await
    }

    /// Polls for the next message; what [`next`](Self::next) awaits.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.finish_last();
        loop {
            if let Some(taken) = self.take() {
                return Poll::Ready(Some(taken));
            }
            if self.shared.has_ended() {
                return Poll::Ready(None);
            }
            if self.shared.mode != AckMode::DupsOk {
                self.acknowledge(); // Before waiting, so that nothing taken is held back.
            }
            // One unit of the task's budget a batch: a consumer that never has to wait still lets others run.
            let budget = std::task::ready!(tokio::task::coop::poll_proceed(context));
            let mut state = lock(&self.shared.state);
            let Some((arrived_at, batch)) = state.batches.pop_front() else {
                if state.is_complete || self.shared.has_ended() {
                    return Poll::Ready(None);
                }
                attach(&mut state.waker, context.waker());
                return Poll::Pending;
            };
            drop(state);
            budget.made_progress();
            (self.arrived_at, self.batch) = (arrived_at, batch.into_iter());
        }
    }

    /// True if this one only looks, and all was handed to the application.
    pub(crate) fn was_shown_all(&self) -> bool {
        self.batch.len() == 0 && {
            let state = lock(&self.shared.state);
            state.is_complete && state.batches.is_empty()
        }
    }

    /// True once nothing can come any more.
    pub fn is_closed(&self) -> bool {
        self.shared.has_ended()
    }

    /// Why the broker has ended the consumer, if it has: a topic's that is too slow may be
    /// ([`SlowConsumers::Disconnect`](crate::core::SlowConsumers::Disconnect)). What it was handed and had not taken is
    /// gone, or its durable subscription's again; through fanout it has ended everywhere.
    pub fn refusal(&self) -> Option<Refusal> {
        lock(&self.shared.state).refusal.clone()
    }

    /// Ends the consumer. In automatic mode what was taken counts as acknowledged; otherwise what was not
    /// acknowledged goes back to its queue.
    pub async fn close(mut self) -> Result<(), Error> {
        self.is_open = false;
        if self.refusal().is_some() {
            return Ok(());
        }
        self.shared.finish();
        let closing = self.shared.inbox.ask(|request| self.shared.closing(request));
        within(self.timeout, "closing a consumer", closing).await
    }

    /// In automatic mode, asking for the next is being done with the last.
    #[inline]
    fn finish_last(&mut self) {
        let unacknowledged = &self.unacknowledged;
        if unacknowledged.count >= unacknowledged.count_max || unacknowledged.bytes >= BYTES_MAX {
            self.acknowledge();
        }
    }

    #[inline]
    fn take(&mut self) -> Option<Delivery> {
        if self.shared.has_ended() {
            return None;
        }
        let delivery = loop {
            let delivery = self.batch.next()?;
            match delivery.message.body.headers.time_to_live {
                Some(left) if left <= self.arrived_at.elapsed() => self.give_back_over(delivery.tag),
                _ => break delivery,
            }
        };
        self.shared.taken.store(delivery.tag, Ordering::Release);
        self.unacknowledged.count += 1;
        self.unacknowledged.bytes += delivery.message.body.data.len();
        Some(Delivery::new(delivery, Arc::clone(&self.shared)))
    }

    /// What has waited here until its time was up is its broker's to end.
    #[cold]
    fn give_back_over(&self, tag: Tag) {
        // A driver that has gone has ended everything there was to be told.
        _ = self.shared.give_back(tag, AckKind::Released);
    }

    fn acknowledge(&mut self) {
        self.unacknowledged.count = 0;
        self.unacknowledged.bytes = 0;
        self.shared.finish();
    }
}

impl Drop for Consumer {
    /// Closes the consumer; what was not acknowledged, the last message taken included, goes back to its queue.
    fn drop(&mut self) {
        if self.is_open {
            self.shared.finish_all_but_last();
            self.shared.inbox.tell(|request| self.shared.closing(request));
        }
    }
}

/// How many bytes are taken before they are acknowledged, though the batch may not be used up.
const BYTES_MAX: usize = 1024 * 1024;

/// What a consumer's handle, its deliveries and the driver hold.
pub(crate) struct Shared {
    pub(crate) connection: ConnectionId,
    pub(crate) consumer: ConsumerId,
    pub(crate) mode: AckMode,
    inbox: Arc<Inbox>,
    taken: AtomicU64,        // The last delivery the application was given.
    acknowledged: AtomicU64, // The last one acknowledged with all before it.
    has_ended: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    batches: VecDeque<(Instant, Vec<flockmq_core::Delivery>)>, // And when each came.
    is_complete: bool,                                         // Nothing follows on them.
    refusal: Option<Refusal>,                                  // Why the broker has ended it.
    waker: Option<Waker>,
}

impl Shared {
    fn new(connection: ConnectionId, consumer: ConsumerId, mode: AckMode, inbox: Arc<Inbox>) -> Self {
        Self {
            connection,
            consumer,
            mode,
            inbox,
            taken: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Hands a batch to the application.
    pub(crate) fn deliver(&self, deliveries: Vec<flockmq_core::Delivery>) {
        let mut state = lock(&self.state);
        state.batches.push_back((Instant::now(), deliveries));
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Nothing follows on what was delivered.
    pub(crate) fn complete(&self) {
        let mut state = lock(&self.state);
        state.is_complete = true;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Nothing follows.
    pub(crate) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
        let mut state = lock(&self.state);
        let (batches, waker) = (std::mem::take(&mut state.batches), state.waker.take());
        state.is_complete &= batches.is_empty(); // What is dropped was never handed to the application.
        drop(state);
        drop(batches);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The broker has ended it.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        lock(&self.state).refusal = Some(refusal);
        self.end();
    }

    /// The last delivery that the application was given.
    pub(crate) fn seen(&self) -> Tag {
        self.taken.load(Ordering::Acquire)
    }

    /// The automatic acknowledgement of all that was taken, if one is due.
    pub(crate) fn final_ack(&self) -> Option<Command> {
        if self.is_automatic() { self.up_to(self.seen()) } else { None }
    }

    /// The command that closes the consumer.
    pub(crate) fn closing(&self, request: flockmq_core::RequestId) -> Command {
        Command::CloseConsumer { request, connection: self.connection, consumer: self.consumer, seen: self.seen() }
    }

    /// Acknowledges one delivery as the consumer's mode has it.
    pub(crate) fn acknowledge(&self, tag: Tag) -> Result<(), Error> {
        if self.has_ended() {
            return Err(Error::Closed);
        }
        let command = match self.mode {
            AckMode::Auto | AckMode::Client | AckMode::DupsOk => self.up_to(tag),
            AckMode::Individual => Some(self.ack(tag, AckExtent::Individual, AckKind::Accepted)),
        };
        command.map_or(Ok(()), |command| self.inbox.push(Entry::Command(command)))
    }

    /// Gives one delivery back, to be handed out again or to nobody.
    pub(crate) fn give_back(&self, tag: Tag, kind: AckKind) -> Result<(), Error> {
        if self.has_ended() {
            return Err(Error::Closed);
        }
        if self.is_automatic() {
            // The ones before are done with, and this one must not be acknowledged along with later ones.
            if let Some(before) = self.up_to(tag.saturating_sub(1)) {
                self.inbox.push(Entry::Command(before))?;
            }
            self.acknowledged.fetch_max(tag, Ordering::AcqRel);
        }
        self.inbox.push(Entry::Command(self.ack(tag, AckExtent::Individual, kind)))
    }

    /// True if what was taken counts as acknowledged without a word.
    fn is_automatic(&self) -> bool {
        matches!(self.mode, AckMode::Auto | AckMode::DupsOk)
    }

    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// Says the automatic acknowledgement, if one is due.
    fn finish(&self) {
        if let Some(command) = self.final_ack() {
            // A driver that has gone has ended everything there was to be told.
            _ = self.inbox.push(Entry::Command(command));
        }
    }

    /// As [`Shared::finish`], sparing the delivery after which no other was asked for.
    fn finish_all_but_last(&self) {
        if self.is_automatic()
            && let Some(command) = self.up_to(self.seen().saturating_sub(1))
        {
            _ = self.inbox.push(Entry::Command(command));
        }
    }

    fn up_to(&self, tag: Tag) -> Option<Command> {
        let before = self.acknowledged.fetch_max(tag, Ordering::AcqRel);
        (before < tag).then(|| self.ack(tag, AckExtent::UpTo, AckKind::Accepted))
    }

    fn ack(&self, tag: Tag, extent: AckExtent, kind: AckKind) -> Command {
        Command::Ack { connection: self.connection, ack: Ack { consumer: self.consumer, tag, extent, kind } }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer").field("consumer", &self.consumer).field("mode", &self.mode).finish_non_exhaustive()
    }
}
