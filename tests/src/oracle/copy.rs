//! Queues' messages, each time they are handed out.

use flockmq_core::sim::HostId;
use flockmq_core::{ConsumerId, Delivery, Destination, Instant, MessageId, Role};

use super::{Oracle, Process};

/// One handing out of a queue's message.
#[derive(Debug)]
pub(super) struct Copy {
    at: Instant,
    number: u64, // Among all deliveries.
    pub(super) process: Process,
    pub(super) consumer: ConsumerId,
    redeliveries: u32,
    pub(super) fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Acknowledged,
    /// Its process crashed.
    Lost,
    Outstanding,
    /// It went back, looked at or not.
    Returned {
        seen: bool,
        /// How many deliveries there had been by then.
        after: u64,
    },
}

impl Oracle {
    pub(super) fn settle(&mut self, process: Process, consumer: ConsumerId, id: MessageId, fate: Fate) {
        let copies = self.sent.get_mut(&id).into_iter().flat_map(|sent| &mut sent.copies);
        if let Some(copy) = copies.rev().find(|copy| copy.process == process && copy.consumer == consumer) {
            copy.fate = fate;
        }
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
        let is_replicated = sent.fanned.as_ref().is_some_and(|fanned| fanned.is_replicated);
        for copy in &sent.copies {
            if is_replicated && (copy.process != process || !checks_duplicates) {
                continue; // Another broker's.
            }
            let before = format!("consumer {} of {} had it at {}", copy.consumer, copy.process.host, copy.at);
            let has_failed = failed_at.is_some_and(|failed_at| failed_at >= sent.at);
            let is_marked = copy.redeliveries > 0 || delivery.redeliveries > 0;
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
        sent.copies.push(Copy { at, number, process, consumer, redeliveries: delivery.redeliveries, fate });
        self.check_return(delivery, process, what);
    }

    /// Q6: where nothing failed, a message that went back is counted as often as it was seen; and where it was its own
    /// broker's all the time, it went back to its old place.
    fn check_return(&self, delivery: &Delivery, process: Process, what: &str) {
        let (id, sent) = (delivery.message.id, &self.sent[&delivery.message.id]);
        let has_failed = self.failed_at.is_some_and(|failed_at| failed_at >= sent.at);
        let has_clients = self.hosts.values().any(|known| known.role == Role::Client);
        if has_failed || has_clients {
            return;
        }
        let seen = sent.copies.iter().filter(|copy| matches!(copy.fate, Fate::Returned { seen: true, .. })).count();
        assert_eq!(delivery.redeliveries as usize, seen, "{what} was handed out and seen {seen} times before");
        let Some([.., before, _]) = sent.copies.get(..) else { return };
        let Fate::Returned { after, .. } = before.fate else { return };
        let is_elsewhere = |(host, to): &(HostId, Destination)| *host != process.host && to.matches(&sent.destination);
        let may_have_gone = self.left.iter().any(is_elsewhere);
        if before.process != process || process.broker != Some(id.producer.broker) || may_have_gone {
            return;
        }
        let last = MessageId { sequence: u64::MAX, ..id };
        for (later, found) in self.sent.range(id..=last).skip(1) {
            let first = found.copies.first().filter(|first| first.process == process && first.number > after);
            assert!(
                first.is_none(),
                "{what} has come back to its queue before {later} was handed out, and comes after"
            );
        }
    }
}
