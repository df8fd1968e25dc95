//! Agents that others run: those of other people's software, those that behave badly, and Netra's own by AG-UI.

mod ag_ui_server;
mod documented;
mod hostile;
mod killed;
mod software;

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::{PATIENCE, server::Setup};

/// How long the agents may take to start: Python reads many files.
const START: Duration = Duration::from_secs(90);

/// pydantic-ai, ag-ui-langgraph and LangGraph with scripted models; killed when dropped.
pub(crate) struct Software {
    child: Child,
    base: String,
    log: PathBuf,
    home: TempDir,
}

impl Software {
    /// Starts them; nothing if they are not installed.
    pub(crate) async fn start() -> Option<Self> {
        if !python().exists() {
            println!("not run: this test needs tools/agents.sh to have installed pydantic-ai and LangGraph");
            return None;
        }
        let home = tempfile::tempdir().expect("a temporary folder");
        let log = home.path().join("agents.log");
        let (child, base) = begin(&log, home.path(), 0).await;
        Some(Self { child, base, log, home })
    }

    /// Kills them, and starts them again at the same address.
    pub(crate) async fn restart(&mut self) {
        // Both fail only when the process is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let port = self.base.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        (self.child, self.base) = begin(&self.log, self.home.path(), port).await;
    }

    /// What models were asked and tools did, a line each.
    fn log(&self) -> Vec<String> {
        std::fs::read_to_string(&self.log).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// How often a tool worked.
    pub(crate) fn tools(&self) -> usize {
        self.log().iter().filter(|line| line.starts_with("tool ")).count()
    }

    /// A server with all of them as agents.
    pub(crate) fn setup(&self) -> Setup {
        let agents: Vec<String> = AGENTS
            .iter()
            .map(|(name, kind, path, more)| entry(name, kind, &format!("{}{path}", self.base), more))
            .collect();
        Setup::new().toml(&agents.join("\n")).set("NETRA_RUN_LEASE_S", 1)
    }

    /// Waits until a tool has begun to work.
    async fn tool_works(&self, before: usize) {
        let end = Instant::now() + PATIENCE;
        while self.tools() == before {
            assert!(Instant::now() < end, "no tool works: {:?}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/remote-agents/bin/python")
}

/// Starts the agents; the process and its address.
async fn begin(log: &Path, home: &Path, port: u16) -> (Child, String) {
    let said = home.join("said");
    let out = File::create(&said).expect("a file");
    let err = out.try_clone().expect("a file");
    let child = Command::new(python())
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/black_box/support/agents.py"))
        .arg(log)
        .arg(port.to_string())
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .spawn()
        .expect("python starts");
    let end = Instant::now() + START;
    let url = loop {
        let said = std::fs::read_to_string(&said).expect("text");
        assert!(Instant::now() < end, "the agents are not ready: {said}");
        if let Some((_, url)) = said.split_once("listening on ").filter(|(_, rest)| rest.contains('\n')) {
            break url.lines().next().unwrap_or_default().trim().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    (child, url)
}

impl Drop for Software {
    fn drop(&mut self) {
        // Both fail only when the process is gone, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Name, kind, path and further lines of each agent.
const AGENTS: [(&str, &str, &str, &str); 7] = [
    ("pydantic", "ag-ui", "/pydantic", ""),
    ("langgraph", "ag-ui", "/langgraph", ""),
    ("langserve", "langchain", "/stream_events", ""),
    ("lines", "langchain", "/lines", ""),
    ("wrapped", "langchain", "/wrapped", ""),
    ("runs", "langchain", "/runs/stream", "assistant = \"graph\""),
    ("threads", "langchain", "/threads/{thread}/runs/stream", "assistant = \"graph\""),
];

/// An agent of `netra.toml`.
fn entry(name: &str, kind: &str, url: &str, more: &str) -> String {
    format!("[[agents]]\nname = \"{name}\"\nkind = \"{kind}\"\nurl = \"{url}\"\n{more}\n")
}
