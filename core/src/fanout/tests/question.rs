//! What administrators ask through fanout.

use super::*;
use crate::model::{AdminRequest, Inventory};

const ASKED: AdminRequest = AdminRequest::Destinations { within: None, after: None };
const DONE: AdminReply = AdminReply::Destinations(Inventory { destinations: Vec::new(), left_out: 3 });

impl Rig {
    fn ask(&mut self, request: u64, only: Option<u128>) {
        self.fanout.ask(self.now, RequestId(request), only.map(BrokerId), &ASKED, &mut self.out);
        self.read();
    }

    fn answer(&mut self, link: u64, number: u32, result: Result<AdminReply, Refusal>) {
        self.hear(link, Frame::Answered { number, result });
    }

    /// What came out since this was last asked.
    fn news(&mut self) -> Vec<Output> {
        core::mem::take(&mut self.outcomes)
    }
}

fn said(number: u32, link: u64) -> Output {
    Output::Say { link: LinkId(link), frame: Frame::Ask { number, asked: ASKED } }
}

fn answered(request: u64, answers: &[(u128, Result<AdminReply, Refusal>)]) -> Output {
    let answer = |(broker, result): &(u128, Result<AdminReply, Refusal>)| Answer {
        broker: BrokerId(*broker),
        name: broker.to_string(),
        result: result.clone(),
    };
    Output::Answered { request: RequestId(request), result: Ok(answers.iter().map(answer).collect()) }
}

#[test]
fn a_question_goes_to_every_target_and_is_answered_once_all_have() {
    let mut rig = Rig::with_targets(1, 3);
    rig.news();
    rig.ask(7, None);
    assert_eq!(rig.news(), [said(1, 1), said(1, 2), said(1, 3)]);
    rig.answer(2, 1, Ok(DONE));
    rig.answer(2, 1, Err(Refusal::Stopping)); // Twice: the first counts.
    rig.answer(1, 1, Err(Refusal::Stopping));
    assert_eq!(rig.news(), []);
    rig.answer(3, 1, Ok(DONE));
    let expected = answered(7, &[(2, Ok(DONE)), (1, Err(Refusal::Stopping)), (3, Ok(DONE))]);
    assert_eq!(rig.news(), [expected]);
}

#[test]
fn one_target_alone_can_be_asked() {
    let mut rig = Rig::with_targets(1, 3);
    rig.news();
    rig.ask(7, Some(2));
    assert_eq!(rig.news(), [said(1, 2)]);
    rig.answer(2, 1, Ok(DONE));
    assert_eq!(rig.news(), [answered(7, &[(2, Ok(DONE))])]);
    rig.ask(8, Some(9));
    assert_eq!(rig.news(), [answered(8, &[])], "there is no such target");
}

#[test]
fn who_is_lost_or_takes_too_long_answers_so() {
    let mut rig = Rig::with_targets(1, 3);
    rig.news();
    rig.ask(7, None);
    rig.down(1);
    rig.answer(2, 1, Ok(DONE));
    let timeout = rig.fanout.config.send_timeout;
    assert_eq!(rig.fanout.poll_timeout(), Some(rig.now + timeout));
    rig.news();
    rig.pass(timeout);
    let lost = Err(Refusal::Closed { what: What::Connection });
    let late = Err(Refusal::TimedOut { accepted: 0, needed: 1, after: timeout });
    assert_eq!(rig.news(), [answered(7, &[(1, lost), (2, Ok(DONE)), (3, late)])]);
    assert_eq!(rig.fanout.poll_timeout(), None);
    rig.answer(3, 1, Ok(DONE));
    assert_eq!(rig.news(), [], "too late");
}

#[test]
fn questions_are_bounded_and_refused_at_the_end() {
    let mut rig = Rig::new(FanoutConfig { acks_min: 1, questions_max: 2, ..FanoutConfig::default() });
    rig.up(1);
    rig.news();
    (7..10).for_each(|request| rig.ask(request, None));
    let refused = |request, refusal| Output::Answered { request: RequestId(request), result: Err(refusal) };
    let full = Refusal::LimitReached { what: What::Question, max: 2 };
    assert_eq!(rig.news(), [said(1, 1), said(2, 1), refused(9, full)]);
    rig.fanout.handle_stop(&mut rig.out);
    rig.read();
    assert_eq!(rig.news(), [refused(7, Refusal::Stopping), refused(8, Refusal::Stopping)]);
}

#[test]
fn an_answer_to_nothing_ends_the_link() {
    for number in [0, 1] {
        let mut rig = Rig::with_targets(1, 1);
        rig.news();
        rig.answer(1, number, Ok(DONE));
        let what = format!("question {number} was answered but never asked");
        assert_eq!(rig.news(), [Output::Close { link: LinkId(1), reason: CloseReason::Malformed(what) }]);
    }
}

#[test]
fn an_answer_to_something_else_ends_the_link() {
    let mut rig = Rig::with_targets(1, 1);
    rig.ask(7, None);
    rig.news();
    rig.answer(1, 1, Ok(AdminReply::Changed { queues: 1 }));
    let what = "question 1 was answered by what answers another".into();
    assert_eq!(rig.news(), [Output::Close { link: LinkId(1), reason: CloseReason::Malformed(what) }]);
}
