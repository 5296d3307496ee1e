//! What applications have for the driver, in order: appended under a short lock, taken out as a whole. The driver
//! is woken only when there was nothing before.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

use flockmq_core::{AdminReply, Answer, Command, ConnectionId, Refusal, RequestId, Stats, Target};
use tokio::sync::oneshot;

use crate::error::Error;
use crate::ready::{attach, lock};
use crate::{consumer, producer};

/// One thing an application has to say.
pub(crate) enum Entry {
    /// A command that nothing answers.
    Command(Command),
    /// A consumer that deliveries may come for, from now on.
    Consumer(Arc<consumer::Shared>),
    /// The end of a connection.
    Detach { connection: ConnectionId, reply: Reply },
    /// A producer that words of acceptance may come for, from now on.
    Producer(Arc<producer::Shared>),
    /// What an administrator asks, and who waits for the answers.
    Question { request: RequestId, command: Command, reply: oneshot::Sender<Answers> },
    /// A command with an answer.
    Request { request: RequestId, command: Command, reply: Reply },
    /// The messages that wait at a producer.
    Sends(Arc<producer::Shared>),
    /// A question about the node.
    Stats(oneshot::Sender<Stats>),
    /// The end of it all.
    Stop,
    /// A question about a client's targets.
    Targets(oneshot::Sender<Vec<Target>>),
}

/// What brokers answer to an administrator, or why none was asked.
pub(crate) type Answers = Result<Vec<Answer<AdminReply>>, Refusal>;

/// Who waits for an answer, if anybody does.
pub(crate) type Reply = Option<oneshot::Sender<Result<(), Refusal>>>;

/// The applications' way to the driver.
#[derive(Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    numbers: AtomicU64,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    driver: Option<Waker>,
    is_closed: bool,
}

impl Inbox {
    /// A number that was not used before, for ids of any kind.
    pub(crate) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Appends `entry`, unless the driver has gone.
    pub(crate) fn push(&self, entry: Entry) -> Result<(), Error> {
        let mut state = lock(&self.state);
        if state.is_closed {
            return Err(Error::Closed);
        }
        state.entries.push(entry);
        let driver = if state.entries.len() == 1 { state.driver.clone() } else { None };
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        Ok(())
    }

    /// Says a command whose answer nobody waits for; nothing is done if the driver has gone.
    pub(crate) fn tell(&self, command: impl FnOnce(RequestId) -> Command) {
        let request = RequestId(self.number());
        // A driver that has gone has ended everything there was to be told.
        _ = self.push(Entry::Request { request, command: command(request), reply: None });
    }

    /// Says a command and waits for its answer.
    pub(crate) async fn ask(&self, command: impl FnOnce(RequestId) -> Command) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        let request = RequestId(self.number());
        self.push(Entry::Request { request, command: command(request), reply: Some(reply) })?;
        answer.await.map_err(|_| Error::Closed)?.map_err(|refusal| match refusal {
            Refusal::Closed { .. } => Error::Closed,
            refusal => Error::Refused(refusal),
        })
    }

    /// Whom to wake.
    pub(crate) fn attach(&self, driver: &Waker) {
        attach(&mut lock(&self.state).driver, driver);
    }

    /// Moves all entries into `entries`, which is empty.
    pub(crate) fn take(&self, entries: &mut Vec<Entry>) {
        std::mem::swap(&mut lock(&self.state).entries, entries);
    }

    /// Refuses entries from now on; those that nobody took are dropped, and with them whoever waits for answers is
    /// told so.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.is_closed = true;
        let entries = std::mem::take(&mut state.entries);
        drop(state);
        drop(entries);
    }

    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.state).is_closed
    }
}
