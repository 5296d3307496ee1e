//! A queue's message groups: which messages belong together, and which consumer takes those of each group.
//!
//! A group is known while a message of it waits or is outstanding, or while somebody has it. So what is kept of groups
//! is bounded by the messages there are, and by how many groups without any are remembered.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::place::Place;
use super::queue::Entry;
use super::registry::Consumer;
use super::stray::Takers;
use super::subscription::SubscriptionId;
use crate::model::{Message, Value};

/// A group's number at its queue; another group has it once this one is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupSlot(NonZeroU32); // So that an entry takes no more room for it.

/// The groups of one queue.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_name: BTreeMap<Arc<[u8]>, GroupSlot>,
    groups: Vec<Option<Group>>, // By number, from 1.
    unused: Vec<GroupSlot>,
    idle: BTreeMap<u64, GroupSlot>, // Groups that somebody has and that no message is of, those idle longest first.
    idled: u64,
    owners: BTreeMap<SubscriptionId, usize>, // How many groups each consumer has.
    freed: Option<Place>,
}

#[derive(Debug)]
struct Group {
    name: Arc<[u8]>,
    messages: usize, // That wait or are outstanding.
    owner: Option<SubscriptionId>,
    idle: u64,                  // Its key there, if it is idle.
    passed_over: Option<Place>, // The first message that somebody was not handed because another has the group.
}

impl Groups {
    /// Notes a message that has come; tells which group it is of.
    #[inline]
    pub(super) fn enter(&mut self, message: &Message) -> Option<GroupSlot> {
        if message.body.headers.properties.is_empty() {
            return None;
        }
        name(message).map(|name| self.enter_named(name))
    }

    /// The group of a message, if there is it.
    pub(super) fn find(&self, message: &Message) -> Option<GroupSlot> {
        self.by_name.get(name(message)?).copied()
    }

    fn enter_named(&mut self, name: &[u8]) -> GroupSlot {
        let id = match self.by_name.get(name) {
            Some(id) => *id,
            None => self.add(name),
        };
        let group = self.get_mut(id);
        group.messages += 1;
        let idle = group.idle;
        self.idle.remove(&idle);
        id
    }

    fn add(&mut self, name: &[u8]) -> GroupSlot {
        let name: Arc<[u8]> = name.into();
        let id = self.unused.pop().unwrap_or_else(|| {
            self.groups.push(None);
            let number = u32::try_from(self.groups.len()).expect("fewer groups than memory holds messages");
            GroupSlot(NonZeroU32::new(number).expect("one was added"))
        });
        self.by_name.insert(Arc::clone(&name), id);
        let group = Group { name, messages: 0, owner: None, idle: 0, passed_over: None };
        self.groups[id.index()] = Some(group);
        id
    }

    /// Whom a message is for: whoever has its group, unless it begins it anew.
    pub(super) fn owner(&self, id: GroupSlot, entry: &Entry) -> Option<SubscriptionId> {
        self.get(id).owner.filter(|_| !entry.begins_group())
    }

    /// As [`Groups::owner`], of owners that can take the message at all: what its group's owner can't take is no less
    /// than any other message.
    pub(super) fn rightful(&self, id: GroupSlot, entry: &Entry, takers: Takers<'_>) -> Option<SubscriptionId> {
        let owner = self.owner(id, entry)?;
        takers.subscriptions.get(owner).is_some_and(|found| takers.can_have(found, entry)).then_some(owner)
    }

    /// Of those who may take a message, and who come first, the one with the fewest groups for its weight: the place of
    /// the first such.
    pub(super) fn least_loaded(&self, consumers: &[Consumer], may_take: impl Fn(&Consumer) -> bool) -> Option<usize> {
        let first = consumers.iter().position(&may_take)?;
        let equals = consumers[first..].iter().take_while(|other| other.priority == consumers[first].priority);
        let able = equals.enumerate().filter(|(_, consumer)| may_take(consumer));
        able.min_by_key(|(_, consumer)| consumer.turn.load(self.count(consumer.id))).map(|(index, _)| first + index)
    }

    /// How many groups a consumer has.
    pub(super) fn count(&self, owner: SubscriptionId) -> usize {
        self.owners.get(&owner).copied().unwrap_or(0)
    }

    /// Somebody was not handed the message at `place`, though it would have taken it, because another has the group.
    pub(super) fn pass_over(&mut self, id: GroupSlot, place: Place) {
        let passed_over = &mut self.get_mut(id).passed_over;
        *passed_over = Some(passed_over.map_or(place, |first| first.min(place)));
    }

    /// A message is handed to a consumer, which has its group from now on, unless another one has or it closes it.
    pub(super) fn hand_out(&mut self, id: GroupSlot, entry: &Entry, taker: SubscriptionId) {
        let owner = self.get(id).owner;
        let next = if entry.closes_group() { None } else { self.owner(id, entry).or(Some(taker)) };
        if next == owner {
            return;
        }
        self.give_to(id, next);
        if owner.is_some() && self.get(id).messages > 1 {
            self.free(id);
        }
    }

    /// A message is done with, or gone.
    pub(super) fn leave(&mut self, id: GroupSlot, idle_max: usize) {
        let group = self.get_mut(id);
        group.messages -= 1;
        if group.messages > 0 {
            return;
        }
        group.passed_over = None;
        if group.owner.is_none() {
            return self.forget(id);
        }
        self.idled += 1;
        let idled = self.idled;
        self.get_mut(id).idle = idled;
        self.idle.insert(idled, id);
        if self.idle.len() > idle_max {
            let (_, oldest) = self.idle.pop_first().expect("not empty");
            self.give_to(oldest, None);
            self.forget(oldest);
        }
    }

    /// A consumer has left: its groups are whoever's who takes their next message.
    pub(super) fn release(&mut self, owner: SubscriptionId) {
        if self.count(owner) == 0 {
            return;
        }
        let is_its = |group: &Group| group.owner == Some(owner);
        let numbers = (1..).filter_map(NonZeroU32::new).map(GroupSlot);
        let groups = numbers.zip(&self.groups).filter(|(_, group)| group.as_ref().is_some_and(is_its));
        for id in groups.map(|(id, _)| id).collect::<Vec<_>>() {
            self.give_to(id, None);
            let group = self.get(id);
            if group.messages == 0 {
                let idle = group.idle;
                self.idle.remove(&idle);
                self.forget(id);
            } else {
                self.free(id);
            }
        }
    }

    /// From where on consumers have to be asked again, since a group has changed hands; tells so once.
    pub(super) fn take_freed(&mut self) -> Option<Place> {
        self.freed.take()
    }

    fn free(&mut self, id: GroupSlot) {
        let place = self.get_mut(id).passed_over.take().unwrap_or(Place::LAST);
        self.freed = Some(self.freed.map_or(place, |freed| freed.min(place)));
    }

    fn give_to(&mut self, id: GroupSlot, owner: Option<SubscriptionId>) {
        let before = core::mem::replace(&mut self.get_mut(id).owner, owner);
        if let Some(before) = before {
            let count = self.owners.get_mut(&before).expect("an owner's groups are counted");
            *count -= 1;
            if *count == 0 {
                self.owners.remove(&before);
            }
        }
        if let Some(owner) = owner {
            *self.owners.entry(owner).or_insert(0) += 1;
        }
    }

    fn forget(&mut self, id: GroupSlot) {
        let gone = self.groups[id.index()].take().expect("a group that is named is known");
        self.by_name.remove(&gone.name);
        self.unused.push(id);
    }

    fn get(&self, id: GroupSlot) -> &Group {
        self.groups[id.index()].as_ref().expect("a group that is named is known")
    }

    fn get_mut(&mut self, id: GroupSlot) -> &mut Group {
        self.groups[id.index()].as_mut().expect("a group that is named is known")
    }
}

impl GroupSlot {
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl Entry {
    /// True if the message begins its group anew, whoever has it; one that goes back does so no more.
    fn begins_group(&self) -> bool {
        self.redeliveries.0 == 0 && sequence(&self.message) == 1
    }

    /// True if the message is its group's last.
    fn closes_group(&self) -> bool {
        sequence(&self.message) < 0
    }
}

/// What a message's group goes by.
fn name(message: &Message) -> Option<&[u8]> {
    match message.body.headers.properties.get(GROUP_ID) {
        Some(Value::Text(name)) if !name.is_empty() => Some(&name.as_bytes()[..name.len().min(NAME_MAX)]),
        _ => None,
    }
}

fn sequence(message: &Message) -> i64 {
    match message.body.headers.properties.get(GROUP_SEQUENCE) {
        Some(Value::Int(sequence)) => *sequence,
        _ => 0,
    }
}

/// The property that names a message's group.
const GROUP_ID: &str = "JMSXGroupID";
/// The property that tells a message's place in its group.
const GROUP_SEQUENCE: &str = "JMSXGroupSeq";
/// Groups are told apart by so many bytes of their names, so that remembering one costs little.
const NAME_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Instant, Key, Timestamp};
    use crate::model::{Body, BrokerId, Destination, MessageId, Path, Priority, ProducerId};
    use alloc::format;
    use core::num::Saturating;

    const IDLE_MAX: usize = 2;

    fn message(name: impl Into<Value>, sequence: i64) -> Arc<Message> {
        let mut body = Body::default();
        body.headers.properties.set(GROUP_ID, name).expect("room");
        body.headers.properties.set(GROUP_SEQUENCE, sequence).expect("room");
        Arc::new(Message {
            id: MessageId { producer: ProducerId { broker: BrokerId(1), number: 1 }, sequence: 1 },
            destination: Destination::queue("q").expect("valid"),
            path: Path::default(),
            timestamp: Timestamp::default(),
            body,
        })
    }

    fn enter(groups: &mut Groups, name: &str) -> Entry {
        let message = message(name, 0);
        let group = groups.enter(&message);
        let (place, redeliveries) = (Place::new(Priority::default(), 1), Saturating(0));
        Entry { place, redeliveries, arrived_at: Instant::ZERO, group, message }
    }

    #[test]
    fn an_entry_takes_no_more_room_for_its_group() {
        assert_eq!(size_of::<Entry>(), 32);
    }

    #[test]
    fn only_text_names_a_group() {
        let mut groups = Groups::default();
        assert_eq!(groups.enter(&message("", 1)), None);
        assert_eq!(groups.enter(&message(7_i64, 1)), None);
        let long = "é".repeat(NAME_MAX);
        let group = groups.enter(&message(long.as_str(), 1));
        assert!(group.is_some());
        assert_eq!(groups.enter(&message(format!("{long}!"), 1)), group, "names are read so far and no further");
        assert_ne!(groups.enter(&message("é", 1)), group);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut groups, owner) = (Groups::default(), SubscriptionId::from_number(1));
        for name in ["a", "b", "c"] {
            let entry = enter(&mut groups, name);
            let group = entry.group.expect("of a group");
            groups.hand_out(group, &entry, owner);
            groups.leave(group, IDLE_MAX);
        }
        assert_eq!((groups.count(owner), groups.by_name.len()), (2, 2), "the one idle longest is forgotten");
        let [a, b, c] = ["a", "b", "c"].map(|name| enter(&mut groups, name));
        let owners = [&a, &b, &c].map(|entry| groups.owner(entry.group.expect("of a group"), entry));
        assert_eq!(owners, [None, Some(owner), Some(owner)]);
        assert_eq!(groups.idle.len(), 0, "none of them is idle now");
        groups.release(owner);
        for entry in [a, b, c] {
            groups.leave(entry.group.expect("of a group"), IDLE_MAX);
        }
        assert_eq!((groups.count(owner), groups.by_name.len(), groups.unused.len()), (0, 0, 3));
    }
}
