//! A process of the binary: fed, read and killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A running process. Killed when dropped.
pub(crate) struct Running {
    what: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    complaints: String,
}

/// What a process has said and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) lines: Vec<String>,
    pub(crate) stderr: String,
}

/// Runs to the end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    Running::start(arguments).end()
}

impl Running {
    /// Starts `flockmq` with nothing to read.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut running = Self::start_fed(arguments);
        running.stdin = None;
        running
    }

    /// Starts `flockmq` with these lines to read.
    pub(crate) fn start_with(arguments: &[&str], input: impl Into<Vec<u8>>) -> Self {
        let mut running = Self::start_fed(arguments);
        let (mut stdin, input) = (running.stdin.take().expect("a pipe"), input.into());
        // It may end without having read all, which is its right.
        std::thread::spawn(move || drop(stdin.write_all(&input)));
        running
    }

    /// Starts `flockmq` with something to read that is yet to come.
    pub(crate) fn start_fed(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flockmq"));
        command.args(arguments).env_remove("RUST_LOG").env_remove("NO_COLOR");
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the binary starts");
        let stdout = lines(child.stdout.take().expect("a pipe"));
        let stderr = lines(child.stderr.take().expect("a pipe"));
        let what = arguments.join(" ");
        Self { what, stdin: child.stdin.take(), child, stdout, stderr, complaints: String::new() }
    }

    /// The next line it writes.
    pub(crate) fn line(&mut self) -> String {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => String::from_utf8(line).expect("text"),
            Err(error) => self.fail(&format!("no further line: {error}")),
        }
    }

    /// All lines up to the first that begins so, that one included.
    pub(crate) fn lines_until(&mut self, beginning: &str) -> Vec<String> {
        let mut found = Vec::new();
        loop {
            match self.stdout.recv_timeout(PATIENCE) {
                Ok(line) => found.push(String::from_utf8(line).expect("text")),
                Err(error) => self.fail(&format!("{error} before '{beginning}', after {found:?}")),
            }
            if found.last().is_some_and(|line| line.starts_with(beginning)) {
                return found;
            }
        }
    }

    /// Waits for a line on standard error that begins so.
    pub(crate) fn complaint(&mut self, beginning: &str) -> String {
        loop {
            match self.stderr.recv_timeout(PATIENCE) {
                Ok(line) if line.starts_with(beginning.as_bytes()) => return String::from_utf8(line).expect("text"),
                Ok(line) => self.note(&line),
                Err(error) => self.fail(&format!("{error} before '{beginning}'")),
            }
        }
    }

    /// Writes what it reads.
    pub(crate) fn feed(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("it was started to be fed");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("it reads");
    }

    /// Sends it a signal: `INT`, `TERM`, `KILL`.
    pub(crate) fn signal(&self, name: &str) {
        self.shell(&format!("kill -s {name} $0"));
    }

    /// Stops it as if time stood still for it. Returns when none of its threads runs any longer, where the system says
    /// so: on a busy machine that is a while after the signal.
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
        self.shell("[ ! -d /proc/$0/task ] || while cat /proc/$0/task/*/stat | grep -qv ') T '; do sleep 0.01; done");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    /// Runs a shell script that knows the process as `$0`.
    fn shell(&self, script: &str) {
        let ran = Command::new("sh").args(["-c", script, &self.child.id().to_string()]).status();
        assert!(ran.expect("a shell").success());
    }

    /// The next line if one comes soon.
    pub(crate) fn line_soon(&mut self) -> Option<String> {
        match self.stdout.recv_timeout(Duration::from_millis(20)) {
            Ok(line) => Some(String::from_utf8(line).expect("text")),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => self.fail("it has ended"),
        }
    }

    /// Waits until it has ended, having read all there was.
    pub(crate) fn end(mut self) -> Ended {
        self.stdin = None;
        self.end_unfed()
    }

    /// Waits until it has ended, though there might be more to read.
    pub(crate) fn end_unfed(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = Vec::new();
        loop {
            match self.stdout.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => lines.push(String::from_utf8(line).expect("text")),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.fail(&format!("it does not end, after {lines:?}")),
            }
        }
        self.hear();
        let status = self.child.wait().expect("its end");
        Ended { code: status.code(), lines, stderr: std::mem::take(&mut self.complaints) }
    }

    /// Takes what it complained of, to the end.
    fn hear(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = self.stderr.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.note(&line);
        }
    }

    fn note(&mut self, complaint: &[u8]) {
        self.complaints += &String::from_utf8_lossy(complaint);
        self.complaints += "\n";
    }

    fn fail(&mut self, what: &str) -> ! {
        _ = self.child.kill();
        self.hear();
        panic!("flockmq {}: {what}; it said: {}", self.what, self.complaints);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill(); // It may have ended.
        _ = self.child.wait();
    }
}

fn lines(output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            if line.map(|line| tell.send(line)).is_err() {
                return;
            }
        }
    });
    told
}
