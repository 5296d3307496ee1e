//! What administrators ask: of the broker that this process embeds, or through fanout of many.

use flockmq_core::{AdminReply, AdminRequest, Answer, BrokerId, Destination, Inventory};

use crate::advisories::Advisories;
use crate::connection::Connection;
use crate::error::Error;
use crate::message::ToDestination;

/// A connection's broker as its administrator sees it; through fanout, all brokers that are up.
///
/// Every question has an [`Answer`] of each broker that was asked: the one that this process embeds, or every target that
/// is up at the time, those included that refuse. One that is lost before it answers, or takes longer than
/// `sendTimeout`, answers with a [`Refusal`](crate::Refusal) that says so; it may have done what it was asked all the
/// same. No answers means that nobody is up.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), flockmq::Error> {
/// let connection = flockmq::connect("vm://administered").await?;
/// connection.send("queue://orders", "42").await?;
///
/// let answers = connection.broker().destinations().await?;
/// let inventory = answers[0].result.as_ref().expect("nothing refuses this");
/// assert_eq!((inventory.destinations[0].name.name(), inventory.destinations[0].depth), ("orders", 1));
///
/// let answers = connection.broker().purge("queue://orders").await?;
/// assert_eq!(answers[0].result, Ok(1));
/// connection.close().await
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Administration<'a> {
    connection: &'a Connection,
}

impl<'a> Administration<'a> {
    pub(crate) fn new(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// How each broker's destinations fare, in order of kind and name.
    ///
    /// Who has very many is asked for them in pages, up to a bound, and [`Inventory::left_out`] says how many are not
    /// among them. They are not of one moment, then.
    pub async fn destinations(&self) -> Result<Vec<Answer<Inventory>>, Error> {
        let mut answers = self.inventories(None, None).await?;
        for answer in &mut answers {
            for _ in 1..PAGES_MAX {
                let Ok(inventory) = &mut answer.result else { break };
                if inventory.left_out == 0 {
                    break;
                }
                let after = inventory.destinations.last().map(|last| last.name.clone());
                match self.inventories(Some(answer.broker), after).await?.pop().map(|page| page.result) {
                    Some(Ok(page)) => {
                        inventory.destinations.extend(page.destinations);
                        inventory.left_out = page.left_out;
                    }
                    Some(Err(refusal)) => answer.result = Err(refusal),
                    None => break, // It is not up any more.
                }
            }
        }
        Ok(answers)
    }

    /// Removes all messages that wait in a queue, or in all queues that a pattern covers, and answers with how many they
    /// were. What consumers were handed stays theirs; messages of producers that wait for room take the place.
    pub async fn purge(&self, queue: impl ToDestination) -> Result<Vec<Answer<u64>>, Error> {
        self.count(AdminRequest::Purge(queue.to_destination()?)).await
    }

    /// Hands out nothing from a queue, or from all queues that a pattern covers now, until it is resumed. Messages are
    /// accepted as before. Answers with how many queues were not paused already.
    pub async fn pause(&self, queue: impl ToDestination) -> Result<Vec<Answer<u64>>, Error> {
        self.count(AdminRequest::Pause(queue.to_destination()?)).await
    }

    /// Hands out messages of paused queues again, and answers with how many they were.
    pub async fn resume(&self, queue: impl ToDestination) -> Result<Vec<Answer<u64>>, Error> {
        self.count(AdminRequest::Resume(queue.to_destination()?)).await
    }

    /// What happens in the embedded broker from now on; through fanout, in each target from when it has heard that somebody
    /// wants to know, which is before anything that this connection asks of it later. What there is already,
    /// [`destinations`](Self::destinations) tells.
    ///
    /// ```
    /// use flockmq::core::Advisory;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), flockmq::Error> {
    /// let connection = flockmq::connect("vm://advising").await?;
    /// let mut advisories = connection.broker().advisories().await?;
    /// let consumer = connection.subscribe("queue://orders").await?;
    /// let destination = "queue://orders".parse()?;
    /// let advised = advisories.next().await.expect("the broker is up");
    /// assert_eq!((advised.broker, advised.advisory), (connection.id(), Advisory::DestinationAdded { destination }));
    /// connection.close().await
    /// # }
    /// ```
    pub async fn advisories(&self) -> Result<Advisories, Error> {
        self.connection.attachment.check_open()?;
        Advisories::open(&self.connection.attachment, self.connection.timeout).await
    }

    async fn inventories(
        &self,
        only: Option<BrokerId>,
        after: Option<Destination>,
    ) -> Result<Vec<Answer<Inventory>>, Error> {
        let answers = self.connection.question(only, AdminRequest::Destinations { within: None, after }).await?;
        Ok(told(answers, |reply| match reply {
            AdminReply::Destinations(inventory) => inventory,
            AdminReply::Changed { .. } | AdminReply::DurableRemoved | AdminReply::Purged { .. } => {
                unreachable!("{OF_ITS_KIND}")
            }
        }))
    }

    async fn count(&self, asked: AdminRequest) -> Result<Vec<Answer<u64>>, Error> {
        let answers = self.connection.question(None, asked).await?;
        Ok(told(answers, |reply| match reply {
            AdminReply::Changed { queues } => queues,
            AdminReply::Purged { messages, .. } => messages,
            AdminReply::Destinations(_) | AdminReply::DurableRemoved => unreachable!("{OF_ITS_KIND}"),
        }))
    }
}

/// Answers, each put as what was asked for.
fn told<T>(answers: Vec<Answer<AdminReply>>, tell: impl Fn(AdminReply) -> T) -> Vec<Answer<T>> {
    let tell = |Answer { broker, name, result }| Answer { broker, name, result: result.map(&tell) };
    answers.into_iter().map(tell).collect()
}

const OF_ITS_KIND: &str = "a question is answered by what is of its kind";

/// How many pages of destinations are asked for.
const PAGES_MAX: usize = 100;
