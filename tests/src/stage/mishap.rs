//! What befalls hosts, and how it ends.

use std::time::Duration;

use flockmq_core::sim::{HostId, World};

use super::Stage;

impl Stage {
    /// Ends a host's process.
    pub fn crash(&mut self, host: HostId) {
        self.end(host, World::crash);
    }

    /// Turns a host's machine off; nobody linked to it hears of that.
    pub fn power_off(&mut self, host: HostId) {
        self.end(host, World::power_off);
    }

    /// Starts a host's process anew and attaches its application, which has neither producers nor consumers then.
    pub fn restart(&mut self, host: HostId) {
        self.begin(host, World::restart);
    }

    /// The same, with an empty disk.
    pub fn restart_empty(&mut self, host: HostId) {
        self.begin(host, World::restart_empty);
    }

    /// Stops a host's process in its tracks.
    pub fn pause(&mut self, host: HostId) {
        if self.is_up(host) {
            self.application(host).is_paused = true;
            self.oracle.paused(self.world.now(), host);
            self.world.pause(host);
        }
    }

    /// Puts a host's machine to sleep, until it is resumed.
    pub fn sleep(&mut self, host: HostId) {
        if self.is_up(host) {
            self.application(host).is_paused = true;
            self.oracle.paused(self.world.now(), host);
            self.world.sleep(host);
        }
    }

    /// Lets a paused process or a sleeping machine go on.
    pub fn resume(&mut self, host: HostId) {
        if self.is_up(host) {
            self.application(host).is_paused = false;
            self.oracle.resumed(self.world.now(), host);
            self.world.resume(host);
        }
    }

    /// Lets each link of a host take no more than so many bytes a second; any number if `None`.
    pub fn slow(&mut self, host: HostId, bytes_per_second: Option<u64>) {
        self.world.slow(host, bytes_per_second);
        let is_news = match bytes_per_second {
            Some(_) => self.slow.insert(host),
            None => self.slow.remove(&host),
        };
        if is_news {
            self.sluggish_until = self.world.now() + SLUGGISH_FOR;
        }
    }

    /// Lets nothing pass between two hosts, ever: others have to pass on what they say.
    pub fn wall_off(&mut self, a: HostId, b: HostId) {
        self.world.cut(a, b);
        self.walls.extend([(a, b), (b, a)]);
    }

    /// True if nothing ever passes between two hosts.
    pub fn is_walled_off(&self, a: HostId, b: HostId) -> bool {
        self.walls.contains(&(a, b))
    }

    /// Lets everything pass wherever there is no wall.
    pub fn heal(&mut self) {
        let hosts = self.hosts();
        for (place, a) in hosts.iter().enumerate() {
            for b in hosts[..place].iter().filter(|b| !self.walls.contains(&(*a, **b))) {
                self.world.heal(*a, *b);
            }
        }
    }

    fn end(&mut self, host: HostId, verb: impl FnOnce(&mut World, HostId)) {
        self.pump();
        if !self.is_up(host) {
            return;
        }
        let process = self.process(host);
        self.oracle.crashed(self.world.now(), process);
        for (_, found) in self.consumers.values_mut().filter(|(at, _)| *at == host) {
            found.is_open = false;
        }
        self.application(host).crash();
        verb(&mut self.world, host);
        self.world.events(host);
    }

    fn begin(&mut self, host: HostId, verb: impl FnOnce(&mut World, HostId)) {
        self.crash(host);
        verb(&mut self.world, host);
        self.application(host).is_up = true;
        self.attach(host);
    }
}

/// For how long what was sent to a slow host may still be on its way when it is slow no more.
const SLUGGISH_FOR: Duration = Duration::from_mins(1);
