//! What all traffic goes through: the paths between hosts, their faults, and the agenda of what is on its way.

use alloc::vec::Vec;
use core::time::Duration;

use super::agenda::Agenda;
use super::departure::{Cargo, Departure};
use super::fault::{Counts, Faults};
use super::host::HostId;
use crate::{Instant, Rng, Seed};

/// The paths between all hosts. Each direction of each pair has chance of its own, so that one more host or one
/// more message elsewhere changes nothing here.
#[derive(Debug)]
pub(super) struct Medium {
    pub(super) agenda: Agenda,
    pub(super) counts: Counts,
    pub(super) faults: Faults,
    pub(super) departures: Option<Vec<Departure>>,
    paths: Vec<Vec<Path>>, // By sender, then by receiver.
    rates: Vec<Option<u64>>,
    off: Vec<bool>,
    chance: u128,
}

#[derive(Debug)]
struct Path {
    is_cut: bool,
    rng: Rng,
}

impl Medium {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self {
            agenda: Agenda::default(),
            counts: Counts::default(),
            faults: Faults::default(),
            departures: None,
            paths: Vec::new(),
            rates: Vec::new(),
            off: Vec::new(),
            chance: rng.next_u128(),
        }
    }

    /// Lays paths to and from one more host.
    pub(super) fn add_host(&mut self) {
        let count = self.paths.len() as u64;
        let chance = self.chance;
        let lay = |from: u64, to: u64| Path {
            is_cut: false,
            rng: Rng::new(Seed(chance ^ u128::from(from) << 32 ^ u128::from(to))),
        };
        for (from, row) in (0..).zip(&mut self.paths) {
            row.push(lay(from, count));
        }
        self.paths.push((0..=count).map(|to| lay(count, to)).collect());
        self.rates.push(None);
        self.off.push(false);
    }

    /// True if nothing gets from one host to another, because of a cut or because one of them is off.
    pub(super) fn is_cut(&self, from: HostId, to: HostId) -> bool {
        self.paths[from.index()][to.index()].is_cut || from != to && (self.off[from.index()] || self.off[to.index()])
    }

    /// True if there is a cut from one host to another.
    pub(super) fn has_cut(&self, from: HostId, to: HostId) -> bool {
        self.paths[from.index()][to.index()].is_cut
    }

    pub(super) fn cut(&mut self, from: HostId, to: HostId) {
        self.counts.cuts += u64::from(from != to);
        self.paths[from.index()][to.index()].is_cut = from != to;
    }

    pub(super) fn heal(&mut self, from: HostId, to: HostId) {
        self.paths[from.index()][to.index()].is_cut = false;
    }

    /// Nothing gets to a host's machine or from it any more; or everything does again. False if that was so before.
    pub(super) fn set_off(&mut self, host: HostId, is_off: bool) -> bool {
        core::mem::replace(&mut self.off[host.index()], is_off) != is_off
    }

    /// How fast each link of `host` takes what arrives for it, in bytes a second; as fast as it comes if `None`.
    pub(super) fn slow(&mut self, host: HostId, rate: Option<u64>) {
        self.rates[host.index()] = rate;
    }

    /// Notes what leaves a host, if anybody wants to see it.
    #[inline]
    pub(super) fn depart(
        &mut self,
        left_at: Instant,
        arrives_at: Option<Instant>,
        (from, to): (HostId, HostId),
        cargo: impl FnOnce() -> Cargo,
    ) {
        if let Some(departures) = &mut self.departures {
            departures.push(Departure { left_at, arrives_at, from, to, cargo: cargo() });
        }
    }

    /// True if nothing goes wrong by chance, nothing is cut and nobody reads slowly.
    pub(super) fn is_calm(&self) -> bool {
        let is_cut = self.paths.iter().flatten().any(|path| path.is_cut);
        !is_cut && self.faults == Faults::default() && self.rates.iter().all(Option::is_none)
    }

    /// Chance, for what travels on this path.
    pub(super) fn rng(&mut self, from: HostId, to: HostId) -> &mut Rng {
        &mut self.paths[from.index()][to.index()].rng
    }

    /// How long the next thing on a stream takes.
    pub(super) fn stream_delay(&mut self, from: HostId, to: HostId) -> Duration {
        let delay = self.faults.stream_delay;
        delay.draw(self.rng(from, to))
    }

    /// How long a host takes to answer its own process.
    pub(super) fn local_delay(&mut self, host: HostId) -> Duration {
        let delay = self.faults.local_delay;
        delay.draw(self.rng(host, host))
    }

    /// How long the next datagram takes.
    pub(super) fn datagram_delay(&mut self, from: HostId, to: HostId) -> Duration {
        let delay = self.faults.datagram_delay;
        let mut drawn = delay.draw(self.rng(from, to));
        if self.chance(from, to, self.faults.datagram_reordering_ppm) {
            self.counts.datagrams_reordered += 1;
            drawn += delay.max * u32::try_from(1 + self.rng(from, to).below(9)).unwrap_or(1);
        }
        drawn
    }

    /// How many of `available` bytes are carried at once.
    pub(super) fn chunk(&mut self, from: HostId, to: HostId, available: u64) -> u64 {
        match self.faults.chunk_max {
            None => available.min(CHUNK),
            Some(max) => available.min(1 + self.rng(from, to).below(max.into())),
        }
    }

    /// How long `host` takes to read so many bytes of one stream.
    pub(super) fn reading_time(&self, host: HostId, bytes: u64) -> Duration {
        match self.rates[host.index()] {
            None => Duration::ZERO,
            Some(rate) => Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / rate.max(1)),
        }
    }

    /// True once in a while, where a chance of zero draws nothing.
    pub(super) fn chance(&mut self, from: HostId, to: HostId, ppm: u32) -> bool {
        ppm > 0 && self.rng(from, to).chance(ppm.into(), 1_000_000)
    }
}

/// What a reader takes at once, in bytes.
const CHUNK: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_host_changes_nothing_on_the_paths_of_others() {
        let (mut few, mut many) =
            (Medium::new(&mut Rng::new(Seed::from(1))), Medium::new(&mut Rng::new(Seed::from(1))));
        for _ in 0..2 {
            few.add_host();
        }
        for _ in 0..5 {
            many.add_host();
        }
        many.stream_delay(HostId(0), HostId(3));
        for (from, to) in [(0, 1), (1, 0), (1, 1)] {
            let (from, to) = (HostId(from), HostId(to));
            assert_eq!(few.rng(from, to).next_u64(), many.rng(from, to).next_u64());
        }
    }

    #[test]
    fn a_path_is_cut_one_way() {
        let mut medium = Medium::new(&mut Rng::new(Seed::from(1)));
        medium.add_host();
        medium.add_host();
        medium.cut(HostId(0), HostId(1));
        assert!(medium.is_cut(HostId(0), HostId(1)));
        assert!(!medium.is_cut(HostId(1), HostId(0)));
        medium.heal(HostId(0), HostId(1));
        assert!(!medium.is_cut(HostId(0), HostId(1)));
    }
}
