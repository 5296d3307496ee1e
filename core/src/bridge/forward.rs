//! Messages that came from the peer, and how far each demand's have been accepted.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use crate::base::{Outbox, Situation};
use crate::model::{CloseReason, Tag, Ticket};
use crate::wire::Frame;

/// What came, by demand.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    streams: BTreeMap<u32, Stream>,
    dirty: Vec<u32>,
}

#[derive(Debug, Default)]
struct Stream {
    arrived: Tag,
    accepted: Tag,        // All up to here are.
    ahead: BTreeSet<Tag>, // Accepted before others that wait for room.
    is_dirty: bool,
}

impl Arrivals {
    /// Messages may come for a demand.
    pub(super) fn begin(&mut self, demand: u32) {
        self.streams.insert(demand, Stream::default());
    }

    /// No more messages are taken for a demand. Tells how far they have been, up to the last that was accepted, also
    /// where some before it wait for room; none if the peer knows.
    pub(super) fn end(&mut self, demand: u32) -> Option<Tag> {
        let stream = self.streams.remove(&demand)?;
        let ahead = stream.ahead.last().copied();
        if ahead.is_some() {
            Situation::DemandEndedAhead.met();
        }
        ahead.or_else(|| stream.is_dirty.then_some(stream.accepted))
    }

    /// A message has come: the next of its demand, or the peer is at fault.
    pub(super) fn arrive(&mut self, demand: u32, tag: Tag) -> Result<(), CloseReason> {
        let stream = self.streams.entry(demand).or_default();
        if tag != stream.arrived + 1 {
            let what = format!("message {tag} of demand {demand} came after {}", stream.arrived);
            return Err(CloseReason::Malformed(what));
        }
        stream.arrived = tag;
        Ok(())
    }

    /// A message was accepted.
    pub(super) fn accept(&mut self, ticket: Ticket) {
        let Some((demand, stream)) =
            u32::try_from(ticket.stream).ok().and_then(|demand| Some((demand, self.streams.get_mut(&demand)?)))
        else {
            return; // The demand has ended; the peer was told how far it came.
        };
        if ticket.number != stream.accepted + 1 {
            Situation::AcceptedAhead.met();
            stream.ahead.insert(ticket.number);
            return;
        }
        stream.accepted = ticket.number;
        while stream.ahead.first() == Some(&(stream.accepted + 1)) {
            stream.ahead.pop_first();
            stream.accepted += 1;
        }
        if !stream.is_dirty {
            stream.is_dirty = true;
            self.dirty.push(demand);
        }
    }

    /// Says how far each demand's messages have been accepted, where there is news.
    pub(super) fn flush(&mut self, out: &mut Outbox<Frame>) {
        for demand in self.dirty.drain(..) {
            if let Some(stream) = self.streams.get_mut(&demand) {
                stream.is_dirty = false;
                out.push(Frame::Forwarded { demand, up_to: stream.accepted });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(arrivals: &mut Arrivals, tags: &[Tag]) -> Vec<Frame> {
        for tag in tags {
            arrivals.accept(Ticket { stream: 1, number: *tag });
        }
        let mut out = Outbox::new();
        arrivals.flush(&mut out);
        out.drain().collect()
    }

    #[test]
    fn acceptance_is_told_as_far_as_it_is_unbroken() {
        let mut arrivals = Arrivals::default();
        arrivals.begin(1);
        for tag in 1..=5 {
            assert_eq!(arrivals.arrive(1, tag), Ok(()));
        }
        assert_eq!(accept(&mut arrivals, &[1, 2, 4]), [Frame::Forwarded { demand: 1, up_to: 2 }]);
        assert_eq!(accept(&mut arrivals, &[5]), []);
        assert_eq!(accept(&mut arrivals, &[3]), [Frame::Forwarded { demand: 1, up_to: 5 }]);
    }

    #[test]
    fn a_message_out_of_place_is_a_fault() {
        let mut arrivals = Arrivals::default();
        arrivals.begin(1);
        let what = CloseReason::Malformed("message 2 of demand 1 came after 0".into());
        assert_eq!(arrivals.arrive(1, 2), Err(what));
    }
}
