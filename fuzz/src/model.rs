//! What a broker owes its connections, in maps and lists and without any cleverness: told every operation, it tells what
//! must be said. Nothing here is fast, and nothing is kept twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use flockmq_core::{
    Ack, AckExtent, AckKind, BrokerConfig, BrokerStats, ConnectionId, ConsumerId, Delivery, Destination,
    DestinationKind, Instant, Message, MessageId, Refusal, RemoteConfig, Tag, What,
};

/// The connection whose client is at the other end of a link; others are applications'.
pub(crate) const REMOTE: u64 = 0;

/// What was said during one operation. Of a sender and of a consumer the order counts, between them it does not.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) replies: Vec<Result<(), Refusal>>,
    /// By producer, or by stream of the remote client: the last message accepted.
    pub(crate) accepted: BTreeMap<(bool, u64), u64>,
    pub(crate) refused: BTreeMap<(bool, u64, u64), Vec<Refusal>>,
    pub(crate) delivered: BTreeMap<ConsumerId, Vec<Delivery>>,
    /// The remote client's link was closed.
    pub(crate) has_parted: bool,
}

/// All there is.
pub(crate) struct Model {
    config: BrokerConfig,
    remote: RemoteConfig,
    connections: BTreeMap<u64, Connection>,
    places: Vec<Place>,       // In order of birth.
    consumers: Vec<Consumer>, // Likewise.
    taken: BTreeSet<(MessageId, Destination)>,
    counts: BrokerStats,
    said: Said,
}

#[derive(Default)]
struct Connection {
    producers: BTreeMap<u64, Producer>,
    streams: BTreeMap<u64, (u64, u64)>, // Of the remote client: the last that came, the last it was told of.
}

struct Producer {
    destination: Destination,
    sent: u64,
    answered: u64,
}

struct Place {
    name: Destination,
    born: u64,
    waiting: Vec<Waiting>,  // In order; a topic's wait with its consumers.
    turns: Vec<ConsumerId>, // Who takes the next message: the first that may.
    parked: VecDeque<Parked>,
}

#[derive(Clone)]
struct Waiting {
    order: u64,
    redeliveries: u32,
    message: Arc<Message>,
}

struct Parked {
    connection: u64,
    stream: u64,
    number: u64,
    waiting: Waiting,
}

struct Consumer {
    connection: u64,
    number: ConsumerId,
    pattern: Destination,
    prefetch: u32,
    last: Tag,
    held: BTreeMap<Tag, (usize, Waiting)>,
    pending: VecDeque<Arc<Message>>,
    progressed_at: Instant,
    is_stalled: bool,
}

impl Model {
    pub(crate) fn new(config: BrokerConfig, remote: RemoteConfig) -> Self {
        Self {
            config,
            remote,
            connections: BTreeMap::new(),
            places: Vec::new(),
            consumers: Vec::new(),
            taken: BTreeSet::new(),
            counts: BrokerStats::default(),
            said: Said::default(),
        }
    }

    pub(crate) fn attach(&mut self, connection: u64) -> Result<(), Refusal> {
        let max = self.config.connections_max as u64;
        if self.connections.len() as u64 >= max {
            return Err(Refusal::LimitReached { what: What::Connection, max });
        }
        if self.is_attached(connection) {
            return Err(Refusal::AlreadyExists { what: What::Connection, number: connection });
        }
        self.connections.insert(connection, Connection::default());
        Ok(())
    }

    pub(crate) fn detach(&mut self, now: Instant, connection: u64) -> Result<(), Refusal> {
        let all = std::mem::take(&mut self.consumers).into_iter();
        let (mut gone, staying): (Vec<_>, _) = all.partition(|found| found.connection == connection);
        gone.sort_by_key(|found| found.number);
        self.consumers = staying;
        for place in &mut self.places {
            place.parked.retain(|parked| parked.connection != connection);
        }
        let known = self.connections.remove(&connection);
        self.end(now, gone, Tag::MAX);
        known.map(drop).ok_or(Refusal::unknown_connection(ConnectionId(connection)))
    }

    pub(crate) fn produce(&mut self, connection: u64, producer: u64, destination: &Destination) -> Result<(), Refusal> {
        let is_taken = self.connections.values().any(|found| found.producers.contains_key(&producer));
        let found = self.connections.get_mut(&connection);
        let found = found.ok_or(Refusal::unknown_connection(ConnectionId(connection)))?;
        if is_taken {
            return Err(Refusal::AlreadyExists { what: What::Producer, number: producer });
        }
        if destination.is_pattern() {
            return Err(Refusal::IsPattern(destination.clone()));
        }
        let max = self.config.producers_max as u64;
        if found.producers.len() as u64 >= max {
            return Err(Refusal::LimitReached { what: What::Producer, max });
        }
        found.producers.insert(producer, Producer { destination: destination.clone(), sent: 0, answered: 0 });
        Ok(())
    }

    pub(crate) fn close_producer(&mut self, now: Instant, connection: u64, producer: u64) -> Result<(), Refusal> {
        let found = self.connections.get_mut(&connection);
        let found = found.ok_or(Refusal::unknown_connection(ConnectionId(connection)))?;
        let unknown = Refusal::Unknown { what: What::Producer, number: producer };
        found.producers.remove(&producer).ok_or(unknown)?;
        for place in &mut self.places {
            place.parked.retain(|parked| (parked.connection, parked.stream) != (connection, producer));
        }
        self.unpark_all(now);
        Ok(())
    }

    /// Where a producer's messages go, and how many it has sent.
    pub(crate) fn producer(&self, connection: u64, producer: u64) -> Option<(Destination, u64)> {
        let found = self.connections.get(&connection)?.producers.get(&producer)?;
        Some((found.destination.clone(), found.sent))
    }

    /// An application sends these, numbered already.
    pub(crate) fn send(&mut self, now: Instant, connection: u64, number: u64, messages: Vec<Arc<Message>>) {
        let window = self.config.producer_window;
        let producer = self.connections.get_mut(&connection).and_then(|found| found.producers.get_mut(&number));
        let Some(producer) = producer else {
            let refusal = if self.is_attached(connection) {
                Refusal::Unknown { what: What::Producer, number }
            } else {
                Refusal::unknown_connection(ConnectionId(connection))
            };
            for _ in messages {
                self.refuse(false, number, 0, refusal.clone());
            }
            return;
        };
        let (sent, room) = (producer.sent, window - (producer.sent - producer.answered));
        producer.sent += messages.len() as u64;
        for (place, message) in messages.into_iter().enumerate() {
            let result = if place as u64 >= room {
                Err(Refusal::WindowFull { producer: number, max: window })
            } else {
                self.take(now, connection, number, sent + 1 + place as u64, 0, message)
            };
            if let Err(refusal) = result {
                self.answer(connection, number);
                self.refuse(false, number, sent + 1 + place as u64, refusal);
            }
        }
    }

    /// The remote client sends on a stream.
    pub(crate) fn hear(&mut self, now: Instant, stream: u64, tag: Tag, redeliveries: u32, message: Arc<Message>) {
        let Some(connection) = self.connections.get_mut(&REMOTE) else { return };
        connection.streams.entry(stream).or_default().0 = tag;
        if let Err(refusal) = self.take(now, REMOTE, stream, tag, redeliveries, message) {
            self.refuse(true, stream, tag, refusal);
        }
        let parked = self.places.iter().flat_map(|place| &place.parked).filter(|parked| parked.connection == REMOTE);
        let bytes: usize = parked.map(|parked| parked.waiting.message.size()).sum();
        if bytes as u64 > self.remote.parked_bytes_max {
            self.detach(now, REMOTE).expect("it has sent something");
            self.said.has_parted = true;
        }
    }

    pub(crate) fn subscribe(
        &mut self,
        now: Instant,
        connection: u64,
        number: ConsumerId,
        pattern: &Destination,
        prefetch: Option<u32>,
    ) -> Result<(), Refusal> {
        if !self.is_attached(connection) {
            return Err(Refusal::unknown_connection(ConnectionId(connection)));
        }
        if self.index(connection, number).is_some() {
            return Err(Refusal::AlreadyExists { what: What::Consumer, number: number.0 });
        }
        let max = self.config.consumers_max;
        if self.consumers.iter().filter(|found| found.connection == connection).count() >= max {
            return Err(Refusal::LimitReached { what: What::Consumer, max: max as u64 });
        }
        let default = if is_queue(pattern) { self.config.queue_prefetch } else { self.config.topic_prefetch };
        let (prefetch, max) = (prefetch.unwrap_or(default), self.config.prefetch_max);
        if !(1..=max).contains(&prefetch) {
            return Err(Refusal::PrefetchOutOfRange { found: prefetch, max });
        }
        if !pattern.is_pattern() {
            self.place(pattern)?;
        }
        let (pattern, held, pending) = (pattern.clone(), BTreeMap::new(), VecDeque::new());
        let (progressed_at, is_stalled) = (now, false);
        let consumer =
            Consumer { connection, number, pattern, prefetch, last: 0, held, pending, progressed_at, is_stalled };
        let covered = self.covered(&consumer.pattern);
        self.consumers.push(consumer);
        for place in covered {
            self.places[place].turns.push(number);
            self.refill(place, number);
            self.unpark(now, place);
        }
        Ok(())
    }

    pub(crate) fn unsubscribe(
        &mut self,
        now: Instant,
        connection: u64,
        number: ConsumerId,
        seen: Tag,
    ) -> Result<(), Refusal> {
        let index = self.index(connection, number).ok_or(Refusal::unknown_consumer(number))?;
        let gone = self.consumers.remove(index);
        self.end(now, vec![gone], seen);
        Ok(())
    }

    pub(crate) fn acknowledge(&mut self, now: Instant, connection: u64, ack: Ack) -> Result<(), Refusal> {
        let index = self.index(connection, ack.consumer).ok_or(Refusal::unknown_consumer(ack.consumer))?;
        let consumer = &mut self.consumers[index];
        let covered: Vec<Tag> = match ack.extent {
            AckExtent::Individual => consumer.held.keys().copied().filter(|tag| *tag == ack.tag).collect(),
            AckExtent::UpTo if ack.tag > consumer.last => Vec::new(),
            AckExtent::UpTo => consumer.held.range(..=ack.tag).map(|(tag, _)| *tag).collect(),
        };
        if covered.is_empty() {
            return Err(Refusal::NotOutstanding { consumer: ack.consumer, tag: ack.tag });
        }
        (consumer.progressed_at, consumer.is_stalled) = (now, false);
        let covered: Vec<_> = covered.iter().filter_map(|tag| consumer.held.remove(tag)).collect();
        let queue = is_queue(&consumer.pattern);
        let count = covered.len() as u64;
        if ack.kind == AckKind::Accepted {
            self.counts.acknowledged += count;
            self.counts.acknowledged_queued += if queue { count } else { 0 };
        } else if queue && ack.kind == AckKind::Rejected {
            self.counts.failed_queued += count;
            self.counts.discarded += count;
        } else if queue {
            let places: BTreeSet<usize> = covered.iter().map(|(place, _)| *place).collect();
            for (place, waiting) in covered {
                self.give_back(place, waiting, 1);
            }
            for place in places {
                self.dispatch(place);
            }
        }
        self.replenish(ack.consumer);
        self.replenish_remote();
        self.unpark_all(now);
        Ok(())
    }

    /// Gives up on subscribers that have taken nothing for too long.
    pub(crate) fn time_out(&mut self, now: Instant) {
        let (after, max) = (self.config.stalled_after, self.config.topic_bytes_max);
        let mut is_due = self.poll_timeout().is_some();
        while std::mem::take(&mut is_due) {
            for found in self.consumers.iter_mut().filter(|found| found.is_full(max)) {
                found.is_stalled = found.progressed_at + after <= now;
                is_due |= found.is_stalled;
            }
            self.unpark_all(now); // Which fills others, that may have taken nothing for as long.
        }
    }

    /// When somebody is given up, if senders wait.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let full = self.consumers.iter().filter(|found| found.is_full(self.config.topic_bytes_max));
        let first = full.map(|found| found.progressed_at + self.config.stalled_after).min();
        first.filter(|_| self.places.iter().any(|place| !place.parked.is_empty()))
    }

    /// What has been said since the last time.
    pub(crate) fn said(&mut self) -> Said {
        let parked = self.places.iter().flat_map(|place| &place.parked).filter(|parked| parked.connection == REMOTE);
        let parked: Vec<_> = parked.map(|parked| (parked.stream, parked.number)).collect();
        for (stream, (last, told)) in self.connections.get_mut(&REMOTE).iter_mut().flat_map(|found| &mut found.streams)
        {
            let waiting = parked.iter().filter(|(found, _)| found == stream).map(|(_, number)| number - 1).min();
            let answered = waiting.unwrap_or(*last);
            if answered > *told {
                *told = answered;
                self.said.accepted.insert((true, *stream), answered);
            }
        }
        std::mem::take(&mut self.said)
    }

    /// Counts and gauges; and what must hold among them.
    pub(crate) fn stats(&self) -> BrokerStats {
        let waiting = || self.places.iter().flat_map(|place| &place.waiting);
        let held = |queues: bool| {
            let consumers = self.consumers.iter().filter(move |found| !queues || is_queue(&found.pattern));
            consumers.map(|found| found.held.len() as u64).sum::<u64>()
        };
        let queued_bytes = waiting().map(|waiting| waiting.message.size() as u64).sum();
        let pending_bytes = self.consumers.iter().map(Consumer::pending_bytes).sum();
        let stats = BrokerStats {
            queued: waiting().count() as u64,
            queued_bytes,
            pending_bytes,
            waiting_bytes: queued_bytes + pending_bytes,
            parked: self.places.iter().map(|place| place.parked.len() as u64).sum(),
            outstanding: held(false),
            outstanding_queued: held(true),
            ..self.counts
        };
        let known = stats.queued + stats.outstanding_queued + stats.acknowledged_queued + stats.failed_queued;
        assert_eq!(stats.accepted_queued, known, "Q1: nothing is lost");
        for place in self.places.iter().filter(|place| !place.waiting.is_empty()) {
            assert!(!place.turns.iter().any(|number| self.has_credit(*number)), "Q7: '{}' waits for none", place.name);
        }
        stats
    }

    /// How many tags a consumer has been handed.
    pub(crate) fn last(&self, number: ConsumerId) -> Tag {
        self.consumers.iter().find(|found| found.number == number).map_or(0, |found| found.last)
    }

    pub(crate) fn is_attached(&self, connection: u64) -> bool {
        self.connections.contains_key(&connection)
    }

    fn of(&self, connection: u64) -> impl Iterator<Item = &Consumer> {
        self.consumers.iter().filter(move |found| found.connection == connection)
    }

    fn index(&self, connection: u64, number: ConsumerId) -> Option<usize> {
        self.consumers.iter().position(|found| (found.connection, found.number) == (connection, number))
    }

    fn consumer(&mut self, number: ConsumerId) -> &mut Consumer {
        self.consumers.iter_mut().find(|found| found.number == number).expect("a consumer")
    }

    /// Places that a pattern covers, the oldest first.
    fn covered(&self, pattern: &Destination) -> Vec<usize> {
        (0..self.places.len()).filter(|at| pattern.matches(&self.places[*at].name)).collect()
    }

    fn place(&mut self, name: &Destination) -> Result<usize, Refusal> {
        if let Some(place) = self.places.iter().position(|place| place.name == *name) {
            return Ok(place);
        }
        if name.is_pattern() {
            return Err(Refusal::IsPattern(name.clone()));
        }
        let max = self.config.destinations_max as u64;
        if self.places.len() as u64 >= max {
            return Err(Refusal::LimitReached { what: What::Destination, max });
        }
        let turns = self.consumers.iter().filter(|found| found.pattern.matches(name)).map(|found| found.number);
        let (turns, name) = (turns.collect(), name.clone());
        self.places.push(Place { name, born: 0, waiting: Vec::new(), turns, parked: VecDeque::new() });
        Ok(self.places.len() - 1)
    }

    fn take(
        &mut self,
        now: Instant,
        connection: u64,
        stream: u64,
        number: u64,
        redeliveries: u32,
        message: Arc<Message>,
    ) -> Result<(), Refusal> {
        let (size, max) = (message.body.size() as u64, u64::from(self.config.message_max));
        if size > max {
            return Err(Refusal::TooLarge { size, max });
        }
        let place = self.place(&message.destination)?;
        let waiting = Waiting { order: 0, redeliveries, message };
        self.places[place].parked.push_back(Parked { connection, stream, number, waiting });
        self.unpark(now, place);
        Ok(())
    }

    /// Accepts what came to a place, as far as there is room.
    fn unpark(&mut self, now: Instant, place: usize) {
        while !self.is_full(place)
            && let Some(Parked { connection, stream, number, mut waiting }) = self.places[place].parked.pop_front()
        {
            self.counts.accepted += 1;
            if connection != REMOTE {
                self.answer(connection, stream);
                self.said.accepted.insert((false, stream), number);
            }
            if connection == REMOTE
                && self.config.checks_duplicates
                && !self.taken.insert((waiting.message.id, waiting.message.destination.clone()))
            {
                self.counts.duplicates += 1;
            } else if is_queue(&self.places[place].name) {
                self.counts.accepted_queued += 1;
                self.places[place].born += 1;
                waiting.order = self.places[place].born;
                self.places[place].waiting.push(waiting);
                self.dispatch(place);
            } else {
                self.publish(now, place, &waiting);
            }
        }
    }

    fn unpark_all(&mut self, now: Instant) {
        for place in 0..self.places.len() {
            self.unpark(now, place);
        }
    }

    fn is_full(&self, place: usize) -> bool {
        let place = &self.places[place];
        let bytes: u64 = place.waiting.iter().map(|waiting| waiting.message.size() as u64).sum();
        let mut subscribers = self.consumers.iter().filter(|found| found.pattern.matches(&place.name));
        bytes >= self.config.queue_bytes_max || subscribers.any(|found| found.is_full(self.config.topic_bytes_max))
    }

    fn publish(&mut self, now: Instant, place: usize, waiting: &Waiting) {
        let max = self.config.topic_bytes_max;
        for number in self.places[place].turns.clone() {
            let has_credit = self.has_credit(number);
            let found = self.consumer(number);
            if has_credit && found.pending.is_empty() {
                self.hand(place, number, waiting.clone());
                continue;
            }
            if found.pending.is_empty() {
                found.progressed_at = now;
            }
            let mut dropped = 0;
            while found.is_stalled
                && found.pending_bytes() + waiting.message.size() as u64 > max
                && found.pending.pop_front().is_some()
            {
                dropped += 1;
            }
            found.pending.push_back(Arc::clone(&waiting.message));
            self.counts.dropped += dropped;
        }
    }

    /// Hands out what waits, first come first, to whoever's turn it is.
    fn dispatch(&mut self, place: usize) {
        while let Some(turn) = self.places[place].turns.iter().position(|number| self.has_credit(*number))
            && !self.places[place].waiting.is_empty()
        {
            let number = self.places[place].turns.remove(turn);
            self.places[place].turns.push(number);
            let first = self.places[place].waiting.remove(0);
            self.hand(place, number, first);
        }
    }

    fn refill(&mut self, place: usize, number: ConsumerId) {
        while self.has_credit(number) && !self.places[place].waiting.is_empty() {
            let first = self.places[place].waiting.remove(0);
            self.hand(place, number, first);
        }
    }

    fn replenish(&mut self, number: ConsumerId) {
        let pattern = self.consumer(number).pattern.clone();
        for place in self.covered(&pattern) {
            self.refill(place, number);
        }
        while self.has_credit(number)
            && let Some(message) = self.consumer(number).pending.pop_front()
        {
            self.hand(0, number, Waiting { order: 0, redeliveries: 0, message });
        }
    }

    /// What one consumer had of the link's window, the others may have now.
    fn replenish_remote(&mut self) {
        let numbers: BTreeSet<ConsumerId> = self.of(REMOTE).map(|found| found.number).collect();
        for number in numbers {
            self.replenish(number);
        }
    }

    fn hand(&mut self, place: usize, number: ConsumerId, waiting: Waiting) {
        self.counts.delivered += 1;
        let (redeliveries, message) = (waiting.redeliveries, Arc::clone(&waiting.message));
        let consumer = self.consumer(number);
        consumer.last += 1;
        let redeliveries = if is_queue(&consumer.pattern) { redeliveries } else { 0 };
        let delivery = Delivery { tag: consumer.last, redeliveries, message };
        consumer.held.insert(consumer.last, (place, waiting));
        assert!(consumer.held.len() <= consumer.prefetch as usize, "Q5: credit");
        self.said.delivered.entry(number).or_default().push(delivery);
    }

    /// Ends consumers; those of their deliveries up to `seen` may have been looked at.
    fn end(&mut self, now: Instant, gone: Vec<Consumer>, seen: Tag) {
        let mut places = Vec::new();
        for Consumer { number, pattern, held, .. } in gone {
            for place in self.covered(&pattern) {
                self.places[place].turns.retain(|found| *found != number);
                places.push(place);
            }
            for (tag, (place, waiting)) in held.into_iter().filter(|_| is_queue(&pattern)) {
                self.give_back(place, waiting, u32::from(tag <= seen));
            }
        }
        for place in places {
            self.dispatch(place);
        }
        self.replenish_remote();
        self.unpark_all(now);
    }

    fn give_back(&mut self, place: usize, mut waiting: Waiting, times: u32) {
        waiting.redeliveries = waiting.redeliveries.saturating_add(times);
        let list = &mut self.places[place].waiting;
        list.push(waiting);
        list.sort_by_key(|waiting| waiting.order);
    }

    fn has_credit(&self, number: ConsumerId) -> bool {
        let found = self.consumers.iter().find(|found| found.number == number).expect("a consumer");
        let held = self.of(REMOTE).flat_map(|found| found.held.values());
        let bytes: u64 = held.map(|(_, waiting)| waiting.message.size() as u64).sum();
        found.held.len() < found.prefetch as usize && (found.connection != REMOTE || bytes < self.remote.window)
    }

    fn answer(&mut self, connection: u64, producer: u64) {
        let connection = self.connections.get_mut(&connection).expect("who is answered is attached");
        connection.producers.get_mut(&producer).expect("who is answered is a producer").answered += 1;
    }

    fn refuse(&mut self, is_remote: bool, producer: u64, number: u64, refusal: Refusal) {
        self.said.refused.entry((is_remote, producer, number)).or_default().push(refusal);
    }
}

impl Consumer {
    fn pending_bytes(&self) -> u64 {
        self.pending.iter().map(|message| message.size() as u64).sum()
    }

    fn is_full(&self, bytes_max: u64) -> bool {
        !self.is_stalled && self.pending_bytes() >= bytes_max
    }
}

fn is_queue(destination: &Destination) -> bool {
    destination.kind() == DestinationKind::Queue
}
