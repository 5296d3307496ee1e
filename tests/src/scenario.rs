//! A run in which anything may happen: how it is drawn, played, judged, made smaller and written down as a test.

use std::fmt;
use std::time::Duration;

use flockmq_core::sim::Counts;

use crate::checks;
use crate::choice::{Choice, widen};
use crate::flavour::Flavour;
use crate::habit::Habits;
use crate::join::Join;
use crate::limit::Limit;
use crate::play::{Client, Play};
use crate::stage::Stage;
use crate::step::Step;
use crate::topology::Topology;

/// Who is there and what happens, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Where the world's chance comes from.
    pub seed: u64,
    /// How many peers there are at first.
    pub hosts: u8,
    /// How many peers of the second group there are at first.
    pub others: u8,
    /// How many brokers that stand alone there are at first.
    pub brokers: u8,
    /// The clients that fan out.
    pub clients: Vec<Client>,
    /// How many bridges a message may cross.
    pub hops_max: u32,
    /// How many the word of a consumer may.
    pub demand_hops_max: u32,
    /// Hosts between which nothing ever passes, by their places: others have to pass on what they say.
    pub walls: Vec<(u8, u8)>,
    /// Network connectors, which join groups.
    pub joins: Vec<Join>,
    /// What is not as by default.
    pub limits: Vec<Limit>,
    /// What happens.
    pub steps: Vec<Step>,
}

/// What a run was like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What went wrong.
    pub counts: Counts,
    /// How much time passed in the world.
    pub time: Duration,
    /// Time that passed, for each node.
    pub node_time: Duration,
    /// The fingerprint of the run.
    pub trace: u64,
    /// Messages that were sent.
    pub sends: usize,
    /// Messages that were handed out.
    pub deliveries: u64,
}

impl Scenario {
    /// Draws a scenario of up to `steps_max` steps, and in every second one of some more that have a flavour.
    pub fn draw(choice: &mut Choice<'_>, steps_max: usize) -> Self {
        let seed = choice.below(1 << 32);
        let (hosts, mut brokers, clients) = match choice.below(6) {
            0..3 => (2 + choice.place(4), 0, 0),
            3 => (0, 1 + choice.place(4), 1 + choice.place(2)),
            4 => (2 + choice.place(3), 0, 1 + choice.place(2)),
            _ => (1 + choice.place(3), 1 + choice.place(2), 1 + choice.place(2)),
        };
        let all = usize::from(hosts + brokers + clients);
        let clients: Vec<Client> = (0..clients).map(|_| Client::draw(choice)).collect();
        let hops_max = choice.pick(&[1, 1, 1, 2, 3]);
        let are_peers = brokers == 0 && clients.is_empty() && hops_max > 1;
        let walls = if are_peers { Topology::draw(choice, hosts).walls() } else { Vec::new() };
        let mut limits = Limit::draw_some(choice);
        let habits = Habits::draw(choice);
        let count = steps_max / 4 + usize::from(choice.place(steps_max - steps_max / 4 + 1));
        let mut steps = Vec::new();
        while steps.len() < count && !choice.is_exhausted() {
            steps.push(Step::draw(choice, &habits, all));
        }
        // What was there first is drawn first, so that it stays what it was.
        if choice.chance(1, 2) {
            let flavour = Flavour::draw(choice, usize::from(hosts + brokers));
            let count = steps.len() + steps_max / 4 + usize::from(choice.place(steps_max / 2));
            while steps.len() < count && !choice.is_exhausted() {
                steps.push(flavour.step(choice, &habits, all));
            }
        }
        if choice.chance(1, 6) {
            limits.extend(Limit::draw_policies(choice));
        }
        let demand_hops_max = if choice.chance(1, 6) { choice.pick(&[1, 2, 3]) } else { hops_max };
        let (mut others, mut joins) = (0, Vec::new());
        if brokers == 0 && clients.is_empty() && choice.chance(1, 4) {
            // Groups are joined by brokers that belong to one, or by some that stand alone.
            let count = 1 + choice.place(3);
            (others, brokers) = if choice.chance(1, 4) { (0, count) } else { (count, 0) };
            joins = Join::draw_some(choice, hosts, count);
        }
        let (owners, all) =
            (usize::from(hosts + others + brokers), usize::from(hosts + others + brokers) + clients.len());
        if !joins.is_empty() || choice.chance(1, 6) {
            let flavour = match choice.below(2) {
                0 => Flavour::draw_late(choice, owners),
                _ => Flavour::draw(choice, owners),
            };
            let count = steps.len() + steps_max / 4 + usize::from(choice.place(steps_max / 4));
            while steps.len() < count && !choice.is_exhausted() {
                steps.push(match choice.below(2) {
                    0 => flavour.step(choice, &habits, all),
                    _ => Step::draw(choice, &habits, all),
                });
            }
        }
        Self { seed, hosts, others, brokers, clients, hops_max, demand_hops_max, walls, joins, limits, steps }
    }

    /// Plays it: what must never happen is checked all along; then the faults stop, and everything owed must arrive.
    pub fn run(&self) -> Report {
        self.play(checks::QUIET)
    }

    /// Plays it, watching how quiet it is in the end for no longer than `quiet`.
    pub fn play(&self, quiet: Duration) -> Report {
        let mut stage = Stage::new(widen(self.seed));
        let mut play = Play::new(self);
        for _ in 0..self.hosts {
            play.add_host(&mut stage, 0);
        }
        for (a, b) in &self.walls {
            play.wall_off(&mut stage, *a, *b);
        }
        for _ in 0..self.others {
            play.add_afar(&mut stage);
        }
        for _ in 0..self.brokers {
            play.add_broker(&mut stage, 0);
        }
        for client in &self.clients {
            play.add_client(&mut stage, *client);
        }
        for step in &self.steps {
            step.perform(&mut stage, &mut play);
            checks::within_limits(&stage);
            checks::queues(&stage);
            checks::answers(&mut stage);
        }
        checks::settle(&mut stage, &mut play, quiet);
        let time = stage.now().since_origin();
        Report {
            counts: stage.world().counts().clone(),
            time,
            node_time: time * u32::try_from(stage.hosts().len()).expect("few hosts"),
            trace: stage.world().trace_hash(),
            sends: stage.oracle.sends(),
            deliveries: stage.oracle.deliveries(),
        }
    }

    /// Leaves out steps, limits, joins and walls for as long as it still fails.
    #[must_use]
    pub fn shrink(&self, mut fails: impl FnMut(&Self) -> bool) -> Self {
        let mut least = self.clone();
        let mut width = least.steps.len().max(1);
        loop {
            let mut at = 0;
            while at < least.steps.len() {
                let mut fewer = least.clone();
                fewer.steps.drain(at..(at + width).min(fewer.steps.len()));
                if fails(&fewer) {
                    least = fewer;
                } else {
                    at += width;
                }
            }
            if width == 1 {
                break;
            }
            width = width.div_ceil(2);
        }
        for at in (0..least.limits.len()).rev() {
            let mut fewer = least.clone();
            fewer.limits.remove(at);
            if fails(&fewer) {
                least = fewer;
            }
        }
        for at in (0..least.joins.len()).rev() {
            let mut fewer = least.clone();
            fewer.joins.remove(at);
            if fails(&fewer) {
                least = fewer;
            }
        }
        let open = Self { walls: Vec::new(), ..least.clone() };
        if !least.walls.is_empty() && fails(&open) {
            least = open;
        }
        least
    }
}

/// The scenario as a test to paste, which `use flockmq_tests::{Client, Deed, Join, Limit, Mischief, Scenario, Step}` makes complete.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "#[test]\nfn found_by_seed_{}() {{\n    Scenario {{", self.seed)?;
        writeln!(
            f,
            "        seed: {},\n        hosts: {},\n        others: {},\n        brokers: {},",
            self.seed, self.hosts, self.others, self.brokers
        )?;
        writeln!(f, "        clients: vec!{:?},", self.clients)?;
        let limits: Vec<String> = self.limits.iter().map(|limit| format!("Limit::{limit:?}")).collect();
        writeln!(f, "        hops_max: {},\n        demand_hops_max: {},", self.hops_max, self.demand_hops_max)?;
        writeln!(f, "        walls: vec!{:?},", self.walls)?;
        writeln!(f, "        joins: vec!{:?},", self.joins)?;
        writeln!(f, "        limits: vec![{}],", limits.join(", "))?;
        writeln!(f, "        steps: vec![")?;
        for step in &self.steps {
            match step {
                Step::Do(deed) => writeln!(f, "            Step::Do(Deed::{deed:?}),")?,
                Step::Stranger(mischief, host, seed) => {
                    writeln!(f, "            Step::Stranger(Mischief::{mischief:?}, {host}, {seed}),")?;
                }
                other => writeln!(f, "            Step::{other:?},")?,
            }
        }
        write!(f, "        ],\n    }}\n    .run();\n}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deed::Deed;
    use crate::stranger::Mischief;

    #[test]
    fn steps_that_do_not_matter_are_left_out() {
        let scenario = Scenario::draw(&mut Choice::from_seed(1), 40);
        assert!(scenario.steps.len() >= 10);
        let mut scenario = Scenario { steps: scenario.steps, ..scenario };
        scenario.steps.insert(3, Step::Crash(200));
        scenario.steps.push(Step::Pause(201));
        let fails = |found: &Scenario| {
            let crash = found.steps.iter().position(|step| *step == Step::Crash(200));
            crash.is_some_and(|at| found.steps[at..].contains(&Step::Pause(201)))
        };
        assert_eq!(scenario.shrink(fails).steps, [Step::Crash(200), Step::Pause(201)]);
    }

    #[test]
    fn a_scenario_is_printed_as_a_test() {
        let forge = Step::Stranger(Mischief::Forge, 0, 5);
        let steps = vec![Step::Send(0, 1, 2), Step::Do(Deed::HangUp(1)), forge, Step::Quiet];
        let clients = vec![Client {
            acks_min: 2,
            replicates_queues: true,
            checks_duplicates: true,
            is_told: false,
            attempts_max: 0,
            send_timeout_millis: 9,
        }];
        let scenario = Scenario {
            seed: 7,
            hosts: 2,
            others: 0,
            brokers: 1,
            clients,
            hops_max: 1,
            demand_hops_max: 1,
            walls: vec![(0, 1)],
            joins: Vec::new(),
            limits: vec![Limit::Slots(1)],
            steps,
        };
        let printed = scenario.to_string();
        assert!(printed.starts_with("#[test]\nfn found_by_seed_7() {\n    Scenario {\n        seed: 7,"), "{printed}");
        assert!(printed.contains("    clients: vec![Client { acks_min: 2, replicates_queues: true, "), "{printed}");
        assert!(
            printed.contains(
                "hops_max: 1,\n        demand_hops_max: 1,\n        walls: vec![(0, 1)],\n        joins: vec![],\n"
            ),
            "{printed}"
        );
        assert!(printed.contains("limits: vec![Limit::Slots(1)],\n"), "{printed}");
        let steps = ["Send(0, 1, 2)", "Do(Deed::HangUp(1))", "Stranger(Mischief::Forge, 0, 5)", "Quiet"];
        let steps = steps.map(|step| format!("            Step::{step},\n")).concat();
        assert!(printed.contains(&format!("steps: vec![\n{steps}        ],\n")), "{printed}");
    }
}
