//! What can be done to the hosts of a world and to the network between them.

use super::host::Program;
use super::{Faults, HostId, World};
use crate::{Input, Timestamp};

/// Things done to hosts and to the network between them.
impl World {
    /// Changes what goes wrong by chance, from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.net.medium.faults = faults;
    }

    /// Lets nothing through between two hosts: datagrams are lost, streams stall until [`Self::heal`].
    pub fn cut(&mut self, a: HostId, b: HostId) {
        self.cut_one_way(a, b);
        self.cut_one_way(b, a);
    }

    /// Lets nothing through from one host to another. No connection can be made then; of what is sent the other way
    /// on streams that are up, as much arrives as the sender's buffer holds.
    pub fn cut_one_way(&mut self, from: HostId, to: HostId) {
        self.trace.verb(self.now, from, format_args!("cut from {to}"));
        self.net.cut(from, to);
    }

    /// Lets everything through between two hosts; what had stalled on streams arrives.
    pub fn heal(&mut self, a: HostId, b: HostId) {
        for (from, to) in [(a, b), (b, a)] {
            self.trace.verb(self.now, from, format_args!("healed to {to}"));
            self.net.heal(self.now, from, to);
        }
    }

    /// Cuts every two hosts that are on different sides; hosts on no side keep all their paths.
    pub fn partition(&mut self, sides: &[&[HostId]]) {
        for (index, side) in sides.iter().enumerate() {
            for other in sides[index + 1..].iter().copied().flatten() {
                for host in *side {
                    self.cut(*host, *other);
                }
            }
        }
    }

    /// Heals every cut.
    pub fn heal_all(&mut self) {
        for a in 0..self.hosts.len() {
            for b in 0..a {
                let (a, b) = (self.hosts[a].process.host, self.hosts[b].process.host);
                self.heal(a, b);
            }
        }
    }

    /// Tears down all streams between two hosts; of what is on its way on them, some is lost.
    pub fn reset(&mut self, a: HostId, b: HostId) {
        self.trace.verb(self.now, a, format_args!("reset to {b}"));
        self.net.reset(self.now, a, b);
    }

    /// Ends a host's process without a word. Those linked to it hear so, unless they are cut from it: they are left
    /// with half-open links.
    pub fn crash(&mut self, host: HostId) {
        let found = &mut self.hosts[host.index()];
        if matches!(found.program, Program::Absent) {
            return;
        }
        found.program = Program::Absent;
        found.is_paused = false;
        found.deferred.clear();
        found.wake = None;
        self.net.medium.counts.crashes += 1;
        self.trace.verb(self.now, host, "crashed");
        self.net.crash(self.now, host);
    }

    /// Starts a host's program anew with the same config and a new seed, after a crash if it still runs.
    pub fn restart(&mut self, host: HostId) {
        self.crash(host);
        self.trace.verb(self.now, host, "restarted");
        self.start(host);
    }

    /// Stops a host's process in its tracks: time passes without it, and what it should hear waits.
    pub fn pause(&mut self, host: HostId) {
        self.trace.verb(self.now, host, "paused");
        let found = &mut self.hosts[host.index()];
        found.is_paused = !matches!(found.program, Program::Absent);
    }

    /// Lets a paused process go on.
    pub fn resume(&mut self, host: HostId) {
        self.trace.verb(self.now, host, "resumed");
        let found = &mut self.hosts[host.index()];
        found.is_paused = false;
        found.wake = None;
        for happening in found.deferred.drain(..) {
            self.net.medium.agenda.push(self.now, happening);
        }
        self.arm(host);
    }

    /// Lets each link of a host take no more than so many bytes a second, of what is sent to it from now on; any
    /// number if `None`.
    pub fn slow(&mut self, host: HostId, bytes_per_second: Option<u64>) {
        self.trace.verb(self.now, host, format_args!("slowed to {bytes_per_second:?} bytes/s"));
        self.net.medium.slow(host, bytes_per_second);
    }

    /// Puts a host on a network segment: multicasts reach only those on the same one. All start on segment 0.
    pub fn set_segment(&mut self, host: HostId, segment: u32) {
        self.net.set_segment(host, segment);
    }

    /// Lets a host's wall clock jump. At a start it reads 2026-01-01 UTC plus the time since the world began.
    pub fn set_wall_clock(&mut self, host: HostId, wall: Timestamp) {
        self.put_in(host, Input::WallClock(wall));
    }
}
