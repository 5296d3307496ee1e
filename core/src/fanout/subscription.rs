//! The application's consumers, each of which is on every target.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::consumer::{Arrival, Opening, Removed};
use super::{Fanout, Output, count};
use crate::base::{Instant, Outbox, Situation};
use crate::model::{Ack, ConnectionId, ConsumerId, Delivery, LinkId, Refusal, RequestId, Subscription, Tag, What};
use crate::wire::Frame;

impl Fanout {
    /// Adds a consumer, on every target there is and will be. Answered once enough have confirmed it.
    pub(crate) fn subscribe(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        consumer: ConsumerId,
        subscription: &Subscription,
        request: RequestId,
        out: &mut Outbox<Output>,
    ) {
        let opening = Opening { request, until: now + self.config.send_timeout, confirmed: BTreeSet::new() };
        match self.consumers.add(connection, consumer, subscription.clone(), opening, self.config.consumers_max) {
            Ok(number) => {
                let id = self.consumers.numbered(number).expect("just added");
                let consumer = self.consumers.get_mut(id).expect("a number has a consumer");
                for link in self.targets.keys() {
                    out.push(Output::Say { link: *link, frame: consumer.ask(*link) });
                }
            }
            Err(refusal) => out.push(Output::Replied { request, result: Err(refusal) }),
        }
    }

    /// Ends a consumer; deliveries after `seen` go back as if never handed out.
    pub(crate) fn unsubscribe(
        &mut self,
        connection: ConnectionId,
        consumer: ConsumerId,
        seen: Tag,
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        self.consumers.check(connection, consumer)?;
        let removed = self.consumers.remove(consumer, seen).ok_or(Refusal::unknown_consumer(consumer))?;
        self.end_consumer(removed, Refusal::Closed { what: What::Consumer }, out);
        Ok(())
    }

    /// Answers deliveries.
    pub(crate) fn acknowledge(
        &mut self,
        connection: ConnectionId,
        ack: Ack,
        out: &mut Outbox<Output>,
    ) -> Result<(), Refusal> {
        self.consumers.check(connection, ack.consumer)?;
        for (link, ack) in self.consumers.acknowledge(ack)? {
            out.push(Output::Say { link, frame: Frame::Ack(ack) });
        }
        Ok(())
    }

    /// A target has a message for a consumer: handed out, unless another's copy was.
    pub(super) fn hear_delivery(&mut self, link: LinkId, number: u32, delivery: Delivery, out: &mut Outbox<Output>) {
        match self.consumers.arrive(link, number, delivery) {
            Arrival::Done(ack) => out.push(Output::Say { link, frame: Frame::Ack(ack) }),
            Arrival::Kept => (),
            Arrival::New { connection, consumer, delivery } => {
                out.push(Output::Deliver { connection, consumer, delivery });
            }
        }
    }

    /// A target has confirmed a consumer, or refused it.
    pub(super) fn hear_subscribed(
        &mut self,
        link: LinkId,
        number: u32,
        result: Result<(), Refusal>,
        out: &mut Outbox<Output>,
    ) {
        let (Some(target), Some(id)) = (self.targets.get(&link), self.consumers.numbered(number)) else {
            return; // It was closed meanwhile.
        };
        let consumer = self.consumers.get_mut(id).expect("a number has a consumer");
        match (result, &mut consumer.opening) {
            (Ok(()), None) => (),
            (Ok(()), Some(opening)) => {
                opening.confirmed.insert(target.found.broker);
                if opening.confirmed.len() >= self.config.acks_min as usize {
                    out.push(Output::Replied { request: opening.request, result: Ok(()) });
                    consumer.opening = None;
                    if consumer.was_shown_all() {
                        out.push(Output::Browsed { connection: consumer.connection, consumer: id });
                    }
                }
            }
            (Err(refusal), None) => {
                let answer = target.found.answer(Err(refusal));
                out.push(Output::SubscriptionRefused { consumer: id, answer });
                self.hear_browsed(link, number, out); // It has nothing to show.
            }
            (Err(refusal), Some(_)) => {
                let removed = self.consumers.remove(id, Tag::MAX).expect("just found");
                self.end_consumer(removed, refusal, out);
            }
        }
    }

    /// A target has ended a consumer, because its application takes too little: it ends on the others too.
    pub(super) fn hear_ended(&mut self, number: u32, refusal: Refusal, out: &mut Outbox<Output>) {
        let Some(consumer) = self.consumers.numbered(number) else {
            return; // It was closed meanwhile.
        };
        let found = self.consumers.get_mut(consumer).expect("a number has a consumer");
        let (connection, is_open) = (found.connection, found.opening.is_none());
        let removed = self.consumers.remove(consumer, Tag::MAX).expect("just found");
        self.end_consumer(removed, refusal.clone(), out);
        if is_open {
            out.push(Output::ConsumerEnded { connection, consumer, refusal });
        }
    }

    /// A target has shown a consumer everything.
    pub(super) fn hear_browsed(&mut self, link: LinkId, number: u32, out: &mut Outbox<Output>) {
        let Some(id) = self.consumers.numbered(number) else {
            return; // It was closed meanwhile.
        };
        let consumer = self.consumers.get_mut(id).expect("a number has a consumer");
        if consumer.was_shown(link) && consumer.was_shown_all() {
            out.push(Output::Browsed { connection: consumer.connection, consumer: id });
        }
    }

    /// Tells every target that a consumer has ended, and whoever waited for it why.
    fn end_consumer(&mut self, removed: Removed, refusal: Refusal, out: &mut Outbox<Output>) {
        let Removed { number, opening, seen, acks } = removed;
        for link in self.targets.keys() {
            let seen = seen.get(link).copied().unwrap_or(0);
            out.push(Output::Say { link: *link, frame: Frame::Unsubscribe { number, seen } });
        }
        for (link, ack) in acks {
            out.push(Output::Say { link, frame: Frame::Ack(ack) });
        }
        if let Some(Opening { request, .. }) = opening {
            out.push(Output::Replied { request, result: Err(refusal) });
        }
    }

    /// Ends consumers that not enough targets have confirmed in time.
    pub(super) fn expire_openings(&mut self, now: Instant, out: &mut Outbox<Output>) {
        let late = self.consumers.iter().filter_map(|(id, consumer)| {
            let opening = consumer.opening.as_ref().filter(|opening| opening.until <= now)?;
            Some((id, count(opening.confirmed.iter())))
        });
        for (consumer, accepted) in late.collect::<Vec<_>>() {
            Situation::ConsumerTimedOut.met();
            let removed = self.consumers.remove(consumer, Tag::MAX).expect("just found");
            let (needed, after) = (self.config.acks_min, self.config.send_timeout);
            self.end_consumer(removed, Refusal::TimedOut { accepted, needed, after }, out);
        }
    }
}
