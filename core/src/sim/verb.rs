//! What can be done to the hosts of a world and to the network between them.

use alloc::string::String;

use super::agenda::Happening;
use super::host::Program;
use super::{EPOCH, Faults, HostId, World};
use crate::Timestamp;

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

    /// Tears down all streams between two hosts as a box between them does that has lost its memory: one end hears so
    /// when it next looks, the other keeps half-open links.
    pub fn sever(&mut self, hearer: HostId, other: HostId) {
        self.trace.verb(self.now, hearer, format_args!("severed from {other}"));
        self.net.sever(self.now, hearer, other);
    }

    /// Ends a host's process without a word. Those linked to it hear so, unless they are cut from it: they are left
    /// with half-open links. What it had written stays on the host's disk; of what it was still writing, a part.
    pub fn crash(&mut self, host: HostId) {
        if self.end_process(host) {
            self.trace.verb(self.now, host, "crashed");
            self.net.turn_on(self.now, host); // It may have been asleep.
            self.net.crash(self.now, host);
        }
    }

    /// Turns a host's machine off without a word. Those linked to it hear nothing, and are left with half-open links until
    /// they send something and it is on again, which [`Self::restart`] does. Of what was not synced, its disk keeps any
    /// sectors.
    pub fn power_off(&mut self, host: HostId) {
        self.end_process(host);
        self.trace.verb(self.now, host, "off");
        self.net.lose_power(host);
        let lost = self.hosts[host.index()].disk.lose_power();
        self.net.medium.counts.power_offs += 1;
        self.net.medium.counts.sectors_lost += lost;
    }

    /// Starts a host's program anew with the same config and a new seed, after a crash if it still runs. Its disk is as
    /// it was left.
    pub fn restart(&mut self, host: HostId) {
        self.crash(host);
        self.trace.verb(self.now, host, "restarted");
        self.net.turn_on(self.now, host);
        self.start(host);
    }

    /// The same, with a new and empty disk.
    pub fn restart_empty(&mut self, host: HostId) {
        self.crash(host);
        self.hosts[host.index()].disk.clear();
        self.restart(host);
    }

    /// Stops a host's process in its tracks: time passes without it, and what it should hear waits.
    pub fn pause(&mut self, host: HostId) {
        self.trace.verb(self.now, host, "paused");
        let found = &mut self.hosts[host.index()];
        found.is_paused = !matches!(found.program, Program::Absent);
        self.net.medium.counts.pauses += u64::from(found.is_paused);
    }

    /// Puts a host's machine to sleep: time passes without its process, and nothing gets to it. Others lose what they
    /// send to it in datagrams, and their streams to it stall.
    pub fn sleep(&mut self, host: HostId) {
        self.pause(host);
        if self.hosts[host.index()].is_paused {
            self.trace.verb(self.now, host, "asleep");
            self.net.medium.counts.sleeps += 1;
            self.net.turn_off(host);
        }
    }

    /// Lets a paused process or a machine that is asleep go on: its process is woken once, however much it missed.
    pub fn resume(&mut self, host: HostId) {
        self.trace.verb(self.now, host, "resumed");
        let found = &mut self.hosts[host.index()];
        if !core::mem::take(&mut found.is_paused) {
            return;
        }
        found.wake = None;
        for happening in found.deferred.drain(..) {
            self.net.medium.agenda.push(self.now, happening);
        }
        self.net.turn_on(self.now, host);
        self.arm(host);
    }

    /// Lets each link of a host take no more than so many bytes a second, of what is sent to it from now on; any
    /// number if `None`.
    pub fn slow(&mut self, host: HostId, bytes_per_second: Option<u64>) {
        self.trace.verb(self.now, host, format_args!("slowed to {bytes_per_second:?} bytes/s"));
        self.net.medium.slow(host, bytes_per_second);
    }

    /// Puts a host on network segments: multicasts reach only those that share one with their sender, whatever streams
    /// do. All start on segment 0; on none, a host hears and reaches nobody.
    pub fn set_segments(&mut self, host: HostId, segments: &[u32]) {
        self.trace.verb(self.now, host, format_args!("on segments {segments:?}"));
        self.net.set_segments(host, segments);
    }

    /// Sets a host's wall clock. At first it reads 2026-01-01 UTC plus the time since the world began, but for
    /// [`Faults::wall_skew_max`].
    pub fn set_wall_clock(&mut self, host: HostId, wall: Timestamp) {
        let ahead = i128::from(wall.as_millis()) - i128::from((EPOCH + self.now.since_origin()).as_millis());
        let ahead = i64::try_from(ahead).unwrap_or(if ahead < 0 { i64::MIN } else { i64::MAX });
        self.trace.verb(self.now, host, format_args!("told that it is {} ms after 1970", wall.as_millis()));
        self.net.medium.counts.wall_jumps += 1;
        let found = &mut self.hosts[host.index()];
        found.wall_ahead = ahead;
        if found.is_paused {
            found.deferred.push(Happening::WallClock { process: found.process });
        } else {
            self.tell_wall_clock(host);
        }
    }

    /// Lets a host's wall clock jump by so many milliseconds, back if that is negative.
    pub fn shift_wall_clock(&mut self, host: HostId, millis: i64) {
        let wall = self.wall_clock(host).as_millis().saturating_add_signed(millis);
        self.set_wall_clock(host, Timestamp::from_millis(wall));
    }

    /// Limits the bytes that a host's disk has room for; any number if `None`. What is there stays.
    pub fn set_disk_room(&mut self, host: HostId, bytes: Option<u64>) {
        self.trace.verb(self.now, host, format_args!("given a disk of {bytes:?} bytes"));
        self.hosts[host.index()].disk.set_room(bytes);
    }

    /// Flips a bit of what is on a host's disk; in which file and byte, if there is anything.
    pub fn rot_disk(&mut self, host: HostId) -> Option<(String, u64)> {
        let rotten = self.hosts[host.index()].disk.rot();
        self.net.medium.counts.bits_rotted += u64::from(rotten.is_some());
        rotten
    }

    /// True if there was a process.
    fn end_process(&mut self, host: HostId) -> bool {
        let found = &mut self.hosts[host.index()];
        if matches!(found.program, Program::Absent) {
            return false;
        }
        found.program = Program::Absent;
        found.is_paused = false;
        found.deferred.clear();
        found.wake = None;
        found.disk.crash(self.now);
        self.net.medium.counts.crashes += 1;
        true
    }
}
