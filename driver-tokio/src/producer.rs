//! Producers: messages are appended to a batch that the driver takes as a whole, and acceptance comes back as one
//! number up to which all is settled.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use flockmq_core::{Body, Command, ConnectionId, Destination, Refusal};

use crate::connection::Attachment;
use crate::error::{Error, within};
use crate::inbox::{Entry, Inbox};
use crate::message::Message;
use crate::ready::lock;

/// Sends messages to one destination, in order.
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
        destination: Destination,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let kept = Some(Arc::clone(attachment));
        Self::open_for(attachment, kept, destination, timeout).await
    }

    /// Creates a producer that the attachment itself is going to hold.
    pub(crate) async fn open_within(
        attachment: &Attachment,
        destination: Destination,
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
    pub fn destination(&self) -> &Destination {
        &self.shared.destination
    }

    /// Sends a message and waits until the broker has accepted it.
    ///
    /// A send that is given up, by a timeout or by dropping the future, may still have been accepted.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        self.send_within(self.timeout, message.into()).await
    }

    /// Puts a message on its way, as soon as there is room: a producer has a bounded number of messages and bytes
    /// that are not accepted yet. The receipt tells when this one is; dropping it is fine.
    pub async fn enqueue(&self, message: impl Into<Message>) -> Result<Receipt, Error> {
        let mut body = Some(message.into().into_body());
        // Most often there is room, and no clock needs to be asked.
        let sequence = match self.shared.poll_append(None, &mut body) {
            Poll::Ready(appended) => appended?,
            Poll::Pending => {
                let appending = poll_fn(|context| self.shared.poll_append(Some(context), &mut body));
                within(self.timeout, "waiting for room to send", appending).await?
            }
        };
        Ok(Receipt { shared: Arc::clone(&self.shared), sequence, waiter: None })
    }

    /// Waits until everything sent so far is settled; an error if any of it was refused since the last flush.
    pub async fn flush(&self) -> Result<(), Error> {
        let sequence = lock(&self.shared.state).sent;
        let settled = Receipt { shared: Arc::clone(&self.shared), sequence, waiter: None };
        within(self.timeout, "waiting for acceptance", settled.settled()).await?;
        lock(&self.shared.state).refused_since_flush.take().map_or(Ok(()), |refusal| Err(Error::Refused(refusal)))
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

    pub(crate) async fn send_within(&self, timeout: Option<Duration>, message: Message) -> Result<(), Error> {
        let mut body = Some(message.into_body());
        let sending = async {
            let sequence = poll_fn(|context| self.shared.poll_append(Some(context), &mut body)).await?;
            Receipt { shared: Arc::clone(&self.shared), sequence, waiter: None }.await
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
        destination: Destination,
        timeout: Option<Duration>,
    ) -> Result<Self, Error> {
        let inbox = attachment.inbox();
        let (number, connection) = (inbox.number(), attachment.id());
        let shared = Arc::new(Shared {
            number,
            connection,
            destination: destination.clone(),
            window: attachment.config().broker.producer_window.max(1),
            inbox: Arc::clone(inbox),
            state: Mutex::default(),
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
        if self.is_open {
            let (connection, producer) = (self.shared.connection, self.shared.number);
            self.shared.inbox.tell(|request| Command::CloseProducer { request, connection, producer });
        }
    }
}

/// Tells when a message is accepted: a future that ends then, or with why it was refused.
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
            Err(Error::Refused(_)) => Ok(()), // Told by who waits for all.
            settled => settled,
        }
    }
}

impl Future for Receipt {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut state = lock(&this.shared.state);
        if state.settled >= this.sequence {
            let refusal = state.refused.remove(&this.sequence);
            return Poll::Ready(refusal.map_or(Ok(()), |refusal| Err(Error::Refused(refusal))));
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
    destination: Destination,
    window: u64,
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
    refused: BTreeMap<u64, Refusal>,
    refused_since_flush: Option<Refusal>,
    waiting: BTreeMap<(u64, u64), Waker>, // By message, then by waiter.
    waiters_born: u64,
    wanting_room: Vec<Waker>,
    has_ended: bool,
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
        let size = body.as_ref().map_or(0, Body::size);
        let unsettled = state.sent - state.settled;
        if unsettled >= self.window || (unsettled > 0 && state.bytes + size > BYTES_MAX) {
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

    /// The broker has accepted everything up to this message.
    pub(crate) fn accept(&self, up_to: u64) {
        self.settle(|state| state.advance(up_to));
    }

    /// The broker has refused this message.
    pub(crate) fn refuse(&self, sequence: u64, refusal: Refusal) {
        self.settle(|state| {
            state.refused_since_flush.get_or_insert_with(|| refusal.clone());
            state.refused.insert(sequence, refusal);
            if state.refused.len() > REFUSED_MAX {
                state.refused.pop_first();
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
const REFUSED_MAX: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    fn shared(window: u64) -> Arc<Shared> {
        Arc::new(Shared {
            number: 1,
            connection: ConnectionId(1),
            destination: "topic://t".parse().expect("a destination"),
            window,
            inbox: Arc::default(),
            state: Mutex::default(),
        })
    }

    fn append(shared: &Arc<Shared>, size: usize) -> Poll<Result<u64, Error>> {
        shared.poll_append(None, &mut Some(Body::bytes(vec![0; size])))
    }

    fn receipt(shared: &Arc<Shared>, sequence: u64) -> Receipt {
        Receipt { shared: Arc::clone(shared), sequence, waiter: None }
    }

    fn poll(receipt: Receipt) -> Poll<Result<(), Error>> {
        pin!(receipt).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn the_window_bounds_messages_and_bytes_but_lets_one_message_through() {
        let by_count = shared(2);
        assert_eq!([1, 1, 1].map(|size| append(&by_count, size).is_ready()), [true, true, false]);
        by_count.accept(1);
        assert_eq!(append(&by_count, 1), Poll::Ready(Ok(3)));
        let by_bytes = shared(100);
        assert_eq!([BYTES_MAX * 2, 1].map(|size| append(&by_bytes, size).is_ready()), [true, false]);
        by_bytes.accept(1);
        assert_eq!([BYTES_MAX, 1].map(|size| append(&by_bytes, size).is_ready()), [true, false]);
    }

    #[test]
    fn a_refused_message_ends_its_own_wait_and_holds_up_no_other() {
        let shared = shared(10);
        for _ in 0..4 {
            assert!(append(&shared, 1).is_ready());
        }
        shared.refuse(2, Refusal::Stopping);
        assert_eq!(poll(receipt(&shared, 1)), Poll::Pending);
        shared.accept(1);
        assert_eq!(poll(receipt(&shared, 1)), Poll::Ready(Ok(())));
        assert_eq!(poll(receipt(&shared, 2)), Poll::Ready(Err(Error::Refused(Refusal::Stopping))));
        assert_eq!(poll(receipt(&shared, 3)), Poll::Pending);
        shared.accept(4);
        assert_eq!(poll(receipt(&shared, 4)), Poll::Ready(Ok(())));
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
