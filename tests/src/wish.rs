//! What may be wished for beside being handed what is sent: of a message, of a consumer, of a destination. Wishes have
//! destinations of their own, so that all others are as strict as ever.

use std::time::Duration;

use flockmq_core::selector::Candidate;
use flockmq_core::{
    Body, BrokerConfig, ConsumerPriority, DeadLetterPolicy, DeadLetterQueue, Destination, DestinationKind,
    DestinationPolicy, History, Message, MessageId, Path, PolicyEntry, Priority, Properties, RedeliveryPolicy,
    Subscription, Timestamp, Value,
};

use crate::application::Acking;

/// A text with what its destination's messages wish for; `wish` and `number` tell what exactly.
pub(crate) fn body(to: &str, wish: u8, number: usize, text: String) -> Body {
    let turn = usize::from(wish) + number;
    let mut body = Body::text(text);
    match family(to) {
        "urgent" => {
            let level = u8::try_from(turn * 7 % Priority::COUNT).expect("below the count");
            body.priority = Priority::try_from(level).expect("below the count");
            body.headers.time_to_live =
                [None, None, Some(5_000), Some(300), Some(0)][usize::from(wish) % 5].map(Duration::from_millis);
        }
        "grouped" => {
            let group = ["a", "b", "changing"][turn % 3];
            set(&mut body, GROUP_ID, group);
            if group == "changing" {
                set(&mut body, GROUP_SEQUENCE, [0_i64, 1, -1][usize::from(wish) / 3 % 3]);
            }
        }
        "choosy" => set(&mut body, KIND, i64::try_from(turn % 3).expect("small")),
        "VirtualTopic" => {
            body.headers.time_to_live = [None, None, None, Some(2_000)][turn % 4].map(Duration::from_millis);
            body.persistent = wish.is_multiple_of(2);
        }
        "past" if wish.is_multiple_of(4) => match wish % 3 {
            0 => set(&mut body, RETAIN, true),
            1 => set(&mut body, RETAIN, "true"),
            _ => {
                body = Body::text("");
                set(&mut body, RETAIN, true); // Clears what was retained.
            }
        },
        _ => (),
    }
    body
}

/// How somebody consumes who wishes for more than to be handed what is sent.
pub(crate) fn subscription(to: &str, how: u8) -> (Subscription, Acking) {
    let ackings =
        [Acking::Automatic, Acking::Manual, Acking::Backwards, Acking::Reluctant, Acking::Returning, Acking::Rejecting];
    let mut wanted = Subscription::new(to.parse().expect("a destination"));
    wanted.prefetch = [None, Some(1), Some(3)][usize::from(how) / 6 % 3];
    let wish = how / 18 % 8;
    if family(to) == "choosy" {
        let texts = ["kind = 1", "kind = 0", "kind < 2", "kind <> 1", "kind = 2", "kind = 3"];
        wanted.selector = texts.get(usize::from(wish)).map(|text| text.parse().expect("a selector"));
        return (wanted, ackings[usize::from(how) % ackings.len()]);
    }
    match wanted.destination.first().kind() {
        DestinationKind::Queue => {
            wanted.exclusive = wish >= 6 && !wanted.destination.first().is_pattern();
            let level = [0, 0, 0, 0, 5, 127, 0, 127][usize::from(wish)];
            wanted.priority = ConsumerPriority::try_from(level).expect("in range");
        }
        DestinationKind::Topic => {
            wanted.retroactive = wish >= 2;
            wanted.no_local = wish == 7;
        }
    }
    (wanted, ackings[usize::from(how) % ackings.len()])
}

/// Has some destinations treated otherwise than others.
pub(crate) fn configure(config: &mut BrokerConfig) {
    let entry = |name: &str, policy: DestinationPolicy| PolicyEntry {
        destination: name.parse().expect("a destination"),
        policy,
    };
    let past = |name: &str, history| entry(name, DestinationPolicy { history, ..DestinationPolicy::default() });
    let millis = Duration::from_millis;
    let retried = RedeliveryPolicy {
        redeliveries_max: Some(REDELIVERIES_MAX),
        first_delay: millis(200),
        delay: millis(500),
        factor: 3,
        delay_max: millis(2_000),
        keeps_order: false,
    };
    let strictly = RedeliveryPolicy { redeliveries_max: None, factor: 1, keeps_order: true, ..retried.clone() };
    let retrying = |name: &str, redelivery, queue| {
        let dead_letters = DeadLetterPolicy { queue, ..DeadLetterPolicy::default() };
        entry(name, DestinationPolicy { redelivery, dead_letters, ..DestinationPolicy::default() })
    };
    config.policies.entries = vec![
        retrying("queue://retried", retried, DeadLetterQueue::Individual),
        retrying("queue://retried.strictly", strictly, DeadLetterQueue::None),
        past("topic://past.last", History::LastImage),
        past("topic://past.few", History::Count(3)),
        past("topic://past.bytes", History::Bytes(2_000)),
        past("topic://past.young", History::Age(Duration::from_secs(5))),
    ];
}

/// True unless messages of a queue may wait though somebody is there who would take them, or takes others.
pub(crate) fn is_prompt(queue: &Destination) -> bool {
    !is_grave(queue) && !["choosy", "grouped"].contains(&family(queue.name())) && queue.name() != "retried.strictly"
}

/// True unless a message may pass another that only somebody else wants.
pub(crate) fn keeps_order(place: &Destination) -> bool {
    !is_grave(place) && (place.kind() == DestinationKind::Topic || family(place.name()) != "choosy")
}

/// True if a consumer's selector, if it has one, is true of a message that was sent so.
pub(crate) fn is_chosen(wanted: &Subscription, id: MessageId, to: &Destination, body: &Body) -> bool {
    let (destination, body) = (to.clone(), body.clone());
    let message = Message { id, destination, path: Path::default(), timestamp: Timestamp::default(), body };
    wanted.selector.as_ref().is_none_or(|selector| selector.matches(&Candidate::new(&message)))
}

/// True if what goes back to a queue is behind nothing that came later.
pub(crate) fn keeps_places(queue: &Destination) -> bool {
    !["choosy", "urgent", "grouped", "retried"].contains(&family(queue.name())) && !is_grave(queue)
}

/// How often a message of a queue may be given back and be handed out again.
pub(crate) fn redeliveries_max(queue: &Destination) -> Option<u32> {
    (queue.name() == "retried").then_some(REDELIVERIES_MAX)
}

/// Where the dead letters of a queue go.
pub(crate) fn grave(queue: &Destination) -> Option<Destination> {
    let name = match queue.name() {
        "retried" => "ActiveMQ.DLQ.Queue.retried",
        "retried.strictly" => return None,
        _ => GRAVE,
    };
    (!is_grave(queue)).then(|| Destination::queue(name).expect("a queue's name"))
}

/// True for a queue of dead letters.
pub(crate) fn is_grave(queue: &Destination) -> bool {
    queue.name().starts_with(GRAVE)
}

/// True for a topic that remembers at least its last message.
pub(crate) fn remembers(topic: &Destination) -> bool {
    ["past.last", "past.few"].contains(&topic.name())
}

/// True if a topic's messages go to this queue too.
pub(crate) fn is_fed_by(queue: &Destination, topic: &Destination) -> bool {
    let rest = queue.name().strip_prefix("Consumer.").and_then(|rest| rest.split_once('.'));
    let is_named_so = rest.is_some_and(|(_, rest)| rest == topic.name() && family(rest) == "VirtualTopic");
    is_named_so && (queue.kind(), topic.kind()) == (DestinationKind::Queue, DestinationKind::Topic)
}

/// The group that a message belongs to, and its place there if it has one.
pub(crate) fn group(body: &Body) -> Option<(&str, i64)> {
    let Some(Value::Text(name)) = body.headers.properties.get(GROUP_ID) else { return None };
    let Some(Value::Int(sequence)) = body.headers.properties.get(GROUP_SEQUENCE) else { return Some((name, 0)) };
    Some((name, *sequence))
}

/// True if a message is to be its topic's retained one.
pub(crate) fn is_retained(body: &Body) -> bool {
    body.headers.properties.get(RETAIN).is_some()
}

/// True if what was handed out is what was sent: nothing is altered but what brokers have to say of it.
pub(crate) fn is_same(sent: &Body, given: &Body) -> bool {
    let is_kept = |name: &str| ![RETAIN, RETAINED, CAUSE, ORIGIN, MODE, EXPIRATION].contains(&name);
    let properties = [sent, given].map(|body| body.headers.properties.iter().filter(|(name, _)| is_kept(name)));
    let [sent_properties, given_properties] = properties;
    let is_younger = match (sent.headers.time_to_live, given.headers.time_to_live) {
        (Some(whole), Some(left)) => left <= whole,
        (_, left) => left.is_none(), // A dead letter has no end.
    };
    // A dead letter is persistent, and says so if it was not; and it says when its life ended, if it was to.
    let [is_dead, has_mode, has_end] =
        [CAUSE, MODE, EXPIRATION].map(|name| given.headers.properties.get(name).is_some());
    let is_right_mode = has_mode == (is_dead && !sent.persistent);
    let is_right_end = has_end == (is_dead && sent.headers.time_to_live.is_some());
    let bare = |body: &Body| {
        let mut bare = Body { persistent: sent.persistent || has_mode, ..body.clone() };
        (bare.headers.time_to_live, bare.headers.properties) = (None, Properties::default());
        bare
    };
    is_younger
        && is_right_mode
        && is_right_end
        && given.persistent == (sent.persistent || has_mode)
        && sent_properties.eq(given_properties)
        && bare(sent) == bare(given)
}

/// What a dead letter says: why it died, and where it had been sent.
pub(crate) fn epitaph(body: &Body) -> Option<(&str, Destination)> {
    let (Some(Value::Text(cause)), Some(Value::Text(origin))) =
        (body.headers.properties.get(CAUSE), body.headers.properties.get(ORIGIN))
    else {
        return None;
    };
    Some((cause, origin.parse().ok()?))
}

fn family(name: &str) -> &str {
    let name = name.split_once("://").map_or(name, |(_, name)| name);
    name.split_once('.').map_or(name, |(family, _)| family)
}

fn set(body: &mut Body, name: &str, value: impl Into<Value>) {
    body.headers.properties.set(name, value).expect("there are few");
}

/// Where wishes are sent.
pub(crate) const PLACES: [&str; 17] = [
    "queue://urgent",
    "queue://urgent.here",
    GROUPED,
    "queue://retried",
    "queue://retried.strictly",
    "topic://VirtualTopic.news",
    "queue://Consumer.a.VirtualTopic.news",
    "queue://Consumer.b.VirtualTopic.news",
    "topic://past.last",
    "topic://past.few",
    "topic://past.bytes",
    "topic://past.young",
    "queue://retried.>",
    "queue://ActiveMQ.DLQ",
    "queue://choosy",
    "topic://choosy",
    "topic://choosy.>",
];

/// What is sent to at once, and a pattern.
pub(crate) const BOTH: [&str; 4] =
    ["queue://both.first", "queue://both.second", "topic://both.third", "queue://both.>"];

/// Which of them a scenario keeps to: where messages are sent, and what is subscribed to.
pub(crate) const FAMILIES: [(&[u8], &[u8]); 8] = [
    (&[0, 1], &[0, 1, 13]),
    (&[0], &[0]),
    (&[2], &[2]),
    (&[3, 4], &[3, 4, 12, 13]),
    (&[5, 5, 6], &[5, 6, 7]),
    (&[8], &[8]),
    (&[8, 9, 10, 11], &[8, 9, 10, 11]),
    (&[14, 15], &[14, 15, 16]),
];

/// Where messages belong together.
pub(crate) const GROUPED: &str = "queue://grouped";

const REDELIVERIES_MAX: u32 = 2;
const GRAVE: &str = "ActiveMQ.DLQ";
/// What selectors ask for.
const KIND: &str = "kind";
const GROUP_ID: &str = "JMSXGroupID";
const GROUP_SEQUENCE: &str = "JMSXGroupSeq";
const RETAIN: &str = "ActiveMQ.Retain";
const RETAINED: &str = "ActiveMQ.Retained";
const MODE: &str = "originalDeliveryMode";
const CAUSE: &str = "dlqDeliveryFailureCause";
const EXPIRATION: &str = "originalExpiration";
const ORIGIN: &str = "originalDestination";
