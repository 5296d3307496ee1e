//! What one producer has sent and not enough brokers have accepted.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use super::Found;
use crate::base::{Instant, Situation};
use crate::model::{Answer, BrokerId, ConnectionId, Message, Refusal};

/// What a stream is called on links, and the frame that tells it.
#[derive(Debug, PartialEq)]
pub(super) struct Route {
    pub(super) stream: u32, // Never used again.
    pub(super) slot: u16,   // Used again: what a link was told last for a slot holds.
    pub(super) told: Bytes,
}

/// A message that is not settled.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) sequence: u64,
    pub(super) message: Arc<Message>,
    pub(super) expires_at: Instant,
    /// True if a broker may have taken it that was lost before it said so.
    pub(super) is_doubtful: bool,
    pub(super) refused: Vec<Answer>,
}

/// How far one broker has accepted a stream.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) found: Arc<Found>,
    pub(super) up_to: u64,
}

/// One producer's messages.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) connection: ConnectionId,
    pub(super) producer: u64,
    /// Which of its destinations this is.
    pub(super) part: usize,
    pub(super) route: Arc<Route>,
    /// True if every broker gets its messages.
    pub(super) is_replicated: bool,
    /// How many brokers must accept a message.
    pub(super) needed: u32,
    pub(super) entries: VecDeque<Entry>,
    /// Messages up to this one have been given to the targets; later ones are held back.
    pub(super) logged: u64,
    marks: Vec<Mark>,
    troubled: usize, // Entries that were refused by somebody.
}

/// Messages that enough brokers have accepted.
#[derive(Debug, PartialEq)]
pub(super) struct Settled {
    pub(super) up_to: u64,
    pub(super) count: u64,
    pub(super) bytes: u64,
    pub(super) by: Vec<BrokerId>,
}

impl Stream {
    /// Nothing sent yet by a producer to one of its destinations.
    pub(super) fn new(
        connection: ConnectionId,
        (producer, part): (u64, usize),
        route: Route,
        is_replicated: bool,
        needed: u32,
    ) -> Self {
        Self {
            connection,
            producer,
            part,
            route: Arc::new(route),
            is_replicated,
            needed,
            entries: VecDeque::new(),
            logged: 0,
            marks: Vec::new(),
            troubled: 0,
        }
    }

    /// A broker has accepted messages up to this one.
    pub(super) fn mark(&mut self, found: &Arc<Found>, up_to: u64) {
        match self.marks.iter_mut().find(|mark| mark.found.broker == found.broker) {
            Some(mark) => mark.up_to = mark.up_to.max(up_to),
            None => self.marks.push(Mark { found: Arc::clone(found), up_to }),
        }
    }

    /// Another broker has come up where this one was: what that had accepted is gone with it, as far as it still counts.
    pub(super) fn replace(&mut self, found: &Found) {
        let before = self.marks.len();
        self.marks.retain(|mark| mark.found.broker == found.broker || mark.found.address != found.address);
        if self.marks.len() < before && !self.entries.is_empty() {
            Situation::AcceptanceLost.met();
        }
    }

    /// How far a broker has accepted.
    pub(super) fn marked(&self, broker: BrokerId) -> u64 {
        self.marks.iter().find(|mark| mark.found.broker == broker).map_or(0, |mark| mark.up_to)
    }

    /// Forgets how far brokers came that are not up and have accepted nothing that still counts.
    pub(super) fn forget_marks(&mut self, is_up: impl Fn(BrokerId) -> bool) {
        let first = self.entries.front().map_or(u64::MAX, |entry| entry.sequence);
        self.marks.retain(|mark| mark.up_to >= first || is_up(mark.found.broker));
    }

    /// A broker has refused a message.
    pub(super) fn refuse(&mut self, sequence: u64, found: &Found, refusal: Refusal) {
        let Ok(index) = self.entries.binary_search_by_key(&sequence, |entry| entry.sequence) else {
            return; // It is settled.
        };
        let entry = &mut self.entries[index];
        if entry.is_refused_by(found.broker) {
            return;
        }
        self.troubled += usize::from(entry.refused.is_empty());
        entry.refused.push(found.answer(Err(refusal)));
    }

    /// Takes the first messages, if enough brokers have accepted them: as many as the same brokers did.
    pub(super) fn settle(&mut self) -> Option<Settled> {
        let front = self.entries.front()?;
        let first = front.sequence;
        let by = || self.marks.iter().filter(|mark| mark.up_to >= first && !front.is_refused_by(mark.found.broker));
        if by().count() < self.needed as usize {
            return None;
        }
        let reach = if front.refused.is_empty() { by().map(|mark| mark.up_to).min().unwrap_or(first) } else { first };
        let by = by().map(|mark| mark.found.broker).collect();
        let mut settled = Settled { up_to: first, count: 0, bytes: 0, by };
        while let Some(entry) = self.entries.front()
            && entry.sequence <= reach
            && (entry.sequence == first || entry.refused.is_empty())
        {
            settled.up_to = entry.sequence;
            settled.count += 1;
            settled.bytes += entry.message.size() as u64;
            if !entry.refused.is_empty() {
                Situation::SettledDespiteRefusal.met();
                self.troubled -= 1;
            }
            self.entries.pop_front();
        }
        Some(settled)
    }

    /// Takes out the first message that can't be accepted by enough brokers any more, as `is_doomed` tells.
    pub(super) fn take_doomed(&mut self, is_doomed: impl Fn(&Self, &Entry) -> bool) -> Option<Entry> {
        let index = self.entries.iter().position(|entry| is_doomed(self, entry))?;
        Situation::SendDoomed.met();
        self.take(index)
    }

    /// True if some message was refused by somebody.
    pub(super) fn is_troubled(&self) -> bool {
        self.troubled > 0
    }

    /// Takes out the first message if its time has come.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<Entry> {
        let is_due = self.entries.front().is_some_and(|entry| entry.expires_at <= now);
        if !is_due {
            return None;
        }
        Situation::SendTimedOut.met();
        self.take(0)
    }

    /// Takes out the first message.
    pub(super) fn take_first(&mut self) -> Option<Entry> {
        self.take(0)
    }

    /// Who has accepted a message.
    pub(super) fn acceptors<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = &'a Mark> + 'a {
        self.marks.iter().filter(|mark| mark.up_to >= entry.sequence && !entry.is_refused_by(mark.found.broker))
    }

    /// What every broker has said of a message that was taken out.
    pub(super) fn answers(&self, entry: &mut Entry) -> Vec<Answer> {
        let accepted = self.acceptors(entry).map(|mark| Answer {
            broker: mark.found.broker,
            name: mark.found.name.clone(),
            result: Ok(()),
        });
        let mut answers: Vec<Answer> = accepted.collect();
        answers.append(&mut entry.refused);
        answers
    }

    /// The target of this stream was lost, after it had been sent messages up to `sent`: everything is held again.
    pub(super) fn hold(&mut self, sent: u64) {
        for entry in self.entries.iter_mut().take_while(|entry| entry.sequence <= sent) {
            Situation::PrimaryLost.met();
            entry.is_doubtful = true;
        }
        self.logged = self.entries.front().map_or(self.logged, |entry| (entry.sequence - 1).min(self.logged));
    }

    /// What is not settled and was not given to the targets yet.
    pub(super) fn held(&self) -> impl Iterator<Item = &Entry> {
        let from = self.entries.partition_point(|entry| entry.sequence <= self.logged);
        self.entries.range(from..)
    }

    fn take(&mut self, index: usize) -> Option<Entry> {
        let entry = self.entries.remove(index)?;
        self.troubled -= usize::from(!entry.refused.is_empty());
        Some(entry)
    }
}

impl Entry {
    /// What the message's receiver is told of earlier hand-outs.
    pub(super) fn redeliveries(&self) -> u32 {
        self.is_doubtful.into()
    }

    /// The message's size in bytes, as brokers limit it.
    pub(super) fn size(&self) -> u64 {
        self.message.body.size() as u64
    }

    pub(super) fn is_refused_by(&self, broker: BrokerId) -> bool {
        self.refused.iter().any(|answer| answer.broker == broker)
    }
}
