//! Queues' messages, each time they are handed out.

use std::collections::BTreeMap;

use flockmq_core::sim::HostId;
use flockmq_core::{ConsumerId, Delivery, Destination, DestinationKind, Instant, MessageId, Role};

use super::{Oracle, Piece, Process, Sent};

use crate::wish::{is_grave, keeps_places};

/// One handing out of a queue's message.
#[derive(Debug)]
pub(super) struct Copy {
    at: Instant,
    pub(super) place: Destination,
    number: u64, // Among all deliveries.
    pub(super) process: Process,
    pub(super) consumer: ConsumerId,
    pub(super) redeliveries: u32,
    pub(super) fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Acknowledged,
    /// Its process crashed.
    Lost,
    Outstanding,
    /// It was said to be good for nothing.
    Rejected,
    /// It went back, looked at or not.
    Returned {
        seen: bool,
        /// How many deliveries there had been by then.
        after: u64,
    },
}

impl Oracle {
    pub(super) fn settle(&mut self, process: Process, consumer: ConsumerId, piece: &Piece, fate: Fate) {
        settle(&mut self.sent, process, consumer, piece, fate);
    }

    /// A queue's message is handed out again only where it went back, or where a failure left it in doubt; and then
    /// it says so.
    pub(super) fn check_copies(
        &mut self,
        at: Instant,
        process: Process,
        consumer: ConsumerId,
        delivery: &Delivery,
        what: &str,
    ) {
        let failed_at = self.failed_at;
        let checks_duplicates = self.hosts[&process.host].checks_duplicates;
        let sent = self.sent.get_mut(&delivery.message.id).expect("just looked up");
        let place = &delivery.message.destination;
        // A topic's message may die for several of its subscribers.
        let may_be_several = is_grave(place) && sent.destination.kind() == DestinationKind::Topic;
        let is_replicated = sent.fanned.as_ref().is_some_and(|fanned| fanned.is_replicated);
        for copy in sent.copies.iter().filter(|copy| copy.place == *place) {
            if may_be_several {
                break;
            }
            if is_replicated && (copy.process != process || !checks_duplicates) {
                continue; // Another broker's.
            }
            let before = format!("consumer {} of {} had it at {}", copy.consumer, copy.process.host, copy.at);
            let has_failed = failed_at.is_some_and(|failed_at| failed_at >= sent.at);
            // Where copies are not recognised each may die, and is a dead letter that nobody had before.
            let died_each = is_grave(place) && !checks_duplicates;
            let is_marked = copy.redeliveries > 0 || delivery.redeliveries > 0 || died_each;
            if let Fate::Returned { seen, .. } = copy.fate {
                // The same copy, come back; or, after a failure, the other one.
                let may_be_other = has_failed && copy.process != process && is_marked;
                assert!(
                    !seen || is_replicated || delivery.redeliveries > 0 || may_be_other,
                    "{what} came unmarked after {before}"
                );
                continue;
            }
            let may_be_same = !checks_duplicates && has_failed;
            assert!(may_be_same || copy.process != process, "{what} came twice: {before}, {:?}", copy.fate);
            assert!(has_failed, "{what} came twice though nothing failed: {before}");
            assert!(is_marked, "{what} came twice and is not marked: {before}");
        }
        let (number, fate) = (self.deliveries, Fate::Outstanding);
        let place = place.clone();
        sent.copies.push(Copy { at, place, number, process, consumer, redeliveries: delivery.redeliveries, fate });
        self.check_return(delivery, process, what);
    }

    /// Q6: where nothing failed, a message that went back is counted as often as it was seen; and where it was its own
    /// broker's all the time, it went back to its old place.
    fn check_return(&self, delivery: &Delivery, process: Process, what: &str) {
        let (id, sent) = (delivery.message.id, &self.sent[&delivery.message.id]);
        let has_failed = self.failed_at.is_some_and(|failed_at| failed_at >= sent.at);
        let place = &delivery.message.destination;
        let has_clients = self.hosts.values().any(|known| known.role == Role::Client);
        let is_several = is_grave(place) && sent.destination.kind() == DestinationKind::Topic;
        if has_failed || has_clients || is_several {
            return;
        }
        let copies = || sent.copies.iter().filter(|copy| copy.place == *place);
        let seen = copies().filter(|copy| matches!(copy.fate, Fate::Returned { seen: true, .. })).count();
        assert_eq!(delivery.redeliveries as usize, seen, "{what} was handed out and seen {seen} times before");
        let Some(before) = copies().rev().nth(1) else { return };
        let Fate::Returned { after, .. } = before.fate else { return };
        let is_elsewhere = |(host, to): &(HostId, Destination)| *host != process.host && to.matches(place);
        // Or it goes by a connector, wanted there or not.
        let may_have_gone = self.left.iter().any(is_elsewhere) || self.forwards(process.host, place);
        if before.process != process
            || process.broker != Some(id.producer.broker)
            || may_have_gone
            || !keeps_places(place)
        {
            return;
        }
        let last = MessageId { sequence: u64::MAX, ..id };
        for (later, found) in self.sent.range(id..=last).skip(1) {
            let first = found.copies.iter().find(|copy| copy.place == *place);
            let first = first.filter(|first| first.process == process && first.number > after);
            assert!(
                first.is_none(),
                "{what} has come back to its queue before {later} was handed out, and comes after"
            );
        }
    }
}

/// Notes what became of the last handing out of a message to a consumer.
pub(super) fn settle(
    sent: &mut BTreeMap<MessageId, Sent>,
    process: Process,
    consumer: ConsumerId,
    (id, place): &Piece,
    fate: Fate,
) {
    let mut copies = sent.get_mut(id).into_iter().flat_map(|sent| &mut sent.copies).rev();
    let is_meant = |copy: &&mut Copy| (copy.process, copy.consumer) == (process, consumer) && copy.place == *place;
    if let Some(copy) = copies.find(is_meant) {
        copy.fate = fate;
    }
}
