//! Rank 3: one client at the other end of a link. Knows what it sends on which streams and how far each is answered;
//! is told its frames and our broker's answers; answers with requests to our broker (inward) and frames to the client
//! (outward).

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::base::{Outbox, Situation};
use crate::model::{
    Ack, AdminRequest, BrokerId, CloseReason, ConsumerId, Destination, Message, Refusal, Subscription, Tag, Ticket,
};
use crate::wire::Frame;

/// What clients may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteConfig {
    /// True if clients may purge, pause and resume queues. They may look in any case, and delete durable subscriptions.
    pub administration: bool,
    /// How many streams one client may send on.
    pub streams_max: usize,
    /// How many bytes of one client's messages may wait for room; its link is closed when there are more. Clients keep
    /// fewer on their way.
    pub parked_bytes_max: u64,
    /// How many bytes one client may have been handed and not acknowledged.
    pub window: u64,
}

impl Default for RemoteConfig {
    /// Clients may administer; 4096 streams; 16 MiB of messages that wait for room; 16 MiB of deliveries.
    fn default() -> Self {
        Self { administration: true, streams_max: 4_096, parked_bytes_max: 16 * 1024 * 1024, window: 16 * 1024 * 1024 }
    }
}

/// What a client has for our broker, or for the node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Inward {
    /// The client answers deliveries.
    Ack(Ack),
    /// The client wants to be told what happens here, or no more.
    Advise {
        /// Whether it does.
        wanted: bool,
    },
    /// The client asks as an administrator; to be answered.
    Ask {
        /// The question's number.
        number: u32,
        /// What it asks.
        asked: AdminRequest,
    },
    /// The client did what no client may.
    Close(CloseReason),
    /// A stream has ended.
    Finished {
        /// The stream's number.
        producer: u64,
        /// Where its messages went.
        destination: Destination,
        /// The client.
        by: BrokerId,
    },
    /// A stream has begun: its first message follows.
    Opened {
        /// The stream's number.
        producer: u64,
        /// Where its messages go.
        destination: Destination,
        /// The client.
        by: BrokerId,
    },
    /// A message.
    Send {
        /// What the message is called when it is accepted.
        ticket: Ticket,
        /// How often it may have been handed out before.
        redeliveries: u32,
        /// The message.
        message: Arc<Message>,
    },
    /// The client wants to consume; to be answered.
    Subscribe {
        /// The consumer's number.
        number: u32,
        /// What it takes.
        subscription: Subscription,
    },
    /// A consumer has ended.
    Unsubscribe {
        /// The consumer.
        consumer: ConsumerId,
        /// The last delivery that was looked at.
        seen: Tag,
    },
}

/// A client that is served.
#[derive(Debug)]
pub(crate) struct RemoteClient {
    config: RemoteConfig,
    id: BrokerId,
    streams: BTreeMap<u32, Stream>,
    dirty: Vec<u32>,
    parked_bytes: u64,
}

/// Which message of a stream has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    First,
    Further,
}

#[derive(Debug)]
struct Stream {
    destination: Destination, // Of its first message.
    arrived: Tag,
    answered: Tag,              // As far as the client was told.
    parked: BTreeMap<Tag, u64>, // What waits for room, and how large it is.
    is_dirty: bool,
    has_ended: bool,
}

impl RemoteClient {
    /// The client `id`, which has said nothing yet.
    pub(crate) fn new(config: RemoteConfig, id: BrokerId) -> Self {
        Self { config, id, streams: BTreeMap::new(), dirty: Vec::new(), parked_bytes: 0 }
    }

    /// Hears the client.
    pub(crate) fn handle_frame(&mut self, frame: Frame, inward: &mut Outbox<Inward>) {
        match frame {
            Frame::Ack(ack) => inward.push(Inward::Ack(ack)),
            Frame::Advise { wanted } => inward.push(Inward::Advise { wanted }),
            Frame::Ask { number, asked } => inward.push(Inward::Ask { number, asked }),
            Frame::Finish { stream } => {
                if let Some(found) = self.streams.get_mut(&stream) {
                    if !core::mem::replace(&mut found.has_ended, true) {
                        let (producer, destination) = (stream.into(), found.destination.clone());
                        inward.push(Inward::Finished { producer, destination, by: self.id });
                    }
                    self.forget(stream);
                    if self.streams.contains_key(&stream) {
                        Situation::StreamEndedUnanswered.met();
                    }
                }
            }
            Frame::Forward { demand, tag, redeliveries, message } => match self.arrive(demand, tag, &message) {
                Ok(arrival) => {
                    let producer = demand.into();
                    if arrival == Arrival::First {
                        let destination = message.destination.clone();
                        inward.push(Inward::Opened { producer, destination, by: self.id });
                    }
                    let ticket = Ticket { stream: producer, number: tag };
                    inward.push(Inward::Send { ticket, redeliveries, message });
                }
                Err(what) => inward.push(Inward::Close(CloseReason::Malformed(what))),
            },
            Frame::Subscribe { number, subscription } => inward.push(Inward::Subscribe { number, subscription }),
            Frame::Unsubscribe { number, seen } => {
                inward.push(Inward::Unsubscribe { consumer: ConsumerId(number.into()), seen });
            }
            frame => {
                let what = format!("a {} frame is not for a client to say", frame.name());
                inward.push(Inward::Close(CloseReason::Malformed(what)));
            }
        }
    }

    /// True unless the destination is the temporary one of somebody else.
    pub(crate) fn may_consume(&self, destination: &Destination) -> bool {
        destination.as_temporary().is_none_or(|temporary| temporary.broker == self.id)
    }

    /// Our broker keeps a message until there is room for it.
    pub(crate) fn handle_parked(&mut self, ticket: Ticket, bytes: u64) -> Result<(), CloseReason> {
        if let Some(stream) = self.streams.get_mut(&stream_of(ticket)) {
            stream.parked.insert(ticket.number, bytes);
            self.parked_bytes += bytes;
        }
        let max = self.config.parked_bytes_max;
        if self.parked_bytes > max { Err(CloseReason::Backlog { max }) } else { Ok(()) }
    }

    /// Our broker has accepted a message.
    pub(crate) fn handle_accepted(&mut self, ticket: Ticket) {
        let number = stream_of(ticket);
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        if !stream.parked.is_empty() {
            self.parked_bytes -= stream.parked.remove(&ticket.number).unwrap_or(0);
        }
        if !core::mem::replace(&mut stream.is_dirty, true) {
            self.dirty.push(number);
        }
    }

    /// Our broker has refused a message. That counts as an answer like any other, once it was said.
    pub(crate) fn handle_refused(&mut self, ticket: Ticket, refusal: Refusal, out: &mut Outbox<Frame>) {
        Situation::ClientMessageRefused.met();
        out.push(Frame::Refused { stream: stream_of(ticket), tag: ticket.number, refusal });
        self.handle_accepted(ticket);
    }

    /// Tells the client how far each stream is answered, where there is news.
    pub(crate) fn flush(&mut self, out: &mut Outbox<Frame>) {
        for number in core::mem::take(&mut self.dirty) {
            let Some(stream) = self.streams.get_mut(&number) else {
                continue;
            };
            stream.is_dirty = false;
            let up_to = stream.parked.first_key_value().map_or(stream.arrived, |(first, _)| first - 1);
            if up_to < stream.arrived {
                Situation::AnswerHeldBack.met();
            }
            if up_to > stream.answered {
                stream.answered = up_to;
                out.push(Frame::Forwarded { demand: number, up_to });
            }
            self.forget(number);
        }
    }

    /// Where it sends: a destination for each stream.
    pub(crate) fn producing(&self) -> impl Iterator<Item = &Destination> {
        self.streams.values().map(|stream| &stream.destination)
    }

    /// Streams that have not ended, and where each sends.
    pub(crate) fn producers(&self) -> impl Iterator<Item = (u64, &Destination)> {
        let open = self.streams.iter().filter(|(_, stream)| !stream.has_ended);
        open.map(|(number, stream)| ((*number).into(), &stream.destination))
    }

    fn arrive(&mut self, stream: u32, tag: Tag, message: &Message) -> Result<Arrival, String> {
        if message.id.producer.broker != self.id || !message.path.is_empty() {
            return Err(format!("message {} is not the client's own", message.id));
        }
        let has_room = self.streams.len() < self.config.streams_max;
        let found = match self.streams.entry(stream) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(vacant) if has_room => vacant.insert(Stream::new(message.destination.clone())),
            Entry::Vacant(_) => return Err(format!("it sends on more than {} streams", self.config.streams_max)),
        };
        if tag <= found.arrived || found.has_ended {
            return Err(format!("message {tag} of stream {stream} came after {} or the end", found.arrived));
        }
        let arrival = if found.arrived == 0 { Arrival::First } else { Arrival::Further };
        found.arrived = tag;
        Ok(arrival)
    }

    /// Forgets a stream that has ended and is answered.
    fn forget(&mut self, stream: u32) {
        let is_done = |found: &Stream| found.has_ended && found.parked.is_empty() && !found.is_dirty;
        if self.streams.get(&stream).is_some_and(is_done) {
            self.streams.remove(&stream);
        }
    }
}

impl Stream {
    fn new(destination: Destination) -> Self {
        let (arrived, answered, parked) = (0, 0, BTreeMap::new());
        Self { destination, arrived, answered, parked, is_dirty: false, has_ended: false }
    }
}

fn stream_of(ticket: Ticket) -> u32 {
    u32::try_from(ticket.stream).expect("a client's streams are named by 32 bits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::model::{Body, ConnectionId, DestinationKind, MessageId, Path, ProducerId, Temporary};

    const CLIENT: BrokerId = BrokerId(9);

    fn forward(stream: u32, tag: Tag) -> Frame {
        let message = Message {
            id: MessageId { producer: ProducerId { broker: CLIENT, number: 1 }, sequence: tag },
            destination: Destination::topic("t").expect("valid"),
            path: Path::default(),
            timestamp: Timestamp::default(),
            body: Body::default(),
        };
        Frame::Forward { demand: stream, tag, redeliveries: 0, message: Arc::new(message) }
    }

    fn hear(client: &mut RemoteClient, frame: Frame) -> Vec<Inward> {
        let mut inward = Outbox::new();
        client.handle_frame(frame, &mut inward);
        inward.drain().collect()
    }

    fn flush(client: &mut RemoteClient) -> Vec<Frame> {
        let mut out = Outbox::new();
        client.flush(&mut out);
        out.drain().collect()
    }

    fn ticket(number: Tag) -> Ticket {
        Ticket { stream: 1, number }
    }

    fn client(streams_max: usize, parked_bytes_max: u64) -> RemoteClient {
        RemoteClient::new(RemoteConfig { streams_max, parked_bytes_max, ..RemoteConfig::default() }, CLIENT)
    }

    #[test]
    fn answers_are_told_as_far_as_nothing_waits_for_room() {
        let mut client = client(2, 100);
        for tag in [3, 4, 7] {
            assert!(matches!(hear(&mut client, forward(1, tag)).pop(), Some(Inward::Send { .. })));
        }
        client.handle_accepted(ticket(3));
        assert_eq!(client.handle_parked(ticket(4), 10), Ok(()));
        let (mut out, refusal) = (Outbox::new(), Refusal::TooLarge { size: 9, max: 1 });
        client.handle_refused(ticket(7), refusal.clone(), &mut out);
        assert_eq!(out.drain().collect::<Vec<_>>(), [Frame::Refused { stream: 1, tag: 7, refusal }]);
        assert_eq!(flush(&mut client), [Frame::Forwarded { demand: 1, up_to: 3 }]);
        client.handle_accepted(ticket(4));
        assert_eq!(flush(&mut client), [Frame::Forwarded { demand: 1, up_to: 7 }]);
        assert_eq!(flush(&mut client), []);
    }

    #[test]
    fn what_waits_for_room_is_bounded() {
        let mut client = client(2, 20);
        for tag in 1..=3 {
            hear(&mut client, forward(1, tag));
        }
        assert_eq!(client.handle_parked(ticket(1), 10), Ok(()));
        assert_eq!(client.handle_parked(ticket(2), 10), Ok(()));
        assert_eq!(client.handle_parked(ticket(3), 1), Err(CloseReason::Backlog { max: 20 }));
    }

    #[test]
    fn streams_are_bounded_grow_and_end() {
        let mut client = client(1, 20);
        hear(&mut client, forward(1, 5));
        for frame in [forward(1, 5), forward(2, 1)] {
            assert!(matches!(hear(&mut client, frame)[..], [Inward::Close(CloseReason::Malformed(_))]));
        }
        client.handle_accepted(ticket(5));
        let destination = Destination::topic("t").expect("valid");
        let finished = Inward::Finished { producer: 1, destination: destination.clone(), by: CLIENT };
        assert_eq!(hear(&mut client, Frame::Finish { stream: 1 }), [finished]);
        assert_eq!(hear(&mut client, Frame::Finish { stream: 1 }), []);
        assert_eq!(flush(&mut client), [Frame::Forwarded { demand: 1, up_to: 5 }]);
        let [opened, Inward::Send { .. }] = &hear(&mut client, forward(2, 1))[..] else {
            panic!("there is room for another");
        };
        assert_eq!(*opened, Inward::Opened { producer: 2, destination, by: CLIENT });
        assert!(matches!(hear(&mut client, forward(2, 2))[..], [Inward::Send { .. }]), "it has begun already");
    }

    #[test]
    fn a_client_consumes_from_no_others_temporary_destination() {
        let of = |broker| {
            let name = Temporary { broker, connection: ConnectionId(1), number: 1 };
            Destination::temporary(DestinationKind::Queue, name)
        };
        let client = client(1, 1);
        let cases = [(of(CLIENT), true), (of(BrokerId(8)), false), (Destination::queue("q").expect("valid"), true)];
        for (destination, expected) in cases {
            assert_eq!(client.may_consume(&destination), expected, "{destination}");
        }
    }

    #[test]
    fn a_client_speaks_for_itself_only() {
        let mut stranger = RemoteClient::new(RemoteConfig::default(), BrokerId(8));
        assert!(matches!(hear(&mut stranger, forward(1, 1))[..], [Inward::Close(CloseReason::Malformed(_))]));
        let mut client = client(1, 1);
        assert!(matches!(hear(&mut client, Frame::Synced)[..], [Inward::Close(CloseReason::Malformed(_))]));
    }
}
