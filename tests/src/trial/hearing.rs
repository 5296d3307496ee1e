//! What the broker says is gathered.

use bytes::Bytes;
use flockmq_core::wire::Frame;
use flockmq_core::{CloseReason, ConsumerId, Delivery, Event, Input, LinkId, Output, RequestId};

use super::Trial;
use crate::model::Sender;

impl Trial {
    pub(super) fn tell(&mut self, input: Input) {
        self.node.handle_input(self.now, input);
        self.drain();
        while let Some(link) = self.closing.pop() {
            self.node.handle_input(self.now, Input::Closed { link, reason: CloseReason::Requested });
            self.drain();
        }
    }

    pub(super) fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Accept { link, .. } => self.slot = Some(link),
                Output::Close { link } => {
                    self.said.has_parted |= self.end.take_if(|end| end.link == link).is_some();
                    self.closing.push(link);
                }
                Output::Event(event) => self.hear_event(event),
                Output::Send { link, data } => {
                    self.node.handle_input(self.now, Input::Sent { link, bytes: data.len() as u64 });
                    self.hear_bytes(link, data);
                }
                _ => (),
            }
        }
    }

    fn hear_event(&mut self, event: Event) {
        match event {
            Event::Accepted { producer, up_to, by } => {
                assert!(by.is_empty());
                let before = self.said.accepted.insert((Sender::Application, producer), up_to);
                assert!(before.is_none_or(|before| before < up_to), "acceptances grow");
            }
            Event::AckRefused { refusal, .. } => self.said.replies.push(Err(refusal)),
            Event::Answered { request, result } => {
                assert_eq!(request, RequestId(self.requests), "one question, one answer");
                self.said.answers.extend(result.expect("it was asked of one").into_iter().map(|answer| answer.result));
            }
            Event::Browsed { consumer } => self.said.browsed.push(consumer),
            Event::ConsumerEnded { consumer, refusal } => {
                self.said.ended.insert(consumer, refusal);
            }
            Event::Delivered { consumer, deliveries } => {
                assert!(!deliveries.is_empty());
                self.said.delivered.entry(consumer).or_default().extend(deliveries);
            }
            Event::Refused { producer, sequence, refusal, answers } => {
                assert!(answers.is_empty());
                self.said.refused.entry((Sender::Application, producer, sequence)).or_default().push(refusal);
            }
            Event::Replied { request, result } => {
                assert_eq!(request, RequestId(self.requests), "one question, one answer");
                self.said.replies.push(result);
            }
            _ => (),
        }
    }

    fn hear_bytes(&mut self, link: LinkId, data: Bytes) {
        let Some(end) = self.end.as_mut().filter(|end| end.link == link) else { return };
        for frame in end.hear(data) {
            match frame {
                Frame::Answered { result, .. } => self.said.answers.push(result),
                Frame::Browsed { number } => self.said.browsed.push(ConsumerId(number.into())),
                Frame::ConsumerEnded { number, refusal } => {
                    self.said.ended.insert(ConsumerId(number.into()), refusal);
                }
                Frame::Forward { demand, tag, redeliveries, message } => {
                    let delivery = Delivery { tag, redeliveries, message };
                    self.said.delivered.entry(ConsumerId(demand.into())).or_default().push(delivery);
                }
                Frame::Forwarded { demand, up_to } => {
                    let before = self.said.accepted.insert((Sender::Remote, demand.into()), up_to);
                    assert!(before.is_none_or(|before| before < up_to), "acceptances grow");
                }
                Frame::Refused { stream, tag, refusal } => {
                    self.said.refused.entry((Sender::Remote, stream.into(), tag)).or_default().push(refusal);
                }
                Frame::Subscribed { result, .. } => self.said.replies.push(result),
                _ => (),
            }
        }
    }
}
