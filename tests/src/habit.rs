//! What is in the habit of happening in a scenario, and how its steps are drawn.

use crate::choice::Choice;
use crate::play::CONSUMERS_MAX;
use crate::step::Step;
use crate::stranger::Mischief;

/// What is in the habit of happening in a scenario, and where: a few kinds of things at a few places show what all of
/// them together hide.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    kinds: Vec<Kind>, // Each as often as it is likely.
    destinations: &'static [u8],
    patterns: &'static [u8],
}

/// Steps that come together or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Answer,
    Arrive,
    Close,
    Crash,
    Cut,
    Detach,
    Disk,
    Faults,
    Leave,
    Machine,
    Pause,
    Reset,
    Send,
    SendSized,
    SendWide,
    Sever,
    Slow,
    Stranger,
    Subscribe,
    SubscribeOddly,
    Unsubscribe,
    Wait,
}

impl Habits {
    pub(crate) fn draw(choice: &mut Choice<'_>) -> Self {
        let has_all = choice.chance(1, 4);
        let mut kinds = Vec::new();
        for (kind, weight) in KINDS {
            if CONSTANT.contains(&kind) || has_all || choice.chance(1, 2) {
                kinds.resize(kinds.len() + weight, kind);
            }
        }
        let (destinations, patterns) = choice.pick(&FOCUS);
        Self { kinds, destinations, patterns }
    }

    pub(crate) fn destination(&self, choice: &mut Choice<'_>) -> u8 {
        choice.pick(self.destinations)
    }

    pub(crate) fn pattern(&self, choice: &mut Choice<'_>) -> u8 {
        choice.pick(self.patterns)
    }
}

impl Step {
    /// A step; hosts are drawn from `hosts`.
    pub(crate) fn draw(choice: &mut Choice<'_>, habits: &Habits, hosts: usize) -> Self {
        let kind = choice.pick(&habits.kinds);
        let host = choice.place(hosts);
        match kind {
            Kind::Answer => {
                let (consumer, delivery) = (choice.place(CONSUMERS_MAX), choice.place(8));
                match choice.below(4) {
                    0 => Self::AckOne(host, consumer, delivery),
                    1 => Self::Ack(host, consumer, delivery),
                    2 => Self::ReleaseOne(host, consumer, delivery),
                    _ => Self::Release(host, consumer, delivery),
                }
            }
            Kind::Arrive => match choice.below(2) {
                0 => Self::AddHost(choice.place(2)),
                _ => Self::AddBroker(choice.place(2)),
            },
            Kind::Close => Self::CloseProducer(host, habits.destination(choice)),
            Kind::Crash => match choice.below(2) {
                0 => Self::Crash(host),
                _ => Self::Restart(host),
            },
            Kind::Cut => {
                let other = choice.place(hosts);
                match choice.below(4) {
                    0 => Self::CutOneWay(host, other),
                    1 => Self::Cut(host, other),
                    _ => Self::Heal(host, other),
                }
            }
            Kind::Detach => Self::Detach(host),
            Kind::Disk => match choice.below(5) {
                0 => Self::Record(host),
                1 => Self::RestartEmpty(host),
                2 => Self::Rot(host),
                3 => Self::DiskRoom(host, choice.pick(&[0, 1 << 10, 1 << 14, 1 << 30])),
                _ => Self::Clock(host, choice.pick(&[DAY, -DAY, 3_600_000, -1_000])),
            },
            Kind::Faults => match choice.below(2) {
                0 => Self::Faults(choice.below(1 << 16)),
                _ => Self::Quiet,
            },
            Kind::Leave => Self::Stop(host),
            Kind::Machine => match choice.below(3) {
                0 => Self::PowerOff(host),
                1 => Self::Sleep(host),
                _ => Self::Segments(host, choice.place(4)),
            },
            Kind::Pause => match choice.below(2) {
                0 => Self::Pause(host),
                _ => Self::Resume(host),
            },
            Kind::Reset => Self::Reset(host, choice.place(hosts)),
            Kind::Send => Self::Send(host, habits.destination(choice), 1 + choice.place(20)),
            Kind::SendSized => {
                let (to, size) = (habits.destination(choice), choice.pick(&[0, 1, 100, 300, 700, 1_500, 9_000]));
                // At most what the slowest host reads within a few seconds.
                let count = 1 + choice.place(usize::from((20_000 / size.max(1)).min(20)));
                Self::SendSized(host, to, count, size)
            }
            Kind::SendWide => Self::SendWide(host, choice.pick(&[20, 20, 20, 1_100])),
            Kind::Sever => Self::Sever(host, choice.place(hosts)),
            Kind::Slow => Self::Slow(host, choice.pick(&[0, 1 << 12, 1 << 14, 1 << 18])),
            Kind::Stranger => {
                let seed = u16::try_from(choice.below(1 << 16)).expect("16 bits");
                Self::Stranger(choice.pick(&Mischief::ALL), host, seed)
            }
            Kind::Subscribe => match choice.below(3) {
                0 => Self::SubscribeOnly(host, habits.pattern(choice)),
                _ => Self::Subscribe(host, habits.pattern(choice)),
            },
            Kind::SubscribeOddly => {
                let (pattern, prefetch) = (habits.pattern(choice), choice.place(4));
                match choice.below(2) {
                    0 => Self::SubscribeBackwards(host, pattern, prefetch),
                    _ => Self::SubscribeReluctantly(host, pattern, prefetch),
                }
            }
            Kind::Unsubscribe => Self::Unsubscribe(host, choice.place(CONSUMERS_MAX)),
            Kind::Wait => Self::Wait(1 << choice.below(16)),
        }
    }
}

/// Which destinations and patterns a scenario keeps to: all, a family or one of either kind.
const FOCUS: [(&[u8], &[u8]); 6] = [
    (&[0, 1, 2, 3, 4, 5], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
    (&[1, 2], &[1, 2, 8]),
    (&[1, 2], &[8]),
    (&[0, 3], &[0, 3, 6, 7]),
    (&[5], &[5]),
    (&[4, 5], &[4, 5, 9]),
];

const DAY: i32 = 24 * 60 * 60 * 1_000;

/// What may happen, and how likely each is beside the others.
const KINDS: [(Kind, usize); 22] = [
    (Kind::Wait, 12),
    (Kind::Send, 12),
    (Kind::Subscribe, 6),
    (Kind::SendSized, 8),
    (Kind::SubscribeOddly, 3),
    (Kind::Answer, 8),
    (Kind::Unsubscribe, 4),
    (Kind::Faults, 4),
    (Kind::Crash, 4),
    (Kind::Reset, 4),
    (Kind::Cut, 8),
    (Kind::Pause, 4),
    (Kind::Slow, 3),
    (Kind::Sever, 3),
    (Kind::Close, 2),
    (Kind::Detach, 2),
    (Kind::Leave, 2),
    (Kind::Arrive, 2),
    (Kind::SendWide, 1),
    (Kind::Machine, 4),
    (Kind::Disk, 3),
    (Kind::Stranger, 4),
];

/// Without these nothing happens.
const CONSTANT: [Kind; 3] = [Kind::Wait, Kind::Send, Kind::Subscribe];
