//! The application's side of a driver: who waits for which answer, and whose deliveries and acceptances come.

use std::collections::BTreeMap;
use std::sync::Arc;

use flockmq_core::{Answer, Command, ConnectionId, ConsumerId, Event, Peer, Refusal, RequestId, Role};
use tokio::sync::oneshot;
use tracing::debug;

use crate::advisories::{Advised, News};
use crate::board::Board;
use crate::error::Error;
use crate::inbox::Answers;
use crate::outcome::Acceptors;
use crate::{consumer, producer};

/// Hands what the node tells to the handles it is for.
pub(crate) struct Desk {
    role: Role,
    consumers: BTreeMap<ConsumerId, Arc<consumer::Shared>>,
    producers: BTreeMap<u64, Arc<producer::Shared>>,
    requests: BTreeMap<RequestId, Pending>,
    questions: BTreeMap<RequestId, oneshot::Sender<Answers>>,
    acceptors: Acceptors,
    board: Board,
    has_peer_news: bool,
    delivered: usize,
}

/// A request that is not answered yet.
pub(crate) struct Pending {
    pub(crate) reply: Option<oneshot::Sender<Result<(), Refusal>>>,
    pub(crate) opens: Opens,
}

/// What there is not, if a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opens {
    Consumer(ConsumerId),
    Nothing,
    Producer(u64),
}

impl Desk {
    pub(crate) fn new(role: Role, board: Board) -> Self {
        Self {
            role,
            consumers: BTreeMap::new(),
            producers: BTreeMap::new(),
            requests: BTreeMap::new(),
            questions: BTreeMap::new(),
            acceptors: Acceptors::default(),
            board,
            has_peer_news: false,
            delivered: 0,
        }
    }

    pub(crate) fn add_consumer(&mut self, consumer: Arc<consumer::Shared>) {
        self.consumers.insert(consumer.consumer, consumer);
    }

    pub(crate) fn add_producer(&mut self, producer: Arc<producer::Shared>) {
        self.producers.insert(producer.number, producer);
    }

    pub(crate) fn add_request(&mut self, request: RequestId, pending: Pending) {
        self.requests.insert(request, pending);
    }

    pub(crate) fn add_question(&mut self, request: RequestId, reply: oneshot::Sender<Answers>) {
        self.questions.insert(request, reply);
    }

    /// Nothing is handed to this consumer any more.
    pub(crate) fn end_consumer(&mut self, consumer: ConsumerId) {
        if let Some(shared) = self.consumers.remove(&consumer) {
            shared.end();
        }
    }

    /// Nothing is told to this producer any more.
    pub(crate) fn end_producer(&mut self, producer: u64) {
        if let Some(shared) = self.producers.remove(&producer) {
            shared.end();
        }
    }

    /// Ends the consumers and producers of a connection, and answers with the consumers.
    /// The automatic acknowledgements of all that was taken and not told yet.
    pub(crate) fn final_acks(&self) -> Vec<Command> {
        self.consumers.values().filter_map(|shared| shared.final_ack()).collect()
    }

    pub(crate) fn end_connection(&mut self, connection: ConnectionId) -> Vec<Arc<consumer::Shared>> {
        let consumers: Vec<_> =
            self.consumers.values().filter(|shared| shared.connection == connection).map(Arc::clone).collect();
        for shared in &consumers {
            self.end_consumer(shared.consumer);
        }
        let producers: Vec<u64> = self
            .producers
            .values()
            .filter(|shared| shared.connection == connection)
            .map(|shared| shared.number)
            .collect();
        for producer in producers {
            self.end_producer(producer);
        }
        consumers
    }

    /// Hands on what the node tells.
    pub(crate) fn handle_event(&mut self, event: Event) {
        match event {
            Event::Accepted { producer, up_to, by } => {
                if let Some(shared) = self.producers.get(&producer) {
                    shared.accept(up_to, self.acceptors.outcome(&by));
                }
            }
            Event::Advised { broker, missed, advisory } => {
                self.board.advise(News { advised: Advised { broker, advisory }, missed });
            }
            Event::Answered { request, result } => {
                if let Some(reply) = self.questions.remove(&request) {
                    _ = reply.send(result); // Whoever waited may have given up.
                }
            }
            Event::Browsed { consumer } => {
                if let Some(shared) = self.consumers.get(&consumer) {
                    shared.complete();
                }
            }
            Event::ConsumerEnded { consumer, refusal } => {
                if let Some(shared) = self.consumers.remove(&consumer) {
                    shared.refuse(refusal);
                }
            }
            Event::Delivered { consumer, deliveries } => {
                // Deliveries for one that has gone meanwhile go back to their queue by its closing.
                if let Some(shared) = self.consumers.get(&consumer) {
                    self.delivered += deliveries.len();
                    shared.deliver(deliveries);
                }
            }
            Event::Refused { producer, sequence, refusal, answers } => {
                if let Some(shared) = self.producers.get(&producer) {
                    shared.refuse(sequence, self.refused(refusal, answers));
                }
            }
            Event::Replied { request, result } => self.answer(request, result),
            event => {
                debug!(?event, "the node has news");
                match &event {
                    Event::PeerLost { .. } | Event::PeerReady { .. } | Event::PeerUp { .. } => {
                        self.has_peer_news = true;
                    }
                    Event::TargetLost { broker, .. } => self.acceptors.part(*broker),
                    Event::TargetUp { broker, name, .. } => self.acceptors.meet(*broker, name),
                    _ => (),
                }
                self.board.publish(event);
            }
        }
    }

    /// How many messages were handed to consumers since [`Desk::forget_delivered`].
    pub(crate) fn delivered(&self) -> usize {
        self.delivered
    }

    /// Counts from none again.
    pub(crate) fn forget_delivered(&mut self) {
        self.delivered = 0;
    }

    /// True once after the peers have changed.
    pub(crate) fn take_peer_news(&mut self) -> bool {
        std::mem::take(&mut self.has_peer_news)
    }

    pub(crate) fn publish_peers(&self, peers: Vec<Peer>) {
        self.board.publish_peers(peers);
    }

    /// Nothing follows for anybody.
    pub(crate) fn end(&mut self) {
        for shared in std::mem::take(&mut self.consumers).into_values() {
            shared.end();
        }
        for shared in std::mem::take(&mut self.producers).into_values() {
            shared.end();
        }
        self.requests.clear();
        self.questions.clear();
    }

    /// What the application is told of a message that was refused.
    fn refused(&self, refusal: Refusal, answers: Vec<Answer>) -> Error {
        match self.role {
            Role::Broker | Role::Peer => Error::Refused(refusal),
            Role::Client => Error::NotAccepted { refusal, answers },
        }
    }

    fn answer(&mut self, request: RequestId, result: Result<(), Refusal>) {
        let Some(pending) = self.requests.remove(&request) else {
            return;
        };
        if result.is_err() {
            match pending.opens {
                Opens::Consumer(consumer) => self.end_consumer(consumer),
                Opens::Nothing => (),
                Opens::Producer(producer) => self.end_producer(producer),
            }
        }
        if let Some(reply) = pending.reply {
            _ = reply.send(result); // Whoever waited may have given up.
        }
    }
}
