//! One agent's program: started behind its wall, spoken to in lines, ended with all that it started.

use std::{ffi::OsStr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{ChildStdin, ChildStdout},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use super::{
    super::{
        model::{Again, ModelError},
        offers::Offers,
    },
    place::Place,
    told::Takes,
    wire::{self, Frame, Lines},
};
use crate::server::{
    config::AcpConfig,
    confine::{DISK_FULL, NOT_STARTED, TOO_LARGE, TOO_MANY},
    program::{self, Owner, Program},
};

/// The version of the protocol that is spoken.
const VERSION: u64 = 1;

/// How long an agent may take to start, and to open a session: it may have to be fetched first.
pub(super) const STARTING: Duration = Duration::from_mins(1);

/// How long its keeper may take to end once its input was closed.
const GOING: Duration = Duration::from_secs(6);

/// Messages on their way: each may be long.
const ON_THE_WAY: usize = 4;

/// Lines in one turn that are no messages.
pub(super) const MAX_NONSENSE: usize = 1_000;

/// The answer to a request that wants a session signed in first.
const SIGN_IN: i64 = -32000;

/// What an agent can do.
#[derive(Clone, Debug, Default)]
pub(super) struct Abilities {
    /// Sessions of earlier processes can be loaded, which tells all of them again.
    pub(super) load: bool,
    /// The same without telling them.
    pub(super) resume: bool,
    /// What it takes.
    pub(super) takes: Takes,
    /// Its own name and version.
    pub(super) name: String,
}

/// What the program may take, to say which of it was too much.
struct Limits {
    disk: u64,
    memory: u64,
    processes: usize,
}

/// An agent's program.
pub(super) struct Peer {
    program: Option<Program>,
    out: mpsc::Sender<String>,
    heard: mpsc::Receiver<Result<Frame, wire::TooLong>>,
    work: [JoinHandle<()>; 2],
    next: u64,
    limits: Limits,
    pub(super) abilities: Abilities,
}

impl Peer {
    /// Starts it in its folder, and learns what it can do.
    pub(super) async fn start(config: &AcpConfig, place: &Place) -> Result<Self, ModelError> {
        let unable =
            |why: String| ModelError::unavailable(format!("the agent cannot be started: {why}"), true, Again::No);
        let made = place.clone();
        let made = tokio::task::spawn_blocking(move || made.make()).await;
        made.map_err(|error| unable(error.to_string()))?.map_err(|error| unable(format!("its folder: {error}")))?;
        let (program, stdout, stdin) = Self::spawn(config, place).map_err(unable)?;
        let (out, to_say) = mpsc::channel(ON_THE_WAY);
        let (told, heard) = mpsc::channel(ON_THE_WAY);
        let work = [tokio::spawn(write(stdin, to_say)), tokio::spawn(read(stdout, told))];
        let limits = Limits { disk: config.disk, memory: config.memory, processes: config.processes };
        let program = Some(program);
        let mut peer = Self { program, out, heard, work, next: 0, limits, abilities: Abilities::default() };
        let params = json!({
            "protocolVersion": VERSION,
            "clientCapabilities": { "fs": { "readTextFile": true, "writeTextFile": true }, "terminal": false },
            "clientInfo": { "name": "netra", "title": "Netra", "version": env!("CARGO_PKG_VERSION") },
        });
        let said = peer.ask("initialize", &params, &mut Offers::default()).await?;
        if said["protocolVersion"].as_u64() != Some(VERSION) {
            return Err(ModelError::protocol(format!(
                "the agent speaks version {} of its protocol, and not {VERSION}",
                said["protocolVersion"]
            )));
        }
        let can = &said["agentCapabilities"];
        let takes = &can["promptCapabilities"];
        peer.abilities = Abilities {
            load: can["loadSession"] == true,
            resume: can["sessionCapabilities"]["resume"].is_object(),
            takes: Takes { images: takes["image"] == true, files: takes["embeddedContext"] == true },
            name: ["name", "version"]
                .iter()
                .filter_map(|field| said["agentInfo"][field].as_str())
                .map(|text| text.chars().filter(|c| !c.is_control()).take(60).collect::<String>())
                .collect::<Vec<_>>()
                .join(" "),
        };
        Ok(peer)
    }

    fn spawn(config: &AcpConfig, place: &Place) -> Result<(Program, ChildStdout, ChildStdin), String> {
        let own = if cfg!(target_os = "linux") {
            // Also where the file was replaced since the server started.
            "/proc/self/exe".into()
        } else {
            std::env::current_exe().map_err(|error| error.to_string())?
        };
        let own = own.to_str().ok_or("the server's own file has no readable name")?;
        let mut command = program::command(own, &config.env);
        let home = place.home();
        command.arg0("netra").arg("confine").arg("--folder").arg(place.folder());
        command.arg("--disk").arg(config.disk.to_string()).arg("--processes").arg(config.processes.to_string());
        command.arg("--memory").arg(config.memory.to_string());
        for folder in &config.readable {
            command.arg("--readable").arg(folder);
        }
        command.arg("--").args(config.command.iter().map(OsStr::new));
        for (name, folder) in [("HOME", home.clone()), ("TMPDIR", home.join("tmp"))] {
            if !config.env.contains_key(name) {
                command.env(name, folder);
            }
        }
        Program::start(Owner { kind: "an agent", name: config.name.clone(), is_keeper: true }, command, GOING)
    }

    /// Whether it runs, as far as is known.
    pub(super) fn runs(&self) -> bool {
        !self.heard.is_closed() && !self.work[1].is_finished()
    }

    /// Sends a message.
    pub(super) async fn send(&self, message: String) -> Result<(), ModelError> {
        self.out.send(message).await.map_err(|_| ModelError::protocol("the agent no longer listens"))
    }

    /// Asks; gives the id of the request.
    pub(super) async fn request(&mut self, method: &str, params: &Value) -> Result<u64, ModelError> {
        self.next += 1;
        self.send(wire::request(self.next, method, params)).await?;
        Ok(self.next)
    }

    /// The next message.
    pub(super) async fn hear(&mut self) -> Result<Frame, ModelError> {
        match self.heard.recv().await {
            Some(Ok(frame)) => Ok(frame),
            Some(Err(wire::TooLong)) => {
                Err(ModelError::protocol(format!("the agent sent a line of more than {} MiB", wire::LONGEST >> 20)))
            }
            None => Err(ModelError::protocol(self.why_gone().await)),
        }
    }

    /// A message that has come already.
    pub(super) fn heard_already(&mut self) -> Option<Frame> {
        self.heard.try_recv().ok()?.ok()
    }

    async fn why_gone(&mut self) -> String {
        let status = match &mut self.program {
            Some(program) => program.over().await,
            None => None,
        };
        let code = status.and_then(|status| u8::try_from(status.code()?).ok());
        let Limits { disk, memory, processes } = self.limits;
        match (code, status) {
            (Some(NOT_STARTED), _) => "the agent's program could not be started; the server's log says why".to_owned(),
            (Some(DISK_FULL), _) => format!("the agent was ended: its folder had more than {} MiB", disk >> 20),
            (Some(TOO_LARGE), _) => {
                format!(
                    "the agent was ended: with all that it started it held more than {} MiB of memory",
                    memory >> 20
                )
            }
            (Some(TOO_MANY), _) => format!("the agent was ended: it had started more than {processes} processes"),
            (_, Some(status)) => format!("the agent's program ended: {status}"),
            (_, None) => "the agent's program closed its output".to_owned(),
        }
    }

    /// Asks outside a turn, and waits for the answer. What else is said is passed over, but for what is offered.
    pub(super) async fn ask(&mut self, method: &str, params: &Value, offers: &mut Offers) -> Result<Value, ModelError> {
        let end = Instant::now() + STARTING;
        let silent = |_| {
            let why = format!("the agent did not answer {method} within {} s", STARTING.as_secs());
            ModelError::unavailable(why, true, Again::No)
        };
        let asked = timeout_at(end, self.request(method, params)).await.map_err(silent)??;
        let mut nonsense = 0;
        loop {
            match timeout_at(end, self.hear()).await.map_err(silent)?? {
                Frame::Answer { id, result } if id == asked => {
                    return result.map_err(|refusal| {
                        let why = match refusal.code {
                            SIGN_IN => format!("the agent wants to be signed in first: {}", refusal.message),
                            _ => format!("the agent refused {method}: {}", refusal.message),
                        };
                        ModelError::unavailable(why, true, Again::No)
                    });
                }
                Frame::Answer { .. } => {}
                Frame::Notice { params, .. } => _ = offers.take(&params["update"]),
                Frame::Request { id, method, .. } => {
                    timeout_at(end, self.send(wire::unknown(&id, &method))).await.map_err(silent)??;
                }
                Frame::Nonsense => {
                    nonsense += 1;
                    check_nonsense(nonsense)?;
                }
            }
        }
    }

    /// Ends it, and waits until it is gone.
    pub(super) async fn end(mut self) {
        let program = self.program.take();
        // Its input closes with this.
        drop(self);
        if let Some(program) = program {
            program.end().await;
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.work.iter().for_each(JoinHandle::abort);
        if let (Some(program), Ok(runtime)) = (self.program.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(program.end());
        }
    }
}

/// Whether what was read is still the protocol, after so many lines that are not.
pub(super) fn check_nonsense(lines: usize) -> Result<(), ModelError> {
    if lines > MAX_NONSENSE {
        return Err(ModelError::protocol("the agent writes what is not its protocol"));
    }
    Ok(())
}

async fn write(mut to: ChildStdin, mut messages: mpsc::Receiver<String>) {
    while let Some(mut message) = messages.recv().await {
        message.push('\n');
        if to.write_all(message.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(mut from: ChildStdout, told: mpsc::Sender<Result<Frame, wire::TooLong>>) {
    let (mut lines, mut bytes) = (Lines::default(), vec![0; 64 << 10]);
    loop {
        let Ok(read @ 1..) = from.read(&mut bytes).await else { return };
        let whole = match lines.push(&bytes[..read]) {
            Ok(whole) => whole,
            Err(too_long) => {
                let _ = told.send(Err(too_long)).await;
                return;
            }
        };
        for frame in whole.iter().filter_map(|line| wire::frame(line)) {
            if told.send(Ok(frame)).await.is_err() {
                return;
            }
        }
    }
}
