mod advice;
mod question;

use super::*;
use crate::base::{Rng, Seed, Timestamp};
use crate::model::{Ack, Body, MessageId, Path, Subscription};
use crate::wire::{Decoder, Deframer};
use alloc::string::ToString;
use core::time::Duration;
use proptest::prelude::*;

const TOPIC: u64 = 1;
const QUEUE: u64 = 2;
const CLIENT: BrokerId = BrokerId(99);
const CONNECTION: ConnectionId = ConnectionId(1);

/// A fanout with a producer for a topic and one for a queue, and what its targets read.
struct Rig {
    fanout: Fanout,
    out: Outbox<Output>,
    now: Instant,
    sent: BTreeMap<u64, u64>,
    readers: BTreeMap<LinkId, (Deframer, Decoder)>,
    /// What each link was sent: stream, number, and whether it is marked as handed out before.
    got: Vec<(LinkId, u32, u64, bool)>,
    outcomes: Vec<Output>,
}

impl Rig {
    fn new(config: FanoutConfig) -> Self {
        let mut fanout = Fanout::new(config, CLIENT, Horizon::Closed, Rng::new(Seed::from(7)));
        fanout.prospects = 100;
        for (producer, to) in [(TOPIC, "topic://t"), (QUEUE, "queue://q")] {
            fanout.open_stream(CONNECTION, producer, 0, &to.parse().expect("valid")).expect("room");
        }
        Self {
            fanout,
            out: Outbox::new(),
            now: Instant::ZERO,
            sent: BTreeMap::new(),
            readers: BTreeMap::new(),
            got: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    fn with_acks(acks_min: u32) -> Self {
        Self::new(FanoutConfig { acks_min, ..FanoutConfig::default() })
    }

    /// With so many targets up, on links that are numbered as they are.
    fn with_targets(acks_min: u32, count: u64) -> Self {
        let mut rig = Self::with_acks(acks_min);
        (1..=count).for_each(|number| rig.up(number));
        rig
    }

    /// Broker `number` comes up on a link of that number.
    fn up(&mut self, number: u64) {
        self.up_as(LinkId(number), number, 1 << 20);
    }

    fn up_as(&mut self, link: LinkId, number: u64, message_max: u64) {
        let address = Address { host: crate::model::Host::Name(number.to_string()), port: 1 };
        self.up_with(link, Found { broker: BrokerId(number.into()), name: number.to_string(), address, message_max });
    }

    fn up_at(&mut self, link: LinkId, number: u64, address: Address) {
        let found = Found { broker: BrokerId(number.into()), name: number.to_string(), address, message_max: 1 << 20 };
        self.up_with(link, found);
    }

    fn up_with(&mut self, link: LinkId, found: Found) {
        self.readers.insert(link, (Deframer::new(u32::MAX), Decoder::new()));
        self.fanout.handle_up(link, found, &mut self.out);
        self.read();
    }

    fn down(&mut self, link: u64) {
        self.fanout.handle_down(LinkId(link), &mut self.out);
        self.read();
    }

    fn send(&mut self, producer: u64, count: u64) -> Result<(), Refusal> {
        self.send_sized(producer, count, 10)
    }

    fn send_sized(&mut self, producer: u64, count: u64, size: usize) -> Result<(), Refusal> {
        for _ in 0..count {
            let sent = self.sent.entry(producer).or_insert(0);
            let message = message(producer, *sent + 1, size);
            self.fanout.handle_send(self.now, producer, 0, message)?;
            *sent += 1;
        }
        self.fanout.flush(&mut self.out);
        self.read();
        Ok(())
    }

    fn hear(&mut self, link: u64, frame: Frame) {
        self.fanout.handle_frame(LinkId(link), frame, &mut self.out);
        self.read();
    }

    fn accept(&mut self, link: u64, stream: u64, up_to: u64) {
        self.hear(link, Frame::Forwarded { demand: u32::try_from(stream).expect("small"), up_to });
    }

    fn refuse(&mut self, link: u64, stream: u64, tag: u64) {
        let refusal = Refusal::TooLarge { size: 2, max: 1 };
        self.hear(link, Frame::Refused { stream: u32::try_from(stream).expect("small"), tag, refusal });
    }

    fn pass(&mut self, duration: Duration) {
        self.now = self.now + duration;
        self.fanout.handle_timeout(self.now, &mut self.out);
        self.read();
    }

    /// Targets read what they are sent; outcomes are kept.
    fn read(&mut self) {
        for output in self.out.drain() {
            let (link, pieces) = match output {
                Output::Burst { link, burst } => (link, burst.pieces.clone()),
                Output::Tell { link, bytes } => (link, Vec::from([bytes])),
                other => {
                    self.outcomes.push(other);
                    continue;
                }
            };
            let (deframer, decoder) = self.readers.get_mut(&link).expect("it is up");
            deframer.push(pieces.concat().into());
            while let Some(bytes) = deframer.poll_frame().expect("frames") {
                if let Some(frame) = decoder.decode(bytes).expect("a frame") {
                    let Frame::Forward { demand, tag, redeliveries, .. } = frame else { panic!("{frame:?}") };
                    self.got.push((link, demand, tag, redeliveries > 0));
                }
            }
        }
    }

    /// The numbers of the messages that a link was sent of a stream, since this was last asked of any.
    fn take(&mut self, link: u64, stream: u64) -> Vec<u64> {
        let is_meant = |(to, of, _, _): &(LinkId, u32, u64, bool)| *to == LinkId(link) && u64::from(*of) == stream;
        let taken = self.got.iter().filter(|found| is_meant(found)).map(|(_, _, tag, _)| *tag).collect();
        self.got.retain(|found| !is_meant(found));
        taken
    }

    /// What the application was told, in short.
    fn told(&mut self) -> Vec<String> {
        let tell = |output| match output {
            Output::Accepted { producer, up_to, by, .. } => {
                let by: Vec<String> = by.iter().map(|broker| { broker.0 }.to_string()).collect();
                Some(format!("{producer}: accepted up to {up_to} by {}", by.join(" ")))
            }
            Output::Refused { producer, sequence, refusal, answers, .. } => {
                let answers = answers.iter().map(|answer| match answer.result {
                    Ok(()) => format!(" +{}", answer.name),
                    Err(_) => format!(" -{}", answer.name),
                });
                let kind = match refusal {
                    Refusal::Closed { .. } => "closed",
                    Refusal::NotEnough { .. } => "not enough",
                    Refusal::TimedOut { .. } => "timed out",
                    other => panic!("{other}"),
                };
                Some(format!("{producer}: {sequence} {kind}{}", answers.collect::<String>()))
            }
            Output::Close { link, .. } => Some(format!("close {link}")),
            _ => None,
        };
        self.outcomes.drain(..).filter_map(tell).collect()
    }
}

fn message(producer: u64, sequence: u64, size: usize) -> Arc<Message> {
    Arc::new(Message {
        id: MessageId { producer: ProducerId { broker: CLIENT, number: producer }, sequence },
        destination: if producer == TOPIC { "topic://t" } else { "queue://q" }.parse().expect("valid"),
        path: Path::default(),
        timestamp: Timestamp::default(),
        body: Body::bytes(alloc::vec![7; size]),
    })
}

#[test]
fn a_target_that_answers_twice_counts_once() {
    let mut rig = Rig::with_targets(2, 2);
    rig.send(TOPIC, 1).expect("room");
    rig.accept(1, TOPIC, 1);
    rig.accept(1, TOPIC, 1);
    assert_eq!(rig.told(), Vec::<String>::new());
    rig.accept(2, TOPIC, 1);
    assert_eq!(rig.told(), ["1: accepted up to 1 by 1 2"]);
}

#[test]
fn a_broker_that_returns_by_another_link_counts_once_and_is_sent_what_it_has_not_accepted() {
    let mut rig = Rig::with_targets(2, 2);
    rig.send(TOPIC, 3).expect("room");
    rig.accept(1, TOPIC, 1);
    rig.down(1);
    rig.got.clear();
    rig.up_as(LinkId(3), 1, 1 << 20);
    assert_eq!(rig.take(3, TOPIC), [2, 3]);
    rig.accept(3, TOPIC, 3);
    assert_eq!(rig.told(), Vec::<String>::new());
    rig.accept(2, TOPIC, 2);
    assert_eq!(rig.told(), ["1: accepted up to 2 by 1 2"]);
}

#[test]
fn a_broker_that_takes_the_place_of_another_does_not_count_beside_it() {
    let mut rig = Rig::with_targets(2, 2);
    rig.send(TOPIC, 1).expect("room");
    rig.accept(1, TOPIC, 1);
    rig.down(1);
    let address = Address { host: crate::model::Host::Name("1".into()), port: 1 };
    rig.up_at(LinkId(3), 3, address);
    rig.accept(3, TOPIC, 1);
    assert_eq!(rig.told(), Vec::<String>::new(), "the message it had died with it");
    rig.accept(2, TOPIC, 1);
    assert_eq!(rig.told(), ["1: accepted up to 1 by 3 2"]);
}

#[test]
fn nothing_is_sent_before_enough_targets_are_up() {
    let mut rig = Rig::with_acks(2);
    rig.send(TOPIC, 1).expect("room");
    rig.send(QUEUE, 1).expect("room");
    rig.up(1);
    assert_eq!(rig.got, []);
    rig.up(2);
    assert_eq!((rig.take(1, TOPIC), rig.take(2, TOPIC)), (Vec::from([1]), Vec::from([1])));
    assert_eq!([rig.take(1, QUEUE).len(), rig.take(2, QUEUE).len()].iter().sum::<usize>(), 1);
}

#[test]
fn a_queues_messages_go_to_one_target_and_at_once_to_another_when_it_is_lost() {
    let mut rig = Rig::with_targets(1, 2);
    rig.send(QUEUE, 3).expect("room");
    let primary = rig.got[0].0;
    let other = if primary == LinkId(1) { 2 } else { 1 };
    assert!(rig.got.iter().all(|(link, ..)| *link == primary));
    rig.accept(primary.0, QUEUE, 1);
    rig.got.clear();
    rig.down(primary.0);
    let again: Vec<_> = rig.got.iter().map(|(link, _, tag, is_doubtful)| (link.0, *tag, *is_doubtful)).collect();
    assert_eq!(again, [(other, 2, true), (other, 3, true)]);
    rig.accept(other, QUEUE, 3);
    assert_eq!(rig.told(), [format!("2: accepted up to 1 by {primary}"), format!("2: accepted up to 3 by {other}")]);
}

#[test]
fn who_joins_late_gets_what_is_not_settled_and_nothing_of_queues() {
    let mut rig = Rig::with_targets(2, 2);
    rig.send(TOPIC, 4).expect("room");
    rig.send(QUEUE, 2).expect("room");
    rig.accept(1, TOPIC, 4);
    rig.accept(2, TOPIC, 2);
    rig.up(3);
    assert_eq!((rig.take(3, TOPIC), rig.take(3, QUEUE)), (Vec::from([3, 4]), Vec::new()));
    rig.send(TOPIC, 1).expect("room");
    assert_eq!(rig.take(3, TOPIC), [5]);
}

#[test]
fn a_send_fails_as_soon_as_too_few_can_still_accept_it_and_says_who_said_what() {
    let mut rig = Rig::with_targets(2, 3);
    rig.fanout.handle_prospects(0, &mut rig.out);
    rig.send(TOPIC, 2).expect("room");
    rig.refuse(1, TOPIC, 1);
    rig.accept(2, TOPIC, 2);
    assert_eq!(rig.told(), Vec::<String>::new(), "the third may accept it");
    rig.refuse(3, TOPIC, 1);
    assert_eq!(rig.told(), ["1: 1 not enough +2 -1 -3"]);
    rig.accept(1, TOPIC, 2);
    assert_eq!(rig.told(), ["1: accepted up to 2 by 2 1"]);
}

#[test]
fn a_queues_message_that_its_target_refuses_fails_at_once() {
    let mut rig = Rig::with_targets(1, 1);
    rig.send(QUEUE, 1).expect("room");
    rig.refuse(1, QUEUE, 1);
    assert_eq!(rig.told(), ["2: 1 not enough -1"]);
}

#[test]
fn when_too_few_targets_are_left_what_waits_fails() {
    let mut rig = Rig::with_targets(2, 1);
    rig.send(TOPIC, 1).expect("room");
    rig.fanout.handle_prospects(1, &mut rig.out);
    rig.read();
    assert_eq!(rig.told(), Vec::<String>::new(), "one more may come up");
    rig.fanout.handle_prospects(0, &mut rig.out);
    rig.read();
    assert_eq!(rig.told(), ["1: 1 not enough"]);
    rig.send(TOPIC, 1).expect("room");
    assert_eq!(rig.told(), ["1: 2 not enough"], "at once");
}

#[test]
fn a_send_ends_by_its_deadline_whatever_happens() {
    let mut rig = Rig::new(FanoutConfig { send_timeout: Duration::from_millis(50), ..FanoutConfig::default() });
    rig.up(1);
    rig.up(2);
    rig.send(TOPIC, 1).expect("room");
    rig.accept(1, TOPIC, 1);
    rig.pass(Duration::from_millis(20));
    rig.send(TOPIC, 1).expect("room");
    assert_eq!(rig.fanout.poll_timeout(), Some(Instant::from_millis(50)));
    rig.pass(Duration::from_millis(30));
    assert_eq!(rig.told(), ["1: 1 timed out +1"]);
    assert_eq!(rig.fanout.poll_timeout(), Some(Instant::from_millis(70)));
    rig.accept(1, TOPIC, 2);
    rig.accept(2, TOPIC, 2);
    assert_eq!((rig.told(), rig.fanout.poll_timeout()), (Vec::from(["1: accepted up to 2 by 1 2".into()]), None));
}

/// The second message has been accepted by enough, and waits for the first to be told of; both run out of time at once.
#[test]
fn what_enough_have_accepted_is_accepted_when_the_one_before_it_ends_otherwise() {
    for is_closed in [false, true] {
        let mut rig = Rig::with_acks(1);
        rig.up(1);
        rig.up(2);
        rig.send(TOPIC, 2).expect("room");
        rig.refuse(1, TOPIC, 1);
        rig.accept(1, TOPIC, 2);
        assert_eq!(rig.told(), Vec::<String>::new(), "the second target may still accept the first message");
        let refused = if is_closed {
            rig.fanout.close_stream(TOPIC, &Refusal::Closed { what: What::Producer }, &mut rig.out);
            rig.read();
            "1: 1 closed -1"
        } else {
            rig.pass(Duration::from_mins(1));
            "1: 1 timed out -1"
        };
        assert_eq!(rig.told(), [refused, "1: accepted up to 2 by 1"]);
        assert_eq!(rig.fanout.held_bytes().0, 0);
    }
}

#[test]
fn what_waits_is_bounded_and_freed_when_it_is_settled() {
    let size = 1000;
    let mut rig = Rig::new(FanoutConfig { acks_min: 1, memory_max: 5 * size as u64, ..FanoutConfig::default() });
    let refused = (0..5).find_map(|_| rig.send_sized(TOPIC, 1, size).err());
    assert_eq!(refused, Some(Refusal::MemoryFull { max: 5000 }));
    rig.up(1);
    rig.accept(1, TOPIC, rig.sent[&TOPIC]);
    assert_eq!(rig.fanout.held_bytes(), (0, 0));
    rig.send_sized(TOPIC, 1, size).expect("room again");
}

#[test]
fn a_target_too_far_behind_is_parted_from_and_the_others_are_not_held_up() {
    let mut rig = Rig::new(FanoutConfig { acks_min: 1, memory_max: 100_000, window: 4000, ..FanoutConfig::default() });
    rig.up(1);
    rig.up(2);
    let mut rounds = 0;
    while rig.told().iter().all(|told| told != "close 2") {
        rig.send_sized(TOPIC, 1, 1000).expect("room");
        rounds += 1;
        assert_eq!(rig.take(1, TOPIC), [rounds], "the other gets each at once");
        rig.accept(1, TOPIC, rounds);
        assert!(rig.fanout.held_bytes().1 <= 100_000 + 2000);
        assert!(rounds < 200);
    }
    assert!(rounds > 90 && rig.take(2, TOPIC).len() < 6);
    assert_eq!(rig.fanout.held_bytes(), (0, 0));
}

/// What a lost target had not answered is for another now, behind all that waits for that one already.
#[test]
fn what_is_released_anew_when_a_target_is_lost_is_bounded_too() {
    let max = 5_000;
    let mut rig = Rig::new(FanoutConfig { acks_min: 1, memory_max: max, window: 1, ..FanoutConfig::default() });
    rig.up(1);
    rig.up(2);
    rig.send(TOPIC, 1).expect("room"); // Both have all they may have.
    rig.send_sized(QUEUE, 1, 3_000).expect("room");
    let primary = rig.fanout.primary.expect("one was chosen").0;
    rig.down(primary);
    let other = 3 - primary;
    assert_eq!((rig.told(), rig.fanout.held_bytes().1), (Vec::from([format!("close {other}")]), 0));
    rig.up_as(LinkId(9), other, 1 << 20);
    rig.accept(9, TOPIC, 1);
    assert_eq!((rig.take(9, TOPIC), rig.take(9, QUEUE)), (Vec::from([1]), Vec::from([1])));
}

#[test]
fn a_message_that_a_target_can_not_take_is_refused_for_it() {
    let mut rig = Rig::with_acks(1);
    rig.up_as(LinkId(1), 1, 40_000);
    rig.up(2);
    rig.fanout.handle_prospects(0, &mut rig.out);
    rig.send_sized(TOPIC, 1, 50_000).expect("room");
    rig.send(TOPIC, 1).expect("room");
    assert_eq!((rig.take(1, TOPIC), rig.take(2, TOPIC)), (Vec::from([2]), Vec::from([1, 2])));
    rig.accept(1, TOPIC, 2);
    rig.accept(2, TOPIC, 2);
    assert_eq!(rig.told(), ["1: accepted up to 1 by 2", "1: accepted up to 2 by 1 2"]);
}

#[test]
fn closing_a_producer_refuses_what_is_not_settled_and_tells_every_target() {
    let mut rig = Rig::with_targets(2, 2);
    rig.send(TOPIC, 2).expect("room");
    rig.accept(1, TOPIC, 2);
    rig.fanout.close_stream(TOPIC, &Refusal::Closed { what: What::Producer }, &mut rig.out);
    rig.read();
    let finished =
        rig.outcomes.iter().filter(|said| matches!(said, Output::Say { frame: Frame::Finish { stream: 1 }, .. }));
    assert_eq!(finished.count(), 2);
    assert_eq!(rig.told(), ["1: 1 closed +1", "1: 2 closed +1"]);
    assert_eq!((rig.fanout.held_bytes(), rig.fanout.poll_timeout()), ((0, 0), None));
    rig.accept(2, TOPIC, 2);
    assert_eq!(rig.told(), Vec::<String>::new(), "a late answer is no fault");
}

#[test]
fn an_answer_to_what_was_never_sent_ends_the_link() {
    let mut rig = Rig::with_targets(1, 1);
    rig.send(TOPIC, 1).expect("room");
    rig.accept(1, TOPIC, 2);
    assert_eq!(rig.told(), ["close 1"]);
    rig.refuse(1, 77, 1);
    assert_eq!(rig.told(), ["close 1"]);
}

#[test]
fn a_message_is_encoded_once_for_all_targets() {
    let mut rig = Rig::with_acks(1);
    (1..=16).for_each(|number| rig.up(number));
    for sequence in 1..=100 {
        rig.fanout.handle_send(rig.now, TOPIC, 0, message(TOPIC, sequence, 256)).expect("room");
    }
    rig.fanout.flush(&mut rig.out);
    let bursts: Vec<Arc<Burst>> = rig
        .out
        .drain()
        .filter_map(|output| match output {
            Output::Burst { burst, .. } => Some(burst),
            _ => None,
        })
        .collect();
    assert_eq!(bursts.len(), 16);
    assert!(bursts.iter().all(|burst| Arc::ptr_eq(burst, &bursts[0])), "all targets are given the same bytes");
}

/// What a target had before.
fn delivery(tag: Tag, sequence: u64) -> Delivery {
    let message = Message {
        id: MessageId { producer: ProducerId { broker: BrokerId(5), number: 1 }, sequence },
        destination: "queue://q".parse().expect("valid"),
        path: Path::default(),
        timestamp: Timestamp::default(),
        body: Body::default(),
    };
    Delivery { tag, redeliveries: 0, message: Arc::new(message) }
}

/// A consumer that is confirmed, and what was said about it since.
fn consumer(rig: &mut Rig, pattern: &str) {
    confirmed(rig, &Subscription::new(pattern.parse().expect("valid")));
}

/// One that only looks, and is confirmed.
fn browser(rig: &mut Rig) {
    confirmed(rig, &Subscription { browses: true, ..Subscription::new("queue://q".parse().expect("valid")) });
}

fn confirmed(rig: &mut Rig, subscription: &Subscription) {
    let request = RequestId(1);
    rig.fanout.subscribe(rig.now, CONNECTION, ConsumerId(8), subscription, request, &mut rig.out);
    for link in rig.fanout.targets.keys().copied().collect::<Vec<_>>() {
        rig.fanout.handle_frame(link, Frame::Subscribed { number: 1, result: Ok(()) }, &mut rig.out);
    }
    let replies = rig.out.drain().filter(|said| *said == Output::Replied { request, result: Ok(()) });
    assert_eq!(replies.count(), 1);
}

fn forward(rig: &mut Rig, link: u64, delivery: Delivery) {
    let Delivery { tag, redeliveries, message } = delivery;
    rig.hear(link, Frame::Forward { demand: 1, tag, redeliveries, message });
}

/// The tags handed out and the acknowledgements said, in short.
fn consumed(rig: &mut Rig) -> Vec<String> {
    let tell = |output| match output {
        Output::Browsed { .. } => Some("shown all".to_string()),
        Output::Deliver { delivery, .. } => Some(format!("deliver {}", delivery.tag)),
        Output::Say { link, frame: Frame::Ack(ack) } => {
            Some(format!("{link}: {:?} {:?} {}", ack.kind, ack.extent, ack.tag))
        }
        _ => None,
    };
    rig.outcomes.drain(..).filter_map(tell).collect()
}

fn ack(rig: &mut Rig, tag: Tag, extent: crate::model::AckExtent, kind: crate::model::AckKind) -> Result<(), Refusal> {
    let result = rig.fanout.acknowledge(CONNECTION, Ack { consumer: ConsumerId(8), tag, extent, kind }, &mut rig.out);
    rig.read();
    result
}

#[test]
fn nobody_answers_for_another_connection_or_ends_its_consumers() {
    use crate::model::{AckExtent::Individual, AckKind::Accepted};
    let mut rig = Rig::with_targets(1, 1);
    consumer(&mut rig, "queue://q");
    forward(&mut rig, 1, delivery(1, 40));
    assert_eq!(consumed(&mut rig), ["deliver 1"]);
    let (other, id) = (ConnectionId(2), ConsumerId(8));
    let unknown = Err(Refusal::unknown_consumer(id));
    let ours = Ack { consumer: id, tag: 1, extent: Individual, kind: Accepted };
    assert_eq!(rig.fanout.acknowledge(other, ours, &mut rig.out), unknown);
    assert_eq!(rig.fanout.unsubscribe(other, id, 1, &mut rig.out), unknown);
    assert_eq!(ack(&mut rig, 1, Individual, Accepted), Ok(()));
    assert_eq!(consumed(&mut rig), ["1: Accepted Individual 1"]);
}

#[test]
fn a_message_that_two_targets_have_is_handed_out_once_and_answered_at_both() {
    use crate::model::{AckExtent::Individual, AckKind::Accepted};
    let mut rig = Rig::with_targets(1, 2);
    consumer(&mut rig, "queue://q");
    forward(&mut rig, 1, delivery(1, 40));
    forward(&mut rig, 2, delivery(1, 40));
    assert_eq!(consumed(&mut rig), ["deliver 1"]);
    ack(&mut rig, 1, Individual, Accepted).expect("outstanding");
    assert_eq!(consumed(&mut rig), ["1: Accepted Individual 1", "2: Accepted Individual 1"]);
    forward(&mut rig, 2, delivery(2, 40));
    assert_eq!(consumed(&mut rig), ["2: Accepted Individual 2"], "it was done with before");
}

#[test]
fn whoever_looks_is_shown_what_each_target_has_until_the_last_has_no_more() {
    use crate::model::{AckExtent::UpTo, AckKind::Accepted};
    let mut rig = Rig::with_targets(1, 2);
    browser(&mut rig);
    forward(&mut rig, 1, delivery(1, 40));
    forward(&mut rig, 2, delivery(1, 40)); // A copy is shown once.
    forward(&mut rig, 2, delivery(2, 41));
    rig.hear(2, Frame::Browsed { number: 1 });
    rig.hear(2, Frame::Browsed { number: 1 });
    assert_eq!(consumed(&mut rig), ["deliver 1", "deliver 2"], "the other has more");
    ack(&mut rig, 2, UpTo, Accepted).expect("outstanding");
    consumed(&mut rig);
    rig.hear(1, Frame::Browsed { number: 1 });
    rig.hear(1, Frame::Browsed { number: 1 });
    assert_eq!(consumed(&mut rig), ["shown all"], "and once");
    rig.up(3);
    let asked = |said: &Output| matches!(said, Output::Say { frame: Frame::Subscribe { .. }, .. });
    assert!(!rig.outcomes.iter().any(asked), "who comes later was not there");
}

#[test]
fn a_consumer_that_one_target_ends_ends_on_all_of_them() {
    let mut rig = Rig::with_targets(1, 2);
    consumer(&mut rig, "topic://t");
    forward(&mut rig, 2, delivery(1, 40));
    rig.outcomes.clear();
    let refusal = Refusal::TooSlow { bytes: 2, max: 1, after: Duration::from_secs(1) };
    for _ in 0..2 {
        rig.hear(1, Frame::ConsumerEnded { number: 1, refusal: refusal.clone() });
    }
    let unsubscribe = |link, seen| Output::Say { link: LinkId(link), frame: Frame::Unsubscribe { number: 1, seen } };
    let ended = Output::ConsumerEnded { connection: CONNECTION, consumer: ConsumerId(8), refusal };
    assert_eq!(rig.outcomes.drain(..).collect::<Vec<_>>(), [unsubscribe(1, 0), unsubscribe(2, 1), ended]);
    forward(&mut rig, 2, delivery(2, 41));
    assert_eq!(rig.outcomes.drain(..).count(), 0, "what comes late is nobody's");
    rig.up(3);
    let asked = |said: &Output| matches!(said, Output::Say { frame: Frame::Subscribe { .. }, .. });
    assert!(!rig.outcomes.iter().any(asked), "nor is it on targets that come later");
}

#[test]
fn what_was_shown_was_not_taken() {
    use crate::model::{AckExtent::UpTo, AckKind::Accepted};
    let mut rig = Rig::with_targets(1, 1);
    browser(&mut rig);
    forward(&mut rig, 1, delivery(1, 40));
    ack(&mut rig, 1, UpTo, Accepted).expect("outstanding");
    let taker = Subscription::new("queue://q".parse().expect("valid"));
    rig.fanout.subscribe(rig.now, CONNECTION, ConsumerId(9), &taker, RequestId(2), &mut rig.out);
    consumed(&mut rig);
    let Delivery { tag, redeliveries, message } = delivery(1, 40);
    rig.hear(1, Frame::Forward { demand: 2, tag, redeliveries, message });
    assert_eq!(consumed(&mut rig), ["deliver 1"], "whoever takes is handed it all the same");
}

#[test]
fn a_target_that_is_lost_or_refuses_has_nothing_more_to_show() {
    let mut rig = Rig::with_targets(1, 3);
    let subscription = Subscription { browses: true, ..Subscription::new("queue://q".parse().expect("valid")) };
    rig.fanout.subscribe(rig.now, CONNECTION, ConsumerId(8), &subscription, RequestId(1), &mut rig.out);
    rig.hear(1, Frame::Subscribed { number: 1, result: Ok(()) });
    rig.hear(1, Frame::Browsed { number: 1 });
    rig.hear(2, Frame::Subscribed { number: 1, result: Err(Refusal::Stopping) });
    assert_eq!(consumed(&mut rig), Vec::<String>::new());
    rig.down(3);
    rig.down(2);
    assert_eq!(consumed(&mut rig), ["shown all"]);
}

#[test]
fn one_word_answers_many_deliveries_of_each_target() {
    use crate::model::{AckExtent::UpTo, AckKind::Accepted};
    let mut rig = Rig::with_targets(1, 2);
    consumer(&mut rig, "topic://t");
    for (link, tag, sequence) in [(1, 1, 1), (1, 2, 2), (2, 1, 3), (1, 3, 4)] {
        forward(&mut rig, link, delivery(tag, sequence));
    }
    consumed(&mut rig);
    ack(&mut rig, 3, UpTo, Accepted).expect("outstanding");
    assert_eq!(consumed(&mut rig), ["1: Accepted UpTo 2", "2: Accepted UpTo 1"]);
    assert_eq!(ack(&mut rig, 3, UpTo, Accepted), Err(Refusal::NotOutstanding { consumer: ConsumerId(8), tag: 3 }));
}

#[test]
fn a_message_that_goes_back_goes_back_once() {
    use crate::model::{AckExtent::Individual, AckKind::Released};
    let mut rig = Rig::with_targets(1, 2);
    consumer(&mut rig, "queue://q");
    forward(&mut rig, 1, delivery(1, 40));
    forward(&mut rig, 2, delivery(1, 40));
    ack(&mut rig, 1, Individual, Released).expect("outstanding");
    assert_eq!(consumed(&mut rig), ["deliver 1", "1: Released Individual 1", "2: Accepted Individual 1"]);
    forward(&mut rig, 1, delivery(2, 40));
    assert_eq!(consumed(&mut rig), ["deliver 2"], "it comes again");
}

#[test]
fn a_target_that_returns_with_what_the_application_has_adds_no_copy() {
    use crate::model::{AckExtent::UpTo, AckKind::Accepted};
    let mut rig = Rig::with_targets(1, 1);
    consumer(&mut rig, "queue://q");
    forward(&mut rig, 1, delivery(1, 40));
    forward(&mut rig, 1, delivery(2, 41));
    rig.down(1);
    ack(&mut rig, 1, UpTo, Accepted).expect("it is the application's");
    rig.up_as(LinkId(2), 1, 1 << 20);
    consumed(&mut rig);
    forward(&mut rig, 2, delivery(1, 40));
    forward(&mut rig, 2, delivery(2, 41));
    assert_eq!(consumed(&mut rig), ["2: Accepted Individual 1"], "one was done with, one is in hand");
    ack(&mut rig, 2, UpTo, Accepted).expect("outstanding");
    assert_eq!(consumed(&mut rig), ["2: Accepted Individual 2"]);
}

#[test]
fn a_consumer_that_too_few_confirm_is_refused_in_time_and_ended_everywhere() {
    let mut rig = Rig::with_targets(2, 2);
    let subscription = Subscription::new("topic://t".parse().expect("valid"));
    rig.fanout.subscribe(rig.now, CONNECTION, ConsumerId(8), &subscription, RequestId(3), &mut rig.out);
    rig.hear(1, Frame::Subscribed { number: 1, result: Ok(()) });
    rig.outcomes.clear();
    rig.pass(Duration::from_secs(30));
    let refusal = Refusal::TimedOut { accepted: 1, needed: 2, after: Duration::from_secs(30) };
    let end = |link| Output::Say { link: LinkId(link), frame: Frame::Unsubscribe { number: 1, seen: 0 } };
    let replied = Output::Replied { request: RequestId(3), result: Err(refusal) };
    assert_eq!(rig.outcomes, [end(1), end(2), replied]);
}

#[test]
fn a_request_to_consume_that_the_end_has_refused_is_not_answered_again() {
    let mut rig = Rig::with_acks(1);
    let subscription = Subscription::new("topic://t".parse().expect("valid"));
    rig.fanout.subscribe(rig.now, CONNECTION, ConsumerId(8), &subscription, RequestId(3), &mut rig.out);
    rig.fanout.handle_stop(&mut rig.out);
    rig.fanout.handle_timeout(rig.now + Duration::from_mins(1), &mut rig.out);
    let replied = Output::Replied { request: RequestId(3), result: Err(Refusal::Stopping) };
    assert_eq!(rig.out.drain().collect::<Vec<_>>(), [replied]);
}

/// Something that may befall a fanout.
#[derive(Clone, Copy, Debug)]
enum Step {
    Accept(u64, u64),
    Down(u64),
    Pass(u64),
    Refuse(u64, u64),
    Send(u64, u64),
    Up(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..4, 1_u64..3).prop_map(|(link, stream)| Step::Accept(link, stream)),
        1 => (0_u64..4).prop_map(Step::Down),
        1 => (1_u64..40).prop_map(Step::Pass),
        1 => (0_u64..4, 1_u64..3).prop_map(|(link, stream)| Step::Refuse(link, stream)),
        4 => (1_u64..3, 1_u64..4).prop_map(|(stream, count)| Step::Send(stream, count)),
        2 => (0_u64..4).prop_map(Step::Up),
    ]
}

proptest! {
    /// Invariants F1, F3, F5 and F7, whatever targets do: each send ends once, as accepted only if enough brokers
    /// accepted it; nothing is forgotten and nothing is kept.
    #[test]
    fn each_send_ends_once_and_never_better_than_it_was(
        acks_min in 1_u32..4,
        replicates_queues: bool,
        steps in proptest::collection::vec(any_step(), 1..120),
    ) {
        let send_timeout = Duration::from_millis(100);
        let mut rig = Rig::new(FanoutConfig { acks_min, replicates_queues, send_timeout, ..FanoutConfig::default() });
        let mut links: BTreeMap<u64, LinkId> = BTreeMap::new(); // By broker.
        let mut born = 0;
        let mut accepted: BTreeSet<(u64, u64, u64)> = BTreeSet::new(); // Broker, stream, number.
        let mut asked: BTreeMap<(LinkId, u64), Vec<u64>> = BTreeMap::new(); // What each link has not answered.
        let mut ended: BTreeSet<(u64, u64)> = BTreeSet::new();
        for step in steps.into_iter().chain([Step::Pass(1000)]) {
            match step {
                Step::Up(broker) if !links.contains_key(&broker) => {
                    born += 1;
                    links.insert(broker, LinkId(born));
                    rig.up_as(LinkId(born), broker, 1 << 20);
                }
                Step::Down(broker) => {
                    if let Some(link) = links.remove(&broker) {
                        asked.retain(|(of, _), _| *of != link);
                        rig.down(link.0);
                    }
                }
                Step::Accept(broker, stream) => {
                    let link = links.get(&broker).copied();
                    if let Some(tags) = link.and_then(|link| asked.remove(&(link, stream))) {
                        accepted.extend(tags.iter().map(|tag| (broker, stream, *tag)));
                        rig.accept(links[&broker].0, stream, *tags.last().expect("not empty"));
                    }
                }
                Step::Refuse(broker, stream) => {
                    let link = links.get(&broker).copied();
                    if let Some(tags) = link.and_then(|link| asked.get_mut(&(link, stream))) {
                        let tag = tags.remove(0);
                        if tags.is_empty() {
                            asked.remove(&(links[&broker], stream));
                        }
                        rig.refuse(links[&broker].0, stream, tag);
                    }
                }
                Step::Send(stream, count) => rig.send(stream, count).expect("room"),
                Step::Pass(millis) => rig.pass(Duration::from_millis(millis)),
                Step::Up(_) => (),
            }
            for (link, stream, tag, _) in rig.got.drain(..) {
                prop_assert!(links.len() >= acks_min as usize, "sent with {} targets", links.len());
                let tags = asked.entry((link, stream.into())).or_default();
                prop_assert!(tags.last().is_none_or(|last| *last < tag), "{tag} after {tags:?}");
                tags.push(tag);
                if u64::from(stream) == QUEUE && !replicates_queues {
                    let holders = asked.iter().filter(|((_, of), tags)| *of == QUEUE && tags.contains(&tag));
                    prop_assert_eq!(holders.count(), 1, "{} is unanswered at two targets", tag);
                }
            }
            for output in rig.outcomes.drain(..) {
                match output {
                    Output::Accepted { producer, up_to, count, by, .. } => {
                        let needed = if producer == TOPIC || replicates_queues { acks_min as usize } else { 1 };
                        prop_assert!(by.len() >= needed);
                        let (mut found, mut number) = (0, up_to);
                        while found < count {
                            if ended.insert((producer, number)) {
                                found += 1;
                                for broker in &by {
                                    let broker = u64::try_from(broker.0).expect("small");
                                    prop_assert!(accepted.contains(&(broker, producer, number)), "{broker} {number}");
                                }
                            }
                            number -= 1;
                        }
                    }
                    Output::Refused { producer, sequence, answers, .. } => {
                        prop_assert!(ended.insert((producer, sequence)), "{sequence} ends twice");
                        for answer in answers {
                            let broker = u64::try_from(answer.broker.0).expect("small");
                            prop_assert_eq!(answer.result.is_ok(), accepted.contains(&(broker, producer, sequence)));
                        }
                    }
                    Output::Close { reason, .. } => prop_assert!(false, "{}", reason),
                    _ => (),
                }
            }
        }
        prop_assert_eq!(ended.len() as u64, rig.sent.values().sum::<u64>(), "every send has ended");
        prop_assert_eq!(rig.fanout.held_bytes().0, 0);
        prop_assert_eq!(rig.fanout.poll_timeout(), None);
    }
}
