//! What administrators ask: of the embedded broker, or through fanout of many.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Event, Node};
use crate::base::Instant;
use crate::client::Client;
use crate::model::{AdminReply, AdminRequest, Answer, BrokerId, Destination, DestinationStatus, Refusal, RequestId};
use crate::remote::RemoteClient;

impl Node {
    /// Asks the broker, or the targets; `only` one of them if there is such a wish.
    pub(super) fn ask(&mut self, now: Instant, request: RequestId, only: Option<BrokerId>, asked: &AdminRequest) {
        if let Some(fanout) = &mut self.fanout {
            return fanout.ask(now, request, only, asked, &mut self.lanes.fanout);
        }
        let mut answers = Vec::new();
        if only.is_none_or(|only| only == self.id) {
            let result = self.administer(now, asked, ANSWER_BYTES_MAX);
            answers.push(Answer { broker: self.id, name: self.config.name.clone(), result });
        }
        self.answer(request, Ok(answers));
    }

    /// Has the embedded broker do what is asked, and answer in about `bytes_max` bytes.
    pub(super) fn administer(
        &mut self,
        now: Instant,
        asked: &AdminRequest,
        bytes_max: u64,
    ) -> Result<AdminReply, Refusal> {
        let bytes_max = bytes_max.min(ANSWER_BYTES_MAX);
        let mut reply = self.broker.administer(now, asked, bytes_max, &mut self.lanes.broker)?;
        if let AdminReply::Destinations(inventory) = &mut reply {
            self.count_producers(&mut inventory.destinations);
        }
        Ok(reply)
    }

    pub(super) fn answer(&mut self, request: RequestId, result: Result<Vec<Answer<AdminReply>>, Refusal>) {
        self.tell(Event::Answered { request, result });
    }

    /// Notes how many producers each of these has, which a broker does not know.
    pub(super) fn count_producers(&self, destinations: &mut [DestinationStatus]) {
        let producers = self.producers();
        for destination in destinations {
            destination.producers = producers.get(&destination.name).copied().unwrap_or(0);
        }
    }

    /// How many producers there are for each destination: the application's own, and its clients' streams.
    fn producers(&self) -> BTreeMap<&Destination, u64> {
        let mut producers = BTreeMap::new();
        let own = self.clients.values().flat_map(Client::producing);
        let remote = self.remotes.values().flat_map(RemoteClient::producing);
        for destination in own.chain(remote) {
            *producers.entry(destination).or_insert(0) += 1;
        }
        producers
    }
}

/// How many bytes an answer may take.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;
