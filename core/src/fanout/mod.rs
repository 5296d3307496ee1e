//! Rank 3: sends to many brokers at once, and consumes from them. Knows which targets are up, what each was sent and
//! has accepted, and what is not accepted by enough; is told what the application sends and what targets answer;
//! answers with bytes and frames for targets, and outcomes for the application.

mod config;
mod consumer;
mod log;
mod stream;
mod target;
#[cfg(test)]
mod tests;

pub use config::FanoutConfig;
pub(crate) use log::Burst;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use consumer::{Arrival, Consumers, Opening, Removed};
use log::{Item, Log};
use stream::{Entry, Route, Settled, Stream};
use target::{Answered, Replay, Target};

use crate::base::{Deadlines, Instant, Outbox, Rng, Situation};
use crate::model::{
    Ack, Address, Answer, BrokerId, CloseReason, ConnectionId, ConsumerId, Delivery, Destination, DestinationKind,
    LinkId, Message, ProducerId, Refusal, RequestId, Subscription, Tag, What,
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
        /// The last message accepted.
        up_to: u64,
        /// How many this word is about.
        count: u64,
        /// Who accepted them.
        by: Vec<BrokerId>,
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
    fn answer(&self, result: Result<(), Refusal>) -> Answer {
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
    numbers: BTreeMap<u64, u32>, // By producer.
    slots: BTreeSet<u16>,        // In use.
    born: u32,
    dirty: Vec<u32>, // Streams that were sent on in this pass.
    log: Log,
    encoder: SharedEncoder,
    unsettled_bytes: u64,
    deadlines: Deadlines<u32>,
    consumers: Consumers,
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
        }
    }

    /// Says how many targets are needed, before there is any.
    pub(crate) fn handle_start(&mut self, out: &mut Outbox<Output>) {
        self.count(out);
    }

    /// Adds a producer.
    pub(crate) fn open_stream(
        &mut self,
        connection: ConnectionId,
        producer: u64,
        destination: &Destination,
    ) -> Result<(), Refusal> {
        let full = Refusal::LimitReached { what: What::Producer, max: ROUTES_MAX.into() };
        let slot = (0..ROUTES_MAX).find(|slot| !self.slots.contains(slot)).ok_or(full)?;
        self.slots.insert(slot);
        self.born += 1;
        let id = ProducerId { broker: self.local, number: producer };
        let told = SharedEncoder::route(slot, id, destination.clone());
        let route = Route { stream: self.born, slot, told };
        let is_replicated = destination.kind() == DestinationKind::Topic || self.config.replicates_queues;
        let needed = if is_replicated { self.config.acks_min } else { 1 };
        self.numbers.insert(producer, self.born);
        self.streams.insert(self.born, Stream::new(connection, producer, route, is_replicated, needed));
        Ok(())
    }

    /// Ends a producer: what is not settled is refused.
    pub(crate) fn close_stream(&mut self, producer: u64, refusal: &Refusal, out: &mut Outbox<Output>) {
        let Some(number) = self.numbers.remove(&producer) else {
            return;
        };
        let mut stream = self.streams.remove(&number).expect("a number has a stream");
        while let Some(entry) = stream.take_first() {
            self.refuse(&stream, entry, refusal.clone(), out);
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
    pub(crate) fn handle_send(&mut self, now: Instant, producer: u64, message: Arc<Message>) -> Result<(), Refusal> {
        let size = message.size() as u64;
        if self.unsettled_bytes + size > self.config.memory_max {
            return Err(Refusal::MemoryFull { max: self.config.memory_max });
        }
        let unknown = Refusal::Unknown { what: What::Producer, number: producer };
        let number = *self.numbers.get(&producer).ok_or(unknown)?;
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
        for (_, consumer) in self.consumers.iter() {
            let (number, subscription) = (consumer.number, consumer.subscription.clone());
            out.push(Output::Say { link, frame: Frame::Subscribe { number, subscription } });
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
    }

    /// Forgets a target; what only it was sent is for another now.
    fn part(&mut self, link: LinkId, out: &mut Outbox<Output>) {
        let Some(target) = self.targets.remove(&link) else {
            return;
        };
        self.consumers.lose(link);
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
            Frame::Subscribed { number, result } => {
                self.hear_subscribed(link, number, result, out);
                Ok(())
            }
            frame => Err(format!("a {} frame is not for a client to hear", frame.name())),
        };
        if let Err(what) = result {
            out.push(Output::Close { link, reason: CloseReason::Malformed(what) });
        }
    }

    /// Adds a consumer, on every target there is and will be. Answered once enough have confirmed it.
    pub(crate) fn subscribe(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        consumer: ConsumerId,
        subscription: &Subscription,
        request: RequestId,
        out: &mut Outbox<Output>,
    ) {
        let opening = Opening { request, until: now + self.config.send_timeout, confirmed: BTreeSet::new() };
        match self.consumers.add(connection, consumer, subscription.clone(), opening, self.config.consumers_max) {
            Ok(number) => {
                for link in self.targets.keys() {
                    let subscription = subscription.clone();
                    out.push(Output::Say { link: *link, frame: Frame::Subscribe { number, subscription } });
                }
            }
            Err(refusal) => out.push(Output::Replied { request, result: Err(refusal) }),
        }
    }

    /// Ends a consumer; deliveries after `seen` go back as if never handed out.
    pub(crate) fn unsubscribe(
        &mut self,
        consumer: ConsumerId,
        seen: Tag,
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        let removed = self.consumers.remove(consumer, seen).ok_or(Refusal::unknown_consumer(consumer))?;
        self.end_consumer(removed, Refusal::Closed { what: What::Consumer }, out);
        Ok(())
    }

    /// Answers deliveries.
    pub(crate) fn acknowledge(&mut self, ack: Ack, out: &mut Outbox<Output>) -> Result<(), Refusal> {
        for (link, ack) in self.consumers.acknowledge(ack)? {
            out.push(Output::Say { link, frame: Frame::Ack(ack) });
        }
        Ok(())
    }

    /// Ends everything that hangs on a connection.
    pub(crate) fn detach(&mut self, connection: ConnectionId, out: &mut Outbox<Output>) {
        let consumers = self.consumers.iter().filter(|(_, found)| found.connection == connection);
        for consumer in consumers.map(|(id, _)| id).collect::<Vec<_>>() {
            // Whatever was handed out may have been seen.
            self.unsubscribe(consumer, Tag::MAX, out).expect("just found");
        }
        self.close_streams(&Refusal::Closed { what: What::Producer }, |stream| stream.connection == connection, out);
    }

    /// Refuses everything that is not settled: the client stops.
    pub(crate) fn handle_stop(&mut self, out: &mut Outbox<Output>) {
        for Opening { request, .. } in self.consumers.take_openings() {
            out.push(Output::Replied { request, result: Err(Refusal::Stopping) });
        }
        self.close_streams(&Refusal::Stopping, |_| true, out);
    }

    /// Refuses what has taken too long.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Outbox<Output>) {
        for number in self.deadlines.due(now).collect::<Vec<_>>() {
            let mut stream = self.streams.remove(&number).expect("a deadline has a stream");
            while let Some(entry) = stream.take_expired(now) {
                let refusal = Refusal::TimedOut {
                    accepted: count(stream.acceptors(&entry)),
                    needed: stream.needed,
                    after: self.config.send_timeout,
                };
                self.refuse(&stream, entry, refusal, out);
            }
            self.streams.insert(number, stream);
            self.settle(number, out);
        }
        let late = self.consumers.iter().filter_map(|(id, consumer)| {
            let opening = consumer.opening.as_ref().filter(|opening| opening.until <= now)?;
            Some((id, count(opening.confirmed.iter())))
        });
        for (consumer, accepted) in late.collect::<Vec<_>>() {
            Situation::ConsumerTimedOut.met();
            let removed = self.consumers.remove(consumer, Tag::MAX).expect("just found");
            let (needed, after) = (self.config.acks_min, self.config.send_timeout);
            self.end_consumer(removed, Refusal::TimedOut { accepted, needed, after }, out);
        }
    }

    /// When there is something to do next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.deadlines.first(), self.consumers.poll_timeout()].into_iter().flatten().min()
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

    fn hear_accepted(&mut self, link: LinkId, number: u32, up_to: Tag, out: &mut Outbox<Output>) -> Result<(), String> {
        let Some(target) = self.targets.get_mut(&link) else {
            return Ok(());
        };
        let answered = target.answered(number, up_to);
        let Answered { accepted, refused } =
            answered.map_err(|_| format!("message {up_to} of stream {number} was accepted but never sent"))?;
        if let Some(tally) = self.tallies.get_mut(&target.found.address) {
            tally.accepted += accepted;
            tally.refused += refused;
        }
        match self.streams.get_mut(&number) {
            Some(stream) => {
                stream.mark(&target.found, up_to);
                self.settle(number, out);
            }
            None => target.forget_flights(|number| self.streams.contains_key(&number)),
        }
        self.pump(link, out);
        self.trim();
        Ok(())
    }

    fn hear_refused(
        &mut self,
        link: LinkId,
        number: u32,
        tag: Tag,
        refusal: Refusal,
        out: &mut Outbox<Output>,
    ) -> Result<(), String> {
        let Some(target) = self.targets.get_mut(&link) else {
            return Ok(());
        };
        let refused = target.refused(number, tag);
        refused.map_err(|_| format!("message {tag} of stream {number} was refused but never sent, or twice"))?;
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.refuse(tag, &target.found, refusal);
            self.fail_doomed(number, out);
        }
        Ok(())
    }

    fn hear_delivery(&mut self, link: LinkId, number: u32, delivery: Delivery, out: &mut Outbox<Output>) {
        match self.consumers.arrive(link, number, delivery) {
            Arrival::Done(ack) => out.push(Output::Say { link, frame: Frame::Ack(ack) }),
            Arrival::Kept => (),
            Arrival::New { connection, consumer, delivery } => {
                out.push(Output::Deliver { connection, consumer, delivery });
            }
        }
    }

    fn hear_subscribed(&mut self, link: LinkId, number: u32, result: Result<(), Refusal>, out: &mut Outbox<Output>) {
        let (Some(target), Some(id)) = (self.targets.get(&link), self.consumers.numbered(number)) else {
            return; // It was closed meanwhile.
        };
        let consumer = self.consumers.get_mut(id).expect("a number has a consumer");
        match (result, &mut consumer.opening) {
            (Ok(()), None) => (),
            (Ok(()), Some(opening)) => {
                opening.confirmed.insert(target.found.broker);
                if opening.confirmed.len() >= self.config.acks_min as usize {
                    out.push(Output::Replied { request: opening.request, result: Ok(()) });
                    consumer.opening = None;
                }
            }
            (Err(refusal), None) => {
                let answer = target.found.answer(Err(refusal));
                out.push(Output::SubscriptionRefused { consumer: id, answer });
            }
            (Err(refusal), Some(_)) => {
                let removed = self.consumers.remove(id, Tag::MAX).expect("just found");
                self.end_consumer(removed, refusal, out);
            }
        }
    }

    /// Tells every target that a consumer has ended, and whoever waited for it why.
    fn end_consumer(&mut self, removed: Removed, refusal: Refusal, out: &mut Outbox<Output>) {
        let Removed { number, opening, seen, acks } = removed;
        for link in self.targets.keys() {
            let seen = seen.get(link).copied().unwrap_or(0);
            out.push(Output::Say { link: *link, frame: Frame::Unsubscribe { number, seen } });
        }
        for (link, ack) in acks {
            out.push(Output::Say { link, frame: Frame::Ack(ack) });
        }
        if let Some(Opening { request, .. }) = opening {
            out.push(Output::Replied { request, result: Err(refusal) });
        }
    }

    fn close_streams(&mut self, refusal: &Refusal, is_meant: impl Fn(&Stream) -> bool, out: &mut Outbox<Output>) {
        let meant = self.streams.values().filter(|stream| is_meant(stream)).map(|stream| stream.producer);
        for producer in meant.collect::<Vec<_>>() {
            self.close_stream(producer, refusal, out);
        }
    }

    /// True if enough targets are up for anything to be sent.
    fn is_ready(&self) -> bool {
        self.targets.len() >= self.config.acks_min as usize
    }

    /// Encodes what is held of a stream, if it may be sent.
    fn release(&mut self, number: u32) {
        if !self.is_ready() {
            Situation::SendHeld.met();
            return;
        }
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let Some(last) = stream.held().last().map(|entry| entry.sequence) else {
            return;
        };
        let to = if stream.is_replicated {
            None
        } else {
            let links: Vec<LinkId> = self.targets.keys().copied().collect();
            let rng = &mut self.rng;
            Some(*self.primary.get_or_insert_with(|| *rng.pick(&links).expect("enough targets are up")))
        };
        for burst in log::encode(&stream.route, stream.held(), &mut self.encoder) {
            self.log.push(Item::Burst { to, burst: Arc::new(burst) });
        }
        stream.logged = last;
    }

    fn release_all(&mut self) {
        if self.is_ready() {
            for number in self.streams.keys().copied().collect::<Vec<_>>() {
                self.release(number);
            }
        }
    }

    /// Gives every target what it has not taken, as far as each one's window allows.
    fn pump_all(&mut self, out: &mut Outbox<Output>) {
        for link in self.targets.keys().copied().collect::<Vec<_>>() {
            self.pump(link, out);
        }
        self.trim();
    }

    fn pump(&mut self, link: LinkId, out: &mut Outbox<Output>) {
        if !self.is_ready() {
            return;
        }
        let Some(target) = self.targets.get_mut(&link) else {
            return;
        };
        let mut too_large = Vec::new();
        while target.in_flight() < self.config.window {
            let replayed = next_replay(target, &self.streams, &mut self.encoder);
            let burst = match replayed {
                Some(burst) => Arc::new(burst),
                None => match self.log.get(target.cursor) {
                    None => break,
                    Some(item) => {
                        target.cursor += 1;
                        match item {
                            Item::Burst { to, .. } if to.is_some_and(|to| to != link) => continue,
                            Item::Burst { burst, .. } => Arc::clone(burst),
                            Item::End(route) => {
                                if target.finish(route) {
                                    out.push(Output::Say { link, frame: Frame::Finish { stream: route.stream } });
                                }
                                continue;
                            }
                        }
                    }
                },
            };
            if burst.largest > target.found.message_max {
                Situation::SendTooLarge.met();
                too_large.push(burst);
                continue;
            }
            if target.send(&burst) {
                out.push(Output::Tell { link, bytes: burst.route.told.clone() });
            }
            out.push(Output::Burst { link, burst });
        }
        for burst in too_large {
            self.refuse_for(link, &burst, out);
        }
    }

    /// A target does not take messages of this size: as if it had said so.
    fn refuse_for(&mut self, link: LinkId, burst: &Burst, out: &mut Outbox<Output>) {
        let Some(target) = self.targets.get(&link) else {
            return;
        };
        if let Some(tally) = self.tallies.get_mut(&target.found.address) {
            tally.refused += burst.last - burst.first + 1;
        }
        if let Some(stream) = self.streams.get_mut(&burst.route.stream) {
            for sequence in burst.first..=burst.last {
                let refusal = Refusal::TooLarge { size: burst.largest, max: target.found.message_max };
                stream.refuse(sequence, &target.found, refusal);
            }
            self.fail_doomed(burst.route.stream, out);
        }
    }

    fn trim(&mut self) {
        let end = self.log.end();
        let taken = self.targets.values().map(|target| target.cursor).min().unwrap_or(end);
        self.log.trim(taken);
    }

    /// Parts from the slowest targets if too much waits for them.
    fn shed(&mut self, out: &mut Outbox<Output>) {
        let max = self.config.memory_max;
        while self.log.bytes() > max {
            let slowest = self.targets.iter().min_by_key(|(_, target)| target.cursor).map(|(link, _)| *link);
            let Some(link) = slowest else {
                return;
            };
            out.push(Output::Close { link, reason: CloseReason::Backlog { max } });
            Situation::TargetShed.met();
            // Whether enough are left is asked when its end is told: then it is known whether it is dialled again.
            self.part(link, out);
            self.pump_all(out);
        }
    }

    /// Tells of what enough brokers have accepted.
    fn settle(&mut self, number: u32, out: &mut Outbox<Output>) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let (connection, producer) = (stream.connection, stream.producer);
        while let Some(Settled { up_to, count, bytes, by }) = stream.settle() {
            self.unsettled_bytes -= bytes;
            out.push(Output::Accepted { connection, producer, up_to, count, by });
        }
        self.rearm(number);
    }

    fn rearm(&mut self, number: u32) {
        let first = self.streams.get(&number).and_then(|stream| stream.entries.front());
        self.deadlines.set(number, first.map(|entry| entry.expires_at));
    }

    fn fail_all_doomed(&mut self, out: &mut Outbox<Output>) {
        for number in self.streams.keys().copied().collect::<Vec<_>>() {
            self.fail_doomed(number, out);
        }
    }

    /// Refuses what can't be accepted by enough brokers any more.
    fn fail_doomed(&mut self, number: u32, out: &mut Outbox<Output>) {
        let left = self.targets.len() + self.prospects;
        let is_scarce = self.horizon == Horizon::Closed && left < self.config.acks_min as usize;
        if !self.streams.get(&number).is_some_and(|stream| stream.is_troubled() || is_scarce) {
            return;
        }
        let mut stream = self.streams.remove(&number).expect("just found");
        while let Some(entry) = stream.take_doomed(|stream, entry| self.is_doomed(stream, entry)) {
            let accepted = count(stream.acceptors(&entry));
            let refusal = Refusal::NotEnough { accepted, needed: stream.needed };
            self.refuse(&stream, entry, refusal, out);
        }
        self.streams.insert(number, stream);
        self.settle(number, out); // What was refused may have kept others from being told.
    }

    /// True if too few brokers can still accept a message. Brokers that are not known yet count only for what nobody
    /// has refused.
    fn is_doomed(&self, stream: &Stream, entry: &Entry) -> bool {
        if entry.refused.is_empty() && self.horizon == Horizon::Open {
            return false;
        }
        let is_sent = entry.sequence <= stream.logged;
        if !stream.is_replicated {
            let can_be_sent = self.targets.len() + self.prospects >= self.config.acks_min as usize;
            return !entry.refused.is_empty() || !(is_sent || can_be_sent);
        }
        let could = self.targets.values().filter(|target| {
            let has_accepted = stream.marked(target.found.broker) >= entry.sequence;
            !has_accepted && !entry.is_refused_by(target.found.broker)
        });
        let accepted = stream.acceptors(entry).count();
        accepted + could.count() + self.prospects < stream.needed as usize
    }

    fn refuse(&mut self, stream: &Stream, mut entry: Entry, refusal: Refusal, out: &mut Outbox<Output>) {
        self.unsettled_bytes -= entry.message.size() as u64;
        out.push(Output::Refused {
            connection: stream.connection,
            producer: stream.producer,
            sequence: entry.sequence,
            refusal,
            answers: stream.answers(&mut entry),
        });
    }

    fn count(&mut self, out: &mut Outbox<Output>) {
        let up = u32::try_from(self.targets.len()).unwrap_or(u32::MAX);
        out.push(Output::Targets { up, needed: self.config.acks_min });
    }
}

/// What a target is owed next of what was sent before it came up.
fn next_replay(target: &mut Target, streams: &BTreeMap<u32, Stream>, encoder: &mut SharedEncoder) -> Option<Burst> {
    while let Some(Replay { stream, next, up_to }) = target.replay.front_mut() {
        let owed = streams.get(stream).and_then(|stream| {
            let is_owed = |entry: &&Entry| entry.sequence <= *up_to;
            let from = stream.entries.partition_point(|entry| entry.sequence < *next);
            let owed = stream
                .entries
                .range(from..)
                .take_while(is_owed)
                .filter(|entry| !entry.is_refused_by(target.found.broker));
            log::encode(&stream.route, owed, encoder).next()
        });
        if let Some(burst) = owed {
            *next = burst.last + 1;
            return Some(burst);
        }
        target.replay.pop_front();
    }
    None
}

fn count(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
