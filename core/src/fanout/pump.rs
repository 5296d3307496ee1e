//! The way out: of streams into the log, and of the log to each target as far as its window allows.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::log::{self, Burst, Item};
use super::stream::{Entry, Stream};
use super::target::{Replay, Target};
use super::{Fanout, Output};
use crate::base::{Outbox, Situation};
use crate::model::{CloseReason, LinkId, Refusal};
use crate::wire::{Frame, SharedEncoder};

impl Fanout {
    /// Encodes what is held of a stream, if it may be sent.
    pub(super) fn release(&mut self, number: u32) {
        if !self.is_ready() {
            Situation::SendHeld.met();
            return;
        }
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let Some(last) = stream.held().last().map(|entry| entry.sequence) else {
            return;
        };
        let to = if stream.is_replicated {
            None
        } else {
            let links: Vec<LinkId> = self.targets.keys().copied().collect();
            let rng = &mut self.rng;
            Some(*self.primary.get_or_insert_with(|| *rng.pick(&links).expect("enough targets are up")))
        };
        for burst in log::encode(&stream.route, stream.held(), &mut self.encoder) {
            self.log.push(Item::Burst { to, burst: Arc::new(burst) });
        }
        stream.logged = last;
    }

    /// The same for all streams.
    pub(super) fn release_all(&mut self) {
        if self.is_ready() {
            for number in self.streams.keys().copied().collect::<Vec<_>>() {
                self.release(number);
            }
        }
    }

    /// Gives every target what it has not taken, as far as each one's window allows.
    pub(super) fn pump_all(&mut self, out: &mut Outbox<Output>) {
        for link in self.targets.keys().copied().collect::<Vec<_>>() {
            self.pump(link, out);
        }
        self.trim();
    }

    /// The same for one target.
    pub(super) fn pump(&mut self, link: LinkId, out: &mut Outbox<Output>) {
        if !self.is_ready() {
            return;
        }
        let Some(target) = self.targets.get_mut(&link) else {
            return;
        };
        let mut too_large = Vec::new();
        while target.in_flight() < self.config.window {
            let replayed = next_replay(target, &self.streams, &mut self.encoder);
            let burst = match replayed {
                Some(burst) => Arc::new(burst),
                None => match self.log.get(target.cursor) {
                    None => break,
                    Some(item) => {
                        target.cursor += 1;
                        match item {
                            Item::Burst { to, .. } if to.is_some_and(|to| to != link) => continue,
                            Item::Burst { burst, .. } => Arc::clone(burst),
                            Item::End(route) => {
                                if target.finish(route) {
                                    out.push(Output::Say { link, frame: Frame::Finish { stream: route.stream } });
                                }
                                continue;
                            }
                        }
                    }
                },
            };
            if burst.largest > target.found.message_max {
                Situation::SendTooLarge.met();
                too_large.push(burst);
                continue;
            }
            if target.send(&burst) {
                out.push(Output::Tell { link, bytes: burst.route.told.clone() });
            }
            out.push(Output::Burst { link, burst });
        }
        for burst in too_large {
            self.refuse_for(link, &burst, out);
        }
    }

    /// A target does not take messages of this size: as if it had said so.
    fn refuse_for(&mut self, link: LinkId, burst: &Burst, out: &mut Outbox<Output>) {
        let Some(target) = self.targets.get(&link) else {
            return;
        };
        if let Some(tally) = self.tallies.get_mut(&target.found.address) {
            tally.refused += burst.last - burst.first + 1;
        }
        if let Some(stream) = self.streams.get_mut(&burst.route.stream) {
            for sequence in burst.first..=burst.last {
                let refusal = Refusal::TooLarge { size: burst.largest, max: target.found.message_max };
                stream.refuse(sequence, &target.found, refusal);
            }
            self.fail_doomed(burst.route.stream, out);
        }
    }

    /// Forgets what every target has taken.
    pub(super) fn trim(&mut self) {
        let end = self.log.end();
        let taken = self.targets.values().map(|target| target.cursor).min().unwrap_or(end);
        self.log.trim(taken);
    }

    /// Parts from the slowest targets if too much waits for them.
    pub(super) fn shed(&mut self, out: &mut Outbox<Output>) {
        let max = self.config.memory_max;
        while self.log.bytes() > max {
            let slowest = self.targets.iter().min_by_key(|(_, target)| target.cursor).map(|(link, _)| *link);
            let Some(link) = slowest else {
                return;
            };
            out.push(Output::Close { link, reason: CloseReason::Backlog { max } });
            Situation::TargetShed.met();
            // Whether enough are left is asked when its end is told: then it is known whether it is dialled again.
            self.part(link, out);
            self.pump_all(out);
        }
    }

    /// True if enough targets are up for anything to be sent.
    fn is_ready(&self) -> bool {
        self.targets.len() >= self.config.acks_min as usize
    }
}

/// What a target is owed next of what was sent before it came up.
fn next_replay(target: &mut Target, streams: &BTreeMap<u32, Stream>, encoder: &mut SharedEncoder) -> Option<Burst> {
    while let Some(Replay { stream, next, up_to }) = target.replay.front_mut() {
        let owed = streams.get(stream).and_then(|stream| {
            let is_owed = |entry: &&Entry| entry.sequence <= *up_to;
            let from = stream.entries.partition_point(|entry| entry.sequence < *next);
            let owed = stream
                .entries
                .range(from..)
                .take_while(is_owed)
                .filter(|entry| !entry.is_refused_by(target.found.broker));
            log::encode(&stream.route, owed, encoder).next()
        });
        if let Some(burst) = owed {
            *next = burst.last + 1;
            return Some(burst);
        }
        target.replay.pop_front();
    }
    None
}
