//! What an administrator asks.

use flockmq_core::{AdminReply, AdminRequest, Destination, DestinationStatus, Inventory, Refusal};

use super::place::Waiting;
use super::{Model, is_queue};

impl Model {
    pub(crate) fn administer(&mut self, asked: &AdminRequest) -> Result<AdminReply, Refusal> {
        match asked {
            AdminRequest::Destinations { within, after } => {
                let there = (0..self.places.len()).filter(|place| !self.places[*place].is_gone);
                let all = there.map(|place| self.status(place));
                let is_wanted = |status: &DestinationStatus| {
                    within.as_ref().is_none_or(|within| within.matches(&status.name))
                        && after.as_ref().is_none_or(|after| status.name > *after)
                };
                let mut destinations: Vec<_> = all.filter(is_wanted).collect();
                destinations.sort_by(|one, other| one.name.cmp(&other.name));
                Ok(AdminReply::Destinations(Inventory { destinations, left_out: 0 }))
            }
            AdminRequest::Pause(queues) => {
                let mut changed = 0;
                for place in self.queues(queues)? {
                    let was_paused = std::mem::replace(&mut self.places[place].counts.is_paused, true);
                    changed += u64::from(!was_paused);
                }
                Ok(AdminReply::Changed { queues: changed })
            }
            AdminRequest::Purge(queues) => self.purge(queues),
            AdminRequest::RemoveDurable(durable) => self.remove_durable(durable).map(|()| AdminReply::DurableRemoved),
            AdminRequest::Resume(queues) => {
                let mut changed = 0;
                for place in self.queues(queues)? {
                    if std::mem::take(&mut self.places[place].counts.is_paused) {
                        changed += 1;
                        self.dispatch(place);
                    }
                }
                self.unpark_all();
                Ok(AdminReply::Changed { queues: changed })
            }
        }
    }

    /// Removes what waits. What was handed out stays with whoever has it; what waits for room follows.
    fn purge(&mut self, named: &Destination) -> Result<AdminReply, Refusal> {
        let places = self.queues(named)?;
        let (mut messages, queues) = (0, places.len() as u64);
        for place in places {
            let gone: Vec<Waiting> = self.places[place].all().cloned().collect();
            self.places[place].waiting.clear();
            self.places[place].delayed.clear();
            for waiting in &gone {
                self.leave_group(place, waiting);
            }
            messages += gone.len() as u64;
            self.places[place].counts.purged += gone.len() as u64;
            self.counts.purged += gone.len() as u64;
        }
        self.unpark_all();
        Ok(AdminReply::Purged { messages, queues })
    }

    /// The queue of this name, which there must be; or all that a pattern covers, if any.
    fn queues(&self, named: &Destination) -> Result<Vec<usize>, Refusal> {
        if !is_queue(named) {
            return Err(Refusal::NotAQueue(named.clone()));
        }
        let places = self.covered(named);
        if places.is_empty() && !named.is_pattern() {
            return Err(Refusal::NoDestination(named.clone()));
        }
        Ok(places)
    }

    fn status(&self, at: usize) -> DestinationStatus {
        let place = &self.places[at];
        let takers = self.consumers.values().filter(|found| self.is_queue(at) && !found.asked.browses);
        let outstanding = takers.flat_map(|found| found.held.values()).filter(|(found, _)| *found == at).count() as u64;
        DestinationStatus {
            depth: place.waiting.len() as u64,
            delayed: place.delayed.len() as u64,
            bytes: place.all().map(Waiting::size).sum(),
            parked: place.parked.len() as u64,
            consumers: place.turns.len() as u64,
            producers: self.connections.values().map(|found| found.producing(&place.name)).sum(),
            outstanding,
            ..place.counts.clone()
        }
    }
}
