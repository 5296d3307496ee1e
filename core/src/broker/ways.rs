//! By how short a way a topic's messages came: a copy that comes later by a shorter one may cross more bridges than the
//! first, and so reach who has had none.

use super::registry::Slot;
use crate::base::Audit;
use crate::model::{Message, ProducerId};

/// Ways that leave a message bridges to cross; with one hop there are none.
#[derive(Debug)]
pub(super) struct Ways {
    hops_max: usize, // Of all bridges there were.
    seen: Audit<(ProducerId, Slot, usize)>,
}

impl Ways {
    /// Of the messages of so many producers.
    pub(super) fn new(producers_max: usize) -> Self {
        Self { hops_max: 0, seen: Audit::new(producers_max) }
    }

    /// A bridge hands over what has crossed no more brokers than this.
    pub(super) fn allow(&mut self, hops_max: u32) {
        self.hops_max = self.hops_max.max(hops_max as usize);
    }

    /// Notes that a message came; true if it may go on, and further than whatever came of it before.
    #[inline]
    pub(super) fn note(&mut self, slot: Slot, message: &Message) -> bool {
        let hops = message.path.len();
        hops < self.hops_max && self.note_one(slot, message, hops)
    }

    fn note_one(&mut self, slot: Slot, message: &Message, hops: usize) -> bool {
        let producer = message.id.producer;
        let is_shortest = (0..=hops).all(|hops| !self.seen.knows(&(producer, slot, hops), message.id.sequence));
        self.seen.note((producer, slot, hops), message.id.sequence);
        is_shortest
    }
}
