//! How hosts take their leave: at once, or when they have handed over what they have.

use std::time::Duration;

use flockmq_core::sim::HostId;
use flockmq_core::{Command, Destination, Instant};

use super::Stage;

use crate::application::Asked;

impl Stage {
    /// Lets a host's node take its leave. A client's consumers end by it, those of others before.
    pub fn stop(&mut self, host: HostId) {
        if !self.is_running(host) {
            return;
        }
        for consumer in self.open_consumers(host) {
            if self.applications[&host].is_client() {
                self.closed(consumer);
            } else {
                self.unsubscribe(consumer);
            }
        }
        self.take_leave(host);
    }

    /// Lets a host's broker hand over what it has, for so long at most, and then take its leave. All its consumers end at
    /// once, and it is asked for nothing more.
    pub fn drain(&mut self, host: HostId, patience: Duration) {
        if !self.is_running(host) || self.applications[&host].is_client() {
            return;
        }
        let until = self.world.now() + patience;
        let process = self.process(host);
        self.oracle.drain_began(process);
        let application = self.application(host);
        application.drains_until = Some(until);
        application.transactions.clear();
        let request = application.ask(Asked::Drain);
        self.draining.insert(host);
        self.command(host, Command::Drain { request });
        let left = self.open_consumers(host);
        assert!(left.is_empty(), "{host} hands over what it has, and still has the consumers {left:?}");
    }

    /// True while a host's broker hands over what it has.
    pub fn is_draining(&self, host: HostId) -> bool {
        self.applications[&host].drains_until.is_some() && !self.applications[&host].is_stopped
    }

    /// A host's broker says that it has handed over what others want: nobody it knows of wants anything of what waits.
    pub(super) fn drained(&mut self, host: HostId) {
        let now = self.world.now();
        assert!(self.is_draining(host), "{host} says that it has handed over what it has, when it has left");
        self.application(host).drains_until = Some(now);
        let process = self.process(host);
        let waiting = self.node(host).waiting();
        for (queue, count) in &waiting {
            let taker = self.oracle.wants(now, process, queue, self.is_calm_for(DEMAND_TOLD), DEMAND_TOLD);
            assert!(
                taker.is_none() || self.oracle.is_paused(host, queue),
                "{host} leaves {count} messages in {queue}, and consumer {taker:?} would take them"
            );
        }
        let found = self.stats(host).broker;
        let here = (found.outstanding_queued, found.delayed, found.parked);
        assert_eq!(here, (0, 0, 0), "{host} says that it has handed over all it can");
        let left: Vec<Destination> = waiting.into_iter().map(|(queue, _)| queue).collect();
        self.oracle.drained(process, left);
    }

    /// When the next host takes its leave that hands over what it has.
    pub(super) fn drains_until(&self) -> Option<Instant> {
        let draining = self.draining.iter().map(|host| &self.applications[host]);
        draining.filter(|found| found.is_up && !found.is_paused).filter_map(|found| found.drains_until).min()
    }

    /// Those take their leave who have handed over what they have, or had time enough for that.
    pub(super) fn finish_draining(&mut self) {
        for host in self.draining.clone() {
            let (now, found) = (self.world.now(), &self.applications[&host]);
            match found.drains_until {
                Some(until) if found.is_up && !found.is_paused && until <= now => self.take_leave(host),
                Some(_) => (),
                None => drop(self.draining.remove(&host)), // It has crashed.
            }
        }
    }

    fn take_leave(&mut self, host: HostId) {
        self.draining.remove(&host);
        let process = self.process(host);
        self.oracle.stopping(process);
        let application = self.application(host);
        application.is_stopped = true;
        application.transactions.clear();
        self.command(host, Command::Stop);
    }
}

/// How long it takes until peers know of a consumer, unless something fails.
const DEMAND_TOLD: Duration = Duration::from_millis(1_500);
