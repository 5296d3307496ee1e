//! Bodies of fuzz targets: any bytes at all are choices, and whatever they choose, no promise is broken.

use std::time::Duration;

use crate::choice::Choice;
use crate::scenario::Scenario;
use crate::step::Step;

/// Plays the scenario that `data` chooses, with the oracle watching. Bounded in steps and in time, so that a run takes
/// some milliseconds.
///
/// # Panics
///
/// If a promise is broken; the scenario is printed as a test before.
pub fn fuzz_world(data: &[u8]) {
    let mut scenario = Scenario::draw(&mut Choice::from_bytes(data), STEPS_MAX);
    scenario.hosts = scenario.hosts.min(HOSTS_MAX);
    scenario.brokers = scenario.brokers.min(HOSTS_MAX - 1);
    for step in &mut scenario.steps {
        if let Step::Wait(millis) = step {
            *millis = (*millis).min(WAIT_MAX);
        }
    }
    let printed = Printed(&scenario);
    scenario.play(QUIET);
    std::mem::forget(printed);
}

/// Prints a scenario if it is dropped, which only a panic does.
struct Printed<'a>(&'a Scenario);

impl Drop for Printed<'_> {
    fn drop(&mut self) {
        eprintln!("{}", self.0);
    }
}

const STEPS_MAX: usize = 24;
const HOSTS_MAX: u8 = 4;
const WAIT_MAX: u32 = 2_048;
const QUIET: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_will_do() {
        fuzz_world(&[]);
        fuzz_world(&[255; 40]);
        let ascending: Vec<u8> = (0..200).collect();
        fuzz_world(&ascending);
    }
}
