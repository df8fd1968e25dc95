//! A server that this tool started, and ends: Netra or one of its peers.

use std::{
    fs::File,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{Failure, cli::Signal, process};

/// How long a server may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process of this tool's own; killed when dropped.
pub(crate) struct Server {
    child: Child,
    /// `127.0.0.1:<port>`.
    pub(crate) host: String,
    /// How long it took from its start until its port was open.
    pub(crate) ready: Duration,
}

impl Server {
    /// Starts a server whose output goes to a file, and waits until its port is open.
    pub(crate) async fn start(mut command: Command, port: u16, log: &Path) -> Result<Self, Failure> {
        let out = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = command.spawn().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let begin = Instant::now();
        let mut server = Self { child, host: format!("127.0.0.1:{port}"), ready: Duration::ZERO };
        let end = begin + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = server.child.try_wait()? {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                return Err(format!("the server ended with {status}:\n{said}").into());
            }
            if tokio::net::TcpStream::connect(&server.host).await.is_ok() {
                server.ready = begin.elapsed();
                return Ok(server);
            }
            sleep(Duration::from_millis(5)).await;
        }
        Err("the server did not open its port".into())
    }

    /// Its resident memory in kilobytes.
    pub(crate) fn rss_kb(&self) -> u64 {
        process::rss_kb(self.child.id())
    }

    /// Its CPU time so far, in microseconds.
    pub(crate) fn cpu_us(&self) -> u64 {
        process::cpu_us(self.child.id())
    }

    /// Ends it or asks it to end, and waits until it has.
    pub(crate) async fn end(&mut self, signal: Signal) -> Result<(), Failure> {
        match signal {
            Signal::Kill => self.child.kill()?,
            Signal::Term => {
                let id = self.child.id().to_string();
                let status = Command::new("kill").args(["-TERM", &id]).status()?;
                if !status.success() {
                    return Err("kill -TERM failed".into());
                }
            }
        }
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > end {
                return Err("the server does not end".into());
            }
            sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when the process is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nothing listens on, below the range that the system hands to outgoing connections.
pub(crate) fn free_port() -> Result<u16, Failure> {
    (0..1_000)
        .map(|_| fastrand::u16(20_000..32_000))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .ok_or_else(|| "no free port".into())
}
