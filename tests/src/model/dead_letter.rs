//! Messages that nobody could do anything with.

use std::sync::Arc;

use flockmq_core::{DeadLetterQueue, Destination, DestinationKind, Message, NonPersistent, Path, Timestamp};

use super::Model;
use super::place::Waiting;

/// Why a message is dead.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Expired,
    GivenBack,
    Rejected,
}

impl Model {
    /// A queue's message is dead.
    pub(super) fn fail(&mut self, place: usize, waiting: &Waiting, cause: Cause) {
        self.counts.failed_queued += 1;
        self.places[place].counts.failed += 1;
        self.leave_group(place, waiting);
        self.bury(place, waiting, cause);
    }

    /// Keeps a dead message where its destination's policy says, if there is room. One message is a dead letter once,
    /// however many subscribers of a topic it died for.
    pub(super) fn bury(&mut self, place: usize, dead: &Waiting, cause: Cause) {
        let message = &dead.message;
        let grave = self.grave(place, message, cause);
        if grave.is_some() && !self.is_queue(place) && !self.buried.insert((message.id, place)) {
            return;
        }
        let kept = grave.and_then(|grave| self.place(&grave).ok()).filter(|grave| !self.is_queue_full(*grave));
        let Some(grave) = kept else {
            self.counts.discarded += 1;
            return;
        };
        self.counts.dead_lettered += 1;
        self.places[place].counts.dead_lettered += 1;
        self.places[grave].counts.enqueued += 1;
        let message = Arc::new(dead_letter(dead, self.places[grave].name.clone(), cause));
        self.enqueue(grave, Waiting { order: 0, redeliveries: 0, arrived_at: self.now, message });
    }

    /// Where dead letters are kept, from which they go nowhere else.
    pub(super) fn is_dead_letter_queue(&self, place: usize) -> bool {
        let place = &self.places[place];
        let is_below = place.name.to_string().starts_with("queue://ActiveMQ.DLQ.");
        is_below
            || place.name.to_string() == "queue://ActiveMQ.DLQ"
            || place.policy.dead_letters.queue == DeadLetterQueue::Shared(place.name.clone())
    }

    fn grave(&self, place: usize, message: &Message, cause: Cause) -> Option<Destination> {
        let (name, policy) = (&self.places[place].name, &self.places[place].policy.dead_letters);
        let is_kept = match policy.non_persistent {
            NonPersistent::Discarded => message.body.persistent,
            NonPersistent::Kept => true,
            NonPersistent::KeptOfQueues => message.body.persistent || self.is_queue(place),
        };
        if !is_kept || (cause == Cause::Expired && !policy.keeps_expired) || self.is_dead_letter_queue(place) {
            return None;
        }
        match &policy.queue {
            DeadLetterQueue::None => None,
            DeadLetterQueue::Shared(shared) => Some(shared.clone()),
            DeadLetterQueue::Individual => {
                let kind = if name.kind() == DestinationKind::Queue { "Queue" } else { "Topic" };
                Some(Destination::queue(&format!("ActiveMQ.DLQ.{kind}.{}", name.name())).expect("a short name"))
            }
        }
    }
}

/// The copy that is kept is persistent and has no end, and says why it is there and what else it was.
fn dead_letter(dead: &Waiting, grave: Destination, cause: Cause) -> Message {
    let message = &dead.message;
    let words = match cause {
        Cause::Expired => "its time was up",
        Cause::GivenBack => "it was given back more often than its destination allows",
        Cause::Rejected => "a consumer rejected it",
    };
    let mut body = message.body.clone();
    body.headers.time_to_live = None;
    body.headers.properties.set("dlqDeliveryFailureCause", words).expect("room");
    body.headers.properties.set("originalDestination", message.destination.to_string()).expect("room");
    if !body.persistent {
        body.persistent = true;
        body.headers.properties.set("originalDeliveryMode", "NON_PERSISTENT").expect("room");
    }
    if let Some(at) = dead.expires_at() {
        let wall = Timestamp::default() + at.since_origin();
        body.headers.properties.set("originalExpiration", wall.as_millis().cast_signed()).expect("room");
    }
    Message { id: message.id, destination: grave, path: Path::default(), timestamp: message.timestamp, body }
}
