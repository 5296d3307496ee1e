//! What is left of a recording after whatever has befallen the disk it was on.

use flockmq_core::recording::{Ending, Entry, Reader, RecordingError, Replay};

/// How a recording can be read that a crash, a loss of power, a full disk or rot has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// As far as it goes, so many entries.
    Read(usize),
    /// So many entries, and then it is refused.
    Refused(usize),
}

/// Reads what is left, and lives it again.
///
/// # Panics
///
/// If it is anything but the beginning of `whole`: read as far as it goes, or refused at the byte where an entry begins.
pub fn remains(left: &[u8], whole: &[u8]) -> Remains {
    let has_head = left.starts_with(&whole[..head(whole)]);
    let (whole, ending) = entries(whole);
    assert!(matches!(ending, Ok(Ending::Complete | Ending::Open)), "the whole recording ends: {ending:?}");
    let (found, ending) = entries(left);
    assert!(found.len() <= whole.len() && found == whole[..found.len()], "what is left is no beginning");
    let next = whole.get(found.len()).map(|(at, _)| *at);
    let count = found.len();
    let mut replay = Replay::default();
    for (_, entry) in found {
        replay.handle_entry(entry, |_, _| ()).expect("what is left can be lived again");
    }
    match ending {
        Ok(Ending::Complete | Ending::Open) => Remains::Read(count),
        Ok(Ending::Torn { at, length }) => {
            let torn = (Some(at), at + length);
            assert_eq!(torn, (next, left.len() as u64), "the torn entry is the next one, as far as there is of it");
            Remains::Read(count)
        }
        Err(RecordingError::Altered { at, .. }) if has_head => {
            assert_eq!(Some(at), next, "it is refused where the next entry begins");
            Remains::Refused(count)
        }
        Err(RecordingError::NoRecording { .. } | RecordingError::NoStart { .. }) if count == 0 => Remains::Refused(0),
        Err(_) if count == 0 && !has_head => Remains::Refused(0), // Without its head it is no recording at all.
        other => panic!("it ends with {other:?}"),
    }
}

/// All entries of a file with the bytes at which they begin, and how it ends.
pub fn entries(file: &[u8]) -> (Vec<(u64, Entry)>, Result<Ending, RecordingError>) {
    let (mut reader, mut entries) = (Reader::default(), Vec::new());
    reader.push(file);
    let head = head(file) as u64;
    loop {
        let at = reader.offset().max(head);
        match reader.poll_entry() {
            Ok(Some(entry)) => entries.push((at, entry)),
            Ok(None) => return (entries, reader.finish()),
            Err(error) => return (entries, Err(error)),
        }
    }
}

/// How long a file's first line is.
fn head(file: &[u8]) -> usize {
    file.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}
