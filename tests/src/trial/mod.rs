//! One broker with applications and a remote client, to whom anything may happen that choices choose. After each
//! operation it must have said what the [model](crate::model) says, no more and no less, and count what it counts.

mod act;
mod feature;
mod hearing;
mod operation;
mod setting;
mod shrink;
mod workload;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic;

use flockmq_core::{AdminRequest, Input, Instant, LinkId, ListenerId, Node, Refusal, Seed, Tag};

use crate::choice::Choice;
use crate::end::End;
use crate::model::{Model, REMOTE, Said, Sender};
use operation::Operation;
use setting::Setting;
use shrink::Shrink;
use workload::Workload;

/// Choices: whatever applications and a remote client ask of a broker with little room, it does as the model.
///
/// # Panics
///
/// If it does not.
pub fn fuzz_broker(data: &[u8]) {
    Trial::play(&mut Choice::from_bytes(data));
}

/// A broker, and the model that it is compared with.
pub struct Trial {
    node: Node,
    model: Model,
    now: Instant,
    log: Vec<Operation>,
    requests: u64,
    slot: Option<LinkId>, // The link that is held out.
    end: Option<End>,     // The remote client's, while its link is up.
    closing: Vec<LinkId>,
    sent: u64,                // By the remote client, over all its links.
    tags: BTreeMap<u64, Tag>, // Likewise over this one, by stream.
    said: Said,
    #[cfg(test)]
    refused: Vec<Refusal>, // Of messages.
}

impl Trial {
    /// Plays the workload of each seed.
    ///
    /// # Panics
    ///
    /// If the broker does otherwise than the model in one. What it takes for that is printed, with the seed.
    pub fn run(seeds: impl Iterator<Item = u64>) {
        for seed in seeds {
            if panic::catch_unwind(|| Self::play(&mut Choice::from_seed(seed))).is_err() {
                eprintln!("seed {seed} fails, and does so with less:");
                Shrink::of(seed).run();
                panic!("seed {seed} does not fail again");
            }
        }
    }

    /// The choices of a seed, from which [`fuzz_broker`] plays its workload.
    ///
    /// # Panics
    ///
    /// If the broker does otherwise than the model.
    pub fn record(seed: u64) -> Vec<u8> {
        let mut choice = Choice::from_seed(seed);
        choice.record();
        Self::play(&mut choice);
        choice.take_record()
    }

    /// Plays a workload, up to some hundred operations.
    fn play(choice: &mut Choice<'_>) -> Self {
        let setting = Setting::draw(choice);
        let mut trial = Self::new(&setting);
        trial.go_on(setting, choice);
        trial
    }

    fn go_on(&mut self, setting: Setting, choice: &mut Choice<'_>) {
        let mut workload = Workload::new(self.node.id(), setting);
        for operation in workload.opening(choice) {
            self.perform(operation);
        }
        for _ in 0..OPERATIONS_MAX {
            if choice.is_exhausted() {
                break;
            }
            let operation = workload.draw(&self.model, choice);
            self.perform(operation);
        }
        let asked = AdminRequest::Destinations { within: None, after: None };
        self.perform(Operation::Ask { connection: 1, asked });
    }

    fn new(setting: &Setting) -> Self {
        let node = Node::new(setting.config(), Seed::from(1), Instant::ZERO);
        let mut trial = Self {
            model: Model::new(node.id(), setting.broker.clone(), setting.remote.clone()),
            node,
            now: Instant::ZERO,
            log: Vec::new(),
            requests: 0,
            slot: None,
            end: None,
            closing: Vec::new(),
            sent: 0,
            tags: BTreeMap::new(),
            said: Said::default(),
            #[cfg(test)]
            refused: Vec::new(),
        };
        trial.drain();
        let addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 1))];
        trial.tell(Input::Listening { listener: ListenerId(1), addresses });
        trial
    }

    fn perform(&mut self, operation: Operation) {
        let is_possible = match operation.connection() {
            Some(REMOTE) => {
                operation.is_for_clients() && (self.end.is_some() || matches!(operation, Operation::Attach(_)))
            }
            _ => true,
        };
        if is_possible {
            self.log.push(operation.clone());
            self.act(operation);
            self.compare();
        }
    }

    fn check_reply(&mut self, result: Result<(), Refusal>) {
        assert_eq!(std::mem::take(&mut self.said.replies), [result]);
    }

    /// Both have said and hold the same.
    fn compare(&mut self) {
        let (mut found, mut expected) = (std::mem::take(&mut self.said), self.model.said());
        for said in [&mut found, &mut expected].into_iter().filter(|said| said.has_parted) {
            // What was on its way to it counts for nothing.
            said.accepted.retain(|(sender, _), _| *sender == Sender::Application);
            said.refused.retain(|(sender, ..), _| *sender == Sender::Application);
            said.delivered.retain(|consumer, _| consumer.0 >= workload::CONSUMERS);
            said.browsed.retain(|consumer| consumer.0 >= workload::CONSUMERS);
            said.ended.retain(|consumer, _| consumer.0 >= workload::CONSUMERS);
        }
        assert_eq!(found, expected, "said by the broker, and by the model");
        #[cfg(test)]
        self.refused.extend(found.refused.into_values().flatten());
        assert_eq!(self.node.stats().broker, self.model.stats(), "counted by the broker, and by the model");
        let (found, expected) = (self.node.poll_timeout(), self.model.poll_timeout());
        assert!(expected.is_none_or(|at| found.is_some_and(|found| found <= at)), "{found:?} instead of {expected:?}");
    }
}

const OPERATIONS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use flockmq_core::{BrokerStats, Destination};

    use super::feature::Feature;
    use super::*;

    #[test]
    fn any_bytes_will_do() {
        fuzz_broker(&[]);
        fuzz_broker(&[255; 400]);
        let ascending: Vec<u8> = (0..=255).collect();
        fuzz_broker(&ascending);
    }

    #[test]
    fn what_a_seed_chooses_can_be_had_of_bytes() {
        for seed in 0..20 {
            let bytes = Trial::record(seed);
            let played = |mut choice: Choice<'_>| format!("{:?}", Trial::play(&mut choice).log);
            assert_eq!(played(Choice::from_bytes(&bytes)), played(Choice::from_seed(seed)), "seed {seed}");
        }
    }

    #[test]
    fn a_workload_makes_use_of_any_feature_and_many_of_none() {
        let features = |seed| Setting::draw(&mut Choice::from_seed(seed)).features;
        let all: Vec<_> = (0..1_000).map(features).collect();
        let plain = all.iter().filter(|features| features.is_empty()).count();
        assert!((200..300).contains(&plain), "{plain} of 1000 are plain");
        for feature in Feature::ALL {
            let count = all.iter().filter(|features| features.contains(&feature)).count();
            assert!(count > 60, "{count} of 1000 make use of {feature:?}");
        }
    }

    #[test]
    fn limits_and_policies_are_met() {
        let trials: Vec<Trial> = (0..600).map(|seed| Trial::play(&mut Choice::from_seed(seed))).collect();
        let refused =
            |is_so: fn(&Refusal) -> bool| trials.iter().filter(|trial| trial.refused.iter().any(is_so)).count();
        let counted = |count: fn(&BrokerStats) -> u64| {
            trials.iter().filter(|trial| count(&trial.node.stats().broker) > 0).count()
        };
        let done = |is_so: fn(&Operation) -> bool| trials.iter().filter(|trial| trial.log.iter().any(is_so)).count();
        let met = [
            (
                "several are consumed from",
                done(|operation| match operation {
                    Operation::Subscribe { subscription, .. } => subscription.destination.is_composite(),
                    _ => false,
                }),
            ),
            (
                "several are sent to",
                done(|operation| match operation {
                    Operation::Produce { destination, .. } | Operation::TransactedSend { destination, .. } => {
                        destination.is_composite() && !destination.iter().any(Destination::is_pattern)
                    }
                    _ => false,
                }),
            ),
            ("a destination is full", refused(|refusal| matches!(refusal, Refusal::DestinationFull { .. }))),
            ("the broker is full", refused(|refusal| matches!(refusal, Refusal::BrokerFull { .. }))),
            ("too much waits for room", refused(|refusal| matches!(refusal, Refusal::ParkedFull { .. }))),
            ("messages are dropped for who is slow", counted(|stats| stats.dropped)),
            ("who is slow ends", counted(|stats| stats.ended_slow)),
            ("idle destinations go", counted(|stats| stats.forgotten)),
        ];
        for (what, count) in met {
            assert!(count >= 5, "{what}: in {count} of 600 workloads");
        }
    }
}
