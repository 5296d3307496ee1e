//! The way from a file back to its entries.

use alloc::string::{String, ToString};

use bytes::{Buf, BytesMut};

use super::entry::Entry;
use super::{ENTRY_MAX, FORMAT, HEAD_MAX, MAGIC, PREFIX, VERSION, check, seal};
use crate::base::Instant;

/// Reads a recording as its bytes come, in any chunking.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: BytesMut,
    at: u64, // Where in the file the buffer begins.
    version: Option<String>,
    last: Option<Instant>, // The time of the last entry; none before the start.
    ending: Option<Ending>,
    fault: Option<RecordingError>,
}

/// How a recording ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The process ended in order.
    Complete,
    /// The process went on and was not recorded any more.
    GivenUp {
        /// Why.
        reason: String,
    },
    /// After a whole entry: the process was killed, or still runs.
    Open,
    /// Within an entry, as when a process was killed while it wrote or a disk was full.
    Torn {
        /// The byte at which that entry begins.
        at: u64,
        /// How many bytes of it there are.
        length: u64,
    },
}

/// Why a file is no recording that can be read. Every variant names the byte from which on it can't.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// What stands there was changed after it was written.
    #[error("byte {at}: the entry there was altered: found {found:08x}; expected {expected:08x}")]
    Altered {
        /// The byte at which the entry begins.
        at: u64,
        /// Its length or the check of what stands there.
        found: u32,
        /// What that should be.
        expected: u32,
    },
    /// Something that can't come where it stands.
    #[error("byte {at}: {found}; expected {expected}")]
    Misplaced {
        /// The byte at which the entry begins.
        at: u64,
        /// What stands there.
        found: String,
        /// What could have stood there.
        expected: &'static str,
    },
    /// Another kind of file.
    #[error(
        "byte 0: this is no recording: it begins with '{found}'; expected 'flockmq recording', a format and a version"
    )]
    NoRecording {
        /// What it begins with.
        found: String,
    },
    /// A file without even the first entry.
    #[error("byte {at}: the file ends; expected the config and seed of a node")]
    NoStart {
        /// The length of the file.
        at: u64,
    },
    /// A recording in a format that this version does not know.
    #[error(
        "byte {at}: a recording of format {format}, made by flockmq {version}; expected format {FORMAT}, which flockmq \
         {VERSION} reads",
        at = MAGIC.len()
    )]
    OtherFormat {
        /// Its number.
        format: u32,
        /// The version of the program that made it.
        version: String,
    },
    /// An entry that was not altered and says nothing that this version knows.
    #[error(
        "byte {at}: an entry of {length} bytes that says nothing known ({error}), made by flockmq {version}; expected \
         what flockmq {VERSION} writes"
    )]
    Unknown {
        /// The byte at which the entry begins.
        at: u64,
        /// How long it is.
        length: u32,
        /// The decoder's words.
        error: String,
        /// The version of the program that made it.
        version: String,
    },
}

impl Reader {
    /// Takes what comes next in the file.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next entry; none if more bytes are needed. An error is given again at every further call.
    pub fn poll_entry(&mut self) -> Result<Option<Entry>, RecordingError> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let read = self.read();
        if let Err(fault) = &read {
            self.fault = Some(fault.clone());
        }
        read
    }

    /// The version of the program that made the recording, once that was read.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// The byte at which the next entry begins.
    pub fn offset(&self) -> u64 {
        self.at
    }

    /// The file has ended, and all entries were taken.
    pub fn finish(mut self) -> Result<Ending, RecordingError> {
        while self.poll_entry()?.is_some() {}
        let length = self.buffer.len() as u64;
        if self.version.is_none() {
            return Err(RecordingError::NoRecording { found: shown(&self.buffer) });
        }
        if self.last.is_none() {
            return Err(RecordingError::NoStart { at: self.at + length });
        }
        if length > 0 {
            return Ok(Ending::Torn { at: self.at, length });
        }
        Ok(self.ending.unwrap_or(Ending::Open))
    }

    fn read(&mut self) -> Result<Option<Entry>, RecordingError> {
        if self.version.is_none() && !self.read_head()? {
            return Ok(None);
        }
        let at = self.at;
        if self.ending.is_some() && !self.buffer.is_empty() {
            let found = "something after the end".to_string();
            return Err(RecordingError::Misplaced { at, found, expected: "nothing more" });
        }
        let Some(([l0, l1, l2, l3, c0, c1, c2, c3], rest)) = self.buffer.split_first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let sealed = u32::from_le_bytes([*l0, *l1, *l2, *l3]);
        let length = sealed & ENTRY_MAX;
        if sealed != seal(length) {
            return Err(RecordingError::Altered { at, found: sealed, expected: seal(length) });
        }
        let Some(entry) = rest.get(..length as usize) else {
            return Ok(None);
        };
        let (found, expected) = (check(entry), u32::from_le_bytes([*c0, *c1, *c2, *c3]));
        if found != expected {
            return Err(RecordingError::Altered { at, found, expected });
        }
        let entry = match postcard::take_from_bytes(entry) {
            Ok((entry, [])) => Ok(entry),
            Ok((_, rest)) => Err(alloc::format!("{} bytes too many", rest.len())),
            Err(error) => Err(error.to_string()),
        };
        let entry = entry.map_err(|error| {
            let version = self.version.clone().unwrap_or_default();
            RecordingError::Unknown { at, length, error, version }
        })?;
        self.note(&entry)?;
        self.skip(PREFIX + length as usize);
        Ok(Some(entry))
    }

    /// Reads the first line; false if it is not whole yet.
    fn read_head(&mut self) -> Result<bool, RecordingError> {
        let seen = &self.buffer[..self.buffer.len().min(HEAD_MAX)];
        let known = seen.len().min(MAGIC.len());
        let no_recording = || RecordingError::NoRecording { found: shown(seen) };
        if seen[..known] != MAGIC.as_bytes()[..known] {
            return Err(no_recording());
        }
        let Some(end) = seen.iter().position(|byte| *byte == b'\n') else {
            return if seen.len() < HEAD_MAX { Ok(false) } else { Err(no_recording()) };
        };
        let line = core::str::from_utf8(&seen[MAGIC.len()..end]).map_err(|_| no_recording())?;
        let (format, version) = line.split_once(' ').ok_or_else(no_recording)?;
        let format = format.parse().map_err(|_| no_recording())?;
        if !version.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(no_recording());
        }
        let version = version.to_string();
        if format != FORMAT {
            return Err(RecordingError::OtherFormat { format, version });
        }
        self.version = Some(version);
        self.skip(end + 1);
        Ok(true)
    }

    /// Makes sure that an entry can come now.
    fn note(&mut self, entry: &Entry) -> Result<(), RecordingError> {
        let misplaced =
            |found: &str, expected| Err(RecordingError::Misplaced { at: self.at, found: found.to_string(), expected });
        match (entry, self.last) {
            (Entry::Started { at, .. }, None) => self.last = Some(*at),
            (Entry::Started { .. }, Some(_)) => return misplaced("a second start", "an input or the end"),
            (_, None) => return misplaced("no start", "the config and seed of a node"),
            (Entry::Input { at, .. }, Some(last)) if *at < last => {
                let found = alloc::format!("an input at {at}, after one at {last}");
                return misplaced(&found, "times that do not go back");
            }
            (Entry::Ended, Some(_)) => self.ending = Some(Ending::Complete),
            (Entry::GivenUp { reason }, Some(_)) => self.ending = Some(Ending::GivenUp { reason: reason.clone() }),
            (Entry::Input { at, .. }, Some(_)) => self.last = Some(*at),
            (Entry::Said { .. }, Some(_)) => (),
        }
        Ok(())
    }

    fn skip(&mut self, count: usize) {
        self.buffer.advance(count);
        self.at += count as u64;
    }
}

/// The beginning of a file, as far as it is worth quoting.
fn shown(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(SHOWN_MAX)].escape_ascii().to_string()
}

/// How much of a file that is none of ours is quoted.
const SHOWN_MAX: usize = 24;
