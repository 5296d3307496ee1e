//! What happens in some scenarios after all else, and how it is drawn: wishes, transactions, durable subscriptions,
//! requests and replies, administrators, consumers that move.

use crate::choice::Choice;
use crate::deed::{Deed, LASTING, NAMES, PATIENCE, QUEUES};
use crate::habit::Habits;
use crate::step::Step;
use crate::wish::FAMILIES;

/// What a scenario tastes of, and the hosts that have brokers of their own.
#[derive(Clone, Debug)]
pub(crate) struct Flavour {
    tastes: Vec<Taste>,
    hosts: usize,
}

#[derive(Clone, Copy, Debug)]
enum Taste {
    Administration,
    Advisories,
    Composites,
    Durables,
    Leaves,
    Moves,
    Requests,
    Shortage,
    Transactions,
    Wishes(usize),
}

impl Flavour {
    /// A flavour; the first `hosts` have brokers of their own.
    pub(crate) fn draw(choice: &mut Choice<'_>, hosts: usize) -> Self {
        let count = choice.pick(&[1, 1, 2, 4]);
        let tastes = (0..count).map(|_| match choice.below(11) {
            0..6 => Taste::Wishes(usize::from(choice.place(FAMILIES.len()))),
            6 => Taste::Administration,
            7 => Taste::Durables,
            8 => Taste::Requests,
            9 => Taste::Transactions,
            _ => Taste::Moves,
        });
        Self { tastes: tastes.collect(), hosts }
    }

    /// A flavour of what comes last in a scenario.
    pub(crate) fn draw_late(choice: &mut Choice<'_>, hosts: usize) -> Self {
        let tastes = choice
            .pick(&[
                &[Taste::Leaves][..],
                &[Taste::Advisories],
                &[Taste::Shortage],
                &[Taste::Shortage],
                &[Taste::Composites],
                &[Taste::Leaves, Taste::Advisories, Taste::Composites, Taste::Shortage],
            ])
            .to_vec();
        Self { tastes, hosts }
    }

    /// A step; one in four is any of those that the scenario has without a flavour.
    pub(crate) fn step(&self, choice: &mut Choice<'_>, habits: &Habits, all: usize) -> Step {
        match choice.below(12) {
            0 => Step::Unsubscribe(choice.place(self.hosts), choice.place(8)),
            1 => Step::Wait(1 << choice.below(13)),
            2..5 => Step::draw(choice, habits, all),
            _ => {
                let host = choice.place(self.hosts);
                match choice.pick(&self.tastes) {
                    Taste::Administration => Step::Do(administer(choice, host)),
                    Taste::Advisories => draw_advised(choice, host),
                    Taste::Composites => draw_composite(choice, host),
                    Taste::Durables => draw_durable(choice, host),
                    Taste::Leaves => draw_leave(choice, host),
                    Taste::Moves => draw_move(choice, host, self.hosts),
                    Taste::Requests => Step::Do(draw_request(choice, host, self.hosts)),
                    Taste::Shortage => draw_shortage(choice, host, self.hosts),
                    Taste::Transactions => draw_transaction(choice, habits, host),
                    Taste::Wishes(family) => Step::Do(wish(choice, FAMILIES[family], host)),
                }
            }
        }
    }
}

fn wish(choice: &mut Choice<'_>, (sent_to, consumed): (&[u8], &[u8]), host: u8) -> Deed {
    match choice.below(7) {
        0..4 => Deed::Send(host, choice.pick(sent_to), choice.place(60), 1 + choice.place(12)),
        _ => Deed::Subscribe(host, choice.pick(consumed), choice.place(144)),
    }
}

fn administer(choice: &mut Choice<'_>, host: u8) -> Deed {
    let queue = choice.place(QUEUES.len());
    match choice.below(12) {
        0..3 => Deed::Send(host, choice.pick(&[0, 2, 3, 4, 6]), choice.place(60), 1 + choice.place(12)),
        3..6 => Deed::Subscribe(host, choice.pick(&[0, 2, 3, 4, 6]), choice.place(144)),
        6 => Deed::Inspect(host),
        7 => Deed::InspectTargets(choice.place(2)),
        8 => Deed::Browse(host, queue),
        9 => Deed::Purge(host, queue),
        10 => Deed::PauseQueue(host, queue),
        _ => Deed::ResumeQueue(host, queue),
    }
}

fn draw_durable(choice: &mut Choice<'_>, host: u8) -> Step {
    match choice.below(10) {
        0..4 => Step::Send(host, choice.pick(&[0, 3, 4]), 1 + choice.place(12)),
        4..8 => Step::Do(Deed::SubscribeDurably(host, choice.place(LASTING.len()), choice.place(48))),
        8 => Step::Do(Deed::RemoveDurable(host, choice.place(NAMES.len()))),
        _ => Step::Unsubscribe(host, choice.place(8)),
    }
}

fn draw_move(choice: &mut Choice<'_>, host: u8, hosts: usize) -> Step {
    match choice.below(10) {
        0..3 => Step::Send(host, choice.pick(&[1, 2]), 1 + choice.place(20)),
        3 => Step::SubscribeOnly(host, choice.pick(&[1, 2, 8])),
        4 => Step::Do(Deed::Hold(host, 1 + choice.place(3))),
        5 => Step::Unsubscribe(host, choice.place(8)),
        6 => Step::Do(Deed::Crowd(host, choice.place(hosts))),
        7 => Step::Do(Deed::Outrun(choice.place(2), host)),
        _ => Step::Do(Deed::Move(host, choice.place(hosts))),
    }
}

fn draw_advised(choice: &mut Choice<'_>, host: u8) -> Step {
    match choice.below(14) {
        0..3 => Step::Do(Deed::Advise(host)),
        3..5 => Step::Subscribe(host, choice.place(10)),
        5 => Step::SubscribeOnly(host, choice.place(10)),
        6 => Step::Unsubscribe(host, choice.place(8)),
        7 => Step::Send(host, choice.place(6), 1 + choice.place(8)),
        8 => Step::Do(Deed::Request(host)),
        9 => Step::Do(Deed::HangUp(host)),
        10 => Step::Do(Deed::Send(host, choice.pick(&[0, 3]), choice.place(60), 1 + choice.place(6))),
        11 => Step::Do(Deed::Subscribe(host, choice.pick(&[0, 3]), choice.place(144))),
        12 => Step::Reset(host, choice.place(8)),
        _ => Step::Restart(host),
    }
}

fn draw_composite(choice: &mut Choice<'_>, host: u8) -> Step {
    match choice.below(10) {
        0..4 => Step::Do(Deed::SendBoth(host, 1 + choice.place(10))),
        4..8 => Step::Do(Deed::SubscribeBoth(host, choice.place(4), choice.place(4))),
        8 => Step::Unsubscribe(host, choice.place(8)),
        _ => Step::Wait(1 << choice.below(12)),
    }
}

fn draw_leave(choice: &mut Choice<'_>, host: u8) -> Step {
    match choice.below(12) {
        0..4 => Step::Send(host, choice.pick(&[1, 2, 5, 0, 4]), 1 + choice.place(20)),
        4..6 => Step::SubscribeOnly(host, choice.pick(&[1, 2, 5, 8])),
        6 => Step::Subscribe(host, choice.pick(&[1, 5, 8, 9])),
        7 => Step::SubscribeReluctantly(host, choice.pick(&[1, 8]), 1 + choice.place(3)),
        8 => Step::SendSized(host, choice.pick(&[1, 5, 4]), 1 + choice.place(8), 1_500),
        9 => Step::Restart(host),
        _ => Step::Do(Deed::Drain(host, choice.place(PATIENCE.len()))),
    }
}

fn draw_request(choice: &mut Choice<'_>, host: u8, hosts: usize) -> Deed {
    match choice.below(8) {
        0..3 => Deed::Request(host),
        3 | 4 => Deed::Serve(host),
        5 | 6 => Deed::SendTemporary(host, choice.place(hosts)),
        _ => Deed::HangUp(host),
    }
}

fn draw_shortage(choice: &mut Choice<'_>, host: u8, hosts: usize) -> Step {
    match choice.below(10) {
        0 | 1 => Step::Do(Deed::Swamp(host, choice.place(hosts))),
        2..5 => Step::SendSized(host, choice.pick(&[1, 2, 4, 5]), 1 + choice.place(10), choice.pick(&[100, 300, 700])),
        5 => Step::SubscribeOnly(host, choice.pick(&[1, 4, 5, 8])),
        6 => Step::Subscribe(host, choice.pick(&[1, 4, 5, 8])),
        7 => Step::Do(Deed::Crowd(host, choice.place(hosts))),
        8 => Step::Unsubscribe(host, choice.place(8)),
        _ => Step::Wait(1 << choice.below(14)),
    }
}

fn draw_transaction(choice: &mut Choice<'_>, habits: &Habits, host: u8) -> Step {
    let number = choice.place(2);
    let deed = match choice.below(16) {
        0..2 => return Step::Send(host, habits.destination(choice), 1 + choice.place(6)),
        2..4 => return Step::SubscribeOnly(host, habits.pattern(choice)),
        4..6 => Deed::Begin(host, number),
        6..9 => Deed::SendIn(host, number, habits.destination(choice)),
        9..12 => Deed::AckIn(host, number, choice.place(8), choice.place(8)),
        12..15 => Deed::Commit(host, number),
        _ => Deed::RollBack(host, number),
    };
    Step::Do(deed)
}
