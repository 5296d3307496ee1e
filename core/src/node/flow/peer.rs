//! Bridges: what peers ask of our broker, and what they are told.

use alloc::format;
use alloc::vec::Vec;

use super::super::{Event, Node};
use super::link::farewell;
use crate::base::{Instant, Outbox};
use crate::bridge::{self, Bridge};
use crate::broker::{self, Subscriber};
use crate::model::{CloseReason, Demand, LinkId, Origin, Subscription};
use crate::wire::{Farewell, Frame};

impl Node {
    pub(super) fn bridge_in_lane(&mut self, now: Instant, link: LinkId) {
        let origin = Origin::Bridge(link);
        while let Some(said) = self.lanes.bridge_in.pop() {
            let out = &mut self.lanes.broker;
            let result = match said {
                bridge::Inward::Ack(ack) => self.broker.acknowledge(now, origin, ack, out),
                bridge::Inward::Cancel { stream, taken } => {
                    self.broker.cancel(now, origin, stream, taken, out);
                    Ok(())
                }
                bridge::Inward::Close(reason) => {
                    self.lanes.bridge_in.drain().for_each(drop);
                    let farewell = farewell(&reason);
                    return self.end(now, link, reason, farewell);
                }
                bridge::Inward::Ready => {
                    if let Some(hello) = self.pipes.get(link).and_then(|pipe| pipe.hello.clone()) {
                        self.tell(Event::PeerReady { broker: hello.broker, name: hello.name });
                    }
                    Ok(())
                }
                bridge::Inward::Send { ticket, redeliveries, message } => {
                    let taken = self.broker.send(now, origin, ticket, redeliveries, message, out);
                    if taken == Ok(broker::Taken::Accepted) {
                        self.accepted(origin, ticket);
                    }
                    taken.map(|_| ())
                }
                bridge::Inward::Subscribe { consumer, demand: Demand { destination, path }, prefetch } => {
                    let subscription = Subscription { prefetch: Some(prefetch), ..Subscription::new(destination) };
                    let subscriber = Subscriber { subscription, path };
                    self.broker.subscribe(now, origin, consumer, subscriber, out)
                }
                bridge::Inward::Unsubscribe { consumer } => {
                    // What was in flight was not taken: the peer says what it takes before it says the end.
                    self.broker.unsubscribe(now, origin, consumer, 0, out)
                }
            };
            if let Err(refusal) = result {
                self.lanes.bridge_in.drain().for_each(drop);
                let reason = CloseReason::Refused(format!("{refusal}"));
                let farewell = Some(Farewell::Refused(format!("{refusal}")));
                return self.end(now, link, reason, farewell);
            }
        }
        self.frames_lane(link);
    }

    pub(super) fn tell_peers(
        &mut self,
        now: Instant,
        say: impl Fn(&mut Bridge, &mut Outbox<bridge::Inward>, &mut Outbox<Frame>),
    ) {
        for link in self.bridges.keys().copied().collect::<Vec<_>>() {
            // A demand that ends says how far it was answered, and the broker may have said so after what ends it, or
            // when another's end made room.
            self.note_accepted();
            if let Some(bridge) = self.bridges.get_mut(&link) {
                say(bridge, &mut self.lanes.bridge_in, &mut self.lanes.frames);
                self.bridge_in_lane(now, link);
            }
        }
    }
}
