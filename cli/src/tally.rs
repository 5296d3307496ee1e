//! What became of each message that was sent.

use flockmq::core::Answer;
use flockmq::{Acceptor, Error, Outcome, Receipt};
use tokio::sync::mpsc;

use crate::failure::{Failure, complain};
use crate::out::Out;
use crate::paint;
use crate::progress::{Progress, say};

/// Counts what was accepted and what was not, by nothing but the answers that came.
#[derive(Debug)]
pub(crate) struct Tally {
    accepted: Progress,
    refused: u64,
    sent: u64,
    /// Where each message is told of; nowhere if that was not asked for, or nobody reads it any more.
    out: Option<Out>,
}

impl Tally {
    /// Of this many messages, if that is known; telling of each message if it is verbose.
    pub(crate) fn new(total: Option<u64>, is_verbose: bool) -> Self {
        Self { accepted: Progress::new("accepted", total), refused: 0, sent: 0, out: is_verbose.then(Out::new) }
    }

    /// Waits for every answer, until no more receipts come.
    pub(crate) async fn settle(&mut self, mut receipts: mpsc::Receiver<Receipt>) -> Result<(), Failure> {
        while let Some(receipt) = receipts.recv().await {
            let number = receipt.sequence();
            match receipt.await {
                Ok(outcome) => self.accept(number, &outcome)?,
                Err(Error::NotAccepted { refusal, answers }) => self.refuse(number, &refusal.to_string(), &answers),
                Err(Error::Refused(refusal)) => self.refuse(number, &refusal.to_string(), &[]),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// How many messages were accepted.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.counted()
    }

    /// No answers are waited for any more, of so many messages that were sent.
    pub(crate) fn finish(&mut self, sent: u64) {
        self.sent = sent;
        self.accepted.finish();
    }

    /// All of it in a line.
    pub(crate) fn summary(&self) -> String {
        let (sent, accepted, refused) = (self.sent, self.accepted(), self.refused);
        let counts = [("refused", refused), ("unanswered", sent - accepted - refused)];
        let further = counts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!(", {what} {count}"));
        format!("sent {sent}, accepted {accepted}{}", further.collect::<String>())
    }

    /// Whether all was accepted that was answered.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self.refused {
            0 => Ok(()),
            refused => Err(Failure::Failed(format!("{refused} of {} messages were not accepted", self.sent))),
        }
    }

    fn accept(&mut self, number: u64, outcome: &Outcome) -> Result<(), Failure> {
        self.accepted.count_one();
        let Some(out) = &mut self.out else {
            return Ok(());
        };
        let names: Vec<String> = outcome.brokers().iter().map(named).collect();
        let line = match names.len() {
            0 => format!("{number}: accepted"),
            count => format!("{number}: accepted by {count}: {}", names.join(", ")),
        };
        match out.line(line) {
            // That nobody reads it does not make the other messages unwanted.
            Err(Failure::OutputClosed) => self.out = None,
            written => return written,
        }
        Ok(())
    }

    fn refuse(&mut self, number: u64, refusal: &str, answers: &[Answer]) {
        self.refused += 1;
        if self.refused > SHOWN_MAX && self.out.is_none() {
            if self.refused == SHOWN_MAX + 1 {
                say("further messages that are not accepted are only counted");
            }
            return;
        }
        complain(&format!("message {number} was not accepted: {}", paint::name(refusal)));
        for answer in answers {
            let said = answer.result.as_ref().err().map_or_else(|| "accepted it".into(), ToString::to_string);
            say(&format!("  {}: {}", paint::name(&answer.name), paint::name(&said)));
        }
    }
}

/// The broker's name; one that is gone may have none any more.
fn named(acceptor: &Acceptor) -> String {
    if acceptor.name.is_empty() { acceptor.broker.to_string() } else { paint::name(&acceptor.name) }
}

/// How many refused messages are told of one by one, if not all are.
const SHOWN_MAX: u64 = 20;
