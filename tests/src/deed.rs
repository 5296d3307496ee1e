//! What only scenarios with a flavour have: transactions, durable subscriptions, requests and replies, administrators,
//! consumers that move, and messages and consumers that wish for more than others.

mod scene;

use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::{Body, Destination, Durable, Subscription};

use scene::{crowd, outrun, relocate, swamp};

use crate::application::Acking;
use crate::play::{DESTINATIONS, Play, around, by_hand, has_room};
use crate::stage::Stage;
use crate::wish::{BOTH, PLACES, body, subscription};

/// Something that only scenarios with a flavour have. Hosts are those with brokers of their own; they, consumers and
/// deliveries are named by their places, counted round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A delivery is acknowledged in a transaction, by a consumer of a host that acknowledges by hand.
    AckIn(u8, u8, u8, u8),
    /// A host's application hears from now on what happens in its broker.
    Advise(u8),
    /// A host begins a transaction.
    Begin(u8, u8),
    /// A host looks at what waits in one of `QUEUES`.
    Browse(u8, u8),
    /// A host commits a transaction.
    Commit(u8, u8),
    /// A host takes one of all orders, another sends more of two kinds than there may be room for, and the first gives up.
    Crowd(u8, u8),
    /// A host hands over what it has for so long at most, by `PATIENCE`, and takes its leave.
    Drain(u8, u8),
    /// A host ends the connection that its temporary queues belong to.
    HangUp(u8),
    /// A host subscribes to all orders, has them handed to it a few at a time, and acknowledges by hand.
    Hold(u8, u8),
    /// An administrator asks how a host's destinations fare.
    Inspect(u8),
    /// A client asks how those of all its targets fare.
    InspectTargets(u8),
    /// The like of a host's last consumer comes to another, and then that one ends.
    Move(u8, u8),
    /// A client sends more than it may hold for a broker of its, which stands still meanwhile.
    Outrun(u8, u8),
    /// An administrator has one of `QUEUES` hand out nothing at a host.
    PauseQueue(u8, u8),
    /// An administrator removes what waits there.
    Purge(u8, u8),
    /// A host deletes a durable subscription.
    RemoveDurable(u8, u8),
    /// A host sends a request to the service, with a temporary queue for the reply.
    Request(u8),
    /// An administrator ends what `PauseQueue` began.
    ResumeQueue(u8, u8),
    /// A host rolls a transaction back.
    RollBack(u8, u8),
    /// A host sends so many messages that wish for something to one of `wish::PLACES`, in one command.
    Send(u8, u8, u8, u8),
    /// A host sends so many messages to all of `wish::BOTH` at once.
    SendBoth(u8, u8),
    /// A host sends a message in a transaction.
    SendIn(u8, u8, u8),
    /// A host sends to the last temporary queue of another, there or not.
    SendTemporary(u8, u8),
    /// A host replies to requests from now on.
    Serve(u8),
    /// A host subscribes to one of `wish::PLACES`, wishing for something.
    Subscribe(u8, u8, u8),
    /// A host subscribes to news, takes one and no more, and another sends more than may wait for it.
    Swamp(u8, u8),
    /// A host subscribes to one of `wish::BOTH`, or to a pattern of them.
    SubscribeBoth(u8, u8, u8),
    /// A host subscribes to one of `LASTING` by a name, which tells, with the rest, how it acknowledges.
    SubscribeDurably(u8, u8, u8),
}

impl Deed {
    /// Where.
    fn place(self) -> u8 {
        match self {
            Self::AckIn(place, ..)
            | Self::Advise(place)
            | Self::Begin(place, _)
            | Self::Browse(place, _)
            | Self::Commit(place, _)
            | Self::Crowd(place, _)
            | Self::Drain(place, _)
            | Self::HangUp(place)
            | Self::Hold(place, _)
            | Self::Inspect(place)
            | Self::InspectTargets(place)
            | Self::Move(place, _)
            | Self::Outrun(place, _)
            | Self::PauseQueue(place, _)
            | Self::Purge(place, _)
            | Self::RemoveDurable(place, _)
            | Self::Request(place)
            | Self::ResumeQueue(place, _)
            | Self::RollBack(place, _)
            | Self::Send(place, ..)
            | Self::SendBoth(place, _)
            | Self::SendIn(place, ..)
            | Self::SendTemporary(place, _)
            | Self::Serve(place)
            | Self::Subscribe(place, ..)
            | Self::SubscribeBoth(place, ..)
            | Self::SubscribeDurably(place, ..)
            | Self::Swamp(place, _) => place,
        }
    }

    /// Lets it happen.
    pub(crate) fn perform(self, stage: &mut Stage, play: &mut Play) {
        let queue =
            |place: u8| -> Destination { QUEUES[usize::from(place) % QUEUES.len()].parse().expect("a destination") };
        let host = match self {
            Self::InspectTargets(place) | Self::Outrun(place, _) => {
                around(play.clients(), place).filter(|host| stage.is_running(*host))
            }
            _ => play.server(stage, self.place()),
        };
        let Some(host) = host else { return };
        match self {
            Self::AckIn(_, number, consumer, delivery) => {
                if let Some((consumer, tag)) = by_hand(stage, host, consumer, delivery)
                    && !stage.is_in_transaction(host, consumer, tag)
                {
                    stage.ack_in(host, number.into(), consumer, tag);
                }
            }
            Self::Advise(_) => stage.advise(host),
            Self::Begin(_, number) => stage.begin_transaction(host, number.into()),
            Self::Browse(_, place) => stage.browse(host, &queue(place)),
            Self::Commit(_, number) => stage.commit(host, number.into()),
            Self::Drain(_, patience) => {
                let millis = PATIENCE[usize::from(patience) % PATIENCE.len()];
                stage.drain(host, Duration::from_millis(millis));
            }
            Self::HangUp(_) => stage.hang_up(host),
            Self::Inspect(_) => drop(stage.inspect(host)),
            Self::InspectTargets(_) => stage.inspect_targets(host),
            Self::Move(_, other) => {
                if let Some(other) = play.server(stage, other) {
                    relocate(stage, host, other);
                }
            }
            Self::Outrun(_, broker) => {
                if let Some(broker) = play.server(stage, broker) {
                    outrun(stage, play, host, broker);
                }
            }
            Self::PauseQueue(_, place) => stage.pause_queue(host, &queue(place)),
            Self::Purge(_, place) => stage.purge(host, &queue(place)),
            Self::RemoveDurable(_, name) => stage.remove_durable(host, &durable(name)),
            Self::Request(_) => {
                if has_room(stage, host) {
                    let text = play.texts(1).remove(0);
                    stage.request(host, SERVICE, text);
                }
            }
            Self::ResumeQueue(_, place) => stage.resume_queue(host, &queue(place)),
            Self::RollBack(_, number) => stage.roll_back(host, number.into()),
            Self::Send(_, to, wish, count) => play.send_wishing(stage, host, to, wish, count),
            Self::SendBoth(_, count) => {
                let texts = play.texts(usize::from(count));
                stage.send_all(host, &BOTH[..BOTH.len() - 1].join(","), texts);
            }
            Self::SendIn(_, number, to) => {
                let to = DESTINATIONS[usize::from(to) % DESTINATIONS.len()].parse().expect("a destination");
                let text = play.texts(1).remove(0);
                stage.send_in(host, number.into(), &to, Body::text(text));
            }
            Self::SendTemporary(_, other) => {
                if let Some(to) = play.server(stage, other).and_then(|other| stage.temporary(other)) {
                    let text = play.texts(1).remove(0);
                    stage.send(host, &to.to_string(), &text);
                }
            }
            Self::Crowd(..)
            | Self::Hold(..)
            | Self::Serve(_)
            | Self::Subscribe(..)
            | Self::SubscribeBoth(..)
            | Self::SubscribeDurably(..)
            | Self::Swamp(..) => {
                if has_room(stage, host) {
                    self.consume(stage, play, host);
                }
            }
        }
    }

    /// The same of those by which somebody comes to consume.
    fn consume(self, stage: &mut Stage, play: &mut Play, host: HostId) {
        match self {
            Self::Crowd(_, other) => {
                if let Some(other) = play.server(stage, other) {
                    crowd(stage, play, host, other);
                }
            }
            Self::Hold(_, prefetch) => {
                stage.subscribe_with(host, "queue://orders.>", Acking::Manual, Some(prefetch.into()));
            }
            Self::Serve(_) => {
                let service = Subscription::new(SERVICE.parse().expect("a destination"));
                stage.subscribe_as(host, service, Acking::Replying);
            }
            Self::Subscribe(_, to, how) => {
                let (wanted, acking) = subscription(PLACES[usize::from(to) % PLACES.len()], how);
                stage.subscribe_as(host, wanted, acking);
            }
            Self::SubscribeBoth(_, to, how) => {
                let ackings = [Acking::Automatic, Acking::Manual, Acking::Backwards, Acking::Reluctant];
                let acking = ackings[usize::from(how) % ackings.len()];
                stage.subscribe_with(host, BOTH[usize::from(to) % BOTH.len()], acking, None);
            }
            Self::SubscribeDurably(_, to, how) => {
                let mut wanted = Subscription::new(LASTING[usize::from(to) % LASTING.len()].parse().expect("a topic"));
                wanted.durable = Some(durable(how));
                wanted.prefetch = [None, Some(2)][usize::from(how) / 3 % 2];
                wanted.no_local = how / 6 % 8 == 7;
                let ackings = [Acking::Automatic, Acking::Manual, Acking::Returning, Acking::Rejecting];
                stage.subscribe_durably(host, wanted, ackings[usize::from(how) / 6 % ackings.len()]);
            }
            Self::Swamp(_, other) => {
                if let Some(other) = play.server(stage, other) {
                    swamp(stage, play, host, other);
                }
            }
            _ => unreachable!("nobody comes to consume by {self:?}"),
        }
    }
}

impl Play {
    fn send_wishing(&mut self, stage: &mut Stage, host: HostId, to: u8, wish: u8, count: u8) {
        let to = PLACES[usize::from(to) % PLACES.len()];
        if !to.contains('>') {
            let texts = self.texts(usize::from(count)).into_iter().enumerate();
            stage.send_bodies(host, to, texts.map(|(number, text)| body(to, wish, number, text)).collect());
        }
    }
}

fn durable(name: u8) -> Durable {
    Durable::new("somebody", NAMES[usize::from(name) % NAMES.len()]).expect("a name")
}

/// For how long a host that leaves may hand over what it has, in milliseconds.
pub(crate) const PATIENCE: [u64; 4] = [10_000, 1_000, 60_000, 0];

/// What administrators look after.
pub(crate) const QUEUES: [&str; 7] = [
    "queue://urgent",
    "queue://grouped",
    "queue://retried",
    "queue://retried.strictly",
    "queue://Consumer.a.VirtualTopic.news",
    "queue://orders",
    "queue://jobs",
];

/// What durable subscriptions are to.
pub(crate) const LASTING: [&str; 3] = ["topic://prices.gold", "topic://prices.>", "topic://news"];

/// What they are called.
pub(crate) const NAMES: [&str; 3] = ["one", "two", "three"];

/// Where requests are sent.
const SERVICE: &str = "queue://service";
