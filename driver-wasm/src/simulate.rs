//! A whole run at once: a scenario as `flockmq simulate` takes it, or one drawn from the seed.

use std::time::Duration;

use flockmq_core::Seed;
use flockmq_core::sim::{Play, Script};

use crate::fault::Fault;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// How much virtual time has passed.
    pub time: Duration,
    /// Messages that applications sent, those to brokers that were down not counted.
    pub sent: u64,
    /// Messages that were delivered to applications, each copy counted.
    pub delivered: u64,
    /// Messages that were refused.
    pub refused: u64,
    /// A hash over everything that has happened, as 16 hexadecimal digits.
    pub trace_hash: String,
}

/// Plays a scenario, or one drawn from the seed for so many hosts, 2 to 100. All chance comes from `seed`, a hexadecimal
/// number.
///
/// ```
/// use flockmq_wasm::simulate;
///
/// assert_eq!(simulate("2a", 3, None)?, simulate("2a", 3, None)?);
/// let run = simulate("2a", 0, Some("host a peer://g\nsubscribe a queue://q\nsend a queue://q hello\nrun 1s"))?;
/// assert_eq!((run.time.as_secs(), run.sent, run.delivered), (1, 1, 1));
/// # Ok::<(), flockmq_wasm::Fault>(())
/// ```
pub fn simulate(seed: &str, hosts: usize, scenario: Option<&str>) -> Result<Run, Fault> {
    let seed: Seed = seed.parse().map_err(|_| Fault::Seed(seed.to_owned()))?;
    let script = match scenario {
        Some(text) => text.parse()?,
        None => Script::draw(seed, hosts),
    };
    let mut play = Play::new(seed, &script);
    while play.step() {}
    let tally = play.tally().clone();
    let world = play.world();
    Ok(Run {
        time: world.now().since_origin(),
        sent: tally.sent,
        delivered: tally.delivered,
        refused: tally.refused,
        trace_hash: format!("{:016x}", world.trace_hash()),
    })
}
