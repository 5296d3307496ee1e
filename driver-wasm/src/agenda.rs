//! A scenario in time: what is still to be done, and what was done when, which is a scenario again.

use std::collections::VecDeque;
use std::time::Duration;

use flockmq_core::Instant;
use flockmq_core::sim::{Script, ScriptStep};

/// Steps with their moments.
#[derive(Debug, Default)]
pub(crate) struct Agenda {
    done: Vec<(Instant, ScriptStep)>,
    due: VecDeque<(Instant, ScriptStep)>,
    ends_at: Instant,
}

impl Agenda {
    /// All of a script is to be done.
    pub(crate) fn new(script: Script) -> Self {
        let (mut at, mut due) = (Instant::ZERO, VecDeque::new());
        for step in script.steps {
            match step {
                ScriptStep::Run(duration) => at = at + duration,
                step => due.push_back((at, step)),
            }
        }
        Self { done: Vec::new(), due, ends_at: at }
    }

    /// When the scenario ends.
    pub(crate) fn ends_at(&self) -> Instant {
        self.ends_at
    }

    /// When the next step is due, if there is one.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.due.front().map(|(at, _)| *at)
    }

    /// Takes the next step, which is done now.
    pub(crate) fn take(&mut self) -> Option<ScriptStep> {
        let (at, step) = self.due.pop_front()?;
        self.done.push((at, step.clone()));
        Some(step)
    }

    /// Something was done beside what the script says.
    pub(crate) fn note(&mut self, at: Instant, step: ScriptStep) {
        self.done.push((at, step));
    }

    /// How many steps were done.
    pub(crate) fn done(&self) -> usize {
        self.done.len()
    }

    /// The steps that were done since there were so many.
    pub(crate) fn done_since(&self, count: usize) -> &[(Instant, ScriptStep)] {
        &self.done[count.min(self.done.len())..]
    }

    /// What was done and is still to be done, as a script that takes at least until `now`.
    pub(crate) fn script(&self, now: Instant) -> Script {
        let (mut at, mut steps) = (Instant::ZERO, Vec::new());
        let mut pass = |until: Instant, steps: &mut Vec<ScriptStep>| {
            if until > at {
                steps.push(ScriptStep::Run(until - at));
                at = until;
            }
        };
        for (moment, step) in self.done.iter().chain(&self.due) {
            pass(*moment, &mut steps);
            steps.push(step.clone());
        }
        pass(now.max(self.ends_at), &mut steps);
        Script { steps }
    }
}

/// Milliseconds as JavaScript counts them, to the nanosecond.
pub(crate) fn millis(at: Instant) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact for 104 days")]
    let nanos = at.as_nanos() as f64;
    nanos / 1e6
}

/// The moment or span that JavaScript means, to the nanosecond.
pub(crate) fn duration(milliseconds: f64) -> Option<Duration> {
    let nanos = (milliseconds * 1e6).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
    (0.0..1.8e19).contains(&nanos).then(|| Duration::from_nanos(nanos as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_on_the_way_takes_its_place_in_the_script() {
        let script: Script = "host a peer://g\nrun 1s\ncrash a\nrun 2s".parse().expect("a script");
        let mut agenda = Agenda::new(script.clone());
        assert_eq!(agenda.script(Instant::ZERO), script);
        agenda.take();
        agenda.note(Instant::from_millis(400), ScriptStep::Pause("a".into()));
        agenda.take();
        agenda.note(Instant::from_millis(1000), ScriptStep::Restart("a".into()));
        assert_eq!((agenda.take(), agenda.done()), (None, 4));
        let written = "host a peer://g\nrun 400ms\npause a\nrun 600ms\ncrash a\nrestart a\nrun 2s\n";
        assert_eq!(agenda.script(Instant::from_millis(1000)).to_string(), written);
        assert_eq!(agenda.script(Instant::from_millis(5000)).to_string(), written.replace("run 2s", "run 4s"));
        assert_eq!(agenda.done_since(3).len(), 1);
    }

    #[test]
    fn moments_survive_the_way_to_javascript_and_back() {
        for nanos in [0, 1, 999_999, 1_234_567_891, 86_400_000_000_001] {
            let at = Instant::from_nanos(nanos);
            assert_eq!(duration(millis(at)), Some(Duration::from_nanos(nanos)));
        }
        assert_eq!((duration(-1.0), duration(f64::NAN), duration(1e300)), (None, None, None));
    }
}
