//! A node's recording on its way to a file. A thread of its own writes, so that nothing waits for the disk; what waits
//! to be written is bounded, and a disk that can't keep up ends the recording instead of slowing the node.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use flockmq_core::recording::Recorder;
use flockmq_core::{Config, Input, Instant, Output, Seed};
use tokio::sync::watch;
use tracing::warn;

use crate::error::Error;

/// A file that was made to be recorded into.
pub(crate) struct Blank {
    file: File,
    path: PathBuf,
}

impl Blank {
    /// Makes a new file that nobody else may read, since what applications send will be in it.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(file) => Ok(Self { file, path: path.to_owned() }),
            Err(error) => Err(not_recorded(path, error.to_string())),
        }
    }

    /// Starts recording a node that is started with this. Whoever watches `ended` waits for the file as well.
    pub(crate) fn start(
        self,
        config: &Config,
        seed: Seed,
        now: Instant,
        ended: watch::Sender<()>,
    ) -> Result<Tape, Error> {
        let Self { file, path } = self;
        let (sender, receiver) = channel();
        let waiting = Arc::<AtomicUsize>::default();
        let writer = Writer { file, path: path.clone(), receiver, waiting: Arc::clone(&waiting), _ended: ended };
        let started = std::thread::Builder::new().name("recording".into()).spawn(move || writer.run());
        started.map_err(|error| not_recorded(&path, error.to_string()))?;
        let recorder = Recorder::new(config, seed, now);
        Ok(Tape { path, recorder, sender, waiting, waiting_max: WAITING_MAX, is_over: false })
    }
}

/// Why there is no recording.
pub(crate) fn not_recorded(path: &Path, reason: impl Into<String>) -> Error {
    Error::NotRecorded { path: path.to_owned(), reason: reason.into() }
}

/// Records a node. The file is complete once this was dropped and its thread has ended.
pub(crate) struct Tape {
    path: PathBuf,
    recorder: Recorder,
    sender: Sender<Vec<u8>>,
    waiting: Arc<AtomicUsize>, // Bytes that were handed to the thread and are not written yet.
    waiting_max: usize,
    is_over: bool,
}

impl Tape {
    /// The node is about to be told something.
    pub(crate) fn input(&mut self, now: Instant, input: &Input) {
        self.recorder.input(now, input);
    }

    /// The node says something.
    pub(crate) fn output(&mut self, output: &Output) {
        self.recorder.output(output);
    }

    /// The node has said all it had to say: if that is much by now, it is written.
    pub(crate) fn settle(&mut self) {
        if self.recorder.waiting() >= CHUNK {
            self.flush();
        }
    }

    /// Has all that was recorded written.
    pub(crate) fn flush(&mut self) {
        let mut bytes = self.recorder.take();
        if bytes.is_empty() {
            return;
        }
        if self.recorder.is_over() && !self.is_over {
            self.give_up("an input was too large for it");
        } else if self.waiting.load(Ordering::Relaxed) > self.waiting_max {
            // What was taken last are whole entries, so that the file is none the worse without them.
            self.give_up("the disk does not keep up");
            bytes = self.recorder.take();
        }
        self.waiting.fetch_add(bytes.len(), Ordering::Relaxed);
        if self.sender.send(bytes).is_err() {
            self.is_over = true; // The thread could not write, and has said so.
            self.recorder.break_off();
        }
    }

    /// The node has stopped.
    pub(crate) fn end(&mut self) {
        self.is_over = true;
        self.recorder.end();
        self.flush();
    }

    fn give_up(&mut self, reason: &str) {
        self.is_over = true;
        self.recorder.give_up(reason);
        warn!(path = %self.path.display(), reason, "the recording ends here; the node goes on without");
    }
}

impl Drop for Tape {
    /// However the driver ends, what the node was told before is in the file.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.is_over = true;
            self.recorder.break_off(); // The node may not have said all.
        }
        self.flush();
    }
}

/// The thread that writes.
struct Writer {
    file: File,
    path: PathBuf,
    receiver: Receiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
    _ended: watch::Sender<()>, // Last, so that whoever sees it dropped finds the file complete.
}

impl Writer {
    fn run(mut self) {
        while let Ok(bytes) = self.receiver.recv() {
            if let Err(error) = self.file.write_all(&bytes) {
                let path = self.path.display();
                warn!(%path, %error, "the recording can't be written and ends here; the node goes on without");
                return;
            }
            self.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
        }
    }
}

/// How much is recorded before it is written though the node has more to do.
const CHUNK: usize = 64 * 1024;

/// How many bytes may wait for the disk, beside those that are recorded at once.
const WAITING_MAX: usize = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use flockmq_core::recording::{Ending, Recording};

    fn path(test: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("flockmq-tape-{test}-{}", std::process::id()));
        _ = std::fs::remove_file(&path);
        path
    }

    /// What stands in a file that this was done to.
    fn recorded(test: &str, record: impl FnOnce(Tape)) -> Recording {
        let (path, (ended, mut watched)) = (path(test), watch::channel(()));
        let blank = Blank::create(&path).expect("a new file");
        record(blank.start(&Config::alone("a"), Seed::from(1), Instant::ZERO, ended).expect("a thread"));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async { while watched.changed().await.is_ok() {} });
        let file = std::fs::read(&path).expect("the file");
        _ = std::fs::remove_file(&path);
        Recording::read(&file).expect("a recording")
    }

    #[test]
    fn what_was_recorded_is_in_the_file_when_all_has_ended() {
        let recording = recorded("whole", |mut tape| {
            tape.input(Instant::from_millis(1), &Input::Timeout);
            tape.flush();
            tape.input(Instant::from_millis(2), &Input::Timeout);
            tape.end();
        });
        assert_eq!((recording.inputs.len(), recording.ending), (2, Ending::Complete));
        let recording = recorded("open", |mut tape| tape.input(Instant::from_millis(1), &Input::Timeout));
        assert_eq!((recording.inputs.len(), recording.ending), (1, Ending::Open));
    }

    #[test]
    fn a_disk_that_does_not_keep_up_ends_the_recording_and_the_file_says_so() {
        let recording = recorded("slow", |mut tape| {
            tape.input(Instant::from_millis(1), &Input::Timeout);
            tape.flush();
            tape.waiting.fetch_add(WAITING_MAX + 1, Ordering::Relaxed);
            tape.input(Instant::from_millis(2), &Input::Timeout);
            tape.flush();
            tape.input(Instant::from_millis(3), &Input::Timeout);
            tape.end();
        });
        assert_eq!(recording.inputs.len(), 1);
        assert_eq!(recording.ending, Ending::GivenUp { reason: "the disk does not keep up".into() });
    }

    #[test]
    fn the_input_that_a_node_dies_of_is_in_the_file() {
        let recording = recorded("panic", |mut tape| {
            let died = std::thread::spawn(move || {
                tape.input(Instant::from_millis(1), &Input::Timeout);
                tape.output(&Output::Event(flockmq_core::Event::Stopped));
                panic!("as a node might");
            });
            died.join().expect_err("it panics");
        });
        assert_eq!((recording.inputs.len(), recording.ending), (1, Ending::Open));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_is_full_ends_the_recording_and_nothing_else() {
        let (ended, watched) = watch::channel(());
        let file = OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
        let blank = Blank { file, path: "/dev/full".into() };
        let mut tape = blank.start(&Config::alone("a"), Seed::from(1), Instant::ZERO, ended).expect("a thread");
        tape.flush();
        while watched.has_changed().is_ok() {
            std::thread::yield_now();
        }
        tape.input(Instant::from_millis(1), &Input::Timeout);
        tape.flush();
        assert!(tape.is_over);
        tape.end();
    }

    #[test]
    fn a_file_that_exists_is_left_as_it_is() {
        let path = path("exists");
        std::fs::write(&path, "precious").expect("written");
        let Err(error) = Blank::create(&path) else { panic!("it was there") };
        assert!(error.to_string().contains(&format!("'{}'", path.display())), "{error}");
        assert_eq!(std::fs::read(&path).expect("the file"), b"precious");
        _ = std::fs::remove_file(&path);
    }
}
