//! Bridges: what peers ask of our broker, and what they are told.

use alloc::format;
use alloc::vec::Vec;

use super::super::{Event, Node};
use crate::base::{Instant, Outbox};
use crate::bridge::{self, Bridge};
use crate::broker::{self, Subscriber};
use crate::model::{CloseReason, Demand, LinkId, Origin, Subscription};
use crate::wire::Frame;

impl Node {
    pub(in super::super) fn bridge_in_lane(&mut self, now: Instant, link: LinkId) {
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
                    return self.end(now, link, reason);
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
                bridge::Inward::Replace { ended, begun } => {
                    let begun = begun.into_iter().map(|wish| (wish.consumer, subscriber(wish))).collect();
                    self.broker.replace(now, origin, ended, begun, out)
                }
                bridge::Inward::Subscribe(wish) => {
                    self.broker.subscribe(now, origin, wish.consumer, subscriber(wish), out)
                }
                bridge::Inward::Weigh { consumer, weight } => self.broker.weigh(origin, consumer, weight, out),
            };
            if let Err(refusal) = result {
                self.lanes.bridge_in.drain().for_each(drop);
                let reason = CloseReason::Refused(format!("{refusal}"));
                return self.end(now, link, reason);
            }
        }
        self.frames_lane(link);
    }

    /// Tells whoever may be told of a demand, which with one hop is nobody if it came from a peer.
    pub(super) fn tell_peers(
        &mut self,
        now: Instant,
        demand: &Demand,
        say: impl Fn(&mut Bridge, &mut Outbox<bridge::Inward>, &mut Outbox<Frame>),
    ) {
        let told = self.bridges.iter().filter(|(_, bridge)| bridge.may_be_told(demand));
        for link in told.map(|(link, _)| *link).collect::<Vec<_>>() {
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

/// What a peer wants, as a consumer of the broker's.
fn subscriber(wish: bridge::Wish) -> Subscriber {
    let bridge::Wish { demand, prefetch, weight, .. } = wish;
    let Demand { destination, selector, path, is_dormant } = demand;
    let subscription = Subscription { prefetch: Some(prefetch), selector, ..Subscription::new(destination) };
    Subscriber { subscription, path, weight, is_dormant }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Config, Input, Output};
    use super::*;
    use crate::base::{Seed, Timestamp};
    use crate::model::{Body, BrokerId, Destination, Message, MessageId, Path, ProducerId, Role};
    use crate::wire::{Decoder, Deframer, Encoder, FrameBuffer, Hello, PREFACE, VERSION_MAX, VERSION_MIN};
    use alloc::boxed::Box;
    use alloc::collections::{BTreeMap, VecDeque};
    use alloc::sync::Arc;
    use core::num::NonZeroU32;

    /// A node, and the peers at the other ends of its links.
    struct Rig {
        node: Node,
        slots: VecDeque<LinkId>,
        peers: BTreeMap<LinkId, Peer>,
    }

    #[derive(Default)]
    struct Peer {
        encoder: Encoder,
        deframer: Option<Deframer>, // Once there was the preface.
        decoder: Decoder,
        heard: Vec<Frame>,
    }

    impl Rig {
        fn new(config: Config) -> Self {
            let node = Node::new(config, Seed::from(1), Instant::ZERO);
            let mut rig = Self { node, slots: VecDeque::new(), peers: BTreeMap::new() };
            rig.perform();
            rig
        }

        /// Does what the node asks for.
        fn perform(&mut self) {
            while let Some(output) = self.node.poll_output() {
                match output {
                    Output::Accept { link, .. } => self.slots.push_back(link),
                    Output::Listen { listener, .. } => {
                        let addresses = Vec::from(["10.0.0.1:1".parse().expect("an address")]);
                        self.node.handle_input(Instant::ZERO, Input::Listening { listener, addresses });
                    }
                    Output::Send { link, data } => self.peers.get_mut(&link).expect("it is up").hear(&data),
                    Output::Close { link } => panic!("{link} is closed"),
                    _ => (),
                }
            }
        }

        fn hear(&mut self, input: Input) {
            self.node.handle_input(Instant::ZERO, input);
            self.perform();
        }

        /// A peer dials, and has its bridge.
        fn join(&mut self, broker: BrokerId) -> LinkId {
            let link = self.slots.pop_front().expect("a slot");
            self.peers.insert(link, Peer::default());
            self.hear(Input::Connected { link, remote: "10.0.0.2:2".parse().expect("an address") });
            let hello = Hello {
                version_min: VERSION_MIN,
                version_max: VERSION_MAX,
                broker,
                name: "peer".into(),
                group: "flock".into(),
                services: Vec::new(),
                frame_max: 1_000_000,
                silence_max_millis: 30_000,
                role: Role::Peer,
                is_connector: false,
            };
            self.hear(Input::Bytes { link, data: PREFACE[..].into() });
            self.say(link, &[Frame::Hello(Box::new(hello)), Frame::Propose { ended: 0 }]);
            self.say(link, &[Frame::Synced, Frame::SyncedHeard]);
            self.take(link);
            link
        }

        /// A peer says this, in one piece.
        fn say(&mut self, link: LinkId, frames: &[Frame]) {
            let (peer, mut buffer) = (self.peers.get_mut(&link).expect("it is up"), FrameBuffer::default());
            for frame in frames {
                peer.encoder.encode(frame, &mut buffer);
            }
            let data = core::iter::from_fn(|| buffer.pop()).collect::<Vec<_>>().concat().into();
            self.hear(Input::Bytes { link, data });
        }

        /// What a peer was told since this was last asked.
        fn take(&mut self, link: LinkId) -> Vec<Frame> {
            core::mem::take(&mut self.peers.get_mut(&link).expect("it is up").heard)
        }
    }

    impl Peer {
        fn hear(&mut self, data: &[u8]) {
            let is_new = self.deframer.is_none();
            let deframer = self.deframer.get_or_insert_with(|| Deframer::new(u32::MAX));
            deframer.push(data[if is_new { PREFACE.len() } else { 0 }..].to_vec().into());
            while let Some(bytes) = deframer.poll_frame().expect("a frame") {
                self.heard.extend(self.decoder.decode(bytes).expect("a frame"));
            }
        }
    }

    fn forward(demand: u32, tag: u64, destination: &Destination) -> Frame {
        let id = MessageId { producer: ProducerId { broker: BrokerId(7), number: 1 }, sequence: tag };
        let (destination, body) = (destination.clone(), Body::text("0123456789"));
        let message = Message { id, destination, path: Path::default(), timestamp: Timestamp::default(), body };
        Frame::Forward { demand, tag, redeliveries: 0, message: Arc::new(message) }
    }

    /// What is forwarded is acknowledged by the peer; until then no more is on its way for one demand than `prefetchSize`.
    #[test]
    fn no_more_is_on_its_way_for_a_demand_than_may_be() {
        let mut config = Config::peer("flock", "node");
        (config.bridge.message_hops_max, config.bridge.demand_hops_max, config.bridge.prefetch) = (3, 3, 2);
        let mut rig = Rig::new(config);
        let [wanter, forwarder] = [BrokerId(u128::MAX), BrokerId(u128::MAX - 1)].map(|broker| rig.join(broker));
        let queues = ["q", "r"].map(|name| Destination::queue(name).expect("a name"));
        let tags = |rig: &mut Rig| {
            let told = rig.take(wanter).into_iter().filter_map(|frame| match frame {
                Frame::Forward { demand, tag, .. } => Some((demand, tag)),
                _ => None,
            });
            told.collect::<Vec<_>>()
        };
        for (number, queue) in (1..).zip(&queues) {
            let demand =
                Demand { destination: queue.clone(), selector: None, path: Path::default(), is_dormant: false };
            let consumers = NonZeroU32::MIN;
            rig.say(wanter, &[Frame::Demand { number, demand, consumers, instead: false }]);
            rig.say(forwarder, &[1, 2, 3, 4, 5].map(|tag| forward(number, tag, queue)));
            assert_eq!(tags(&mut rig), [(number, 1), (number, 2)]);
        }
        rig.say(wanter, &[Frame::Forwarded { demand: 1, up_to: 1 }]);
        assert_eq!(tags(&mut rig), [(1, 3)]);
        rig.say(wanter, &[Frame::Forwarded { demand: 1, up_to: 3 }]);
        assert_eq!(tags(&mut rig), [(1, 4), (1, 5)]);
    }

    /// One peer forwards what another wants: one message is with that one, one waits, and one has no room. Then it is told,
    /// all at once, of a shorter path, and of an answer that makes room. The demand by the longer path ends with all three
    /// accepted: what is not said before the end stays with who forwarded it, and would be there twice.
    #[test]
    fn what_is_accepted_is_said_before_the_end_of_the_demand_that_it_answers() {
        let mut config = Config::peer("flock", "node");
        (config.bridge.message_hops_max, config.bridge.demand_hops_max, config.bridge.window) = (3, 3, 1);
        config.broker.queue_bytes_max = 1;
        let mut rig = Rig::new(config);
        let [wanter, forwarder] = [BrokerId(u128::MAX), BrokerId(u128::MAX - 1)].map(|broker| rig.join(broker));
        let queue = Destination::queue("q").expect("a name");
        let demand = |number, path, instead| {
            let demand = Demand { destination: queue.clone(), selector: None, path, is_dormant: false };
            Frame::Demand { number, demand, consumers: NonZeroU32::MIN, instead }
        };

        rig.say(wanter, &[demand(1, Path::default().then(BrokerId(5)), false)]);
        assert!(matches!(rig.take(forwarder)[..], [Frame::Demand { number: 1, .. }]));
        rig.say(forwarder, &[1, 2, 3].map(|tag| forward(1, tag, &queue)));
        assert_eq!(rig.take(forwarder), [Frame::Forwarded { demand: 1, up_to: 2 }]);
        assert!(matches!(rig.take(wanter)[..], [Frame::Forward { demand: 1, tag: 1, .. }]));

        rig.say(wanter, &[demand(2, Path::default(), false), Frame::Forwarded { demand: 1, up_to: 1 }]);
        let path = Path::default().then(BrokerId(u128::MAX));
        let expected = [
            demand(2, path, true),
            Frame::Forwarded { demand: 1, up_to: 3 },
            Frame::Undemand { numbers: Vec::from([1]) },
        ];
        assert_eq!(rig.take(forwarder), expected);
    }
}
