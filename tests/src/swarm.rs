//! Many scenarios, each from a seed of its own; the first that fails is made small and printed as a test.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, Instant};

use flockmq_core::Situation;
use flockmq_core::sim::Counts;

use crate::choice::Choice;
use crate::scenario::{Report, Scenario};

/// What a number of runs were like.
#[derive(Clone, Debug, Default)]
pub struct Campaign {
    /// How many there were.
    pub seeds: u64,
    /// All of them together.
    pub report: Report,
    /// How many of them were run twice, and came out the same.
    pub repeated: u64,
    /// In how many of them each situation came about. Right only if nothing else runs nodes in this program.
    pub situations: BTreeMap<Situation, u64>,
    /// How long they took, by the wall clock.
    pub elapsed: Duration,
}

impl Campaign {
    /// Runs the scenarios of some seeds.
    ///
    /// # Panics
    ///
    /// If one breaks a promise: with its seed, and with the scenario as a test, made as small as it gets.
    pub fn run(seeds: impl Iterator<Item = u64>, steps_max: usize) -> Self {
        Self::run_within(seeds, steps_max, Duration::MAX)
    }

    /// As [`Campaign::run`], for so long at most, by the wall clock. One run in twenty is made twice.
    ///
    /// # Panics
    ///
    /// As [`Campaign::run`] does, and if a run comes out otherwise the second time.
    #[expect(clippy::disallowed_methods, reason = "when to stop and how fast it was change nothing in a run")]
    pub fn run_within(seeds: impl Iterator<Item = u64>, steps_max: usize, limit: Duration) -> Self {
        let began = Instant::now();
        let mut campaign = Self::default();
        Situation::take_met(); // By whatever ran before.
        for seed in seeds {
            if began.elapsed() >= limit {
                break;
            }
            let scenario = Scenario::draw(&mut Choice::from_seed(seed), steps_max);
            let report = attempt(&scenario).unwrap_or_else(|why| fail(seed, &scenario, &why));
            if seed % REPEATED_ONE_IN == 0 {
                let again = attempt(&scenario).unwrap_or_else(|why| fail(seed, &scenario, &why));
                assert_eq!(again.trace, report.trace, "seed {seed} comes out otherwise the second time");
                campaign.repeated += 1;
            }
            campaign.add(&report);
            for situation in Situation::take_met() {
                *campaign.situations.entry(situation).or_default() += 1;
            }
        }
        campaign.elapsed = began.elapsed();
        campaign
    }

    /// How many faults were injected, of all kinds.
    pub fn faults(&self) -> u64 {
        let counts = &self.report.counts;
        let datagrams =
            counts.datagrams_cut + counts.datagrams_doubled + counts.datagrams_lost + counts.datagrams_reordered;
        let streams = counts.refusals + counts.retries + counts.resets + counts.stalls;
        let machines = counts.crashes + counts.cuts + counts.pauses + counts.wall_jumps;
        let disks = counts.disk_failures + counts.disk_overflows + counts.sectors_lost + counts.bits_rotted;
        datagrams + streams + machines + disks + counts.spurious_timeouts
    }

    /// What a campaign has to reach to be worth its name, where this one did not.
    pub fn shortfalls(&self) -> Vec<String> {
        let figures = [
            (self.seeds, SEEDS_MIN, "seeds"),
            (self.report.node_time.as_secs() / 3600, NODE_HOURS_MIN, "node-hours"),
            (self.faults(), FAULTS_MIN, "faults"),
        ];
        let short = figures.into_iter().filter(|(found, least, _)| found < least);
        let short = short.map(|(found, least, what)| format!("{found} {what}, and {least} are expected"));
        let unmet = Situation::ALL.iter().filter(|situation| !self.situations.contains_key(situation));
        short.chain(unmet.map(|situation| format!("never met: {}", situation.describe()))).collect()
    }

    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        let sum = &mut self.report;
        sum.trace = sum.trace.rotate_left(1) ^ report.trace;
        sum.time += report.time;
        sum.node_time += report.node_time;
        sum.sends += report.sends;
        sum.deliveries += report.deliveries;
        for ((_, sum), (_, count)) in fields(&mut sum.counts).into_iter().zip(fields(&mut report.counts.clone())) {
            *sum += *count;
        }
    }
}

impl fmt::Display for Campaign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seeds, report, repeated, situations, elapsed } = self;
        let hours = |time: Duration| time.as_secs_f64() / 3600.0;
        writeln!(
            f,
            "{seeds} seeds, {repeated} of them twice, {:.1} virtual hours, {:.1} node-hours",
            hours(report.time),
            hours(report.node_time)
        )?;
        let faults = self.faults();
        writeln!(f, "{} messages sent, {} handed out; {faults} faults", report.sends, report.deliveries)?;
        for (name, count) in fields(&mut report.counts.clone()) {
            writeln!(f, "{:>12} {name}", *count)?;
        }
        let mut rare: Vec<_> =
            Situation::ALL.iter().map(|found| (situations.get(found).unwrap_or(&0), *found)).collect();
        rare.sort();
        writeln!(f, "{} of {} situations met; the rarest, by seeds:", situations.len(), rare.len())?;
        for (seeds, situation) in rare.iter().take(RAREST) {
            writeln!(f, "{seeds:>12} {}", situation.describe())?;
        }
        writeln!(f, "traces {:016x}", report.trace)?;
        let seconds = elapsed.as_secs_f64().max(f64::EPSILON);
        let events = u32::try_from(report.counts.inputs).unwrap_or(u32::MAX);
        let ratio = report.time.as_secs_f64() / seconds;
        write!(f, "{seconds:.1} s, {:.0} events/s, {ratio:.0} times real time", f64::from(events) / seconds)
    }
}

/// The seed's report, or why it failed.
fn attempt(scenario: &Scenario) -> Result<Report, String> {
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| scenario.run()));
    outcome.map_err(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

fn fail(seed: u64, scenario: &Scenario, why: &str) -> ! {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ())); // Every smaller scenario that fails would say so.
    let least = scenario.shrink(|smaller| attempt(smaller).is_err());
    panic::set_hook(hook);
    let why_least = attempt(&least).expect_err("it still fails");
    panic!("seed {seed} fails: {why}\nmade smaller, it fails with: {why_least}\n{least}");
}

fn fields(counts: &mut Counts) -> [(&'static str, &mut u64); 26] {
    [
        ("inputs", &mut counts.inputs),
        ("outputs", &mut counts.outputs),
        ("bits rotted", &mut counts.bits_rotted),
        ("bytes announced", &mut counts.bytes_announced),
        ("bytes sent", &mut counts.bytes_sent),
        ("crashes", &mut counts.crashes),
        ("cuts", &mut counts.cuts),
        ("datagrams", &mut counts.datagrams),
        ("datagrams cut", &mut counts.datagrams_cut),
        ("datagrams doubled", &mut counts.datagrams_doubled),
        ("datagrams lost", &mut counts.datagrams_lost),
        ("datagrams reordered", &mut counts.datagrams_reordered),
        ("disk failures", &mut counts.disk_failures),
        ("disk overflows", &mut counts.disk_overflows),
        ("disk requests", &mut counts.disk_requests),
        ("pauses", &mut counts.pauses),
        ("losses of power", &mut counts.power_offs),
        ("refusals", &mut counts.refusals),
        ("retries", &mut counts.retries),
        ("resets", &mut counts.resets),
        ("sectors lost", &mut counts.sectors_lost),
        ("sleeps", &mut counts.sleeps),
        ("spurious timeouts", &mut counts.spurious_timeouts),
        ("stalls", &mut counts.stalls),
        ("streams", &mut counts.streams),
        ("wall clocks set", &mut counts.wall_jumps),
    ]
}

/// How many scenarios a campaign has at least, with how many hours of all their nodes, and how many faults injected.
const SEEDS_MIN: u64 = 2_000;
const NODE_HOURS_MIN: u64 = 500;
const FAULTS_MIN: u64 = 100_000;

/// How many situations are named that are met seldom or never.
const RAREST: usize = 8;

/// Of so many runs, one is made twice.
const REPEATED_ONE_IN: u64 = 20;
