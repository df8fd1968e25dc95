//! The Model Context Protocol, both ways: servers whose tools our agents use, and our agents as tools for others.

mod authorization;
mod clients;
mod commands;
mod conformance;
mod elicitation;
mod hostile;
mod servers;
mod settings;
mod sign_in;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{
    provider::{Provider, Request},
    script::{Reply, Stream},
    user::User,
};

/// A file of the packages that the tests use.
fn package(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules").join(path);
    assert!(path.exists(), "{} is missing: run `npm ci` first", path.display());
    path
}

/// A script of the tests.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/black_box/support").join(name)
}

/// The program of the reference server.
fn everything() -> PathBuf {
    package("@modelcontextprotocol/server-everything/dist/index.js")
}

/// A server that is a program, in `netra.toml`.
pub(crate) fn program(name: &str, command: &[&str]) -> String {
    format!("[[mcp]]\nname = \"{name}\"\ncommand = {command:?}\n")
}

/// An agent that asks this provider and may use these tools.
pub(crate) fn agent(provider: &Provider, tools: &str) -> String {
    format!(
        "[[agents]]\nname = \"caller\"\nkind = \"openai\"\nbase_url = \"{}\"\nmodel = \"m\"\napi_key_env = \"CALLER_KEY\"\ntools = [{tools}]\npolicy = {{ \"mcp:*\" = \"allow\" }}\n",
        provider.base
    )
}

/// A model that calls the tool that it is asked for, as `<tool> <arguments>`, and then says that it did.
pub(crate) fn calls(request: &Request) -> Reply {
    if !request.tool_results().is_empty() {
        return Reply::text("It was called.");
    }
    let prompt = request.prompt();
    let (tool, arguments) = prompt.split_once(' ').unwrap_or((&prompt, "{}"));
    Stream::new().tool(0, "call_1", tool, arguments).end("tool_calls")
}

/// How this server's state is told to who administers.
async fn state(admin: &User, name: &str) -> Value {
    let agents = admin.get("/api/agents").await.ok();
    let servers = agents["mcp"].as_array().cloned().unwrap_or_default();
    servers.into_iter().find(|server| server["name"] == name).unwrap_or_else(|| panic!("no {name} in {agents}"))
}

/// Waits until a server is as it should be.
pub(crate) async fn becomes(admin: &User, name: &str, status: &str) -> Value {
    let end = std::time::Instant::now() + crate::support::PATIENCE;
    loop {
        let state = state(admin, name).await;
        if state["status"] == status {
            return state;
        }
        assert!(std::time::Instant::now() < end, "{name} is not {status}: {state}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
