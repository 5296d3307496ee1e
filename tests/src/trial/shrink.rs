//! What it takes for a workload to fail.

use std::panic::{self, AssertUnwindSafe};

use super::Trial;
use super::operation::Operation;
use super::setting::Setting;
use crate::choice::Choice;

/// Operations after which a broker did otherwise than the model.
pub(super) struct Shrink {
    setting: Setting,
    operations: Vec<Operation>,
}

impl Shrink {
    /// Those of a seed that fails.
    pub(super) fn of(seed: u64) -> Self {
        let mut choice = Choice::from_seed(seed);
        let setting = Setting::draw(&mut choice);
        let mut trial = Trial::new(&setting);
        quietly(|| trial.go_on(setting.clone(), &mut choice));
        Self { setting, operations: trial.log }
    }

    /// Leaves out whatever it fails without, and fails again.
    pub(super) fn run(mut self) {
        let mut is_shorter = true;
        while std::mem::take(&mut is_shorter) {
            for at in (0..self.operations.len()).rev() {
                let left_out = self.operations.remove(at);
                if quietly(|| self.replay()) {
                    is_shorter = true;
                } else {
                    self.operations.insert(at, left_out);
                }
            }
        }
        let lines = self.operations.iter().map(|operation| format!("{operation:?}\n"));
        eprintln!("{:?}\n{:?}\n{}", self.setting.broker, self.setting.remote, lines.collect::<String>());
        self.replay();
    }

    fn replay(&self) {
        let mut trial = Trial::new(&self.setting);
        for operation in &self.operations {
            trial.perform(operation.clone());
        }
    }
}

/// True if it panics, of which nothing is printed.
fn quietly(run: impl FnOnce()) -> bool {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let has_failed = panic::catch_unwind(AssertUnwindSafe(run)).is_err();
    panic::set_hook(hook);
    has_failed
}
