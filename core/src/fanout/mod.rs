//! Rank 3: sends to many brokers at once, and consumes from them. Knows which targets are up, what each was sent and
//! has accepted, and what is not accepted by enough; is told what the application sends and what targets answer;
//! answers with bytes and frames for targets, and outcomes for the application.

mod advice;
mod config;
mod consumer;
mod log;
mod outcome;
mod pump;
mod question;
mod stream;
mod subscription;
mod target;
#[cfg(test)]
mod tests;

pub use config::FanoutConfig;
pub(crate) use log::Burst;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use consumer::{Consumers, Opening};
use log::{Item, Log};
use outcome::tell_settled;
use question::Questions;
use stream::{Entry, Route, Stream};
use target::{Replay, Target};

use crate::base::{Deadlines, Instant, Outbox, Rng, Situation};
use crate::model::{
    Address, AdminReply, Advisory, Answer, BrokerId, CloseReason, ConnectionId, ConsumerId, Delivery, Destination,
    DestinationKind, LinkId, Message, ProducerId, Refusal, RequestId, Tag, What,
};
use crate::wire::{Frame, ROUTES_MAX, SharedEncoder};

/// What a fanout says.
#[derive(Debug, PartialEq)]
pub(crate) enum Output {
    /// Enough brokers have accepted a producer's messages up to this one.
    Accepted {
        /// Whose producer it is.
        connection: ConnectionId,
        /// The producer's number.
        producer: u64,
        /// Which of its destinations they were sent to.
        part: usize,
        /// The last message accepted.
        up_to: u64,
        /// How many this word is about.
        count: u64,
        /// Who accepted them.
        by: Vec<BrokerId>,
    },
    /// Something that happened at a target.
    Advised {
        /// The target.
        broker: BrokerId,
        /// How many before it were not told.
        missed: u64,
        /// What.
        advisory: Box<Advisory>,
    },
    /// What an administrator asked is answered.
    Answered {
        /// The request.
        request: RequestId,
        /// What each target said, or why none was asked.
        result: Result<Vec<Answer<AdminReply>>, Refusal>,
    },
    /// A consumer that only looks has been shown everything, by every target that was asked.
    Browsed {
        /// Whose consumer it is.
        connection: ConnectionId,
        /// The consumer.
        consumer: ConsumerId,
    },
    /// Messages for a target.
    Burst {
        /// The link to it.
        link: LinkId,
        /// The messages.
        burst: Arc<Burst>,
    },
    /// A target must be parted from.
    Close {
        /// The link to it.
        link: LinkId,
        /// Why.
        reason: CloseReason,
    },
    /// A target has ended a consumer, and so it has ended everywhere.
    ConsumerEnded {
        /// Whose consumer it was.
        connection: ConnectionId,
        /// The consumer.
        consumer: ConsumerId,
        /// Why.
        refusal: Refusal,
    },
    /// A message for a consumer.
    Deliver {
        /// Whose consumer it is.
        connection: ConnectionId,
        /// The consumer.
        consumer: ConsumerId,
        /// The message.
        delivery: Delivery,
    },
    /// A message was refused.
    Refused {
        /// Whose producer it is.
        connection: ConnectionId,
        /// The producer's number.
        producer: u64,
        /// The message's number.
        sequence: u64,
        /// Why.
        refusal: Refusal,
        /// What each broker said.
        answers: Vec<Answer>,
    },
    /// The answer to a request.
    Replied {
        /// The request.
        request: RequestId,
        /// Whether it was done.
        result: Result<(), Refusal>,
    },
    /// Something else for a target.
    Say {
        /// The link to it.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// One target refused a consumer that others serve.
    SubscriptionRefused {
        /// The consumer.
        consumer: ConsumerId,
        /// The target's answer.
        answer: Answer,
    },
    /// How many targets are up has changed.
    Targets {
        /// How many are.
        up: u32,
        /// How many are needed.
        needed: u32,
    },
    /// Bytes for a target that tell it what follows.
    Tell {
        /// The link to it.
        link: LinkId,
        /// The bytes.
        bytes: Bytes,
    },
}

/// Whether targets may become known that are not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Horizon {
    /// All are known: they were named.
    Closed,
    /// More may be discovered.
    Open,
}

/// A target that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Who it is.
    pub broker: BrokerId,
    /// Its name.
    pub name: String,
    /// Where it was dialled.
    pub address: Address,
    /// The largest message it takes, in bytes.
    pub message_max: u64,
}

impl Found {
    fn answer<T>(&self, result: Result<T, Refusal>) -> Answer<T> {
        Answer { broker: self.broker, name: self.name.clone(), result }
    }
}

/// Counts of one target, over all its links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Messages it has accepted.
    pub accepted: u64,
    /// Messages it has refused.
    pub refused: u64,
}

/// A client's sends and consumers, and the targets they go to.
#[derive(Debug)]
pub(crate) struct Fanout {
    config: FanoutConfig,
    local: BrokerId,
    horizon: Horizon,
    rng: Rng,
    targets: BTreeMap<LinkId, Target>,
    tallies: BTreeMap<Address, Tally>,
    primary: Option<LinkId>, // Where queues' messages go, while it is up.
    prospects: usize,        // Addresses that may yet come up.
    streams: BTreeMap<u32, Stream>,
    numbers: BTreeMap<(u64, usize), u32>, // By producer and which of its destinations.
    slots: BTreeSet<u16>,                 // In use.
    born: u32,
    dirty: Vec<u32>, // Streams that were sent on in this pass.
    log: Log,
    encoder: SharedEncoder,
    unsettled_bytes: u64,
    deadlines: Deadlines<u32>,
    consumers: Consumers,
    questions: Questions,
    is_curious: bool, // Targets are to tell what happens there.
}

impl Fanout {
    /// A fanout with no targets, of the client `local`.
    pub(crate) fn new(mut config: FanoutConfig, local: BrokerId, horizon: Horizon, rng: Rng) -> Self {
        config.acks_min = config.acks_min.max(1);
        Self {
            consumers: Consumers::new(config.checks_duplicates, config.audit_producers_max),
            config,
            local,
            horizon,
            rng,
            targets: BTreeMap::new(),
            tallies: BTreeMap::new(),
            primary: None,
            prospects: 0,
            streams: BTreeMap::new(),
            numbers: BTreeMap::new(),
            slots: BTreeSet::new(),
            born: 0,
            dirty: Vec::new(),
            log: Log::default(),
            encoder: SharedEncoder::default(),
            unsettled_bytes: 0,
            deadlines: Deadlines::new(),
            questions: Questions::default(),
            is_curious: false,
        }
    }

    /// Says how many targets are needed, before there is any.
    pub(crate) fn handle_start(&mut self, out: &mut Outbox<Output>) {
        self.count(out);
    }

    /// Adds a producer, or another destination of its.
    pub(crate) fn open_stream(
        &mut self,
        connection: ConnectionId,
        producer: u64,
        part: usize,
        destination: &Destination,
    ) -> Result<(), Refusal> {
        let full = Refusal::LimitReached { what: What::Producer, max: ROUTES_MAX.into() };
        let slot = (0..ROUTES_MAX).find(|slot| !self.slots.contains(slot)).ok_or(full)?;
        self.slots.insert(slot);
        self.born += 1;
        let id = ProducerId { broker: self.local, number: producer };
        let told = SharedEncoder::route(slot, id, destination.clone());
        let route = Route { stream: self.born, slot, told };
        // Which of the targets a temporary destination's connection is at, or behind, is known to them alone.
        let is_for_all = destination.kind() == DestinationKind::Topic || destination.is_temporary();
        let is_replicated = is_for_all || self.config.replicates_queues;
        let needed = if is_replicated { self.config.acks_min } else { 1 };
        self.numbers.insert((producer, part), self.born);
        self.streams.insert(self.born, Stream::new(connection, (producer, part), route, is_replicated, needed));
        Ok(())
    }

    /// Ends a producer: what is not settled is refused.
    pub(crate) fn close_stream(&mut self, producer: u64, refusal: &Refusal, out: &mut Outbox<Output>) {
        while let Some((part, _)) = self.numbers.range((producer, 0)..=(producer, usize::MAX)).next() {
            let part = *part;
            self.close_part(part, refusal, out);
        }
    }

    fn close_part(&mut self, part: (u64, usize), refusal: &Refusal, out: &mut Outbox<Output>) {
        let number = self.numbers.remove(&part).expect("just found");
        let mut stream = self.streams.remove(&number).expect("a number has a stream");
        while let Some(entry) = stream.take_first() {
            self.refuse(&stream, entry, refusal.clone(), out);
            tell_settled(&mut stream, &mut self.unsettled_bytes, out); // It may have been all that kept others back.
        }
        self.deadlines.set(number, None);
        self.slots.remove(&stream.route.slot);
        for target in self.targets.values_mut() {
            target.replay.retain(|replay| replay.stream != number);
        }
        let is_known = self.targets.values().any(|target| target.knows(&stream.route));
        let is_behind = self.log.mentions(&stream.route);
        if is_behind {
            Situation::StreamEndedBehind.met();
        }
        if is_known || is_behind {
            self.log.push(Item::End(stream.route));
            self.pump_all(out);
        }
        for target in self.targets.values_mut() {
            target.forget_flights(|number| self.streams.contains_key(&number));
        }
    }

    /// Takes a message; it goes out with [`Fanout::flush`].
    pub(crate) fn handle_send(
        &mut self,
        now: Instant,
        producer: u64,
        part: usize,
        message: Arc<Message>,
    ) -> Result<(), Refusal> {
        let size = message.size() as u64;
        self.check_room(size)?;
        let unknown = Refusal::Unknown { what: What::Producer, number: producer };
        let number = *self.numbers.get(&(producer, part)).ok_or(unknown)?;
        let stream = self.streams.get_mut(&number).expect("a number has a stream");
        self.unsettled_bytes += size;
        let entry = Entry {
            sequence: message.id.sequence,
            message,
            expires_at: now + self.config.send_timeout,
            is_doubtful: false,
            refused: Vec::new(),
        };
        stream.entries.push_back(entry);
        if self.dirty.last() != Some(&number) {
            self.dirty.push(number);
        }
        Ok(())
    }

    /// Refuses what there is no room for until more is settled.
    pub(crate) fn check_room(&self, size: u64) -> Result<(), Refusal> {
        if self.unsettled_bytes + size > self.config.memory_max {
            return Err(Refusal::MemoryFull { max: self.config.memory_max });
        }
        Ok(())
    }

    /// Sends what was taken, as far as there are targets for it.
    pub(crate) fn flush(&mut self, out: &mut Outbox<Output>) {
        if self.dirty.is_empty() {
            return;
        }
        for number in core::mem::take(&mut self.dirty) {
            self.rearm(number);
            self.release(number);
            self.fail_doomed(number, out);
        }
        self.pump_all(out);
        self.shed(out);
    }

    /// A target is up: it is told of every consumer, and gets what is not settled.
    pub(crate) fn handle_up(&mut self, link: LinkId, found: Found, out: &mut Outbox<Output>) {
        self.tallies.entry(found.address.clone()).or_default();
        let broker = found.broker;
        let mut target = Target::new(found, self.log.end());
        if self.is_curious {
            out.push(Output::Say { link, frame: Frame::Advise { wanted: true } });
        }
        for consumer in self.consumers.iter_mut().filter(|consumer| consumer.is_for_newcomers()) {
            out.push(Output::Say { link, frame: consumer.ask(link) });
        }
        for (number, stream) in &mut self.streams {
            stream.replace(&target.found);
            let next = stream.marked(broker) + 1;
            let is_owed = stream.is_replicated && stream.entries.front().is_some_and(|e| e.sequence <= stream.logged);
            if is_owed && next <= stream.logged {
                Situation::SendReplayed.met();
                target.replay.push_back(Replay { stream: *number, next, up_to: stream.logged });
            }
        }
        self.targets.insert(link, target);
        self.count(out);
        self.release_all();
        self.pump_all(out);
        self.shed(out);
    }

    /// A target was lost. What only it was sent goes to another at once.
    pub(crate) fn handle_down(&mut self, link: LinkId, out: &mut Outbox<Output>) {
        self.part(link, out);
        self.fail_all_doomed(out);
        self.pump_all(out);
        self.shed(out);
    }

    /// Forgets a target; what only it was sent is for another now.
    fn part(&mut self, link: LinkId, out: &mut Outbox<Output>) {
        let Some(target) = self.targets.remove(&link) else {
            return;
        };
        for (connection, consumer) in self.consumers.lose(link) {
            out.push(Output::Browsed { connection, consumer });
        }
        self.lose_answers(link, out);
        let targets = &self.targets;
        let is_up = |broker| targets.values().any(|target| target.found.broker == broker);
        for (number, stream) in &mut self.streams {
            stream.forget_marks(is_up);
            if !stream.is_replicated && self.primary == Some(link) {
                stream.hold(target.sent(*number));
            }
        }
        self.primary.take_if(|primary| *primary == link);
        self.count(out);
        self.release_all();
    }

    /// How many more addresses may yet come up.
    pub(crate) fn handle_prospects(&mut self, prospects: usize, out: &mut Outbox<Output>) {
        let has_fallen = prospects < self.prospects;
        self.prospects = prospects;
        if has_fallen {
            self.fail_all_doomed(out);
        }
    }

    /// An address is not wanted any more.
    pub(crate) fn forget_address(&mut self, address: &Address) {
        if !self.targets.values().any(|target| target.found.address == *address) {
            self.tallies.remove(address);
        }
    }

    /// Hears a target.
    pub(crate) fn handle_frame(&mut self, link: LinkId, frame: Frame, out: &mut Outbox<Output>) {
        let result = match frame {
            Frame::Forward { demand, tag, redeliveries, message } => {
                let delivery = Delivery { tag, redeliveries, message };
                self.hear_delivery(link, demand, delivery, out);
                Ok(())
            }
            Frame::Forwarded { demand, up_to } => self.hear_accepted(link, demand, up_to, out),
            Frame::Refused { stream, tag, refusal } => self.hear_refused(link, stream, tag, refusal, out),
            Frame::Browsed { number } => {
                self.hear_browsed(link, number, out);
                Ok(())
            }
            Frame::ConsumerEnded { number, refusal } => {
                self.hear_ended(number, refusal, out);
                Ok(())
            }
            Frame::Subscribed { number, result } => {
                self.hear_subscribed(link, number, result, out);
                Ok(())
            }
            Frame::Advised { missed, advisory } => {
                self.hear_advisory(link, missed, advisory, out);
                Ok(())
            }
            Frame::Answered { number, result } => self.hear_answer(link, number, result, out),
            frame => Err(format!("a {} frame is not for a client to hear", frame.name())),
        };
        if let Err(what) = result {
            out.push(Output::Close { link, reason: CloseReason::Malformed(what) });
        }
    }

    /// Ends everything that hangs on a connection.
    pub(crate) fn detach(&mut self, connection: ConnectionId, out: &mut Outbox<Output>) {
        let consumers = self.consumers.iter().filter(|(_, found)| found.connection == connection);
        for consumer in consumers.map(|(id, _)| id).collect::<Vec<_>>() {
            // Whatever was handed out may have been seen.
            self.unsubscribe(connection, consumer, Tag::MAX, out).expect("just found");
        }
        self.close_streams(&Refusal::Closed { what: What::Producer }, |stream| stream.connection == connection, out);
    }

    /// Refuses everything that is not settled: the client stops.
    pub(crate) fn handle_stop(&mut self, out: &mut Outbox<Output>) {
        for Opening { request, .. } in self.consumers.take_openings() {
            out.push(Output::Replied { request, result: Err(Refusal::Stopping) });
        }
        self.refuse_questions(&Refusal::Stopping, out);
        self.close_streams(&Refusal::Stopping, |_| true, out);
    }

    /// Refuses what has taken too long.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Output>) {
        self.expire_sends(now, out);
        self.expire_openings(now, out);
        self.expire_questions(now, out);
    }

    /// When there is something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let waits = [self.deadlines.first(), self.consumers.poll_timeout(), self.questions.poll_timeout()];
        waits.into_iter().flatten().min()
    }

    /// The link that leads to whoever was found at this address, if it is up.
    pub(crate) fn linked_at(&self, address: &Address) -> Option<LinkId> {
        self.targets.iter().find(|(_, target)| target.found.address == *address).map(|(link, _)| *link)
    }

    /// The link that leads to this broker, if it is up.
    pub(crate) fn linked(&self, broker: BrokerId) -> Option<LinkId> {
        self.targets.iter().find(|(_, target)| target.found.broker == broker).map(|(link, _)| *link)
    }

    /// The targets that are up, and where each was found.
    pub(crate) fn up_at(&self) -> impl Iterator<Item = (LinkId, &Address)> {
        self.targets.iter().map(|(link, target)| (*link, &target.found.address))
    }

    /// What a target at this address has answered.
    pub(crate) fn tally(&self, address: &Address) -> Tally {
        self.tallies.get(address).copied().unwrap_or_default()
    }

    /// Bytes that a target at this address was sent and has not answered.
    pub(crate) fn unanswered_bytes(&self, address: &Address) -> u64 {
        self.linked_at(address).map_or(0, |link| self.targets[&link].in_flight())
    }

    /// How many targets are up.
    pub(crate) fn up(&self) -> usize {
        self.targets.len()
    }

    /// Bytes of messages that are not settled, and bytes that wait for slow targets.
    pub(crate) fn held_bytes(&self) -> (u64, u64) {
        (self.unsettled_bytes, self.log.bytes())
    }

    fn close_streams(&mut self, refusal: &Refusal, is_meant: impl Fn(&Stream) -> bool, out: &mut Outbox<Output>) {
        let meant = self.streams.values().filter(|stream| is_meant(stream)).map(|stream| stream.producer);
        for producer in meant.collect::<Vec<_>>() {
            self.close_stream(producer, refusal, out);
        }
    }

    fn count(&mut self, out: &mut Outbox<Output>) {
        let up = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
        out.push(Output::Targets { up, needed: self.config.acks_min });
    }
}

fn count(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
