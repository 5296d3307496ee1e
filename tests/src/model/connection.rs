//! Who is attached, and what they send.

use std::collections::BTreeMap;
use std::sync::Arc;

use flockmq_core::{ConnectionId, Destination, Destinations, Message, Refusal, Tag, What};

use super::said::Sender;
use super::transaction::Transactions;
use super::{Model, REMOTE};

/// One who is attached.
#[derive(Default)]
pub(super) struct Connection {
    producers: BTreeMap<u64, Producer>,
    streams: BTreeMap<u64, Stream>, // Of the remote client.
    pub(super) transactions: Transactions,
}

struct Producer {
    destination: Destinations,
    sent: u64,
    missing: BTreeMap<u64, usize>, // Of messages that are not answered: at how many of its destinations each is not yet.
}

struct Stream {
    destination: Destination, // Of its first message.
    last: Tag,                // That came.
    told: Tag,                // That it knows to be answered.
}

impl Model {
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

    /// Ends a connection, and all of its consumers before anything is handed out again. Whatever it was handed may have
    /// been looked at.
    pub(crate) fn detach(&mut self, connection: u64) -> Result<(), Refusal> {
        self.catch_up();
        for place in &mut self.places {
            place.parked.retain(|parked| parked.connection != connection);
        }
        let known = self.connections.remove(&connection);
        let mut gone: Vec<_> = self.of(connection).map(|found| (found.number, found.id)).collect();
        gone.sort_unstable();
        let places: Vec<usize> = gone.into_iter().flat_map(|(_, id)| self.end(id, Tag::MAX)).collect();
        for place in places {
            self.dispatch(place);
            self.tend(place);
        }
        self.unpark_all();
        self.end_temporaries(connection);
        self.unpark_all();
        known.map(drop).ok_or(Refusal::unknown_connection(ConnectionId(connection)))
    }

    pub(crate) fn is_attached(&self, connection: u64) -> bool {
        self.connections.contains_key(&connection)
    }

    pub(crate) fn produce(
        &mut self,
        connection: u64,
        producer: u64,
        destination: &Destinations,
    ) -> Result<(), Refusal> {
        let is_taken = self.connections.values().any(|found| found.producers.contains_key(&producer));
        let max = self.config.producers_max as u64;
        self.attached(connection)?;
        if is_taken {
            return Err(Refusal::AlreadyExists { what: What::Producer, number: producer });
        }
        self.check_composite(destination)?;
        if let Some(pattern) = destination.iter().find(|part| part.is_pattern()) {
            return Err(Refusal::IsPattern(pattern.clone()));
        }
        let found = self.attached(connection)?;
        if found.producers.len() as u64 >= max {
            return Err(Refusal::LimitReached { what: What::Producer, max });
        }
        found
            .producers
            .insert(producer, Producer { destination: destination.clone(), sent: 0, missing: BTreeMap::new() });
        Ok(())
    }

    pub(crate) fn close_producer(&mut self, connection: u64, producer: u64) -> Result<(), Refusal> {
        let unknown = Refusal::Unknown { what: What::Producer, number: producer };
        self.attached(connection)?.producers.remove(&producer).ok_or(unknown)?;
        self.catch_up();
        for place in &mut self.places {
            place.parked.retain(|parked| (parked.connection, parked.stream) != (connection, producer));
        }
        self.unpark_all();
        Ok(())
    }

    /// A connection's producers.
    pub(crate) fn producers(&self, connection: u64) -> Vec<u64> {
        self.connections.get(&connection).into_iter().flat_map(|found| found.producers.keys().copied()).collect()
    }

    /// Where a producer's messages go, and how many it has sent.
    pub(crate) fn producer(&self, connection: u64, producer: u64) -> Option<(Destinations, u64)> {
        let found = self.connections.get(&connection)?.producers.get(&producer)?;
        Some((found.destination.clone(), found.sent))
    }

    /// An application sends these, numbered already, and each for its producer's first destination. More than its window
    /// holds are refused.
    pub(crate) fn send(&mut self, connection: u64, number: u64, messages: Vec<Arc<Message>>) {
        let window = self.config.producer_window;
        let found = self.attached(connection).and_then(|found| {
            found.producers.get_mut(&number).ok_or(Refusal::Unknown { what: What::Producer, number })
        });
        let producer = match found {
            Ok(producer) => producer,
            Err(refusal) => {
                let all = vec![refusal; messages.len()];
                self.said.refused.entry((Sender::Application, number, 0)).or_default().extend(all);
                return;
            }
        };
        let (named, first, room) =
            (producer.destination.clone(), producer.sent + 1, window - producer.missing.len() as u64);
        producer.sent += messages.len() as u64;
        producer.missing.extend((first..=producer.sent).map(|sequence| (sequence, named.len())));
        for (sequence, message) in (first..).zip(messages) {
            let result = if sequence - first >= room {
                Err(Refusal::WindowFull { producer: number, max: window })
            } else if named.is_composite() {
                self.take_each(connection, number, sequence, &message, &named)
            } else {
                self.take(connection, number, sequence, 0, message)
            };
            if let Err(refusal) = result {
                self.tell_refused(connection, number, sequence, refusal);
            }
        }
    }

    /// The remote client sends on a stream. It is parted from if too much of it waits for room.
    pub(crate) fn hear(&mut self, stream: u64, tag: Tag, redeliveries: u32, message: Arc<Message>) {
        let Some(connection) = self.connections.get_mut(&REMOTE) else { return };
        let destination = message.destination.clone();
        connection.streams.entry(stream).or_insert(Stream { destination, last: 0, told: 0 }).last = tag;
        if let Err(refusal) = self.take(REMOTE, stream, tag, redeliveries, message) {
            self.tell_refused(REMOTE, stream, tag, refusal);
        }
        if self.parked_bytes(REMOTE) > self.remote.parked_bytes_max {
            self.detach(REMOTE).expect("it has sent something");
            self.said.has_parted = true;
        }
    }

    /// A message has come in at one of its destinations. It is accepted once it has at all; if another has not refused it.
    pub(super) fn tell_accepted(&mut self, connection: u64, stream: u64, number: u64) {
        if connection == REMOTE {
            return; // It is told how far each stream is answered.
        }
        let all = self.unanswered(connection, stream);
        let Some(missing) = all.get_mut(&number) else { return };
        *missing -= 1;
        if *missing == 0 {
            all.remove(&number);
            self.said.accepted.insert((Sender::Application, stream), number);
        }
    }

    /// A message is refused; at all of its destinations, though it may have come in at some.
    pub(super) fn tell_refused(&mut self, connection: u64, stream: u64, number: u64, refusal: Refusal) {
        let sender = if connection == REMOTE { Sender::Remote } else { Sender::Application };
        if connection == REMOTE || self.unanswered(connection, stream).remove(&number).is_some() {
            self.said.refused.entry((sender, stream, number)).or_default().push(refusal);
        }
    }

    fn unanswered(&mut self, connection: u64, producer: u64) -> &mut BTreeMap<u64, usize> {
        let connection = self.connections.get_mut(&connection).expect("who is answered is attached");
        &mut connection.producers.get_mut(&producer).expect("who is answered is a producer").missing
    }

    /// Tells the remote client how far each of its streams is answered: up to the first that waits for room.
    pub(super) fn answer_remote(&mut self) {
        let parked = self.places.iter().flat_map(|place| &place.parked).filter(|parked| parked.connection == REMOTE);
        let parked: Vec<_> = parked.map(|parked| (parked.stream, parked.number)).collect();
        let streams = self.connections.get_mut(&REMOTE).into_iter().flat_map(|found| &mut found.streams);
        for (number, stream) in streams {
            let waiting = parked.iter().filter(|(found, _)| found == number).map(|(_, tag)| tag - 1).min();
            let answered = waiting.unwrap_or(stream.last);
            if answered > stream.told {
                stream.told = answered;
                self.said.accepted.insert((Sender::Remote, *number), answered);
            }
        }
    }

    pub(super) fn attached(&mut self, connection: u64) -> Result<&mut Connection, Refusal> {
        self.connections.get_mut(&connection).ok_or(Refusal::unknown_connection(ConnectionId(connection)))
    }
}

impl Connection {
    /// How many of its producers and streams send there.
    pub(super) fn producing(&self, name: &Destination) -> u64 {
        let streams = self.streams.values().map(|stream| &stream.destination);
        let all = self.producers.values().flat_map(|producer| producer.destination.iter()).chain(streams);
        all.filter(|destination| *destination == name).count() as u64
    }
}
