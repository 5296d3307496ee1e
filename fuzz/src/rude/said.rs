//! What applications say, and what that and what peers say is made of.

use std::num::NonZeroU32;

use flockmq_core::{
    Ack, AckExtent, AckKind, AdminRequest, Body, BrokerId, Command, ConnectionId, ConsumerId, ConsumerPriority,
    Destination, Destinations, Durable, Path, RequestId, Selector, Subscription, Tag,
};
use flockmq_tests::Choice;

/// Something that an application says; its request is numbered later.
pub(super) fn command(choice: &mut Choice<'_>) -> Command {
    let request = RequestId(0);
    let producer = choice.below(4);
    let connection = if choice.chance(1, 8) { choice.below(3) } else { producer % 2 };
    let (consumer, connection) = (ConsumerId(connection * 4 + choice.below(4)), ConnectionId(connection));
    match choice.below(21) {
        0..4 => {
            let count = 1 + choice.below(3);
            let body = |choice: &mut Choice<'_>| Body::bytes(vec![b'y'; choice.pick(&[8, 0, 200, 301])]);
            Command::Send { connection, producer, messages: (0..count).map(|_| body(choice)).collect() }
        }
        4..6 => Command::Produce { request, connection, producer, destination: destinations(choice) },
        6..9 => Command::Subscribe { request, connection, consumer, subscription: subscription(choice) },
        9..12 => Command::Ack { connection, ack: ack(consumer, choice) },
        12 => Command::CloseConsumer { request, connection, consumer, seen: tag(choice) },
        13 => Command::CloseProducer { request, connection, producer },
        14 if choice.chance(1, 2) => Command::Ask { request, only: None, asked: asked(choice) },
        14 => Command::Attach { request, connection },
        15 => Command::Ask { request, only: None, asked: AdminRequest::RemoveDurable(durable(choice)) },
        16 if choice.chance(1, 2) => Command::Advise { request, connection, wanted: choice.chance(2, 3) },
        16 => Command::Detach { request, connection },
        _ => transacted(choice, connection, consumer),
    }
}

/// Something that belongs to a transaction; its request is numbered later.
fn transacted(choice: &mut Choice<'_>, connection: ConnectionId, consumer: ConsumerId) -> Command {
    let (request, transaction) = (RequestId(0), choice.below(3));
    match choice.below(8) {
        0..2 => Command::Begin { request, connection, transaction },
        2..4 => {
            let message = Body::bytes(vec![b'z'; choice.pick(&[8, 0, 200, 301])]);
            Command::TransactedSend { request, connection, transaction, destination: destinations(choice), message }
        }
        4..6 => Command::TransactedAck { request, connection, transaction, consumer, tag: tag(choice) },
        6 => Command::Commit { request, connection, transaction },
        _ => Command::Rollback { request, connection, transaction },
    }
}

/// Something that an administrator asks.
pub(super) fn asked(choice: &mut Choice<'_>) -> AdminRequest {
    match choice.below(4) {
        0 => AdminRequest::Destinations { within: Some(destination(choice)), after: Some(destination(choice)) },
        1 => AdminRequest::Pause(destination(choice)),
        2 => AdminRequest::Purge(destination(choice)),
        _ => AdminRequest::Resume(destination(choice)),
    }
}

pub(super) fn ack(consumer: ConsumerId, choice: &mut Choice<'_>) -> Ack {
    let extent = choice.pick(&[AckExtent::UpTo, AckExtent::Individual]);
    Ack {
        consumer,
        tag: tag(choice),
        extent,
        kind: choice.pick(&[AckKind::Accepted, AckKind::Released, AckKind::Rejected]),
    }
}

pub(super) fn subscription(choice: &mut Choice<'_>) -> Subscription {
    let destination = destinations(choice);
    Subscription {
        prefetch: choice.pick(&[Some(1), None, Some(4), Some(0), Some(5)]),
        priority: choice.pick(&[ConsumerPriority::MIN, ConsumerPriority::MAX]),
        exclusive: choice.chance(1, 8),
        browses: choice.chance(1, 8),
        no_local: choice.chance(1, 4),
        retroactive: choice.chance(1, 4),
        durable: choice.chance(1, 4).then(|| durable(choice)),
        selector: any_selector(choice),
        ..Subscription::to(destination)
    }
}

pub(super) fn any_selector(choice: &mut Choice<'_>) -> Option<Selector> {
    let text = choice.pick(&[None, None, Some("JMSPriority = 4"), Some("x IS NULL AND JMSRedelivered")]);
    text.map(|text| text.parse().expect("a selector"))
}

/// How many stand behind a demand.
pub(super) fn consumers(choice: &mut Choice<'_>) -> NonZeroU32 {
    choice.pick(&[NonZeroU32::MIN, NonZeroU32::MAX])
}

pub(super) fn durable(choice: &mut Choice<'_>) -> Durable {
    Durable::new("client", choice.pick(&["a", "b"])).expect("valid")
}

pub(super) fn destinations(choice: &mut Choice<'_>) -> Destinations {
    let count = choice.pick(&[1, 1, 1, 2, 3]);
    (0..count).map(|_| destination(choice)).collect::<Vec<_>>().try_into().expect("some")
}

pub(super) fn destination(choice: &mut Choice<'_>) -> Destination {
    let texts =
        ["queue://a", "topic://t", "queue://a", "topic://t", "queue://b.c", "topic://u.v", "queue://>", "topic://>"];
    choice.pick(&texts).parse().expect("a destination")
}

pub(super) fn path(node: BrokerId, choice: &mut Choice<'_>) -> Path {
    let count = choice.pick(&[0, 0, 1, 2, 15, 17]);
    let first = choice.pick(&[BrokerId(3), BrokerId(3), node]);
    (0..count).fold(Path::default(), |path, place| path.then(if place == 0 { first } else { BrokerId(place) }))
}

pub(super) fn tag(choice: &mut Choice<'_>) -> Tag {
    match choice.below(8) {
        7 => huge(choice),
        tag => tag,
    }
}

pub(super) fn huge(choice: &mut Choice<'_>) -> u64 {
    choice.pick(&[u64::MAX, u64::MAX - 1, 1 << 32, 5_000, 0])
}
