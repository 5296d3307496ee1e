//! Connections: an application's attachment to an embedded broker, or to many brokers through fanout.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flockmq_core::{
    AdminReply, AdminRequest, Answer, BrokerId, Command, Config, ConnectionId, Destinations, Durable, Peer, Refusal,
    RequestId, Role, Stats, Target,
};
use tokio::sync::{OnceCell, broadcast, oneshot, watch};

use crate::admin::Administration;
use crate::advisories::News;
use crate::board::Listening;
use crate::browser::{BrowseOptions, Browser};
use crate::consumer::{Consumer, SubscribeOptions};
use crate::embedded::{self, Broker};
use crate::error::{Error, within};
use crate::events::Events;
use crate::inbox::{Entry, Inbox};
use crate::message::{Message, ToDestination, ToDestinations};
use crate::outcome::Outcome;
use crate::producer::Producer;
use crate::ready::lock;
use crate::request::Replies;
use crate::transaction::Transaction;

/// A connection to the broker that this process embeds, or to many brokers through fanout. Clones are the same
/// connection.
///
/// The broker, or the client through which a connection fans out, stops when the last of its connections is closed, or when nothing of any of them is left: neither
/// the connections themselves nor consumers or producers made from them.
///
/// Every wait lasts as long as it takes, unless the connection was given a deadline by
/// [`with_timeout`](Self::with_timeout).
#[derive(Clone, Debug)]
pub struct Connection {
    pub(crate) attachment: Arc<Attachment>,
    pub(crate) timeout: Option<Duration>,
}

impl Connection {
    pub(crate) async fn attach(broker: Arc<Broker>, timeout: Option<Duration>) -> Result<Self, Error> {
        let attachment = Arc::new(Attachment::new(broker));
        let connection = attachment.id;
        let attaching = attachment.inbox().ask(|request| Command::Attach { request, connection });
        within(timeout, "connecting", attaching).await?;
        Ok(Self { attachment, timeout })
    }

    /// The same connection, whose waits end with [`Error::TimedOut`] after this long, and so do those of producers
    /// and consumers made from it.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits until `count` peers are up and know what is wanted here, and this broker knows what is wanted there:
    /// what is sent from then on reaches their consumers.
    ///
    /// Through fanout, waits until `count` targets are up. Sends wait for as many as they need by themselves, and
    /// consumers are on targets whenever they come.
    pub async fn ready(&self, count: usize) -> Result<(), Error> {
        let view = self.attachment.broker.view();
        match self.attachment.config().role {
            Role::Broker | Role::Peer => {
                let is_enough = |peers: &Vec<Peer>| peers.iter().filter(|peer| peer.is_ready).count() >= count;
                self.wait_for("waiting for peers", view.peers(), is_enough).await.map(drop)
            }
            Role::Client => self.wait_for("waiting for targets", view.targets_up(), |up| *up >= count).await.map(drop),
        }
    }

    /// The peers that are linked now; none through fanout.
    pub fn peers(&self) -> Vec<Peer> {
        self.attachment.broker.view().peers().borrow().clone()
    }

    /// The brokers that this connection fans out to, or would: those named and those discovered, whether they are up
    /// or not. None without fanout.
    pub async fn targets(&self) -> Result<Vec<Target>, Error> {
        self.ask("asking for targets", Entry::Targets).await
    }

    /// The broker, or through fanout all that are up, as its administrator sees it: its destinations and how they fare,
    /// and queues to pause, resume and purge.
    pub fn broker(&self) -> Administration<'_> {
        Administration::new(self)
    }

    /// The addresses under which others can reach the broker, loopback last; waits until it listens. None for a broker
    /// that listens nowhere, and through fanout.
    pub async fn listening(&self) -> Result<Vec<SocketAddr>, Error> {
        self.attachment.check_open()?;
        let Some(at) = &self.attachment.config().listen else {
            return Ok(Vec::new());
        };
        let listening = self.attachment.broker.view().listening();
        match self.wait_for("waiting to listen", listening, |listening| *listening != Listening::NotYet).await? {
            Listening::At(addresses) => Ok(addresses),
            Listening::Failed(reason) => Err(Error::NotListening { at: at.clone(), reason }),
            Listening::NotYet => unreachable!("this is waited for no longer"),
        }
    }

    /// What happens from now on around the broker, or among the targets. How things stand by then is told by
    /// [`peers`](Self::peers), [`targets`](Self::targets) and [`listening`](Self::listening).
    pub fn events(&self) -> Events {
        self.attachment.broker.view().events()
    }

    /// Takes messages of a destination, or of all that a pattern covers, acknowledging them automatically. Several
    /// destinations have commas between: `queue://orders,topic://log.>`. What was handed out of all of them together is no
    /// more than the prefetch.
    ///
    /// Through fanout the consumer is on every target, also on those that come later, and takes what any of them has
    /// for it. A message that several have, as one of a topic that was fanned out to them, is delivered once: it is
    /// recognised by its id, unless the URI says `checkForDuplicates=false`. An acknowledgement goes to the target
    /// that the message came from.
    ///
    /// This returns once as many targets as are needed (`minAckCount`) have the consumer, and fails if one of them
    /// refuses it or if they take longer than `sendTimeout`. One that refuses it later is told of by
    /// `Event::SubscriptionRefused`, and the consumer stays on the others.
    pub async fn subscribe(&self, destination: impl ToDestinations) -> Result<Consumer, Error> {
        self.subscribe_with(destination, SubscribeOptions::default()).await
    }

    /// Takes messages of a destination, or of all that a pattern covers; through fanout as [`subscribe`] has it.
    ///
    /// [`subscribe`]: Self::subscribe
    pub async fn subscribe_with(
        &self,
        destination: impl ToDestinations,
        options: SubscribeOptions,
    ) -> Result<Consumer, Error> {
        self.attachment.check_open()?;
        let (ack, subscription) = (options.ack, options.subscription(destination.to_destinations()?));
        Consumer::open(&self.attachment, subscription, ack, self.timeout).await
    }

    /// Looks at what waits in a queue now, taking nothing (JMS `QueueBrowser`).
    ///
    /// Through fanout one sees what waits at each target that is up, a message that several have once. This returns once
    /// as many targets as are needed (`minAckCount`) are asked; those that come up after that are not.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), flockmq::Error> {
    /// let connection = flockmq::connect("vm://browse-example").await?;
    /// connection.send("queue://orders", "42").await?;
    /// let mut waiting = connection.browse("queue://orders").await?;
    /// while let Some(message) = waiting.next().await {
    ///     println!("{} waits: {}", message.id(), message.text()?);
    /// }
    /// # connection.close().await
    /// # }
    /// ```
    pub async fn browse(&self, destination: impl ToDestination) -> Result<Browser, Error> {
        self.browse_with(destination, BrowseOptions::default()).await
    }

    /// Looks at what waits in a queue now, as [`browse`](Self::browse) has it.
    pub async fn browse_with(&self, destination: impl ToDestination, options: BrowseOptions) -> Result<Browser, Error> {
        self.attachment.check_open()?;
        Browser::open(&self.attachment, destination.to_destination()?, options, self.timeout).await
    }

    /// Deletes the durable subscription that the client `client_id` calls `name`, with all that is kept for it. It must
    /// not have a consumer.
    ///
    /// Through fanout it is deleted on every target that is up; this returns once all of them have answered, and
    /// fails if one of them refuses, is lost or says nothing in time, or none knows it.
    pub async fn unsubscribe_durable(&self, client_id: &str, name: &str) -> Result<(), Error> {
        self.attachment.check_open()?;
        let durable = Durable::new(client_id, name)?;
        let answers = self.question(None, AdminRequest::RemoveDurable(durable.clone())).await?;
        let (mut is_removed, mut is_unknown) = (false, false);
        for answer in answers {
            match answer.result {
                Ok(_) => is_removed = true,
                Err(Refusal::DurableUnknown(_)) => is_unknown = true,
                Err(refusal) => return Err(refusal.into()),
            }
        }
        match (is_removed, is_unknown) {
            (true, _) => Ok(()), // It is nowhere any more.
            (false, true) => Err(Refusal::DurableUnknown(durable).into()),
            (false, false) => Err(Refusal::NotEnough { accepted: 0, needed: 1 }.into()), // Nobody is up.
        }
    }

    /// Makes a producer for one destination, which is the quickest way to send many messages; or for several, as in
    /// `queue://orders,topic://log`, which get each message and accept it together: it is refused if one of them can't
    /// take it. Through fanout each of them has its own way, and one refusal is enough.
    pub async fn producer(&self, destination: impl ToDestinations) -> Result<Producer, Error> {
        self.attachment.check_open()?;
        Producer::open(&self.attachment, destination.to_destinations()?, self.timeout).await
    }

    /// Sends one message and waits until the broker has accepted it; or, through fanout, as many brokers as were asked
    /// for, which the outcome names. Messages that are sent one after another to one destination keep their order.
    pub async fn send(&self, destination: impl ToDestinations, message: impl Into<Message>) -> Result<Outcome, Error> {
        self.attachment.check_open()?;
        let producer = self.attachment.producer(destination.to_destinations()?, self.timeout).await?;
        producer.send_within(self.timeout, message.into()).await
    }

    /// Begins a transaction: what is sent and acknowledged in it counts all at once, when it is committed, or not at all.
    /// Refused through fanout, where no broker can answer for the others.
    pub async fn transaction(&self) -> Result<Transaction, Error> {
        self.attachment.check_open()?;
        Transaction::begin(&self.attachment, self.timeout).await
    }

    /// The name of the broker, or of the client.
    pub fn name(&self) -> &str {
        &self.attachment.config().name
    }

    /// The group the broker belongs to; empty if it is alone, and through fanout.
    pub fn group(&self) -> &str {
        &self.attachment.config().group
    }

    /// The identity of the broker, or of the client, which is new at every start.
    pub fn id(&self) -> BrokerId {
        self.attachment.broker_id()
    }

    /// The broker's counts and gauges.
    pub async fn stats(&self) -> Result<Stats, Error> {
        self.ask("asking for counts", Entry::Stats).await
    }

    /// Closes the connection with all its consumers and producers, in all its clones. If it was the last of its
    /// broker, the group is told and everything ends: when this returns, sockets and tasks are gone.
    ///
    /// What consumers in automatic mode have taken counts as acknowledged. Closing twice is fine.
    pub async fn close(&self) -> Result<(), Error> {
        within(self.timeout, "closing the connection", self.attachment.close()).await
    }

    /// Closes the connection after its embedded broker has handed what waits in its queues to peers that want it, or has
    /// tried to for as long as `patience`. Tells how many messages are left; they end with the broker.
    ///
    /// The broker takes nothing more from then on, neither of this process nor of clients, and all consumers of it end; what
    /// they had taken automatically counts as acknowledged. Through fanout there is nothing to hand over. What durable
    /// subscriptions keep is not handed over.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), flockmq::Error> {
    /// let connection = flockmq::connect("vm://drain-example").await?;
    /// connection.send("queue://orders", "42").await?;
    /// let left = connection.drain(Duration::from_secs(5)).await?;
    /// assert_eq!(left, 1); // There is no peer.
    /// # Ok(())
    /// # }
    /// ```
    pub async fn drain(&self, patience: Duration) -> Result<u64, Error> {
        self.attachment.check_open()?;
        let asked = self.attachment.inbox().ask(|request| Command::Drain { request });
        if let Ok(answer) = tokio::time::timeout(patience, asked).await {
            answer?;
        }
        let found = self.stats().await?.broker;
        self.close().await?;
        Ok(found.queued + found.delayed + found.outstanding_queued)
    }

    /// True once the connection was closed, or its broker has ended.
    pub fn is_closed(&self) -> bool {
        self.attachment.check_open().is_err()
    }

    /// Asks as an administrator.
    pub(crate) async fn question(
        &self,
        only: Option<BrokerId>,
        asked: AdminRequest,
    ) -> Result<Vec<Answer<AdminReply>>, Error> {
        let request = RequestId(self.attachment.inbox().number());
        let command = Command::Ask { request, only, asked };
        let ask = |reply| Entry::Question { request, command, reply };
        Ok(self.ask("asking brokers", ask).await??)
    }

    /// Asks the driver.
    async fn ask<T>(&self, what: &'static str, entry: impl FnOnce(oneshot::Sender<T>) -> Entry) -> Result<T, Error> {
        self.attachment.check_open()?;
        let (reply, answer) = oneshot::channel();
        self.attachment.inbox().push(entry(reply))?;
        within(self.timeout, what, async { answer.await.map_err(|_| Error::Closed) }).await
    }

    /// Waits until something is as wanted, or the connection is closed.
    async fn wait_for<T: Clone>(
        &self,
        what: &'static str,
        mut seen: watch::Receiver<T>,
        is_wanted: impl FnMut(&T) -> bool,
    ) -> Result<T, Error> {
        let mut closed = self.attachment.closed.subscribe();
        let waiting = async {
            tokio::select! {
                biased;
                _ = closed.wait_for(|is_closed| *is_closed) => Err(Error::Closed),
                found = seen.wait_for(is_wanted) => found.map(|found| found.clone()).map_err(|_| Error::Closed),
            }
        };
        within(self.timeout, what, waiting).await
    }
}

/// What a connection, its clones, consumers and producers hold together.
pub(crate) struct Attachment {
    id: ConnectionId,
    broker: Arc<Broker>,
    closed: watch::Sender<bool>,
    is_released: AtomicBool,
    producers: Mutex<BTreeMap<Destinations, Kept>>, // Those made by sending without one.
    sends: AtomicU64,
    pub(crate) replies: OnceCell<Replies>, // From the first request on.
}

/// A producer that is kept for the next send to its destination.
struct Kept {
    producer: Arc<Producer>,
    used_at: u64,
}

impl Attachment {
    fn new(broker: Arc<Broker>) -> Self {
        Self {
            id: ConnectionId(broker.inbox().number()),
            broker,
            closed: watch::Sender::new(false),
            is_released: AtomicBool::new(false),
            producers: Mutex::default(),
            sends: AtomicU64::new(0),
            replies: OnceCell::new(),
        }
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        self.broker.inbox()
    }

    pub(crate) fn broker_id(&self) -> BrokerId {
        self.broker.id()
    }

    pub(crate) fn config(&self) -> &Config {
        self.broker.config()
    }

    pub(crate) fn advisories(&self) -> broadcast::Receiver<News> {
        self.broker.view().advisories()
    }

    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if *self.closed.borrow() || self.inbox().is_closed() { Err(Error::Closed) } else { Ok(()) }
    }

    /// The producer kept for this destination, or a new one.
    pub(crate) async fn producer(
        &self,
        destination: Destinations,
        timeout: Option<Duration>,
    ) -> Result<Arc<Producer>, Error> {
        let used_at = self.sends.fetch_add(1, Ordering::Relaxed);
        if let Some(kept) = lock(&self.producers).get_mut(&destination) {
            kept.used_at = used_at;
            return Ok(Arc::clone(&kept.producer));
        }
        let made = Arc::new(Producer::open_within(self, destination.clone(), timeout).await?);
        let mut producers = lock(&self.producers);
        let kept = producers.entry(destination).or_insert(Kept { producer: made, used_at });
        let producer = Arc::clone(&kept.producer);
        let mut dropped = None;
        if producers.len() > PRODUCERS_MAX {
            // The one unused for longest; if it still has something on its way, it stays until the next time.
            let idle = producers.iter().filter(|(_, kept)| kept.producer.is_idle() && kept.used_at != used_at);
            let oldest = idle.min_by_key(|(_, kept)| kept.used_at).map(|(destination, _)| destination.clone());
            dropped = oldest.and_then(|destination| producers.remove(&destination));
        }
        drop(producers);
        drop(dropped);
        Ok(producer)
    }

    async fn close(&self) -> Result<(), Error> {
        if self.closed.send_replace(true) {
            return Ok(());
        }
        lock(&self.producers).clear();
        let (reply, answer) = oneshot::channel();
        if self.inbox().push(Entry::Detach { connection: self.id, reply: Some(reply) }).is_ok() {
            _ = answer.await; // Refused or not, the connection is no more.
        }
        if let Some(replies) = self.replies.get() {
            replies.ended().await;
        }
        if self.release() {
            self.broker.ended().await;
        }
        Ok(())
    }

    /// Gives the broker back, once; true if that was the last of it.
    fn release(&self) -> bool {
        !self.is_released.swap(true, Ordering::AcqRel) && embedded::release(&self.broker)
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if !*self.closed.borrow() {
            // A driver that has gone has ended everything there was to be told.
            _ = self.inbox().push(Entry::Detach { connection: self.id, reply: None });
        }
        self.release();
    }
}

impl std::fmt::Debug for Attachment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attachment").field("id", &self.id).field("broker", &self.config().name).finish_non_exhaustive()
    }
}

/// How many producers are kept for sends without one.
const PRODUCERS_MAX: usize = 64;
