//! What happens at targets, as the application is told.

use super::*;

fn told(link: u64, wanted: bool) -> Output {
    Output::Say { link: LinkId(link), frame: Frame::Advise { wanted } }
}

fn advisory() -> Advisory {
    Advisory::DestinationAdded { destination: Destination::queue("q").expect("a name") }
}

impl Rig {
    /// What came out when the application wants to know, or no more.
    fn want(&mut self, wanted: bool) -> Vec<Output> {
        self.outcomes.clear();
        self.fanout.set_curious(wanted, &mut self.out);
        self.read();
        core::mem::take(&mut self.outcomes)
    }
}

#[test]
fn every_target_is_asked_once_and_whoever_comes_later() {
    let mut rig = Rig::with_targets(1, 2);
    assert_eq!(rig.want(true), [told(1, true), told(2, true)]);
    assert_eq!(rig.want(true), []);
    rig.down(2);
    rig.up(3);
    assert!(rig.outcomes.contains(&told(3, true)));
    assert_eq!(rig.want(false), [told(1, false), told(3, false)]);
    rig.up(4);
    assert!(!rig.outcomes.iter().any(|outcome| matches!(outcome, Output::Say { .. })), "{:?}", rig.outcomes);
}

#[test]
fn what_targets_tell_is_told_with_who_they_are_and_to_nobody_who_has_not_asked() {
    let mut rig = Rig::with_targets(1, 2);
    rig.want(true);
    rig.hear(2, Frame::Advised { missed: 3, advisory: Box::new(advisory()) });
    assert_eq!(rig.outcomes, [Output::Advised { broker: BrokerId(2), missed: 3, advisory: Box::new(advisory()) }]);
    rig.want(false);
    rig.hear(2, Frame::Advised { missed: 0, advisory: Box::new(advisory()) });
    assert_eq!(rig.outcomes, []);
}
