//! The inside story, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::paint;

/// Logs warnings, or more if it was asked for; `RUST_LOG` overrules.
pub(crate) fn start(asked_times: u8) {
    let default = match asked_times {
        0 => "warn",
        1 => "warn,flockmq=debug,flockmq_core=debug",
        _ => "warn,flockmq=trace,flockmq_core=trace",
    };
    let asked = std::env::var("RUST_LOG").ok().filter(|asked| !asked.is_empty());
    let filter = EnvFilter::builder().parse_lossy(asked.as_deref().unwrap_or(default));
    let is_colourful = std::io::stderr().is_terminal() && paint::is_wanted();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_colourful).init();
}
