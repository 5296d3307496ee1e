//! Standard output, line by line.

use std::io::{self, ErrorKind, Write};

use crate::failure::Failure;

/// Standard output. A line that was written is out; nothing waits for the next one.
#[derive(Debug)]
pub(crate) struct Out {
    output: io::StdoutLock<'static>,
    line: Vec<u8>,
}

impl Out {
    /// Standard output, for this thread alone.
    pub(crate) fn new() -> Self {
        Self { output: io::stdout().lock(), line: Vec::new() }
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, text: impl AsRef<[u8]>) -> Result<(), Failure> {
        self.line.clear();
        self.line.extend_from_slice(text.as_ref());
        self.line.push(b'\n'); // One write for all of it.
        write(&mut self.output, &self.line)
    }

    /// Has a terminal forget what it shows, and begin at its first line.
    pub(crate) fn clear(&mut self) -> Result<(), Failure> {
        write(&mut self.output, b"\x1b[2J\x1b[H")
    }
}

fn write(output: &mut impl Write, bytes: &[u8]) -> Result<(), Failure> {
    let written = output.write_all(bytes).and_then(|()| output.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::Io { what: "writing the output", error },
    })
}

/// Knows whether somebody still reads standard output, without writing anything. Where that can't be told, as it
/// can't but for pipes on Linux, somebody always does, and the next write finds out.
#[derive(Debug)]
pub(crate) struct Reader {
    #[cfg(target_os = "linux")]
    pipe: Option<tokio::net::unix::pipe::Sender>,
}

impl Reader {
    /// Whoever reads what this process writes.
    pub(crate) fn new() -> Self {
        Self {
            // Opened anew, not copied: this one does not block, and the one that is written to must.
            #[cfg(target_os = "linux")]
            pipe: tokio::net::unix::pipe::OpenOptions::new().open_sender("/proc/self/fd/1").ok(),
        }
    }

    /// Returns once nobody reads any more.
    pub(crate) async fn gone(&self) {
        #[cfg(target_os = "linux")]
        if let Some(pipe) = &self.pipe {
            while let Ok(ready) = pipe.ready(tokio::io::Interest::ERROR).await {
                if ready.is_error() || ready.is_write_closed() {
                    return;
                }
            }
        }
        std::future::pending::<()>().await;
    }
}
