//! What an administrator asks of every target, or of one, and what they answer.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Fanout, Found, Output};
use crate::base::{Instant, Outbox};
use crate::model::{AdminReply, AdminRequest, Answer, BrokerId, LinkId, Refusal, RequestId, What};
use crate::wire::Frame;

/// All questions that are not answered by everybody yet.
#[derive(Debug, Default)]
pub(super) struct Questions {
    born: u32,
    open: BTreeMap<u32, Question>,
}

#[derive(Debug)]
struct Question {
    request: RequestId,
    asked: AdminRequest,
    until: Instant,
    unanswered: BTreeMap<LinkId, Arc<Found>>,
    answers: Vec<Answer<AdminReply>>,
}

impl Fanout {
    /// Asks every target that is up, or the one that is `target`. Told when all have answered, are lost or took too long.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        request: RequestId,
        target: Option<BrokerId>,
        asked: &AdminRequest,
        out: &mut Outbox<Output>,
    ) {
        let max = self.config.questions_max;
        if self.questions.open.len() >= max {
            let refusal = Refusal::LimitReached { what: What::Question, max: max as u64 };
            return out.push(Output::Answered { request, result: Err(refusal) });
        }
        self.questions.born += 1;
        let number = self.questions.born;
        let meant = self.targets.iter().filter(|(_, found)| target.is_none_or(|target| target == found.found.broker));
        let unanswered: BTreeMap<_, _> = meant.map(|(link, target)| (*link, Arc::clone(&target.found))).collect();
        for link in unanswered.keys() {
            out.push(Output::Say { link: *link, frame: Frame::Ask { number, asked: asked.clone() } });
        }
        let until = now + self.config.send_timeout;
        let (asked, answers) = (asked.clone(), Vec::new());
        self.questions.open.insert(number, Question { request, asked, until, unanswered, answers });
        self.conclude(number, out);
    }

    /// A target has answered.
    pub(super) fn hear_answer(
        &mut self,
        link: LinkId,
        number: u32,
        result: Result<AdminReply, Refusal>,
        out: &mut Outbox<Output>,
    ) -> Result<(), String> {
        if number == 0 || number > self.questions.born {
            return Err(format!("question {number} was answered but never asked"));
        }
        let asked = self.questions.open.get(&number).map(|question| &question.asked);
        if let (Some(asked), Ok(reply)) = (asked, &result)
            && !asked.is_answered_by(reply)
        {
            return Err(format!("question {number} was answered by what answers another"));
        }
        self.questions.answer(number, link, result); // One that comes too late is answered for already.
        self.conclude(number, out);
        Ok(())
    }

    /// A target is lost, and whatever it was asked is not answered.
    pub(super) fn lose_answers(&mut self, link: LinkId, out: &mut Outbox<Output>) {
        for number in self.questions.open.keys().copied().collect::<Vec<_>>() {
            self.questions.answer(number, link, Err(Refusal::Closed { what: What::Connection }));
            self.conclude(number, out);
        }
    }

    /// Answers for those that took too long.
    pub(super) fn expire_questions(&mut self, now: Instant, out: &mut Outbox<Output>) {
        let due = self.questions.open.iter().filter(|(_, question)| question.until <= now).map(|(number, _)| *number);
        for number in due.collect::<Vec<_>>() {
            let open = self.questions.open.get(&number);
            let late: Option<Vec<LinkId>> = open.map(|question| question.unanswered.keys().copied().collect());
            for link in late.unwrap_or_default() {
                let refusal = Refusal::TimedOut { accepted: 0, needed: 1, after: self.config.send_timeout };
                self.questions.answer(number, link, Err(refusal));
            }
            self.conclude(number, out);
        }
    }

    /// Refuses all questions that are open.
    pub(super) fn refuse_questions(&mut self, refusal: &Refusal, out: &mut Outbox<Output>) {
        for Question { request, .. } in core::mem::take(&mut self.questions.open).into_values() {
            out.push(Output::Answered { request, result: Err(refusal.clone()) });
        }
    }

    /// Tells the answers if none is missing.
    fn conclude(&mut self, number: u32, out: &mut Outbox<Output>) {
        if self.questions.open.get(&number).is_some_and(|question| question.unanswered.is_empty())
            && let Some(Question { request, answers, .. }) = self.questions.open.remove(&number)
        {
            out.push(Output::Answered { request, result: Ok(answers) });
        }
    }
}

impl Questions {
    /// When the first question has taken too long.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.open.values().map(|question| question.until).min()
    }

    fn answer(&mut self, number: u32, link: LinkId, result: Result<AdminReply, Refusal>) {
        if let Some(question) = self.open.get_mut(&number)
            && let Some(found) = question.unanswered.remove(&link)
        {
            question.answers.push(found.answer(result));
        }
    }
}
