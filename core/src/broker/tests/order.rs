//! The order of a queue, against a model that looks at everything each time.

use super::*;
use crate::model::{ConsumerPriority, Priority, Selector};

/// What a random run does.
#[derive(Clone, Debug)]
enum Step {
    Send { producer: usize, level: u8, colour: i64, group: Option<u8>, sequence: i64 },
    Subscribe { consumer: u64, prefetch: u32, priority: u8, exclusive: bool, wish: usize },
    Unsubscribe { consumer: u64, seen: usize },
    Answer { consumer: u64, index: usize, extent: AckExtent, kind: AckKind },
}

fn any_step() -> impl Strategy<Value = Step> {
    let consumer = 1_u64..5;
    let extent = prop_oneof![Just(AckExtent::Individual), Just(AckExtent::UpTo)];
    let kind = prop_oneof![3 => Just(AckKind::Accepted), 2 => Just(AckKind::Released)];
    let level = prop_oneof![4 => Just(4_u8), 1 => Just(0_u8), 1 => Just(9_u8)];
    let sequence = prop_oneof![4 => Just(0_i64), 1 => Just(1_i64), 1 => Just(-1_i64)];
    let priority = prop_oneof![4 => 0_u8..2, 1 => Just(127_u8)];
    prop_oneof![
        8 => (0_usize..2, level, 0_i64..2, proptest::option::of(0_u8..3), sequence)
            .prop_map(|(producer, level, colour, group, sequence)| Step::Send { producer, level, colour, group, sequence }),
        3 => (consumer.clone(), 1_u32..4, priority, proptest::bool::weighted(0.2), 0..WISHES.len())
            .prop_map(|(consumer, prefetch, priority, exclusive, wish)| Step::Subscribe { consumer, prefetch, priority, exclusive, wish }),
        1 => (consumer.clone(), 0_usize..4).prop_map(|(consumer, seen)| Step::Unsubscribe { consumer, seen }),
        8 => (consumer, 0_usize..3, extent, kind)
            .prop_map(|(consumer, index, extent, kind)| Step::Answer { consumer, index, extent, kind }),
    ]
}

/// Whether a consumer wants a message.
type Wish = fn(&Known) -> bool;

/// What consumers may wish for: as a selector, and in other words.
const WISHES: [(&str, Wish); 6] = [
    ("", |_| true),
    ("", |_| true),
    ("colour = 1", |message| message.colour == 1),
    ("JMSPriority > 3 OR colour <> 1", |message| message.level > 3 || message.colour != 1),
    ("NOT JMSRedelivered", |message| message.redeliveries == 0),
    ("colour = 0 OR JMSXDeliveryCount > 2", |message| message.colour == 0 || message.redeliveries > 1),
];

/// A message as the model knows it.
#[derive(Clone, Debug)]
struct Known {
    producer: Origin,
    level: u8,
    colour: i64,
    group: Option<u8>,
    sequence: i64,
    redeliveries: u32,
    was_handed_out: bool,
}

/// A consumer as the model knows it.
#[derive(Debug)]
struct Seat {
    prefetch: usize,
    priority: u8,
    is_exclusive: bool,
    wants: Wish,
    came: usize,
    outstanding: Vec<(Tag, u64)>,
    /// The last message that was handed out for the first time, by producer and level.
    last: BTreeMap<(Origin, u8), u64>,
}

/// A queue, its consumers and its groups.
#[derive(Debug, Default)]
struct Model {
    messages: BTreeMap<u64, Known>, // By the number they were sent under.
    waiting: BTreeSet<(u8, u64)>,   // What is left of the levels above, and the number.
    seats: BTreeMap<u64, Seat>,
    came: usize,
    holder: Option<u64>,
    owners: BTreeMap<u8, u64>,
}

impl Model {
    fn wait(&mut self, number: u64) {
        self.waiting.insert((9 - self.messages[&number].level, number));
    }

    fn sit_down(&mut self, consumer: u64, prefetch: u32, priority: u8, is_exclusive: bool, wants: Wish) {
        self.came += 1;
        let (prefetch, came) = (prefetch as usize, self.came);
        let (outstanding, last) = (Vec::new(), BTreeMap::new());
        let seat = Seat { prefetch, priority, is_exclusive, wants, came, outstanding, last };
        self.seats.insert(consumer, seat);
        let gives_way = self.holder.is_none_or(|holder| priority == 127 || priority > self.seats[&holder].priority);
        if is_exclusive && gives_way {
            self.holder = Some(consumer);
        }
    }

    fn stand_up(&mut self, consumer: u64, seen: Tag) {
        let gone = self.seats.remove(&consumer).expect("seated");
        for (tag, number) in gone.outstanding {
            self.give_back(number, tag <= seen);
        }
        self.owners.retain(|_, owner| *owner != consumer);
        if self.holder == Some(consumer) {
            let heirs = self.seats.iter().filter(|(_, seat)| seat.is_exclusive);
            let heir = heirs.max_by_key(|(_, seat)| (seat.priority, usize::MAX - seat.came));
            self.holder = heir.map(|(consumer, _)| *consumer);
        }
    }

    fn give_back(&mut self, number: u64, was_seen: bool) {
        self.messages.get_mut(&number).expect("known").redeliveries += u32::from(was_seen);
        self.wait(number);
    }

    /// True if a consumer may be handed a message, whatever its credit.
    fn may_take(&self, consumer: u64, number: u64) -> bool {
        let message = &self.messages[&number];
        let owner = message.group.and_then(|group| self.owners.get(&group));
        let begins = message.sequence == 1 && message.redeliveries == 0;
        let is_its = match self.holder {
            Some(holder) => holder == consumer,
            None => begins || owner.is_none_or(|owner| *owner == consumer),
        };
        is_its && (self.seats[&consumer].wants)(message)
    }

    fn has_credit(&self, consumer: u64) -> bool {
        self.seats[&consumer].outstanding.len() < self.seats[&consumer].prefetch
    }

    /// Takes note of a delivery, or says what is wrong with it.
    fn deliver(&mut self, consumer: u64, tag: Tag, number: u64, redeliveries: u32) -> Result<(), TestCaseError> {
        let message = self.messages.get(&number).cloned().expect("sent");
        let place = (9 - message.level, number);
        prop_assert!(self.waiting.contains(&place), "{number} does not wait: it is held, or done with"); // Q2, Q4.
        prop_assert_eq!(redeliveries, message.redeliveries);
        prop_assert!(self.has_credit(consumer), "{} has no credit", consumer); // Q5.
        prop_assert!(self.may_take(consumer, number), "{number} is not for {consumer}");
        let skipped = self.waiting.range(..place).find(|(_, earlier)| self.may_take(consumer, *earlier));
        prop_assert_eq!(skipped, None, "{} was handed {} before it", consumer, number); // Q6.
        let priority = self.seats[&consumer].priority;
        let mut others = self.seats.iter().filter(|(other, seat)| {
            seat.priority > priority && self.has_credit(**other) && self.may_take(**other, number)
        });
        prop_assert!(others.next().is_none(), "{number} went to {consumer}, before whom others come");
        self.waiting.remove(&place);
        if let Some(group) = message.group {
            let begins = message.sequence == 1 && message.redeliveries == 0;
            if message.sequence < 0 {
                self.owners.remove(&group);
            } else if begins {
                self.owners.insert(group, consumer);
            } else {
                self.owners.entry(group).or_insert(consumer);
            }
        }
        let seat = self.seats.get_mut(&consumer).expect("seated");
        seat.outstanding.push((tag, number));
        if !core::mem::replace(&mut self.messages.get_mut(&number).expect("known").was_handed_out, true)
            && message.group.is_none()
        {
            let last = seat.last.insert((message.producer, message.level), number);
            prop_assert!(last.is_none_or(|last| last < number), "one producer's came in another order"); // Q6.
        }
        Ok(())
    }

    /// Q7: nothing waits that somebody with credit may take.
    fn check_nothing_is_missed(&self) -> Result<(), TestCaseError> {
        for (_, number) in &self.waiting {
            let taker = self.seats.keys().find(|seat| self.has_credit(**seat) && self.may_take(**seat, *number));
            prop_assert_eq!(taker, None, "{} waits", number);
        }
        Ok(())
    }
}

fn body(level: u8, colour: i64, group: Option<u8>, sequence: i64) -> Body {
    let mut body = Body { priority: Priority::try_from(level).expect("a priority"), ..Body::default() };
    body.headers.properties.set("colour", colour).expect("room");
    if let Some(group) = group {
        body.headers.properties.set("JMSXGroupID", format!("{group}")).expect("room");
        body.headers.properties.set("JMSXGroupSeq", sequence).expect("room");
    }
    body
}

proptest! {
    /// Invariants Q2, Q4, Q5, Q6 and Q7 of the reliability reference, with priorities of messages and consumers,
    /// consumers that want the queue alone, groups and selectors: whoever is handed a message is handed the first that they may
    /// take, nobody who comes before them could have taken it, and what one producer sends under one priority comes to
    /// each consumer in order.
    #[test]
    fn a_queue_keeps_its_order(steps in proptest::collection::vec(any_step(), 1..150)) {
        let (mut bench, mut model) = (Bench::with(at_once()), Model::default());
        for step in steps {
            let said = match step {
                Step::Send { producer, level, colour, group, sequence } => {
                    let (from, number) = ([APP, OTHER][producer], bench.sent + 1);
                    let known = Known { producer: from, level, colour, group, sequence, redeliveries: 0, was_handed_out: false };
                    model.messages.insert(number, known);
                    model.wait(number);
                    bench.send_one(from, "q", body(level, colour, group, sequence))
                }
                Step::Subscribe { consumer, prefetch, priority, exclusive, wish } if !model.seats.contains_key(&consumer) => {
                    let (text, wants) = WISHES[wish];
                    model.sit_down(consumer, prefetch, priority, exclusive, wants);
                    let selector = Selector::parse_optional(text).expect("a selector");
                    let priority = ConsumerPriority::try_from(priority).expect("a priority");
                    let destination = "q".parse().expect("a queue");
                    let wish = Subscription { prefetch: Some(prefetch), priority, exclusive, selector, ..Subscription::new(destination) };
                    bench.subscribe_as(APP, ConsumerId(consumer), wish)
                }
                Step::Unsubscribe { consumer, seen } if model.seats.contains_key(&consumer) => {
                    let seen = model.seats[&consumer].outstanding.get(seen).map_or(0, |(tag, _)| *tag);
                    model.stand_up(consumer, seen);
                    bench.unsubscribe(APP, ConsumerId(consumer), seen)
                }
                Step::Answer { consumer, index, extent, kind } => {
                    let Some(seat) = model.seats.get_mut(&consumer) else { continue };
                    let Some((tag, _)) = seat.outstanding.get(index).copied() else { continue };
                    let covered = if extent == AckExtent::UpTo { 0..index + 1 } else { index..index + 1 };
                    let answered: Vec<_> = seat.outstanding.drain(covered).collect();
                    if kind == AckKind::Released {
                        for (_, number) in answered {
                            model.give_back(number, true);
                        }
                    }
                    bench.ack(APP, Ack { consumer: ConsumerId(consumer), tag, extent, kind }).expect("outstanding")
                }
                Step::Subscribe { .. } | Step::Unsubscribe { .. } => continue,
            };
            for said in said {
                if let Said::Deliver { consumer, tag, sequence, redeliveries } = said {
                    model.deliver(consumer, tag, sequence, redeliveries)?;
                }
            }
            model.check_nothing_is_missed()?;
            prop_assert_eq!(bench.broker.stats().queued, model.waiting.len() as u64); // Q1.
        }
    }
}
