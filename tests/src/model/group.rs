//! Messages of one group go to one consumer.

use std::collections::BTreeMap;

use flockmq_core::Value;

use super::Model;
use super::consumer::Id;
use super::place::Waiting;

/// A queue's groups by name.
#[derive(Default)]
pub(super) struct Groups {
    known: BTreeMap<String, Group>,
    idle: Vec<String>, // Those that somebody has and that no message is of, idle for longest first.
}

#[derive(Default)]
struct Group {
    messages: usize, // That wait or are outstanding.
    owner: Option<Id>,
}

impl Model {
    /// A message comes to its queue.
    pub(super) fn enter_group(&mut self, place: usize, waiting: &Waiting) {
        let groups = &mut self.places[place].groups;
        if let Some(name) = waiting.group() {
            groups.known.entry(name.to_owned()).or_default().messages += 1;
            groups.idle.retain(|idle| idle != name);
        }
    }

    /// A message is done with, or gone. Of groups that no message is of only so many are remembered.
    pub(super) fn leave_group(&mut self, place: usize, waiting: &Waiting) {
        let (groups, max) = (&mut self.places[place].groups, self.config.groups_max);
        let Some(name) = waiting.group() else { return };
        let group = groups.known.get_mut(name).expect("a message's group is known");
        group.messages -= 1;
        if group.messages > 0 {
            return;
        }
        match group.owner {
            Some(_) => groups.idle.push(name.to_owned()),
            None => drop(groups.known.remove(name)),
        }
        if groups.idle.len() > max {
            let oldest = groups.idle.remove(0);
            groups.known.remove(&oldest);
        }
    }

    /// A message is handed out: who takes it has its group from now on, if nobody has; the group's last message leaves it
    /// to anybody. True if the group is somebody else's than before, or nobody's, and there are more messages of it.
    pub(super) fn hand_group(&mut self, place: usize, waiting: &Waiting, taker: Id) -> bool {
        let Some(name) = waiting.group() else { return false };
        let group = self.places[place].groups.known.get_mut(name).expect("a message's group is known");
        let owner = group.owner.filter(|_| !waiting.begins_group());
        let next = if waiting.closes_group() { None } else { owner.or(Some(taker)) };
        let before = std::mem::replace(&mut group.owner, next);
        before.is_some() && before != next && group.messages > 1
    }

    /// A consumer leaves its groups.
    pub(super) fn release_groups(&mut self, place: usize, id: Id) {
        let groups = &mut self.places[place].groups;
        for group in groups.known.values_mut().filter(|group| group.owner == Some(id)) {
            group.owner = None;
        }
        groups.known.retain(|_, group| group.messages > 0 || group.owner.is_some());
        groups.idle.retain(|name| groups.known.contains_key(name));
    }

    /// Who alone may take a message because of its group. Where one consumer has the queue, groups mean nothing.
    pub(super) fn group_owner(&self, place: usize, waiting: &Waiting) -> Option<Id> {
        let place = &self.places[place];
        let group = place.groups.known.get(waiting.group()?).expect("a message's group is known");
        group.owner.filter(|_| place.holder.is_none() && !waiting.begins_group())
    }

    /// How many groups a consumer has.
    pub(super) fn groups_of(&self, place: usize, id: Id) -> usize {
        self.places[place].groups.known.values().filter(|group| group.owner == Some(id)).count()
    }
}

impl Waiting {
    pub(super) fn group(&self) -> Option<&str> {
        match self.message.body.headers.properties.get("JMSXGroupID") {
            Some(Value::Text(name)) if !name.is_empty() => Some(name),
            _ => None,
        }
    }

    /// Begins its group anew, whoever has it; not when it was handed out before.
    fn begins_group(&self) -> bool {
        self.redeliveries == 0 && self.group_sequence() == 1
    }

    fn closes_group(&self) -> bool {
        self.group_sequence() < 0
    }

    fn group_sequence(&self) -> i64 {
        match self.message.body.headers.properties.get("JMSXGroupSeq") {
            Some(Value::Int(sequence)) => *sequence,
            _ => 0,
        }
    }
}
