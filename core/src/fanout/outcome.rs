//! What becomes of sends: accepted by enough brokers, refused, or too late.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::stream::{Entry, Settled, Stream};
use super::target::Answered;
use super::{Fanout, Horizon, Output, count};
use crate::base::{Instant, Outbox};
use crate::model::{LinkId, Refusal, Tag};

impl Fanout {
    /// A target has accepted a stream up to a message, but for what it has refused.
    pub(super) fn hear_accepted(
        &mut self,
        link: LinkId,
        number: u32,
        up_to: Tag,
        out: &mut Outbox<Output>,
    ) -> Result<(), String> {
        let Some(target) = self.targets.get_mut(&link) else {
            return Ok(());
        };
        let answered = target.answered(number, up_to);
        let Answered { accepted, refused } =
            answered.map_err(|_| format!("message {up_to} of stream {number} was accepted but never sent"))?;
        if let Some(tally) = self.tallies.get_mut(&target.found.address) {
            tally.accepted += accepted;
            tally.refused += refused;
        }
        match self.streams.get_mut(&number) {
            Some(stream) => {
                stream.mark(&target.found, up_to);
                self.settle(number, out);
            }
            None => target.forget_flights(|number| self.streams.contains_key(&number)),
        }
        self.pump(link, out);
        self.trim();
        Ok(())
    }

    /// A target has refused a message.
    pub(super) fn hear_refused(
        &mut self,
        link: LinkId,
        number: u32,
        tag: Tag,
        refusal: Refusal,
        out: &mut Outbox<Output>,
    ) -> Result<(), String> {
        let Some(target) = self.targets.get_mut(&link) else {
            return Ok(());
        };
        let refused = target.refused(number, tag);
        refused.map_err(|_| format!("message {tag} of stream {number} was refused but never sent, or twice"))?;
        if let Some(stream) = self.streams.get_mut(&number) {
            stream.refuse(tag, &target.found, refusal);
            self.fail_doomed(number, out);
        }
        Ok(())
    }

    /// Refuses messages whose time is over.
    pub(super) fn expire_sends(&mut self, now: Instant, out: &mut Outbox<Output>) {
        for number in self.deadlines.due(now).collect::<Vec<_>>() {
            let mut stream = self.streams.remove(&number).expect("a deadline has a stream");
            while let Some(entry) = stream.take_expired(now) {
                let refusal = Refusal::TimedOut {
                    accepted: count(stream.acceptors(&entry)),
                    needed: stream.needed,
                    after: self.config.send_timeout,
                };
                self.refuse(&stream, entry, refusal, out);
                tell_settled(&mut stream, &mut self.unsettled_bytes, out); // As when a stream is closed.
            }
            self.streams.insert(number, stream);
            self.rearm(number);
        }
    }

    /// Tells of what enough brokers have accepted.
    fn settle(&mut self, number: u32, out: &mut Outbox<Output>) {
        if let Some(stream) = self.streams.get_mut(&number) {
            tell_settled(stream, &mut self.unsettled_bytes, out);
            self.rearm(number);
        }
    }

    /// Notes when a stream's first message has to be settled.
    pub(super) fn rearm(&mut self, number: u32) {
        let first = self.streams.get(&number).and_then(|stream| stream.entries.front());
        self.deadlines.set(number, first.map(|entry| entry.expires_at));
    }

    pub(super) fn fail_all_doomed(&mut self, out: &mut Outbox<Output>) {
        for number in self.streams.keys().copied().collect::<Vec<_>>() {
            self.fail_doomed(number, out);
        }
    }

    /// Refuses what can't be accepted by enough brokers any more.
    pub(super) fn fail_doomed(&mut self, number: u32, out: &mut Outbox<Output>) {
        let left = self.targets.len() + self.prospects;
        let is_scarce = self.horizon == Horizon::Closed && left < self.config.acks_min as usize;
        if !self.streams.get(&number).is_some_and(|stream| stream.is_troubled() || is_scarce) {
            return;
        }
        let mut stream = self.streams.remove(&number).expect("just found");
        while let Some(entry) = stream.take_doomed(|stream, entry| self.is_doomed(stream, entry)) {
            let accepted = count(stream.acceptors(&entry));
            let refusal = Refusal::NotEnough { accepted, needed: stream.needed };
            self.refuse(&stream, entry, refusal, out);
        }
        self.streams.insert(number, stream);
        self.settle(number, out); // What was refused may have kept others from being told.
    }

    /// True if too few brokers can still accept a message. Brokers that are not known yet count only for what nobody
    /// has refused.
    fn is_doomed(&self, stream: &Stream, entry: &Entry) -> bool {
        if entry.refused.is_empty() && self.horizon == Horizon::Open {
            return false;
        }
        let is_sent = entry.sequence <= stream.logged;
        if !stream.is_replicated {
            let can_be_sent = self.targets.len() + self.prospects >= self.config.acks_min as usize;
            return !entry.refused.is_empty() || !(is_sent || can_be_sent);
        }
        let could = self.targets.values().filter(|target| {
            let has_accepted = stream.marked(target.found.broker) >= entry.sequence;
            !has_accepted && !entry.is_refused_by(target.found.broker)
        });
        let accepted = stream.acceptors(entry).count();
        accepted + could.count() + self.prospects < stream.needed as usize
    }

    /// Tells that a message was not accepted by enough brokers, and what each said.
    pub(super) fn refuse(&mut self, stream: &Stream, mut entry: Entry, refusal: Refusal, out: &mut Outbox<Output>) {
        self.unsettled_bytes -= entry.message.size() as u64;
        out.push(Output::Refused {
            connection: stream.connection,
            producer: stream.producer,
            sequence: entry.sequence,
            refusal,
            answers: stream.answers(&mut entry),
        });
    }
}

/// Tells of the first messages that enough brokers have accepted.
pub(super) fn tell_settled(stream: &mut Stream, unsettled_bytes: &mut u64, out: &mut Outbox<Output>) {
    let (connection, producer, part) = (stream.connection, stream.producer, stream.part);
    while let Some(Settled { up_to, count, bytes, by }) = stream.settle() {
        *unsettled_bytes -= bytes;
        out.push(Output::Accepted { connection, producer, part, up_to, count, by });
    }
}
