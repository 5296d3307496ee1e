//! One file: what processes see of it, and what a loss of power would leave.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::ops::Range;

use crate::Rng;

/// A file's bytes, twice: as written, and as they are beyond the reach of a loss of power.
#[derive(Clone, Debug, Default)]
pub(super) struct File {
    /// What processes see.
    seen: Vec<u8>,
    /// What is on the medium, wherever nothing is pending.
    durable: Vec<u8>,
    /// Sectors that were written since the last sync.
    pending: BTreeSet<usize>,
    /// True once a sync has put the file's name on the medium.
    pub(super) is_named: bool,
}

impl File {
    pub(super) fn seen(&self) -> &[u8] {
        &self.seen
    }

    /// The bytes there are of `length` from `at` on.
    pub(super) fn read(&self, at: u64, length: u64) -> &[u8] {
        let end = at.saturating_add(length);
        let [at, end] = [at, end].map(|place| usize::try_from(place).unwrap_or(usize::MAX).min(self.seen.len()));
        &self.seen[at..end]
    }

    /// Writes; what lies between the end so far and `at` becomes zeros.
    pub(super) fn write(&mut self, at: usize, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        let end = at + data.len();
        if end > self.seen.len() {
            self.set_length(end);
        }
        self.seen[at..end].copy_from_slice(data);
        self.touch(at..end);
    }

    /// Cuts the file, or makes it longer with zeros.
    pub(super) fn set_length(&mut self, length: usize) {
        let changed = self.seen.len().min(length)..self.seen.len().max(length);
        self.seen.resize(length, 0);
        self.touch(changed);
    }

    /// Everything written is durable from now on.
    pub(super) fn sync(&mut self) {
        self.is_named = true;
        self.durable.resize(self.seen.len(), 0);
        for sector in core::mem::take(&mut self.pending) {
            self.keep(sector);
        }
    }

    /// A sync fails: some of what was pending is durable, and nothing will ever be known of the rest, for no later sync
    /// tries it again.
    pub(super) fn fail_to_sync(&mut self, rng: &mut Rng) {
        for sector in core::mem::take(&mut self.pending) {
            if rng.chance(1, 2) {
                let end = self.range(sector).end;
                self.durable.resize(self.durable.len().max(end), 0);
                self.keep(sector);
            }
        }
    }

    /// The power goes: of what was pending, some sectors are on the medium, and the length is what it was, or is, or
    /// something in between. How many sectors are not as they were seen.
    pub(super) fn lose_power(&mut self, rng: &mut Rng) -> u64 {
        let seen = core::mem::take(&mut self.seen);
        let pending = core::mem::take(&mut self.pending);
        let (short, long) = (self.durable.len().min(seen.len()), self.durable.len().max(seen.len()));
        let length = match rng.below(3) {
            0 => self.durable.len(),
            1 => seen.len(),
            _ => short + usize::try_from(rng.below((long - short) as u64 + 1)).expect("no more than the file has"),
        };
        self.durable.resize(length, 0);
        let kept_of_four = rng.below(5); // Runs in which all or nothing stays are met too.
        for sector in pending {
            if rng.chance(kept_of_four, 4) {
                let places = self.durable.iter_mut().zip(seen.iter().chain(core::iter::repeat(&0)));
                places.skip(sector * SECTOR).take(SECTOR).for_each(|(kept, written)| *kept = *written);
            }
        }
        self.seen = self.durable.clone();
        let pair = seen.chunks(SECTOR).zip(self.seen.chunks(SECTOR));
        let same = pair.filter(|(before, after)| before == after).count();
        (seen.len().max(self.seen.len()).div_ceil(SECTOR) - same) as u64
    }

    /// One bit is not any more what it was.
    pub(super) fn rot(&mut self, bit: u64) {
        let at = usize::try_from(bit / 8).expect("a bit of the file");
        self.seen[at] ^= 1 << (bit % 8);
        if let Some(byte) = self.durable.get_mut(at) {
            *byte ^= 1 << (bit % 8);
        }
    }

    /// The medium takes a sector as it is seen.
    fn keep(&mut self, sector: usize) {
        let range = self.range(sector);
        self.durable[range.clone()].copy_from_slice(&self.seen[range]);
    }

    /// The bytes that a sector has; none beyond the end.
    fn range(&self, sector: usize) -> Range<usize> {
        let length = self.seen.len();
        (sector * SECTOR).min(length)..((sector + 1) * SECTOR).min(length)
    }

    fn touch(&mut self, bytes: Range<usize>) {
        self.pending.extend(bytes.start / SECTOR..bytes.end.div_ceil(SECTOR));
    }
}

/// What a medium writes wholly or not at all, in bytes.
pub(super) const SECTOR: usize = 512;
