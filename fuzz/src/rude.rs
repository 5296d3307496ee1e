//! One node of any role in the hands of a rude driver, a careless application and strangers: right answers and wrong
//! ones, late, doubled and unasked for. The node keeps its side of the contract all the same.

mod config;
mod said;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flockmq_core::wire::{Advert, AdvertStatus, Farewell, Frame, Hello, VERSION_MAX};
use flockmq_core::{
    Ack, AckExtent, AckKind, AdminReply, AdminRequest, Advisory, Body, BrokerId, CloseReason, Command, ConnectionId,
    ConsumerId, Demand, Event, GroupId, Input, Instant, LinkId, ListenerId, Message, MessageId, Node, Output, Party,
    ProducerId, Refusal, RequestId, Role, Seed, Service, Tag, Timestamp, What,
};
use flockmq_tests::{Choice, End, hello};

use config::config;
use said::{
    ack, any_selector, asked, command, consumers, destination, destinations, durable, huge, path, subscription, tag,
};

/// Choices: whatever a node is told, it panics at nothing, asks for and ends each link once, is never due at once
/// again, says a bounded amount, holds a bounded amount, and answers every request before it stops.
///
/// # Panics
///
/// If it does not.
pub fn node_inputs(data: &[u8]) {
    play(&mut Choice::from_bytes(data));
}

/// Gives up to [`STEPS_MAX`] inputs, and stops the node.
pub(crate) fn play(choice: &mut Choice<'_>) {
    let mut bench = Bench::new(choice);
    for _ in 0..STEPS_MAX {
        if choice.is_exhausted() {
            break;
        }
        bench.step(choice);
        bench.please();
    }
    bench.stop();
}

/// A node, and all that its driver knows.
struct Bench {
    node: Node,
    now: Instant,
    links: BTreeMap<LinkId, Link>, // Asked for and not answered by `Closed`.
    last: LinkId,                  // The youngest there has been.
    listener: Listener,
    requests: u64,
    unanswered: BTreeSet<RequestId>,
    here: BTreeSet<String>, // Whoever is up or found, as the application was told.
    is_stopped: bool,
}

/// What a driver knows of a link.
struct Link {
    is_closing: bool,
    in_flight: u64,
    end: Option<End>, // Once it is connected.
    is_polite: bool,  // The other end answers at once.
    heard: Vec<Frame>,
    broker: BrokerId, // Who the other end says it is.
    role: Role,       // Likewise.
    tags: BTreeMap<u32, Tag>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listener {
    Asked,
    None,
    Up,
}

impl Bench {
    fn new(choice: &mut Choice<'_>) -> Self {
        let config = config(choice);
        let mut bench = Self {
            node: Node::new(config, Seed::from(choice.below(256)), Instant::ZERO),
            now: Instant::ZERO,
            links: BTreeMap::new(),
            last: LinkId(0),
            listener: Listener::None,
            requests: 0,
            unanswered: BTreeSet::new(),
            here: BTreeSet::new(),
            is_stopped: false,
        };
        bench.drain();
        if choice.below(4) < 3 {
            bench.listening(1);
            let request = RequestId(0);
            for number in 0..2 {
                let connection = ConnectionId(number);
                bench.command(Command::Attach { request, connection });
                for (producer, destination) in [(number, destinations(choice)), (number + 2, destinations(choice))] {
                    bench.command(Command::Produce { request, connection, producer, destination });
                }
            }
            for link in bench.links.keys().copied().collect::<Vec<_>>() {
                bench.connect(link, choice);
            }
        }
        bench
    }

    fn step(&mut self, choice: &mut Choice<'_>) {
        match choice.below(16) {
            0 => {
                if let Some(link) = self.pick(choice) {
                    self.comply(link);
                }
            }
            1..6 => {
                let Some(link) = self.pick(choice) else { return };
                let count = 1 + choice.below(3);
                let frames: Vec<Frame> = (0..count).map(|_| self.frame(link, choice)).collect();
                let mut data = self.links.get_mut(&link).and_then(|link| link.end.as_mut()).map(|end| end.say(&frames));
                if let Some(data) = data.as_mut().filter(|_| choice.chance(1, 8)) {
                    let mut spoilt = data.to_vec();
                    let at = usize::from(choice.place(spoilt.len()));
                    spoilt[at] ^= 1 << choice.below(8);
                    *data = spoilt.into();
                }
                let data = data.unwrap_or_default();
                let (first, rest) = data.split_at(data.len() - usize::from(choice.place(data.len().min(64) + 1)));
                for piece in [first, rest] {
                    self.tell(Input::Bytes { link, data: Bytes::copy_from_slice(piece) });
                }
            }
            6..10 => {
                let command = command(choice);
                self.command(command);
            }
            10 | 11 => {
                if let Some(link) = self.pick(choice) {
                    self.connect(link, choice);
                }
            }
            12 if choice.chance(1, 2) => {
                let link = self.any(choice);
                let reason = choice.pick(&[CloseReason::Ended, CloseReason::Requested].each_ref());
                self.closed(link, reason.clone());
            }
            12 => {
                let link = self.any(choice);
                match choice.below(3) {
                    0 => {
                        let bytes = choice.pick(&[1, 100, u64::MAX]);
                        self.tell(Input::Sent { link, bytes });
                    }
                    1 => {
                        let data: Vec<u8> = (0..choice.below(16)).map(|_| choice.place(256)).collect();
                        self.tell(Input::Bytes { link, data: data.into() });
                    }
                    _ => {
                        if let Some(found) = self.links.get_mut(&link) {
                            found.end.get_or_insert_with(|| End::new(link)); // Who says nothing.
                        }
                        self.tell(Input::Connected { link, remote: address(9) });
                    }
                }
            }
            13 => self.datagram(choice),
            14 => match choice.below(6) {
                0 => {
                    let count = u16::from(choice.place(3));
                    self.listening(count);
                }
                1 if self.listener == Listener::Asked => {
                    self.listener = Listener::None;
                    self.tell(Input::ListenFailed { listener: ListenerId(1), reason: String::new() });
                }
                2 => self.tell(Input::JoinFailed { group: GroupId(1), reason: String::new() }),
                3 => self.tell(Input::WallClock(Timestamp::from_millis(choice.pick(&[0, 1 << 40, u64::MAX])))),
                4 if choice.chance(1, 8) => self.command(Command::Stop),
                _ => self.tell(Input::Timeout),
            },
            _ => {
                let millis = if choice.chance(1, 16) { 1 << 32 } else { choice.pick(&[20, 1, 0, 100, 333, 1_000]) };
                let until = self.now + Duration::from_millis(millis);
                if choice.chance(1, 4) {
                    self.now = until; // Nobody is woken in time.
                }
                // Whoever waits long is woken often enough.
                for _ in 0..8 {
                    let Some(at) = self.node.poll_timeout().filter(|at| *at <= until) else { break };
                    self.now = self.now.max(at);
                    self.tell(Input::Timeout);
                }
                self.now = until;
            }
        }
    }

    /// One of the links there are.
    fn pick(&self, choice: &mut Choice<'_>) -> Option<LinkId> {
        let index = usize::from(choice.place(self.links.len()));
        self.links.keys().nth(index).copied()
    }

    /// A link, or one that there was or never was.
    fn any(&self, choice: &mut Choice<'_>) -> LinkId {
        match choice.below(4) {
            0 => LinkId(choice.below(self.last.0 + 2)),
            _ => self.pick(choice).unwrap_or(LinkId(0)),
        }
    }

    /// Somebody is at the other end, and greets.
    fn connect(&mut self, link: LinkId, choice: &mut Choice<'_>) {
        let me = self.node.id().0;
        let broker = BrokerId(choice.pick(&[me ^ 1, me ^ 2, me ^ (1 << 127), 1, u128::MAX, me]));
        let Some(found) = self.links.get_mut(&link).filter(|found| found.end.is_none()) else { return };
        let mut end = End::new(link);
        let node = self.node.config().role;
        let role = match node {
            Role::Broker => choice.pick(&[Role::Client, Role::Broker, Role::Peer]),
            Role::Client => choice.pick(&[Role::Broker, Role::Peer, Role::Client]),
            Role::Peer => choice.pick(&[Role::Peer, Role::Client, Role::Broker]),
        };
        let greeting = end.greet(strange(hello(broker, role), choice));
        found.is_polite = !choice.chance(1, 4);
        (found.end, found.broker, found.role) = (Some(end), broker, role);
        self.tell(Input::Connected { link, remote: address(7) });
        self.tell(Input::Bytes { link, data: greeting });
        self.comply(link);
    }

    /// The other end answers as it should.
    fn comply(&mut self, link: LinkId) {
        let me = (self.node.id(), self.node.config().role);
        let Some(found) = self.links.get_mut(&link) else { return };
        let (bytes, them) = (std::mem::take(&mut found.in_flight), (found.broker, found.role));
        let said = std::mem::take(&mut found.heard).into_iter().flat_map(|frame| answer(me, them, frame));
        let said: Vec<Frame> = said.collect();
        if let Some(data) = found.end.as_mut().map(|end| end.say(&said)) {
            self.tell(Input::Sent { link, bytes });
            self.tell(Input::Bytes { link, data });
        }
    }

    /// Whoever is polite answers what there is to answer, and what that leads to.
    fn please(&mut self) {
        for _ in 0..4 {
            let due = |found: &Link| found.is_polite && !(found.heard.is_empty() && found.in_flight == 0);
            let links = self.links.iter().filter(|(_, found)| due(found)).map(|(link, _)| *link);
            for link in links.collect::<Vec<_>>() {
                self.comply(link);
            }
        }
    }

    fn closed(&mut self, link: LinkId, reason: CloseReason) {
        self.links.remove(&link);
        self.tell(Input::Closed { link, reason });
    }

    fn listening(&mut self, count: u16) {
        if self.listener != Listener::None {
            self.listener = Listener::Up;
            let addresses = (1..=count).map(address).collect();
            self.tell(Input::Listening { listener: ListenerId(1), addresses });
        }
    }

    fn datagram(&mut self, choice: &mut Choice<'_>) {
        let service = choice.pick(&[
            "tcp://10.0.0.7:1",
            "tcp://10.0.0.8:2",
            "tcp://name:3",
            "ssl://x:1",
            "tcp://10.0.0.1:1",
            "",
            "tcp://10.0.0.9:4",
        ]);
        let status = choice.pick(&[AdvertStatus::Alive, AdvertStatus::Alive, AdvertStatus::Dead]);
        let mut data =
            Advert { status, service: Service(service.to_owned()) }.encode(choice.pick(&["g", "h", "g", "g"])).to_vec();
        if choice.chance(1, 4) && !data.is_empty() {
            let at = usize::from(choice.place(data.len()));
            data[at] ^= 1 << choice.below(8);
        }
        let group = GroupId(choice.pick(&[1, 2, 1, 1]));
        let from = address(u16::from(choice.place(4)));
        self.tell(Input::Datagram { group, from, data: data.into() });
    }

    /// Says something to the node, with a request of its own.
    fn command(&mut self, mut command: Command) {
        self.requests += 1;
        let own = RequestId(self.requests);
        let request = match &mut command {
            Command::Advise { request, .. }
            | Command::Ask { request, .. }
            | Command::Attach { request, .. }
            | Command::Begin { request, .. }
            | Command::Commit { request, .. }
            | Command::Rollback { request, .. }
            | Command::TransactedAck { request, .. }
            | Command::TransactedSend { request, .. }
            | Command::CloseConsumer { request, .. }
            | Command::CloseProducer { request, .. }
            | Command::Detach { request, .. }
            | Command::Drain { request }
            | Command::Produce { request, .. }
            | Command::Subscribe { request, .. } => Some(request),
            Command::Ack { .. } | Command::Send { .. } | Command::Stop => None,
        };
        if let Some(request) = request {
            *request = own;
            self.unanswered.insert(own);
        }
        self.tell(Input::Command(command));
    }

    /// In the end everything is answered and nothing is left.
    fn stop(&mut self) {
        self.command(Command::Stop);
        for link in self.links.keys().copied().collect::<Vec<_>>() {
            assert!(self.links[&link].is_closing, "N3: link {link} is asked to close");
            self.closed(link, CloseReason::Requested);
        }
        assert!(self.is_stopped && self.unanswered.is_empty(), "N3: {:?} are answered", self.unanswered);
        assert_eq!((self.node.poll_timeout(), self.node.stats().links), (None, 0), "N3");
    }

    fn tell(&mut self, input: Input) {
        let is_timeout = input == Input::Timeout;
        self.node.handle_input(self.now, input);
        self.drain();
        let at = self.node.poll_timeout();
        assert!(!is_timeout || at.is_none_or(|at| at > self.now), "R6: due at {at:?} again, at {:?}", self.now);
        self.check_limits();
    }

    fn drain(&mut self) {
        let mut count = 0;
        while let Some(output) = self.node.poll_output() {
            count += 1;
            assert!(count <= OUTPUTS_MAX, "N2: {output:?} is one too many");
            self.perform(output);
        }
    }

    fn perform(&mut self, output: Output) {
        assert!(!self.is_stopped || is_refusal(&output), "{output:?} after the end");
        match output {
            Output::Accept { link, .. } => {
                assert_eq!(self.listener, Listener::Up, "only a listener that is up has slots");
                self.ask(link);
            }
            Output::Announce { .. } => (),
            Output::Close { link } => {
                let found = self.links.get_mut(&link).expect("what is closed is there");
                assert!(!std::mem::replace(&mut found.is_closing, true), "link {link} is closed twice");
            }
            Output::Connect { link, .. } => self.ask(link),
            Output::Event(event) => self.hear(&event),
            Output::Join { .. } | Output::Leave { .. } => (),
            Output::Listen { .. } => self.listener = Listener::Asked,
            Output::Send { link, data } => {
                let found = self.links.get_mut(&link).expect("what is sent on is there");
                assert!(!found.is_closing, "link {link} was closed before");
                found.in_flight += data.len() as u64;
                let end = found.end.as_mut();
                found.heard.extend(end.map(|end| end.hear(data)).unwrap_or_default());
                let excess = found.heard.len().saturating_sub(HEARD_MAX);
                found.heard.drain(..excess);
            }
            Output::Unlisten { .. } => self.listener = Listener::None,
        }
    }

    fn ask(&mut self, link: LinkId) {
        assert!(link > self.last, "link {link} has a name of its own");
        self.last = link;
        let (broker, role, heard, tags) = (BrokerId(0), Role::Client, Vec::new(), BTreeMap::new());
        let found = Link { is_closing: false, in_flight: 0, end: None, is_polite: false, heard, broker, role, tags };
        self.links.insert(link, found);
    }

    fn hear(&mut self, event: &Event) {
        let mut take_turns = |who: String, is_here: bool| {
            let was_here = if is_here { !self.here.insert(who.clone()) } else { self.here.remove(&who) };
            assert_ne!(was_here, is_here, "V1: '{who}' comes and goes in turns");
        };
        match event {
            Event::PeerLost { broker, .. } => take_turns(format!("peer {broker}"), false),
            Event::PeerUp { broker, .. } => take_turns(format!("peer {broker}"), true),
            Event::ServiceFound { service } => take_turns(format!("service {}", service.0), true),
            Event::ServiceLost { service } => take_turns(format!("service {}", service.0), false),
            Event::TargetLost { broker, .. } => take_turns(format!("target {broker}"), false),
            Event::TargetUp { broker, .. } => take_turns(format!("target {broker}"), true),
            Event::Answered { request, .. } | Event::Replied { request, .. } => {
                assert!(self.unanswered.remove(request), "request {request} is answered once");
            }
            Event::Stopped => {
                assert!(self.links.is_empty(), "N3: no link is left");
                self.is_stopped = true;
            }
            _ => (),
        }
    }

    fn check_limits(&self) {
        let (stats, config) = (self.node.stats(), self.node.config());
        let links = config.link.links_max + config.link.slots;
        assert!(self.links.len() <= links && stats.links <= links, "N4: {stats:?}");
        assert!(stats.peers + stats.clients + stats.targets <= stats.links, "N4: {stats:?}");
        assert!(
            stats.services <= config.multicast.as_ref().map_or(0, |multicast| multicast.services_max),
            "N4: {stats:?}"
        );
        assert!(stats.unsettled_bytes <= config.fanout.memory_max, "N4: {stats:?}");
        assert!(stats.lagging_bytes <= config.fanout.memory_max, "N4: {stats:?}");
        let waiting = (config.link.backlog_max + u64::from(config.link.frame_max)) * links as u64;
        assert!(stats.waiting_bytes <= waiting, "N4: {stats:?}");
        assert!(stats.broker.queued_bytes <= QUEUED_MAX, "N4: {stats:?}");
    }

    /// Something that can be said on a link, mostly by whoever is at its other end.
    fn frame(&mut self, link: LinkId, choice: &mut Choice<'_>) -> Frame {
        let me = self.node.id();
        let Some(found) = self.links.get_mut(&link) else { return Frame::KeepAlive };
        let broker = found.broker;
        let number = u32::from(choice.place(4));
        let usual: &[u64] = match (self.node.config().role, found.role) {
            (_, Role::Client) => &[0, 0, 10, 10, 12, 13, 13, 15, 24],
            (Role::Client, _) => &[0, 0, 0, 5, 5, 16, 17, 17, 23, 25],
            _ => &[0, 0, 0, 5, 7, 7, 9, 20, 21],
        };
        match if choice.chance(1, 16) { choice.below(27) } else { choice.pick(usual) } {
            0..5 => {
                let tag = found.tags.entry(number).or_default();
                *tag = if choice.chance(1, 8) { huge(choice) } else { tag.saturating_add(1) };
                let tag = *tag;
                let producer = ProducerId { broker: choice.pick(&[broker, broker, me, BrokerId(5)]), number: 1 };
                let sequence = if choice.chance(1, 4) { huge(choice) } else { tag };
                let (destination, path) = (destination(choice), path(me, choice));
                let body = Body::bytes(vec![b'x'; choice.pick(&[8, 0, 200, 301])]);
                let id = MessageId { producer, sequence };
                let message = Arc::new(Message { id, destination, path, timestamp: Timestamp::default(), body });
                Frame::Forward { demand: number, tag, redeliveries: choice.pick(&[0, 1, u32::MAX]), message }
            }
            5 | 6 => Frame::Forwarded { demand: number, up_to: tag(choice) },
            7 | 8 if choice.chance(1, 4) => Frame::Weight { number, consumers: consumers(choice) },
            7 | 8 => {
                let (destination, selector, path) = (destination(choice), any_selector(choice), path(me, choice));
                let demand = Demand { destination, selector, path, is_dormant: choice.chance(1, 4) };
                Frame::Demand { number, demand, consumers: consumers(choice), instead: choice.chance(1, 4) }
            }
            9 => Frame::Undemand { numbers: vec![number; 1 + usize::from(choice.chance(1, 4))] },
            10 | 11 => Frame::Subscribe { number, subscription: subscription(choice) },
            12 => Frame::Unsubscribe { number, seen: tag(choice) },
            13 | 14 => Frame::Ack(ack(ConsumerId(number.into()), choice)),
            15 if choice.chance(1, 2) => Frame::Ask { number, asked: asked(choice) },
            15 => Frame::Finish { stream: number },
            16 if choice.chance(1, 2) => Frame::Answered { number, result: Err(REFUSAL) },
            16 => Frame::Subscribed { number, result: choice.pick(&[Ok(()), Err(REFUSAL)].each_ref()).clone() },
            17 => Frame::Refused { stream: number, tag: tag(choice), refusal: REFUSAL },
            18 => Frame::Open { generation: tag(choice) },
            19 => Frame::Propose { ended: tag(choice) },
            20 => Frame::Synced,
            21 => Frame::SyncedHeard,
            22 => match choice.below(3) {
                0 => Frame::Goodbye(Farewell::Leaving),
                1 => Frame::Goodbye(Farewell::Duplicate),
                _ => Frame::Goodbye(Farewell::Refused("no".to_owned())),
            },
            23 if choice.chance(1, 2) => Frame::ConsumerEnded { number, refusal: REFUSAL },
            23 if choice.chance(1, 2) => Frame::Include { destination: destination(choice) },
            23 => Frame::Browsed { number },
            24 if choice.chance(1, 2) => Frame::Advise { wanted: choice.chance(2, 3) },
            24 => Frame::Ask { number, asked: AdminRequest::RemoveDurable(durable(choice)) },
            25 if choice.chance(1, 2) => {
                let (missed, destination) = (huge(choice), destination(choice));
                Frame::Advised { missed, advisory: Box::new(Advisory::DestinationAdded { destination }) }
            }
            25 => Frame::Answered { number, result: Ok(AdminReply::DurableRemoved) },
            _ => Frame::Hello(Box::new(strange(hello(broker, Role::Peer), choice))),
        }
    }
}

/// What the other end answers, if it behaves.
fn answer((node, ours): (BrokerId, Role), (broker, theirs): (BrokerId, Role), frame: Frame) -> Vec<Frame> {
    match (theirs, frame) {
        (Role::Client, Frame::Forward { demand, tag, .. }) => {
            let (consumer, extent, kind) = (ConsumerId(demand.into()), AckExtent::UpTo, AckKind::Accepted);
            vec![Frame::Ack(Ack { consumer, tag, extent, kind })]
        }
        (Role::Client, _) => Vec::new(),
        (_, Frame::Forward { demand, tag, .. }) => vec![Frame::Forwarded { demand, up_to: tag }],
        (_, Frame::Hello(_)) if ours == Role::Client => vec![Frame::Open { generation: 0 }],
        (_, Frame::Hello(_)) if node < broker => vec![Frame::Propose { ended: 0 }],
        (_, Frame::Open { .. }) => vec![Frame::Synced],
        (_, Frame::Propose { ended }) => vec![Frame::Open { generation: ended.saturating_add(1) }, Frame::Synced],
        (_, Frame::Advise { .. }) => {
            let advisory = Advisory::ConnectionOpened { by: Party::Client(node) };
            vec![Frame::Advised { missed: 1, advisory: Box::new(advisory) }]
        }
        (_, Frame::Ask { number, asked: AdminRequest::RemoveDurable(_) }) => {
            vec![Frame::Answered { number, result: Ok(AdminReply::DurableRemoved) }]
        }
        (_, Frame::Ask { number, .. }) => {
            vec![Frame::Answered { number, result: Ok(AdminReply::Purged { messages: 1, queues: 1 }) }]
        }
        (_, Frame::Subscribe { number, .. }) => vec![Frame::Subscribed { number, result: Ok(()) }],
        (_, Frame::Synced) => vec![Frame::SyncedHeard],
        _ => Vec::new(),
    }
}

/// A greeting with something unusual in it, now and then.
fn strange(mut hello: Hello, choice: &mut Choice<'_>) -> Hello {
    hello.silence_max_millis = 1_000;
    match choice.below(32) {
        15 => "other".clone_into(&mut hello.group),
        14 => hello.frame_max = choice.pick(&[0, 4_096, 4_200]),
        13 => hello.silence_max_millis = 0,
        12 => hello.version_min = VERSION_MAX + 1,
        11 => hello.services = vec![Service("tcp://10.0.0.7:1".to_owned()); 2],
        10 => "n".clone_into(&mut hello.name),
        9 => hello.is_connector = true,
        _ => (),
    }
    hello
}

fn address(number: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, 0, number.to_le_bytes()[0]), 1))
}

/// What may be said after the end.
fn is_refusal(output: &Output) -> bool {
    matches!(
        output,
        Output::Event(
            Event::Answered { .. } | Event::Replied { .. } | Event::Refused { .. } | Event::AckRefused { .. }
        )
    )
}

const REFUSAL: Refusal = Refusal::LimitReached { what: What::Consumer, max: 1 };
const STEPS_MAX: usize = 200;
/// Far more than one input of this size has a reason for.
const OUTPUTS_MAX: usize = 500;
const HEARD_MAX: usize = 64;
/// Four queues of 1000 bytes, with as much again for what comes back to each.
const QUEUED_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_bears_anything() {
        for seed in 0..600 {
            let failed = std::panic::catch_unwind(|| play(&mut Choice::from_seed(seed))).is_err();
            assert!(!failed, "seed {seed}");
        }
    }
}
