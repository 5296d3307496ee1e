//! What administrators ask, and what those see who only look.

use flockmq_core::sim::HostId;
use flockmq_core::{
    AdminReply, AdminRequest, Answer, BrokerId, Command, ConsumerId, Destination, DestinationKind, DestinationStatus,
    Event, Refusal, Subscription,
};

use super::{CONNECTION, Stage};

use crate::application::{Acking, Asked};

impl Stage {
    /// Has a host's own broker do what an administrator asks.
    pub fn administer(&mut self, host: HostId, asked: AdminRequest) -> Result<AdminReply, Refusal> {
        self.ask(host, asked);
        let mut answers = std::mem::take(&mut self.application(host).answers);
        assert_eq!(answers.len(), 1, "{host}'s broker answers at once: {answers:?}");
        answers.remove(0).result
    }

    /// Has a host's application hear from now on what happens in its broker.
    pub fn advise(&mut self, host: HostId) {
        if self.oracle.advice_wanted(self.world.now(), host) {
            let request = self.application(host).ask(Asked::Advise);
            self.command(host, Command::Advise { request, connection: CONNECTION, wanted: true });
        }
    }

    fn ask(&mut self, host: HostId, asked: AdminRequest) {
        let application = self.application(host);
        application.answers.clear();
        let request = application.ask(Asked::Question);
        self.command(host, Command::Ask { request, only: None, asked });
    }

    /// How all destinations of a host's broker fare.
    pub fn inspect(&mut self, host: HostId) -> Vec<DestinationStatus> {
        match self.administer(host, AdminRequest::Destinations { within: None, after: None }) {
            Ok(AdminReply::Destinations(found)) => found.destinations,
            other => panic!("{host} was asked how its destinations fare, and says {other:?}"),
        }
    }

    /// Asks a client's targets how all their destinations fare; each says so in time.
    pub fn inspect_targets(&mut self, client: HostId) {
        self.ask(client, AdminRequest::Destinations { within: None, after: None });
    }

    /// Q1: removes what waits in a queue, and nothing else; nothing if there is no such queue.
    pub fn purge(&mut self, host: HostId, queue: &Destination) {
        let waiting = |found: &DestinationStatus| found.depth + found.delayed;
        let Some(before) = self.inspect(host).into_iter().find(|found| found.name == *queue) else {
            let refused = self.administer(host, AdminRequest::Purge(queue.clone()));
            return assert_eq!(refused, Err(Refusal::NoDestination(queue.clone())), "{host} does not have {queue}");
        };
        self.oracle.purged(queue);
        let purged = self.administer(host, AdminRequest::Purge(queue.clone()));
        let expected = Ok(AdminReply::Purged { messages: waiting(&before), queues: 1 });
        assert_eq!(purged, expected, "Q1: {host} purges {queue}, which was {before:?}");
    }

    /// Has a queue hand out nothing, if there is one.
    pub fn pause_queue(&mut self, host: HostId, queue: &Destination) {
        if self.administer(host, AdminRequest::Pause(queue.clone())).is_ok() {
            self.oracle.paused_queue(host, queue);
        }
    }

    /// Ends that.
    pub fn resume_queue(&mut self, host: HostId, queue: &Destination) {
        let was_paused = self.oracle.resumed_queue(host, queue);
        let changed = self.administer(host, AdminRequest::Resume(queue.clone()));
        assert!(!was_paused || changed == Ok(AdminReply::Changed { queues: 1 }), "{host}, {queue}: {changed:?}");
    }

    /// Looks at what waits in a queue: all of it is shown, and nothing taken.
    pub fn browse(&mut self, host: HostId, queue: &Destination) {
        let before = self.stats(host).broker;
        let waiting =
            self.node(host).waiting().into_iter().find(|(found, _)| found == queue).map_or(0, |(_, count)| count);
        let wanted = Subscription { browses: true, ..Subscription::new(queue.clone()) };
        let browser = self.subscribe_as(host, wanted, Acking::Automatic);
        let has_ended = self.count(host, |event| *event == Event::Browsed { consumer: browser }) == 1;
        assert!(has_ended, "{host} does not say that consumer {browser} has seen all of {queue}");
        let (after, shown) = (self.stats(host).broker, self.received(browser).len());
        let is_still = before.delayed == 0 && before.expired_queued == after.expired_queued;
        assert!(!is_still || shown == waiting, "{waiting} messages wait in {queue} of {host}, and {shown} are shown");
        self.unsubscribe(browser);
    }

    pub(super) fn answered(&mut self, host: HostId, result: Result<Vec<Answer<AdminReply>>, Refusal>) {
        match result {
            Ok(answers) => {
                check_answers(host, &answers);
                self.application(host).answers = answers;
            }
            Err(refusal) => assert!(self.applications[&host].is_client(), "{host} refuses a question: {refusal}"),
        }
    }

    /// True for one that only looks.
    pub(crate) fn browses(&self, consumer: ConsumerId) -> bool {
        self.subscription(consumer).browses
    }
}

/// Q1, of each queue: what came is there, or went by a way that is counted.
fn check_answers(host: HostId, answers: &[Answer<AdminReply>]) {
    let mut brokers: Vec<BrokerId> = answers.iter().map(|answer| answer.broker).collect();
    brokers.sort();
    brokers.dedup();
    assert_eq!(brokers.len(), answers.len(), "{host} has two answers of one broker: {answers:?}");
    for answer in answers {
        let Ok(AdminReply::Destinations(found)) = &answer.result else { continue };
        let names: Vec<&Destination> = found.destinations.iter().map(|found| &found.name).collect();
        assert!(names.is_sorted(), "destinations of {} are out of order: {names:?}", answer.broker);
        for found in found.destinations.iter().filter(|found| found.name.kind() == DestinationKind::Queue) {
            let here = found.depth + found.delayed + found.outstanding;
            let gone = found.dequeued + found.expired + found.failed + found.purged + found.let_go;
            assert_eq!(found.enqueued, here + gone, "Q1: {} of {}: {found:?}", found.name, answer.broker);
        }
    }
}
