//! Who accepted a message. Most messages have the same outcome as those before, so outcomes are shared: one for each
//! set of brokers, and kept for runs of messages rather than for each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use flockmq_core::BrokerId;

/// What became of a message that was accepted: by whom.
///
/// Cheap to clone and to drop; where the embedded broker accepted, there is nothing in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome(Option<Arc<[Acceptor]>>);

/// A broker that accepted a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acceptor {
    /// Its identity, which is new at every start.
    pub broker: BrokerId,
    /// Its name.
    pub name: String,
}

impl Outcome {
    /// The brokers that had accepted the message when enough had (`minAckCount`): those needed or a few more, each
    /// once. Others may have accepted it since.
    ///
    /// Empty where the embedded broker accepted. Also empty where a receipt was asked so late that it is not known
    /// any more: a producer remembers it for the last 8192 times that the brokers changed from one message to the
    /// next.
    pub fn brokers(&self) -> &[Acceptor] {
        self.0.as_deref().unwrap_or_default()
    }

    fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

/// The brokers that may accept something, and the outcomes that were made of them.
#[derive(Debug, Default)]
pub(crate) struct Acceptors {
    names: BTreeMap<BrokerId, String>,
    lost: VecDeque<BrokerId>, // Those of them that are not up, the longest lost first.
    outcomes: BTreeMap<Vec<BrokerId>, Outcome>,
}

impl Acceptors {
    /// A broker is up.
    pub(crate) fn meet(&mut self, broker: BrokerId, name: &str) {
        self.lost.retain(|lost| *lost != broker);
        self.names.insert(broker, name.to_owned());
    }

    /// A broker is up no longer. What it accepted may still be told of.
    pub(crate) fn part(&mut self, broker: BrokerId) {
        if !self.names.contains_key(&broker) || self.lost.contains(&broker) {
            return;
        }
        self.lost.push_back(broker);
        if self.lost.len() > LOST_MAX
            && let Some(forgotten) = self.lost.pop_front()
        {
            self.names.remove(&forgotten);
        }
    }

    /// The outcome of what these brokers accepted.
    pub(crate) fn outcome(&mut self, by: &[BrokerId]) -> Outcome {
        if by.is_empty() {
            return Outcome::default();
        }
        if let Some(outcome) = self.outcomes.get(by) {
            return outcome.clone();
        }
        if self.outcomes.len() >= OUTCOMES_MAX {
            self.outcomes.clear(); // Those in use are made again.
        }
        let named =
            |broker: &BrokerId| Acceptor { broker: *broker, name: self.names.get(broker).cloned().unwrap_or_default() };
        let outcome = Outcome(Some(by.iter().map(named).collect()));
        self.outcomes.insert(by.to_vec(), outcome.clone());
        outcome
    }
}

/// The outcomes of one producer's messages, in order.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    runs: VecDeque<(u64, Outcome)>, // Each up to this message, from where the one before ends.
    forgotten_up_to: u64,           // Where the first one begins.
}

impl Runs {
    /// The messages up to this one, since the last word, had this outcome.
    pub(crate) fn note(&mut self, up_to: u64, outcome: Outcome) {
        if self.runs.is_empty() && outcome.0.is_none() {
            self.forgotten_up_to = up_to; // As every time at an embedded broker.
            return;
        }
        match self.runs.back_mut() {
            Some((end, last)) if last.is_same(&outcome) => *end = up_to,
            _ => self.runs.push_back((up_to, outcome)),
        }
        if self.runs.len() > RUNS_MAX
            && let Some((end, _)) = self.runs.pop_front()
        {
            self.forgotten_up_to = end;
        }
    }

    /// The outcome of a message that was accepted.
    pub(crate) fn at(&self, sequence: u64) -> Outcome {
        if sequence <= self.forgotten_up_to {
            return Outcome::default();
        }
        let run = self.runs.partition_point(|(end, _)| *end < sequence);
        self.runs.get(run).map_or_else(Outcome::default, |(_, outcome)| outcome.clone())
    }

    /// Forgets all, since nobody is left to ask.
    pub(crate) fn forget(&mut self) {
        if let Some((end, _)) = self.runs.back() {
            self.forgotten_up_to = *end;
            self.runs = VecDeque::new();
        }
    }
}

/// How many brokers that are not up have names, so that what they accepted can be told of.
const LOST_MAX: usize = 256;
/// How many outcomes are shared at a time.
const OUTCOMES_MAX: usize = 256;
/// How many runs of messages with one outcome a producer remembers for receipts that nobody has asked yet.
const RUNS_MAX: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    const A: BrokerId = BrokerId(1);
    const B: BrokerId = BrokerId(2);

    fn names(outcome: &Outcome) -> Vec<&str> {
        outcome.brokers().iter().map(|acceptor| acceptor.name.as_str()).collect()
    }

    #[test]
    fn brokers_have_the_names_they_came_with_even_for_a_while_after_they_went() {
        let mut acceptors = Acceptors::default();
        acceptors.meet(A, "a");
        acceptors.part(A);
        acceptors.part(B);
        assert_eq!(names(&acceptors.outcome(&[A, B])), ["a", ""]);
        acceptors.meet(A, "a");
        for number in 0..=LOST_MAX {
            let broker = BrokerId(100 + number as u128);
            acceptors.meet(broker, "c");
            acceptors.part(broker);
            acceptors.part(broker);
        }
        assert_eq!(names(&acceptors.outcome(&[A, BrokerId(100), BrokerId(101)])), ["a", "", "c"]);
        assert_eq!(acceptors.names.len(), LOST_MAX + 1);
    }

    #[test]
    fn outcomes_of_the_same_brokers_are_one_and_their_number_is_bounded() {
        let mut acceptors = Acceptors::default();
        assert!(acceptors.outcome(&[A, B]).is_same(&acceptors.outcome(&[A, B])));
        assert!(!acceptors.outcome(&[A]).is_same(&acceptors.outcome(&[B])));
        assert_eq!(acceptors.outcome(&[]), Outcome::default());
        for number in 0..2 * OUTCOMES_MAX {
            acceptors.outcome(&[BrokerId(number as u128)]);
        }
        assert!(acceptors.outcomes.len() <= OUTCOMES_MAX);
    }

    #[test]
    fn each_message_has_the_outcome_of_its_run() {
        let mut acceptors = Acceptors::default();
        let (a, b) = (acceptors.outcome(&[A]), acceptors.outcome(&[B]));
        let mut runs = Runs::default();
        for (up_to, outcome) in [(2, &Outcome::default()), (3, &a), (5, &a), (6, &b), (7, &Outcome::default())] {
            runs.note(up_to, outcome.clone());
        }
        let found: Vec<Outcome> = (1..=8).map(|sequence| runs.at(sequence)).collect();
        let none = Outcome::default();
        assert_eq!(found, [&none, &none, &a, &a, &a, &b, &none, &none].map(Clone::clone));
        assert_eq!(runs.runs.len(), 3);
        runs.forget();
        assert_eq!((runs.at(6), runs.runs.len()), (none, 0));
        runs.note(9, a.clone());
        assert_eq!((runs.at(7), runs.at(8)), (Outcome::default(), a));
    }

    #[test]
    fn the_oldest_runs_are_forgotten() {
        let mut acceptors = Acceptors::default();
        let outcomes = [acceptors.outcome(&[A]), acceptors.outcome(&[B])];
        let mut runs = Runs::default();
        for sequence in 1..=RUNS_MAX + 1 {
            runs.note(sequence as u64, outcomes[sequence % 2].clone());
        }
        assert_eq!(runs.runs.len(), RUNS_MAX);
        assert_eq!((runs.at(1), runs.at(2)), (Outcome::default(), outcomes[0].clone()));
    }
}
