//! Messages at a steady pace, numbered.

use std::io::Write;
use std::process::ChildStdin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::process::{Line, PATIENCE, Process};

/// A line after another to a process, until there were enough.
pub(crate) struct Load {
    count: Arc<AtomicUsize>,
    stop: Sender<()>,
    feeder: JoinHandle<ChildStdin>,
}

impl Load {
    /// Feeds the numbers from 1 on.
    pub(crate) fn start(process: &mut Process) -> Self {
        let (stop, stopped) = channel();
        let (count, mut stdin) = (Arc::new(AtomicUsize::new(0)), process.lend_stdin());
        let counted = Arc::clone(&count);
        let feeder = std::thread::spawn(move || {
            for number in 1..=LINES_MAX {
                counted.store(number, Ordering::SeqCst); // First, so that no line is out uncounted.
                stdin.write_all(format!("{number}\n").as_bytes()).expect("it reads");
                if stopped.recv_timeout(PERIOD) != Err(RecvTimeoutError::Timeout) {
                    break; // Told to stop, or whoever would have done so has failed.
                }
            }
            stdin
        });
        Self { count, stop, feeder }
    }

    /// How many lines it has fed.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Goes on for this long.
    pub(crate) fn keep_up(&self, duration: Duration) {
        let until = Instant::now() + duration;
        while Instant::now() < until {
            std::thread::sleep(PERIOD);
        }
        assert!(self.count() < LINES_MAX, "the load ended by itself");
    }

    /// Stops, with all that was fed. The process may be fed otherwise from now on.
    pub(crate) fn stop(self, process: &mut Process) -> usize {
        drop(self.stop);
        process.return_stdin(self.feeder.join().expect("a feeder does not fail"));
        self.count.load(Ordering::SeqCst)
    }
}

/// Waits until these processes together have written so many lines, or patience ends: what is missing, they tell.
pub(crate) fn wait_for_total(processes: &mut [Process], total: usize) {
    let deadline = Instant::now() + PATIENCE;
    while processes.iter_mut().map(|process| process.lines().len()).sum::<usize>() < total && Instant::now() < deadline
    {
        std::thread::sleep(PERIOD);
    }
}

/// The numbers a process has written.
pub(crate) fn numbers(lines: &[Line]) -> Vec<usize> {
    lines.iter().map(|line| line.text.parse().expect("a number")).collect()
}

/// All of a process's messages up to this one.
pub(crate) fn up_to(last: usize) -> Vec<usize> {
    (1..=last).collect()
}

/// Two hundred lines a second.
const PERIOD: Duration = Duration::from_millis(5);

/// Half a minute of them.
const LINES_MAX: usize = 6000;
