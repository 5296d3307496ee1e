//! Applications hear what their nodes tell them, and the oracle hears it first.

use flockmq_core::sim::HostId;
use flockmq_core::{BrokerId, Command, Event, Instant, Refusal};

use super::Stage;
use super::client::ANSWERED_WITHIN;

use crate::application::{Asked, Transaction};
use crate::oracle::Refused;

impl Stage {
    /// What a host's application was told, apart from deliveries, acceptances and replies.
    pub fn notices(&self, host: HostId) -> &[(Instant, Event)] {
        &self.applications[&host].notices
    }

    /// How often a host's application was told something of a kind.
    pub fn count(&self, host: HostId, is_meant: impl Fn(&Event) -> bool) -> usize {
        self.notices(host).iter().filter(|(_, event)| is_meant(event)).count()
    }

    /// Lets applications take what they were told and answer it, until nobody has anything to say. All that a node has
    /// handed out is known before it is answered.
    pub(super) fn pump(&mut self) {
        for (at, host, address) in self.world.take_dials() {
            self.oracle.dialled(at, host, address);
        }
        for (at, host, advert) in self.world.take_adverts() {
            self.oracle.announced(at, host, advert.to_vec());
        }
        let hosts = u32::try_from(self.world.hosts().count()).expect("few hosts");
        for host in (0..hosts).map(HostId) {
            loop {
                let events = self.world.events(host);
                self.foresee(host, &events);
                let is_quiet = events.is_empty();
                for (at, event) in events {
                    self.hear(at, host, event);
                }
                if !is_quiet {
                    continue;
                }
                let Some(ack) = self.reactions.pop_front() else { break };
                let (_, found) = &self.consumers[&ack.consumer];
                let connection = found.connection;
                if found.is_open && !found.is_ending && self.is_running(host) {
                    self.oracle.answered(self.world.now(), ack);
                    self.world.command(host, Command::Ack { connection, ack });
                }
            }
        }
        self.reply_all();
    }

    fn hear(&mut self, at: Instant, host: HostId, event: Event) {
        let process = self.process(host);
        match event {
            Event::Accepted { producer, up_to, by } => {
                self.oracle.accepted(at, process, producer, up_to, &by);
                let found = self.producer(host, producer);
                assert!(up_to <= found.sent, "{host} was told that message {up_to} of {} is accepted", found.sent);
                assert!(up_to > found.accepted, "{host} was told twice that message {up_to} is accepted");
                found.accepted = up_to;
                for broker in by {
                    self.check_credit(broker);
                }
            }
            Event::Refused { sequence: 0, .. } if self.applications[&host].is_stopped => (),
            Event::Refused { producer, sequence, refusal, answers } => {
                let is_late = matches!(refusal, Refusal::TimedOut { .. });
                self.oracle.refused(at, process, producer, sequence, Refused { refusal, answers });
                if is_late && self.is_calm_for(ANSWERED_WITHIN) {
                    self.check_deadline(at, process, producer, sequence);
                }
                assert!(self.producer(host, producer).refused.insert(sequence), "{host} was refused {sequence} twice");
            }
            Event::Delivered { consumer, deliveries } => self.take(at, process, consumer, &deliveries),
            Event::Replied { request, result } => {
                let asked = self.application(host).asked.remove(&request).expect("a reply answers a request, once");
                self.replied(at, host, asked, result);
            }
            Event::Answered { request, result } => {
                assert_eq!(self.application(host).asked.remove(&request), Some(Asked::Question));
                self.answered(host, result);
            }
            Event::AckRefused { ack, refusal } => {
                let expected = self.application(host).intrusion.take();
                assert_eq!(expected, Some(ack), "{host}: {ack:?} was refused: {refusal}");
            }
            Event::Advised { advisory, .. } => self.oracle.advised(process, &advisory),
            Event::ConsumerEnded { consumer, refusal } => {
                if refusal != Refusal::Stopping || !self.is_draining(host) {
                    self.oracle.check_slow(at, host, consumer, &refusal);
                }
                self.closed(consumer);
            }
            Event::Stopped => {
                self.oracle.stopped(process);
                // F3: nothing that was asked for is left without its end.
                let application = self.application(host);
                assert!(application.asked.is_empty(), "{host} has stopped and owes {:?}", application.asked);
                application.notices.push((at, event));
            }
            event => {
                self.oracle.noticed(at, process, &event);
                if matches!(event, Event::PeerUp { .. } | Event::PeerLost { .. }) {
                    self.check_peers(host);
                }
                self.application(host).notices.push((at, event));
            }
        }
    }

    /// A consumer that a client is refused is not there any more when its application hears of its last deliveries.
    fn foresee(&mut self, host: HostId, events: &[(Instant, Event)]) {
        for (_, event) in events {
            if let Event::Replied { request, result: Err(_) } = event
                && let Some(Asked::Subscribe(consumer)) = self.applications[&host].asked.get(request)
                && let Some((_, found)) = self.consumers.get_mut(consumer)
            {
                found.is_ending = true;
            }
        }
    }

    fn replied(&mut self, at: Instant, host: HostId, asked: Asked, result: Result<(), Refusal>) {
        let application = self.application(host);
        match (asked, result) {
            (Asked::CloseProducer(to), Ok(())) => drop(application.producers.remove(&to)),
            (Asked::Detach(producers), Ok(())) => {
                application.producers.retain(|to, _| !producers.contains(to));
            }
            (Asked::Subscribe(consumer), Ok(())) => {
                self.consumers.get_mut(&consumer).expect("it was subscribed").1.is_confirmed = true;
                self.oracle.confirmed(consumer);
            }
            (Asked::Begin(number), Ok(())) => {
                application.transactions.insert(number, Transaction::default());
            }
            (Asked::Commit(number), Ok(())) => self.committed(at, host, number),
            (Asked::Commit(number), Err(refusal)) => self.commit_refused(host, number, &refusal),
            (Asked::Rollback(number), Ok(())) => self.rolled_back(at, host, number),
            (Asked::SubscribeTwice(durable), result) => {
                let refused = Err(Refusal::DurableInUse(durable));
                assert_eq!(result, refused, "D3: {host} has two consumers of one durable subscription");
            }
            (Asked::TransactedAck(number, consumer, tag), Ok(())) => {
                let transaction = application.transactions.get_mut(&number).expect("it is open");
                transaction.acknowledged.push((consumer, tag));
            }
            (Asked::TransactedSend(number, destination, body), Ok(())) => {
                let transaction = application.transactions.get_mut(&number).expect("it is open");
                transaction.sends.push((destination, *body));
            }
            (Asked::TransactedSend(..), Err(Refusal::TooLarge { .. })) => (),
            (Asked::Drain, Ok(())) => self.drained(host),
            // It took its leave before it had handed over all it has.
            (Asked::Drain, Err(Refusal::Stopping)) if application.is_stopped => (),
            (_, Ok(())) => (),
            (Asked::Subscribe(consumer), Err(refusal)) if application.is_client() => {
                application.denied.push((at, consumer, refusal));
                self.closed(consumer);
            }
            // It was refused meanwhile, or ended with its node.
            (Asked::CloseConsumer, Err(Refusal::Stopping | Refusal::Unknown { .. })) if application.is_client() => (),
            (asked, Err(refusal)) => panic!("{host} asked: {asked:?}, and was refused: {refusal}"),
        }
    }

    /// At most one link for each peer, and no more links than are allowed.
    fn check_peers(&self, host: HostId) {
        let Some(node) = self.world.node(host) else { return };
        let mut brokers: Vec<BrokerId> = node.peers().into_iter().map(|peer| peer.broker).collect();
        let count = brokers.len();
        brokers.sort();
        brokers.dedup();
        assert_eq!(brokers.len(), count, "{host} has two links to one peer");
        assert!(node.stats().links <= node.config().link.links_max, "{host} has too many links");
    }
}
