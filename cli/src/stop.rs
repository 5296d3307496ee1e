//! Being asked to end: by a signal, or by a deadline.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio::sync::watch;

use crate::failure::{Failure, TIMED_OUT};

/// Knows whether to end, from the moment it listens.
#[derive(Debug)]
pub(crate) struct Stop {
    cause: watch::Receiver<Option<Cause>>,
}

/// Why to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The time is up.
    Deadline(Duration),
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Stop {
    /// Listens for signals, and for the end of a time if there is one.
    ///
    /// Whoever is asked has a while to end in order. Then, or when asked again, the process ends anyhow: a command
    /// that can't get rid of its output must not become one that can't be stopped.
    pub(crate) fn listen(timeout: Option<Duration>) -> Result<Self, Failure> {
        let mut signals = Signals::new().map_err(|error| Failure::Io { what: "listening for signals", error })?;
        let deadline = timeout.map(|timeout| (tokio::time::Instant::now() + timeout, timeout));
        let (tell, cause) = watch::channel(None);
        tokio::spawn(async move {
            let time = async {
                match deadline {
                    Some((at, timeout)) => {
                        tokio::time::sleep_until(at).await;
                        Cause::Deadline(timeout)
                    }
                    None => std::future::pending().await,
                }
            };
            let cause = tokio::select! {
                cause = signals.next() => cause,
                cause = time => cause,
            };
            tell.send_replace(Some(cause));
            let last = tokio::select! {
                again = signals.next() => again,
                () = tokio::time::sleep(GRACE) => cause,
            };
            std::process::exit(last.exit_code().into());
        });
        Ok(Self { cause })
    }

    /// Why to end, if it is time.
    pub(crate) fn cause(&self) -> Option<Cause> {
        *self.cause.borrow()
    }

    /// Waits until it is time to end.
    pub(crate) async fn wait(&mut self) -> Cause {
        match self.cause.wait_for(Option::is_some).await.map(|cause| *cause) {
            Ok(Some(cause)) => cause,
            Ok(None) | Err(_) => std::future::pending().await, // The runtime is ending.
        }
    }
}

impl Cause {
    /// What it means to be asked to end after `done` of so many were done. Where there is no such number there was no
    /// end to reach: this is how it ends.
    pub(crate) fn conclude(self, done: u64, of: Option<u64>, happened: &str) -> Result<(), Failure> {
        match (of, self) {
            (None, _) => Ok(()),
            (Some(of), Self::Deadline(_)) => Err(Failure::TimedOut(format!("{self}: {done} of {of} {happened}"))),
            (Some(_), Self::Interrupted | Self::Terminated) => Err(Failure::Stopped(self)),
        }
    }

    /// What the shell is told if something was left undone.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::Deadline(_) => TIMED_OUT,
            Self::Interrupted => 128 + 2,
            Self::Terminated => 128 + 15,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline(timeout) => write!(f, "timed out after {timeout:?}"),
            Self::Interrupted => f.write_str("interrupted"),
            Self::Terminated => f.write_str("terminated"),
        }
    }
}

/// The signals that ask for an end. They count from the moment this exists.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Cause {
        tokio::select! {
            Some(()) = self.interrupt.recv() => Cause::Interrupted,
            Some(()) = self.terminate.recv() => Cause::Terminated,
            else => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    async fn next(&mut self) -> Cause {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Cause::Interrupted,
            Err(_) => std::future::pending().await,
        }
    }
}

/// How long an orderly end may take.
const GRACE: Duration = Duration::from_secs(5);
