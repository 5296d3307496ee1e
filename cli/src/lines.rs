//! Standard input, as a message a line.

use std::io::{self, BufRead, BufReader, ErrorKind};

use flockmq::Message;
use tokio::sync::mpsc;

/// What was read at once, or why nothing more can be.
pub(crate) type Batch = io::Result<Vec<Message>>;

/// Reads standard input to its end on a thread of its own, no further ahead than its reader is willing to take.
pub(crate) fn stdin() -> mpsc::Receiver<Batch> {
    let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    // Not one of the runtime's threads: nobody should have to wait for it at the end.
    std::thread::spawn(move || {
        read(BufReader::with_capacity(CHUNK, io::stdin()), LINE_MAX, |batch| sender.blocking_send(batch).is_ok());
    });
    receiver
}

/// Hands on the lines as they come until the input ends or nobody wants them.
fn read(mut input: impl BufRead, line_max: usize, mut hand_on: impl FnMut(Batch) -> bool) {
    let mut rest = Vec::new();
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                hand_on(Err(error));
                return;
            }
        };
        let (length, is_end) = (chunk.len(), chunk.is_empty());
        let mut batch = Vec::new();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            rest.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                rest.pop();
                batch.push(message(std::mem::take(&mut rest)));
            }
        }
        input.consume(length);
        if is_end && !rest.is_empty() {
            batch.push(message(std::mem::take(&mut rest))); // The last line need not have an end.
        }
        let is_too_long = rest.len() > line_max;
        if !batch.is_empty() && !hand_on(Ok(batch)) || is_end {
            return;
        }
        if is_too_long {
            hand_on(Err(io::Error::new(ErrorKind::InvalidData, format!("a line is longer than {line_max} bytes"))));
            return;
        }
    }
}

/// Text if it is some.
pub(crate) fn message(mut line: Vec<u8>) -> Message {
    if line.ends_with(b"\r") {
        line.pop();
    }
    match String::from_utf8(line) {
        Ok(text) => Message::text(text),
        Err(error) => Message::bytes(error.into_bytes()),
    }
}

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// How many chunks are read before they are wanted.
const BATCHES_AHEAD: usize = 4;

/// The longest line, in bytes.
const LINE_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of an input that comes in chunks of this size, and the error it ends with.
    fn lines(input: &[u8], chunk: usize, line_max: usize) -> (Vec<Vec<u8>>, Option<String>) {
        let (mut lines, mut error) = (Vec::new(), None);
        read(BufReader::with_capacity(chunk, input), line_max, |batch| {
            match batch {
                Ok(batch) => lines.extend(batch.iter().map(|message| message.body().data.to_vec())),
                Err(found) => error = Some(found.to_string()),
            }
            true
        });
        (lines, error)
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        for chunk in 1..20 {
            let (found, error) = lines(b"one\n\ntwo\r\nthr\xffee\nfour", chunk, 100);
            assert_eq!(found, [b"one" as &[u8], b"", b"two", b"thr\xffee", b"four"]);
            assert_eq!(error, None);
        }
        assert_eq!(lines(b"", 5, 100), (Vec::new(), None));
        assert_eq!(lines(b"a\n", 5, 100).0, [b"a"]);
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let (found, error) = lines(b"ok\naaaaaaaaaaaaaaaa", 2, 10);
        assert_eq!((found, error.as_deref()), (vec![b"ok".to_vec()], Some("a line is longer than 10 bytes")));
    }

    #[test]
    fn reading_ends_when_nobody_wants_more() {
        let mut batches = 0;
        read(BufReader::with_capacity(2, b"a\nb\nc\n" as &[u8]), 10, |_| {
            batches += 1;
            false
        });
        assert_eq!(batches, 1);
    }
}
