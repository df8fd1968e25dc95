//! The servers of the comparison, each with its clients and something that publishes at a given rate.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{SinkExt, StreamExt};
use netra_ws::ThreadId;
use serde_json::json;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until},
};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use super::{CONNECTING, OPENING};
use crate::{
    Failure,
    crew::Crew,
    delays::now_us,
    job::{Head, Job, Plan, Speech},
    stage::child::{self, Server},
};

/// A server of the comparison that is not Netra.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// axum and a broadcast channel.
    Bare,
    /// Socket.IO with connection state recovery.
    SocketIo,
    /// The loop of `ws`.
    Ws,
}

/// A running one with its clients.
pub(super) struct Peer {
    /// The process.
    pub(super) server: Server,
    /// The clients.
    pub(super) crew: Crew,
    rate: watch::Sender<f64>,
    published: Arc<AtomicU64>,
    publisher: JoinHandle<()>,
    /// Keeps the log's folder.
    _home: tempfile::TempDir,
}

impl Peer {
    /// Starts a server and connects its clients.
    pub(super) async fn start(
        kind: Kind,
        connections: usize,
        workers: Option<usize>,
        message: usize,
    ) -> Result<Self, Failure> {
        let (home, port) = (tempfile::tempdir()?, child::free_port()?);
        let server = Server::start(kind.command(port)?, port, &home.path().join("server.log")).await?;
        let (speech, path) = match kind {
            Kind::Bare | Kind::Ws => (Speech::LeanPlain, "/ws"),
            Kind::SocketIo => (Speech::LeanSocketIo, SOCKET_IO),
        };
        let job = Job {
            speech,
            host: server.host.clone(),
            path: path.to_owned(),
            source: None,
            limits: None,
            accounts: Vec::new(),
            threads: vec![ThreadId::new()],
            clients: vec![Plan { threads: vec![0], ..Plan::default() }; connections],
            opening: OPENING,
        };
        let crew = Crew::start(job, workers).await?;
        crew.ready(connections, CONNECTING, "connecting").await?;
        let (rate, rates) = watch::channel(0.0);
        let published = Arc::new(AtomicU64::new(0));
        let path = if kind == Kind::SocketIo { SOCKET_IO } else { "/publish" };
        let url = format!("ws://{}{path}", server.host);
        let publisher = tokio::spawn(publish(kind, url, message, rates, Arc::clone(&published)));
        Ok(Self { server, crew, rate, published, publisher, _home: home })
    }

    /// Sets the rate, in messages a second.
    pub(super) fn rate(&self, rate: f64) {
        self.rate.send_replace(rate);
    }

    /// How many messages were published.
    pub(super) fn heads(&self) -> Vec<Head> {
        vec![Head { thread: 0, epoch: String::new(), seq: self.published.load(Ordering::SeqCst) }]
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.publisher.abort();
    }
}

/// Engine.IO's WebSocket transport, protocol 4.
const SOCKET_IO: &str = "/socket.io/?EIO=4&transport=websocket";

impl Kind {
    fn command(self, port: u16) -> Result<Command, Failure> {
        let script = match self {
            Self::Bare => {
                let mut command = Command::new(std::env::current_exe()?.with_file_name("netra-load-bare"));
                command.arg(port.to_string());
                return Ok(command);
            }
            Self::SocketIo => "socketio-server.mjs",
            Self::Ws => "ws-server.mjs",
        };
        let mut command = Command::new("node");
        command.arg(script).arg(port.to_string()).current_dir(peers()?).env("NODE_ENV", "production");
        Ok(command)
    }
}

/// The folder of the servers that run on Node.js, with their packages installed.
fn peers() -> Result<PathBuf, Failure> {
    let (program, here) = (std::env::current_exe()?, std::env::current_dir()?);
    let above = program.ancestors().chain(here.ancestors());
    let folder =
        above.map(|folder| folder.join("tools/load/peers")).find(|folder| folder.join("package.json").exists());
    let folder = folder.ok_or("tools/load/peers is not above this program or this folder")?;
    if !installed(&folder) {
        let npm = ["ci", "--no-audit", "--no-fund", "--silent"];
        let status = Command::new("npm").args(npm).current_dir(&folder).status()?;
        if !status.success() {
            return Err("npm could not install Socket.IO and ws".into());
        }
    }
    Ok(folder)
}

fn installed(folder: &Path) -> bool {
    folder.join("node_modules/.package-lock.json").exists()
}

/// Publishes evenly spaced messages until it is aborted or the socket ends.
async fn publish(kind: Kind, url: String, size: usize, mut rates: watch::Receiver<f64>, published: Arc<AtomicU64>) {
    let Ok((mut socket, _)) = connect_async(url).await else { return };
    let mut due = Instant::now();
    loop {
        let rate = *rates.borrow_and_update();
        let sent = tokio::select! {
            // Socket.IO shows the publisher its own messages, and pings it.
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => match text.as_str() {
                    "2" => socket.send(Message::text("3")).await,
                    open if open.starts_with('0') => socket.send(Message::text("40")).await,
                    _ => Ok(()),
                },
                Some(Ok(_)) => Ok(()),
                Some(Err(_)) | None => return,
            },
            changed = rates.changed() => {
                if changed.is_err() {
                    return;
                }
                due = Instant::now();
                Ok(())
            }
            () = sleep_until(due), if rate > 0.0 => {
                due += Duration::from_secs_f64(1.0 / rate);
                let seq = published.load(Ordering::SeqCst) + 1;
                let sent = socket.send(Message::text(message(kind, seq, size))).await;
                published.store(seq, Ordering::SeqCst);
                sent
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// A message of about this size on the wire, whoever passes it on.
fn message(kind: Kind, seq: u64, size: usize) -> String {
    let bare = json!({ "ts": now_us(), "seq": seq, "pad": "" }).to_string().len();
    let body = json!({ "ts": now_us(), "seq": seq, "pad": "x".repeat(size.saturating_sub(bare)) });
    match kind {
        Kind::Bare | Kind::Ws => body.to_string(),
        Kind::SocketIo => format!("42{}", json!(["publish", body])),
    }
}
