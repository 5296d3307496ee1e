//! What became of what applications sent: delivered, delivered twice, lost, and how long it took.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::{ConsumerId, Destination, DestinationKind, Instant, MessageId};
use serde_json::{Value, json};

use crate::agenda::millis;

/// Counts, and the messages that they may still change for.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    sent: u64,
    delivered: u64,
    duplicate: u64,
    refused: u64,
    owed: u64,
    reached: u64,
    late_topics: u64,
    late_queues: u64,
    letters: BTreeMap<MessageId, Letter>,
    order: VecDeque<MessageId>, // As they were sent.
    judged: usize,              // How many of them are late if they are missing.
    latencies: Vec<f64>,
}

/// A message as its sender sees it.
#[derive(Debug)]
struct Letter {
    sent_at: Instant,
    kind: DestinationKind,
    owed: u64,
    reached: Vec<(HostId, ConsumerId)>,
    is_late: bool,
}

impl Letter {
    fn missing(&self) -> u64 {
        self.owed.saturating_sub(self.reached.len() as u64)
    }
}

impl Ledger {
    /// An application sends a message that so many consumers should get.
    pub(crate) fn send(&mut self, now: Instant, id: MessageId, destination: &Destination, subscribers: u64) {
        let kind = destination.kind();
        let owed = if kind == DestinationKind::Queue { 1 } else { subscribers };
        self.sent += 1;
        self.owed += owed;
        self.letters.insert(id, Letter { sent_at: now, kind, owed, reached: Vec::new(), is_late: false });
        self.order.push_back(id);
        if self.order.len() > LETTERS_MAX {
            let oldest = self.order.pop_front().expect("there are more than enough");
            self.letters.remove(&oldest);
            self.judged = self.judged.saturating_sub(1);
        }
    }

    /// A consumer is handed a message.
    pub(crate) fn deliver(&mut self, now: Instant, id: MessageId, by: (HostId, ConsumerId)) {
        self.delivered += 1;
        let Some(letter) = self.letters.get_mut(&id) else { return };
        let is_again = match letter.kind {
            DestinationKind::Queue => !letter.reached.is_empty(),
            DestinationKind::Topic => letter.reached.contains(&by),
        };
        if is_again {
            self.duplicate += 1;
            return;
        }
        let before = letter.missing();
        letter.reached.push(by);
        self.reached += before - letter.missing();
        self.latencies.push((now - letter.sent_at).as_secs_f64() * 1e3);
        let gained = if letter.is_late { before - letter.missing() } else { 0 };
        *self.late(id) -= gained;
    }

    /// A message was refused: nobody is owed it any more.
    pub(crate) fn refuse(&mut self, id: MessageId) {
        self.refused += 1;
        let Some(letter) = self.letters.get_mut(&id) else { return };
        let missing = letter.missing();
        letter.owed -= missing;
        self.owed -= missing;
        let gained = if letter.is_late { missing } else { 0 };
        *self.late(id) -= gained;
    }

    /// Counts as JavaScript is told them, where so many messages are held in queues now; and how long those took that were
    /// delivered since the last call.
    pub(crate) fn tell(&mut self, now: Instant, held: u64) -> Value {
        self.judge(now);
        let mut latencies = std::mem::take(&mut self.latencies);
        latencies.sort_by(f64::total_cmp);
        let at = |part: usize| latencies.get((latencies.len() * part / 100).min(latencies.len().saturating_sub(1)));
        json!({
            "at": millis(now),
            "sent": self.sent,
            "delivered": self.delivered,
            "duplicate": self.duplicate,
            "refused": self.refused,
            "missing": self.owed - self.reached,
            "lost": self.late_topics + self.late_queues.saturating_sub(held),
            "held": held,
            "latency": { "count": latencies.len(), "median": at(50), "p95": at(95), "max": latencies.last() },
        })
    }

    /// What is missing for long counts as late.
    fn judge(&mut self, now: Instant) {
        while let Some(id) = self.order.get(self.judged).copied() {
            let letter = self.letters.get_mut(&id).expect("what is in order is kept");
            if now - letter.sent_at < LATE_AFTER {
                break;
            }
            letter.is_late = true;
            let missing = letter.missing();
            *self.late(id) += missing;
            self.judged += 1;
        }
    }

    fn late(&mut self, id: MessageId) -> &mut u64 {
        match self.letters[&id].kind {
            DestinationKind::Queue => &mut self.late_queues,
            DestinationKind::Topic => &mut self.late_topics,
        }
    }
}

/// How long a message may be on its way until it counts as lost, if it is in no queue.
const LATE_AFTER: Duration = Duration::from_secs(10);

/// How many messages are remembered.
const LETTERS_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;
    use flockmq_core::{BrokerId, ProducerId};

    const A: (HostId, ConsumerId) = (HostId(0), ConsumerId(1));
    const B: (HostId, ConsumerId) = (HostId(1), ConsumerId(1));

    fn id(sequence: u64) -> MessageId {
        MessageId { producer: ProducerId { broker: BrokerId(1), number: 1 }, sequence }
    }

    fn second(number: u64) -> Instant {
        Instant::from_millis(1000 * number)
    }

    fn counts(ledger: &mut Ledger, now: u64, held: u64) -> [u64; 5] {
        let told = ledger.tell(second(now), held);
        ["delivered", "duplicate", "refused", "missing", "lost"].map(|name| told[name].as_u64().expect("a count"))
    }

    #[test]
    fn a_topic_owes_each_subscriber_one_copy() {
        let (mut ledger, topic) = (Ledger::default(), Destination::topic("t").expect("a name"));
        ledger.send(second(0), id(1), &topic, 2);
        ledger.deliver(second(1), id(1), A);
        assert_eq!(counts(&mut ledger, 1, 0), [1, 0, 0, 1, 0]);
        ledger.deliver(second(2), id(1), A);
        assert_eq!(counts(&mut ledger, 10, 0), [2, 1, 0, 1, 1], "what does not come for ten seconds is lost");
        ledger.deliver(second(11), id(1), B);
        assert_eq!(counts(&mut ledger, 11, 0), [3, 1, 0, 0, 0], "until it comes after all");
    }

    #[test]
    fn a_queue_owes_each_message_once_and_what_it_holds_is_not_lost() {
        let (mut ledger, queue) = (Ledger::default(), Destination::queue("q").expect("a name"));
        for sequence in 1..=3 {
            ledger.send(second(0), id(sequence), &queue, 0);
        }
        assert_eq!(counts(&mut ledger, 20, 3), [0, 0, 0, 3, 0]);
        ledger.deliver(second(21), id(1), A);
        ledger.deliver(second(22), id(1), B);
        ledger.refuse(id(2));
        assert_eq!(counts(&mut ledger, 22, 1), [2, 1, 1, 1, 0]);
        assert_eq!(counts(&mut ledger, 22, 0), [2, 1, 1, 1, 1]);
    }

    #[test]
    fn latencies_are_told_once() {
        let (mut ledger, queue) = (Ledger::default(), Destination::queue("q").expect("a name"));
        for sequence in 1..=100 {
            ledger.send(second(0), id(sequence), &queue, 0);
            ledger.deliver(Instant::from_millis(sequence), id(sequence), A);
        }
        let told = ledger.tell(second(1), 0);
        assert_eq!(told["latency"], json!({ "count": 100, "median": 51.0, "p95": 96.0, "max": 100.0 }));
        assert_eq!(ledger.tell(second(1), 0)["latency"]["count"], 0);
    }
}
