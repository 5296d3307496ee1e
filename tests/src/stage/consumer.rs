//! Consumers: what applications subscribe to, are given and answer.

use flockmq_core::sim::HostId;
use flockmq_core::{
    Ack, AckExtent, AckKind, AdminReply, AdminRequest, Body, Command, ConnectionId, ConsumerId, Delivery, Destination,
    DestinationKind, Durable, Instant, Refusal, Subscription, Tag,
};

use super::{CONNECTION, Stage, destination, text_of};

use crate::application::{Acking, Asked, Consumer, Received};
use crate::oracle::Process;

impl Stage {
    /// Subscribes to a destination or pattern such as `topic://a.>`; deliveries are acknowledged as they come.
    pub fn subscribe(&mut self, host: HostId, pattern: &str) -> ConsumerId {
        self.subscribe_with(host, pattern, Acking::Automatic, None)
    }

    /// Subscribes, saying how deliveries are acknowledged and how many may be unacknowledged.
    pub fn subscribe_with(&mut self, host: HostId, pattern: &str, acking: Acking, prefetch: Option<u32>) -> ConsumerId {
        self.subscribe_as(host, Subscription { prefetch, ..Subscription::new(destination(pattern)) }, acking)
    }

    /// Subscribes, saying all that there is to say.
    pub fn subscribe_as(&mut self, host: HostId, subscription: Subscription, acking: Acking) -> ConsumerId {
        self.subscribe_by(CONNECTION, host, subscription, acking)
    }

    pub(super) fn subscribe_by(
        &mut self,
        connection: ConnectionId,
        host: HostId,
        subscription: Subscription,
        acking: Acking,
    ) -> ConsumerId {
        let consumer = ConsumerId(self.consumers.len() as u64 + 1);
        let found = Consumer {
            connection,
            subscription,
            acking,
            is_open: false,
            is_confirmed: false,
            is_ending: false,
            received: Vec::new(),
        };
        self.consumers.insert(consumer, (host, found));
        self.open(consumer);
        consumer
    }

    /// Asks for a durable subscription; one that is in use is refused.
    pub fn subscribe_durably(&mut self, host: HostId, wanted: Subscription, acking: Acking) {
        let durable = wanted.durable.clone().expect("one that has a name");
        if !self.oracle.is_in_use(host, &durable) {
            self.subscribe_as(host, wanted, acking);
            return;
        }
        let consumer = ConsumerId(u64::MAX); // Nobody's, and nobody's it stays.
        let request = self.application(host).ask(Asked::SubscribeTwice(durable));
        self.command(host, Command::Subscribe { request, connection: CONNECTION, consumer, subscription: wanted });
    }

    /// D3: deletes a durable subscription; one that is in use, or not there, is refused.
    pub fn remove_durable(&mut self, host: HostId, durable: &Durable) {
        let is_idle = self.oracle.idle(host).iter().any(|idle| idle.durable.as_ref() == Some(durable));
        let is_in_use = self.oracle.is_in_use(host, durable);
        let expected = match (is_idle, is_in_use) {
            (true, _) => Ok(AdminReply::DurableRemoved),
            (false, true) => Err(Refusal::DurableInUse(durable.clone())),
            (false, false) => Err(Refusal::DurableUnknown(durable.clone())),
        };
        let result = self.administer(host, AdminRequest::RemoveDurable(durable.clone()));
        assert_eq!(result, expected, "D3: {host} was told to delete {durable}");
        if result.is_ok() {
            self.oracle.durables_ended(host, Some(durable));
        }
    }

    /// Ends a consumer, which has looked at all it was given.
    pub fn unsubscribe(&mut self, consumer: ConsumerId) {
        let seen = self.received(consumer).last().map_or(0, |last| last.tag);
        self.unsubscribe_seen(consumer, seen);
    }

    /// Ends a consumer, which has looked at what it was given up to `seen`.
    pub fn unsubscribe_seen(&mut self, consumer: ConsumerId, seen: Tag) {
        let (host, found) = self.consumers.get_mut(&consumer).expect("a consumer of this stage");
        let (host, connection) = (*host, found.connection);
        if !std::mem::replace(&mut found.is_open, false) {
            return;
        }
        self.oracle.unsubscribed(self.world.now(), consumer, seen);
        let request = self.application(host).ask(Asked::CloseConsumer);
        self.command(host, Command::CloseConsumer { request, connection, consumer, seen });
    }

    /// Opens a consumer that was closed, or whose process was restarted, under its old name.
    pub fn reopen(&mut self, consumer: ConsumerId) {
        assert!(!self.consumers[&consumer].1.is_open, "consumer {consumer} is open");
        self.open(consumer);
    }

    /// The consumers of a host that are open.
    pub fn open_consumers(&self, host: HostId) -> Vec<ConsumerId> {
        let open = self.consumers.iter().filter(|(_, (at, found))| *at == host && found.is_open);
        open.map(|(consumer, _)| *consumer).collect()
    }

    /// True once a consumer's node has said that there is such a consumer.
    pub fn is_confirmed(&self, consumer: ConsumerId) -> bool {
        self.consumers[&consumer].1.is_confirmed
    }

    /// What a consumer subscribed to.
    pub fn pattern(&self, consumer: ConsumerId) -> &Destination {
        self.consumers[&consumer].1.subscription.destination.first() // The stage asks for one each.
    }

    /// All that it asked for.
    pub fn subscription(&self, consumer: ConsumerId) -> &Subscription {
        &self.consumers[&consumer].1.subscription
    }

    /// How a consumer acknowledges.
    pub fn acking(&self, consumer: ConsumerId) -> Acking {
        self.consumers[&consumer].1.acking
    }

    /// How much a consumer may have been handed, of all brokers there are to it; they are configured alike.
    pub(crate) fn prefetch(&self, consumer: ConsumerId) -> usize {
        let (host, found) = &self.consumers[&consumer];
        let broker = &self.applications[host].config.broker;
        let wanted = &found.subscription;
        let prefetch = wanted.prefetch.unwrap_or(match wanted.destination.first().kind() {
            DestinationKind::Queue if wanted.browses => broker.browser_prefetch,
            DestinationKind::Topic if wanted.durable.is_some() => broker.durable_prefetch,
            DestinationKind::Queue => broker.queue_prefetch,
            DestinationKind::Topic => broker.topic_prefetch,
        });
        prefetch as usize * self.oracle.sources(*host)
    }

    /// Acknowledges a delivery and all before it.
    pub fn ack(&mut self, consumer: ConsumerId, tag: Tag) {
        self.answer(Ack { consumer, tag, extent: AckExtent::UpTo, kind: AckKind::Accepted });
    }

    /// Answers deliveries.
    pub fn answer(&mut self, ack: Ack) {
        let (host, found) = &self.consumers[&ack.consumer];
        let (host, connection) = (*host, found.connection);
        assert!(self.is_running(host), "an application that stands still acknowledges nothing");
        self.oracle.answered(self.world.now(), ack);
        self.command(host, Command::Ack { connection, ack });
    }

    /// Q8: another connection of a host answers deliveries that it does not hold: it is refused, and nothing changes.
    pub(crate) fn intrude(&mut self, ack: Ack) {
        let host = self.consumers[&ack.consumer].0;
        self.visit(host, None); // Whatever a machine that slept has missed is done with that.
        let before = self.stats(host).broker;
        self.application(host).intrusion = Some(ack);
        self.visit(host, Some(ack));
        assert_eq!(self.application(host).intrusion, None, "Q8: {host} takes {ack:?} of who does not hold it");
        assert_eq!(self.stats(host).broker, before, "Q8: {ack:?} changes something at {host}, though it is refused");
    }

    /// Another connection of a host comes, answers deliveries if it wants to, and goes.
    fn visit(&mut self, host: HostId, ack: Option<Ack>) {
        let application = self.application(host);
        let [request, end] = [Asked::Attach, Asked::Detach(Vec::new())].map(|asked| application.ask(asked));
        self.command(host, Command::Attach { request, connection: INTRUDER });
        if let Some(ack) = ack {
            self.command(host, Command::Ack { connection: INTRUDER, ack });
        }
        self.command(host, Command::Detach { request: end, connection: INTRUDER });
    }

    /// The deliveries that a consumer has not answered.
    pub(crate) fn outstanding(&self, consumer: ConsumerId) -> Vec<Tag> {
        self.oracle.outstanding(consumer)
    }

    /// What a consumer was given, oldest first, over all processes that it was a consumer of.
    pub fn received(&self, consumer: ConsumerId) -> &[Received] {
        &self.consumers[&consumer].1.received
    }

    /// The texts a consumer was given, oldest first.
    pub fn bodies(&self, consumer: ConsumerId) -> Vec<&str> {
        self.received(consumer).iter().map(|received| received.body.as_str()).collect()
    }

    pub(super) fn take(&mut self, at: Instant, process: Process, consumer: ConsumerId, deliveries: &[Delivery]) {
        let prefetch = self.prefetch(consumer);
        let (_, found) = self.consumers.get_mut(&consumer).expect("deliveries are for somebody");
        for delivery in deliveries {
            assert!(found.is_open, "consumer {consumer} is given '{}' but is closed", text_of(delivery));
            self.oracle.delivered(at, process, consumer, delivery);
            found.received.push(Received {
                at,
                body: text_of(delivery).to_owned(),
                id: delivery.message.id,
                redeliveries: delivery.redeliveries,
                tag: delivery.tag,
            });
        }
        let outstanding = self.oracle.outstanding(consumer).len();
        assert!(outstanding <= prefetch, "consumer {consumer} has {outstanding} of {prefetch} deliveries");
        let acking = self.consumers[&consumer].1.acking;
        for message in deliveries.iter().map(|delivery| &delivery.message).filter(|_| acking == Acking::Replying) {
            if let Some(to) = &message.body.headers.reply_to {
                let text = message.body.as_text().expect("only texts are sent");
                let mut reply = Body::text(format!("to {text}"));
                reply.headers.correlation_id.clone_from(&message.body.headers.correlation_id);
                self.replies.push_back((process.host, to.clone(), reply));
            }
        }
        self.reactions.extend(acking.reactions(consumer, deliveries));
    }

    fn open(&mut self, consumer: ConsumerId) {
        let (host, found) = self.consumers.get_mut(&consumer).expect("a consumer of this stage");
        (found.is_open, found.is_confirmed, found.is_ending) = (true, false, false);
        let (host, connection, subscription) = (*host, found.connection, found.subscription.clone());
        let process = self.process(host);
        self.oracle.subscribed(self.world.now(), process, consumer, &subscription);
        let request = self.application(host).ask(Asked::Subscribe(consumer));
        self.command(host, Command::Subscribe { request, connection, consumer, subscription });
    }

    /// A consumer has ended otherwise than by its application's wish; all it was given may have been seen.
    pub(super) fn closed(&mut self, consumer: ConsumerId) {
        let found = &mut self.consumers.get_mut(&consumer).expect("a consumer of this stage").1;
        found.is_ending = false;
        if std::mem::replace(&mut found.is_open, false) {
            self.oracle.unsubscribed(self.world.now(), consumer, Tag::MAX);
        }
    }
}

/// Somebody else at a host.
const INTRUDER: ConnectionId = ConnectionId(2);
