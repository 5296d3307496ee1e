//! Recognises messages that came before: what a link's end left in doubt is sent again.

use alloc::collections::BTreeMap;

use crate::base::{Seen, Window};
use crate::model::{MessageId, ProducerId};

/// Bounded memory of the messages that came over bridges.
#[derive(Debug)]
pub(super) struct Audit {
    producers_max: usize,
    producers: BTreeMap<ProducerId, (Window, u64)>, // And when last used, by `uses`.
    last: Option<(ProducerId, Window)>,             // The one in use, kept apart to be found at once.
    uses: u64,
}

impl Audit {
    pub(super) fn new(producers_max: usize) -> Self {
        Self { producers_max, producers: BTreeMap::new(), last: None, uses: 0 }
    }

    /// Notes a message; true if it was noted before. One too old to tell counts as new: better twice than never.
    pub(super) fn is_duplicate(&mut self, id: &MessageId) -> bool {
        if self.last.as_ref().is_none_or(|(producer, _)| *producer != id.producer) {
            self.switch_to(id.producer);
        }
        let (_, window) = self.last.as_mut().expect("just switched to");
        window.note(id.sequence) == Seen::Again
    }

    fn switch_to(&mut self, producer: ProducerId) {
        self.uses += 1;
        if let Some((before, window)) = self.last.take() {
            self.producers.insert(before, (window, self.uses));
        }
        let window = self.producers.remove(&producer).map(|(window, _)| window).unwrap_or_default();
        if self.producers.len() >= self.producers_max {
            let oldest = self.producers.iter().min_by_key(|(_, (_, used))| *used).map(|(oldest, _)| *oldest);
            oldest.and_then(|oldest| self.producers.remove(&oldest));
        }
        self.last = Some((producer, window));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BrokerId;

    fn id(producer: u64, sequence: u64) -> MessageId {
        MessageId { producer: ProducerId { broker: BrokerId(1), number: producer }, sequence }
    }

    #[test]
    fn a_message_is_new_once() {
        let mut audit = Audit::new(4);
        for producer in [1, 2, 1, 3] {
            assert!(!audit.is_duplicate(&id(producer, producer * 10 + audit.uses)));
        }
        assert!(!audit.is_duplicate(&id(1, 99)));
        assert!(!audit.is_duplicate(&id(2, 99)));
        assert!(audit.is_duplicate(&id(1, 99)));
        assert!(audit.is_duplicate(&id(2, 99)));
    }

    #[test]
    fn the_producer_used_least_lately_is_forgotten() {
        let mut audit = Audit::new(2);
        for producer in [1, 2, 1, 3] {
            audit.is_duplicate(&id(producer, 1));
        }
        assert!(audit.is_duplicate(&id(1, 1)));
        assert!(!audit.is_duplicate(&id(2, 1)));
    }
}
