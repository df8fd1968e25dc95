//! A server that is a program: started with nothing of our environment but `PATH`, in a group of its own, and ended with all that
//! it started.

use std::{
    collections::BTreeMap,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// How long a program whose input was closed may take to end by itself.
const GOING: Duration = Duration::from_secs(1);

/// How long after its output was closed a program may be at its end.
const LEAVING: Duration = Duration::from_millis(200);

/// The longest line of its standard error that is logged; the rest of a longer one is left out.
const LONGEST_LINE: u64 = 2_000;

/// Lines of its standard error that are logged, between two starts.
const LINES: usize = 500;

/// A running program.
pub(super) struct Program {
    child: Child,
    /// Of the group that it leads.
    group: Option<u32>,
}

impl Program {
    /// Starts it.
    pub(super) fn start(
        server: &str,
        command: &[String],
        env: &BTreeMap<String, String>,
    ) -> Result<(Self, ChildStdout, ChildStdin), String> {
        let (program, arguments) = command.split_first().ok_or("no command")?;
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{program} does not start: {error}"))?;
        let group = child.id();
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(format!("{program} has no pipes"));
        };
        tokio::spawn(log(server.to_owned(), stderr));
        Ok((Self { child, group }, stdout, stdin))
    }

    /// How it ended, if it did: it closes its output a moment before.
    pub(super) async fn over(&mut self) -> Option<ExitStatus> {
        timeout(LEAVING, self.child.wait()).await.ok().and_then(Result::ok)
    }

    /// Ends it, whose input was closed, and whatever it started.
    pub(super) async fn end(mut self) {
        let gone = timeout(GOING, self.child.wait()).await.is_ok();
        self.end_group();
        if !gone {
            let _ = self.child.wait().await;
        }
    }

    /// Kills all of its group: a program like `npx` starts others, which would outlive it.
    fn end_group(&mut self) {
        let Some(group) = self.group.take() else { return };
        let killed = std::process::Command::new("kill")
            .args(["-KILL", "--", &format!("-{group}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if let Err(error) = killed {
            tracing::warn!(%error, group, "what an MCP server started may still run: there is no `kill`");
            // Itself, at least; it may be gone.
            let _ = self.child.start_kill();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end_group();
    }
}

/// Logs what a program says on its standard error, up to a number of lines, and reads on beyond: one that nobody reads would
/// stand still.
async fn log(server: String, stderr: ChildStderr) {
    let mut reader = BufReader::new(stderr);
    let mut lines = 0;
    loop {
        let mut line = Vec::new();
        match (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if lines < LINES {
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            if !text.is_empty() {
                tracing::info!(server, text, "an MCP server says");
                lines += 1;
            }
            if lines == LINES {
                tracing::warn!(server, lines, "what the MCP server says from now on is not logged");
            }
        }
        // The rest of a line that is too long.
        while line.last() != Some(&b'\n') {
            line.clear();
            match (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}
