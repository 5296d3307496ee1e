//! A network namespace.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

/// A network namespace without a name. It goes with the last process in it, and the first one there, which does nothing
/// but hold it, ends when the test does: even one that is killed leaves nothing behind.
pub(crate) struct Space {
    holder: Child,
}

impl Space {
    /// Makes one with nothing in it but a loopback interface that is down.
    pub(crate) fn open() -> Result<Self, String> {
        let mut command = Command::new("unshare");
        command.args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let holder = command.spawn().map_err(|error| format!("no unshare (util-linux): {error}"))?;
        let mut space = Self { holder };
        if space.echo().is_err() {
            let mut complaint = String::new();
            _ = space.holder.stderr.take().expect("a pipe").read_to_string(&mut complaint);
            return Err(format!("this user can't make network namespaces here: {}", complaint.trim()));
        }
        Ok(space)
    }

    /// A program in it; what runs is that program itself, under the process id of the command.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.holder.id())).arg("--").arg(program);
        command
    }

    /// Carries out commands for `ip`, one a line, up to the first that fails.
    pub(crate) fn ip(&self, batch: &str) -> Result<(), String> {
        let mut command = self.command("ip");
        command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("no nsenter (util-linux): {error}"))?;
        let written = child.stdin.take().expect("a pipe").write_all(batch.as_bytes());
        let output = child.wait_with_output().map_err(|error| format!("ip: {error}"))?;
        if output.status.success() && written.is_ok() {
            return Ok(());
        }
        Err(format!("ip (iproute2) failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }

    /// What interfaces are moved here by.
    pub(crate) fn process(&self) -> u32 {
        self.holder.id()
    }

    /// Waits until the holder answers. Before that it might still be where the test is.
    fn echo(&mut self) -> std::io::Result<()> {
        self.holder.stdin.as_mut().expect("a pipe").write_all(b"\n")?;
        self.holder.stdout.as_mut().expect("a pipe").read_exact(&mut [0])
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        _ = self.holder.kill(); // It may have ended.
        _ = self.holder.wait();
    }
}
