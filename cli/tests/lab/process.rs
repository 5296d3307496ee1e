//! A process on a host: fed, heard and killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long anything may take for which nothing shorter is promised.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running process. Killed when dropped.
pub(crate) struct Process {
    what: String,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<Line>,
    stderr: Receiver<Line>,
    lines: Vec<Line>,
    complaints: Vec<String>,
}

/// Something a process wrote, and when that was.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Instant,
    pub(crate) text: String,
}

impl Process {
    /// Starts it with something to read that is yet to come.
    pub(crate) fn start(mut command: Command, arguments: &[&str], place: &str) -> Self {
        command.args(arguments).env_remove("RUST_LOG").env_remove("NO_COLOR");
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the binary starts");
        let stdout = lines(child.stdout.take().expect("a pipe"));
        let stderr = lines(child.stderr.take().expect("a pipe"));
        let what = format!("flockmq {} on {place}", arguments.join(" "));
        Self { what, stdin: child.stdin.take(), child, stdout, stderr, lines: Vec::new(), complaints: Vec::new() }
    }

    /// What it has written so far.
    pub(crate) fn lines(&mut self) -> &[Line] {
        self.lines.extend(self.stdout.try_iter());
        &self.lines
    }

    /// Waits until what it has written is enough.
    pub(crate) fn wait_until(&mut self, deadline: Instant, wanted: &str, enough: impl Fn(&[Line]) -> bool) {
        while !enough(self.lines()) {
            match self.stdout.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.lines.push(line),
                Err(error) => self.fail(&format!("{error} before {wanted}")),
            }
        }
    }

    /// Waits for a line that begins so, after the first `skipped` lines. Tells when it came.
    pub(crate) fn wait_for(&mut self, skipped: usize, beginning: &str, deadline: Instant) -> Instant {
        let find = |lines: &[Line]| lines.iter().skip(skipped).find(|line| line.text.starts_with(beginning)).cloned();
        self.wait_until(deadline, &format!("'{beginning}'"), |lines| find(lines).is_some());
        find(&self.lines).expect("it was waited for").at
    }

    /// Waits for a line on standard error that begins so.
    pub(crate) fn wait_for_complaint(&mut self, beginning: &str, deadline: Instant) {
        while self.complaints.last().is_none_or(|complaint| !complaint.starts_with(beginning)) {
            match self.stderr.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.complaints.push(line.text),
                Err(error) => self.fail(&format!("{error} before '{beginning}'")),
            }
        }
    }

    /// Writes a line for it to read.
    pub(crate) fn feed(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("its input was not ended");
        stdin.write_all(format!("{line}\n").as_bytes()).expect("it reads");
    }

    /// Lends the pipe to its input, until it is given back.
    pub(crate) fn lend_stdin(&mut self) -> ChildStdin {
        self.stdin.take().expect("its input was not ended")
    }

    /// Takes the pipe back.
    pub(crate) fn return_stdin(&mut self, stdin: ChildStdin) {
        self.stdin = Some(stdin);
    }

    /// Ends its input and waits until it has ended well. Returns all that it has written.
    pub(crate) fn end(self) -> Vec<String> {
        self.end_with(0)
    }

    /// Ends its input and waits until it has ended with this code. Returns all that it has written.
    pub(crate) fn end_with(mut self, code: i32) -> Vec<String> {
        self.stdin = None;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.stdout.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.fail("it does not end"),
            }
        }
        let status = self.child.wait().expect("its end");
        if status.code() != Some(code) {
            self.fail(&status.to_string());
        }
        std::mem::take(&mut self.lines).into_iter().map(|line| line.text).collect()
    }

    /// Asks it to end, and waits until it has. Returns all that it has written.
    pub(crate) fn stop(self) -> Vec<String> {
        let sent = Command::new("sh").args(["-c", &format!("kill -s TERM {}", self.child.id())]).status();
        assert!(sent.expect("a shell").success());
        self.end()
    }

    /// Kills it: it has no chance to take leave. Returns all that it had written.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("it runs");
        while let Ok(line) = self.stdout.recv_timeout(PATIENCE) {
            self.lines.push(line);
        }
        std::mem::take(&mut self.lines).into_iter().map(|line| line.text).collect()
    }

    fn fail(&mut self, what: &str) -> ! {
        _ = self.child.kill();
        let mut tail: Vec<&str> = self.lines.iter().rev().take(TAIL).map(|line| line.text.as_str()).collect();
        tail.reverse();
        while let Ok(line) = self.stderr.recv_timeout(PATIENCE) {
            self.complaints.push(line.text);
        }
        panic!(
            "{}: {what}; of its {} lines the last: {tail:?}; complaints: {:?}",
            self.what,
            self.lines.len(),
            self.complaints
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.child.kill(); // It may have ended.
        _ = self.child.wait();
    }
}

fn lines(output: impl Read + Send + 'static) -> Receiver<Line> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for text in BufReader::new(output).lines() {
            let Ok(text) = text else { return };
            if tell.send(Line { at: Instant::now(), text }).is_err() {
                return;
            }
        }
    });
    told
}

/// How many lines a failure shows.
const TAIL: usize = 20;
