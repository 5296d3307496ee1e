//! A host's disk: named files. Told what a process asks for ([`DiskRequest`]), it answers later, in order, one request
//! after the other. Processes come and go, the disk stays: what was written survives the end of a process, and what was
//! synced the loss of power.
//!
//! Recordings are what is kept on it today ([`World::record`](super::World::record)). It answers what a store asks of a
//! disk as well: reads and writes at an offset, a length that is set, and syncs.

mod file;

#[cfg(test)]
mod tests;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;

use bytes::Bytes;

use super::fault::{Counts, Faults};
use crate::{Instant, Rng, Seed};
use file::{File, SECTOR};

/// Named files, of which a loss of power leaves what was synced and any part of the rest.
#[derive(Debug)]
pub struct Disk {
    files: BTreeMap<String, File>,
    /// Files that were deleted, until something is synced.
    deleted: BTreeMap<String, File>,
    room: Option<u64>,
    /// What was asked for and not done yet, oldest first.
    requests: VecDeque<DiskRequest>,
    done_at: Instant, // The last of them, or the last one there was.
    rng: Rng,
}

/// Something that a process asks of its host's disk. A file is made by the first write to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskRequest {
    /// Write after all there is.
    Append {
        /// Where to.
        file: String,
        /// What.
        data: Bytes,
    },
    /// Remove a file; it may be back after a loss of power, unless something was synced since.
    Delete {
        /// Which.
        file: String,
    },
    /// Give the bytes of a file; fewer than asked for where it ends.
    Read {
        /// Which.
        file: String,
        /// From which byte on.
        at: u64,
        /// How many.
        length: u64,
    },
    /// Cut a file, or make it longer with zeros.
    SetLength {
        /// Which.
        file: String,
        /// How many bytes it has then.
        length: u64,
    },
    /// Make everything that was written to a file survive a loss of power, and which files there are.
    Sync {
        /// Which.
        file: String,
    },
    /// Write at a place; what lies between the end so far and there becomes zeros.
    Write {
        /// Where to.
        file: String,
        /// From which byte on.
        at: u64,
        /// What.
        data: Bytes,
    },
}

/// Why a disk has not done what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// By chance. Of a write, a first part may be done; of a sync, any sectors, and no later sync makes up for the rest.
    #[error("input/output error")]
    Failed,
    /// A write that does not fit. As much as does was written.
    #[error("no space left on device")]
    Full,
    /// A file that there is not.
    #[error("no such file")]
    NoFile,
}

impl Disk {
    /// An empty disk with room for anything, whose chance comes from a seed.
    pub fn new(seed: Seed) -> Self {
        Self {
            files: BTreeMap::new(),
            deleted: BTreeMap::new(),
            room: None,
            requests: VecDeque::new(),
            done_at: Instant::ZERO,
            rng: Rng::new(seed),
        }
    }

    /// Another disk stands in its place: empty, with as much room.
    pub fn clear(&mut self) {
        self.files.clear();
        self.deleted.clear();
    }

    /// Limits the bytes of all files together; those that there are stay.
    pub fn set_room(&mut self, room: Option<u64>) {
        self.room = room;
    }

    /// The names of all files.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// What a process would read of a file, if there is such a file; nothing is asked of the disk.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(File::seen)
    }

    /// The bytes of all files together.
    pub fn used(&self) -> u64 {
        self.files.values().map(|file| file.seen().len() as u64).sum()
    }

    /// Carries out a request at once: what was read, or nothing.
    pub fn perform(&mut self, request: DiskRequest, failure_ppm: u32) -> Result<Bytes, DiskError> {
        let fails = failure_ppm > 0 && self.rng.chance(failure_ppm.into(), 1_000_000);
        match request {
            DiskRequest::Append { file, data } => {
                let at = self.files.get(&file).map_or(0, |file| file.seen().len() as u64);
                self.write(file, at, &data, fails)
            }
            DiskRequest::Write { file, at, data } => self.write(file, at, &data, fails),
            DiskRequest::Sync { file } => {
                let found = self.files.get_mut(&file).ok_or(DiskError::NoFile)?;
                if fails {
                    found.fail_to_sync(&mut self.rng);
                    return Err(DiskError::Failed);
                }
                found.sync();
                // As a journal has it: with this file's name, those of all others.
                self.deleted.clear();
                self.files.values_mut().for_each(|file| file.is_named = true);
                Ok(Bytes::new())
            }
            _ if fails => Err(DiskError::Failed),
            DiskRequest::Delete { file } => {
                let found = self.files.remove(&file).ok_or(DiskError::NoFile)?;
                if found.is_named {
                    self.deleted.insert(file, found);
                }
                Ok(Bytes::new())
            }
            DiskRequest::Read { file, at, length } => {
                let found = self.files.get(&file).ok_or(DiskError::NoFile)?;
                Ok(Bytes::copy_from_slice(found.read(at, length)))
            }
            DiskRequest::SetLength { file, length } => {
                let found = self.files.get(&file).map_or(0, |file| file.seen().len() as u64);
                if length.saturating_sub(found) > self.left() {
                    return Err(DiskError::Full);
                }
                self.files.entry(file).or_default().set_length(index(length));
                Ok(Bytes::new())
            }
        }
    }

    /// The power goes. Only what was synced is sure to stay; of everything else any sectors do.
    pub fn lose_power(&mut self) -> u64 {
        for (name, file) in core::mem::take(&mut self.deleted) {
            if self.rng.chance(1, 2) {
                self.files.entry(name).or_insert(file);
            }
        }
        let (rng, mut lost) = (&mut self.rng, 0);
        self.files.retain(|_, file| {
            if file.is_named || rng.chance(1, 2) {
                lost += file.lose_power(rng);
                file.is_named = true;
                return true;
            }
            lost += file.seen().len().div_ceil(SECTOR) as u64;
            false
        });
        lost
    }

    /// Flips one bit of what is on the disk; in which file and byte, if there is any.
    pub fn rot(&mut self) -> Option<(String, u64)> {
        let mut bit = self.rng.below(self.used() * 8);
        for (name, file) in &mut self.files {
            let bits = file.seen().len() as u64 * 8;
            if bit < bits {
                file.rot(bit);
                return Some((name.clone(), bit / 8));
            }
            bit -= bits;
        }
        None
    }

    /// Takes a request; when it will be done.
    pub(super) fn ask(&mut self, now: Instant, request: DiskRequest, faults: &Faults) -> Instant {
        self.requests.push_back(request);
        self.done_at = self.done_at.max(now) + faults.disk_delay.draw(&mut self.rng);
        self.done_at
    }

    /// Carries out the oldest request.
    pub(super) fn carry_out(&mut self, faults: &Faults, counts: &mut Counts) -> Result<Bytes, DiskError> {
        let request = self.requests.pop_front().expect("what is carried out was asked for");
        counts.disk_requests += 1;
        let result = self.perform(request, faults.disk_failure_ppm);
        match result {
            Err(DiskError::Failed) => counts.disk_failures += 1,
            Err(DiskError::Full) => counts.disk_overflows += 1,
            Err(DiskError::NoFile) | Ok(_) => (),
        }
        result
    }

    /// Whoever asked is no more. Of what it asked for, the oldest requests are still carried out, any number of them,
    /// and of the next, if it writes, a first part.
    pub(super) fn crash(&mut self, now: Instant) {
        let mut requests = core::mem::take(&mut self.requests);
        self.done_at = now;
        let whole = self.draw(requests.len());
        // Nobody is left to hear how it went.
        for request in requests.drain(..whole) {
            drop(self.perform(request, 0));
        }
        let Some(mut torn) = requests.pop_front() else { return };
        if let DiskRequest::Append { data, .. } | DiskRequest::Write { data, .. } = &mut torn {
            data.truncate(self.draw(data.len()));
            drop(self.perform(torn, 0));
        }
    }

    fn write(&mut self, file: String, at: u64, data: &[u8], fails: bool) -> Result<Bytes, DiskError> {
        let length = self.files.get(&file).map_or(0, |file| file.seen().len() as u64);
        let fits = (length + self.left()).saturating_sub(at).min(data.len() as u64);
        let mut count = index(fits);
        if fails {
            count = self.draw(count);
        }
        self.files.entry(file).or_default().write(index(at), &data[..count]);
        match (fails, count == data.len()) {
            (true, _) => Err(DiskError::Failed),
            (false, false) => Err(DiskError::Full),
            (false, true) => Ok(Bytes::new()),
        }
    }

    /// How many bytes more there is room for.
    fn left(&self) -> u64 {
        self.room.map_or(u64::MAX / 2, |room| room.saturating_sub(self.used()))
    }

    /// A number up to `max`.
    fn draw(&mut self, max: usize) -> usize {
        index(self.rng.below(max as u64 + 1))
    }
}

fn index(place: u64) -> usize {
    usize::try_from(place).expect("files are no larger than memory")
}
