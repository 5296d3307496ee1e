//! `--record`: what a command's node lives through, in a file.

use std::path::PathBuf;

use clap::Args;
use flockmq::Builder;

/// Whether to record, and where to.
#[derive(Debug, Args)]
pub(crate) struct Record {
    /// Record into a new file all that this process is told, and when: 'flockmq replay FILE' lives it again, so that it
    /// can go with a bug report. All messages are in it, with their contents
    #[arg(long = "record", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Record {
    /// Has what is connected to recorded, if that was asked for.
    pub(crate) fn apply(&self, builder: Builder) -> Builder {
        match &self.file {
            Some(file) => builder.record(file),
            None => builder,
        }
    }
}
