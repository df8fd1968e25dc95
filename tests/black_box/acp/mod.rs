//! Agents by the Agent Client Protocol: one written with the protocol's own SDK, and some that behave badly. Each is a program that
//! the server starts.

mod confined;
mod hostile;
mod killed;
mod opencode;
mod software;

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    PATIENCE,
    frame::on,
    rules::{Run, ended_within, event},
    server::{Server, Setup},
    socket::Socket,
};

/// How long a run may take in which programs are started and ended.
const SLOWLY: Duration = Duration::from_secs(40);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An agent of `netra.toml`: a script of the tests, with its arguments and further lines.
pub(crate) fn entry(name: &str, script: &str, arguments: &[&str], more: &str) -> String {
    let support = root().join("tests/black_box/support");
    let script = support.join(script).display().to_string();
    let command: Vec<&str> = ["node", &script].into_iter().chain(arguments.iter().copied()).collect();
    let readable = [support, root().join("node_modules")];
    format!("[[agents]]\nname = \"{name}\"\nkind = \"acp\"\ncommand = {command:?}\nreadable = {readable:?}\n{more}\n")
}

/// The agent that is written with the SDK.
fn scripted(more: &str) -> Setup {
    Setup::new().toml(&entry("coder", "acp_agent.mjs", &[], more)).set("NETRA_RUN_LEASE_S", 1)
}

/// The folder of a conversation with the agent.
fn folder(server: &Server, agent: &str, thread: &str) -> PathBuf {
    server.home().path().join("data").join("workspaces").join(agent).join(thread)
}

/// Waits until something is so.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits for the run's question.
async fn asked(socket: &Socket, run: &Run) -> Value {
    event(socket, run, "tool_approval_required").await
}

/// Answers a question.
async fn decide(socket: &Socket, run: &Run, asked: &Value, decision: Value) {
    let mut payload = decision;
    payload["tool_call_id"] = asked["payload"]["tool_call_id"].clone();
    let ack = socket.call(on(&run.thread, "tool_approval", payload)).await;
    assert_eq!(ack["type"], "ack", "{ack}");
}

/// The end of a run, which took so long that programs could start.
async fn end(socket: &Socket, run: &Run) -> Value {
    ended_within(socket, run, SLOWLY).await
}

fn approve() -> Value {
    json!({ "decision": "approve" })
}

/// Processes whose command line holds all of these words.
pub(crate) fn running(words: &[&str]) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        words.iter().all(|word| line.contains(word))
    })
    .collect()
}
