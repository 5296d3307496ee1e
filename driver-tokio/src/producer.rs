//! Producers: messages are appended to a batch that the driver takes as a whole, and acceptance comes back as one
//! number up to which all is settled, with one word of who accepted.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use flockmq_core::{Body, Command, ConnectionId, Destinations, Role};

use crate::connection::Attachment;
use crate::error::{Error, within};
use crate::inbox::{Entry, Inbox};
use crate::message::Message;
use crate::outcome::{Outcome, Runs};
use crate::ready::lock;

/// Sends messages to one destination, or to several at once, in order.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), flockmq::Error> {
/// let connection = flockmq::connect("vm://producer-example").await?;
/// let orders = connection.producer("queue://orders").await?;
/// orders.send("one").await?; // Accepted when this returns,
/// for number in 0..1000 {
///     orders.enqueue(number.to_string()).await?; // on its way when this does,
/// }
/// orders.flush().await?; // and all accepted now.
/// connection.close().await
/// # }
/// ```
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    timeout: Option<Duration>,
    is_open: bool,
    _attachment: Option<Arc<Attachment>>, // None for those that the attachment itself holds.
}

impl Producer {
    /// Creates a producer at the broker.
    pub(crate) async fn open(
        attachment: &Arc<Attachment>,
        destination: Destinations,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let kept = Some(Arc::clone(attachment));
        Self::open_for(attachment, kept, destination, timeout).await
    }

    /// Creates a producer that the attachment itself is going to hold.
    pub(crate) async fn open_within(
        attachment: &Attachment,
        destination: Destinations,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        Self::open_for(attachment, None, destination, timeout).await
    }

    /// The same producer, whose waits end with [`Error::TimedOut`] after this long.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Where its messages go.
    pub fn destination(&self) -> &Destinations {
        &self.shared.destination
    }

    /// Sends a message and waits until the broker has accepted it; or, through fanout, as many brokers as were asked
    /// for, which the outcome names. Through fanout this waits for brokers to be up as well, and ends with
    /// [`Error::NotAccepted`] when `sendTimeout` is over.
    ///
    /// A send that is given up, by a timeout or by dropping the future, may still have been accepted.
    pub async fn send(&self, message: impl Into<Message>) -> Result<Outcome, Error> {
        self.send_within(self.timeout, message.into()).await
    }

    /// Puts a message on its way, as soon as there is room: a producer has a bounded number of messages and bytes
    /// that are not accepted yet. The receipt tells when this one is; dropping it is fine.
    pub async fn enqueue(&self, message: impl Into<Message>) -> Result<Receipt, Error> {
        let mut body = Some(message.into().into_body());
        let shared = Arc::clone(&self.shared); // Before there is anything to ask of: see `Shared::has_askers`.
        // Most often there is room, and no clock needs to be asked.
        let sequence = match self.shared.poll_append(None, &mut body) {
            Poll::Ready(appended) => appended?,
            Poll::Pending => {
                let appending = poll_fn(|context| self.shared.poll_append(Some(context), &mut body));
                within(self.timeout, "waiting for room to send", appending).await?
            }
        };
        Ok(Receipt { shared, sequence, waiter: None })
    }

    /// Waits until everything sent so far is settled; an error if any of it was refused since the last flush, which is
    /// why the first of it was.
    pub async fn flush(&self) -> Result<(), Error> {
        let sequence = lock(&self.shared.state).sent;
        let settled = Receipt { shared: Arc::clone(&self.shared), sequence, waiter: None };
        within(self.timeout, "waiting for acceptance", settled.settled()).await?;
        lock(&self.shared.state).refused_since_flush.take().map_or(Ok(()), Err)
    }

    /// Ends the producer once everything sent so far is settled. Dropping it ends it without waiting: receipts of
    /// what is not settled by then say [`Error::Closed`], though it may yet be accepted.
    pub async fn close(mut self) -> Result<(), Error> {
        self.flush().await?;
        self.is_open = false;
        let (connection, producer) = (self.shared.connection, self.shared.number);
        let closing = self.shared.inbox.ask(|request| Command::CloseProducer { request, connection, producer });
        within(self.timeout, "closing a producer", closing).await
    }

    pub(crate) async fn send_within(&self, timeout: Option<Duration>, message: Message) -> Result<Outcome, Error> {
        let mut body = Some(message.into_body());
        let shared = Arc::clone(&self.shared);
        let sending = async {
            let sequence = poll_fn(|context| self.shared.poll_append(Some(context), &mut body)).await?;
            Receipt { shared, sequence, waiter: None }.await
        };
        within(timeout, "waiting for acceptance", sending).await
    }

    /// True if nothing waits to be accepted.
    pub(crate) fn is_idle(&self) -> bool {
        let state = lock(&self.shared.state);
        state.settled == state.sent
    }

    async fn open_for(
        attachment: &Attachment,
        kept: Option<Arc<Attachment>>,
        destination: Destinations,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let (inbox, config) = (attachment.inbox(), attachment.config());
        let (number, connection) = (inbox.number(), attachment.id());
        let (bytes_max, overhead) = match config.role {
            Role::Client => {
                // A client counts what it holds as the core does, so that it waits for room rather than be refused.
                let memory_max = usize::try_from(config.fanout.memory_max).unwrap_or(usize::MAX);
                (BYTES_MAX.min(memory_max), size_of::<flockmq_core::Message>())
            }
            Role::Broker | Role::Peer => (BYTES_MAX, 0),
        };
        let shared = Arc::new(Shared {
            number,
            connection,
            destination: destination.clone(),
            window: config.broker.producer_window.max(1),
            bytes_max,
            overhead,
            parts: destination.len(),
            inbox: Arc::clone(inbox),
            state: Mutex::new(State { has_handle: true, ..State::default() }),
        });
        inbox.push(Entry::Producer(Arc::clone(&shared)))?;
        // Made before the answer is known, so that a wait that is given up closes it again.
        let mut producer = Self { shared, timeout, is_open: true, _attachment: kept };
        let opening = inbox.ask(|request| Command::Produce { request, connection, producer: number, destination });
        let opened = within(timeout, "creating a producer", opening).await;
        producer.is_open = !matches!(opened, Err(Error::Refused(_) | Error::Closed));
        opened.map(|()| producer)
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        lock(&self.shared.state).has_handle = false;
        if self.is_open {
            let (connection, producer) = (self.shared.connection, self.shared.number);
            self.shared.inbox.tell(|request| Command::CloseProducer { request, connection, producer });
        }
    }
}

/// Tells when a message is accepted: a future that ends then, with who accepted, or with why it was refused.
#[derive(Debug)]
pub struct Receipt {
    shared: Arc<Shared>,
    sequence: u64,
    waiter: Option<u64>,
}

impl Receipt {
    /// The message's place among those of its producer, from 1.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Waits until the message is settled one way or the other.
    async fn settled(self) -> Result<(), Error> {
        match self.await {
            Err(Error::NotAccepted { .. } | Error::Refused(_)) => Ok(()), // Told by who waits for all.
            settled => settled.map(drop),
        }
    }
}

impl Future for Receipt {
    type Output = Result<Outcome, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut state = lock(&this.shared.state);
        if state.settled >= this.sequence {
            return Poll::Ready(match state.refused.remove(&this.sequence) {
                Some(refused) => Err(refused),
                None if (1..=state.forgotten).contains(&this.sequence) => {
                    Err(Error::Forgotten { max: this.shared.window.max(REFUSED_MAX) })
                }
                None => Ok(state.outcomes.at(this.sequence)),
            });
        }
        if state.has_ended {
            return Poll::Ready(Err(Error::Closed));
        }
        let waiter = *this.waiter.get_or_insert_with(|| {
            state.waiters_born += 1;
            state.waiters_born
        });
        state.waiting.insert((this.sequence, waiter), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter {
            lock(&self.shared.state).waiting.remove(&(self.sequence, waiter));
        }
    }
}

/// What a producer's handle and the driver both hold.
pub(crate) struct Shared {
    pub(crate) number: u64,
    pub(crate) connection: ConnectionId,
    destination: Destinations,
    window: u64,
    /// How many bytes may be sent and not accepted, counting so many for each message beside its body. One message may
    /// always be.
    bytes_max: usize,
    overhead: usize,
    parts: usize, // How often a message counts: once for each destination.
    inbox: Arc<Inbox>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    batch: Vec<Body>, // Not yet taken by the driver.
    sent: u64,
    settled: u64,           // All up to this one are accepted or refused.
    sizes: VecDeque<usize>, // Of those sent and not settled.
    bytes: usize,           // Their sum.
    outcomes: Runs,
    refused: BTreeMap<u64, Error>,
    forgotten: u64, // The last refused message that is no longer among them.
    refused_since_flush: Option<Error>,
    waiting: BTreeMap<(u64, u64), Waker>, // By message, then by waiter.
    waiters_born: u64,
    wanting_room: Vec<Waker>,
    has_ended: bool,
    has_handle: bool, // True as long as the producer's own handle is held.
}

impl Shared {
    /// Appends the message if there is room, and answers with its number.
    fn poll_append(
        self: &Arc<Self>,
        context: Option<&Context<'_>>,
        body: &mut Option<Body>,
    ) -> Poll<Result<u64, Error>> {
        let mut state = lock(&self.state);
        if state.has_ended {
            return Poll::Ready(Err(Error::Closed));
        }
        let size = self.parts * (body.as_ref().map_or(0, Body::size) + self.overhead);
        let unsettled = state.sent - state.settled;
        if unsettled >= self.window || (unsettled > 0 && state.bytes + size > self.bytes_max) {
            if let Some(context) = context
                && !state.wanting_room.iter().any(|waker| waker.will_wake(context.waker()))
            {
                state.wanting_room.push(context.waker().clone());
            }
            return Poll::Pending;
        }
        state.sent += 1;
        state.bytes += size;
        state.sizes.push_back(size);
        state.batch.extend(body.take());
        let (sequence, is_first) = (state.sent, state.batch.len() == 1);
        drop(state);
        if is_first {
            self.inbox.push(Entry::Sends(Arc::clone(self)))?;
        }
        Poll::Ready(Ok(sequence))
    }

    /// The batch, for the driver.
    pub(crate) fn take_batch(&self) -> Vec<Body> {
        std::mem::take(&mut lock(&self.state).batch)
    }

    /// Everything up to this message was accepted, but for what was refused; the new ones with this outcome.
    pub(crate) fn accept(self: &Arc<Self>, up_to: u64, outcome: Outcome) {
        self.settle(|state| {
            state.outcomes.note(up_to, outcome);
            state.advance(up_to);
            if !self.has_askers(state) {
                state.outcomes.forget();
            }
        });
    }

    /// This message was refused.
    pub(crate) fn refuse(&self, sequence: u64, error: Error) {
        self.settle(|state| {
            state.refused_since_flush.get_or_insert_with(|| error.clone());
            state.refused.insert(sequence, error);
            // The oldest: those that are not settled are fewer than the window.
            if state.refused.len() as u64 > self.window.max(REFUSED_MAX)
                && let Some((forgotten, _)) = state.refused.pop_first()
            {
                state.forgotten = forgotten;
            }
            state.advance(state.settled);
        });
    }

    /// Nothing follows.
    pub(crate) fn end(&self) {
        let mut state = lock(&self.state);
        state.has_ended = true;
        state.batch = Vec::new();
        let mut wakers: Vec<Waker> = std::mem::take(&mut state.waiting).into_values().collect();
        wakers.append(&mut state.wanting_room);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// True if anybody may ask how a message fared; said by the driver, which holds this once.
    ///
    /// Receipts hold it too, from before their message is appended, which takes the lock that is held here: none is
    /// overlooked. Other holders, such as a batch on its way, are taken for receipts until the next time.
    fn has_askers(self: &Arc<Self>, state: &State) -> bool {
        Arc::strong_count(self) > 1 + usize::from(state.has_handle)
    }

    fn settle(&self, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        change(&mut state);
        let after = (state.settled + 1, 0);
        let rest = if state.waiting.is_empty() { BTreeMap::new() } else { state.waiting.split_off(&after) };
        let settled = std::mem::replace(&mut state.waiting, rest);
        let wanting_room = std::mem::take(&mut state.wanting_room);
        drop(state);
        settled.into_values().chain(wanting_room).for_each(Waker::wake);
    }
}

impl State {
    fn advance(&mut self, up_to: u64) {
        let mut settled = self.settled.max(up_to).min(self.sent);
        while settled < self.sent && self.refused.contains_key(&(settled + 1)) {
            settled += 1;
        }
        for _ in self.settled..settled {
            self.bytes -= self.sizes.pop_front().unwrap_or(0);
        }
        self.settled = settled;
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer")
            .field("number", &self.number)
            .field("destination", &self.destination)
            .finish_non_exhaustive()
    }
}

/// How many bytes may be sent and not accepted; one message may always be.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many refusals are remembered for receipts that nobody has asked yet.
const REFUSED_MAX: u64 = 8192;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Acceptors;
    use flockmq_core::{BrokerId, Refusal};
    use std::pin::pin;

    fn shared(window: u64) -> Arc<Shared> {
        Arc::new(Shared {
            number: 1,
            connection: ConnectionId(1),
            destination: "topic://t".parse().expect("a destination"),
            window,
            bytes_max: BYTES_MAX,
            parts: 1,
            overhead: 0,
            inbox: Arc::default(),
            state: Mutex::new(State { has_handle: true, ..State::default() }),
        })
    }

    fn append(shared: &Arc<Shared>, size: usize) -> Poll<Result<u64, Error>> {
        shared.poll_append(None, &mut Some(Body::bytes(vec![0; size])))
    }

    fn receipt(shared: &Arc<Shared>, sequence: u64) -> Receipt {
        Receipt { shared: Arc::clone(shared), sequence, waiter: None }
    }

    fn poll(receipt: Receipt) -> Poll<Result<Outcome, Error>> {
        pin!(receipt).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_window_bounds_messages_and_bytes_but_lets_one_message_through() {
        let by_count = shared(2);
        assert_eq!([1, 1, 1].map(|size| append(&by_count, size).is_ready()), [true, true, false]);
        by_count.accept(1, Outcome::default());
        assert_eq!(append(&by_count, 1), Poll::Ready(Ok(3)));
        let by_bytes = shared(100);
        assert_eq!([BYTES_MAX * 2, 1].map(|size| append(&by_bytes, size).is_ready()), [true, false]);
        by_bytes.accept(1, Outcome::default());
        assert_eq!([BYTES_MAX, 1].map(|size| append(&by_bytes, size).is_ready()), [true, false]);
    }

    #[test]
    fn who_has_sent_nothing_has_nothing_to_wait_for() {
        let shared = shared(10);
        assert!(matches!(poll(receipt(&shared, 0)), Poll::Ready(Ok(_))));
    }

    #[test]
    fn a_refusal_that_is_forgotten_is_not_taken_for_acceptance() {
        let shared = shared(10_000);
        for sequence in 1..=10_001 {
            assert_eq!(append(&shared, 1).is_ready(), sequence <= 10_000);
        }
        for sequence in 1..=10_000 {
            shared.refuse(sequence, Error::Refused(Refusal::Stopping));
        }
        assert!(append(&shared, 1).is_ready());
        shared.refuse(10_001, Error::Refused(Refusal::Stopping));
        assert_eq!(poll(receipt(&shared, 1)), Poll::Ready(Err(Error::Forgotten { max: 10_000 })));
        assert_eq!(poll(receipt(&shared, 2)), Poll::Ready(Err(Error::Refused(Refusal::Stopping))));
    }

    #[test]
    fn a_refused_message_ends_its_own_wait_and_holds_up_no_other() {
        let shared = shared(10);
        for _ in 0..4 {
            assert!(append(&shared, 1).is_ready());
        }
        shared.refuse(2, Error::Refused(Refusal::Stopping));
        assert_eq!(poll(receipt(&shared, 1)), Poll::Pending);
        shared.accept(1, Outcome::default());
        assert_eq!(poll(receipt(&shared, 1)), Poll::Ready(Ok(Outcome::default())));
        assert_eq!(poll(receipt(&shared, 2)), Poll::Ready(Err(Error::Refused(Refusal::Stopping))));
        assert_eq!(poll(receipt(&shared, 3)), Poll::Pending);
        shared.accept(4, Outcome::default());
        assert_eq!(poll(receipt(&shared, 4)), Poll::Ready(Ok(Outcome::default())));
    }

    #[test]
    fn a_receipt_names_who_accepted_and_what_nobody_can_ask_for_is_forgotten() {
        let handle = shared(10);
        let shared = Arc::clone(&handle); // The driver's.
        let mut acceptors = Acceptors::default();
        let (a, b) = (acceptors.outcome(&[BrokerId(1)]), acceptors.outcome(&[BrokerId(2)]));
        for _ in 0..4 {
            assert!(append(&shared, 1).is_ready());
        }
        let kept = receipt(&handle, 2);
        shared.accept(1, a.clone());
        shared.accept(2, b.clone());
        assert_eq!(poll(receipt(&handle, 1)), Poll::Ready(Ok(a.clone())));
        assert_eq!(poll(kept), Poll::Ready(Ok(b)));
        shared.take_batch();
        shared.inbox.close(); // What it holds is no receipt.
        shared.accept(3, a.clone());
        assert_eq!(poll(receipt(&handle, 3)), Poll::Ready(Ok(Outcome::default())));

        let kept = receipt(&handle, 4);
        lock(&shared.state).has_handle = false;
        drop(handle);
        shared.accept(4, a.clone());
        assert_eq!(poll(kept), Poll::Ready(Ok(a)));
    }

    #[test]
    fn a_receipt_that_is_dropped_is_waited_for_no_longer() {
        let shared = shared(10);
        assert!(append(&shared, 1).is_ready());
        assert_eq!(poll(receipt(&shared, 1)), Poll::Pending);
        assert!(lock(&shared.state).waiting.is_empty());
    }

    #[test]
    fn the_end_ends_every_wait() {
        let shared = shared(10);
        assert!(append(&shared, 1).is_ready());
        shared.end();
        assert_eq!(poll(receipt(&shared, 1)), Poll::Ready(Err(Error::Closed)));
        assert_eq!(append(&shared, 1), Poll::Ready(Err(Error::Closed)));
    }
}
