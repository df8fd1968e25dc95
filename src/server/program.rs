//! Programs of others that are spoken to over their standard input and output: started with nothing of our environment but what is
//! named, in a group of their own, and ended with all that they started.

use std::{
    collections::BTreeMap,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// How long after its output was closed a program may be at its end.
const LEAVING: Duration = Duration::from_millis(200);

/// The longest line of its standard error that is logged; the rest of a longer one is left out.
const LONGEST_LINE: u64 = 2_000;

/// Lines of its standard error that are logged, between two starts.
const LINES: usize = 500;

/// Whose program it is, as the log tells it.
#[derive(Clone, Debug)]
pub(in crate::server) struct Owner {
    /// `an MCP server` or `an agent`.
    pub(in crate::server) kind: &'static str,
    /// Its name.
    pub(in crate::server) name: String,
    /// It ends by itself, with all that it started, once its input was closed.
    pub(in crate::server) is_keeper: bool,
}

/// A command with nothing of our environment but `PATH` and what is named.
pub(in crate::server) fn command(program: &str, env: &BTreeMap<String, String>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).envs(env);
    command
}

/// A running program.
pub(in crate::server) struct Program {
    child: Child,
    /// Of the group that it leads.
    group: Option<u32>,
    /// It ends by itself, with all that it started, once its input was closed.
    is_keeper: bool,
    /// How long it may take to end by itself once its input was closed.
    going: Duration,
}

impl Program {
    /// Starts it.
    pub(in crate::server) fn start(
        owner: Owner,
        mut command: Command,
        going: Duration,
    ) -> Result<(Self, ChildStdout, ChildStdin), String> {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(!owner.is_keeper)
            .spawn()
            .map_err(|error| format!("{program} does not start: {error}"))?;
        let (group, is_keeper) = (child.id(), owner.is_keeper);
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(format!("{program} has no pipes"));
        };
        tokio::spawn(log(owner, stderr));
        Ok((Self { child, group, is_keeper, going }, stdout, stdin))
    }

    /// How it ended, if it did: it closes its output a moment before.
    pub(in crate::server) async fn over(&mut self) -> Option<ExitStatus> {
        timeout(LEAVING, self.child.wait()).await.ok().and_then(Result::ok)
    }

    /// Ends it, whose input was closed, and whatever it started.
    pub(in crate::server) async fn end(mut self) {
        let gone = timeout(self.going, self.child.wait()).await.is_ok();
        self.end_group();
        if !gone {
            let _ = self.child.wait().await;
        }
    }

    /// Kills all of its group: a program like `npx` starts others, which would outlive it.
    fn end_group(&mut self) {
        let group = self.group.take().and_then(|group| Pid::from_raw(i32::try_from(group).ok()?));
        if let Some(group) = group {
            // It may be gone.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if !self.is_keeper {
            self.end_group();
        }
    }
}

/// Logs what a program says on its standard error, up to a number of lines, and reads on beyond: one that nobody reads would
/// stand still.
async fn log(owner: Owner, stderr: ChildStderr) {
    let mut reader = BufReader::new(stderr);
    let Owner { kind, name, .. } = owner;
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
                tracing::info!(name, text, "{kind} says");
                lines += 1;
            }
            if lines == LINES {
                tracing::warn!(name, lines, "what {kind} says from now on is not logged");
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
