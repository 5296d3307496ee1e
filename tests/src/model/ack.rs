//! What consumers say of what they were handed.

use std::collections::BTreeSet;

use flockmq_core::{Ack, AckExtent, AckKind, Refusal, Tag};

use super::Model;
use super::consumer::Id;
use super::dead_letter::Cause;
use super::place::Waiting;

impl Model {
    pub(crate) fn acknowledge(&mut self, connection: u64, ack: Ack) -> Result<(), Refusal> {
        self.catch_up();
        let id = self.find(connection, ack.consumer)?;
        let now = self.now;
        let consumer = self.consumer(id);
        let covered: Vec<Tag> = match ack.extent {
            AckExtent::Individual => consumer.held.keys().copied().filter(|tag| *tag == ack.tag).collect(),
            AckExtent::UpTo if ack.tag > consumer.last => Vec::new(),
            AckExtent::UpTo => consumer.held.range(..=ack.tag).map(|(tag, _)| *tag).collect(),
        };
        if covered.is_empty() {
            return Err(Refusal::NotOutstanding { consumer: ack.consumer, tag: ack.tag });
        }
        (consumer.progressed_at, consumer.is_stalled) = (now, false);
        let covered: Vec<_> = covered.iter().filter_map(|tag| consumer.held.remove(tag)).collect();
        if ack.kind == AckKind::Accepted {
            self.counts.acknowledged += covered.len() as u64;
        }
        let (queued, others) = covered.into_iter().partition(|(place, _)| self.is_queue(*place));
        if !self.consumers[&id].asked.browses {
            self.settle_queued(queued, ack.kind);
        }
        if self.consumers[&id].asked.durable.is_some() {
            self.settle_kept(id, others, ack.kind);
        }
        self.replenish(connection, id);
        self.unpark_all();
        Ok(())
    }

    /// Queues' messages are done with, dead, or go back.
    fn settle_queued(&mut self, covered: Vec<(usize, Waiting)>, kind: AckKind) {
        let places: BTreeSet<usize> = covered.iter().map(|(place, _)| *place).collect();
        let mut dead = Vec::new();
        for (place, waiting) in covered {
            match kind {
                AckKind::Accepted => {
                    self.counts.acknowledged_queued += 1;
                    self.places[place].counts.dequeued += 1;
                    self.leave_group(place, &waiting);
                }
                AckKind::Rejected => self.fail(place, &waiting, Cause::Rejected),
                AckKind::Released => dead.extend(self.redeliver(place, waiting).map(|waiting| (place, waiting))),
            }
        }
        if kind == AckKind::Released {
            for place in places {
                self.dispatch(place);
            }
        }
        // Older dead letters may have been among what was given back, and have been handed out by now.
        for (place, waiting) in dead {
            if waiting.is_over(self.now) {
                self.expire_queued(place, &waiting);
            } else {
                self.fail(place, &waiting, Cause::GivenBack);
            }
        }
    }

    /// A durable subscription's messages are done with, dead, or kept on; others' are gone, whatever is said of them.
    fn settle_kept(&mut self, id: Id, covered: Vec<(usize, Waiting)>, kind: AckKind) {
        let mut dead = Vec::new();
        for (place, waiting) in covered {
            match kind {
                AckKind::Accepted => (),
                AckKind::Rejected => self.bury(place, &waiting, Cause::Rejected),
                AckKind::Released => {
                    dead.extend(self.redeliver_kept(id, place, waiting).map(|waiting| (place, waiting)));
                }
            }
        }
        for (place, waiting) in dead {
            if waiting.is_over(self.now) {
                self.expire(place, &waiting);
            } else {
                self.bury(place, &waiting, Cause::GivenBack);
            }
        }
    }
}
